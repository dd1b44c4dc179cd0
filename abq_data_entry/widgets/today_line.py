"""One quiet line: how the day stands. A click opens more; what doesn't fit is left out from its end."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk

from .note_line import Tooltip, measure_in

_BETWEEN = "   ·   "


class TodayLine(ttk.Frame):
    """`opened()`: somebody wants to see more."""

    def __init__(self, parent: tk.Misc, opened: Callable[[], object]) -> None:
        super().__init__(parent, style="Bar.TFrame", padding=(8, 0), width=1)
        self.columnconfigure(0, weight=1)
        self.parts: tuple[str, ...] = ()
        self.button = ttk.Button(self, style="Quiet.TButton", command=opened, takefocus=0)
        self.button.grid(row=0, column=0, sticky="w")
        self._tip = Tooltip(self.button)
        self.bind("<Configure>", lambda _event: self._arrange())

    def show(self, parts: Sequence[str]) -> None:
        """Show these words, the most important ones first."""
        if tuple(parts) != self.parts:
            self.parts = tuple(parts)
            self._arrange()

    def _arrange(self) -> None:
        measure = measure_in("TkDefaultFont", self)
        room = self.winfo_width() - 6 * measure("0")
        count = len(self.parts)
        while count > 1 and measure(_BETWEEN.join(self.parts[:count])) > room:
            count -= 1
        self.button.configure(text=_BETWEEN.join(self.parts[:count]))
        self._tip.text = "" if count == len(self.parts) else "\n".join(self.parts)
