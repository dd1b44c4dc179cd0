"""Whether somebody types on without a look at the screen: the next key comes as fast as those before it did."""

from __future__ import annotations

import statistics
from collections import deque

from .typed_keys import TypedKey

LONGEST_MS = 500
_KEYS, _FEWEST = 8, 3


class Rhythm:
    """The times between the last keys. ``last`` is the time of the last one, in milliseconds of the display."""

    def __init__(self) -> None:
        self.last = 0
        self._pauses: deque[int] = deque(maxlen=_KEYS)

    def note(self, key: TypedKey) -> None:
        """That key was typed."""
        if self.last:
            self._pauses.append(key.time - self.last)
        self.last = key.time

    def goes_on_with(self, key: TypedKey) -> bool:
        """Whether the key follows those before it as they followed each other: nobody has looked up meanwhile."""
        if len(self._pauses) < _FEWEST:
            return False
        longest = min(2 * statistics.median(self._pauses), LONGEST_MS)
        return 0 <= key.time - self.last <= longest
