"""Saving a record and its check in one transaction, or finding out that it was done; its versions, and its history."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Mapping
from typing import Literal, NamedTuple

import psycopg2
from psycopg2.extensions import cursor as Cursor

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames
from abq_data_entry.models import administration, statements
from abq_data_entry.models.connections import Connections, confirm, rows_as_dicts
from abq_data_entry.models.errors import (
    CheckChanged,
    DatabaseError,
    OutcomeUnknown,
    RecordConflict,
    RecordExists,
    RecordInvalid,
    RecordMissing,
)
from abq_data_entry.models.records import Change, VersionedRecord
from abq_data_entry.waits import SAVE

Record = Mapping[str, object]
Row = Mapping[str, object]
Write = Literal["insert", "update"]

_SAVES: Mapping[str | None, str] = {
    None: statements.UPSERT_PLOT,
    "insert": statements.INSERT_PLOT,
    "update": statements.UPDATE_PLOT,
}


class Saving(NamedTuple):
    """How to save: see `SQLModel.save_record`; `workstation`: the name of this computer."""

    write: Write | None = None
    expected_version: int | None = None
    author: str = ""
    reason: str = ""
    workstation: str = ""
    entry: str | None = None
    typed: datetime.datetime | None = None

    @property
    def parameters(self) -> dict[str, object]:
        """What the statements bind besides the values of the record."""
        return {
            "expected version": self.expected_version,
            "author": self.author,
            "reason": self.reason,
            "workstation": self.workstation,
            "entry": self.entry,
            "typed": self.typed.isoformat() if self.typed is not None else "",
        }


class Saved(NamedTuple):
    """Whether a save made a new record, and which version there is with it (`None`: it was done before)."""

    inserted: bool
    version: int | None = None


_FIELD_OF_RULE = {f"{each.column}_within_limits": each.name for each in fields.FIELDS}


def save(connections: Connections, values: Record, how: Saving) -> Saved:
    """Save a record of typed values. Raises as `SQLModel.save_record` does."""
    parameters = {**values, **how.parameters}

    # All in one message to the server: others of the lab wait meanwhile.
    begin = statements.SET_AUTHOR
    work = (statements.REQUIRE_VERSION if how.expected_version is not None else "") + _SAVES[how.write]

    def run(cursor: Cursor) -> Saved:
        first = begin
        if how.entry is not None:
            cursor.execute(begin + statements.NOTE_ENTRY, parameters)
            if cursor.rowcount == 0:  # it came before
                confirm(cursor)
                return Saved(how.write != "update")
            first = ""
        try:
            cursor.execute(first + work, parameters)
        except psycopg2.IntegrityError as error:
            cursor.connection.rollback()
            raise _explained(cursor, values, error) from None
        except psycopg2.Error as error:
            if error.pgcode != statements.OTHER_VERSION:
                raise
            cursor.connection.rollback()
            raise _refused(cursor, values, how) from None
        found = cursor.fetchall()
        if not found:
            cursor.connection.rollback()  # what this save did to the check isn't theirs
            raise _refused(cursor, values, how)
        return Saved(bool(found[0][0]), int(found[0][1]))

    return connections.write(run, SAVE)


def settle(connections: Connections, values: Record, how: Saving) -> Saved:
    """Find out what became of a save whose acknowledgement was lost, by looking; save again if it isn't there."""
    if _is_stored(connections, values):
        connections.confirm()
        return Saved(how.write != "update")
    try:
        return save(connections, values, how)
    except (RecordExists, RecordConflict):
        if _is_stored(connections, values):
            connections.confirm()
            return Saved(how.write != "update")
        raise
    except (RecordInvalid, RecordMissing):
        raise
    except DatabaseError as error:  # the first save may still be on its way, behind a lock that it holds say
        raise OutcomeUnknown(
            "It isn't known whether the record was saved. Save again; what is there already won't be doubled.",
            f"{error} {error.detail}".strip(),
        ) from None


def set_check_technician(connections: Connections, values: Record, how: Saving) -> None:
    """Make a whole check that technician's, if it is of the expected version or theirs already; may be done twice."""
    parameters = {**values, **how.parameters}

    def run(cursor: Cursor) -> None:
        cursor.execute(statements.SET_AUTHOR, parameters)
        if how.expected_version is not None:
            _require_check(cursor, parameters)
        try:
            cursor.execute(statements.SET_CHECK_TECHNICIAN, parameters)
        except psycopg2.IntegrityError as error:
            cursor.connection.rollback()
            raise _explained(cursor, values, error) from None

    connections.write(run)


def _require_check(cursor: Cursor, parameters: Record) -> None:
    """Keep the check as it is until the end of the transaction; raises `CheckChanged` for another version."""
    cursor.execute(statements.LOCK_CHECK, parameters)
    ((version, technician),) = cursor.fetchall() or [(0, "")]
    if version != parameters["expected version"] and technician != parameters[FieldNames.TECHNICIAN]:
        raise CheckChanged(f"{technician or 'Nobody'} does this check by now, so it stays as it is.", technician)


