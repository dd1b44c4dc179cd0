"""Connections to a server that nobody has used for some minutes are closed: it has only so many for all windows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..jobs import ANY

if TYPE_CHECKING:
    import tkinter as tk

    from ..jobs import Jobs
    from .state import State

log = logging.getLogger(__name__)

IDLE_SECONDS = 180.0
LOOK_MS = 60_000


class IdleConnections:
    """Looks once a minute. Each connection is opened again when it is needed. On the Tk thread.

    ``is_own()``: the database is our own, which ends when nobody is connected to it any more.
    """

    def __init__(self, window: tk.Misc, state: State, jobs: Jobs, is_own: Callable[[], bool]) -> None:
        self._window, self._state, self._jobs, self._is_own = window, state, jobs, is_own
        self._timer = window.after(LOOK_MS, self.look)

    def end(self) -> None:
        """The window closes."""
        self._window.after_cancel(self._timer)

    def look(self) -> None:
        """Close what wasn't used for long, and look again later."""
        self._timer = self._window.after(LOOK_MS, self.look)
        model = self._state.reachable
        if model is not None and not self._is_own():
            self._jobs.submit(ANY, model.close_idle, IDLE_SECONDS, done=_closed, failed=_failed)


def _closed(number: int) -> None:
    if number:
        log.info("closed %d connections that were not used", number)


def _failed(error: BaseException) -> None:
    log.info("idle connections couldn't be closed: %s", type(error).__name__)
