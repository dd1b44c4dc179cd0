"""Answers of weather services in JSON. Everything that comes is taken as hostile: what isn't exact JSON is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NoReturn

from abq_data_entry.observation import (
    CONDITIONS_KEY,
    QUANTITIES,
    TIME_KEY,
    Quantity,
    decimal_text,
    read_conditions,
    read_quantity,
)

from .failures import WeatherError
from .nws_document import kind_of, short
from .weather_source import Observation


def read_json(body: bytes, content_type: str, coding: str, setting: str) -> object:
    """Return what the answer holds: numbers with a point as `Decimal`, without NaN and Infinity.

    `setting`: the one of the address, to check where something else came. Raises `WeatherError`.
    """
    if not body.strip():
        raise WeatherError("The answer of the weather service is empty: it may not know the station.")
    if coding.lower() not in ("", "identity"):
        raise WeatherError(f"What came is compressed ({short(coding)}), which nobody asked for. Check {setting}.")
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError, ArithmeticError):
        cut = body.lstrip()[:1] in (b"{", b"[") and body.rstrip()[-1:] not in (b"}", b"]")
    if cut:
        raise WeatherError("What came was cut off: the JSON ends in the middle. Try again.")
    kind = kind_of(body, content_type)
    kind = "damaged JSON" if kind == "JSON" else f"{kind}, not observations in JSON"
    raise WeatherError(f"What came is {kind}. Check {setting}.")


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def number(value: object) -> Decimal | None:
    """Return a number of JSON; None for everything else, true and false among it."""
    if isinstance(value, Decimal):
        return value
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else None


Converted = tuple["Decimal | None", str]
"""A value in the unit of the table, and what is to be said of it; None where there is none that can be used."""


def observation(
    time: str,
    values: Callable[[Quantity], Converted],
    conditions: str,
    place: tuple[str | None, str, str],
    notes: Sequence[str] = (),
) -> Observation:
    """Return an observation as the texts that `get_local_weather` describes.

    `place`: station, source and kind; `notes`: what is to be said of its quality beside what is found here.
    """
    told = list(notes)
    texts: Observation = {TIME_KEY: time}
    for quantity in QUANTITIES:
        value, note = values(quantity)
        text = None if value is None else decimal_text(value)
        if text is not None and not note:
            usable, note = read_quantity(quantity, text)
            text = None if usable is None else text
        told += [note] if note else []
        texts[quantity.key] = text
    words, note = read_conditions(" ".join(conditions.split())) if conditions.strip() else (None, "")
    told += [note] if note else []
    station, source, kind = place
    return {
        **texts, CONDITIONS_KEY: words, "station": station, "source": source, "kind": kind,
        "quality": "; ".join(dict.fromkeys(told)) or None,
    }  # fmt: skip
