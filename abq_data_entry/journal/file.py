"""The journal of waiting records: a table of a SQLite file, in a folder that only its owner can read.

A record is on disk before the program reports it as kept. Once it is settled, its row is deleted.

`journal.log` was the journal of earlier versions. Its records are moved into the SQLite file. While records wait there,
`journal.log` is one line in a newer format, so that an older program refuses it by name, instead of showing no records
and keeping new ones. The line also has the number of waiting records, so that a removed or truncated SQLite file is
noticed. When nothing waits, `journal.log` is removed. An older window that is still open may then create it again: its
records are moved when the journal is next read. All this is done under the lock that those windows hold, too.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import logging
import os
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abq_data_entry import fields
from abq_data_entry.constants import FieldTypes
from abq_data_entry.folders import create_durably, replacement, sync_to_disk
from abq_data_entry.store.database import Clock, StoreNewer, bytes_of, digest_of, locked, now
from abq_data_entry.store.database import StoreBusy as JournalBusy
from abq_data_entry.store.database import StoreError as JournalError
from abq_data_entry.store.waiting import open_waiting_file

if TYPE_CHECKING:
    import sqlite3

    from abq_data_entry.models.saving import Write

Record = Mapping[str, Any]
_NEWER = "this version of ABQ Data Entry doesn't know that. Install the newer version on this computer."

WAITING, UNDECIDED = "waiting", "undecided"
"""The states of an entry: it waits for the database, or for somebody's decision. Settled entries are deleted."""


@dataclass(frozen=True)
class Entry:
    """A record on its way into the database `database`.

    `base` and `version`: the record in the database when it was opened for an update, if known; `author` saves it, at
    `workstation`; `reason`: why it was corrected; `whole_check`: the technician is that of the whole check; `cause`:
    why it couldn't be saved at once; `remark`: why somebody has to decide; `unknown`: texts of fields that a newer
    version of the application wrote and this one doesn't know.

    `record` and `base` are `fields.Record`s; if a value exceeds today's limits (they may have been wider when it was
    typed), a plain mapping with that value as text.
    """

    identifier: str
    database: str
    record: Record
    write: Write
    author: str
    workstation: str
    moment: datetime.datetime
    base: Record | None = None
    version: int | None = None
    reason: str = ""
    whole_check: bool = False
    cause: str = ""
    state: str = WAITING
    remark: str = ""
    unknown: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[Any, ...]:
        """Date, time, lab and plot."""
        return tuple(self.record[name] for name in fields.RECORD_KEY)

    @property
    def title(self) -> str:
        """Which record it is, for people."""
        date, time, lab, plot = self.key
        return f"{date} {time}, lab {lab}, plot {plot}"


def new_entry(
    database: str,
    record: Mapping[str, object],
    write: Write,
    *,
    author: str = "",
    base: Mapping[str, object] | None = None,
    version: int | None = None,
    reason: str = "",
    whole_check: bool = False,
    cause: str = "",
    identifier: str = "",
) -> Entry:
    """Return an entry with the present time and this workstation; raises `fields.FieldErrors` for an invalid record.

    `record` and `base` hold texts or typed values; `identifier` (32 hexadecimal digits) is that of the save, which may
    have reached the database already.
    """
    import platform

    return Entry(
        identifier=identifier or uuid.uuid4().hex,
        database=database,
        record=fields.parse_record(record),
        write=write,
        author=author,
        workstation=platform.node(),
        moment=datetime.datetime.now(datetime.timezone.utc),
        base=base if base is None or isinstance(base, fields.Record) else from_texts(as_texts(base)),
        version=version,
        reason=reason,
        whole_check=whole_check,
        cause=cause,
    )


def to_content(entry: Entry) -> dict[str, object]:
    """Return an entry as it is written to disk: texts, integers and booleans; decimals as they were typed."""
    return {
        "id": entry.identifier,
        "database": entry.database,
        "record": {**entry.unknown, **as_texts(entry.record)},
        "write": entry.write,
        "author": entry.author,
        "workstation": entry.workstation,
        "moment": entry.moment.isoformat(),
        "base": None if entry.base is None else as_texts(entry.base),
        "version": entry.version,
        "reason": entry.reason,
        "whole check": entry.whole_check,
        "cause": entry.cause,
    }


