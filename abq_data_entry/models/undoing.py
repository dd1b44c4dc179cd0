"""Undo mistakes: withdraw records, bring them back, move them, correct many at once, take the last change back.

Functions of `create_db.sql` do it, and check who may: a supervisor, for every record; others, within 24 hours, for
records that their own login entered first. If several people share one login, `By.person` applies the same rule to the
persons that the program names.
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
from abq_data_entry.models import administration, saving
from abq_data_entry.models.connections import Connections, confirm, rows_as_dicts
from abq_data_entry.models.errors import (
    DatabaseError,
    OutcomeUnknown,
    PrivilegeMissing,
    RecordConflict,
    RecordExists,
    RecordInvalid,
    RecordMissing,
    ServerUnreachable,
)
from abq_data_entry.models.records import Withdrawn

Record = dict[str, object]

NO_RECORD = "AB002"
"""The SQLSTATE that the functions raise if there is no such record."""

PLACE_TAKEN = "AB003"
"""The SQLSTATE that the functions raise if there is a record with the new key already."""

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
_VERSIONED = saving.RECORDS.replace("SELECT ", "SELECT p.version, ", 1)
_CHOSEN = f"""
    {_VERSIONED}
    WHERE p.date = %(Date)s AND (%(Time)s IS NULL OR p.time = %(Time)s::time)
        AND (%(Lab)s IS NULL OR p.lab_id = %(Lab)s) AND (%(plots)s IS NULL OR p.plot = ANY (%(plots)s::smallint[]))
        AND (%(Technician)s IS NULL OR t.name = %(Technician)s)
    {saving.IN_ORDER}
"""
_NAMED = f"""
    {_VERSIONED}
    JOIN jsonb_to_recordset(%(records)s) AS named (date date, time time, lab text, plot integer)
        ON (p.date, p.time, p.lab_id, p.plot) = (named.date, named.time, named.lab, named.plot)
    {saving.IN_ORDER}
