"""What is known of checks and records: as the database tells it, or from the last known copy while that is away.

Over the copy lies what waits on this computer.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import fields, folders
from ..constants import CHECK_TIMES
from ..constants import FieldNames as F
from ..jobs import Jobs
from ..views import DataRecordForm
from ..views.form_content import CheckKey, CheckView, Entering
from .state import State

if TYPE_CHECKING:
    from ..journal import Known, KnownFile
    from ..models import Presence, SQLModel
    from ..store.drafts import DraftFile
    from ..views.record_list import ListFilter
    from .connection import Connection
    from .outage import Reconnecting

log = logging.getLogger(__name__)

WRITE_DELAY_MS = 2000
FETCH_DELAY_MS = 3000  # the start has enough to do
FETCH_AGAIN_MS = 300_000  # so old the copy may be when the database goes away

Record = Mapping[str, Any]


class Offline:
    """Keeps the copy in memory and in its file, and answers from it. On the Tk thread.

    ``show_choices(choices)`` lets form and list work with these lists;
    ``read()`` is called where the copy is all that there is.
    """

    def __init__(
        self,
        form: DataRecordForm,
        jobs: Jobs,
        state: State,
        show_choices: Callable[[Any], object],
        read: Callable[[], object],
    ) -> None:
        self._form, self._jobs, self._state = form, jobs, state
        self._show_choices, self._read_it = show_choices, read
        self._file: KnownFile | None = None
        self._timer = self._fetch_timer = ""
        self._choices: Any = None
        self._known: Known | None = None
        self._saved: list[Record] = []  # since it was asked for

    def begin(self, database: str, drafts: DraftFile) -> None:
        """Read the copy of that database; it stands in the file of the drafts."""
        self._jobs.submit("files", _read, database, drafts, done=self._read)

    def end(self) -> None:
        """The window closes: what isn't written yet is written."""
        self._cancel_fetch()
        if self._timer:
            self._form.after_cancel(self._timer)
            self._write()

    @property
    def known(self) -> Known | None:
        """The copy; ``None`` until its file is read."""
        if self._saved and self._known is not None:
            self._known, self._saved = self._known.with_records(self._saved), []
        return self._known

    # -- what comes in ----------------------------------------------------------------------------------

    def choices_loaded(self, choices: Any) -> None:
        """The database has given its lists."""
        self._choices = choices
        if self.known is not None:
            self._change(self.known.with_choices(choices, datetime.datetime.now(datetime.timezone.utc)))
            self._cancel_fetch()
            self._fetch_timer = self._form.after(FETCH_DELAY_MS, self._fetch)

    def check_loaded(self, key: CheckKey, progress: Any, previous: Mapping[int, Record]) -> None:
        """The database has told how far a check is, and what was read before."""
        if self.known is not None:
            self._change(self.known.with_check(key, progress).with_records(previous.values()))

    def record_saved(self, record: Record) -> None:
        """The database has that record; who enters the next one doesn't wait until it stands in the copy."""
        self._saved.append(record)
        if not self._timer:
            self._timer = self._form.after(WRITE_DELAY_MS, self._write)

    # -- what goes out ----------------------------------------------------------------------------------

    def check(self, key: CheckKey) -> CheckView | None:
        """What is known of a check without asking the database; ``None`` if nothing is known at all."""
        known = self.known
        if known is None or not known.choices.labs:
            return None
        progress = known.progress(key)
        plots = known.choices.plots
        return self.overlaid(
            CheckView(
                key=key,
                plots=tuple(sorted({*plots.get(key[2], ()), *progress.recorded})),
                technician=progress.technician,
                recorded=progress.recorded,
                previous=known.previous(key),
                known=True,
                following=following_check(key, tuple(plots)),
                known_at=self.known_at,
            )
        )

    def overlaid(self, view: CheckView) -> CheckView:
        """The same with the records that wait on this computer."""
        waiting = self._state.waiting
        if view.key is None or not waiting:
            return view
        here = {each.key[3]: str(each.record[F.TECHNICIAN]) for each in waiting if each.key[:3] == view.key}
        previous = dict(view.previous)
        for entry in sorted(waiting, key=lambda each: _moment(each.record)):
            plot = entry.key[3]
            if entry.key[2] == view.key[2] and _moment(entry.record) < _order(*view.key[:2]):
                shown = previous.get(plot)
                if not shown or _moment(shown) <= _moment(entry.record):
                    previous[plot] = entry.record
        return view._replace(
            recorded={**view.recorded, **here},
            technician=view.technician or next(iter(here.values()), None),
            previous=previous,
            waiting=frozenset(here),
        )

    def record(self, key: tuple[Any, ...]) -> Record:
        """The record as it is known without asking the database; an empty one if it isn't."""
        return self.known.record(key) if self.known is not None else {}

    @property
    def known_at(self) -> str:
        """When the copy was last brought up to date, for people: the time, with the day where that isn't today."""
        if self.known is None:
            return ""
        taken = self.known.taken.astimezone()
        return f"{taken:%H:%M}" if taken.date() == self._state.today() else f"{taken:%H:%M on %Y-%m-%d}"

    def rows(self, chosen: ListFilter) -> list[Record] | None:
        """The records that the list would show, as far as they are known; ``None`` if nothing is known at all."""
        waiting = [each.record for each in self._state.waiting]
        known = self.known.records() if self.known is not None else []
        return known_rows(known, waiting, chosen) if known or waiting else None

    def show_choices(self) -> None:
        """Let the form work with the lists of the copy."""
        if self.known is not None and self.known.choices.labs:
            self._show_choices(self.known.choices)

    # -- inside -----------------------------------------------------------------------------------------

    def _read(self, found: tuple[KnownFile, Known]) -> None:
        self._file, self._known = found
        if self._choices is not None:  # the database was faster than the file
            self.choices_loaded(self._choices)
        if self._state.away and self._state.model is None:
            self.show_choices()
            self._read_it()

    def _change(self, known: Known) -> None:
        self._known = known
        if not self._timer:
            self._timer = self._form.after(WRITE_DELAY_MS, self._write)

    def _write(self) -> None:
        self._timer = ""
        if self._file is not None and self.known is not None:
            self._jobs.submit("files", self._file.write, self.known)

    def _fetch(self) -> None:
        """Ask for the latest readings of all plots, and for what was recorded today."""
        self._cancel_fetch()
        model, known = self._state.reachable, self.known
        if model is None or known is None:
            return
        tomorrow = self._state.today() + datetime.timedelta(days=1)
        self._jobs.submit(
            "counting", _latest, model, tomorrow, known.choices.labs, done=self._fetched, failed=self._not_fetched
        )

    def _cancel_fetch(self) -> None:
        if self._fetch_timer:
            self._form.after_cancel(self._fetch_timer)
            self._fetch_timer = ""

    def _fetched(self, records: list[Record]) -> None:
        if self.known is not None:
            now = datetime.datetime.now(datetime.timezone.utc)
            self._change(self.known.with_records(records).as_of(now))
        self._cancel_fetch()
        self._fetch_timer = self._form.after(FETCH_AGAIN_MS, self._fetch)

    def _not_fetched(self, error: BaseException) -> None:
        log.info("the latest readings couldn't be fetched for the copy: %s", type(error).__name__)


