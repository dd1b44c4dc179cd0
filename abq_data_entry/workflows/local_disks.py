"""The disks of this computer's data and backups; and how to look at a folder on a network share that may hang."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Answer = TypeVar("Answer")

PATIENCE = 10.0
"""Seconds after which a folder counts as not answering: it may be on a network share that hangs."""

_waiting: set[Path] = set()  # folders that haven't answered yet


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest parent that exists. Raises `OSError`."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def on_same_disk(first: Path, second: Path) -> bool:
    """Return whether both folders are on one disk; the second one has to exist. Raises `OSError`."""
    return existing(first).stat().st_dev == second.stat().st_dev


def in_time(folder: Path, look: Callable[[], Answer]) -> Answer:
    """Return the result of `look()`, called on another thread; raises what it raises, and `TimeoutError`.
    A thread that hangs is abandoned. Until it ends, further calls for that folder wait for it, and time out.
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
