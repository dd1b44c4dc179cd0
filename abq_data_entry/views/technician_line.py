"""A check that a colleague began: whether only one's own plots, or all of them, get the chosen technician's name."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import NamedTuple

from ..widgets import Tooltip
from .record_inputs import CheckKey

KEY = "F7"


class TechnicianQuestion(NamedTuple):
    """``chosen`` goes on with the check that ``began`` began; so many ``plots`` would get the name."""

    check: CheckKey
    chosen: str
    began: str
    plots: int


class TechnicianLine(ttk.Frame):
    """A sentence and a button, which F7 presses. It takes no focus: whoever types on means only the own plots."""

    def __init__(self, parent: tk.Misc) -> None:
        super().__init__(parent)
        self._question: TechnicianQuestion | None = None
        self._settled: set[tuple[CheckKey, str]] = set()
        self._all: tuple[CheckKey, str] | None = None
        self._sentence = ttk.Label(self, style="Warning.TLabel")
        self._sentence.grid(row=0, column=0, sticky="w")
        self._button = ttk.Button(self, style="Quiet.TButton", command=self.toggle, takefocus=0)
        self._button.grid(row=0, column=1, padx=(8, 0))
        Tooltip(self._button, f"{KEY}. Without it only the plots that you save get your name.")

    @property
    def text(self) -> str:
        """What the line says; empty while nothing is asked."""
        return str(self._sentence.cget("text")) if self._question is not None else ""

    def ask(self, question: TechnicianQuestion | None) -> bool:
        """Ask that, unless it has been answered by a save; ``None``: nothing. Returns whether the line has changed."""
        if question is not None and (question.check, question.chosen) in self._settled:
            question = None
        if question == self._question:
            return False
        self._question = question
        self._show()
        return True

    def toggle(self) -> None:
        """The whole check after all, or only the own plots after all."""
        if self._question is None:
            return
        wanted = self._question.check, self._question.chosen
        self._all = None if self._all == wanted else wanted
        self._show()

    def wants_all(self, check: CheckKey | None, technician: str) -> bool:
        """Whether all plots of that check get the technician's name with the next save."""
        return self._all is not None and self._all == (check, technician)

    def saved(self, check: CheckKey, technician: str) -> None:
        """A record was saved: what was asked is answered."""
        self._settled.add((check, technician))
        if self.wants_all(check, technician):
            self._all = None

    def _show(self) -> None:
        if self._question is None:
            return
        _check, chosen, began, plots = self._question
        if self.wants_all(self._question.check, chosen):
            words, answer = f"With your next save all {plots} plots say {chosen}.", "Only My Plots"
        else:
            words, answer = f"Begun by {began}; what you save says {chosen}.", f"All {plots} Plots: {chosen}"
        self._sentence.configure(text=words)
        self._button.configure(text=f"{answer}  {KEY}")
