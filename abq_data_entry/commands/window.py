"""No subcommand: the window."""

import gc
import logging
import signal
import sys

from .. import garbage
from ..launcher import display
from .outcome import DONE, NOT_DONE, reason, tell
from .passwords import take_secrets

log = logging.getLogger(__name__)


def open_window() -> int:
    """Open the window and stay until it is closed; return the exit code, after the reason has been told."""
    take_secrets()  # the window asks for passwords, and the server it starts must not inherit them
    if not display.available():
        tell(display.NO_DISPLAY)
        return NOT_DONE
    log.info("the window opens (Python %s on %s)", sys.version.split()[0], sys.platform)
    try:
        _show()
    except NoDisplay:
        tell(display.NO_DISPLAY)
    except (Exception, KeyboardInterrupt) as error:
        missing = error.name if isinstance(error, ImportError) else None
        if missing in ("tkinter", "_tkinter"):
            from ..launcher.system_packages import advice

            tell(f"This Python ({sys.executable}) has no tkinter, so it can't open windows. {advice(['tkinter'])}")
        else:
            tell(reason(error))
    else:
        log.info("the window is closed")
        return DONE
    return NOT_DONE


class NoDisplay(Exception):
    """There is a name of a display, but no display."""


def _show() -> None:
    import tkinter as tk

    # Next to nothing of what is made until the window stands is garbage: it isn't searched, now or later.
    gc.disable()
    from ..application import Application

    try:
        window = Application()
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
