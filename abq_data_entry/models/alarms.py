"""Alarms: what began and ended, who gets notices, which checks are expected; and the state of the day.

The tables and functions of alarms are in `create_db.sql`.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import psycopg2
from psycopg2.extensions import cursor as Cursor

from abq_data_entry.counting import one_line
from abq_data_entry.models.connections import Connections
from abq_data_entry.models.errors import DatabaseError, OutcomeUnknown, PrivilegeMissing
from abq_data_entry.models.marks import call_as
from abq_data_entry.models.undoing import NOBODY_NAMED, By

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

BACKUP, AUDIT, DISK = "backup", "audit", "disk"
BEGIN, END = "begin", "end"
SENDING, TOLD, FAILED, UNKNOWN = "sending", "told", "failed", "unknown"
MAIL, WEBHOOK = "mail", "webhook"
_FOR_WHOM = "Those who may read the records may end alarms."
_OWNER = "Only the owner of the database can change this, and those to whom the owner has granted it."
_LIST = """
    SELECT id, kind, subject, words, lab_id AS lab, coalesce(workstation, '') AS workstation, raised, ended,
        coalesce(ended_words, '') AS ended_words, ARRAY(
            SELECT concat_ws(': ', format('%%s of the %%s', receiver, about), nullif(said, '')) FROM alarm_notices
            WHERE alarm = alarms.id AND state IN ('failed', 'given up', 'unknown') ORDER BY receiver, about
        ) AS failed_notices
    FROM alarms WHERE ended IS NULL OR ended > clock_timestamp() - make_interval(days => %(days)s)
    ORDER BY ended IS NOT NULL, coalesce(ended, raised) DESC, id DESC LIMIT %(limit)s
"""
_DUE = """
    SELECT due.alarm, due.receiver, due.about, a.kind, a.subject, a.words, a.lab_id AS lab,
        coalesce(a.workstation, '') AS workstation, a.raised, a.ended, coalesce(a.ended_words, '') AS ended_words,
        coalesce(n.attempts, 0) AS attempts, coalesce(n.served, '{}') AS served,
        coalesce(a.ended, a.raised) < clock_timestamp() - interval '10 minutes' AS overdue
    FROM (
        SELECT *, row_number() OVER (PARTITION BY receiver ORDER BY alarm) AS place FROM due_notices()
    ) AS due JOIN alarms AS a ON a.id = due.alarm
    LEFT JOIN alarm_notices AS n ON n.alarm = due.alarm AND n.receiver = due.receiver AND n.about = due.about
    WHERE place <= 200 ORDER BY due.receiver, due.alarm
"""
_LOOK = "SELECT concat_ws(' ', {}, nullif(current_setting('abq.held', true), ''))"
_HELD = (
    "Another session keeps alarms locked in a transaction that stays open; pg_locks and pg_stat_activity show whose. "
    "The other alarms began and ended as they should."
)
_CALENDAR = """
    SELECT lab_id AS lab, weekday, to_char(time, 'FMHH24:MI') AS time FROM alarm_calendar
    ORDER BY lab_id, weekday, alarm_calendar.time
"""
_EXPECT = """
    INSERT INTO alarm_calendar (lab_id, weekday, time)
    SELECT %(lab)s, weekday, at::time FROM unnest(%(weekdays)s) AS weekday, unnest(%(times)s) AS at
    ON CONFLICT DO NOTHING
"""
_FORGET = """
    DELETE FROM alarm_calendar WHERE lab_id = %(lab)s AND weekday = ANY (%(weekdays)s)
        AND to_char(time, 'FMHH24:MI') <> ALL (%(times)s)
