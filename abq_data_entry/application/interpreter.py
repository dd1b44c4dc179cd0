"""Tcl's interpreter with Tk, loaded apart from the window that it is for: Tk takes as long to load as our modules do.

Imports nothing but tkinter, so that it can be the first to begin.
"""

from __future__ import annotations

import sys
import threading
import tkinter as tk

TYPE_CHECKING = False  # as typing has it, without an import
if TYPE_CHECKING:
    from _tkinter import TkappType
    from collections.abc import Callable

CLASS = "AbqDataEntry"
"""Its windows' class, by which a desktop knows them."""
SWITCH_SECONDS = 0.0005
_LIBRARIES = ("libtk", "libtcl9tk")
_MAPS = "/proc/self/maps"


class Root(tk.Tk):
    """A root window, of an interpreter from :func:`load` (else of one that is loaded now)."""

    def __init__(self, interpreter: TkappType | None = None) -> None:
        self._profile = "", ""
        loaded = load() if interpreter is None else interpreter
        super().__init__(className=CLASS, useTk=False)
        self.tk = loaded
        self.loadtk()
        super().readprofile(*self._profile)

    def readprofile(self, baseName: str, className: str) -> None:
        """The user's own files for Tk are read later: they may be about Tk, which isn't loaded yet."""
        self._profile = baseName, className


class _WithoutTk(tk.Tk):
    def readprofile(self, baseName: str, className: str) -> None:
        pass


def load(meanwhile: Callable[[], object] = lambda: None) -> TkappType:
    """Make an interpreter and load Tk into it; the thread is the one on which all of Tk will run.

    ``meanwhile()`` is called on another thread, and has ended when this returns: on Linux both go on at once.
    Raises tkinter.TclError where Tk can't be loaded, or leaves that to the making of the root window.
    """
    # Each call into Tk lets go of Python, and a busy thread would keep it for 5 ms each time.
    sys.setswitchinterval(SWITCH_SECONDS)
    if sys.platform == "win32":
        from ..themes import be_aware_of_dpi

        be_aware_of_dpi()
    interpreter: TkappType = _WithoutTk(className=CLASS, useTk=False).tk
    library = _linked_library()
    thread = threading.Thread(target=meanwhile, name="imports")
    thread.start()
    try:
        if library:
            # What Tcl is told to do lets other threads run. What tkinter does by itself, the same thing, doesn't.
            interpreter.call("load", library, "Tk")
    finally:
        thread.join()
    return interpreter


def _linked_library() -> str:
    """The file of the Tk that tkinter was linked with; empty where it has none, or where the system doesn't tell."""
    try:
        with open(_MAPS, encoding="utf-8", errors="surrogateescape") as maps:  # noqa: PTH123 - pathlib comes later
            paths = [line[line.index("/") : -1] for line in maps if "/" in line]
    except OSError:
        return ""
    return next((path for path in paths if path.rpartition("/")[2].startswith(_LIBRARIES)), "")
