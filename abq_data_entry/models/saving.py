"""Save a record and its check in one transaction; find out whether a save was done; read versions and history.

The statements are generated from the table of fields. Values are always bound, never inserted as text.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Literal, NamedTuple

import psycopg2
from psycopg2.extensions import cursor as Cursor

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames
from abq_data_entry.fields import FIELDS, RECORD_KEY, Field
from abq_data_entry.models import administration
from abq_data_entry.models.connections import Connections, confirm
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

_EXPRESSIONS = {
    FieldNames.TIME: "to_char(p.time, 'FMHH24:MI')",
    FieldNames.TECHNICIAN: "t.name",
    FieldNames.SEED_SAMPLE: "p.seed_sample::text",
}
_TECHNICIAN_ID = "(SELECT id FROM lab_techs WHERE name = %(Technician)s)"
_SAME_CHECK = "date = %(Date)s AND time = %(Time)s AND lab_id = %(Lab)s"
_SAME_RECORD = f"{_SAME_CHECK} AND plot = %(Plot)s"

RECORD_COLUMNS = ", ".join(f'{_EXPRESSIONS.get(each.name, "p." + each.column)} AS "{each.name}"' for each in FIELDS)
"""The columns of a record, from `plot_checks AS p` and `lab_techs AS t`, with the names of the CSV header."""

RECORDS = f"SELECT {RECORD_COLUMNS} FROM plot_checks AS p LEFT JOIN lab_techs AS t ON t.id = p.lab_tech_id"

IN_ORDER = "ORDER BY p.date, p.time, p.lab_id, p.plot"

GET_RECORD = (
    f"{RECORDS} WHERE p.date = %(Date)s AND p.time = %(Time)s AND p.lab_id = %(Lab)s AND p.plot = %(Plot)s"
)

GET_CHECK = f"""
    SELECT lab_checks.date, lab_checks.time, lab_checks.lab_id, lab_checks.lab_tech_id, lab_techs.name AS lab_tech,
        lab_checks.version
    FROM lab_checks JOIN lab_techs ON lab_techs.id = lab_checks.lab_tech_id
    WHERE {_SAME_CHECK}
"""

GET_RECORDED_PLOTS = """
    SELECT p.plot, t.name FROM plot_checks AS p LEFT JOIN lab_techs AS t ON t.id = p.lab_tech_id
    WHERE p.date = %(Date)s AND p.time = %(Time)s AND p.lab_id = %(Lab)s ORDER BY p.plot
"""

GET_PREVIOUS = f"""
    SELECT {RECORD_COLUMNS}
    FROM plots
    CROSS JOIN LATERAL (
        SELECT * FROM plot_checks AS earlier
        WHERE earlier.lab_id = plots.lab_id AND earlier.plot = plots.plot
            AND (earlier.date, earlier.time) < (%(Date)s, %(Time)s)
        ORDER BY earlier.date DESC, earlier.time DESC LIMIT 1
    ) AS p
    LEFT JOIN lab_techs AS t ON t.id = p.lab_tech_id
    WHERE plots.lab_id = %(Lab)s
"""

# The lab is locked first: the audit's entries of a lab are in sequence, and a session that waits holds no other lock.
LOCK_LAB = "SELECT lock_lab(%(Lab)s);"

# Before the check is saved: changing its technician may make a new version of the record in the same transaction.
REQUIRE_VERSION = f"""
    {LOCK_LAB}
    SELECT require_version(%(Date)s, %(Time)s, %(Lab)s, %(Plot)s, %(expected_version)s);
