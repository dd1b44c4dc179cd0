"""FTP sessions over connections that a guard opens, and the transfer of one file.

In clear text, or encrypted by implicit TLS or AUTH TLS. A file is stored under a temporary name, its size is confirmed,
and it replaces the old one. What a broken connection left is continued, if the server allows that (`uploads.Part`).
Servers may refuse each question about a file (size, digest, rights).
Sources: RFC 959 (FTP; 4.2: what a reply means where its number alone doesn't say it), RFC 2228 and RFC 4217 (FTP over
TLS), RFC 2389 (FEAT), RFC 2428 (EPSV, EPRT), RFC 2640 (UTF-8 names), RFC 3659 (REST STREAM, section 5),
draft-somers-ftp-mfxx (MFMT).
"""

from __future__ import annotations

import contextlib
import ftplib
import hashlib
import re
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Iterator

from . import encryption
from .failures import TimedOut, UserFacingError, with_server_message
from .guard import POLL, Guard
from .uploads import Part, SourceFile

_CODE = re.compile(r"^\d{3}[ -]", re.MULTILINE)
_TOO_MANY = re.compile(
    r"(?i)too many|maximum (number|connections|clients|users|sessions)|max(imum)? .{0,30}(reached|exceeded)"
    r"|(connection|client|user|session)s? .{0,20}limit|limit .{0,30}(connection|client|user|session)"
    r"|already (connected|logged in)|try again later"
)
_WRONG_LOGINS = re.compile(r"(?i)fail|attempt|incorrect|invalid|wrong|password")
_WANTS_ENCRYPTION = re.compile(r"(?i)encrypt|\b(TLS|SSL|FTPS)\b|\bAUTH first|clear ?text|plain FTP")
_WRONG_LOGIN = ("430", "530")
_REFUSED = ("421", "500", "502", "503", "522", "530", "533", "534", "536", "550")


class ServerBusy(UserFacingError, ftplib.error_temp):
    """The server has too many connections, whatever its reply code."""

    transient = True


class EncryptionWanted(UserFacingError, ftplib.error_perm):
    """The server refuses connections without TLS."""


class NotFtp(UserFacingError, ftplib.error_proto):
    """The server isn't an FTP server."""


def reply_text(reply: str) -> str:
    """Return the text of a reply, without its codes."""
    return _CODE.sub("", reply)


def actual_error(error: ftplib.Error, host: str, security: str) -> ftplib.Error:
    """Return the error that a reply actually means, or the same error if its code is right, with our attributes set."""
    reply = str(error)
    code = reply[:3]
    if isinstance(error, UserFacingError) or not isinstance(error, ftplib.error_perm | ftplib.error_temp):
        return error
    if security == "none" and code in _REFUSED and _WANTS_ENCRYPTION.search(reply):
        sentence = (
            f"{host} wants an encrypted connection ({code}), and nothing was sent. "
            "Set abq_ftp_security to explicit (or implicit)."
        )
        return EncryptionWanted(with_server_message(sentence, reply_text(reply)))
    if code in ("530", "421") and _TOO_MANY.search(reply) and not _WRONG_LOGINS.search(reply):
        sentence = f"{host} has too many connections at the moment ({code}). Try again in a few minutes."
        return ServerBusy(with_server_message(sentence, reply_text(reply)))
    wrong_login = code in _WRONG_LOGIN
    transient = isinstance(error, ftplib.error_temp) and not wrong_login
    vars(error).update(transient=transient, login_refused=wrong_login)  # as `UserFacingError` has them
    return error


_LONGEST_REPLY = 1000  # lines
_LONGEST_LISTING = 64 * 1024  # bytes
_NOT_FTP = "What answers at this address and port doesn't speak FTP as expected. Check the settings."
_LONGEST_SILENCE = 10.0  # seconds until the welcome reply
_LAST_WORD = 5.0  # seconds to wait for the reply after the server has closed the data connection


class EncryptionMissing(UserFacingError, ftplib.Error):
    """The server has no TLS, or not for the data connection."""


