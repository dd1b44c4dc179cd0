"""Store files in a shared folder: a mounted network share (SMB, NFS), a synchronised folder, a USB stick; and list it.

A file is written under a temporary name in the same folder, flushed, read back and renamed, so that nobody reads half a
file. Each system call is made on a thread that can be abandoned: on a share whose server is gone it may hang for ever.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import secrets
import shutil
import stat
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from .failures import Cancelled, TimedOut, UserFacingError
from .guard import Guard, call_abandonable
from .probing import TEST_CONTENT, Context, Inspection, Result, Steps, new_test_name, usable
from .remote_files import Cancel, FilesRefused, RemoteFiles, Where
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
from .uploads import SourceFile, Uploads, tidy

BLOCK = 256 * 1024
_FLUSH_EVERY = 4 * 1024 * 1024  # bytes: flushing more at once may take longer than the time limit
ORPHANED = 24 * 3600.0  # seconds after which a part is orphaned: its delivery has been given up by then
PART = re.compile(r"\..+\.[0-9a-f]{12}\.abq-part")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)

_GONE = {
    getattr(errno, name, -1)
    for name in (
        "ENOENT", "ENOTDIR", "ESTALE", "EIO", "EREMOTEIO", "ENOTCONN", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN",
        "ENETUNREACH", "ETIMEDOUT", "ECONNRESET", "ECONNREFUSED", "ECONNABORTED", "EPIPE", "ENODEV", "ENXIO",
    )
}  # fmt: skip
_GONE_WINDOWS = {3, 21, 53, 54, 55, 59, 64, 67, 121, 1222, 1231, 1232}  # no path, no network, not ready, …
_IN_USE = {errno.EBUSY, getattr(errno, "ETXTBSY", -1)}
_IN_USE_WINDOWS = {32, 33}  # another program has it open, or a part of it

Answer = TypeVar("Answer")


class FolderFailed(UserFacingError, OSError):
    """The file couldn't be stored in the folder; `transient`: trying again may help."""

    def __init__(self, number: int, sentence: str, transient: bool = False) -> None:
        super().__init__(number, sentence)
        self.transient = transient


