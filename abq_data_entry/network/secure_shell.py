"""The corporate SFTP server: store a file under a temporary name and rename it; list and change its folder; the check.

`shell_session` has the session, and finds out why a server refuses a file. Paths are sent as the bytes that the server
gave. Sources: draft-ietf-secsh-filexfer-02 (SFTP version 3), OpenSSH's PROTOCOL (posix-rename@openssh.com).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.sftp import CMD_CLOSE, CMD_HANDLE, CMD_NAME, CMD_OPENDIR, CMD_READDIR, CMD_REALPATH

from . import probing, shell_session
from . import shell_session as host_keys
from .destination import Destination, Jump, jump_of
from .failures import GREETING, Cancelled, InvalidInput, UserFacingError, on_one_line, with_server_message
from .ftp_session import TransferIncomplete
from .guard import Guard
from .probing import MADE_LATER, TEST_CONTENT, Context, Inspection, Result, Steps, new_test_name, usable
from .remote_files import Cancel, FilesRefused, RemoteFiles, Where, not_done
from .remote_files_names import (
    FILE,
    FOLDER,
    LINK,
    MOST_ENTRIES,
    OTHER,
    Listing,
    RemoteEntry,
    listing,
    local_time,
    rights_of_mode,
    shown,
)
from .shell_session import (
    AcceptHostKey,
    FileRefused,
    HostKeyChanged,
    HostKeyUnknown,
    Login,
    LoginRefused,
    NotSecureShell,
    ShellConnectionCut,
    ShellSession,
    check_host_key,
    default_file,
    enter,
    fingerprint_in,
    greet,
    host_key_of,
    is_closed,
    keys_of,
    log_in,
    refusal,
)
from .uploads import TIMEOUT, KeptSession, Part, Progress, SourceFile, StoredUploads, checked_folder, tidy

if TYPE_CHECKING:
    import paramiko

BLOCK = 32_000  # bytes: with its headers it fits into one packet (RFC 4254, 5.2: 32,768)


class SftpStore(Part):
    """Stores the file, and tidies up after a failure. `run` may be called again after a broken connection."""

    step_back = 4 * 1024 * 1024  # a server may process pipelined writes in any order, and leave holes

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
            file.set_pipelined(True)  # writes don't wait for the status of the previous one
            for block in self._source.blocks(BLOCK):
                guard.check()
                file.write(bytes(block))
                guard.progressed()
        guard.progressed()
        size = files.stat(self._temporary).st_size
        if size != self._source.size:
            if known := self._refusal(files, OSError()):  # errors of pipelined writes aren't raised
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
        """Return the size of the part; 0 if it is better to start again."""
        if not self._partial and not self.may_be_there:
            return 0
        try:
            size = files.stat(self._temporary).st_size or 0
        except OSError:
            return 0
        return size if size <= self._source.size else 0

    def _replace(self, files: paramiko.SFTPClient) -> None:
        """Rename if the server overwrites nothing: move the old file out of the way, and back on a failure."""
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
        """Remove what a failure left, over a new session; restore the old file if it was moved out of the way."""
        with contextlib.suppress(OSError):
            session.files.rename(self._aside, self._name)  # refused if the new file has its name already
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

    `known_hosts`: the file of host keys (default: the user's own, of OpenSSH). `key_file`: a private key in place of
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


class _KeptShell(KeptSession[ShellSession]):
    """The session handling that `SftpUploads` and `SftpFiles` share."""

    def _continue(self, session: ShellSession, guard: Guard) -> None:
        session.continue_under(guard)

    def _end(self, session: ShellSession, politely: bool) -> None:
        session.close()

    def _is_break(self, error: Exception) -> bool:
        return is_cut(error)


class SftpUploads(_KeptShell, StoredUploads[ShellSession]):
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
        """Doesn't connect yet. Raises `InvalidInput`, and `OSError` for a key file that can't be read."""
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

    def _new_store(self, source: SourceFile, identifier: str | None) -> SftpStore:
        return SftpStore(source, identifier)

    def _remove(self, session: ShellSession, name: str) -> None:
        session.files.remove(name)

    def _in_words(self, error: Exception) -> Exception:
        return sanitized(error, self.place.host)

    def _is_refusal(self, error: Exception) -> bool:
        return isinstance(error, paramiko.AuthenticationException)


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
            with path.open("rb"):  # a missing file gets its own error
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
    return FileRefused(getattr(error, "errno", None) or errno.EIO, with_server_message(sentence, str(error)))


def is_cut(error: Exception) -> bool:
    """Tell whether the connection has gone."""
    if isinstance(error, UserFacingError):
        return isinstance(error, ConnectionError)
    return isinstance(error, paramiko.SSHException | ConnectionError | EOFError) or "closed" in str(error).lower()


def probe(destination: Destination, context: Context) -> Steps[None]:
    """Check the server. A key that isn't known yet is shown, and neither trusted nor stored."""
    host, number = str(context.settings["abq_ftp_host"]), int(str(context.settings["abq_sftp_port"]))
    inspection = Inspection(f"SFTP server {host}:{number}", context, destination.kind)
    yield from usable(inspection, destination.problem(context.settings))
    jump = jump_of(str(context.settings["abq_sftp_jump"]))
    first = (host, number) if jump is None else (jump.host, jump.port)
    addresses = yield from probing.name(inspection, *first, "Name" if jump is None else "Jump name")
    yield from probing.port(inspection, *first, addresses, "Port" if jump is None else "Jump port")
    chosen = str(context.settings["abq_sftp_known_hosts"])
    file = Path(chosen) if chosen else default_file()
    login = Login(host, number, "", "", None, file, str(context.settings["abq_sftp_host_key"]))
    known: tuple[str, str] | None = None
    if jump is not None:  # only a login there shows the rest of the way
        known = yield from inspection.login(destination.kind)
        if known is None:
            return
    transport = yield from inspection.step("Greeting", lambda: _greet(context, login, known))
    with contextlib.closing(transport):
        yield from inspection.step("Host key", lambda: _compare(context, login, transport))
        known = known or (yield from inspection.login(destination.kind))
        if known is None:
            return
        session = yield from inspection.step("Login", lambda: _log_in(context, login, transport, known))
        if folder := str(context.settings["abq_ftp_folder"]):
            yield from inspection.step("Folder", lambda: _enter(session, folder, context.wanted.write))
        if context.wanted.write:
            yield from inspection.step("Write test", lambda: _store(session))


