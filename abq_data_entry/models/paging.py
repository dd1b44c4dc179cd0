"""Pages of the record list, fast at any position among ten million records.

Within a part of the order, a page is found by the key of the row before or after it (keyset pagination), or by its
position: the entries of a `PositionIndex` say how many rows come before some values of (column, date), and OFFSET then
skips a few hundred rows at most.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.constants import FieldNames, FieldTypes
from abq_data_entry.fields import FIELDS, RECORD_KEY, Field, field
from abq_data_entry.models.connections import rows_as_dicts
from abq_data_entry.models.records import PartIndex, PositionIndex, Selection
from abq_data_entry.models.saving import RECORD_COLUMNS

# The orders of the record list, as index scans.
#
# An order is (column, date, time, lab, plot) in one direction. It is divided into parts, each of which an index on
# (column, date) has in order: the rows with a value, then those with NULL; or, for the technician's name, which is in
# another table, one part for each technician.

_NO_TECHNICIAN = -32768


@dataclass(frozen=True)
class Part:
    """A part of an order: the condition of its rows in `plot_checks`, and the columns and fields that order them.

    `home` identifies the part that a record belongs to: the technician, or whether the reading is empty. `empty`: the
    column that is NULL in all of its rows.
    """

    condition: str
    parameters: tuple[object, ...]
    columns: tuple[str, ...]
    names: tuple[str, ...]
    descending: bool
    home: object = None
    empty: str | None = None

    @property
    def leading(self) -> tuple[str, ...]:
        """The leading columns of the order, which an index has."""
        return self.columns[:1] if self.columns[0] == "date" else self.columns[:2]

    def order(self, reverse: bool = False, table: str = "") -> str:
        """Return the columns for ORDER BY; `reverse`: from the end to the beginning."""
        direction = "DESC" if self.descending != reverse else "ASC"
        # With the NULL column, too: otherwise the planner doesn't see that its index has the rows in this order.
        columns = self.columns if self.empty is None else (self.empty, *self.columns)
        return ", ".join(f"{table}{column} {direction}" for column in columns)

    def values(self, record: Mapping[str, object]) -> tuple[object, ...]:
        """Return the values of the ordering columns of a record."""
        return tuple(record[name] for name in self.names)


def parts_of(cursor: Cursor, selection: Selection) -> list[Part]:
    """Return the parts of a selection's order, one after the other."""
    cursor.execute("SELECT name, id FROM lab_techs")
    technicians = dict(cursor.fetchall())
    if selection.sort == FieldNames.TECHNICIAN:
        names = sorted(technicians, key=lambda name: (name.casefold(), name), reverse=selection.descending)
        wanted = [name for name in names if selection.technician in (None, name)]
        by_date = replace(selection, sort=FieldNames.DATE)
        return [replace(_part(replace(by_date, technician=name), technicians), home=name) for name in wanted]
    part = _part(selection, technicians)
    if not field(selection.sort).nullable:
        return [part]
    there = replace(part, condition=f"{part.condition} AND {part.columns[0]} IS NOT NULL", home=False)
    empty = replace(
        part,
        condition=f"{part.condition} AND {part.columns[0]} IS NULL",
        columns=part.columns[1:],
        names=part.names[1:],
        home=True,
        empty=part.columns[0],
    )
    return [there, empty]


def place_of(parts: list[Part], selection: Selection, record: Mapping[str, object]) -> int:
    """Return the index of the part that a record belongs to."""
    home: object = None
    if selection.sort == FieldNames.TECHNICIAN:
        home = record[FieldNames.TECHNICIAN]
    elif field(selection.sort).nullable:
        home = record[selection.sort] is None
    return next((place for place, part in enumerate(parts) if part.home == home), 0)


def beyond(columns: tuple[str, ...], comparison: str) -> str:
    """Return the condition for the rows on one side of a row, whose values are to be bound.

    Each value is a subquery: if the planner saw the value, it might estimate that hardly any rows are left, and sort
    them all instead of scanning the index.
    """
    values = ", ".join(f"(SELECT %s::{COLUMN_TYPES[column]})" for column in columns)
    return f" AND ({', '.join(columns)}) {comparison} ({values})"


def _part(selection: Selection, technicians: Mapping[str, int]) -> Part:
    # By id, not by name: so the planner knows from its statistics how many rows that technician has.
    technician = technicians.get(selection.technician or "", _NO_TECHNICIAN) if selection.technician else None
    filters = (
        ("date = %s", selection.date),
        ("lab_id = %s", selection.lab),
        ("plot = %s", selection.plot),
        ("lab_tech_id = %s", technician),
    )
    used = [(condition, value) for condition, value in filters if value is not None]
    ordered = [field(selection.sort), *(field(name) for name in RECORD_KEY if name != selection.sort)]
    return Part(
        " AND ".join(["true", *(condition for condition, _ in used)]),
        tuple(value for _, value in used),
        tuple(each.column for each in ordered),
        tuple(each.name for each in ordered),
        selection.descending,
    )


