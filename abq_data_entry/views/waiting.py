"""The window of records that wait on this computer: which, why, what happens next, and what can be done about it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from tkinter.font import nametofont
from typing import NamedTuple

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
        self.tree = self._make_list()
        self._detail = ttk.Label(self.room, wraplength=640, justify="left", anchor="nw")
        self._detail.grid(row=2, column=0, columnspan=2, sticky="ew", pady=(12, 0))
        self._buttons = self._make_buttons()
        self.room.bind("<Configure>", lambda event: self._detail.configure(wraplength=max(320, event.width - 40)))
        self.show(self.tree)

    def show_rows(self, rows: Sequence[WaitingRow], following: str) -> None:
        """Show these records, and above them what happens next; the chosen one stays chosen."""
        self._rows = {row.identifier: row for row in rows}
        for gone in set(self.tree.get_children()) - set(self._rows):
            self.tree.delete(gone)
        for position, row in enumerate(rows):
            if self.tree.exists(row.identifier):
                self.tree.item(row.identifier, values=row.cells)
            else:
                self.tree.insert("", position, iid=row.identifier, values=row.cells)
        if rows and not self.tree.selection():
            self.tree.selection_set(rows[0].identifier)
            self.tree.focus(rows[0].identifier)
        self._next.configure(text=following)
        self._show_chosen()

    def press(self, name: str) -> None:
        """Press the button of that name."""
        self._buttons[name].invoke()

    def _make_list(self) -> ttk.Treeview:
        names = [name for name, _ in _COLUMNS]
        tree = ttk.Treeview(self.room, columns=names, show="headings", selectmode="browse", height=10)
        width = nametofont("TkDefaultFont", self).measure("0")
        for name, characters in _COLUMNS:
            tree.heading(name, text=name, anchor="w")
            tree.column(name, width=characters * width, stretch=name == "Why", anchor="w")
        bar = ttk.Scrollbar(self.room, orient="vertical", command=tree.yview)
        tree.configure(yscrollcommand=bar.set)
        tree.grid(row=1, column=0, sticky="nsew")
        bar.grid(row=1, column=1, sticky="ns")
        tree.bind("<<TreeviewSelect>>", lambda _event: self._show_chosen())
        tree.bind("<Return>", lambda _event: self.press("Open"))
        tree.bind("<Double-Button-1>", lambda _event: self.press("Open"))
        return tree

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
