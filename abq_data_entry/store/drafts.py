"""The file that may be deleted: drafts of open windows (half-typed records, and what was typed into dialogs), and the
last known copy of databases."""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from abq_data_entry import fields

if TYPE_CHECKING:
    import sqlite3

    from abq_data_entry.store.database import Database


log = logging.getLogger(__name__)

SLOTS = 16
NOBODYS = 0
FORMAT = 2
"""How many draft files version 1.0 wrote at most, one for each window."""

RecordKey = tuple[datetime.date, str, str, int]
Draft = dict[str, Any]


class DraftId(NamedTuple):
    """The record that a draft is of, and whether the draft corrects a saved one."""

    key: RecordKey
    corrects: bool


class Content(NamedTuple):
    """The drafts of one window: of plots that were left, of the record in the form, typed ahead for later plots, and
    typed into dialogs."""

    kept: tuple[Draft, ...] = ()
    in_form: Draft | None = None
    ahead: tuple[Draft, ...] = ()
    dialogs: tuple[Draft, ...] = ()


def id_of(draft: Mapping[str, Any]) -> DraftId | None:
    """Return the record that a draft is of; ``None`` while its date, time, lab or plot is missing or invalid."""
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
    """The drafts of this window. Each window of a user has a slot, and holds its file lock: if the lock of a slot with
    drafts is free, its window is gone. Windows of earlier versions hold the same locks.

    All methods read or write files: call them on a worker thread, one at a time. They raise `StoreError`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: Database | None = None
        self._slot: int | None = None
        self._lock: Any = None
        self._looked = False
        self._aside: list[Path] = []

    @property
    def problems(self) -> list[str]:
        """A sentence for each damage that was found, and for each draft that can't be read."""
        unread = [f"What was half typed can't be read. It was put aside: {path}." for path in self._aside]
        return [*(self._file.problems if self._file is not None else ()), *unread]

    def take_over(self) -> Content:
        """Take a slot, and return the drafts of all windows that are gone.

        If two of them have a draft of the same record or dialog, one of the two is left for the next window.
        """
        free: dict[int, Any] = {}
        found: Content | None = None
        left: list[Content] = []
        try:
            with self.database.opened() as connection:
                stored = self._stored(connection)
                taken = list(self._free_slots(stored, free))
                for source in (each for slot in taken for each in (*stored.get(slot, ()), *self._earlier(slot))):
                    found, rest = (source, Content()) if found is None else _merge_contents(found, source)
                    left.append(rest)
                if taken:
                    connection.executemany("DELETE FROM drafts WHERE slot = ?", [(slot,) for slot in taken])
                    _insert(connection, taken[0], _rows(found or Content()))
                    _insert(connection, NOBODYS, [row for each in left for row in _rows(each)])
            self._looked = True
            if taken:
                self._put_earlier_away(taken)
                self._slot, self._lock = taken[0], free.pop(taken[0])
        finally:
            for lock in free.values():
                lock.release()
        return found or Content()

    def write(self, content: Content | None) -> None:
        """Write the drafts of this window to disk; ``None``: there are none."""
        rows = _rows(content or Content())
        if self._slot is None and self._looked:
            return  # there was no free slot for this window
        with self.database.opened() as connection:
            if self._slot is None:
                self._start_over(connection)
            connection.execute("DELETE FROM drafts WHERE slot = ?", (self._slot,))
            _insert(connection, self._slot, rows)

    def release(self) -> None:
        """Release the slot."""
        if self._lock is not None:
            self._lock.release()

    @property
    def database(self) -> Database:
        """The file's `Database`, for the last known copy, too: two objects would take each other's changes for those of
        another process, and check the whole file after each."""
        if self._file is None:
            self._file = throwaway_file(self._folder)
        return self._file

    # -- inside -----------------------------------------------------------------------------------------

    def _free_slots(self, stored: Mapping[int, Any], free: dict[int, Any]) -> Iterator[int]:
        """Lock the slots that no window holds: first those with drafts, then an empty one; the last is 0, nobody's."""
        filled = [slot for slot in range(1, SLOTS + 1) if slot in stored or any(map(Path.exists, self._files(slot)))]
        for slot in (*filled, *(each for each in range(1, SLOTS + 1) if each not in filled)):
            if free and slot not in filled:
                break
            lock = self._locked(slot)
            if lock is not None:
                if any(_is_newer(path) for path in self._files(slot)):
                    lock.release()
                    continue
                free[slot] = lock
                yield slot
        if free:
            yield NOBODYS

    def _locked(self, slot: int) -> Any:
        from filelock import FileLock, Timeout

        lock = FileLock(self._folder / f"draft-{slot}.lock", timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            return None
        return lock

    def _start_over(self, connection: sqlite3.Connection) -> None:
        """Take an empty slot after the disk failed while drafts were taken over: the next window takes them over."""
        stored = self._stored(connection)
        for slot in range(1, SLOTS + 1):
            if slot not in stored and not any(map(Path.exists, self._files(slot))):
                self._lock = self._locked(slot)
                if self._lock is not None:
                    self._slot = slot
                    return

    def _stored(self, connection: sqlite3.Connection) -> dict[int, list[Content]]:
        """Return the drafts of each slot; one that can't be read is put aside."""
        from abq_data_entry.store.database import digest_of

        rows: dict[int, list[tuple[str, Draft]]] = {}
        for number, slot, text, digest in connection.execute("SELECT * FROM drafts ORDER BY number").fetchall():
            try:
                if digest_of(text) != digest:
                    raise ValueError("its digest doesn't match")
                content = json.loads(text)
                _CHECKS[content["place"]](content["draft"])
                owner = slot if slot in range(1, SLOTS + 1) else NOBODYS
                rows.setdefault(owner, []).append((content["place"], content["draft"]))
            except (ValueError, TypeError, KeyError, AttributeError):
                self._aside.append(_put_aside(self._folder / "draft", str(text)))
                connection.execute("DELETE FROM drafts WHERE number = ?", (number,))
        nobodys = [_content([row]) for row in rows.pop(NOBODYS, ())]
        stored = {slot: [_content(each)] for slot, each in rows.items()}
        return {**stored, NOBODYS: nobodys} if nobodys else stored

    # -- files of versions that had no SQLite file: `drafts-N.json`, and before them `draft-N.json`

    def _files(self, slot: int) -> tuple[Path, ...]:
        return tuple(self._folder / f"{name}-{slot}.json" for name in ("drafts", "draft")) if slot else ()

    def _earlier(self, slot: int) -> Iterator[Content]:
        for path, read in zip(self._files(slot), (_content_in, _earlier_content_in), strict=False):
            try:
                yield read(json.loads(path.read_text(encoding="utf-8")))
                return
            except FileNotFoundError:
                continue
            except (OSError, ValueError, TypeError, KeyError, AttributeError):
                self._aside.append(_put_aside(path))

    def _put_earlier_away(self, slots: Iterable[int]) -> None:
        for path in (path for slot in slots for path in self._files(slot)):
            try:
                if path.exists():
                    path.replace(path.with_suffix(".taken-over"))
            except OSError as error:  # it will be taken over again, and recognized as a duplicate
                log.warning("%s can't be renamed: %s", path, error)


def _rows(content: Content) -> list[tuple[str, str]]:
    """Each draft as (JSON, SHA-256)."""
    from abq_data_entry.store.database import digest_of

    drafts = [("kept", each) for each in content.kept]
    drafts += [("in_form", content.in_form)] if content.in_form is not None else []
    drafts += [("ahead", each) for each in content.ahead]
    drafts += [("dialog", each) for each in content.dialogs]
    contents = [{"place": place, "draft": draft} for place, draft in drafts]
    texts = [_as_json(each) for each in contents]
    return [(text, digest_of(text)) for text in texts]


def _as_json(content: object) -> str:
    written = partial(json.dumps, content, separators=(",", ":"))
    text = written(ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half an emoji, which Tk leaves if it was cut apart
        return written()
    return text


def _content(rows: list[tuple[str, Draft]]) -> Content:
    kept, in_form, ahead, dialogs = ([draft for at, draft in rows if at == each] for each in _CHECKS)
    return Content(tuple(kept), in_form[0] if in_form else None, tuple(ahead), tuple(dialogs))


def _insert(connection: sqlite3.Connection, slot: int | None, rows: Iterable[tuple[str, str]]) -> None:
    statement = "INSERT INTO drafts (slot, content, digest) VALUES (?, ?, ?)"
    connection.executemany(statement, [(slot, *row) for row in rows])


def _merge_contents(mine: Content, other: Content) -> tuple[Content, Content]:
    """Return both together, and what of ``other`` is left for the next window."""
    in_form = mine.in_form
    kept = {id_of(each): each for each in mine.kept}
    taken = {**kept, id_of(in_form): in_form} if in_form is not None else dict(kept)
    left: list[Draft] = []
    for draft in (*other.kept, *([other.in_form] if other.in_form is not None else [])):
        identity = id_of(draft)
        if identity is None and in_form is None:  # no plot: only the form can show it
            in_form = draft
        elif identity is None or identity in taken:
            if draft not in (in_form, taken.get(identity)):
                left.append(draft)
        else:
            kept[identity] = taken[identity] = draft
    texts = {_dialog_of(each): each for each in (*other.dialogs, *mine.dialogs)}
    stays = Content(tuple(each for each in left if each is not other.in_form),
                    other.in_form if any(each is other.in_form for each in left) else None,
                    dialogs=tuple(each for each in other.dialogs if each != texts[_dialog_of(each)]))  # fmt: skip
    ahead = (*mine.ahead, *(each for each in other.ahead if each not in mine.ahead))
    return Content(tuple(kept.values()), in_form, ahead, tuple(texts.values())), stays


def _dialog_of(draft: Draft) -> tuple[str, ...]:
    """Return the database, title and subject of a dialog, and the person who typed there."""
    return draft["database"], draft["title"], draft["about"], draft["person"]


def _put_aside(path: Path, text: str | None = None) -> Path:
    """Keep what can't be read in a file, for somebody to look at, because a user has typed it. Return its path."""
    import secrets  # not at the top: every start would pay for OpenSSL

    aside = path.with_suffix(f".damaged-{secrets.token_hex(4)}")
    if text is None:
        path.replace(aside)
    else:
        aside.touch(0o600)
        aside.write_text(text, encoding="utf-8", errors="surrogateescape")
    log.warning("a draft can't be read and was put aside: %s", aside)
    return aside


def _is_newer(path: Path) -> bool:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return bool(isinstance(values, dict) and values.get("format", 0) > FORMAT)
    except (OSError, ValueError, TypeError):
        return False


def _content_in(values: Any) -> Content:
    kept, in_form = tuple(values["kept"]), values["in_form"]
    for draft in (*kept, *([in_form] if in_form is not None else [])):
        _check(draft)
    return Content(kept, in_form, tuple(values.get("ahead") or ()))


def _earlier_content_in(draft: Any) -> Content:
    _check(draft)
    return Content((), draft)


def _check(draft: Any) -> None:
    """Raise an error unless it is a draft: texts by field, the key of an opened record, its texts."""
    texts = (*draft["texts"].items(), *(draft.get("baseline") or {}).items())
    if not all(isinstance(text, str) for pair in texts for text in pair):
        raise ValueError("a text is expected")
    if draft.get("opened") is not None:
        date, _time, _lab, plot = draft["opened"]
        datetime.date.fromisoformat(date)
        int(plot)


def _check_dialog(draft: Any) -> None:
    """Raise an error unless it is a dialog's draft, which `application.unsent` describes."""
    texts = (*_dialog_of(draft), draft["words"], *draft["typed"])
    json.loads(draft["about"])
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a text is expected")


_CHECKS: dict[str, Callable[[Any], object]] = {
    "kept": _check, "in_form": _check, "ahead": lambda draft: None, "dialog": _check_dialog,
}  # fmt: skip
"""What checks a draft, by its place. One of another place is of a newer version, and is put aside."""

_TABLES = {
    "drafts": """CREATE TABLE drafts (
    number INTEGER PRIMARY KEY,
    slot INTEGER NOT NULL DEFAULT 0, -- which window's; 0: nobody's
    content TEXT NOT NULL,
    digest TEXT NOT NULL -- SHA-256 of the content
)""",
    "known": """CREATE TABLE known (
    database TEXT PRIMARY KEY,
    content TEXT NOT NULL,
    digest TEXT NOT NULL
)""",
}


def throwaway_file(folder: Path) -> Database:
    """Return the file of that folder; it isn't opened yet."""
    from abq_data_entry.store.database import (
        Database,  # not at the top, where it would slow down the start
        Layout,
    )

    layout = Layout("The file of half-typed plots", 1, _TABLES, b'{"place":"', _draft)
    return Database(folder / "drafts.sqlite", layout, folder / "drafts.lock")


def _draft(content: str, digest: str) -> tuple[str, dict[str, object]]:
    json.loads(content)["draft"]
    return "drafts", {"content": content, "digest": digest}
