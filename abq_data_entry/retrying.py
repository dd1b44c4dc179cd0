"""When something that failed is tried again: later and later, not all at once, and never more often than it may.

All parts of the program that try again by themselves use this. It knows no thread and no timer: it says how long to
wait, or whether the time has come. What only looks whether something of this computer has come about (a file, a lock,
the end of a process) is no retry: it asks nobody.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import NamedTuple


class Policy(NamedTuple):
    """How long to wait between attempts, in seconds: `first` after one failure, then twice as long, up to `longest`."""

    first: float
    longest: float

    def pause(self, failures: int, jitter: float) -> float:
        """Return the seconds to wait after this number of failures in a row (1 or more).

        `jitter`, at random from 0 to 1, spreads those that failed at the same moment over half of the pause.
        """
        longest = min(self.longest, self.first * 2.0 ** min(max(failures, 1) - 1, 30))
        return longest * (0.5 + jitter / 2)


DATABASE = Policy(2.0, 30.0)
"""A database that doesn't answer."""
CLUSTER = Policy(1.0, 2.0)
"""A cluster that may just be making a standby its primary."""
JOURNAL = Policy(2.0, 60.0)
"""A database that answers and refuses what waits."""
LISTENING = Policy(1.0, 30.0)
"""The connection that hears what others save."""
PRESENCE = Policy(5.0, 120.0)
"""Who is there: nobody is held up without it."""
COUNTING = Policy(1.0, 60.0)
"""The number of records in the list."""
STARTING = Policy(0.1, 2.0)
"""A server that is just starting, looked at while somebody waits for it."""
WATCHER = Policy(0.2, 10.0)
"""The watcher of the embedded server, which the server refuses."""
BUSY = Policy(0.1, 0.5)
"""What others hold for a moment (processes of a killed server, a database that is to be renamed): for seconds only."""
DELIVERY = Policy(60.0, 3600.0)
"""Extracts that couldn't be sent."""
ALARM = Policy(60.0, 3600.0)
"""Alarms that couldn't be told."""
LOG_SERVER = Policy(0.5, 30.0)
"""A log server that is gone: nobody waits for it."""


class Retries:
    """The failures of one thing in a row, and when it may be tried again. Not for several threads at once."""

    def __init__(
        self,
        policy: Policy,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._policy, self._clock, self._jitter = policy, clock, jitter
        self._not_before = 0.0
        self.failures = 0

    def failed(self, policy: Policy | None = None) -> float:
        """It failed, once more; return the seconds until it may be tried again. `policy`: another one this time."""
        self.failures += 1
        pause = (policy or self._policy).pause(self.failures, self._jitter())
        self._not_before = self._clock() + pause
        return pause

    def succeeded(self) -> None:
        """It worked: the next failure is the first one again, and nothing has to be waited for."""
        self.failures, self._not_before = 0, 0.0

    @property
    def wait(self) -> float:
        """The seconds until it may be tried again, 0.0 if it may be now."""
        return max(0.0, self._not_before - self._clock()) if self.failures else 0.0

    @property
    def due(self) -> bool:
        """Whether it may be tried now."""
        return self.wait == 0.0