def from_content(content: Mapping[str, Any]) -> Entry:
    """Return the entry of a `to_content`, also of an earlier or later version's with other fields.

    Fields that an earlier version didn't have are empty. Raises `ValueError`, `KeyError` or `TypeError` if it isn't an
    entry.
    """
    moment = datetime.datetime.fromisoformat(content["moment"])
    texts = {name: content[name] for name in ("database", "author", "workstation", "reason", "cause")}
    if not all(isinstance(text, str) for text in texts.values()) or moment.tzinfo is None:
        raise ValueError("a text, or a moment with its zone, is expected")
    if content["write"] not in ("insert", "update") or not re.fullmatch("[0-9a-f]{32}", content["id"]):
        raise ValueError("neither an insert nor an update, or no identifier")
    if content["version"] is not None and type(content["version"]) is not int:
        raise ValueError("a number is expected")
    record = from_texts(content["record"])
    if not has_key(record):
        raise ValueError("no date, time, lab or plot")
    # If this version saved it, fields that only a newer one knows would be lost: so somebody has to decide.
    unknown = {name: text for name, text in content["record"].items() if name not in fields.CSV_HEADER}
    return Entry(
        identifier=content["id"],
        record=record,
        write=content["write"],
        moment=moment,
        base=None if content["base"] is None else from_texts(content["base"]),
        version=content["version"],
        whole_check=content["whole check"] is True,
        state=UNDECIDED if unknown else WAITING,
        remark=f"{', '.join(sorted(unknown))}: {_NEWER}" if unknown else "",
        unknown=unknown,
        **texts,
    )


def has_key(record: Mapping[str, object]) -> bool:
    """Return whether date, time, lab and plot are valid values, and not texts."""
    date, time, lab, plot = (record.get(name) for name in fields.RECORD_KEY)
    return isinstance(date, datetime.date) and bool(time) and bool(lab) and isinstance(plot, int)


def as_texts(record: Mapping[str, object]) -> dict[str, str]:
    """Return the texts of a record's values, without rounding, by field name."""
    return {each.name: fields.format_value(each, record.get(each.name)) for each in fields.FIELDS}


def from_texts(texts: Mapping[str, str]) -> Record:
    """Return the record of these texts as a `fields.Record`; missing fields are empty.

    If a value exceeds today's limits, it stays a text, in a plain mapping. Raises `ValueError` for anything but texts
    by field name.
    """
    if not all(isinstance(each, str) for pair in texts.items() for each in pair):
        raise ValueError("not the fields of a record")
    try:
        return fields.parse_record({name: text for name, text in texts.items() if name in fields.CSV_HEADER})
    except fields.FieldErrors:
        return {each.name: _value(each, texts.get(each.name, "")) for each in fields.FIELDS}


def _value(field: fields.Field, text: str) -> object:
    if not text and field.type is not FieldTypes.BOOLEAN:
        return None
    try:
        return fields.parse(field, text)
    except ValueError:
        return text


FORMAT = 1
"""The format of `journal.log`, in its first line; newer versions of the application have higher numbers."""

LARGEST = 64 * 1024 * 1024
_FORMAT = FORMAT + 1
_BINARY = getattr(os, "O_BINARY", 0)

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Content:
    """The content of a `journal.log`: events in order, damaged lines, bytes of complete lines, and the first line."""

    events: tuple[Event, ...] = ()
    damaged: tuple[bytes, ...] = ()
    length: int = 0
    head: Event = field(default_factory=lambda: {"journal": FORMAT})

    @property
    def format(self) -> int:
        """The number of the file's format."""
        return number if type(number := self.head["journal"]) is int else FORMAT


def to_line(event: Event) -> bytes:
    """Return the event as a line of `journal.log`."""
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return hashlib.sha256(text).hexdigest().encode("ascii") + b" " + text + b"\n"


def read_lines(data: bytes) -> Content:
    """Read all complete lines. A last line without its line break is ignored: its write was interrupted."""
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
    """Return the records that aren't settled, by identifier; with a `remark` if somebody has to decide."""
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
    """What is noted about the SQLite file: the number of the last record ever kept, and how many records waited."""

    last: int = 0
    waiting: int = 0


