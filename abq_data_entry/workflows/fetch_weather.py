"""Fetch a station's current observation, and store it: two steps, since only the second needs a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from .. import folders

if TYPE_CHECKING:
    import threading

    from .. import network
    from ..models import SQLModel
    from ..models.weather import Observation

Document = Mapping[str, str | None]


class Recorded(NamedTuple):
    """A stored observation: a sentence about it, its values, and warnings."""

    text: str
    observation: Observation
    warnings: tuple[str, ...]


def fetch(values: Mapping[str, object], cancel: threading.Event, station: str = "") -> Document:
    """Fetch the observation of a station (empty: the one of the settings). Raises what `fetch_observation` raises."""
    from .. import network

    return network.fetch_observation(values, station, pauses=pauses(), cancel=cancel)


def pauses() -> network.Pauses:
    """Return which server wants no request until when; shared by all processes of this user."""
    from .. import network

    return network.Pauses(folders.data_folder(create=True) / "weather-pauses.json")


def store(model: SQLModel, document: Document) -> Recorded:
    """Store a fetched observation; storing it twice isn't an error. Raises `DatabaseError`."""
    stored = model.store_weather(document)
    return Recorded(
        stored.in_words(str(document["observation_time_rfc822"])), stored.observation, tuple(stored.warnings)
    )
