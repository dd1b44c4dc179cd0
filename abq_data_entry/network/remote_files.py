"""Files in the folder of a destination: list, fetch, store, rename and remove them.

One interface for FTP, FTPS, SFTP, WebDAV and shared folders. Each call has a guard of its own, and can be cancelled by
an event; the session is kept from one call to the next. A path is a tuple of names, relative to the destination's
folder; neither `..` nor a link leads out of that. A file is fetched to a temporary name beside its target, and renamed
once it is complete; nothing is written outside the target's folder, and files are replaced only with `replace`.
"""

from __future__ import annotations

import abc
import contextlib
import errno
import hashlib
import io
import os
import re
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, TypeVar

from .failures import Cancelled, UserFacingError, with_server_message
from .guard import Guard
from .remote_files_names import FILE, FOLDER, LINK, UNKNOWN, Listing, RemoteEntry, name_problem, shown
from .uploads import Breaks, KeptSession, Progress, SourceFile

try:
    import fcntl
except ImportError:  # Windows: nobody else can remove or replace an open file there
    fcntl = None  # type: ignore[assignment]


class FilesRefused(UserFacingError, Exception):
    """The operation wasn't done; the text says why."""


class AlreadyThere(FilesRefused):
    """Something has that name, and wasn't replaced."""


class NothingThere(FilesRefused):
    """Nothing has that name."""


class BrokenOff(FilesRefused):
    """A transfer ended before it was complete."""

    transient = True


def not_done(what: str, why: str, said: str = "") -> FilesRefused:
    """Return that the server refused something: `what` as `delete a.csv`, `why` as the end of a sentence or empty."""
    return FilesRefused(with_server_message(f"The server didn't {what}{f': {why}' if why else ''}.", said))


OVERLAP = 64 * 1024
"""How many bytes at the end of a part are fetched again and compared before the download continues."""

KEPT_SECONDS = 7 * 24 * 3600.0
"""How long a part is kept if nobody continues it: by then, the file there may be another one."""

_BLOCK = 256 * 1024
_PART = re.compile(r"\..{1,80}\.[0-9a-f]{12}\.abq-part(\.text)?", re.DOTALL)
_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class NotTheSame(Exception):
    """The fetched bytes differ from the part: the file there has changed."""


def require_free(target: Path, replace: bool) -> None:
    """Raise `AlreadyThere` if a file stands at this place, `FilesRefused` if something else does."""
    try:
        found = target.lstat()
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise FilesRefused(f"The folder {target.parent} doesn't exist on this computer.") from None
        return
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a link" if stat.S_ISLNK(found.st_mode) else "no file"
        raise FilesRefused(f"{target} is {what} on this computer, so nothing was put there. Choose another name.")
    if not replace:
        raise AlreadyThere(f"{target} is there already on this computer, and wasn't replaced.")


