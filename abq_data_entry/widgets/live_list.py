"""A list whose rows change while it is shown: only what changed is drawn anew, a little at a time."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Iterator, Mapping, Sequence
from tkinter import ttk
from tkinter.font import nametofont

SLICE_SECONDS = 0.004
"""For so long the window does nothing else but change rows."""
_PAUSE_MS = 1

Cells = Sequence[str]


class LiveList(ttk.Frame):
    """``columns`` are pairs of a heading and its width in digits; the last one takes what room is left.

    Where that is less than half of its width, the columns of ``spare`` are left out, the first of them first.

    The rows are those of :meth:`show`, in its order. ``tree`` is the list itself, for events and the selection.
    """

    def __init__(self, parent: tk.Misc, columns: Sequence[tuple[str, int]], spare: Sequence[str] = ()) -> None:
        super().__init__(parent)
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self._shown: dict[str, Cells] = {}
        self._changes: Iterator[None] = iter(())
        self._timer = ""
        names = [name for name, _ in columns]
        self.tree = ttk.Treeview(self, columns=names, show="headings", selectmode="browse", height=10)
        self._spare = spare
        self._widths = dict(columns)
        digit = nametofont("TkDefaultFont", self).measure("0")
        for name, digits in columns:
            self.tree.heading(name, text=name, anchor="w")
            self.tree.column(name, width=digits * digit, stretch=name == names[-1], anchor="w")
        bar = ttk.Scrollbar(self, orient="vertical", command=self.tree.yview)
        self.tree.configure(yscrollcommand=bar.set)
        self.tree.grid(row=0, column=0, sticky="nsew")
        bar.grid(row=0, column=1, sticky="ns")
        self.tree.bind("<Configure>", lambda event: self._fit(event.width))

    def show(self, rows: Mapping[str, Cells]) -> None:
        """Show these rows, cells by identifier. Takes the place of what an earlier call hasn't shown yet."""
        self._changes = self._apply(rows)
        if not self._timer:
            self._go_on()

    @property
    def settled(self) -> bool:
        """Whether all rows of the last :meth:`show` are in the list."""
        return not self._timer

    @property
    def chosen(self) -> str | None:
        """The identifier of the row that is selected."""
        selected = self.tree.selection()
        return str(selected[0]) if selected else None

    def choose(self, identifier: str) -> None:
        """Select a row."""
        self.tree.selection_set(identifier)
        self.tree.focus(identifier)
        self.tree.see(identifier)

    def destroy(self) -> None:
        """Its timer ends with it."""
        if self._timer:
            self.after_cancel(self._timer)
            self._timer = ""
        super().destroy()

    def _fit(self, width: int) -> None:
        room = width / nametofont("TkDefaultFont", self).measure("0")
        shown = list(self._widths)
        for name in self._spare:
            if sum(self._widths[each] for each in shown) - self._widths[shown[-1]] / 2 > room:
                shown.remove(name)
        if tuple(self.tree.cget("displaycolumns")) != tuple(shown):
            self.tree.configure(displaycolumns=shown)

    def _go_on(self) -> None:
        self._timer = ""
        until = time.perf_counter() + SLICE_SECONDS
        for _ in self._changes:
            if time.perf_counter() > until:
                self._timer = self.after(_PAUSE_MS, self._go_on)
                return
        if self.chosen is None and self._shown:
            self.choose(self.tree.get_children()[0])

    def _apply(self, rows: Mapping[str, Cells]) -> Iterator[None]:
        """Yields after each row that was changed, so that the rest may wait."""
        for gone in [each for each in self._shown if each not in rows]:
            self.tree.delete(gone)
            del self._shown[gone]
            yield
        for position, (identifier, cells) in enumerate(rows.items()):
            if identifier not in self._shown:
                self.tree.insert("", position, iid=identifier, values=tuple(cells))
                self._shown[identifier] = cells
                yield
            elif self._shown[identifier] != cells:
                self.tree.item(identifier, values=tuple(cells))
                self._shown[identifier] = cells
                yield