def _is_stored(connections: Connections, values: Record) -> bool:
    def run(cursor: Cursor) -> bool:
        cursor.execute(statements.GET_RECORD, values)
        return rows_as_dicts(cursor) == [values]

    return connections.read(run)


def named(values: Record) -> str:
    """Which record it is, for people."""
    date, time, lab, plot = (fields.format_value(fields.field(name), values[name]) for name in fields.RECORD_KEY)
    return f"{date} {time}, lab {lab}, plot {plot}"


def _refused(cursor: Cursor, values: Record, how: Saving) -> RecordExists | RecordConflict | RecordMissing:
    """Return why nothing was saved: it is there already, somebody else changed it, or it has gone."""
    theirs, name = read_version(cursor, values), named(values)
    key = {each: values[each] for each in fields.RECORD_KEY}
    if how.write == "insert":
        return RecordExists(
            f"There is a record of {name} already. Open it to change it.", key, theirs
        )
    if theirs.version == 0:
        gone = taken_away(cursor, values) or "It is no longer in the database."
        return RecordMissing(f"The record of {name} can't be corrected: {gone}", key)
    who = theirs.changed_by or "Somebody else"
    return RecordConflict(f"{who} changed the record of {name} meanwhile.", key, theirs)


def _explained(cursor: Cursor, values: Record, error: psycopg2.Error) -> RecordInvalid:
    """Return which technician, lab or plot isn't known, or which rule of the database the record breaks."""
    detail = error.diag.message_primary or ""
    errors = administration.find_unknown(cursor, values)
    if not errors:
        rule = (error.diag.constraint_name or "unnamed").replace("_", " ")
        errors = {_FIELD_OF_RULE.get(error.diag.constraint_name or "", FieldNames.PLOT):
                  f"The database refused this record by its rule {rule!r}."}
    return RecordInvalid(errors, detail)


def read_version(cursor: Cursor, key: Mapping[str, object]) -> VersionedRecord:
    """Return the record of that key with its version; version 0 when there is none."""
    cursor.execute(statements.GET_VERSIONED, key)
    found = rows_as_dicts(cursor)
    if not found:
        return VersionedRecord()
    row = found[0]
    moment = row["moment"]
    return VersionedRecord(
        record={name: row[name] for name in fields.CSV_HEADER},
        version=int(str(row["version"])),
        check_version=int(str(row["check_version"] or 0)),
        changed_by=str(row["changed_by"]),
        changed_at=moment,  # type: ignore[arg-type]
    )


def read_history(cursor: Cursor, key: Mapping[str, object]) -> list[Change]:
    """Return the changes of a record, the oldest first; a record from before the audit has none."""
    cursor.execute("SELECT id, name FROM lab_techs")
    technicians = dict(cursor.fetchall())
    cursor.execute(statements.GET_HISTORY, key)
    changes = []
    for _, entries in itertools.groupby(cursor.fetchall(), key=lambda entry: entry[6]):
        together = list(entries)  # a save may change a row twice, with its check first
        moment, operation, user, author, workstation, reason, _, old, _, there = together[0]
        new = together[-1][8]
        differences = _differences(old, new, technicians)
        elsewhere = _place_for_people(there) if there else ""
        changes.append(Change(moment, operation, user, author, workstation, reason, differences, elsewhere))
    return changes


def taken_away(cursor: Cursor, key: Mapping[str, object]) -> str:
    """Say who withdrew the record that stood there, or moved it where to; empty where nobody did so last."""
    cursor.execute(statements.GET_LAST_DELETION, key)
    found = cursor.fetchone()
    if found is None:
        return ""
    who, reason, date, time, lab, plot = found
    words = f"{who} withdrew it" if plot is None else f"{who} moved it to {date} {time}, lab {lab}, plot {plot}"
    return f"{words} ({reason})." if reason else f"{words}."


def _place_for_people(key: Mapping[str, object]) -> str:
    """A key of the audit, for people."""
    hour, minute = str(key["time"]).split(":")[:2]
    return f"{key['date']} {int(hour)}:{minute}, lab {key['lab_id']}, plot {key['plot']}"


def _differences(old: Row | None, new: Row | None, technicians: Mapping[int, str]) -> dict[str, tuple[str, str]]:
    before, after = (_texts(row, technicians) for row in (old, new))
    return {
        name: (before[name], after[name])
        for name in fields.CSV_HEADER
        if name not in fields.RECORD_KEY and before[name] != after[name]
    }


def _texts(row: Row | None, technicians: Mapping[int, str]) -> dict[str, str]:
    """Return the texts of a row of the audit by field name, as the form shows them."""
    return {each.name: _text(each, (row or {}).get(each.column), technicians) for each in fields.FIELDS}


def _text(each: fields.Field, value: object, technicians: Mapping[int, str]) -> str:
    if value is None:
        return ""
    if each.name == FieldNames.TECHNICIAN and isinstance(value, int):
        return technicians.get(value, f"technician {value}")
    return fields.format_value(each, value)