"""


@dataclass(frozen=True)
class Alarm:
    """A row of `alarms`. `ended` is None while it is open; `failed_notices`: each with receiver and reason."""

    id: int
    kind: str
    subject: str
    words: str
    lab: str | None
    workstation: str
    raised: datetime.datetime
    ended: datetime.datetime | None
    ended_words: str
    failed_notices: Sequence[str] = ()

    @property
    def line(self) -> str:
        """The text of the alarm in one line, without control characters."""
        return one_line(self.words)


class DueNotice(NamedTuple):
    """A notice that is due: the `BEGIN` or the `END` of an alarm has to be reported to a receiver.

    `served`: addresses that got it in earlier attempts; `overdue`: nobody has sent it for 10 minutes.
    """

    alarm: Alarm
    receiver: str
    about: str
    attempts: int
    served: Sequence[str] = ()
    overdue: bool = False


class Receiver(NamedTuple):
    """Who gets notices: people by `MAIL`, or a `WEBHOOK`. `receiver_problem` in `create_db.sql` says what is valid.

    `server`: smtp:// or smtps:// with a host; the name of a destination of the kind email; or '' (the settings').
    `login_method` of a webhook: token, signature or ''.
    """

    name: str
    kind: str
    address: str
    server: str = ""
    username: str = ""
    login_method: str = ""


class Expected(NamedTuple):
    """A check that is expected: `weekday` is 1 (Monday) to 7 (Sunday), `time` such as `8:00`."""

    lab: str
    weekday: int
    time: str


class Finding(NamedTuple):
    """A fault that a workstation found, described by `words`; or, if they are '', its end, described by `ending`."""

    kind: str
    subject: str
    words: str
    ending: str = ""


class Alarms:
    """The alarm methods of `SQLModel`. `by`: who calls them; they raise the errors of `Marks`."""

    _connections: Connections

    # -- what is wrong

    def look_for_alarms(self, found: Sequence[Finding] = (), *, by: By = NOBODY_NAMED) -> int:
        """Raise and end alarms, by the database's data and this workstation's findings; return how many changed.

        Raises `DatabaseError` also if some of them are locked by an open transaction; the others have changed then.
        """
        rows = [{name: each.replace("\0", " ") for name, each in row._asdict().items()} for row in found]
        asked = [("tell_alarms(%(found)s)", {"found": json.dumps(rows)})] if rows else []
        changed, is_held = 0, False
        for function, bound in (*asked, ("look_for_alarms()", {})):
            count, _, held = str(self._call_alarm_function(_LOOK.format(function), bound, by)).partition(" ")
            changed, is_held = changed + int(count), is_held or bool(held)
        if is_held:
            raise DatabaseError(_HELD)
        return changed

    def get_alarms(self, *, ended_days: int = 0, limit: int = 1000) -> list[Alarm]:
        """Return the open alarms, newest first; then those that ended within the last `ended_days` days."""
        found = self._connections.rows(_LIST, {"days": ended_days, "limit": limit})
        return [Alarm(**row) for row in found]  # type: ignore[arg-type]

    def end_alarm(self, number: int, words: str = "", *, by: By = NOBODY_NAMED) -> None:
        """End an alarm for everybody. Raises `RecordMissing`, and `DatabaseError` if it has already ended."""
        bound = {"id": number, "words": words.replace("\0", " ")}
        try:
            self._call_alarm_function("SELECT end_alarm(%(id)s::bigint, %(words)s)", bound, by)
        except OutcomeUnknown:
            if any(each.id == number for each in self.get_alarms()):
                self._call_alarm_function("SELECT end_alarm(%(id)s::bigint, %(words)s)", bound, by)
            else:
                self._connections.confirm()

    def try_alarm_lock(self) -> AbstractContextManager[bool]:
        """Hold the advisory lock for alarms in the block; yields False if another workstation holds it.

        It only saves work: functions of the database decide which alarms begin, and who sends a notice.
        """
        return self._connections.try_lock("alarms")

    # -- notices and receivers

    def due_notices(self) -> list[DueNotice]:
        """Return the notices that are due now."""
        return [_notice(row) for row in self._connections.rows(_DUE)]

    def take_notice(self, due: DueNotice, *, by: By = NOBODY_NAMED) -> bool:
        """Take a notice, to send it; False if somebody else has it. Nobody else gets it for 10 minutes then."""
        bound = _key(due)
        statement = "SELECT take_notice(%(alarm)s::bigint, %(receiver)s, %(about)s)"
        return bool(self._call_alarm_function(statement, bound, by))

    def note_notice(
        self, due: DueNotice, became: str, said: str = "", pause: float = 0.0, served: Sequence[str] = (),
        *, by: By = NOBODY_NAMED,
    ) -> bool:  # fmt: skip
        """Record the new state of a notice; False if another workstation has taken the notice meanwhile.

        `became`: the state, such as `TOLD`; `said`: the server's response; `pause`: seconds until a `FAILED` notice is
        tried again; `served`: the addresses that got it, if others didn't."""
        bound = {
            **_key(due), "became": became, "said": said.replace("\0", " "), "pause": pause, "served": list(served)
        }  # fmt: skip
        statement = (
            "SELECT note_notice(%(alarm)s::bigint, %(receiver)s, %(about)s, %(became)s, %(said)s,"
            " %(pause)s::double precision, %(served)s::text[])"
        )
        return bool(self._call_alarm_function(statement, bound, by))

    def get_receivers(self) -> dict[str, Receiver]:
        """Return the receivers of notices, by their names."""
        return self._connections.read(_receivers)

    def add_receiver(self, row: Receiver) -> None:
        """Add a receiver. Raises `DatabaseError` if it is invalid, or if there is one of that name."""
        places = ", ".join(["%s"] * len(row))

        def run(cursor: Cursor) -> None:
            if row.name in _receivers(cursor):
                raise DatabaseError(f"There is a receiver {row.name} already.")
            statement = f"INSERT INTO alarm_receivers ({', '.join(row._fields)}) VALUES ({places})"
            _execute_change(cursor, statement, list(row))

        if any("\0" in each for each in row):
            raise DatabaseError("No text of a receiver can hold the character 0. Nothing was changed.")
        self._connections.write(run)

    def remove_receiver(self, name: str) -> Receiver:
        """Remove a receiver, who gets no more notices. Raises `DatabaseError` if there is none of that name."""

        def run(cursor: Cursor) -> Receiver:
            row = receiver_named(_receivers(cursor), name)
            _execute_change(cursor, "DELETE FROM alarm_receivers WHERE name = %s", [row.name])
            return row

        return self._connections.write(run)

    # -- which checks are expected

    def get_calendar(self) -> list[Expected]:
        """Return the checks that are expected, by lab, day and time."""

        def read(cursor: Cursor) -> list[Expected]:
            cursor.execute(_CALENDAR)
            return [Expected(*row) for row in cursor.fetchall()]

        return self._connections.read(read)

    def set_calendar(self, lab: str, weekdays: Sequence[int], times: Sequence[str]) -> None:
        """Set the times (such as `8:00`) at which checks of a lab are expected on these weekdays (1 is Monday).

        Raises `DatabaseError` for an unknown lab and for an invalid weekday or time.
        """
        bound: Mapping[str, object] = {"lab": lab, "weekdays": list(weekdays), "times": list(times)}

        def run(cursor: Cursor) -> None:
            _require_lab(cursor, lab)
            _execute_change(cursor, _FORGET, bound)
            if times:
                _execute_change(cursor, _EXPECT, bound)

        self._connections.write(run)

    def _call_alarm_function(self, statement: str, bound: Mapping[str, object], by: By) -> object:
        return call_as(self._connections, statement, bound, by, _FOR_WHOM, {})


