"""Tcl's interpreter with Tk, loaded apart from the window that it is for: Tk takes as long to load as our modules do.

Imports as little as can be, so that it begins soon: not even tkinter, which takes a while by itself.
"""

from __future__ import annotations

import _tkinter
import sys
import threading

TYPE_CHECKING = False  # as typing has it, without an import
if TYPE_CHECKING:
    from _tkinter import TkappType
    from collections.abc import Callable

CLASS = "AbqDataEntry"
"""Its windows' class, by which a desktop knows them."""
SWITCH_SECONDS = 0.0005
_LIBRARIES = ("libtk", "libtcl9tk")
_MAPS = "/proc/self/maps"


class Meanwhile:
    """Calls ``work()`` on another thread while the block runs; at the block's end it has ended too."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._thread = threading.Thread(target=work, name="imports")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()


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
    with Meanwhile(meanwhile):
        # As tkinter makes one: objects of Tcl are wanted as such, and Tk isn't loaded yet.
        interpreter = _tkinter.create(None, "abq-data-entry", CLASS, False, True, False)
        library = _linked_library()
        if library:
            # What Tcl is told to do lets other threads run. What tkinter does by itself, the same thing, doesn't.
            interpreter.call("load", library, "Tk")
    return interpreter


def _linked_library() -> str:
    """The file of the Tk that tkinter was linked with; empty where it has none, or where the system doesn't tell."""
    try:
        with open(_MAPS, encoding="utf-8", errors="surrogateescape") as maps:  # noqa: PTH123 - pathlib comes later
            paths = [line[line.index("/") : -1] for line in maps if "/" in line]
    except OSError:
        return ""
    return next((path for path in paths if path.rpartition("/")[2].startswith(_LIBRARIES)), "")