def _greet(context: Context, login: Login, through: tuple[str, str] | None) -> Result[paramiko.Transport]:
    known, _ = keys_of(login.known_hosts, login.host, login.port)
    transport = greet(context.guard, _complete_login(context, login, *through) if through else login, known)
    way = f"through {context.settings['abq_sftp_jump']}: " if through else ""
    version, cipher = on_one_line(transport.remote_version, GREETING), on_one_line(transport.remote_cipher, GREETING)
    return Result(transport, f"{way}“{version}”, encrypted by {cipher}")


def _compare(context: Context, login: Login, transport: paramiko.Transport) -> Result[None]:
    key = host_key_of(transport)
    known, revoked = keys_of(login.known_hosts, login.host, login.port)
    text = f"{on_one_line(key.kind)} {key.fingerprint}"
    try:
        check_host_key(key, known, revoked, login, None)
    except HostKeyUnknown:
        if not login.host_key:
            raise
        return Result(None, f"{text} is the one that abq_sftp_host_key names")
    return Result(None, f"{text} is known")


def _complete_login(context: Context, login: Login, username: str, password: str) -> Login:
    """Return the login with user, password, key and jump host. Raises `InvalidInput`, `OSError`."""
    file = str(context.settings["abq_sftp_key_file"])
    return replace(
        login, user=username, password=password, key=private_key(file, password) if file else None,
        jump=jump_of(str(context.settings["abq_sftp_jump"])), agent=bool(context.settings["abq_sftp_agent"]),
    )  # fmt: skip


def _log_in(
    context: Context, login: Login, transport: paramiko.Transport, known: tuple[str, str]
) -> Result[ShellSession]:
    entering = _complete_login(context, login, *known)
    username, _ = known
    try:
        session = enter(context.guard, entering, transport)
    except Exception as error:
        failure = sanitized(error, login.host)
    else:
        return Result(session, f"{username} is logged in")
    raise failure


def _enter(session: ShellSession, folder: str, may_make: bool) -> Result[None]:
    try:
        made = shell_session.enter_folder(session.files, folder, make=may_make)
    except shell_session.FolderRefused:
        if may_make:
            raise
        return Result(None, f"{folder} can't be entered", MADE_LATER)
    return Result(None, f"{folder} was made" if made else f"{folder} is there")


