"""The lines of the journal's file: each an event with its SHA-256, so that what isn't whole is seen. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FORMAT = 1
"""The form of the file, in its first line; a higher number is of a newer version of the application."""

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Content:
    """What a file holds: its events in order, the lines that are damaged, and how many bytes of it are whole lines."""

    events: tuple[Event, ...]
    damaged: tuple[bytes, ...]
    length: int
    format: int = FORMAT


def header() -> bytes:
    """The first line of a new file."""
    return to_line({"journal": FORMAT})


def to_line(event: Event) -> bytes:
    """Return the event as a line of the file."""
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return hashlib.sha256(text).hexdigest().encode("ascii") + b" " + text + b"\n"


def read(data: bytes) -> Content:
    """Read all that is whole. A last line without its end was being written when the computer failed: it counts not."""
    length = data.rfind(b"\n") + 1
    events: list[Event] = []
    damaged: list[bytes] = []
    known = FORMAT
    for line in data[:length].split(b"\n")[:-1]:
        event = _read_line(line)
        if event is None:
            damaged.append(line)
        elif "journal" in event:
            known = event["journal"] if type(event["journal"]) is int else FORMAT
        else:
            events.append(event)
    return Content(tuple(events), tuple(damaged), length, known)


def _read_line(line: bytes) -> Event | None:
    digest, _, text = line.partition(b" ")
    if hashlib.sha256(text).hexdigest().encode("ascii") != digest:
        return None
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None
