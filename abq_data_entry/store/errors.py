"""What can be wrong with a file of this computer; the texts are for people."""

from __future__ import annotations


class StoreError(Exception):
    """What was asked of the file can't be done; nothing was changed."""


class StoreBusy(StoreError):
    """Another process has had the file for too long."""


class StoreNewer(StoreError):
    """A newer version of the application wrote the file: it isn't ours to touch."""
