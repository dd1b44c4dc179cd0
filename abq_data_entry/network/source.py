"""The file that is being sent: name, size, blocks in constant memory; also as the body of a PUT (RFC 7578)."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType

from .failures import FileChanged, InvalidInput
from .guard import Guard

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
        self._progress = progress or _nobody_asks
        if not stat.S_ISREG(path.stat().st_mode):
            raise InvalidInput(f"{path} is not a file that can be sent.")
        self._file = io.FileIO(path)
        self._status = os.fstat(self._file.fileno())
        self.size = self._status.st_size
        self.sent = 0

    def __enter__(self) -> SourceFile:
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
                self._progress(self.sent, self.size)
        self._require_unchanged(self.sent == self.size)
        self._progress(self.sent, self.size)

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


def _nobody_asks(sent: int, total: int) -> None:
    """In place of the progress that nobody wants to see."""


def usable_name(name: str) -> str:
    """Return a file name that a protocol's line can hold; raises `InvalidInput` for control characters and the like."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidInput("The file's name holds bytes that aren't text. Rename it, then send it again.") from None
    if not name or any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise InvalidInput(f"{name!r} can't be sent as a file name. Rename it, then send it again.")
    return name


BLOCK = 256 * 1024
# The digest must be known before the first byte is sent. A day's extract has some 40 KB; for a file of more than this
# the wait would cost more than the sending, so it goes without, and is read for its digest when the server tells one.
LARGEST_ANNOUNCED = 32 * 1024 * 1024


class Multipart:
    """Iterable with a length, and nothing else: `requests` then sends the blocks as they are, with Content-Length."""

    def __init__(self, source: SourceFile, guard: Guard) -> None:
        boundary = secrets.token_hex(24)
        # RFC 7578 4.2: names beyond ASCII go as UTF-8; quotes as browsers escape them (HTML standard, 4.10.22.8)
        name = source.name.replace('"', "%22")
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self.complete = False
        self.size = source.size
        self._source = source
        self._guard = guard
        self._head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()

    @property
    def content_digest(self) -> str | None:
        """The header of that name (RFC 9530, section 2); `None` for a file that is too large to be read twice."""
        if self.size > LARGEST_ANNOUNCED:
            return None
        return f"sha-256=:{base64.b64encode(self.digests[1]).decode()}:"

    def __len__(self) -> int:
        return len(self._head) + self.size + len(self._tail)

    def __iter__(self) -> Iterator[bytes | memoryview]:
        self.complete = False
        self._source.rewind()
        yield self._head
        yield from self._source.blocks(BLOCK)
        yield self._tail
        self.complete = True

    @cached_property
    def digests(self) -> tuple[bytes, bytes]:
        """SHA-256 of the file alone, and of all that is sent; the file is read once for them, when they are needed."""
        alone, whole = hashlib.sha256(), hashlib.sha256(self._head)
        for block in self._source.content(BLOCK):
            self._guard.check()
            self._guard.progressed()
            alone.update(block)
            whole.update(block)
        whole.update(self._tail)
        return alone.digest(), whole.digest()