"""

OTHER_VERSION = "AB001"
"""The SQLSTATE that `REQUIRE_VERSION` raises if there is another version of the record, or no record."""

# If the technician isn't the check's: the check is locked, so that two who begin it at the same time see each other's
# plots. It gets the new technician only if no other plot of it is recorded.
SAVE_CHECK = f"""
    {LOCK_LAB}

    INSERT INTO lab_checks (date, time, lab_id, lab_tech_id)
    VALUES (%(Date)s, %(Time)s, %(Lab)s, {_TECHNICIAN_ID})
    ON CONFLICT (date, time, lab_id) DO NOTHING;

    SELECT FROM lab_checks WHERE {_SAME_CHECK} AND lab_tech_id <> {_TECHNICIAN_ID} FOR NO KEY UPDATE;

    UPDATE lab_checks SET lab_tech_id = {_TECHNICIAN_ID}
    WHERE {_SAME_CHECK} AND lab_tech_id <> {_TECHNICIAN_ID}
        AND NOT EXISTS (SELECT FROM plot_checks WHERE {_SAME_CHECK} AND plot <> %(Plot)s);
"""

LOCK_CHECK = f"""
    {LOCK_LAB}
    SELECT version, (SELECT name FROM lab_techs WHERE id = lab_tech_id) FROM lab_checks
    WHERE {_SAME_CHECK} FOR NO KEY UPDATE
"""

SET_CHECK_TECHNICIAN = f"""
    {LOCK_LAB}
    SELECT FROM lab_checks WHERE {_SAME_CHECK} FOR NO KEY UPDATE;
    UPDATE plot_checks SET lab_tech_id = {_TECHNICIAN_ID} WHERE {_SAME_CHECK};
    INSERT INTO lab_checks (date, time, lab_id, lab_tech_id)
    VALUES (%(Date)s, %(Time)s, %(Lab)s, {_TECHNICIAN_ID})
    ON CONFLICT (date, time, lab_id) DO UPDATE SET lab_tech_id = EXCLUDED.lab_tech_id
"""


def _value(each: Field) -> str:
    return _TECHNICIAN_ID if each.name == FieldNames.TECHNICIAN else f"%({each.name})s"


_PLOT_COLUMNS = ", ".join(each.column for each in FIELDS)
_PLOT_VALUES = ", ".join(_value(each) for each in FIELDS)
_CHANGED = [each for each in FIELDS if each.name not in RECORD_KEY]

_INSERT = f"INSERT INTO plot_checks ({_PLOT_COLUMNS}) VALUES ({_PLOT_VALUES})"
_KEEP = "ON CONFLICT (date, time, lab_id, plot) DO"

INSERT_PLOT = f"{SAVE_CHECK} {_INSERT} {_KEEP} NOTHING RETURNING true AS inserted, version"

UPDATE_PLOT = (
    f"{SAVE_CHECK} UPDATE plot_checks SET {', '.join(f'{each.column} = {_value(each)}' for each in _CHANGED)}"
    f" WHERE {_SAME_RECORD} RETURNING false AS inserted, version"
)

# xmax is 0 in a row that was inserted, and this transaction's ID in one that was updated.
UPSERT_PLOT = (
    f"{SAVE_CHECK} {_INSERT} {_KEEP} UPDATE"
    f" SET {', '.join(f'{each.column} = EXCLUDED.{each.column}' for each in _CHANGED)}"
    " RETURNING xmax = 0 AS inserted, version"
)

SET_AUTHOR = """
    SELECT set_config('abq.application_user', %(author)s, true), set_config('abq.workstation', %(workstation)s, true),
        set_config('abq.reason', %(reason)s, true), set_config('abq.typed', %(typed)s, true);
"""

NOTE_ENTRY = "INSERT INTO journal_entries (id) VALUES (%(entry)s) ON CONFLICT (id) DO NOTHING"

# The audit entry of this version says who made it; a version from before the audit has none.
GET_VERSIONED = f"""
    SELECT {RECORD_COLUMNS}, p.version, c.version AS check_version, e.moment,
        coalesce(e.application_user, e.database_user, '') AS changed_by
    FROM plot_checks AS p
    LEFT JOIN lab_techs AS t ON t.id = p.lab_tech_id
    LEFT JOIN lab_checks AS c ON (c.date, c.time, c.lab_id) = (p.date, p.time, p.lab_id)
    LEFT JOIN LATERAL (
        SELECT moment, application_user, database_user FROM audit
        WHERE key = jsonb_build_object('date', p.date, 'time', p.time, 'lab_id', p.lab_id, 'plot', p.plot)
            AND lab_id = p.lab_id AND table_name = 'plot_checks'
        ORDER BY sequence DESC LIMIT 1
    ) AS e ON true
    WHERE p.date = %(Date)s AND p.time = %(Time)s AND p.lab_id = %(Lab)s AND p.plot = %(Plot)s
