"""Going to another record: by plot, by row of the list, to a new one, or to a new day; drafts are kept."""

from __future__ import annotations

import datetime
import logging
import tkinter as tk
from collections.abc import Callable, Mapping
from tkinter import ttk
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import fields
from ..constants import FieldNames as F
from ..views import Dialog
from ..views.check_panel import DayOffer
from ..views.typed_keys import give_to
from .messages import reason_of

if TYPE_CHECKING:

    from ..journal import Entry
    from ..views import DataRecordForm
    from ..views.form_content import CheckKey
    from .connection import Connection
    from .entry import Drafts
    from .lookup import KnownCopy
    from .messages import Messages, ShowStatus
    from .outage import Reconnecting
    from .state import State

log = logging.getLogger(__name__)


class NavigationActions(NamedTuple):
    """``decide(entry)`` shows a waiting record beside what the database has; ``show_form()`` brings the form to the
    front; ``shows_form()``: whether it can be seen."""

    decide: Callable[[Entry], object]
    show_form: Callable[[], object]
    shows_form: Callable[[], bool]


class Navigation:
    """Moves between records; what is half typed is kept as a draft of its plot, and shown there again."""

    def __init__(
        self,
        form: DataRecordForm,
        state: State,
        connection: Connection,
        reconnecting: Reconnecting,
        messages: Messages,
        show_status: ShowStatus,
        drafts: Drafts,
        copy: KnownCopy,
        actions: NavigationActions,
    ) -> None:
        self._form, self._state, self._messages, self._show_status = form, state, messages, show_status
        self._connection, self._reconnecting = connection, reconnecting
        self._drafts, self._copy, self._actions = drafts, copy, actions
        self._wanted: object = None

    def leave_form(self, then: Callable[[], object]) -> None:
        """Call ``then`` after a running save, and after keeping what is half typed as a draft of its plot."""
        if self._form.saving:
            self.after_saving(lambda: self.leave_form(then))
        elif self._drafts.put_away():
            if self._wanted is not None:  # another record was being fetched; it is no longer wanted
                self._wanted = None
                self._form.type_ahead.refused()
            then()

    def after_saving(self, then: Callable[[], object]) -> None:
        """Call ``then`` now, or when the running save is done."""
        if self._form.saving:
            self._form.after_save = then
        else:
            then()

    def new_record(self) -> None:
        """Begin a new record for the next plot that isn't recorded; from the list, return to what was being typed."""
        if not self._actions.shows_form() and self._form.changed:
            self._actions.show_form()
            self._form.focus_first_empty()
        else:
            self.after_saving(self._leave_for_new)

    def _leave_for_new(self) -> None:
        plot = self._form.draft_keeper.next_plot()
        self.leave_form(lambda: self._begin_new(plot))

    def _begin_new(self, plot: int | None) -> None:
        self._actions.show_form()
        self._form.begin_new(plot=plot)
        self._form.focus_first_empty()

    def go_to_plot(self, plot: int) -> None:
        """Go to a plot of the check: open its record, or begin one."""
        self.leave_form(lambda: self._show_plot(plot))

    def _show_plot(self, plot: int) -> None:
        form, check = self._form, self._form.check
        self._actions.show_form()
        if plot not in check.plots:
            self._show_status(
                f"This lab has no plot {plot}"
                if check.plots
                else f"There is no plot {plot} to go to: choose date, time and lab first"
            )
        elif check.key is not None and (draft := self._drafts.find((*check.key, plot))) is not None:
            form.draft_keeper.restore(draft)
            form.focus_first_empty()
        elif plot in check.recorded and check.key is not None:
            self.open_record((*check.key, plot))
        else:
            form.begin_new(plot=plot, asked=True)
            form.focus_first_empty()

    def ask_plot(self) -> None:
        """Ask for a plot's number and go there."""

        def go(text: str) -> None:
            if text.isascii() and text.isdecimal() and len(text) <= 2:
                self.go_to_plot(int(text))
            else:
                self._show_status(f"{text or 'Nothing'} isn't the number of a plot")

        window = self._form.winfo_toplevel()
        self._messages.open(
            "Go to Plot", "Go to plot", "", "Go to Plot…", lambda: PlotDialog(window, go), lambda: None
        )

    def move(self, steps: int) -> None:
        """Go to the next (1) or the previous (-1) plot of the check."""
        form = self._form
        plots, key = form.check.plots, form.key
        current = key[3] if key is not None else 0
        ahead = [plot for plot in plots if (plot > current if steps > 0 else plot < current)]
        if ahead:
            self.go_to_plot(min(ahead) if steps > 0 else max(ahead))
        else:
            self._show_status("This is the last plot" if steps > 0 else "This is the first plot")

    def next_missing(self) -> None:
        """Go to the next plot of the check that isn't recorded."""
        form = self._form
        key = form.key
        plot = form.check.next_missing(key[3] if key is not None else 0)
        if plot is None:
            left = form.check.left_to_others()
            entered = f"Only plot {left.plot} is missing: {left.named} is entering it" if left else ""
            self._show_status(entered or "No plot is missing")
        else:
            self.go_to_plot(plot)

    def open_row(self, row: Mapping[str, Any]) -> None:
        """Open the record of a row of the list, or its draft."""
        key = tuple(row[name] for name in fields.RECORD_KEY)
        self.leave_form(lambda: self._show_draft_or_record(key, self._drafts.find))

    def open_recorded(self, key: tuple[Any, ...]) -> None:
        """Open the saved record, or the draft of its correction, even if the plot has a draft of a new record."""
        self.leave_form(lambda: self._show_draft_or_record(key, self._drafts.find_correction))

    def _show_draft_or_record(self, key: Any, find: Callable[[Any], Mapping[str, Any] | None]) -> None:
        draft = find(key)
        if draft is None:
            self.open_record(key)
            return
        self._actions.show_form()
        self._form.draft_keeper.restore(draft)
        self._form.focus_first_empty()

    def open_record(self, key: tuple[Any, ...]) -> None:
        """Fetch a record and show it for correction; one that waits on this computer is shown from the journal."""
        waiting = self._state.latest_waiting(key)
        if waiting is not None and (waiting.state == "waiting" or self._state.away):
            self._opened(waiting.record, key=key)
            return
        if waiting is not None:
            self._actions.decide(waiting)
            return
        if self._state.reachable is None:
            self._open_known(key)
            return
        self._actions.show_form()
        wanted = self._wanted = object()
        self._form.type_ahead.wait(key)  # keys typed from now on are for that plot

        def done(found: Any) -> None:
            if wanted is self._wanted:
                self._opened(found.record, found.version, key=key)

        def failed(error: BaseException) -> None:
            if wanted is self._wanted:
                self._open_failed(key, error)

        def overdue() -> None:
            if wanted is self._wanted:
                self._open_known(key)

        job = self._connection.ask(lambda model: model.get_versioned_record(*key), done, failed)
        self._reconnecting.expect(job, overdue)

    def begin_next_check(self) -> None:
        """Begin the check that comes after a complete one."""
        following = self._form.check.following
        if following is not None:
            self.leave_form(lambda: self._begin_check(following))

    def _begin_check(self, key: CheckKey) -> None:
        self._form.set_check(*key)
        self._form.focus_first_empty()

    def _open_known(self, key: tuple[Any, ...]) -> None:
        known = self._copy.record(key)
        if known:
            self._opened(dict(known), key=key, known_at=self._copy.known_at)
        else:
            self._not_opened(key, "This record can't be opened while the database is away")

    def _opened(
        self, record: Mapping[str, Any], version: int | None = None, *, key: tuple[Any, ...] = (), known_at: str = ""
    ) -> None:
        self._wanted = None
        if not record:
            self._not_opened(key, "This record no longer exists")
            self._form.known.look_up()
            return
        self._actions.show_form()
        self._form.open_record(record, version, known_at)
        self._form.focus_correction()
        self._form.type_ahead.arrived()

    def _not_opened(self, key: tuple[Any, ...], words: str) -> None:
        """Go to that plot with disabled fields, so that what is typed doesn't go into another one."""
        self._wanted = None
        self._show_status(words)
        self._actions.show_form()
        self._form.show_closed(key, words)
        self._form.type_ahead.refused()

    def _open_failed(self, key: tuple[Any, ...], error: BaseException) -> None:
        log.error("a record couldn't be opened", exc_info=error)
        if self._reconnecting.means_away(error):
            self._open_known(key)
            return
        self._not_opened(key, "The record couldn't be opened")
        self._messages.failure("Open Record", "The record couldn't be opened.", reason_of(error))


