"""Form and list: both where there is room, one at a time in a small window; and the window's size."""

from __future__ import annotations

import re
import tkinter as tk
from tkinter import ttk
from typing import Literal

from ..widgets import Scrolled

MINIMUM_WIDTH = 900
LIST_LINES = 7
# Title bar, menu and a desktop's panel: Tk learns their heights only once the window is on the screen.
FRAME_HEIGHT = 96
View = Literal["form", "list"]


class Layout:
    """Arranges the two views in ``pane``."""

    def __init__(self, window: tk.Tk, pane: ttk.PanedWindow, form: Scrolled, records: ttk.Frame) -> None:
        self._window, self._pane, self._form = window, pane, form
        self._views: dict[View, ttk.Frame] = {"form": form, "list": records}
        self._front: View = "form"
        self._shown: tuple[View, ...] = ()
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
        self._window.minsize(min(640, screen[0]), min(480, screen[1]))
        if match is None:
            self._window.geometry(f"{min(1180, screen[0])}x{min(860, screen[1] - FRAME_HEIGHT)}")
            return
        width, height = min(int(match[1]), screen[0]), min(int(match[2]), screen[1] - FRAME_HEIGHT)
        place = ""
        if match[3] is not None and 0 <= int(match[3]) < screen[0] - 100 and 0 <= int(match[4]) < screen[1] - 100:
            place = f"+{match[3]}+{match[4]}"
        self._window.geometry(f"{width}x{height}{place}")

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
            self._pane.sashpos(0, self._form.winfo_reqheight())

    def _arrange(self) -> None:
        form, records = self._views["form"], self._views["list"]
        self._form.arrange()
        row = int(ttk.Style(self._window).lookup("Treeview", "rowheight") or 20)
        wanted = form.winfo_reqheight() + LIST_LINES * row
        both = self._pane.winfo_height() >= wanted and self._pane.winfo_width() >= MINIMUM_WIDTH
        shown: tuple[View, ...] = ("form", "list") if both else (self._front,)
        if shown == self._shown:
            return
        self._shown = shown
        for pane in self._pane.panes():
            self._pane.forget(pane)
        if "form" in shown:
            self._pane.add(form, weight=0)
        if "list" in shown:
            self._pane.add(records, weight=1)