"""

# A move is a DELETE and an INSERT in one transaction.
GET_LAST_DELETION = """
    SELECT coalesce(gone.application_user, gone.database_user), coalesce(gone.reason, ''), there.key ->> 'date',
        to_char((there.key ->> 'time')::time, 'FMHH24:MI'), there.key ->> 'lab_id', there.key ->> 'plot'
    FROM (
        SELECT * FROM audit
        WHERE key = jsonb_build_object(
                'date', %(Date)s::date, 'time', %(Time)s::time, 'lab_id', %(Lab)s::char(1), 'plot', %(Plot)s::smallint)
            AND lab_id = %(Lab)s AND table_name = 'plot_checks'
        ORDER BY sequence DESC LIMIT 1
    ) AS gone
    LEFT JOIN LATERAL (
        SELECT key FROM audit
        WHERE moment BETWEEN gone.moment - interval '1 minute' AND gone.moment + interval '1 minute'
            AND transaction = gone.transaction AND table_name = 'plot_checks' AND operation = 'INSERT'
            AND new @> (gone.old - ARRAY['date', 'time', 'lab_id', 'plot', 'version'])
        ORDER BY lab_id = gone.lab_id AND sequence = gone.sequence + 1 DESC LIMIT 1
    ) AS there ON true
    WHERE gone.operation = 'DELETE'
"""

GET_HISTORY = """
    SELECT moment, operation, database_user, coalesce(application_user, ''), coalesce(workstation, ''),
        coalesce(reason, ''), transaction, old, new,
        CASE operation
            -- Its readings at another place, put there by the same transaction right after it: see moved_from.
            WHEN 'DELETE' THEN (
                SELECT there.key FROM audit AS there
                WHERE there.transaction = entry.transaction AND there.table_name = 'plot_checks'
                    AND there.operation = 'INSERT' AND there.key <> entry.key
                    AND there.moment BETWEEN entry.moment - interval '1 minute' AND entry.moment + interval '1 minute'
                    AND (there.lab_id <> entry.lab_id OR there.sequence = entry.sequence + 1)
                    AND there.new @> (entry.old - ARRAY['date', 'time', 'lab_id', 'plot', 'version'])
                ORDER BY there.moment >= entry.moment DESC, abs(extract(epoch FROM there.moment - entry.moment)) LIMIT 1
            )
            WHEN 'INSERT' THEN (
                SELECT there.key FROM audit AS there
                WHERE there.transaction = entry.transaction AND there.table_name = 'plot_checks'
                    AND there.operation = 'DELETE' AND there.key <> entry.key
                    AND there.moment BETWEEN entry.moment - interval '1 minute' AND entry.moment + interval '1 minute'
                    AND (there.lab_id <> entry.lab_id OR there.sequence = entry.sequence - 1)
                    AND entry.new @> (there.old - ARRAY['date', 'time', 'lab_id', 'plot', 'version'])
                ORDER BY there.moment <= entry.moment DESC, abs(extract(epoch FROM there.moment - entry.moment)) LIMIT 1
            )
        END
    FROM audit AS entry
    WHERE key = jsonb_build_object(
            'date', %(Date)s::date, 'time', %(Time)s::time, 'lab_id', %(Lab)s::char(1), 'plot', %(Plot)s::smallint)
        AND lab_id = %(Lab)s AND table_name = 'plot_checks'
    ORDER BY sequence
"""


Record = Mapping[str, object]
Row = Mapping[str, object]
Write = Literal["insert", "update"]

_SAVES: Mapping[str | None, str] = {
    None: UPSERT_PLOT,
    "insert": INSERT_PLOT,
    "update": UPDATE_PLOT,
}


class Saving(NamedTuple):
    """How to save, as parameters of the statements: see `SQLModel.save_record`. `workstation`: the computer's name;
    `typed`: when the record was kept in the journal (ISO 8601), or ''."""

    write: Write | None = None
    expected_version: int | None = None
    author: str = ""
    reason: str = ""
    workstation: str = ""
    entry: str | None = None
    typed: str = ""


class Saved(NamedTuple):
    """Whether a save inserted a new record, and the record's version (`None`: the save had been done before)."""

    inserted: bool
    version: int | None = None


