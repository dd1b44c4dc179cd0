"""What a shift leaves to the next: the table `shift_notes` and its functions, in `create_db.sql`."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.counting import one_line
from abq_data_entry.models.connections import Connections, rows_as_dicts
from abq_data_entry.models.errors import DatabaseError, OutcomeUnknown, RecordMissing
from abq_data_entry.models.marks import ask_as
from abq_data_entry.models.undoing import NOBODY_NAMED, By

_FOR_WHOM = "Notes are written and done by who enters records."
_WRITE = "SELECT write_note(%(lab)s, %(words)s, %(plot)s, %(date)s, %(time)s)"
_FINISH = "SELECT finish_note(%(id)s::bigint)"
_REOPEN = "SELECT reopen_note(%(id)s::bigint)"
_COLUMNS = """
    SELECT id, lab_id AS lab, plot, date, to_char(time, 'FMHH24:MI') AS time, words, written, written_by, done,
        coalesce(done_by, '') AS done_by
    FROM shift_notes
"""
# The open ones first, in the order of their places; then what was done last.
_LIST = f"""
    {_COLUMNS}
    WHERE (%(done)s OR done IS NULL) AND (%(lab)s::text IS NULL OR lab_id = %(lab)s::bpchar)
    ORDER BY done IS NOT NULL, done DESC, lab_id, date NULLS FIRST, shift_notes.time, plot NULLS FIRST, id
    LIMIT %(limit)s
"""
_ONE = f"{_COLUMNS} WHERE id = %(id)s"


class Subject(NamedTuple):
    """What a note is to: a lab; with `plot` a plot of it; with `date` and `time` (such as `8:00`) a check."""

    lab: str
    plot: int | None = None
    date: datetime.date | None = None
    time: str | None = None

    @property
    def named(self) -> str:
        """Which it is, for people."""
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
        """What it is to."""
        return Subject(self.lab, self.plot, self.date, self.time)

    @property
    def line(self) -> str:
        """The words in one line, without characters that a terminal or a label would do something by."""
        return one_line(self.words)


class Notes:
    """The part of `SQLModel` that knows notes. `by` names who asks; the errors are those of `Marks`."""

    _connections: Connections

    def write_note(self, subject: Subject, words: str, *, by: By = NOBODY_NAMED) -> int:
        """Leave a note; returns its number. The same words once more, while it is open, are the same note."""
        bound = {**subject._asdict(), "words": words}
        try:
            return int(str(self._ask_of_notes(_WRITE, bound, by)))
        except OutcomeUnknown:
            return int(str(self._ask_of_notes(_WRITE, bound, by)))

    def finish_note(self, note: int, *, by: By = NOBODY_NAMED) -> None:
        """Say that it is done."""
        self._set_note_done(_FINISH, note, True, by)

    def reopen_note(self, note: int, *, by: By = NOBODY_NAMED) -> None:
        """It isn't done after all."""
        self._set_note_done(_REOPEN, note, False, by)

    def get_note(self, note: int) -> Note:
        """Return that note; raises `RecordMissing`."""
        found = self._connections.read(partial(_notes, statement=_ONE, bound={"id": note}))
        if not found:
            raise RecordMissing(f"There is no note {note}.", {})
        return found[0]

    def get_notes(self, lab: str | None = None, *, done: bool = False, limit: int = 2000) -> Sequence[Note]:
        """Return the open notes of a lab (None: of all), by place; with `done` also the others, the last done first."""
        bound: Mapping[str, object] = {"lab": lab, "done": done, "limit": limit}
        return self._connections.read(partial(_notes, statement=_LIST, bound=bound))

    def _set_note_done(self, statement: str, note: int, done: bool, by: By) -> None:
        try:
            self._ask_of_notes(statement, {"id": note}, by)
        except OutcomeUnknown:
            # Once more; where it was done after all, the note says so.
            try:
                self._ask_of_notes(statement, {"id": note}, by)
            except DatabaseError:
                if (self.get_note(note).done is not None) is not done:
                    raise

    def _ask_of_notes(self, statement: str, bound: Mapping[str, object], by: By) -> object:
        return ask_as(self._connections, statement, bound, by, _FOR_WHOM, {})


def _notes(cursor: Cursor, statement: str, bound: Mapping[str, object]) -> list[Note]:
    cursor.execute(statement, bound)
    return [Note(**row) for row in rows_as_dicts(cursor)]  # type: ignore[arg-type]
