"""Pieces side by side, in as many lines as the width makes necessary."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from tkinter import ttk


def lines_of(widths: Sequence[int], room: int) -> list[int]:
    """How many pieces of these widths stand in each line: as many as fit, and one at least."""
    counts: list[int] = []
    left = 0
    for width in widths:
        if counts and width <= left:
            counts[-1] += 1
            left -= width
        else:
            counts.append(1)
            left = room - width
    return counts


class Flow(ttk.Frame):
    """Make the pieces with it as their parent, then :meth:`add` them in their order.

    ``overflow``: over which widget, itself or one around it, words of a piece may go on to the right.
    """

    def __init__(
        self, parent: tk.Misc, most: int, style: str = "TFrame", overflow: tk.Misc | None = None
    ) -> None:
        super().__init__(parent, style=style)
        self.overflow: tk.Misc = self if overflow is None else overflow
        # Made before the pieces, which lie over them.
        self._lines = [ttk.Frame(self, style=style) for _ in range(most)]
        for row, line in enumerate(self._lines):
            line.grid(row=row, column=0, sticky="w")
        self._pieces: list[tk.Widget] = []
        self._counts: list[int] = []

    def add(self, piece: tk.Widget, gap: int) -> None:
        """Put a piece at the end of the first line, with a gap behind it."""
        piece.grid(in_=self._lines[0], row=0, column=len(self._pieces), sticky="nw", padx=(0, gap))
        self._pieces.append(piece)
        self._counts = [len(self._pieces)]

    def clear(self) -> None:
        """Forget the pieces; whoever made them destroys them."""
        self._pieces, self._counts = [], []

    def fit(self, room: int) -> bool:
        """Arrange the pieces for this width; whether anything has changed."""
        counts = lines_of([occupied_width(each) for each in self._pieces], room)
        if counts == self._counts:
            return False
        self._counts = counts
        pieces = iter(self._pieces)
        for line, count in zip(self._lines, counts, strict=False):
            for column in range(count):
                next(pieces).grid(in_=line, row=0, column=column)
        for line in self._lines[len(counts) :]:
            line.configure(height=1)  # an empty frame keeps its last size until it is told otherwise
        return True


def occupied_width(piece: tk.Widget) -> int:
    """How wide a piece of a grid is together with the gaps beside it, as they are scaled now."""
    padding = piece.grid_info()["padx"]
    return piece.winfo_reqwidth() + (padding[0] + padding[1] if isinstance(padding, tuple) else 2 * int(padding))
