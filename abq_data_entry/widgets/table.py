"""A list in columns that fits the room it has: some columns are left out where it is narrow, the rest scrolls."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from tkinter import ttk
from tkinter.font import nametofont

from .shy_scrollbar import ShyScrollbar

_FRAME = 8  # the pixels of a list's frame, which no column has


class Table(ttk.Frame):
    """``columns`` are pairs of a heading and its width in digits; the last one takes what room is left.

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
    ) -> None:
        super().__init__(parent)
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self._widths = dict(columns)
        self._spare = spare
        names = list(self._widths)
        self.tree = ttk.Treeview(self, columns=names, show="headings", height=height)
        self.tree.configure(selectmode=selectmode)  # type: ignore[call-overload]
        digit = nametofont("TkDefaultFont", self).measure("0")
        for name, digits in columns:
            last = name == names[-1]
            least = digits * digit // 2 if last else 6 * digit
            self.tree.heading(name, text=name, anchor="w")
            self.tree.column(name, width=digits * digit, minwidth=least, stretch=last, anchor="w")
        down = ttk.Scrollbar(self, orient="vertical", command=self.tree.yview)
        across = ShyScrollbar(self, orient="horizontal", command=self.tree.xview)
        self.tree.configure(yscrollcommand=down.set, xscrollcommand=across.set)
        self.tree.grid(row=0, column=0, sticky="nsew")
        down.grid(row=0, column=1, sticky="ns")
        across.grid(row=1, column=0, sticky="ew")
        self.tree.bind("<Configure>", lambda event: self._fit(event.width))

    def _fit(self, width: int) -> None:
        digit = nametofont("TkDefaultFont", self).measure("0")
        width -= _FRAME
        *shown, last = self._widths
        least = self._widths[last] * digit // 2
        for name in self._spare:
            if sum(self._widths[each] for each in shown) * digit + least > width:
                shown.remove(name)
        if tuple(self.tree.cget("displaycolumns")) != (*shown, last):
            self.tree.configure(displaycolumns=(*shown, last))
        # Tk gives a column what room is left only where the list grows, not where another column goes.
        room = width - sum(int(self.tree.column(each, "width")) for each in shown)
        self.tree.column(last, width=max(least, room))
