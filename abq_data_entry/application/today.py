"""The line with the state of the day: fetched in the background after changes, shown if there is space for it."""

from __future__ import annotations

import datetime
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..counting import counted, ranges
from ..views.side_window import brought_up
from ..widgets.today_line import TodayLine

if TYPE_CHECKING:
    import tkinter as tk

    from ..models.alarms import DueCheck, Today
    from ..views.today import TodayRow, TodayWindow
    from .connection import Connection
    from .state import State

log = logging.getLogger(__name__)
SOON_MS = 800  # several changes within this time cause one look
MINUTE_MS = 60_000
LEAST_PAUSE = 20  # times the duration of the last look, so that a large database isn't kept busy with it
AGAIN_SECONDS = 300  # because nothing announces that other computers have fetched the weather


class TodayActions(NamedTuple):
    """Callbacks for the rows of the window. `go_to_check(date, time, lab)` shows the form there;
    `unfinished_deliveries()` counts this computer's deliveries that wait, run or have failed, on a worker thread."""

    go_to_check: Callable[[datetime.date, str, str], object]
    show_questions: Callable[[], object]
    show_handover: Callable[[], object]
    update_weather: Callable[[], object]
    show_deliveries: Callable[[], object]
    unfinished_deliveries: Callable[[], int]


class DayStatus:
    """Knows the state of the day. `has_room(height, taken)`: whether form and list can spare so many pixels, of which
    `taken` are in use already. On the Tk thread."""

    def __init__(
        self,
        window: tk.Tk,
        state: State,
        connection: Connection,
        has_room: Callable[[int, int], bool],
        actions: TodayActions,
    ) -> None:
        self._window, self._state, self._connection, self._has_room = window, state, connection, has_room
        self._actions = actions
        self.line = TodayLine(window, self.show)  # created at the start, because the list would move for it later
        self._opened: TodayWindow | None = None
        self._known: tuple[Today, int, datetime.datetime] | None = None
        self._timer = self._minute = ""
        self._looking = self._again = False
        self._looked = 0.0
        self._not_before = 0.0

    def look_soon(self) -> None:
        """Look again soon, because something of the day may have changed."""
        if not self._timer:
            pause = max(SOON_MS, round(1000 * (self._not_before - time.monotonic())))
            self._timer = self._window.after(pause, self._look)

    def show(self) -> TodayWindow:
        """Show the window, or bring the open one to the front."""
        from ..views.today import TodayWindow

        found = brought_up(self._window, TodayWindow)
        if found is None:
            found = self._opened = TodayWindow(self._window, self._go, self._refresh)
            self._refresh()
        found.rows.tree.focus_set()
        self.show_known()
        return found

    def fit(self) -> None:
        """Show the line if there is space for it, after the window has changed its size."""
        line = self.line
        if not line.winfo_exists():
            return
        shown = bool(line.winfo_manager())
        if self._has_room(line.winfo_reqheight(), line.winfo_reqheight() if shown else 0):
            line.grid(row=1, column=0, sticky="ew")
        else:
            line.grid_remove()

    def end(self) -> None:
        """Stop: the window closes."""
        for timer in filter(None, (self._timer, self._minute)):
            self._window.after_cancel(timer)
        self._timer = self._minute = ""

    # -- looking ----------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        self._not_before = 0.0
        self._look()

    def _look(self) -> None:
        if self._timer:
            self._window.after_cancel(self._timer)
            self._timer = ""
        if self._state.reachable is None:
            return
        if self._looking:
            self._again = True
            return
        self._looking, began = True, time.monotonic()

        def done(found: tuple[Today, int]) -> None:
            self._looking, self._looked = False, time.monotonic()
            self._known = (*found, datetime.datetime.now())
            self._not_before = self._looked + LEAST_PAUSE * min(3.0, self._looked - began)
            if self._minute:  # this day may end sooner than the next look at the clock
                self._window.after_cancel(self._minute)
                self._minute = ""
            self.show_known()
            self._look_again()

        def failed(error: BaseException) -> None:
            self._looking = False
            log.info("how the day stands couldn't be looked up: %s", type(error).__name__)
            self.show_known()
            self._look_again()

        unfinished = self._actions.unfinished_deliveries
        self._connection.ask(lambda model: (model.today(), unfinished()), done, failed, "counting")

    def _look_again(self) -> None:
        if self._again:
            self._again = False
            self.look_soon()

    def _tick(self) -> None:
        """Update the line each minute: the weather is older, and a check may have become due."""
        self._minute = ""
        self.show_known()
        is_late = time.monotonic() - self._looked > AGAIN_SECONDS or datetime.datetime.now().minute == 0
        if is_late or (self._known is not None and _left_of(self._known[0], _now()) == 0):
            self.look_soon()

    # -- showing ----------------------------------------------------------------------------------------

    def show_known(self) -> None:
        """Show what is known, and how old it is if it can't be fetched now."""
        opened = self._opened if self._opened is not None and self._opened.winfo_exists() else None
        is_away = self._state.reachable is None
        if self._known is None:
            if opened is not None and is_away:
                opened.show_status("The database is away: the state of the day isn't known")
            return
        today, waiting, looked = self._known
        now = _now()
        left = _left_of(today, now)
        if not self._minute:
            self._minute = self._window.after(left or MINUTE_MS, self._tick)
        as_of = _as_of(looked, datetime.datetime.now()) if is_away or not left else ""
        self.line.show(line_parts(today, waiting, now, as_of))
        if opened is not None:
            opened.show_rows(rows(today, waiting, now))
            why = "The database is away" if is_away else "A new day has begun"
            opened.show_status(f"{why}: this was so {as_of.lower()}" if as_of else "")

    def _go(self, name: str) -> None:
        kind, _, which = name.partition(" ")
        if kind == "check" and self._known is not None:
            check = self._known[0].checks[int(which)]
            self._actions.go_to_check(check.date, check.time, check.lab)
            if self._opened is not None and self._opened.winfo_exists():
                self._opened.go_behind()
        else:
            {
                "questions": self._actions.show_questions,
                "notes": self._actions.show_handover,
                "weather": self._actions.update_weather,
                "deliveries": self._actions.show_deliveries,
            }.get(kind, lambda: None)()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def _left_of(today: Today, now: datetime.datetime) -> int:
    """Return after how many milliseconds to look at the clock again; 0 once that day is over."""
    if today.ends is None:
        return MINUTE_MS
    return min(MINUTE_MS, max(0, math.ceil((today.ends - now).total_seconds() * 1000)))


