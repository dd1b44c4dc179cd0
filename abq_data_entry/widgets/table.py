"""Lists of rows: a table, and one whose rows change while it is shown."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Callable, Iterator, Mapping, Sequence
from tkinter import ttk
from tkinter.font import nametofont

from .focus import is_held, watch_enter
from .scrolled import AutoHideScrollbar

_FRAME = 8  # the pixels of a list's frame, which no column has


class Table(ttk.Frame):
    """``columns`` are pairs of a heading and its width in digits; ``roomy``, or the last one, takes what room is left.

    Where that is less than half of its width, the columns of ``spare`` are left out, the first of them first. ``tree``
    is the list itself, for rows, events and the selection.
    """

    def __init__(
        self,
        parent: tk.Misc,
        columns: Sequence[tuple[str, int]],
        spare: Sequence[str] = (),
        height: int = 10,
        selectmode: str = "browse",
        roomy: str | None = None,
    ) -> None:
        super().__init__(parent)
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self._widths = dict(columns)
        self._spare = spare
        names = list(self._widths)
        self._roomy = names[-1] if roomy is None else roomy
        if self._roomy in spare:
            raise ValueError(f"{self._roomy} takes what room is left, so it is never left out")
        self.tree = ttk.Treeview(self, columns=names, show="headings", height=height)
        self.tree.configure(selectmode=selectmode)  # type: ignore[call-overload]
        digit = nametofont("TkDefaultFont", self).measure("0")
        for name, digits in columns:
            grows = name == self._roomy
            least = digits * digit // 2 if grows else 6 * digit
            self.tree.heading(name, text=name, anchor="w")
            self.tree.column(name, width=digits * digit, minwidth=least, stretch=grows, anchor="w")
        down = ttk.Scrollbar(self, orient="vertical", command=self.tree.yview)
        across = AutoHideScrollbar(self, orient="horizontal", command=self.tree.xview)
        self.tree.configure(yscrollcommand=down.set, xscrollcommand=across.set)
        self.tree.grid(row=0, column=0, sticky="nsew")
        down.grid(row=0, column=1, sticky="ns")
        across.grid(row=1, column=0, sticky="ew")
        self.tree.bind("<Configure>", lambda event: self._fit(event.width))

    def give_way(self, lines: int) -> None:
        """Ask for no more than so many lines, and for no width: it has what it is given."""
        self.tree.configure(height=lines)
        self.grid_propagate(False)
        self.configure(width=1, height=self.tree.winfo_reqheight())

    def _fit(self, width: int) -> None:
        digit = nametofont("TkDefaultFont", self).measure("0")
        width -= _FRAME
        shown = [each for each in self._widths if each != self._roomy]
        least = self._widths[self._roomy] * digit // 2
        for name in self._spare:
            if sum(self._widths[each] for each in shown) * digit + least > width:
                shown.remove(name)
        displayed = tuple(each for each in self._widths if each in (*shown, self._roomy))
        if tuple(self.tree.cget("displaycolumns")) != displayed:
            self.tree.configure(displaycolumns=displayed)
        # Tk gives a column what room is left only where the list grows, not where another column goes.
        room = width - sum(int(self.tree.column(each, "width")) for each in shown)
        self.tree.column(self._roomy, width=max(least, room))


SLICE_SECONDS = 0.004
"""How long the window may do nothing but change rows."""
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

    def on_enter(self, act: Callable[[], object]) -> None:
        """Call it for Enter on a line; not for one that is held down, as it may have answered a dialog before."""
        watch_enter(self)

        def entered(event: tk.Event) -> object:
            return "break" if is_held(event) else act()

        for key in ("<Return>", "<KP_Enter>"):
            self.tree.bind(key, entered)

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
        # Only what differs: a list refilled each second would lose its place and its selection.
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
