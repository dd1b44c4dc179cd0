"""The one error of this room, and what the operating system's refusals mean in words."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_REASONS = {
    errno.EACCES: "permission was denied. Make the folder yours, or name another one with ABQ_DATA_DIR",
    errno.EPERM: "permission was denied. Make the folder yours, or name another one with ABQ_DATA_DIR",
    errno.EROFS: "it lies on a file system that can only be read. Name another folder with ABQ_DATA_DIR",
    errno.ENOSPC: "the disk is full. Make room and try again",
    errno.EDQUOT: "your disk quota is used up. Make room and try again",
    errno.ENOTDIR: "a part of the path is a file, not a folder. Name another folder with ABQ_DATA_DIR",
}


class PostgresError(Exception):
    """The database could not be had. The text is for people; `detail` holds what the programs said, if anything."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


@contextmanager
def system_errors_told(what: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` into a `PostgresError`: "The database folder … can't be used: the disk is full …"."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise PostgresError(f"{what} {path} can't be used: {reason}.", str(error)) from error