class PlotDialog(Dialog):
    """Asks for a plot's number; ``chosen(text)`` gets what was typed.

    It takes keys at once, because a number typed right after the command is no reading of the present plot.
    """

    def __init__(self, window: tk.Misc, chosen: Callable[[str], object]) -> None:
        self._number = tk.StringVar(window)
        super().__init__(window, "Go to Plot", "Go to plot", "", (("Go", lambda: chosen(self._text)), ("Cancel", None)))
        if self._return_focus is not None:
            give_to(self._entry, self._return_focus, self.buttons[0].invoke, self.buttons[-1].invoke)

    def make_body(self, body: ttk.Frame) -> None:
        """Add the entry."""
        self._entry = ttk.Entry(body, textvariable=self._number, width=6, font="TkTextFont")
        self._entry.grid(row=2, column=0, sticky="w", pady=(12, 0))
        self._entry.bind("<Return>", lambda _event: self.buttons[0].invoke())

    def first_focus(self) -> tk.Misc:
        """Return the entry."""
        return self._entry

    def close(self, action: Callable[[], object] | None = None) -> None:
        """Close the dialog; after Go, with the number that was typed."""
        self._text = self._number.get().strip()
        super().close(action)

    def destroy(self) -> None:
        """Close the dialog without an action."""
        self.__dict__.pop("_number", None)  # on this thread, because dropping it calls Tk
        super().destroy()


