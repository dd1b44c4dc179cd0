"""One attempt at a delivery: the outbox says before it that it runs, and after it what became of it.

And several, one after the other: which are due, which share a login, and when to stop knocking.
"""

from __future__ import annotations

import datetime
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from ..network.failures import Cancelled, describe_failure, with_sentence
from .delivery import CANCELLED, DELIVERED, ENDED, FAILED, SENDING, WAITING, Attempt, Delivery
from .extract import Busy, OutboxError, UnknownDelivery
from .folder import Outbox, replaced_text
from .retry_policy import LIMIT, is_due, is_transient, login_refused, next_attempt, retry_after, unknown_host_key

log = logging.getLogger(__name__)

BROKEN_OFF = "Broken off: the application ended while it was sending."
_DAMAGED = "The file in the outbox is missing or damaged, so it wasn't sent. Upload the day again."
_GIVEN_UP = f"Given up after {LIMIT / 3600:.0f} hours of trying."

Progress = Callable[[int, int], object]


class Send(Protocol):
    """What brings a file to its destination under this name; raises what `network` raises."""

    def __call__(self, path: Path, *, name: str, progress: Progress, cancel: threading.Event) -> object: ...


def deliver(
    outbox: Outbox,
    identifier: str,
    send: Send,
    *,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    jitter: Callable[[], float] = random.random,
    patience: float = 0.0,
) -> tuple[Delivery, BaseException | None]:
    """Make one attempt; return the delivery as it is then, and the error if it wasn't delivered by this.

    A delivery that is delivered or cancelled already, or that a later version replaces, isn't sent. Raises `Busy` if
    another process is at it for longer than `patience` seconds, `UnknownDelivery`, `OSError` of the outbox itself, and
    what no program should catch (Ctrl-C), after which the delivery waits.
    """
    with outbox.lane(outbox.read(identifier), patience):
        delivery = outbox.read(identifier)
        if delivery.state in ENDED:
            return delivery, None
        if newer := outbox.replaced_by(delivery):
            return outbox.write(delivery, state=CANCELLED, planned=None, reason=replaced_text(newer)), None
        if not outbox.is_whole(delivery):
            error = OutboxError(_DAMAGED)
            return outbox.write(delivery, state=FAILED, planned=None, reason=_DAMAGED), error
        return _Sending(outbox, delivery, jitter).run(send, progress, cancel or threading.Event())


def retry(outbox: Outbox, delivery: Delivery) -> Delivery:
    """Begin another round: due at once, however often it failed. Raises `OutboxError` if it is delivered or cancelled.

    Raises `Busy` while it is being sent.
    """
    with outbox.lane(delivery):
        present = outbox.read(delivery.identifier)
        if present.state in ENDED:
            raise OutboxError(
                f"The delivery {present.short} is {present.state}, and its file isn't kept. Upload the day again."
            )
        return outbox.write(present, state=WAITING, planned=None, since=outbox.clock(), failures=0)


def cancel(outbox: Outbox, delivery: Delivery, reason: str = "Cancelled.") -> Delivery:
    """Never send it; its file is removed. Raises `Busy` while it is being sent, `OutboxError` if it is delivered."""
    with outbox.lane(delivery):
        present = outbox.read(delivery.identifier)
        if present.state == DELIVERED:
            raise OutboxError(f"The delivery {present.short} has arrived already.")
        return present if present.state == CANCELLED else outbox.write(
            present, state=CANCELLED, planned=None, reason=reason
        )


def give_up(outbox: Outbox, delivery: Delivery, reason: str) -> Delivery:
    """Let it have failed before it was sent; a person may retry. Raises `Busy` while it is being sent."""
    with outbox.lane(delivery):
        present = outbox.read(delivery.identifier)
        return present if present.state in ENDED else outbox.write(present, state=FAILED, planned=None, reason=reason)


def broken_off(outbox: Outbox, delivery: Delivery) -> Delivery:
    """Let a delivery whose sender was killed wait again; whoever calls this holds its lane."""
    attempts = delivery.attempts
    if attempts and not attempts[-1].outcome:
        last = attempts[-1]
        attempts = (*attempts[:-1], Attempt(last.started, None, last.sent, BROKEN_OFF))
    return outbox.write(delivery, state=WAITING, planned=None, attempts=attempts, reason=BROKEN_OFF)


