"""The corporate REST service: log in, by default with a form, keep the token cookie, PUT the file as
multipart/form-data.

Sources: RFC 9110 (HTTP), RFC 7578 (multipart/form-data), RFC 9530 (Content-Digest), draft-ietf-httpapi-idempotency-key;
of logins RFC 6749 (OAuth 2.0), 2.3.1 and 4.4, client credentials, RFC 6750 (bearer tokens), RFC 7617 (Basic).
Requests are built in `web`, responses are checked in `rest_answers`.
"""

from __future__ import annotations

import abc
import http.client
import json
import logging
import math
import os
import re
import secrets
import ssl
import threading
import time
import urllib.parse
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import requests
import requests.adapters
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from . import encryption, rest_answers
from .destination import KEY_HEADER, METHODS, NONE, LoginMethod
from .failures import Cancelled, HostRefused, InvalidInput, causes
from .guard import Guard, is_loopback
from .rest_answers import (
    RestCertificateError,
    RestConnectionError,
    RestError,
    RestStatusError,
    check,
    concealed,
    status_messages,
)
from .uploads import TIMEOUT, Progress, SourceFile, Uploads
from .web import FinalResponse, Multipart, address_parts, basic_authorization, of_the_proxy, proxy_for

COOKIE, TOKEN, API_KEY, BASIC, OAUTH2 = METHODS
Post = Callable[..., tuple[requests.Response, bytes]]
"""Sends a POST to the login's address; returns the answer and its body, up to a limit."""

_IN_A_HEADER = re.compile(r"[!-~]([ -~]{0,8190}[!-~])?")
_A_TOKEN = re.compile(r"[!-~]{1,8192}")
_NAMES = ("access_token", "accesstoken", "token", "jwt", "id_token")
_WITHIN = ("result", "data")
_UNKNOWN_CLIENT = ("invalid_client", "unauthorized_client", "invalid_grant")
_EARLY = 10.0  # seconds before its end from which a token isn't used for anything new
_LONGEST = 366 * 24 * 3600.0


class RestLogin(abc.ABC):
    """A login method. `has_address`: it begins with a request; only then logging in again after a 401 makes sense.

    `headers`: the header fields of each request; `end`: when the login expires, by `time.monotonic`; `conceal(text)`:
    returns a server's text without secrets; a caller with more secrets replaces it.
    """

    has_address = True
    headers: Mapping[str, str] = {}
    end = math.inf

    def __init__(self, username: str, password: str) -> None:
        self._username, self._password = username, password
        self.conceal: Callable[[str], str] = lambda said: concealed(said, self.secrets())

    @abc.abstractmethod
    def log_in(self, post: Post) -> None:
        """Get what the requests need. Raises `RestStatusError`, with `login_refused` if so, and `RestError`."""

    def secrets(self) -> list[str]:
        """Return the texts that must not be in any message."""
        return [self._password]

    def check(self, response: requests.Response, page: bytes) -> None:
        """Raise `RestStatusError` unless the response accepts the login."""
        check(
            response,
            page,
            "The server {host} refused the user name or the password: it showed its login again.",
            "The server {host} answered that it refused the login.",
            self.conceal,
            logging_in=True,
        )


class CookieLogin(RestLogin):
    """With a form; the session keeps the cookie that the response sets."""

    def log_in(self, post: Post) -> None:
        self.check(*post(data={"username": self._username, "password": self._password}))