def _store(session: ShellSession) -> Result[None]:
    name = new_test_name()
    try:
        with session.files.open(name, "wx") as file:
            file.write(TEST_CONTENT)
    except Exception as error:
        failure = sanitized(error, "")
    else:
        try:
            session.files.remove(name)
        except OSError:
            return Result(None, f"{name} was stored", "It stays there: this user may not remove files, and needn't.")
        return Result(None, f"{name} was stored and removed again")
    raise failure


_BLOCK = 32_000  # what fits into one packet
_SECONDS = 120.0  # for a listing


class SftpFiles(_KeptShell, RemoteFiles[ShellSession]):
    """By SFTP, with the login and the options of deliveries."""

    errors = (paramiko.SSHException, OSError, EOFError, ValueError)

    def __init__(self, uploads: SftpUploads, timeout: float) -> None:
        """`uploads` has the login, and sends nothing. Doesn't connect yet."""
        super().__init__(timeout)
        self._to, self._accept = uploads.place, uploads.accept
        self._root = b""

    @property
    def place(self) -> str:
        return f"sftp://{self._to.host}:{self._to.port}/{self._to.folder}"

    def _log_in(self, guard: Guard) -> ShellSession:
        session = log_in(guard, self._to, self._accept, make=False)
        self._root = _real(session, (session.files.getcwd() or ".").encode())
        return session

    def _in_words(self, error: Exception, guard: Guard) -> Exception:
        return sanitized(error, self._to.host)

    def _list(self, session: ShellSession, guard: Guard, where: Where) -> Listing:
        folder = self._within(session, where)
        with _refusals_as(f"list {shown(where[-1]) if where else 'the folder'}"):
            rights = rights_of_mode(session.files.stat(_text(folder)).st_mode or 0, FOLDER)
            found, complete = _entries(session, guard, folder)
        return listing(found, complete=complete, rights=rights)

    def _fetch(
        self, session: ShellSession, guard: Guard, where: Where, entry: RemoteEntry, begin: int
    ) -> Iterator[bytes]:
        path = self._path(session, where, entry.name)
        with _refusals_as(f"give {entry.shown}"):
            if stat.S_ISLNK(session.files.lstat(_text(path)).st_mode or 0):
                raise FilesRefused(f"{entry.shown} is a link by now, and links aren't followed.")
            with session.files.open(_text(path), "rb", bufsize=0) as file:
                file.seek(begin)
                while block := file.read(_BLOCK):
                    yield block

    def _store(self, where: Where, source: SourceFile, cancel: Cancel) -> None:
        self._do(lambda session, guard: self._put(session, where, source, cancel), cancel)

    def _put(self, session: ShellSession, where: Where, source: SourceFile, cancel: Cancel) -> None:
        store = SftpStore(source)
        self._change_folder(session, where)
        source.rewind()
        try:
            with _refusals_as(f"take {source.name}"):
                store.run(session)
        except BaseException:
            if store.unfinished or store.is_midway:
                tidy(lambda other: self._clear(store, where, other), cancel)
            raise

    def _clear(self, store: SftpStore, where: Where, guard: Guard) -> None:
        session = self._log_in(guard)
        try:
            self._change_folder(session, where)
            store.tidy(session)
        finally:
            session.close()

    def _change_folder(self, session: ShellSession, where: Where) -> None:
        folder = self._within(session, where)
        try:
            session.files.chdir(folder.decode())
        except UnicodeDecodeError:
            raise FilesRefused(f"Nothing can be put into {shown(where[-1])}: its name isn't UTF-8.") from None

    def _rename(self, session: ShellSession, guard: Guard, where: Where, entry: RemoteEntry, name: str) -> None:
        before, after = self._path(session, where, entry.name), self._path(session, where, name)
        with _refusals_as(f"rename {entry.shown}"):
            session.files.rename(_text(before), _text(after))  # refused if the name is taken

    def _remove(self, session: ShellSession, guard: Guard, where: Where, entry: RemoteEntry) -> None:
        path = self._path(session, where, entry.name)
        with _refusals_as(f"delete {entry.shown}"):
            session.files.remove(_text(path))

    def _make(self, session: ShellSession, guard: Guard, where: Where, name: str) -> None:
        path = self._path(session, where, name)
        with _refusals_as(f"make the folder {shown(name)}"):
            session.files.mkdir(_text(path))

    def _remove_folder(self, session: ShellSession, guard: Guard, where: Where, entry: RemoteEntry) -> None:
        path = self._path(session, where, entry.name)
        with _refusals_as(f"remove the folder {entry.shown}"):
            session.files.rmdir(_text(path))

    def _path(self, session: ShellSession, where: Where, name: str) -> bytes:
        return _joined(self._within(session, where), name)

    def _within(self, session: ShellSession, where: Where) -> bytes:
        """Return the path of a folder below the chosen one; raises `FilesRefused` where a link leads out of it."""
        if not where:
            return self._root
        path = self._root
        for each in where:
            path = _joined(path, each)
        with _refusals_as(f"enter the folder {shown(where[-1])}"):
            real = _real(session, path)
        if not (real + b"/").startswith(self._root.rstrip(b"/") + b"/"):
            raise FilesRefused(f"{shown(where[-1])} leads out of the folder of this destination, and wasn't entered.")
        return real