class SharedFolder:
    """The folder during one transfer. Raises `FolderFailed`, `TimedOut` and `Cancelled`.

    `mount`: where the share has to be mounted, '' if that isn't checked: while it isn't mounted, the same path is a
    folder of this computer's own disk, which nobody else sees.
    """

    def __init__(self, folder: str, mount: str, guard: Guard) -> None:
        self.path = Path(folder)
        self._mount = mount
        self._guard = guard

    def call(self, work: Callable[[], Answer]) -> Answer:
        """Return `work()`, which may hang, so it is called on a thread that can be abandoned."""
        try:
            answer = call_abandonable(work, self._guard.check)
        except FolderFailed:
            raise
        except TimedOut:
            failed: OSError = TimedOut(
                f"The shared folder {self.path} didn't answer in time ({self._guard.wait:g} s). "
                "Look whether its server is there, or try again later."
            )
        except Cancelled:
            raise
        except OSError as error:
            failed = self.failure(error)
        else:
            self._guard.progressed()
            return answer
        raise failed

    def enter(self) -> os.stat_result:
        """Check that the folder exists, on the share; return its status."""
        if self._mount and not self.call(lambda: os.path.ismount(self._mount)):
            sentence = f"Nothing is mounted at {self._mount}: the share isn't there. Nothing was sent."
            raise FolderFailed(errno.ENOENT, f"{sentence} Mount it, or ask your administrator.", True)
        found = self.call(self.path.stat)
        if not stat.S_ISDIR(found.st_mode):
            raise FolderFailed(errno.ENOTDIR, f"{self.path} isn't a folder. Correct the setting 'abq_folder_path'.")
        return found

    def put(self, name: str, blocks: Iterable[bytes | memoryview]) -> str:
        """Write a file under a temporary name; return the SHA-256 of its content."""
        path, digest, unflushed = self.path / name, hashlib.sha256(), 0
        self.remove(name)  # left by a failed attempt; an abandoned thread that still writes has the old inode then
        file = self.call(lambda: io.FileIO(os.open(path, _NEW, 0o666), "wb"))
        with self.closing(file):
            for block in blocks:
                self._guard.check()
                content = bytes(block)  # a copy: an abandoned thread must not see the next block
                self.call(lambda content=content: write_all(file, content))  # type: ignore[misc]
                digest.update(content)
                unflushed += len(content)
                if unflushed >= _FLUSH_EVERY:
                    self.call(lambda: os.fsync(file.fileno()))
                    unflushed = 0
            self.call(lambda: os.fsync(file.fileno()))
        return digest.hexdigest()

    def digest(self, name: str) -> str:
        """Return the SHA-256 of a file there, as the share has it."""
        path, digest = self.path / name, hashlib.sha256()
        file = self.call(lambda: io.FileIO(os.open(path, _READ), "rb"))
        with self.closing(file):
            if hasattr(os, "posix_fadvise"):  # drop the page cache, so that the share is read and not our memory
                with contextlib.suppress(FolderFailed):
                    self.call(lambda: os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED))
            while block := self.call(lambda: file.read(BLOCK)):
                self._guard.check()
                digest.update(block)
        return digest.hexdigest()

    def rename(self, part: str, name: str, expected: str) -> None:
        """Rename the file, replacing only an older one of exactly that name."""
        self._require_replaceable(name)
        try:
            self.call(lambda: (self.path / part).replace(self.path / name))
        except FolderFailed:
            # If the first answer was lost, the request is repeated, and refused if the server has done it already.
            if self.exists(part) or not self.exists(name) or self.digest(name) != expected:
                raise
        self.call(self._flush_folder)

    def confirm(self, name: str, size: int) -> None:
        """Raise `FolderFailed` unless the file is there under its name, with that size."""
        found = self.call((self.path / name).lstat)
        if not stat.S_ISREG(found.st_mode) or found.st_size != size:
            raise FolderFailed(errno.EIO, f"The shared folder has not all of {name}. Send it again.", True)

    def exists(self, name: str) -> bool:
        """Return whether there is anything of that name."""
        return self.call(lambda: os.path.lexists(self.path / name))

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        self.call(lambda: _remove(self.path / name))

    def clean(self, written: str) -> None:
        """Remove orphaned parts: more than a day older than the file `written`, by the share's own clock."""

        def work() -> None:
            now = (self.path / written).lstat().st_mtime
            with os.scandir(self.path) as entries:
                for entry in entries:
                    self._guard.progressed()
                    if not PART.fullmatch(entry.name):
                        continue
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode) and now - status.st_mtime > ORPHANED:
                        _remove(Path(entry.path))

        self.call(work)

    def failure(self, error: OSError) -> FolderFailed:
        """Return the error for a system error, with a text for users."""
        number, windows = error.errno or 0, getattr(error, "winerror", None)
        if number in _IN_USE or windows in _IN_USE_WINDOWS:
            said, transient = "can't be replaced: another program has the old file open. It is tried again", True
            return FolderFailed(number, f"The file in the shared folder {self.path} {said}.", transient)
        if windows in _GONE_WINDOWS or number in _GONE:
            return FolderFailed(
                number,
                f"The shared folder {self.path} isn't there ({error.strerror}). "
                "Look whether the share is mounted and its server runs, then try again.",
                True,
            )
        what, transient = {
            errno.ENOSPC: ("is full. Tell its administrator", True),
            getattr(errno, "EDQUOT", -1): ("takes no more of you: your space there is used up", True),
            errno.EROFS: ("can only be read. Tell its administrator", False),
            errno.EACCES: (
                "refused the file: you have no right to write there, or another program has the old one open. "
                "Ask its administrator",
                windows is not None,
            ),
            errno.EPERM: ("refused the file: you have no right to write there. Ask its administrator", False),
            errno.EFBIG: ("takes no file of this size. Tell its administrator", False),
            errno.ENAMETOOLONG: ("refused the file: its name is too long there", False),
            errno.EILSEQ: ("refused the file: its name can't be written there", False),
            errno.EINVAL: ("refused the file: its name can't be written there", False),
            errno.ELOOP: ("can't be entered: it is a link that leads in a circle, or one stands at the name", False),
        }.get(number, (f"reported an error ({error.strerror}). Tell its administrator", False))
        return FolderFailed(number, f"The shared folder {self.path} {what}.", transient)

    def _require_replaceable(self, name: str) -> None:
        found = self.call(lambda: _status(self.path / name))
        if found is None:
            return
        if not stat.S_ISREG(found.st_mode):
            what = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a link"}.get(stat.S_IFMT(found.st_mode), "no file")
            raise FolderFailed(
                errno.EEXIST, f"{name} is {what} in the shared folder {self.path}, so nothing was put there. Rename it."
            )
        other = self.call(lambda: self._other_spelling(name))
        if other:
            raise FolderFailed(
                errno.EEXIST,
                f"The shared folder {self.path} has a file {other}, and takes {name} for the same name. "
                "It wasn't replaced. Rename it, or change the setting 'abq_upload_name'.",
            )

    def _other_spelling(self, name: str) -> str:
        """Return the real name of the file found as `name`, if it is spelled otherwise (A.csv, a.csv); else ''."""
        same = ""
        with os.scandir(self.path) as entries:
            for entry in entries:
                self._guard.progressed()
                if entry.name == name:
                    return ""
                if _folded(entry.name) == _folded(name):
                    same = entry.name
        return same

    def _flush_folder(self) -> None:
        """Sync the folder, so that the new name is on disk, too, if the system supports that."""
        with contextlib.suppress(OSError):
            descriptor = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    @contextlib.contextmanager
    def closing(self, file: io.FileIO) -> Iterator[None]:
        """Close the file at the end; after an error, don't wait for the close."""
        try:
            yield
            self.call(file.close)  # some servers report only here that there is no space left
        except BaseException:
            threading.Thread(target=_close, args=(file,), name="network-abandonable", daemon=True).start()
            raise


