"""POST JSON to a webhook, such as that of a chat or a monitoring system.

Every attempt at the same notice has the same `Idempotency-Key`, so that the service can recognize repetitions.
Redirects are not followed, because the notice is meant for that URL only. Sources: RFC 9110 (HTTP), RFC 6750 (bearer
tokens), RFC 2104 (HMAC).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import urllib.parse
from collections.abc import Mapping
from functools import partial

import requests
import urllib3

from . import encryption, rest_answers
from .failures import Cancelled, InvalidInput, on_one_line
from .guard import Guard, is_loopback
from .rest import GuardedAdapter, GuardedSession, proxies, with_the_certificate
from .web import address_parts

TOKEN, SIGNATURE = "token", "signature"
SIGNATURE_HEADER = "X-ABQ-Signature"
_LARGEST_ANSWER = 64 * 1024


class Webhook:
    """Posts to one address. `method`: how `secret` shows who posts: `TOKEN` (Bearer), `SIGNATURE` (HMAC-SHA-256 of the
    body), or '' without one. `timeout`: seconds for all of one POST. Raises `InvalidInput` for what can't be used.
    """

    def __init__(
        self, url: str, method: str = "", secret: str = "", *, timeout: float, ca_file: str | None = None,
        proxy: str = "",
    ) -> None:  # fmt: skip
        parts = address_parts(url)
        if parts is None or parts.username is not None:
            raise InvalidInput("The address of a webhook must begin with https:// and a host's name.")
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise InvalidInput("The address of a webhook must begin with https://: on the way it could be read.")
        if method and not (secret.isascii() and secret.isprintable() and secret.strip() == secret and secret):
            raise InvalidInput("The secret of a webhook must be of printable ASCII characters, without blanks around.")
        if ca_file is not None:
            encryption.verified_context(ca_file)  # raises `InvalidInput` if it can't be used
        self._url, self._method, self._secret, self._timeout, self._proxy = url, method, secret, timeout, proxy
        self._verify: bool | str = True if ca_file is None else ca_file

    def post(self, content: Mapping[str, object], key: str, cancel: threading.Event | None = None) -> str:
        """Post it; return what the server said, on one line. Raises `requests.RequestException`s with a text for
        people, `InvalidInput`, `TimedOut` or `Cancelled`; `transient` of the error says whether it may be taken later.
        """
        adapter = GuardedAdapter()
        with Guard(cancel, self._timeout, whole=True) as guard, GuardedSession(adapter) as session:
            adapter.continue_under(guard)
            try:
                return self._send(session, content, key)
            except Cancelled:
                raise
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                failure = guard.verdict() or with_the_certificate(error, guard, (self._url, self._url), self._proxy)
                told = failure if isinstance(failure, Cancelled) else rest_answers.sanitized(failure)
        raise told  # outside of the handler: an error's context might contain what was sent

    def _send(self, session: requests.Session, content: Mapping[str, object], key: str) -> str:
        body = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
        headers = {"Content-Type": "application/json", "Idempotency-Key": f'"{key}"', **self._signed(body)}
        with session.post(
            self._url, data=body, headers=headers, verify=self._verify, proxies=proxies(self._url, self._proxy),
            allow_redirects=False, stream=True,
        ) as response:  # fmt: skip
            page: bytes = response.raw.read(_LARGEST_ANSWER, decode_content=True)
        conceal = partial(rest_answers.concealed, secrets=[self._secret])
        rest_answers.check(
            response, page, "The server {host} answered with a login page: it didn't take the notice.",
            "The server {host} answered that it didn't take the notice.", conceal,
        )  # fmt: skip
        return on_one_line(conceal(rest_answers.reason(page.decode("utf-8", "replace"))))

    def _signed(self, body: bytes) -> dict[str, str]:
        if self._method == TOKEN:
            return {"Authorization": f"Bearer {self._secret}"}
        if self._method == SIGNATURE:
            return {SIGNATURE_HEADER: f"sha256={hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()}"}
        return {}

    @property
    def place(self) -> str:
        """The address of the service, without the path, for people and for what a secret is meant for."""
        parts = urllib.parse.urlsplit(self._url)
        return f"{parts.scheme}://{parts.netloc}"
