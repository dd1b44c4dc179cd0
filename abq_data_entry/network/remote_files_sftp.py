"""The folder of an SFTP server in view (draft-ietf-secsh-filexfer-02). Paths go as bytes, as the server gave them."""

from __future__ import annotations

import contextlib
import errno
import stat
import time
from collections.abc import Iterator
from typing import Any

import paramiko
from paramiko.sftp import CMD_CLOSE, CMD_HANDLE, CMD_NAME, CMD_OPENDIR, CMD_READDIR, CMD_REALPATH

from .failures import UserFacingError
from .guard import Guard
from .remote_files import Cancel, RemoteFiles, Where
from .remote_files_failures import FilesRefused, refusal
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
from .secure_shell import SftpStore, SftpUploads, is_cut, sanitized
from .sftp_folder import is_closed
from .shell_session import ShellSession, log_in
from .uploads import SourceFile, tidy

_BLOCK = 32_000  # what fits into one packet
_SECONDS = 120.0  # for a listing


class SftpFiles(RemoteFiles[ShellSession]):
    """By SFTP, with the login and the options of deliveries."""

    errors = (paramiko.SSHException, OSError, EOFError, ValueError)

    def __init__(self, uploads: SftpUploads, timeout: float) -> None:
        """`uploads`: what has the login; nothing is sent by it. Connects to nothing yet."""
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

    def _continue(self, session: ShellSession, guard: Guard) -> None:
        session.continue_under(guard)

    def _end(self, session: ShellSession, politely: bool) -> None:
        session.close()

    def _in_words(self, error: Exception, guard: Guard) -> Exception:
        return sanitized(error, self._to.host)

    def _is_break(self, error: Exception) -> bool:
        return is_cut(error)

    def _list(self, session: ShellSession, guard: Guard, where: Where) -> Listing:
        folder = self._within(session, where)
        with _telling(f"list {shown(where[-1]) if where else 'the folder'}"):
            rights = rights_of_mode(session.files.stat(_text(folder)).st_mode or 0, FOLDER)
            found, complete = _entries(session, guard, folder)
        return listing(found, complete=complete, rights=rights)

    def _fetch(
        self, session: ShellSession, guard: Guard, where: Where, entry: RemoteEntry, begin: int
    ) -> Iterator[bytes]:
        path = self._path(session, where, entry.name)
        with _telling(f"give {entry.shown}"):
            if stat.S_ISLNK(session.files.lstat(_text(path)).st_mode or 0):
                raise FilesRefused(f"{entry.shown} is a link by now, and links aren't followed.")
            with session.files.open(_text(path), "rb", bufsize=0) as file:
                file.seek(begin)
                while block := file.read(_BLOCK):
                    yield block

    def _store(self, where: Where, source: SourceFile, cancel: Cancel) -> None:
        self._do(lambda session, guard: self._put(session, where, source), cancel)

    def _put(self, session: ShellSession, where: Where, source: SourceFile) -> None:
        store = SftpStore(source)
        self._go(session, where)
        source.rewind()
        try:
            with _telling(f"take {source.name}"):
                store.run(session)
        except BaseException:
            if store.unfinished:
                tidy(lambda other: self._clear(store, where, other), None)
            raise

    def _clear(self, store: SftpStore, where: Where, guard: Guard) -> None:
        session = self._log_in(guard)
        try:
            self._go(session, where)
            store.tidy(session)
        finally:
            session.close()

    def _go(self, session: ShellSession, where: Where) -> None:
        folder = self._within(session, where)
        try:
            session.files.chdir(folder.decode())
        except UnicodeDecodeError:
            raise FilesRefused(f"Nothing can be put into {shown(where[-1])}: its name isn't UTF-8.") from None

    def _rename(self, session: ShellSession, guard: Guard, where: Where, entry: RemoteEntry, name: str) -> None:
        before, after = self._path(session, where, entry.name), self._path(session, where, name)
        with _telling(f"rename {entry.shown}"):
            session.files.rename(_text(before), _text(after))  # refused where something has that name

    def _remove(self, session: ShellSession, guard: Guard, where: Where, entry: RemoteEntry) -> None:
        path = self._path(session, where, entry.name)
        with _telling(f"delete {entry.shown}"):
            session.files.remove(_text(path))

    def _make(self, session: ShellSession, guard: Guard, where: Where, name: str) -> None:
        path = self._path(session, where, name)
        with _telling(f"make the folder {shown(name)}"):
            session.files.mkdir(_text(path))

    def _remove_folder(self, session: ShellSession, guard: Guard, where: Where, entry: RemoteEntry) -> None:
        path = self._path(session, where, entry.name)
        with _telling(f"remove the folder {entry.shown}"):
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
        with _telling(f"enter the folder {shown(where[-1])}"):
            real = _real(session, path)
        if not (real + b"/").startswith(self._root.rstrip(b"/") + b"/"):
            raise FilesRefused(f"{shown(where[-1])} leads out of the folder of this destination, and wasn't entered.")
        return real


def _text(path: bytes) -> Any:
    """What the library takes for a path: it sends bytes as they are, though it says that it wants a text."""
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
    """Return what is in a folder, and whether it is all."""
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
            answer.get_string()  # the same as a line of ls, in the form that the server likes
            facts = paramiko.SFTPAttributes._from_msg(answer, "", "")
            found.append(_entry(name.decode("utf-8", "surrogateescape"), facts))
            complete = len(found) <= MOST_ENTRIES + 2 and bool(name)  # an empty one: the answer is shorter than it says
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
def _telling(what: str) -> Iterator[None]:
    """Let the server's refusal be told as one of `what`; errors of the connection go on as they are."""
    try:
        yield
    except OSError as error:
        if isinstance(error, UserFacingError | ConnectionError | TimeoutError) or is_closed(error):
            raise
        why = {
            errno.EACCES: "this user has no right to do that",
            errno.ENOENT: "there is nothing of that name",
        }.get(error.errno or 0, "")
        told = refusal(what, why, "" if why else str(error))
    else:
        return
    raise told
