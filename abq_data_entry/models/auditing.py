"""The audit: where its chains stand, and whether anybody broke one.

The hash of an entry is the SHA-256 (FIPS 180-4), in hexadecimal, of the hash before it and the text of its content in
UTF-8; the text is PostgreSQL's own of a JSON array (create_db.sql, audit_content). It is put together here once more
and hashed by Python, so that functions somebody changed in the database can't hide anything.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.models import audit_guard, audit_rows
from abq_data_entry.models.audit_rows import Break

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
        """Return the same in signs that can be printed: in the database may be any, also such as move a cursor."""
        breaks = tuple(Break(_printable(each.lab), each.sequence, _printable(each.reason)) for each in self.breaks)
        findings, notes = (tuple(map(_printable, each)) for each in (self.findings, self.notes))
        return Verdict(self.entries, breaks, findings, _printable(self.not_compared), notes)


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
    findings = audit_guard.pin(cursor)
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
        reason = "it isn't the entry that went with a delivery"
        if sequence > (last := reached.get(lab, (0, ""))[0]):
            reason = f"it went with a delivery and is gone: the chain ends with entry {last}"
        breaks.setdefault(lab, Break(lab, sequence, reason))
    if not breaks:
        for each in audit_rows.find_breaks(cursor):
            breaks.setdefault(each.lab, each)
    findings += audit_guard.find(cursor)
    return Verdict(entries, tuple(breaks[lab] for lab in sorted(breaks)), tuple(findings), notes=_set_back(cursor))


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