class Download:
    """A download to `target`. `mark`: identifies the file and its version there, so that only its own part is
    continued.

    A context manager: after an error, a part that is worth keeping is kept, otherwise removed.
    """

    def __init__(self, target: Path, mark: str, expected: int | None) -> None:
        name = hashlib.sha256(mark.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        self._target = target
        self._part = target.with_name(f".{target.name[:80]}.{name}.abq-part")
        self._expected = expected
        self.position = 0
        self._old = 0
        self._done = False

    def __enter__(self) -> Download:
        try:
            self._file = io.FileIO(os.open(self._part, _OPEN, 0o666), "r+b")
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK):
                raise FilesRefused(f"{self._part} is a link. Remove it.") from None
            raise
        if fcntl is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._file.close()
                raise FilesRefused(f"{self._target.name} is being fetched already, by another program.") from None
        with contextlib.suppress(OSError):
            _remove_old_parts(self._target.parent, self._part.name)
        self._old = os.fstat(self._file.fileno()).st_size
        if self._expected is not None and self._old > self._expected:
            self.restart()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        size = os.fstat(self._file.fileno()).st_size
        if os.name == "nt":
            self._file.close()  # open files can't be removed there
        if not self._done and size <= OVERLAP:
            self._part.unlink(missing_ok=True)
        self._file.close()

    @property
    def kept(self) -> int:
        """How many bytes of the file are here."""
        return self._old

    def begin(self) -> int:
        """Seek to where the download continues, a little before the end of the part; return that position."""
        self._require_room()
        self.position = max(self._old - OVERLAP, 0)
        self._file.seek(self.position)
        return self.position

    def restart(self) -> None:
        """Start again with the first byte."""
        self._file.truncate(0)
        self._file.seek(0)
        self.position = self._old = 0

    def write(self, block: bytes) -> None:
        """Write the next bytes. Raises `NotTheSame` if they differ from those that are here, and `OSError`."""
        known = self._old - self.position
        if known > 0:
            again, block = block[:known], block[known:]
            if self._file.read(len(again)) != again:
                raise NotTheSame
            self.position += len(again)
        rest = memoryview(block)
        while rest:
            count = self._file.write(rest)
            rest = rest[count:]
            self.position += count
            self._old = self.position

    def sha256(self) -> str:
        """Return the digest of what is here."""
        digest = hashlib.sha256()
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            digest.update(block)
        return digest.hexdigest()

    def finish(self, replace: bool, text: bool = False) -> None:
        """Give the file its name; with `text` its line ends become this computer's. Raises `AlreadyThere`."""
        whole = self._converted() if text else self._part
        with whole.open("rb+") as file:
            os.fsync(file.fileno())
        try:
            require_free(self._target, replace)
            if os.name == "nt":
                self._file.close()
            _move_into_place(whole, self._target, replace)
        except BaseException:
            if whole != self._part:
                whole.unlink(missing_ok=True)
            raise
        self._done = True
        if whole != self._part:
            self._part.unlink(missing_ok=True)

    def _converted(self) -> Path:
        path = self._part.with_name(f"{self._part.name}.text")
        path.unlink(missing_ok=True)
        with path.open("xb") as file:
            self._file.seek(0)
            held = b""
            while block := self._file.read(_BLOCK):
                block = held + block
                held = b"\r" if block.endswith(b"\r") else b""
                file.write(with_line_ends(block[: len(block) - len(held)]))
            file.write(held)
        return path

    def _require_room(self) -> None:
        wanted = (self._expected or 0) - self._old
        free = shutil.disk_usage(self._target.parent).free
        if wanted > free:
            raise FilesRefused(
                f"{self._target.name} has {self._expected:,} bytes, and the disk of this computer only {free:,} free."
            )


def _remove_old_parts(folder: Path, but: str) -> None:
    """Remove parts of downloads that nobody has continued for days, except the present one, `but`."""
    oldest = time.time() - KEPT_SECONDS
    with os.scandir(folder) as entries:
        for each in entries:
            if each.name == but or not _PART.fullmatch(each.name) or not each.is_file(follow_symlinks=False):
                continue
            status = each.stat(follow_symlinks=False)
            is_own = os.name == "nt" or status.st_uid == os.geteuid()
            if is_own and status.st_mtime < oldest:
                with contextlib.suppress(OSError):
                    _remove_unless_in_use(each.path)


def _remove_unless_in_use(path: str) -> None:
    if os.name == "nt":  # it doesn't remove open files
        os.unlink(path)  # noqa: PTH108 - the path of an entry
        return
    with io.FileIO(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)) as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)  # noqa: PTH108 - the path of an entry


def with_line_ends(block: bytes, end: str = os.linesep) -> bytes:
    """Return a text with these line ends, whichever it had."""
    return block.replace(b"\r\n", b"\n").replace(b"\n", end.encode())


def _move_into_place(whole: Path, target: Path, replace: bool) -> None:
    """Rename; without `replace`, never overwrite a file, even if it has only just appeared."""
    if not replace:
        try:
            os.link(whole, target)
        except FileExistsError:
            raise AlreadyThere(f"{target} is there already on this computer, and wasn't replaced.") from None
        except (OSError, NotImplementedError):  # a file system without hard links
            pass
        else:
            with contextlib.suppress(OSError):
                whole.unlink()
            return
    whole.replace(target)


Where = tuple[str, ...]
Cancel = threading.Event | None

LARGEST_UNKNOWN = 1024**3
"""The largest file, in bytes, of which the server doesn't report the size."""

_SLOWEST = 1000  # bytes a second, on the average …
_PATIENCE = 600.0  # … after so many seconds
_REPORTED = 0.05  # seconds between two reports of progress

Session = TypeVar("Session")
Answer = TypeVar("Answer")


class FetchedFile(NamedTuple):
    """A fetched file: its path, its size and SHA-256 at the destination, and how it was verified."""

    path: Path
    size: int
    sha256: str
    verified: str


