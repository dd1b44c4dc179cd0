"""The audit: where its chains stand, and whether anybody broke one.

The hash of an entry is the SHA-256 (FIPS 180-4), in hexadecimal, of the hash before it and the text of its content in
UTF-8; the text is PostgreSQL's own of a JSON array (create_db.sql, audit_content). It is put together here once more
and hashed by Python, so that functions somebody changed in the database can't hide anything.
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

_BLOCK = 2000
_HEAD = re.compile(r"(\S) (\d{1,18}) ([0-9a-f]{64})")
_CONTENT = """
    jsonb_build_array(lab_id, sequence, table_name, key, operation, old, new, database_user, application_user,
        workstation, to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), transaction, reason)::text
"""
_ENTRIES = f"SELECT lab_id::text, sequence, previous_hash, hash, {_CONTENT} FROM audit ORDER BY lab_id, sequence"
_HEADS = "SELECT lab_id::text, sequence, hash FROM audit_heads WHERE sequence > 0 ORDER BY lab_id"
_HEADS_OF_DAY = """
    SELECT lab_id::text, sequence, hash FROM audit_heads
    WHERE sequence > 0 AND (lab_id IN (SELECT lab_id FROM lab_checks WHERE date = %s)) ORDER BY lab_id
"""
# A row must be as the last entry about it says. A column that the tables got since then is empty in it, not there.
_STRAYED = """
    SELECT last.lab_id::text, last.sequence, last.table_name, last.key::text
    FROM (
        SELECT DISTINCT ON (table_name, key) lab_id, sequence, table_name, key, new
        FROM audit WHERE table_name = %(table)s ORDER BY table_name, key, sequence DESC
    ) AS last
    LEFT JOIN {table} AS present ON {same}
    WHERE jsonb_strip_nulls(to_jsonb(present)) IS DISTINCT FROM jsonb_strip_nulls(last.new)
    ORDER BY last.lab_id, last.sequence LIMIT 1
"""
# A row of a day after the audit began, or of any day where it was there from the beginning, must have an entry.
_UNKNOWN = """
    SELECT {lab}, key::text FROM (
        SELECT *, jsonb_build_object({pairs}) AS key FROM {table} WHERE {day} > %(began)s::date
    ) AS present
    WHERE NOT EXISTS (SELECT FROM audit WHERE table_name = %(table)s AND audit.key = present.key)
    ORDER BY key::text LIMIT 1
"""
_BEGAN = """
    SELECT CASE WHEN min(version) < 3 THEN min(applied) FILTER (WHERE version >= 3)::date::text ELSE '-infinity' END
    FROM schema_version
"""
_KEYS = {
    "plot_checks": ("date::date", "time::time", "lab_id::char(1)", "plot::smallint"),
    "lab_checks": ("date::date", "time::time", "lab_id::char(1)"),
    "plots": ("lab_id::char(1)", "plot::smallint"),
    "labs": ("id::char(1)",),
    "lab_members": ("lab_id::char(1)", "member::name"),
    "lab_techs": ("id::smallint",),
    "local_weather": ("datetime::timestamptz",),
    "technician_logins": ("login::name",),
}


class Break(NamedTuple):
    """Where a chain is broken: the lab, the number of the entry (0: of none), and what is wrong, as a sentence."""

    lab: str
    sequence: int
    reason: str


class Verdict(NamedTuple):
    """What was found: how many entries there are, and the first break of each chain; none when all is right."""

    entries: int
    breaks: tuple[Break, ...]


def heads(cursor: Cursor, date: datetime.date | None) -> str:
    """Return the last entry of each chain as one line."""
    cursor.execute(_HEADS if date is None else _HEADS_OF_DAY, None if date is None else [date])
    return "; ".join(f"{lab} {sequence} {digest}" for lab, sequence, digest in cursor.fetchall())


def parse_heads(line: str) -> dict[tuple[str, int], str]:
    """Return the hashes that a line of heads names, by lab and number; raises `ValueError` for anything else."""
    found: dict[tuple[str, int], str] = {}
    for part in filter(str.strip, line.split(";")):
        matched = _HEAD.fullmatch(part.strip())
        if matched is None:
            raise ValueError(f"{part.strip()!r} is no head of the audit: a lab, a number and a hash are expected.")
        found[matched[1], int(matched[2])] = matched[3]
    return found


def verify(cursor: Cursor, witnesses: Mapping[tuple[str, int], str] | None = None) -> Verdict:
    """Compute every hash anew, and compare the last entries with the heads and with the rows that stand there.

    `witnesses`: hashes that went with deliveries, by lab and number: whoever made a chain anew can't have kept those.
    """
    cursor.execute(_HEADS)
    told = {lab: (int(sequence), str(digest)) for lab, sequence, digest in cursor.fetchall()}
    missing = dict(witnesses or {})
    breaks: dict[str, Break] = {}
    reached: dict[str, tuple[int, str]] = {}
    entries = 0
    for lab, sequence, previous, digest, content in _rows(cursor):
        entries += 1
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
            number = max(told.get(lab, (0, ""))[0], reached.get(lab, (0, ""))[0])
            breaks[lab] = Break(lab, number, "the chain doesn't end where its head says")
    for lab, sequence in sorted(missing):
        breaks.setdefault(lab, Break(lab, sequence, "it isn't the entry that went with a delivery"))
    if not breaks:
        # With statistics from before the tables grew, row by row would look cheap, and take hours.
        cursor.execute("SET LOCAL enable_nestloop = off")
        breaks = {each.lab: each for each in itertools.chain(_unknown(cursor), _strayed(cursor))}
    return Verdict(entries, tuple(breaks[lab] for lab in sorted(breaks)))


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


def _strayed(cursor: Cursor) -> Iterator[Break]:
    """Yield the first row of each table that was changed past the audit."""
    cursor.execute("SET LOCAL timezone = 'UTC'")
    for table, key in _KEYS.items():
        names = [each.partition("::") for each in key]
        same = " AND ".join(f"present.{name} = (last.key ->> '{name}')::{kind}" for name, _, kind in names)
        cursor.execute(_STRAYED.format(table=table, same=same), {"table": table})
        for lab, sequence, name, row in cursor.fetchall():
            yield Break(lab, int(sequence), f"the row {row} of {name} isn't as this entry left it")


def _unknown(cursor: Cursor) -> Iterator[Break]:
    """Yield the first row of each table that was added past the audit."""
    cursor.execute("SET LOCAL timezone = 'UTC'")
    cursor.execute(_BEGAN)
    ((began,),) = cursor.fetchall()
    for table, key in _KEYS.items():
        names = [each.partition("::")[0] for each in key]
        parts = {
            "table": table,
            "lab": "lab_id::text" if "lab_id" in names else "id::text" if table == "labs" else "'-'",
            "pairs": ", ".join(f"'{name}', {name}" for name in names),
            "day": "date" if "date" in names else "date '0001-01-01'",  # they have none: only where all must have
        }
        cursor.execute(_UNKNOWN.format(**parts), {"table": table, "began": began})
        for lab, row in cursor.fetchall():
            yield Break(lab, 0, f"the row {row} of {table} has no entry")