class _Sending:
    """The attempt that runs now."""

    def __init__(self, outbox: Outbox, delivery: Delivery, jitter: Callable[[], float]) -> None:
        self._outbox = outbox
        self._delivery = delivery
        self._jitter = jitter
        self._sent = 0

    def run(
        self, send: Send, progress: Progress | None, cancel: threading.Event
    ) -> tuple[Delivery, BaseException | None]:
        if self._delivery.state == SENDING:  # of a process that is gone, since we hold the lane
            self._delivery = broken_off(self._outbox, self._delivery)
        self._begin()
        began = time.monotonic()

        def noted(sent: int, total: int) -> None:
            self._sent = sent
            if progress is not None:
                progress(sent, total)

        try:
            path, name = self._outbox.file_of(self._delivery), self._delivery.sent_as
            send(path, name=name, progress=noted, cancel=cancel)
        except Cancelled as error:
            return self._end(began, CANCELLED, "Cancelled."), error
        except Exception as error:
            return self._failed(began, error), error
        except BaseException:
            self._end(began, WAITING, BROKEN_OFF)
            raise
        return self._end(began, DELIVERED, "Delivered."), None

    def _begin(self) -> None:
        attempt = Attempt(self._outbox.clock())
        self._delivery = self._outbox.write(
            self._delivery, state=SENDING, planned=None, attempts=(*self._delivery.attempts, attempt)
        )
        log.info("%s: attempt %d begins", _named(self._delivery), len(self._delivery.attempts))

    def _failed(self, began: float, error: Exception) -> Delivery:
        reason = describe_failure(error)
        log.warning("%s: the attempt failed: %s", _named(self._delivery), type(error).__name__)
        if newer := self._outbox.replaced_by(self._delivery):
            return self._end(began, CANCELLED, reason, ending=replaced_text(newer))
        failures = self._delivery.failures + 1
        if not is_transient(error):
            return self._end(began, FAILED, reason, failures=failures)
        now = self._outbox.clock()
        planned = next_attempt(now, self._delivery.since, failures, retry_after(error, now), self._jitter())
        if planned is None:
            return self._end(began, FAILED, reason, failures=failures, ending=with_sentence(reason, _GIVEN_UP))
        return self._end(began, WAITING, reason, failures=failures, planned=planned)

    def _end(
        self,
        began: float,
        state: str,
        outcome: str,
        *,
        failures: int | None = None,
        planned: datetime.datetime | None = None,
        ending: str = "",
    ) -> Delivery:
        sent = self._delivery.size if state == DELIVERED else self._sent
        attempt = Attempt(self._delivery.attempts[-1].started, round(time.monotonic() - began, 3), sent, outcome)
        log.info("%s: %s", _named(self._delivery), state)
        return self._outbox.write(
            self._delivery,
            state=state,
            planned=planned,
            failures=self._delivery.failures if failures is None else failures,
            attempts=(*self._delivery.attempts[:-1], attempt),
            reason="" if state == DELIVERED else ending or outcome,
        )


def _named(delivery: Delivery) -> str:
    """Which version of which file goes where, for the log."""
    where = f"to {delivery.address} by {delivery.kind}"
    return f"delivery {delivery.short}, {delivery.name} version {delivery.version} {where}"


ENOUGH = 3
"""After so many failures in a row that may pass, the rest waits for another time: the service isn't well."""


class Service(NamedTuple):
    """What a login is for."""

    kind: str
    address: str
    username: str


def due(outbox: Outbox) -> list[Delivery]:
    """Return what waits and whose time has come, the oldest first."""
    now = outbox.clock()
    return [
        each for each in outbox.deliveries() if each.state == WAITING and is_due(now, each.planned, each.changed)
    ]


def by_service(deliveries: Iterable[Delivery]) -> dict[Service, list[Delivery]]:
    """Return the deliveries that need the same login together, in their order."""
    found: dict[Service, list[Delivery]] = {}
    for each in deliveries:
        found.setdefault(Service(each.kind, each.address, each.username), []).append(each)
    return found


def go_through(
    outbox: Outbox, deliveries: Sequence[Delivery], attempt: Callable[[Delivery], BaseException | None]
) -> list[Delivery]:
    """Make one attempt at each delivery to one service; return those that were left for another time.

    `attempt` returns the failure, if there was one. The rest is left after the server has said when it wants to be
    asked again (and not before that), after `ENOUGH` failures in a row that may pass, and after a refused login (more
    of the same might lock the account) or an unknown host key.
    """
    in_a_row = 0
    for number, each in enumerate(deliveries, 1):
        error = attempt(each)
        in_a_row = in_a_row + 1 if error is not None and is_transient(error) else 0
        if in_a_row and _told_to_wait(each, error):
            return _postponed(outbox, each, deliveries[number:])
        if login_refused(error) or unknown_host_key(error) or in_a_row == ENOUGH:
            return list(deliveries[number:])
    return []


def _told_to_wait(delivery: Delivery, error: BaseException | None) -> bool:
    return error is not None and bool(retry_after(error, delivery.changed))


def _postponed(outbox: Outbox, failed: Delivery, deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Plan what waits for the same moment as the one that failed; for a day later if that was given up."""
    planned, moment = list[Delivery](), outbox.read(failed.identifier).planned
    moment = moment or outbox.clock() + datetime.timedelta(seconds=LIMIT)
    for each in deliveries:
        with suppress(Busy, UnknownDelivery), outbox.lane(each):
            present = outbox.read(each.identifier)
            if present.state == WAITING:
                planned.append(outbox.write(present, planned=moment))
    return planned