NEW_DAY_LOOK_MS = 10_000


class NewDay:
    """Checks the clock every few seconds, because a timer until midnight would be late after the computer has slept."""

    def __init__(
        self,
        window: tk.Misc,
        state: State,
        form: DataRecordForm,
        show_status: ShowStatus,
        leave_form: Callable[[Callable[[], object]], object],
        begun: Callable[[datetime.date], object],
    ) -> None:
        """``leave_form(then)`` keeps what is half typed; ``begun(today)`` is called at midnight."""
        self._window, self._state, self._form, self._show_status = window, state, form, show_status
        self._leave_form, self._begun = leave_form, begun
        self._day: datetime.date = state.today()
        self._kept: tuple[str, datetime.date] | None = None
        self._timer = window.after(NEW_DAY_LOOK_MS, self.look)

    def look(self) -> None:
        """Go on to the new day if there is one."""
        self._timer = self._window.after(NEW_DAY_LOOK_MS, self.look)
        self.follow()

    def end(self) -> None:
        """Stop: the window closes."""
        self._window.after_cancel(self._timer)

    def follow(self) -> None:
        """Move the list, the extract's name and an idle form to the new day; a check that was begun keeps its date."""
        today = self._state.today()
        began, self._day = today != self._day, today
        form = self._form
        date = form.inputs[F.DATE].text
        follows = form.shown_record.begin_day()
        if began:
            self._begun(today)
        if follows or self._kept == (date, today):
            form.check_panel.offer_day(None)
            return
        if began:
            self._show_status(f"A new day has begun: {today}. The form stays on {date}")
        form.check_panel.offer_day(DayOffer(date, today.isoformat(), self._go_on, lambda: self._stay(date, today)))

    def _go_on(self) -> None:
        self._leave_form(self._begin)

    def _begin(self) -> None:
        if self._form.shown_record.begin_day(leave_check=True):
            self._form.check_panel.offer_day(None)
            self._form.focus_first_empty()

    def _stay(self, date: str, today: datetime.date) -> None:
        """Stay at the old day until its check is finished, without offering the new one again."""
        self._kept = date, today
        self._form.check_panel.offer_day(None)
        self._form.focus_first_empty()
