"""No run of the tests goes across midnight: many compare the program's day with their own, seconds later."""

import datetime
import os
import sys
import time
from pathlib import Path

_LATE = 22  # o'clock: from then on a run may still be at it at midnight
NOON = 12
ZONES = Path("/usr/share/zoneinfo/Etc")


def zone_at_noon(now: datetime.datetime) -> str:
    """A time zone in which it is between noon and one o'clock at that time."""
    east = NOON - now.astimezone(datetime.timezone.utc).hour
    return f"Etc/GMT{-east:+d}"  # these names count to the west


def keep_away() -> None:
    """Late in the evening, let this process and those it starts live in a zone where it is noon."""
    if sys.platform != "win32" and ZONES.is_dir() and datetime.datetime.now().hour >= _LATE:
        os.environ["TZ"] = zone_at_noon(datetime.datetime.now().astimezone())
        time.tzset()
