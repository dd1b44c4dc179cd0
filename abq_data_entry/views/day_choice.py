"""Asks which day's extract is meant, where the form's own has nothing to send."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk

from .dialogs import Dialog

WHICH_DAY = "The extract of which day?"


class DayDialog(Dialog):
    """A line a day, the latest chosen; the arrows choose, Enter takes. ``days``: each with words about it."""

    def __init__(
        self,
        parent: tk.Misc,
        title: str,
        command: str,
        days: Sequence[tuple[datetime.date, str]],
        chosen: Callable[[datetime.date], object],
        given_up: Callable[[], object] = lambda: None,
    ) -> None:
        self._days = days
        self._number = 0
        self._choices: list[ttk.Button] = []

        def take() -> None:
            chosen(days[self._number][0])

        super().__init__(parent, title, WHICH_DAY, "", ((command, take), ("Cancel", given_up)))

    def make_body(self, body: ttk.Frame) -> None:
        """The days below each other."""
        lines = ttk.Frame(body)
        lines.grid(row=2, column=0, sticky="w", pady=(8, 0))
        for number in range(len(self._days)):
            each = ttk.Button(lines, style="Line.Choice.TButton")
            each.configure(command=lambda number=number: self._choose(number))  # type: ignore[misc]
            each.grid(row=number, column=0, sticky="ew", pady=(4, 0))
            for key, step in (("<Up>", -1), ("<Down>", 1)):
                each.bind(key, lambda _event, step=step: self._choose(self._number + step))  # type: ignore[misc]
            for key in ("<Return>", "<KP_Enter>"):
                each.bind(key, lambda _event: self._take_day())
            self._choices.append(each)
        self._mark()

    def first_focus(self) -> tk.Misc:
        """The chosen day."""
        return self._choices[self._number]

    def _choose(self, number: int) -> str:
        self._number = max(0, min(len(self._days) - 1, number))
        self._mark()
        self._choices[self._number].focus_set()
        return "break"

    def _take_day(self) -> str:
        self._buttons[0].invoke()
        return "break"

    def _mark(self) -> None:
        for number, (each, (date, words)) in enumerate(zip(self._choices, self._days, strict=True)):
            is_chosen = number == self._number
            each.configure(text=f"{'●' if is_chosen else '○'}  {date}: {words}", takefocus=is_chosen)
            each.state(["selected" if is_chosen else "!selected"])
