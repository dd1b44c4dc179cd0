"""The mailbox for the company's answers, by IMAP4 or POP3: new mails, and the check. It is only read.

By IMAP it is opened read-only (EXAMINE); by POP3 no mail is deleted, and none is marked as read if the server has TOP.
All sizes are bounded, and no wait is longer than the guard's. Not by `imaplib` and `poplib`: they read as many bytes
and lines as a server sends, accept only ASCII passwords, and have IDLE only from Python 3.14 on. Sources: RFC 3501 and
9051 (IMAP4), RFC 2177 (IDLE), RFC 4616 (PLAIN), RFC 2595 (STARTTLS, STLS), RFC 1939 (POP3), RFC 2449 (CAPA), RFC 5034
(AUTH).
"""

from __future__ import annotations

import base64
import contextlib
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from . import encryption, probing
from .failures import GREETING, UserFacingError, on_one_line, with_server_message
from .guard import Guard
from .mail_addresses import MAILBOX, MailboxAddress, configured_mailbox
from .probing import Context, Inspection, Result, Steps

LONGEST_LINE = 64 * 1024
LONGEST_ANSWER = 4 * 1024 * 1024
"""The largest response in bytes; a mail is read up to `LONGEST_MAIL`."""
LONGEST_MAIL = 1024 * 1024
_AT_LEAST = 16 * 1024  # bytes that have to arrive within each timeout: single bytes don't keep us waiting
_GOODBYE = 2.0  # seconds
LONGEST_SECONDS = 300.0
"""The time limit for a whole response in seconds."""


class MailboxFailed(UserFacingError, OSError):
    """The mailbox couldn't be read; `transient`: trying again may help."""

    def __init__(self, sentence: str, said: str = "", *, transient: bool = False, login: bool = False) -> None:
        super().__init__(with_server_message(sentence, said))
        self.transient, self.login_refused = transient, login


class MailTooLarge(MailboxFailed):
    """A mail was larger than announced: this connection can't be used any more, but other mails can be read."""


class Line:
    """A connection whose lines and bytes are read within limits. Raises `MailboxFailed` and what the guard raises."""

    def __init__(self, address: MailboxAddress, guard: Guard, context: ssl.SSLContext | None) -> None:
        self.address, self.guard, self._context = address, guard, context
        self.socket: socket.socket | None = None
        self._waiting = bytearray()
        self._left, self._unsaid, self._end = LONGEST_ANSWER, 0, time.monotonic() + LONGEST_SECONDS

    @property
    def host(self) -> str:
        """The server's name, for people."""
        return self.address.host.strip("[]")

    def open(self) -> None:
        """Connect, with TLS from the first byte if the address says so. Raises `ssl.SSLError` too."""
        self.socket = self.guard.connect(self.host, self.address.port)
        if self.address.security == "implicit":
            self.encrypt()

    def encrypt(self) -> None:
        """Start TLS. Buffered data from before it is refused: an attacker may have injected it."""
        assert self.socket is not None and self._context is not None
        if self._waiting:
            raise MailboxFailed(f"{self.host} said more than it should before the encryption. Nothing was read.")
        self.socket = self._context.wrap_socket(self.socket, server_hostname=self.host)

    def begin(self) -> None:
        """Begin a command, whose response has limits of its own."""
        self.guard.progressed()
        self._left, self._unsaid, self._end = LONGEST_ANSWER, 0, time.monotonic() + LONGEST_SECONDS

    def send(self, content: bytes) -> None:
        """Send all of it."""
        self.guard.send(self._open_socket(), content)

    def line(self) -> bytes:
        """Return the next line, without its end."""
        while (end := self._waiting.find(b"\n")) < 0:
            if len(self._waiting) > LONGEST_LINE:
                raise MailTooLarge(f"{self.host} sent a line without an end. Nothing more was read.")
            self._receive()
        found = bytes(self._waiting[:end]).removesuffix(b"\r")
        del self._waiting[: end + 1]
        return found

    def read(self, count: int) -> bytes:
        """Return the next bytes."""
        if count > self._left:
            raise MailTooLarge(f"{self.host} announced {count:,} bytes, more than was asked for. Nothing was read.")
        while len(self._waiting) < count:
            self._receive()
        found = bytes(self._waiting[:count])
        del self._waiting[:count]
        return found

    def wait_for_data(self, seconds: float) -> bool:
        """Wait for data for at most `seconds`; return whether there is any."""
        connection, limit = self._open_socket(), time.monotonic() + seconds
        while not self._waiting and not (isinstance(connection, ssl.SSLSocket) and connection.pending()):
            self.guard.check()
            left = limit - time.monotonic()
            if left <= 0:
                return False
            self.guard.progressed()  # silence is what is waited for
            if select.select([connection], [], [], min(left, 0.2))[0]:
                return True
        return True

    def close(self, farewell: bytes = b"") -> None:
        """Close the connection after sending `farewell`, whose response isn't waited for."""
        connection, self.socket = self.socket, None
        if connection is None:
            return
        with contextlib.suppress(OSError, ValueError):
            if farewell:
                connection.settimeout(_GOODBYE)
                connection.sendall(farewell)
        with contextlib.suppress(OSError):
            connection.close()

    def _receive(self) -> None:
        self.guard.check()
        if time.monotonic() > self._end:
            raise MailboxFailed(f"{self.host} took too long with one answer. Nothing more was read.")
        try:
            content = self._open_socket().recv(65536)
        except ssl.SSLWantReadError:
            return
        if not content:
            self.guard.check()
            raise MailboxFailed(f"{self.host} cut the connection. It is tried again.", transient=True)
        self._left -= len(content)
        if self._left < 0:
            raise MailTooLarge(f"{self.host} didn't come to an end with its answer. Nothing more was read.")
        self._unsaid += len(content)
        if self._unsaid >= _AT_LEAST:
            self._unsaid = 0
            self.guard.progressed()
        self._waiting += content

    def _open_socket(self) -> socket.socket:
        if self.socket is None:
            raise MailboxFailed(f"The connection to {self.host} has ended.", transient=True)
        return self.socket