def _column_type(each: Field) -> str:
    if each.type in (FieldTypes.STRING, FieldTypes.LIST) and each.length is not None:
        return f"char({each.length})"
    types = {
        FieldTypes.DATE: "date",
        FieldTypes.TIME: "time",
        FieldTypes.DECIMAL: "numeric",
        FieldTypes.BOOLEAN: "boolean",
        FieldTypes.LONG_TEXT: "text",
    }
    return types.get(each.type, "smallint")


COLUMN_TYPES = {each.column: _column_type(each) for each in FIELDS}
"""The types as which the columns are compared."""


# Counting a selection, and the position of about every five hundredth row in its order.
#
# A statement that numbers ten million rows takes twenty seconds. So rows are counted per value of the sort column and,
# only for values with many rows, per range of days: that takes some seconds in all.

_ENTRIES = 20_000  # at most about so many for each part
_LARGEST_DISTANCE = 500


Step = tuple[tuple[object, ...], int]
"""The values at which a group of rows begins in the order, and the number of rows in it."""


class _Group(NamedTuple):
    """All rows with one value of the leading column."""

    value: object
    rows: int
    first: datetime.date
    last: datetime.date


def count_records(cursor: Cursor, selection: Selection) -> PositionIndex:
    """Count the rows of the selection, exactly, and index their positions; run it in one snapshot (REPEATABLE READ)."""
    part_indexes = tuple(_count_part(cursor, part) for part in parts_of(cursor, selection))
    return PositionIndex(selection, sum(part_index.total for part_index in part_indexes), part_indexes)


def count_rows(cursor: Cursor, part: Part) -> int:
    """Count the rows of a part."""
    cursor.execute(f"SELECT count(*) FROM plot_checks WHERE {part.condition}", part.parameters)
    return int(cursor.fetchall()[0][0])


