"""Saving a record and its check in one transaction; and finding out whether a save of unknown outcome was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import psycopg2
from psycopg2.extensions import cursor as Cursor

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames
from abq_data_entry.models import administration, statements
from abq_data_entry.models.connections import Connections, rows_as_dicts
from abq_data_entry.models.errors import RecordExists, RecordInvalid, RecordMissing

Record = dict[str, object]
Write = Literal["insert", "update"]

_SAVES: Mapping[str | None, str] = {
    None: statements.UPSERT_PLOT,
    "insert": statements.INSERT_PLOT,
    "update": statements.UPDATE_PLOT,
}
_FIELD_OF_RULE = {f"{each.column}_within_limits": each.name for each in fields.FIELDS}


def save(connections: Connections, values: Record, write: Write | None) -> bool:
    """Save a record of typed values; tell whether it was inserted. Raises as `SQLModel.save_record` does."""

    def run(cursor: Cursor) -> bool:
        try:
            cursor.execute(_SAVES[write], values)
        except psycopg2.IntegrityError as error:
            cursor.connection.rollback()
            raise _explained(cursor, values, error) from None
        found = cursor.fetchall()
        if not found:
            raise _existing(values) if write == "insert" else _vanished(values)
        return bool(found[0][0])

    return connections.write(run)


def settle(connections: Connections, values: Record, write: Write | None) -> bool:
    """Find out what became of a save whose acknowledgement was lost, by looking; save again if it isn't there."""
    if _is_stored(connections, values):
        return write != "update"
    try:
        return save(connections, values, write)
    except RecordExists:
        if _is_stored(connections, values):
            return True
        raise


def set_check_technician(connections: Connections, values: Record) -> None:
    """Make a whole check that technician's; may be done twice."""

    def run(cursor: Cursor) -> None:
        try:
            cursor.execute(statements.SET_CHECK_TECHNICIAN, values)
        except psycopg2.IntegrityError as error:
            cursor.connection.rollback()
            raise _explained(cursor, values, error) from None

    connections.write(run)


def _is_stored(connections: Connections, values: Record) -> bool:
    def run(cursor: Cursor) -> bool:
        cursor.execute(statements.GET_RECORD, values)
        return rows_as_dicts(cursor) == [values]

    return connections.read(run)


def _key_of(values: Record) -> Record:
    return {name: values[name] for name in fields.RECORD_KEY}


def _named(values: Record) -> str:
    date, time, lab, plot = (fields.format_value(fields.field(name), values[name]) for name in fields.RECORD_KEY)
    return f"{date} {time}, lab {lab}, plot {plot}"


def _existing(values: Record) -> RecordExists:
    return RecordExists(
        f"There is a record of {_named(values)} already. Open it to change it; nothing was saved.", _key_of(values)
    )


def _vanished(values: Record) -> RecordMissing:
    return RecordMissing(
        f"The record of {_named(values)} is no longer in the database. Save it as a new one; nothing was saved.",
        _key_of(values),
    )


def _explained(cursor: Cursor, values: Record, error: psycopg2.Error) -> RecordInvalid:
    """Return which technician, lab or plot isn't known, or which rule of the database the record breaks."""
    detail = error.diag.message_primary or ""
    errors = administration.find_unknown(cursor, values)
    if not errors:
        rule = (error.diag.constraint_name or "unnamed").replace("_", " ")
        errors = {_FIELD_OF_RULE.get(error.diag.constraint_name or "", FieldNames.PLOT):
                  f"The database refused this record by its rule {rule!r}."}
    return RecordInvalid(errors, detail)
