"""The errors of this package, in words; progress and cancellation of work that takes long."""

import errno
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection


# The errors of this package, and what errors of the operating system and of PostgreSQL mean in words.

_DENIED = "permission was denied. Make it yours, or name another folder with ABQ_DATA_DIR"
_REASONS = {
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: "it is on a read-only file system. Name another folder with ABQ_DATA_DIR",
    errno.ENOSPC: "the disk is full. Free some space and try again",
    errno.EDQUOT: "your disk quota is used up. Free some space and try again",
    errno.EEXIST: "it is a file, not a folder. Name another folder with ABQ_DATA_DIR",
    errno.ENOTDIR: "a part of its path is a file, not a folder. Name another folder with ABQ_DATA_DIR",
}
_COMPLAINT = re.compile(r"\b(?:FATAL|PANIC|ERROR|error):\s+(.+)")


class PostgresError(Exception):
    """The database is not available. The text is for users; `detail` is what the programs printed, if anything."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class Damaged(PostgresError):
    """The files of the embedded database are damaged. Nothing was changed: a backup has to be restored."""


class Cancelled(PostgresError):
    """The user has cancelled the work; nothing was changed."""


class NoAnswer(PostgresError):
    """The server no longer answers, though it may still accept connections."""

    def __init__(self, host: str, detail: str = "") -> None:
        where = f" at {host}" if host and not host.startswith("/") else ""
        super().__init__(
            f"The database server{where} has stopped answering, so this was given up. Try again when it answers.",
            detail,
        )


@contextmanager
def translate_system_errors(what: str, path: Path, named_by: str = "ABQ_DATA_DIR") -> Iterator[None]:
    """Turn an `OSError` into a `PostgresError`: "The database folder … can't be used: the disk is full …".

    `named_by` is the variable or setting that names another place.
    """
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        reason = reason.replace("ABQ_DATA_DIR", named_by)
        raise PostgresError(f"{what} {path} can't be used: {reason}.", str(error)) from error


def reason_in(said: str) -> str:
    """Return the sentence in a program's output, or in the server's log, with the reason of its failure."""
    if "No space left on device" in said:
        return "the disk is full. Free some space and try again."
    if "Read-only file system" in said:
        return "it is on a read-only file system. Name another folder with ABQ_DATA_DIR."
    found = _COMPLAINT.findall(said)
    lines = found or [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1].rstrip(".") + "." if lines else "it gave no reason."


# What takes long reports its progress to a monitor, which may cancel it.

_LOOK_AGAIN = 0.1  # seconds


class ProgressMonitor(Protocol):
    """Gets the progress of long work, and can cancel it: such as a job of the window.

    The work calls `report(done, total)`, and ends soon after `cancel` is set.
    """

    @property
    def cancel(self) -> threading.Event: ...

    def report(self, done: int, total: int) -> None: ...


class _NoMonitor:
    cancel = threading.Event()

    def report(self, done: int, total: int) -> None:
        """Do nothing."""


UNMONITORED: ProgressMonitor = _NoMonitor()


class SubMonitor:
    """The monitor for a part of the work: its 0 to 100 % are `begin` to `end` percent of the whole."""

    def __init__(self, whole: ProgressMonitor, begin: int, end: int) -> None:
        self._whole, self._begin, self._end = whole, begin, end

    @property
    def cancel(self) -> threading.Event:
        """The event of the whole work."""
        return self._whole.cancel

    def report(self, done: int, total: int) -> None:
        """Report the progress as percent of the whole work."""
        share = min(done, total) / total if total else 0
        self._whole.report(round(self._begin + share * (self._end - self._begin)), 100)


def raise_if_cancelled(monitor: ProgressMonitor) -> None:
    """Raise Cancelled if the user has cancelled the work."""
    if monitor.cancel.is_set():
        raise Cancelled("It was cancelled. Nothing was changed.")


@contextmanager
def cancellable(connection: "Connection", monitor: ProgressMonitor) -> Iterator[None]:
    """Cancel the connection's running statement in the block as soon as the user cancels the work."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_AGAIN):
            if monitor.cancel.is_set():
                connection.cancel()

    watcher = threading.Thread(target=watch, name="cancel of a query", daemon=True)
    watcher.start()
    try:
        yield
    except Exception:
        raise_if_cancelled(monitor)
        raise
    finally:
        over.set()
        watcher.join()
