"""Mistakes undone: records withdrawn, brought back, moved, corrected together, and the last change taken back.

The database does it all by functions of `create_db.sql`, which hold who may: a supervisor may with every record, others
within 24 hours with those that their own login entered first. Where many share one login, `By.person` asks for the same
rule for the persons that the program names.
"""

from __future__ import annotations

import json
import platform
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, NoReturn

import psycopg2
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames
from abq_data_entry.models import administration, saving, statements
from abq_data_entry.models.connections import Connections, confirm, rows_as_dicts
from abq_data_entry.models.errors import (
    DatabaseError,
    OutcomeUnknown,
    RecordConflict,
    RecordExists,
    RecordInvalid,
    RecordMissing,
    RightsMissing,
)
from abq_data_entry.models.records import Withdrawn

Record = dict[str, object]

NO_RECORD = "AB002"
"""The SQLSTATE of the functions where there is no such record."""

PLACE_TAKEN = "AB003"
"""The SQLSTATE of the functions where another record has that place."""

_RECORD = "%(Date)s, %(Time)s, %(Lab)s, %(Plot)s"
_NEW_RECORD = "%(new Date)s, %(new Time)s, %(new Lab)s, %(new Plot)s"
_SET_ASKER = """
    SELECT set_config('abq.application_user', coalesce(nullif(%(author)s, ''),
            current_setting('abq.application_user', true), ''), true),
        set_config('abq.workstation', %(workstation)s, true), set_config('abq.person_rules', %(person)s, true);
"""
_WITHDRAW = f"SELECT withdraw_record({_RECORD}, %(reason)s, %(version)s)"
_BRING_BACK = f"SELECT bring_back_record({_RECORD}, %(reason)s, %(number)s)"
_MOVE = f"SELECT move_record({_RECORD}, {_NEW_RECORD}, %(reason)s, %(version)s)"
_MOVE_CHECK = """
    SELECT move_check(%(Date)s, %(Time)s, %(Lab)s, %(new Date)s, %(new Time)s, %(new Lab)s, %(reason)s)
"""
_TAKE_BACK = f"SELECT take_back({_RECORD}, %(version)s, %(reason)s)"
_TAKE_MANY_BACK = "SELECT take_back_records(%(records)s, %(reason)s)"
_CORRECT = "SELECT correct_records(%(records)s, %(changes)s, %(reason)s)"
_WITHDRAWN = f"""
    SELECT {", ".join(f'"{name}"' for name in fields.CSV_HEADER)}, entry, withdrawn AS moment, database_user,
        coalesce(application_user, '') AS application_user, coalesce(workstation, '') AS workstation,
        coalesce(reason, '') AS reason
    FROM withdrawn_records
    WHERE (%(first)s IS NULL OR "Date" >= %(first)s::date) AND (%(last)s IS NULL OR "Date" <= %(last)s::date)
        AND (%(Lab)s IS NULL OR "Lab" = %(Lab)s)
    ORDER BY withdrawn DESC, "Lab", "Plot" LIMIT %(limit)s
"""
_VERSIONED = statements.RECORDS.replace("SELECT ", "SELECT p.version, ", 1)
_CHOSEN = f"""
    {_VERSIONED}
    WHERE p.date = %(Date)s AND (%(Time)s IS NULL OR p.time = %(Time)s::time)
        AND (%(Lab)s IS NULL OR p.lab_id = %(Lab)s) AND (%(plots)s IS NULL OR p.plot = ANY (%(plots)s::smallint[]))
        AND (%(Technician)s IS NULL OR t.name = %(Technician)s)
    {statements.IN_ORDER}
"""
_NAMED = f"""
    {_VERSIONED}
    JOIN jsonb_to_recordset(%(records)s) AS named (date date, time time, lab text, plot integer)
        ON (p.date, p.time, p.lab_id, p.plot) = (named.date, named.time, named.lab, named.plot)
    {statements.IN_ORDER}
"""
_CHANGES = {
    FieldNames.TECHNICIAN: "technician",
    FieldNames.SEED_SAMPLE: "seed_sample",
    FieldNames.DATE: "date",
}

CORRECTABLE = tuple(_CHANGES)
"""The fields that many records can be given at once."""


class By(NamedTuple):
    """Who asks: the name for the audit (none: the user of this computer), the computer (none: this one), and whether
    the rule of persons is to be held (see above)."""

    author: str = ""
    workstation: str = ""
    person: bool = False


NOBODY_NAMED = By()

