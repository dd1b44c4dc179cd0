"""Midnight: a window that stays open goes on to the new day."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from .. import outbox
from ..constants import FieldNames as F
from ..views.check_panel import DayOffer

if TYPE_CHECKING:
    from .window import Application

LOOK_MS = 10_000


class NewDay:
    """Looks at the clock every few seconds: a timer until midnight would be late after the computer has slept."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._day: datetime.date = application.shared.today()
        self._kept: tuple[str, datetime.date] | None = None
        self._timer = application.after(LOOK_MS, self.look)

    def look(self) -> None:
        """Go on to the new day if there is one."""
        self._timer = self._app.after(LOOK_MS, self.look)
        self.follow()

    def end(self) -> None:
        """The window closes."""
        self._app.after_cancel(self._timer)

    def follow(self) -> None:
        """List, name of the extract and an idle form follow the day; a check that was begun keeps its date."""
        today = self._app.shared.today()
        began, self._day = today != self._day, today
        if began:
            self._app.filename.set(outbox.extract_name(today))
        form = self._app.form
        date = form.inputs[F.DATE].text
        follows = form.begin_day()
        if began:
            of_form = form.inputs.value(F.DATE)
            self._app.extract_days.look_soon()
            self._app.record_list.begin_day(of_form if isinstance(of_form, datetime.date) else None)
        if follows or self._kept == (date, today):
            form.offer_day(None)
            return
        if began:
            self._app.status.set(f"A new day has begun: {today}. The form stays on {date}")
        form.offer_day(DayOffer(date, today.isoformat(), self._go_on, lambda: self._stay(date, today)))

    def _go_on(self) -> None:
        self._app.navigation.leave_form(self._begin)

    def _begin(self) -> None:
        if self._app.form.begin_day(leave_check=True):
            self._app.form.offer_day(None)
            self._app.form.focus_first_empty()

    def _stay(self, date: str, today: datetime.date) -> None:
        """The check is finished first: nothing is offered any more until the next day."""
        self._kept = date, today
        self._app.form.offer_day(None)
        self._app.form.focus_first_empty()
