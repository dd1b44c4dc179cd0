"""The way back to a database that went away: looked for in the background, less and less often, without a restart."""

from __future__ import annotations

import datetime
import logging
import math
import time
import tkinter as tk
from collections.abc import Callable
from typing import Any, NamedTuple

from ..jobs import Job, Jobs
from ..retrying import CLUSTER, DATABASE, Policy, Retries
from .connection import NoAnswer
from .state import State

log = logging.getLogger(__name__)

PATIENCE_MS = 4000  # so long the database may take to answer before the form goes on without it
CLUSTER_SECONDS = 120  # so long a cluster may take to agree on a new primary: it is asked every second
SAME_OUTAGE_SECONDS = 10.0  # a database that is away again so soon was never really back
TICK_MS = 1000


class ReconnectingCallbacks(NamedTuple):
    """What others do for the way back.

    ``attempt()``, on a worker thread, asks for the database: model and lists; ``back(model, lists)``: it answers again;
    ``went_away()``: show the last known copy; ``show()``: when it is tried again has changed; ``is_cluster()`` tells
    whether several servers are configured.
    """

    attempt: Callable[[], tuple[Any, Any]]
    back: Callable[[Any, Any], object]
    went_away: Callable[[], object]
    show: Callable[[], object]
    is_cluster: Callable[[], bool]


class Reconnecting:
    """Tells whether the database is away, and when it is tried again. On the Tk thread."""

    def __init__(self, window: tk.Misc, state: State, jobs: Jobs, callbacks: ReconnectingCallbacks) -> None:
        self._window, self._state, self._jobs, self._callbacks = window, state, jobs, callbacks
        self._retries = Retries(DATABASE)
        self._back_at = -math.inf
        self._by_itself = True
        self._timer = ""
        self._job: Job | None = None

    @property
    def away(self) -> bool:
        """Whether the database is away: records wait on this computer meanwhile."""
        return self._state.away

    def means_away(self, error: BaseException) -> bool:
        """Whether the error says that the database is away; from then on it is looked for."""
        from ..models.errors import LoginFailed, ServerUnreachable
        from ..postgres import PostgresError

        if not isinstance(error, ServerUnreachable | PostgresError | LoginFailed):
            return False
        self.lost(error)
        return True

    def lost(self, error: BaseException, by_itself: bool = True) -> None:
        """The database is away. With ``by_itself`` it is looked for in the background, else on request only."""
        self._state.away_error = error
        if self._state.away:
            return
        log.warning("the database is away: %s: %s", type(error).__name__, getattr(error, "detail", ""))
        self._state.away_since = datetime.datetime.now().astimezone()
        self._by_itself = by_itself
        if time.monotonic() - self._back_at > SAME_OUTAGE_SECONDS:
            self._retries.succeeded()
        self._plan()
        self._callbacks.went_away()

    def expect(self, job: Job, overdue: Callable[[], object] = lambda: None) -> None:
        """The database is away if it doesn't answer that request in time; then ``overdue`` is called."""

        def late() -> None:
            self.lost(NoAnswer("The database didn't answer in time."))
            overdue()

        job.timers.append(self._window.after(PATIENCE_MS, late))

    def retry_now(self) -> None:
        """Look for it now."""
        if self._job is not None:
            return
        self._cancel_timer()
        self._job = self._jobs.submit("counting", self._callbacks.attempt, done=self._back, failed=self._still_away)
        self._callbacks.show()

    def back(self) -> None:
        """The database answers, however that came about."""
        self._cancel_timer()
        if self._state.away:
            log.info("the database is back after %d attempts", self._retries.failures)
            self._back_at = time.monotonic()
        self._state.away_since = self._state.away_error = None
        self._callbacks.show()

    def end(self) -> None:
        """The window closes."""
        self._cancel_timer()

    def next_text(self) -> str:
        """When it is tried again, for people."""
        if self._job is not None or self._state.opening:
            return "trying now…"
        return f"trying again in {math.ceil(self._retries.wait)} s" if self._timer else "not tried again by itself"

    def _plan(self) -> None:
        self._retries.failed(self._policy())
        self._cancel_timer()
        if self._by_itself:
            self._wait()
        self._callbacks.show()

    def _policy(self) -> Policy:
        since = self._state.away_since or datetime.datetime.now().astimezone()
        gone = (datetime.datetime.now().astimezone() - since).total_seconds()
        deciding = self._callbacks.is_cluster() and gone < CLUSTER_SECONDS
        return CLUSTER if deciding else DATABASE

    def _wait(self) -> None:
        """Wait for the next attempt, and count the seconds meanwhile."""
        self._timer = self._window.after(min(TICK_MS, math.ceil(self._retries.wait * 1000)), self._tick)

    def _tick(self) -> None:
        self._timer = ""
        if self._retries.due:
            self.retry_now()
        else:
            self._wait()
            self._callbacks.show()

    def _back(self, result: Any) -> None:
        self._job = None
        self._callbacks.back(*result)

    def _still_away(self, error: BaseException) -> None:
        from ..models.errors import LoginFailed, ServerUnreachable
        from ..postgres import PostgresError

        self._job = None
        if not self._state.away:
            return
        self._state.away_error = error
        if isinstance(error, LoginFailed) or not isinstance(error, ServerUnreachable | PostgresError):
            log.warning("the database answers, but: %s", error)
            self._by_itself = False  # time doesn't heal it
        self._plan()

    def _cancel_timer(self) -> None:
        if self._timer:
            self._window.after_cancel(self._timer)
            self._timer = ""