class NoPassiveMode(UserFacingError, ftplib.error_perm):
    """The server refuses passive mode."""


class Session(ftplib.FTP):
    """An FTP session with replies of bounded length; `features`: the server's reply to FEAT."""

    reply_errors = "replace"
    """The error handler for bytes in a reply that aren't UTF-8."""
    transfer = ""
    """The last command for a data connection that was sent; '' if none was."""

    def __init__(
        self, guard: Guard, security: str = "none", context: ssl.SSLContext | None = None, passive: bool = True
    ) -> None:
        super().__init__(encoding="utf-8")
        self._passive = passive
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
        else:
            self._expect_a_welcome()
        self.file = self.sock.makefile("r", encoding=self.encoding, errors=self.reply_errors)
        self.welcome = self.getresp()
        if self._security == "explicit":
            self._ask_for_encryption()
        return self.welcome

    def _expect_a_welcome(self) -> None:
        """Wait for the welcome; after a while, check whether the server waits for a ClientHello (implicit TLS)."""
        end = time.monotonic() + min(_LONGEST_SILENCE, self.guard.wait / 2)
        with selectors.DefaultSelector() as selector:
            assert self.sock is not None
            selector.register(self.sock, selectors.EVENT_READ)
            while not selector.select(POLL):
                self.guard.check()
                if time.monotonic() > end:
                    break
            else:
                return
        if encryption.speaks_tls(lambda: self.guard.connect(self.host, self.port), self.host):
            raise EncryptionMissing(
                f"{self.host} speaks TLS from the start at port {self.port}, and nothing was sent. "
                "Set abq_ftp_security to implicit, or another port."
            )

    def _ask_for_encryption(self) -> None:
        try:
            reply = self.sendcmd("AUTH TLS")
        except ftplib.error_perm as error:
            reply = str(error)
        if reply[:3] != "234":
            sentence = (
                f"{self.host} offers no encryption (it answered {reply[:3]}), so nothing was sent, not even the user "
                "name. Ask its administrator; the setting abq_ftp_security says how to connect."
            )
            raise EncryptionMissing(with_server_message(sentence, reply_text(reply)))
        # Drop what was buffered in clear text after this reply: an attacker may have injected it.
        assert self.file is not None
        self.file.close()
        self._encrypt_control()
        assert self.sock is not None
        self.file = self.sock.makefile("r", encoding=self.encoding, errors=self.reply_errors)

    def _encrypt_control(self) -> None:
        assert self._context is not None and self.sock is not None
        self.guard.progressed()
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host.strip("[]"))
        self.guard.progressed()

    def protect_data(self) -> None:
        """Have the data connection encrypted, too (PBSZ, PROT P: RFC 4217, section 9), if the session is encrypted."""
        if self._security == "none":
            return
        with contextlib.suppress(ftplib.error_perm):  # some servers know only PROT
            self.voidcmd("PBSZ 0")
        try:
            self.voidcmd("PROT P")
        except ftplib.error_perm as error:
            refused = str(error)
        else:
            return
        sentence = (
            f"{self.host} doesn't encrypt files (it answered {refused[:3]}), so the file was not sent. "
            "Ask its administrator."
        )
        raise EncryptionMissing(with_server_message(sentence, reply_text(refused)))

    def makepasv(self) -> tuple[str, int]:
        """Return the address for passive mode: by PASV for IPv4, or by EPSV if that is refused or invalid."""
        assert self.sock is not None
        peer = self.sock.getpeername()
        if self.af != socket.AF_INET:
            return ftplib.parse229(self.sendcmd("EPSV"), peer)  # noqa: S321
        try:
            reply = self.sendcmd("PASV")
            if reply.startswith("229"):
                return ftplib.parse229(reply, peer)  # noqa: S321
            return peer[0], ftplib.parse227(reply)[1]  # noqa: S321
        except ftplib.Error as error:
            if str(error).startswith("421"):
                raise
            refused = error
        try:
            return ftplib.parse229(self.sendcmd("EPSV"), peer)  # noqa: S321
        except (ftplib.error_perm, ftplib.error_reply):
            failure = self._not_passive(refused)
        raise failure

    def _not_passive(self, refused: ftplib.Error) -> ftplib.Error:
        """Return `NoPassiveMode` if the server has neither PASV nor EPSV; any other error as it is."""
        if not isinstance(refused, ftplib.error_perm) or isinstance(
            actual_error(refused, self.host, self._security), UserFacingError
        ):
            return refused
        sentence = (
            f"{self.host} opens no connection for files (passive mode; it answered {str(refused)[:3]}), and nothing "
            "was sent. Ask its administrator, or set abq_ftp_passive to false."
        )
        return NoPassiveMode(with_server_message(sentence, reply_text(str(refused))))

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        opened = self._connect_passive if self._passive else self._accept_active
        with opened() as connect:
            if rest is not None:
                self.sendcmd(f"REST {rest}")
            self.transfer = cmd
            reply = self.sendcmd(cmd)
            if reply[:1] != "1":
                raise ftplib.error_reply(reply)  # noqa: S321
            return self._encrypt_data(connect()), None

    @contextlib.contextmanager
    def _connect_passive(self) -> Iterator[Callable[[], socket.socket]]:
        """Passive mode: we connect to the address that the server names, before the command is sent."""
        data = self.guard.connect(*self.makepasv())
        try:
            yield lambda: data
        except BaseException:
            data.close()
            raise

    @contextlib.contextmanager
    def _accept_active(self) -> Iterator[Callable[[], socket.socket]]:
        """Active mode: we send our address (PORT, for IPv6 EPRT), and the server connects after the command."""
        assert self.sock is not None
        with socket.create_server((self.sock.getsockname()[0], 0), family=self.af, backlog=1) as listener:
            host, port = listener.getsockname()[:2]
            (self.sendport if self.af == socket.AF_INET else self.sendeprt)(host, port)
            yield lambda: self._accept(listener)

    def _accept(self, listener: socket.socket) -> socket.socket:
        """Wait until the server, and nobody else, connects, or replies that it can't."""
        assert self.sock is not None
        self.guard.progressed()
        server = self.sock.getpeername()[0]
        with selectors.DefaultSelector() as selector:
            for each in (listener, self.sock):
                selector.register(each, selectors.EVENT_READ)
            while True:
                self.guard.check()
                ready = [key.fileobj for key, _ in selector.select(POLL)]
                if listener in ready:
                    data, address = listener.accept()
                    if address[0] == server:
                        return self.guard.keep(data)
                    data.close()
                elif ready:
                    self.voidresp()
                    raise ftplib.error_temp("425 The transfer ended before it began.")  # noqa: S321

    def _encrypt_data(self, data: socket.socket) -> socket.socket:
        """Start TLS with the control connection's session, which proves that both are ours; many servers require it."""
        if not isinstance(self.sock, ssl.SSLSocket) or self._context is None:
            return data
        try:
            with self.reply_as_error():
                return self._context.wrap_socket(
                    data, server_hostname=self.host.strip("[]"), session=self.sock.session
                )
        except BaseException:
            data.close()
            raise

    @contextlib.contextmanager
    def reply_as_error(self) -> Iterator[None]:
        """If the data connection breaks, raise the server's reply (too large, no space…) as the error."""
        try:
            yield
        except OSError as error:
            is_specific = isinstance(error, UserFacingError | ssl.SSLCertVerificationError)
            if is_specific or self.guard.verdict() or self.sock is None:
                raise
            encryption.forget_failure()
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
        """End the data. The server's reply comes next; only after that may the socket be closed.

        With TLS a `close_notify` is sent, but the server's isn't waited for, since not every server sends one. Closing
        a socket with unread data would send a TCP reset, and data that the server hasn't read yet would be lost.
        """
        if isinstance(data, ssl.SSLSocket):
            _send_close_notify(data, self.guard.check)
            encryption.forget_failure()
        with contextlib.suppress(OSError):
            data.shutdown(socket.SHUT_WR)

    def putline(self, line: str) -> None:
        self._lines = 0
        super().putline(line)

    def getline(self) -> str:
        self._lines += 1
        assert self.file is not None
        line = self.file.readline(self.maxline + 1)
        if self._lines > _LONGEST_REPLY or len(line) > self.maxline:
            raise NotFtp(f"{_NOT_FTP} Its reply doesn't end.")
        if not line.endswith("\n"):  # the connection broke: an incomplete line means nothing
            raise EOFError
        line = line.rstrip("\r\n")
        if self._lines == 1 and not line[:3].isdecimal():
            raise NotFtp(with_server_message(_NOT_FTP, line))
        return line

    def send_quit(self) -> None:
        """Send QUIT without waiting for the reply: the file has been confirmed."""
        with contextlib.suppress(*ftplib.all_errors, TimedOut):
            self.putcmd("QUIT")


