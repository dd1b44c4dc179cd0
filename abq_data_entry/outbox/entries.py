"""Reading what stands in the outbox. What can't be read is put aside and told, never thrown away."""

from __future__ import annotations

import datetime
import os
import re
import stat
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .delivery import ENDED, Delivery, from_text, is_of_newer_version

ENTRY = "delivery.json"
"""The entry as it was brought to the disk, and behind it what :func:`add_note` wrote."""
_BETWEEN = b"\n\n"  # no entry holds it
_LARGEST = 16 * 1024 * 1024  # bytes; an entry with all attempts of a week has 100 KB
_RECORDED = re.compile(r"recorded (\d{1,9})")

Clock = Callable[[], datetime.datetime]


class Entries:
    """The folders of deliveries. `problems` holds a sentence for each that couldn't be read. For several threads.

    What file a delivery is of never changes, so it is read once, and a thousand entries needn't be read again for each
    question about one file. Which entries there are is asked of the disk each time: other processes add some.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._known: dict[str, tuple[tuple[int, ...], Delivery]] = {}
        self._named: set[str] = set()
        self._by_file: dict[tuple[str, str], set[str]] = {}
        self._lock = threading.RLock()
        self.problems: list[str] = []

    def all(self) -> list[Delivery]:
        """Return every delivery that can be read; those that didn't change since are not parsed again."""
        with self._lock:
            names = self._names()
            for gone in self._known.keys() - names:
                del self._known[gone]
            return [found for name in names if (found := self._glance(self._folder / name))]

    def of_file(self, kind: str, name: str) -> list[Delivery]:
        """Return the deliveries of one file to one kind of destination, as they stand on disk now."""
        with self._lock:
            present = self._names()
            for new in present - self._named:
                self._glance(self._folder / new)
            these = self._by_file.get((kind, name), set()) & present
            return [found for each in these if (found := self._read(self._folder / each))]

    def one(self, identifier: str) -> Delivery | None:
        """Return a delivery as it stands on disk now, None if it is gone or was put aside."""
        return self._read(self._folder / identifier)

    def _names(self) -> set[str]:
        return {each for each in os.listdir(self._folder) if len(each) == 32 and each[0] != "."}  # noqa: PTH208 - faster

    def _glance(self, path: Path) -> Delivery | None:
        """Read it unless the file is the one that was read before: with each change it is replaced, or grows."""
        mark = _mark(path / ENTRY)
        if mark and path.name in self._known and self._known[path.name][0] == mark:
            return self._known[path.name][1]
        found = self._read(path)
        if found is not None:
            self._known[path.name] = mark, found
            self._named.add(path.name)
            self._by_file.setdefault((found.kind, found.name), set()).add(path.name)
        return found

    def _read(self, path: Path) -> Delivery | None:
        """Return the entry, or what it is while an attempt runs."""
        try:
            text, notes = _parts(path)
        except (FileNotFoundError, NotADirectoryError):
            if path.is_dir():
                self._put_aside(path, "its description is missing")
            return None
        except OSError as error:  # it may be whole: it stays where it is
            self._tell(f"The delivery {path.name[:8]} in the outbox can't be read ({error.strerror}): {path / ENTRY}.")
            return None
        except ValueError as error:
            self._put_aside(path, str(error) if isinstance(error, _NotAnEntry) else "its description isn't text")
            return None
        try:
            found = _parsed(path, text)
        except (ValueError, TypeError, RecursionError):
            if is_of_newer_version(text):
                self._tell(f"The delivery {path.name[:8]} was put in by a newer version of the application.")
            else:
                self._put_aside(path, "its description can't be read")
            return None
        return found if found.state in ENDED else _noted(path, found, notes)

    def _put_aside(self, path: Path, why: str) -> None:
        aside = self._folder / "damaged"
        place = aside / f"{path.name}-{self._clock():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:4]}"
        told = f"The delivery {path.name[:8]} in the outbox is damaged: {why}."
        try:
            aside.mkdir(mode=0o700, exist_ok=True)
            path.rename(place)
        except FileNotFoundError:  # another process was faster
            return
        except OSError as error:
            self._tell(f"{told} It can't be put aside ({error.strerror}): {path}.")
            return
        self._tell(f"{told} It was put aside: {place}.")

    def _tell(self, sentence: str) -> None:
        if sentence not in self.problems:
            self.problems.append(sentence)


def add_note(folder: Path, text: str) -> None:
    """Write something behind the entry, for which nobody waits until it is on the disk; raises `OSError`.

    After a power cut it may be gone, or cut short, and then the entry counts as it was before: what was being sent is
    sent again, and what was recorded is recorded again. It goes when the entry is replaced. A file of its own for it
    would cost more than all else that a small delivery writes.
    """
    handle = os.open(folder / ENTRY, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
    try:
        os.write(handle, _BETWEEN + text.encode("utf-8"))
    finally:
        os.close(handle)


def recorded_text(revision: int) -> str:
    """The note that the database has this revision."""
    return f"recorded {revision}"


def recorded_in(folder: Path) -> int:
    """Return which revision the notes say that the database has, 0 if none."""
    try:
        _, notes = _parts(folder)
    except (OSError, ValueError):
        return 0
    return max((int(found[1]) for each in notes if (found := _RECORDED.fullmatch(each))), default=0)


class _NotAnEntry(ValueError):
    """What stands in the place of a description is none; the text says what it is."""


def _parts(folder: Path) -> tuple[str, list[str]]:
    """Return the entry's text and the notes behind it. Raises `OSError`, and `ValueError` if the entry isn't text."""
    status = (folder / ENTRY).stat()
    if not stat.S_ISREG(status.st_mode):  # a pipe, say, would be waited for
        raise _NotAnEntry("its description isn't a file")
    if status.st_size > _LARGEST:
        raise _NotAnEntry(f"its description is far too large ({status.st_size} bytes)")
    entry, *notes = (folder / ENTRY).read_bytes().split(_BETWEEN)
    return entry.decode("utf-8"), [each.decode("utf-8", "replace") for each in notes]


def _parsed(path: Path, text: str) -> Delivery:
    found = from_text(text)
    if found.identifier != path.name:
        raise ValueError("of another delivery")
    return found


def _noted(path: Path, entry: Delivery, notes: list[str]) -> Delivery:
    """Return the entry as the last note of its next revision has it; one that was cut short is none."""
    found = entry
    for note in notes:
        with suppress(ValueError, TypeError, RecursionError):
            noted = _parsed(path, note)
            found = noted if noted.revision == entry.revision + 1 else found
    return found


def _mark(path: Path) -> tuple[int, ...]:
    """What changes with the file; nothing if there is none."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size
