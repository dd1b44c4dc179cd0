"""The corporate REST service: log in by a form, keep the token cookie, PUT the file as multipart/form-data.

Sources: RFC 9110 (HTTP), RFC 7578 (multipart/form-data). Errors raised here are `requests` errors by class, but made
anew: those of the library hold the request with its form, its cookies and its address.
"""

import logging
import os
import re
import secrets
import ssl
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import requests
import urllib3

from .failures import (
    Cancelled,
    FileChanged,
    HostUnknown,
    HostUnreachable,
    InvalidInput,
    Told,
    causes,
    describe_failure,
    http_status_in_words,
)
from .guard import Guard, is_loopback
from .rest_connections import GuardedAdapter
from .source import Progress, SourceFile

TIMEOUT = 60.0  # seconds without any progress
BLOCK = 256 * 1024
_LARGEST_ANSWER = 64 * 1024
_LOGIN_PAGE = re.compile(rb"<form\b|<input\b[^>]{0,500}\btype\s*=\s*[\"']?password", re.IGNORECASE)

logging.getLogger("urllib3").setLevel(logging.ERROR)  # its lesser lines hold addresses with their query strings


class RestError(Told, requests.RequestException):
    """The delivery failed; the text says why."""


class RestStatusError(Told, requests.HTTPError):
    """The server answered, but not with success; `response` has the status and headers, nothing that was sent."""


class RestConnectionError(Told, requests.ConnectionError):
    """There was no connection, or it broke."""


class RestCertificateError(Told, requests.exceptions.SSLError):
    """The connection can't be trusted."""


class RestTimeout(Told, requests.Timeout):
    """The server took too long."""


_Kinds = tuple[type[BaseException], ...]
_FAMILIES: list[tuple[_Kinds, type[requests.RequestException]]] = [  # the first that is among the causes counts
    ((FileChanged,), RestError),
    ((ConnectionError, EOFError, HostUnknown, HostUnreachable), RestConnectionError),
    ((ssl.SSLEOFError, ssl.SSLZeroReturnError), RestConnectionError),
    ((ssl.SSLError, urllib3.exceptions.SSLError, requests.exceptions.SSLError), RestCertificateError),
    ((TimeoutError, urllib3.exceptions.TimeoutError, requests.Timeout), RestTimeout),
    ((urllib3.exceptions.ProtocolError, requests.ConnectionError), RestConnectionError),
]


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
) -> None:
    """Log in at `auth_url` and PUT the file to `upload_url` as multipart field `file`, under its base name.

    `timeout`: seconds without progress, for connecting, sending and the whole of each answer; `progress(sent, total)`:
    bytes of the file, at most 20 times a second and once at the end, on the calling thread; `ca_file`: a PEM file
    with the certificate authorities to trust instead of the public ones.
    Proxies come from the environment, except for this machine itself. Redirects are not followed.

    Raises `requests.HTTPError` for a status of 300 or more and for a login page in place of an answer, other
    `requests.RequestException` for everything else on the way, `InvalidInput` for addresses that can't be used,
    `OSError` for a file that can't be read, `Cancelled`. None of them holds what was sent.
    """
    for url in (auth_url, upload_url):
        _check_address(url)
    if ca_file is not None and not Path(ca_file).is_file():
        raise InvalidInput(f"The CA file {ca_file} doesn't exist. Check the setting.")
    with Guard(cancel, timeout) as guard, SourceFile(filepath, progress) as source:
        try:
            with _session(guard) as session:
                verify = True if ca_file is None else os.fspath(ca_file)
                _log_in(session, guard, auth_url, username, password, verify)
                _put(session, guard, upload_url, source, verify)
            return
        except Cancelled:
            failure: Exception = Cancelled()
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            failure = guard.verdict() or error
            failure = failure if isinstance(failure, Cancelled) else _made_anew(failure)
    raise failure  # outside of the handler: an error's context would hold the library's, and that the form


def _check_address(url: str) -> None:
    try:
        parts = urllib.parse.urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInput("The address of the REST service must begin with https:// (or http://) and a host's name.")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("The address of the REST service must not hold a user name or a password.")


