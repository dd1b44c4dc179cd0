"""A scrollbar that is there only where there is something to scroll."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any


class ShyScrollbar(ttk.Scrollbar):
    """To be placed once, with ``grid`` or :meth:`take_width_only`; then it comes and goes by itself."""

    _room: ttk.Frame | None = None

    def set(self, first: float | str, last: float | str) -> None:
        """What part is in sight, from 0 to 1, as Tk tells it."""
        super().set(first, last)
        parts = (self,) if self._room is None else (self._room, self)
        for each in parts:
            if float(first) <= 0 and float(last) >= 1:
                each.grid_remove()
            else:
                each.grid()
        if self._room is not None:
            self._room.configure(width=self.winfo_reqwidth())

    def take_width_only(self, parent: tk.Misc, **place: Any) -> None:
        """Place it with ``grid`` so that it asks for no height: one with arrows would be higher than two lines."""
        self._room = ttk.Frame(parent, height=1)
        self._room.grid(sticky="ns", **place)
        self._room.grid_propagate(False)
        self._room.rowconfigure(0, weight=1)
        self.grid(in_=self._room, row=0, column=0, sticky="ns")
        self.lift()
