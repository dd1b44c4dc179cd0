"""Marks: QA's queries and verdicts on values and records, and lab staff's answers. Notes: from one shift to the next.

The tables `value_marks` and `shift_notes`, and their functions: `create_db.sql` defines who may call them, and which
state may follow which.
"""

from __future__ import annotations

import datetime
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import psycopg2
from psycopg2.extensions import cursor as Cursor

from abq_data_entry import fields
from abq_data_entry.counting import one_line
from abq_data_entry.models.connections import Connections
from abq_data_entry.models.errors import DatabaseError, OutcomeUnknown, PrivilegeMissing, RecordMissing
from abq_data_entry.models.undoing import NO_RECORD, NOBODY_NAMED, By

STATES = ("queried", "accepted", "excluded")
STATUSES = ("open", "answered", "corrected", "closed")
WHOLE_RECORD = "record"
"""The field of a mark on a whole record."""

WRONG_STATE = "AB005"
"""The SQLSTATE that the functions raise if the mark's state doesn't allow the change."""

_SET_ASKER = """
    SELECT set_config('abq.application_user', coalesce(nullif(%(author)s, ''),
            current_setting('abq.application_user', true), ''), true),
        set_config('abq.workstation', %(workstation)s, true)
"""
_FOR_WHOM = "QA (role abq_qa) makes and closes marks, lab staff answer."
_RECORD = "%(Date)s, %(Time)s, %(Lab)s, %(Plot)s"
_MARK = f"SELECT mark_value({_RECORD}, %(field)s, %(state)s, %(words)s)"
_ANSWER = "SELECT answer_mark(%(id)s::bigint, %(words)s)"
_CLOSE = "SELECT close_mark(%(id)s::bigint, %(words)s)"
_REOPEN = "SELECT reopen_mark(%(id)s::bigint, %(words)s)"
_COLUMNS = """
    SELECT m.id, m.date, to_char(m.time, 'FMHH24:MI') AS time, m.lab_id AS lab, m.plot, m.field,
        coalesce(m.value, '') AS value, m.state, m.status, m.words, m.marked, m.marked_by,
        coalesce(m.answer, '') AS answer, m.answered, coalesce(m.answered_by, '') AS answered_by,
        m.event, coalesce(m.said, '') AS said, m.who, m.changed,
        m.gone IS NOT NULL AS gone, coalesce(t.name, '') AS technician,
        coalesce(field_value(m.field, to_jsonb(p)), '') AS present
    FROM value_marks AS m
    LEFT JOIN plot_checks AS p ON m.gone IS NULL AND p.date = m.date AND p.time = m.time AND p.lab_id = m.lab_id
        AND p.plot = m.plot
    LEFT JOIN lab_techs AS t ON t.id = p.lab_tech_id
"""
_LIST = f"""
    {_COLUMNS}
    WHERE (%(states)s::text[] IS NULL OR m.state = ANY (%(states)s))
        AND (%(statuses)s::text[] IS NULL OR m.status = ANY (%(statuses)s))
        AND (%(lab)s::text IS NULL OR m.lab_id = %(lab)s::bpchar)
        AND (%(first)s::date IS NULL OR m.date >= %(first)s::date)
        AND (%(last)s::date IS NULL OR m.date <= %(last)s::date)
    ORDER BY m.state <> 'queried', m.status = 'closed', m.date DESC, m.time DESC, m.lab_id, m.plot, m.id
    LIMIT %(limit)s
"""
_ONE = f"{_COLUMNS} WHERE m.id = %(id)s"
_HISTORY = """
    SELECT moment, who, coalesce(workstation, '') AS workstation, event, coalesce(said, '') AS said, state, status
    FROM mark_history(%(id)s::bigint)
"""


@dataclass(frozen=True)
class Mark:
    """A row of `value_marks`, with the technician of the record and the present text of the value.

    `state`: one of `STATES`; `status`: one of `STATUSES`; `words`: the question or the reason; `value`: the text of the
    value when it was marked; `event`, `said`, `who` and `changed`: those of the last event; `gone`: whether the record
    was withdrawn.
    """

    id: int
    date: datetime.date
    time: str
    lab: str
    plot: int
    field: str
    value: str
    state: str
    status: str
    words: str
    marked: datetime.datetime
    marked_by: str
    answer: str
    answered: datetime.datetime | None
    answered_by: str
    event: str
    said: str
    who: str
    changed: datetime.datetime
    gone: bool
    technician: str
    present: str

    @property
    def key(self) -> tuple[datetime.date, str, str, int]:
        """Date, time, lab and plot of the record now, even if it was moved."""
        return self.date, self.time, self.lab, self.plot

    @property
    def field_name(self) -> str:
        """The field's name in the form; empty for the whole record."""
        return next((each for each in fields.CSV_HEADER if plain(each) == self.field), "")

    @property
    def waits(self) -> bool:
        """Whether it waits for an answer of lab staff."""
        return self.state == "queried" and self.status == "open"


