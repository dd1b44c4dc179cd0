"""The progress, speed and remaining time of a transfer, in words: `12.4 of 40.0 MB, 3.1 MB/s, 9 s left`.

Without I/O; sizes in bytes (1 MB is 1,000,000 bytes), times in seconds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

SMOOTHING = 3.0
"""The time constant of the average in seconds: after it, an old speed has a weight of 1/e."""
TOO_EARLY = 1.0
"""Seconds at the beginning for which no speed is shown."""
STANDSTILL = 5.0
"""Seconds without data after which the text says so."""

_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


class _State(NamedTuple):
    done: int = 0
    total: int = 0
    began: float = 0.0
    moment: float = 0.0
    speed: float = 0.0  # the weighted sum, and the sum of the weights: their quotient is right from the start
    weight: float = 0.0


class TransferProgress:
    """The progress of one transfer. One thread calls `note`, any thread may call the others."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._state: _State | None = None  # replaced as a whole, so that no thread sees a partial change

    def note(self, done: int, total: int) -> None:
        """Note that `done` of `total` bytes were transferred; fewer than before: a new start. `total` 0: unknown."""
        now, old = self._clock(), self._state
        if old is None or done < old.done or total != old.total:
            self._state = _State(done, total, now, now)
        elif done > old.done and now > old.moment:
            speed, weight = _weighed(old, (done - old.done) / (now - old.moment), now)
            self._state = _State(done, total, old.began, now, speed, weight)

    @property
    def rate(self) -> float | None:
        """The average speed in bytes per second; None while it is too early to tell."""
        state, now = self._state, self._clock()
        if state is None or not state.weight or now - state.began < TOO_EARLY:
            return None
        if now - state.moment < TOO_EARLY:
            return state.speed / state.weight
        speed, weight = _weighed(state, 0.0, now)
        return speed / weight

    @property
    def text(self) -> str:
        """The progress in words; '' before the first `note`."""
        state, rate = self._state, self.rate
        if state is None or state.total <= 0:
            return ""
        amount = amount_text(state.done, state.total)
        if state.done >= state.total:
            return f"{amount}, waiting for the answer"
        still = self._clock() - state.moment
        if still >= STANDSTILL:
            return f"{amount}, standing still for {duration_text(still)}"
        if not rate:
            return amount
        left = duration_text((state.total - state.done) / rate)
        return f"{amount}, {size_text(rate)}/s, {left} left"

    @property
    def percent(self) -> int | None:
        """The percentage that is done, 0 to 100; None if it isn't known."""
        state = self._state
        return None if state is None or state.total <= 0 else min(100, 100 * state.done // state.total)


def _weighed(state: _State, speed: float, now: float) -> tuple[float, float]:
    """Return the weighted sums after adding a speed, weighted by the time since the last note."""
    old = math.exp(-(now - state.moment) / SMOOTHING)
    return state.speed * old + speed * (1 - old), state.weight * old + (1 - old)


def amount_text(done: int, total: int) -> str:
    """Both in the unit of the larger: `12.4 of 40.0 MB`, `310 of 980 bytes`."""
    size, unit = _unit(total)
    if not unit:
        return f"{done} of {total} bytes"
    # Rounded down, so that the total is shown only when it is reached.
    tenths = 10 * done // int(size)
    return f"{tenths // 10}.{tenths % 10} of {10 * total // int(size) / 10:.1f} {unit}"


def size_text(size: float) -> str:
    """`3.1 MB`, `512 bytes`."""
    scale, unit = _unit(size)
    return f"{size / scale:.1f} {unit}" if unit else f"{size:.0f} bytes"


def duration_text(seconds: float) -> str:
    """`9 s`, `2 min 10 s`, `1 h 5 min`, `more than a day`; coarser when it is longer, for it is an estimate."""
    if seconds < 60:
        return f"{max(1, math.ceil(seconds))} s" if seconds <= 59 else "1 min 0 s"
    if seconds < 3600:
        fives = math.ceil(seconds / 5) * 5
        return f"{fives // 60} min {fives % 60} s" if fives < 3600 else "1 h 0 min"
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes <= 24 * 60 else "more than a day"


def _unit(size: float) -> tuple[float, str]:
    return next(((scale, unit) for scale, unit in _UNITS if size >= scale), (1.0, ""))