def _send_close_notify(data: ssl.SSLSocket, check: Callable[[], object]) -> None:
    data.settimeout(0.0)
    while True:
        try:
            data.unwrap()
            return
        except ssl.SSLWantWriteError:  # the last blocks are still in the send buffer
            check()
            time.sleep(0.005)
        except (OSError, ValueError):  # our close_notify was sent; the server's may still arrive
            return


TELL_DIGESTS = frozenset(("HASH", "XSHA256"))


class TransferIncomplete(UserFacingError, ftplib.Error):
    """The server replied that the transfer was complete, but the file there isn't confirmed."""

    transient = True


def confirm(session: Session, name: str, source: SourceFile, expected: str) -> None:
    """Raise `TransferIncomplete` unless the complete file is there; `expected`: its SHA-256, or ''."""
    _confirm_size(session, name, source)
    session.guard.progressed()
    told = digest(session, name) if expected else ""
    if told and told != expected:
        raise TransferIncomplete(
            f"What the server has of {source.name} differs from what was sent, though its size is right. "
            "Send it again."
        )


def _confirm_size(session: Session, name: str, source: SourceFile) -> None:
    for ask in (size, listed_facts, listed_line):
        session.guard.progressed()
        sizes = ask(session, name)
        if source.size in sizes:
            return
        if sizes:
            has = f"{sizes.pop()}" if len(sizes) == 1 else "not all"
            raise TransferIncomplete(
                f"The server has {has} of the {source.size} bytes of {source.name}, though it said "
                "that the transfer was complete. Send it again."
            )
    raise TransferIncomplete(
        f"The server wouldn't say how much of {source.name} it has, so the delivery can't be confirmed. "
        "Ask its administrator to look."
    )