MOST = 500
"""How many mails are looked at: the newest."""
_MOST_ANSWER_LINES = 5_000  # of one answer
_LITERAL = re.compile(rb"\{([0-9]{1,12})\}$")
_LISTED = re.compile(rb"\* [0-9]+ FETCH \((?=.*\bUID ([0-9]{1,10})\b)(?=.*\bRFC822\.SIZE ([0-9]{1,19})\b)", re.I)
_FETCHED = re.compile(rb"\* [0-9]+ FETCH \(.*\bUID ([0-9]{1,10})\b", re.I)


class Listed(NamedTuple):
    """A mail in the mailbox: its permanent name, and its size as announced by the server."""

    name: str
    size: int
    number: int


class _Response(NamedTuple):
    """One response: its text, with `{}` in place of the literals, and the literals."""

    text: bytes
    literals: tuple[bytes, ...]


class ImapMailbox:
    """One connection by IMAP4. Raises `MailboxFailed`, `MailTooLarge` and what the guard raises."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.greeting = ""
        self.abilities: frozenset[str] = frozenset()
        self._number, self._validity = 0, ""

    @property
    def reports_new_mail(self) -> bool:
        """Whether it notifies us of new mail (IDLE)."""
        return "IDLE" in self.abilities

    def open(self) -> None:
        """Read the greeting, and start TLS if the address asks for it."""
        said = self.line.line()
        self.greeting = _shown(said.partition(b" ")[2])
        starts = self.line.address.security == "starttls"
        if not said.upper().startswith(b"* OK") and (starts or not said.upper().startswith(b"* PREAUTH")):
            raise MailboxFailed(
                f"{self.line.host} doesn't greet as a mailbox by IMAP does. Nothing was read.", self.greeting,
                transient=said.upper().startswith(b"* BYE"),
            )  # fmt: skip
        self._learn_abilities()
        if starts:
            if "STARTTLS" not in self.abilities:
                raise MailboxFailed(
                    f"{self.line.host} offers no encryption (STARTTLS), and nothing was read. With imaps:// it begins "
                    "at once; to do without, set abq_answers_encrypted to false."
                )
            self._ask(b"STARTTLS")
            self.line.encrypt()
            self._learn_abilities()  # what was received before isn't to be trusted

    def log_in(self, username: str, password: str) -> None:
        """Log in by a method that the server offers."""
        user, secret = username.encode(), password.encode()
        if "AUTH=PLAIN" in self.abilities:
            answer = base64.b64encode(bytes(1).join((b"", user, secret)))
            said = self._ask_in_parts(b"AUTHENTICATE PLAIN", [answer])
        elif "LOGINDISABLED" in self.abilities:
            raise MailboxFailed(f"{self.line.host} lets nobody log in here. Is encryption wanted?")
        else:
            said = self._ask_in_parts(b"LOGIN {%d}" % len(user), [user + b" {%d}" % len(secret), secret])
        if not said.upper().startswith(b"OK"):
            busy = b"[UNAVAILABLE]" in said.upper() or b"[INUSE]" in said.upper()
            what = "can't log anybody in at the moment" if busy else "refused the user name or the password"
            raise MailboxFailed(f"{self.line.host} {what}.", _shown(said), transient=busy, login=not busy)
        self._learn_abilities()

    def list_mails(self) -> list[Listed]:
        """Return the newest mails of the folder, the oldest of them first."""
        count = self._examine()
        if not count:
            return []
        found = dict[int, Listed]()
        for said in self._ask(b"FETCH %d:%d (UID RFC822.SIZE)" % (max(1, count - MOST + 1), count)):
            if match := _LISTED.match(said.text):
                number = int(match[1])
                found[number] = Listed(f"{self._validity}.{number}", int(match[2]), number)
        return [found[each] for each in sorted(found)][-MOST:]

    def fetch(self, mail: Listed) -> bytes:
        """Return the beginning of a mail, usually all of it; empty if it is gone."""
        for said in self._ask(b"UID FETCH %d (UID BODY.PEEK[]<0.%d>)" % (mail.number, LONGEST_MAIL)):
            match = _FETCHED.match(said.text)
            if match and int(match[1]) == mail.number and said.literals:
                return said.literals[0][:LONGEST_MAIL]
        return b""

    def wait(self, seconds: float) -> bool:
        """Wait for new mail (IDLE) for at most `seconds`; return whether there may be any."""
        tag = self._send(b"IDLE")
        while True:
            said = self.line.line()
            if said.startswith(b"+"):
                break
            if said.startswith(tag):
                raise MailboxFailed(f"{self.line.host} offers IDLE and refuses it.", _shown(said))
        is_news = False
        if self.line.wait_for_data(seconds):
            is_news = True
        self.line.begin()
        self.line.send(b"DONE\r\n")
        self._answers(tag)
        return is_news

    def leave(self, politely: bool = True) -> None:
        """End the connection."""
        self.line.close(b"Z LOGOUT\r\n" if politely else b"")

    def _examine(self) -> int:
        """Open the folder to read; return how many mails it has."""
        count, self._validity = 0, ""
        for said in self._ask(b'EXAMINE "' + _quoted(self.line.address.folder) + b'"'):
            if exists := re.match(rb"\* ([0-9]{1,9}) EXISTS", said.text, re.I):
                count = int(exists[1])
            if validity := re.match(rb"\* OK \[UIDVALIDITY ([0-9]{1,10})\]", said.text, re.I):
                self._validity = validity[1].decode()
        if not self._validity:
            raise MailboxFailed(f"{self.line.host} gives its mails no lasting numbers (UIDVALIDITY). Nothing was read.")
        return count

    def _learn_abilities(self) -> None:
        said = [each.text.decode("ascii", "replace").upper() for each in self._ask(b"CAPABILITY")]
        told = [each.removeprefix("* CAPABILITY ") for each in said if each.startswith("* CAPABILITY ")]
        self.abilities = frozenset(" ".join(told).split())

    def _ask(self, command: bytes) -> list[_Response]:
        """Send a command and return the responses; raises `MailboxFailed` unless it is completed with OK."""
        return self._answers(self._send(command), command)

    def _send(self, command: bytes) -> bytes:
        self._number += 1
        tag = b"A%d " % self._number
        self.line.begin()
        self.line.send(tag + command + b"\r\n")
        return tag

    def _answers(self, tag: bytes, command: bytes = b"") -> list[_Response]:
        found = list[_Response]()
        for _ in range(_MOST_ANSWER_LINES):
            said = self._response()
            if said.text.startswith(tag):
                end = said.text[len(tag) :]
                if not end.upper().startswith(b"OK"):
                    what = f"refused what was asked ({_shown(command.partition(b' ')[0])})"
                    raise MailboxFailed(f"{self.line.host} {what}. Check the folder.", _shown(end))
                return found
            if said.text[:5].upper() == b"* BYE":
                raise MailboxFailed(f"{self.line.host} ended the connection.", _shown(said.text[5:]), transient=True)
            found.append(said)
        raise MailboxFailed(f"{self.line.host} didn't come to an end with its answer. Nothing more was read.")

    def _ask_in_parts(self, command: bytes, more: list[bytes]) -> bytes:
        """Send a command whose parts follow continuation requests; return its tagged response."""
        tag = self._send(command)
        for _ in range(_MOST_ANSWER_LINES):
            said = self._response().text
            if said.startswith(tag):
                return said[len(tag) :]
            if said.startswith(b"+"):
                if not more:
                    raise MailboxFailed(f"{self.line.host} wants more for a login than there is.", login=True)
                self.line.send(more.pop(0) + b"\r\n")
        raise MailboxFailed(f"{self.line.host} didn't come to an end with its answer. Nothing more was read.")

    def _response(self) -> _Response:
        text, literals = b"", list[bytes]()
        while True:
            part = self.line.line()
            count = _LITERAL.search(part)
            text += part if count is None else part[: count.start()] + b"{}"
            if count is None:
                return _Response(text, tuple(literals))
            if len(literals) > 8:
                raise MailboxFailed(f"{self.line.host} sent an answer that makes no sense. Nothing was read.")
            literals.append(self.line.read(int(count[1])))


def _quoted(folder: str) -> bytes:
    """Return the folder's name as a quoted string in modified UTF-7 (RFC 3501, 5.1.3)."""
    coded = re.sub(r"[^ -~]+", _in_base64, folder.replace("&", "&-"))
    return coded.replace("\\", r"\\").replace('"', r"\"").encode("ascii")


