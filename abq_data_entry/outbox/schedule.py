"""When a delivery is tried again: later and later, not all at once, not for ever. Pure functions."""

from __future__ import annotations

import datetime

from abq_data_entry.retrying import DELIVERY, Policy

FIRST_PAUSE, LONGEST_PAUSE = DELIVERY
LIMIT = 24 * 3600.0  # seconds from the first attempt to the last one


def pause(failures: int, jitter: float) -> float:
    """Return the seconds to wait after so many failures in a row (1 or more).

    `jitter`, at random from 0 to 1, spreads the workstations that failed at the same moment over half of the pause.
    """
    return Policy(FIRST_PAUSE, LONGEST_PAUSE).pause(failures, jitter)


def next_attempt(
    now: datetime.datetime, since: datetime.datetime, failures: int, wanted: float | None, jitter: float
) -> datetime.datetime | None:
    """Return when to try again, None if that would be more than `LIMIT` after `since`: then it is given up.

    `since`: the first attempt, or when a person asked for another round; `wanted`: the seconds that the server asked
    us to wait (Retry-After), which is never undercut; `jitter` as for `pause`.
    """
    seconds = max(pause(failures, jitter), wanted or 0.0)
    used = max((now - since).total_seconds(), 0.0)  # a clock that was set back costs no attempt
    if used + seconds > LIMIT:
        return None
    return now + datetime.timedelta(seconds=seconds)


def is_due(now: datetime.datetime, planned: datetime.datetime | None, planned_at: datetime.datetime) -> bool:
    """Tell whether the attempt may be made: its time has come, or the clock was set back since it was planned."""
    return planned is None or now >= planned or now < planned_at
