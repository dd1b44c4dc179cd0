"""The extract of records as CSV, the audit's heads that go with it, and the table of its deliveries."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.constants import CHECK_TIMES, FieldNames, FieldTypes
from abq_data_entry.fields import FIELDS, Field
from abq_data_entry.folders import replacement
from abq_data_entry.models.errors import DatabaseError
from abq_data_entry.models.saving import IN_ORDER

# The extract of records as CSV: streamed by COPY into a temporary file, which is then renamed.
#
# RFC 4180: UTF-8, a header, lines that end with CR LF; line breaks within quotes stay as they were typed. Texts that a
# spreadsheet would run as a formula get an apostrophe in front; numbers aren't changed.

FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
"""The beginning of a text that a spreadsheet would run as a formula (OWASP, CSV injection), or that was neutralised."""

_BUFFER = 1024 * 1024


def _neutral(column: str) -> str:
    """Return SQL that puts an apostrophe in front of a formula, even of one that has apostrophes already, so that
    removing one restores the text.

    An empty text becomes NULL, which means the same: COPY would write it as "", in quotation marks. Nearly all texts
    begin with a letter, and letters sort after the dangerous characters: so one comparison is enough for them.
    """
    # strpos finds an empty text in any other, so it becomes NULL.
    beginning = f"NULLIF(left(ltrim({column}, ''''), 1), '')"
    return (
        f"CASE WHEN {column} >= 'A' COLLATE \"C\" THEN {column} WHEN {column} IS NULL OR {column} = '' THEN NULL"
        f" WHEN strpos(E'=+-@\\t\\r\\n', {beginning}) > 0 THEN '''' || {column} ELSE {column} END"
    )


# The same results as in the view, in a quarter of the time: to_char is slow.
_EXPRESSIONS = {
    FieldNames.TIME: "CASE p.time "
    + " ".join(f"WHEN '{time}' THEN '{time}'" for time in CHECK_TIMES)
    + " ELSE to_char(p.time, 'FMHH24:MI') END",
    FieldNames.TECHNICIAN: "{technician}",
    FieldNames.LAB: _neutral("p.lab_id"),
    FieldNames.EQUIPMENT_FAULT: "CASE WHEN p.equipment_fault THEN 'true' ELSE 'false' END",
}


def _expression(each: Field) -> str:
    column = f"p.{each.column}"
    is_text = each.type in (FieldTypes.STRING, FieldTypes.LONG_TEXT)
    return _EXPRESSIONS.get(each.name) or (_neutral(column) if is_text else column)


_COLUMNS = ", ".join(f'{_expression(each)} AS "{each.name}"' for each in FIELDS)

# Not SELECT from the view, where the time is a text: sorting a million texts takes as long as all the rest. Tests
# compare the two.
_COPY = f"""
    COPY (
        SELECT {_COLUMNS} FROM plot_checks AS p {{join}}
        WHERE p.date BETWEEN %s AND %s {IN_ORDER}
    ) TO STDOUT WITH (FORMAT csv, HEADER, ENCODING 'UTF8')
"""
_JOIN = "LEFT JOIN lab_techs AS t ON t.id = p.lab_tech_id"
_TECHNICIANS = f"SELECT id, {_neutral('name')} FROM lab_techs LIMIT %s"
_JOINED = _neutral("t.name")
_FEW_TECHNICIANS = 30


def export(cursor: Cursor, path: Path, first_date: datetime.date, last_date: datetime.date) -> int:
    """Write the records of these days to `path`, ordered by time; return how many. Takes constant memory.

    `path` is replaced when everything is on disk, and isn't changed if there are no records or something fails. Raises
    `DatabaseError`, `OSError`.
    """
    with replacement(path) as temporary:
        with temporary.open("xb", buffering=_BUFFER) as file:
            lines = _Lines(file)
            cursor.copy_expert(_statement(cursor, first_date, last_date), lines)
            rows = cursor.rowcount
        if lines.count != rows + 1:
            raise DatabaseError("The extract could not be written: the server sent its lines in another form.")
        if not rows:
            temporary.unlink()
        return rows


def _statement(cursor: Cursor, first_date: datetime.date, last_date: datetime.date) -> str:
    """Return the COPY statement with the values inserted by psycopg2, because COPY has no parameters.

    A few technicians are looked up by a CASE, which takes a third of a join's time for each row; many by a join.
    """
    cursor.execute(_TECHNICIANS, (_FEW_TECHNICIANS + 1,))
    technicians = cursor.fetchall()
    few = 0 < len(technicians) <= _FEW_TECHNICIANS
    cases = " ".join(["WHEN %s THEN %s"] * len(technicians))
    named = [value for pair in technicians for value in pair] if few else []
    copy = _COPY.format(
        technician=f"CASE p.lab_tech_id {cases} END" if few else _JOINED, join="" if few else _JOIN
    )
    return str(cursor.mogrify(copy, [*named, first_date, last_date]), "utf-8")


def neutralised(text: str) -> str:
    """Return the text, with an apostrophe in front if a spreadsheet would run it as a formula."""
    return f"'{text}" if FORMULA.match(text) else text


@dataclass
class _Lines:
    """The file that COPY writes to: the server sends one message for each record, whose LF becomes CR LF (RFC 4180)."""

    file: IO[bytes]
    count: int = 0

    def write(self, record: bytes) -> None:
        """Write one record, which ends with its line end."""
        self.count += 1
        self.file.write(record[:-1] + b"\r\n")


# The audit's heads, which go with each extract.

HEADS = "SELECT lab_id::text, sequence, hash FROM audit_heads WHERE sequence > 0 ORDER BY lab_id"
_HEADS_OF_DAY = """
    SELECT lab_id::text, sequence, hash FROM audit_heads
    WHERE sequence > 0 AND (lab_id IN (SELECT lab_id FROM lab_checks WHERE date = %s)) ORDER BY lab_id
