"""The API of the US National Weather Service: observations of 7 days, as GeoJSON.

Format: https://www.weather.gov/documentation/services-web-api
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...setting import Setting
from ..weather_source import Observation, Settings, StationSeriesSource, days, with_query

if TYPE_CHECKING:
    from decimal import Decimal

    from abq_data_entry.observation import Quantity

    from ..weather_documents import Converted

_URL = "https://api.weather.gov/stations/{station}/observations"
_MOST = 500  # observations in one answer: the service's own limit, and more than a station reports in a day
_NEWEST = 6  # the newest alone is often without a temperature
_ENTRIES = {"temp_c": "temperature", "relative_humidity": "relativeHumidity", "pressure_mb": "seaLevelPressure"}
# "wmoUnit:degC", "unit:degC" as until 2021, or the code's whole address.
_UNIT = re.compile(r"(?:wmoUnit:|unit:|https?://codes\.wmo\.int/common/unit/)([A-Za-z]{1,10})")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-](?:0\d|1[0-4]):?[0-5]\d)", re.ASCII)
# The codes of MADIS: X failed, Q questioned, B bad by judgement; the others passed or weren't checked yet.
_REFUSED = {"X": "failed the service's checks", "Q": "is doubted by the service", "B": "is bad by the service's word"}
_TAKEN = ("V", "S", "C", "Z", "G", "T")


class NwsApi(StationSeriesSource):
    """A collection of observations for each station."""

    name, order, accept, address_setting = "nws_api", 2, "application/geo+json", "weather_api_url"
    url, contents = _URL, "observations"
    reach = datetime.timedelta(days=7)
    largest = 4 * 1024 * 1024  # a station that reports every 5 minutes: 288 a day, of 4 KiB each
    settings = (Setting("weather_api_url", _URL),)

    def address(self, settings: Settings, station: str) -> str:
        return with_query(self.base(settings, station), f"limit={_NEWEST}")

    def history(
        self, settings: Settings, station: str, begin: datetime.datetime, end: datetime.datetime
    ) -> list[str]:
        base = self.base(settings, station)
        return [
            with_query(base, f"start={_iso(first)}&end={_iso(last)}&limit={_MOST}") for first, last in days(begin, end)
        ]

    def read_all(self, body: bytes, content_type: str, coding: str, station: str) -> list[Observation]:
        from ..weather_documents import read_json

        features = _features(read_json(body, content_type, coding, self.address_setting))
        return [found for each in features if (found := _observation(each, station)) is not None]


def _iso(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _features(document: object) -> list[object]:
    """Return the observations of an answer: a collection, or one alone. Raises `WeatherError`."""
    from ..failures import WeatherError

    if isinstance(document, Mapping):
        found = document.get("features")
        if document.get("type") == "FeatureCollection" and isinstance(found, list):
            return found
        if document.get("type") == "Feature":
            return [document]
        bundle = document.get("@bundle")  # how the service says that the part behind it didn't answer
        if isinstance(bundle, Mapping):
            status = str(bundle.get("status", ""))[:3]
            raise WeatherError(f"The weather service has no observations of this station at the moment ({status}).")
    raise WeatherError("What came is JSON, but no observations. Check weather_api_url.")


def _observation(feature: object, station: str) -> Observation | None:
    """One observation; None if its time isn't certain. Raises `WeatherError` if it is of another station."""
    from abq_data_entry.observation import time_text

    from ..weather_documents import observation

    properties = feature.get("properties") if isinstance(feature, Mapping) else None
    moment = _moment(properties.get("timestamp")) if isinstance(properties, Mapping) else None
    if not isinstance(properties, Mapping) or moment is None:
        return None
    notes = _check_station(properties, station)

    def value(quantity: Quantity) -> Converted:
        return _value(quantity, properties.get(_ENTRIES[quantity.key]))

    words = properties.get("textDescription")
    place = (station.upper(), "nws_api", "observed")
    return observation(time_text(moment), value, words if isinstance(words, str) else "", place, notes)


def _moment(text: object) -> datetime.datetime | None:
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return None
    try:
        plain = re.sub(r"\.\d+", "", text).replace("Z", "+00:00")
        moment = datetime.datetime.fromisoformat(re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", plain))  # for Python 3.10
        return moment.astimezone(datetime.timezone.utc)
    except (ValueError, OverflowError):
        return None


def _check_station(properties: Mapping[str, object], asked: str) -> list[str]:
    from ..failures import WeatherError
    from ..weather_documents import short

    named = {
        str(each).rpartition("/")[2] for each in (properties.get("station"), properties.get("stationId")) if each
    }
    for each in named:
        if each.upper() != asked.upper():
            raise WeatherError(
                f"What came is an observation of {short(each)}, not of the station {asked}. Check weather_api_url."
            )
    return [] if named else ["station not named by the document"]


def _value(quantity: Quantity, entry: object) -> Converted:
    """Return a value in the unit of the table, as far as the service's own checks let it pass."""
    from ..weather_documents import number

    raw = entry.get("value") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or raw is None:
        return None, ""
    value, code = number(raw), entry.get("qualityControl")
    if value is None or not value.is_finite():
        return None, f"{quantity.name} isn't a number"
    if code is not None and code not in _TAKEN:
        return None, f"{quantity.name} {_REFUSED.get(str(code), 'has a quality code that is not known')}"
    unit = _UNIT.fullmatch(str(entry.get("unitCode")))
    converted = _converted(quantity.unit, unit[1] if unit else "", value)
    return (None, f"{quantity.name} has a unit that is not known") if converted is None else (converted, "")


def _converted(wanted: str, unit: str, value: Decimal) -> Decimal | None:
    """Return the value in °C, % or mb; None for a unit of something else. The factors are exact (SI Brochure, section
    2.3 and table 8; °F: NIST Special Publication 811, B.8)."""
    from decimal import Decimal

    if abs(value) > 10**9:
        return None
    if wanted == "°C":
        kelvin, fahrenheit = Decimal("273.15"), Decimal(5) / 9
        return {"degC": value, "K": value - kelvin, "degF": (value - 32) * fahrenheit}.get(unit)
    if wanted == "mb":
        return {"Pa": value / 100, "hPa": value, "mbar": value}.get(unit)
    return value if unit == "percent" else None


SOURCE = NwsApi()
