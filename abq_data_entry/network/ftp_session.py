"""FTP sessions over connections that a guard opens: in the clear, or encrypted from the start or by AUTH TLS.

Sources: RFC 959 (FTP), RFC 2228 and RFC 4217 (FTP over TLS), RFC 2389 (FEAT), RFC 2428 (EPSV).
"""

import contextlib
import ftplib
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import encryption
from .failures import InvalidInput, TimedOut, Told
from .guard import Guard, is_loopback

SECURITIES = ("none", "explicit", "implicit")
_LONGEST_REPLY = 1000  # lines
_LONGEST_LISTING = 64 * 1024  # bytes
_LAST_WORD = 2.0  # seconds for the server to say why it ended a transfer


class EncryptionMissing(Told, ftplib.Error):
    """The server doesn't encrypt what was to be encrypted."""


def ftp_security(host: str, security: str | None) -> str:
    """Return how to connect to the host: as asked for, else encrypted unless it is this machine itself.

    Raises `InvalidInput` for anything but "none", "explicit", "implicit" and nothing.
    """
    if not security:
        return "none" if is_loopback(host) else "explicit"
    if security not in SECURITIES:
        raise InvalidInput(f"{security!r} is no way to connect: it must be one of {', '.join(SECURITIES)}.")
    return security


@dataclass(frozen=True, repr=False)
class Login:
    """Where to connect, how, and as whom. `context`: for TLS, None without."""

    host: str
    port: int
    user: str
    password: str
    security: str
    context: ssl.SSLContext | None


def log_in(guard: Guard, login: Login) -> "Session":
    """Return a logged-in session."""
    session = Session(guard, login.security, login.context)
    try:
        try:
            session.connect(login.host, login.port)
        except ssl.SSLCertVerificationError as error:
            session.close()
            refusal = encryption.refusal(error, login.host, lambda: _certificate(guard, login))
            raise refusal from None
        guard.progressed()
        session.login(login.user, login.password)
        session.protect_data()
        guard.progressed()
    except BaseException:
        session.close()
        raise
    return session


def _certificate(guard: Guard, login: Login) -> bytes | None:
    session = Session(guard, login.security, encryption.unverified_context())
    try:
        session.connect(login.host, login.port)
        return session.sock.getpeercert(True) if isinstance(session.sock, ssl.SSLSocket) else None
    finally:
        session.close()