def receiver_named(receivers: Mapping[str, Receiver], name: str) -> Receiver:
    """Return the receiver of that name; raises `DatabaseError`, with the names of all, if there is none."""
    if name not in receivers:
        there = f" There are: {', '.join(receivers)}." if receivers else " There is none."
        raise DatabaseError(f"There is no receiver {name} in the database.{there}")
    return receivers[name]


def _key(due: DueNotice) -> dict[str, object]:
    return {"alarm": due.alarm.id, "receiver": due.receiver, "about": due.about}


def _notice(row: dict[str, object]) -> DueNotice:
    names = ("alarm", "receiver", "about", "attempts", "served", "overdue")
    number, receiver, about, attempts, served, overdue = (row.pop(name) for name in names)
    assert isinstance(served, list)
    alarm = Alarm(id=number, **row)  # type: ignore[arg-type]
    return DueNotice(alarm, str(receiver), str(about), int(str(attempts)), served, bool(overdue))


def _receivers(cursor: Cursor) -> dict[str, Receiver]:
    cursor.execute(f"SELECT {', '.join(Receiver._fields)} FROM alarm_receivers ORDER BY name")
    return {each.name: each for each in (Receiver(*row) for row in cursor.fetchall())}


def _require_lab(cursor: Cursor, lab: str) -> None:
    cursor.execute("SELECT id FROM labs WHERE retired IS NULL ORDER BY id")
    known = [str(each) for (each,) in cursor.fetchall()]
    if lab not in known:
        raise DatabaseError(f"There is no lab {lab}. There are: {', '.join(known)}.")