@dataclass(frozen=True)
class Place:
    """Where a record stands, by field name, and of which version it is (`None`: whichever stands there)."""

    key: Mapping[str, object]
    version: int | None = None

    @property
    def described(self) -> Record:
        """As the functions take it in a list."""
        date, time, lab, plot = (self.key[name] for name in fields.RECORD_KEY)
        return {"date": str(date), "time": str(time), "lab": lab, "plot": plot, "version": self.version}


@dataclass(frozen=True)
class Request:
    """A statement with what it binds, and a number by which it is known when it comes again."""

    statement: str
    parameters: Mapping[str, object]
    key: Mapping[str, object]
    entry: str = field(default_factory=lambda: uuid.uuid4().hex)


def withdraw(connections: Connections, place: Place, reason: str, by: By) -> None:
    """Withdraw a record: the row goes, the audit keeps it. Raises as `SQLModel.withdraw_record` does."""
    do(connections, Request(_WITHDRAW, {**place.key, "version": place.version, "reason": reason}, place.key), by)


def bring_back(connections: Connections, place: Place, number: int | None, reason: str, by: By) -> None:
    """Put the record in again that was withdrawn last from there, or with that number."""
    do(connections, Request(_BRING_BACK, {**place.key, "number": number, "reason": reason}, place.key), by)


def move(connections: Connections, place: Place, to: Mapping[str, object], reason: str, by: By) -> None:
    """Give a record another date, time, lab or plot."""
    parameters = {**place.key, **_as_new(to), "version": place.version, "reason": reason}
    do(connections, Request(_MOVE, parameters, to), by)


def move_check(
    connections: Connections, check: Mapping[str, object], to: Mapping[str, object], reason: str, by: By
) -> int | None:
    """Give all records of a check another date, time or lab; returns how many, `None` if the answer was lost."""
    found = do(connections, Request(_MOVE_CHECK, {**check, **_as_new(to), "reason": reason}, to), by)
    return None if found is None else int(str(found))


def take_back(connections: Connections, place: Place, reason: str, by: By) -> str:
    """Take the last change back; returns "withdrawn", "restored" or "moved" ("" if the answer was lost)."""
    parameters = {**place.key, "version": place.version, "reason": reason}
    return str(do(connections, Request(_TAKE_BACK, parameters, place.key), by) or "")


def take_back_many(connections: Connections, places: Sequence[Place], reason: str, by: By) -> None:
    """Take the last change of each back, of all or of none."""
    parameters = {"records": Json([each.described for each in places]), "reason": reason}
    do(connections, Request(_TAKE_MANY_BACK, parameters, {}), by)


def correct(
    connections: Connections, places: Sequence[Place], changes: Mapping[str, object], reason: str, by: By
) -> list[Place]:
    """Correct all of them or none; returns where they stand now, as `take_back_many` takes them."""
    wanted = {_CHANGES[name]: str(value) for name, value in changes.items()}
    parameters = {
        "records": Json([each.described for each in places]), "changes": Json(wanted), "reason": reason,
    }  # fmt: skip
    became = do(connections, Request(_CORRECT, parameters, {}), by)
    if became is None:
        return [_as_found(connections, {**each.key, **_key_part(changes)}) for each in places]
    return [_place(each) for each in became]  # type: ignore[attr-defined]


def withdrawn(
    cursor: Cursor, first: object = None, last: object = None, lab: object = None, limit: int = 1000
) -> list[Withdrawn]:
    """Return withdrawn records of those days (all), of that lab (all), what was withdrawn last first."""
    cursor.execute(_WITHDRAWN, {"first": first, "last": last, "Lab": lab, "limit": limit})
    return [
        Withdrawn(
            {name: row[name] for name in fields.CSV_HEADER},
            **{name: value for name, value in row.items() if name not in fields.CSV_HEADER},  # type: ignore[arg-type]
        )
        for row in rows_as_dicts(cursor)
    ]


def choose(cursor: Cursor, wanted: Mapping[str, object]) -> list[tuple[Record, Place]]:
    """Return the records of a day, with their places; by time, lab, technician and plots (a list) where not `None`."""
    cursor.execute(_CHOSEN, wanted)
    return _with_places(cursor)


def look_up(cursor: Cursor, places: Sequence[Place]) -> list[tuple[Record, Place]]:
    """Return the records that stand at those places now, with the versions they have."""
    cursor.execute(_NAMED, {"records": Json([each.described for each in places])})
    return _with_places(cursor)


def _with_places(cursor: Cursor) -> list[tuple[Record, Place]]:
    rows = rows_as_dicts(cursor)
    return [
        (row, Place({name: row[name] for name in fields.RECORD_KEY}, int(str(row.pop("version"))))) for row in rows
    ]


