"""A weather observation: from the texts of the feed to values that fit `local_weather`."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime

from abq_data_entry.models.errors import ObservationInvalid

TIME_KEY = "observation_time_rfc822"
LONGEST_CONDITIONS = 128

_NUMBER = re.compile(r"[+-]?[0-9]{1,6}(?:\.[0-9]{1,6})?")
_LONGEST_TIME = 100


@dataclass(frozen=True)
class Observation:
    """One row of `local_weather`: °C, %, mb at sea level; `None` where the feed has no value."""

    time: datetime.datetime
    temperature: Decimal | None
    relative_humidity: Decimal | None
    pressure: Decimal | None
    conditions: str | None


def parse_observation(data: Mapping[str, str | None]) -> Observation:
    """Return the observation that the dict of `network.get_local_weather` holds.

    Raises `ObservationInvalid`: no time, a time without a zone that everybody reads the same, or a value that isn't a
    finite decimal within what has ever been measured in the United States.
    """
    return Observation(
        _parse_time(_text(data, TIME_KEY)),
        _parse_number("Temperature", _text(data, "temp_c"), "-90", "60"),
        _parse_number("Relative humidity", _text(data, "relative_humidity"), "0", "100"),
        _parse_number("Pressure", _text(data, "pressure_mb"), "850", "1100"),
        _shorten(_text(data, "weather")),
    )


def _text(data: Mapping[str, str | None], key: str) -> str | None:
    value = data.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ObservationInvalid(f"The weather observation's {key} isn't a text.")
    return " ".join(value.split()) or None


def _parse_time(text: str | None) -> datetime.datetime:
    """Return the moment (RFC 5322 section 3.3, and RFC 822 with its two-digit years and US zones).

    Read here and not by PostgreSQL, which takes the two-digit year for a day.
    """
    if text is None:
        raise ObservationInvalid("The weather observation has no time, so nothing was stored.")
    problem = ObservationInvalid(
        f"The weather observation's time can't be understood, so nothing was stored: {text[:_LONGEST_TIME]!r}."
    )
    if len(text) > _LONGEST_TIME or not text.isascii():
        raise problem
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            raise ObservationInvalid(
                f"The weather observation's time has no time zone that is certain, so nothing was stored: {text!r}."
            )
        # Also refuses what leaves the calendar on the way to UTC.
        return moment.astimezone(datetime.timezone.utc)
    except ObservationInvalid:
        raise
    except (ValueError, TypeError, OverflowError, IndexError):
        raise problem from None


def _parse_number(name: str, text: str | None, minimum: str, maximum: str) -> Decimal | None:
    if text is None:
        return None
    if not _NUMBER.fullmatch(text):
        raise ObservationInvalid(f"{name} of the weather observation isn't a number: {text[:40]!r}.")
    value = Decimal(text)
    if not Decimal(minimum) <= value <= Decimal(maximum):
        raise ObservationInvalid(
            f"{name} of the weather observation is {text}, outside of what is possible ({minimum} to {maximum})."
        )
    return value


def _shorten(text: str | None) -> str | None:
    """Cut what doesn't fit the column after its last whole word: the measured values are worth more than the rest."""
    if text is None:
        return None
    printable = "".join(character for character in text if character.isprintable())
    if len(printable) <= LONGEST_CONDITIONS:
        return printable or None
    begun = printable[: LONGEST_CONDITIONS - 1]
    words, blank, _ = begun.rpartition(" ")
    return (words if blank else begun) + "…"