def _execute_change(cursor: Cursor, statement: str, given: Sequence[object] | Mapping[str, object]) -> None:
    try:
        cursor.execute(statement, given)
    except psycopg2.errors.InsufficientPrivilege as error:
        raise PrivilegeMissing(f"This user may not do that. {_OWNER}", error.diag.message_primary or "") from None
    except psycopg2.errors.CheckViolation as error:
        raise DatabaseError(f"{error.diag.message_primary} Nothing was changed.") from None


_DAY = """
    SELECT day, (day + 1)::timestamp AT TIME ZONE time_zone
    FROM (SELECT (now() AT TIME ZONE time_zone)::date AS day, time_zone FROM lab_settings) AS here
"""
_CHECKS = """
    SELECT date, to_char(time, 'FMHH24:MI') AS time, lab::text, expected, recorded, missing
    FROM completeness(%(day)s, %(day)s) ORDER BY completeness.time, lab
"""
_QUESTIONS = "SELECT count(*) FROM value_marks WHERE state = 'queried' AND status = 'open' AND gone IS NULL"
_NOTES = "SELECT count(*) FROM shift_notes WHERE done IS NULL"
_WEATHER = """
    SELECT datetime, temperature::double precision, station FROM local_weather
    WHERE coalesce(kind, 'observed') = 'observed' ORDER BY datetime DESC LIMIT 1
"""


@dataclass(frozen=True)
class DueCheck:
    """A check that was due today: the numbers of expected and of recorded plots, and the missing ones."""

    date: datetime.date
    time: str
    lab: str
    expected: int
    recorded: int
    missing: tuple[int, ...]


@dataclass(frozen=True)
class Today:
    """The state of the day.

    `checks`: those due so far; `questions`: the number of QA's questions that wait for an answer; `observed`: the time
    of the last weather observation (None: never), with its `temperature` in °C and its `station`; `notes`: the number
    of open shift notes; `ends`: the midnight at the end of the day, in the labs' time zone.
    """

    checks: tuple[DueCheck, ...]
    questions: int = 0
    observed: datetime.datetime | None = None
    temperature: float | None = None
    station: str | None = None
    notes: int = 0
    ends: datetime.datetime | None = None


def read_today(cursor: Cursor) -> Today:
    """Read the state of the present day in the labs' time zone."""
    cursor.execute(_DAY)
    day, ends = cursor.fetchone() or (datetime.date.today(), None)
    cursor.execute(_CHECKS, {"day": day})
    checks = tuple(
        DueCheck(date, time, lab, expected, recorded, tuple(missing))
        for date, time, lab, expected, recorded, missing in cursor.fetchall()
    )
    cursor.execute(_QUESTIONS)
    (questions,) = cursor.fetchone() or (0,)
    cursor.execute(_NOTES)
    (notes,) = cursor.fetchone() or (0,)
    cursor.execute(_WEATHER)
    observed, temperature, station = cursor.fetchone() or (None, None, None)
    return Today(checks, questions, observed, temperature, station, notes, ends)
