"""Counting a selection, and where in its order each five hundredth row or so stands.

A statement that numbers ten million rows takes twenty seconds. So they are counted by the column of the order alone,
and a second time, by stretches of days, only for those values that have many rows: some seconds in all.
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.models.orders import COLUMN_TYPES, Part, parts_of
from abq_data_entry.models.selection import PositionIndex, Selection, Stretch

_POSTS = 20_000
_LARGEST_DISTANCE = 500


Step = tuple[tuple[object, ...], int]
"""The values at which some rows begin in the order, and how many they are."""


class _Group(NamedTuple):
    """All rows with one value of the leading column."""

    value: object
    rows: int
    first: datetime.date
    last: datetime.date


def count_records(cursor: Cursor, selection: Selection) -> PositionIndex:
    """Count the rows of the selection, exactly, and set the posts; to be run in a snapshot."""
    stretches = tuple(_count_part(cursor, part) for part in parts_of(cursor, selection))
    return PositionIndex(selection, sum(stretch.total for stretch in stretches), stretches)


def count_rows(cursor: Cursor, part: Part) -> int:
    """Count the rows of a part."""
    cursor.execute(f"SELECT count(*) FROM plot_checks WHERE {part.condition}", part.parameters)
    return int(cursor.fetchall()[0][0])


def _count_part(cursor: Cursor, part: Part) -> Stretch:
    column = part.leading[0]
    cursor.execute(
        f"SELECT {column}, count(*), min(date), max(date) FROM plot_checks WHERE {part.condition}"
        f" GROUP BY {column} ORDER BY {column} {_direction(part)}",
        part.parameters,
    )
    groups = [_Group(*row) for row in cursor.fetchall()]
    # A filter leaves a part of the rows, and between two posts are all those that it doesn't: closer posts, then.
    distance = min(_LARGEST_DISTANCE, 1 + sum(group.rows for group in groups) // _POSTS)
    if len(part.leading) == 1:
        return _stretch([((group.value,), group.rows) for group in groups], distance)
    steps: list[Step] = []
    many = _count_by_days(cursor, part, [group for group in groups if group.rows > 2 * distance], distance)
    for group in groups:
        start = group.last if part.descending else group.first
        steps += many.get(group.value, [((group.value, start), group.rows)])
    return _stretch(steps, distance)


def _count_by_days(cursor: Cursor, part: Part, groups: list[_Group], distance: int) -> dict[object, list[Step]]:
    """Count the rows of large groups by stretches of days, in order; by value of the leading column."""
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


def _stretch(steps: list[Step], distance: int) -> Stretch:
    """Set a post where at least so many rows have passed since the last one."""
    befores: list[int] = []
    values: list[tuple[object, ...]] = []
    total = 0
    for value, rows in steps:
        if not befores or total + rows - befores[-1] > distance:
            befores.append(total)
            values.append(value)
        total += rows
    return Stretch(total, tuple(befores), tuple(values))


def _direction(part: Part) -> str:
    return "DESC" if part.descending else "ASC"
