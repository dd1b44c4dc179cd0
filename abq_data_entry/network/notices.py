"""Fetch the company's notices: from a feed (Atom or RSS) by https, or a newsgroup by nntps; and the check.

Requests are conditional, by the validators of the last response (`Fetched.state`), so that an unchanged feed isn't
sent. Size and time are bounded.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import http.client
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Mapping

from . import encryption, probing
from .failures import InvalidInput, describe_failure, http_status_in_words, retry_after
from .guard import Guard, is_loopback
from .notice_feed import Fetched, NoticesError, read_feed
from .probing import CERTIFICATES, Clock, Context, Inspection, Result, Steps
from .web import opener, place_of, proxy_for, user_agent, way

Settings = Mapping[str, object]
Login = tuple[str, str]
OnHeaders = Callable[[Mapping[str, str]], object]

TIMEOUT = 40.0  # seconds for all of it
KIND = "notices"
"""The name of the login in the keyring and in the folder of secrets."""

_ENCRYPTED = {"https": True, "http": False, "nntps": True, "nntp": True}  # nntp: by STARTTLS

_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,199}")


def problem(settings: Settings) -> str:
    """Return why the settings can't be used, as a sentence; empty if they can."""
    address = str(settings["notices_url"]).strip()
    try:
        parts = urllib.parse.urlsplit(address)
        usable = parts.scheme in _ENCRYPTED and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not address.isprintable() or " " in address:
        return "The setting notices_url must begin with https:// or nntps:// and a host's name."
    if parts.username or parts.password:
        return "The setting notices_url holds a login. Name the user in notices_username, and keep the password apart."
    if parts.scheme in ("nntps", "nntp") and not group_of(address):
        return "The setting notices_url must name a newsgroup after the host: nntps://news.example.com/company.notices"
    is_open = not _ENCRYPTED[parts.scheme]
    if is_open and settings["notices_security"] != "none" and not is_loopback(parts.hostname or ""):
        return (
            "The setting notices_url begins with http://: others on the way could write notices of their own. Use "
            "https://, or set notices_security to none."
        )
    return ""


def group_of(address: str) -> str:
    """Return the newsgroup that an address names; empty if it names no valid one."""
    name = urllib.parse.unquote(urllib.parse.urlsplit(address).path).strip("/")
    return name if _GROUP.fullmatch(name) else ""


def source_of(settings: Settings) -> str:
    """Return the name of the source in the database: its address, without what may be secret in it; empty for none.

    Two addresses that differ only in their query have different names.
    """
    address = str(settings["notices_url"]).strip()
    if not address:
        return ""
    try:
        parts = urllib.parse.urlsplit(address)
        place = urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return ""
    query = hashlib.sha256(parts.query.encode()).hexdigest()[:12] if parts.query else ""
    return f"{place[:900]}?{query}" if query else place[:900]


def fetch_notices(
    settings: Settings,
    state: Mapping[str, object],
    login: Login | None = None,
    *,
    timeout: float = TIMEOUT,
    cancel: threading.Event | None = None,
    on_headers: OnHeaders | None = None,
) -> Fetched:
    """Fetch new notices. `state`: that of the last response, or {} for all; `timeout`: seconds for everything;
    `on_headers(headers)`: called with the header fields of an HTTP response.

    Raises `NoticesError`, `InvalidInput` (before anything is sent), `Cancelled`.
    """
    if why := problem(settings):
        raise InvalidInput(why)
    if str(settings["notices_url"]).strip().lower().startswith("nntp"):
        from .notice_group import fetch_group

        group = group_of(str(settings["notices_url"]).strip())
        return fetch_group(settings, group, state, login, timeout=timeout, cancel=cancel)

    return fetch_feed(settings, state, login, timeout=timeout, cancel=cancel, on_headers=on_headers)


_PORTS = {"nntps": 563, "nntp": 119}


def probe(context: Context) -> Steps[None]:
    """Check the feed or the newsgroup of the settings; the notices that come aren't stored."""
    address = str(context.settings["notices_url"]).strip()
    inspection = Inspection(f"Notices {place_of(address)}".strip(), context, KIND)
    if why := problem(context.settings):
        yield from inspection.fail("Settings", why)
    if address.startswith("nntp"):
        yield from _news_server_steps(inspection, address)
    else:
        yield from way(inspection, address, context.chosen(ca_file="abq_ca_file"))
    if context.settings["notices_username"]:
        yield inspection.note("Answer", "not asked for: it wants a login, which `notices fetch` tries")
        return
    clock = Clock()

    def fetch() -> Result[None]:
        found = fetch_notices(
            context.settings, {}, timeout=context.wanted.wait, cancel=context.cancel, on_headers=clock.read_headers
        )
        return Result(None, _summary(found))

    yield from inspection.step("Answer", fetch)
    yield from clock.steps(inspection, CERTIFICATES)


def _news_server_steps(inspection: Inspection, address: str) -> Steps[None]:
    """Check name, port, and TLS if the connection begins with it; STARTTLS is checked with the answer."""
    parts = urllib.parse.urlsplit(address)
    host, number = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    addresses = yield from probing.name(inspection, host, number)
    yield from probing.port(inspection, host, number, addresses)
    if parts.scheme == "nntps":
        trusted = encryption.verified_context(str(inspection.context.settings["abq_ca_file"]) or None)
        guard = inspection.guard
        yield from probing.tls(inspection, host, lambda: guard.connected(host, number, addresses), trusted)


def _summary(found: Fetched) -> str:
    notices = found.notices or ()
    newest = max((each.published for each in notices if each.published is not None), default=None)
    dated = f", the newest of {newest:%Y-%m-%d}" if newest is not None else ""
    return f"{len(notices)} notice{'' if len(notices) == 1 else 's'}{dated}"


