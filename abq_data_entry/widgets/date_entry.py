"""The entry of a date: short dates, a day on and back by the arrows, a calendar."""

from __future__ import annotations

import datetime
import tkinter as tk
from typing import TYPE_CHECKING

from .. import fields
from ..fields.dates import DateReader, likely_date
from .entry import FieldEntry

if TYPE_CHECKING:
    from .calendar_popup import CalendarPopup

# Control, Alt or Command is held: those keys go somewhere else.
_COMMAND_STATE = 0x4 | 0x8 | 0x10
_DAY = datetime.timedelta(days=1)


class DateEntry(FieldEntry):
    """Shows what was typed until it is left, and then the date that it means (``26``: 2026-11-26).

    Up goes a day on, Down a day back, Alt-Down opens the calendar.
    """

    def __init__(self, parent: tk.Misc, field: fields.Field, width: int, reader: DateReader) -> None:
        super().__init__(parent, field, width)
        self._reader = reader
        self._calendar: CalendarPopup | None = None
        for key, days in (("Up", 1), ("KP_Up", 1), ("Down", -1), ("KP_Down", -1)):
            self.bind(f"<{key}>", lambda event, days=days: self._step(event, days))  # type: ignore[misc]
            if days < 0:
                self.bind(f"<Alt-{key}>", lambda _event: self.open_calendar())

    def settle(self) -> None:
        """Show the date that the text means."""
        try:
            date = self._reader.read(self.text)
        except ValueError:
            return
        if date.isoformat() != self.variable.get():
            self.variable.set(date.isoformat())

    def mark(self) -> str:
        """What is wrong with the text, in words; empty while typing on could make it right."""
        text = self.text
        return "" if not text or self._reader.may_become(text) else self.wrong()

    def wrong(self) -> str:
        """What is wrong with the text as it is, in words."""
        try:
            self._reader.read(self.text)
        except ValueError as error:
            return str(error)
        return ""

    def likely(self) -> str | None:
        """The date that was probably meant by a text with a wrong sign in it."""
        return likely_date(self.text, self._reader.today())

    @property
    def calendar(self) -> CalendarPopup | None:
        """The calendar, while it is open."""
        return self._calendar

    def open_calendar(self) -> str:
        """Open the calendar at the date that stands here, or at today; or close it."""
        from .calendar_popup import CalendarPopup  # when it is wanted: no start has to pay for it

        if self._calendar is not None:
            self._calendar.close()
        elif self.instate(["!disabled"]):
            self._calendar = CalendarPopup(self, self._date() or self._reader.today(), self._reader.today(), self._take)
            self._calendar.bind("<Destroy>", self._closed, add=True)
        return "break"

    def _closed(self, event: tk.Event) -> None:
        if event.widget is self._calendar:
            self._calendar = None

    def _take(self, date: datetime.date) -> None:
        self.edit_text(date.isoformat())
        self.focus_set()
        self.select_all()

    def _step(self, event: tk.Event, days: int) -> str | None:
        if isinstance(event.state, int) and event.state & _COMMAND_STATE:
            return None
        date = self._date() if self.text else self._reader.today() - days * _DAY
        if date is not None and self.instate(["!disabled"]) and _has_day(date, days):
            self.edit_text((date + days * _DAY).isoformat())
            self.select_all()
        return "break"

    def _date(self) -> datetime.date | None:
        try:
            return self._reader.read(self.text)
        except ValueError:
            return None


def _has_day(date: datetime.date, days: int) -> bool:
    return date != (datetime.date.max if days > 0 else datetime.date.min)
