"""This computer's disk: whether there is room for what has to be written down, and errors that name the place."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOM = 64 * 1024
"""Bytes that must be free before a delivery is begun: its outcome has to be written down."""

_OF_THE_DISK = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG, errno.EROFS, errno.EIO)


def require_room(folder: Path) -> None:
    """Raise `OSError` where the disk has no room for an outcome.

    A note may still fit behind an entry when no other file could be made any more: then the extract would be sent, and
    nobody could write that down, so that it would be sent again and again.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError:  # it can't be told: what is written next shows it
        return
    if free < ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(folder))


@contextmanager
def named(folder: Path) -> Iterator[None]:
    """Let an error of the disk that names no file name the folder."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno not in _OF_THE_DISK:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(folder)) from error
