"""Submit mail to a server (SMTP): the connection, the login, one message to several receivers, and the outcome.

SMTP isn't idempotent: a message that is sent twice arrives twice. Until the end of its data is sent, nothing has
happened; after that only the server's reply decides, and without a reply the outcome is unknown. An extract is one mail
to all receivers, with its companions attached. No text in a mail can inject a header field. Sources: RFC 5321 (SMTP),
RFC 3207 (STARTTLS), RFC 8314 (TLS from the start), RFC 4954 (AUTH), RFC 6531 (SMTPUTF8), RFC 5322 (messages), RFC 2047
and 2231 (names beyond ASCII), RFC 6532 (headers in UTF-8).
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import hmac
import math
import mimetypes
import os
import re
import secrets
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from pathlib import Path
from typing import Any, NamedTuple

from . import encryption
from .failures import InvalidInput, UserFacingError, on_one_line, with_server_message
from .guard import Guard
from .mail_addresses import MailServer, Person, on_the_wire
from .uploads import BLOCK, SourceFile, Uploads

LONGEST = 100 * 1024 * 1024
"""The largest mail, in bytes, since it is built in memory; servers have smaller limits."""


class Attachment(NamedTuple):
    """An attached file: its name for the receivers, and its content."""

    name: str
    content: bytes


class Mail(NamedTuple):
    """A mail. `identifier`: the same for every attempt at the same mail; it becomes the Message-ID.

    `served`: addresses of receivers who got it in an earlier attempt.
    """

    sender: Person
    receivers: tuple[Person, ...]
    subject: str
    text: str
    identifier: str
    attachments: tuple[Attachment, ...] = ()
    headers: Mapping[str, str] = {}
    served: frozenset[str] = frozenset()

    @property
    def still_to(self) -> tuple[Person, ...]:
        """The receivers who don't have it yet."""
        return tuple(each for each in self.receivers if each.address not in self.served)


def needs_utf8(sender: Person, receivers: Iterable[Person]) -> bool:
    """Return whether an address has a local part that only servers with SMTPUTF8 accept."""
    return any(not on_the_wire(each.address).isascii() for each in (sender, *receivers))


def message_id(identifier: str, sender: Person) -> str:
    """Return the Message-ID of every attempt at this mail, so that receivers can tell that two are one."""
    name = re.sub(r"[^0-9A-Za-z.-]", "-", identifier)[:100]
    return f"<abq.{name}@{on_the_wire(sender.address).rpartition('@')[2]}>"


def as_bytes(mail: Mail, moment: datetime.datetime) -> bytes:
    """Return the mail with CR LF. Raises `InvalidInput` for an invalid header field."""
    is_utf8 = needs_utf8(mail.sender, mail.receivers)
    message = EmailMessage(SMTPUTF8 if is_utf8 else SMTP)
    message["From"] = _header_address(mail.sender)
    message["To"] = tuple(_header_address(each) for each in mail.receivers)
    message["Subject"] = _one_line(mail.subject)
    message["Date"] = format_datetime(moment)
    message["Message-ID"] = message_id(mail.identifier, mail.sender)
    message["Auto-Submitted"] = "auto-generated"  # so that no auto-responder replies (RFC 3834)
    for name, value in mail.headers.items():
        message[name] = _one_line(value)
    message.set_content(mail.text)
    for each in mail.attachments:
        main, _slash, sub = _type_of(each.name)
        message.add_attachment(each.content, maintype=main, subtype=sub, filename=_one_line(each.name))
    return bytes(message)


def _header_address(person: Person) -> Address:
    local, _at, domain = on_the_wire(person.address).rpartition("@")
    return Address(_one_line(person.name), local, domain)


def _one_line(text: str) -> str:
    """Return the text, unless it would inject a header field: raises `InvalidInput`."""
    if any(ord(each) < 32 or ord(each) == 127 for each in text) or not text.isprintable():
        raise InvalidInput(f"{text!r} can't stand in a mail's header. Nothing was sent.")
    return text


def _type_of(name: str) -> tuple[str, str, str]:
    if name.endswith(".csv"):
        return "text", "/", "csv"  # not by mimetypes: the registry of Windows may have another type
    found, coding = mimetypes.guess_type(name)
    return ("application", "/", "octet-stream") if found is None or coding else found.partition("/")


