"""The interface of a weather source: everything that the rest of the application knows about it."""

from __future__ import annotations

import abc
import datetime
from collections.abc import Mapping, Sequence

from ..setting import Setting

Settings = Mapping[str, object]
Observation = dict[str, str | None]
"""The keys that `get_local_weather` describes; each a text, or None if the source has no usable value."""


class WeatherSource(abc.ABC):
    """A source of observations. It is stateless, and imports its parsers at their first use.

    `name`: as in the column `source` of `local_weather`; `order`: its position if the setting `weather_sources` doesn't
    name it; `accept`: the media types for the header field Accept; `address_setting`: the setting of its URL; `kind`:
    `observed` by a station or computed by a `model`; `reach`: how far back its history goes (0: only the newest
    observation); `largest`: the largest response in bytes.
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
        """Return the address of the station's newest observation; empty if this source isn't set up."""

    def problem(self, settings: Settings) -> str:
        """Why its settings can't be used, as a sentence; empty if they can."""
        return ""

    @abc.abstractmethod
    def read(self, body: bytes, content_type: str, coding: str, station: str) -> Observation:
        """Return the newest observation that the answer holds; `coding` is its Content-Encoding. Raises
        `WeatherError`."""

    def history(
        self, settings: Settings, station: str, begin: datetime.datetime, end: datetime.datetime
    ) -> Sequence[str]:
        """Return the addresses that together hold the observations from `begin` to `end`; none if it has only the
        newest."""
        return ()

    def read_all(self, body: bytes, content_type: str, coding: str, station: str) -> list[Observation]:
        """All observations that an answer holds, in any order. Raises `WeatherError`."""
        return [self.read(body, content_type, coding, station)]


class SeriesSource(WeatherSource):
    """A source whose answers hold several observations each."""

    def read(self, body: bytes, content_type: str, coding: str, station: str) -> Observation:
        """Return the newest of them."""
        return newest(self.read_all(body, content_type, coding, station))

    @abc.abstractmethod
    def read_all(self, body: bytes, content_type: str, coding: str, station: str) -> list[Observation]:
        """All of them, in any order. Raises `WeatherError`."""


class StationSeriesSource(SeriesSource):
    """One that is asked for a station, at the address of `address_setting`: `url` where nobody changed that.

    `contents`: what its answers hold, in a word.
    """

    url: str
    contents: str

    def base(self, settings: Settings, station: str) -> str:
        """Return the address of the station, without a query; empty where the setting is."""
        return self._address(settings).replace("{station}", station.upper())

    def problem(self, settings: Settings) -> str:
        """See `WeatherSource.problem`."""
        if "{station}" in self._address(settings):
            return ""
        return f"The address of the {self.contents} must hold {{station}}. Check the setting {self.address_setting}."

    def _address(self, settings: Settings) -> str:
        return str(settings.get(self.address_setting, self.url))


def with_query(address: str, query: str) -> str:
    """Return the address with that query, behind the one it may have; empty where there is no address."""
    return "" if not address else f"{address}{'&' if '?' in address else '?'}{query}"


def has_values(found: Observation) -> bool:
    """Return whether an observation has any value."""
    from ..observation import CONDITIONS_KEY, QUANTITIES

    return any(found[key] is not None for key in (*(each.key for each in QUANTITIES), CONDITIONS_KEY))


def newest(found: Sequence[Observation]) -> Observation:
    """Return the newest one that has a temperature, else the newest with any value. Raises `WeatherError`."""
    from ..observation import AHEAD, TIME_KEY, read_time
    from .failures import WeatherError

    latest = datetime.datetime.now(datetime.timezone.utc) + AHEAD
    timed = [(read_time(each[TIME_KEY] or "")[0], each) for each in found if has_values(each)]
    known = [(time, each) for time, each in timed if time is not None and time <= latest]
    if not known:
        raise WeatherError("The weather service has no observation of this station that can be used.")
    _, best = max(known, key=lambda each: (each[1]["temp_c"] is not None, each[0]))
    return best


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
