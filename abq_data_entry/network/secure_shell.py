"""The corporate SFTP server: a temporary name until the file is whole.

How a session is made stands in `shell_session`, the folder and the reasons of a refusal in `sftp_folder`.
Sources: draft-ietf-secsh-filexfer-02 (SFTP version 3), OpenSSH's PROTOCOL (posix-rename@openssh.com).
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from pathlib import Path

import paramiko

from . import shell_session as host_keys
from .failures import Cancelled, InvalidInput, UserFacingError, with_what_was_said
from .ftp_store import TransferIncomplete
from .guard import Guard
from .sftp_folder import FileRefused, is_closed, refusal
from .shell_jump import Jump
from .shell_session import (
    AcceptHostKey,
    HostKeyChanged,
    HostKeyUnknown,
    Login,
    LoginRefused,
    NotSecureShell,
    ShellConnectionCut,
    ShellSession,
    fingerprint_in,
    log_in,
)
from .stored_uploads import Part, StoredUploads, checked_folder
from .uploads import TIMEOUT, Progress, SourceFile

BLOCK = 32_000  # bytes: with what goes around it, it just fits into one packet (RFC 4254, 5.2: 32,768)


class SftpStore(Part):
    """Stores the file, and knows what a failure leaves behind. `run` may be called again after a connection broke."""

    step_back = 4 * 1024 * 1024  # a server may work on what it got at once in any order, and leave holes

    def run(self, session: ShellSession) -> None:
        try:
            self._run(session)
        except OSError as error:
            session.guard.check()
            is_told = isinstance(error, UserFacingError | ConnectionError | TimeoutError)
            if is_told or error.filename or is_closed(error):
                raise
            if known := self._refusal(session.files, error):
                raise known from None
            raise

    def _run(self, session: ShellSession) -> None:
        files, guard = session.files, session.guard
        self.found = self._size_of_part(files)
        begin = max(self.found - self.step_back, 0)
        self._source.skip(begin)
        may_be_there = bool(self._partial) or self._is_lasting
        self._partial = self._temporary
        mode = "r+" if begin else "w" if may_be_there else "wx"
        with files.open(self._temporary, mode, bufsize=0) as file:
            file.seek(begin)
            file.set_pipelined(True)  # blocks follow each other without waiting for each one's receipt
            for block in self._source.blocks(BLOCK):
                guard.check()
                file.write(bytes(block))
                guard.progressed()
        guard.progressed()
        size = files.stat(self._temporary).st_size
        if size != self._source.size:
            if known := self._refusal(files, OSError()):  # blocks that follow each other are refused in silence
                raise known
            raise TransferIncomplete(
                f"The server has {size} of the {self._source.size} bytes of {self._name}. Send it again."
            )
        with contextlib.suppress(OSError):
            files.utime(self._temporary, (self._source.modified, self._source.modified))
        guard.check()
        try:
            files.posix_rename(self._temporary, self._name)
        except OSError:
            self._replace(files)
        self._partial = ""

    def _refusal(self, files: paramiko.SFTPClient, error: OSError) -> FileRefused | None:
        there = 0
        with contextlib.suppress(OSError):
            there = files.stat(self._temporary).st_size or 0
        return refusal(files, error, self._temporary, self._source.size - there)

    def _size_of_part(self, files: paramiko.SFTPClient) -> int:
        """Return how much there is of the file; 0 if it is better to start again."""
        if not self._partial and not self.may_be_there:
            return 0
        try:
            size = files.stat(self._temporary).st_size or 0
        except OSError:
            return 0
        return size if size <= self._source.size else 0

    def _replace(self, files: paramiko.SFTPClient) -> None:
        """Rename where nothing may be overwritten: the old file is moved out of the way, and back on a failure."""
        try:
            files.rename(self._temporary, self._name)
            return
        except OSError:
            self._moving = True
            files.rename(self._name, self._aside)
        try:
            files.rename(self._temporary, self._name)
        except OSError:
            files.rename(self._aside, self._name)
            raise
        self._moving = False
        with contextlib.suppress(OSError):
            files.remove(self._aside)

    def tidy(self, session: ShellSession) -> None:
        """Remove what a failure left, over a new session; the old file comes back if it was moved out of the way."""
        with contextlib.suppress(OSError):
            session.files.rename(self._aside, self._name)  # refused where the new one has its name already
        for name in (self._temporary, self._aside):
            with contextlib.suppress(OSError):
                session.files.remove(name)


__all__ = [
    "TIMEOUT",
    "HostKeyChanged",
    "HostKeyUnknown",
    "LoginRefused",
    "NotSecureShell",
    "SftpUploads",
    "ShellConnectionCut",
    "upload_to_corporate_sftp",
]


def upload_to_corporate_sftp(
    filepath: str | os.PathLike[str],
    host: str,
    port: int,
    username: str,
    password: str,
    known_hosts: str | os.PathLike[str] | None = None,
    key_file: str | os.PathLike[str] | None = None,
    *,
    timeout: float = TIMEOUT,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    accept_host_key: AcceptHostKey | None = None,
    host_key: str = "",
    folder: str = "",
    name: str | None = None,
) -> None:
    """Store the file under its base name, in place of an older one; its size there is compared first.

    `known_hosts`: the file of host keys, not given: the user's own of OpenSSH. `key_file`: a private key in place of
    the password, which is its passphrase then. `accept_host_key(fingerprint)` is asked for the key of a host that was
    never seen, must answer at once, and what it accepts is written to `known_hosts`. `host_key`: the fingerprint that
    such a key must have (`SHA256:…`), and is accepted with; any other is an alarm. `folder`: where the file goes, made
    where it is missing and the server allows that (empty: where the login leads); `name`: what it is called there.
    `timeout`: seconds without progress; `progress(sent, total)`: bytes, at most 20 times a second and once at the end,
    on the calling thread.
    Raises `HostKeyUnknown` (with the fingerprint), `HostKeyChanged`, `LoginRefused` and other `paramiko.SSHException`,
    `OSError` for connections and files, `TransferIncomplete`, `InvalidInput`, `Cancelled`.
    """
    with SftpUploads(
        host,
        port,
        username,
        password,
        known_hosts,
        key_file,
        timeout=timeout,
        accept_host_key=accept_host_key,
        host_key=host_key,
        folder=folder,
    ) as uploads:
        uploads.upload(filepath, name=name, progress=progress, cancel=cancel)


class SftpUploads(StoredUploads[ShellSession]):
    """One login for many files; each is sent as `upload_to_corporate_sftp` does it, whose parameters these are."""

    errors = (paramiko.SSHException, OSError, EOFError, ValueError, Cancelled)

    def __init__(
        self,
        host: str,
        port: int,
        username: str,
        password: str,
        known_hosts: str | os.PathLike[str] | None = None,
        key_file: str | os.PathLike[str] | None = None,
        *,
        timeout: float = TIMEOUT,
        accept_host_key: AcceptHostKey | None = None,
        host_key: str = "",
        folder: str = "",
        jump: Jump | None = None,
        agent: bool = False,
    ) -> None:
        """Connects to nothing yet. Raises `InvalidInput`, and `OSError` for a key file that can't be read."""
        super().__init__(timeout)
        _check_input(host, port, username)
        file = Path(known_hosts) if known_hosts else host_keys.default_file()
        key = private_key(key_file, password) if key_file else None
        if host_key and not fingerprint_in(host_key):
            raise InvalidInput(
                f"{host_key!r} isn't a key's fingerprint, which begins with SHA256: as `ssh-keygen -lf` prints it. "
                "Check the setting abq_sftp_host_key."
            )
        self.place = Login(host, port, username, password, key, file, host_key, checked_folder(folder), jump, agent)
        self.accept = accept_host_key or ((lambda _: True) if host_key else None)

    def _log_in(self, guard: Guard) -> ShellSession:
        return log_in(guard, self.place, self.accept)

    def _continue(self, session: ShellSession, guard: Guard) -> None:
        session.continue_under(guard)

    def _end(self, session: ShellSession, politely: bool) -> None:
        session.close()

    def _new_store(self, source: SourceFile, identifier: str | None) -> SftpStore:
        return SftpStore(source, identifier)

    def _remove(self, session: ShellSession, name: str) -> None:
        session.files.remove(name)

    def _in_words(self, error: Exception) -> Exception:
        return sanitized(error, self.place.host)

    def _is_refusal(self, error: Exception) -> bool:
        return isinstance(error, paramiko.AuthenticationException)

    def _is_break(self, error: Exception) -> bool:
        return is_cut(error)


