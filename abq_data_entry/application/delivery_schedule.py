"""Deliveries by schedule while the window is open: one workstation at a time looks each minute what is due."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from ..jobs import ANY, Job, Jobs
from ..network.destinations import destination, stored_in
from ..stored_destination import BY_HAND, StoredDestination
from ..workflows.deliver_day import open_outbox

if TYPE_CHECKING:
    import tkinter as tk

    from ..workflows.scheduled import Scheduled
    from .deliveries import Deliveries
    from .logins import Login
    from .messages import Messages, ShowStatus
    from .preferences import Settings
    from .state import State

log = logging.getLogger(__name__)

LOOK_MS = 60_000
SUBJECT = "Deliveries by Schedule"


class DeliverySchedule:
    """Sends what is due as a command of the user would; silent, unless a login is missing. On the Tk thread.

    The database decides what is due, by its clock and the labs' time zone; a computer that was asleep is late, and then
    sends at once. `may_deliver()`: whether the login may deliver; `upload(destination, date)` delivers, with its login.
    """

    def __init__(
        self,
        window: tk.Misc,
        state: State,
        jobs: Jobs,
        settings: Settings,
        messages: Messages,
        show_status: ShowStatus,
        deliveries: Deliveries,
        may_deliver: Callable[[], bool],
        upload: Callable[..., object],
    ) -> None:
        self._window, self._state, self._jobs, self._settings = window, state, jobs, settings
        self._messages, self._show_status, self._deliveries = messages, show_status, deliveries
        self._may_deliver, self._upload = may_deliver, upload
        self._reported: set[tuple[str, object]] = set()
        self._job: Job | None = None
        self._timer = window.after(LOOK_MS, self._tick)

    @property
    def is_looking(self) -> bool:
        """Whether it is now looking for what is due."""
        return self._job is not None and not self._job.finished

    def end(self) -> None:
        """Stop: the window closes."""
        self._window.after_cancel(self._timer)
        if self._job is not None:
            self._job.cancel.set()

    def _tick(self) -> None:
        self._timer = self._window.after(LOOK_MS, self._tick)
        self.look()

    def look(self) -> None:
        """Look in the background for what is due, if there are schedules and the database is there."""
        model, values = self._state.reachable, self._settings.values()
        scheduled = [each for each in stored_in(values) if each.schedule != BY_HAND]
        if not scheduled or self.is_looking or model is None or self._state.outdated or not self._may_deliver():
            return
        known = self._deliveries.logins
        logins, silent = known.known(scheduled, values), known.keyring_silent

        def work(job: Job) -> Scheduled:
            from ..workflows.scheduled import enqueue_due  # imported here, so that it doesn't slow the start

            return enqueue_due(open_outbox(), model, values, partial(_login, logins, silent))

        self._job = self._jobs.submit(ANY, work, name=SUBJECT, done=self._looked, failed=self._failed, with_job=True)

    def _looked(self, looked: Scheduled) -> None:
        for delivery, login in looked.waiting:
            self._deliveries.send(delivery.kind, [delivery], looked.values, login)
        for problem in looked.problems:
            log.warning("%s: %s", SUBJECT, problem)
            self._report_once(("", problem), problem)
        for due in looked.without_login:
            name = destination(due.destination).name
            self._report_once(
                (due.destination, due.date),
                f"The records of {due.date} are due at {name}, and nobody has logged in there on this computer.",
                ("Deliver Now", partial(self._upload, due.destination, due.date)),
            )

    def _report_once(
        self, what: tuple[str, object], text: str, action: tuple[str, Callable[[], object]] | None = None
    ) -> None:
        """Report a problem once, because the next look finds it again."""
        if what in self._reported:
            return
        self._reported.add(what)
        self._show_status(text)
        self._messages.choice(SUBJECT, text, "", (*((action,) if action else ()), ("Close", None)))

    def _failed(self, error: BaseException) -> None:
        # Only logged: the window itself reports problems of the database, and the next look may succeed.
        log.warning("what is due by schedule isn't known: %s: %s", type(error).__name__, error)


def _login(
    known: Mapping[str, Login | None], silent: str, row: StoredDestination, values: Mapping[str, object]
) -> Login | None:
    """Return this session's login, else a stored one; on a worker thread. `silent`: why the keyring isn't asked."""
    from .logins import look_up

    if row.key in known:
        return known[row.key]
    return look_up(row.key, row.username, destination(row.key).login_place(values), silent).login
