"""A mailbox by IMAP4, only read: it is opened without the right to change anything, and nothing is marked as read.

Sources: RFC 3501 and 9051 (IMAP4), RFC 2177 (IDLE), RFC 4616 (PLAIN), RFC 2595 (STARTTLS).
"""

from __future__ import annotations

import base64
import re
from typing import NamedTuple

from .mailbox_line import LONGEST_MAIL, Line, MailboxFailed

MOST = 500
"""Mails that are looked at, the newest."""
_MOST_LINES = 5_000  # of one answer
_LITERAL = re.compile(rb"\{([0-9]{1,12})\}$")
_LISTED = re.compile(rb"\* [0-9]+ FETCH \((?=.*\bUID ([0-9]{1,10})\b)(?=.*\bRFC822\.SIZE ([0-9]{1,19})\b)", re.I)
_FETCHED = re.compile(rb"\* [0-9]+ FETCH \(.*\bUID ([0-9]{1,10})\b", re.I)


class Listed(NamedTuple):
    """A mail of the mailbox: its name, the same as long as it is there, and its size as the server says."""

    name: str
    size: int
    number: int


class _Said(NamedTuple):
    """One answer: its text, with `{}` in the place of what was sent as bytes, and those."""

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
    def tells_news(self) -> bool:
        """Whether it says by itself when mail comes (IDLE)."""
        return "IDLE" in self.abilities

    def open(self) -> None:
        """Hear the greeting, and encrypt as is wanted."""
        said = self.line.line()
        self.greeting = _shown(said.partition(b" ")[2])
        starts = self.line.address.security == "starttls"
        if not said.upper().startswith(b"* OK") and (starts or not said.upper().startswith(b"* PREAUTH")):
            raise MailboxFailed(
                f"{self.line.host} doesn't greet as a mailbox by IMAP does. Nothing was read.", self.greeting,
                transient=said.upper().startswith(b"* BYE"),
            )  # fmt: skip
        self._learn()
        if starts:
            if "STARTTLS" not in self.abilities:
                raise MailboxFailed(
                    f"{self.line.host} offers no encryption (STARTTLS), and nothing was read. With imaps:// it begins "
                    "at once; to do without, set abq_answers_encrypted to false."
                )
            self._ask(b"STARTTLS")
            self.line.encrypt()
            self._learn()  # what was said before isn't to be trusted

    def log_in(self, username: str, password: str) -> None:
        """Log in by the way that is offered."""
        user, secret = username.encode(), password.encode()
        if "AUTH=PLAIN" in self.abilities:
            answer = base64.b64encode(bytes(1).join((b"", user, secret)))
            said = self._asked(b"AUTHENTICATE PLAIN", [answer])
        elif "LOGINDISABLED" in self.abilities:
            raise MailboxFailed(f"{self.line.host} lets nobody log in here. Is encryption wanted?")
        else:
            said = self._asked(b"LOGIN {%d}" % len(user), [user + b" {%d}" % len(secret), secret])
        if not said.upper().startswith(b"OK"):
            busy = b"[UNAVAILABLE]" in said.upper() or b"[INUSE]" in said.upper()
            what = "can't log anybody in at the moment" if busy else "refused the user name or the password"
            raise MailboxFailed(f"{self.line.host} {what}.", _shown(said), transient=busy, login=not busy)
        self._learn()

    def listed(self) -> list[Listed]:
        """The newest mails of the folder, the oldest of them first."""
        count = self._examine()
        if not count:
            return []
        found = dict[int, Listed]()
        for said in self._ask(b"FETCH %d:%d (UID RFC822.SIZE)" % (max(1, count - MOST + 1), count)):
            if match := _LISTED.match(said.text):
                number = int(match[1])
                found[number] = Listed(f"{self._validity}.{number}", int(match[2]), number)
        return [found[each] for each in sorted(found)][-MOST:]

    def fetched(self, mail: Listed) -> bytes:
        """The beginning of a mail, all of it as a rule; empty if it is gone."""
        for said in self._ask(b"UID FETCH %d (UID BODY.PEEK[]<0.%d>)" % (mail.number, LONGEST_MAIL)):
            match = _FETCHED.match(said.text)
            if match and int(match[1]) == mail.number and said.literals:
                return said.literals[0][:LONGEST_MAIL]
        return b""

    def wait(self, seconds: float) -> bool:
        """Wait for news (IDLE), at most so long; tell whether there may be any."""
        tag = self._send(b"IDLE")
        while True:
            said = self.line.line()
            if said.startswith(b"+"):
                break
            if said.startswith(tag):
                raise MailboxFailed(f"{self.line.host} offers IDLE and refuses it.", _shown(said))
        is_news = False
        if self.line.hears(seconds):
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

    def _learn(self) -> None:
        said = [each.text.decode("ascii", "replace").upper() for each in self._ask(b"CAPABILITY")]
        told = [each.removeprefix("* CAPABILITY ") for each in said if each.startswith("* CAPABILITY ")]
        self.abilities = frozenset(" ".join(told).split())

    def _ask(self, command: bytes) -> list[_Said]:
        """Return what is said; raises `MailboxFailed` where the answer isn't OK."""
        return self._answers(self._send(command), command)

    def _send(self, command: bytes) -> bytes:
        self._number += 1
        tag = b"A%d " % self._number
        self.line.begin()
        self.line.send(tag + command + b"\r\n")
        return tag

    def _answers(self, tag: bytes, command: bytes = b"") -> list[_Said]:
        found = list[_Said]()
        for _ in range(_MOST_LINES):
            said = self._said()
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

    def _asked(self, command: bytes, more: list[bytes]) -> bytes:
        """Ask for what is sent in parts, each when the server wants it; return how it ended."""
        tag = self._send(command)
        for _ in range(_MOST_LINES):
            said = self._said().text
            if said.startswith(tag):
                return said[len(tag) :]
            if said.startswith(b"+"):
                if not more:
                    raise MailboxFailed(f"{self.line.host} wants more for a login than there is.", login=True)
                self.line.send(more.pop(0) + b"\r\n")
        raise MailboxFailed(f"{self.line.host} didn't come to an end with its answer. Nothing more was read.")

    def _said(self) -> _Said:
        text, literals = b"", list[bytes]()
        while True:
            part = self.line.line()
            count = _LITERAL.search(part)
            text += part if count is None else part[: count.start()] + b"{}"
            if count is None:
                return _Said(text, tuple(literals))
            if len(literals) > 8:
                raise MailboxFailed(f"{self.line.host} sent an answer that makes no sense. Nothing was read.")
            literals.append(self.line.read(int(count[1])))


def _quoted(folder: str) -> bytes:
    """The folder's name as it stands between quotes: in modified UTF-7 (RFC 3501, 5.1.3)."""
    coded = re.sub(r"[^ -~]+", _in_base64, folder.replace("&", "&-"))
    return coded.replace("\\", r"\\").replace('"', r"\"").encode("ascii")


def _in_base64(found: re.Match[str]) -> str:
    coded = base64.b64encode(found[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
    return f"&{coded}-"


def _shown(said: bytes) -> str:
    return said.decode("utf-8", "replace")
