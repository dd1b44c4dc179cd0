"""What the database is told of deliveries: each state once, later if it can't be reached now."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from ..models.errors import DatabaseError
from .delivery import Delivery
from .extract import extract_name
from .folder import Outbox

log = logging.getLogger(__name__)

_AT_ONCE = 200


class Ledger(Protocol):
    """What is needed of the database; takes the same row twice, and an older one without effect."""

    def record_deliveries(self, rows: Sequence[Mapping[str, object]]) -> None: ...

    def latest_delivery(self, date: datetime.date, file_name: str, destination: str) -> int: ...


def record(outbox: Outbox, ledger: Ledger, only: Delivery | None = None) -> str:
    """Write what the database doesn't know yet; return the reason if it can't be done now, '' if all is written.

    `only`: a delivery that has just changed; the others are not looked at.
    """
    unknown = unrecorded(outbox) if only is None else [only]
    for start in range(0, len(unknown), _AT_ONCE):
        these = unknown[start : start + _AT_ONCE]
        try:
            ledger.record_deliveries([as_row(each) for each in these])
        except DatabaseError as error:
            log.warning("deliveries could not be recorded: %s: %s", type(error).__name__, error.detail)
            return str(error)
        for each in these:
            outbox.note_recorded(each)
    return ""


def known_version(ledger: Ledger, date: datetime.date, kind: str) -> int:
    """Return the highest version of a day's extract that the database knows of, from any machine; 0 if it can't say."""
    try:
        return ledger.latest_delivery(date, extract_name(date), kind)
    except DatabaseError as error:
        log.warning("versions of deliveries are not known: %s: %s", type(error).__name__, error.detail)
        return 0


def unrecorded(outbox: Outbox) -> list[Delivery]:
    """Return the deliveries whose present state the database doesn't know yet."""
    return [each for each in outbox.deliveries() if outbox.recorded(each) < each.revision]


def as_row(delivery: Delivery) -> dict[str, object]:
    """Return the columns of `deliveries` that this delivery has."""
    return {
        "id": delivery.identifier,
        "file_name": delivery.name,
        "version": delivery.version,
        "date": delivery.date,
        "destination": delivery.kind,
        "address": delivery.address,
        "username": delivery.username,
        "size": delivery.size,
        "sha256": delivery.sha256,
        "created": delivery.created,
        "state": delivery.state,
        "attempts": len(delivery.attempts),
        "last_attempt": delivery.attempts[-1].started if delivery.attempts else None,
        "delivered": delivery.delivered,
        "reason": delivery.reason or None,
        "revision": delivery.revision,
        "audit_head": delivery.audit_head or None,
    }