def _check_input(host: str, port: int, username: str) -> None:
    if not host or any(character.isspace() or character == "\0" for character in host):
        raise InvalidInput("There is no SFTP host that can be used. Check the setting abq_ftp_host.")
    if not username:
        raise InvalidInput("There is no user name for the SFTP server.")
    if not 0 < port < 65536:
        raise InvalidInput(f"{port} is not a port: it must be from 1 to 65535. Check the setting abq_sftp_port.")


def private_key(file: str | os.PathLike[str], passphrase: str) -> paramiko.PKey:
    """Read a private key, with its passphrase if it has one; raises `InvalidInput`, `OSError`."""
    path = Path(file)
    for attempt in (None, passphrase):
        try:
            with path.open("rb"):  # a missing file is told as that
                pass
            return paramiko.PKey.from_path(path, attempt.encode() if attempt else None)
        except (paramiko.SSHException, paramiko.UnknownKeyType, ValueError, TypeError):
            continue
    raise InvalidInput(f"The key {path} can't be used: it isn't a private key, or the password isn't its passphrase.")


def sanitized(error: Exception, host: str) -> Exception:
    """Return an error of a session in words, without its origin and the password."""
    if isinstance(error, UserFacingError) or getattr(error, "filename", None):  # the latter: a file of this machine
        error.__context__ = None
        return error.with_traceback(None)
    if isinstance(error, paramiko.AuthenticationException):
        return LoginRefused(f"The SFTP server {host} refused the user name, or the password or key.")
    reason = "it doesn't say why"
    if isinstance(error, PermissionError):
        reason = "the right to write to its folder is missing"
    elif isinstance(error, FileNotFoundError):
        reason = "the folder is missing there"
    elif is_cut(error):
        return ShellConnectionCut("The connection was cut. Try again.")
    sentence = f"The SFTP server refused the file: {reason}."
    return FileRefused(getattr(error, "errno", None) or errno.EIO, with_what_was_said(sentence, str(error)))


def is_cut(error: Exception) -> bool:
    """Tell whether the connection has gone."""
    if isinstance(error, UserFacingError):
        return isinstance(error, ConnectionError)
    return isinstance(error, paramiko.SSHException | ConnectionError | EOFError) or "closed" in str(error).lower()
