"""A scrollbar that is there only where there is something to scroll."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any


class ShyScrollbar(ttk.Scrollbar):
    """To be placed once with ``grid``; then it comes and goes by itself."""

    def set(self, first: float | str, last: float | str) -> None:
        """What part is in sight, from 0 to 1, as Tk tells it."""
        super().set(first, last)
        if float(first) <= 0 and float(last) >= 1:
            self.grid_remove()
        else:
            self.grid()

    def take_width_only(self, parent: tk.Misc, **place: Any) -> None:
        """Place it with ``grid`` so that it asks for no height: one with arrows would be higher than two lines."""
        room = ttk.Frame(parent, width=1, height=1)
        room.grid(sticky="ns", **place)
        room.grid_propagate(False)
        room.rowconfigure(0, weight=1)
        self.grid(in_=room, row=0, column=0, sticky="ns")
        self.lift()
        self.bind("<Map>", lambda _event: room.configure(width=self.winfo_reqwidth()))
        self.bind("<Unmap>", lambda _event: room.configure(width=1))
