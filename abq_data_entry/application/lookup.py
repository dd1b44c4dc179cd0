"""Fetches what the window shows: the form's check, and the pages and counts of the record list. While the database is
away, they come from the last known copy, with the records that wait on this computer."""

from __future__ import annotations

import datetime
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import fields, folders
from ..constants import CHECK_TIMES
from ..constants import FieldNames as F
from ..jobs import ANY
from ..retrying import COUNTING, Retries
from ..views import DataRecordForm
from ..views.form_content import CheckKey, CheckView, Entering
from ..widgets.paged_list import PageRequest
from .state import State

if TYPE_CHECKING:
    from ..jobs import Job, Jobs
    from ..journal import Known, KnownFile
    from ..models import Presence, SQLModel
    from ..models.records import Selection
    from ..store.drafts import DraftFile
    from ..views import RecordList
    from ..views.record_list import ListFilter
    from .connection import Connection
    from .messages import ShowStatus
    from .outage import Reconnecting

log = logging.getLogger(__name__)

WRITE_DELAY_MS = 2000
FETCH_DELAY_MS = 3000  # so that it doesn't slow the start
FETCH_AGAIN_MS = 300_000  # the age that the copy may have when the database goes away

RECOUNT_LIMIT = 100_000
CHOSEN_AT_MOST = 1000
RECOUNT_MS = 250  # several changes within this time cause one count
RECOUNT_LARGE_MS = 20_000

Record = Mapping[str, Any]


