"""What a check that was begun on another day says: go on to today, or finish it first."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import NamedTuple


class DayOffer(NamedTuple):
    """The day of the check and today, in ISO's form, and what the two buttons call."""

    of_check: str
    today: str
    go_on: Callable[[], object]
    stay: Callable[[], object]


class DayLine(ttk.Frame):
    """A sentence and two buttons."""

    def __init__(self, parent: tk.Misc) -> None:
        super().__init__(parent)
        self._offered = False
        self._sentence = ttk.Label(self, style="Warning.TLabel")
        self._sentence.grid(row=0, column=0, sticky="w")
        self.buttons = [ttk.Button(self, style="Quiet.TButton") for _ in range(2)]
        for column, button in enumerate(self.buttons, 1):
            button.grid(row=0, column=column, padx=(8, 0))
            button.bind("<Return>", lambda event: event.widget.invoke())

    @property
    def text(self) -> str:
        """What the line says; empty while it isn't there."""
        return str(self._sentence.cget("text")) if self._offered else ""

    def show(self, offer: DayOffer | None) -> None:
        """Offer this, or nothing any more; where it stands is up to the caller."""
        self._offered = offer is not None
        if offer is None:
            self.grid_forget()
            self.place_forget()
            return
        self._sentence.configure(text=f"This check is of {offer.of_check}.")
        self.buttons[0].configure(text=f"Go On to {offer.today}", command=offer.go_on)
        self.buttons[1].configure(text="Finish It", command=offer.stay)
