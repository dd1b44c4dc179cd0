"""The reports of airports all over the world (METAR), of 15 days, by the Aviation Weather Center of the US.

Formats: https://aviationweather.gov/data/api/ (JSON with the raw report, or raw reports alone); the report itself: WMO
Manual on Codes, FM 15, and for the remarks (T group, SLP) Federal Meteorological Handbook No. 1, chapter 12.
"""

from __future__ import annotations

import contextlib
import datetime
import math
import re
import warnings
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ...setting import Setting
from ..weather_source import Observation, Settings, StationSeriesSource, days, with_query

if TYPE_CHECKING:
    from abq_data_entry.observation import Quantity

    from ..weather_documents import Converted

_URL = "https://aviationweather.gov/api/data/metar?ids={station}"
_PIECE = 3  # days in one answer: the service gives at most 400 reports, and a station may send 5 an hour
_LONGEST = 800  # characters of a report; those that are sent have about 150
_HEAD = re.compile(r"(?:METAR |SPECI )?(?:COR )?([A-Z0-9]{4}) (\d\d)(\d\d)(\d\d)Z ", re.ASCII)
_T_GROUP = re.compile(r" T[01]\d{3}[01]\d{3}(?= |$)", re.ASCII)
_COVER = {  # the words of the National Weather Service, by eighths of the sky (its glossary)
    "CLR": "Clear", "SKC": "Clear", "NCD": "Clear", "NSC": "Clear", "FEW": "A Few Clouds", "SCT": "Partly Cloudy",
    "BKN": "Mostly Cloudy", "OVC": "Overcast", "VV": "Overcast",
}  # fmt: skip
_MORE_CLOUD = ("CLR", "SKC", "NCD", "NSC", "FEW", "SCT", "BKN", "OVC", "VV")


class Metar(StationSeriesSource):
    """All reports of a station, the routine ones and those between them."""

    name, order, accept, address_setting = "metar", 3, "application/json", "weather_metar_url"
    url, contents = _URL, "reports"
    reach = datetime.timedelta(days=15)
    largest = 1024 * 1024
    settings = (Setting("weather_metar_url", _URL),)

    def address(self, settings: Settings, station: str) -> str:
        return with_query(self.base(settings, station), "format=json&hours=3")

    def history(
        self, settings: Settings, station: str, begin: datetime.datetime, end: datetime.datetime
    ) -> list[str]:
        base = self.base(settings, station)
        return [
            with_query(base, f"format=json&hours={_hours(first, last)}&date={last:%Y%m%d_%H%M}")
            for first, last in days(begin, end, _PIECE)
        ]

    def read_all(self, body: bytes, content_type: str, coding: str, station: str) -> list[Observation]:
        if not body.strip():  # 204: it has no report of these hours, or doesn't know the station
            return []
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"metar\.")  # of groups it can't read
        pairs = _reports(body, content_type, coding, self.address_setting)
        return [found for each in pairs if (found := _observation(*each, station)) is not None]


def _hours(begin: datetime.datetime, end: datetime.datetime) -> int:
    return math.ceil((end - begin) / datetime.timedelta(hours=1))


def _reports(body: bytes, content_type: str, coding: str, setting: str) -> list[tuple[str, Mapping[str, object]]]:
    """Return the raw reports of an answer, each with what the service says of it: as JSON, or one a line. Raises
    `WeatherError`."""
    from ..failures import WeatherError
    from ..weather_documents import read_json

    if re.match(rb"(?:METAR |SPECI )?(?:COR )?[A-Z0-9]{4} \d{6}Z ", body.lstrip()[:40]) and not coding:
        lines = body.decode("ascii", "replace").splitlines()
        return [(each.strip(), {}) for each in lines if each.strip()]
    document = read_json(body, content_type, coding, setting)
    if not isinstance(document, list):
        raise WeatherError(f"What came is JSON, but no reports. Check {setting}.")
    return [(str(each.get("rawOb") or ""), each) for each in document if isinstance(each, Mapping)]