class EarlierJournal:
    """`journal.log`, the file of earlier versions. The caller holds the lock. Raises JournalError and OSError."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.log"
        self._end = folder / "journal.end"  # the length of that file, and how many records waited in it
        self._written: tuple[bytes, Noted] = b"", Noted()  # the line that we wrote, so that it isn't parsed again

    @property
    def exists(self) -> bool:
        """Whether `journal.log` or `journal.end` exists."""
        return self.path.exists() or self._end.exists()

    def read(self) -> tuple[Content | None, Noted]:
        """Return what an older version left (`None`: nothing), and what is noted about the SQLite file."""
        try:
            if self.path.stat().st_size > LARGEST:
                raise JournalError(f"The journal of this computer is too large to be read: {self.path}.")
            data = self.path.read_bytes()
        except FileNotFoundError:
            data = b""
        if not self._end.exists():  # it is our own line
            if data == self._written[0]:
                return None, self._written[1]
            if not data:
                return None, Noted()
            first, end, more = data.partition(b"\n")
            head = _read_line(first) if end and not more else None
            if head is not None and head.get("journal") == _FORMAT:
                return None, _noted_in(head)
        content = read_lines(data)
        if content.format > _FORMAT:
            raise StoreNewer(
                "A newer version of ABQ Data Entry wrote the journal of this computer. Install the newer version here."
            )
        if content.format == FORMAT:
            return content, Noted()
        return Content() if self._end.exists() else None, _noted_in(content.head)

    def missing(self, content: Content) -> int:
        """Return how many records were lost because the file of the older version was truncated."""
        try:
            # That version noted the length after each write: a shorter file was truncated.
            length, waiting = map(int, self._end.read_bytes().split())
        except (OSError, ValueError):
            return 0
        return waiting - len(open_events(content.events)) if content.length < length else 0

    def put_away(self, moment: str) -> None:
        """Rename the file of the older version: its records are in the SQLite file now."""
        self._end.unlink(missing_ok=True)  # first, so that the older version doesn't report missing records
        if self.path.exists():
            self.path.rename(self.path.with_name(f"journal-{moment}-{os.urandom(2).hex()}.taken-over"))
        sync_to_disk(self.path.parent)

    def note(self, noted: Noted) -> None:
        """Write `journal.log` while records wait, and remove it when none do."""
        with suppress(OSError):  # without it, only a removed or truncated SQLite file would go unnoticed
            self._written = b"", Noted()
            if not noted.waiting:
                self.path.unlink(missing_ok=True)
                return
            # Always of the same length, and written in one call: so nobody reads half of it.
            line = to_line({"journal": _FORMAT, "last": f"{noted.last:012}", "waiting": f"{noted.waiting:08}"})
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
            try:
                if os.read(handle, len(line) + 1) != line:
                    os.lseek(handle, 0, os.SEEK_SET)
                    os.write(handle, line)
                    os.ftruncate(handle, len(line))
            finally:
                os.close(handle)
            self._written = line, noted


def put_aside(folder: Path, name: str, damaged: list[bytes]) -> Path:
    """Write what can't be read to a file for somebody to look at, synced to disk; return its path."""
    # Random, so that two processes that find damage in the same second don't overwrite each other's file.
    place = folder / f"{name}-{os.urandom(2).hex()}.log"
    with replacement(place) as temporary:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(b"\n".join(damaged) + b"\n")
    return place


def _noted_in(head: Event) -> Noted:
    with suppress(ValueError, KeyError, TypeError):
        return Noted(int(head["last"]), int(head["waiting"]))
    return Noted()


__all__ = ["Journal", "JournalBusy", "JournalError"]
log = logging.getLogger(__name__)

_NAME = "The journal of this computer"
_IN_USE = "Another window is using the journal of this computer at the moment."


_SETTLE = "DELETE FROM waiting WHERE id = ?"
_LEAVE_UNDECIDED = "UPDATE waiting SET remark = ? WHERE id = ?"