class TokenLogin(RestLogin):
    """With user name and password as JSON; the response is JSON with a token, which is sent as `Bearer`."""

    def __init__(self, username: str, password: str) -> None:
        super().__init__(username, password)
        self._token = ""

    def log_in(self, post: Post) -> None:
        self.keep(*post(json={"username": self._username, "password": self._password}))

    def secrets(self) -> list[str]:
        return [self._password, self._token]

    def keep(self, response: requests.Response, page: bytes) -> None:
        """Take the token out of the answer; raises `RestStatusError` or `RestError`, which never hold it."""
        began = time.monotonic()
        self.check(response, page)
        answer = _json_members(page)
        if answer is None:
            raise RestError(_no_token(response, "it isn't JSON"))
        said = str(answer.get("token_type") or "Bearer")
        if said.lower() != "bearer":  # RFC 6749, 7.1: a client must not use a type that it doesn't know
            raise RestError(_no_token(response, "it is of another type than Bearer"))
        token = next((each for name in _NAMES if isinstance(each := answer.get(name), str)), "")
        if not token:
            if refusals := status_messages(answer):  # Breedbase refuses a login in a success
                self.check(response, json.dumps({"success": False, "message": " ".join(refusals)}).encode())
            raise RestError(_no_token(response, "there is none in it"))
        if not _A_TOKEN.fullmatch(token):
            raise RestError(_no_token(response, "it is too long, or holds what can't be sent in a header"))
        self._token, self.end = token, began + _lifetime(answer.get("expires_in"))
        self.headers = {"Authorization": f"Bearer {token}"}


class OAuthLogin(TokenLogin):
    """OAuth 2.0 client credentials: the user name is the client's identifier, the password its secret."""

    def __init__(self, username: str, password: str, scope: str = "") -> None:
        super().__init__(username, password)
        self._form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
        # RFC 6749, 2.3.1: both are encoded as in a form, before Basic encodes them together.
        self._basic = basic_authorization(*map(urllib.parse.quote_plus, (username, password)))
        self._in_body = False

    def log_in(self, post: Post) -> None:
        if not self._in_body:
            response, page = post(data=self._form, headers={"Authorization": self._basic})
            # If the server doesn't accept the header, the body may hold the same (RFC 6749, 2.3.1).
            if response.status_code != 401 and self._error(response, page) not in (*_UNKNOWN_CLIENT, "invalid_request"):
                self.keep(response, page)
                return
        own = {"client_id": self._username, "client_secret": self._password}
        response, page = post(data={**self._form, **own})
        self.keep(response, page)
        self._in_body = True

    def check(self, response: requests.Response, page: bytes) -> None:
        try:
            super().check(response, page)
        except RestStatusError as error:
            error.login_refused = error.login_refused or self._error(response, page) in _UNKNOWN_CLIENT
            raise

    def secrets(self) -> list[str]:
        return [*super().secrets(), self._basic.partition(" ")[2], urllib.parse.quote_plus(self._password)]

    @staticmethod
    def _error(response: requests.Response, page: bytes) -> object:
        """Return what the error code of an answer without a token means (RFC 6749, 5.2)."""
        answer = _json_members(page) if response.status_code in (400, 401) else None
        return None if answer is None else answer.get("error")


class HeaderLogin(RestLogin):
    """With a header field in each request, without a login request."""

    has_address = False

    def __init__(self, username: str, password: str, header: str, value: str) -> None:
        super().__init__(username, password)
        self.headers = {header: value}

    def log_in(self, post: Post) -> None:
        """There is nothing to ask."""

    def secrets(self) -> list[str]:
        return [self._password, *(value.rpartition(" ")[2] for value in self.headers.values())]


class NoLogin(RestLogin):
    """No login: a user name and password are sent nowhere."""

    has_address = False

    def log_in(self, post: Post) -> None:
        """There is nothing to ask."""


def login_by(login_method: LoginMethod, username: str, password: str) -> RestLogin:
    """Return the login for that method; raises `InvalidInput` if user name or password are invalid for it."""
    if login_method.method == NONE:
        return NoLogin(username, password)
    if login_method.method == TOKEN:
        return TokenLogin(username, password)
    if login_method.method == OAUTH2:
        return OAuthLogin(username, password, login_method.scope)
    if login_method.method == API_KEY:
        if password and not _IN_A_HEADER.fullmatch(password):
            raise InvalidInput("The API key holds characters that can't be sent in a header. Enter it again.")
        return HeaderLogin(username, password, login_method.header or KEY_HEADER, password)
    if login_method.method == BASIC:
        if ":" in username:  # RFC 7617, 2: it ends the name
            raise InvalidInput("The user name of a login by Basic can't hold a colon. Correct it.")
        return HeaderLogin(username, password, "Authorization", basic_authorization(username, password))
    return CookieLogin(username, password)