def _count_part(cursor: Cursor, part: Part) -> PartIndex:
    column = part.leading[0]
    cursor.execute(
        f"SELECT {column}, count(*), min(date), max(date) FROM plot_checks WHERE {part.condition}"
        f" GROUP BY {column} ORDER BY {column} {_direction(part)}",
        part.parameters,
    )
    groups = [_Group(*row) for row in cursor.fetchall()]
    # OFFSET also reads the rows between two entries that a filter removes: so entries are closer if there are few rows.
    distance = min(_LARGEST_DISTANCE, 1 + sum(group.rows for group in groups) // _ENTRIES)
    if len(part.leading) == 1:
        return _part_index([((group.value,), group.rows) for group in groups], distance)
    steps: list[Step] = []
    many = _count_by_days(cursor, part, [group for group in groups if group.rows > distance], distance)
    for group in groups:
        start = group.last if part.descending else group.first
        steps += many.get(group.value, [((group.value, start), group.rows)])
    return _part_index(steps, distance)


def _count_by_days(cursor: Cursor, part: Part, groups: list[_Group], distance: int) -> dict[object, list[Step]]:
    """Count the rows of large groups by ranges of days, in order; return steps by value of the leading column."""
    if not groups:
        return {}
    column = part.leading[0]
    firsts = [group.first for group in groups]
    days = [max(1, ((group.last - group.first).days + 1) * distance // group.rows) for group in groups]
    cursor.execute(
        f"""
        WITH large AS (
            SELECT * FROM unnest(%s::{COLUMN_TYPES[column]}[], %s::date[], %s::int[]) AS large (value, first, days)
        )
        SELECT {column}, first + (date - first) / days * days AS start, days, count(*)
        FROM plot_checks JOIN large ON {column} = value
        WHERE {part.condition}
        GROUP BY 1, 2, 3 ORDER BY 2 {_direction(part)}
        """,
        [[group.value for group in groups], firsts, days, *part.parameters],
    )
    counted: dict[object, list[Step]] = {}
    for value, start, length, rows in cursor.fetchall():
        edge = start + datetime.timedelta(length - 1) if part.descending else start
        counted.setdefault(value, []).append(((value, edge), rows))
    return counted


def _part_index(steps: list[Step], distance: int) -> PartIndex:
    """Add an entry wherever at least `distance` rows have followed the last one."""
    befores: list[int] = []
    values: list[tuple[object, ...]] = []
    total = 0
    for value, rows in steps:
        if not befores or total + rows - befores[-1] > distance:
            befores.append(total)
            values.append(value)
        total += rows
    return PartIndex(total, tuple(befores), tuple(values))


def _direction(part: Part) -> str:
    return "DESC" if part.descending else "ASC"


Row = dict[str, object]


def get_page_at(cursor: Cursor, selection: Selection, rows: int, start: int, index: PositionIndex | None) -> list[Row]:
    """Return up to `rows` records from the position `start` on (0 is the first)."""
    page: list[Row] = []
    parts = parts_of(cursor, selection)
    part_indexes: Sequence[PartIndex | None] = index.part_indexes if index is not None else ()
    if len(part_indexes) != len(parts):
        # Not counted, or a technician was added since: read from the beginning.
        part_indexes = [None] * len(parts)
    skipped = start
    for part, part_index in zip(parts, part_indexes, strict=True):
        # Rows that were added since may be after the last counted one.
        if part_index is not None and skipped >= part_index.total and not page and part is not parts[-1]:
            skipped -= part_index.total
            continue
        before, entry = part_index.entry_before(skipped) if part_index is not None else (0, None)
        found = _walk(cursor, part, rows - len(page), from_entry=entry, offset=skipped - before)
        if part_index is None and not found and skipped:
            skipped -= min(skipped, count_rows(cursor, part))
            continue
        page += found
        skipped = 0
        if len(page) >= rows:
            break
    return page


def get_page_beside(
    cursor: Cursor, selection: Selection, rows: int, key: Mapping[str, object], before: bool
) -> list[Row]:
    """Return up to `rows` records after the record `key` in the order, or (`before`) those before it."""
    parts = parts_of(cursor, selection)
    home = place_of(parts, selection, key)
    page: list[Row] = []
    for place in range(home, -1, -1) if before else range(home, len(parts)):
        part = parts[place]
        beside = part.values(key) if place == home else None
        found = _walk(cursor, part, rows - len(page), beside=beside, reverse=before)
        page = found + page if before else page + found
        if len(page) >= rows:
            break
    return page


def get_last_page(cursor: Cursor, selection: Selection, rows: int) -> list[Row]:
    """Return the last `rows` records of the order."""
    page: list[Row] = []
    for part in reversed(parts_of(cursor, selection)):
        page = _walk(cursor, part, rows - len(page), reverse=True) + page
        if len(page) >= rows:
            break
    return page


def get_position(cursor: Cursor, selection: Selection, record: Mapping[str, object]) -> int | None:
    """Return how many records of the selection come before this one, `None` if it isn't in the selection.

    It counts them, so use it for selections of some thousands.
    """
    wanted = {
        FieldNames.DATE: selection.date,
        FieldNames.LAB: selection.lab,
        FieldNames.PLOT: selection.plot,
        FieldNames.TECHNICIAN: selection.technician,
    }
    if any(value is not None and record[name] != value for name, value in wanted.items()):
        return None
    parts = parts_of(cursor, selection)
    home = place_of(parts, selection, record)
    part = parts[home]
    condition = part.condition + beyond(part.columns, ">" if part.descending else "<")
    cursor.execute(
        f"SELECT count(*) FROM plot_checks WHERE {condition}", [*part.parameters, *part.values(record)]
    )
    return int(cursor.fetchall()[0][0]) + sum(count_rows(cursor, each) for each in parts[:home])


def _walk(
    cursor: Cursor,
    part: Part,
    rows: int,
    *,
    beside: tuple[object, ...] | None = None,
    from_entry: tuple[object, ...] | None = None,
    offset: int = 0,
    reverse: bool = False,
) -> list[Row]:
    """Return rows of one part in its order: after the row `beside` (`reverse`: before it), or from an entry onwards."""
    condition, parameters = part.condition, list(part.parameters)
    if beside is not None:
        condition += beyond(part.columns, "<" if part.descending != reverse else ">")
        parameters += beside
    if from_entry is not None:
        condition += beyond(part.leading, "<=" if part.descending else ">=")
        parameters += from_entry
    page = f"SELECT * FROM plot_checks WHERE {condition} ORDER BY {part.order(reverse)} LIMIT %s OFFSET %s"
    cursor.execute(
        f"SELECT {RECORD_COLUMNS} FROM ({page}) AS p LEFT JOIN lab_techs AS t ON t.id = p.lab_tech_id"
        f" ORDER BY {part.order(reverse, 'p.')}",
        [*parameters, rows, offset],
    )
    found = rows_as_dicts(cursor)
    return found[::-1] if reverse else found
