"""The company's notices: the line in the message bar until they are read, the list, and the hourly fetch."""

from __future__ import annotations

import datetime
import logging
import time
import webbrowser
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..counting import counted
from ..jobs import ANY, Job, Jobs
from ..models.errors import DatabaseError, ServerUnreachable
from ..models.notices import UNREAD_DAYS, Noticeboard
from ..network.notice_text import web_address
from ..network.notices import problem, source_of
from ..widgets.status_bar import Message
from .messages import reason_of
from .side_list import SideList, WindowContext

if TYPE_CHECKING:

    from ..models import SQLModel
    from ..models.notices import Notice
    from ..models.undoing import By
    from ..views.action_list import ActionRow
    from ..views.notices import NoticesWindow
    from ..workflows.notices import Outcome
    from .preferences import Settings

log = logging.getLogger(__name__)

KEY = "company notices"
"""The subject of the line in the message bar."""
TICK_MS = 1000
LOOK_SECONDS = 300.0  # between two looks whether the hour is over
_NOT_SET_UP = "No notices of the company are set up. An administrator says where they are: the setting notices_url."


class Taken(NamedTuple):
    """What the database answered: about which source, for whom, and which notices were marked as read by then."""

    source: str
    by: By
    opened: tuple[int, ...]
    board: Noticeboard


