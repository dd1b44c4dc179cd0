"""What every source of weather observations says of itself: all that the rest of the application knows of it."""

from __future__ import annotations

import abc
from collections.abc import Mapping

from ..setting import Setting

Settings = Mapping[str, object]
Observation = dict[str, str | None]
"""The keys that `get_local_weather` describes; each a text, or None where the source has no value that can be used."""


class WeatherSource(abc.ABC):
    """One source of observations. It has no state, and imports what it reads with when that is first needed.

    `name`: as in the column `source` of `local_weather`; `order`: its place among the others; `accept`: the media types
    that are asked for; `address_setting`: the setting to check when its address leads nowhere.
    """

    name: str
    order: int
    accept: str
    address_setting: str
    settings: tuple[Setting, ...] = ()

    @abc.abstractmethod
    def address(self, settings: Settings, station: str) -> str:
        """The address of the station's newest observation; empty if this source isn't set up."""

    def problem(self, settings: Settings) -> str:
        """Why its settings can't be used, as a sentence; empty if they can."""
        return ""

    @abc.abstractmethod
    def read(self, body: bytes, content_type: str, coding: str, station: str) -> Observation:
        """The observation that the answer holds; `coding` is its Content-Encoding. Raises `WeatherError`."""