def _text(path: bytes) -> Any:
    """Return a path as the library needs it: it sends bytes unchanged, though it declares a text."""
    return path


def _joined(folder: bytes, name: str) -> bytes:
    return folder.rstrip(b"/") + b"/" + name.encode("utf-8", "surrogateescape")


def _real(session: ShellSession, path: bytes) -> bytes:
    kind, answer = session.files._request(CMD_REALPATH, path)
    if kind != CMD_NAME or answer.get_int() != 1:
        raise FilesRefused("What the SFTP server says of its folder isn't understood.")
    found: bytes = answer.get_string()
    return found


def _entries(session: ShellSession, guard: Guard, folder: bytes) -> tuple[list[RemoteEntry], bool]:
    """Return the entries of a folder, and whether they are complete."""
    kind, answer = session.files._request(CMD_OPENDIR, folder)
    if kind != CMD_HANDLE:
        raise FilesRefused("What the SFTP server says of its folder isn't understood.")
    handle = answer.get_binary()
    found: list[RemoteEntry] = []
    end, complete = time.monotonic() + _SECONDS, True
    while complete:
        try:
            kind, answer = session.files._request(CMD_READDIR, handle)
        except EOFError:
            break
        if kind != CMD_NAME:
            raise FilesRefused("What the SFTP server says of its folder isn't understood.")
        guard.check()
        guard.progressed()
        for _ in range(answer.get_int()):
            name = answer.get_string()
            answer.get_string()  # the same as a line of ls, in the server's own format
            facts = paramiko.SFTPAttributes._from_msg(answer, "", "")
            found.append(_entry(name.decode("utf-8", "surrogateescape"), facts))
            complete = len(found) <= MOST_ENTRIES + 2 and bool(name)  # empty: the answer is shorter than announced
            if not complete:
                break
        complete = complete and time.monotonic() < end
    with contextlib.suppress(OSError, EOFError):
        session.files._request(CMD_CLOSE, handle)
    return found, complete


def _entry(name: str, facts: Any) -> RemoteEntry:
    mode = facts.st_mode or 0
    kind = FOLDER if stat.S_ISDIR(mode) else LINK if stat.S_ISLNK(mode) else FILE if stat.S_ISREG(mode) else OTHER
    when = "" if facts.st_mtime is None else local_time(facts.st_mtime)
    size = facts.st_size if kind == FILE else None
    rights = "" if kind == LINK else rights_of_mode(mode, kind)
    return RemoteEntry(name, kind, size, when, rights, str(facts.st_mtime or ""))


@contextlib.contextmanager
def _refusals_as(what: str) -> Iterator[None]:
    """Turn the server's refusal of `what` into an error with its reason; errors of the connection pass unchanged."""
    try:
        yield
    except OSError as error:
        if isinstance(error, UserFacingError | ConnectionError | TimeoutError) or is_closed(error):
            raise
        why = {
            errno.EACCES: "this user has no right to do that",
            errno.ENOENT: "there is nothing of that name",
        }.get(error.errno or 0, "")
        told = not_done(what, why, "" if why else str(error))
    else:
        return
    raise told
