"""What all protocols have in common: the file that is sent, and one login for many files.

The first file logs in. Every file has a guard of its own, with its own limits and `cancel`; the connections are passed
from one file to the next. At a server that stores files by name (FTP, SFTP), a session that has died between two files
is replaced once; a file whose connection broke is continued where it stopped; and parts that a failed delivery left are
removed.
"""

from __future__ import annotations

import abc
import contextlib
import hashlib
import io
import logging
import math
import os
import secrets
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Generic, Protocol, TypeVar

from abq_data_entry.remote_names import folder_problem

from .failures import Cancelled, FileChanged, HostUnknown, HostUnreachable, InvalidInput
from .guard import Guard

BLOCK = 256 * 1024
TIMEOUT = 60.0  # seconds without any progress

log = logging.getLogger(__name__)

Progress = Callable[[int, int], object]
_PROGRESS_INTERVAL = 0.05  # seconds between reports: a window can't show more


class SourceFile(AbstractContextManager["SourceFile"]):
    """A file opened for sending; raises `OSError` if it can't be read, `InvalidInput` for an invalid name.

    `name`: its name at the destination (default: its base name here); `size`: its length in bytes; `sent`: how many of
    these were taken.
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
        """Yield the content in blocks of at most `size` bytes, each of which is valid only until the next one.

        Raises `FileChanged` if the file was written, or its length has changed, since it was opened.
        """
        buffer = memoryview(bytearray(min(size, max(self.size, 1))))
        reported = -math.inf  # the first block is reported at once, since the next one may take long
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
        """Yield the blocks up to `end` without counting them as sent, and rewind."""
        buffer = memoryview(bytearray(min(size, max(self.size, 1))))
        self.rewind()
        rest = self.size if end is None else end
        while rest and (count := self._file.readinto(buffer[:rest])):
            rest -= count
            yield buffer[:count]
        self.rewind()

    def report(self, sent: int) -> None:
        """Report so many bytes as sent, if they aren't sent at once when they are taken."""
        self.sent = sent
        self._progress(sent, self.size)

    def skip(self, count: int) -> None:
        """Skip the first `count` bytes, which the server already has. Raises `FileChanged`."""
        self._file.seek(count)
        self.sent = count
        self._require_unchanged()

    def rewind(self) -> None:
        """Begin again with the first block."""
        self._file.seek(0)
        self.sent = 0

    @property
    def modified(self) -> float:
        """The file's modification time, in seconds since 1970 (UTC)."""
        return self._status.st_mtime

    def _require_unchanged(self, as_expected: bool = True) -> None:
        now = os.fstat(self._file.fileno())
        if not as_expected or (now.st_size, now.st_mtime_ns) != (self.size, self._status.st_mtime_ns):
            raise FileChanged(f"The file {self._path} was changed while it was being sent. Send it again.")


def _nobody_asks(sent: int, total: int) -> None:
    """The progress callback if none is given."""


def usable_name(name: str) -> str:
    """Return a file name that is valid in a command; raises `InvalidInput` if it isn't, as with control characters."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidInput("The file's name holds bytes that aren't text. Rename it, then send it again.") from None
    if not name or any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise InvalidInput(f"{name!r} can't be sent as a file name. Rename it, then send it again.")
    return name


Same = TypeVar("Same", bound="Uploads")


class Uploads(abc.ABC):
    """Sends files to one destination over one login. A context manager, for one thread at a time.

    `timeout`: seconds without progress, for connecting, sending and each response.
    """

    remark = ""
    """A remark about the last file, which arrived, as a sentence; '' if there is none."""

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
        """Send one file, as the function of the protocol does; log in first if necessary.

        `name`: its name there (default: its base name here);
        `identifier`: the same for every attempt at one delivery, so that a repetition can be recognized;
        `progress`, `cancel`: for this file only. Raises what the function of the protocol raises. After a refused login
        it raises the same error again without asking the server, which might lock the account.
        """
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)
        with SourceFile(filepath, progress, name) as source:
            self.send(source, cancel, identifier)

    def send(self, source: SourceFile, cancel: threading.Event | None, identifier: str | None = None) -> None:
        """Send an open file, as `upload` does."""
        failure = self._attempt(source, identifier, cancel)
        if failure is not None:
            raise failure  # outside of all handlers: an error's __context__ might contain what was sent

    def take_along(self, headers: Mapping[str, str]) -> bool:
        """Send these header fields with the next file, as HTTP can; False if the protocol has no place for them."""
        return False

    def attach(self, filepath: str | os.PathLike[str], name: str) -> bool:
        """Send this file together with the next one, as a mail can; False if the protocol can't, and it isn't sent."""
        return False

    def leave_out(self, receivers: Collection[str]) -> bool:
        """Don't send the next file to these, who got it in an earlier attempt. False if there are no receivers."""
        return False

    def discard(self, name: str) -> bool:
        """Remove a partial file that a cancelled delivery left there.

        Return False if that has to be tried again; True if it is gone, or the server refuses, or the protocol has no
        partial files.
        """
        return True

    @abc.abstractmethod
    def close(self) -> None:
        """End the session. Another file would log in again."""

    @abc.abstractmethod
    def _attempt(
        self, source: SourceFile, identifier: str | None, cancel: threading.Event | None
    ) -> BaseException | None:
        """Send the file under a guard of its own; return the failure in words, without its origin."""


