"""How somebody logs in at a REST service: what is asked at the login's address, and what goes with each request then.

Sources: RFC 6749 (OAuth 2.0), 2.3.1 and 4.4, client credentials; RFC 6750 (bearer tokens); RFC 7617 (Basic).
"""

from __future__ import annotations

import abc
import json
import math
import re
import time
import urllib.parse
from collections.abc import Callable, Iterable

import requests

from .failures import InvalidInput
from .guard import is_loopback
from .http_login import basic_authorization
from .login_methods import KEY_HEADER, METHODS, NONE, How
from .rest_answers import RestError, RestStatusError, check, concealed, told_in
from .web import address_parts

COOKIE, TOKEN, API_KEY, BASIC, OAUTH2 = METHODS
Post = Callable[..., tuple[requests.Response, bytes]]
"""Sends a POST to the login's address; returns the answer and what was read of it."""

_IN_A_HEADER = re.compile(r"[!-~]([ -~]{0,8190}[!-~])?")
_A_TOKEN = re.compile(r"[!-~]{1,8192}")
_NAMES = ("access_token", "accesstoken", "token", "jwt", "id_token")
_WITHIN = ("result", "data")
_UNKNOWN_CLIENT = ("invalid_client", "unauthorized_client", "invalid_grant")
_EARLY = 10.0  # seconds before its end at which a token is not begun with any more
_LONGEST = 366 * 24 * 3600.0


class RestLogin(abc.ABC):
    """One login. `has_address`: whether it begins with a request; only then a 401 can be answered by another one.

    `conceal`: returns what a server said without what was told in confidence; whoever has more to hide replaces it.
    """

    has_address = True

    def __init__(self, username: str, password: str) -> None:
        self._username, self._password = username, password
        self.conceal: Callable[[str], str] = lambda said: concealed(said, self.secrets())

    @abc.abstractmethod
    def log_in(self, post: Post) -> None:
        """Ask for what the requests need. Raises `RestStatusError`, whose `login_refused` says so, and `RestError`."""

    def headers(self) -> dict[str, str]:
        """What goes with each request."""
        return {}

    def has_ended(self) -> bool:
        """Whether the server said that this login holds no longer."""
        return False

    def forget(self) -> None:  # noqa: B027 - most have nothing to forget
        """Begin anew with the next file."""

    def secrets(self) -> list[str]:
        """What no message may repeat."""
        return [self._password]

    def check(self, response: requests.Response, page: bytes) -> None:
        """Raise `RestStatusError` unless the answer takes the login."""
        check(
            response,
            page,
            "The server {host} refused the user name or the password: it showed its login again.",
            "The server {host} answered that it refused the login.",
            self.conceal,
            logging_in=True,
        )


class CookieLogin(RestLogin):
    """By a form; the session keeps the cookie that the answer sets."""

    def log_in(self, post: Post) -> None:
        self.check(*post(data={"username": self._username, "password": self._password}))


class TokenLogin(RestLogin):
    """By user name and password as JSON; the answer is JSON with a token, which goes along as `Bearer`."""

    def __init__(self, username: str, password: str) -> None:
        super().__init__(username, password)
        self._token = ""
        self._end = math.inf

    def log_in(self, post: Post) -> None:
        self.keep(*post(json={"username": self._username, "password": self._password}))

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def has_ended(self) -> bool:
        return time.monotonic() >= self._end

    def forget(self) -> None:
        self._token, self._end = "", math.inf

    def secrets(self) -> list[str]:
        return [self._password, self._token]

    def keep(self, response: requests.Response, page: bytes) -> None:
        """Take the token out of the answer; raises `RestStatusError` or `RestError`, which never hold it."""
        began = time.monotonic()
        self.check(response, page)
        answer = _members(page)
        if answer is None:
            raise RestError(_told(response, "it isn't JSON"))
        said = str(answer.get("token_type") or "Bearer")
        if said.lower() != "bearer":  # RFC 6749, 7.1: a client must not use a type that it doesn't know
            raise RestError(_told(response, "it is of another type than Bearer"))
        token = next((each for name in _NAMES if isinstance(each := answer.get(name), str)), "")
        if not token:
            if refusals := told_in(answer):  # Breedbase refuses a login in a success
                self.check(response, json.dumps({"success": False, "message": " ".join(refusals)}).encode())
            raise RestError(_told(response, "there is none in it"))
        if not _A_TOKEN.fullmatch(token):
            raise RestError(_told(response, "it is too long, or holds what can't be sent in a header"))
        self._token, self._end = token, began + _lifetime(answer.get("expires_in"))


