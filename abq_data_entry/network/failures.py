"""Network failures, in words for users and without secrets.

Also `Pauses`: until when a busy server wants no request (Retry-After: RFC 9110, 10.2.3), kept in a file. Nothing is
retried here: whoever tries before that time, a person or cron, gets a message that says when it ends.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import http.client
import json
import os
import re
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import ModuleType


class UserFacingError:
    """Marks an error whose text is one or two sentences for users, without secrets.

    Its attributes: `transient`: the same may succeed later by itself; `login_refused`: another user name or password
    may help; `retry_after`: the server's Retry-After (RFC 9110, 10.2.3); `fingerprint`: that of an unknown host key;
    `outcome_unknown`: it may have been done all the same, and trying again may do it twice.
    """

    transient = False
    login_refused = False
    retry_after = ""
    fingerprint = ""
    outcome_unknown = False


class WeatherError(UserFacingError, Exception):
    """The observation couldn't be fetched; the text says why."""


class WeatherBusy(WeatherError):
    """The feed is busy, and wants no request before `until`."""

    def __init__(self, message: str, until: datetime.datetime) -> None:
        super().__init__(f"{message} It accepts no request before {until.astimezone():%H:%M:%S}.")
        self.until = until


class Cancelled(UserFacingError, Exception):
    """The caller's `cancel` event was set, which ended the transfer."""

    midway = False
    """Whether it ended the storing under the final name: the file there may be incomplete or missing."""

    def __init__(self, message: str = "Cancelled.") -> None:
        super().__init__(message)


class InvalidInput(UserFacingError, ValueError):
    """An invalid station, URL, name or number; nothing was sent."""


class FileChanged(UserFacingError, OSError):
    """The file was changed while it was being sent."""


class HostUnknown(UserFacingError, socket.gaierror):
    """The host's name couldn't be resolved."""

    transient = True


class HostRefused(UserFacingError, ConnectionRefusedError):
    """Nothing listens at that port of the host."""

    transient = True


class HostUnreachable(UserFacingError, OSError):
    """There is no route to the host."""

    transient = True


class TimedOut(UserFacingError, TimeoutError):
    """The server took too long: to connect, to respond, or to accept the next bytes."""

    transient = True


def describe_failure(error: BaseException) -> str:
    """Return one or two sentences about what happened and what to do.

    Searches `__cause__` and `__context__` for the most informative error. Texts of libraries' errors are never shown as
    they are, because they may contain URLs with query strings, forms or headers.
    """
    links = list(causes(error))
    for link in links:
        if isinstance(link, UserFacingError):
            return getattr(link, "strerror", None) or str(link)  # the text without the number
    for describe in (_proxy_refusal, _certificate, _ftp_reply, _http_status, _disk, _file, _connection, _answer, _rest):
        for link in links:
            if sentence := describe(link):
                return sentence
    return f"Something unexpected went wrong ({type(error).__name__}). The log file has the details."


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all errors behind it, outermost first, each once."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < 50:
        link = waiting.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        context = None if link.__suppress_context__ else link.__context__
        waiting += [link.__cause__, context, getattr(link, "reason", None), *link.args]


_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)
_LONGEST_SAID = 300
GREETING = 120
"""How many characters of a server's text, such as its greeting, are shown."""


def with_server_message(sentence: str, said: str) -> str:
    """Return our sentence, and below it the server's message in one short line without control characters."""
    clean = on_one_line(said)
    return f"{sentence}\nThe server said: {clean}" if clean else sentence


def on_one_line(said: object, longest: int = _LONGEST_SAID) -> str:
    """Return a server's message in one short line without control characters."""
    plain = _ESCAPES.sub("", str(said))
    clean = " ".join("".join(each if each.isprintable() else " " for each in plain).split())
    return f"{clean[: longest - 1]}…" if len(clean) > longest else clean


def with_sentence(text: str, sentence: str) -> str:
    """Return a text with an additional sentence, before the server's words."""
    ours, line, said = text.partition("\n")
    return f"{ours} {sentence}".strip() + line + said


def http_status_in_words(status: int, host: str = "") -> str:
    """Return a sentence about what an HTTP status means for the user (RFC 9110, section 15)."""
    server = f"The server {host}" if host else "The server"
    if status in (401, 403):
        return f"{server} refused the user name or the password ({status})."
    if status == 407:
        return f"The proxy on the way to the server wants a login of its own ({status}). Ask your administrator."
    if status in (404, 405, 410):
        return f"{server} has no such service at this address ({status}). Ask your administrator to check the settings."
    if status in (408, 425, 429):
        return f"{server} is busy ({status}). Try again in a few minutes."
    if status == 413:
        return f"{server} refused the file because it is too large ({status})."
    if 300 <= status < 400:
        return (
            f"{server} redirected us to another address ({status}), which is not followed with a password or a file. "
            "Ask your administrator to set the final address."
        )
    if status < 300:
        return f"{server} gave no final answer ({status}). Tell its administrator."
    if 400 <= status < 500:
        return f"{server} refused the request ({status}). Ask your administrator what it wants."
    return f"{server} had an error of its own ({status}). Try again later, then tell its administrator."