_LONGEST = 5.0  # seconds, in the background
_PATIENCE = 0.3  # seconds of them that a cancelled caller waits


def tidy(work: Callable[[Guard], object], cancel: threading.Event | None) -> None:
    """Run `work`, which tidies up after a failure, on a thread; its own failures are only logged.

    If the caller has cancelled, it waits only a moment, and the work goes on in the background.
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


KEPT_FROM = 1024 * 1024
"""The size in bytes below which a part of a file isn't kept at the destination for the next attempt."""

MOST_BREAKS = 5
"""How many broken connections end an attempt; the outbox then plans the next one."""


def part_name(path: Path, identifier: str, name: str) -> str:
    """Return the name under which an attempt at this delivery may have left a part of the file `name`.

    Raises `OSError`.
    """
    status = path.stat()
    return f"{name}.{_mark(identifier, status.st_size, status.st_mtime)}.part"


def _mark(identifier: str, size: int, modified: float) -> str:
    return hashlib.sha256(f"{identifier} {size} {modified!r}".encode()).hexdigest()[:12]


class Part:
    """A file of which a part may be at the destination, left by this attempt or by an earlier one.

    With the `identifier` of a delivery, its temporary names are the same in all attempts, as long as our file doesn't
    change: so a part that is found under them is a part of this file. `found`: how many bytes were there already when
    sending began.
    """

    step_back = 0
    """How many bytes at the end of a part may be wrong, and are sent again."""

    def __init__(self, source: SourceFile, identifier: str | None = None) -> None:
        self.found = 0
        self._source = source
        self._name = source.name
        self._partial = ""  # the name under which this attempt may have stored a part
        self._asked = ""  # the name under which the server was asked to store the file
        self._moving = False  # the old file may be under the name `_aside`
        self._choose_names(identifier)

    def _choose_names(self, identifier: str | None) -> None:
        self._is_lasting = identifier is not None
        if identifier is None:
            mark = secrets.token_hex(4)
        else:
            mark = _mark(identifier, self._source.size, self._source.modified)
        self._temporary, self._aside = f"{self._name}.{mark}.part", f"{self._name}.{mark}.old"

    @property
    def unfinished(self) -> bool:
        """Whether this attempt may have left something to tidy."""
        return bool(self._partial) or self._moving

    @property
    def is_midway(self) -> bool:
        """Whether the file of that name there may be incomplete or missing now, the one before included."""
        return self._moving or self._name in (self._partial, self._asked)

    @property
    def may_continue(self) -> bool:
        """Whether it can be continued over another connection."""
        return not self._moving

    @property
    def may_be_there(self) -> bool:
        """Whether an earlier attempt may have left a part of the file that can be continued."""
        return self._is_lasting and self._source.size > KEPT_FROM

    @property
    def is_worth_keeping(self) -> bool:
        """Whether the next attempt could continue the part, and would have much less to send."""
        kept = self._is_lasting and self._partial == self._temporary and not self._moving
        return kept and self._source.sent > KEPT_FROM + self.step_back


class Breaks:
    """Counts the broken connections of one attempt, and decides whether another one is worthwhile."""

    def __init__(self) -> None:
        self._count = 0
        self._found = 0

    def may_connect_again(self, found: int) -> bool:
        """Tell whether to connect again. `found`: bytes that were there when the broken connection began; they have to
        be more than the time before."""
        self._count += 1
        moved = self._count == 1 or found > self._found
        self._found = found
        return moved and self._count <= MOST_BREAKS


_TIDYING = 5.0  # seconds without progress, when only tidying depends on it

Session = TypeVar("Session")
Over = TypeVar("Over", contravariant=True)


def checked_folder(folder: str) -> str:
    """Return a folder at a destination, if it is valid; raises `InvalidInput`."""
    if problem := folder_problem(folder):
        raise InvalidInput(f"The setting 'abq_ftp_folder' {problem}. Nothing was sent.")
    return folder.rstrip("/") or folder[:1]


