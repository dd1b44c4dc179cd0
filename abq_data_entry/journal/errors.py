"""What can be wrong with the journal itself; the texts are for people."""

from __future__ import annotations


class JournalError(Exception):
    """What was asked of the journal can't be done; nothing was changed."""


class JournalBusy(JournalError):
    """Another process, or another window, is saving what waits at the moment."""
