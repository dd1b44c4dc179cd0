"""The current-observation feed of the US National Weather Service: XML over HTTP, one small document a station.

Format: https://www.weather.gov/view/current_observation.xsd. Everything that comes is taken as hostile: at most 64 KiB
are read, within one time limit for the whole, and document type declarations are refused.
"""

from __future__ import annotations

import datetime
import functools
import http.client
import re
import socket
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from typing import IO, TYPE_CHECKING
from xml.etree.ElementTree import ParseError
from xml.parsers import expat

from abq_data_entry.observation import CONDITIONS_KEY, QUANTITIES, STATION, TIME_KEY, read_conditions, read_quantity

from .failures import InvalidInput, Pauses, UserFacingError, describe_failure, http_status_in_words, retry_after
from .guard import Guard
from .web import FinalResponse, of_the_proxy, proxy_for

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

OBSERVATION_KEYS = (TIME_KEY, *(each.key for each in QUANTITIES), CONDITIONS_KEY)
SOURCE = "nws_xml"

_STATION_KEY = "station_id"
_CUT_OFF = (
    expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
    expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION],
)
_ENCODING = (
    expat.errors.codes[expat.errors.XML_ERROR_UNKNOWN_ENCODING],
    expat.errors.codes[expat.errors.XML_ERROR_INCORRECT_ENCODING],
)
_BEGINNINGS = (
    (b"\x1f\x8b", "compressed (gzip), which nobody asked for"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"%pdf-", "a PDF document"),
    (b"\x89png", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"gif8", "a picture (GIF)"),
    (b"{", "JSON"),
    (b"[", "JSON"),
)


class WeatherError(UserFacingError, Exception):
    """The observation couldn't be had; the text says why."""


class WeatherBusy(WeatherError):
    """The feed is busy, and wants no request before `until`."""

    def __init__(self, message: str, until: datetime.datetime) -> None:
        super().__init__(f"{message} It accepts no request before {until.astimezone():%H:%M:%S}.")
        self.until = until


def read_observation(body: bytes, content_type: str, coding: str, station: str) -> dict[str, str | None]:
    """Return the observation of the station that the document holds, as `get_local_weather` does.

    Raises `WeatherError`: what came is something else, is of another station, or names two times.
    """
    root = _parsed(body, content_type, coding)
    if root.tag != "current_observation":
        raise WeatherError(f"What came is {_kind(body, content_type)}, not an observation. Check weather_url.")
    notes: list[str] = []
    texts: dict[str, str | None] = {TIME_KEY: _single(root, TIME_KEY, "times")}
    for quantity in QUANTITIES:
        text = _unless_double(root, quantity.key, quantity.name, notes)
        value, note = read_quantity(quantity, text) if text else (None, "")
        if value is None and note:
            notes.append(note)
        texts[quantity.key] = None if value is None else text
    words = _unless_double(root, CONDITIONS_KEY, "weather", notes)
    conditions, note = read_conditions(words) if words else (None, "")
    notes += [note] if note else []
    texts[CONDITIONS_KEY] = conditions and words
    return {
        **texts,
        "station": _station(root, station, notes),
        "source": SOURCE,
        "kind": "observed",
        "quality": "; ".join(notes) or None,
    }


def _station(root: Element, asked: str, notes: list[str]) -> str:
    found = _single(root, _STATION_KEY, "stations")
    if found is None:
        notes.append("station not named by the document")
    elif found.upper() != asked.upper():
        raise WeatherError(
            f"What came is an observation of {_short(found)}, not of the station {asked}. Check weather_url."
        )
    return asked.upper()


def _single(root: Element, key: str, what: str) -> str | None:
    """Return the text of an element that must not stand there with different texts."""
    found = _all(root, key)
    if len(found) > 1:
        raise WeatherError(
            f"The observation names {len(found)} {what}, so it can't be told which is right: "
            f"{', '.join(map(_short, found[:3]))}."
        )
    return found[0] or None if found else None


def _unless_double(root: Element, key: str, name: str, notes: list[str]) -> str | None:
    found = list(dict.fromkeys(_all(root, key)))
    if len(found) > 1:
        notes.append(f"{name} given {len(found)} times with different values")
        return None
    return found[0] or None if found else None


def _all(root: Element, key: str) -> list[str]:
    return [" ".join("".join(element.itertext()).split()) for element in root.findall(key)]


def _parsed(body: bytes, content_type: str, coding: str) -> Element:
    from defusedxml.common import DTDForbidden
    from defusedxml.ElementTree import fromstring

    if not body.strip():
        raise WeatherError("The answer of the weather feed is empty. Try again later.")
    kind = _kind(body, content_type)
    if kind == _SOMETHING and coding.lower() not in ("", "identity"):
        kind = f"compressed ({_short(coding)}), which nobody asked for"
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except DTDForbidden:
        kind = kind if kind == _PAGE else "a document with a type declaration (DTD), which is refused"
    except ParseError as error:
        if kind in (_SOMETHING, _OBSERVATION) and error.code in _CUT_OFF and b"<" in body:
            raise WeatherError("What came was cut off: the XML ends in the middle. Try again.") from None
        if kind in (_SOMETHING, _OBSERVATION) and (error.code in _ENCODING or _of_another_encoding(body)):
            kind = _ENCODED
    except (ValueError, LookupError):  # an encoding that Python doesn't know either, or something that is refused
        kind = _ENCODED if kind in (_SOMETHING, _OBSERVATION) else kind
    else:
        return root
    raise WeatherError(f"What came is {kind}, not an observation in XML. Check weather_url.")


