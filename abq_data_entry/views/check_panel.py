"""The head of the form: date, time, lab, technician, and how far the check has come."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from tkinter import ttk
from tkinter.font import nametofont
from types import MappingProxyType
from typing import Any, NamedTuple

from ..constants import FieldNames as F
from ..themes import Look
from ..widgets import FieldInput, Flow, OneLine, PlotState, PlotStrip
from ..widgets.focus import give_focus
from .date_line import DateLine, DateQuestion
from .day_line import DayLine, DayOffer
from .record_inputs import CheckKey
from .technician_line import TechnicianLine, TechnicianQuestion

AddInput = Callable[..., FieldInput]
SHOWN_OTHERS = 2
BESIDE_GAP = 16
LONGEST_NEXT = "Next: lab C, 12:00  ⏎"
LONGEST_PROGRESS = "20 of 20 recorded"


class Entering(NamedTuple):
    """Somebody else who is entering a check now, where, and at which plot; ``None`` while at none."""

    name: str
    workstation: str = ""
    plot: int | None = None

    @property
    def named(self) -> str:
        """The person and the place ("P Taylor on bench-2")."""
        return f"{self.name} on {self.workstation}" if self.workstation else self.name


class CheckView(NamedTuple):
    """What the form knows of a check.

    ``recorded`` gives the technician of each recorded plot, ``previous`` the latest earlier record of each
    plot; ``known`` is False while the database hasn't answered; ``following`` is the check that comes next;
    ``others`` are the people who are entering it now besides the one who sits here; ``waiting`` are the
    recorded plots that wait on this computer for the database; ``version`` is that of the check, where known;
    ``known_at`` is when this computer learned of it, where the database is away.
    """

    key: CheckKey | None = None
    plots: tuple[int, ...] = ()
    technician: str | None = None
    recorded: Mapping[int, str] = MappingProxyType({})
    previous: Mapping[int, Mapping[str, Any]] = MappingProxyType({})
    known: bool = False
    problem: str = ""
    following: CheckKey | None = None
    others: tuple[Entering, ...] = ()
    waiting: frozenset[int] = frozenset()
    version: int | None = None
    known_at: str = ""

    def with_recorded(self, plot: int, technician: str) -> CheckView:
        """The same check with one more plot recorded."""
        return self._replace(recorded={**self.recorded, plot: technician}, technician=self.technician or technician)

    def with_plots(self, plots: tuple[int, ...]) -> CheckView:
        """The same check with the lab's plots; those that were recorded and are retired since belong to it too."""
        plots = tuple(sorted({*plots, *self.recorded}))
        return self if plots == self.plots else self._replace(plots=plots)

    def next_missing(self, after: int) -> int | None:
        """The next plot after ``after`` that is neither recorded nor being entered by somebody else, going round."""
        later = [plot for plot in self.plots if plot > after] + [plot for plot in self.plots if plot <= after]
        taken = {each.plot for each in self.others}
        return next((plot for plot in later if plot not in self.recorded and plot not in taken), None)

    def left_to_others(self) -> Entering | None:
        """Who is entering the first plot that is missing, where others are entering all that are."""
        missing = [plot for plot in self.plots if plot not in self.recorded]
        entered = [self.entered_by(plot) for plot in missing]
        return entered[0] if entered and all(entered) else None

    def entered_by(self, plot: int) -> Entering | None:
        """Who else is entering that plot now."""
        return next((each for each in self.others if each.plot == plot), None)

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
        keep_date: Callable[[], object],
        leave_strip: Callable[[], object],
    ) -> None:
        super().__init__(parent)
        heads = ((F.DATE, 11), (F.TIME, 7), (F.LAB, 4), (F.TECHNICIAN, 19))
        self.columnconfigure(1, weight=1)
        self._heads = Flow(self, len(heads), overflow=self)
        self._heads.grid(row=0, column=0, sticky="nw")
        for name, width in heads:
            self._heads.add(add_input(self._heads, name, name, width), 24)
        self._width = 0
        self._summary_of_check = ""
        progress = ttk.Frame(self)
        progress.grid(row=1, column=0, columnspan=2, sticky="ew", pady=(4, 0))
        self._progress = progress
        self._strip = PlotStrip(progress, go_to_plot, leave_strip, self._tell_plot)
        self._told_plot = ""
        self._strip.grid(row=0, column=0, rowspan=2)
        # Both take the room that is there and never ask for more: nothing moves when somebody comes or goes.
        self._summary = OneLine(progress, "Section.TLabel")
        self._summary.grid(row=0, column=1, padx=(BESIDE_GAP, 0), sticky="ew")
        progress.columnconfigure(1, weight=1)
        self._others = OneLine(progress, "Warning.TLabel")
        self._others.grid(row=1, column=1, padx=(BESIDE_GAP, 0), sticky="ew")
        # Never asks for more room than there is: a wider form would need scrolling.
        self._beside = ttk.Frame(self, width=1, height=1)
        self._beside.grid(row=0, column=1, sticky="nsew")
        self._beside.bind("<Configure>", lambda _event: self._place_lines())
        self.day_line = DayLine(self)
        self.technician_line = TechnicianLine(self)
        self.date_line = DateLine(self, keep_date)
        self._next_room = ttk.Frame(progress)  # the button's place, kept for it
        self._next_room.lower()  # while the button isn't there, the sentence about others goes on over it
        self._next = ttk.Button(progress, style="Accent.TButton", command=next_check)
        self._next.bind("<Return>", lambda _event: self._next.invoke())

    def show(
        self, check: CheckView, current: int | None, technician: str, half_typed: frozenset[int] = frozenset()
    ) -> None:
        """Show which plots of ``check`` are recorded, and which half typed; ``technician`` is who enters now."""
        states = {
            plot: (PlotState.RECORDED if name == technician else PlotState.RECORDED_BY_OTHER, name)
            for plot, name in check.recorded.items()
        }
        for each in check.others:
            if each.plot is not None and each.plot not in check.recorded:
                states[each.plot] = (PlotState.ENTERED_BY_OTHER, each.named)
        states |= {plot: (PlotState.WAITING, check.recorded.get(plot, "")) for plot in check.waiting}
        self._strip.show(check.plots, states, current, half_typed)
        self._summary_of_check = _summary(check)
        self._summary.show(self._told_plot or self._summary_of_check)
        self._others.show(_others_text(check.others))
        if check.complete and check.following is not None:
            self._next.configure(text=f"Next: lab {check.following[2]}, {check.following[1]}  ⏎")
            self._next.place(in_=self._next_room, x=0, rely=0.5, anchor="w")
        else:
            self._next.place_forget()
        self._arrange_strip()
        # Where the button isn't there, its place is the sentence's.
        self._others.grid(columnspan=1 if self._next.winfo_manager() else 2)

    def fit(self, width: int) -> bool:
        """Arrange the parts for this width; whether anything has changed."""
        self._width = width
        changed = self._heads.fit(width)
        return self._arrange_strip() or changed

    def _arrange_strip(self) -> bool:
        """The strip in one line where the words beside it have room, else in more; and the place of what comes next."""
        if not self._width:
            return False
        button = self._next_width()
        words = nametofont("AbqStrong").measure(LONGEST_PROGRESS) + 2 * BESIDE_GAP
        one_line = self._strip.width_of_one_line + words <= self._width
        changed = self._strip.fit(0 if one_line else self._width - words)
        beside = self._strip.width_of_one_line + words + button + BESIDE_GAP <= self._width
        place: dict[str, Any] = {"row": 0, "column": 2, "rowspan": 2, "columnspan": 1, "padx": (BESIDE_GAP, 0)}
        if not beside:
            place = {"row": 2, "column": 0, "rowspan": 1, "columnspan": 3, "padx": 0}
        self._next_room.configure(width=button)
        self._next_room.grid(sticky="w", pady=0 if beside else (4, 0), **place)
        return changed

    def _next_width(self) -> int:
        """How wide the button of the next check is at most: as wide as the longest of its texts."""
        text = str(self._next.cget("text"))
        self._next.configure(text=LONGEST_NEXT)
        width, height = self._next.winfo_reqwidth(), self._next.winfo_reqheight()
        self._next.configure(text=text)
        self._next_room.configure(height=height)
        return width

    def offer_day(self, offer: DayOffer | None) -> None:
        """Offer to go on to today, or nothing any more."""
        self.day_line.show(offer)
        self.day_line.update_idletasks()
        self._place_lines()

    def ask_technician(self, question: TechnicianQuestion | None) -> None:
        """Ask whose the plots of a colleague's check are, or nothing."""
        if self.technician_line.ask(question):
            self.technician_line.grid_forget()
            self.technician_line.place_forget()
            self.technician_line.update_idletasks()
            self._place_lines()

    def ask_date(self, found: DateQuestion | None) -> bool:
        """Ask about the day of the check, say what was asked, or nothing; returns whether that is new."""
        is_new = self.date_line.show(found)
        if is_new:
            self.date_line.grid_forget()
            self.date_line.place_forget()
            self.date_line.update_idletasks()
            self._place_lines()
        return is_new

    def _place_lines(self) -> None:
        """Where nothing has to move for them: beside date, time, lab and technician, else over the room for words below
        these, which have none to say when something is asked. What fits in neither is in a row of its own."""
        places: list[tuple[int, dict[str, Any]]] = [
            (self._beside.winfo_width(), {"in_": self._beside, "relx": 1, "rely": 0, "anchor": "ne"}),
            (self._width or self.winfo_width(), {"in_": self._progress, "relx": 1, "rely": 0, "anchor": "se"}),
        ]
        for row, line in ((2, self.date_line), (3, self.day_line), (4, self.technician_line)):
            if not line.text:
                continue
            if isinstance(line, TechnicianLine):
                line.fit(next((width for width, _ in places if width >= line.least_width), self._width))
            place = next((each for each in places if line.winfo_reqwidth() <= each[0]), None)
            if place is None:
                line.grid(row=row, column=0, columnspan=2, sticky="w", pady=(4, 0))
                continue
            places.remove(place)
            line.place(**place[1])
            line.lift()

    @property
    def strip(self) -> PlotStrip:
        """The plots of the check, side by side."""
        return self._strip

    def focus_strip(self) -> bool:
        """Put the focus on the strip, if it has plots."""
        if not self._strip.plots:
            return False
        give_focus(self._strip)
        return True

    def _tell_plot(self, words: str) -> None:
        """Say which plot is chosen by the keyboard, in place of how far the check is."""
        self._told_plot = words
        self._summary.show(words or self._summary_of_check)

    def focus_next_check(self) -> bool:
        """Put the focus on what comes after a complete check, if that is offered."""
        if not self._next.winfo_manager():
            return False
        give_focus(self._next)
        return True

    def show_look(self, look: Look) -> None:
        """Colours and spacing changed."""
        self._strip.show_look(look)


def _summary(check: CheckView) -> str:
    if check.key is None:
        return "Choose date, time and lab to see the plots."
    if check.problem:
        return f"{check.problem} F5 tries again."
    if check.known and not check.plots:
        return f"Lab {check.key[2]} has no plots."
    if not check.known:
        return "Looking up the check…"
    waiting = f" ({len(check.waiting)} waiting here)" if check.waiting else ""
    waiting += f", as known at {check.known_at}" if check.known_at else ""
    if check.complete:
        return f"✓ Check complete: all {len(check.plots)} plots recorded{waiting}."
    return f"{len(check.recorded)} of {len(check.plots)} recorded{waiting}"


def _others_text(others: tuple[Entering, ...]) -> str:
    """Who else is entering the check, in one line however many they are."""
    if not others:
        return ""
    shown = [each.named if each.plot is None else f"{each.named} (plot {each.plot})" for each in others[:SHOWN_OTHERS]]
    more = len(others) - len(shown)
    if more:
        shown.append("one more" if more == 1 else f"{more} more")
    if len(shown) == 1:
        each = others[0]
        return f"{each.named} is entering this check{'' if each.plot is None else f' (plot {each.plot})'}."
    return f"{', '.join(shown[:-1])} and {shown[-1]} are entering this check."
