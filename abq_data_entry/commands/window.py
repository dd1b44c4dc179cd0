"""Without a subcommand: the window. Tk and the application are imported in functions, so that both load in parallel."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress

from ..launcher import display

TYPE_CHECKING = False  # as typing has it, without an import
if TYPE_CHECKING:
    from _tkinter import TkappType


def open_window() -> int:
    """Open the window and wait until it is closed; print the reason of a failure, and return the exit code.

    Events are logged to the log file meanwhile.
    """
    try:
        interpreter = load_tk() if display.available() else None
    except KeyboardInterrupt as error:
        return _report_failure(error)
    from .. import logfile

    with logfile.logging_to_file():
        return _open(interpreter)


def load_tk() -> TkappType | None:
    """Load Tk, and import the application meanwhile; return ``None`` if that fails, as opening the window then does."""
    # Little of what is created before the window is shown becomes garbage, so searching for it only costs time.
    gc.disable()
    with suppress(Exception):
        from ..application.interpreter import load

        return load(_import_application)
    return None


def _import_application() -> None:
    with suppress(Exception):  # the import is repeated where it is needed, and fails there
        from .. import logfile  # noqa: F401
        from ..application import window  # noqa: F401
        from . import outcome, passwords  # noqa: F401


def _open(interpreter: TkappType | None) -> int:
    import logging

    from .outcome import DONE, NOT_DONE, print_to_stderr
    from .passwords import take_secrets

    log = logging.getLogger(__name__)
    take_secrets()  # the window asks for passwords itself; the server that it starts must not inherit these
    if not display.available():
        print_to_stderr(display.NO_DISPLAY)
        return NOT_DONE
    log.info("the window opens (Python %s on %s)", sys.version.split()[0], sys.platform)
    try:
        _show(interpreter)
    except NoDisplay:
        print_to_stderr(display.NO_DISPLAY)
    except (Exception, KeyboardInterrupt) as error:
        return _report_failure(error)
    else:
        log.info("the window is closed")
        return DONE
    return NOT_DONE


def _report_failure(error: BaseException) -> int:
    from .outcome import NOT_DONE, print_to_stderr, reason

    missing = error.name if isinstance(error, ImportError) else None
    if missing in ("tkinter", "_tkinter"):
        from ..launcher.system_packages import advice

        missing = f"This Python ({sys.executable}) has no tkinter, so it can't open windows."
        print_to_stderr(f"{missing} {advice(['tkinter'])}")
    else:
        print_to_stderr(reason(error))
    return NOT_DONE


class NoDisplay(Exception):
    """A display is named, but can't be opened."""


def _show(interpreter: TkappType | None) -> None:
    import signal
    import tkinter as tk

    from .. import garbage
    from ..application import Application

    try:
        window = Application(interpreter)
        if window.interrupted:
            raise KeyboardInterrupt
    except tk.TclError as error:
        if "display" in str(error):
            raise NoDisplay from error
        raise
    garbage.collect_on_tk_thread(window)
    # Ctrl-C in the terminal works like the close button, which asks if something would be lost.
    signal.signal(signal.SIGINT, lambda number, frame: window.after_idle(window.quit_application))
    window.mainloop()
    gc.freeze()  # the process ends, so a last search for garbage isn't needed