def digest(session: Session, name: str) -> str:
    """Return the SHA-256 of a file there in hexadecimal; '' if the server doesn't report it."""
    for command in sorted(session.features & TELL_DIGESTS):
        with contextlib.suppress(ftplib.error_perm, ftplib.error_temp):
            if command == "HASH":
                session.sendcmd("OPTS HASH SHA-256")
            if found := re.search(r"(?i)\b[0-9a-f]{64}\b", session.sendcmd(f"{command} {name}").replace(name, "")):
                return found[0].lower()
    return ""


def size(session: Session, name: str) -> set[int]:
    """Return the size of a file there, as a set; empty if the server doesn't report it."""
    try:
        told = session.size(name)
    except ftplib.error_perm:
        return set()
    return set() if told is None else {told}


def rights(session: Session, name: str) -> str | None:
    """Return the `perm` fact of a file (RFC 3659, section 7.5.5); None if there is no file, or no such fact."""
    try:
        reply = session.sendcmd(f"MLST {name}")
    except ftplib.error_perm:
        return None
    found = re.search(r"(?i)\bperm=([a-z]*);", reply)
    return found[1].lower() if found else None


def listed_facts(session: Session, name: str) -> set[int]:
    try:
        reply = session.sendcmd(f"MLST {name}")
    except ftplib.error_perm:
        return set()
    return {int(number) for number in re.findall(r"(?i)\bsize=(\d{1,18});", reply)}


