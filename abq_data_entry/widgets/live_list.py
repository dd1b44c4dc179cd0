"""A list whose rows change while it is shown: only what changed is drawn anew, a little at a time."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Iterator, Mapping, Sequence

from .table import Table

SLICE_SECONDS = 0.004
"""For so long the window does nothing else but change rows."""
_PAUSE_MS = 1

Cells = Sequence[str]


class LiveList(Table):
    """Its rows are those of :meth:`show`, in its order."""

    def __init__(self, parent: tk.Misc, columns: Sequence[tuple[str, int]], spare: Sequence[str] = ()) -> None:
        super().__init__(parent, columns, spare)
        self._shown: dict[str, Cells] = {}
        self._changes: Iterator[None] = iter(())
        self._timer = ""

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
