"""When something that failed is retried: exponential backoff with jitter.

Everything in the program that retries automatically uses this. It has no threads or timers: it says how long to wait,
or whether a retry is due. Polling something local (a file, a lock, the end of a process) isn't a retry, and doesn't use
it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import NamedTuple


class Policy(NamedTuple):
    """Pauses between attempts in seconds: `first` after one failure, then doubled each time, up to `longest`."""

    first: float
    longest: float

    def pause(self, failures: int, jitter: float) -> float:
        """Return the seconds to wait after this number of failures in a row (1 or more).

        `jitter`, a random number from 0 to 1, spreads retries after the same failure over half of the pause.
        """
        longest = min(self.longest, self.first * 2.0 ** min(max(failures, 1) - 1, 30))
        return longest * (0.5 + jitter / 2)


DATABASE = Policy(2.0, 30.0)
"""A database that doesn't answer."""
CLUSTER = Policy(1.0, 2.0)
"""A cluster that may just be making a standby its primary."""
JOURNAL = Policy(2.0, 60.0)
"""A database that answers, but refuses waiting records."""
LISTENING = Policy(1.0, 30.0)
"""The connection for notifications."""
PRESENCE = Policy(5.0, 120.0)
"""Presence, without which everybody can work."""
COUNTING = Policy(1.0, 60.0)
"""The number of records in the list."""
STARTING = Policy(0.1, 2.0)
"""A server that is starting, while somebody waits for it."""
WATCHER = Policy(0.2, 10.0)
"""The watcher, when the embedded server refuses its connection."""
BUSY = Policy(0.1, 0.5)
"""Something that others use for a moment (such as a database that has to be renamed); tried for some seconds only."""
DELIVERY = Policy(60.0, 3600.0)
"""Extracts that couldn't be sent."""
ALARM = Policy(60.0, 3600.0)
"""Notices of alarms that couldn't be sent."""
LOG_SERVER = Policy(0.5, 30.0)
"""A log server that doesn't answer, in the background."""


class Retries:
    """Counts the failures in a row of one operation, and says when to retry. Not thread-safe."""

    def __init__(
        self,
        policy: Policy,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._policy, self._clock, self._jitter = policy, clock, jitter
        self.not_before = 0.0
        """When the next attempt is due, by that clock; 0 after a success."""
        self.failures = 0

    def failed(self, policy: Policy | None = None) -> float:
        """Count a failure; return the seconds until the next attempt. `policy`: used instead of its own this time."""
        self.failures += 1
        pause = (policy or self._policy).pause(self.failures, self._jitter())
        self.not_before = self._clock() + pause
        return pause

    def succeeded(self) -> None:
        """Reset after a success: the next failure is the first one again."""
        self.failures, self.not_before = 0, 0.0

    @property
    def wait(self) -> float:
        """The seconds until the next attempt, 0.0 if it is due."""
        return max(0.0, self.not_before - self._clock()) if self.failures else 0.0

    @property
    def due(self) -> bool:
        """Whether the next attempt is due."""
        return self.wait == 0.0