def read_attachments(files: Sequence[tuple[Path, str]]) -> tuple[Attachment, ...]:
    """Read the files to attach. Raises `OSError`, and `InvalidInput` if they are too large."""
    if sum(path.stat().st_size for path, _name in files) > LONGEST:
        raise InvalidInput("What is to be attached is too large for a mail. Nothing was sent.")
    return tuple(Attachment(name, path.read_bytes()) for path, name in files)


PIECE = 64 * 1024
LAST_ANSWER = 5.0
"""The factor by which the final reply may take longer: servers scan for viruses first (RFC 5321, 4.5.3.2.6)."""

_MOST_LINES = 200  # of one answer
_GOODBYE = 2.0  # seconds


class MailFailed(UserFacingError, OSError):
    """The mail wasn't accepted; `transient`: trying again may help."""

    def __init__(self, sentence: str, said: str = "", *, transient: bool = False, login: bool = False) -> None:
        super().__init__(with_server_message(sentence, said))
        self.transient, self.login_refused = transient, login


class PartlySent(MailFailed):
    """The receivers `served` got it, others didn't yet: the same mail has to be sent to those only."""

    def __init__(self, sentence: str, served: Sequence[str]) -> None:
        super().__init__(sentence, transient=True)
        self.served = tuple(served)


class OutcomeUnknown(UserFacingError, OSError):
    """All of the mail was sent, but the server's final reply is missing: it may have arrived."""

    outcome_unknown = True


class MailLogin(NamedTuple):
    """The login for submission; both empty: none."""

    username: str = ""
    password: str = ""


class Replies(NamedTuple):
    """The server's replies for the receivers: accepted addresses; and, with the reason, those refused for now and those
    refused for good."""

    taken: list[str]
    later: list[str]
    refused: list[str]


class _Answers:
    """The lines of a server's replies, with a limit for each reply."""

    def __init__(self, file: Any) -> None:
        self._file, self.left = file, _MOST_LINES

    def readline(self, size: int) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise OSError("too many lines")
        return bytes(self._file.readline(size))

    def close(self) -> None:
        self._file.close()