LARGEST = 4 * 1024 * 1024
"""The largest feed in bytes, also after decompression."""

_LONGEST_VALIDATOR = 1000
_GONE_FOR = datetime.timedelta(days=1)
_ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1"
_VALIDATORS = {"etag": ("ETag", "If-None-Match"), "modified": ("Last-Modified", "If-Modified-Since")}


def fetch_feed(
    settings: Mapping[str, object],
    state: Mapping[str, object],
    login: tuple[str, str] | None,
    *,
    timeout: float,
    cancel: threading.Event | None,
    on_headers: Callable[[Mapping[str, str]], object] | None = None,
) -> Fetched:
    """Do what `fetch_notices` does, for a feed; the settings have been checked."""
    address = urllib.parse.urldefrag(str(settings["notices_url"]).strip()).url
    request = _request(address, state, login)
    way = proxy_for(address, str(settings["network_proxy"]))
    context = encryption.verified_context(str(settings["abq_ca_file"]) or None)
    host = urllib.parse.urlsplit(address).hostname or ""
    with Guard(cancel, timeout, whole=True) as guard:
        try:
            with opener(guard, way, _not_followed, context).open(request) as response:
                if on_headers is not None:
                    on_headers(dict(response.headers.items()))
                body = _body(response, guard)
                kind = response.headers.get("Content-Type", "")
                return Fetched(read_feed(body, kind, response.geturl()), _validators(dict(response.headers.items())))
        except NoticesError as error:
            failure: Exception = guard.verdict() or error
        except urllib.error.HTTPError as error:
            if on_headers is not None:
                on_headers(dict(error.headers.items()))
            error.close()
            if error.code == http.HTTPStatus.NOT_MODIFIED and state:
                return Fetched(None, state)
            failure = _refusal(error, host)
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
            failure = guard.verdict() or NoticesError(describe_failure(error))
    raise NoticesError(str(failure)) if isinstance(failure, OSError) else failure


def _request(address: str, state: Mapping[str, object], login: tuple[str, str] | None) -> urllib.request.Request:
    headers = {"User-Agent": user_agent(), "Accept": _ACCEPT, "Accept-Encoding": "gzip", "Connection": "close"}
    for name, (_, asks) in _VALIDATORS.items():
        if validator := _usable(state.get(name)):
            headers[asks] = validator
    quoted = urllib.parse.quote(address, safe="%/:=&?~#+!$,;'@()*[]")
    request = urllib.request.Request(quoted, headers=headers)  # noqa: S310 - the scheme was checked
    if login is not None:
        words = base64.b64encode(":".join(login).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {words}")
    return request


def _validators(headers: Mapping[str, str]) -> dict[str, object]:
    found = {name: _usable(headers.get(says)) for name, (says, _) in _VALIDATORS.items()}
    return {name: value for name, value in found.items() if value}


def _usable(validator: object) -> str:
    """Return the validator if it can be sent back as it is."""
    text = validator if isinstance(validator, str) else ""
    return text if text.isascii() and text.isprintable() and len(text) <= _LONGEST_VALIDATOR else ""


def _body(response: http.client.HTTPResponse, guard: Guard) -> bytes:
    body = response.read(LARGEST + 1)
    guard.check()  # a body that the guard cut short looks complete
    announced = response.headers.get("Content-Length", "")
    if len(body) <= LARGEST and announced.isdecimal() and len(body) < int(announced[:18]):
        raise NoticesError("The connection was cut before the whole feed was here. Try again.")
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    if coding in ("gzip", "x-gzip"):
        body = _unpacked(body)
    elif coding not in ("", "identity"):
        raise NoticesError("The feed came in a compression that nobody asked for. Tell its administrator.")
    if len(body) > LARGEST:
        raise NoticesError(
            f"The answer is too large to be a feed (more than {LARGEST // 1024**2} MiB). Check the setting notices_url."
        )
    return body


def _unpacked(body: bytes) -> bytes:
    """Decompress, up to the limit for a feed."""
    unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        found = unpacking.decompress(body, LARGEST + 1)
    except zlib.error:
        raise NoticesError("The compressed feed is damaged. Try again.") from None
    if len(found) <= LARGEST and not unpacking.eof:
        raise NoticesError("The connection was cut before the whole feed was here. Try again.")
    return found


def _refusal(error: urllib.error.HTTPError, host: str) -> NoticesError:
    until = retry_after(error.headers.get("Retry-After", "")) if error.code >= 400 else None
    now = datetime.datetime.now(datetime.timezone.utc)
    if error.code == http.HTTPStatus.GONE:  # for good (RFC 9110, 15.5.11)
        said = f"The feed at {host} was given up (410). Ask your administrator for its new address (notices_url)."
        return NoticesError(said, now + _GONE_FOR)
    if error.code == http.HTTPStatus.NOT_FOUND:
        return NoticesError(f"{host} has no feed at this address (404). Check the setting notices_url.", until)
    if error.code in (401, 403):
        said = "Check the setting notices_username and the password that is kept for it."
        return NoticesError(f"{host} wants another login, or none may read the feed ({error.code}). {said}", until)
    if 300 <= error.code < 400:
        return NoticesError(
            f"{host} redirected us in a way that isn't followed ({error.code}). Check the setting notices_url."
        )
    return NoticesError(http_status_in_words(error.code, host), until)


def _not_followed(status: int) -> NoticesError:
    return NoticesError(
        f"The feed redirected us to another address ({status}), which isn't encrypted. That isn't followed; check the "
        "setting notices_url."
    )