"""


def audit_heads(cursor: Cursor, date: datetime.date | None) -> str:
    """Return the last entry of each chain as one line."""
    cursor.execute(HEADS if date is None else _HEADS_OF_DAY, None if date is None else [date])
    return "; ".join(f"{lab} {sequence} {digest}" for lab, sequence, digest in cursor.fetchall())


# The table of deliveries: one row each, which is written again with every change.

_DELIVERY_COLUMNS = (
    "id", "created", "date", "file_name", "version", "destination", "address", "username", "size", "sha256", "state",
    "attempts", "last_attempt", "delivered", "reason", "revision", "audit_head",
)  # fmt: skip
_RECORD = "SELECT record_deliveries(%s)"


@dataclass(frozen=True)
class SentExtract:
    """The state of a day's extract at one destination.

    `delivered`: when the last version arrived, None if none has; `outdated`: whether records of the day were changed
    after that version was made; `waits`: whether a later version waits or is being sent.
    """

    delivered: datetime.datetime | None = None
    outdated: bool = False
    version: int = 0
    waits: bool = False


@dataclass(frozen=True)
class ExtractDay:
    """A day, how many records it has, and the state of its extract at each destination (`rest`, `ftp`).

    `destinations`: the destinations to which anything was sent within the last month.
    """

    date: datetime.date
    records: int = 0
    sent: Mapping[str, SentExtract] = field(default_factory=dict)
    destinations: tuple[str, ...] = ()

    def went_out(self, destination: str = "") -> bool:
        """Return whether that destination has the day's present records; '': whether every destination that is used has
        them, and there is at least one."""
        if not destination:
            return bool(self.destinations) and all(map(self.went_out, self.destinations))
        sent = self.sent.get(destination, SentExtract())
        return sent.delivered is not None and not sent.outdated


@dataclass(frozen=True)
class OutdatedDelivery:
    """An extract that arrived, though records of its day have `changed` since. `identifier`: 32 hexadecimal digits."""

    identifier: str
    date: datetime.date
    destination: str
    changed: datetime.datetime


def record(cursor: Cursor, rows: Iterable[Mapping[str, object]]) -> None:
    """Write deliveries to the table; writing one again, or an older state of it, changes nothing."""
    storable = [{name: _storable(row[name]) for name in _DELIVERY_COLUMNS} for row in rows]
    cursor.execute(_RECORD, [json.dumps(storable, default=str)])


def latest_version(cursor: Cursor, date: datetime.date, file_name: str, destination: str) -> int:
    """Return the highest version of a file for a destination, 0 if there is none."""
    cursor.execute(
        "SELECT coalesce(max(version), 0) FROM deliveries"
        " WHERE file_name = %s AND destination = %s AND date = %s",
        (file_name, destination, date),
    )
    ((version,),) = cursor.fetchall()
    return int(version)


def extract_days(cursor: Cursor, dates: Iterable[datetime.date]) -> list[ExtractDay]:
    """Return the state of each of these days, earliest first, also of days without records."""
    wanted = sorted(set(dates))
    cursor.execute("SELECT date, count(*) FROM plot_checks WHERE date = ANY (%s) GROUP BY date", (wanted,))
    counts = dict(cursor.fetchall())
    cursor.execute("SELECT DISTINCT destination FROM deliveries WHERE created > now() - interval '1 month'")
    used = tuple(sorted(row[0] for row in cursor.fetchall()))
    cursor.execute(
        "SELECT date, destination, version, state, delivered, outdated IS NOT NULL FROM deliveries"
        " WHERE date = ANY (%s) AND state IN ('waiting', 'sending', 'delivered') ORDER BY version, created",
        (wanted,),
    )
    sent: dict[datetime.date, dict[str, SentExtract]] = {}
    for date, destination, version, state, delivered, outdated in cursor.fetchall():
        before = sent.setdefault(date, {}).get(destination, SentExtract())
        found = SentExtract(delivered, outdated, version) if state == "delivered" else replace(before, waits=True)
        sent[date][destination] = found
    return [ExtractDay(date, counts.get(date, 0), sent.get(date, {}), used) for date in wanted]


_OUTDATED = """
    SELECT id::text, date, destination, outdated
    FROM (
        SELECT DISTINCT ON (date, file_name, destination) id, date, destination, outdated, state FROM deliveries
        WHERE state <> 'cancelled' ORDER BY date, file_name, destination, version DESC, created DESC
    ) AS newest
    WHERE outdated IS NOT NULL AND state = 'delivered'
    ORDER BY outdated DESC LIMIT 200
"""


def outdated(cursor: Cursor) -> list[OutdatedDelivery]:
    """Return the extracts that arrived, are the newest of their day there, and no longer match the records."""
    cursor.execute(_OUTDATED)
    return [OutdatedDelivery(identifier.replace("-", ""), *rest) for identifier, *rest in cursor.fetchall()]


def _storable(value: object) -> object:
    """Return a text without the characters that PostgreSQL can't store; other values as they are."""
    return value.replace("\0", "").encode("utf-8", "replace").decode() if isinstance(value, str) else value
