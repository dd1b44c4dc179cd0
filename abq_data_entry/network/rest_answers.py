"""Check responses of the REST service: success, failure or redirect; and the errors for them.

Sources: RFC 9110 (HTTP), RFC 9530 (digests), RFC 9457 (problem+json, a body that says why). The errors are `requests`
errors by class, but new ones, because those of the library contain the request with its form, cookies and URL.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
import ssl
import urllib.parse
from collections.abc import Callable, Iterable

import requests
import urllib3

from .failures import (
    FileChanged,
    HostUnknown,
    HostUnreachable,
    UserFacingError,
    causes,
    describe_failure,
    http_status_in_words,
    with_server_message,
    without_long_references,
)
from .web import Multipart

_LARGEST_TEXT = 2000
_FAILED = ("error", "fail", "failed", "failure", "rejected", "refused", "denied", "invalid")
_REASONS = ("message", "detail", "error_description", "reason", "error", "errors", "title", "description", "msg")
# Beginnings and ends are searched separately, in one pass: one pattern for both takes seconds for a hostile page, and
# the window would freeze.
_TITLE, _TITLE_END = re.compile(r"<title\b[^<>]*>", re.IGNORECASE), re.compile(r"</title", re.IGNORECASE)
_UNSEEN = re.compile(r"<(script|style|head)\b|<!--", re.IGNORECASE)
_UNSEEN_ENDS = {
    **{name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in ("script", "style", "head")},
    "--": re.compile("-->"),
}
_TAG = re.compile(r"<[^>]*>")


def says_failed(text: str) -> bool:
    """Return whether a response is a JSON object that reports a failure."""
    answer = _object(text)
    status = answer.get("status")
    return (
        any(answer.get(name) is False for name in ("success", "ok", "successful"))
        or (isinstance(status, str) and status.strip().lower() in _FAILED)
        or (isinstance(status, int) and not isinstance(status, bool) and 400 <= status < 600)
        or any(bool(answer.get(name)) for name in ("error", "errors"))
    )


def reason(text: str) -> str:
    """Return the reason in a response: the messages of a JSON object, or the title and text of an HTML page."""
    answer = _object(text)
    found = [each for name in _REASONS for each in _texts(answer.get(name))]
    if any(map(str.strip, found)):
        return ". ".join(dict.fromkeys(each.rstrip(". ") for each in found if each.strip()))[:_LARGEST_TEXT]
    text = text.strip()
    if text[:1] == "<":
        return _of_html(text)
    return "" if "\N{REPLACEMENT CHARACTER}" in text or "\0" in text else text[:_LARGEST_TEXT]


def status_messages(answer: object) -> list[str]:
    """Return what went wrong by a BrAPI answer: errors and warnings of `metadata.status`, without repetition."""
    metadata = answer.get("metadata") if isinstance(answer, dict) else None
    status = metadata.get("status") if isinstance(metadata, dict) else None
    found: list[str] = []
    for each in status if isinstance(status, list) else ():
        if not isinstance(each, dict):
            continue
        kind = str(each.get("messageType") or each.get("code") or "")
        if kind.upper() in ("ERROR", "WARNING") or kind[:1] in ("4", "5"):
            found.append(str(each.get("message") or ""))
        # Breedbase before 2.1 named the message by its kind.
        found += [str(value) for name, value in each.items() if name in ("error", "400", "403", "500")]
    return [*dict.fromkeys(filter(None, found))][:5]


def _of_html(text: str) -> str:
    named, shown = _title(text), _plain(_visible(text))
    if not named or named in shown:
        return shown[:_LARGEST_TEXT]
    return f"{named}: {shown}"[:_LARGEST_TEXT] if shown else named


def _title(text: str) -> str:
    begin = _TITLE.search(text)
    end = _TITLE_END.search(text, begin.end()) if begin else None
    return _plain(text[begin.end() : end.start()]) if begin and end else ""


def _visible(text: str) -> str:
    """Return a page without scripts and comments."""
    pieces, place, endless = [], 0, set[str]()
    while begin := _UNSEEN.search(text, place):
        name = (begin[1] or "--").lower()
        end = None if name in endless else _UNSEEN_ENDS[name].search(text, begin.end())
        if end is None:
            endless.add(name)
        pieces += [text[place : begin.end()]] if end is None else [text[place : begin.start()], " "]
        place = (end or begin).end()
    return "".join((*pieces, text[place:]))


def _plain(text: str) -> str:
    last = text.rfind(">") + 1  # after it no tag ends
    return " ".join(html.unescape(without_long_references(_TAG.sub(" ", text[:last]) + text[last:])).split())


def _object(text: str) -> dict[str, object]:
    text = text.lstrip("\N{BYTE ORDER MARK} \t\r\n")
    try:
        answer = json.loads(text) if text.startswith("{") else {}
    except (ValueError, RecursionError):
        return {}
    return {str(name).lower(): value for name, value in answer.items()} if isinstance(answer, dict) else {}


def _texts(value: object, depth: int = 0) -> list[str]:
    """Return the texts of a member that may be a text, a list, or an object of fields with their reasons."""
    if isinstance(value, str):
        return [value]
    if depth > 2:  # deeper nesting holds no sentences for people
        return []
    if isinstance(value, list):
        return [text for each in value[:20] for text in _texts(each, depth + 1)]
    if isinstance(value, dict):
        named = [text for name in _REASONS for text in _texts(value.get(name), depth + 1)]
        return named or [f"{name}: {text}" for name, each in value.items() for text in _texts(each, depth + 1)][:20]
    return []


_LOGIN_REFUSED = (401, 403)
_BUSY = (408, 425, 429)
_LARGEST_ANSWER = 64 * 1024
_LARGEST_PAGE = 4 * 1024 * 1024
_LOGIN_PAGE = re.compile(rb"<form\b|<input\b[^<>]{0,500}\btype\s*=\s*[\"']?password", re.IGNORECASE)
_DIGEST = re.compile(r"(?i)\bsha-256=:?([A-Za-z0-9+/]{43}=)")


class RestError(UserFacingError, requests.RequestException):
    """The delivery failed; the text says why."""


class RestStatusError(UserFacingError, requests.HTTPError):
    """The server responded without success; `response` has status and header fields, but nothing that was sent."""

    def __init__(self, sentence: str, response: requests.Response, login_refused: bool = False) -> None:
        super().__init__(sentence, response=response)
        self.transient = response.status_code in _BUSY or 500 <= response.status_code < 600
        self.login_refused = login_refused or response.status_code in _LOGIN_REFUSED
        self.retry_after = response.headers.get("Retry-After", "")


class RestConnectionError(UserFacingError, requests.ConnectionError):
    """There was no connection, or it broke."""

    transient = True


class RestIncomplete(UserFacingError, requests.ConnectionError):
    """The server stored something else than what was sent."""

    transient = True


class RestCertificateError(UserFacingError, requests.exceptions.SSLError):
    """The connection can't be trusted."""


