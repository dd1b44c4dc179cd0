"""A check that a colleague began: whether only one's own plots, or all of them, get the chosen technician's name."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import NamedTuple

from ..widgets import Tooltip, occupied_width
from ..widgets.note_line import FONT, measure_in
from ..widgets.shortened import shortened
from .record_inputs import CheckKey

KEY = "F7"
_LEAST_DIGITS = 48
_MARGIN = 4  # what a label takes beside its text


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
        self._room = 0
        self._sentence = ttk.Label(self, style="Warning.TLabel")
        self._sentence.grid(row=0, column=0, sticky="w")
        self._whole = Tooltip(self._sentence)
        self._button = ttk.Button(self, style="Quiet.TButton", command=self.toggle, takefocus=0)
        self._button.grid(row=0, column=1, padx=(8, 0))
        Tooltip(self._button, f"{KEY}. Without it only the plots that you save get your name.")

    @property
    def text(self) -> str:
        """All that the line says; empty while nothing is asked."""
        return self._words()[0] if self._question is not None else ""

    @property
    def least_width(self) -> int:
        """The pixels below which there is too little left of a long sentence."""
        return _LEAST_DIGITS * measure_in(FONT, self)("0")

    def fit(self, room: int) -> None:
        """Take so many pixels at most: without the name on the button, then with an ellipsis and a tooltip."""
        if room != self._room:
            self._room = room
            self._show()

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

    def _words(self) -> tuple[str, str, str]:
        """The sentence, the button's text, and a shorter one."""
        assert self._question is not None
        check, chosen, began, plots = self._question
        if self.wants_all(check, chosen):
            return f"With your next save all {plots} plots say {chosen}.", "Only My Plots", "Only My Plots"
        return f"Begun by {began}; what you save says {chosen}.", f"All {plots} Plots: {chosen}", f"All {plots} Plots"

    def _show(self) -> None:
        if self._question is None:
            return
        words, answer, short = self._words()
        measure, shown = measure_in(FONT, self), words
        self._button.configure(text=f"{answer}  {KEY}")
        if self._room and measure(words) + occupied_width(self._button) + _MARGIN > self._room:
            self._button.configure(text=f"{short}  {KEY}")
            shown = shortened(words, self._room - occupied_width(self._button) - _MARGIN, measure)
        self._sentence.configure(text=shown)
        self._whole.text = "" if shown == words else words
        self.update_idletasks()