class MailSession(smtplib.SMTP):
    """One connection to a server; each message may have a guard of its own."""

    def __init__(self, server: MailServer, guard: Guard, context: ssl.SSLContext | None) -> None:
        super().__init__(local_hostname="localhost")
        self.server, self.guard, self._secure = server, guard, context
        self._host = server.host.strip("[]")
        self.greeting = ""
        self._secrets: tuple[str, ...] = ()

    def open(self) -> None:
        """Connect, with TLS if that is set. Raises `MailFailed` and what `Guard.connect` raises."""
        code, said = self.connect(self.server.host, self.server.port)
        self.greeting = _text(said)
        if code != 220:
            self._refuse(code, said, "takes no mail at the moment")
        if self.sock is not None:  # not this computer's name: looking it up may take long
            place = self.sock.getsockname()[0]
            self.local_hostname = f"[IPv6:{place}]" if ":" in place else f"[{place}]"
        self._greet()
        if self.server.security == "starttls":
            if not self.has_extn("starttls"):
                raise MailFailed(
                    f"{self._host} offers no encryption (STARTTLS), and nothing was sent. "
                    "Set abq_mail_security to implicit if TLS begins at once there, or to none."
                )
            code, said = self.starttls(context=self._secure)
            if code != 220:
                self._refuse(code, said, "refused to encrypt")
            self._greet()

    def _get_socket(self, host: str, port: int, timeout: float | None) -> socket.socket:
        plain = self.guard.connect(host.strip("[]"), port)
        if self.server.security != "implicit" or self._secure is None:
            return plain
        return self._secure.wrap_socket(plain, server_hostname=self._host)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Answers(self.sock.makefile("rb"))
        if isinstance(self.file, _Answers):
            self.file.left = _MOST_LINES
        answer = super().getreply()
        self.guard.progressed()
        return answer

    def _greet(self) -> None:
        code, said = self.ehlo()
        if not 200 <= code <= 299:
            self._refuse(code, said, "doesn't speak as mail servers do (EHLO)")

    def log_in(self, login: MailLogin) -> bool:
        """Log in if the server offers AUTH; return whether it does. Raises `MailFailed`."""
        ways = str(self.esmtp_features.get("auth", "")).upper().split()
        if not login.username or not ways:
            return False
        user, password = login.username.encode(), login.password.encode()
        plain = _encoded(bytes(1).join((b"", user, password)))
        self._secrets = tuple(filter(None, (plain, _encoded(password), login.password)))
        is_open = self.server.security == "none"
        if "CRAM-MD5" in ways and (is_open or not {"PLAIN", "LOGIN"} & set(ways)):
            code, said = self.docmd("AUTH", "CRAM-MD5")
            if code == 334:
                digest = hmac.new(password, _decoded(said), "md5").hexdigest()
                code, said = self.docmd(_encoded(user + b" " + digest.encode()))
        elif "PLAIN" in ways:
            code, said = self.docmd("AUTH", f"PLAIN {plain}")
        elif "LOGIN" in ways:
            code, said = self.docmd("AUTH", "LOGIN")
            for each in (user, password):
                if code == 334:
                    code, said = self.docmd(_encoded(each))
        else:
            raise MailFailed(f"{self._host} offers no way to log in that we support ({' '.join(ways)[:80]}).")
        if code == 235:
            return True
        if code in (421, 454):
            self._refuse(code, said, "can't log anybody in at the moment")
        words = self._redacted(said)
        raise MailFailed(f"{self._host} refused the user name or the password ({code}).", words, login=True)

    def check_alive(self) -> bool:
        """Return whether the session of an earlier message still works."""
        try:
            return self.rset()[0] == 250
        except OSError:
            return False

    def begin(self, mail: Mail, size: int) -> Replies:
        """Send MAIL and RCPT; return the replies for the receivers. Raises `MailFailed` if none is accepted now."""
        options = []
        if self.has_extn("size"):
            limit = int(str(self.esmtp_features["size"]) or "0") if str(self.esmtp_features["size"]).isdigit() else 0
            if limit and size > limit:
                raise MailFailed(f"{self._host} takes mails of at most {limit:,} bytes, and this one has {size:,}.")
            options.append(f"SIZE={size}")
        if needs_utf8(mail.sender, mail.receivers):
            if not self.has_extn("smtputf8"):
                raise MailFailed(f"{self._host} takes no addresses with letters beyond ASCII before the @ (SMTPUTF8).")
            self.command_encoding = "utf-8"
            options += ["SMTPUTF8", "BODY=8BITMIME"]
        code, said = self.mail(on_the_wire(mail.sender.address), options)
        if code != 250:
            what = "wants a login" if code == 530 else f"doesn't take mail from {mail.sender.address}"
            self._refuse(code, said, what, login=code in (530, 535))
        told, busy = Replies([], [], []), list[tuple[int, bytes]]()
        for each in mail.still_to:
            code, said = self.rcpt(on_the_wire(each.address))
            if code in (250, 251):
                told.taken.append(each.address)
                continue
            answer = f"{each.address} ({code} {on_one_line(self._redacted(said))})"
            if 400 <= code < 500 or code == 552:  # of too many receivers, by older servers (RFC 5321, 4.5.3.1.10)
                busy.append((code, said))
                told.later.append(answer)
            elif 500 <= code < 600:
                told.refused.append(answer)
            else:
                raise ValueError("no answer to that")
        if busy and not told.taken:
            self.rset()
            code, said = busy[0]
            whom = ", ".join((*told.later, *told.refused))
            self._refuse(452 if code == 552 else code, said, f"can't take it for {whom}")
        if not told.taken and not mail.served:
            raise MailFailed(f"{self._host} refused every receiver: {'; '.join(told.refused)}.")
        return told

    def send_content(self, content: bytes, progress: Callable[[float], object]) -> None:
        """Send the data without its end. `progress`: called with the part that was sent, from 0 to 1."""
        code, said = self.docmd("DATA")
        if code != 354:
            self._refuse(code, said, "refused the mail")
        assert self.sock is not None
        quoted = memoryview(re.sub(rb"(?m)^\.", b"..", content))
        for start in range(0, len(quoted), PIECE):
            self.guard.send(self.sock, quoted[start : start + PIECE])
            progress(min(start + PIECE, len(quoted)) / len(quoted))

    def finish(self, guard: Guard, left: Sequence[str]) -> None:
        """Send the end of the data, and wait for the reply. Raises `MailFailed` for a refusal, else `OutcomeUnknown`.

        `left`: receivers that the server has refused.
        """
        assert self.sock is not None
        code, said = -1, b""
        with contextlib.suppress(OSError, smtplib.SMTPException):
            self.guard = guard
            guard.watch(self.sock)
            guard.send(self.sock, b".\r\n")
            code, said = self.getreply()
        if 400 <= code < 600:
            self._refuse(code, said, "refused the mail")
        if code != 250:
            others = f" It has certainly not arrived for {', '.join(left)}." if left else ""
            raise OutcomeUnknown(
                f"Whether the mail arrived isn't known: all of it was sent to {self._host}, and the last answer is "
                f"missing. Ask the receivers; it is never sent again by itself.{others}"
            )

    def leave(self, politely: bool) -> None:
        """Close the connection; `politely`: after QUIT, whose reply is waited for only a moment."""
        if politely and self.sock is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self.sock.settimeout(_GOODBYE)
                self.docmd("QUIT")
        self.close()

    def _redacted(self, said: bytes) -> str:
        """Return the server's words without our login, which it may repeat."""
        text = _text(said)
        for each in self._secrets:
            text = text.replace(each, "…")
        return text

    def _refuse(self, code: int, said: bytes, what: str, *, login: bool = False) -> None:
        when = "It is tried again." if 400 <= code < 500 else "Ask its administrator."
        raise MailFailed(
            f"{self._host} {what} ({code}). {when}", self._redacted(said), transient=400 <= code < 500, login=login
        )  # fmt: skip


