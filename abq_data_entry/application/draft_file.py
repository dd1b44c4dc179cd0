"""The drafts of one window on the disk. No Tk."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import fields
from ..folders import replacement

if TYPE_CHECKING:
    from ..views.record_inputs import RecordKey

SLOTS = 16
FORMAT = 2
Draft = dict[str, Any]


class DraftId(NamedTuple):
    """Which plot is half typed, and whether its saved record was being corrected."""

    key: RecordKey
    corrects: bool


class Content(NamedTuple):
    """The drafts that were left behind, what stood in the form, and what was typed ahead for other plots."""

    kept: tuple[Draft, ...] = ()
    in_form: Draft | None = None
    ahead: tuple[Draft, ...] = ()


def id_of(draft: Mapping[str, Any]) -> DraftId | None:
    """The plot of a draft; ``None`` while its date, time, lab or plot isn't a valid one."""
    opened = draft.get("opened")
    if opened is not None:
        date, time, lab, plot = opened
        return DraftId((datetime.date.fromisoformat(date), str(time), str(lab), int(plot)), True)
    try:
        values = [fields.parse(fields.field(name), str(draft["texts"].get(name, ""))) for name in fields.RECORD_KEY]
    except ValueError:
        return None
    if any(each is None for each in values):
        return None
    return DraftId(tuple(values), False)  # type: ignore[arg-type]


class DraftFile:
    """Windows of one user each take a slot of their own, held by a file lock, so drafts whose lock is free belong to
    a window that is gone.

    All methods do file work: call them on a worker thread, one at a time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._lock: Any = None

    def take_over(self) -> Content:
        """Take a slot; returns the drafts of all windows that are gone.

        What two of them have of the same plot stays where it is, for the next window.
        """
        found = Content()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path, lock in self._free_slots():
            try:
                there = _read(path)
            except NewerFormat:
                lock.release()
                continue
            if self._path is None:
                self._path, self._lock, found = path, lock, there
                continue
            found, left = _joined(found, there)
            if left != there:
                self.write(found)
                _write(path, left)
            lock.release()
        return found

    def _free_slots(self) -> Iterator[tuple[Path, Any]]:
        """The slots that no window has, each with its lock taken: first those with drafts, then an empty one."""
        from filelock import FileLock, Timeout

        slots = [self._folder / f"drafts-{number}.json" for number in range(1, SLOTS + 1)]
        for path in sorted(slots, key=lambda each: not (each.exists() or _earlier(each).exists())):
            if self._path is not None and not path.exists() and not _earlier(path).exists():
                return
            lock = FileLock(path.with_name(path.name.replace("drafts-", "draft-")).with_suffix(".lock"), timeout=0,
                            thread_local=False)  # fmt: skip
            try:
                lock.acquire()
            except Timeout:
                continue
            yield path, lock

    def write(self, content: Content | None) -> None:
        """Keep the drafts on disk; ``None``: there are none."""
        if self._path is not None:
            _write(self._path, content)

    def release(self) -> None:
        """Give the slot back."""
        if self._lock is not None:
            self._lock.release()


class NewerFormat(Exception):
    """The drafts of a newer version of this program: not ours to touch."""


def _joined(mine: Content, other: Content) -> tuple[Content, Content | None]:
    """Both together; and what of ``other`` has to stay where it is."""
    kept, left = {id_of(each): each for each in mine.kept}, []
    taken = {*kept, id_of(mine.in_form)} if mine.in_form is not None else {*kept}
    for draft in (*other.kept, *([other.in_form] if other.in_form is not None else [])):
        identity = id_of(draft)
        if identity is None or identity in taken:
            left.append(draft)
        else:
            kept[identity] = draft
            taken.add(identity)
    stays = Content(tuple(each for each in left if each is not other.in_form),
                    other.in_form if any(each is other.in_form for each in left) else None)  # fmt: skip
    return mine._replace(kept=tuple(kept.values()), ahead=(*mine.ahead, *other.ahead)), stays if left else None


def _write(path: Path, content: Content | None) -> None:
    earlier = _earlier(path)
    if content is None or content == Content():
        path.unlink(missing_ok=True)
    else:
        with replacement(path) as temporary:
            values = {name: value for name, value in content._asdict().items() if value or name != "ahead"}
            text = json.dumps({"format": FORMAT, **values}, ensure_ascii=False)
            temporary.write_text(text, encoding="utf-8")
    if earlier.exists():
        earlier.replace(earlier.with_suffix(".taken-over"))


def _earlier(path: Path) -> Path:
    """Where versions before the drafts of many plots kept their one."""
    return path.with_name(path.name.replace("drafts-", "draft-"))


def _read(path: Path) -> Content:
    """What stands there; raises `NewerFormat`. What makes no sense is put aside."""
    for each, read in ((path, _content_in), (_earlier(path), _earlier_content_in)):
        try:
            return read(json.loads(each.read_text(encoding="utf-8")))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            import secrets  # not at the top: every start would pay for OpenSSL

            # Not ours to throw away: kept for a person to look at.
            each.replace(each.with_suffix(f".damaged-{secrets.token_hex(4)}"))
    return Content()


def _content_in(values: Any) -> Content:
    if values["format"] > FORMAT:
        raise NewerFormat
    kept, in_form = tuple(values["kept"]), values["in_form"]
    for draft in (*kept, *([in_form] if in_form is not None else [])):
        _check(draft)
    return Content(kept, in_form, tuple(values.get("ahead") or ()))


def _earlier_content_in(draft: Any) -> Content:
    _check(draft)
    return Content((), draft)


def _check(draft: Any) -> None:
    """Raise an error if it isn't what the form gave: texts by field, the key of an opened record, its texts."""
    texts = (*draft["texts"].items(), *(draft.get("baseline") or {}).items())
    if not all(isinstance(text, str) for pair in texts for text in pair):
        raise ValueError("a text is expected")
    if draft.get("opened") is not None:
        date, _time, _lab, plot = draft["opened"]
        datetime.date.fromisoformat(date)
        int(plot)
