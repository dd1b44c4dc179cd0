"""The audit: where its chains stand, and whether anybody broke one.

The hash of an entry is the SHA-256 (FIPS 180-4), in hexadecimal, of the hash before it and the text of its content in
UTF-8; the text is PostgreSQL's own of a JSON array (create_db.sql, audit_content). It is put together here once more
and hashed by Python, so that functions somebody changed in the database can't hide anything.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.models import audit_guard
from abq_data_entry.models.audit_guard import AUDITED
from abq_data_entry.models.extract import HEADS

_BLOCK = 2000
_HEAD = re.compile(r"(\S) (\d{1,18}) ([0-9a-f]{64})")
_CONTENT = """
    (jsonb_build_array(lab_id, sequence, table_name, key, operation, old, new, database_user, application_user,
        workstation, to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), transaction, reason)
    || CASE WHEN typed IS NULL THEN '[]' ELSE
        jsonb_build_array(to_char(typed AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) END)::text
"""
_ENTRIES = f"SELECT lab_id::text, sequence, previous_hash, hash, {_CONTENT} FROM audit ORDER BY lab_id, sequence"
_HIDES = (
    "The chain - holds entries of a lab that this login doesn't see, so it was not checked; abq_qa and the owner of the"
    " database see all of it"
)
# A minute: clocks are put right by so much.
_SET_BACK = """
    SELECT DISTINCT ON (lab_id) lab_id::text, sequence, moment::text, before::text
    FROM (
        SELECT lab_id, sequence, moment, lag(moment) OVER (PARTITION BY lab_id ORDER BY sequence) AS before FROM audit
    ) AS entry
    WHERE moment < before - interval '1 minute' ORDER BY lab_id, sequence
