"""The outbox: each delivery is a row of `journal/waiting.sqlite`, and its extract a file in a folder of its own.

The extract is made in a folder whose name begins with `.new-`, which is ignored; the folder is renamed in the same
transaction that inserts the row. Beside the extract is `delivery.json`, the delivery as it was added: an older version
of this program refuses it by name, and if the row is lost, it is inserted again from it (`outbox.earlier`).
"""

from __future__ import annotations

import datetime
import errno
import hashlib
import json
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..folders import create_durably, replacement, sync_to_disk
from ..network.destination import Place
from ..network.destinations import destination
from ..remote_names import EXTRACT_PATTERN
from ..store.database import Clock, StoreBusy, StoreError, bytes_of, digest_of, locked, may_write, now
from ..store.waiting import open_waiting_file
from . import earlier
from .delivery import (
    BROKEN_OFF,
    CANCELLED,
    ENDED,
    FAILED,
    PERHAPS_ARRIVED,
    SENDING,
    UNKNOWN,
    WAITING,
    Attempt,
    Busy,
    Delivery,
    NoRecords,
    OutboxError,
    Records,
    UnknownDelivery,
    companion,
    export_with_head,
    extract_name,
    from_text,
    head_in,
    is_of_newer_version,
    name_to_send_as,
    report_identifier,
    report_of,
    storable,
    to_text,
)

if TYPE_CHECKING:
    import sqlite3

    from ..network import Uploads

log = logging.getLogger(__name__)

KEPT = datetime.timedelta(days=90)
"""How long an ended delivery stays in the outbox; the database keeps it for ever."""

LOCK_FILES = 64
"""How many lock files there are for each destination: deliveries share them, so that their number doesn't grow."""

ROOM = 128 * 1024
"""Bytes that must be free before an attempt begins: its outcome has to be written, and the SQLite file has a WAL and a
-shm beside it while it is kept open."""

_TICK = 1.0  # seconds; the resolution of a file system's timestamps may be that coarse
_PAUSE = 0.05  # seconds, in which others who try every 0.02 get the file's lock
_NEW = ".new-"
_MARKER = "deliveries.kept"
_IN_USE = "Another process is busy with this delivery at the moment. Try again in a while."
_BLOCK = 1024 * 1024
_OF_THE_DISK = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG, errno.EROFS, errno.EIO)
_BY_SQLITE = {"full": errno.ENOSPC, "I/O": errno.EIO, "readonly": errno.EROFS, "unable to open": errno.EACCES}