def _loaded(name: str) -> ModuleType | None:
    """Return a module if it has been imported; otherwise none of its errors can exist."""
    return sys.modules.get(name)


_NO_TLS = ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")


def _certificate(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"The server's certificate can't be trusted: {error.verify_message}. Nothing was sent. "
            "Ask your administrator; a certificate authority of your own is set as a CA file."
        )
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "The connection was cut. Try again."
    if isinstance(error, ssl.SSLError) and getattr(error, "reason", None) in _NO_TLS:
        return (
            "What answers at this port doesn't speak TLS, and nothing was sent. Check the port, and https:// in the "
            "address (for FTP the setting abq_ftp_security)."
        )
    if isinstance(error, ssl.SSLError):
        return "No secure connection could be made: the server may not speak TLS at this port."
    return ""


_FTP_WORDS = {
    **{code: f"The FTP server refused the user name or the password ({code})." for code in ("430", "530")},
    **{
        code: f"The FTP server doesn't know a command that is needed ({code}). Tell its administrator."
        for code in ("500", "502")
    },
    "421": "The FTP server closed the connection (421): it may be busy or shutting down. Try again later.",
    "425": "The FTP server couldn't open a connection for the data (425). A firewall may be in the way.",
    "426": "The FTP server cut the transfer off (426). Try again.",
    "452": "The FTP server has no space left (452). Tell its administrator.",
    "532": "The FTP server wants an account for storing files (532). Ask its administrator.",
    "534": "The FTP server refuses this kind of connection (534). Ask its administrator about encryption.",
    "550": "The FTP server refused the file (550): the folder may be missing, or the right to write to it.",
    "552": "The FTP server takes no more of this user (552): its space is used up, or the file is too large. Tell its "
    "administrator.",
    "553": "The FTP server refused the file's name (553).",
}


def _proxy_refusal(error: BaseException) -> str:
    """Describe a proxy's refusal to open a tunnel, which comes before any response of the server (RFC 9110, 9.3.6)."""
    found = re.search(r"Tunnel connection failed: (\d{3})", str(error)) if isinstance(error, OSError) else None
    if found is None:
        return ""
    if found[1] == "407":
        return http_status_in_words(407)
    return f"The proxy on the way makes no connection to the server ({found[1]}). Ask your administrator."


def _ftp_reply(error: BaseException) -> str:
    ftplib = _loaded("ftplib")
    if ftplib is None or not isinstance(error, ftplib.Error):
        return ""
    reply = str(error)
    numbered = re.match(r"\d{3}", reply)
    said = re.sub(r"^\d{3}[ -]?", "", reply, flags=re.MULTILINE) if numbered else ""
    return with_server_message(_ftp_code(ftplib, error, reply[:3]), said)


def _ftp_code(ftplib: ModuleType, error: BaseException, code: str) -> str:
    if code in _FTP_WORDS:
        return _FTP_WORDS[code]
    if isinstance(error, ftplib.error_temp):
        return f"The FTP server can't do it at the moment ({code}). Try again later."
    if isinstance(error, ftplib.error_perm):
        return f"The FTP server refused the request ({code}). Ask its administrator."
    return "What answers at this address and port doesn't speak FTP as expected. Check the settings."


def _http_status(error: BaseException) -> str:
    requests = _loaded("requests")
    if requests is not None and isinstance(error, requests.RequestException) and error.response is not None:
        return http_status_in_words(error.response.status_code)
    urllib_error = _loaded("urllib.error")
    if urllib_error is not None and isinstance(error, urllib_error.HTTPError):
        return http_status_in_words(error.code)
    return ""


_DISK_WORDS = {
    errno.ENOSPC: "The disk of this computer is full{place}. Free some space on it, then try again.",
    getattr(errno, "EDQUOT", -1): "Your space on this computer's disk is used up{place}. Free some, then try again.",
    errno.EFBIG: "A file of this computer may not grow any more{place}. Ask your administrator about limits.",
    errno.EROFS: "The disk of this computer can only be read{place}. Ask your administrator.",
    errno.EIO: "The disk of this computer reports an error{place}. Tell your administrator at once.",
    errno.EMFILE: "Too many files are open on this computer{place}. Close some programs, then try again.",
    errno.ENFILE: "Too many files are open on this computer{place}. Close some programs, then try again.",
}


def _disk(error: BaseException) -> str:
    """Describe errors of this computer's disk: some have no file name, and none says whether it was read or written."""
    if not isinstance(error, OSError) or isinstance(error, ssl.SSLError):
        return ""
    sentence = _DISK_WORDS.get(error.errno or 0, "")
    is_named = isinstance(error.filename, str | bytes | os.PathLike)
    return sentence.format(place=f" ({os.fsdecode(error.filename)})" if is_named else "")


