"""The corporate FTP server: store a file under its base name, in binary mode, and make sure it is all there.

Sources: RFC 959 (FTP), RFC 2428 (EPSV), RFC 2640 (UTF-8 names), RFC 3659 (SIZE, MLST).
"""

import contextlib
import ftplib
import os
import re
import socket
import threading
import time
from collections.abc import Iterator

from .failures import Cancelled, FileChanged, InvalidInput, TimedOut, Told
from .guard import Guard
from .source import Progress, SourceFile

TIMEOUT = 60.0  # seconds without any progress
BLOCK = 64 * 1024
_TIDYING = 5.0  # seconds for removing a partial file, in the background
_PATIENCE = 0.3  # seconds of them that a cancelled caller waits
_LONGEST_REPLY = 1000  # lines


class TransferIncomplete(Told, ftplib.Error):
    """The server said it was done, but the file there isn't known to be whole."""


class TransferStopped(Told, ftplib.Error):
    """The file changed while it was sent; what arrived was removed where the server permits."""


def upload_to_corporate_ftp(
    filepath: str | os.PathLike[str],
    ftp_host: str,
    ftp_port: int,
    ftp_user: str,
    ftp_pass: str,
    *,
    timeout: float = TIMEOUT,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> None:
    """STOR the file in binary mode under its base name, and compare its size there.

    The size is asked by SIZE, else MLST, else read from LIST; a server that knows none of them, or says another size
    than the file's, makes the transfer fail whatever its last reply said. After a failure the partial file is removed
    where the server permits that.

    `timeout`: seconds without progress; `progress(sent, total)`: bytes, at most 20 times a second and once at the end,
    on the calling thread. Passive mode, not encrypted.
    Raises errors of `ftplib.all_errors`, `InvalidInput` for names and numbers that can't be used, `Cancelled`.
    """
    _check_input(ftp_host, ftp_port, ftp_user, ftp_pass)
    login = (ftp_host, ftp_port, ftp_user, ftp_pass)
    with SourceFile(filepath, progress) as source:
        attempt = _Attempt(source)
        with Guard(cancel, timeout) as guard:
            try:
                with _session(guard, *login) as session:
                    attempt.run(session, guard)
                return
            except (ftplib.Error, OSError, EOFError, ValueError, Cancelled) as error:
                failure: BaseException = guard.verdict() or _made_anew(error, ftp_pass)
            except BaseException as error:  # of the progress callback, or Ctrl-C
                failure = error
        if attempt.begun:
            _remove(source.name, login, cancel)
    raise failure


def _check_input(host: str, port: int, user: str, password: str) -> None:
    for what, text in (("host", host), ("user name", user), ("password", password)):
        if any(character in text for character in "\r\n\0"):
            raise InvalidInput(f"The FTP {what} holds a line break, which can't be sent.")
    if not host:
        raise InvalidInput("There is no FTP host. Check the setting abq_ftp_host.")
    if not 0 < port < 65536:
        raise InvalidInput(f"{port} is not a port: it must be from 1 to 65535. Check the setting abq_ftp_port.")


def _made_anew(error: Exception, password: str) -> Exception:
    """Return the error without its origin; a reply that repeats the password is passed on without it."""
    if isinstance(error, FileChanged):
        return TransferStopped(str(error))
    if isinstance(error, ftplib.Error) and not isinstance(error, Told):
        reply = str(error)
        return type(error)(reply.replace(password, "…") if password else reply)
    if isinstance(error, ValueError):
        return ftplib.error_proto("The server's reply can't be understood.")  # noqa: S321
    return error.with_traceback(None)


class _Attempt:
    """One STOR. `begun`: the server opened the file, so that a partial one may be there."""

    def __init__(self, source: SourceFile) -> None:
        self.begun = False
        self._source = source

    def run(self, session: "_Session", guard: Guard) -> None:
        name = self._source.name
        if not name.isascii():
            with contextlib.suppress(ftplib.error_reply, ftplib.error_perm):
                session.sendcmd("OPTS UTF8 ON")  # some servers want to be asked (RFC 2640)
        session.voidcmd("TYPE I")
        with contextlib.closing(session.transfercmd(f"STOR {name}")) as data:
            self.begun = True
            for block in self._source.blocks(BLOCK):
                guard.send(data, block)
            with contextlib.suppress(OSError):
                data.shutdown(socket.SHUT_WR)
        guard.progressed()
        session.voidresp()
        self._verify(session, guard)

    def _verify(self, session: "_Session", guard: Guard) -> None:
        for ask in (_size, _listed_facts, _listed_line):
            guard.progressed()
            sizes = ask(session, self._source.name)
            if self._source.size in sizes:
                return
            if sizes:
                has = f"{sizes.pop()}" if len(sizes) == 1 else "not all"
                raise TransferIncomplete(
                    f"The server has {has} of the {self._source.size} bytes of {self._source.name}, though it said "
                    "that the transfer was complete. Send it again."
                )
        raise TransferIncomplete(
            f"The server wouldn't say how much of {self._source.name} it has, so the delivery can't be confirmed. "
            "Ask its administrator to look."
        )


def _size(session: "_Session", name: str) -> set[int]:
    try:
        size = session.size(name)
    except ftplib.error_perm:
        return set()
    return set() if size is None else {size}


def _listed_facts(session: "_Session", name: str) -> set[int]:
    try:
        reply = session.sendcmd(f"MLST {name}")
    except ftplib.error_perm:
        return set()
    return {int(number) for number in re.findall(r"(?i)\bsize=(\d{1,18});", reply)}


def _listed_line(session: "_Session", name: str) -> set[int]:
    """Return every number in the file's line of LIST: its form is the server's own, but the size is in it."""
    lines: list[str] = []
    try:
        session.retrlines(f"LIST {name}", lines.append)
    except ftplib.error_perm:
        return set()
    ours = [line for line in lines if line.rstrip().endswith(name)]
    return {int(number) for line in ours for number in re.findall(r"(?<!\S)\d{1,18}(?!\S)", line[: -len(name)])}


def _remove(name: str, login: tuple[str, int, str, str], cancel: threading.Event | None) -> None:
    """Remove a partial file over a connection of its own, for the old one may be dead.

    It goes on in the background when the caller cancels, who waits for it only for a moment then.
    """

    def remove() -> None:
        with (
            contextlib.suppress(*ftplib.all_errors, ValueError),
            Guard(None, _TIDYING) as guard,
            _session(guard, *login) as session,
        ):
            session.delete(name)

    tidying = threading.Thread(target=remove, name="network-tidying", daemon=True)
    tidying.start()
    end = time.monotonic() + _TIDYING
    while tidying.is_alive() and time.monotonic() < end and not (cancel and cancel.is_set()):
        tidying.join(0.05)
    tidying.join(_PATIENCE)


@contextlib.contextmanager
def _session(guard: Guard, host: str, port: int, user: str, password: str) -> Iterator["_Session"]:
    """A logged-in session; ends politely after success, at once after a failure."""
    session = _Session(guard)
    try:
        session.connect(host, port)
        guard.progressed()
        session.login(user, password)
        guard.progressed()
        yield session
        session.say_goodbye()
    finally:
        session.close()


class _Session(ftplib.FTP):
    """An FTP session over connections that the guard opens, with replies of bounded length."""

    def __init__(self, guard: Guard) -> None:
        super().__init__(encoding="utf-8")
        self._guard = guard
        self._lines = 0

    def connect(self, host: str = "", port: int = 0, *_: object, **__: object) -> str:
        self.host, self.port = host, port
        self.sock = self._guard.connect(host, port)
        self.af = self.sock.family
        self.file = self.sock.makefile("r", encoding=self.encoding, errors="replace")
        self.welcome = self.getresp()
        return self.welcome

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        host, port = self.makepasv()
        data = self._guard.connect(host, port)
        try:
            if rest is not None:
                self.sendcmd(f"REST {rest}")
            reply = self.sendcmd(cmd)
            if reply[:1] != "1":
                raise ftplib.error_reply(reply)  # noqa: S321
        except BaseException:
            data.close()
            raise
        return data, None

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