def listed_line(session: Session, name: str) -> set[int]:
    """Return all numbers in the file's line of LIST: its format isn't standardized, but the size is one of them."""
    try:
        lines = session.listing(f"LIST {name}")
    except ftplib.error_perm:
        return set()
    ours = [line for line in lines if line.rstrip().endswith(name)]
    return {int(number) for line in ours for number in re.findall(r"(?<!\S)\d{1,18}(?!\S)", line[: -len(name)])}


BLOCK = 64 * 1024
_LACKS_RIGHT = re.compile(r"(?i)privilege|permi(t|ssion)|denied|not allowed|forbidden|disabled|unauthori|rights")
_NAME_REFUSED = ("550", "553")


class Store(Part):
    """Stores the file, and tidies up after a failure.

    If the server can rename, the old file stays as it is until the new one is confirmed; if not, the file is stored
    under its final name. `run` may be called again, over another session, after a broken connection. `identifier`: that
    of the delivery; a part that an earlier attempt at it left is continued.
    """

    def __init__(self, source: SourceFile, identifier: str | None = None) -> None:
        super().__init__(source, identifier)
        self._in_steps: bool | None = None  # whether it is stored under a temporary name first; None: not known yet

    def run(self, session: Session) -> None:
        self.found = 0
        if not self._name.isascii():
            with contextlib.suppress(ftplib.error_reply, ftplib.error_perm):
                session.sendcmd("OPTS UTF8 ON")  # some servers need this command for UTF-8 names (RFC 2640)
        session.voidcmd("TYPE I")
        if self._in_steps is None:
            self._in_steps = self._may_rename(session)
        self._in_steps = self._in_steps and self._in_two_steps(session)
        if not self._in_steps:
            self._store(session, self._name)
        self._partial = self._asked = ""

    def tidy(self, session: Session) -> None:
        """Remove what a failure left, over a new session, and restore the old file if it was moved."""
        if self._moving:
            try:
                session.sendcmd(f"RNFR {self._temporary}")
            except ftplib.error_perm:  # the old file has its name already
                session.delete(self._aside)
                return
            try:
                session.voidcmd(f"RNTO {self._name}")  # complete, or the old one wouldn't have been moved
            except ftplib.error_perm:
                with contextlib.suppress(ftplib.error_perm):
                    session.rename(self._aside, self._name)
            else:
                session.delete(self._aside)
                return
        if not self._partial and self.is_midway:  # the server had not answered: the old file may be there, or be empty
            if size(session, self._name) != {0}:
                return
            self._partial = self._name
        session.delete(self._partial or self._temporary)

    def _may_rename(self, session: Session) -> bool:
        """Find out whether the server allows RNFR, without renaming: else a temporary file might be left for ever."""
        allowed = rights(session, self._name) if "MLST" in session.features else None
        if allowed is not None:
            return "f" in allowed
        try:
            session.sendcmd(f"RNFR {self._name}")
        except ftplib.error_temp:
            return True
        except ftplib.error_perm as error:
            reply = str(error)
            missing = reply[:3] == "550" and not _LACKS_RIGHT.search(reply.replace(self._name, ""))
            return missing and not size(session, self._name)
        with contextlib.suppress(ftplib.error_perm):
            session.sendcmd("TYPE I")  # cancels the RNFR; some servers reply "bad sequence" once
        return True

    def _in_two_steps(self, session: Session) -> bool:
        """Store and rename; return False if the server turns out to allow only the final name."""
        try:
            self._store(session, self._temporary)
        except ftplib.error_perm as error:
            if self._source.sent or str(error)[:3] not in _NAME_REFUSED:
                raise
            self._partial = ""
            return False
        try:
            session.sendcmd(f"RNFR {self._temporary}")
        except ftplib.error_perm:
            self._remove(session, self._temporary)
            self._source.rewind()
            return False
        try:
            session.voidcmd(f"RNTO {self._name}")
        except ftplib.error_perm as error:
            self._replace(session, error)
        return True

    def _replace(self, session: Session, refused: ftplib.error_perm) -> None:
        """Move the old file away, if the server doesn't let it be overwritten; restore it if that fails, too."""
        self._moving = True
        try:
            session.rename(self._name, self._aside)
        except ftplib.error_perm:
            self._moving = False
            raise refused from None
        try:
            session.rename(self._temporary, self._name)
        except ftplib.error_perm:
            session.rename(self._aside, self._name)
            self._moving = False
            raise
        self._remove(session, self._aside)
        self._moving = False

    def _store(self, session: Session, name: str) -> None:
        """Store the file under that name: continue the part that is there, or send the whole file."""
        may_be_there = self._partial == name or (name == self._temporary and self._is_lasting)
        rest = self._size_of_part(session, name)
        if name == self._temporary:
            self._partial = name
        if rest:
            self.found = rest
            if self._continue(session, name, rest):
                return
            self.found = 0
            self._remove(session, name)
            if name == self._temporary:
                name = self._take_another_name()
        self._source.rewind()
        try:
            self._send(session, name, f"STOR {name}")
        except ftplib.error_perm as error:
            if not may_be_there or self._source.sent or str(error)[:3] not in _NAME_REFUSED:
                raise
            self._remove(session, name)  # the server may not allow overwriting the part
            self._send(session, name, f"STOR {name}")

    def _take_another_name(self) -> str:
        """Start again under a new name, since a server may cache the old one's digest (ProFTPD does for a second)."""
        self._choose_names(None)
        self._partial = self._temporary
        return self._temporary

    def _size_of_part(self, session: Session, name: str) -> int:
        """Return the size of the part that we left there; 0 if it is better to start again."""
        if self._partial != name and not (name == self._temporary and self.may_be_there):
            return 0
        for ask in (size, listed_facts):
            for found in ask(session, name):
                return found if found <= self._source.size else 0
        return 0

    def _continue(self, session: Session, name: str, rest: int) -> bool:
        """Send what is missing; return False if the server doesn't allow that, or the result isn't our file."""
        if rest == self._source.size:
            ways: tuple[tuple[str, int | None], ...] = (("", None),)
        else:
            ways = ((f"STOR {name}", rest), (f"APPE {name}", None))
        for command, offset in ways:
            try:
                self._send(session, name, command, offset, rest)
                return True
            except TransferIncomplete:
                return False
            except (ftplib.error_perm, ftplib.error_temp) as error:
                if self._source.sent != rest or str(error).startswith("421"):
                    raise
        return False

    def _send(self, session: Session, name: str, command: str, offset: int | None = None, begin: int = 0) -> None:
        """Send the file from `begin` on with that command ('': nothing is missing), and confirm that it is complete."""
        digest = hashlib.sha256() if session.features & TELL_DIGESTS else None
        if digest is not None:
            for block in self._source.content(BLOCK, begin):
                session.guard.check()
                session.guard.progressed()
                digest.update(block)
        self._source.skip(begin)
        if command:
            with contextlib.closing(self._data_connection(session, name, command, offset)) as data:
                self._partial = name
                with session.reply_as_error():
                    for block in self._source.blocks(BLOCK):
                        session.guard.send(data, block)
                        if digest is not None:
                            digest.update(block)
                session.end_data(data)
                session.guard.progressed()
                session.voidresp()
        confirm(session, name, self._source, "" if digest is None else digest.hexdigest())
        if "MFMT" in session.features:
            with contextlib.suppress(ftplib.error_perm):
                when = time.strftime("%Y%m%d%H%M%S", time.gmtime(self._source.modified))
                session.sendcmd(f"MFMT {when} {name}")

    def _data_connection(self, session: Session, name: str, command: str, offset: int | None) -> socket.socket:
        session.transfer = ""
        try:
            return session.transfercmd(command, offset)
        except ftplib.Error:  # the server's refusal
            raise
        except BaseException:
            if session.transfer:  # no answer: the server may have emptied the old file
                self._asked = name
            raise

    @staticmethod
    def _remove(session: Session, name: str) -> None:
        with contextlib.suppress(ftplib.error_perm):
            session.delete(name)
