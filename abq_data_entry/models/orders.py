"""The orders of the record list as PostgreSQL can walk them.

An order is (column, date, time, lab, plot) in one direction. It is cut into parts that an index (column, date) can be
walked along: the values that are there, then the empty ones; for the technician's name, which stands in another
table, one part a technician.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.constants import FieldNames, FieldTypes
from abq_data_entry.fields import FIELDS, RECORD_KEY, Field, field
from abq_data_entry.models.selection import Selection

_NO_TECHNICIAN = -32768


@dataclass(frozen=True)
class Part:
    """A part of an order: the condition of its rows in `plot_checks`, and the columns and fields that order them.

    `home` is what tells whether a record stands in it: its technician, or whether its reading is empty. `empty` is the
    column that holds nothing in all of its rows.
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
        """The columns that are in an index together."""
        return self.columns[:1] if self.columns[0] == "date" else self.columns[:2]

    def order(self, reverse: bool = False, table: str = "") -> str:
        """Return the columns for ORDER BY; `reverse` from the end to the beginning."""
        direction = "DESC" if self.descending != reverse else "ASC"
        # With the empty column, too: else the planner doesn't see that its index has the rows in this order.
        columns = self.columns if self.empty is None else (self.empty, *self.columns)
        return ", ".join(f"{table}{column} {direction}" for column in columns)

    def values(self, record: Mapping[str, object]) -> tuple[object, ...]:
        """Return what orders a record."""
        return tuple(record[name] for name in self.names)


def parts_of(cursor: Cursor, selection: Selection) -> list[Part]:
    """Return the parts of a selection's order, one after the other."""
    technicians = _technicians(cursor)
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
    """Return in which of the parts a record stands."""
    home: object = None
    if selection.sort == FieldNames.TECHNICIAN:
        home = record[FieldNames.TECHNICIAN]
    elif field(selection.sort).nullable:
        home = record[selection.sort] is None
    return next((place for place, part in enumerate(parts) if part.home == home), 0)


def beyond(columns: tuple[str, ...], comparison: str) -> str:
    """Return the condition for rows on one side of a row, whose values are to be bound.

    Each value is a query of its own: a value that the planner sees lets it guess that next to no rows are left, which
    it then likes to sort all at once instead of walking the index.
    """
    values = ", ".join(f"(SELECT %s::{COLUMN_TYPES[column]})" for column in columns)
    return f" AND ({', '.join(columns)}) {comparison} ({values})"


def _part(selection: Selection, technicians: Mapping[str, int]) -> Part:
    # The number and not the name: only so does the planner know how many rows that technician has.
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


def _technicians(cursor: Cursor) -> dict[str, int]:
    cursor.execute("SELECT name, id FROM lab_techs")
    return dict(cursor.fetchall())


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
"""What the columns are compared as."""