class Checks:
    """Looks the form's check up when it is chosen, and shows it; without the database, from the last known copy.

    ``shown()``: the form has another check or knows more of it.
    """

    def __init__(
        self,
        form: DataRecordForm,
        jobs: Jobs,
        state: State,
        offline: Offline,
        connection: Connection,
        reconnecting: Reconnecting,
        shown: Callable[[], object],
    ) -> None:
        self._form, self._jobs, self._state, self._offline = form, jobs, state, offline
        self._connection, self._reconnecting, self._shown = connection, reconnecting, shown

    def chosen(self, date: datetime.date, time: str, lab: str) -> None:
        """The form has a date, a time and a lab: fetch what is known of that check."""
        state, key = self._state, (date, time, lab)
        model, saved = state.reachable, state.saved_records
        if state.model is None and state.opening and not state.away:
            return  # looked up when it is open
        if model is None:
            self._show_known(key)
            return

        def look_up() -> tuple[CheckView, Any]:
            progress = self._connection.retry_after_restart(partial(model.get_check, *key))
            plots = model.choices().plots
            view = CheckView(
                key=key,
                technician=progress.technician,
                recorded=progress.recorded,
                previous=model.get_previous_readings(*key),
                known=True,
                following=following_check(key, tuple(plots)),
                version=progress.version,
                others=others_in(model.get_presence(*key)),
            )
            return view.with_plots(plots.get(lab, ())), progress

        def show(found: tuple[CheckView, Any]) -> None:
            view, progress = found
            if state.saved_records != saved:  # looked up before that save was done: it would be missing
                self.chosen(*key)
                return
            self._offline.check_loaded(key, progress, view.previous)
            self._form.known.show(self._offline.overlaid(view))
            self._shown()

        job = self._jobs.submit("records", look_up, done=show, failed=lambda error: self._unknown(key, error))
        self._reconnecting.expect(job)

    def _show_known(self, key: CheckKey) -> None:
        """The database is away: what the last known copy says of the check."""
        unknown = CheckView(key=key, problem="What is recorded isn't known while the database is away.")
        shown, before = self._offline.check(key) or unknown, self._form.check
        # Who was last seen at a plot is most likely still there: the next plot isn't that one.
        others = before.others if before.key == key else ()
        self._form.known.show(shown._replace(others=others))

    def _unknown(self, key: CheckKey, error: BaseException) -> None:
        log.warning("the check couldn't be looked up", exc_info=error)
        if self._reconnecting.means_away(error) and self._offline.check(key) is not None:
            self._show_known(key)
            return
        self._form.known.show(CheckView(key=key, problem=f"The check couldn't be looked up: {error}"))