def encryption_problem(login_method: LoginMethod, urls: Iterable[str]) -> str:
    """Return the sentence of an address at which this login could be read on the way; empty if there is none."""
    if login_method.method in (COOKIE, NONE):  # allowed as ever: `check` warns of it
        return ""
    for url in urls:
        parts = address_parts(url)
        if parts is not None and parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            return (
                f"A login by {login_method.method} needs addresses that begin with https://: on the way to"
                f" {parts.hostname} it could be read."
            )
    return ""


def _json_members(page: bytes) -> dict[str, object] | None:
    """Return the members of a JSON object, and of objects within it; None if it is something else."""
    try:
        answer = json.loads(page)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    inner = [each for name in _WITHIN if isinstance(each := answer.get(name), dict)]
    return {str(name).lower(): value for each in (*inner, answer) for name, value in each.items()}


def _lifetime(said: object) -> float:
    """Return for how many seconds to use a token, by its `expires_in`."""
    try:
        seconds = float(said) if isinstance(said, int | float | str) and not isinstance(said, bool) else math.nan
    except (ValueError, OverflowError):
        seconds = math.nan
    if not math.isfinite(seconds):
        return math.inf
    # A token that lasts for less than the margin is used for half of its lifetime.
    return min(max(seconds - _EARLY, seconds / 2, 0.0), _LONGEST)


def _no_token(response: requests.Response, why: str) -> str:
    host = urllib.parse.urlsplit(response.url).hostname or ""
    return f"The login at {host} was answered without a token that can be used: {why}. Check the login's address."


class GuardedAdapter(requests.adapters.HTTPAdapter):
    """Gives a session connections that end when the guard ends them, direct or through a proxy."""

    guard: Guard
    """The guard of the file that is being sent."""

    def __init__(self) -> None:
        self._open: weakref.WeakSet[HTTPConnection] = weakref.WeakSet()
        adapter = self

        def open_socket(self: HTTPConnection) -> Any:
            adapter._open.add(self)
            try:
                return adapter.guard.connect(self._dns_host, self.port)
            except OSError as error:  # otherwise a reset here would be taken for an early answer
                told = error if self.proxy is None else of_the_proxy(error, self._dns_host)
                kind = ConnectTimeoutError if isinstance(error, TimeoutError) else NewConnectionError
                raise kind(self, "failed") from told

        def send(self: HTTPConnection, data: Any) -> None:
            if self.sock is None or not isinstance(data, bytes | bytearray | memoryview):
                super(HTTPConnection, self).send(data)
            else:
                adapter.guard.send(self.sock, data)

        members = {"_new_conn": open_socket, "send": send, "response_class": FinalResponse}
        plain = type("GuardedHTTPConnection", (HTTPConnection,), members)
        encrypted = type("GuardedHTTPSConnection", (HTTPSConnection,), members)
        self._pools = {
            "http": type("GuardedHTTPPool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("GuardedHTTPSPool", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": encrypted}),
        }
        super().__init__(pool_connections=2, pool_maxsize=1)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def continue_under(self, guard: Guard) -> None:
        """Let another guard watch what is open, and what is opened from now on."""
        self.guard = guard
        for connection in list(self._open):
            if connection.sock is not None and connection.sock.fileno() >= 0:
                guard.watch(connection.sock)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager


_MOST_REDIRECTS = 3
_KEY = re.compile(r"[A-Za-z0-9_.:-]{1,200}")
_BY_COOKIE = LoginMethod()

logging.getLogger("urllib3").setLevel(logging.ERROR)  # its debug lines contain addresses with their query strings