class RestTimeout(UserFacingError, requests.Timeout):
    """The server took too long."""

    transient = True


_Kinds = tuple[type[BaseException], ...]
_FAMILIES: list[tuple[_Kinds, type[requests.RequestException]]] = [  # the first one among the causes counts
    ((FileChanged,), RestError),
    ((ConnectionError, EOFError, HostUnknown, HostUnreachable), RestConnectionError),
    ((ssl.SSLEOFError, ssl.SSLZeroReturnError), RestConnectionError),
    ((ssl.SSLError, urllib3.exceptions.SSLError, requests.exceptions.SSLError), RestCertificateError),
    ((TimeoutError, urllib3.exceptions.TimeoutError, requests.Timeout), RestTimeout),
    ((urllib3.exceptions.ProtocolError, requests.ConnectionError), RestConnectionError),
]


def sanitized(error: Exception) -> Exception:
    """Return an error of the same family whose text is for people, and which holds nothing of the old one."""
    if isinstance(error, RestError | RestStatusError | RestConnectionError | RestIncomplete | RestCertificateError):
        return error.with_traceback(None)  # its frames reference the form with the password
    sentence = describe_failure(error)
    links = list(causes(error))
    for origins, kind in _FAMILIES:
        if any(isinstance(link, origins) for link in links):
            return kind(sentence)
    return RestError(sentence)


def read(response: requests.Response) -> bytes:
    """Return the start of the answer: 64 KiB, of a page 4 MiB; whatever is beyond is left on the wire."""
    page: bytes = response.raw.read(_LARGEST_ANSWER, decode_content=True)
    is_page = page.lstrip().startswith(b"<") or "html" in response.headers.get("Content-Type", "").lower()
    if is_page and len(page) == _LARGEST_ANSWER:  # a login form may be at its end
        page += response.raw.read(_LARGEST_PAGE, decode_content=True)
    return page


def next_address(response: requests.Response, url: str) -> str:
    """Return where the same request is to go instead (307, 308; RFC 9110, 15.4.8 and 15.4.9), "" if nowhere.

    Only within the same origin, or from http to https of the same host: it takes a password or a file along.
    """
    if response.status_code not in (307, 308):
        return ""
    try:
        target = urllib.parse.urljoin(url, response.headers.get("Location", ""))
        old, new = urllib.parse.urlsplit(url), urllib.parse.urlsplit(target)
        same_origin = (old.scheme, old.hostname, _port(old)) == (new.scheme, new.hostname, _port(new))
        encrypted_now = (old.scheme, new.scheme) == ("http", "https") and old.hostname == new.hostname
    except ValueError:
        return ""
    # A user name in the address would be sent as a login, instead of the given one.
    harmless = new.username is None and new.password is None and bool(response.headers.get("Location"))
    return target if harmless and (same_origin or encrypted_now) else ""


