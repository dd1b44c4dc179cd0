"""`journal.log`, the journal of versions before the database: what it holds goes over, and its name stays occupied.

While records wait in the database, a line of a newer format stands there. An older program refuses it, and so says by
name why it doesn't show them and keeps none; the line also says how many they are, so that a database that was removed
or cut short is seen. When nothing waits the name is free, and an older window that is still open may keep records there
again: they are taken over with the next look. All of it is done under the lock that those windows hold as well.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from abq_data_entry.folders import replacement, synced
from abq_data_entry.store.database import StoreError, StoreNewer

FORMAT = 1
"""The form of `journal.log`, in its first line; a higher number is of a newer version of the application."""

LARGEST = 64 * 1024 * 1024
_FORMAT = FORMAT + 1
_BINARY = getattr(os, "O_BINARY", 0)

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Content:
    """What a file holds: its events in order, damaged lines, how many bytes are whole lines, and its first line."""

    events: tuple[Event, ...] = ()
    damaged: tuple[bytes, ...] = ()
    length: int = 0
    head: Event = field(default_factory=lambda: {"journal": FORMAT})

    @property
    def format(self) -> int:
        """The form of the file."""
        return number if type(number := self.head["journal"]) is int else FORMAT


def to_line(event: Event) -> bytes:
    """Return the event as a line of the file."""
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return hashlib.sha256(text).hexdigest().encode("ascii") + b" " + text + b"\n"


def read_lines(data: bytes) -> Content:
    """Read all that is whole. A last line without its end was being written when the computer failed: it is
    ignored."""
    length = data.rfind(b"\n") + 1
    events: list[Event] = []
    damaged: list[bytes] = []
    head: Event = {"journal": FORMAT}
    for line in data[:length].split(b"\n")[:-1]:
        event = _read_line(line)
        if event is None:
            damaged.append(line)
        elif "journal" in event:
            head = event
        else:
            events.append(event)
    return Content(tuple(events), tuple(damaged), length, head)


def open_events(events: Sequence[Event]) -> dict[str, Event]:
    """The records that aren't settled, by identifier; `remark` where somebody has to decide."""
    found: dict[str, Event] = {}
    for event in events:
        identifier = str(event.get("id"))
        if event.get("event") == "keep":
            found.setdefault(identifier, event)
        elif event.get("event") == "undecided" and identifier in found:
            found[identifier] = {**found[identifier], "remark": event.get("remark")}
        elif event.get("event") == "settled":
            found.pop(identifier, None)
    return found


def _read_line(line: bytes) -> Event | None:
    digest, _, text = line.partition(b" ")
    if hashlib.sha256(text).hexdigest().encode("ascii") != digest:
        return None
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


@dataclass(frozen=True)
class Noted:
    """How many records were ever kept in the database, and how many of them waited."""

    last: int = 0
    waiting: int = 0


class EarlierJournal:
    """The file in the folder of the journal. Whoever calls its methods holds the lock; they raise OSError too."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.log"
        self._end = folder / "journal.end"  # how long that file was, and how many records waited in it

    @property
    def exists(self) -> bool:
        """Whether anything may stand there."""
        return self.path.exists() or self._end.exists()

    def read(self) -> tuple[Content | None, Noted]:
        """Return what an older version left (`None`: nothing), and what is noted about the database."""
        try:
            with self.path.open("rb", buffering=0) as file:
                data = file.read(LARGEST + 1)
        except FileNotFoundError:
            data = b""
        if len(data) > LARGEST:
            raise StoreError(f"The journal of this computer is too large to be read: {self.path}.")
        if not self._end.exists():  # as it is, once nothing of an older version is there
            if not data:
                return None, Noted()
            first, end, more = data.partition(b"\n")
            head = _read_line(first) if end and not more else None
            if head is not None and head.get("journal") == _FORMAT:
                return None, _noted(head)
        content = read_lines(data)
        if content.format > _FORMAT:
            raise StoreNewer(
                "A newer version of ABQ Data Entry wrote the journal of this computer. Install the newer version here."
            )
        if content.format == FORMAT:
            return content, Noted()
        return Content() if self._end.exists() else None, _noted(content.head)

    def missing(self, content: Content) -> int:
        """Return how many records are gone because the file of the older version was cut short."""
        try:
            length, waiting = map(int, self._end.read_bytes().split())
        except (OSError, ValueError):
            return 0
        return waiting - len(open_events(content.events)) if content.length < length else 0

    def put_away(self, moment: str) -> None:
        """Give the file of the older version another name: what it holds is in the database."""
        self._end.unlink(missing_ok=True)  # first: without it that version misses nothing
        if self.path.exists():
            self.path.rename(self.path.with_name(f"journal-{moment}-{os.urandom(2).hex()}.taken-over"))
        synced(self.path.parent)

    def note(self, noted: Noted) -> None:
        """Occupy the name while anything waits, and give it back when nothing does."""
        with suppress(OSError):  # without it only a database that was removed or cut short goes unnoticed
            if not noted.waiting:
                self.path.unlink(missing_ok=True)
                return
            # Always as long as before, and written at once: nobody ever reads half of it.
            line = to_line({"journal": _FORMAT, "last": f"{noted.last:012}", "waiting": f"{noted.waiting:08}"})
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
            try:
                if os.read(handle, len(line) + 1) != line:
                    os.lseek(handle, 0, os.SEEK_SET)
                    os.write(handle, line)
                    os.ftruncate(handle, len(line))
            finally:
                os.close(handle)


def put_aside(folder: Path, name: str, damaged: list[bytes]) -> Path:
    """Keep what can't be read for somebody to look at; on disk when this returns where."""
    place = folder / f"{name}-{os.urandom(2).hex()}.log"
    with replacement(place) as temporary:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(b"\n".join(damaged) + b"\n")
    return place


def _noted(head: Event) -> Noted:
    with suppress(ValueError, KeyError, TypeError):
        return Noted(int(head["last"]), int(head["waiting"]))
    return Noted()
