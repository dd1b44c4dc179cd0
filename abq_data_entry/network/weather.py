"""The observations of weather stations, from the sources that are set up: the newest one, or those of some time."""

from __future__ import annotations

import datetime
import threading
import urllib.parse
from collections.abc import Iterator

from abq_data_entry.observation import AHEAD, CONDITIONS_KEY, OLD, QUANTITIES, TIME_KEY, read_time

from .failures import InvalidInput, Pauses, WeatherError
from .guard import is_loopback
from .weather_answer import TIMEOUT, Heard, ask
from .weather_source import Observation, Settings, WeatherSource, has_values
from .weather_sources import DEFAULT_SOURCES, in_order, nws_xml, sources_problem

OBSERVATION_KEYS = (TIME_KEY, *(each.key for each in QUANTITIES), CONDITIONS_KEY)
WEATHER_URL = "https://forecast.weather.gov/xml/current_obs/{station}.xml"


def get_local_weather(
    station: str,
    url: str = WEATHER_URL,
    *,
    contact: str = "",
    pauses: Pauses | None = None,
    proxy: str = "",
    timeout: float = TIMEOUT,
    cancel: threading.Event | None = None,
) -> Observation:
    """Fetch the station's current observation from the National Weather Service's feed.

    Returns the texts of `observation_time_rfc822`, `temp_c` (°C), `relative_humidity` (%), `pressure_mb` (hPa at sea
    level) and `weather`, white space folded, or None where the feed has none, or none that can be used; then `station`
    (of which it is), `source` (`nws_xml`), `kind` (`observed`) and `quality` (what couldn't be used, or None).

    `station`: 4 to 8 letters and digits; `url` holds `{station}`; `contact`: an address that the feed's operators can
    write to; `pauses`: keeps until when a busy feed accepts no request; `proxy`: its address (http://…), empty for the
    environment's; `timeout`: seconds for the whole.
    Raises `WeatherError`, `InvalidInput` (before anything is sent), `Cancelled`.
    """
    settings = {"weather_url": url, "weather_contact": contact, "network_proxy": proxy}
    return observation_from(nws_xml.SOURCE, settings, station, pauses=pauses, timeout=timeout, cancel=cancel)


def fetch_observation(
    settings: Settings,
    station: str = "",
    *,
    pauses: Pauses | None = None,
    timeout: float = TIMEOUT,
    cancel: threading.Event | None = None,
) -> Observation:
    """Fetch the current observation of a station (by default that of the settings) from the first source that has it.

    A source that doesn't answer, or whose newest observation is older than 90 minutes or ahead of the clock, lets the
    next one be asked; where none is current, the newest is returned. Returns and raises what `get_local_weather` does;
    if no source has any, the error of the first one.
    """
    station = station or str(settings["weather_station"])
    failure: WeatherError | None = None
    spare: list[Observation] = []
    for source in sources_set_up(settings, station):
        if spare and source.kind == "model":
            break  # what a station measured, though a while ago, stays before what is computed
        try:
            found = observation_from(source, settings, station, pauses=pauses, timeout=timeout, cancel=cancel)
        except WeatherError as error:
            failure = failure or error
            continue
        if _is_current(found):
            return found
        spare.append(found)
    if spare:
        return max(spare, key=_usefulness)
    raise failure or InvalidInput("No source of weather observations is set up. Check the setting weather_sources.")


def _age(found: Observation) -> datetime.timedelta | None:
    """How old an observation is; None without a time that can be read, or one ahead of the clock."""
    moment = read_time(found[TIME_KEY] or "")[0]
    age = None if moment is None else datetime.datetime.now(datetime.timezone.utc) - moment
    return age if age is not None and age >= -AHEAD else None


def _is_current(found: Observation) -> bool:
    age = _age(found)
    return age is not None and age <= OLD and has_values(found)


def _usefulness(found: Observation) -> datetime.timedelta:
    age = _age(found)
    return datetime.timedelta.min if age is None else -age


def sources_set_up(settings: Settings, station: str) -> list[WeatherSource]:
    """Return the sources that have an address by these settings, in the order in which they are asked.

    That is the order of the setting `weather_sources`; a source that it doesn't name comes after them where a setting
    of its own gives it an address. Raises `InvalidInput` for a name that no source has.

    Whoever lets `weather_url` lead to this computer itself tries something out: then nothing beyond it is asked.
    """
    listed = str(settings.get("weather_sources", DEFAULT_SOURCES))
    if problem := sources_problem(listed):
        raise InvalidInput(f"The setting weather_sources {problem}.")
    found = [each for each in in_order(listed) if each.address(settings, station)]
    here = [each for each in found if _leads_here(each.address(settings, station))]
    return here if nws_xml.SOURCE in here else found


def _leads_here(address: str) -> bool:
    try:
        return is_loopback(urllib.parse.urlsplit(address).hostname or "")
    except ValueError:
        return False


def observation_from(
    source: WeatherSource,
    settings: Settings,
    station: str,
    *,
    pauses: Pauses | None = None,
    timeout: float = TIMEOUT,
    cancel: threading.Event | None = None,
    heard: Heard | None = None,
) -> Observation:
    """Fetch the station's newest observation from one source; returns and raises what `get_local_weather` does.

    `heard(headers)` is called with what the answer says of itself.
    """
    address = source.address(settings, station)
    return ask(source, address, source.read, settings, station, pauses=pauses, timeout=timeout, cancel=cancel,
               heard=heard)  # fmt: skip


def observations_from(
    source: WeatherSource,
    settings: Settings,
    station: str,
    begin: datetime.datetime,
    end: datetime.datetime,
    *,
    pauses: Pauses | None = None,
    timeout: float = TIMEOUT,
    cancel: threading.Event | None = None,
) -> Iterator[list[Observation]]:
    """Yield the station's observations between two moments from one source, a list for each answer.

    Nothing is yielded where the source doesn't reach back so far. `timeout`: seconds for each answer. Raises what
    `get_local_weather` does.
    """
    begin = max(begin, datetime.datetime.now(datetime.timezone.utc) - source.reach)
    for address in source.history(settings, station, begin, end):
        found = ask(source, address, source.read_all, settings, station, pauses=pauses, timeout=timeout, cancel=cancel)
        yield [each for each in found if _is_within(each, begin, end)]


def _is_within(found: Observation, begin: datetime.datetime, end: datetime.datetime) -> bool:
    moment = read_time(found[TIME_KEY] or "")[0]
    return moment is not None and begin <= moment <= end
