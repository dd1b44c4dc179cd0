"""The window of records that wait on this computer: which, why, what happens next, and what can be done about it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import NamedTuple

from ..widgets.live_list import LiveList
from .side_window import SideWindow

_COLUMNS = (("Record", 28), ("Technician", 18), ("Kept", 17), ("State", 16), ("Why", 48))
_EMPTY = "Nothing waits on this computer: every record is in the database."


class WaitingRow(NamedTuple):
    """One record: its cells, what stands below the list, and whether it can be opened, or given up."""

    identifier: str
    cells: tuple[str, ...]
    detail: str
    may_open: bool = True
    may_discard: bool = False


class WaitingCallbacks(NamedTuple):
    """What goes up; the first two take an identifier."""

    open: Callable[[str], object]
    discard: Callable[[str], object]
    retry: Callable[[], object]


class WaitingWindow(SideWindow):
    """Stays open beside the form; :meth:`show_rows` brings it up to date."""

    def __init__(self, parent: tk.Misc, callbacks: WaitingCallbacks) -> None:
        super().__init__(parent, "Waiting Records")
        self._callbacks = callbacks
        self._rows: dict[str, WaitingRow] = {}
        self.room.columnconfigure(0, weight=1)
        self.room.rowconfigure(1, weight=1)
        self._next = ttk.Label(self.room, style="Section.TLabel")
        self._next.grid(row=0, column=0, columnspan=2, sticky="w", pady=(0, 8))
        self._list = LiveList(self.room, _COLUMNS, spare=("Kept", "Technician"))
        self._list.grid(row=1, column=0, sticky="nsew")
        self.tree = self._list.tree
        self.tree.bind("<<TreeviewSelect>>", lambda _event: self._show_chosen())
        for key in ("<Return>", "<Double-Button-1>"):
            self.tree.bind(key, lambda _event: self.press("Open"))
        self._detail = ttk.Label(self.room, wraplength=640, justify="left", anchor="nw")
        self._detail.grid(row=2, column=0, columnspan=2, sticky="ew", pady=(12, 0))
        self._buttons = self._make_buttons()
        self.room.bind("<Configure>", lambda event: self._detail.configure(wraplength=max(320, event.width - 40)))
        self.show(self.tree)

    def show_rows(self, rows: Sequence[WaitingRow], following: str) -> None:
        """Show these records, and above them what happens next; the chosen one stays chosen."""
        self._rows = {row.identifier: row for row in rows}
        self._list.show({row.identifier: row.cells for row in rows})
        self._next.configure(text=following)
        self._show_chosen()

    def press(self, name: str) -> None:
        """Press the button of that name."""
        self._buttons[name].invoke()

    def _make_buttons(self) -> dict[str, ttk.Button]:
        calls: dict[str, Callable[[], object]] = {
            "Open": lambda: self._call(self._callbacks.open),
            "Discard…": lambda: self._call(self._callbacks.discard),
            "Retry Now": self._callbacks.retry,
            "Close": self.destroy,
        }
        return self.add_buttons(3, calls)

    def _call(self, callback: Callable[[str], object]) -> None:
        chosen = self.tree.selection()
        if chosen and chosen[0] in self._rows:
            callback(str(chosen[0]))

    def _show_chosen(self) -> None:
        chosen = self.tree.selection()
        row = self._rows.get(chosen[0]) if chosen else None
        self._detail.configure(text=row.detail if row is not None else _EMPTY)
        for name, may in (("Open", row and row.may_open), ("Discard…", row and row.may_discard)):
            self._buttons[name].state(["!disabled" if may else "disabled"])
