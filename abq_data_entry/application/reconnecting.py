"""The way back to a database that went away: looked for in the background, less and less often, without a restart."""

from __future__ import annotations

import datetime
import logging
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..jobs import Job
from ..retrying import CLUSTER, DATABASE, Policy, Retries
from .connection import NoAnswer

if TYPE_CHECKING:
    from .window import Application

log = logging.getLogger(__name__)

PATIENCE_MS = 4000  # so long the database may take to answer before the form goes on without it
CLUSTER_SECONDS = 120  # so long a cluster may take to agree on a new primary: it is asked every second
SAME_OUTAGE_SECONDS = 10.0  # a database that is away again so soon was never really back
TICK_MS = 1000


class Reconnecting:
    """Knows whether the database is away, since when, and when it is tried again. On the Tk thread."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._retries = Retries(DATABASE)
        self._back_at = -math.inf
        self._by_itself = True
        self._timer = ""
        self._timers: set[str] = set()
        self._job: Job | None = None

    @property
    def since(self) -> datetime.datetime | None:
        """Since when the database is away."""
        return self._app.shared.away_since

    @property
    def error(self) -> BaseException | None:
        """Why it is away."""
        return self._app.shared.away_error

    @property
    def away(self) -> bool:
        """Whether the database is away: records wait on this computer meanwhile."""
        return self._app.shared.away

    @property
    def refused(self) -> bool:
        """Whether the database answers, but doesn't take the login any more."""
        from ..models import LoginFailed

        return self.away and isinstance(self.error, LoginFailed)

    def means_away(self, error: BaseException) -> bool:
        """Whether the error says that the database is away; from then on it is looked for."""
        from ..models import LoginFailed, ServerUnreachable
        from ..postgres import PostgresError

        if not isinstance(error, ServerUnreachable | PostgresError | LoginFailed):
            return False
        self.lost(error)
        return True

    def lost(self, error: BaseException, by_itself: bool = True) -> None:
        """The database is away. With ``by_itself`` it is looked for in the background, else on request only."""
        self._app.shared.away_error = error
        if self.away:
            return
        log.warning("the database is away: %s: %s", type(error).__name__, getattr(error, "detail", ""))
        self._app.shared.away_since = datetime.datetime.now().astimezone()
        self._by_itself = by_itself
        if time.monotonic() - self._back_at > SAME_OUTAGE_SECONDS:
            self._retries.succeeded()
        self._plan()
        self._app.checks.refresh()  # as the last known copy has it
        self._app.browsing.show_copy()

    def expect(self, job: Job, overdue: Callable[[], object] = lambda: None) -> None:
        """The database is away if it doesn't answer that request in time; then ``overdue`` is called."""

        def look() -> None:
            self._timers.discard(timer)
            if not job.finished:
                self.lost(NoAnswer("The database didn't answer in time."))
                overdue()

        timer = self._app.after(PATIENCE_MS, look)
        self._timers.add(timer)

    def retry_now(self) -> None:
        """Look for it now."""
        if self._job is not None:
            return
        self._cancel_timer()
        self._job = self._app.jobs.submit(
            "counting", self._app.connection.attempt, done=self._back, failed=self._still_away
        )
        self.show()

    def back(self) -> None:
        """The database answers, however that came about."""
        self._cancel_timer()
        if self.since is not None:
            log.info("the database is back after %d attempts", self._retries.failures)
            self._back_at = time.monotonic()
        self._app.shared.away_since = self._app.shared.away_error = None
        self.show()

    def end(self) -> None:
        """The window closes."""
        self._cancel_timer()
        for timer in self._timers:
            self._app.after_cancel(timer)

    def next_text(self) -> str:
        """When it is tried again, for people."""
        if self._job is not None or self._app.shared.opening:
            return "trying now…"
        return f"trying again in {math.ceil(self._retries.wait)} s" if self._timer else "not tried again by itself"

    def show(self) -> None:
        """Bring the line in the status bar up to date."""
        self._app.waiting.show_line()

    def _plan(self) -> None:
        self._retries.failed(self._policy())
        self._cancel_timer()
        if self._by_itself:
            self._wait()
        self.show()

    def _policy(self) -> Policy:
        since = self.since or datetime.datetime.now().astimezone()
        gone = (datetime.datetime.now().astimezone() - since).total_seconds()
        deciding = "," in str(self._app.settings["db_host"].get()) and gone < CLUSTER_SECONDS
        return CLUSTER if deciding else DATABASE

    def _wait(self) -> None:
        """Wait for the next attempt, and count the seconds meanwhile."""
        self._timer = self._app.after(min(TICK_MS, math.ceil(self._retries.wait * 1000)), self._tick)

    def _tick(self) -> None:
        self._timer = ""
        if self._retries.due:
            self.retry_now()
        else:
            self._wait()
            self.show()

    def _back(self, result: Any) -> None:
        self._job = None
        self._app.database_back(*result)

    def _still_away(self, error: BaseException) -> None:
        from ..models import LoginFailed, ServerUnreachable
        from ..postgres import PostgresError

        self._job = None
        if not self.away:
            return
        self._app.shared.away_error = error
        if isinstance(error, LoginFailed) or not isinstance(error, ServerUnreachable | PostgresError):
            log.warning("the database answers, but: %s", error)
            self._by_itself = False  # time doesn't heal it
        self._plan()

    def _cancel_timer(self) -> None:
        if self._timer:
            self._app.after_cancel(self._timer)
            self._timer = ""
