"""The values of a weather observation with their limits, and how texts of feeds are parsed. Standard library only."""

from __future__ import annotations

import datetime
import re
from decimal import ROUND_HALF_UP, Decimal
from email.utils import format_datetime, parsedate_to_datetime
from typing import NamedTuple

TIME_KEY = "observation_time_rfc822"
CONDITIONS_KEY = "weather"
KINDS = ("observed", "model")  # measured by a station, or computed for the place
STATION = re.compile(r"[A-Za-z0-9]{4,8}")
OLD = datetime.timedelta(minutes=90)  # a station reports about once an hour
AHEAD = datetime.timedelta(minutes=10)  # clocks differ a little

_NUMBER = re.compile(r"[+-]?[0-9]{1,6}(?:\.[0-9]{1,40})?")
_HUNDREDTH = Decimal("0.01")
_LONGEST_SHOWN = 40
_LONGEST_TIME = 100
# RFC 5322, section 3.3, and RFC 822 with its two-digit years and US zones; the feed adds the zone's name to its number.
_TIME = re.compile(
    r"(?:[A-Za-z]{3}, )?[0-9]{1,2} [A-Za-z]{3} (?P<year>[0-9]{2}|[0-9]{4}) [0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?"
    r" (?:[+-](?:0[0-9]|1[0-4])[0-5][0-9]|(?i:UTC?|GMT|[ECMP][SD]T|Z))(?: \(?[A-Za-z]{1,5}\)?)?"
)
_ABSENT = ("na", "n/a", "null", "none", "nan", "-", "--")


class Quantity(NamedTuple):
    """A measured value: its key in an observation's dict, its column, and the limits that no US record exceeds."""

    key: str
    column: str
    name: str
    unit: str
    minimum: Decimal
    maximum: Decimal


QUANTITIES = (
    Quantity("temp_c", "temperature", "temperature", "°C", Decimal(-90), Decimal(60)),
    Quantity("relative_humidity", "rel_hum", "relative humidity", "%", Decimal(0), Decimal(100)),
    Quantity("pressure_mb", "pressure", "pressure", "mb", Decimal(850), Decimal(1100)),
)


def read_time(text: str) -> tuple[datetime.datetime | None, str]:
    """Return (time in UTC, ''), or (None, why it is invalid as the end of a sentence).

    Not parsed by PostgreSQL, which reads a two-digit year as a day. A missing time zone is never guessed.
    """
    problem = f"can't be understood, so nothing was stored: {text[:_LONGEST_TIME]!r}"
    if len(text) > _LONGEST_TIME or not text.isascii():
        return None, problem
    form = _TIME.fullmatch(text)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            return None, f"has no time zone that is certain, so nothing was stored: {text!r}"
        if form is None:  # parsedate_to_datetime also accepts invalid times, such as with the zone -0560
            return None, problem
        if len(form["year"]) == 4:  # parsedate_to_datetime reads the year 0001 as 2001
            moment = moment.replace(year=int(form["year"]))
        # Also refuses what leaves the calendar on the way to UTC.
        return moment.astimezone(datetime.timezone.utc), ""
    except (ValueError, TypeError, OverflowError, IndexError):
        return None, problem


def time_text(moment: datetime.datetime) -> str:
    """Return a time as a text that `read_time` can read: whole seconds, in UTC."""
    return format_datetime(moment.astimezone(datetime.timezone.utc).replace(microsecond=0))


def decimal_text(value: Decimal) -> str:
    """Return a converted or computed value with at most two decimals."""
    if not value.is_finite() or abs(value) >= 1_000_000:
        return str(value)[:_LONGEST_SHOWN]  # which read_quantity refuses
    return format(value.quantize(_HUNDREDTH, ROUND_HALF_UP), "f").rstrip("0").rstrip(".")


def read_quantity(quantity: Quantity, text: str) -> tuple[Decimal | None, str]:
    """Return the value with two decimals, and a note.

    The value is `None` if the text isn't a finite decimal, or is outside the limits. The note is '' if the value wasn't
    changed.
    """
    if not _NUMBER.fullmatch(text):
        return None, f"{quantity.name} {shown(text)} isn't a number"
    exact = Decimal(text)
    if not quantity.minimum <= exact <= quantity.maximum:
        limits = f"{quantity.minimum} to {quantity.maximum} {quantity.unit}"
        return None, f"{quantity.name} {shown(text)} is outside of what is possible ({limits})"
    value = exact.quantize(_HUNDREDTH, ROUND_HALF_UP)
    if value == exact:
        return exact, ""
    return value, f"{quantity.name} rounded from {shown(text)}"


def read_conditions(text: str) -> tuple[str | None, str]:
    """Return the words for the weather without unprintable characters, and a note ('': unchanged)."""
    if text.lower() in _ABSENT:
        return None, f"weather {shown(text)} says nothing"
    return "".join(character for character in text if character.isprintable()) or None, ""


def shown(text: str) -> str:
    """Return a text of a feed, shortened and quoted, for a message about it."""
    clean = "".join(each if each.isprintable() and each != ";" else "?" for each in text)
    return repr(clean if len(clean) <= _LONGEST_SHOWN else clean[: _LONGEST_SHOWN - 1] + "…")
