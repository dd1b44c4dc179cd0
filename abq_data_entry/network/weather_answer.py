"""One answer of a source of weather observations: asked for over HTTP, and read.

Everything that comes is taken as hostile: no more is read than a source may send (`largest`), within one time limit.
"""

from __future__ import annotations

import functools
import http.client
import re
import socket
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import IO, TypeVar

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
from .guard import Guard
from .weather_source import Settings, WeatherSource
from .web import FinalResponse, of_the_proxy, proxy_for

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
    opener = urllib.request.OpenerDirector()
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else {}),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _CarefulRedirects(),
        _Plain(guard, proxy),
        _Encrypted(guard, proxy),
    ]
    for handler in handlers:  # not build_opener, which would add file:, ftp: and data:
        opener.add_handler(handler)
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - the scheme was checked
    with opener.open(request) as response:
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


def _user_agent(contact: str) -> str:
    from abq_data_entry.version import version

    contact = contact.strip()
    if not contact.isascii() or not contact.isprintable() or len(contact) > _LONGEST_CONTACT:
        raise InvalidInput("The setting weather_contact must be an e-mail or web address in plain letters.")
    comment = re.sub(r"[()\\]", r"\\\g<0>", contact)  # RFC 9110, section 5.6.5
    return f"abq-data-entry/{version()}" + (f" ({comment})" if comment else "")


class _CarefulRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a few redirects to https, or on the same host without losing encryption; refuses others."""

    max_redirections = 5
    max_repeats = 2

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:  # fmt: skip
        old, new = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        same_place = (old.scheme, old.netloc) == (new.scheme, new.netloc)
        if (new.scheme != "https" and not same_place) or new.username or new.password:
            raise WeatherError(
                f"The weather feed redirected us to another address ({code}), which is not encrypted or on another "
                "host. That is not followed; check the setting weather_url."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Plain(urllib.request.HTTPHandler):
    """http: over connections that the guard opens."""

    def __init__(self, guard: Guard, proxy: str) -> None:
        super().__init__()
        self._guard = guard
        self._proxy = proxy

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_watched, http.client.HTTPConnection, self._guard, self._proxy), req)


class _Encrypted(urllib.request.HTTPSHandler):
    """https: over connections that the guard opens; certificates and host names are verified."""

    def __init__(self, guard: Guard, proxy: str) -> None:
        super().__init__()
        self._guard = guard
        self._proxy = proxy

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        connection = functools.partial(
            _watched, http.client.HTTPSConnection, self._guard, self._proxy, context=ssl.create_default_context()
        )
        return self.do_open(connection, req)


def _watched(
    kind: type[http.client.HTTPConnection], guard: Guard, proxy: str, host: str, **options: object
) -> http.client.HTTPConnection:
    connection = kind(host, **options)  # type: ignore[arg-type]
    connection.response_class = FinalResponse

    def connect(address: tuple[str, int], *_: object) -> socket.socket:
        try:
            return guard.connect(*address)
        except OSError as error:
            if not proxy:
                raise
            raise of_the_proxy(error, address[0]) from None

    connection._create_connection = connect  # type: ignore[attr-defined]  # the one place where it opens sockets
    return connection
