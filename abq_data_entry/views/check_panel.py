"""The head of the form: date, time, lab, technician, and how far the check has come."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from tkinter import ttk
from types import MappingProxyType
from typing import Any, NamedTuple

from ..constants import FieldNames as F
from ..themes import Look
from ..widgets import FieldInput, PlotState, PlotStrip
from .record_inputs import CheckKey

AddInput = Callable[..., FieldInput]


class CheckView(NamedTuple):
    """What the form knows of a check.

    ``recorded`` gives the technician of each recorded plot, ``previous`` the latest earlier record of each
    plot; ``known`` is False while the database hasn't answered; ``following`` is the check that comes next.
    """

    key: CheckKey | None = None
    plots: tuple[int, ...] = ()
    technician: str | None = None
    recorded: Mapping[int, str] = MappingProxyType({})
    previous: Mapping[int, Mapping[str, Any]] = MappingProxyType({})
    known: bool = False
    problem: str = ""
    following: CheckKey | None = None

    def with_recorded(self, plot: int, technician: str) -> CheckView:
        """The same check with one more plot recorded."""
        return self._replace(recorded={**self.recorded, plot: technician}, technician=self.technician or technician)

    def with_plots(self, plots: tuple[int, ...]) -> CheckView:
        """The same check with the lab's plots."""
        return self if plots == self.plots else self._replace(plots=plots)

    def next_missing(self, after: int) -> int | None:
        """The next plot after ``after`` that isn't recorded, going round; ``None`` when all are."""
        later = [plot for plot in self.plots if plot > after] + [plot for plot in self.plots if plot <= after]
        return next((plot for plot in later if plot not in self.recorded), None)

    @property
    def complete(self) -> bool:
        """Whether every plot of the lab is recorded."""
        return self.known and bool(self.plots) and all(plot in self.recorded for plot in self.plots)


class CheckPanel(ttk.Frame):
    """Date, time, lab, technician; below them the strip of plots and the progress in words."""

    def __init__(
        self,
        parent: tk.Misc,
        add_input: AddInput,
        go_to_plot: Callable[[int], object],
        next_check: Callable[[], object],
    ) -> None:
        super().__init__(parent)
        heads = ((F.DATE, 11), (F.TIME, 7), (F.LAB, 4), (F.TECHNICIAN, 20))
        self.columnconfigure(len(heads), weight=1)
        for column, (name, width) in enumerate(heads):
            add_input(self, name, name, width).grid(row=0, column=column, sticky="nw", padx=(0, 24))
        progress = ttk.Frame(self)
        progress.grid(row=1, column=0, columnspan=len(heads) + 1, sticky="ew", pady=(4, 0))
        self._strip = PlotStrip(progress, go_to_plot)
        self._strip.grid(row=0, column=0)
        self._summary = ttk.Label(progress, style="Section.TLabel", wraplength=420, justify="left")
        self._summary.grid(row=0, column=1, padx=(16, 0))
        self._next = ttk.Button(progress, style="Accent.TButton", command=next_check)
        self._next.bind("<Return>", lambda _event: self._next.invoke())

    def show(self, check: CheckView, current: int | None, technician: str) -> None:
        """Show which plots of ``check`` are recorded; ``technician`` is who enters now."""
        states = {
            plot: (PlotState.RECORDED if name == technician else PlotState.RECORDED_BY_OTHER, name)
            for plot, name in check.recorded.items()
        }
        self._strip.show(check.plots, states, current)
        self._summary.configure(text=_summary(check))
        if check.complete and check.following is not None:
            self._next.configure(text=f"Next: lab {check.following[2]}, {check.following[1]}  ⏎")
            self._next.grid(row=0, column=2, padx=(16, 0))
        else:
            self._next.grid_remove()

    def focus_next_check(self) -> bool:
        """Put the focus on what comes after a complete check, if that is offered."""
        if not self._next.winfo_manager():
            return False
        self._next.update_idletasks()  # a button that isn't on the screen yet takes no focus
        self._next.focus_set()
        return True

    def show_look(self, look: Look) -> None:
        """Colours and spacing changed."""
        self._strip.show_look(look)


def _summary(check: CheckView) -> str:
    if check.key is None:
        return "Choose date, time and lab to see the plots."
    if check.problem:
        return f"{check.problem} F5 tries again."
    if not check.known:
        return "Looking up the check…"
    if check.complete:
        return f"✓ Check complete: all {len(check.plots)} plots recorded."
    return f"{len(check.recorded)} of {len(check.plots)} recorded"
