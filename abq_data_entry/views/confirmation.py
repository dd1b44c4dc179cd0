"""Who sits at this window: confirmed at Technician, until another login, another name or four hours without a key."""

from __future__ import annotations

import time
from collections.abc import Callable

PAUSE_SECONDS = 4 * 3600.0


class Confirmation:
    """The confirmed person's name. ``now`` is the clock, in seconds; it goes on while the computer sleeps."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self._name = ""
        self._key_at = 0.0

    @property
    def name(self) -> str:
        """Who sits here; empty while nobody has said so, or after a long pause."""
        if self._name and self.now() - self._key_at > PAUSE_SECONDS:
            self._name = ""
        return self._name

    def confirm(self, name: str) -> None:
        """That is who sits here."""
        self._name, self._key_at = name, self.now()

    def forget(self) -> None:
        """Somebody else may sit here now."""
        self._name = ""

    def key_pressed(self) -> None:
        """The one who sits here is still here; after a long pause it may be somebody else."""
        if self.name:
            self._key_at = self.now()