class Session(ftplib.FTP):
    """An FTP session with replies of bounded length; `features` is what the server says that it can (FEAT)."""

    def __init__(self, guard: Guard, security: str = "none", context: ssl.SSLContext | None = None) -> None:
        super().__init__(encoding="utf-8")
        self.guard = guard
        self._security = security
        self._context = context
        self._lines = 0
        self._features: frozenset[str] | None = None

    def continue_under(self, guard: Guard) -> None:
        """Let another guard watch the session from now on."""
        self.guard = guard
        if self.sock is not None:
            guard.watch(self.sock)

    @property
    def features(self) -> frozenset[str]:
        if self._features is None:
            try:
                reply = self.sendcmd("FEAT")
            except (ftplib.error_perm, ftplib.error_temp):
                reply = ""
            self._features = frozenset(re.findall(r"^ +([A-Z0-9]+)", reply.upper(), re.MULTILINE))
        return self._features

    def connect(self, host: str = "", port: int = 0, *_: object, **__: object) -> str:
        self.host, self.port = host, port
        self.sock = self.guard.connect(host, port)
        self.af = self.sock.family
        if self._security == "implicit":
            self._encrypt_control()
        self.file = self.sock.makefile("r", encoding=self.encoding, errors="replace")
        self.welcome = self.getresp()
        if self._security == "explicit":
            self._ask_for_encryption()
        return self.welcome

    def _ask_for_encryption(self) -> None:
        try:
            reply = self.sendcmd("AUTH TLS")
        except ftplib.error_perm as error:
            reply = str(error)
        if reply[:3] != "234":
            raise EncryptionMissing(
                f"{self.host} offers no encryption (it answered {reply[:3]}), so nothing was sent, not even the user "
                "name. Ask its administrator; the setting abq_ftp_security says how to connect."
            )
        # What came in the clear after this reply is dropped with the old file: somebody may have slipped it in.
        assert self.file is not None
        self.file.close()
        self._encrypt_control()
        assert self.sock is not None
        self.file = self.sock.makefile("r", encoding=self.encoding, errors="replace")

    def _encrypt_control(self) -> None:
        assert self._context is not None and self.sock is not None
        self.guard.progressed()
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host.strip("[]"))
        self.guard.progressed()

    def protect_data(self) -> None:
        """Ask for the file and listings to be encrypted too (RFC 4217, section 9); nothing to do without encryption."""
        if self._security == "none":
            return
        with contextlib.suppress(ftplib.error_perm):  # some servers know only PROT
            self.voidcmd("PBSZ 0")
        try:
            self.voidcmd("PROT P")
        except ftplib.error_perm as error:
            refused = str(error)[:3]
        else:
            return
        raise EncryptionMissing(
            f"{self.host} doesn't encrypt files (it answered {refused}), so the file was not sent. "
            "Ask its administrator."
        )

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        host, port = self.makepasv()
        data = self.guard.connect(host, port)
        try:
            if rest is not None:
                self.sendcmd(f"REST {rest}")
            reply = self.sendcmd(cmd)
            if reply[:1] != "1":
                raise ftplib.error_reply(reply)  # noqa: S321
            if isinstance(self.sock, ssl.SSLSocket) and self._context is not None:
                # The control connection's TLS session proves that both connections are ours; many servers insist.
                with self.telling_why():
                    data = self._context.wrap_socket(
                        data, server_hostname=self.host.strip("[]"), session=self.sock.session
                    )
        except BaseException:
            data.close()
            raise
        return data, None

    @contextlib.contextmanager
    def telling_why(self) -> Iterator[None]:
        """When the data connection breaks, let the server's own reason (too large, no space…) be the error."""
        try:
            yield
        except OSError as error:
            if self.guard.verdict() or self.sock is None or isinstance(error, Told | ssl.SSLCertVerificationError):
                raise
            self.sock.settimeout(_LAST_WORD)
            with contextlib.suppress(OSError, EOFError, ftplib.error_proto):
                self.voidresp()
            raise

    def listing(self, command: str) -> list[str]:
        """Return the lines that a command sends over a data connection, at most about 64 KiB of them."""
        content = bytearray()
        with contextlib.closing(self.transfercmd(command)) as data:
            while len(content) < _LONGEST_LISTING and (block := data.recv(_LONGEST_LISTING)):
                content += block
        self.voidresp()
        return content.decode(self.encoding, "replace").splitlines()

    def end_data(self, data: socket.socket) -> None:
        """Say that the file is complete. The reply comes next; only after it may the socket be closed.

        Under TLS the end is said by `close_notify`; its answer isn't waited for, as not every server gives one. A
        socket closed with something unread would be reset, and what the server hasn't read yet would be lost.
        """
        if isinstance(data, ssl.SSLSocket):
            _say_end(data, self.guard.check)
        with contextlib.suppress(OSError):
            data.shutdown(socket.SHUT_WR)

    def putline(self, line: str) -> None:
        self._lines = 0
        super().putline(line)

    def getline(self) -> str:
        self._lines += 1
        if self._lines > _LONGEST_REPLY:
            raise ftplib.error_proto("The server's reply doesn't end.")  # noqa: S321
        line = super().getline()
        if self._lines == 1 and not line[:3].isdecimal():
            raise ftplib.error_proto("This is no reply of an FTP server.")  # noqa: S321
        return line

    def say_goodbye(self) -> None:
        """Send QUIT without waiting for the reply: the file is there, and known to be."""
        with contextlib.suppress(*ftplib.all_errors, TimedOut):
            self.putcmd("QUIT")


def _say_end(data: ssl.SSLSocket, check: Callable[[], object]) -> None:
    data.settimeout(0.0)
    while True:
        try:
            data.unwrap()
            return
        except ssl.SSLWantWriteError:  # the last blocks are still on their way
            check()
            time.sleep(0.005)
        except (OSError, ValueError):  # said; the answer, if any, is still to come
            return