_FIELD_OF_RULE = {f"{each.column}_within_limits": each.name for each in FIELDS}


def save(connections: Connections, values: Record, how: Saving) -> Saved:
    """Save a record of typed values. Raises as `SQLModel.save_record` does."""
    parameters = {**values, **how._asdict()}

    # All in one message to the server, because others of the same lab wait meanwhile.
    begin = SET_AUTHOR
    work = (REQUIRE_VERSION if how.expected_version is not None else "") + _SAVES[how.write]

    def run(cursor: Cursor) -> Saved:
        first = begin
        if how.entry is not None:
            cursor.execute(begin + NOTE_ENTRY, parameters)
            if cursor.rowcount == 0:  # this entry has been saved before
                confirm(cursor)
                return Saved(how.write != "update")
            first = ""
        try:
            cursor.execute(first + work, parameters)
        except psycopg2.IntegrityError as error:
            cursor.connection.rollback()
            raise _explained(cursor, values, error) from None
        except psycopg2.Error as error:
            if error.pgcode != OTHER_VERSION:
                raise
            cursor.connection.rollback()
            raise _refused(cursor, values, how) from None
        found = cursor.fetchall()
        if not found:
            cursor.connection.rollback()  # undo this save's change of the check before reading theirs
            raise _refused(cursor, values, how)
        return Saved(bool(found[0][0]), int(found[0][1]))

    return connections.write(run, SAVE)


def settle(connections: Connections, values: Record, how: Saving) -> Saved:
    """Find out whether a save whose acknowledgement was lost was done; if not, save again."""
    if connections.rows(GET_RECORD, values) == [values]:
        connections.confirm()
        return Saved(how.write != "update")
    try:
        return save(connections, values, how)
    except (RecordExists, RecordConflict):
        if connections.rows(GET_RECORD, values) == [values]:
            connections.confirm()
            return Saved(how.write != "update")
        raise
    except (RecordInvalid, RecordMissing):
        raise
    except DatabaseError as error:  # the first save may still be running, and hold a lock
        raise OutcomeUnknown(
            "It isn't known whether the record was saved. Save again; what is there already won't be doubled.",
            f"{error} {error.detail}".strip(),
        ) from None


def set_check_technician(connections: Connections, values: Record, how: Saving) -> None:
    """Set the technician of a whole check, if it has the expected version or that technician already; idempotent."""
    parameters = {**values, **how._asdict()}

    def run(cursor: Cursor) -> None:
        cursor.execute(SET_AUTHOR, parameters)
        if how.expected_version is not None:
            _require_check(cursor, parameters)
        try:
            cursor.execute(SET_CHECK_TECHNICIAN, parameters)
        except psycopg2.IntegrityError as error:
            cursor.connection.rollback()
            raise _explained(cursor, values, error) from None

    connections.write_repeatable(run)


def _require_check(cursor: Cursor, parameters: Record) -> None:
    """Lock the check until the end of the transaction; raises `CheckChanged` if it has another version."""
    cursor.execute(LOCK_CHECK, parameters)
    ((version, technician),) = cursor.fetchall() or [(0, "")]
    if version != parameters["expected_version"] and technician != parameters[FieldNames.TECHNICIAN]:
        raise CheckChanged(f"{technician or 'Nobody'} now does this check, so it stays as it is.", technician)


def named(values: Record) -> str:
    """Return the record's key in words."""
    date, time, lab, plot = (values[name] for name in RECORD_KEY)
    return f"{date} {time}, lab {lab}, plot {plot}"


