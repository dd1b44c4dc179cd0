"""A window that stays open beside the form, until Escape or Ctrl+W closes it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from tkinter import ttk
from typing import TypeVar

from ..widgets.flow import Flow
from .placing import FRAME_HEIGHT, MARGIN, within_screen

_OFFSET = 32

Window = TypeVar("Window", bound="SideWindow")


class SideWindow(tk.Toplevel):
    """``room`` is the frame for its widgets; :meth:`show` once they are made."""

    def __init__(self, parent: tk.Misc, title: str) -> None:
        super().__init__(parent)
        self.withdraw()
        self.title(title)
        self.configure(background=ttk.Style(self).lookup("TFrame", "background"))
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self.room = ttk.Frame(self, padding=16)
        self.room.grid(row=0, column=0, sticky="nsew")
        self._over = parent.winfo_toplevel()
        self._timer = ""
        for key in ("<Escape>", "<Control-w>", "<Command-w>"):
            self.bind(key, lambda _event: self.destroy())

    def add_buttons(self, row: int, calls: Mapping[str, Callable[[], object]]) -> dict[str, ttk.Button]:
        """Buttons by their texts, in as many lines as the width makes necessary."""
        bar = Flow(self.room, len(calls))
        bar.grid(row=row, column=0, columnspan=2, sticky="ew", pady=(16, 0))
        made = {text: ttk.Button(bar, text=text, command=call) for text, call in calls.items()}
        for button in made.values():
            bar.add(button, 8)
        bar.bind("<Configure>", lambda event: bar.fit(event.width))
        return made

    def repeat(self, milliseconds: int, action: Callable[[], object]) -> None:
        """Call ``action`` now and after each such time, for as long as the window is open."""
        action()
        self._timer = self.after(milliseconds, self.repeat, milliseconds, action)

    def destroy(self) -> None:
        """Close it; the form has the keyboard again."""
        if self._timer:
            self.after_cancel(self._timer)
            self._timer = ""
        super().destroy()

    def show(self, first_focus: tk.Misc) -> None:
        """Bring it up near the window it belongs to, within the screen."""
        self.update_idletasks()
        width = min(self.winfo_reqwidth(), self.winfo_screenwidth() - 2 * MARGIN)
        height = min(self.winfo_reqheight(), self.winfo_screenheight() - FRAME_HEIGHT)
        x, y = self._over.winfo_rootx() + _OFFSET, self._over.winfo_rooty() + _OFFSET
        self.geometry(f"{width}x{height}{within_screen(self, width, height, x, y)}")
        if self._over.winfo_viewable():
            self.transient(self._over)
        self.deiconify()
        first_focus.focus_set()


def brought_up(parent: tk.Misc, kind: type[Window]) -> Window | None:
    """The open window of that kind, brought to the front; ``None`` if there is none."""
    shown = next((each for each in parent.winfo_children() if isinstance(each, kind)), None)
    if shown is not None:
        shown.lift()
    return shown
