"""Notices of a newsgroup: its newest articles by NNTP (RFC 3977), with TLS from the start or by STARTTLS (RFC 4642).

What a server sends is bounded: the bytes of all of it, of a line and of an article, their number, and the time.
"""

from __future__ import annotations

import contextlib
import nntplib
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Mapping
from email.errors import HeaderParseError
from email.parser import BytesHeaderParser

from . import encryption
from .failures import InvalidInput, describe_failure, with_server_message
from .guard import Guard, is_loopback
from .mailbox_message import Unreadable, read_answer
from .notice_feed import Fetched, Notice, NoticesError, mark_of, read_moment
from .notice_text import line, paragraphs, web_address

MOST_ARTICLES = 50
"""How many articles of a group are looked at: the newest."""
LARGEST = 16 * 1024 * 1024
LARGEST_ARTICLE = 512 * 1024
"""Bytes of all that a server sends, and of an article."""

PORTS = {"nntps": 563, "nntp": 119}
_LONGEST_LINE, _LONGEST_HEADER = 64 * 1024, 2000
_LOGIN_WANTED, _LOGIN_REFUSED, _ENCRYPTION_WANTED = "480", ("481", "482", "502"), "483"
_NO_GROUP, _GONE = "411", ("420", "421", "422", "423", "430")


def fetch_group(
    settings: Mapping[str, object],
    group: str,
    state: Mapping[str, object],
    login: tuple[str, str] | None,
    *,
    timeout: float,
    cancel: threading.Event | None,
) -> Fetched:
    """Do what `fetch_notices` does, for a newsgroup; the settings have been checked."""
    address = str(settings["notices_url"]).strip()
    parts = urllib.parse.urlsplit(address)
    host = parts.hostname or ""
    context = encryption.verified_context(str(settings["abq_ca_file"]) or None)
    is_open = parts.scheme == "nntp" and (is_loopback(host) or settings["notices_security"] == "none")
    if login is not None and not all(each.isprintable() for each in login):
        raise InvalidInput("The login for the notices holds a character that can't be sent.")
    with Guard(cancel, timeout, whole=True) as guard:
        try:
            with _Session(guard, host, parts.port or PORTS[parts.scheme], context, parts.scheme == "nntps") as session:
                if parts.scheme == "nntp":
                    _encrypt(session, context, may_be_open=is_open)
                if login is not None:
                    session.login(*login, usenetrc=False)
                return _new_articles(session, group, state)
        except NoticesError as error:
            failure: Exception = guard.verdict() or error
        except nntplib.NNTPError as error:
            failure = guard.verdict() or _refusal(str(error), host, group)
        except ssl.SSLCertVerificationError as error:
            failure = encryption.refusal(error, host, lambda: None)
        except (OSError, EOFError) as error:
            failure = guard.verdict() or NoticesError(describe_failure(error))
        except (ValueError, IndexError, KeyError):  # raised by nntplib for a nonsensical answer
            failure = guard.verdict() or _refusal("", host, group)
    raise NoticesError(str(getattr(failure, "strerror", None) or failure)) if isinstance(failure, OSError) else failure


class _Session(nntplib.NNTP):
    """A session over a connection that the guard opens and ends."""

    def __init__(self, guard: Guard, host: str, port: int, context: ssl.SSLContext, is_encrypted: bool) -> None:
        self._guard, self._context, self._is_encrypted = guard, context, is_encrypted
        self._left = LARGEST
        self.article_left = LARGEST_ARTICLE
        super().__init__(host, port, readermode=True)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        found = self._guard.connect(self.host, self.port)
        if not self._is_encrypted:
            return found
        try:
            return self._context.wrap_socket(found, server_hostname=self.host)
        except BaseException:
            found.close()
            raise

    def __exit__(self, *_: object) -> None:
        """Leave without waiting for an answer."""
        with contextlib.suppress(Exception):
            self._putline(b"QUIT")  # type: ignore[attr-defined]
        with contextlib.suppress(Exception):
            self._close()  # type: ignore[attr-defined]

    def _getline(self, strip_crlf: bool = True) -> bytes:
        """Read a line, up to a limit on all of them; `nntplib` reads any number of lines, and stops at one of 2 KB."""
        found: bytes = self.file.readline(_LONGEST_LINE + 1)
        self._guard.check()
        self._left -= len(found)
        self.article_left -= len(found)
        if len(found) > _LONGEST_LINE or self._left < 0 or self.article_left < 0:
            raise NoticesError("The news server sent far more than notices have. Tell its administrator.")
        if not found:
            raise EOFError
        return found.rstrip(b"\r\n") if strip_crlf else found