@dataclass(frozen=True)
class MarkEvent:
    """An event in the life of a mark, with the words, and the state and status after it."""

    moment: datetime.datetime
    who: str
    workstation: str
    event: str
    said: str
    state: str
    status: str

    @property
    def words(self) -> str:
        """The event in one line, in this computer's time zone."""
        where = f" on {self.workstation}" if self.workstation else ""
        said = f": {self.said}" if self.said else ""
        return one_line(f"{self.moment.astimezone():%Y-%m-%d %H:%M} {self.event} by {self.who}{where}{said}")


class Marks:
    """The methods of `SQLModel` about marks. `by`: the person who makes the change.

    Methods that change a mark raise `PrivilegeMissing` if this login may not do it, `RecordMissing` if there is no such
    record or mark, and `DatabaseError`, with a sentence, for anything invalid; then nothing is changed.
    """

    _connections: Connections

    def mark_value(
        self, key: Sequence[object], field: str, state: str, words: str, *, by: By = NOBODY_NAMED
    ) -> int:
        """Mark a field of a record ("" or "record": the whole) with one of `STATES`; return the id of the mark."""
        place = dict(zip(fields.RECORD_KEY, key, strict=True))
        typed = {name: fields.parse(fields.field(name), str(value)) for name, value in place.items()}
        return int(str(self._do(_MARK, {**typed, "field": field, "state": state, "words": words}, typed, by)))

    def answer_mark(self, mark: int, words: str, *, by: By = NOBODY_NAMED) -> None:
        """Answer a query."""
        self._change(_ANSWER, mark, words, "answered", by)

    def close_mark(self, mark: int, words: str = "", *, by: By = NOBODY_NAMED) -> None:
        """Close a mark: a query is settled, or a value is no longer accepted or excluded."""
        self._change(_CLOSE, mark, words, "closed", by)

    def reopen_mark(self, mark: int, words: str, *, by: By = NOBODY_NAMED) -> None:
        """Open a closed mark again, or ask again."""
        self._change(_REOPEN, mark, words, "reopened", by)

    def get_mark(self, mark: int) -> Mark:
        """Return that mark; raises `RecordMissing`."""
        found = self._connections.rows(_ONE, {"id": mark})
        if not found:
            raise RecordMissing(f"There is no mark {mark}.", {})
        return Mark(**found[0])  # type: ignore[arg-type]

    def get_marks(
        self,
        states: Sequence[str] | None = None,
        statuses: Sequence[str] | None = STATUSES[:3],
        *,
        lab: str | None = None,
        first: datetime.date | None = None,
        last: datetime.date | None = None,
        limit: int = 2000,
    ) -> list[Mark]:
        """Return marks in these states and statuses (`None`: any), queries first, then by day, newest first."""
        wanted = {
            "states": None if states is None else list(states), "lab": lab, "first": first, "last": last,
            "statuses": None if statuses is None else list(statuses), "limit": limit,
        }  # fmt: skip
        return [Mark(**row) for row in self._connections.rows(_LIST, wanted)]  # type: ignore[arg-type]

    def get_mark_history(self, mark: int) -> list[MarkEvent]:
        """Return the events of a mark, oldest first."""
        return [MarkEvent(**row) for row in self._connections.rows(_HISTORY, {"id": mark})]  # type: ignore[arg-type]

    def _change(self, statement: str, mark: int, words: str, event: str, by: By) -> None:
        try:
            self._do(statement, {"id": mark, "words": words}, {}, by)
        except OutcomeUnknown:
            # The mark shows whether it was done after all; answering again would add the answer twice.
            found = self.get_mark(mark)
            if (found.event, found.said) == (event, words.strip()):
                self._connections.confirm()
            else:
                self._do(statement, {"id": mark, "words": words}, {}, by)

    def _do(self, statement: str, bound: Mapping[str, object], key: Mapping[str, object], by: By) -> object:
        return call_as(self._connections, statement, bound, by, _FOR_WHOM, key)


def call_as(
    connections: Connections,
    statement: str,
    bound: Mapping[str, object],
    by: By,
    for_whom: str,
    key: Mapping[str, object],
    *,
    is_repeatable: bool = False,
) -> object:
    """Call a function of the database for the person `by`; return its result. Raises the errors of `Marks`.

    `for_whom`: a sentence about who may call it, for `PrivilegeMissing`; `key`: the record, for `RecordMissing`;
    `is_repeatable`: whether the function is idempotent.
    """

    def run(cursor: Cursor) -> object:
        parameters = {"author": by.author, "workstation": by.workstation or platform.node(), **bound}
        cursor.execute(_SET_ASKER, parameters)
        try:
            cursor.execute(statement, parameters)
        except psycopg2.Error as error:
            said = error.diag.message_primary or str(error)
            if error.pgcode == NO_RECORD:
                raise RecordMissing(f"{said} Nothing was changed.", key) from error
            if error.pgcode in (WRONG_STATE, "22023"):
                raise DatabaseError(f"{said} Nothing was changed.") from error
            if error.pgcode == "42501":
                # Our functions give a hint. Without one it is the server's own error: other roles may call it.
                hint = error.diag.message_hint
                raise PrivilegeMissing(f"{said} {hint}" if hint else f"{for_whom} Nothing was changed.") from error
            raise
        return cursor.fetchall()[0][0]

    return connections.write_repeatable(run) if is_repeatable else connections.write(run)