class Store(Protocol[Over]):
    """Stores one file, and tidies up after a failure."""

    found: int
    """How many bytes of the file were there already when the last `run` began."""

    @property
    def unfinished(self) -> bool:
        """Whether there may be something to tidy."""

    @property
    def is_midway(self) -> bool:
        """Whether the file of that name there may be incomplete or missing now."""

    @property
    def may_continue(self) -> bool:
        """Whether `run` may be called again."""

    @property
    def may_be_there(self) -> bool:
        """Whether an earlier attempt may have left a part of the file."""

    @property
    def is_worth_keeping(self) -> bool:
        """Whether the next attempt could continue the part, and would have much less to send."""

    def run(self, session: Over) -> None:
        """Store the file and confirm that it is complete; after a broken connection, continue over another session."""

    def tidy(self, session: Over) -> None:
        """Remove the parts that a failure left, over a new session."""


class KeptSession(abc.ABC, Generic[Session]):
    """A session with a server that is kept from one file or call to the next."""

    errors: tuple[type[Exception], ...] = ()
    """The errors that the library and the guard raise; all others are the caller's."""
    _session: Session | None = None

    @abc.abstractmethod
    def _log_in(self, guard: Guard) -> Session: ...

    @abc.abstractmethod
    def _continue(self, session: Session, guard: Guard) -> None:
        """Put the session of an earlier file or call under the guard of this one."""

    @abc.abstractmethod
    def _end(self, session: Session, politely: bool) -> None: ...

    @abc.abstractmethod
    def _is_break(self, error: Exception) -> bool:
        """Return whether the error means that the connection is lost, or that the server is closing it."""

    def _ready(self, guard: Guard) -> Session:
        if self._session is None:
            self._session = self._log_in(guard)
        else:
            self._continue(self._session, guard)
        return self._session

    def _drop(self, politely: bool = False) -> None:
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(*self.errors):
                self._end(session, politely)


class StoredUploads(KeptSession[Session], Uploads):
    """Uploads over a session with a server that keeps files by name (FTP, SFTP)."""

    @abc.abstractmethod
    def _new_store(self, source: SourceFile, identifier: str | None) -> Store[Session]: ...

    @abc.abstractmethod
    def _remove(self, session: Session, name: str) -> None: ...

    @abc.abstractmethod
    def _in_words(self, error: Exception) -> Exception:
        """Return the error with a text for users, without its __context__ and without the password."""

    @abc.abstractmethod
    def _is_refusal(self, error: Exception) -> bool:
        """Return whether a failed login was refused because of the user name or the password."""

    def discard(self, name: str) -> bool:
        with Guard(None, _TIDYING) as guard:
            try:
                session = self._ready(guard)
            except self.errors:
                return False
            try:
                self._remove(session, name)
            except self.errors as error:
                if guard.verdict() or self._is_of_the_connection(error):
                    self._drop()
                    return False
            return True

    def close(self) -> None:
        self._drop(politely=True)

    def _attempt(
        self, source: SourceFile, identifier: str | None, cancel: threading.Event | None
    ) -> BaseException | None:
        store = self._new_store(source, identifier)
        with Guard(cancel, self._timeout) as guard:
            left = kept = False
            try:
                self._run(store, source, guard)
                return None
            except self.errors as error:
                verdict = guard.verdict()
                is_transient = self._is_of_the_connection(verdict or error)
                kept = is_transient and store.is_worth_keeping
                left = not is_transient and store.may_be_there and self._refusal is None
                failure: BaseException = verdict or self._in_words(error)
            except BaseException as error:  # of the progress callback, or Ctrl-C
                failure = error
            self._drop()
        if isinstance(failure, Cancelled):
            failure.midway = store.is_midway
        if (store.unfinished or store.is_midway or left) and not kept:
            tidy(lambda guard: self._clear(store, guard), cancel)
        return failure

    def _is_of_the_connection(self, error: Exception) -> bool:
        """Return whether only the connection failed, so that another attempt may continue the part."""
        return isinstance(error, TimeoutError | HostUnknown | HostUnreachable) or self._is_break(error)

    def _run(self, store: Store[Session], source: SourceFile, guard: Guard) -> None:
        """Store the file; start again if an earlier file's session was dead, continue after a broken connection."""
        may_be_dead, breaks = self._session is not None, Breaks()
        while True:
            try:
                store.run(self._ready(guard))
                return
            except self.errors as error:
                if guard.verdict() or not self._is_break(error):
                    raise
                was_dead, may_be_dead = may_be_dead and not source.sent, False
                in_the_file = store.unfinished and store.may_continue
                if not was_dead and not (in_the_file and breaks.may_connect_again(store.found)):
                    raise
                log.info("the connection broke after %d of %d bytes; another one", source.sent, source.size)
                self._drop()

    def _ready(self, guard: Guard) -> Session:
        is_new = self._session is None
        try:
            return super()._ready(guard)
        except self.errors as error:
            if is_new and not guard.verdict() and self._is_refusal(error):
                self._refusal = self._in_words(error)
            raise

    def _clear(self, store: Store[Session], guard: Guard) -> None:
        session = self._log_in(guard)
        try:
            store.tidy(session)
        finally:
            self._end(session, politely=True)
