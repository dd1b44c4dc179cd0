"""The record list's pages, counts and reactions to what is saved."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..jobs import ANY
from ..views.record_list import ListFilter
from ..widgets.paged_list import PageRequest
from .entry import Record

if TYPE_CHECKING:
    from ..jobs import Job
    from .window import Application

log = logging.getLogger(__name__)
RECOUNT_LIMIT = 100_000


class Browsing:
    """Fetches pages on one thread and counts on another, so that counting millions delays no page."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._index: Any = None
        self._counting: Job | None = None
        self._inserted = 0

    def fetch(self, chosen: ListFilter, request: PageRequest) -> None:
        """A page is wanted."""
        model = self._app.data_model
        if model is None:
            return
        selection, index = _selection(chosen), self._index

        def page() -> list[Record]:
            if request.start is None:
                return model.get_page(selection, request.rows, last=True, index=index)
            return model.get_page(selection, request.rows, start=request.start, index=index)

        records = self._app.record_list

        def show(rows: list[Record]) -> None:
            records.show_page(request, rows)

        def failed(error: BaseException) -> None:
            if records.page.expects(request):
                self._failed(error)

        self._app.jobs.submit("records", lambda: self._app.connection.lasting(page), done=show, failed=failed)

    def filter_changed(self, chosen: ListFilter) -> None:
        """Other records, or another order: what was counted is of no use any more."""
        self._index = None
        self._count(chosen)

    def _count(self, chosen: ListFilter) -> None:
        """Count what fits, and find where each part of it begins."""
        model = self._app.data_model
        if model is None:
            return
        if self._counting is not None and not self._counting.finished:
            self._counting.cancel.set()
            # A cancellation has a connection of its own, so it isn't for the Tk thread.
            self._app.jobs.submit(ANY, _end_query, model, self._counting)

        def counted(index: Any) -> None:
            if job is self._counting:
                self._index, self._inserted = index, 0
                self._app.record_list.show_total(index.total)

        def failed(error: BaseException) -> None:
            if job is self._counting:
                self._count_failed(chosen, error)

        job = self._app.jobs.submit("counting", _count, model, chosen, done=counted, failed=failed, with_job=True)
        self._counting = job

    def records_changed(self, key: tuple[Any, ...], inserted: bool) -> None:
        """A record was saved: show it in the list where the filter has it."""
        chosen: ListFilter = self._app.record_list.filter
        if chosen.date not in (None, key[0]):
            return
        if inserted and self._index is not None and self._index.total > RECOUNT_LIMIT:
            # Counting again would cost more than a position that is off by the rows of this session.
            self._inserted += 1
            self._app.record_list.show_total(self._index.total + self._inserted)
        elif inserted:
            self.filter_changed(chosen)  # the old positions would hide the new record
        self._app.record_list.page.refresh()

    def follow(self, count: int) -> None:
        """Others have saved so many records that this list has: show them, and keep the row that is selected."""
        if self._index is not None and self._index.total > RECOUNT_LIMIT:
            self._inserted += count
            self._app.record_list.show_total(self._index.total + self._inserted)
        else:
            self.filter_changed(self._app.record_list.filter)
        self._app.record_list.follow()

    def restart(self) -> None:
        """Fetch and count all anew."""
        self._app.record_list.restart()

    def _failed(self, error: BaseException) -> None:
        log.warning("the records couldn't be fetched", exc_info=error)
        self._app.reconnecting.means_away(error)
        self._app.record_list.show_problem(f"The records couldn't be fetched.\n{error}", self.restart)

    def _count_failed(self, chosen: ListFilter, error: BaseException) -> None:
        from ..models import QueryCancelled

        if isinstance(error, QueryCancelled):  # the cancellation of the count before it came late
            self._count(chosen)
            return
        log.warning("the records couldn't be counted", exc_info=error)
        self._app.record_list.show_uncounted()


def _end_query(model: Any, job: Job) -> None:
    if job.thread is not None:
        model.cancel_query(job.thread)


def _count(model: Any, chosen: ListFilter, job: Job) -> Any:
    if job.cancel.is_set():
        raise InterruptedError("another filter was chosen")
    return model.count_records(_selection(chosen))


def _selection(chosen: ListFilter) -> Any:
    from ..models import Selection

    return Selection(
        date=chosen.date,
        lab=chosen.lab,
        plot=chosen.plot,
        technician=chosen.technician,
        sort=chosen.sort,
        descending=chosen.descending,
    )