"""


class Verdict(NamedTuple):
    """What was found: how many entries there are, and the first break of each chain; none when all is right.

    `findings`: what could hide something from the audit, or show something else than the tables hold, as sentences.
    `not_compared`: why the definitions in the database weren't compared with create_db.sql; '' if they were.
    `notes`: what somebody should look at, and may be right all the same, as sentences.
    """

    entries: int
    breaks: tuple[Break, ...]
    findings: tuple[str, ...] = ()
    not_compared: str = ""
    notes: tuple[str, ...] = ()

    def printable(self) -> Verdict:
        """Return the same in printable characters: the database may hold others, even ones that move a cursor."""
        breaks = tuple(Break(_printable(each.lab), each.sequence, _printable(each.reason)) for each in self.breaks)
        findings, notes = (tuple(map(_printable, each)) for each in (self.findings, self.notes))
        return Verdict(self.entries, breaks, findings, _printable(self.not_compared), notes)


def parse_heads(line: str) -> dict[tuple[str, int], str]:
    """Return the hashes that a line of heads names, by lab and number; raises `ValueError` for anything else."""
    found: dict[tuple[str, int], str] = {}
    for part in filter(str.strip, line.split(";")):
        matched = _HEAD.fullmatch(part.strip())
        if matched is None:
            raise ValueError(f"{part.strip()!r} isn't a head of the audit: a lab, a number and a hash are expected.")
        found[matched[1], int(matched[2])] = matched[3]
    return found


def verify(cursor: Cursor, witnesses: Mapping[tuple[str, int], str] | None = None) -> Verdict:
    """Recompute every hash, and compare the last entries with the heads and with the rows that stand there.

    `witnesses`: hashes that went with deliveries, by lab and number: who replaced a chain can't have kept those.
    """
    findings = audit_guard.pin(cursor)
    cursor.execute(HEADS)
    told = {lab: (int(sequence), str(digest)) for lab, sequence, digest in cursor.fetchall()}
    missing = dict(witnesses or {})
    breaks: dict[str, Break] = {}
    reached: dict[str, tuple[int, str]] = {}
    entries = 0
    cursor.execute("SELECT hides_entries(current_user)")
    ((hides,),) = cursor.fetchall()
    if hides:  # an older database has a lab of that letter, which this login doesn't see: no chain without them
        told.pop("-", None)
        missing = {(lab, sequence): digest for (lab, sequence), digest in missing.items() if lab != "-"}
    for lab, sequence, previous, digest, content in _rows(cursor):
        entries += 1
        if hides and lab == "-":
            continue
        if missing.get((lab, int(sequence))) == digest:
            del missing[lab, int(sequence)]
        if lab in breaks:
            continue
        last, hash_before = reached.get(lab, (0, ""))
        if reason := _wrong(sequence, previous, digest, content, last, hash_before):
            breaks[lab] = Break(lab, int(sequence), reason)
        reached[lab] = int(sequence), str(digest)
    for lab in sorted(told.keys() | reached.keys()):
        if lab not in breaks and told.get(lab) != reached.get(lab):
            number = max(sequence for sequence, _ in filter(None, (told.get(lab), reached.get(lab))))
            breaks[lab] = Break(lab, number, "the chain doesn't end where its head says")
    for lab, sequence in sorted(missing):
        reason = "it isn't the entry that went with a delivery"
        if sequence > (last := reached.get(lab, (0, ""))[0]):
            reason = f"it went with a delivery and is gone: the chain ends with entry {last}"
        breaks.setdefault(lab, Break(lab, sequence, reason))
    if not breaks:
        for each in find_breaks(cursor):
            breaks.setdefault(each.lab, each)
    findings += audit_guard.find(cursor)
    notes = (*_set_back(cursor), *([_HIDES] if hides else []))
    return Verdict(entries, tuple(breaks[lab] for lab in sorted(breaks)), tuple(findings), notes=notes)


def _set_back(cursor: Cursor) -> tuple[str, ...]:
    """Return the first entry of each chain that says an earlier moment than the one before it."""
    cursor.execute("SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'")
    cursor.execute(_SET_BACK)
    return tuple(
        f"Lab {lab}, entry {sequence}: its moment, {moment}, is before that of the entry before it, {before}. Either"
        " the clock of the server was set back, or somebody added it without the triggers"
        for lab, sequence, moment, before in cursor.fetchall()
    )


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _wrong(sequence: int, previous: str, digest: str, content: str, last: int, hash_before: str) -> str:
    if sequence != last + 1:
        return f"the entry {last + 1} is missing"
    if previous != hash_before:
        return "it doesn't follow the entry before it"
    if hashlib.sha256((previous + content).encode()).hexdigest() != digest:
        return "its content was changed"
    return ""


def _rows(cursor: Cursor) -> Iterator[tuple[str, int, str, str, str]]:
    """Yield the entries in constant memory; runs within the transaction of the cursor."""
    with cursor.connection.cursor() as own:
        own.execute(f"DECLARE audit_walk NO SCROLL CURSOR FOR {_ENTRIES}")
        while True:
            own.execute(f"FETCH {_BLOCK} FROM audit_walk")
            block = own.fetchall()
            yield from block
            if len(block) < _BLOCK:
                break
        own.execute("CLOSE audit_walk")


# The rows of the tables against the audit: each as its last entry left it, and none without an entry.
#
# What was there before the audit began has no entries: how many rows, and a sum of their contents, stand in
# audit_baselines, which is itself in the audit. Nothing here trusts a text of the audit: keys are compared as JSON, and
# never read as dates or numbers.

_MOST_NAMED = 200  # characters of a key: anything may stand there
# Columns that the table got later are more than the entry tells of, whatever is in them.
_STRAYED = """
    SELECT last.lab_id::text, last.sequence, last.key::text
    FROM (
        SELECT DISTINCT ON (key) lab_id, sequence, key, new FROM audit WHERE table_name = %(table)s
        ORDER BY key, sequence DESC
    ) AS last
    LEFT JOIN (SELECT {content} AS content, {key} AS key FROM {rows} AS each) AS present USING (key)
    WHERE (present.content IS NULL) <> (last.new IS NULL)
        OR CASE jsonb_typeof(last.new) WHEN 'object'
            THEN NOT present.content @> (last.new - 'outdated' - %(hidden)s::text[])
            ELSE last.new IS NOT NULL END
    ORDER BY last.lab_id, last.sequence LIMIT 1