class FolderUploads(Uploads):
    """Puts files into the folder; there is no login."""

    def __init__(self, folder: str, mount: str = "", *, timeout: float) -> None:
        super().__init__(timeout)
        self.folder, self._mount = folder, mount
        self._cleaned = False

    def share(self, guard: Guard) -> SharedFolder:
        """Return the folder under a guard."""
        return SharedFolder(self.folder, self._mount, guard)

    def close(self) -> None:
        """Do nothing: no session stays open."""

    def _attempt(
        self, source: SourceFile, identifier: str | None, cancel: threading.Event | None
    ) -> BaseException | None:
        part = part_of(source.name, identifier)
        with Guard(cancel, self._timeout) as guard:
            try:
                self._store(self.share(guard), source, part)
                return None
            except OSError as error:
                failure: BaseException = error if isinstance(error, TimedOut) else guard.verdict() or error
            except BaseException as error:  # of the progress callback, or Ctrl-C
                failure = error
        if not isinstance(failure, TimedOut):  # removing the part would time out, too
            tidy(lambda guard: self.share(guard).remove(part), cancel)
        return failure.with_traceback(None) if isinstance(failure, UserFacingError) else failure

    def _store(self, share: SharedFolder, source: SourceFile, part: str) -> None:
        share.enter()
        source.rewind()
        written = share.put(part, source.blocks(BLOCK))
        if share.digest(part) != written:
            raise FolderFailed(
                errno.EIO, f"What the shared folder has of {source.name} differs from what was sent. Send it again.",
                True,
            )  # fmt: skip
        share.rename(part, source.name, written)
        share.confirm(source.name, source.size)
        if not self._cleaned:
            self._cleaned = True
            with contextlib.suppress(FolderFailed):  # the file is stored; old parts may stay
                share.clean(source.name)


def part_of(name: str, identifier: str | None) -> str:
    """Return a file's temporary name, which is the same for all attempts at one delivery."""
    mark = secrets.token_hex(6) if identifier is None else hashlib.sha256(identifier.encode()).hexdigest()[:12]
    return f".{name}.{mark}.abq-part"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def write_all(file: io.FileIO, content: bytes) -> None:
    """Write all of `content`, even if the system writes it in parts."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]  # not by file descriptor, which might belong to another file after a close


def _close(file: io.FileIO) -> None:
    with contextlib.suppress(OSError):
        file.close()


_LITTLE = 100 * 1024 * 1024  # bytes
_OWN_DISK = (
    "It lies on this computer's own disk. If a share belongs there, set abq_folder_mount: nothing is sent then while "
    "it isn't mounted."
)


def probe(kind: str, problem: str, context: Context) -> Steps[None]:
    """Check the folder. `problem`: why a setting can't be used."""
    path, mount = str(context.settings["abq_folder_path"]), str(context.settings["abq_folder_mount"])
    inspection = Inspection(f"Shared folder {path}".strip(), context, kind)
    yield from usable(inspection, problem)
    share = SharedFolder(path, mount, inspection.guard)
    yield from inspection.step("Folder", lambda: _enter(share, mount))
    yield from inspection.step("Room", lambda: _room(share))
    if context.wanted.write:
        yield from inspection.step("Write test", lambda: _store(share))


def _enter(share: SharedFolder, mount: str) -> Result[None]:
    found = share.enter()
    is_own = not mount and os.name == "posix" and found.st_dev == Path("/").stat().st_dev
    return Result(None, "it is there" + (f", mounted at {mount}" if mount else ""), _OWN_DISK if is_own else "")


def _room(share: SharedFolder) -> Result[None]:
    free = share.call(lambda: shutil.disk_usage(share.path)).free
    megabytes = f"{free / 1024 / 1024:,.0f} MiB free"
    return Result(None, megabytes, "Little space is left there: tell its administrator." if free < _LITTLE else "")


