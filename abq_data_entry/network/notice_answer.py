"""One answer of a feed of notices: asked for over HTTP, only if it has changed, within bounds of size and time."""

from __future__ import annotations

import base64
import datetime
import http.client
import threading
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Mapping

from . import encryption
from .failures import describe_failure, http_status_in_words, retry_after
from .fetching import opener, user_agent
from .guard import Guard
from .notice_feed import Fetched, NoticesError, read_feed
from .web import proxy_for

LARGEST = 4 * 1024 * 1024
"""Bytes of a feed, also when it was compressed."""

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
    heard: Callable[[Mapping[str, str]], object] | None = None,
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
                if heard is not None:
                    heard(dict(response.headers.items()))
                body = _body(response, guard)
                kind = response.headers.get("Content-Type", "")
                return Fetched(read_feed(body, kind, response.geturl()), _validators(dict(response.headers.items())))
        except NoticesError as error:
            failure: Exception = guard.verdict() or error
        except urllib.error.HTTPError as error:
            if heard is not None:
                heard(dict(error.headers.items()))
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
    """The validator if it can be sent back as it is."""
    text = validator if isinstance(validator, str) else ""
    return text if text.isascii() and text.isprintable() and len(text) <= _LONGEST_VALIDATOR else ""


def _body(response: http.client.HTTPResponse, guard: Guard) -> bytes:
    body = response.read(LARGEST + 1)
    guard.check()  # a body cut short by the guard looks like one that ended
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
    """Unpack no more than a feed may have, however much it would become."""
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