def _file(error: BaseException) -> str:
    if (
        not isinstance(error, OSError)
        or not error.filename
        or not isinstance(error.filename, str | bytes | os.PathLike)
    ):
        return ""
    name = os.fsdecode(error.filename)
    if isinstance(error, FileNotFoundError):
        return f"The file {name} doesn't exist."
    if isinstance(error, IsADirectoryError):
        return f"{name} is a folder, not a file."
    if isinstance(error, PermissionError):
        return f"The file {name} can't be read or written: you have no right to."
    return f"The file {name} can't be read or written ({error.strerror})."


def _connection(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return "The host isn't known. Check its name in the settings, and the network connection."
    if isinstance(error, ConnectionRefusedError):
        return "The host refused the connection: nothing listens at that port. Check the address, or try later."
    if isinstance(error, TimeoutError):
        return "The other side didn't answer in time. Try again later."
    if isinstance(error, OSError) and error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN):
        return "There is no route to the host. Check the network connection."
    if isinstance(error, ConnectionError | EOFError | http.client.RemoteDisconnected | http.client.IncompleteRead):
        return "The connection was cut. Try again."
    return ""


def _answer(error: BaseException) -> str:
    if isinstance(error, http.client.LineTooLong):
        return "The answer is too large to be one of this service."
    if isinstance(error, http.client.HTTPException):
        return "What answers at this address doesn't speak HTTP as expected. Check the settings."
    return ""


def _rest(error: BaseException) -> str:
    requests, urllib3 = _loaded("requests"), _loaded("urllib3.exceptions")
    if requests is None or urllib3 is None or not isinstance(error, requests.RequestException | urllib3.HTTPError):
        return ""
    if isinstance(error, requests.exceptions.ProxyError):
        return "The proxy on the way to the server doesn't answer. Ask your administrator."
    if isinstance(error, requests.Timeout | urllib3.TimeoutError):
        return "The other side didn't answer in time. Try again later."
    if isinstance(error, ValueError):
        return "The address of the service isn't valid. Ask your administrator to check the settings."
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "The connection was cut. Try again."
    return "The server's answer couldn't be understood. Tell its administrator."


_LONGEST = datetime.timedelta(days=1)  # a longer Retry-After must be a mistake
CENTURY = datetime.timedelta(days=36500)
_LARGEST_FILE = 64 * 1024


def retry_after(
    text: str, now: datetime.datetime | None = None, longest: datetime.timedelta = _LONGEST
) -> datetime.datetime | None:
    """Return the time in a Retry-After header field; None if it isn't one in the future."""
    now = now or datetime.datetime.now(datetime.timezone.utc)
    text = text.strip()
    try:
        if text.isascii() and text.isdigit():
            until = now + min(datetime.timedelta(seconds=int(text[:9])), longest)
        else:
            until = parsedate_to_datetime(text)
            if until.tzinfo is None:
                until = until.replace(tzinfo=datetime.timezone.utc)  # an HTTP-date is always GMT
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(until, now + longest) if until > now else None


class Pauses:
    """Until when each server wants no request, in a small file that all processes of this user share.

    If the file can't be read or written, other processes don't know these times.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, float] = {}
        self._lock = threading.Lock()

    def until(self, place: str) -> datetime.datetime | None:
        """Return the time before which the server at `place` wants no request, None if there is none."""
        with self._lock:
            moment = max(self._read().get(place, 0.0), self._known.get(place, 0.0))
        now = datetime.datetime.now(datetime.timezone.utc)
        longest = (now + _LONGEST).timestamp()  # later times are ignored: the clock was set back
        if not now.timestamp() < moment <= longest:
            return None
        return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc)

    def keep(self, place: str, until: datetime.datetime) -> None:
        """Store that the server wants no request until then."""
        with self._lock:
            self._known[place] = until.timestamp()
            now = datetime.datetime.now(datetime.timezone.utc).timestamp()
            ahead = {name: moment for name, moment in {**self._read(), **self._known}.items() if moment > now}
            temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            with contextlib.suppress(OSError):
                temporary.write_text(json.dumps(ahead), encoding="utf-8")
                temporary.replace(self._path)

    def _read(self) -> dict[str, float]:
        try:
            if self._path.stat().st_size > _LARGEST_FILE:
                return {}
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {str(name): float(moment) for name, moment in found.items() if isinstance(moment, int | float)}


_LONG = re.compile(r"&#[0-9]{20,};?")


def without_long_references(text: str) -> str:
    """Return HTML without character references that are too long for `html.unescape`.

    It raises an error for numbers of thousands of digits, so one such reference would make a whole page unreadable.
    They aren't characters: HTML shows U+FFFD for them.
    """
    return _LONG.sub("\N{REPLACEMENT CHARACTER}", text)
