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
        self._number = tk.IntVar(parent, 0)
        self._radios: list[ttk.Radiobutton] = []

        def take() -> None:
            chosen(days[self._number.get()][0])

        super().__init__(parent, title, WHICH_DAY, "", ((command, take), ("Cancel", given_up)))

    def make_body(self, body: ttk.Frame) -> None:
        """The days below each other."""
        lines = ttk.Frame(body)
        lines.grid(row=2, column=0, sticky="w", pady=(8, 0))
        for number, (date, words) in enumerate(self._days):
            text = f"{date}: {words}"
            radio = ttk.Radiobutton(lines, text=text, variable=self._number, value=number)
            radio.grid(row=number, column=0, sticky="w", pady=(4, 0))
            for key, step in (("<Up>", -1), ("<Down>", 1)):
                radio.bind(key, lambda _event, step=step: self._step(step))  # type: ignore[misc]
            for key in ("<Return>", "<KP_Enter>"):
                radio.bind(key, lambda _event: self._buttons[0].invoke())
            self._radios.append(radio)

    def first_focus(self) -> tk.Misc:
        """The chosen day."""
        return self._radios[self._number.get()]

    def _step(self, by: int) -> str:
        number = max(0, min(len(self._days) - 1, self._number.get() + by))
        self._number.set(number)
        self._radios[number].focus_set()
        return "break"