def _store(share: SharedFolder) -> Result[None]:
    name = new_test_name()
    try:
        share.put(name, [TEST_CONTENT])
    finally:
        try:
            share.remove(name)
        except FolderFailed:
            left = True
        else:
            left = False
    advice = "It stays there: you may not remove files, and an older extract can't be replaced." if left else ""
    return Result(None, f"{name} was stored{'' if left else ' and removed again'}", advice)


class FolderFiles(RemoteFiles[SharedFolder]):
    """The files in a shared folder; there is no login."""

    errors = (OSError, ValueError)

    def __init__(self, uploads_into: Callable[[str], FolderUploads], folder: str, timeout: float) -> None:
        """`uploads_into(folder)` returns the uploads to it. Nothing is accessed yet."""
        super().__init__(timeout)
        self._uploads_into = uploads_into
        self._uploads = uploads_into(folder)

    @property
    def place(self) -> str:
        return self._uploads.folder

    def _log_in(self, guard: Guard) -> SharedFolder:
        share = self._uploads.share(guard)
        share.enter()
        return share

    def _continue(self, session: SharedFolder, guard: Guard) -> None:
        """Do nothing: there is no session, and each call checks again whether the share is there."""

    def _end(self, session: SharedFolder, politely: bool) -> None:
        """Do nothing: no session stays open."""

    def _ready(self, guard: Guard) -> SharedFolder:
        return self._log_in(guard)

    def _in_words(self, error: Exception, guard: Guard) -> Exception:
        return error

    def _is_break(self, error: Exception) -> bool:
        return False

    def _list(self, session: SharedFolder, guard: Guard, where: Where) -> Listing:
        folder = self._within(session, where)

        def work() -> tuple[list[RemoteEntry], bool]:
            found: list[RemoteEntry] = []
            with os.scandir(folder) as entries:
                for each in entries:
                    guard.progressed()
                    if len(found) > MOST_ENTRIES:
                        return found, False
                    found.append(_entry(each.name, each.stat(follow_symlinks=False)))
            return found, True

        found, complete = session.call(work)
        return listing(found, complete=complete, rights=session.call(lambda: _own_rights(folder)))

    def _fetch(
        self, session: SharedFolder, guard: Guard, where: Where, entry: RemoteEntry, begin: int
    ) -> Iterator[bytes]:
        path = self._within(session, where) / entry.name
        flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        file = session.call(lambda: io.FileIO(os.open(path, flags), "rb"))
        with session.closing(file):
            session.call(lambda: file.seek(begin))
            while block := session.call(lambda: file.read(BLOCK)):
                yield block

    def _store(self, where: Where, source: SourceFile, cancel: Cancel) -> None:
        folder = self._do(lambda session, guard: self._within(session, where), cancel)
        self._uploads_into(str(folder)).send(source, cancel)

    def _rename(self, session: SharedFolder, guard: Guard, where: Where, entry: RemoteEntry, name: str) -> None:
        folder = self._within(session, where)
        session.call(lambda: (folder / entry.name).rename(folder / name))

    def _remove(self, session: SharedFolder, guard: Guard, where: Where, entry: RemoteEntry) -> None:
        folder = self._within(session, where)
        session.call(lambda: (folder / entry.name).unlink())

    def _make(self, session: SharedFolder, guard: Guard, where: Where, name: str) -> None:
        folder = self._within(session, where)
        session.call(lambda: (folder / name).mkdir())

    def _remove_folder(self, session: SharedFolder, guard: Guard, where: Where, entry: RemoteEntry) -> None:
        folder = self._within(session, where)
        session.call(lambda: (folder / entry.name).rmdir())

    def _within(self, session: SharedFolder, where: Where) -> Path:
        """Return a folder below the destination's; raises `FilesRefused` if a link leads out of it."""
        root = session.call(lambda: session.path.resolve(strict=True))
        path = session.call(lambda: root.joinpath(*where).resolve(strict=True))
        if not path.is_relative_to(root):
            raise FilesRefused(f"{shown(where[-1])} leads out of the folder of this destination, and wasn't entered.")
        return path


def _entry(name: str, status: os.stat_result) -> RemoteEntry:
    mode = status.st_mode
    kind = FOLDER if stat.S_ISDIR(mode) else LINK if stat.S_ISLNK(mode) else FILE if stat.S_ISREG(mode) else OTHER
    rights = "" if kind == LINK or os.name == "nt" else rights_of_mode(mode, kind)
    size = status.st_size if kind == FILE else None
    return RemoteEntry(name, kind, size, local_time(status.st_mtime), rights, str(status.st_mtime_ns))


def _own_rights(folder: Path) -> str:
    return "you may list and change" if os.access(folder, os.W_OK) else "you may list; you may not change"