def line_parts(today: Today, waiting: int, now: datetime.datetime, as_of: str = "") -> list[str]:
    """Return the parts of the line, the most important first; `as_of`: how old they are, if they aren't up to date."""
    parts = [f"{as_of or 'Today'}: {_checks(today.checks)}"]
    if today.questions:
        parts.append(counted(today.questions, "question") + " from QA")
    if today.notes:
        parts.append(counted(today.notes, "open note"))
    if waiting:
        parts.append(f"{counted(waiting, 'delivery', 'deliveries')} waiting")
    parts.append(_weather(today, now))
    return parts


def rows(today: Today, waiting: int, now: datetime.datetime) -> list[TodayRow]:
    """Return the rows of the window."""
    from ..views.today import TodayRow

    found = [
        TodayRow(f"check {number}", f"Check {each.time}, lab {each.lab}", _state(each))
        for number, each in enumerate(today.checks)
        if each.missing
    ]
    if not found:
        found.append(TodayRow("checks", "Checks", _checks(today.checks)))
    asked = counted(today.questions, "question") + " to be answered" if today.questions else "none"
    station = f" ({today.station})" if today.station else ""
    notes = [TodayRow("notes", "Notes", f"{today.notes:,} open")] if today.notes else []
    sent = "nothing waits" if not waiting else f"{waiting:,} waiting or failed"
    return [
        *found,
        TodayRow("questions", "Questions from QA", asked),
        *notes,
        TodayRow("weather", "Weather", _weather(today, now) + station),
        TodayRow("deliveries", "Deliveries", sent),
    ]


def _as_of(looked: datetime.datetime, now: datetime.datetime) -> str:
    return f"As of {looked:%H:%M}" if looked.date() == now.date() else f"As of {looked:%Y-%m-%d %H:%M}"


def _checks(checks: Sequence[DueCheck]) -> str:
    lacking = [each for each in checks if each.missing]
    if not checks:
        return "no check was due yet"
    if not lacking:
        return f"all {counted(len(checks), 'check')} complete" if len(checks) > 1 else "the check is complete"
    named = ", ".join(f"{each.lab} {each.time}" for each in lacking[:3]) + (" …" if len(lacking) > 3 else "")
    return f"{counted(len(lacking), 'check')} incomplete ({named})"


def _state(check: DueCheck) -> str:
    if not check.recorded:
        return f"not begun ({check.expected} plots)"
    plots = ranges(check.missing)
    return f"{check.recorded} of {check.expected} recorded, missing: {plots}"


def _weather(today: Today, now: datetime.datetime) -> str:
    from ..observation import OLD  # imported here, so that it doesn't slow the start

    if today.observed is None:
        return "no weather yet"
    age = now - today.observed
    minutes = max(0, int(age.total_seconds() // 60))
    ago = f"{minutes} min ago" if minutes < 90 else f"{minutes // 60} h ago" if minutes < 48 * 60 else (
        f"{minutes // 1440} days ago"
    )
    warm = "weather" if today.temperature is None else f"{today.temperature:.1f} °C outside"
    return f"{warm}, {ago}" + (": old" if age > OLD else "")
