"""Tables of rows: a plain one, and one whose rows change while it is shown."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Callable, Iterator, Mapping, Sequence
from tkinter import ttk
from tkinter.font import nametofont

from .focus import is_held, watch_enter
from .scrolled import AutoHideScrollbar
from .text_lines import Tooltip

_FRAME = 8  # pixels of the frame around the columns
_BESIDE_CELL = 10  # pixels beside the text of a cell
_LEAST = 4  # digits; a column can't be dragged to be narrower
_LONGEST_TIP = 600
_WIDEST = 44  # digits that the text of a column can claim: names have 40 letters at most, other texts are in tooltips


class Table(ttk.Frame):
    """A table. ``columns`` are pairs of a heading and its usual width in digits.

    A column is as wide as its longest text if there is space, else as wide as usual. The column ``roomy``, by default
    the last one, takes the space that is left. If that is less than half of its width, the columns in ``spare`` are
    hidden, in their order. A text that is cut off is in a tooltip, and columns can be dragged. ``tree`` is the
    Treeview, for rows, events and the selection. Raises ``ValueError`` if ``roomy`` is in ``spare``.
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
            raise ValueError(f"{self._roomy} takes the space that is left, so it can't be in spare")
        self.tree = ttk.Treeview(self, columns=names, show="headings", height=height)
        self.tree.configure(selectmode=selectmode)  # type: ignore[call-overload]
        self._needs: dict[str, int] = {}  # the widest text of each column, in pixels
        self._given: dict[str, int] = {}  # as set here; another width means that the user has dragged the column
        digit = nametofont("TkDefaultFont", self).measure("0")
        for name, digits in columns:
            self.tree.heading(name, text=name, anchor="w")
            grows = name == self._roomy
            self.tree.column(name, width=digits * digit, minwidth=_LEAST * digit, stretch=grows, anchor="w")
        down = ttk.Scrollbar(self, orient="vertical", command=self.tree.yview)
        across = AutoHideScrollbar(self, orient="horizontal", command=self.tree.xview)
        self.tree.configure(yscrollcommand=down.set, xscrollcommand=across.set)
        self.tree.grid(row=0, column=0, sticky="nsew")
        down.grid(row=0, column=1, sticky="ns")
        across.grid(row=1, column=0, sticky="ew")
        self.tree.bind("<Configure>", lambda event: self._fit(event.width))
        self._tooltip = Tooltip(self.tree, at_pointer=True)
        self.tree.bind("<Motion>", self._pointed_at)

    def note_widths(self, cells: Sequence[str]) -> None:
        """Note the widths of these texts of a row, for which :meth:`suit_texts` makes room."""
        font = nametofont("TkDefaultFont", self)
        if not self._needs:
            self._needs = {name: font.measure(name) + _BESIDE_CELL for name in self._widths}
        widest = font.measure("W")
        for name, cell in zip(self._widths, cells, strict=False):
            if len(cell) * widest + _BESIDE_CELL > self._needs[name]:  # else it fits, whichever letters it has
                self._needs[name] = max(self._needs[name], font.measure(cell[:_LONGEST_TIP]) + _BESIDE_CELL)

    def suit_texts(self) -> None:
        """Set the columns to the widths noted by :meth:`note_widths`, as far as there is room."""
        if self.tree.winfo_width() > 1:
            self._fit(self.tree.winfo_width())

    def _pointed_at(self, event: tk.Event) -> None:
        """Show the whole text of a cell that is cut off in the tooltip."""
        text, tree = "", self.tree
        row, column = tree.identify_row(event.y), tree.identify_column(event.x)
        if row and tree.identify_region(event.x, event.y) == "cell":
            text = str(tree.set(row, column))
            room = int(tree.column(column, "width")) - _BESIDE_CELL
            if nametofont("TkDefaultFont", self).measure(text) <= room and self._is_in_sight(row, column):
                text = ""
        self._tooltip.point_at(text if len(text) <= _LONGEST_TIP else f"{text[:_LONGEST_TIP]}…")

    def _is_in_sight(self, row: str, column: str) -> bool:
        box = [int(each) for each in self.tree.bbox(row, column)]
        return bool(box) and box[0] >= 0 and box[0] + box[2] <= self.tree.winfo_width()

    def give_way(self, lines: int) -> None:
        """Request the height of at most ``lines`` lines and no width: the table fills the space that it is given."""
        self.tree.configure(height=lines)
        self.grid_propagate(False)
        self.configure(width=1, height=self.tree.winfo_reqheight())

    def _fit(self, width: int) -> None:
        digit = nametofont("TkDefaultFont", self).measure("0")
        usual = {name: digits * digit for name, digits in self._widths.items()}
        needs = {name: min(pixels, _WIDEST * digit) for name, pixels in (self._needs or usual).items()}
        widths = {name: min(usual[name], needs[name]) for name in self._widths if name != self._roomy}
        least = min(usual[self._roomy] // 2, needs[self._roomy])
        spare = width - _FRAME - least - sum(widths.values())
        for name in self._spare:
            if spare < 0:
                spare += widths.pop(name)
        shown = list(widths)
        for wanted in (needs, usual):
            for name in shown:
                more = min(max(0, spare), max(0, wanted[name] - widths[name]))
                widths[name] += more
                spare -= more
        displayed = tuple(each for each in self._widths if each in (*shown, self._roomy))
        if tuple(self.tree.cget("displaycolumns")) != displayed:
            self.tree.configure(displaycolumns=displayed)
        for name in shown:
            self._set_width(name, widths[name])
        # Tk stretches a column only when the table grows, not when another column is hidden.
        room = width - _FRAME - sum(int(self.tree.column(each, "width")) for each in shown)
        self.tree.column(self._roomy, width=max(least, room))

    def _set_width(self, name: str, width: int) -> None:
        if self._given.get(name) != width:
            self._given[name] = width
            self.tree.column(name, width=width)


SLICE_SECONDS = 0.004
"""Seconds for which the window may be busy changing rows."""
_PAUSE_MS = 1

Cells = Sequence[str]


class LiveList(Table):
    """A table whose rows can be replaced by :meth:`show` while the user works with it."""

    def __init__(self, parent: tk.Misc, columns: Sequence[tuple[str, int]], spare: Sequence[str] = ()) -> None:
        super().__init__(parent, columns, spare)
        self._shown: dict[str, Cells] = {}
        self._changes: Iterator[None] = iter(())
        self._timer = ""

    def show(self, rows: Mapping[str, Cells]) -> None:
        """Show these rows (cells by identifier), in this order. Rows of an earlier call not shown yet are dropped."""
        self._changes = self._apply(rows)
        if not self._timer:
            self._go_on()

    def on_enter(self, act: Callable[[], object]) -> None:
        """Call ``act`` for Enter on a row; not if it is held down, because that Enter may have closed a dialog."""
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
        """The identifier of the selected row; ``None`` if there is none."""
        selected = self.tree.selection()
        return str(selected[0]) if selected else None

    def choose(self, identifier: str) -> None:
        """Select a row."""
        self.tree.selection_set(identifier)
        self.tree.focus(identifier)
        self.tree.see(identifier)

    def destroy(self) -> None:
        """Destroy the table and stop its timer."""
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
        self.suit_texts()
        if self.chosen is None and self._shown:
            self.choose(self.tree.get_children()[0])

    def _apply(self, rows: Mapping[str, Cells]) -> Iterator[None]:
        """Apply the changes, yielding after each row, so that the caller can pause."""
        # Only what differs, because a table refilled each second would lose its scroll position and its selection.
        for gone in [each for each in self._shown if each not in rows]:
            self.tree.delete(gone)
            del self._shown[gone]
            yield
        for position, (identifier, cells) in enumerate(rows.items()):
            if self._shown.get(identifier) != cells:
                self.note_widths(cells)
            if identifier not in self._shown:
                self.tree.insert("", position, iid=identifier, values=tuple(cells))
                self._shown[identifier] = cells
                yield
            elif self._shown[identifier] != cells:
                self.tree.item(identifier, values=tuple(cells))
                self._shown[identifier] = cells
                yield