def plots_of(cursor: Cursor, check: Mapping[str, object]) -> list[int]:
    """Return the recorded plots of a check."""
    cursor.execute(statements.GET_RECORDED_PLOTS, check)
    return [plot for plot, _ in cursor.fetchall()]


def do(connections: Connections, request: Request, by: By) -> object:
    """Do what is asked once, however often that takes; returns the function's answer, `None` if it was lost.

    Raises as the methods of `Corrections` do.
    """

    def run(cursor: Cursor) -> object:
        parameters = {
            "author": by.author, "workstation": by.workstation or platform.node(), "entry": request.entry,
            "person": "on" if by.person else "", **request.parameters,
        }  # fmt: skip
        cursor.execute(_SET_ASKER + statements.NOTE_ENTRY, parameters)
        if cursor.rowcount == 0:  # it was done before
            confirm(cursor)
            return None
        try:
            cursor.execute(request.statement, parameters)
        except psycopg2.Error as error:
            if not error.pgcode or error.pgcode not in _EXPLAINED:
                raise
            cursor.connection.rollback()
            _EXPLAINED[error.pgcode](cursor, request, error)
        return cursor.fetchall()[0][0]

    try:
        return connections.write(run)
    except OutcomeUnknown:
        return connections.write(run)


def _other_version(cursor: Cursor, request: Request, error: psycopg2.Error) -> NoReturn:
    key = _told_key(error) or dict(request.key)
    theirs = saving.read_version(cursor, key)
    who = theirs.changed_by or "Somebody else"
    raise RecordConflict(f"{who} changed the record of {saving.named(key)} meanwhile.", key, theirs)


def _missing(cursor: Cursor, request: Request, error: psycopg2.Error) -> NoReturn:
    raise RecordMissing(error.diag.message_primary or "", _told_key(error) or request.key)


def _taken(cursor: Cursor, request: Request, error: psycopg2.Error) -> NoReturn:
    key = _told_key(error) or dict(request.key)
    theirs = saving.read_version(cursor, key)
    raise RecordExists(f"There is a record of {saving.named(key)} already. Nothing was changed.", key, theirs)


def _forbidden(cursor: Cursor, request: Request, error: psycopg2.Error) -> NoReturn:
    if not error.diag.message_hint:  # not one of the functions' own
        raise error
    raise RightsMissing(f"{error.diag.message_primary} {error.diag.message_hint}")


def _senseless(cursor: Cursor, request: Request, error: psycopg2.Error) -> NoReturn:
    raise DatabaseError(f"{error.diag.message_primary} Nothing was changed.")


def _invalid(cursor: Cursor, request: Request, error: psycopg2.Error) -> NoReturn:
    wrong = administration.find_unknown(cursor, dict(request.key)) if request.key else {}
    wrong.pop(FieldNames.TECHNICIAN, None)
    if not wrong:
        rule = (error.diag.constraint_name or "unnamed").replace("_", " ")
        wrong = {FieldNames.PLOT: f"The database refused this by its rule {rule!r}."}
    raise RecordInvalid(wrong, error.diag.message_primary or "")


_EXPLAINED: Mapping[str, Callable[[Cursor, Request, psycopg2.Error], NoReturn]] = {
    statements.OTHER_VERSION: _other_version,
    NO_RECORD: _missing,
    PLACE_TAKEN: _taken,
    "42501": _forbidden,
    "22023": _senseless,
    "23503": _invalid,
    "23514": _invalid,
}


def _told_key(error: psycopg2.Error) -> Record:
    """Return the place that an error of the functions is about; empty where it names none."""
    try:
        told = json.loads(error.diag.message_detail or "")
    except ValueError:
        return {}
    return dict(_place(told).key)


def _place(told: Mapping[str, object]) -> Place:
    texts = (told["date"], str(told["time"])[:5], told.get("lab", told.get("lab_id")), told["plot"])
    key = {
        name: fields.parse(fields.field(name), str(text))
        for name, text in zip(fields.RECORD_KEY, texts, strict=True)
    }
    version = told.get("version")
    return Place(key, None if version is None else int(str(version)))


def _as_found(connections: Connections, key: Mapping[str, object]) -> Place:
    return Place(key, connections.read(partial(saving.read_version, key=key)).version)


def _as_new(key: Mapping[str, object]) -> Record:
    return {f"new {name}": value for name, value in key.items()}


def _key_part(changes: Mapping[str, object]) -> Record:
    return {name: value for name, value in changes.items() if name in fields.RECORD_KEY}