def plain(name: str) -> str:
    """Return the name of a field in marks: `min_height` for `Min Height`."""
    return name.lower().replace(" ", "_")


MARKABLE = tuple(name for name in fields.CSV_HEADER if name not in fields.RECORD_KEY)
"""The fields that can be marked, besides the whole record."""



_NOTES_FOR_WHOM = "Only those who enter records can write notes and mark them as done."
_WRITE_NOTE = "SELECT write_note(%(lab)s, %(words)s, %(plot)s, %(date)s, %(time)s)"
_FINISH_NOTE = "SELECT finish_note(%(id)s::bigint)"
_REOPEN_NOTE = "SELECT reopen_note(%(id)s::bigint)"
_NOTE_COLUMNS = """
    SELECT id, lab_id AS lab, plot, date, to_char(time, 'FMHH24:MI') AS time, words, written, written_by, done,
        coalesce(done_by, '') AS done_by
    FROM shift_notes
"""
# The open notes first, ordered by lab, check and plot; then the others, last done first.
_LIST_NOTES = f"""
    {_NOTE_COLUMNS}
    WHERE (%(done)s OR done IS NULL) AND (%(lab)s::text IS NULL OR lab_id = %(lab)s::bpchar)
    ORDER BY done IS NOT NULL, done DESC, lab_id, date NULLS FIRST, shift_notes.time, plot NULLS FIRST, id
    LIMIT %(limit)s
"""
_ONE_NOTE = f"{_NOTE_COLUMNS} WHERE id = %(id)s"


class Subject(NamedTuple):
    """What a note is about: a lab; with `plot`, a plot of it; with `date` and `time` (such as `8:00`), a check."""

    lab: str
    plot: int | None = None
    date: datetime.date | None = None
    time: str | None = None

    @property
    def named(self) -> str:
        """The subject in words."""
        if self.date is not None:
            return f"check {self.date} {self.time}, lab {self.lab}"
        return f"lab {self.lab}" if self.plot is None else f"lab {self.lab}, plot {self.plot}"


@dataclass(frozen=True)
class Note:
    """A row of `shift_notes`; `done` is None while it is open."""

    id: int
    lab: str
    plot: int | None
    date: datetime.date | None
    time: str | None
    words: str
    written: datetime.datetime
    written_by: str
    done: datetime.datetime | None
    done_by: str

    @property
    def subject(self) -> Subject:
        """What the note is about."""
        return Subject(self.lab, self.plot, self.date, self.time)

    @property
    def line(self) -> str:
        """The words in one line, without control characters."""
        return one_line(self.words)


class Notes:
    """The methods of `SQLModel` about notes. `by`: who calls them; they raise the errors of `Marks`."""

    _connections: Connections

    def write_note(self, subject: Subject, words: str, *, by: By = NOBODY_NAMED) -> int:
        """Write a note; return its id. If an open note has the same words and subject, that one is returned."""
        bound = {**subject._asdict(), "words": words}
        return int(str(call_as(self._connections, _WRITE_NOTE, bound, by, _NOTES_FOR_WHOM, {}, is_repeatable=True)))

    def finish_note(self, note: int, *, by: By = NOBODY_NAMED) -> None:
        """Mark a note as done."""
        self._set_note_done(_FINISH_NOTE, note, True, by)

    def reopen_note(self, note: int, *, by: By = NOBODY_NAMED) -> None:
        """Mark a note as not done."""
        self._set_note_done(_REOPEN_NOTE, note, False, by)

    def get_note(self, note: int) -> Note:
        """Return that note; raises `RecordMissing`."""
        found = self._connections.rows(_ONE_NOTE, {"id": note})
        if not found:
            raise RecordMissing(f"There is no note {note}.", {})
        return Note(**found[0])  # type: ignore[arg-type]

    def get_notes(self, lab: str | None = None, *, done: bool = False, limit: int = 2000) -> Sequence[Note]:
        """Return the open notes of a lab (None: all), by lab, check and plot; with `done`, also those that are done."""
        found = self._connections.rows(_LIST_NOTES, {"lab": lab, "done": done, "limit": limit})
        return [Note(**row) for row in found]  # type: ignore[arg-type]

    def _set_note_done(self, statement: str, note: int, done: bool, by: By) -> None:
        try:
            self._call_note_function(statement, {"id": note}, by)
        except OutcomeUnknown:
            # Do it again; if it was done after all, the note shows that.
            try:
                self._call_note_function(statement, {"id": note}, by)
            except DatabaseError:
                if (self.get_note(note).done is not None) is not done:
                    raise
                self._connections.confirm()

    def _call_note_function(self, statement: str, bound: Mapping[str, object], by: By) -> object:
        return call_as(self._connections, statement, bound, by, _NOTES_FOR_WHOM, {})
