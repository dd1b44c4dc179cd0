"""The one error of this room, and what the operating system's and PostgreSQL's refusals mean in words."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DENIED = "permission was denied. Make it yours, or name another folder with ABQ_DATA_DIR"
_REASONS = {
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: "it lies on a file system that can only be read. Name another folder with ABQ_DATA_DIR",
    errno.ENOSPC: "the disk is full. Make room and try again",
    errno.EDQUOT: "your disk quota is used up. Make room and try again",
    errno.EEXIST: "it is a file, not a folder. Name another folder with ABQ_DATA_DIR",
    errno.ENOTDIR: "a part of its path is a file, not a folder. Name another folder with ABQ_DATA_DIR",
}
_COMPLAINT = re.compile(r"\b(?:FATAL|PANIC|ERROR|error):\s+(.+)")


class PostgresError(Exception):
    """The database could not be had. The text is for people; `detail` holds what the programs said, if anything."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class Damaged(PostgresError):
    """The embedded database's files are damaged. Nothing was changed: a backup has to be brought back."""


class Cancelled(PostgresError):
    """Somebody cancelled it, and nothing was changed."""


class NoAnswer(PostgresError):
    """The server takes connections, or did, and answers nothing any more."""

    def __init__(self, host: str, detail: str = "") -> None:
        where = f" at {host}" if host and not host.startswith("/") else ""
        super().__init__(
            f"The database server{where} has stopped answering, so this was given up. Try again when it answers.",
            detail,
        )


@contextmanager
def system_errors_told(what: str, path: Path, named_by: str = "ABQ_DATA_DIR") -> Iterator[None]:
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
        return "the disk is full. Make room and try again."
    if "Read-only file system" in said:
        return "it lies on a file system that can only be read. Name another folder with ABQ_DATA_DIR."
    found = _COMPLAINT.findall(said)
    lines = found or [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1].rstrip(".") + "." if lines else "it gave no reason."