def _refused(cursor: Cursor, values: Record, how: Saving) -> RecordExists | RecordConflict | RecordMissing:
    """Return why nothing was saved: the record exists already, somebody else changed it, or it is gone."""
    theirs, name = read_version(cursor, values), named(values)
    key = {each: values[each] for each in RECORD_KEY}
    if how.write == "insert":
        return RecordExists(
            f"There is a record of {name} already. Open it to change it.", key, theirs
        )
    if theirs.version == 0:
        gone = describe_removal(cursor, values) or "It is no longer in the database."
        return RecordMissing(f"The record of {name} can't be corrected: {gone}", key)
    who = theirs.changed_by or "Somebody else"
    return RecordConflict(f"{who} changed the record of {name} meanwhile.", key, theirs)


def _explained(cursor: Cursor, values: Record, error: psycopg2.Error) -> RecordInvalid:
    """Return which technician, lab or plot isn't known, or which constraint the record violates."""
    detail = error.diag.message_primary or ""
    errors = administration.find_unknown(cursor, values)
    if not errors:
        rule = (error.diag.constraint_name or "unnamed").replace("_", " ")
        errors = {_FIELD_OF_RULE.get(error.diag.constraint_name or "", FieldNames.PLOT):
                  f"The database refused this record by its rule {rule!r}."}
    return RecordInvalid(errors, detail)


def read_version(cursor: Cursor, key: Mapping[str, object]) -> VersionedRecord:
    """Return the record of that key with its version; version 0 when there is none."""
    cursor.execute(GET_VERSIONED, key)
    found = cursor.fetchone()
    if found is None:
        return VersionedRecord()
    *values, version, check_version, moment, by = found
    record = {each.name: value for each, value in zip(FIELDS, values, strict=True)}
    return VersionedRecord(record, version, check_version or 0, by, moment)


def read_history(cursor: Cursor, key: Mapping[str, object]) -> list[Change]:
    """Return the changes of a record, oldest first; a record from before the audit has none."""
    cursor.execute("SELECT id, name FROM lab_techs")
    technicians = dict(cursor.fetchall())
    cursor.execute(GET_HISTORY, key)
    changes = []
    for _, entries in itertools.groupby(cursor.fetchall(), key=lambda entry: entry[6]):
        together = list(entries)  # one save may change a row twice, first together with its check
        moment, operation, user, author, workstation, reason, _, old, _, there = together[0]
        new = together[-1][8]
        differences = _differences(old, new, technicians)
        elsewhere = _place_for_people(there) if there else ""
        changes.append(Change(moment, operation, user, author, workstation, reason, differences, elsewhere))
    return changes


def describe_removal(cursor: Cursor, key: Mapping[str, object]) -> str:
    """Return who withdrew the record with that key, or moved it and where to, as a sentence; '' if nobody did."""
    cursor.execute(GET_LAST_DELETION, key)
    found = cursor.fetchone()
    if found is None:
        return ""
    who, reason, date, time, lab, plot = found
    words = f"{who} withdrew it" if plot is None else f"{who} moved it to {date} {time}, lab {lab}, plot {plot}"
    return f"{words} ({reason})." if reason else f"{words}."


def _place_for_people(key: Mapping[str, object]) -> str:
    """Return a key of the audit in words."""
    hour, minute = str(key["time"]).split(":")[:2]
    return f"{key['date']} {int(hour)}:{minute}, lab {key['lab_id']}, plot {key['plot']}"


def _differences(old: Row | None, new: Row | None, technicians: Mapping[int, str]) -> dict[str, tuple[str, str]]:
    before, after = (_texts(row, technicians) for row in (old, new))
    return {
        name: (before[name], after[name])
        for name in fields.CSV_HEADER
        if name not in RECORD_KEY and before[name] != after[name]
    }


def _texts(row: Row | None, technicians: Mapping[int, str]) -> dict[str, str]:
    """Return the texts of a row in the audit, by field name, as the form shows them."""
    return {each.name: _text(each, (row or {}).get(each.column), technicians) for each in FIELDS}


def _text(each: fields.Field, value: object, technicians: Mapping[int, str]) -> str:
    if value is None:
        return ""
    if each.name == FieldNames.TECHNICIAN and isinstance(value, int):
        return technicians.get(value, f"technician {value}")
    return fields.format_value(each, value)
