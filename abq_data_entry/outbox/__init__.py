"""Deliveries that arrive: an extract stands in a folder, with its schedule and its attempts, until it is delivered.

- `Outbox(folder)`: what is to be delivered and what became of it; survives a crash at any point.
- `deliver(outbox, delivery, send)`: one attempt, and when the next one is due; `may_pass(error)` tells failures that
  time may heal from others.
- `record(outbox, ledger)`: write into the database what it doesn't know yet.
- `retry`, `cancel`, `tidy`: another round, never, and what a crash left behind.

Everything but the names of extracts is imported with its first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .extract import NoRecords, Records, deliver_extract, extract_name

if TYPE_CHECKING:
    from .delivery import Attempt, Delivery, Destination
    from .errors import Busy, OutboxError, UnknownDelivery
    from .folder import Outbox
    from .passing import may_pass, retry_after
    from .recording import record
    from .schedule import is_due, next_attempt
    from .sending import Progress, Send, cancel, deliver, retry
    from .tidying import tidy

__all__ = [
    "Attempt",
    "Busy",
    "Delivery",
    "Destination",
    "NoRecords",
    "Outbox",
    "OutboxError",
    "Progress",
    "Records",
    "Send",
    "UnknownDelivery",
    "cancel",
    "deliver",
    "deliver_extract",
    "extract_name",
    "is_due",
    "may_pass",
    "next_attempt",
    "record",
    "retry",
    "retry_after",
    "tidy",
]

_HOMES = {
    "Attempt": "delivery",
    "Busy": "errors",
    "Delivery": "delivery",
    "Destination": "delivery",
    "Outbox": "folder",
    "OutboxError": "errors",
    "Progress": "sending",
    "Send": "sending",
    "UnknownDelivery": "errors",
    "cancel": "sending",
    "deliver": "sending",
    "is_due": "schedule",
    "may_pass": "passing",
    "next_attempt": "schedule",
    "record": "recording",
    "retry": "sending",
    "retry_after": "passing",
    "tidy": "tidying",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
