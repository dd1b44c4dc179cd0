"""Deliveries to several destinations at once, for unattended runs: a server that doesn't answer delays no other, and
the run has a time limit.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from .deliver_day import AttemptMonitor, Decisions, Login, NotAttempted, Outcome, Values, deliver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..outbox import Delivery, Outbox, Place, Progress, Service


class Limits(NamedTuple):
    """How many destinations are tried at once; the seconds after which no attempt begins, and all are interrupted.

    A schedule begins a run every ten minutes, so `begin` is less; a large file on a slow line may take until `end`.
    """

    at_once: int = 8
    begin: float = 8 * 60
    end: float = 60 * 60


LIMITS = Limits()


def group_by_place(deliveries: Sequence[Delivery]) -> list[list[Delivery]]:
    """Group deliveries by place; places where something failed before come last, so that they delay no other."""
    found: dict[Place, list[Delivery]] = {}
    for each in deliveries:
        found.setdefault(each.place, []).append(each)
    return sorted(found.values(), key=lambda these: min(each.failures for each in these) > 0)


def deliver_side_by_side(
    box: Outbox,
    deliveries: Sequence[Delivery],
    values: Values,
    decisions: Decisions,
    progress_of: Callable[[Delivery], AbstractContextManager[Progress]],
    report: Callable[[Outcome], object],
    limits: Limits = LIMITS,
) -> None:
    """Make one attempt at each delivery, as `deliver` does; `report` gets the outcomes, one at a time.

    Deliveries that aren't begun in time, or are interrupted, wait for the next run. Ctrl-C interrupts all of them.
    """
    run = _Run(box, values, decisions, progress_of, report, limits)
    queue = deque(group_by_place(deliveries))
    ended = [threading.Event() for _ in range(min(limits.at_once, len(queue)))]

    def work(end: threading.Event) -> None:
        try:
            while queue and not run.stop.is_set():
                try:
                    these = queue.popleft()
                except IndexError:  # another thread has taken the last
                    return
                run.go(these)
        finally:
            end.set()

    for end in ended:
        # With a copy of the context, which has the subcommand's progress. A daemon, so that it can't block the exit.
        called = partial(contextvars.copy_context().run, work, end)
        threading.Thread(target=called, name="deliveries", daemon=True).start()
    try:
        _await(ended, limits.end)
    finally:
        run.stop.set()
        _await(ended, _TIDYING)
    for these in queue:
        run.leave(these)
    if run.failure is not None:
        raise run.failure


_TOO_LONG = "waits for the next `deliveries run`, since this one took too long."
_TIDYING = 30.0  # seconds in which the outcomes of interrupted attempts are written


class _Run:
    """The state that the threads share; `failure`: the first unexpected exception."""

    def __init__(
        self,
        box: Outbox,
        values: Values,
        decisions: Decisions,
        progress_of: Callable[[Delivery], AbstractContextManager[Progress]],
        report: Callable[[Outcome], object],
        limits: Limits,
    ) -> None:
        self._box, self._values, self._progress_of, self._report = box, values, progress_of, report
        self._decisions = _OneAtATime(decisions)
        self._lock = threading.Lock()
        self._reported = set[str]()
        self._begun, self._limits = time.monotonic(), limits
        self.stop = threading.Event()
        self.failure: BaseException | None = None

    def go(self, these: Sequence[Delivery]) -> None:
        """Make an attempt at each of these; those that aren't attempted wait."""
        try:
            deliver(self._box, these, self._values, self._decisions, self._watch, self._report_once)
        except KeyboardInterrupt:  # interrupted by `stop`
            pass
        except BaseException as error:
            self.failure = self.failure or error
        self.leave(these)

    def leave(self, these: Sequence[Delivery]) -> None:
        """Report those that weren't reported yet as not attempted."""
        for each in these:
            if each.identifier not in self._reported:
                self._report_once(Outcome(each, NotAttempted(_TOO_LONG)))

    def _report_once(self, outcome: Outcome) -> None:
        with self._lock:
            self._reported.add(outcome.delivery.identifier)
            self._report(outcome)

    @contextmanager
    def _watch(self, delivery: Delivery) -> Iterator[AttemptMonitor]:
        if self.stop.is_set() or time.monotonic() - self._begun >= self._limits.begin:
            raise NotAttempted(_TOO_LONG)
        with self._progress_of(delivery) as progress:
            yield AttemptMonitor(progress, self.stop, True)


class _OneAtATime:
    """Asks for decisions one at a time, because a keyring may ask for its own password."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self._lock = threading.Lock()

    def login(self, service: Service) -> Login:
        """See `Decisions`."""
        with self._lock:
            return self._decisions.login(service)

    def trusts(self, host: str, fingerprint: str) -> bool:
        """See `Decisions`."""
        with self._lock:
            return self._decisions.trusts(host, fingerprint)


def _await(ended: Sequence[threading.Event], seconds: float) -> None:
    # Not by joining threads: if Ctrl-C interrupts a join, Python before 3.13 treats the thread as ended (bpo-45274).
    until = time.monotonic() + seconds
    for each in ended:
        each.wait(max(until - time.monotonic(), 0.0))