"""
_CHANGES = {
    FieldNames.TECHNICIAN: "technician",
    FieldNames.SEED_SAMPLE: "seed_sample",
    FieldNames.DATE: "date",
}

CORRECTABLE = tuple(_CHANGES)
"""The fields that can be corrected in many records at once."""


class By(NamedTuple):
    """Who makes a change: the name for the audit ('': the user of this computer), the computer ('': this one), and
    whether the rule for persons is applied (see the module's docstring)."""

    author: str = ""
    workstation: str = ""
    person: bool = False


NOBODY_NAMED = By()

@dataclass(frozen=True)
class Place:
    """The key of a record, by field name, and its version (`None`: any)."""

    key: Mapping[str, object]
    version: int | None = None

    @property
    def described(self) -> Record:
        """The place as an object in the functions' JSON parameter."""
        date, time, lab, plot = (self.key[name] for name in fields.RECORD_KEY)
        return {"date": str(date), "time": str(time), "lab": lab, "plot": plot, "version": self.version}


@dataclass(frozen=True)
class Request:
    """A statement with its parameters, and an idempotency key."""

    statement: str
    parameters: Mapping[str, object]
    key: Mapping[str, object]
    entry: str = field(default_factory=lambda: uuid.uuid4().hex)


def withdraw(connections: Connections, place: Place, reason: str, by: By) -> None:
    """Withdraw a record: the row is deleted, but stays in the audit. Raises as `SQLModel.withdraw_record` does."""
    bound = {**place.key, "version": place.version, "reason": reason}
    run_request(connections, Request(_WITHDRAW, bound, place.key), by)


def bring_back(connections: Connections, place: Place, number: int | None, reason: str, by: By) -> None:
    """Restore the record that was last withdrawn from that place, or by the audit entry of that number."""
    run_request(connections, Request(_BRING_BACK, {**place.key, "number": number, "reason": reason}, place.key), by)


def move(connections: Connections, place: Place, to: Mapping[str, object], reason: str, by: By) -> None:
    """Give a record another date, time, lab or plot."""
    parameters = {**place.key, **_as_new(to), "version": place.version, "reason": reason}
    run_request(connections, Request(_MOVE, parameters, to), by)


def move_check(
    connections: Connections, check: Mapping[str, object], to: Mapping[str, object], reason: str, by: By
) -> int | None:
    """Give all records of a check another date, time or lab; return how many, `None` if the answer was lost."""
    found = run_request(connections, Request(_MOVE_CHECK, {**check, **_as_new(to), "reason": reason}, to), by)
    return None if found is None else int(str(found))


def take_back(connections: Connections, place: Place, reason: str, by: By) -> str:
    """Take back the last change; return "withdrawn", "restored" or "moved" ("" if the answer was lost)."""
    parameters = {**place.key, "version": place.version, "reason": reason}
    return str(run_request(connections, Request(_TAKE_BACK, parameters, place.key), by) or "")


def take_back_many(connections: Connections, places: Sequence[Place], reason: str, by: By) -> None:
    """Take back the last change of each record, of all or of none."""
    parameters = {"records": Json([each.described for each in places]), "reason": reason}
    run_request(connections, Request(_TAKE_MANY_BACK, parameters, {}), by)


def correct(
    connections: Connections, places: Sequence[Place], changes: Mapping[str, object], reason: str, by: By
) -> list[Place]:
    """Correct all of them or none; return their new places, for `take_back_many`."""
    wanted = {_CHANGES[name]: str(value) for name, value in changes.items()}
    parameters = {
        "records": Json([each.described for each in places]), "changes": Json(wanted), "reason": reason,
    }  # fmt: skip
    became = run_request(connections, Request(_CORRECT, parameters, {}), by)
    if became is None:
        return [_as_found(connections, {**each.key, **_key_part(changes)}) for each in places]
    return [_place(each) for each in became]  # type: ignore[attr-defined]


def withdrawn(cursor: Cursor, first: object, last: object, lab: object, limit: int) -> list[Withdrawn]:
    """Return withdrawn records of those days and that lab (`None`: all), last withdrawn first."""
    cursor.execute(_WITHDRAWN, {"first": first, "last": last, "Lab": lab, "limit": limit})
    return [
        Withdrawn(
            {name: row[name] for name in fields.CSV_HEADER},
            **{name: value for name, value in row.items() if name not in fields.CSV_HEADER},  # type: ignore[arg-type]
        )
        for row in rows_as_dicts(cursor)
    ]


def choose(cursor: Cursor, wanted: Mapping[str, object]) -> list[tuple[Record, Place]]:
    """Return the records of a day with their places, filtered by time, lab, technician and plots (`None`: any)."""
    cursor.execute(_CHOSEN, wanted)
    return _with_places(cursor)


def look_up(cursor: Cursor, places: Sequence[Place]) -> list[tuple[Record, Place]]:
    """Return the records that are at those places now, with their present versions."""
    cursor.execute(_NAMED, {"records": Json([each.described for each in places])})
    return _with_places(cursor)


def _with_places(cursor: Cursor) -> list[tuple[Record, Place]]:
    rows = rows_as_dicts(cursor)
    return [
        (row, Place({name: row[name] for name in fields.RECORD_KEY}, int(str(row.pop("version"))))) for row in rows
    ]


def plots_of(cursor: Cursor, check: Mapping[str, object]) -> list[int]:
    """Return the recorded plots of a check."""
    cursor.execute(saving.GET_RECORDED_PLOTS, check)
    return [plot for plot, _ in cursor.fetchall()]


def run_request(connections: Connections, request: Request, by: By) -> object:
    """Execute a request once, even if this is called again with it; return the SQL function's result.

    `None`: it was executed, but its result was lost with the connection.

    Raises as the methods of `Corrections` do.
    """

    def run(cursor: Cursor) -> object:
        parameters = {
            "author": by.author, "workstation": by.workstation or platform.node(), "entry": request.entry,
            "person": "on" if by.person else "", **request.parameters,
        }  # fmt: skip
        cursor.execute(_SET_ASKER + saving.NOTE_ENTRY, parameters)
        if cursor.rowcount == 0:  # it has been done before
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
        try:
            return connections.write(run)
        except ServerUnreachable as error:  # the first attempt may have been committed all the same
            raise OutcomeUnknown("It isn't known whether it was done: the connection was lost.", error.detail) from None


def _other_version(cursor: Cursor, request: Request, error: psycopg2.Error) -> NoReturn:
    key = _key_in_detail(error) or dict(request.key)
    theirs = saving.read_version(cursor, key)
    who = theirs.changed_by or "Somebody else"
    raise RecordConflict(f"{who} changed the record of {saving.named(key)} meanwhile.", key, theirs)


def _missing(cursor: Cursor, request: Request, error: psycopg2.Error) -> NoReturn:
    raise RecordMissing(error.diag.message_primary or "", _key_in_detail(error) or request.key)


def _taken(cursor: Cursor, request: Request, error: psycopg2.Error) -> NoReturn:
    key = _key_in_detail(error) or dict(request.key)
    theirs = saving.read_version(cursor, key)
    raise RecordExists(f"There is a record of {saving.named(key)} already. Nothing was changed.", key, theirs)


def _forbidden(cursor: Cursor, request: Request, error: psycopg2.Error) -> NoReturn:
    if not error.diag.message_hint:  # not raised by one of our functions
        raise error
    raise PrivilegeMissing(f"{error.diag.message_primary} {error.diag.message_hint}")


def _refused(cursor: Cursor, request: Request, error: psycopg2.Error) -> NoReturn:
    raise DatabaseError(f"{error.diag.message_primary} Nothing was changed.")


def _invalid(cursor: Cursor, request: Request, error: psycopg2.Error) -> NoReturn:
    wrong = administration.find_unknown(cursor, dict(request.key)) if request.key else {}
    wrong.pop(FieldNames.TECHNICIAN, None)
    if not wrong:
        rule = (error.diag.constraint_name or "unnamed").replace("_", " ")
        wrong = {FieldNames.PLOT: f"The database refused this by its rule {rule!r}."}
    raise RecordInvalid(wrong, error.diag.message_primary or "")


_EXPLAINED: Mapping[str, Callable[[Cursor, Request, psycopg2.Error], NoReturn]] = {
    saving.OTHER_VERSION: _other_version,
    NO_RECORD: _missing,
    PLACE_TAKEN: _taken,
    "42501": _forbidden,
    "22023": _refused,
    "23503": _invalid,
    "23514": _invalid,
}


def _key_in_detail(error: psycopg2.Error) -> Record:
    """Return the key that an error of the functions is about; {} if it names none."""
    try:
        row = json.loads(error.diag.message_detail or "")
    except ValueError:
        return {}
    return dict(_place(row).key)


def _place(row: Mapping[str, object]) -> Place:
    texts = (row["date"], str(row["time"])[:5], row.get("lab", row.get("lab_id")), row["plot"])
    key = {
        name: fields.parse(fields.field(name), str(text))
        for name, text in zip(fields.RECORD_KEY, texts, strict=True)
    }
    version = row.get("version")
    return Place(key, None if version is None else int(str(version)))


def _as_found(connections: Connections, key: Mapping[str, object]) -> Place:
    return Place(key, connections.read(partial(saving.read_version, key=key)).version)


def _as_new(key: Mapping[str, object]) -> Record:
    return {f"new {name}": value for name, value in key.items()}


def _key_part(changes: Mapping[str, object]) -> Record:
    return {name: value for name, value in changes.items() if name in fields.RECORD_KEY}


Key = tuple[object, object, object, object]
"""Date, time, lab and plot of a record, as texts or as typed values."""

CheckKey = tuple[object, object, object]
"""Date, time and lab of a check."""

_CHECK = (FieldNames.DATE, FieldNames.TIME, FieldNames.LAB)

# A record is moved over another one: the merged record is saved there, and the moved one is withdrawn, in one
# transaction. Labs are locked in alphabetical order, as the functions do, so that there is no deadlock.
_MOVE_OVER = f"""
    SELECT lock_lab(lab) FROM (
        SELECT DISTINCT lab FROM unnest(ARRAY[%(from Lab)s, %(Lab)s]::text[]) AS lab ORDER BY lab
    ) AS labs;
    SELECT withdraw_record(%(from Date)s, %(from Time)s, %(from Lab)s, %(from Plot)s, %(reason)s, %(from version)s);
    SELECT set_config('abq.reason', %(reason)s, true);
    {saving.REQUIRE_VERSION}
    {saving.UPDATE_PLOT}
"""


class Corrections:
    """The methods of `SQLModel` that withdraw, bring back, move and correct records; each in one transaction, once.

    `by`: who makes the change. All raise `PrivilegeMissing` if this login may not do it, `RecordMissing`,
    `RecordConflict` for another version, `RecordExists` if the new place is taken, `RecordInvalid` if it is invalid,
    and `DatabaseError` if `reason` is empty; then nothing is changed.
    """

    _connections: Connections

    def withdraw_record(
        self, key: Key, reason: str, *, expected_version: int | None = None, by: By = NOBODY_NAMED
    ) -> None:
        """Remove a record from all views and extracts; it stays in the audit and in `withdrawn_records`."""
        withdraw(self._connections, Place(_typed(key), expected_version), reason, by)

    def bring_back_record(self, key: Key, reason: str, *, entry: int | None = None, by: By = NOBODY_NAMED) -> None:
        """Restore the record that was last withdrawn there, or by that entry (`Withdrawn.entry`)."""
        bring_back(self._connections, Place(_typed(key)), entry, reason, by)

    def move_record(
        self, key: Key, to: Key, reason: str, *, expected_version: int | None = None, by: By = NOBODY_NAMED
    ) -> None:
        """Give a record another date, time, lab or plot."""
        move(self._connections, Place(_typed(key), expected_version), _typed(to), reason, by)

    def move_record_over(
        self,
        key: Key,
        record: Mapping[str, object],
        reason: str,
        *,
        expected_version: int | None,
        over_version: int,
        by: By = NOBODY_NAMED,
    ) -> None:
        """Withdraw the record `key`, and save `record`, over version `over_version` of the one that has its key: both
        or nothing."""
        try:
            values = fields.parse_record(record)
        except fields.FieldErrors as error:
            raise RecordInvalid(error.errors) from None
        _move_over(self._connections, Place(_typed(key), expected_version), values, over_version, reason, by)

    def move_check(self, check: CheckKey, to: CheckKey, reason: str, *, by: By = NOBODY_NAMED) -> int:
        """Move all records of a check (date, time, lab) to another check; return how many records that has then."""
        target = _typed(to)
        moved = move_check(self._connections, _typed(check), target, reason, by)
        if moved is None:  # the answer was lost
            moved = len(self._connections.read(partial(plots_of, check=target)))
        return moved

    def take_back(
        self, key: Key, version: int | None, *, reason: str = "taken back", by: By = NOBODY_NAMED
    ) -> str:
        """Take back the last change of a record, which made that version (`None`: any).

        Return "withdrawn" (it was the first entry), "restored" or "moved"; "" if the answer was lost.
        """
        return take_back(self._connections, Place(_typed(key), version), reason, by)

    def correct_records(
        self, places: Sequence[Place], changes: Mapping[str, object], reason: str, *, by: By = NOBODY_NAMED
    ) -> list[Place]:
        """Give many records another technician, seed sample or date (`CORRECTABLE`): all, or none.

        Returns their new places, for `take_back_records`.
        """
        return correct(self._connections, places, _checked(changes), reason, by)

    def take_back_records(self, places: Sequence[Place], *, reason: str = "taken back", by: By = NOBODY_NAMED) -> None:
        """Take back the last change of each record: of all, or of none."""
        take_back_many(self._connections, places, reason, by)

    def choose_records(
        self,
        date: object,
        time: object = None,
        lab: object = None,
        plots: Sequence[int] | None = None,
        technician: str | None = None,
    ) -> list[tuple[dict[str, object], Place]]:
        """Return the records of a day with their places, for `correct_records`; `None`: any."""
        names = (FieldNames.DATE, FieldNames.TIME, FieldNames.LAB)
        typed = _typed_parts({name: value for name, value in zip(names, (date, time, lab), strict=True) if value})
        chosen = None if plots is None else list(plots)
        wanted = {**dict.fromkeys(names), **typed, "plots": chosen, FieldNames.TECHNICIAN: technician}
        return self._connections.read(partial(choose, wanted=wanted))

    def look_up_records(self, places: Sequence[Place]) -> list[tuple[dict[str, object], Place]]:
        """Return the records at those places with their present versions; places without a record are left out."""
        return self._connections.read(partial(look_up, places=places))

    def get_withdrawn(
        self, first_date: object = None, last_date: object = None, lab: object = None, limit: int = 1000
    ) -> list[Withdrawn]:
        """Return withdrawn records of those days and that lab (`None`: all), last withdrawn first."""
        return self._connections.read(
            partial(withdrawn, first=first_date, last=last_date, lab=lab, limit=limit)
        )


def place(row: Mapping[str, object], version: int | None = None) -> Place:
    """Return the place of a record, which is given by field name."""
    return Place({name: row[name] for name in fields.RECORD_KEY}, version)


def _move_over(
    connections: Connections, source: Place, values: Mapping[str, object], version: int, reason: str, by: By
) -> None:
    """Withdraw the record at `source`, and save `values` over that version of the record that has their key.

    Raises as `SQLModel.move_record_over` does.
    """
    key = {name: values[name] for name in fields.RECORD_KEY}
    origin = {f"from {name}": value for name, value in source.key.items()}
    parameters = {
        **values, **origin, "from version": source.version, "expected_version": version, "reason": reason,
    }  # fmt: skip
    run_request(connections, Request(_MOVE_OVER, parameters, key), by)


def _typed(key: Sequence[object]) -> dict[str, object]:
    """Return the typed values of a record's or a check's key; raises `RecordInvalid` with a sentence for each field."""
    names = fields.RECORD_KEY if len(key) == len(fields.RECORD_KEY) else _CHECK
    return _typed_parts(dict(zip(names, key, strict=True)))


def _typed_parts(texts: Mapping[str, object]) -> dict[str, object]:
    values: dict[str, object] = {}
    errors: dict[str, str] = {}
    for name, value in texts.items():
        each = fields.field(name)
        try:
            values[name] = fields.parse(each, fields.format_value(each, value))
        except ValueError as error:
            errors[name] = str(error)
    if errors:
        raise RecordInvalid(errors)
    return values


def _checked(changes: Mapping[str, object]) -> dict[str, object]:
    wanted = {name: value for name, value in changes.items() if value not in (None, "")}
    if not wanted or not set(wanted) <= set(CORRECTABLE):
        raise DatabaseError("Technician, seed sample and date can be corrected for many records at once.")
    return _typed_parts(wanted)
