"""The plots of a check as one strip: which are recorded, by whom, which is being entered, which are missing."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from enum import Enum
from tkinter import font as tkfont

from ..themes import LIGHT, Look, Palette
from .note_line import Tooltip


class PlotState(Enum):
    """What a cell of the strip tells, by colour and by mark."""

    MISSING = "missing"
    RECORDED = "recorded"
    RECORDED_BY_OTHER = "recorded by somebody else"
    ENTERED_BY_OTHER = "entered by somebody else"
    WAITING = "recorded, waiting on this computer"


class PlotStrip(tk.Canvas):
    """One cell a plot; a click calls ``go_to(plot)``.

    Tab passes it by. With the focus (:meth:`focus_set`) one cell is marked: the arrows, Home and End choose another,
    Enter and Space go to its plot, Escape, Tab and Shift+Tab call ``leave()``. ``tell(words)`` says which it is, and
    that it is over with an empty text.
    """

    def __init__(
        self,
        parent: tk.Misc,
        go_to: Callable[[int], object],
        leave: Callable[[], object] = lambda: None,
        tell: Callable[[str], object] = lambda words: None,
    ) -> None:
        super().__init__(parent, highlightthickness=0, borderwidth=0, takefocus=0)
        self._go_to, self._tell = go_to, tell
        self.chosen: int | None = None  # while it has the focus
        self._plots: tuple[int, ...] = ()
        self.states: dict[int, tuple[PlotState, str]] = {}
        self._current: int | None = None
        self.half_typed: frozenset[int] = frozenset()
        self._look = Look(LIGHT, 4, 24, False)
        self._room = 0
        self._cell, self._line = (0, 0, 0), 1  # the size of a cell, and how many stand in a line
        self._tooltip = Tooltip(self)
        self.bind("<Button-1>", self._clicked)
        self.bind("<Motion>", self._point)
        self.bind("<FocusIn>", lambda _event: self._choose(self._current or next(iter(self._plots), None)))
        self.bind("<FocusOut>", lambda _event: self._choose(None))
        for key, step in (("Left", -1), ("Right", 1), ("Up", None), ("Down", None), ("Home", None), ("End", None)):
            self.bind(f"<{key}>", lambda _event, key=key, step=step: self._step(key, step))  # type: ignore[misc]
        for key in ("Return", "KP_Enter", "space"):
            self.bind(f"<{key}>", lambda _event: self._entered())
        for key in ("Escape", "Tab", "<PrevWindow>"):
            self.bind(f"<{key}>", lambda _event: _done(leave))

    def show(
        self,
        plots: tuple[int, ...],
        states: dict[int, tuple[PlotState, str]],
        current: int | None,
        half_typed: frozenset[int] = frozenset(),
    ) -> None:
        """Show ``plots``; ``states`` gives state and technician of each, absent ones are missing. ``half_typed`` ones
        have a draft here, whatever else they are."""
        # Most changes of the form aren't the strip's.
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
        """The plots that are shown."""
        return self._plots

    @property
    def width_of_one_line(self) -> int:
        """How wide all cells are side by side."""
        width, _height, gap = self.cell_size()
        return len(self._plots) * (width + gap) + 2

    def fit(self, room: int) -> bool:
        """Draw the cells in as many lines as this width makes necessary; whether that has changed."""
        self._room = room
        if self.in_a_line() == self._line:
            return False
        self._arrange()
        return True

    def describe(self, plot: int) -> str:
        """The cell in words, for the tooltip."""
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
        """Mark the cell of that plot, and say which it is; ``None``: none."""
        self.chosen = plot
        self._draw()
        self._tell("" if plot is None else f"{self._in_words(plot)}.")

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
        text = tkfont.nametofont("AbqSmall")
        return text.measure("00") + 14, text.metrics("linespace") * 2 + 4, max(2, self._look.unit // 2)

    def in_a_line(self) -> int:
        """How many cells stand in a line: all of them, or so few that the lines are of the same length."""
        width, _height, gap = self.cell_size()
        count = len(self._plots)
        if not count or self._room <= 0 or self.width_of_one_line <= self._room:
            return max(1, count)
        # Of the same length, so that ten plots stand below ten.
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
            # A field half full.
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
            self.create_polygon(pointer, fill=p.accent, outline="")  # else Tk 9 draws one, in black

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

    def _point(self, event: tk.Event) -> None:
        plot = self.plot_at(event.x, event.y)
        self.configure(cursor="" if plot is None else "hand2")
        self._tooltip.point_at("" if plot is None else self.describe(plot))


def _done(action: Callable[[], object]) -> str:
    action()
    return "break"


def initials(name: str) -> str:
    """At most two capital initials of a person's name ("P Taylor" → "PT")."""
    return "".join(word[0] for word in name.split()[:2]).upper()
