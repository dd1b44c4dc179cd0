"""What lies in the folder of the outbox and is no row: what a version before has left is put in, once.

That version had a file for each delivery, and notes behind its content.

It is taken over under the lock that a window holds while it sends; what one of that version still sends is taken over
afterwards. On a disk that can only be read it is looked at, and stays. In the folder of what waits stays a description
that the older version refuses by name; what it wrote itself is kept in `taken-over`.
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
_BETWEEN = b"\n\n"  # no entry holds it
_LARGEST = 16 * 1024 * 1024  # bytes; an entry with all attempts of a week had 100 KB
_RECORDED = re.compile(r"recorded (\d{1,9})")
PARTS = "left-there"
_AT_ONCE = 20  # entries of the version before, four syncs of the disk each


class Box(Protocol):
    """What is needed of the outbox."""

    folder: Path

    def insert(self, connection: sqlite3.Connection, delivery: Delivery, recorded: int = ...) -> None: ...

    def insert_part(self, connection: sqlite3.Connection, identifier: str, place: Place, name: str) -> None: ...

    def lane(self, delivery: Delivery, patience: float = ...) -> AbstractContextManager[None]: ...

    def put_aside(self, name: str, why: str) -> bool: ...

    def tell(self, sentence: str) -> None: ...


class TakenOver(NamedTuple):
    """Whether that was all of it, and the notes of parts that are rows by now."""

    is_all: bool = True
    parts: tuple[Path, ...] = ()


def take_over(outbox: Box, connection: sqlite3.Connection, names: Iterable[str], held: str = "") -> TakenOver:
    """Put in what lies in the folder under these names, or some of it; `held` is the file whose lane the caller has.

    What is being sent by another window is left for later.
    """
    if not connection.execute("PRAGMA query_only").fetchone()[0]:
        return _take_some_over(outbox, connection, names, _AT_ONCE, held)
    connection.execute("PRAGMA query_only = OFF")  # it is a copy in memory, and the folder stays as it is
    try:
        _take_some_over(outbox, connection, names, None, held)
        return TakenOver()
    finally:
        connection.execute("PRAGMA query_only = ON")


def _take_some_over(
    outbox: Box, connection: sqlite3.Connection, names: Iterable[str], most: int | None, held: str
) -> TakenOver:
    """Take over at most `most` of them; None where nothing can be written."""
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
        except OSError as error:  # it may be whole: it stays where it is
            outbox.tell(f"The delivery {name[:8]} in the outbox can't be read ({error.strerror}): {path / ENTRY}.")
        except (ValueError, TypeError, RecursionError) as error:
            why = str(error) if isinstance(error, _NotAnEntry) else "its description can't be read"
            outbox.put_aside(name, why)
    return TakenOver(parts=tuple(_take_parts_over(outbox, connection)))


class _NotAnEntry(ValueError):
    """What stands in the place of a description is none; the text says what it is."""


def _take_over(outbox: Box, connection: sqlite3.Connection, path: Path, may_write: bool, held: str) -> None:
    data = _content(path / ENTRY)
    text, *notes = data.split(_BETWEEN)
    try:
        found = _delivery(path.name, text)
    except (ValueError, TypeError, RecursionError):
        if not is_of_newer_version(text.decode("utf-8", "replace")):
            raise
        outbox.tell(f"The delivery {path.name[:8]} was put in by a newer version of the application.")
        return
    is_ours = json.loads(text).get("format") in FORMATS_OF_ROWS
    recorded = [int(said[1]) for each in notes if (said := _RECORDED.fullmatch(each.decode("utf-8", "replace")))]
    with ExitStack() as stack:
        if not is_ours:
            try:
                is_held = not may_write or found.file_key == held
                stack.enter_context(nullcontext() if is_held else outbox.lane(found))
            except Busy:
                return
            for note in notes if found.state not in ENDED else ():
                with suppress(ValueError, TypeError, RecursionError):  # one that was cut short is none
                    noted = _delivery(path.name, note)
                    found = noted if noted.revision == found.revision + 1 else found
            if may_write:
                _occupy(outbox, path, data, found)
        outbox.insert(connection, found, max(recorded, default=0))


def _occupy(outbox: Box, path: Path, before: bytes, delivery: Delivery) -> None:
    """Let an older version refuse it by name, and keep what that one wrote."""
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
    """Put in what that version noted of parts; return the notes."""
    for path in (outbox.folder / PARTS).glob("*.json"):
        with suppress(OSError):
            text = path.read_text(encoding="utf-8", errors="replace")
            yield path
            with suppress(ValueError, KeyError, TypeError):
                content = json.loads(text)
                place = Place(str(content["kind"]), str(content["address"]))
                outbox.insert_part(connection, path.stem, place, str(content["name"]))


def put_away(outbox: Box, parts: Iterable[Path]) -> None:
    """Move notes of parts away once they are rows on the disk; those that can't be are taken over once more."""
    with suppress(OSError):
        for path in parts:
            kept = outbox.folder / "taken-over" / PARTS
            kept.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.replace(kept / path.name)