class Journal:
    """The waiting records of one user on one computer. Several processes may use the folder at once.

    Methods raise `JournalError`, also when the disk fails.
    """

    def __init__(self, folder: Path, clock: Clock = now) -> None:
        self.folder = folder
        self.clock = clock
        self._file = open_waiting_file(folder, clock)
        self.path = self._file.path
        self._earlier = EarlierJournal(folder)
        self._known: dict[str, Entry] = {}  # by their digests, so that none is parsed twice
        self.problems = self._file.problems
        """A sentence for each part that couldn't be read, and was put aside."""
        try:
            create_durably(folder)
        except OSError as error:
            raise JournalError(f"{_NAME} can't be opened: {error.strerror or error}: {folder}.") from error

    # ------------------------------------------------------------------------------------------------ reading

    def entries(self) -> list[Entry]:
        """Return the records that wait or need a decision, in the order in which they were kept."""
        # Looking must not create a file if nothing has ever waited.
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
        """Return numbers that change whenever the files do, so that unchanged files needn't be read again."""
        found: list[int] = []
        # While another process keeps the file open, its changes are in the WAL.
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
        """Keep a record; it is on disk when this returns. Keeping it twice has no effect."""
        with self._opened() as connection:
            digest = _keep(connection, to_content(entry))
        self._known[digest] = entry

    def settle(self, identifier: str, how: str) -> None:
        """Remove a record that the database has, or about which somebody has decided; `how` is for the log.

        May be called twice.
        """
        with self._opened() as connection:
            connection.execute(_SETTLE, (identifier,))
        log.info("%s no longer waits: %s", identifier, how)

    def leave_undecided(self, identifier: str, remark: str) -> None:
        """Mark the record as waiting for a decision; `remark` says why."""
        with self._opened() as connection:
            connection.execute(_LEAVE_UNDECIDED, (remark, identifier))

    @contextmanager
    def replaying(self) -> Iterator[None]:
        """Hold the lock of the one process that replays; raises `JournalBusy` at once if another process does.

        The file is kept open meanwhile, so that each saved record waits for fewer syncs of the disk.
        """
        try:
            # No waiting: whoever holds it saves the same records.
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
        """Move the records that an earlier version left, and report lost ones; return whether any were moved."""
        content, noted = self._earlier.read()
        present = _noted(connection)
        # AUTOINCREMENT never reuses a number: if the last one is lower than noted, the file was replaced or truncated.
        if present.last < noted.last or self._file.was_repaired:
            self._report_missing(noted.waiting - present.waiting)
            self._file.was_repaired = False
        if content is None:
            return False
        self._report_missing(self._earlier.missing(content))
        damaged = list(content.damaged)
        for event in content.events:
            identifier, what = event.get("id"), event.get("event")
            if what == "keep" and isinstance(identifier, str):
                _keep(connection, {name: value for name, value in event.items() if name != "event"})
            elif what == "undecided":
                connection.execute(_LEAVE_UNDECIDED, (str(event.get("remark")), str(identifier)))
            elif what == "settled":
                connection.execute(_SETTLE, (str(identifier),))
            else:
                damaged.append(to_line(event).rstrip())
        if damaged:
            self._put_aside(damaged)
        return True

    def _put_aside(self, damaged: list[bytes]) -> None:
        name = f"damaged-{self.clock():%Y%m%dT%H%M%S}"
        place = put_aside(self.folder, name, damaged)
        count = len(damaged)
        self._report_problem(
            f"{count} {'parts' if count > 1 else 'part'} of the journal of this computer can't be read."
            f" What is there was put aside: {place}."
        )

    def _report_missing(self, missing: int) -> None:
        if missing > 0:
            count = "1 record" if missing == 1 else f"{missing} records"
            self._report_problem(
                f"{_NAME} was cut short, and {count} that waited in it {'is' if missing == 1 else 'are'} gone:"
                f" {self.path}. Look at the record list, and record again what is missing."
            )

    def _entry(self, content: str) -> Entry | None:
        """Return the entry of a row; one that this version can't read is left where it is, and reported."""
        try:
            return from_content(json.loads(content))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self._report_problem(
                f"A record in the journal of this computer can't be read. It was left there: {self.path}."
            )
            return None

    def _report_problem(self, sentence: str) -> None:
        if sentence not in self.problems:
            self.problems.append(sentence)
            log.error("%s", sentence)


def _keep(connection: sqlite3.Connection, content: Event) -> str:
    """Insert the entry unless it is there; return the digest of its row."""
    # The identifier comes first, since it is the anchor by which rows of a damaged file are found.
    text = json.dumps({"id": content["id"], **content}, ensure_ascii=False, separators=(",", ":"))
    digest = digest_of(text)
    row = (str(content["id"]), text, digest)
    # The same save may be kept again, when its first answer was lost: its identifier makes it one row.
    connection.execute("INSERT OR IGNORE INTO waiting (id, content, digest) VALUES (?, ?, ?)", row)
    return digest


def _noted(connection: sqlite3.Connection) -> Noted:
    # The highest number that was ever given, also to rows that are deleted.
    last = connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()[0]
    return Noted(int(last), int(connection.execute("SELECT count(*) FROM waiting").fetchone()[0]))
