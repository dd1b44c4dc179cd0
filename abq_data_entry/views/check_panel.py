"""The head of the form: date, time, lab and technician, questions about these, the progress of the check, and the strip
of its plots, which shows which ones are recorded, by whom, which one is being entered, and which ones are missing."""

from __future__ import annotations

import datetime
import time
import tkinter as tk
from collections.abc import Callable
from enum import Enum
from tkinter import ttk
from tkinter.font import nametofont
from typing import Any, NamedTuple

from ..constants import FieldNames as F
from ..fields.dates import distance
from ..themes import LIGHT, Look, Palette
from ..widgets import FieldInput, Flow, OneLine, Tooltip, occupied_width
from ..widgets.focus import call_and_break, give_focus
from ..widgets.text_lines import FONT, measure_in, shortened
from .form_content import CheckKey, CheckView, Entering


class DayOffer(NamedTuple):
    """The day of the check and today, in ISO format, and the functions of the two buttons."""

    of_check: str
    today: str
    go_on: Callable[[], object]
    stay: Callable[[], object]


class DayLine(ttk.Frame):
    """After midnight, asks whether to go on to today: a sentence and two buttons."""

    def __init__(self, parent: tk.Misc) -> None:
        super().__init__(parent)
        self._offered = False
        self.sentence = ttk.Label(self, style="Warning.TLabel")
        self.sentence.grid(row=0, column=0, sticky="w")
        self.buttons = [ttk.Button(self, style="Quiet.TButton") for _ in range(2)]
        for column, button in enumerate(self.buttons, 1):
            button.grid(row=0, column=column, padx=(8, 0))
            button.bind("<Return>", lambda event: event.widget.invoke())

    @property
    def text(self) -> str:
        """The text of the line; empty while it is hidden."""
        return str(self.sentence.cget("text")) if self._offered else ""

    def show(self, offer: DayOffer | None) -> None:
        """Show this offer, or none; the caller places the line."""
        self._offered = offer is not None
        if offer is None:
            self.grid_forget()
            self.place_forget()
            return
        self.sentence.configure(text=f"This check is of {offer.of_check}.")
        self.buttons[0].configure(text=f"Go On to {offer.today}", command=offer.go_on)
        self.buttons[1].configure(text="Finish It", command=offer.stay)


KEEP_DATE_KEY = "F6"
UNREAD_SECONDS = 0.4  # an Enter within this time isn't an answer: nobody can have read the question yet
FAR_DAYS = 366


class DateQuestion(NamedTuple):
    """Whether ``date``, which is ``distance`` (in words) from today, is right. ``far``: Enter alone is no answer."""

    date: datetime.date
    distance: str
    far: bool


def date_question(date: datetime.date, today: datetime.date, old_days: int) -> DateQuestion | None:
    """Return the question about a day that is ahead, or more than ``old_days`` back; ``None`` for any other day."""
    days = (date - today).days
    if -old_days <= days <= 0:
        return None
    return DateQuestion(date, distance(date, today), abs(days) > FAR_DAYS)