class OAuthLogin(TokenLogin):
    """By client credentials: the user name is the client's identifier, the password its secret."""

    def __init__(self, username: str, password: str, scope: str = "") -> None:
        super().__init__(username, password)
        self._form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
        # RFC 6749, 2.3.1: both are encoded as in a form, before Basic encodes them together.
        self._basic = basic_authorization(*map(urllib.parse.quote_plus, (username, password)))
        self._in_body = False

    def log_in(self, post: Post) -> None:
        if not self._in_body:
            response, page = post(data=self._form, headers={"Authorization": self._basic})
            # Where the header isn't known, the same may stand in the body (RFC 6749, 2.3.1).
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
        """What an answer that gives no token says by its code (RFC 6749, 5.2)."""
        answer = _members(page) if response.status_code in (400, 401) else None
        return None if answer is None else answer.get("error")


class HeaderLogin(RestLogin):
    """By a header that goes with each request; nothing is asked before."""

    has_address = False

    def __init__(self, username: str, password: str, header: str, value: str) -> None:
        super().__init__(username, password)
        self._header = {header: value}

    def log_in(self, post: Post) -> None:
        """There is nothing to ask."""

    def headers(self) -> dict[str, str]:
        return self._header

    def secrets(self) -> list[str]:
        return [self._password, *(value.rpartition(" ")[2] for value in self._header.values())]


class NoLogin(RestLogin):
    """None at all: what somebody gave all the same is sent nowhere."""

    has_address = False

    def log_in(self, post: Post) -> None:
        """There is nothing to ask."""


def login_by(how: How, username: str, password: str) -> RestLogin:
    """Return the login; raises `InvalidInput` where it can't be one by that method."""
    if how.method == NONE:
        return NoLogin(username, password)
    if how.method == TOKEN:
        return TokenLogin(username, password)
    if how.method == OAUTH2:
        return OAuthLogin(username, password, how.scope)
    if how.method == API_KEY:
        if password and not _IN_A_HEADER.fullmatch(password):
            raise InvalidInput("The API key holds characters that can't be sent in a header. Enter it again.")
        return HeaderLogin(username, password, how.header or KEY_HEADER, password)
    if how.method == BASIC:
        if ":" in username:  # RFC 7617, 2: it ends the name
            raise InvalidInput("The user name of a login by Basic can't hold a colon. Correct it.")
        return HeaderLogin(username, password, "Authorization", basic_authorization(username, password))
    return CookieLogin(username, password)


def encryption_problem(how: How, urls: Iterable[str]) -> str:
    """Return the sentence of an address at which this login could be read on the way; empty if there is none."""
    if how.method in (COOKIE, NONE):  # as it always was: `check` tells of it
        return ""
    for url in urls:
        parts = address_parts(url)
        if parts is not None and parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            return (
                f"A login by {how.method} needs addresses that begin with https://: on the way to {parts.hostname}"
                " it could be read."
            )
    return ""


def _members(page: bytes) -> dict[str, object] | None:
    """Return the members of an object in JSON, those of an object in it too; None if it is something else."""
    try:
        answer = json.loads(page)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    inner = [each for name in _WITHIN if isinstance(each := answer.get(name), dict)]
    return {str(name).lower(): value for each in (*inner, answer) for name, value in each.items()}


def _lifetime(said: object) -> float:
    """Return after how many seconds a token isn't to be used any more, by what the server says of it."""
    try:
        seconds = float(said) if isinstance(said, int | float | str) and not isinstance(said, bool) else math.nan
    except (ValueError, OverflowError):
        seconds = math.nan
    if not math.isfinite(seconds):
        return math.inf
    # One that lasts for less than the margin is used for the half of its time.
    return min(max(seconds - _EARLY, seconds / 2, 0.0), _LONGEST)


def _told(response: requests.Response, why: str) -> str:
    host = urllib.parse.urlsplit(response.url).hostname or ""
    return f"The login at {host} was answered without a token that can be used: {why}. Check the login's address."
