"""Removes what a failed delivery left behind, over a connection of its own: the old one may be dead."""

import logging
import threading
import time
from collections.abc import Callable

from .guard import Guard

_LONGEST = 5.0  # seconds, in the background
_PATIENCE = 0.3  # seconds of them that a cancelled caller waits

log = logging.getLogger(__name__)


def tidy(work: Callable[[Guard], object], cancel: threading.Event | None) -> None:
    """Run `work` on a thread; its failures change nothing for the caller, who has one already.

    It goes on in the background when the caller cancels, who waits for it only for a moment then.
    """

    def run() -> None:
        try:
            with Guard(None, _LONGEST) as guard:
                work(guard)
        except Exception as error:
            log.info("a partial file could not be removed: %s", type(error).__name__)

    tidying = threading.Thread(target=run, name="network-tidying", daemon=True)
    tidying.start()
    end = time.monotonic() + _LONGEST
    while tidying.is_alive() and time.monotonic() < end and not (cancel and cancel.is_set()):
        tidying.join(0.05)
    tidying.join(_PATIENCE)