class Outbox:
    """The deliveries of one user on one computer. Several processes and threads may use it at once.

    Methods raise `OSError` when the disk fails, and `OutboxError`.
    """

    def __init__(self, folder: Path, clock: Clock = now) -> None:
        self.folder = folder
        self.clock = clock
        self._file = open_waiting_file(folder.parent / "journal", clock)
        self._parsed: dict[str, tuple[str, Delivery]] = {}  # unchanged rows aren't parsed again
        self._looked_at = 0.0  # the folder's modification time at the last look
        self._last_look = -_TICK  # by the monotonic clock
        self.problems = self._file.problems
        """A sentence for each delivery that couldn't be read, and for damage of the SQLite file."""
        self.kept_open = self._file.kept_open
        """A context manager: in its block this thread keeps the SQLite file open, and waits for fewer syncs."""
        create_durably(folder)
        self._locks = folder / "locks"
        self._locks.mkdir(mode=0o700, exist_ok=True)

    # ------------------------------------------------------------------------------------------------ reading

    def deliveries(self) -> list[Delivery]:
        """Return all deliveries, oldest first; those that can't be read are put aside and reported in `problems`."""
        with self._opened_with_all() as connection:
            return [each for each, _recorded in self._read(connection)]

    def unrecorded(self) -> list[Delivery]:
        """Return the deliveries whose present state the database doesn't have yet, as far as is known."""
        with self._opened_with_all() as connection:
            return [each for each, recorded in self._read(connection) if recorded < each.revision]

    def find(self, beginning: str) -> Delivery:
        """Return the only delivery whose identifier begins with that text; raises `UnknownDelivery`."""
        wanted = beginning.strip().lower()
        found = [each for each in self.deliveries() if wanted and each.identifier.startswith(wanted)]
        if len(found) != 1:
            what = "There is no delivery" if not found else "There are several deliveries"
            raise UnknownDelivery(f"{what} whose number begins with {beginning!r}. See the list of deliveries.")
        return found[0]

    def read(self, identifier: str) -> Delivery:
        """Return a delivery as it is now; raises `UnknownDelivery`."""
        with self._opened() as connection:
            for found, _recorded in self._read(connection, "id", identifier):
                return found
        raise UnknownDelivery(f"The delivery {identifier[:8]} is gone from the outbox.")

    def file_of(self, delivery: Delivery) -> Path:
        """Return the file to deliver, which is removed once the delivery has ended."""
        return self.folder / delivery.identifier / delivery.name

    def files_of(self, delivery: Delivery) -> tuple[Path, Path, Path]:
        """Return the file, and the two that may go with it: the audit's head and the day's report."""
        path = self.file_of(delivery)
        return path, companion(path), report_of(path)

    def is_gone(self, delivery: Delivery) -> bool:
        """Return whether it has failed and its file was removed: it had arrived, and then its receiver refused it."""
        return delivery.state == FAILED and not self.file_of(delivery).exists()

    def is_whole(self, delivery: Delivery) -> bool:
        """Return whether the file and the audit's head beside it are still those that were added."""
        path = self.file_of(delivery)
        try:
            return _measured(path) == (delivery.size, delivery.sha256) and head_in(path) == delivery.audit_head
        except (OSError, ValueError):
            return False

    def replaced_by(self, delivery: Delivery) -> Delivery | None:
        """Return a later version of the same file to the same destination, unless that was cancelled."""
        with self._opened() as connection:
            return self._with_newer(connection, delivery)[1]

    # ------------------------------------------------------------------------------------------------ writing

    def add(
        self,
        records: Records,
        date: datetime.date,
        place: Place,
        username: str,
        known_version: int = 0,
        audit_head: Callable[[datetime.date], str] | None = None,
        upload_name: str = EXTRACT_PATTERN,
        report: Callable[[Path], object] | None = None,
        name: str = "",
    ) -> Delivery:
        """Write the extract of a day and add its delivery; older versions that wait are cancelled.

        `known_version`: the highest one that the database knows; `audit_head(date)`: returns the audit's head, which
        goes with the extract; `upload_name`: the pattern of the file's name at the destination; `report(path)`: writes
        the day's report, which goes with the extract, or writes nothing; `name`: the file's name here, if it isn't an
        extract.
        Raises `NoRecords`, `OutboxError` for an invalid pattern, and what export and report raise; then nothing is
        added.
        """
        identifier = uuid.uuid4().hex
        building, final = self.folder / f"{_NEW}{identifier}", self.folder / identifier
        with locked(self._locks / "adding.lock", 600.0, _IN_USE, Busy):
            building.mkdir(mode=0o700)
            try:
                path = building / (name or extract_name(date))
                count, head = export_with_head(records, path, date, audit_head)
                if count == 0:
                    raise NoRecords("There are no records to upload")
                if head:
                    with replacement(companion(path)) as temporary:
                        temporary.write_text(f"{head}\n", encoding="utf-8")
                if report is not None:
                    report(report_of(path))
                size, sha256 = _measured(path)
                sent_as = name_to_send_as(path, date, upload_name)
                moment = self.clock()
                delivery = Delivery(
                    identifier, path.name, date, place.kind, place.address, username, size, sha256,
                    known_version + 1, created=moment, since=moment, changed=moment, audit_head=head,
                    sent_as=sent_as,
                )  # fmt: skip
                with self._opened_with_all() as connection:
                    older = [each for each, _recorded in self._read(connection, "file", delivery.file_key)]
                    version = 1 + max([known_version, *(each.version for each in older)])
                    delivery = replace(delivery, version=version)
                    with replacement(building / earlier.ENTRY) as temporary:
                        temporary.write_text(to_text(delivery), encoding="utf-8")
                    building.rename(final)
                    sync_to_disk(self.folder)
                    self.insert(connection, delivery)
            except BaseException as error:
                shutil.rmtree(building, ignore_errors=True)
                shutil.rmtree(final, ignore_errors=True)
                if isinstance(error, OSError) and error.filename is None and error.errno in _OF_THE_DISK:
                    raise OSError(error.errno, error.strerror, os.fspath(self.folder)) from error
                raise
            for each in older:  # one that is being sent is cancelled by its sender
                if each.state not in ENDED:
                    with suppress(Busy, UnknownDelivery):
                        gone = {"state": CANCELLED, "planned": None, "reason": replaced_text(delivery)}
                        self.change(each, (WAITING, FAILED, UNKNOWN), **gone)
        return delivery

    def begin(self, delivery: Delivery, is_whole: bool) -> tuple[Delivery, Delivery | None]:
        """Begin an attempt at a delivery whose lock the caller holds; return it as it is now, and its replacement.

        No attempt begins if the file isn't whole, the delivery has ended, or a later version replaces it. This write
        isn't durable: after a power cut the attempt hasn't begun. Raises `UnknownDelivery`, and `OSError` if there is
        no room to write the outcome.
        """
        self._require_room()
        looked_now = time.monotonic() - self._last_look < _TICK  # in a round of hundreds, not before each
        with self._opened(False) if looked_now else self._opened_with_all(False, delivery.file_key) as connection:
            present, newer = self._with_newer(connection, delivery)
            if present is None:
                raise UnknownDelivery(f"The delivery {delivery.short_id} is gone from the outbox.")
            if present.state == SENDING and present.may_have_arrived:
                present = self._put(connection, present, **_may_have_arrived_changes(present))
            elif is_whole and newer is None and present.state not in (*ENDED, UNKNOWN):
                attempts = (*present.attempts_ended, Attempt(self.clock()))
                present = self._put(connection, present, state=SENDING, planned=None, attempts=attempts)
        return present, newer

    def write(self, delivery: Delivery, **changes: object) -> Delivery:
        """Write a changed delivery, whose lock the caller holds; return it with its new revision.

        Raises `UnknownDelivery` if somebody has removed it.
        """
        parts = list(self._possible_parts(delivery)) if changes.get("state") == CANCELLED else []
        with self._opened() as connection:
            newer = self._put(connection, delivery, **changes)
            for identifier, part in parts:
                self.insert_part(connection, identifier, newer.place, part)
        if newer.state in ENDED:
            self._drop_folder(newer)
        return newer

    def note_recorded(self, deliveries: Iterable[Delivery]) -> None:
        """Note that the database has these revisions; if that fails, the same rows are written to it again."""
        with suppress(OSError, OutboxError), self._opened(durable=False) as connection:
            rows = [(each.revision, each.file_key, each.identifier) for each in deliveries]
            connection.executemany("UPDATE deliveries SET recorded = ? WHERE file = ? AND id = ?", rows)

    def tidy(self) -> None:
        """Let interrupted deliveries wait again; remove half-made ones, files of ended ones, and old ended ones.

        Deliveries that another process is working on are skipped.

        Raises `OSError` at the end if something couldn't be done.
        """
        failure: OSError | None = None
        try:
            with suppress(Busy), locked(self._locks / "adding.lock", 0.0, _IN_USE, Busy):
                for path in self.leftovers():
                    shutil.rmtree(path, ignore_errors=True)
        except OSError as error:
            failure = error
        with self._opened_with_all() as connection:
            found = self._read(connection)
        there, oldest = set(os.listdir(self.folder)), self.clock() - KEPT  # noqa: PTH208 - faster
        for each, recorded in found:
            is_old = each.state in ENDED and recorded == each.revision and each.changed < oldest
            if not (is_old or each.state == SENDING or (each.state in ENDED and each.identifier in there)):
                continue
            try:
                with suppress(Busy, UnknownDelivery), self.locked(each):
                    present = self.read(each.identifier)
                    if present.state == SENDING and present.may_have_arrived:
                        self.write(present, **_may_have_arrived_changes(present))
                    elif present.state == SENDING:
                        attempts = present.attempts_ended
                        self.write(present, state=WAITING, planned=None, attempts=attempts, reason=BROKEN_OFF)
                    elif is_old:
                        self.remove(each)
                    elif each.state in ENDED:
                        self._drop_folder(each)
            except OSError as error:  # one failure mustn't keep the others from being tidied
                failure = failure or error
        if failure is not None:
            raise failure

    def remove(self, delivery: Delivery) -> None:
        """Remove the delivery for good, unless its folder can't be removed. The caller holds its lock."""
        if self._drop_folder(delivery):  # a folder without a row would be added again, and sent
            with self._opened() as connection:
                connection.execute("DELETE FROM deliveries WHERE id = ?", (delivery.identifier,))
                self._remove_marker_if_empty(connection)

    def _remove_marker_if_empty(self, connection: sqlite3.Connection) -> None:
        """Remove the marker that there are deliveries if that was the last one, so that no loss is reported."""
        if connection.execute("SELECT 1 FROM deliveries LIMIT 1").fetchone() is None:
            self._file.path.with_name(_MARKER).unlink(missing_ok=True)

    def locked(self, delivery: Delivery, patience: float = 0.0) -> AbstractContextManager[None]:
        """Hold the lock under which this delivery, or another version of it, is sent or changed.

        Raises `Busy` after `patience` seconds. The system releases the lock when its process ends.
        """
        # Destinations don't share lock files: a server that doesn't answer would hold up the other.
        to, number = (hashlib.sha256(each.encode()).hexdigest() for each in (delivery.kind, delivery.name))
        # Earlier versions hold a lock file of the same name.
        name = f"lane-{to[:12]}-{int(number, 16) % LOCK_FILES:02}.lock"
        return locked(self._locks / name, patience, _IN_USE, Busy)

    def change(self, delivery: Delivery, only: Collection[str], **changes: object) -> Delivery:
        """Change a delivery, under its lock, if its state is one of `only`; return it as it is afterwards.

        Raises `Busy` while another process has the lock, and `UnknownDelivery`.
        """
        with self.locked(delivery):
            present = self.read(delivery.identifier)
            return self.write(present, **changes) if present.state in only else present

    def leftovers(self) -> list[Path]:
        """Return the folders of half-made deliveries, which includes one that is being added."""
        return [path for path in self.folder.iterdir() if path.name.startswith(_NEW)]

    # ------------------------------------------------------------------------------------------------ orphaned parts

    def discard_parts(self, place: Place, uploads: Uploads) -> None:
        """Remove the parts that cancelled deliveries left at this place; what fails is left for the next delivery."""
        with suppress(OSError, OutboxError):
            for identifier, name in self.orphaned_parts(place):
                if not uploads.discard(name):
                    return
                with self._opened() as connection:
                    connection.execute("DELETE FROM orphaned_parts WHERE id = ?", (identifier,))
                log.info("a part of delivery %s was removed at its destination", identifier[:8])

    def orphaned_parts(self, place: Place) -> list[tuple[str, str]]:
        """Return the parts that may have been left at this place, as (identifier of the delivery, name)."""
        with self._opened_with_all() as connection:
            rows = connection.execute("SELECT content, digest FROM orphaned_parts").fetchall()
        contents = [json.loads(content) for content, digest in rows if digest_of(content) == digest]
        return [(each["id"], each["part"]) for each in contents if (each["kind"], each["address"]) == place]

    def _possible_parts(self, delivery: Delivery) -> Iterator[tuple[str, str]]:
        """The parts that a delivery, when it is cancelled, may have left: (identifier of the file, name). Its files
        must still be here."""
        from ..network.uploads import KEPT_FROM, part_name

        if not destination(delivery.kind).keeps_parts or not delivery.attempts:
            return
        path, name, identifier = self.file_of(delivery), delivery.sent_as, delivery.identifier
        sent = (path, identifier, name), (report_of(path), report_identifier(identifier), report_of(Path(name)).name)
        for file, of_file, called in sent:
            with suppress(OSError):  # then a part may be left there, which does no harm
                if file.stat().st_size > KEPT_FROM:
                    yield of_file, part_name(file, of_file, called)

    # ------------------------------------------------------------------------------------------------ the rest

    @contextmanager
    def _opened_with_all(self, durable: bool = True, held: str = "") -> Iterator[sqlite3.Connection]:
        """As `_opened`, after rows were inserted for deliveries that an earlier version put into the folder.

        `held`: the `file_key` whose lock the caller holds. The rows are inserted some at a time, since whoever keeps a
        record in the journal meanwhile, in this window or another, waits for the same file.
        """
        while True:
            with self._opened(durable) as connection:
                taken_over = self._take_over(connection, held)
                if taken_over.is_all:
                    yield connection
            if taken_over.parts:
                earlier.put_away(self, taken_over.parts)
            if taken_over.is_all:
                return
            time.sleep(_PAUSE)

    @contextmanager
    def _opened(self, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """Use the SQLite file for one transaction; its errors become those of the outbox."""
        try:
            with self._file.opened(durable=durable) as connection:
                yield connection
        except StoreBusy as error:
            raise Busy(str(error)) from None
        except StoreError as error:
            cause = error.__cause__
            if isinstance(cause, OSError):
                raise OSError(cause.errno, cause.strerror, os.fspath(self._file.path)) from error
            for words, number in _BY_SQLITE.items() if cause is not None else ():
                if words in str(cause):
                    raise OSError(number, os.strerror(number), os.fspath(self._file.path)) from error
            raise OutboxError(str(error)) from error

    def _take_over(self, connection: sqlite3.Connection, held: str) -> earlier.TakenOver:
        """Look for deliveries without a row, unless the folder hasn't changed since the last look."""
        changed, self._last_look = self.folder.stat().st_mtime, time.monotonic()
        if changed == self._looked_at:
            return earlier.TakenOver()
        known = {row[0] for row in connection.execute("SELECT id FROM deliveries")}
        if may_write(self._file.path):
            self._report_lost_rows(bool(known))
        found = os.listdir(self.folder)  # noqa: PTH208 - faster
        names = {each for each in found if len(each) == 32} - known
        is_known = not names and abs(time.time() - changed) > _TICK
        self._looked_at = changed if is_known else 0.0
        if names or earlier.PARTS in found:
            return earlier.take_over(self, connection, names, held)
        return earlier.TakenOver()

    def insert(self, connection: sqlite3.Connection, delivery: Delivery, recorded: int = 0) -> None:
        """Insert a delivery, unless it is there."""
        text = to_text(delivery)
        row = (delivery.file_key, delivery.identifier, recorded, text, digest_of(text))
        connection.execute("INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?, ?, ?)", row)
        self._parsed[delivery.identifier] = text, delivery

    def insert_part(self, connection: sqlite3.Connection, identifier: str, place: Place, name: str) -> None:
        """Insert the name of a part that a delivery may have left at its destination."""
        content = {"id": identifier, "part": name, "kind": place.kind, "address": place.address}
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        connection.execute("INSERT OR IGNORE INTO orphaned_parts VALUES (?, ?, ?)", (identifier, text, digest_of(text)))

    def _report_lost_rows(self, there_are: bool) -> None:
        """Report that the file was emptied or removed, if there were deliveries and there are none now."""
        marker = self._file.path.with_name(_MARKER)
        if there_are:
            marker.touch(mode=0o600)
        elif marker.exists():
            if not self._file.was_repaired:  # the repair was reported already
                self.note_problem(
                    f"What was known of deliveries is gone: {self._file.path} was removed or emptied. Those whose"
                    " extracts are still in the outbox are sent. The database has what arrived before."
                )
            marker.unlink()

    def _drop_folder(self, delivery: Delivery) -> bool:
        """Remove the folder of a delivery that has ended; return whether it is gone.

        It is renamed first: an older version would take a folder without `delivery.json` for a damaged delivery.
        """
        leaving = self.folder / f"{_NEW}{delivery.identifier}-leaving"
        try:
            (self.folder / delivery.identifier).rename(leaving)
        except FileNotFoundError:
            return True
        except OSError:  # Windows: another program has the extract open
            for path in self.files_of(delivery):
                with suppress(OSError):
                    path.unlink(missing_ok=True)
            return False
        shutil.rmtree(leaving, ignore_errors=True)
        return True

    def _read(
        self, connection: sqlite3.Connection, column: str = "", value: str = ""
    ) -> list[tuple[Delivery, int]]:
        """Return deliveries (all, or those with this `id` or `file`), each with its revision in the database."""
        found: list[tuple[tuple[object, ...], Delivery, int]] = []
        where = f" WHERE {column} = ?" if column else ""
        rows = connection.execute(
            f"SELECT id, recorded, content, digest FROM deliveries{where}", (value,) if column else ()  # noqa: S608
        )
        for identifier, recorded, content, digest in rows.fetchall():
            known = self._parsed.get(identifier)
            if known is None or known[0] != content:
                delivery = self._delivery(connection, identifier, content, digest)
                if delivery is None:
                    continue
                known = self._parsed[identifier] = content, delivery
            age = known[1].created, known[1].version, identifier
            found.append((age, known[1], recorded))
        return [(each, recorded) for _age, each, recorded in sorted(found)]

    def _with_newer(
        self, connection: sqlite3.Connection, delivery: Delivery
    ) -> tuple[Delivery | None, Delivery | None]:
        """Return the delivery as it is now, and the latest later version of its file that isn't cancelled."""
        same = {each.identifier: each for each, _ in self._read(connection, "file", delivery.file_key)}
        later = [each for each in same.values() if each.version > delivery.version and each.state != CANCELLED]
        return same.get(delivery.identifier), max(later, key=lambda each: each.version, default=None)

    def _put(self, connection: sqlite3.Connection, delivery: Delivery, **changes: object) -> Delivery:
        """Update the row of a delivery, and return the changed delivery."""
        changed = {"revision": delivery.revision + 1, "changed": self.clock(), **changes}
        newer: Delivery = replace(delivery, **changed)  # type: ignore[arg-type]
        newer = replace(newer, reason=storable(newer.reason))
        text = to_text(newer)
        row = (text, digest_of(text), newer.file_key, newer.identifier)
        change = "UPDATE deliveries SET content = ?, digest = ? WHERE file = ? AND id = ?"
        if not connection.execute(change, row).rowcount:
            raise UnknownDelivery(f"The delivery {newer.short_id} is gone from the outbox.")
        self._parsed[newer.identifier] = text, newer  # harmless if this is rolled back: then the text differs
        return newer

    def _delivery(
        self, connection: sqlite3.Connection, identifier: str, content: str, digest: str
    ) -> Delivery | None:
        """Return the delivery of a row; None if it can't be read (it is put aside) or is of a newer version (it
        stays)."""
        try:
            if digest_of(content) != digest:
                raise ValueError("its digest doesn't match")
            found = from_text(content)
            if found.identifier != identifier:
                raise ValueError("of another delivery")
        except (ValueError, TypeError, RecursionError):
            if digest_of(content) == digest and is_of_newer_version(content):
                self.note_problem(f"The delivery {identifier[:8]} was added by a newer version of the application.")
                return None
            with suppress(OSError):
                (self.folder / str(identifier) / earlier.ENTRY).write_bytes(bytes_of(content))
            is_away = self.put_aside(str(identifier), "its description can't be read")
            if is_away and not connection.execute("PRAGMA query_only").fetchone()[0]:
                connection.execute("DELETE FROM deliveries WHERE id = ?", (identifier,))
                self._remove_marker_if_empty(connection)
            return None
        return found

    def put_aside(self, name: str, why: str) -> bool:
        """Move a delivery that can't be read to the folder `damaged`, and report it; return whether it was moved."""
        sentence = f"The delivery {name[:8]} in the outbox is damaged: {why}."
        place = self.folder / "damaged" / f"{name}-{self.clock():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:4]}"
        if not re.fullmatch("[0-9a-f]{32}", name):
            self.note_problem(sentence)
            return True
        try:
            place.parent.mkdir(mode=0o700, exist_ok=True)
            (self.folder / name).rename(place)
        except FileNotFoundError:  # another process was faster, or there is no folder
            self.note_problem(sentence)
        except OSError as error:
            self.note_problem(f"{sentence} It can't be put aside ({error.strerror}): {self.folder / name}.")
            return False
        else:
            self.note_problem(f"{sentence} It was put aside: {place}.")
        return True

    def note_problem(self, sentence: str) -> None:
        """Add a sentence to the problems, once."""
        if sentence not in self.problems:
            self.problems.append(sentence)
            log.error("%s", sentence)

    def _require_room(self) -> None:
        """Raise `OSError` if the disk has no room for an outcome: a delivery whose outcome can't be written would be
        sent again and again."""
        try:
            free = min(shutil.disk_usage(each).free for each in (self.folder, self._file.path.parent))
        except OSError:  # unknown: the next write will show it
            return
        if free < ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(self.folder))


def replaced_text(newer: Delivery) -> str:
    """Return why a version is no longer sent, as a sentence."""
    return f"Replaced by version {newer.version} ({newer.short_id})."


def _may_have_arrived_changes(delivery: Delivery) -> dict[str, object]:
    """Return the changes of a delivery whose process ended while it waited for the server's last response."""
    return {"state": UNKNOWN, "planned": None, "attempts": delivery.attempts_ended, "reason": PERHAPS_ARRIVED}


def _measured(path: Path) -> tuple[int, str]:
    """Return the size and the SHA-256 of a file, in constant memory."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()