def upload_to_corporate_rest(
    filepath: str | os.PathLike[str],
    upload_url: str,
    auth_url: str,
    username: str,
    password: str,
    *,
    timeout: float = TIMEOUT,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    ca_file: str | os.PathLike[str] | None = None,
    client_certificate: str | os.PathLike[str] | None = None,
    idempotency_key: str | None = None,
    proxy: str = "",
) -> None:
    """Log in at `auth_url` and PUT the file to `upload_url` as multipart field `file`, under its base name.

    `timeout`: seconds without progress, for connecting, sending and the whole of each answer; `progress(sent, total)`:
    bytes of the file, at most 20 times a second and once at the end, on the calling thread; `ca_file`: a PEM file
    with the certificate authorities to trust instead of the public ones; `client_certificate`: a PEM file with our own
    certificate and its key; `idempotency_key`: the same for every attempt of one delivery, so that the server can tell
    a repetition (not given: a new one). `proxy`: its address (http://…), empty for the environment's; none is used to
    reach this machine itself. Redirects that keep the method (307, 308) are followed within the same origin, and from
    http to https of the same host. If the login has expired by the time of the PUT (401), it is repeated once.

    Raises `requests.HTTPError` for a status of 300 or more and for a login page in place of an answer, other
    `requests.RequestException` for everything else on the way, `InvalidInput` for addresses that can't be used,
    `OSError` for a file that can't be read, `Cancelled`. None of them holds what was sent.
    """
    with RestUploads(
        upload_url,
        auth_url,
        username,
        password,
        timeout=timeout,
        ca_file=ca_file,
        client_certificate=client_certificate,
        proxy=proxy,
    ) as uploads:
        uploads.upload(filepath, identifier=idempotency_key, progress=progress, cancel=cancel)


