"""The connection to a mailbox: what is read is bounded, and no wait is longer than the guard's.

Not `imaplib` and `poplib`: they take any number of bytes and lines that a server announces, a password only in ASCII,
and IMAP's IDLE only from Python 3.14 on.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time

from .failures import UserFacingError, with_what_was_said
from .guard import Guard
from .mailbox_address import MailboxAddress

LONGEST_LINE = 64 * 1024
LONGEST_ANSWER = 4 * 1024 * 1024
"""Bytes of a whole answer; a mail is read up to `LONGEST_MAIL`."""
LONGEST_MAIL = 1024 * 1024
_AT_LEAST = 16 * 1024  # bytes within each limit of silence: a server that drips keeps nobody
_GOODBYE = 2.0  # seconds
LONGEST_SECONDS = 300.0
"""For a whole answer, however it drips."""


class MailboxFailed(UserFacingError, OSError):
    """The mailbox couldn't be read; `transient` says whether it may be later."""

    def __init__(self, sentence: str, said: str = "", *, transient: bool = False, login: bool = False) -> None:
        super().__init__(with_what_was_said(sentence, said))
        self.transient, self.login_refused = transient, login


class MailTooLarge(MailboxFailed):
    """One mail was larger than the server had said: the connection can't be used any more, the others can be read."""


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
        """Connect, and encrypt if that comes first. Raises `ssl.SSLError` too."""
        self.socket = self.guard.connect(self.host, self.address.port)
        if self.address.security == "implicit":
            self.encrypt()

    def encrypt(self) -> None:
        """Begin with TLS now. What came before its end without having been asked for isn't from the server."""
        assert self.socket is not None and self._context is not None
        if self._waiting:
            raise MailboxFailed(f"{self.host} said more than it should before the encryption. Nothing was read.")
        self.socket = self._context.wrap_socket(self.socket, server_hostname=self.host)

    def begin(self) -> None:
        """Another question: its answer has a limit of its own."""
        self.guard.progressed()
        self._left, self._unsaid, self._end = LONGEST_ANSWER, 0, time.monotonic() + LONGEST_SECONDS

    def send(self, content: bytes) -> None:
        """Send all of it."""
        self.guard.send(self._open_socket(), content)

    def line(self) -> bytes:
        """The next line, without its end."""
        while (end := self._waiting.find(b"\n")) < 0:
            if len(self._waiting) > LONGEST_LINE:
                raise MailTooLarge(f"{self.host} sent a line without an end. Nothing more was read.")
            self._receive()
        found = bytes(self._waiting[:end]).removesuffix(b"\r")
        del self._waiting[: end + 1]
        return found

    def read(self, count: int) -> bytes:
        """The next bytes."""
        if count > self._left:
            raise MailTooLarge(f"{self.host} announced {count:,} bytes, more than was asked for. Nothing was read.")
        while len(self._waiting) < count:
            self._receive()
        found = bytes(self._waiting[:count])
        del self._waiting[:count]
        return found

    def hears(self, seconds: float) -> bool:
        """Wait until there is something to read, for at most so long; tell whether there is."""
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
        """End it, with a last word that needs no answer."""
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