class CompanyNotices(SideList["Taken", "NoticesWindow"]):
    """The notices, as of the last look. It looks again every few minutes, when another workstation has fetched or read
    some, when another person is at the window, and when the database is back. ``may_take()``: whether the login may
    fetch notices and mark them as read."""

    subject = "the company's notices"
    away = "The database is away: notices come when it is back."
    unknown = "The notices aren't known while the database is away. F5 tries again."

    def __init__(self, context: WindowContext, jobs: Jobs, settings: Settings, may_take: Callable[[], bool]) -> None:
        super().__init__(context)
        self._jobs, self._settings, self._may_take = jobs, settings, may_take
        self._by, self._source = self._who_asks(), ""
        self._due, self._looked = True, 0.0
        # Read here, but not yet marked in the database. Never changed in place, because a worker thread uses it.
        self._opened: tuple[int, ...] = ()
        self._shown_notices: dict[str, Notice] = {}
        self._line: tuple[object, ...] = ()
        self._job: Job | None = None
        self._show = self._messages.command(self.show)
        self._timer = self._window.after(TICK_MS, self._tick)

    def heard(self) -> None:
        """Look again, because another workstation may have fetched notices, or somebody has read some."""
        self._due = True

    def end(self) -> None:
        """Stop: the window closes."""
        self._window.after_cancel(self._timer)
        if self._job is not None:
            self._job.cancel.set()

    # -- when it looks ------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._timer = self._window.after(TICK_MS, self._tick)
        self._look_who_asks()
        is_time = self._due or time.monotonic() - self._looked > LOOK_SECONDS
        if self._state.reachable is None:
            self._due = True
        elif is_time and not self._looking and self._find_source():
            self._due, self._looked = False, time.monotonic()
            self.look()

    def _look_who_asks(self) -> None:
        by = self._who_asks()
        if by != self._by:  # each person has their own unread notices
            self._by, self._due = by, True
            self._known, self._opened, self._shown_notices = None, (), {}
            self._show_unread([])

    def _find_source(self) -> str:
        """Return the source in the settings; empty if there is none, or it can't be used."""
        values = self._settings.values()
        self._source = "" if not values["notices_url"] or problem(values) else source_of(values)
        return self._source

    def _fetch(self, model: SQLModel) -> Sequence[Taken]:
        source, by, opened = self._source, self._by, self._opened
        if opened:
            try:
                model.notices.read(opened, by=by)
            except ServerUnreachable:
                raise
            except DatabaseError as error:  # such as a lock by an open transaction: the notices are shown anyway
                log.warning("what was read isn't kept yet: %s", error)
                opened = ()
        return (Taken(source, by, opened, model.notices.board(source, by=by)),)

    def _know(self, found: Sequence[Taken], before: Sequence[Taken] | None) -> None:
        (taken,) = found
        if taken.by != self._by or taken.source != self._source:  # outdated: it has been requested again
            self._known = None
            return
        self._opened = tuple(each for each in self._opened if each not in taken.opened)
        self._show_unread(taken.board.unread)
        if taken.board.due and self._may_take():
            self._ask_source(forced=False)

    # -- fetching -------------------------------------------------------------------------------------------

    def fetch_now(self) -> None:
        """Fetch notices from the source now; the window shows the result."""
        if not self._settings.values()["notices_url"]:
            self._show_result(_NOT_SET_UP)
        elif not self._may_take():
            self._show_result("This login may read notices, not fetch them.")
        elif self._may_begin("Notices can be fetched"):
            self._show_result("Fetching the notices…")
            self._ask_source(forced=True)

    def _ask_source(self, forced: bool) -> None:
        from ..workflows.notices import fetch

        model = self._state.reachable
        if model is None or (self._job is not None and not self._job.finished):
            return
        values, by = self._settings.values(), self._by

        def work(job: Job) -> Outcome:
            return fetch(model, values, job.cancel, forced=forced, by=by)

        def done(outcome: Outcome) -> None:
            self._due = self._due or not outcome.elsewhere  # else it would be tried each second
            if forced:
                self._show_result(outcome.text)

        def failed(error: BaseException) -> None:
            log.warning("the notices couldn't be fetched: %s", type(error).__name__)
            if forced:
                self._show_result("The database is away." if self._means_away(error) else reason_of(error))

        self._job = self._jobs.submit(ANY, work, name="notices", done=done, failed=failed, with_job=True)

    # -- what is shown --------------------------------------------------------------------------------------

    def _show_unread(self, unread: Sequence[Notice]) -> None:
        left = [each for each in unread if each.id not in self._opened] if self._may_take() else []
        line = (len(left), left[0].title if left else "")
        if line == self._line:
            return
        self._line = line
        if not left:
            self._messages.settled(KEY)
            return
        text = "A notice of the company" if len(left) == 1 else f"{counted(len(left), 'notice')} of the company"
        self._messages.bar.show_message(Message(KEY, text, left[0].title, (("Read", self._show),), until_resolved=True))

    def _window_class(self) -> type[NoticesWindow]:
        from ..views.notices import NoticesWindow

        return NoticesWindow

    def _new_window(self) -> NoticesWindow:
        from ..views.action_list import RowCallbacks
        from ..views.notices import NoticesCallbacks

        command = self._messages.command
        rows = RowCallbacks(self._list, command(self._act))
        callbacks = NoticesCallbacks(rows, self._open, command(self.fetch_now), self._read_all)
        return self._window_class()(self._window, callbacks)

    def _list(self, everything: bool) -> None:
        self._look_who_asks()
        self._find_source()
        values = self._settings.values()
        why = _NOT_SET_UP if not values["notices_url"] else problem(values)
        shown = self._shown()
        if why and shown is not None:
            shown.show_problem(why)
            return
        self._look_up_all(everything)

    def _show_rows(self, items: Sequence[Taken], remark: str = "") -> None:
        shown = self._shown()
        if shown is None:
            return
        board = items[0].board
        since = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=UNREAD_DAYS)
        everything = bool(shown.everything.get())
        listed = [each for each in board.notices if everything or each.published > since]
        self._shown_notices = {str(each.id): each for each in listed}
        unread = len([each for each in board.unread if each.id not in self._opened])
        count = f"{len(listed):,} listed, {unread:,} unread" if listed else ""
        if board.fetched is not None:
            count += f"{', f' if count else 'F'}etched {board.fetched.astimezone():%Y-%m-%d %H:%M}"
        failed = f"The last attempt failed. {board.problem}" if board.problem else ""
        shown.show_rows([self._row(each) for each in listed], count, remark or failed)

    def _row(self, notice: Notice) -> ActionRow:
        from ..views.action_list import ActionRow
        from ..views.notices import OPEN

        state = "new" if notice.unread and notice.id not in self._opened else "read"
        published, link = f"{notice.published.astimezone():%Y-%m-%d %H:%M}", web_address(notice.link)
        parts = [notice.title, notice.words, link]
        allowed = frozenset((OPEN,)) if link else frozenset[str]()
        detail = "\n\n".join(each for each in parts if each)
        return ActionRow(str(notice.id), (published, state, notice.title), detail, allowed)

    # -- what is done about them ----------------------------------------------------------------------------

    def _act(self, _button: str, identifier: str) -> None:
        """Open the page of a notice in the browser; only when the user asks for it."""
        notice = self._shown_notices.get(identifier)
        link = web_address(notice.link) if notice is not None else ""
        if not link:
            return
        self._show_result("The browser opens its page")

        def opened(is_open: bool) -> None:
            if not is_open:
                self._show_result("No browser could be opened. The address stands below the text: copy it")

        # On a worker thread, because a browser may take long, or need a terminal.
        self._jobs.submit(ANY, webbrowser.open, link, name="browser", done=opened, failed=lambda _error: opened(False))

    def _open(self, *identifiers: str) -> None:
        """Mark these as read, because the person at the window has seen them."""
        shown = self._shown_notices
        new = tuple(shown[each].id for each in identifiers if each in shown and shown[each].unread)
        new = tuple(each for each in new if each not in self._opened)
        if new and self._known and self._may_take():
            self._opened, self._due = (*self._opened, *new), True
            self._show_unread(self._known[0].board.unread)

    def _read_all(self) -> None:
        self._open(*self._shown_notices)
