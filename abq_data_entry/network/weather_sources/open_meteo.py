"""What a weather model computes for a place anywhere, hour by hour: Open-Meteo (https://open-meteo.com/en/docs).

Off unless an administrator sets its address and the coordinates: the free service is for non-commercial use.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from ...setting import Setting
from ..weather_source import Observation, SeriesSource, Settings, days, with_query

if TYPE_CHECKING:
    from abq_data_entry.observation import Quantity

    from ..weather_documents import Converted

_PIECE = 31  # days in one answer
_HOURLY = {
    "temp_c": ("temperature_2m", ("°C",)),
    "relative_humidity": ("relative_humidity_2m", ("%",)),
    "pressure_mb": ("pressure_msl", ("hPa",)),
}
_UTC = datetime.timezone.utc
_LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d", re.ASCII)
# WMO code table 4677, as far as the service uses it (its documentation, "WMO Weather interpretation codes").
_WORDS = {
    0: "Clear", 1: "Mostly Clear", 2: "Partly Cloudy", 3: "Overcast", 45: "Fog", 48: "Freezing Fog",
    51: "Light Drizzle", 53: "Drizzle", 55: "Heavy Drizzle", 56: "Light Freezing Drizzle", 57: "Freezing Drizzle",
    61: "Light Rain", 63: "Rain", 65: "Heavy Rain", 66: "Light Freezing Rain", 67: "Freezing Rain", 71: "Light Snow",
    73: "Snow", 75: "Heavy Snow", 77: "Snow Grains", 80: "Light Rain Showers", 81: "Rain Showers",
    82: "Heavy Rain Showers", 85: "Light Snow Showers", 86: "Snow Showers", 95: "Thunderstorm",
    96: "Thunderstorm Hail", 99: "Thunderstorm Heavy Hail",
}  # fmt: skip


class OpenMeteo(SeriesSource):
    """Values for coordinates, not for a station: they fill holes until something was observed."""

    name, order, accept, address_setting = "open_meteo", 9, "application/json", "weather_open_meteo_url"
    kind = "model"
    reach = datetime.timedelta(days=36500)
    largest = 1024 * 1024
    settings = (
        Setting("weather_open_meteo_url", ""),
        Setting("weather_open_meteo_archive_url", ""),
        Setting("weather_latitude", ""),
        Setting("weather_longitude", ""),
    )

    def address(self, settings: Settings, station: str) -> str:
        now = datetime.datetime.now(_UTC)
        return _address(settings, "weather_open_meteo_url", now - datetime.timedelta(hours=2), now)

    def history(
        self, settings: Settings, station: str, begin: datetime.datetime, end: datetime.datetime
    ) -> list[str]:
        recent = datetime.datetime.now(_UTC) - _FORECAST_REACH
        found = []
        if begin < recent:
            found = [
                _address(settings, "weather_open_meteo_archive_url", *piece)
                for piece in days(begin, min(end, recent), _PIECE)
            ]
        if end > recent:
            found += [
                _address(settings, "weather_open_meteo_url", *piece) for piece in days(max(begin, recent), end, _PIECE)
            ]
        return [each for each in found if each]

    def problem(self, settings: Settings) -> str:
        places = (("weather_latitude", 90), ("weather_longitude", 180))
        for name, most in places:
            text = str(settings.get(name, ""))
            if not re.fullmatch(r"[+-]?\d{1,3}(\.\d{1,10})?", text, re.ASCII) or abs(Decimal(text)) > most:
                return f"The setting {name} must be degrees from -{most} to {most}, such as 35.08, not {text[:40]!r}."
        return ""

    def read_all(self, body: bytes, content_type: str, coding: str, station: str) -> list[Observation]:
        from ..failures import WeatherError
        from ..weather_documents import read_json

        document = read_json(body, content_type, coding, self.address_setting)
        hourly = document.get("hourly") if isinstance(document, Mapping) else None
        units = document.get("hourly_units") if isinstance(document, Mapping) else None
        if not isinstance(document, Mapping) or not isinstance(hourly, Mapping) or not isinstance(units, Mapping):
            raise WeatherError("What came is JSON, but no hourly values. Check weather_open_meteo_url.")
        times = hourly.get("time")
        if not isinstance(times, list):
            raise WeatherError("What came has no times. Check weather_open_meteo_url.")
        ahead = datetime.datetime.now(_UTC)
        moments = [_moment(each, document.get("utc_offset_seconds", 0)) for each in times]
        return [
            _observation(moment, hourly, units, row, len(times))
            for row, moment in enumerate(moments)
            if moment is not None and moment <= ahead  # a forecast is no weather yet
        ]


_FORECAST_REACH = datetime.timedelta(days=90)  # the forecast's address has the last 92 days, the archive all before


def _address(settings: Settings, name: str, begin: datetime.datetime, end: datetime.datetime) -> str:
    """Return the address of the hours between two moments; empty where one of the settings is."""
    names = (name, "weather_latitude", "weather_longitude")
    base, latitude, longitude = (str(settings.get(each, "")) for each in names)
    if not base or not latitude or not longitude:
        return ""
    values = ",".join((*(column for column, _ in _HOURLY.values()), "weather_code"))
    query = (
        f"latitude={latitude}&longitude={longitude}&hourly={values}&timeformat=unixtime&timezone=GMT"
        f"&start_date={begin.astimezone(_UTC):%Y-%m-%d}&end_date={end.astimezone(_UTC):%Y-%m-%d}"
    )
    return with_query(base, query)


def _moment(value: object, offset: object) -> datetime.datetime | None:
    """Return a time of the list: seconds since 1970, or local time at an offset that the answer names."""
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.datetime.fromtimestamp(value, _UTC)
        if isinstance(value, str) and _LOCAL_TIME.fullmatch(value) and type(offset) is int:
            local = datetime.datetime.fromisoformat(value).replace(tzinfo=_UTC)
            return local - datetime.timedelta(seconds=offset)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _observation(
    moment: datetime.datetime, hourly: Mapping[str, object], units: Mapping[str, object], row: int, length: int
) -> Observation:
    from abq_data_entry.observation import time_text

    from ..weather_documents import number, observation

    def cell(column: str) -> object:
        values = hourly.get(column)
        # Of a list that is shorter or longer it isn't certain which value belongs to which hour.
        return values[row] if isinstance(values, list) and len(values) == length else None

    def value(quantity: Quantity) -> Converted:
        column, known = _HOURLY[quantity.key]
        raw = cell(column)
        if raw is None:
            return None, ""
        if units.get(column) not in known:
            return None, f"{quantity.name} has a unit that is not known"
        found = number(raw)
        return (found, "") if found is not None else (None, f"{quantity.name} isn't a number")

    code = number(cell("weather_code"))
    words = _WORDS.get(int(code), "") if code is not None and code.is_finite() and 0 <= code < 100 else ""
    return observation(time_text(moment), value, words, (None, "open_meteo", "model"))


SOURCE = OpenMeteo()
