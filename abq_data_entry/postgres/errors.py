"""What can go wrong in this package, in words; and who looks on while something takes long."""

import errno
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection


# The one error of this package, and what the operating system's and PostgreSQL's refusals mean in words.

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
    """The database is not available. The text is for people; `detail` holds what the programs said, if anything."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class Damaged(PostgresError):
    """The embedded database's files are damaged. Nothing was changed: a backup has to be restored."""


class Cancelled(PostgresError):
    """Somebody cancelled it, and nothing was changed."""


class NoAnswer(PostgresError):
    """The server accepts connections, or did, but no longer answers."""

    def __init__(self, host: str, detail: str = "") -> None:
        where = f" at {host}" if host and not host.startswith("/") else ""
        super().__init__(
            f"The database server{where} has stopped answering, so this was given up. Try again when it answers.",
            detail,
        )


@contextmanager
def translate_system_errors(what: str, path: Path, named_by: str = "ABQ_DATA_DIR") -> Iterator[None]:
    """Turn an `OSError` into a `PostgresError`: "The database folder … can't be used: the disk is full …".

    `named_by` is what names another place.
    """
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        reason = reason.replace("ABQ_DATA_DIR", named_by)
        raise PostgresError(f"{what} {path} can't be used: {reason}.", str(error)) from error


def reason_in(said: str) -> str:
    """The sentence of a program's output (or of the server's log) that says why it gave up."""
    if "No space left on device" in said:
        return "the disk is full. Free some space and try again."
    if "Read-only file system" in said:
        return "it is on a read-only file system. Name another folder with ABQ_DATA_DIR."
    found = _COMPLAINT.findall(said)
    lines = found or [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1].rstrip(".") + "." if lines else "it gave no reason."


# Who looks on while something takes long: is told how far it is, and may cancel it.

_LOOK_AGAIN = 0.1  # seconds


class Watching(Protocol):
    """Such as a job of the window: `cancel` is set to end the work, `report` is told (done, total)."""

    @property
    def cancel(self) -> threading.Event: ...

    def report(self, done: int, total: int) -> None: ...


class _Nobody:
    cancel = threading.Event()

    def report(self, done: int, total: int) -> None:
        """Nobody is told."""


UNWATCHED: Watching = _Nobody()


class Part:
    """A part of a longer piece of work: its own 0 to 100 % are `begin` to `end` percent of the whole."""

    def __init__(self, whole: Watching, begin: int, end: int) -> None:
        self._whole, self._begin, self._end = whole, begin, end

    @property
    def cancel(self) -> threading.Event:
        """The event of the whole."""
        return self._whole.cancel

    def report(self, done: int, total: int) -> None:
        """Pass it on as percent of the whole."""
        share = min(done, total) / total if total else 0
        self._whole.report(round(self._begin + share * (self._end - self._begin)), 100)


def refuse_cancelled(watching: Watching) -> None:
    """Raise Cancelled once somebody has cancelled it."""
    if watching.cancel.is_set():
        raise Cancelled("It was cancelled. Nothing was changed.")


@contextmanager
def cancellable(connection: "Connection", watching: Watching) -> Iterator[None]:
    """Cancel what the connection does in the block when the work is cancelled, however long a statement takes."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_AGAIN):
            if watching.cancel.is_set():
                connection.cancel()

    watcher = threading.Thread(target=watch, name="cancel of a query", daemon=True)
    watcher.start()
    try:
        yield
    except Exception:
        refuse_cancelled(watching)
        raise
    finally:
        over.set()
        watcher.join()