class RemoteFiles(KeptSession[Session]):
    """The folder of a destination, for one thread at a time. `timeout`: seconds without data.

    All methods raise `FilesRefused`, connection errors with texts for users, and `Cancelled`.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    def __enter__(self) -> RemoteFiles[Session]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session. Another call would log in again."""
        self._drop(politely=True)

    def list(self, where: Where = (), cancel: Cancel = None) -> Listing:
        """Return the entries of a folder; a very long listing is truncated, which its remark says."""
        _check(*where)
        return self._do(lambda session, guard: self._list(session, guard, where), cancel)

    def find(self, where: Where, name: str, cancel: Cancel = None) -> RemoteEntry:
        """Return what has that name, as it is or as it is shown. Raises `NothingThere`."""
        found = self.list(where, cancel)
        entry = found.find(name)
        if entry is None and not found.complete and not name_problem(name):
            entry = RemoteEntry(name, UNKNOWN)  # it may be in the part that isn't listed
        if entry is None:
            raise NothingThere(f"There is no {shown(name)} in {in_words(where)}.")
        return entry

    def get(
        self,
        where: Where,
        entry: RemoteEntry,
        target: Path,
        *,
        replace: bool = False,
        text: bool = False,
        progress: Progress | None = None,
        cancel: Cancel = None,
    ) -> FetchedFile:
        """Fetch a file to this path of this computer.

        It has a temporary name until it is complete and verified; what a broken or cancelled attempt left is continued.
        `text`: its line ends become those of this computer.
        """
        _check(*where, entry.name)
        _require_file(entry)
        require_free(target, replace)
        changed = entry.version or entry.when
        mark = f"{self.place} {where} {entry.name} {entry.size} {changed}"
        with Download(target, mark, entry.size) as part:
            if not changed:
                part.restart()  # a part of an earlier call may be of another version, and nothing shows it
            try:
                told = self._do(
                    lambda session, guard: self._receive(session, guard, where, entry, part, _throttled(progress)),
                    cancel,
                    Breaks(),
                    lambda: part.kept,
                )
            except NotTheSame:
                raise BrokenOff(f"{entry.shown} changes while it is fetched. Try again later.") from None
            digest, size = part.sha256(), part.kept
            if told and told != digest:
                part.restart()
                raise BrokenOff(f"What came of {entry.shown} differs from what the server has. Fetch it again.")
            part.finish(replace, text)
        verified = "its SHA-256" if told else "its size" if entry.size is not None else ""
        return FetchedFile(target, size, digest, verified)

    def sha256(self, where: Where, entry: RemoteEntry, cancel: Cancel = None) -> str:
        """Return the digest of a file there: the server's own, else that of the content sent. Nothing is written."""
        _check(*where, entry.name)
        _require_file(entry)

        def work(session: Session, guard: Guard) -> str:
            told = self._digest(session, where, entry)
            digest, size = hashlib.sha256(), 0
            limit = LARGEST_UNKNOWN if entry.size is None else entry.size
            if told:
                return told
            for block in self._fetch(session, guard, where, entry, 0):
                guard.check()
                guard.progressed()
                digest.update(block)
                size += len(block)
                if size > limit:
                    raise BrokenOff(_too_large(entry))
            return digest.hexdigest()

        return self._do(work, cancel)

    def put(
        self,
        where: Where,
        path: str | os.PathLike[str],
        name: str | None = None,
        *,
        replace: bool = False,
        progress: Progress | None = None,
        cancel: Cancel = None,
    ) -> str:
        """Store a file of this computer in a folder, as deliveries are stored; return its name there."""
        with SourceFile(path, progress, name) as source:
            _check(*where, source.name)
            there = self._find_or_none(where, source.name, cancel)
            if there is not None and there.kind not in (FILE, UNKNOWN):
                raise FilesRefused(f"{there.shown} is {_kind_in_words(there)} there, so nothing was put in its place.")
            if there is not None and not replace:
                raise AlreadyThere(f"{_exists(there)}, and wasn't replaced.")
            self._store(where, source, cancel)
            return source.name

    def rename(self, where: Where, entry: RemoteEntry, name: str, cancel: Cancel = None) -> None:
        """Give something another name in its folder. Raises `AlreadyThere`: nothing is ever replaced by this."""
        _check(*where, entry.name, name)
        there = self._find_or_none(where, name, cancel)
        if there is not None:
            raise AlreadyThere(f"{_exists(there)}, and wasn't replaced.")
        self._do(lambda session, guard: self._rename(session, guard, where, entry, name), cancel)

    def remove(self, where: Where, entry: RemoteEntry, cancel: Cancel = None) -> None:
        """Delete a file, or a link without what it leads to. It can't be undone."""
        _check(*where, entry.name)
        if entry.kind == FOLDER:
            raise FilesRefused(f"{entry.shown} is a folder. Another command removes folders, and only empty ones.")
        self._do(lambda session, guard: self._remove(session, guard, where, entry), cancel)

    def make_folder(self, where: Where, name: str, cancel: Cancel = None) -> None:
        """Make a folder."""
        _check(*where, name)
        there = self.list(where, cancel).find(name)
        if there is not None:
            raise AlreadyThere(f"{there.shown} is there already: {_kind_in_words(there)}.")
        self._do(lambda session, guard: self._make(session, guard, where, name), cancel)

    def remove_folder(self, where: Where, entry: RemoteEntry, cancel: Cancel = None) -> None:
        """Remove a folder that is empty."""
        _check(*where, entry.name)
        if entry.kind not in (FOLDER, UNKNOWN):
            raise FilesRefused(f"{entry.shown} is {_kind_in_words(entry)}, and no folder.")
        within = self.list((*where, entry.name), cancel)
        if within.entries or within.remark:  # a server may remove all that is in it, too
            raise FilesRefused(f"The folder {entry.shown} isn't empty, and wasn't removed.")
        self._do(lambda session, guard: self._remove_folder(session, guard, where, entry), cancel)

    # -- what each protocol does ------------------------------------------------------------------------

    @property
    @abc.abstractmethod
    def place(self) -> str:
        """Where it is, for people and comparing, without secrets."""

    @abc.abstractmethod
    def _in_words(self, error: Exception, guard: Guard) -> Exception:
        """Return the error with a text for users, without its origin and without the password."""

    @abc.abstractmethod
    def _list(self, session: Session, guard: Guard, where: Where) -> Listing: ...

    @abc.abstractmethod
    def _fetch(self, session: Session, guard: Guard, where: Where, entry: RemoteEntry, begin: int) -> Iterator[bytes]:
        """Yield the content from `begin` on. Raises `CannotResume` if only the whole file is available."""

    def _digest(self, session: Session, where: Where, entry: RemoteEntry) -> str:
        """Return the SHA-256 that the server reports for a file; empty if it doesn't."""
        return ""

    @abc.abstractmethod
    def _store(self, where: Where, source: SourceFile, cancel: Cancel) -> None:
        """Store a file in a folder, in place of an older one, under its own guard."""

    @abc.abstractmethod
    def _rename(self, session: Session, guard: Guard, where: Where, entry: RemoteEntry, name: str) -> None: ...

    @abc.abstractmethod
    def _remove(self, session: Session, guard: Guard, where: Where, entry: RemoteEntry) -> None: ...

    @abc.abstractmethod
    def _make(self, session: Session, guard: Guard, where: Where, name: str) -> None: ...

    @abc.abstractmethod
    def _remove_folder(self, session: Session, guard: Guard, where: Where, entry: RemoteEntry) -> None: ...

    # -- what is common to them -------------------------------------------------------------------------

    def _find_or_none(self, where: Where, name: str, cancel: Cancel) -> RemoteEntry | None:
        """Return what has that name, or may have it: a truncated listing doesn't show which names are free."""
        try:
            return self.find(where, name, cancel)
        except NothingThere:
            return None

    def _do(
        self,
        work: Callable[[Session, Guard], Answer],
        cancel: Cancel,
        breaks: Breaks | None = None,
        found: Callable[[], int] = lambda: 0,
    ) -> Answer:
        """Do the work under its own guard; repeat it if an earlier call's session is dead or, with `breaks`, broke."""
        with Guard(cancel, self._timeout) as guard:
            while True:
                was_open = self._session is not None
                try:
                    return work(self._ready(guard), guard)
                except FilesRefused as error:
                    failure: Exception = guard.verdict() or error
                    if isinstance(failure, BrokenOff | Cancelled):
                        self._drop()
                except self.errors as error:
                    verdict = guard.verdict()
                    broke = verdict is None and self._is_break(error)
                    self._drop()
                    if broke and (was_open if breaks is None else breaks.may_connect_again(found())):
                        continue
                    failure = verdict or self._in_words(error, guard)
                except BaseException:  # of the progress callback, or Ctrl-C
                    self._drop()
                    raise
                break
        raise failure.with_traceback(None)

    def _receive(
        self, session: Session, guard: Guard, where: Where, entry: RemoteEntry, part: Download, progress: Progress
    ) -> str:
        """Fetch what is missing; return the digest that the server reports."""
        if part.kept and not self._is_still_the_same(session, guard, where, entry):
            part.restart()
        if self._session is not session:  # after a truncated listing, the session is closed
            session = self._ready(guard)
        try:
            self._download(session, guard, where, entry, part, progress)
        except CannotResume:
            part.restart()
            self._download(session, guard, where, entry, part, progress)
        except NotTheSame:
            # The file there is another one now, or the part was damaged: what is still arriving is useless.
            part.restart()
            self._drop()
            self._download(self._ready(guard), guard, where, entry, part, progress)
        if entry.size is not None and part.kept != entry.size:
            raise BrokenOff(
                f"Only {part.kept:,} of the {entry.size:,} bytes of {entry.shown} came. Fetch it again."
            )
        progress(part.kept, part.kept)
        return self._digest(session, where, entry) if self._session is session else ""

    def _is_still_the_same(self, session: Session, guard: Guard, where: Where, entry: RemoteEntry) -> bool:
        """Return whether a part here is of the file there, by its size and time; False if neither is known.

        The file may have been replaced since it was listed, by one with the same end as the part.
        """
        found = self._list(session, guard, where).find(entry.name)
        if found is None or not (entry.version or entry.when):
            return False
        return (found.size, found.version or found.when) == (entry.size, entry.version or entry.when)

    def _download(
        self, session: Session, guard: Guard, where: Where, entry: RemoteEntry, part: Download, progress: Progress
    ) -> None:
        limit = LARGEST_UNKNOWN if entry.size is None else entry.size
        started, begin = time.monotonic(), part.begin()
        with contextlib.closing(self._fetch(session, guard, where, entry, begin)) as blocks:  # type: ignore[type-var]
            for block in blocks:
                guard.check()
                guard.progressed()
                if part.position + len(block) > limit:
                    part.restart()
                    raise BrokenOff(_too_large(entry))
                part.write(block)
                seconds = time.monotonic() - started
                if seconds > _PATIENCE and part.position - begin < seconds * _SLOWEST:
                    raise BrokenOff(f"{entry.shown} comes too slowly, and was given up. Try again later.")
                progress(part.position, entry.size or 0)
        guard.check()