_PAGE = "a web page"
_SOMETHING = "something else"
_OBSERVATION = "damaged"
_ENCODED = "text in another encoding than it says"


def _kind(body: bytes, content_type: str) -> str:
    start = body[:2048].lower().lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"<html" in start or b"<!doctype html" in start:
        return _PAGE
    for beginning, name in _BEGINNINGS:
        if start.startswith(beginning):
            return name
    if b"<current_observation" in start:
        return _OBSERVATION
    named = content_type.partition(";")[0].strip()
    plain = named in ("", "application/xml", "text/xml", "text/html", "application/octet-stream")
    return _SOMETHING if plain or start.startswith(b"<") else f"{_SOMETHING} ({_short(named)})"


def _of_another_encoding(body: bytes) -> bool:
    """Tell whether a document that names no encoding isn't in UTF-8, which it then means (XML 1.0, section 4.3.3)."""
    if b"encoding" in body[:100]:
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return True
    return False


def _short(text: str) -> str:
    clean = "".join(each if each.isprintable() else "?" for each in text)
    return clean if len(clean) <= 60 else clean[:59] + "…"


WEATHER_URL = "https://forecast.weather.gov/xml/current_obs/{station}.xml"
TIMEOUT = 20.0  # seconds for all of it: an observation has about 2 KiB

_LARGEST = 64 * 1024
_LONGEST_CONTACT = 200


def get_local_weather(
    station: str,
    url: str = WEATHER_URL,
    *,
    contact: str = "",
    pauses: Pauses | None = None,
    proxy: str = "",
    timeout: float = TIMEOUT,
    cancel: threading.Event | None = None,
) -> dict[str, str | None]:
    """Fetch the station's current observation.

    Returns the texts of `observation_time_rfc822`, `temp_c` (°C), `relative_humidity` (%), `pressure_mb` (hPa at sea
    level) and `weather`, white space folded, or None where the feed has none, or none that can be used; then `station`
    (of which it is), `source` (`nws_xml`), `kind` (`observed`) and `quality` (what couldn't be used, or None).

    `station`: 4 to 8 letters and digits; `url` holds `{station}`; `contact`: an address that the feed's operators can
    write to; `pauses`: where it is kept until when a busy feed wants no request; `proxy`: its
    address (http://…), empty for the environment's; `timeout`: seconds for the whole.
    Raises `WeatherError`, `InvalidInput` (before anything is sent), `Cancelled`.
    """
    address = _address(station, url)
    headers = {"User-Agent": _user_agent(contact), "Accept": "application/xml, text/xml", "Connection": "close"}
    place = urllib.parse.urlsplit(address).netloc
    way = proxy_for(address, proxy)
    until = pauses and pauses.until(place)
    if until:
        raise WeatherBusy(f"The weather feed {place} said that it is busy, so it was not asked.", until)
    with Guard(cancel, timeout, whole=True) as guard:
        try:
            return read_observation(*_fetch(address, headers, way, guard), station)
        except WeatherError as error:
            failure: Exception = guard.verdict() or error
        except urllib.error.HTTPError as error:
            failure = _refusal(error, station, address)
            if pauses is not None and isinstance(failure, WeatherBusy):
                pauses.keep(place, failure.until)
            error.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            failure = guard.verdict() or WeatherError(describe_failure(error))
    if isinstance(failure, OSError):  # the time limit
        failure = WeatherError(str(failure))
    raise failure


def _address(station: str, url: str) -> str:
    if not STATION.fullmatch(station):
        raise InvalidInput(f"{station!r} is not a weather station: an id has 4 to 8 letters and digits, such as KBMG.")
    if "{station}" not in url:
        raise InvalidInput("The address of the weather feed must hold {station}. Check the setting weather_url.")
    address = url.replace("{station}", station)
    parts = urllib.parse.urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise InvalidInput("The address of the weather feed must begin with https:// and a host's name.")
    return address


def _refusal(error: urllib.error.HTTPError, station: str, address: str) -> WeatherError:
    words = _status_in_words(error.code, station, address)
    until = retry_after(error.headers.get("Retry-After", "")) if error.code >= 400 else None
    return WeatherError(words) if until is None else WeatherBusy(words, until)


def _status_in_words(status: int, station: str, address: str) -> str:
    host = urllib.parse.urlsplit(address).hostname or ""
    if status in (404, 410):
        return f"{host} knows no weather station {station} ({status}). Check the setting weather_station."
    if status in (401, 403):
        return (
            f"{host} refused to give the observation ({status}). "
            "It may want to know whom it can write to: set weather_contact."
        )
    if 300 <= status < 400:
        return f"{host} redirected us to another address ({status}) that isn't followed. Check the setting weather_url."
    return http_status_in_words(status, host)


def _fetch(address: str, headers: dict[str, str], proxy: str, guard: Guard) -> tuple[bytes, str, str]:
    """Return the body of the answer, whole and at most 64 KiB, and its Content-Type and Content-Encoding."""
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
        body: bytes = response.read(_LARGEST + 1)
        announced = response.headers.get("Content-Length", "")
        kind, coding = (response.headers.get(name, "") for name in ("Content-Type", "Content-Encoding"))
    guard.check()  # a body cut short by the guard looks like one that ended
    if len(body) > _LARGEST:
        raise WeatherError("The answer is too large to be an observation (more than 64 KiB). Check weather_url.")
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
