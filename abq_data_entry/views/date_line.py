"""A day that a check hardly is of: asked about once, in the head of the check, and told there from then on."""

from __future__ import annotations

import datetime
import time
import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import NamedTuple

from ..fields.dates import distance
from ..widgets import Tooltip

KEY = "F6"
UNREAD_SECONDS = 0.4  # Enter doubled by a slip is no answer to what nobody has read yet
FAR_DAYS = 366


class DateQuestion(NamedTuple):
    """``date`` lies ``distance`` (in words) from today; ``far``: in another year, so that Enter alone doesn't do."""

    date: datetime.date
    distance: str
    far: bool


def question(date: datetime.date, today: datetime.date, old_days: int) -> DateQuestion | None:
    """What is to be asked about a day: one that is ahead, or more than ``old_days`` back."""
    days = (date - today).days
    if -old_days <= days <= 0:
        return None
    return DateQuestion(date, distance(date, today), abs(days) > FAR_DAYS)


class DateLine(ttk.Frame):
    """A sentence, and while it is asked a button, which F6 presses. ``now`` is a clock, in seconds."""

    def __init__(self, parent: tk.Misc, keep: Callable[[], object], now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(parent)
        self.now = now
        self._question: DateQuestion | None = None
        self._kept: set[datetime.date] = set()
        self._asked_at = 0.0
        self._sentence = ttk.Label(self, style="Warning.TLabel")
        self._sentence.grid(row=0, column=0, sticky="w")
        self._button = ttk.Button(self, style="Quiet.TButton", command=keep, takefocus=0)
        Tooltip(self._button, f"{KEY}. Else type another date.")

    @property
    def text(self) -> str:
        """What the line says; empty while there is nothing to say."""
        return str(self._sentence.cget("text")) if self._question is not None else ""

    @property
    def asks(self) -> bool:
        """Whether the question is still to be answered."""
        return self._question is not None and self._question.date not in self._kept

    def show(self, found: DateQuestion | None) -> bool:
        """Ask that, or say it, if it has been answered; ``None``: nothing. Returns whether the line has changed."""
        if found == self._question:
            return False
        self._question = found
        self._asked_at = self.now()
        self._show()
        return True

    def answer_with_enter(self) -> bool:
        """Enter in the date: keep it, if that is enough and the question could be read; whether it is kept."""
        found = self._question
        if found is not None and not found.far and self.now() - self._asked_at >= UNREAD_SECONDS:
            self.keep()
        return not self.asks

    def keep(self) -> None:
        """The date is right."""
        if self._question is not None:
            self._kept.add(self._question.date)
            self._show()

    def _show(self) -> None:
        if self._question is None:
            return
        date, words, far = self._question
        self._sentence.configure(text=f"{date} is {words}{'. Is that right?' if self.asks else ''}")
        if self.asks:
            self._button.configure(text=f"Keep It  {KEY if far else f'⏎ or {KEY}'}")
            self._button.grid(row=0, column=1, padx=(8, 0))
        else:
            self._button.grid_forget()