"""
# What had no entry when the audit began: the rows that still have none, and those that the first entry found there.
_WITHOUT_ENTRY = """
    WITH present AS (
        SELECT {lab} AS lab_id, {content} AS content, {key} AS key FROM {rows} AS each
    ), without AS (
        SELECT lab_id, content, key::text AS named FROM present
        WHERE NOT EXISTS (SELECT FROM audit WHERE audit.key = present.key AND audit.table_name = %(table)s)
        UNION ALL
        SELECT first.lab_id::text, CASE jsonb_typeof(old) WHEN 'object' THEN old ELSE '{{}}' END, NULL
        FROM (
            SELECT DISTINCT ON (key) lab_id, sequence, operation, old FROM audit WHERE table_name = %(table)s
            ORDER BY key, sequence
        ) AS first
        WHERE operation <> 'INSERT' AND sequence > coalesce((
            SELECT sequence FROM audit_baselines WHERE table_name = %(table)s AND audit_baselines.lab_id = first.lab_id
        ), 0)
    ), hashed AS (
        SELECT lab_id, named, encode(sha256(convert_to((content - %(newer)s::text[])::text, 'UTF8')), 'hex') AS hash
        FROM without
    )
    SELECT lab_id, count(*), concat_ws(' ',
            sum(('x' || substr(hash, 1, 16))::bit(64)::bigint), sum(('x' || substr(hash, 17, 16))::bit(64)::bigint),
            sum(('x' || substr(hash, 33, 16))::bit(64)::bigint), sum(('x' || substr(hash, 49, 16))::bit(64)::bigint)
        ), max(named)
    FROM hashed GROUP BY lab_id ORDER BY lab_id
"""
_BASELINES = "SELECT lab_id::text, rows, digest, columns FROM audit_baselines WHERE table_name = %s"
_COLUMNS = """
    SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""
# Labs that are kept apart: what a delivery says of all of them isn't for everybody.
_HIDDEN = """
    SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
        AND NOT has_column_privilege(attrelid, attnum, 'SELECT')
"""
# As audit_row of create_db.sql; what is in the database may be somebody else's.
_ROW_CONTENT = {
    "deliveries": """
        CASE WHEN to_jsonb(each) ->> 'audit_head' IS NULL THEN to_jsonb(each) ELSE to_jsonb(each) || jsonb_build_object(
            'audit_head', encode(sha256(convert_to(to_jsonb(each) ->> 'audit_head', 'UTF8')), 'hex')) END
    """
}
_REMADE = """
    SELECT min(lab_id)::text, max(sequence), key ->> 'table_name' FROM audit WHERE table_name = 'audit_baselines'
    GROUP BY key -> 'table_name', key ->> 'table_name'
    HAVING count(DISTINCT transaction) > 1 OR bool_or(operation <> 'INSERT') ORDER BY 3
"""
_FOREIGN = """
    SELECT DISTINCT ON (lab_id) lab_id::text, sequence, table_name FROM audit WHERE table_name <> ALL (%s)
    ORDER BY lab_id, sequence
"""


class Break(NamedTuple):
    """Where a chain is broken: the lab, the number of the entry (0: of none), and what is wrong, as a sentence."""

    lab: str
    sequence: int
    reason: str


