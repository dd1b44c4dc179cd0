"""A request over HTTP by the standard library: watched by a guard, through the proxy, with redirects that are safe.

For what is fetched from feeds; deliveries go by `requests`.
"""

from __future__ import annotations

import functools
import http.client
import socket
import ssl
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import IO

from .guard import Guard
from .web import FinalResponse, of_the_proxy


def opener(
    guard: Guard, proxy: str, refused: Callable[[int], Exception], context: ssl.SSLContext | None = None
) -> urllib.request.OpenerDirector:
    """Return what opens addresses of http: and https:, and no others, through the proxy (empty: directly).

    `refused(status)`: the error for a redirect that isn't followed; `context`: for TLS, the system's authorities if not
    given.
    """
    found = urllib.request.OpenerDirector()
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else {}),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _CarefulRedirects(refused),
        _Plain(guard, proxy),
        _Encrypted(guard, proxy, context),
    ]
    for handler in handlers:  # not build_opener, which would add file:, ftp: and data:
        found.add_handler(handler)
    return found


def user_agent() -> str:
    """Return how this application names itself (RFC 9110, section 10.1.5)."""
    from abq_data_entry.version import version

    return f"abq-data-entry/{version()}"


class _CarefulRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a few redirects to https, or on the same host without losing encryption; refuses others."""

    max_redirections = 5
    max_repeats = 2

    def __init__(self, refused: Callable[[int], Exception]) -> None:
        self._refused = refused

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:  # fmt: skip
        old, new = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        same_place = (old.scheme, old.netloc) == (new.scheme, new.netloc)
        if (new.scheme != "https" and not same_place) or new.username or new.password:
            raise self._refused(code)
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

    def __init__(self, guard: Guard, proxy: str, context: ssl.SSLContext | None) -> None:
        super().__init__()
        self._guard = guard
        self._proxy = proxy
        self._verified = context

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        context = self._verified or ssl.create_default_context()
        connection = functools.partial(
            _watched, http.client.HTTPSConnection, self._guard, self._proxy, context=context
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