class KnownCopy:
    """Keeps the last known copy in memory and in its file, and answers from it. On the Tk thread.

    ``show_choices(choices)`` lets form and list work with these lists; ``read()`` is called when the copy has been read
    and no database was open yet.
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
        self._saved: list[Record] = []  # since the copy was requested

    def begin(self, database: str, drafts: DraftFile) -> None:
        """Read the copy of that database, which is in the file of the drafts."""
        self._jobs.submit("files", _read, database, drafts, done=self._read)

    def end(self) -> None:
        """Write what isn't written yet, because the window closes."""
        self._cancel_fetch()
        if self._timer:
            self._form.after_cancel(self._timer)
            self._write()

    @property
    def known(self) -> Known | None:
        """The copy; ``None`` until its file has been read."""
        if self._saved and self._known is not None:
            self._known, self._saved = self._known.with_records(self._saved), []
        return self._known

    # -- updating the copy ------------------------------------------------------------------------------

    def choices_loaded(self, choices: Any) -> None:
        """Take the lists of the database into the copy."""
        self._choices = choices
        if self.known is not None:
            self._change(self.known.with_choices(choices, datetime.datetime.now(datetime.timezone.utc)))
            self._cancel_fetch()
            self._fetch_timer = self._form.after(FETCH_DELAY_MS, self._fetch)

    def check_loaded(self, key: CheckKey, progress: Any, previous: Mapping[int, Record]) -> None:
        """Take the progress of a check and its previous readings into the copy."""
        if self.known is not None:
            self._change(self.known.with_check(key, progress).with_records(previous.values()))

    def record_saved(self, record: Record) -> None:
        """Take a saved record into the copy, later, so that the user doesn't wait for that."""
        self._saved.append(record)
        if not self._timer:
            self._timer = self._form.after(WRITE_DELAY_MS, self._write)

    # -- answering from the copy ------------------------------------------------------------------------

    def check(self, key: CheckKey) -> CheckView | None:
        """Return what the copy knows about a check; ``None`` if there is no copy."""
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
        """Return the check with the records that wait on this computer."""
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
        """Return a record from the copy; an empty one if it isn't there."""
        return self.known.record(key) if self.known is not None else {}

    @property
    def known_at(self) -> str:
        """Return when the copy was last updated, in words: the time, with the date if that isn't today."""
        if self.known is None:
            return ""
        taken = self.known.taken.astimezone()
        return f"{taken:%H:%M}" if taken.date() == self._state.today() else f"{taken:%H:%M on %Y-%m-%d}"

    def rows(self, chosen: ListFilter) -> list[Record] | None:
        """Return the records that match the list's filter, from the copy; ``None`` if there is no copy."""
        readings = self._known.readings.values() if self._known is not None else ()
        known = [*(record for latest in readings for record in latest), *self._saved]
        waiting = [each.record for each in self._state.waiting]
        if not known and not waiting:
            return None
        # If a record is there more than once, the last one counts, because waiting ones are the newest.
        found = {tuple(record[name] for name in fields.RECORD_KEY): record for record in (*known, *waiting)}
        pairs = ((F.DATE, chosen.date), (F.LAB, chosen.lab), (F.PLOT, chosen.plot), (F.TECHNICIAN, chosen.technician))
        wanted = [(name, value) for name, value in pairs if value is not None]

        def order(record: Record) -> tuple[Any, ...]:
            value = record[chosen.sort]
            if chosen.sort == F.TIME:
                value = CHECK_TIMES.index(value)
            elif isinstance(value, str):
                value = value.casefold(), value
            check = record[F.DATE], CHECK_TIMES.index(record[F.TIME]), record[F.LAB], record[F.PLOT]
            # Empty values come last, in either direction.
            return (value is None) != chosen.descending, () if value is None else (value,), check

        rows = [record for record in found.values() if all(record[name] == value for name, value in wanted)]
        return sorted(rows, key=order, reverse=chosen.descending)

    def show_choices(self) -> None:
        """Let the form use the lists of the copy."""
        if self.known is not None and self.known.choices.labs:
            self._show_choices(self.known.choices)

    # -- inside -----------------------------------------------------------------------------------------

    def _read(self, found: tuple[KnownFile, Known]) -> None:
        self._file, self._known = found
        if self._choices is not None:  # the database answered before the file was read
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
        """Fetch the latest readings of all plots, and today's records."""
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

    ``shown()`` is called when the form has shown what the database knows.
    """

    def __init__(
        self,
        form: DataRecordForm,
        jobs: Jobs,
        state: State,
        copy: KnownCopy,
        connection: Connection,
        reconnecting: Reconnecting,
        shown: Callable[[], object],
    ) -> None:
        self._form, self._jobs, self._state, self._copy = form, jobs, state, copy
        self._connection, self._reconnecting, self._shown = connection, reconnecting, shown

    def chosen(self, date: datetime.date, time: str, lab: str) -> None:
        """Fetch the check that the form has now."""
        state, key = self._state, (date, time, lab)
        model, saved = state.reachable, state.saved_records
        if state.model is None and state.opening and not state.away:
            return  # fetched once the database is open
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
            if state.saved_records != saved:  # fetched before a save was done, which would be missing
                self.chosen(*key)
                return
            self._copy.check_loaded(key, progress, view.previous)
            self._form.known.show(self._copy.overlaid(view))
            self._shown()

        job = self._jobs.submit("records", look_up, done=show, failed=lambda error: self._unknown(key, error))
        self._reconnecting.expect(job)

    def _show_known(self, key: CheckKey) -> None:
        """Show the check from the last known copy, because the database is away."""
        unknown = CheckView(key=key, problem="What is recorded isn't known while the database is away.")
        shown, before = self._copy.check(key) or unknown, self._form.check
        # Others are kept, because they are most likely still at their plots, which the form must skip.
        others = before.others if before.key == key else ()
        self._form.known.show(shown._replace(others=others))

    def _unknown(self, key: CheckKey, error: BaseException) -> None:
        log.warning("the check couldn't be looked up", exc_info=error)
        if self._reconnecting.means_away(error) and self._copy.check(key) is not None:
            self._show_known(key)
            return
        self._form.known.show(CheckView(key=key, problem=f"The check couldn't be looked up: {error}"))


def following_check(key: CheckKey, labs: tuple[str, ...]) -> CheckKey | None:
    """Return the check after ``key``: the next lab at the same time; after the last lab, the first at the next time."""
    date, time, lab = key
    if lab in labs[:-1]:
        return date, time, labs[labs.index(lab) + 1]
    if time in CHECK_TIMES[:-1] and labs:
        return date, CHECK_TIMES[CHECK_TIMES.index(time) + 1], labs[0]
    return None


def others_in(present: Sequence[Presence]) -> tuple[Entering, ...]:
    """Return the others who are there."""
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


class Browsing:
    """Fetches pages on one thread and counts on another, so that counting millions delays no page.

    ``copy``: the last known copy; ``means_away(error)``: see `Reconnecting`; ``changed()`` is called when the records
    of a day have changed; ``status_text()`` returns the text of the status line.
    """

    def __init__(
        self,
        records: RecordList,
        state: State,
        connection: Connection,
        jobs: Jobs,
        show_status: ShowStatus,
        copy: KnownCopy,
        means_away: Callable[[BaseException], bool],
        changed: Callable[[], object],
        status_text: Callable[[], str],
    ) -> None:
        self._records, self._state, self._connection, self._jobs = records, state, connection, jobs
        self._show_status = show_status
        self._status_text, self._chosen_text = status_text, ""
        self._copy, self._means_away, self._days_changed = copy, means_away, changed
        self._selection: Selection | None = None  # of the filter, once it was needed
        self._index: Any = None
        self._is_large = False  # too many records to count them after each change
        self._counting: Job | None = None
        self._inserted = 0
        self._timer = ""
        self._retries = Retries(COUNTING)  # after a failed count

    def fetch(self, request: PageRequest) -> None:
        """Fetch a page."""
        known = self._copy.rows(self._records.filter) if self._state.away else None
        if known is not None:
            self._records.after_idle(self._show_known, known, request)
            return
        if self._state.model is None:
            return
        selection, index = self._selected(), self._index

        def page(model: SQLModel) -> Sequence[Record]:
            if request.start is None:
                return model.get_page(selection, request.rows, last=True, index=index)
            return model.get_page(selection, request.rows, start=request.start, index=index)

        records = self._records

        def show(rows: Sequence[Record]) -> None:
            records.show_copy("")
            records.show_page(request, rows)
            if records.unseen:
                records.show_news(0)  # the new records are in the page now
            if not records.page.agrees and not records.page.waiting:
                self._count_soon()  # because the page is newer than the count

        def failed(error: BaseException) -> None:
            if records.page.expects(request):
                self._failed(error)

        self._connection.ask(page, show, failed)

    def _show_known(self, rows: list[Record], request: PageRequest) -> None:
        """Show the page from the copy, because the database is away."""
        records = self._records
        start = max(0, len(rows) - request.rows) if request.start is None else request.start
        records.show_copy(self._copy.known_at)
        records.show_total(len(rows))
        records.show_page(request, rows[start : start + request.rows])

    def show_copy(self) -> None:
        """Show the copy, if there is one, because the database is away."""
        if self._copy.rows(self._records.filter) is not None:
            self.show_source()

    def show_source(self) -> None:
        """Show the list again after a change between database and copy."""
        if self._records.page.waiting or not self._records.page.rows:
            self.restart()
        else:
            self.look_again()

    def filter_changed(self, _chosen: ListFilter) -> None:
        """Drop the count, because there are other records or another order."""
        self._selection, self._index, self._is_large = None, None, False
        if self._timer:  # it would also have reported changed days
            self._days_changed()
        self._cancel_timer()
        self._count()

    def _selected(self) -> Selection:
        """Return the selection and order of the filter."""
        from ..models.records import Selection

        if self._selection is None:
            self._selection = Selection(*self._records.filter)
        return self._selection

    def _count(self) -> None:
        """Count the matching records, and find where each part of them begins."""
        model = self._state.reachable
        if model is None:
            return
        if self._counting is not None and not self._counting.finished:
            self._counting.cancel.set()
            # On a worker thread, because a cancellation opens its own connection.
            self._jobs.submit(ANY, _end_query, model, self._counting)

        def counted(index: Any) -> None:
            self._retries.succeeded()
            if job is self._counting:
                self._index, self._inserted = index, 0
                self._is_large = index.total > RECOUNT_LIMIT
                self._records.show_total(index.total)

        def failed(error: BaseException) -> None:
            if job is self._counting:
                self._count_failed(error)

        work = partial(_count, model, self._selected())
        job = self._jobs.submit("counting", work, done=counted, failed=failed, with_job=True)
        self._counting = job

    def record_saved(self, key: tuple[Any, ...], corrected: bool) -> None:
        """Mark and show a record saved here in the list, or say that it doesn't match the filters."""
        records, model = self._records, self._state.model
        records.mark(key, "edited" if corrected else "new")
        belongs = records.may_admit(key)
        self._changed(inserted=int(belongs and not corrected))
        if model is None or not belongs:
            records.show_left_out(key)
            return
        if self._is_large:  # counted much later
            self._days_changed()
            records.page.refresh()
            return
        chosen = records.filter

        def found(position: int | None) -> None:
            if records.filter != chosen:
                return
            if position is None:
                records.show_left_out(key)
                records.page.refresh()
            else:
                records.reveal(position, key)

        self._jobs.submit("records", model.get_position, self._selected(), *key, done=found, failed=_not_found)

    def follow(self, count: int) -> None:
        """Show ``count`` records of the list that others have saved, keeping the selected row."""
        self._changed(inserted=count)
        self._records.page.refresh()

    def count_news(self, count: int) -> None:
        """Count that many new records, which the list doesn't show yet."""
        self._changed(inserted=count)

    def look_again(self) -> None:
        """Count again and fetch the visible page again, keeping its position and selection."""
        if self._records.unseen:
            self._records.show_news(0)
        if not self._state.away:  # pages of the copy bring their own count
            self._changed(inserted=0)
        self._records.page.refresh()

    def chosen(self, count: int) -> None:
        """Show how many rows of the list are chosen; remove that when none is."""
        before, self._chosen_text = self._chosen_text, ""
        if count:
            noun = "record is" if count == 1 else "records are"
            self._chosen_text = f"{count} {noun} chosen. Edit ‣ Correct Many… corrects them, Esc chooses none"
        if count or before == self._status_text():  # otherwise the line shows another text by now
            self._show_status(self._chosen_text)

    def choose_all(self, wanted: ListFilter) -> None:
        """Choose all records of the filter, if they aren't too many."""
        records = self._records
        if self._state.reachable is None:
            self._show_status("Records can be chosen when the database is back")
            return
        selection = self._selected()

        def found(rows: Sequence[Record]) -> None:
            if len(rows) > CHOSEN_AT_MOST:
                self._show_status(f"More than {CHOSEN_AT_MOST:,} records can't be chosen at once: use the filters")
            elif records.filter == wanted:
                records.choose(rows)

        self._connection.ask(
            lambda model: model.get_page(selection, CHOSEN_AT_MOST + 1, start=0),
            found,
            lambda error: log.warning("records couldn't be chosen: %s", type(error).__name__),
        )

    def end(self) -> None:
        """Stop: the window closes."""
        self._cancel_timer()

    def _changed(self, inserted: int) -> None:
        """Count again after ``inserted`` new records, or add their number if counting would take too long."""
        if self._is_large:
            self._inserted += inserted
            self._records.show_total(self._index.total + self._inserted)
        self._count_soon()
        if not self._is_large:
            self._index = None  # the old positions would leave out new records

    def _count_soon(self) -> None:
        if not self._timer:
            pause = RECOUNT_LARGE_MS if self._is_large else RECOUNT_MS
            self._timer = self._records.after(pause, self._count_now)

    def _count_now(self) -> None:
        self._cancel_timer()
        self._days_changed()
        self._count()

    def _cancel_timer(self) -> None:
        if self._timer:
            self._records.after_cancel(self._timer)
            self._timer = ""

    def restart(self) -> None:
        """Fetch and count everything again."""
        self._records.restart()

    def _failed(self, error: BaseException) -> None:
        log.warning("the records couldn't be fetched", exc_info=error)
        is_away = self._means_away(error)
        if is_away and self._copy.rows(self._records.filter) is not None:
            self.restart()  # from the copy
            return
        self._records.show_problem(f"The records couldn't be fetched.\n{error}", self.restart)

    def _count_failed(self, error: BaseException) -> None:
        from ..models.errors import QueryCancelled

        if isinstance(error, QueryCancelled):  # the previous count was cancelled so late that it hit this one
            self._count()
            return
        log.warning("the records couldn't be counted", exc_info=error)
        self._records.show_uncounted()
        # A lost connection is retried, because pages may have a new one; a missing answer is reported by the pages.
        if not self._state.away and not self._timer:
            self._timer = self._records.after(math.ceil(self._retries.failed() * 1000), self._count_now)


def _end_query(model: Any, job: Job) -> None:
    if job.thread is not None:
        model.cancel_query(job.thread)


def _count(model: SQLModel, selection: Selection, job: Job) -> Any:
    if job.cancel.is_set():
        raise InterruptedError("another filter was chosen")
    return model.count_records(selection)


def _not_found(error: BaseException) -> None:
    log.info("the position of the record in the list isn't known: %s", type(error).__name__)