def find_breaks(cursor: Cursor) -> Iterator[Break]:
    """Yield the first row of each table that was added or changed without the audit, and entries that can't be ours."""
    cursor.execute("SET LOCAL timezone = 'UTC'")  # as the entries have it
    # With statistics from before the tables grew, row by row would look cheap, and take hours.
    cursor.execute("SET LOCAL enable_nestloop = off")
    cursor.execute(_FOREIGN, [list(AUDITED)])
    for lab, sequence, table in cursor.fetchall():
        yield Break(lab, int(sequence), f"it is about {_named(table)}, of which the audit keeps nothing")
    cursor.execute(_REMADE)
    for lab, sequence, table in cursor.fetchall():
        yield Break(lab, int(sequence), f"what {_named(table)} held when the audit began was written again")
    for table, key in AUDITED.items():
        rows = _Rows.of(cursor, table, key)
        yield from itertools.chain(_without_entry(cursor, rows), _strayed(cursor, rows))


class _Rows(NamedTuple):
    """A table as the statements above read it: by those of its columns that this login may read."""

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    hidden: tuple[str, ...]

    @classmethod
    def of(cls, cursor: Cursor, table: str, key: tuple[str, ...]) -> _Rows:
        cursor.execute(_COLUMNS, [table])
        columns = [name for (name,) in cursor.fetchall()]
        cursor.execute(_HIDDEN, [table])
        hidden = [name for (name,) in cursor.fetchall()]
        return cls(table, key, tuple(name for name in columns if name not in hidden), tuple(hidden))

    def written_into(self, statement: str) -> str:
        readable = ", ".join(f'"{name}"' for name in self.columns)
        pairs = ", ".join(f"'{name}', each.{name}" for name in self.key)
        return statement.format(
            table=self.table,
            rows=f"(SELECT {readable} FROM {self.table})" if self.hidden else self.table,
            key=f"jsonb_build_object({pairs})",
            lab="lab_id::text" if "lab_id" in self.key else "id::text" if self.table == "labs" else "'-'",
            content=_ROW_CONTENT.get(self.table, "to_jsonb(each)"),
        )


def _strayed(cursor: Cursor, rows: _Rows) -> Iterator[Break]:
    cursor.execute(rows.written_into(_STRAYED), {"table": rows.table, "hidden": list(rows.hidden)})
    for lab, sequence, row in cursor.fetchall():
        yield Break(lab, int(sequence), f"the row {_named(row)} of {rows.table} isn't as this entry left it")


def _without_entry(cursor: Cursor, rows: _Rows) -> Iterator[Break]:
    table = rows.table
    cursor.execute(_BASELINES, [table])
    baselines = {lab: (int(number), str(digest), names) for lab, number, digest, names in cursor.fetchall()}
    known: list[str] = []
    if "-" in baselines:
        known = baselines["-"][2]
    elif table != "audit_baselines":
        yield Break("-", 0, f"what {table} held when the audit began is no longer known")
        return
    newer = [name for name in rows.columns if name not in known]
    cursor.execute(rows.written_into(_WITHOUT_ENTRY), {"table": table, "newer": newer})
    found = {lab: (int(count), str(digest), row) for lab, count, digest, row in cursor.fetchall()}
    for lab in sorted(found.keys() | baselines.keys()):
        count, digest, row = found.get(lab, (0, "", None))
        had, was, _ = baselines.get(lab, (0, "", ()))
        if count > had:
            also = f" and {had} had none when the audit began" if had else ""
            yield Break(lab, 0, f"the row {_named(row)} of {table} has no entry" if count - had == 1 and not had else
                        f"{count} rows of {table} have no entry{also}, such as the row {_named(row)}")  # fmt: skip
        elif count < had:
            yield Break(lab, 0, f"{had - count} rows of {table} from before the audit are gone without an entry")
        elif digest != was and not rows.hidden:
            yield Break(lab, 0, f"a row of {table} from before the audit isn't as it was then")


def _named(text: object) -> str:
    told = str(text)
    return told if len(told) <= _MOST_NAMED else f"{told[:_MOST_NAMED]}…"
