"""Loads Tcl's interpreter with Tk while our modules are imported: both take about the same time.

Imports as little as possible, not even tkinter, so that it begins soon.
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
"""The class of its windows, by which a desktop recognizes them."""
SWITCH_SECONDS = 0.0005
_LIBRARIES = ("libtk", "libtcl9tk")
_MAPS = "/proc/self/maps"


class Meanwhile:
    """Calls ``work()`` on another thread while the block runs, and waits for it at the end."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._thread = threading.Thread(target=work, name="imports")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()


def load(meanwhile: Callable[[], object] = lambda: None) -> TkappType:
    """Create an interpreter and load Tk into it, on the thread on which Tk will run.

    ``meanwhile()`` is called on another thread, and has ended when this returns; on Linux both run at once.
    Raises `tkinter.TclError` if Tk can't be loaded; on systems other than Linux, the root window loads it.
    """
    # Each call into Tk releases the interpreter lock, and a busy thread would then hold it for 5 ms.
    sys.setswitchinterval(SWITCH_SECONDS)
    if sys.platform == "win32":
        from ..themes import be_aware_of_dpi

        be_aware_of_dpi()
    with Meanwhile(meanwhile):
        # With the arguments of tkinter, except that Tk isn't loaded yet.
        interpreter = _tkinter.create(None, "abq-data-entry", CLASS, False, True, False)
        library = _linked_library()
        if library:
            # By a Tcl command, which lets other threads run; tkinter's own loading of Tk doesn't.
            interpreter.call("load", library, "Tk")
    return interpreter


def _linked_library() -> str:
    """Return the library file of Tk that tkinter is linked with; empty if there is none or the system doesn't tell."""
    try:
        with open(_MAPS, encoding="utf-8", errors="surrogateescape") as maps:  # noqa: PTH123 - pathlib comes later
            paths = [line[line.index("/") : -1] for line in maps if "/" in line]
    except OSError:
        return ""
    return next((path for path in paths if path.rpartition("/")[2].startswith(_LIBRARIES)), "")
