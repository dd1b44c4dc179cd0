"""How far this computer's clock is from a server's, in words with what that leads to.

A server says its time in the `Date` of an HTTP answer (RFC 9110, 6.6.1), to the second; an answer that a cache kept
also says its `Age` (RFC 9111, 5.1). How long the question was under way isn't counted as a difference.
"""

from __future__ import annotations

import datetime
import email.utils
import time
from collections.abc import Mapping

from .probing import OK, WARNING, Inspection, Step

REMARK, WARN = 60.0, 300.0
"""Seconds of difference from which on it is remarked, and from which on it is a warning."""

CERTIFICATES = (
    "With a wrong clock certificates count as expired or not valid yet, and observations as older or newer than they"
    " are."
)
LATE = (
    "With a wrong clock records count as entered late or early (minutes_late in entry_log), and certificates as expired"
    " or not valid yet."
)
_ADVICE = "Compare both with a clock that you trust, and let the system set the wrong one by the network (NTP)."
_UNITS = ((2 * 86400, 86400, "days"), (2 * 3600, 3600, "hours"), (120, 60, "minutes"), (0, 1, "seconds"))


def now() -> float:
    """Return the time of this computer, in seconds since 1970."""
    return time.time()


class Clock:
    """Hears what time a server says, and steps tell how far ours is from it.

    Make it before the question is sent; `at` or `heard` take what the answer says.
    """

    def __init__(self) -> None:
        self._before = now()
        self.difference: float | None = None
        """Seconds that this computer is ahead of the server (negative: behind); None: it said no time."""

    def at(self, moment: float, accuracy: float = 0.0) -> None:
        """The server says that it is `moment`, in seconds since 1970, and may leave up to `accuracy` seconds out."""
        least, most = self._before - moment - accuracy, now() - moment
        self.difference = max(least, 0.0) + min(most, 0.0)  # 0 where both can be right

    def heard(self, headers: Mapping[str, str]) -> None:
        """Take the time of an HTTP answer, if it says one."""
        age = headers.get("Age") or "0"
        try:
            said = email.utils.parsedate_to_datetime(headers.get("Date") or "")
            moment = (said if said.tzinfo else said.replace(tzinfo=datetime.timezone.utc)).timestamp()
            kept = int(age) if age.isascii() and age.isdecimal() and len(age) < 10 else 0
            self.at(moment + kept, 1.0 + (kept > 0))
        except (TypeError, ValueError, OverflowError, OSError):  # none, or none that makes sense
            return

    def steps(self, inspection: Inspection, leads_to: str) -> list[Step]:
        """Return the step that tells the difference, and what a large one `leads_to`; none where it isn't known."""
        if self.difference is None:
            return []
        verdict = WARNING if abs(self.difference) > WARN else OK
        advice = f"{leads_to} {_ADVICE}" if abs(self.difference) > REMARK else ""
        return [Step(inspection.destination, "Clock", verdict, told(self.difference), None, advice, inspection.kind)]


def told(difference: float) -> str:
    """Return the difference in words."""
    size = abs(difference)
    if size < 1:
        return "this computer's clock and the server's agree"
    unit, name = next((unit, name) for least, unit, name in _UNITS if size >= least)
    number = round(size / unit)
    name = name.removesuffix("s") if number == 1 else name
    return f"this computer's clock is {number} {name} {'ahead of' if difference > 0 else 'behind'} the server's"
