"""Connections to a server that nobody has used for some minutes are closed: it has only so many for all windows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..jobs import ANY

if TYPE_CHECKING:
    from .window import Application

log = logging.getLogger(__name__)

IDLE_SECONDS = 180.0
LOOK_MS = 60_000


class IdleConnections:
    """Looks once a minute. Each connection is opened again when it is needed. On the Tk thread."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._timer = application.after(LOOK_MS, self._look)

    def end(self) -> None:
        """The window closes."""
        self._app.after_cancel(self._timer)

    def _look(self) -> None:
        self._timer = self._app.after(LOOK_MS, self._look)
        model = self._app.data_model
        # Our own server ends when nobody is connected to it any more.
        if model is not None and self._app.settings["db_host"].get() and not self._app.reconnecting.away:
            self._app.jobs.submit(ANY, model.close_idle, IDLE_SECONDS, done=_closed, failed=_failed)


def _closed(number: int) -> None:
    if number:
        log.info("closed %d connections that were not used", number)


def _failed(error: BaseException) -> None:
    log.info("idle connections couldn't be closed: %s", type(error).__name__)
