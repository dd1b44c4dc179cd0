"""The root window, in an interpreter that was loaded before."""

from __future__ import annotations

import tkinter as tk
from typing import TYPE_CHECKING

from .interpreter import CLASS, load

if TYPE_CHECKING:
    from _tkinter import TkappType


class Root(tk.Tk):
    """A root window, of an interpreter from :func:`load` (else of one that is loaded now)."""

    def __init__(self, interpreter: TkappType | None = None) -> None:
        self._profile = "", ""
        loaded = load() if interpreter is None else interpreter
        super().__init__(className=CLASS, useTk=False)
        self.tk = loaded
        self.loadtk()
        super().readprofile(*self._profile)

    def destroy(self) -> None:
        """Close the window, and cancel its timers."""
        super().destroy()
        for each in self.tk.splitlist(self.tk.call("after", "info")):
            self.tk.call("after", "cancel", each)  # otherwise Tcl would report that its command no longer exists

    def readprofile(self, baseName: str, className: str) -> None:
        """Note the names of the user's own files for Tk, which are read once Tk is loaded, because they may use it."""
        self._profile = baseName, className