class RestUploads(Uploads):
    """One login for many files; each is sent as `upload_to_corporate_rest` does it, whose parameters these are.

    Of `upload` the `identifier` is the idempotency key.
    """

    def __init__(
        self,
        upload_url: str,
        auth_url: str,
        username: str,
        password: str,
        *,
        timeout: float = TIMEOUT,
        ca_file: str | os.PathLike[str] | None = None,
        client_certificate: str | os.PathLike[str] | None = None,
        proxy: str = "",
        login_method: LoginMethod = _BY_COOKIE,
    ) -> None:
        """Doesn't connect yet. Raises `InvalidInput`. `login_method`: how to log in."""
        super().__init__(timeout)
        self._login = login_by(login_method, username, password)
        self._login.conceal = self._conceal
        used = (auth_url, upload_url) if self._login.has_address else (upload_url,)
        for url in used:
            parts = address_parts(url)
            if parts is None:
                raise InvalidInput(
                    "The address of the REST service must begin with https:// (or http://) and a host's name."
                )
            if parts.username is not None or parts.password is not None:
                raise InvalidInput("The address of the REST service must not hold a user name or a password.")
            proxy_for(url, proxy)  # raises `InvalidInput` if it can't be used
        if problem := encryption_problem(login_method, used):
            raise InvalidInput(problem)
        self._proxy = proxy
        if ca_file is not None:
            encryption.verified_context(ca_file)  # raises it as well
        if client_certificate is not None:
            encryption.present(encryption.unverified_context(), os.fspath(client_certificate))  # so does this
        self._urls = auth_url, upload_url
        self._verify: bool | str = True if ca_file is None else os.fspath(ca_file)
        self._adapter = GuardedAdapter()
        self._session = GuardedSession(self._adapter)
        self._session.cert = None if client_certificate is None else os.fspath(client_certificate)
        self._logged_in = False
        self._headers: Mapping[str, str] = {}

    def take_along(self, headers: Mapping[str, str]) -> bool:
        self._headers = headers
        return True

    def log_in(self, cancel: threading.Event | None = None) -> int:
        """Log in and send no file: the next one uses this login. Raises what `upload` raises.

        Returns 0; for a login that goes with each request, the status of what can be read at the upload's address.
        """
        found = [0]

        def work() -> None:
            self._log_in()
            if not self._login.has_address:
                found[0] = self._read_with_login()

        self.run(work, cancel)
        return found[0]

    def run(self, work: Callable[[], object], cancel: threading.Event | None = None) -> None:
        """Do something under a guard of its own; raises what `upload` raises."""
        with Guard(cancel, self._timeout) as guard:
            failure = self._outcome(work, guard)
            if guard.verdict():
                self._session.close()
        if failure is not None:
            raise failure

    def _read_with_login(self) -> int:
        response, page = self._request(self._session.get, self._urls[1], headers=self._login.headers)
        if response.status_code in (401, 403):
            self._check(response, page)
        return response.status_code

    def look(
        self,
        url: str,
        cancel: threading.Event | None = None,
        on_headers: Callable[[Mapping[str, str]], object] = lambda headers: None,
    ) -> tuple[int, bool]:
        """GET one of the addresses without sending anything else; return the status, and whether a login page came.

        `on_headers(headers)` is called with the header fields of the answer.
        Raises what `upload` raises, but not for a status.
        """
        found: list[tuple[int, bool]] = []

        def get() -> None:
            with self._session.get(
                url, verify=self._verify, proxies=proxies(url, self._proxy), allow_redirects=False, stream=True
            ) as response:
                on_headers(response.headers)
                found.append((response.status_code, rest_answers.is_login_page(rest_answers.read(response))))

        with Guard(cancel, self._timeout) as guard:
            failure = self._outcome(get, guard)
            self._session.close()
        if failure is not None:
            raise failure
        return found[0]

    def close(self) -> None:
        self._session.close()
        self._session.cookies.clear()
        self._logged_in = False

    def _attempt(
        self, source: SourceFile, identifier: str | None, cancel: threading.Event | None
    ) -> BaseException | None:
        key = secrets.token_hex(16) if identifier is None else identifier
        if not _KEY.fullmatch(key):
            return InvalidInput("An idempotency key has 1 to 200 letters, digits, or characters of _.:-")
        with Guard(cancel, self._timeout) as guard:
            try:
                return self._outcome(partial(self._deliver, source, guard, key), guard)
            finally:
                if source.sent < source.size or guard.verdict():
                    self._session.close()  # the login stays good, the connection doesn't

    def _outcome(self, work: Callable[[], object], guard: Guard) -> Exception | None:
        """Do the work under the guard; return the failure in words, without its origin."""
        try:
            self._adapter.continue_under(guard)
            work()
            return None
        except Cancelled:
            return Cancelled()
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            failure = guard.verdict() or with_the_certificate(error, guard, self._urls, self._proxy)
            if isinstance(failure, Cancelled):
                return failure
            told = rest_answers.sanitized(failure)
            return encrypted_there(error, guard, self._urls, self._proxy) or told

    def _deliver(self, source: SourceFile, guard: Guard, key: str) -> None:
        body = Multipart(source, guard)
        more, self._headers = self._headers, {}
        headers = {**more, "Content-Type": body.content_type, "Idempotency-Key": f'"{key}"'}
        if body.content_digest is not None:
            headers["Content-Digest"] = body.content_digest
        may_be_dead = self._log_in()

        def put() -> tuple[requests.Response, bytes]:
            own = {**headers, **self._login.headers}
            return self._request(self._session.put, self._urls[1], data=body, headers=own)

        try:
            response, page = put()
        except requests.ConnectionError as error:
            if not may_be_dead or not self._was_cut(error):
                raise
            self._session.close()  # the connection of the file before; a PUT may be repeated (RFC 9110, 9.2.2)
            response, page = put()
        if response.status_code == 401 and self._login.has_address:  # the login was right a moment ago
            self.close()
            self._log_in()
            response, page = put()
        self._check(response, page)
        if not body.complete:  # the answer arrived and the connection broke before everything was sent
            raise RestConnectionError("The server answered before it had the whole file. Try again.")
        rest_answers.confirm(response, page, body)

    def _check(self, response: requests.Response, page: bytes) -> None:
        try:
            rest_answers.check(
                response,
                page,
                "The server {host} answered with a login page: it didn't take the file. Check the addresses.",
                "The server {host} answered that it didn't take the file.",
                self._conceal,
            )
        except RestStatusError as error:
            if response.status_code == 401:  # even with a new login
                self._refusal = rest_answers.sanitized(error)
            raise

    def _was_cut(self, error: requests.ConnectionError) -> bool:
        """Return whether the server, and not the guard, closed a connection that was kept open."""
        cut = any(isinstance(link, ConnectionError) for link in causes(error))
        return cut and not self._adapter.guard.verdict()

    def _log_in(self) -> bool:
        """Log in unless an earlier login is still valid; return whether there was one."""
        was_there = self._logged_in
        if was_there and time.monotonic() < self._login.end:
            return True
        self._session.cookies.clear()
        self._logged_in = False
        try:
            self._login.log_in(partial(self._request, self._session.post, self._urls[0]))
        except RestStatusError as error:
            if error.login_refused:
                self._refusal = rest_answers.sanitized(error)
            raise
        self._logged_in = True
        return was_there

    def _conceal(self, said: str) -> str:
        queries = [urllib.parse.urlsplit(url).query for url in self._urls]
        values = [value for query in queries for _, value in urllib.parse.parse_qsl(query)]
        cookies = [str(cookie.value) for cookie in self._session.cookies]
        return rest_answers.concealed(said, [*self._login.secrets(), *queries, *values, *cookies])

    def _request(
        self,
        method: Callable[..., requests.Response],
        url: str,
        read: Callable[[requests.Response], bytes] = rest_answers.read,
        **content: Any,
    ) -> tuple[requests.Response, bytes]:
        """Send, and follow one redirect if that is harmless; return the answer."""
        for _ in range(_MOST_REDIRECTS + 1):
            self._adapter.guard.progressed()
            way = proxies(url, self._proxy)
            with method(
                url, verify=self._verify, proxies=way, allow_redirects=False, stream=True, **content
            ) as response:
                page = read(response)
            url = rest_answers.next_address(response, url)
            if not url:
                break
            self._session.close()  # part of the body may still be on that connection
        return response, page


