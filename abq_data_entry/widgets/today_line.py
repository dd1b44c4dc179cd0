"""One line with the state of the day. A click opens the details; parts that don't fit are left out from the end."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk

from .text_lines import Tooltip, measure_in

_BETWEEN = "   ·   "


class TodayLine(ttk.Frame):
    """The line. `on_click()` is called when the user clicks it to see the details."""

    def __init__(self, parent: tk.Misc, on_click: Callable[[], object]) -> None:
        super().__init__(parent, style="Bar.TFrame", padding=(8, 0), width=1)
        self.columnconfigure(0, weight=1)
        self.parts: tuple[str, ...] = ()
        self.button = ttk.Button(self, style="Quiet.TButton", command=on_click, takefocus=0)
        self.button.grid(row=0, column=0, sticky="w")
        self._tip = Tooltip(self.button)
        self.bind("<Configure>", lambda _event: self._arrange())

    def show(self, parts: Sequence[str]) -> None:
        """Show these parts, the most important one first."""
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