def _port(parts: urllib.parse.SplitResult) -> int:
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)


def check(
    response: requests.Response, page: bytes, login_page: str, failed: str, conceal: Callable[[str], str],
    *, logging_in: bool = False,
) -> None:  # fmt: skip
    """Raise `RestStatusError` unless the response is a success by its status and its body.

    `login_page`, `failed`: our sentences for a login page, and for a body that reports a failure; the server's words,
    after `conceal`, are added below. `logging_in`: such a response refuses the login, and not a file.
    """
    host = urllib.parse.urlsplit(response.url).hostname or ""
    refused = False
    if not 200 <= response.status_code < 300:
        sentence = http_status_in_words(response.status_code, host)
    elif is_login_page(page):  # many services answer 200 with it, and store nothing
        sentence, refused = login_page.format(host=host), True
    elif says_failed(_text(response, page)):
        sentence, refused = failed.format(host=host), logging_in
    else:
        return
    # Before the text is truncated, since part of a secret wouldn't be found; and afterwards, since it may be escaped.
    said = with_server_message(sentence, conceal(reason(conceal(_text(response, page)))))
    raise RestStatusError(said, _stripped(response, page, conceal), refused)


def concealed(text: str, secrets: Iterable[str]) -> str:
    """Return a server's text without our secrets, in whatever form it repeats them."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):  # one may be a part of another
        quoted = (urllib.parse.quote_plus(secret), urllib.parse.quote(secret), html.escape(secret))
        for form in (secret, *quoted, json.dumps(secret)[1:-1], repr(secret)[1:-1]):
            text = text.replace(form, "…")
    return text


def is_login_page(page: bytes) -> bool:
    """Tell whether the answer shows a form to log in, in place of one of the service's own."""
    return bool(_LOGIN_PAGE.search(page))


def confirm(response: requests.Response, page: bytes, body: Multipart) -> None:
    """Compare the file with what the server reports that it stored, if it does; raises `RestIncomplete`.

    It may say so by `Repr-Digest` (or the older `Digest`) of an answer without content, where it means what was
    stored, or by `sha256` and `size` of an object in JSON. A digest may be of the file or of the whole body.
    """
    digests, sizes = set[bytes](), set[int]()
    if not page:
        texts = [response.headers.get(name, "") for name in ("Repr-Digest", "Digest")]
        digests = {base64.b64decode(found) for text in texts for found in _DIGEST.findall(text)}
    elif response.headers.get("Content-Type", "").lower().startswith("application/json"):
        answer = _object(_text(response, page))
        digest, size = answer.get("sha256"), answer.get("size")
        digests = {_bytes_of(digest)} if isinstance(digest, str) else set()
        sizes = {size} if isinstance(size, int) and not isinstance(size, bool) else set()
    if (digests and digests - set(body.digests)) or sizes - {body.size, len(body)}:
        host = urllib.parse.urlsplit(response.url).hostname or ""
        raise RestIncomplete(f"The server {host} says that it stored something else than what was sent. Send it again.")


def _bytes_of(digest: str) -> bytes:
    """Read a digest in hexadecimal or in base64."""
    try:
        return bytes.fromhex(digest) if re.fullmatch(r"[0-9A-Fa-f]{64}", digest) else base64.b64decode(digest)
    except (binascii.Error, ValueError):
        return b""


def _text(response: requests.Response, page: bytes) -> str:
    """Return the beginning of an answer as text, in the encoding that its header names, else UTF-8."""
    charset = re.search(r"(?i)\bcharset=[\"']?([\w.:-]+)", response.headers.get("Content-Type", ""))
    try:
        return page[:_LARGEST_ANSWER].decode(charset[1] if charset else "utf-8", "replace")
    except LookupError:
        return page[:_LARGEST_ANSWER].decode("utf-8", "replace")


def _stripped(response: requests.Response, page: bytes, conceal: Callable[[str], str]) -> requests.Response:
    """Return status, harmless headers and the text of an answer, without cookies, address, request and secrets."""
    bare = requests.Response()
    bare._content, bare.encoding = conceal(_text(response, page)).encode(), "utf-8"
    bare.status_code, bare.reason = response.status_code, response.reason
    for name in ("Content-Type", "Date", "Retry-After", "Server"):
        if name in response.headers:
            bare.headers[name] = response.headers[name]
    return bare
