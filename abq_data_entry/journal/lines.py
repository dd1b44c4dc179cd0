"""The lines of `journal.log`: each an event with its SHA-256, so that what isn't whole is seen. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FORMAT = 1
"""The form of the file, in its first line; a higher number is of a newer version of the application."""

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


def read(data: bytes) -> Content:
    """Read all that is whole. A last line without its end was being written when the computer failed: it counts not."""
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
