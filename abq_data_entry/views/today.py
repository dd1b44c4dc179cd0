"""The window with the details of today: checks that lack records, questions, the weather, deliveries."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..widgets.table import LiveList
from .side_window import SideWindow

_HINT = "Enter leads to what a line is about"
_COLUMNS = (("What", 26), ("How it stands", 60))


class TodayRow(NamedTuple):
    """One row: the name by which it is opened, what it is about, and its state."""

    name: str
    what: str
    state: str


class TodayWindow(SideWindow):
    """The window. `go(name)` opens what a row is about; `refresh()` fetches the rows again."""

    def __init__(self, parent: tk.Misc, go: Callable[[str], object], refresh: Callable[[], object]) -> None:
        super().__init__(parent, "Today")
        self._go = go
        self.room.columnconfigure(0, weight=1)
        self.room.rowconfigure(0, weight=1)
        self.rows = LiveList(self.room, _COLUMNS)
        self.rows.grid(row=0, column=0, sticky="nsew")
        self.place_status(1)
        self.show_status("")
        self.buttons = self.add_buttons(2, {"Go There": self._open, "Refresh": refresh, "Close": self.leave})
        for key in ("<Return>", "<KP_Enter>", "<Double-Button-1>"):
            self.rows.tree.bind(key, lambda _event: self._open())
        self.bind("<F5>", lambda _event: refresh())
        self.show(self.rows.tree)

    def show_rows(self, rows: Sequence[TodayRow]) -> None:
        """Show these rows; the chosen one stays chosen."""
        self.rows.show({each.name: (each.what, each.state) for each in rows})

    def show_status(self, text: str) -> None:
        """Show below the list how old its rows are; empty: they are up to date."""
        super().show_status(text or _HINT)

    def _open(self) -> str:
        chosen = self.rows.chosen
        if chosen is not None:
            self._go(chosen)
        return "break"
