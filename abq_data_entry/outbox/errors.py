"""What can be wrong with the outbox itself; the texts are for people."""

from __future__ import annotations


class OutboxError(Exception):
    """What was asked of the outbox can't be done; nothing was changed."""


class UnknownDelivery(OutboxError):
    """There is no such delivery, or more than one."""


class SettingsUnusable(OutboxError):
    """A setting makes no sense, so that nothing can be sent by it; what waits goes on when it is put right."""


class Busy(OutboxError):
    """Another process, or another window, is at this delivery at the moment."""