def _encrypt(session: _Session, context: ssl.SSLContext, may_be_open: bool) -> None:
    """Start TLS if the server offers it; it must, unless the settings say otherwise."""
    if "STARTTLS" in session.getcapabilities():
        session.starttls(context)
    elif not may_be_open:
        raise NoticesError(
            "The news server offers no encryption: others on the way could write notices of their own. Use nntps://, "
            "or set notices_security to none."
        )


def _new_articles(session: _Session, group: str, state: Mapping[str, object]) -> Fetched:
    """Return the articles since the last known number, or the newest if the server has started numbering anew."""
    _, _, first, last, _ = session.group(group)
    known = state.get("last")
    begin = max(first, last - MOST_ARTICLES + 1, 1)
    if isinstance(known, int) and known <= last:
        begin = max(begin, known + 1)
    found = [each for number in range(last, begin - 1, -1) if (each := _article(session, number)) is not None]
    return Fetched(found if begin <= last else None, {"last": last}, complete=False)


def _article(session: _Session, number: int) -> Notice | None:
    """Return an article as a notice; None if it is gone or can't be read."""
    session.article_left = LARGEST_ARTICLE
    try:
        _, info = session.article(str(number))
    except nntplib.NNTPError as error:
        if str(error)[:3] in _GONE:
            return None
        raise
    finally:
        session.article_left = LARGEST
    content = b"\n".join(info.lines)
    try:
        said = read_answer(content)
    except Unreadable:
        return None
    headers = dict(BytesHeaderParser().parsebytes(content[:_LONGEST_LINE]).raw_items())
    subject, words = line(_decoded(str(headers.get("Subject", "")))), paragraphs(said.text)
    title = subject or line(words, 80)
    mark = mark_of(said.message_id)
    if not title or not mark or "Control" in headers:
        return None
    link = web_address(str(headers.get("Archived-At", "")).strip(" <>"))  # RFC 5064
    return Notice(mark, title, words, link, read_moment(str(headers.get("Date", ""))))


def _decoded(header: str) -> str:
    """Return a header as text: RFC 2047, and UTF-8 as it is, which news always had (RFC 5536)."""
    text = header[:_LONGEST_HEADER].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        return nntplib.decode_header(text)
    except (LookupError, ValueError, HeaderParseError):
        return text


def _refusal(said: str, host: str, group: str) -> NoticesError:
    code, words = said[:3], said[3:].strip()
    if code == _NO_GROUP:
        told = f"{host} has no newsgroup {group} (411). Check the setting notices_url."
    elif code == _LOGIN_WANTED or code in _LOGIN_REFUSED:
        told = f"{host} wants another login for its news ({code}). Check notices_username and the password for it."
    elif code == _ENCRYPTION_WANTED:
        told = f"{host} wants an encrypted connection ({code}). Use nntps:// in notices_url."
    elif code in ("400", "403", "503"):
        told = f"{host} can't do it at the moment ({code}). It is tried again in an hour."
    else:
        told = f"What answers at {host} doesn't speak NNTP as expected. Check the setting notices_url."
        with contextlib.suppress(ValueError):
            told = f"{host} refused the request ({int(code)}). Ask its administrator."
    return NoticesError(with_server_message(told, words if code.isdecimal() else said))
