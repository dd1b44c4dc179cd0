"""The outbox: an extract is kept in a folder, with the plan and the attempts of its delivery, until it is delivered.

- `Outbox(folder)`: the deliveries and their states; safe against a crash at any point.
- `deliver(outbox, delivery, send)`: one attempt, and when the next one is due. `is_transient(error)`: whether a failure
  is temporary.
- `record(outbox, ledger)`: write the states of deliveries to the database that it doesn't have yet.
- `sender(kind, settings, username, password)`: a context manager that sends files to a destination, over one login.
- `due`, `by_service`, `attempt_each`: what to send now, grouped by login, and when to postpone the rest.
- `retry`, `cancel`: begin another round of attempts; never send it.

Everything is imported at its first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..network.destination import Place
    from .delivery import (
        Attempt,
        Busy,
        Delivery,
        NoRecords,
        OutboxError,
        Records,
        SettingsUnusable,
        UnknownDelivery,
        companions,
        extract_name,
        head_of,
    )
    from .folder import Outbox
    from .retry_policy import (
        is_due,
        is_transient,
        login_refused,
        next_attempt,
        outcome_unknown,
        retry_after,
        unknown_host_key,
    )
    from .sending import (
        Progress,
        Send,
        Sender,
        Service,
        arrived,
        attempt_each,
        by_service,
        cancel,
        deliver,
        due,
        give_up,
        known_version,
        record,
        reopen,
        require_same,
        require_usable,
        retry,
        sender,
    )

__all__ = [
    "Attempt",
    "Busy",
    "Delivery",
    "NoRecords",
    "Outbox",
    "OutboxError",
    "Place",
    "Progress",
    "Records",
    "Send",
    "Sender",
    "Service",
    "SettingsUnusable",
    "UnknownDelivery",
    "arrived",
    "attempt_each",
    "by_service",
    "cancel",
    "companions",
    "deliver",
    "due",
    "extract_name",
    "give_up",
    "head_of",
    "is_due",
    "is_transient",
    "known_version",
    "login_refused",
    "next_attempt",
    "outcome_unknown",
    "record",
    "reopen",
    "require_same",
    "require_usable",
    "retry",
    "retry_after",
    "sender",
    "unknown_host_key",
]

_MODULES = {
    "delivery": (
        *("Attempt", "Busy", "Delivery", "NoRecords", "OutboxError", "Place", "Records", "SettingsUnusable"),
        *("UnknownDelivery", "companions", "extract_name", "head_of"),
    ),
    "folder": ("Outbox",),
    "retry_policy": (
        *("is_due", "is_transient", "login_refused", "next_attempt", "outcome_unknown", "retry_after"),
        "unknown_host_key",
    ),
    "sending": (
        *("Progress", "Send", "Sender", "Service", "by_service", "cancel", "deliver", "due", "give_up", "attempt_each"),
        *("arrived", "known_version", "record", "reopen", "require_same", "require_usable", "retry", "sender"),
    ),
}  # fmt: skip
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)  # once (PEP 562)
    return value
