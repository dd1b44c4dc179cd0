"""Midnight: a window that stays open goes on to the new day."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from .. import outbox
from ..constants import FieldNames as F

if TYPE_CHECKING:
    from .window import Application

LOOK_MS = 10_000


class NewDay:
    """Looks at the clock every few seconds: a timer until midnight would be late after the computer has slept."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._day: datetime.date = application.today()
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
        today = self._app.today()
        began, self._day = today != self._day, today
        if began:
            self._app.filename.set(outbox.extract_name(today))
            self._app.record_list.begin_day()
        form = self._app.form
        if not form.begin_day() and began:
            self._app.status.set(f"A new day has begun: {today}. The form stays on {form.inputs[F.DATE].text}")