def _observation(raw: str, facts: Mapping[str, object], asked: str) -> Observation | None:
    """One observation; None if its time isn't certain. Raises `WeatherError` if it is of another station."""
    from abq_data_entry.observation import time_text

    from ..failures import WeatherError
    from ..weather_documents import observation, short

    raw = " ".join(raw.split())
    head = _HEAD.match(f"{raw} ")
    if head is None or len(raw) > _LONGEST or not raw.isascii():
        return None
    if not head[1] == asked.upper() == str(facts.get("icaoId", head[1])).upper():
        raise WeatherError(
            f"What came is a report of {short(head[1])}, not of the station {asked}. Check weather_metar_url."
        )
    day, hour, minute = (int(head[number]) for number in (2, 3, 4))
    moment = _moment(day, hour, minute, facts.get("obsTime"))
    report = None if moment is None else _parsed(raw, moment)
    if moment is None or report is None:
        return None
    values, notes = _values(report, raw)

    def value(quantity: Quantity) -> Converted:
        return values[quantity.key], ""

    place = (asked.upper(), "metar", "observed")
    return observation(time_text(moment), value, _conditions(report), place, notes)


def _moment(day: int, hour: int, minute: int, observed: object) -> datetime.datetime | None:
    """Return the moment of a report, which itself has only the day of the month: the latest one that isn't in the
    future.

    `observed`: the service's own moment (seconds since 1970), which has to be the same.
    """
    utc = datetime.timezone.utc
    now = datetime.datetime.now(utc)
    if observed is not None:
        if type(observed) is not int:
            return None
        with contextlib.suppress(ValueError, OverflowError, OSError):
            told = datetime.datetime.fromtimestamp(observed, utc).replace(second=0)
            return told if (told.day, told.hour, told.minute) == (day, hour, minute) else None
        return None
    for months in range(3):
        number = now.year * 12 + now.month - 1 - months
        with contextlib.suppress(ValueError):  # the 31st of a month that has 30
            found = datetime.datetime(number // 12, number % 12 + 1, day, hour, minute, tzinfo=utc)
            if found <= now + datetime.timedelta(hours=1):
                return found
    return None


def _parsed(raw: str, moment: datetime.datetime) -> Any:
    from metar import Metar

    try:
        return Metar.Metar(raw.rstrip("$= "), month=moment.month, year=moment.year, strict=False)
    except (Metar.ParserError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeWarning):
        return None


def _values(report: Any, raw: str) -> tuple[dict[str, Decimal | None], list[str]]:
    """Return the values in °C, % and mb. Only the SLP group is a pressure at sea level: the altimeter setting isn't."""
    temperature, dewpoint = _in(report.temp, "C"), _in(report.dewpt, "C")
    humidity, notes = relative_humidity(temperature, dewpoint), []
    if humidity is not None and not _T_GROUP.search(raw):
        notes.append("relative humidity of temperatures in whole degrees")
    return {
        "temp_c": temperature, "relative_humidity": humidity, "pressure_mb": _in(report.press_sea_level, "MB")
    }, notes  # fmt: skip


def _in(value: Any, unit: str) -> Decimal | None:
    return None if value is None else Decimal(str(round(value.value(unit), 2)))


def relative_humidity(temperature: Decimal | None, dewpoint: Decimal | None) -> Decimal | None:
    """Return the relative humidity in % by temperature and dew point in °C, as `api.weather.gov` computes its own.

    Magnus formula with the coefficients of Alduchov & Eskridge 1996 (Journal of Applied Meteorology 35, 601-609).
    """
    if temperature is None or dewpoint is None or min(temperature, dewpoint) <= -100 or dewpoint > temperature:
        return None

    def exponent(celsius: float) -> float:
        return 17.625 * celsius / (243.04 + celsius)

    return Decimal(str(round(100 * math.exp(exponent(float(dewpoint)) - exponent(float(temperature))), 2)))


def _conditions(report: Any) -> str:
    """Return the weather in words: what falls or hides the view, else how much of the sky is covered."""
    words = "; ".join(each.capitalize() for each in str(report.present_weather()).split("; ") if each.strip("/ "))
    covers = [str(each[0]) for each in report.sky if str(each[0]) in _MORE_CLOUD]
    return words or (_COVER[max(covers, key=_MORE_CLOUD.index)] if covers else "")


SOURCE = Metar()