def _session(guard: Guard) -> requests.Session:
    session = requests.Session()
    adapter = GuardedAdapter(guard)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.headers["Accept-Encoding"] = "identity"
    session.auth = _no_authorization
    return session


def _no_authorization(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Take the place of .netrc, whose passwords are none of this service's."""
    return request


def _proxies(url: str) -> dict[str, str] | None:
    """Return what `requests` is to know of proxies beside the environment: none leads to this machine itself."""
    return {"no_proxy": "*"} if is_loopback(urllib.parse.urlsplit(url).hostname or "") else None


def _log_in(
    session: requests.Session, guard: Guard, url: str, username: str, password: str, verify: bool | str
) -> None:
    guard.progressed()
    with session.post(
        url,
        data={"username": username, "password": password},
        verify=verify,
        proxies=_proxies(url),
        allow_redirects=False,
        stream=True,
    ) as response:
        page = _read(response)
    _check_answer(response, page, "The server {host} refused the user name or the password: it showed its login again.")


def _put(session: requests.Session, guard: Guard, url: str, source: SourceFile, verify: bool | str) -> None:
    guard.progressed()
    body = _Multipart(source)
    with session.put(
        url,
        data=body,  # type: ignore[arg-type]  # views of one buffer, which the connection takes as well
        headers={"Content-Type": body.content_type},
        verify=verify,
        proxies=_proxies(url),
        allow_redirects=False,
        stream=True,
    ) as response:
        page = _read(response)
    _check_answer(
        response, page, "The server {host} answered with a login page: it didn't take the file. Check the addresses."
    )
    if not body.complete:  # the answer came, and the connection broke, before everything was sent
        raise RestConnectionError("The server answered before it had the whole file. Try again.")


def _read(response: requests.Response) -> bytes:
    """Return the start of the answer; whatever is beyond 64 KiB is left on the wire."""
    page: bytes = response.raw.read(_LARGEST_ANSWER, decode_content=True)
    return page


def _check_answer(response: requests.Response, page: bytes, login_page: str) -> None:
    host = urllib.parse.urlsplit(response.url).hostname or ""
    if response.status_code >= 300:
        raise RestStatusError(http_status_in_words(response.status_code, host), response=_bare(response))
    if _LOGIN_PAGE.search(page):
        raise RestStatusError(login_page.format(host=host), response=_bare(response))


def _bare(response: requests.Response) -> requests.Response:
    """Return the status and the harmless headers of an answer, without cookies, address, body or request."""
    bare = requests.Response()
    bare.status_code, bare.reason = response.status_code, response.reason
    for name in ("Content-Type", "Date", "Retry-After", "Server"):
        if name in response.headers:
            bare.headers[name] = response.headers[name]
    return bare


def _made_anew(error: Exception) -> Exception:
    """Return an error of the same family whose text is for people, and which holds nothing of the old one."""
    if isinstance(error, RestStatusError | RestConnectionError):
        return error.with_traceback(None)
    sentence = describe_failure(error)
    links = list(causes(error))
    for origins, kind in _FAMILIES:
        if any(isinstance(link, origins) for link in links):
            return kind(sentence)
    return RestError(sentence)


class _Multipart:
    """The body of the PUT: one field `file`, streamed in blocks, its length known beforehand.

    Iterable with a length, and nothing else: `requests` then sends the blocks as they are, with Content-Length.
    """

    def __init__(self, source: SourceFile) -> None:
        boundary = secrets.token_hex(24)
        # RFC 7578 4.2: names beyond ASCII go as UTF-8; quotes as browsers escape them (HTML standard, 4.10.22.8)
        name = source.name.replace('"', "%22")
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self.complete = False
        self._source = source
        self._head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()

    def __len__(self) -> int:
        return len(self._head) + self._source.size + len(self._tail)

    def __iter__(self) -> Iterator[bytes | memoryview]:
        yield self._head
        yield from self._source.blocks(BLOCK)
        yield self._tail
        self.complete = True
