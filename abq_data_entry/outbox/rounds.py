"""Several deliveries one after the other: which are due, which share a login, and when to stop knocking."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from .delivery import WAITING, Delivery
from .errors import Busy, UnknownDelivery
from .folder import Outbox
from .retry_policy import is_transient, login_refused, retry_after, unknown_host_key
from .schedule import LIMIT, is_due

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
