"""The last days side by side, and of each whether its extract went out: with a mark, and in words."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from tkinter.font import nametofont
from typing import NamedTuple

from .tooltip import Tooltip

Commands = Sequence[tuple[str, Callable[[datetime.date], object]]]


class ShownDay(NamedTuple):
    """``state`` in a word or two, whether all of the day is ``out``, whether it is ``today``, and more in ``words``."""

    date: datetime.date
    state: str
    out: bool
    today: bool
    words: str

    @property
    def mark(self) -> str:
        """A day that is over and isn't out is told from today, which has time."""
        return "✓" if self.out else "○" if self.today else "✗"


class ExtractRow(ttk.Frame):
    """A button a day. Left and Right go along, Enter or a click opens the day's commands, Escape leaves.

    Each day has its mark; words stand with those that aren't out and the latest that is, where there is room for them
    (:meth:`fit`). ``leave()`` gives the focus back.
    """

    def __init__(self, parent: tk.Misc, leave: Callable[[], object]) -> None:
        super().__init__(parent, style="Bar.TFrame")
        self._leave = leave
        self._commands: Commands = ()
        self._days: tuple[ShownDay, ...] = ()
        self._room = 0
        self._title = ttk.Label(self, text="Extracts", style="Bar.TLabel")
        self._buttons: list[ttk.Button] = []

    @property
    def days(self) -> tuple[ShownDay, ...]:
        """What is shown."""
        return self._days

    @property
    def texts(self) -> list[str]:
        """What the buttons say."""
        return [str(each.cget("text")) for each in self._buttons]

    def offer(self, commands: Commands) -> None:
        """What can be done with a day."""
        self._commands = commands

    def show(self, days: Sequence[ShownDay]) -> None:
        """Show these days, the earliest first; none: nothing."""
        if tuple(days) == self._days:
            return
        self._days = tuple(days)
        while len(self._buttons) < len(days):
            self._add_button(len(self._buttons))
        while len(self._buttons) > len(days):
            self._buttons.pop().destroy()
        self._title.grid(row=0, column=0, padx=(0, 4)) if days else self._title.grid_forget()
        self._write()

    def fit(self, room: int) -> None:
        """Show words as far as they fit into so many pixels; the marks always stand there."""
        if room != self._room:
            self._room = room
            self._write()

    def focus_set(self) -> None:
        """Put the focus on the first day that isn't out, else on the last one."""
        if self._buttons:
            waiting = [number for number, each in enumerate(self._days) if not each.out]
            self._buttons[waiting[0] if waiting else -1].focus_set()

    def open_commands(self, number: int) -> None:
        """Open the menu of a day."""
        if not self._commands or number >= len(self._days):
            return
        date = self._days[number].date
        menu = tk.Menu(self, tearoff=False)
        for text, command in self._commands:
            menu.add_command(label=f"{text}: {date}", command=lambda command=command: command(date))  # type: ignore[misc]
        button = self._buttons[number]
        menu.bind("<Unmap>", lambda _event: self.after_idle(menu.destroy))
        menu.tk_popup(button.winfo_rootx(), button.winfo_rooty() - menu.winfo_reqheight(), 0)

    def _add_button(self, number: int) -> None:
        button = ttk.Button(self, command=lambda: self.open_commands(number), takefocus=0)
        button.grid(row=0, column=number + 1, padx=(2, 0))
        button.tip = Tooltip(button)  # type: ignore[attr-defined]
        for key, step in (("<Left>", -1), ("<Right>", 1)):
            button.bind(key, lambda _event, step=step: self._step(number + step))  # type: ignore[misc]
        for key in ("<Return>", "<KP_Enter>", "<Down>", "<Up>"):
            button.bind(key, lambda _event: _done(lambda: self.open_commands(number)))
        button.bind("<Escape>", lambda _event: _done(self._leave))
        self._buttons.append(button)

    def _write(self) -> None:
        latest_out = next((each for each in reversed(self._days) if each.out), None)
        with_words = [
            [each for each in self._days if not each.out or each is latest_out],
            [each for each in self._days if not each.out and not each.today],
            [],
        ]
        texts = next(each for each in map(self._texts, with_words) if self._fits(each) or each == self._texts([]))
        for button, day, text in zip(self._buttons, self._days, texts, strict=True):
            button.configure(text=text, style="Quiet.TButton" if day.out or day.today else "Due.TButton")
            button.tip.text = f"{day.date}: {day.words}."  # type: ignore[attr-defined]

    def _texts(self, with_words: Sequence[ShownDay]) -> list[str]:
        names = ["today" if each.today else f"{each.date:%a} {each.date.day}" for each in self._days]
        return [
            f"{name} {each.mark} {each.state if each in with_words else ''}".rstrip()
            for name, each in zip(names, self._days, strict=True)
        ]

    def _fits(self, texts: Sequence[str]) -> bool:
        measure = nametofont("TkDefaultFont", self).measure
        return measure("Extracts") + sum(measure(each) + 2 * measure("0") for each in texts) <= self._room

    def _step(self, number: int) -> str:
        if 0 <= number < len(self._buttons):
            self._buttons[number].focus_set()
        return "break"


def _done(action: Callable[[], object]) -> str:
    action()
    return "break"
