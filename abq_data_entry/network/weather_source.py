"""What every source of weather observations says of itself: all that the rest of the application knows of it."""

from __future__ import annotations

import abc
import datetime
from collections.abc import Mapping, Sequence

from ..setting import Setting

Settings = Mapping[str, object]
Observation = dict[str, str | None]
"""The keys that `get_local_weather` describes; each a text, or None where the source has no value that can be used."""


class WeatherSource(abc.ABC):
    """One source of observations. It has no state, and imports what it reads with when that is first needed.

    `name`: as in the column `source` of `local_weather`; `order`: its place among the others where the setting
    `weather_sources` doesn't name it; `accept`: the media types that are asked for; `address_setting`: the setting to
    check when its address leads nowhere; `kind`: whether a station `observed` or a `model` computed; `reach`: how far
    back it can be asked (nothing: it has only the newest); `largest`: how many bytes an answer may have.
    """

    name: str
    order: int
    accept: str
    address_setting: str
    kind = "observed"
    reach = datetime.timedelta(0)
    largest = 64 * 1024
    settings: tuple[Setting, ...] = ()

    @abc.abstractmethod
    def address(self, settings: Settings, station: str) -> str:
        """The address of the station's newest observation; empty if this source isn't set up."""

    def problem(self, settings: Settings) -> str:
        """Why its settings can't be used, as a sentence; empty if they can."""
        return ""

    @abc.abstractmethod
    def read(self, body: bytes, content_type: str, coding: str, station: str) -> Observation:
        """The newest observation that the answer holds; `coding` is its Content-Encoding. Raises `WeatherError`."""

    def history(
        self, settings: Settings, station: str, begin: datetime.datetime, end: datetime.datetime
    ) -> Sequence[str]:
        """The addresses that together hold the observations from `begin` to `end`; none if it has only the newest."""
        return ()

    def read_all(self, body: bytes, content_type: str, coding: str, station: str) -> list[Observation]:
        """All observations that an answer holds, in any order. Raises `WeatherError`."""
        return [self.read(body, content_type, coding, station)]


def days(
    begin: datetime.datetime, end: datetime.datetime, length: int = 1
) -> list[tuple[datetime.datetime, datetime.datetime]]:
    """Return the time from `begin` to `end` in pieces of at most so many days, in UTC."""
    begin, end = begin.astimezone(datetime.timezone.utc), end.astimezone(datetime.timezone.utc)
    step = datetime.timedelta(days=length)
    found = []
    while begin < end:
        found.append((begin, min(begin + step, end)))
        begin += step
    return found