def with_the_certificate(error: Exception, guard: Guard, urls: tuple[str, str], proxy: str) -> Exception:
    """Return an error that also says whose certificate was refused, if a second connection gets it."""
    refused = next((link for link in causes(error) if isinstance(link, ssl.SSLCertVerificationError)), None)
    request = getattr(error, "request", None)
    url = getattr(request, "url", None) or urls[0]
    if refused is None or proxy_for(url, proxy):
        return error
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""

    def look() -> bytes | None:
        context = encryption.unverified_context()
        with context.wrap_socket(guard.connect(host, parts.port or 443), server_hostname=host) as connection:
            return connection.getpeercert(True)

    return RestCertificateError(str(encryption.refusal(refused, host, look)))


def encrypted_there(error: Exception, guard: Guard, urls: tuple[str, str], proxy: str) -> RestConnectionError | None:
    """Return an error that says that the server hung up because it expects TLS, if a second connection shows that."""
    url = getattr(getattr(error, "request", None), "url", None) or urls[0]
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    cut = any(isinstance(link, http.client.BadStatusLine | ConnectionError) for link in causes(error))
    refused = any(isinstance(link, HostRefused) for link in causes(error))
    if parts.scheme != "http" or not cut or refused or guard.verdict() or proxy_for(url, proxy):
        return None
    if not encryption.speaks_tls(lambda: guard.connect(host, port), host):
        return None
    return RestConnectionError(f"The server {host} speaks TLS at port {port}: its address must begin with https://.")


class GuardedSession(requests.Session):
    """Leaves redirects to us: even when it doesn't follow them, the library would read all of such an answer."""

    def __init__(self, adapter: GuardedAdapter) -> None:
        super().__init__()
        self.mount("https://", adapter)
        self.mount("http://", adapter)
        self.headers["Accept-Encoding"] = "identity"
        self.auth = _no_authorization

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


def _no_authorization(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Replace the lookup in .netrc, whose passwords aren't for this service."""
    return request


def proxies(url: str, chosen: str) -> dict[str, str]:
    """Return the argument `proxies` of `requests`; raises `InvalidInput`."""
    proxy = proxy_for(url, chosen)
    return {"http": proxy, "https": proxy} if proxy else {"no_proxy": "*"}
