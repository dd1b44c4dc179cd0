"""One answer of a source of weather observations: asked for over HTTP, and read.

Everything that comes is taken as hostile: no more is read than a source may send (`largest`), within one time limit.
"""

from __future__ import annotations

import http.client
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import TypeVar

from abq_data_entry.observation import STATION

from .failures import (
    InvalidInput,
    Pauses,
    WeatherBusy,
    WeatherError,
    describe_failure,
    http_status_in_words,
    retry_after,
)
from .fetching import opener, user_agent
from .guard import Guard
from .weather_source import Settings, WeatherSource
from .web import proxy_for

TIMEOUT = 20.0  # seconds for all of it: an observation has a few KiB

_LONGEST_CONTACT = 200
Answer = TypeVar("Answer")
Heard = Callable[[Mapping[str, str]], object]


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
    heard: Heard | None = None,
) -> Answer:
    """Fetch what is at an address of a source, and return what `read` finds in it; raises what `get_local_weather`
    does."""
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
            return read(*_fetch(source, address, headers, way, guard, heard), station)
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
    source: WeatherSource, address: str, headers: dict[str, str], proxy: str, guard: Guard, heard: Heard | None
) -> tuple[bytes, str, str]:
    """Return the body of the answer, whole and no larger than the source may send, its Content-Type and encoding."""
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - the scheme was checked
    with opener(guard, proxy, _not_followed).open(request) as response:
        if heard is not None:
            heard(response.headers)
        body: bytes = response.read(source.largest + 1)
        announced = response.headers.get("Content-Length", "")
        kind, coding = (response.headers.get(name, "") for name in ("Content-Type", "Content-Encoding"))
    guard.check()  # a body cut short by the guard looks like one that ended
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
