"""What is in an SQLite file of this computer; what can still be read of a damaged one.

That is read by SQLite from both ends, then from the bytes themselves.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from abq_data_entry.folders import replacement, synced

if TYPE_CHECKING:
    import sqlite3

@dataclass(frozen=True)
class Layout:
    """What is in a file: `name` is what people call it, `version` its `user_version`, `tables` the statement of each.

    `row` and `anchor` find what a damaged file holds where SQLite can't read it any more. Such a row is a JSON text
    that begins with `anchor`, and its SHA-256 right behind it; `row` gives the table and the columns to insert. Then
    all rows are put in the order of the key `moment` of their texts, where they have one.
    """

    name: str
    version: int
    tables: Mapping[str, str]
    anchor: bytes
    row: Callable[[str, str], tuple[str, dict[str, object]]]


Row = Mapping[str, object]
_DIGEST = 64
_LONGEST = 256 * 1024  # a row
_BESIDE = ("-wal", "-shm", "-journal")


def digest_of(content: object) -> str:
    """Return the SHA-256 of a row's content, as it stands behind it."""
    return hashlib.sha256(bytes_of(content)).hexdigest()


def bytes_of(value: object) -> bytes:
    """Return the bytes of what was read from a column, whatever they have become."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


def version_in(path: Path) -> int:
    """Return the `user_version` of a file, without a change to it or to what stands beside it; 0: there is none."""
    import sqlite3

    with suppress(sqlite3.Error, UnicodeError):
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            return int(connection.execute("PRAGMA user_version").fetchone()[0])
    return 0


def copy_aside(path: Path, aside: Path) -> None:
    """Copy the file and what stands beside it to another name, on disk when this returns."""
    for suffix in ("", *_BESIDE):
        source = path.with_name(path.name + suffix)
        if source.exists() and suffix != "-shm":  # that one holds nothing of its own
            with replacement(aside.with_name(aside.name + suffix)) as temporary:
                shutil.copyfile(source, temporary)
                temporary.chmod(0o600)


def replace(fresh: Path, path: Path) -> None:
    """Let a new file take the place of a damaged one; what stands beside that belongs to it and goes first."""
    for suffix in _BESIDE:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    fresh.replace(path)
    synced(path.parent)


def remove(path: Path) -> None:
    """Remove a file and what stands beside it, where they are there."""
    for suffix in ("", *_BESIDE):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def insert(connection: sqlite3.Connection, table: str, row: Row) -> None:
    """Insert a row under the names of its columns; one that is there already, or that breaks a rule, is passed over."""
    values = [bytes_of(each) if isinstance(each, str) and not _is_text(each) else each for each in row.values()]
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    # The names are those of a layout.
    connection.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", values)  # noqa: S608


def _is_text(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:  # bytes that were damaged
        return False
    return True


def rows_of(aside: Path, layout: Layout) -> list[tuple[str, Row]]:
    """Return (table, row) of all that a damaged file still holds, in order; rows get new numbers."""
    work = aside.with_name(f".{aside.name}.{os.urandom(4).hex()}.part")
    try:
        copy_aside(aside, work)  # SQLite changes what it opens
        found = [
            (table, _put_right(table, row, layout))
            for table in layout.tables
            for row in _by_sqlite(work, table, _columns(layout, table))
        ]
    finally:
        remove(work)
    known = {row["content"] for _table, row in found if "content" in row}
    lost = []
    for suffix in ("-wal", ""):  # the log has what is newer
        source = aside.with_name(aside.name + suffix)
        for content, digest in _in_bytes(source.read_bytes() if source.exists() else b"", layout.anchor):
            if content not in known:
                known.add(content)
                with suppress(ValueError, TypeError, KeyError):
                    lost.append(layout.row(content, digest))
    return sorted((*found, *lost), key=_moment) if lost else found


def _put_right(table: str, row: Row, layout: Layout) -> Row:
    """The row with what its content says, where that is whole: a column beside it may be damaged."""
    content, digest = row.get("content"), row.get("digest")
    with suppress(ValueError, TypeError, KeyError):
        if digest_of(content) == digest:
            named, said = layout.row(str(content), str(digest))
            return {**row, **said} if named == table else row
    return row


def _moment(entry: tuple[str, Row]) -> str:
    with suppress(ValueError, TypeError, KeyError):
        return str(json.loads(str(entry[1]["content"]))["moment"])
    return ""


def _columns(layout: Layout, table: str) -> list[str]:
    """The names that the table's columns should have: those in the file may be damaged as well."""
    import sqlite3

    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(layout.tables[table])
        return [name for _number, name, *_ in connection.execute(f"PRAGMA table_info({table})")]


def _by_sqlite(path: Path, table: str, names: list[str]) -> list[Row]:
    """The rows that SQLite reads from the beginning up to the damage, and from the end down to it."""
    import sqlite3

    # In the order in which they stand there, whatever has become of their numbers.
    ways: dict[str, dict[tuple[object, ...], Row]] = {"ASC": {}, "DESC": {}}
    for order, found in ways.items():
        # An error's text may be damaged, too.
        with suppress(sqlite3.Error, UnicodeError), closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
            rows = connection.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid {order}")  # noqa: S608
            for number, *values in rows:
                key = (number, *values)
                found[key] = {name: each for name, each in zip(names, values, strict=False) if name != "number"}
    rest = [row for key, row in reversed(ways["DESC"].items()) if key not in ways["ASC"]]
    return [*ways["ASC"].values(), *rest]


def _in_bytes(data: bytes, anchor: bytes) -> Iterator[tuple[str, str]]:
    """The contents that stand whole in the bytes: JSON with its SHA-256 right behind it."""
    decoder, place = json.JSONDecoder(), data.find(anchor)
    while place >= 0:
        with suppress(ValueError, RecursionError):
            _value, length = decoder.raw_decode(data[place : place + _LONGEST].decode("latin-1"))  # a byte a character
            content, end = data[place : place + length], place + length
            digest = hashlib.sha256(content).hexdigest()
            if data[end : end + _DIGEST] == digest.encode("ascii"):
                yield content.decode("utf-8"), digest
        place = data.find(anchor, place + 1)