def open_session(server: MailServer, guard: Guard, ca_file: str | None) -> MailSession:
    """Return a session that is ready for a login. Raises `UserFacingError`s and `OSError`."""
    context = None if server.security == "none" else encryption.verified_context(ca_file)
    session = MailSession(server, guard, context)
    try:
        session.open()
    except ssl.SSLCertVerificationError as error:
        refused = error
    except BaseException:
        session.close()
        raise
    else:
        return session
    session.close()
    raise encryption.refusal(refused, server.host, lambda: _certificate_of(server, guard))


def _certificate_of(server: MailServer, guard: Guard) -> bytes | None:
    """Connect again to read the certificate that was refused."""
    session = MailSession(server, guard, encryption.unverified_context())
    with contextlib.closing(session):
        session.open()
        return session.sock.getpeercert(True) if isinstance(session.sock, ssl.SSLSocket) else None


class Mailer:
    """Submits mails over one login, one at a time; nothing else keeps the password. A context manager.

    `timeout`: seconds of silence. Raises `MailFailed`, `OutcomeUnknown`, what `Guard` raises, and `InvalidInput`.
    """

    def __init__(self, server: MailServer, login: MailLogin, ca_file: str | None, timeout: float) -> None:
        self.server, self._login, self._ca_file, self._timeout = server, login, ca_file, timeout
        self._session: MailSession | None = None

    def __enter__(self) -> Mailer:
        return self

    def __exit__(self, *_failure: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, if one is open; the next mail would log in again."""
        session, self._session = self._session, None
        if session is not None:
            session.leave(politely=True)

    def send(
        self, mail: Mail, cancel: threading.Event | None = None, progress: Callable[[float], object] = lambda part: None
    ) -> list[str]:
        """Submit it; return the receivers that were refused for good while others got it.

        If the server can't accept it for some of them yet, the others get it, and `PartlySent` is raised: add its
        `served` to the mail's before it is sent again with the same identifier.
        `progress`: called with the part that was sent, and with 1 just before the end of the data is sent.
        """
        content = as_bytes(mail, datetime.datetime.now().astimezone())
        try:
            with Guard(cancel, self._timeout) as guard:
                told, failure = self._attempted(guard, lambda: self._before_the_end(mail, content, guard, progress))
                if told is not None and told.taken:
                    progress(1.0)
            if told is not None and told.taken:
                with Guard(cancel, self._timeout * LAST_ANSWER) as guard:
                    assert self._session is not None
                    self._session.finish(guard, (*told.later, *told.refused))
        except BaseException:
            self._drop()
            raise
        if failure is not None:
            self._drop()
            raise failure  # outside of all handlers: an error's __context__ might contain what was sent
        assert told is not None
        if told.later:
            raise PartlySent(self._partly_refused(told), told.taken)
        return told.refused

    def _partly_refused(self, told: Replies) -> str:
        refused = f" It refused it for {'; '.join(told.refused)}." if told.refused else ""
        return (
            f"{self.server.host} can't take it yet for {'; '.join(told.later)}; that is tried again.{refused} "
            "The other receivers have it."
        )

    def _before_the_end(
        self, mail: Mail, content: bytes, guard: Guard, progress: Callable[[float], object]
    ) -> Replies:
        session = self._ready(guard)
        told = session.begin(mail, len(content))
        if told.taken:
            session.send_content(content, lambda part: progress(min(part, 0.99)))
        else:  # no receiver is left
            session.rset()
        return told

    def _attempted(self, guard: Guard, work: Callable[[], Replies]) -> tuple[Replies | None, Exception | None]:
        try:
            return work(), None
        except (OSError, smtplib.SMTPException, ValueError) as error:
            found = guard.verdict() or error
        if isinstance(found, UserFacingError):
            return None, found.with_traceback(None)
        host = self.server.host
        if isinstance(found, ssl.SSLError):
            return None, MailFailed(f"No secure connection to {host} could be made. Check abq_mail_port and _security.")
        if isinstance(found, ValueError):
            return None, InvalidInput(f"{host} answered something that isn't understood. Nothing was sent.")
        return None, MailFailed(f"{host} cut the connection, and no mail was sent. It is tried again.", transient=True)

    def _ready(self, guard: Guard) -> MailSession:
        """Return the previous mail's session if it still works, else a new one."""
        if self._session is not None:
            self._session.guard = guard
            with contextlib.suppress(OSError):
                if self._session.sock is not None:
                    guard.watch(self._session.sock)
                if self._session.check_alive():
                    return self._session
            guard.check()
            self._drop()
        session = open_session(self.server, guard, self._ca_file)
        self._session = session
        session.log_in(self._login)
        return session

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.leave(politely=False)


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _decoded(said: bytes) -> bytes:
    try:
        return base64.b64decode(said)
    except ValueError:
        raise OSError("not base64") from None


def _text(said: bytes) -> str:
    return " ".join(said.decode("utf-8", "replace").split())


_TEXT = """\
{name} is attached: {size} bytes, SHA-256 {digest}.

Sent by ABQ Data Entry. Each version of a day's file has its own Message-ID; a later one replaces those before.
"""


class MailUploads(Uploads):
    """Sends files by mail, over one login."""

    def __init__(self, mailer: Mailer, sender: Person, receivers: tuple[Person, ...], timeout: float) -> None:
        super().__init__(timeout)
        self._mailer, self._sender, self._receivers = mailer, sender, receivers
        self._headers: dict[str, str] = {}
        self._beside: list[tuple[Path, str]] = []
        self._served: frozenset[str] = frozenset()

    def close(self) -> None:
        self._mailer.close()

    def take_along(self, headers: Mapping[str, str]) -> bool:
        self._headers = dict(headers)
        return True

    def attach(self, filepath: str | os.PathLike[str], name: str) -> bool:
        self._beside.append((Path(filepath), name))
        return True

    def leave_out(self, receivers: Collection[str]) -> bool:
        self._served = frozenset(receivers)
        return True

    def _attempt(
        self, source: SourceFile, identifier: str | None, cancel: threading.Event | None
    ) -> BaseException | None:
        self.remark = ""
        headers, beside, self._headers, self._beside = self._headers, self._beside, {}, []
        served, self._served = self._served, frozenset()
        try:
            mail = self._mail(source, identifier or secrets.token_hex(16), headers, beside)._replace(served=served)
            refused = self._mailer.send(
                mail, cancel, lambda part: source.report(source.size if part == 1 else _unfinished(source.size, part))
            )
        except BaseException as error:  # of the progress callback too, or Ctrl-C
            if getattr(error, "login_refused", False) and isinstance(error, Exception):
                self._refusal = error
            return error.with_traceback(None)
        if refused:
            self.remark = f"The mail server refused it for {'; '.join(refused)}. The other receivers have it."
        return None

    def _mail(
        self, source: SourceFile, identifier: str, headers: Mapping[str, str], beside: list[tuple[Path, str]]
    ) -> Mail:
        if source.size > LONGEST:
            raise InvalidInput(f"{source.name} is too large for a mail ({source.size:,} bytes). Nothing was sent.")
        content = b"".join(bytes(block) for block in source.content(BLOCK))
        digest = hashlib.sha256(content).hexdigest()
        text = _TEXT.format(name=source.name, size=f"{source.size:,}", digest=digest)
        attachments = (Attachment(source.name, content), *read_attachments(beside))
        # The delivery's identifier and the file's digest: the same for all its attempts, but not for the next version.
        mark = f"{identifier}.{digest[:16]}"
        subject = f"ABQ Data Entry: {source.name}"
        return Mail(self._sender, self._receivers, subject, text, mark, attachments, headers)


def _unfinished(size: int, part: float) -> int:
    """Return the progress as a part of `size`, less than all of it until the end of the data is sent."""
    return min(math.floor(size * part), max(size - 1, 0))
