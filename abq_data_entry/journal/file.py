"""The journal on disk: a table of a SQLite file, in a folder that only its owner reads.

What was kept has reached the disk before anybody is told so. What is settled is no row any more.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from abq_data_entry.folders import made_durable
from abq_data_entry.journal import earlier
from abq_data_entry.journal.earlier import EarlierJournal, Event, Noted, to_line
from abq_data_entry.journal.entry import UNDECIDED, Entry, from_content, to_content
from abq_data_entry.store.database import Clock, locked, now
from abq_data_entry.store.database import StoreBusy as JournalBusy
from abq_data_entry.store.database import StoreError as JournalError
from abq_data_entry.store.mending import bytes_of, digest_of
from abq_data_entry.store.waiting import open_waiting_file

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Journal", "JournalBusy", "JournalError"]
log = logging.getLogger(__name__)

_NAME = "The journal of this computer"
_IN_USE = "Another window is at the journal of this computer at the moment."


class Journal:
    """What one user's records wait for on one machine. Several processes may use the folder at once.

    Methods raise `JournalError`, also when the disk refuses.
    """

    def __init__(self, folder: Path, clock: Clock = now) -> None:
        self.folder = folder
        self.clock = clock
        self._file = open_waiting_file(folder, clock)
        self.path = self._file.path
        self._earlier = EarlierJournal(folder)
        self._known: dict[str, Entry] = {}  # by the digest of their rows, so that none is parsed twice
        self.problems = self._file.problems
        """A sentence for each part that couldn't be read and was put aside."""
        try:
            made_durable(folder)
        except OSError as error:
            raise JournalError(f"{_NAME} can't be opened: {error.strerror or error}: {folder}.") from error

    # ------------------------------------------------------------------------------------------------ reading

    def entries(self) -> list[Entry]:
        """Return what waits or needs a decision, in the order in which it was kept."""
        if not self.path.exists() and not self._earlier.exists:
            return []
        found: list[Entry] = []
        known: dict[str, Entry] = {}
        damaged: dict[int, bytes] = {}
        with self._opened() as connection:
            rows = connection.execute("SELECT number, content, digest, remark FROM waiting ORDER BY number")
            for number, content, digest, remark in rows.fetchall():
                if digest_of(content) != digest:
                    damaged[number] = bytes_of(content)
                elif (entry := self._known.get(digest) or self._entry(content)) is not None:
                    known[digest] = entry
                    found.append(entry if remark is None else replace(entry, state=UNDECIDED, remark=str(remark)))
            if damaged:
                self._put_aside(list(damaged.values()))
                connection.executemany("DELETE FROM waiting WHERE number = ?", [(number,) for number in damaged])
        self._known = known
        return found

    def mark(self) -> tuple[int, ...]:
        """Return numbers that change with the files, so that others need not read them again for nothing."""
        found: list[int] = []
        for path in (self.path, self.path.with_name(f"{self.path.name}-wal"), self._earlier.path):
            try:
                status = path.stat()
            except OSError:
                found.append(0)
            else:
                found += [status.st_ino, status.st_size, status.st_mtime_ns]
        return tuple(found)

    # ------------------------------------------------------------------------------------------------ writing

    def keep(self, entry: Entry) -> None:
        """Keep a record, once; it is on disk when this returns."""
        with self._opened() as connection:
            digest = _keep(connection, to_content(entry))
        self._known[digest] = entry

    def settle(self, identifier: str, how: str) -> None:
        """The database has the record, or somebody decided: it waits no more. May be said twice."""
        with self._opened() as connection:
            _settle(connection, identifier)
        log.info("%s waits no more: %s", identifier, how)

    def leave_undecided(self, identifier: str, remark: str) -> None:
        """Somebody has to decide about the record; `remark` says why."""
        with self._opened() as connection:
            _leave_undecided(connection, identifier, remark)

    @contextmanager
    def replaying(self) -> Iterator[None]:
        """Hold what only one holds who saves what waits; raises `JournalBusy` at once if another does.

        The file is kept open meanwhile: each record that is saved waits for fewer syncs of the disk.
        """
        try:
            with locked(self.folder / "replaying.lock", 0.0, _IN_USE), self._file.kept_open():
                yield
        except OSError as error:
            raise JournalError(f"{_NAME} can't be locked: {error.strerror or error}: {self.folder}.") from error

    # ------------------------------------------------------------------------------------------------ the rest

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        is_old, noted = False, Noted()

        def committed() -> None:
            if is_old:
                self._earlier.put_away(f"{self.clock():%Y%m%dT%H%M%S}")
            self._earlier.note(noted)

        with self._file.opened(committed) as connection:
            is_old = self._take_over(connection)
            yield connection
            noted = _noted(connection)

    def _take_over(self, connection: sqlite3.Connection) -> bool:
        """Take over what a version before has kept, and tell what is gone; return whether there was anything."""
        content, noted = self._earlier.read()
        present = _noted(connection)
        if present.last < noted.last or self._file.was_mended:
            self._tell_missing(noted.waiting - present.waiting)
            self._file.was_mended = False
        if content is None:
            return False
        self._tell_missing(self._earlier.missing(content))
        damaged = list(content.damaged)
        for event in content.events:
            identifier, what = event.get("id"), event.get("event")
            if what == "keep" and isinstance(identifier, str):
                _keep(connection, {name: value for name, value in event.items() if name != "event"})
            elif what == "undecided":
                _leave_undecided(connection, str(identifier), str(event.get("remark")))
            elif what == "settled":
                _settle(connection, str(identifier))
            else:
                damaged.append(to_line(event).rstrip())
        if damaged:
            self._put_aside(damaged)
        return True

    def _put_aside(self, damaged: list[bytes]) -> None:
        name = f"damaged-{self.clock():%Y%m%dT%H%M%S}"
        place = earlier.put_aside(self.folder, name, damaged)
        count = len(damaged)
        self._tell(
            f"{count} {'parts' if count > 1 else 'part'} of the journal of this computer can't be read."
            f" What is there was put aside: {place}."
        )

    def _tell_missing(self, missing: int) -> None:
        if missing > 0:
            count = "1 record" if missing == 1 else f"{missing} records"
            self._tell(
                f"{_NAME} was cut short, and {count} that waited in it {'is' if missing == 1 else 'are'} gone:"
                f" {self.path}. Look into the record list, and record again what is missing."
            )

    def _entry(self, content: str) -> Entry | None:
        """The record of a row; one that makes no sense to this version stays where it is, and is told."""
        try:
            return from_content(json.loads(content))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self._tell(f"A record in the journal of this computer can't be read. It was left there: {self.path}.")
            return None

    def _tell(self, sentence: str) -> None:
        if sentence not in self.problems:
            self.problems.append(sentence)
            log.error("%s", sentence)


def _keep(connection: sqlite3.Connection, content: Event) -> str:
    """Keep it, once; return the digest of its row."""
    text = json.dumps({"id": content["id"], **content}, ensure_ascii=False, separators=(",", ":"))
    digest = digest_of(text)
    row = (str(content["id"]), text, digest)
    connection.execute("INSERT OR IGNORE INTO waiting (id, content, digest) VALUES (?, ?, ?)", row)
    return digest


def _settle(connection: sqlite3.Connection, identifier: str) -> None:
    connection.execute("DELETE FROM waiting WHERE id = ?", (identifier,))


def _leave_undecided(connection: sqlite3.Connection, identifier: str, remark: str) -> None:
    connection.execute("UPDATE waiting SET remark = ? WHERE id = ?", (remark, identifier))


def _noted(connection: sqlite3.Connection) -> Noted:
    last = connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()[0]
    return Noted(int(last), int(connection.execute("SELECT count(*) FROM waiting").fetchone()[0]))