class CannotResume(Exception):
    """The server gives only the whole file."""


def in_words(where: Where) -> str:
    """Return a place for people."""
    return "/".join(map(shown, where)) if where else "the folder"


def _check(*names: str) -> None:
    """Raise `FilesRefused` unless each is the valid name of a file or folder."""
    for each in names:
        if problem := name_problem(each):
            raise FilesRefused(f"{shown(each) or 'An empty text'} {problem}.")


def _require_file(entry: RemoteEntry) -> None:
    if entry.kind == LINK:
        raise FilesRefused(f"{entry.shown} is a link, and links aren't followed: they may lead out of the folder.")
    if entry.kind not in (FILE, UNKNOWN):
        raise FilesRefused(f"{entry.shown} is {_kind_in_words(entry)}, and no file.")


def _kind_in_words(entry: RemoteEntry) -> str:
    return {FILE: "a file", FOLDER: "a folder", LINK: "a link"}.get(entry.kind, "something else")


def _exists(entry: RemoteEntry) -> str:
    if entry.kind == UNKNOWN:
        return f"{entry.shown} may be there already (not all of the folder can be listed)"
    return f"{entry.shown} is there already"


def _too_large(entry: RemoteEntry) -> str:
    if entry.size is None:
        return f"{entry.shown} has more than 1 GiB, and the server doesn't report its size. The download was stopped."
    return f"More came of {entry.shown} than the {entry.size:,} bytes that it has, and it was given up. Try again."


def _throttled(progress: Progress | None) -> Progress:
    """Return a callback that reports progress at most 20 times a second."""
    last = -_REPORTED

    def report(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if progress is not None and (now - last >= _REPORTED or done == total):
            last = now
            progress(done, total)

    return report
