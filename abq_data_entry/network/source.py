"""The file that is being sent: its name, its size, and its blocks, in constant memory."""

import io
import math
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from .failures import FileChanged, InvalidInput

Progress = Callable[[int, int], object]
_PROGRESS_INTERVAL = 0.05  # seconds: a window can't show more


class SourceFile:
    """A file opened for sending; raises `OSError` when it can't be read, `InvalidInput` when it has no usable name.

    `name` is what it is called at the destination (not given: its base name here), `size` its length in bytes, `sent`
    how much of it was taken.
    """

    def __init__(
        self, filepath: str | os.PathLike[str], progress: Progress | None = None, name: str | None = None
    ) -> None:
        path = Path(filepath)
        self.name = usable_name(path.name if name is None else name)
        self._path = path
        self._progress = progress
        if not stat.S_ISREG(path.stat().st_mode):
            raise InvalidInput(f"{path} is not a file that can be sent.")
        self._file = io.FileIO(path)
        self._status = os.fstat(self._file.fileno())
        self.size = self._status.st_size
        self.sent = 0

    def __enter__(self) -> "SourceFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def blocks(self, size: int) -> Iterator[memoryview]:
        """Yield the content in blocks of at most `size` bytes; each is valid only until the next one is asked for.

        Raises `FileChanged` when the file doesn't end where it ended when it was opened, or was written to meanwhile.
        """
        buffer = memoryview(bytearray(min(size, max(self.size, 1))))
        reported = -math.inf  # the first block is told of at once: the next one may be stuck
        while self.sent < self.size:
            count = self._file.readinto(buffer[: self.size - self.sent])
            if not count:
                break
            yield buffer[:count]
            self.sent += count
            if self.sent < self.size and time.monotonic() - reported >= _PROGRESS_INTERVAL:
                reported = time.monotonic()
                self._report()
        self._require_unchanged(self.sent == self.size)
        self._report()

    def content(self, size: int, end: int | None = None) -> Iterator[memoryview]:
        """Yield the same blocks, up to `end`, without counting them as sent, and begin again."""
        buffer = memoryview(bytearray(min(size, max(self.size, 1))))
        self.rewind()
        rest = self.size if end is None else end
        while rest and (count := self._file.readinto(buffer[:rest])):
            rest -= count
            yield buffer[:count]
        self.rewind()

    def skip(self, count: int) -> None:
        """Go on after the first `count` bytes: the other side has them. Raises `FileChanged`."""
        self._file.seek(count)
        self.sent = count
        self._require_unchanged()

    def rewind(self) -> None:
        """Begin again with the first block."""
        self._file.seek(0)
        self.sent = 0

    @property
    def modified(self) -> float:
        """When the file was last written to, in seconds since 1970 (UTC)."""
        return self._status.st_mtime

    def _require_unchanged(self, as_expected: bool = True) -> None:
        now = os.fstat(self._file.fileno())
        if not as_expected or (now.st_size, now.st_mtime_ns) != (self.size, self._status.st_mtime_ns):
            raise FileChanged(f"The file {self._path} was changed while it was being sent. Send it again.")

    def _report(self) -> None:
        if self._progress is not None:
            self._progress(self.sent, self.size)


def usable_name(name: str) -> str:
    """Return a file name that a protocol's line can hold; raises `InvalidInput` for control characters and the like."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidInput("The file's name holds bytes that aren't text. Rename it, then send it again.") from None
    if not name or any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise InvalidInput(f"{name!r} can't be sent as a file name. Rename it, then send it again.")
    return name
