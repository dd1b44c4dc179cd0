"""The file on this computer that is being fetched: a part under a temporary name beside its place, until it is whole.

Nothing is written outside the chosen folder, and nothing is replaced that wasn't meant to be.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import shutil
import stat
import time
from pathlib import Path
from types import TracebackType

from .remote_files_failures import AlreadyThere, FilesRefused

try:
    import fcntl
except ImportError:  # Windows: nobody else can remove or replace an open file there
    fcntl = None  # type: ignore[assignment]

OVERLAP = 64 * 1024
"""Bytes at the end of a part that are fetched again and compared, before it is gone on with."""

KEPT_SECONDS = 7 * 24 * 3600.0
"""So long a part stays that nobody goes on with: it may be one of a file that is another one there by now."""

_BLOCK = 256 * 1024
_PART = re.compile(r"\..{1,80}\.[0-9a-f]{12}\.abq-part(\.text)?", re.DOTALL)
_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class NotTheSame(Exception):
    """What comes isn't what the part begins with: the file there has changed."""


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
    """A file on its way to `target`. `mark`: the same for the same file there, as only its own part is gone on with.

    A context manager: after an error a part that is worth it is kept, else removed.
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
            self._file.close()  # nothing open can be removed there
        if not self._done and size <= OVERLAP:
            self._part.unlink(missing_ok=True)
        self._file.close()

    @property
    def kept(self) -> int:
        """Bytes that are there of the file."""
        return self._old

    def begin(self) -> int:
        """Go to where the next bytes belong, a little before the end of the part, and return that."""
        self._require_room()
        self.position = max(self._old - OVERLAP, 0)
        self._file.seek(self.position)
        return self.position

    def restart(self) -> None:
        """Forget what is there."""
        self._file.truncate(0)
        self._file.seek(0)
        self.position = self._old = 0

    def write(self, block: bytes) -> None:
        """Take the next bytes. Raises `NotTheSame` where they differ from what is there, and `OSError`."""
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
        """Return the digest of what is there."""
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
            _named(whole, self._target, replace)
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
    """Remove parts of downloads that nobody has gone on with for days; the present one is called `but`."""
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
    if os.name == "nt":  # it removes nothing that is open
        os.unlink(path)  # noqa: PTH108 - the path of an entry
        return
    with io.FileIO(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)) as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)  # noqa: PTH108


def with_line_ends(block: bytes, end: str = os.linesep) -> bytes:
    """Return a text with these line ends, whichever it had."""
    return block.replace(b"\r\n", b"\n").replace(b"\n", end.encode())


def _named(whole: Path, target: Path, replace: bool) -> None:
    """Rename; without `replace` in a way that never takes the place of a file that has just come."""
    if not replace:
        try:
            os.link(whole, target)
        except FileExistsError:
            raise AlreadyThere(f"{target} is there already on this computer, and wasn't replaced.") from None
        except (OSError, NotImplementedError):  # a file system without a second name for a file
            pass
        else:
            with contextlib.suppress(OSError):
                whole.unlink()
            return
    whole.replace(target)
