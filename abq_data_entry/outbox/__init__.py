"""Deliveries that arrive: an extract stands in a folder, with its schedule and its attempts, until it is delivered.

- `Outbox(folder)`: what is to be delivered and what became of it; survives a crash at any point.
- `deliver(outbox, delivery, send)`: one attempt, and when the next one is due; `may_pass(error)` tells failures that
  time may heal from others.
- `record(outbox, ledger)`: write into the database what it doesn't know yet.
- `destination_of(kind, settings)`, `sender(kind, settings, username, password)`: where to, and by which protocol; a
  `with` around a sender makes it one login for all the files that are sent in it.
- `due`, `by_service`, `go_through`: what to send now, by login, and when to leave the rest for another time.
- `retry`, `cancel`, `tidy`: another round, never, and what a crash left behind.

Everything but the names of extracts is imported with its first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .extract import NoRecords, Records, extract_name

if TYPE_CHECKING:
    from .audit_head import heads_in
    from .delivery import Attempt, Delivery, Destination
    from .errors import Busy, OutboxError, SettingsUnusable, UnknownDelivery
    from .folder import Outbox
    from .passing import may_pass, retry_after
    from .protocols import Sender, destination_of, login_place, require_same, require_usable, sender
    from .recording import known_version, record, unrecorded
    from .refusals import login_refused, unknown_host_key
    from .rounds import Service, by_service, due, go_through
    from .schedule import is_due, next_attempt
    from .sending import Progress, Send, cancel, deliver, give_up, retry
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
    "Sender",
    "Service",
    "SettingsUnusable",
    "UnknownDelivery",
    "by_service",
    "cancel",
    "deliver",
    "destination_of",
    "due",
    "extract_name",
    "give_up",
    "go_through",
    "heads_in",
    "is_due",
    "known_version",
    "login_place",
    "login_refused",
    "may_pass",
    "next_attempt",
    "record",
    "require_same",
    "require_usable",
    "retry",
    "retry_after",
    "sender",
    "tidy",
    "unknown_host_key",
    "unrecorded",
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
    "Sender": "protocols",
    "Service": "rounds",
    "SettingsUnusable": "errors",
    "UnknownDelivery": "errors",
    "by_service": "rounds",
    "cancel": "sending",
    "deliver": "sending",
    "destination_of": "protocols",
    "due": "rounds",
    "give_up": "sending",
    "go_through": "rounds",
    "heads_in": "audit_head",
    "is_due": "schedule",
    "known_version": "recording",
    "login_place": "protocols",
    "login_refused": "refusals",
    "may_pass": "passing",
    "next_attempt": "schedule",
    "record": "recording",
    "require_same": "protocols",
    "require_usable": "protocols",
    "retry": "sending",
    "retry_after": "passing",
    "sender": "protocols",
    "tidy": "tidying",
    "unknown_host_key": "refusals",
    "unrecorded": "recording",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