class DateLine(ttk.Frame):
    """Asks about the date: a sentence, and until it is answered a button, which F6 presses. ``now`` returns seconds."""

    def __init__(self, parent: tk.Misc, keep: Callable[[], object], now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(parent)
        self.now = now
        self.question: DateQuestion | None = None
        """The question that is open, or was answered."""
        self._kept: set[datetime.date] = set()
        self._asked_at = 0.0
        self.sentence = ttk.Label(self, style="Warning.TLabel")
        self.sentence.grid(row=0, column=0, sticky="w")
        self.button = ttk.Button(self, style="Quiet.TButton", command=keep, takefocus=0)
        Tooltip(self.button, f"{KEEP_DATE_KEY}. Otherwise type another date.")

    @property
    def text(self) -> str:
        """The text of the line; empty if there is no question."""
        return str(self.sentence.cget("text")) if self.question is not None else ""

    @property
    def asks(self) -> bool:
        """Whether the question is still open."""
        return self.question is not None and self.question.date not in self._kept

    def show(self, found: DateQuestion | None) -> bool:
        """Show a question, without the button if it was answered, or none; return whether the line has changed."""
        if found == self.question:
            return False
        self.question = found
        self._asked_at = self.now()
        self._show()
        return True

    def answer_with_enter(self) -> bool:
        """Keep the date if Enter is enough and there was time to read the question; return whether the date is kept."""
        found = self.question
        if found is not None and not found.far and self.now() - self._asked_at >= UNREAD_SECONDS:
            self.keep()
        return not self.asks

    def keep(self) -> None:
        """Answer that the date is right."""
        if self.question is not None:
            self._kept.add(self.question.date)
            self._show()

    def _show(self) -> None:
        if self.question is None:
            return
        date, words, far = self.question
        self.sentence.configure(text=f"{date} is {words}{'. Is that right?' if self.asks else ''}")
        if self.asks:
            self.button.configure(text=f"Keep It  {KEEP_DATE_KEY if far else f'⏎ or {KEEP_DATE_KEY}'}")
            self.button.grid(row=0, column=1, padx=(8, 0))
        else:
            self.button.grid_forget()


WHOLE_CHECK_KEY = "F7"
_LEAST_DIGITS = 48
_MARGIN = 4  # pixels of a label beside its text


class TechnicianQuestion(NamedTuple):
    """Technician ``chosen`` continues a check that ``began`` has begun; ``plots``: how many would get the new name."""

    check: CheckKey
    chosen: str
    began: str
    plots: int


class TechnicianLine(ttk.Frame):
    """Asks to which technician the plots of the check belong: a sentence and a button, which F7 presses.

    The line never takes the focus: without an answer, only the plots saved from now on get the name.
    """

    def __init__(self, parent: tk.Misc) -> None:
        super().__init__(parent)
        self.question: TechnicianQuestion | None = None
        """The open question."""
        self._settled: set[tuple[CheckKey, str]] = set()
        self.wanted: tuple[CheckKey, str] | None = None
        """The check of which all plots get that technician's name with the next save."""
        self._room = 0
        self.sentence = ttk.Label(self, style="Warning.TLabel")
        self.sentence.grid(row=0, column=0, sticky="w")
        self.whole = Tooltip(self.sentence)
        self.button = ttk.Button(self, style="Quiet.TButton", command=self.toggle, takefocus=0)
        self.button.grid(row=0, column=1, padx=(8, 0))
        Tooltip(self.button, f"{WHOLE_CHECK_KEY}. Without it only the plots that you save get your name.")

    @property
    def text(self) -> str:
        """The whole text of the line; empty while nothing is asked."""
        return self._words()[0] if self.question is not None else ""

    @property
    def least_width(self) -> int:
        """The width in pixels below which too little of a long sentence is left."""
        return _LEAST_DIGITS * measure_in(FONT, self)("0")

    def fit(self, room: int) -> None:
        """Fit into ``room`` pixels: first by leaving the name out of the button, then by cutting the sentence."""
        if room != self._room:
            self._room = room
            self._show()

    def ask(self, question: TechnicianQuestion | None) -> bool:
        """Ask, unless a save has settled the question; ``None``: ask nothing. Return whether the line has changed."""
        # A save without the button counts as an answer, so the question comes once for each check and name.
        if question is not None and (question.check, question.chosen) in self._settled:
            question = None
        if question == self.question:
            return False
        self.question = question
        self._show()
        return True

    def toggle(self) -> None:
        """Switch between all plots of the check and only those of this technician."""
        if self.question is None:
            return
        wanted = self.question.check, self.question.chosen
        self.wanted = None if self.wanted == wanted else wanted
        self._show()

    def saved(self, check: CheckKey, technician: str) -> None:
        """Close the question, because a record was saved."""
        self._settled.add((check, technician))
        if self.wanted == (check, technician):
            self.wanted = None

    def _words(self) -> tuple[str, str, str]:
        """Return the sentence, the button's text, and a shorter one."""
        assert self.question is not None
        check, chosen, began, plots = self.question
        if self.wanted == (check, chosen):
            return f"With your next save all {plots} plots say {chosen}.", "Only My Plots", "Only My Plots"
        return f"Begun by {began}; what you save says {chosen}.", f"All {plots} Plots: {chosen}", f"All {plots} Plots"

    def _show(self) -> None:
        if self.question is None:
            return
        words, answer, short = self._words()
        measure, shown = measure_in(FONT, self), words
        self.button.configure(text=f"{answer}  {WHOLE_CHECK_KEY}")
        if self._room and measure(words) + occupied_width(self.button) + _MARGIN > self._room:
            self.button.configure(text=f"{short}  {WHOLE_CHECK_KEY}")
            shown = shortened(words, self._room - occupied_width(self.button) - _MARGIN, measure)
        self.sentence.configure(text=shown)
        self.whole.text = "" if shown == words else words
        self.update_idletasks()


class PlotState(Enum):
    """What a cell of the strip shows, by colour and symbol."""

    MISSING = "missing"
    RECORDED = "recorded"
    RECORDED_BY_OTHER = "recorded by somebody else"
    ENTERED_BY_OTHER = "entered by somebody else"
    WAITING = "recorded, waiting on this computer"


class PlotStrip(tk.Canvas):
    """One cell for each plot; a click calls ``go_to(plot)``.

    Tab skips it. With the focus (:meth:`focus_set`), one cell is highlighted: the arrows, Home and End choose another,
    Enter and Space go to its plot, and Escape, Tab and Shift+Tab call ``leave()``. ``describe(words)`` is called with a
    description of the highlighted cell, and with an empty text when there is none any more.
    """

    def __init__(
        self,
        parent: tk.Misc,
        go_to: Callable[[int], object],
        leave: Callable[[], object] = lambda: None,
        describe: Callable[[str], object] = lambda words: None,
    ) -> None:
        super().__init__(parent, highlightthickness=0, borderwidth=0, takefocus=0)
        self._go_to, self._describe = go_to, describe
        self.chosen: int | None = None  # while it has the focus
        self._plots: tuple[int, ...] = ()
        self.states: dict[int, tuple[PlotState, str]] = {}
        self._current: int | None = None
        self.half_typed: frozenset[int] = frozenset()
        self._look = Look(LIGHT, 4, 24, False)
        self._room = 0
        self._cell, self._line = (0, 0, 0), 1  # the size of a cell, and the number of cells in a line
        self._tooltip = Tooltip(self)
        self.bind("<Button-1>", self._clicked)
        self.bind("<Motion>", self._pointed_at)
        self.bind("<FocusIn>", lambda _event: self._choose(self._current or next(iter(self._plots), None)))
        self.bind("<FocusOut>", lambda _event: self._choose(None))
        for key, step in (("Left", -1), ("Right", 1), ("Up", None), ("Down", None), ("Home", None), ("End", None)):
            self.bind(f"<{key}>", lambda _event, key=key, step=step: self._step(key, step))  # type: ignore[misc]
        for key in ("Return", "KP_Enter", "space"):
            self.bind(f"<{key}>", lambda _event: self._entered())
        for key in ("Escape", "Tab", "<PrevWindow>"):
            self.bind(f"<{key}>", lambda _event: call_and_break(leave))

    def show(
        self,
        plots: tuple[int, ...],
        states: dict[int, tuple[PlotState, str]],
        current: int | None,
        half_typed: frozenset[int] = frozenset(),
    ) -> None:
        """Show ``plots``. ``states`` has the state and technician of each; a plot that isn't in it is missing.
        ``half_typed`` ones have a draft on this computer, in addition to their state."""
        # Most changes of the form don't affect the strip.
        if (plots, states, current, half_typed) == (self._plots, self.states, self._current, self.half_typed):
            return
        are_others = plots != self._plots
        self._plots, self.states, self._current = plots, dict(states), current
        self.half_typed = half_typed
        if are_others:
            if self.chosen is not None and self.chosen not in plots:
                self.chosen = next(iter(plots), None)
            self._arrange()
        else:
            self._draw()

    def show_look(self, look: Look) -> None:
        """Draw with these colours and this spacing."""
        self._look = look
        self._arrange()

    @property
    def plots(self) -> tuple[int, ...]:
        """The plots shown."""
        return self._plots

    @property
    def width_of_one_line(self) -> int:
        """The width in pixels of all cells side by side."""
        width, _height, gap = self.cell_size()
        return len(self._plots) * (width + gap) + 2

    def fit(self, room: int) -> bool:
        """Draw the cells in as many lines as ``room`` pixels require; return whether their number has changed."""
        self._room = room
        if self.in_a_line() == self._line:
            return False
        self._arrange()
        return True

    def describe(self, plot: int) -> str:
        """Return the description of a cell for the tooltip."""
        return f"{self._in_words(plot)}. Click, or hold Ctrl and type {plot}, to go there."

    def _in_words(self, plot: int) -> str:
        state, technician = self.states.get(plot, (PlotState.MISSING, ""))
        words = {
            PlotState.MISSING: "not recorded yet",
            PlotState.ENTERED_BY_OTHER: f"being entered by {technician}",
            PlotState.WAITING: f"recorded by {technician}, waiting on this computer for the database",
        }.get(state, f"recorded by {technician}")
        entered = ", being entered" if plot == self._current else ""
        if plot in self.half_typed:
            words = "half typed, kept here" if state is PlotState.MISSING else f"{words}; half typed here, and kept"
        return f"Plot {plot}: {words}{entered}"

    def _choose(self, plot: int | None) -> None:
        """Highlight the cell of that plot, or none, and describe it."""
        self.chosen = plot
        self._draw()
        self._describe("" if plot is None else f"{self._in_words(plot)}.")

    def _step(self, key: str, step: int | None) -> str:
        if self._plots and self.chosen is not None:
            at, last, line = self._plots.index(self.chosen), len(self._plots) - 1, self.in_a_line()
            to = {"Home": 0, "End": last, "Up": at - line, "Down": at + line}[key] if step is None else at + step
            if 0 <= to <= last:
                self._choose(self._plots[to])
        return "break"

    def _entered(self) -> str:
        if self.chosen is not None:
            self._go_to(self.chosen)
        return "break"

    def cell_size(self) -> tuple[int, int, int]:
        """Width and height of a cell, and the gap between two, in pixels."""
        text = nametofont("AbqSmall")
        return text.measure("00") + 14, text.metrics("linespace") * 2 + 4, max(2, self._look.unit // 2)

    def in_a_line(self) -> int:
        """Return the number of cells in a line: all of them, or as many as make lines of equal length."""
        width, _height, gap = self.cell_size()
        count = len(self._plots)
        if not count or self._room <= 0 or self.width_of_one_line <= self._room:
            return max(1, count)
        # Lines of equal length, such as two of ten plots each.
        lines = -(-count // max(1, (self._room - 2) // (width + gap)))
        return -(-count // lines)

    def _arrange(self) -> None:
        self._cell, self._line = self.cell_size(), self.in_a_line()
        self._draw()

    def _draw(self) -> None:
        self.delete("all")
        (width, height, gap), in_a_line, p = self._cell, self._line, self._look.palette
        lines = max(1, -(-len(self._plots) // in_a_line))
        across = min(len(self._plots), in_a_line) * (width + gap) + 2
        self.configure(background=p.surface, height=lines * (height + gap + 2) + 2 - gap, width=across)
        for position, plot in enumerate(self._plots):
            line, column = divmod(position, in_a_line)
            self._draw_cell(plot, 2 + column * (width + gap), 2 + line * (height + gap + 2), width, height, p)

    def _draw_cell(self, plot: int, left: int, top: int, width: int, height: int, p: Palette) -> None:
        state, technician = self.states.get(plot, (PlotState.MISSING, ""))
        current = plot == self._current
        fill, ink = {
            PlotState.MISSING: (p.surface, p.muted),
            PlotState.RECORDED: (p.accent, p.on_accent),
            PlotState.RECORDED_BY_OTHER: (p.selection, p.on_selection),
            PlotState.ENTERED_BY_OTHER: (p.surface, p.warning),
            PlotState.WAITING: (p.accent, p.on_accent),
        }[state]
        edge = (p.warning, 2) if state is PlotState.ENTERED_BY_OTHER else (p.border, 1)
        outline, thick = (p.text, 3) if current else edge
        half_typed = plot in self.half_typed and not current
        dash = () if current or half_typed or state is not PlotState.MISSING else (2, 2)
        box = (left, top, left + width, top + height)
        self.create_rectangle(*box, fill=fill, outline=outline, width=thick, dash=dash)
        middle = left + width / 2
        font = "AbqStrong" if current else "AbqSmall"
        number_ink = p.text if current and state is PlotState.MISSING else ink
        self.create_text(middle, top + height * 0.3, text=str(plot), fill=number_ink, font=font)
        below = top + height * 0.73
        if half_typed:
            # The symbol for half typed: a field that is half full.
            self.create_rectangle(middle - 8, below - 4, middle + 8, below + 4, outline=ink, width=1)
            self.create_rectangle(middle - 8, below - 4, middle, below + 4, outline=ink, fill=ink, width=1)
        elif state is PlotState.RECORDED:
            tick = [(middle - 5, below), (middle - 1, below + 4), (middle + 6, below - 4)]
            self.create_line(tick, fill=ink, width=2)
        elif state is PlotState.WAITING:
            for step in (-5, 0, 5):
                self.create_oval(middle + step - 1, below - 1, middle + step + 2, below + 2, fill=ink, outline=ink)
        elif state in (PlotState.RECORDED_BY_OTHER, PlotState.ENTERED_BY_OTHER):
            self.create_text(middle, below, text=initials(technician), fill=ink, font="AbqSmall")
        elif current:
            pointer = [(middle - 5, below + 3), (middle + 5, below + 3), (middle, below - 3)]
            self.create_polygon(pointer, fill=p.accent, outline="")  # without this, Tk 9 draws a black outline

        if plot == self.chosen:
            for inset, colour in ((3, p.text), (5, p.surface)):
                edges = (left + inset, top + inset, left + width - inset, top + height - inset)
                self.create_rectangle(*edges, outline=colour, width=2)

    def plot_at(self, x: int, y: int) -> int | None:
        width, height, gap = self.cell_size()
        in_a_line = self.in_a_line()
        column, inside = divmod(x - 2, width + gap)
        position = (y - 2) // (height + gap + 2) * in_a_line + column
        if not 0 <= column < in_a_line or inside > width or not 0 <= position < len(self._plots):
            return None
        return self._plots[position]

    def _clicked(self, event: tk.Event) -> None:
        plot = self.plot_at(event.x, event.y)
        if plot is not None:
            self._go_to(plot)

    def _pointed_at(self, event: tk.Event) -> None:
        plot = self.plot_at(event.x, event.y)
        self.configure(cursor="" if plot is None else "hand2")
        self._tooltip.point_at("" if plot is None else self.describe(plot))


def initials(name: str) -> str:
    """Return at most two capital initials of a person's name ("P Taylor" → "PT")."""
    return "".join(word[0] for word in name.split()[:2]).upper()


AddInput = Callable[..., FieldInput]
SHOWN_OTHERS = 2
BESIDE_GAP = 16
LONGEST_NEXT = "Next: lab C, 12:00  ⏎"
LONGEST_PROGRESS = "20 of 20 recorded"


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
        self._arranged: tuple[int, ...] = ()
        self._summary_of_check = ""
        progress = ttk.Frame(self)
        progress.grid(row=1, column=0, columnspan=2, sticky="ew", pady=(4, 0))
        self._progress = progress
        self.strip = PlotStrip(progress, go_to_plot, leave_strip, self._describe_plot)
        self._described_plot = ""
        self.strip.grid(row=0, column=0, rowspan=2)
        # Both texts use the free space and never request more, so that nothing moves when people come or go.
        self.summary = OneLine(progress, "Section.TLabel")
        self.summary.grid(row=0, column=1, padx=(BESIDE_GAP, 0), sticky="ew")
        progress.columnconfigure(1, weight=1)
        self.others = OneLine(progress, "Warning.TLabel")
        self.others.grid(row=1, column=1, padx=(BESIDE_GAP, 0), sticky="ew")
        self.notes_wanted: Callable[[], object] = lambda: None
        """Called when the notes are clicked."""
        self.show_notes: Callable[[str], object] = lambda _line: None
        """Called with new notes whose line is scrolled out of sight."""
        self._notes = ""
        self._reported: set[str] = set()
        self.others.label.bind("<Button-1>", lambda _event: self.notes_wanted() if self._notes else None)
        # Never requests more space than there is, because a wider form would have to scroll.
        self._beside = ttk.Frame(self, width=1, height=1)
        self._beside.grid(row=0, column=1, sticky="nsew")
        self._beside.bind("<Configure>", lambda _event: self._place_lines())
        self.day_line = DayLine(self)
        self.technician_line = TechnicianLine(self)
        self.date_line = DateLine(self, keep_date)
        self._next_room = ttk.Frame(progress)  # reserves the place of the button
        self._next_room.lower()  # while the button is hidden, the sentence about others extends over its place
        self.next_button = ttk.Button(progress, style="Accent.TButton", command=next_check)
        self.next_button.bind("<Return>", lambda _event: self.next_button.invoke())

    def show(
        self,
        check: CheckView,
        current: int | None,
        technician: str,
        half_typed: frozenset[int] = frozenset(),
        notes: str = "",
    ) -> None:
        """Show which plots of ``check`` are recorded and which are half typed. ``technician`` is who enters now, and
        ``notes`` are open notes in one line."""
        states = {
            plot: (PlotState.RECORDED if name == technician else PlotState.RECORDED_BY_OTHER, name)
            for plot, name in check.recorded.items()
        }
        for each in check.others:
            if each.plot is not None and each.plot not in check.recorded:
                states[each.plot] = (PlotState.ENTERED_BY_OTHER, each.named)
        # Last, so that "waiting" replaces "recorded": it matters more that a record isn't in the database yet.
        states |= {plot: (PlotState.WAITING, check.recorded.get(plot, "")) for plot in check.waiting}
        self.strip.show(check.plots, states, current, half_typed)
        self._summary_of_check = _summary(check)
        self.summary.show(self._described_plot or self._summary_of_check)
        if notes and notes != self._notes:
            self.after_idle(self._report_hidden)  # later, because the form may be scrolling to another field now
        self._notes = notes
        self.others.show("  ".join(filter(None, (_others_text(check.others) if check.others else "", notes))))
        if check.complete and check.following is not None:
            self.next_button.configure(text=f"Next: lab {check.following[2]}, {check.following[1]}  ⏎")
            self.next_button.place(in_=self._next_room, x=0, rely=0.5, anchor="w")
        else:
            self.next_button.place_forget()
        # The layout depends only on which plots there are; a save changes only their symbols.
        if check.plots != self._arranged:
            self._arrange_strip()
        # While the button is hidden, the sentence may use its place.
        self.others.grid(columnspan=1 if self.next_button.winfo_manager() else 2)

    def _report_hidden(self) -> None:
        line = self.others
        at = ""
        if line.winfo_viewable():  # Tk is called directly, because tkinter's method fails for Tk's own menus and lists
            at = line.tk.call("winfo", "containing", line.winfo_rootx() + 1, line.winfo_rooty() + 1)
        if self._notes and self._notes not in self._reported and not str(at).startswith(str(line)):
            self._reported.add(self._notes)  # shown only once, because the status bar is needed for other texts
            self.show_notes(self._notes)

    def fit(self, width: int) -> bool:
        """Arrange the parts for a width in pixels; return whether anything has changed."""
        self._width = width
        changed = self._heads.fit(width)
        return self._arrange_strip() or changed

    def _arrange_strip(self) -> bool:
        """Arrange the strip in one line if the texts beside it fit, else in more; place the button of the next one."""
        if not self._width:
            return False
        self._arranged = self.strip.plots
        button = self._next_width()
        words = nametofont("AbqStrong").measure(LONGEST_PROGRESS) + 2 * BESIDE_GAP
        one_line = self.strip.width_of_one_line + words <= self._width
        changed = self.strip.fit(0 if one_line else self._width - words)
        beside = self.strip.width_of_one_line + words + button + BESIDE_GAP <= self._width
        place: dict[str, Any] = {"row": 0, "column": 2, "rowspan": 2, "columnspan": 1, "padx": (BESIDE_GAP, 0)}
        if not beside:
            place = {"row": 2, "column": 0, "rowspan": 1, "columnspan": 3, "padx": 0}
        self._next_room.configure(width=button)
        self._next_room.grid(sticky="w", pady=0 if beside else (4, 0), **place)
        return changed

    def _next_width(self) -> int:
        """Return the width in pixels of the button of the next check with the longest of its texts."""
        text = str(self.next_button.cget("text"))
        # Measured with the real button, because the width of a text depends on the font and the theme.
        self.next_button.configure(text=LONGEST_NEXT)
        width, height = self.next_button.winfo_reqwidth(), self.next_button.winfo_reqheight()
        self.next_button.configure(text=text)
        self._next_room.configure(height=height)
        return width

    def offer_day(self, offer: DayOffer | None) -> None:
        """Offer to go on to today, or remove the offer."""
        if offer is None and not self.day_line.text:
            return
        self.day_line.show(offer)
        self.day_line.update_idletasks()
        self._place_lines()

    def ask_technician(self, question: TechnicianQuestion | None) -> None:
        """Ask which technician the plots of a colleague's check belong to, or remove the question."""
        if self.technician_line.ask(question):
            self.technician_line.grid_forget()
            self.technician_line.place_forget()
            self.technician_line.update_idletasks()
            self._place_lines()

    def ask_date(self, found: DateQuestion | None) -> None:
        """Ask about the day of the check, show the question as answered, or remove it."""
        if self.date_line.show(found):
            self.date_line.grid_forget()
            self.date_line.place_forget()
            self.date_line.update_idletasks()
            self._place_lines()

    def _place_lines(self) -> None:
        """Place the questions so that nothing moves: beside date, time, lab and technician, else over the lines below
        these, which are empty while something is asked. A question that fits in neither place gets its own row."""
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

    def focus_strip(self) -> bool:
        """Put the focus on the strip, if it has plots."""
        if not self.strip.plots:
            return False
        give_focus(self.strip)
        return True

    def _describe_plot(self, words: str) -> None:
        """Show which plot the keyboard has chosen, in place of the progress of the check."""
        self._described_plot = words
        self.summary.show(words or self._summary_of_check)

    def focus_next_check(self) -> bool:
        """Put the focus on the button of the next check, if it is shown; return whether it is."""
        if not self.next_button.winfo_manager():
            return False
        give_focus(self.next_button)
        return True

    def show_look(self, look: Look) -> None:
        """Apply the colours and the spacing."""
        self.strip.show_look(look)


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
    """Return who else is entering the check, in one line, however many they are."""
    shown = [each.named if each.plot is None else f"{each.named} (plot {each.plot})" for each in others[:SHOWN_OTHERS]]
    more = len(others) - len(shown)
    if more:
        shown.append("one more" if more == 1 else f"{more} more")
    if len(shown) == 1:
        each = others[0]
        return f"{each.named} is entering this check{'' if each.plot is None else f' (plot {each.plot})'}."
    return f"{', '.join(shown[:-1])} and {shown[-1]} are entering this check."
