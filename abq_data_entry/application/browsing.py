"""The record list's pages, counts and reactions to what is saved."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ..jobs import ANY
from ..retrying import COUNTING, Retries
from ..views.record_list import ListFilter
from ..widgets.paged_list import PageRequest

if TYPE_CHECKING:
    from ..jobs import Job, Jobs
    from ..models import SQLModel
    from ..models.records import Selection
    from ..views import RecordList
    from .checks import Offline
    from .connection import Connection
    from .messages import Say
    from .state import State

Record = dict[str, Any]
log = logging.getLogger(__name__)
RECOUNT_LIMIT = 100_000
CHOSEN_AT_MOST = 1000
RECOUNT_MS = 250  # what comes within that time is counted once
RECOUNT_LARGE_MS = 20_000


class Browsing:
    """Fetches pages on one thread and counts on another, so that counting millions delays no page.

    ``copy``: what is known without the database; ``means_away(error)``: see `Reconnecting`; ``changed()``: of some day
    other records are there now.
    """

    def __init__(
        self,
        records: RecordList,
        state: State,
        connection: Connection,
        jobs: Jobs,
        say: Say,
        copy: Offline,
        means_away: Callable[[BaseException], bool],
        changed: Callable[[], object],
    ) -> None:
        self._records, self._state, self._connection, self._jobs, self._say = records, state, connection, jobs, say
        self._copy, self._means_away, self._days_changed = copy, means_away, changed
        self._selection: Selection | None = None  # what the filter chooses, once somebody asked for it
        self._index: Any = None
        self._counting: Job | None = None
        self._inserted = 0
        self._timer = ""
        self._retries = Retries(COUNTING)  # of a count that failed

    def fetch(self, chosen: ListFilter, request: PageRequest) -> None:
        """A page is wanted."""
        known = self._copy.rows(chosen) if self._state.away else None
        if known is not None:
            self._records.after_idle(self._show_known, known, request)
            return
        if self._state.model is None:
            return
        selection, index = self._selected(), self._index

        def page(model: SQLModel) -> list[Record]:
            if request.start is None:
                return model.get_page(selection, request.rows, last=True, index=index)
            return model.get_page(selection, request.rows, start=request.start, index=index)

        records = self._records

        def show(rows: list[Record]) -> None:
            records.show_copy("")
            records.show_page(request, rows)
            if records.unseen:
                records.show_news(0)  # they are in their place now
            if not records.page.agrees and not records.page.waiting:
                self._count_soon()  # the page is newer than the count

        def failed(error: BaseException) -> None:
            if records.page.expects(request):
                self._failed(error)

        self._connection.ask(page, show, failed)

    def _show_known(self, rows: list[Mapping[str, Any]], request: PageRequest) -> None:
        """The database is away: the page as it is known here."""
        records = self._records
        start = max(0, len(rows) - request.rows) if request.start is None else request.start
        records.show_copy(self._copy.known_at)
        records.show_total(len(rows))
        records.show_page(request, rows[start : start + request.rows])

    def show_copy(self) -> None:
        """The database is away: show what is known here, if anything is."""
        if self._copy.rows(self._records.filter) is not None:
            self.show_source()

    def show_source(self) -> None:
        """The database has come in the place of the copy, or the copy in that of the database: show what that has."""
        if self._records.page.waiting or not self._records.page.rows:
            self.restart()
        else:
            self.look_again()

    def filter_changed(self, _chosen: ListFilter) -> None:
        """Other records, or another order: what was counted is of no use any more."""
        self._selection = self._index = None
        if self._timer:  # it was to tell of the days as well
            self._days_changed()
        self._cancel_timer()
        self._count()

    def _selected(self) -> Selection:
        """The records that the filter chooses, and their order."""
        from ..models.records import Selection

        if self._selection is None:
            self._selection = Selection(*self._records.filter)
        return self._selection

    def _count(self) -> None:
        """Count what fits, and find where each part of it begins."""
        model = self._state.reachable
        if model is None:
            return
        if self._counting is not None and not self._counting.finished:
            self._counting.cancel.set()
            # A cancellation has a connection of its own, so it isn't for the Tk thread.
            self._jobs.submit(ANY, _end_query, model, self._counting)

        def counted(index: Any) -> None:
            self._retries.succeeded()
            if job is self._counting:
                self._index, self._inserted = index, 0
                self._records.show_total(index.total)

        def failed(error: BaseException) -> None:
            if job is self._counting:
                self._count_failed(error)

        work = partial(_count, model, self._selected())
        job = self._jobs.submit("counting", work, done=counted, failed=failed, with_job=True)
        self._counting = job

    def record_saved(self, key: tuple[Any, ...], corrected: bool) -> None:
        """A record was saved here: it is marked and shown in the list, or said to be left out by the filters."""
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
        """Others have saved this number of records of the list: show them, and keep the row that is selected."""
        self._changed(inserted=count)
        self._records.follow()

    def count_news(self, count: int) -> None:
        """So many records came that the list doesn't show yet: they count all the same."""
        self._changed(inserted=count)

    def look_again(self) -> None:
        """Records may have come or gone: count and fetch again what is visible; it keeps its place and selection."""
        self._records.show_news(0)
        if not self._state.away:  # what is known here is counted with each page
            self._changed(inserted=0)
        self._records.follow()

    def chosen(self, count: int) -> None:
        """So many rows of the list are chosen."""
        if count:
            noun = "record is" if count == 1 else "records are"
            self._say(f"{count} {noun} chosen. Edit ‣ Correct Many… corrects them, Esc chooses none")

    def choose_all(self, wanted: ListFilter) -> None:
        """All records of the filter are to be chosen, where they aren't too many."""
        records = self._records
        if self._state.reachable is None:
            self._say("Records can be chosen when the database is back")
            return
        selection = self._selected()

        def found(rows: list[Record]) -> None:
            if len(rows) > CHOSEN_AT_MOST:
                self._say(f"More than {CHOSEN_AT_MOST:,} records can't be chosen at once: use the filters")
            elif records.filter == wanted:
                records.choose(rows)

        self._connection.ask(
            lambda model: model.get_page(selection, CHOSEN_AT_MOST + 1, start=0),
            found,
            lambda error: log.warning("records couldn't be chosen: %s", type(error).__name__),
        )

    def end(self) -> None:
        """The window closes."""
        self._cancel_timer()

    @property
    def _is_large(self) -> bool:
        return self._index is not None and self._index.total > RECOUNT_LIMIT

    def _changed(self, inserted: int) -> None:
        """This number of records came into the list: count again, or add them, if counting would cost more."""
        if self._is_large:
            self._inserted += inserted
            self._records.show_total(self._index.total + self._inserted)
        self._count_soon()
        if not self._is_large:
            self._index = None  # the old positions would hide what is new

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
            self.restart()  # as it is known here
            return
        self._records.show_problem(f"The records couldn't be fetched.\n{error}", self.restart)

    def _count_failed(self, error: BaseException) -> None:
        from ..models.errors import QueryCancelled

        if isinstance(error, QueryCancelled):  # the cancellation of the count before it came late
            self._count()
            return
        log.warning("the records couldn't be counted", exc_info=error)
        self._records.show_uncounted()
        # What lost its connection while the pages got a new one; an answer that never comes is the pages' to tell.
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
    log.info("where the record stands isn't known: %s", type(error).__name__)
