"""Which observation of a BrAPI server is which value of ours: kept on this computer, in SQLite.

Servers refuse a value that they have already, and an answer may be lost. So what was sent is noted before and after.
What is lost here can be had from the server again, so a damaged file is put aside.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..folders import data_folder
from .brapi_records import RecordKey
from .rest_answers import RestConnectionError

if TYPE_CHECKING:
    import sqlite3

log = logging.getLogger(__name__)

_VERSION = 1
_KEPT = 120  # days of records
_TABLE = """CREATE TABLE IF NOT EXISTS known (
    place TEXT NOT NULL, -- the address of the server
    date TEXT NOT NULL,
    record TEXT NOT NULL, -- time, lab and plot
    content TEXT NOT NULL, -- by field: the server's identifier, and the value that it has; as JSON
    PRIMARY KEY (place, date, record)
) WITHOUT ROWID"""

Values = dict[str, tuple[str, str]]
"""By field: the identifier at the server, and the value that it has."""


class KnownFailed(RestConnectionError):
    """The file can't be used at the moment; nothing is sent without a note, and another attempt may succeed."""


class Known:
    """What one server has of ours."""

    def __init__(self, place: str, path: Path | None = None) -> None:
        self._place = place
        self._path = path

    def of_day(self, date: str) -> dict[RecordKey, Values]:
        """Return what the server is known to have of that day."""
        with self._opened() as connection:
            rows = connection.execute(
                "SELECT record, content FROM known WHERE place = ? AND date = ?", (self._place, date)
            ).fetchall()
        found: dict[RecordKey, Values] = {}
        for record, content in rows:
            with suppress(ValueError, TypeError, AttributeError):  # a damaged row: the server is asked for it
                time, lab, plot = str(record).split(" ")
                values = {str(name): (str(number), str(value)) for name, (number, value) in json.loads(content).items()}
                found[RecordKey(date, time, lab, plot)] = values
        return found

    def note(self, changed: Mapping[RecordKey, Values]) -> None:
        """Keep these, on the disk when this returns; what is too old goes."""
        rows = [
            (self._place, key.date, f"{key.time} {key.lab} {key.plot}", json.dumps(values))
            for key, values in changed.items()
        ]
        with self._opened() as connection:
            self._put(connection, rows)

    @staticmethod
    def _put(connection: sqlite3.Connection, rows: Iterable[tuple[str, ...]]) -> None:
        connection.executemany("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?)", rows)
        connection.execute("DELETE FROM known WHERE date < date('now', ?)", (f"-{_KEPT} days",))

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        import sqlite3

        path = self._path or data_folder(create=True) / "brapi.sqlite"
        try:
            with closing(_connected(path)) as connection, connection:
                yield connection
        except sqlite3.Error as error:
            if _is_damage(error):
                _put_aside(path)
            raise KnownFailed(f"The file {path} can't be used ({error}). Try again.") from None


def _connected(path: Path) -> sqlite3.Connection:
    import sqlite3

    for is_last in (False, True):
        path.touch(0o600, exist_ok=True)
        connection = sqlite3.connect(path, timeout=5)  # less than the network's, which would blame the server
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                connection.close()
                raise KnownFailed(f"A newer version of ABQ Data Entry wrote {path}. Install the newer version here.")
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute("SELECT place, date, record, content FROM known LIMIT 1")
        except sqlite3.DatabaseError as error:
            connection.close()
            if is_last or not _is_damage(error):
                raise
            _put_aside(path)
        else:
            return connection
    raise AssertionError


def _is_damage(error: sqlite3.Error) -> bool:
    import sqlite3

    if isinstance(error, sqlite3.OperationalError):  # in use, or no room: that is no damage
        return str(error).startswith("no such ")  # another table, or none
    return isinstance(error, sqlite3.DatabaseError)


def _put_aside(path: Path) -> None:
    log.warning("%s is damaged and was put aside: the server is asked for what it has", path)
    for each in (path, *(path.with_name(f"{path.name}{suffix}") for suffix in ("-journal", "-wal"))):
        with suppress(FileNotFoundError):
            each.replace(each.with_name(f"damaged-{each.name}"))
