"""What is being typed survives a crash: the form's draft stands in a file until it is saved or given up."""

from __future__ import annotations

import datetime
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import folders
from ..folders import replacement

if TYPE_CHECKING:
    from .window import Application

log = logging.getLogger(__name__)
SLOTS = 16
DELAY_MS = 150


class Drafts:
    """The draft of the window's form: written soon after each edit. On the Tk thread."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._file = DraftFile(folders.data_folder() / "drafts")
        self._timer = ""
        self.greeting = "Ready"
        """What is said when the database is open."""

    def begin(self) -> None:
        """Look for the draft of a window that ended without warning, and show it in the form."""
        self._app.jobs.submit("files", self._file.take_over, done=self._restore)

    def edited(self) -> None:
        """Something was typed."""
        if not self._timer:
            self._timer = self._app.after(DELAY_MS, self.keep)

    def keep(self) -> None:
        """Write down now what is in the form."""
        self._cancel_timer()
        self._app.jobs.submit("files", self._file.write, self._app.form.draft(), failed=self._failed)

    def drop(self) -> None:
        """What was typed is saved or given up: its draft goes."""
        self._cancel_timer()
        self._app.jobs.submit("files", self._file.write, None)

    def end(self) -> None:
        """The window closes: another one may have its place."""
        self._app.jobs.submit("files", self._file.release)

    def _restore(self, draft: dict[str, Any] | None) -> None:
        if draft is None or self._app.form.changed:
            return
        self._app.form.restore_draft(draft)
        self._app.form.focus_first_empty()
        # Shown once more when the database is open, which may come later.
        self.greeting = "What you were typing when the program ended is back in the form"
        self._app.status.set(self.greeting)

    def _failed(self, error: BaseException) -> None:
        log.warning("the draft couldn't be kept", exc_info=error)

    def _cancel_timer(self) -> None:
        if self._timer:
            self._app.after_cancel(self._timer)
            self._timer = ""


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
