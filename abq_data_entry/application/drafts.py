"""What is being typed survives a crash: the form's draft stands in a file until it is saved or given up."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from ..folders import replacement

SLOTS = 16


class DraftFile:
    """The draft of one window. Windows of one user each take a slot of their own, held by a file lock,
    so a draft whose lock is free belongs to a window that is gone.

    All methods do file work: call them on a worker thread, one at a time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._lock: Any = None

    def take_over(self) -> dict[str, Any] | None:
        """Take a slot; returns the draft that a crashed window left in it, preferring slots with one."""
        from filelock import FileLock, Timeout

        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        slots = [self._folder / f"draft-{number}.json" for number in range(1, SLOTS + 1)]
        for path in sorted(slots, key=lambda each: not each.exists()):
            lock = FileLock(path.with_suffix(".lock"), timeout=0, thread_local=False)
            try:
                lock.acquire()
            except Timeout:
                continue
            self._path, self._lock = path, lock
            return _read(path)
        return None

    def write(self, draft: dict[str, Any] | None) -> None:
        """Keep ``draft`` on disk; ``None`` removes it."""
        if self._path is None:
            return
        if draft is None:
            self._path.unlink(missing_ok=True)
            return
        with replacement(self._path) as temporary:
            temporary.write_text(json.dumps(draft, ensure_ascii=False), encoding="utf-8")

    def release(self) -> None:
        """Give the slot back."""
        if self._lock is not None:
            self._lock.release()


def _read(path: Path) -> dict[str, Any] | None:
    try:
        draft = json.loads(path.read_text(encoding="utf-8"))
        _check(draft)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        import secrets  # not at the top: every start would pay for OpenSSL

        # Not ours to throw away: kept for a person to look at.
        path.replace(path.with_suffix(f".damaged-{secrets.token_hex(4)}"))
        return None
    return draft if isinstance(draft, dict) else None


def _check(draft: Any) -> None:
    """Raise an error if it isn't what the form gave: texts by field, the key of an opened record, its texts."""
    texts = (*draft["texts"].items(), *(draft.get("baseline") or {}).items())
    if not all(isinstance(text, str) for pair in texts for text in pair):
        raise ValueError("a text is expected")
    if draft.get("opened") is not None:
        date, _time, _lab, plot = draft["opened"]
        datetime.date.fromisoformat(date)
        int(plot)
