"""A mailbox by POP3, only read: no mail is deleted, and none is marked as read where the server can do without (TOP).

Sources: RFC 1939 (POP3), RFC 2449 (CAPA), RFC 2595 (STLS), RFC 5034 (AUTH).
"""

from __future__ import annotations

import base64
import re

from .mailbox_imap import MOST, Listed
from .mailbox_line import LONGEST_MAIL, Line, MailboxFailed

_MOST_LISTED = 50_000
_MOST_LINES = 200_000  # of a mail
_BEGINNING = 300  # lines of a mail that is too large


class Pop3Mailbox:
    """One connection by POP3. Raises `MailboxFailed`, `MailTooLarge` and what the guard raises."""

    tells_news = False

    def __init__(self, line: Line) -> None:
        self.line = line
        self.greeting = ""
        self.abilities: frozenset[str] = frozenset()
        self._ways: frozenset[str] = frozenset()

    def open(self) -> None:
        """Hear the greeting, and encrypt as is wanted."""
        said = self.line.line()
        self.greeting = said[3:].decode("utf-8", "replace").strip()
        if not said.startswith(b"+OK"):
            raise MailboxFailed(f"{self.line.host} doesn't greet as a mailbox by POP3 does.", self.greeting)
        self._learn()
        if self.line.address.security == "starttls":
            if "STLS" not in self.abilities:
                raise MailboxFailed(
                    f"{self.line.host} offers no encryption (STLS), and nothing was read. With pop3s:// it begins at "
                    "once; to do without, set abq_answers_encrypted to false."
                )
            self._ask(b"STLS", "refused to encrypt")
            self.line.encrypt()
            self._learn()

    def log_in(self, username: str, password: str) -> None:
        """Log in by the way that is offered."""
        refused = "refused the user name or the password"
        user, secret = username.encode(), password.encode()
        if "PLAIN" in self._ways:
            self._say(b"AUTH PLAIN")
            if self.line.line().startswith(b"+ "):
                self._say(base64.b64encode(bytes(1).join((b"", user, secret))))
                self._require(self.line.line(), refused, login=True)
                return
        if any(ord(each) < 32 for each in username + password):  # a line of its own would be another command
            raise MailboxFailed(f"{self.line.host} takes no user name or password with control characters.", login=True)
        self._ask(b"USER " + user, refused, login=True)
        self._ask(b"PASS " + secret, refused, login=True)

    def listed(self) -> list[Listed]:
        """The newest mails, the oldest of them first."""
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

    def fetched(self, mail: Listed) -> bytes:
        """A mail, or its beginning where it is large; empty if that can't be had."""
        is_large = mail.size > LONGEST_MAIL
        if "TOP" in self.abilities:
            command = b"TOP %d %d" % (mail.number, _BEGINNING if is_large else _MOST_LINES)
        elif is_large:
            return b""
        else:
            command = b"RETR %d" % mail.number
        self._say(command)
        self._require(self.line.line(), "refused to give a mail")
        lines = self._until_the_dot(_MOST_LINES)
        return b"\r\n".join([*lines, b""])[:LONGEST_MAIL]

    def wait(self, seconds: float) -> bool:
        """POP3 tells no news."""
        raise NotImplementedError

    def leave(self, politely: bool = True) -> None:
        """End the connection; nothing is deleted."""
        self.line.close(b"QUIT\r\n" if politely else b"")

    def _learn(self) -> None:
        self._say(b"CAPA")
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
        self._say(command)
        self._require(self.line.line(), otherwise, login=login)

    def _say(self, command: bytes) -> None:
        self.line.begin()
        self.line.send(command + b"\r\n")

    def _require(self, said: bytes, otherwise: str, *, login: bool = False) -> None:
        if said.startswith(b"+OK"):
            return
        busy = b"[IN-USE]" in said.upper() or b"[SYS/TEMP]" in said.upper()
        what = "is in use, or busy" if busy else otherwise
        text = said.removeprefix(b"-ERR").decode("utf-8", "replace")
        raise MailboxFailed(f"{self.line.host} {what}.", text, transient=busy, login=login and not busy)
