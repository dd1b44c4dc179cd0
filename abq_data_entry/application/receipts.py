"""Receivers' answers while the window is open: the mailbox is read once an hour, and at once where it tells news."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..jobs import ANY, Job, Jobs
from ..network.mailbox_address import KIND, configured
from ..workflows.deliver_day import open_outbox

if TYPE_CHECKING:
    import tkinter as tk

    from ..models import SQLModel
    from ..models.receipts import Receipt
    from ..outbox import Delivery
    from .messages import Messages, Say
    from .preferences import Settings
    from .state import State

log = logging.getLogger(__name__)

LOOK_MS = 10_000
READ_SECONDS = 3600.0
HEARD_SECONDS = 300.0
"""So often the database is asked what other workstations have read."""
SHOWN_SECONDS = 5.0
_SUBJECT = "Answers to Deliveries"

Values = Mapping[str, object]


class Answers:
    """Reads the mailbox of the settings, where its login is kept; else only hears what others have read. On the Tk
    thread. `may_deliver()`: whether the login may; `show_deliveries()` opens their window; `tell_damage(problems)`:
    who looks into the outbox first finds what is damaged there."""

    def __init__(
        self,
        window: tk.Misc,
        state: State,
        jobs: Jobs,
        settings: Settings,
        messages: Messages,
        say: Say,
        may_deliver: Callable[[], bool],
        show_deliveries: Callable[[], object],
        tell_damage: Callable[[Sequence[str]], object],
    ) -> None:
        self._window, self._state, self._jobs, self._settings = window, state, jobs, settings
        self._messages, self._say = messages, say
        self._may_deliver, self._show_deliveries, self._tell_damage = may_deliver, show_deliveries, tell_damage
        self._job: Job | None = None
        self._read_at, self._heard_at, self._shown_at = -READ_SECONDS, -HEARD_SECONDS, -SHOWN_SECONDS
        self._told: set[str] = set()
        self._news, self._end = threading.Event(), threading.Event()
        self._watcher: threading.Thread | None = None
        self.found: dict[str, list[Receipt]] = {}
        """What was answered, by the number of the delivery; as it was looked up last."""
        self._timer = window.after(LOOK_MS, self._tick)

    @property
    def is_reading(self) -> bool:
        """Whether the mailbox or the database is asked at the moment."""
        return self._job is not None and not self._job.finished

    def end(self) -> None:
        """The window closes."""
        self._window.after_cancel(self._timer)
        self._end.set()
        if self._job is not None:
            self._job.cancel.set()

    def look(self, now: bool = False) -> None:
        """Read what is new if it is time; `now`: at once."""
        model, values = self._state.reachable, self._settings.values()
        if self.is_reading or model is None or self._state.outdated or not self._may_deliver():
            return
        moment = time.monotonic()
        reads = configured(values) is not None and (
            now or self._news.is_set() or moment - self._read_at >= READ_SECONDS
        )
        if not reads and not now and moment - self._heard_at < HEARD_SECONDS:
            return
        self._heard_at = moment
        if reads:
            self._news.clear()
            self._read_at = moment
            self._take_in(model, values)
        else:
            self._job = self._jobs.submit("deliveries", _numbers, done=self._ask, failed=_unknown)

    def _ask(self, found: tuple[list[str], list[str]]) -> None:
        """Look whether another workstation has read an answer to one of ours: mostly there is none."""
        deliveries, problems = found
        self._tell_damage(problems)
        model = self._state.reachable
        if model is None or not deliveries:
            return

        def heard(found: Sequence[Receipt]) -> None:
            if found:
                self._take_in(model, None)

        self._job = self._jobs.submit(
            "records", lambda: model.get_receipts(deliveries, unsettled=True), done=heard, failed=_unknown
        )

    def _take_in(self, model: SQLModel, values: Values | None) -> None:
        def work(job: Job) -> tuple[list[Delivery], str, list[str]]:
            return _read(model, values, job.cancel)

        self._job = self._jobs.submit(ANY, work, name=_SUBJECT, done=self._looked, failed=_unknown, with_job=True)

    def look_up(self, deliveries: Sequence[str]) -> None:
        """Ask the database what was answered to these, though not more often than every few seconds."""
        model, moment = self._state.reachable, time.monotonic()
        if model is None or not deliveries or moment - self._shown_at < SHOWN_SECONDS:
            return
        self._shown_at = moment

        def show(found: Sequence[Receipt]) -> None:
            self.found = {}
            for each in found:
                self.found.setdefault(each.delivery, []).append(each)

        self._jobs.submit("records", model.get_receipts, list(deliveries), done=show, failed=_unknown)

    def _tick(self) -> None:
        self._timer = self._window.after(LOOK_MS, self._tick)
        self.look()

    def _looked(self, looked: tuple[list[Delivery], str, list[str]]) -> None:
        reopened, problem, damage = looked
        self._tell_damage(damage)
        if problem and problem not in self._told:  # once: the next look finds the same
            self._told.add(problem)
            self._say(f"The mailbox of answers wasn't read: {' '.join(problem.split())}")
            self._messages.note(_SUBJECT, "The mailbox of answers wasn't read.", problem)
        if reopened:
            self._shown_at = -SHOWN_SECONDS
            one = len(reopened) == 1
            what = f"{reopened[0].name} was refused" if one else f"{len(reopened)} files were refused"
            self._say(f"{what} by {'its receiver' if one else 'their receivers'}")
            self._messages.choice(
                _SUBJECT,
                f"{what} by {'its receiver' if one else 'their receivers'}. Your records are safe in the database.",
                "\n".join(f"{each.name}: {each.reason}" for each in reopened),
                (("Show Deliveries", self._show_deliveries), ("Close", None)),
            )
        if not problem:
            self._watch()

    def _watch(self) -> None:
        """Wait for news on a thread of its own, until the window closes or the connection ends."""
        model, values = self._state.reachable, self._settings.values()
        address = configured(values)
        is_waiting = self._watcher is not None and self._watcher.is_alive()
        if model is None or address is None or address.protocol != "imap" or is_waiting:
            return
        self._watcher = threading.Thread(
            target=_watched, args=(model, values, self._news, self._end), name="mailbox", daemon=True
        )
        self._watcher.start()


# -- on worker threads ----------------------------------------------------------------------------------


def _numbers() -> tuple[list[str], list[str]]:
    """The numbers of the deliveries of this computer, and what of its outbox is damaged."""
    box = open_outbox()
    return [each.identifier for each in box.deliveries()], box.problems


def _login(values: Values) -> tuple[str, str] | None:
    from .logins import look_up

    address = configured(values)
    assert address is not None
    return look_up(KIND, str(values["abq_answers_username"]), address.place).login


def _read(model: SQLModel, values: Values | None, cancel: threading.Event) -> tuple[list[Delivery], str, list[str]]:
    """Read the mailbox, if values are given; and what was answered to deliveries of this computer's outbox.

    Returns those that are open again, why the mailbox couldn't be read by what doesn't pass by itself, and what of the
    outbox is damaged.
    """
    from .. import outbox
    from ..network.failures import Cancelled, UserFacingError, describe_failure
    from ..workflows.receipts import read_mailbox, take_in

    box, problem = open_outbox(), ""
    if values is not None and (login := _login(values)) is not None:
        outbox.record(box, model)  # an answer is compared with what the database knows
        try:
            read_mailbox(model, values, login, cancel)
        except Cancelled:
            pass
        except (OSError, ValueError) as error:
            log.warning("the mailbox of answers wasn't read: %s", type(error).__name__)
            passes = isinstance(error, UserFacingError) and error.transient
            problem = "" if passes else describe_failure(error)
    return take_in(box, model), problem, box.problems


def _watched(model: SQLModel, values: Values, news: threading.Event, end: threading.Event) -> None:
    from ..models import DatabaseError
    from ..network.failures import Cancelled
    from ..workflows.receipts import watch_mailbox

    try:
        login = _login(values)
        if login is not None:
            watch_mailbox(model, values, login, news, end)
    except (Cancelled, DatabaseError, OSError, ValueError) as error:  # it is read once an hour all the same
        log.info("no news of the mailbox are heard any more: %s", type(error).__name__)


def _unknown(error: BaseException) -> None:
    # Of the database the window tells by itself, and the next look may find it again.
    log.warning("what was answered isn't known: %s", type(error).__name__)
