"""Parse responses of weather services into observations: the XML of the US National Weather Service, and JSON.

Format: https://www.weather.gov/view/current_observation.xsd. Everything that comes is taken as hostile: document type
declarations and what isn't exact JSON are refused, and a value that can't be used is left out and named.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, NoReturn
from xml.etree.ElementTree import ParseError
from xml.parsers import expat

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
from .weather_source import Observation

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

SOURCE = "nws_xml"

_STATION_KEY = "station_id"
_CUT_OFF = (
    expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
    expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION],
)
_ENCODING = (
    expat.errors.codes[expat.errors.XML_ERROR_UNKNOWN_ENCODING],
    expat.errors.codes[expat.errors.XML_ERROR_INCORRECT_ENCODING],
)
_BEGINNINGS = (
    (b"\x1f\x8b", "compressed (gzip), which nobody asked for"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"%pdf-", "a PDF document"),
    (b"\x89png", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"gif8", "a picture (GIF)"),
    (b"{", "JSON"),
    (b"[", "JSON"),
)


def read_observation(body: bytes, content_type: str, coding: str, station: str) -> dict[str, str | None]:
    """Return the observation of the station that the document holds, as `get_local_weather` does.

    Raises `WeatherError`: what came is something else, is of another station, or names two times.
    """
    root = _parsed(body, content_type, coding)
    if root.tag != "current_observation":
        raise WeatherError(f"What came is {kind_of(body, content_type)}, not an observation. Check weather_url.")
    notes: list[str] = []
    texts: dict[str, str | None] = {TIME_KEY: _single(root, TIME_KEY, "times")}
    for quantity in QUANTITIES:
        text = _unless_double(root, quantity.key, quantity.name, notes)
        value, note = read_quantity(quantity, text) if text else (None, "")
        if value is None and note:
            notes.append(note)
        texts[quantity.key] = None if value is None else text
    words = _unless_double(root, CONDITIONS_KEY, "weather", notes)
    conditions, note = read_conditions(words) if words else (None, "")
    notes += [note] if note else []
    texts[CONDITIONS_KEY] = conditions and words
    return {
        **texts,
        "station": _station(root, station, notes),
        "source": SOURCE,
        "kind": "observed",
        "quality": "; ".join(notes) or None,
    }


def _station(root: Element, asked: str, notes: list[str]) -> str:
    found = _single(root, _STATION_KEY, "stations")
    if found is None:
        notes.append("station not named by the document")
    elif found.upper() != asked.upper():
        raise WeatherError(
            f"What came is an observation of {short(found)}, not of the station {asked}. Check weather_url."
        )
    return asked.upper()


def _single(root: Element, key: str, what: str) -> str | None:
    """Return the text of an element that must not occur with different texts."""
    found = _all(root, key)
    if len(found) > 1:
        raise WeatherError(
            f"The observation names {len(found)} {what}, so it isn't clear which is right: "
            f"{', '.join(map(short, found[:3]))}."
        )
    return found[0] or None if found else None


def _unless_double(root: Element, key: str, name: str, notes: list[str]) -> str | None:
    found = list(dict.fromkeys(_all(root, key)))
    if len(found) > 1:
        notes.append(f"{name} given {len(found)} times with different values")
        return None
    return found[0] or None if found else None


def _all(root: Element, key: str) -> list[str]:
    return [" ".join("".join(element.itertext()).split()) for element in root.findall(key)]


def _parsed(body: bytes, content_type: str, coding: str) -> Element:
    from defusedxml.common import DTDForbidden
    from defusedxml.ElementTree import fromstring

    if not body.strip():
        raise WeatherError("The answer of the weather feed is empty. Try again later.")
    kind = kind_of(body, content_type)
    if kind == _SOMETHING and coding.lower() not in ("", "identity"):
        kind = f"compressed ({short(coding)}), which nobody asked for"
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except DTDForbidden:
        kind = kind if kind == _PAGE else "a document with a type declaration (DTD), which is refused"
    except ParseError as error:
        if kind in (_SOMETHING, _OBSERVATION) and error.code in _CUT_OFF and b"<" in body:
            raise WeatherError("What came was cut off: the XML ends in the middle. Try again.") from None
        if kind in (_SOMETHING, _OBSERVATION) and (error.code in _ENCODING or _of_another_encoding(body)):
            kind = _ENCODED
    except (ValueError, LookupError):  # an encoding that Python doesn't know either, or something that is refused
        kind = _ENCODED if kind in (_SOMETHING, _OBSERVATION) else kind
    else:
        return root
    raise WeatherError(f"What came is {kind}, not an observation in XML. Check weather_url.")


_PAGE = "a web page"
_SOMETHING = "something else"
_OBSERVATION = "damaged"
_ENCODED = "text in another encoding than it says"


def kind_of(body: bytes, content_type: str) -> str:
    start = body[:2048].lower().lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"<html" in start or b"<!doctype html" in start:
        return _PAGE
    for beginning, name in _BEGINNINGS:
        if start.startswith(beginning):
            return name
    if b"<current_observation" in start:
        return _OBSERVATION
    named = content_type.partition(";")[0].strip()
    plain = named in ("", "application/xml", "text/xml", "text/html", "application/octet-stream")
    return _SOMETHING if plain or start.startswith(b"<") else f"{_SOMETHING} ({short(named)})"


def _of_another_encoding(body: bytes) -> bool:
    """Return whether a document without a declared encoding isn't in UTF-8 (XML 1.0, section 4.3.3)."""
    if b"encoding" in body[:100]:
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return True
    return False


def short(text: str) -> str:
    clean = "".join(each if each.isprintable() else "?" for each in text)
    return clean if len(clean) <= 60 else clean[:59] + "…"


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
"""A value in the unit of the table, and a remark on it; None if it can't be used."""


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
