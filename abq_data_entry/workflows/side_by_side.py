"""Deliveries to several destinations at once, for a run that nobody watches: a server that doesn't answer holds up none
of the others, and the run ends.
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

from .deliver_day import Decisions, Login, NotNow, Outcome, Values, Watching, deliver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..outbox import Delivery, Outbox, Place, Progress, Service


class Limits(NamedTuple):
    """How many destinations are tried at once; seconds until no attempt begins any more, and until all are broken off.

    A schedule begins a run every ten minutes, so the first is less; a large file on a slow line may go on after it.
    """

    at_once: int = 8
    begin: float = 8 * 60
    end: float = 60 * 60


LIMITS = Limits()


def in_turn(deliveries: Sequence[Delivery]) -> list[list[Delivery]]:
    """Return them by where they go; what failed before comes last, so that it is waited for last."""
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
    """Make one attempt at each as `deliver` does, and tell what became of each, one at a time.

    What isn't begun in time waits for the next run, and so does what is broken off. Ctrl-C breaks all of them off.
    """
    run = _Run(box, values, decisions, progress_of, report, limits)
    queue = deque(in_turn(deliveries))
    ended = [threading.Event() for _ in range(min(limits.at_once, len(queue)))]

    def work(end: threading.Event) -> None:
        try:
            while queue and not run.stop.is_set():
                try:
                    these = queue.popleft()
                except IndexError:  # another one was quicker
                    return
                run.go(these)
        finally:
            end.set()

    for end in ended:
        # Each with what the subcommand tells of long waits. A thread that is stuck mustn't keep the process.
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


_TIDYING = 30.0  # seconds in which what is broken off is written down


class _Run:
    """What the threads share; `failure`: what nobody foresaw, the first of it."""

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
        self._told = set[str]()
        self._begun, self._limits = time.monotonic(), limits
        self.stop = threading.Event()
        self.failure: BaseException | None = None

    def go(self, these: Sequence[Delivery]) -> None:
        """Make an attempt at each of these; all that is left of them waits."""
        try:
            deliver(self._box, these, self._values, self._decisions, self._watch, self._tell)
        except KeyboardInterrupt:  # it was broken off by `stop`
            pass
        except BaseException as error:
            self.failure = self.failure or error
        self.leave(these)

    def leave(self, these: Sequence[Delivery]) -> None:
        """Report those that weren't reported yet."""
        for each in these:
            if each.identifier not in self._told:
                self._tell(Outcome(each, NotNow("waits for the next `deliveries run`, since this one took too long.")))

    def _tell(self, outcome: Outcome) -> None:
        with self._lock:
            self._told.add(outcome.delivery.identifier)
            self._report(outcome)

    @contextmanager
    def _watch(self, delivery: Delivery) -> Iterator[Watching]:
        if self.stop.is_set() or time.monotonic() - self._begun >= self._limits.begin:
            raise NotNow("waits for the next `deliveries run`, since this one took too long.")
        with self._progress_of(delivery) as progress:
            yield Watching(progress, self.stop, True)


class _OneAtATime:
    """The same decisions, never two at once: a keyring may ask for its own password."""

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
    # Not by joining the threads: once Ctrl-C interrupts that, Python before 3.13 takes a thread for ended (bpo-45274).
    until = time.monotonic() + seconds
    for each in ended:
        each.wait(max(until - time.monotonic(), 0.0))
