"""Deliveries in the folder of the outbox that have no row: those that an earlier version left become rows, once.

The earlier version had a file `delivery.json` for each delivery, with notes after its content.

A delivery is taken over under the lock that a window holds while it sends; one that such a window is still sending is
taken over afterwards. On a read-only disk it is only read. Its folder then has a `delivery.json` that the earlier
version refuses by name; the one of that version is kept in `taken-over`.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..folders import replacement
from ..network.destination import Place
from .delivery import ENDED, FORMATS_OF_ROWS, Busy, Delivery, from_text, is_of_newer_version, to_text

if TYPE_CHECKING:
    import sqlite3

ENTRY = "delivery.json"
_BETWEEN = b"\n\n"  # no delivery's text contains it
_LARGEST = 16 * 1024 * 1024  # bytes; a delivery with all attempts of a week had 100 KB
_RECORDED = re.compile(r"recorded (\d{1,9})")
PARTS = "left-there"
_AT_ONCE = 20  # deliveries of the earlier version in one go: each waits for four syncs of the disk


class Box(Protocol):
    """The part of `Outbox` that is needed here."""

    folder: Path

    def insert(self, connection: sqlite3.Connection, delivery: Delivery, recorded: int = ...) -> None: ...

    def insert_part(self, connection: sqlite3.Connection, identifier: str, place: Place, name: str) -> None: ...

    def locked(self, delivery: Delivery, patience: float = ...) -> AbstractContextManager[None]: ...

    def put_aside(self, name: str, why: str) -> bool: ...

    def note_problem(self, sentence: str) -> None:
        """Keep a sentence about damage in the outbox, for the user."""


class TakenOver(NamedTuple):
    """Whether everything was taken over, and the files about orphaned parts that have become rows."""

    is_all: bool = True
    parts: tuple[Path, ...] = ()


def take_over(outbox: Box, connection: sqlite3.Connection, names: Iterable[str], held: str = "") -> TakenOver:
    """Insert rows for the deliveries in the folders of these names, or for some of them.

    `held`: the `file_key` whose lock the caller holds. What another window is sending is left for later.
    """
    if not connection.execute("PRAGMA query_only").fetchone()[0]:
        return _take_over_some(outbox, connection, names, _AT_ONCE, held)
    connection.execute("PRAGMA query_only = OFF")  # the connection is to a copy in memory; the folder isn't changed
    try:
        _take_over_some(outbox, connection, names, None, held)
        return TakenOver()
    finally:
        connection.execute("PRAGMA query_only = ON")


def _take_over_some(
    outbox: Box, connection: sqlite3.Connection, names: Iterable[str], most: int | None, held: str
) -> TakenOver:
    """Take over at most `most` of them; None: all, and the folder isn't changed, since it can't be written."""
    before = connection.total_changes
    for name in sorted(names):
        if most is not None and connection.total_changes - before >= most:
            return TakenOver(is_all=False)
        path = outbox.folder / name
        try:
            if path.is_dir():
                _take_over(outbox, connection, path, most is not None, held)
        except FileNotFoundError:
            if path.is_dir():
                outbox.put_aside(name, "its description is missing")
        except OSError as error:  # it may be undamaged: it isn't put aside
            outbox.note_problem(
                f"The delivery {name[:8]} in the outbox can't be read ({error.strerror}): {path / ENTRY}."
            )
        except (ValueError, TypeError, RecursionError) as error:
            why = str(error) if isinstance(error, _NotAnEntry) else "its description can't be read"
            outbox.put_aside(name, why)
    return TakenOver(parts=tuple(_take_parts_over(outbox, connection)))


class _NotAnEntry(ValueError):
    """The file `delivery.json` isn't a delivery; the text says what it is."""


def _take_over(outbox: Box, connection: sqlite3.Connection, path: Path, may_write: bool, held: str) -> None:
    data = _content(path / ENTRY)
    text, *notes = data.split(_BETWEEN)
    try:
        found = _delivery(path.name, text)
    except (ValueError, TypeError, RecursionError):
        if not is_of_newer_version(text.decode("utf-8", "replace")):
            raise
        outbox.note_problem(f"The delivery {path.name[:8]} was added by a newer version of the application.")
        return
    is_ours = json.loads(text).get("format") in FORMATS_OF_ROWS
    recorded = [int(said[1]) for each in notes if (said := _RECORDED.fullmatch(each.decode("utf-8", "replace")))]
    with ExitStack() as stack:
        if not is_ours:
            try:
                is_held = not may_write or found.file_key == held
                stack.enter_context(nullcontext() if is_held else outbox.locked(found))
            except Busy:
                return
            for note in notes if found.state not in ENDED else ():
                with suppress(ValueError, TypeError, RecursionError):  # a truncated note is ignored
                    noted = _delivery(path.name, note)
                    found = noted if noted.revision == found.revision + 1 else found
            if may_write:
                _replace_entry(outbox, path, data, found)
        outbox.insert(connection, found, max(recorded, default=0))


def _replace_entry(outbox: Box, path: Path, before: bytes, delivery: Delivery) -> None:
    """Replace the delivery's file, so that the earlier version refuses it by name; keep the one of that version."""
    kept = outbox.folder / "taken-over"
    kept.mkdir(mode=0o700, exist_ok=True)
    with replacement(kept / f"{path.name}.json") as temporary:
        temporary.write_bytes(before)
    with replacement(path / ENTRY) as temporary:
        temporary.write_text(to_text(delivery), encoding="utf-8")


def _content(path: Path) -> bytes:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # a read from a pipe, for example, might never end
        raise _NotAnEntry("its description isn't a file")
    if status.st_size > _LARGEST:
        raise _NotAnEntry(f"its description is far too large ({status.st_size} bytes)")
    return path.read_bytes()


def _delivery(name: str, text: bytes) -> Delivery:
    found = from_text(text.decode("utf-8"))
    if found.identifier != name:
        raise ValueError("of another delivery")
    return found


def _take_parts_over(outbox: Box, connection: sqlite3.Connection) -> Iterator[Path]:
    """Insert rows for the orphaned parts that the earlier version noted; yield its files."""
    for path in (outbox.folder / PARTS).glob("*.json"):
        with suppress(OSError):
            text = path.read_text(encoding="utf-8", errors="replace")
            yield path
            with suppress(ValueError, KeyError, TypeError):
                content = json.loads(text)
                place = Place(str(content["kind"]), str(content["address"]))
                outbox.insert_part(connection, path.stem, place, str(content["name"]))


def put_away(outbox: Box, parts: Iterable[Path]) -> None:
    """Move the files about orphaned parts away after their rows are on disk; any that stay are taken over again."""
    with suppress(OSError):
        for path in parts:
            kept = outbox.folder / "taken-over" / PARTS
            kept.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.replace(kept / path.name)
