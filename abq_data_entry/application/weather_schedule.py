"""Fetches the weather while the window is open: once an hour, and after a pause what was missed.

The stored results of QA's views are refreshed at the same time, on a connection of their own, whoever is logged in.
"""

from __future__ import annotations

import datetime
import logging
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..jobs import ANY, Job, Jobs

if TYPE_CHECKING:
    import tkinter as tk

    from ..workflows.fill_weather import Kept
    from .messages import Messages
    from .preferences import Settings
    from .state import State

log = logging.getLogger(__name__)

WEATHER_MISSING = "No Weather"
LOOK_MS = 20_000
FIRST_SECONDS = 60.0  # later than the start, because the user wants to type then
MINUTE = 20  # stations report about five minutes before the hour, and the services need up to 20 minutes
SPREAD_SECONDS = 240.0  # so that not all laboratories ask in the same second
LONG = datetime.timedelta(hours=6)  # a shorter gap isn't reported, because the next run fills it
AHEAD = datetime.timedelta(hours=2)  # a run due even later was planned before the clock was set back
SEVERAL = 3  # failed runs in a row before it is reported: a single one may have met a network not ready yet


class WeatherSchedule:
    """Looks at the clock now and again: a computer that was asleep is late, and then fetches at once. On the Tk thread.

    ``may_store()``: whether the login may store observations. It reports a failure only if no weather was observed for
    hours.
    """

    def __init__(
        self,
        window: tk.Misc,
        state: State,
        jobs: Jobs,
        settings: Settings,
        messages: Messages,
        may_store: Callable[[], bool],
    ) -> None:
        self._window, self._state, self._jobs, self._settings = window, state, jobs, settings
        self._messages, self._may_store = messages, may_store
        self.now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.timezone.utc)
        """Returns the present time."""
        self.due: datetime.datetime | None = None
        """When the next run is due; `None` until the database was open."""
        self._after_a_pause = True
        self._job: Job | None = None
        self._keeping: Job | None = None
        self._runs_in_vain = 0
        self._timer = window.after(LOOK_MS, self._tick)

    def begin(self) -> None:
        """Fetch soon what is missing, because the database is open now."""
        self.due = self.now() + datetime.timedelta(seconds=_between(FIRST_SECONDS, 2 * FIRST_SECONDS))
        self._after_a_pause = True

    def end(self) -> None:
        """Stop: the window closes."""
        self._window.after_cancel(self._timer)
        for job in (self._job, self._keeping):
            if job is not None:
                job.cancel.set()

    def _tick(self) -> None:
        self._timer = self._window.after(LOOK_MS, self._tick)
        self.look()

    def look(self) -> None:
        """Fetch in the background what is due by now, if it is wanted and the database is there."""
        model, now = self._state.reachable, self.now()
        is_busy = self._job is not None and not self._job.finished
        is_later = self.due is None or now < self.due <= now + AHEAD
        if is_later or is_busy or model is None or self._state.outdated:
            return
        self.due = next_run(now, _between(0, SPREAD_SECONDS))
        values = self._settings.values()
        if not values["weather_schedule"]:
            return
        # Imported here, so that they don't slow the start.
        from ..workflows.fill_weather import catch_up
        from ..workflows.keep_views import keep_views

        if self._keeping is None or self._keeping.finished:  # also for a login that may only read
            self._keeping = self._jobs.submit(
                ANY, lambda job: keep_views(model, job.cancel), name="keeping for QA's views", with_job=True
            )
        if not self._may_store():
            return
        after_a_pause, self._after_a_pause = self._after_a_pause, False

        def work(job: Job) -> Kept:
            return catch_up(model, values, after_a_pause, job.cancel)

        self._job = self._jobs.submit(
            ANY, work, name="hourly weather", done=self._kept, failed=self._failed, with_job=True
        )

    def _kept(self, kept: Kept) -> None:
        if kept.counts.new or kept.counts.filled:
            log.info("weather: %d observations stored, %d completed", kept.counts.new, kept.counts.filled)
        for problem in kept.problems:
            log.info("weather: %s", problem)
        newest = kept.newest
        if newest is None or self.now() - newest <= LONG or not kept.problems:
            self._runs_in_vain = 0
            self._messages.settled(WEATHER_MISSING)
            return
        self._runs_in_vain += 1
        if self._runs_in_vain == SEVERAL:  # reported once; the attempts go on
            since = f"No weather was observed since {newest.astimezone():%Y-%m-%d %H:%M}."
            self._messages.note(WEATHER_MISSING, f"{since} It is tried again every hour.", "\n".join(kept.problems))

    def _failed(self, error: BaseException) -> None:
        """Report a setting that can't be used, once; the window itself reports problems of the database."""
        from ..network import InvalidInput

        log.warning("the hourly weather was not stored: %s: %s", type(error).__name__, error)
        if isinstance(error, InvalidInput) and self._runs_in_vain == 0:
            self._runs_in_vain = SEVERAL
            self._messages.note(WEATHER_MISSING, "The weather isn't fetched every hour.", str(error))


def _between(least: float, most: float) -> float:
    return random.uniform(least, most)  # noqa: S311 - it only spreads the load


def next_run(now: datetime.datetime, later: float) -> datetime.datetime:
    """Return the next moment that is so many seconds after 20 past an hour."""
    found = now.replace(minute=MINUTE, second=0, microsecond=0)
    if found <= now:
        found += datetime.timedelta(hours=1)
    return found + datetime.timedelta(seconds=later)
