"""No subcommand: the window. Tk is loaded while the application is imported, so both are imported in functions."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress

from ..launcher import display

TYPE_CHECKING = False  # as typing has it, without an import
if TYPE_CHECKING:
    from _tkinter import TkappType


def open_window() -> int:
    """Open the window and stay until it is closed; return the exit code, after the reason has been told.

    Keeps the log meanwhile.
    """
    try:
        interpreter = load_tk() if display.available() else None
    except KeyboardInterrupt as error:
        return _failed(error)
    from .. import logfile

    with logfile.kept():
        return _open(interpreter)


def load_tk() -> TkappType | None:
    """Load Tk, and import the application meanwhile; ``None`` where that fails: opening the window says why."""
    # Next to nothing of what is made until the window stands is garbage: it isn't searched, now or later.
    gc.disable()
    with suppress(Exception):
        from ..application.interpreter import load

        return load(_import_application)
    return None


def _import_application() -> None:
    with suppress(Exception):  # whoever needs it imports it again, and is told
        from .. import logfile  # noqa: F401
        from ..application import window  # noqa: F401
        from . import outcome, passwords  # noqa: F401


def _open(interpreter: TkappType | None) -> int:
    import logging

    from .outcome import DONE, NOT_DONE, tell
    from .passwords import take_secrets

    log = logging.getLogger(__name__)
    take_secrets()  # the window asks for passwords, and the server it starts must not inherit them
    if not display.available():
        tell(display.NO_DISPLAY)
        return NOT_DONE
    log.info("the window opens (Python %s on %s)", sys.version.split()[0], sys.platform)
    try:
        _show(interpreter)
    except NoDisplay:
        tell(display.NO_DISPLAY)
    except (Exception, KeyboardInterrupt) as error:
        return _failed(error)
    else:
        log.info("the window is closed")
        return DONE
    return NOT_DONE


def _failed(error: BaseException) -> int:
    from .outcome import NOT_DONE, reason, tell

    missing = error.name if isinstance(error, ImportError) else None
    if missing in ("tkinter", "_tkinter"):
        from ..launcher.system_packages import advice

        tell(f"This Python ({sys.executable}) has no tkinter, so it can't open windows. {advice(['tkinter'])}")
    else:
        tell(reason(error))
    return NOT_DONE


class NoDisplay(Exception):
    """There is a name of a display, but no display."""


def _show(interpreter: TkappType | None) -> None:
    import signal
    import tkinter as tk

    from .. import garbage
    from ..application import Application

    try:
        window = Application(interpreter)
        gc.freeze()
        if window.interrupted:
            raise KeyboardInterrupt
    except tk.TclError as error:
        if "display" in str(error):
            raise NoDisplay from error
        raise
    garbage.collect_on_tk_thread(window)
    # Ctrl-C in the terminal closes the window as its close button does, and asks where something would be lost.
    signal.signal(signal.SIGINT, lambda number, frame: window.after_idle(window.quit_application))
    window.mainloop()
    gc.freeze()  # the process ends: nothing needs to be searched once more
