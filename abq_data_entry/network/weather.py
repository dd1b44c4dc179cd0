"""Fetch observations of weather stations from the sources that are set up: the newest one, or those of a period.

Responses are untrusted: at most `largest` bytes of a source are read, within one time limit.
"""

from __future__ import annotations

import datetime
import http.client
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from abq_data_entry.observation import AHEAD, OLD, STATION, TIME_KEY, read_time

from .failures import (
    InvalidInput,
    Pauses,
    WeatherBusy,
    WeatherError,
    describe_failure,
    http_status_in_words,
    retry_after,
)
from .guard import Guard, is_loopback
from .weather_source import Observation, Settings, WeatherSource, has_values
from .weather_sources import DEFAULT_SOURCES, in_order, nws_xml, sources_problem
from .web import opener, proxy_for, user_agent

TIMEOUT = 20.0  # seconds for all of it: an observation has a few KiB

_LONGEST_CONTACT = 200
Answer = TypeVar("Answer")
OnHeaders = Callable[[Mapping[str, str]], object]


def ask(
    source: WeatherSource,
    address: str,
    read: Callable[[bytes, str, str, str], Answer],
    settings: Settings,
    station: str,
    *,
    pauses: Pauses | None = None,
    timeout: float = TIMEOUT,
    cancel: threading.Event | None = None,
    on_headers: OnHeaders | None = None,
) -> Answer:
    """Fetch an address of a source; return what `read` finds in the answer. Raises what `get_local_weather` does."""
    _check_address(source, address, settings, station)
    contact, proxy = str(settings.get("weather_contact", "")), str(settings.get("network_proxy", ""))
    headers = {"User-Agent": _user_agent(contact), "Accept": source.accept, "Connection": "close"}
    place = urllib.parse.urlsplit(address).netloc
    way = proxy_for(address, proxy)
    until = pauses and pauses.until(place)
    if until:
        raise WeatherBusy(f"The weather feed {place} said that it is busy, so it was not asked.", until)
    with Guard(cancel, timeout, whole=True) as guard:
        try:
            return read(*_fetch(source, address, headers, way, guard, on_headers), station)
        except WeatherError as error:
            failure: Exception = guard.verdict() or error
        except urllib.error.HTTPError as error:
            failure = _refusal(error, station, address, source.address_setting)
            if pauses is not None and isinstance(failure, WeatherBusy):
                pauses.keep(place, failure.until)
            error.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            failure = guard.verdict() or WeatherError(describe_failure(error))
    if isinstance(failure, OSError):  # the time limit
        failure = WeatherError(str(failure))
    raise failure


def _check_address(source: WeatherSource, address: str, settings: Settings, station: str) -> None:
    if not STATION.fullmatch(station):
        raise InvalidInput(f"{station!r} is not a weather station: an id has 4 to 8 letters and digits, such as KBMG.")
    problem = source.problem(settings)
    if problem:
        raise InvalidInput(problem)
    parts = urllib.parse.urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise InvalidInput("The address of the weather feed must begin with https:// and a host's name.")


def _refusal(error: urllib.error.HTTPError, station: str, address: str, setting: str) -> WeatherError:
    words = _status_in_words(error.code, station, address, setting)
    until = retry_after(error.headers.get("Retry-After", "")) if error.code >= 400 else None
    return WeatherError(words) if until is None else WeatherBusy(words, until)


def _status_in_words(status: int, station: str, address: str, setting: str) -> str:
    host = urllib.parse.urlsplit(address).hostname or ""
    if status in (404, 410):
        return f"{host} knows no weather station {station} ({status}). Check the setting weather_station."
    if status in (401, 403):
        return (
            f"{host} refused to give the observation ({status}). "
            "It may want to know whom it can write to: set weather_contact."
        )
    if 300 <= status < 400:
        return f"{host} redirected us to another address ({status}) that isn't followed. Check the setting {setting}."
    return http_status_in_words(status, host)


def _fetch(
    source: WeatherSource, address: str, headers: dict[str, str], proxy: str, guard: Guard, on_headers: OnHeaders | None
) -> tuple[bytes, str, str]:
    """Return the body of the answer, complete and within the source's limit, its Content-Type and encoding."""
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - the scheme was checked
    with opener(guard, proxy, _not_followed).open(request) as response:
        if on_headers is not None:
            on_headers(response.headers)
        body: bytes = response.read(source.largest + 1)
        announced = response.headers.get("Content-Length", "")
        kind, coding = (response.headers.get(name, "") for name in ("Content-Type", "Content-Encoding"))
    guard.check()  # a body that the guard cut short looks complete
    if len(body) > source.largest:
        raise WeatherError(
            f"The answer is too large to be an observation (more than {source.largest // 1024} KiB). "
            f"Check {source.address_setting}."
        )
    if announced.isdecimal() and len(body) < int(announced):
        raise WeatherError("The connection was cut before the whole observation was here. Try again.")
    return body, kind, coding


def _not_followed(status: int) -> WeatherError:
    return WeatherError(
        f"The weather feed redirected us to another address ({status}), which is not encrypted or on another "
        "host. That is not followed; check the setting weather_url."
    )


def _user_agent(contact: str) -> str:
    contact = contact.strip()
    if not contact.isascii() or not contact.isprintable() or len(contact) > _LONGEST_CONTACT:
        raise InvalidInput("The setting weather_contact must be an e-mail or web address in plain letters.")
    comment = re.sub(r"[()\\]", r"\\\g<0>", contact)  # RFC 9110, section 5.6.5
    return user_agent() + (f" ({comment})" if comment else "")


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
    write to; `pauses`: stores until when a busy feed accepts no request; `proxy`: its address (http://…), empty for the
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

    If a source doesn't answer, or its newest observation is older than 90 minutes or ahead of the clock, the next
    source is asked; if none is current, the newest observation is returned. Returns and raises what `get_local_weather`
    does; if no source has any, the error of the first one.
    """
    station = station or str(settings["weather_station"])
    failure: WeatherError | None = None
    spare: list[Observation] = []
    for source in sources_set_up(settings, station):
        if spare and source.kind == "model":
            break  # an older measurement of a station ranks before a computed value
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
    """Return the age of an observation; None if its time can't be read or is ahead of the clock."""
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

    If `weather_url` leads to this computer itself, somebody is trying something out: then no other source is asked.
    """
    listed = str(settings.get("weather_sources", DEFAULT_SOURCES))
    if problem := sources_problem(listed):
        raise InvalidInput(f"The setting weather_sources {problem}.")
    found = [each for each in in_order(listed) if each.address(settings, station)]
    here = [each for each in found if _is_local_address(each.address(settings, station))]
    return here if nws_xml.SOURCE in here else found


def _is_local_address(address: str) -> bool:
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
    on_headers: OnHeaders | None = None,
) -> Observation:
    """Fetch the station's newest observation from one source; returns and raises what `get_local_weather` does.

    `on_headers(headers)` is called with the header fields of the answer.
    """
    address = source.address(settings, station)
    return ask(source, address, source.read, settings, station, pauses=pauses, timeout=timeout, cancel=cancel,
               on_headers=on_headers)  # fmt: skip


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
