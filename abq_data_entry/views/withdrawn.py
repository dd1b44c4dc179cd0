"""The window of withdrawn records: what was withdrawn, when, by whom and why; each can be brought back."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..widgets.live_list import LiveList
from .receipt import Receipt
from .side_window import SideWindow

_COLUMNS = (("Record", 26), ("Technician", 14), ("Withdrawn", 17), ("By", 14), ("Why", 30))
_EMPTY = "No record is withdrawn."
_FETCHING = "Looking up what was withdrawn…"


class WithdrawnRow(NamedTuple):
    """One record: its cells, and what stands below the list."""

    identifier: str
    cells: tuple[str, ...]
    detail: str


class WithdrawnWindow(SideWindow):
    """Stays open beside the form. ``fetch(show, problem)`` gets the rows; ``bring_back`` takes an identifier."""

    def __init__(
        self,
        parent: tk.Misc,
        fetch: Callable[[Callable[[Sequence[WithdrawnRow]], object], Callable[[str], object]], object],
        bring_back: Callable[[str], object],
    ) -> None:
        super().__init__(parent, "Withdrawn Records")
        self._fetch, self._bring_back = fetch, bring_back
        self._rows: dict[str, WithdrawnRow] = {}
        self._message = _FETCHING
        self.room.columnconfigure(0, weight=1)
        self.room.rowconfigure(0, weight=1)
        self._list = LiveList(self.room, _COLUMNS, spare=("Technician", "By"))
        self._list.grid(row=0, column=0, sticky="nsew")
        self.tree = self._list.tree
        self.tree.bind("<<TreeviewSelect>>", lambda _event: self._show_chosen())
        for key in ("<Return>", "<KP_Enter>", "<Double-Button-1>"):
            self.tree.bind(key, lambda _event: self._call())
        self._detail = Receipt(self.room)
        self._detail.grid(row=1, column=0, sticky="ew", pady=(12, 0))
        calls = {"Bring Back…": self._call, "Refresh": self.refresh, "Close": self.destroy}
        self.buttons = self.add_buttons(2, calls)
        self.bind("<F5>", lambda _event: self.refresh())
        self.minsize(480, 280)
        self.show(self.tree)
        self.refresh()

    def refresh(self) -> None:
        """Look up again what was withdrawn."""
        if self.winfo_exists():
            self._fetch(self._show_rows, self._show_problem)

    def _show_rows(self, rows: Sequence[WithdrawnRow]) -> None:
        if self.winfo_exists():
            self._message = _EMPTY
            self._rows = {row.identifier: row for row in rows}
            self._list.show({row.identifier: row.cells for row in rows})
            self._show_chosen()

    def _show_problem(self, text: str) -> None:
        if self.winfo_exists():
            self._message = text
            self._rows = {}
            self._list.show({})
            self._show_chosen()

    def _call(self) -> None:
        if self._list.chosen in self._rows:
            self._bring_back(str(self._list.chosen))

    def _show_chosen(self) -> None:
        row = self._rows.get(self._list.chosen or "")
        self._detail.show(row.detail if row is not None else "" if self._rows else self._message)
        self.buttons["Bring Back…"].state(["!disabled" if row is not None else "disabled"])