def _in_base64(found: re.Match[str]) -> str:
    coded = base64.b64encode(found[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
    return f"&{coded}-"


def _shown(said: bytes) -> str:
    return said.decode("utf-8", "replace")


_MOST_LISTED = 50_000
_MOST_MAIL_LINES = 200_000  # of a mail
_BEGINNING = 300  # lines of a mail that is too large


class Pop3Mailbox:
    """One connection by POP3. Raises `MailboxFailed`, `MailTooLarge` and what the guard raises."""

    reports_new_mail = False

    def __init__(self, line: Line) -> None:
        self.line = line
        self.greeting = ""
        self.abilities: frozenset[str] = frozenset()
        self._ways: frozenset[str] = frozenset()

    def open(self) -> None:
        """Read the greeting, and start TLS if the address asks for it."""
        said = self.line.line()
        self.greeting = said[3:].decode("utf-8", "replace").strip()
        if not said.startswith(b"+OK"):
            raise MailboxFailed(f"{self.line.host} doesn't greet as a mailbox by POP3 does.", self.greeting)
        self._learn_abilities()
        if self.line.address.security == "starttls":
            if "STLS" not in self.abilities:
                raise MailboxFailed(
                    f"{self.line.host} offers no encryption (STLS), and nothing was read. With pop3s:// it begins at "
                    "once; to do without, set abq_answers_encrypted to false."
                )
            self._ask(b"STLS", "refused to encrypt")
            self.line.encrypt()
            self._learn_abilities()

    def log_in(self, username: str, password: str) -> None:
        """Log in by a method that the server offers."""
        refused = "refused the user name or the password"
        user, secret = username.encode(), password.encode()
        if "PLAIN" in self._ways:
            self._send(b"AUTH PLAIN")
            if self.line.line().startswith(b"+ "):
                self._send(base64.b64encode(bytes(1).join((b"", user, secret))))
                self._require(self.line.line(), refused, login=True)
                return
        if any(ord(each) < 32 for each in username + password):  # a line of its own would be another command
            raise MailboxFailed(f"{self.line.host} takes no user name or password with control characters.", login=True)
        self._ask(b"USER " + user, refused, login=True)
        self._ask(b"PASS " + secret, refused, login=True)

    def list_mails(self) -> list[Listed]:
        """Return the newest mails, the oldest of them first."""
        sizes = dict[int, int]()
        for each in self._lines(b"LIST", "doesn't list its mails"):
            if match := re.match(rb"([0-9]{1,9}) ([0-9]{1,19})", each):
                sizes[int(match[1])] = int(match[2])
        found = dict[str, Listed]()
        for each in self._lines(b"UIDL", "gives its mails no lasting names (UIDL)"):
            if (match := re.fullmatch(rb"([0-9]{1,9}) ([!-~]{1,70})", each)) and int(match[1]) in sizes:
                number = int(match[1])
                found[match[2].decode()] = Listed(match[2].decode(), sizes[number], number)
        return sorted(found.values(), key=lambda each: each.number)[-MOST:]

    def fetch(self, mail: Listed) -> bytes:
        """Return a mail, or the beginning of a large one; empty if the server doesn't give it."""
        is_large = mail.size > LONGEST_MAIL
        if "TOP" in self.abilities:
            command = b"TOP %d %d" % (mail.number, _BEGINNING if is_large else _MOST_MAIL_LINES)
        elif is_large:
            return b""
        else:
            command = b"RETR %d" % mail.number
        self._send(command)
        self._require(self.line.line(), "refused to give a mail")
        lines = self._until_the_dot(_MOST_MAIL_LINES)
        return b"\r\n".join([*lines, b""])[:LONGEST_MAIL]

    def wait(self, seconds: float) -> bool:
        """POP3 has no notifications."""
        raise NotImplementedError

    def leave(self, politely: bool = True) -> None:
        """End the connection; nothing is deleted."""
        self.line.close(b"QUIT\r\n" if politely else b"")

    def _learn_abilities(self) -> None:
        self._send(b"CAPA")
        lines = self._until_the_dot(1000) if self.line.line().startswith(b"+OK") else []
        texts = [each.decode("ascii", "replace").upper().split() for each in lines]
        self.abilities = frozenset(each[0] for each in texts if each)
        self._ways = frozenset(way for each in texts if each[:1] == ["SASL"] for way in each[1:])

    def _lines(self, command: bytes, otherwise: str) -> list[bytes]:
        self._ask(command, otherwise)
        return self._until_the_dot(_MOST_LISTED)

    def _until_the_dot(self, most: int) -> list[bytes]:
        found = list[bytes]()
        while (each := self.line.line()) != b".":
            found.append(each[1:] if each.startswith(b"..") else each)
            if len(found) > most:
                raise MailboxFailed(f"{self.line.host} didn't come to an end with its answer. Nothing more was read.")
        return found

    def _ask(self, command: bytes, otherwise: str, *, login: bool = False) -> None:
        self._send(command)
        self._require(self.line.line(), otherwise, login=login)

    def _send(self, command: bytes) -> None:
        self.line.begin()
        self.line.send(command + b"\r\n")

    def _require(self, said: bytes, otherwise: str, *, login: bool = False) -> None:
        if said.startswith(b"+OK"):
            return
        busy = b"[IN-USE]" in said.upper() or b"[SYS/TEMP]" in said.upper()
        what = "is in use, or busy" if busy else otherwise
        text = said.removeprefix(b"-ERR").decode("utf-8", "replace")
        raise MailboxFailed(f"{self.line.host} {what}.", text, transient=busy, login=login and not busy)


Session = ImapMailbox | Pop3Mailbox
MOST_AT_ONCE = 200
"""How many mails are read in one go; the others come with the next."""
MOST_REFUSED = 10
"""How many mails the server may fail to deliver in one go; if it is more, the server is at fault."""
LONGEST_READ = 600.0
"""Seconds after which no further mail is read in one go."""


class Account(NamedTuple):
    """A mailbox and its login. `timeout`: seconds without data. Contains the password."""

    address: MailboxAddress
    username: str
    password: str
    ca_file: str | None = None
    timeout: float = 60.0


def open_session(address: MailboxAddress, guard: Guard, ca_file: str | None) -> Session:
    """Return a connection that is ready for a login. Raises `UserFacingError`s and `OSError`."""
    context = None if address.security == "none" else encryption.verified_context(ca_file)
    try:
        return _open(address, guard, context)
    except ssl.SSLCertVerificationError as error:
        refused = error
    except ssl.SSLError:
        refused = None
    if refused is None:
        raise MailboxFailed(f"No secure connection to {address.host} could be made. Check abq_answers_mailbox.")
    raise encryption.refusal(refused, address.host, lambda: _certificate_of(address, guard))


def _open(address: MailboxAddress, guard: Guard, context: ssl.SSLContext | None) -> Session:
    line = Line(address, guard, context)
    session = ImapMailbox(line) if address.protocol == "imap" else Pop3Mailbox(line)
    try:
        line.open()
        session.open()
    except BaseException:
        line.close()
        raise
    return session


def _certificate_of(address: MailboxAddress, guard: Guard) -> bytes | None:
    """Connect once more, to read the certificate that was refused."""
    session = _open(address, guard, encryption.unverified_context())
    try:
        connection = session.line.socket
        return connection.getpeercert(True) if isinstance(connection, ssl.SSLSocket) else None
    finally:
        session.leave(politely=False)


@contextlib.contextmanager
def logged_in(account: Account, cancel: threading.Event | None = None) -> Iterator[Session]:
    """A connection after its login, for a block. Raises `MailboxFailed` and what `Guard` raises."""
    with Guard(cancel, account.timeout) as guard:
        session: Session | None = None
        failure: BaseException | None = None
        try:
            session = open_session(account.address, guard, account.ca_file)
            session.log_in(account.username, account.password)
            yield session
            session.leave()
        except (OSError, ValueError) as error:
            failure = guard.verdict() or _in_words(error, account.address)
        finally:
            if session is not None:
                session.leave(politely=False)
        if failure is not None:
            raise failure.with_traceback(None) from None


def _in_words(error: BaseException, address: MailboxAddress) -> BaseException:
    if isinstance(error, UserFacingError):
        return error
    return MailboxFailed(f"{address.host} cut the connection. It is tried again.", transient=True)


def new_mails(
    account: Account, known: Callable[[Sequence[str]], Collection[str]], cancel: threading.Event | None = None
) -> Iterator[tuple[str, bytes | None]]:
    """Yield (name, content) for the new mails, oldest first. The content is b'' if the mail can't be read, and None if
    the server doesn't deliver it now: one damaged mail mustn't block those after it.

    `known(names)` returns which of these names are known. Raises what `logged_in` raises.
    """
    left: list[Listed] | None = None
    limit, refused = time.monotonic() + LONGEST_READ, 0
    while left is None or (left and time.monotonic() < limit):
        with logged_in(account, cancel) as session:
            listed = session.list_mails()
            wanted = None if left is None else {each.name for each in left}
            before = known([each.name for each in listed]) if wanted is None else ()
            left = [each for each in listed if (each.name in wanted if wanted is not None else each.name not in before)]
            left = left[:MOST_AT_ONCE]
            while left:
                mail = left.pop(0)
                try:
                    content = session.fetch(mail)
                except MailTooLarge:  # this breaks the connection, but loses no other mail
                    yield mail.name, b""
                    break
                except OSError:  # Dovecot ends the connection with that
                    refused += 1
                    if refused > MOST_REFUSED or (cancel is not None and cancel.is_set()):
                        raise
                    yield mail.name, None
                    break
                yield mail.name, content
                if time.monotonic() >= limit:
                    return


_PLAIN = "Names, passwords and mails can be read on the way. Ask for encryption; the setting is abq_answers_encrypted."
_TOLD = ("IDLE", "UIDL", "TOP", "AUTH=PLAIN", "SASL", "LOGINDISABLED")


def probe(context: Context) -> Steps[None]:
    """Check the mailbox; nothing in it is changed."""
    settings = context.settings
    address = configured_mailbox(settings)
    if address is None:
        yield from Inspection("Mailbox of answers", context, MAILBOX).fail(
            "Settings", "The setting 'abq_answers_mailbox' names no mailbox. No answers are read."
        )
        return
    inspection = Inspection(f"mailbox {address.name}", context, MAILBOX)
    addresses = yield from probing.name(inspection, address.host, address.port)
    yield from probing.port(inspection, address.host, address.port, addresses)
    ca_file = str(settings["abq_ca_file"]) or None
    session = yield from inspection.step(
        "Greeting", lambda: _greeting_step(open_session(address, context.guard, ca_file))
    )
    try:
        yield from probing.encryption_of(inspection, session.line.socket, address.host, ca_file, _PLAIN)
        login = yield from inspection.login(MAILBOX)
        if login is not None:
            yield from inspection.step("Login", lambda: _log_in(session, *login))
            yield from inspection.step("Folder", lambda: _count_mails(session, address))
        can = [each for each in _TOLD if each in session.abilities]
        news = "it reports new mail by itself (IDLE)" if session.reports_new_mail else "it is read once an hour"
        yield inspection.note("Abilities", f"it reports {', '.join(can) or 'none of use'}; {news}")
    finally:
        session.leave()


def _greeting_step(session: Session) -> Result[Session]:
    return Result(session, f"“{on_one_line(session.greeting, GREETING)}”")


def _log_in(session: Session, username: str, password: str) -> Result[None]:
    session.log_in(username, password)
    return Result(None, f"{username} is logged in")


def _count_mails(session: Session, address: MailboxAddress) -> Result[None]:
    count = len(session.list_mails())
    where = address.folder if address.protocol == "imap" else "the mailbox"
    return Result(None, f"{where} can be read; mails that are looked at: {count}")
