"""Form and list: both where there is room, one at a time in a small window; and the window's size."""

from __future__ import annotations

import re
import tkinter as tk
from tkinter import ttk
from tkinter.font import nametofont
from typing import Literal

from ..views import DataRecordForm

# In pixels of a screen of 96 dots an inch; USUAL_LINE is the height of a line of the usual font.
MINIMUM_WIDTH = 900
SMALLEST, FIRST = (640, 480), (1180, 860)
USUAL_LINE = 15
USUAL_SCALING = 96 / 72
LIST_LINES = 7
# Title bar, menu and a desktop's panel: Tk learns their heights only once the window is on the screen.
FRAME_HEIGHT = 96
View = Literal["form", "list"]


class Layout:
    """Arranges the two views in ``pane``."""

    def __init__(self, window: tk.Tk, pane: ttk.PanedWindow, form: DataRecordForm, records: ttk.Frame) -> None:
        self._window, self._pane, self._form = window, pane, form
        self._views: dict[View, ttk.Frame] = {"form": form, "list": records}
        self._front: View = "form"
        self._shown: tuple[View, ...] = ()
        self._first: tuple[int, int] | None = None
        self._wanted = 0
        form.layout.on_resize(self._arrange)
        pane.bind("<Configure>", lambda _event: self._arrange())

    @property
    def shown(self) -> tuple[View, ...]:
        """Which views are visible now."""
        return self._shown

    def show(self, view: View) -> None:
        """Bring ``view`` to the front where only one fits."""
        self._front = view
        self._arrange()

    def fit(self) -> None:
        """Fonts or spacing have changed: what fits may have too."""
        self._window.after_idle(self._fit)

    def restore_size(self, geometry: str) -> None:
        """Give the window the size it had, within today's screen; else one that suits the screen."""
        screen = self._window.winfo_screenwidth(), self._window.winfo_screenheight()
        match = re.fullmatch(r"(\d+)x(\d+)(?:\+(-?\d+)\+(-?\d+))?", geometry)
        dots = max(1.0, float(self._window.tk.call("tk", "scaling")) / USUAL_SCALING)
        self._window.minsize(min(round(SMALLEST[0] * dots), screen[0]), min(round(SMALLEST[1] * dots), screen[1]))
        if match is None:
            self._suit_screen()
            return
        width, height = min(int(match[1]), screen[0]), min(int(match[2]), screen[1] - FRAME_HEIGHT)
        place = ""
        if match[3] is not None and 0 <= int(match[3]) < screen[0] - 100 and 0 <= int(match[4]) < screen[1] - 100:
            place = f"+{match[3]}+{match[4]}"
        self._window.geometry(f"{width}x{height}{place}")

    def suit_look(self) -> None:
        """The text has another size than was known at the start: so has the first window, if nobody has changed it."""
        if self._first == (self._window.winfo_width(), self._window.winfo_height()):
            self._suit_screen()

    @property
    def _scale(self) -> float:
        """How much larger a line of text is than with the usual font on a usual screen."""
        return max(1.0, nametofont("TkDefaultFont", self._window).metrics("linespace") / USUAL_LINE)

    def _suit_screen(self) -> None:
        """Give the first window the size in which form and list are both seen, within the screen."""
        width = min(round(FIRST[0] * self._scale), self._window.winfo_screenwidth())
        height = min(round(FIRST[1] * self._scale), self._window.winfo_screenheight() - FRAME_HEIGHT)
        self._first = width, height
        self._window.geometry(f"{width}x{height}")

    def remember_size(self, variable: tk.Variable) -> None:
        """Keep the window's size and place for the next start."""
        if self._window.state() == "normal":
            variable.set(self._window.geometry())

    def _fit(self) -> None:
        # The new fonts' sizes are known only when Tk has laid out what they change; so is what then fits.
        self._window.update_idletasks()
        self._arrange()
        self._window.update_idletasks()
        if len(self._shown) == 2:
            self._pane.sashpos(0, self._form.layout.wanted_height)

    def _arrange(self) -> None:
        form, records = self._views["form"], self._views["list"]
        self._form.layout.arrange()
        needs = self._form.layout.wanted_height
        row = int(ttk.Style(self._window).lookup("Treeview", "rowheight") or 20)
        wanted = needs + LIST_LINES * row
        both = self._pane.winfo_height() >= wanted and self._pane.winfo_width() >= MINIMUM_WIDTH * self._scale
        shown: tuple[View, ...] = ("form", "list") if both else (self._front,)
        if shown == self._shown:
            if both and needs != self._wanted:
                self._wanted = needs
                self._pane.sashpos(0, needs)
            return
        self._wanted = 0  # where the line between both is, once both are seen
        self._shown = shown
        for pane in self._pane.panes():
            self._pane.forget(pane)
        if "form" in shown:
            self._pane.add(form, weight=0)
        if "list" in shown:
            self._pane.add(records, weight=1)
