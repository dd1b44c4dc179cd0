"""The file that is sent, and one login for many of them: what all protocols have in common.

The first file logs in. Every file has a guard of its own, with its own limits and its own way to be cancelled; the
connections are handed from one to the next.
"""

from __future__ import annotations

import abc
import io
import logging
import math
import os
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from .failures import FileChanged, InvalidInput
from .guard import Guard

BLOCK = 256 * 1024
TIMEOUT = 60.0  # seconds without any progress

log = logging.getLogger(__name__)

Progress = Callable[[int, int], object]
_PROGRESS_INTERVAL = 0.05  # seconds: a window can't show more


class SourceFile(AbstractContextManager["SourceFile"]):
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

    def report(self, sent: int) -> None:
        """Tell that so much is on its way, where it isn't sent as it was taken."""
        self.sent = sent
        self._progress(sent, self.size)

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


Same = TypeVar("Same", bound="Uploads")


class Uploads(abc.ABC):
    """Files that go to one destination over one login. A context manager, for one thread at a time.

    `timeout`: seconds without progress, for connecting, sending and each answer.
    """

    remark = ""
    """What to know of the last file though it arrived, as a sentence; empty if there is nothing."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._refusal: Exception | None = None

    def __enter__(self: Same) -> Same:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def upload(
        self,
        filepath: str | os.PathLike[str],
        *,
        name: str | None = None,
        identifier: str | None = None,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        """Send one file, as the function of the protocol does; logs in where that hasn't happened yet.

        `name`: what it is called there (not given: its base name here);
        `identifier`: the same for every attempt of one delivery, so that a repetition can be told from another file;
        `progress`, `cancel`: of this file alone. Raises what the function of the protocol raises. After a login that
        was refused it raises the same again without asking the server, which could lock the user out.
        """
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)
        with SourceFile(filepath, progress, name) as source:
            self.send(source, cancel, identifier)

    def send(self, source: SourceFile, cancel: threading.Event | None, identifier: str | None = None) -> None:
        """Send a file that is open already, as `upload` does it."""
        failure = self._attempt(source, identifier, cancel)
        if failure is not None:
            raise failure  # outside of every handler: an error's context could hold what was sent

    def take_along(self, headers: Mapping[str, str]) -> bool:
        """Send these with the next file, as HTTP does; False where there is no place for them, and they are not."""
        return False

    def attach(self, filepath: str | os.PathLike[str], name: str) -> bool:
        """Send this file together with the next one, as a mail does; False where each goes by itself: it isn't sent."""
        return False

    def leave_out(self, receivers: Collection[str]) -> bool:
        """Send the next file to none of these: they have it from an attempt before. False where there is one place."""
        return False

    def discard(self, name: str) -> bool:
        """Remove a part of a file that a delivery left there which nobody makes any more.

        Returns whether that needs no other try: it is gone, or the server doesn't let us, or there are no parts here.
        """
        return True

    @abc.abstractmethod
    def close(self) -> None:
        """End politely. Another file would log in again."""

    @abc.abstractmethod
    def _attempt(
        self, source: SourceFile, identifier: str | None, cancel: threading.Event | None
    ) -> BaseException | None:
        """Send the file under a guard of its own; return the failure in words, without its origin."""


_LONGEST = 5.0  # seconds, in the background
_PATIENCE = 0.3  # seconds of them that a cancelled caller waits


def tidy(work: Callable[[Guard], object], cancel: threading.Event | None) -> None:
    """Run `work` on a thread; its failures change nothing for the caller, who has one already.

    It goes on in the background when the caller cancels, who waits for it only for a moment then.
    """

    def run() -> None:
        try:
            with Guard(None, _LONGEST) as guard:
                work(guard)
        except Exception as error:
            log.info("a partial file could not be removed: %s", type(error).__name__)

    tidying = threading.Thread(target=run, name="network-tidying", daemon=True)
    tidying.start()
    end = time.monotonic() + _LONGEST
    while tidying.is_alive() and time.monotonic() < end and not (cancel and cancel.is_set()):
        tidying.join(0.05)
    tidying.join(_PATIENCE)
