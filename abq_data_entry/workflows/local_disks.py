"""The disks of this computer's data and backups, and a look at a folder that may be on a share which has frozen."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Answer = TypeVar("Answer")

PATIENCE = 10.0
"""Seconds that a folder which may be on a share has for an answer."""

_waiting: set[Path] = set()  # folders from which an answer is still to come


def existing(folder: Path) -> Path:
    """Return the folder, or where it will be made. Raises `OSError`."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def are_one(first: Path, second: Path) -> bool:
    """Whether both folders are on one disk, the second of which has to be there. Raises `OSError`."""
    return existing(first).stat().st_dev == second.stat().st_dev


def in_time(folder: Path, look: Callable[[], Answer]) -> Answer:
    """Return what `look()` finds in that folder; raises `TimeoutError` where it doesn't answer, and what `look` raises.

    The look that waits there is left behind, and no other one follows it before it has ended.
    """
    from ..network.guard import POLL, call_abandonable

    limit = time.monotonic() + PATIENCE

    def check() -> None:
        if time.monotonic() >= limit:
            raise TimeoutError(f"The folder {folder} doesn't answer.")

    while folder in _waiting:
        check()
        time.sleep(POLL)
    _waiting.add(folder)

    def work() -> Answer:
        try:
            return look()
        finally:
            _waiting.discard(folder)

    return call_abandonable(work, check)