def following_check(key: CheckKey, labs: tuple[str, ...]) -> CheckKey | None:
    """The check after ``key``: the next lab at the same time, after the last lab the next time of the day."""
    date, time, lab = key
    if lab in labs[:-1]:
        return date, time, labs[labs.index(lab) + 1]
    if time in CHECK_TIMES[:-1] and labs:
        return date, CHECK_TIMES[CHECK_TIMES.index(time) + 1], labs[0]
    return None


def others_in(present: Sequence[Presence]) -> tuple[Entering, ...]:
    """Who else is there."""
    return tuple(Entering(each.who, each.workstation, each.plot) for each in present if not each.own)


def _read(database: str, drafts: DraftFile) -> tuple[KnownFile, Known]:
    from ..journal import Known, KnownFile

    data = folders.data_folder()
    file = KnownFile(data / "drafts", database, data / "journal", drafts.database)
    return file, file.read() or Known(datetime.datetime.now(datetime.timezone.utc))


def _latest(model: SQLModel, tomorrow: datetime.date, labs: tuple[str, ...]) -> list[Record]:
    records: list[Record] = []
    for lab in labs:
        records += model.get_previous_readings(tomorrow, CHECK_TIMES[0], lab).values()
    return records + list(model.get_all_records())


def _moment(record: Record) -> tuple[datetime.date, int]:
    return _order(record[F.DATE], record[F.TIME])


def _order(date: datetime.date, time: str) -> tuple[datetime.date, int]:
    return date, CHECK_TIMES.index(time)


def known_rows(known: Iterable[Record], waiting: Iterable[Record], chosen: ListFilter) -> list[Record]:
    """The records that the filter lets through, in its order; one that waits stands for an earlier one of its plot."""
    found = {tuple(record[name] for name in fields.RECORD_KEY): record for record in (*known, *waiting)}
    pairs = ((F.DATE, chosen.date), (F.LAB, chosen.lab), (F.PLOT, chosen.plot), (F.TECHNICIAN, chosen.technician))
    wanted = [(name, value) for name, value in pairs if value is not None]
    rows = [record for record in found.values() if all(record[name] == value for name, value in wanted)]
    there = [record for record in rows if record[chosen.sort] is not None]
    empty = [record for record in rows if record[chosen.sort] is None]
    name = chosen.sort
    there.sort(key=lambda record: (_sort_value(name, record[name]), _position(record)), reverse=chosen.descending)
    empty.sort(key=_position, reverse=chosen.descending)
    return there + empty


def _position(record: Record) -> tuple[Any, ...]:
    return record[F.DATE], CHECK_TIMES.index(record[F.TIME]), record[F.LAB], record[F.PLOT]


def _sort_value(name: str, value: Any) -> Any:
    if name == F.TIME:
        return CHECK_TIMES.index(value)
    return (value.casefold(), value) if isinstance(value, str) else value
