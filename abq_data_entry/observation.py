"""What an observation of the weather may hold: its values with their limits, and its sources. Standard library only."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

TIME_KEY = "observation_time_rfc822"
CONDITIONS_KEY = "weather"
KINDS = ("observed", "model")  # a station measured it, or it was computed for the place
STATION = re.compile(r"[A-Za-z0-9]{4,8}")

_NUMBER = re.compile(r"[+-]?[0-9]{1,6}(?:\.[0-9]{1,40})?")
_HUNDREDTH = Decimal("0.01")
_LONGEST_SHOWN = 40
_ABSENT = ("na", "n/a", "null", "none", "nan", "-", "--")


class Quantity(NamedTuple):
    """A measured value: its key in the dict of the feed, its column, and the bounds that no US record exceeds."""

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


def read_quantity(quantity: Quantity, text: str) -> tuple[Decimal | None, str]:
    """Return the value with two decimals and what had to be done about it, in words.

    The value is `None` where the text is no finite decimal or outside of the bounds; the words are empty where the text
    could be taken as it is.
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
    """Return the words for the weather without characters that can't be shown, and what had to be done about them."""
    if text.lower() in _ABSENT:
        return None, f"weather {shown(text)} says nothing"
    return "".join(character for character in text if character.isprintable()) or None, ""


def shown(text: str) -> str:
    """Return a text of the feed, short and in quotation marks, for a sentence about it."""
    clean = "".join(each if each.isprintable() and each != ";" else "?" for each in text)
    return repr(clean if len(clean) <= _LONGEST_SHOWN else clean[: _LONGEST_SHOWN - 1] + "…")
