"""The outbox on disk: a folder for each delivery, with what is known of it and the file itself.

Each change is written to a temporary file, brought to the disk, and only then takes its name, so that whoever is
killed at any point leaves either the state before or the state after; that an attempt runs stands in a note behind it
(`entries.add_note`). What is half made has a name that begins with `.new-`, and is nobody's delivery.
"""

from __future__ import annotations

import datetime
import hashlib
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ..folders import made_durable, replacement, synced
from ..network.destination import Place
from ..remote_names import EXTRACT_PATTERN
from .delivery import CANCELLED, ENDED, FAILED, SENDING, WAITING, Delivery, to_text
from .entries import ENTRY, Clock, Entries, add_note, recorded_in, recorded_text
from .extract import (
    Busy,
    NoRecords,
    Records,
    UnknownDelivery,
    companion,
    export_with_head,
    extract_name,
    head_in,
    name_to_send_as,
)
from .orphaned_parts import note
from .own_disk import named, require_room

LANES = 64
_NEW = ".new-"
_BLOCK = 1024 * 1024


def now() -> datetime.datetime:
    """The present moment, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)


class Outbox:
    """The deliveries of one user on one machine. Several processes may use the folder at once.

    Methods raise `OSError` when the disk refuses, and `OutboxError`.
    """

    def __init__(self, folder: Path, clock: Clock = now) -> None:
        self.folder = folder
        self.clock = clock
        self._entries = Entries(folder, clock)
        made_durable(folder)
        (folder / "locks").mkdir(mode=0o700, exist_ok=True)

    @property
    def problems(self) -> list[str]:
        """A sentence for each entry that couldn't be read."""
        return self._entries.problems

    # ------------------------------------------------------------------------------------------------ reading

    def deliveries(self) -> list[Delivery]:
        """Return all of them, the oldest first; entries that can't be read are put aside and told in `problems`."""
        return sorted(self._entries.all(), key=lambda each: (each.created, each.version, each.identifier))

    def find(self, beginning: str) -> Delivery:
        """Return the delivery whose identifier begins so; raises `UnknownDelivery`."""
        wanted = beginning.strip().lower()
        found = [each for each in self.deliveries() if wanted and each.identifier.startswith(wanted)]
        if len(found) != 1:
            what = "There is no delivery" if not found else "There are several deliveries"
            raise UnknownDelivery(f"{what} whose number begins with {beginning!r}. See the list of deliveries.")
        return found[0]

    def read(self, identifier: str) -> Delivery:
        """Return a delivery as it stands on disk now; raises `UnknownDelivery`."""
        found = self._entries.one(identifier)
        if found is None:
            raise UnknownDelivery(f"The delivery {identifier[:8]} is gone from the outbox.")
        return found

    def file_of(self, delivery: Delivery) -> Path:
        """The file that is to be delivered; it is removed once that is done."""
        return self.folder / delivery.identifier / delivery.name

    def files_of(self, delivery: Delivery) -> tuple[Path, Path]:
        """The file, and the one that may go with it."""
        path = self.file_of(delivery)
        return path, companion(path)

    def is_whole(self, delivery: Delivery) -> bool:
        """Tell whether the file is still the one that was put in, and says the same of the audit."""
        path = self.file_of(delivery)
        try:
            return _measured(path) == (delivery.size, delivery.sha256) and head_in(path) == delivery.audit_head
        except (OSError, ValueError):
            return False

    def replaced_by(self, delivery: Delivery) -> Delivery | None:
        """Return a later version of the same file to the same destination, unless that was cancelled."""
        later = [
            each
            for each in self._entries.of_file(delivery.kind, delivery.name)
            if each.version > delivery.version and each.state != CANCELLED
        ]
        return max(later, key=lambda each: each.version, default=None)

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
    ) -> Delivery:
        """Write the extract of a day and put it in, to be delivered; older versions that wait are cancelled.

        `known_version`: the highest one that the database knows; `audit_head`: tells where the audit stands, for the
        day's part of it to go with the extract; `upload_name`: the pattern of what it is called at the destination.
        Raises `NoRecords`, `OutboxError` for a pattern that can't be used, and what the export raises; then nothing is
        put in.
        """
        identifier = uuid.uuid4().hex
        with self._locked("adding", patience=600.0), named(self.folder):
            building = self.folder / f"{_NEW}{identifier}"
            building.mkdir(mode=0o700)
            try:
                path = building / extract_name(date)
                count, head = export_with_head(records, path, date, audit_head)
                if count == 0:
                    raise NoRecords("There are no records to upload")
                if head:
                    _write(companion(path), f"{head}\n")
                size, sha256 = _measured(path)
                sent_as = name_to_send_as(path, date, upload_name)
                moment = self.clock()
                delivery = Delivery(
                    identifier, path.name, date, place.kind, place.address, username, size, sha256,
                    known_version + 1, created=moment, since=moment, changed=moment, audit_head=head,
                    sent_as=sent_as,
                )  # fmt: skip
                older = self._entries.of_file(delivery.kind, delivery.name)
                delivery = replace(delivery, version=1 + max([known_version, *(each.version for each in older)]))
                _write(building / ENTRY, to_text(delivery))
                building.rename(self.folder / identifier)
            except BaseException:
                shutil.rmtree(building, ignore_errors=True)
                raise
            synced(self.folder)
            for each in older:
                self._give_way(each, delivery)
        return delivery

    def write(self, delivery: Delivery, **changes: object) -> Delivery:
        """Keep a changed delivery; whoever calls this holds its lane. Returns it with its new revision."""
        changed = {"revision": delivery.revision + 1, "changed": self.clock(), **changes}
        newer: Delivery = replace(delivery, **changed)  # type: ignore[arg-type]
        folder = self.folder / delivery.identifier
        if newer.state == SENDING:
            require_room(folder)
            with named(folder):
                add_note(folder, to_text(newer))
            return newer
        if newer.state == CANCELLED:
            note(self.folder, newer)
        with named(folder):
            _write(folder / ENTRY, to_text(newer))
        if newer.state in ENDED:
            for path in self.files_of(newer):
                path.unlink(missing_ok=True)
        return newer

    def recorded(self, delivery: Delivery) -> int:
        """Return which revision the database is known to have, 0 if none."""
        return recorded_in(self.folder / delivery.identifier)

    def note_recorded(self, delivery: Delivery) -> None:
        """Remember that the database has this revision; lost in a power cut, the same row is written once more."""
        with suppress(OSError):  # removed by somebody, or not to be written: then the row is written once more
            add_note(self.folder / delivery.identifier, recorded_text(delivery.revision))

    def remove(self, delivery: Delivery) -> None:
        """Take the entry away for good; whoever calls this holds its lane."""
        leaving = self.folder / f"{_NEW}{delivery.identifier}-leaving"
        (self.folder / delivery.identifier).rename(leaving)
        shutil.rmtree(leaving, ignore_errors=True)

    @contextmanager
    def lane(self, delivery: Delivery, patience: float = 0.0) -> Iterator[None]:
        """Hold what nobody else may hold who sends or changes this delivery or another version of it.

        Raises `Busy` after `patience` seconds. The lock falls with the process that holds it.
        """
        number = int(hashlib.sha256(f"{delivery.kind}\0{delivery.name}".encode()).hexdigest(), 16) % LANES
        with self._locked(f"lane-{number:02}", patience):
            yield

    @contextmanager
    def nobody_adds(self) -> Iterator[None]:
        """Hold what `add` holds; raises `Busy` at once."""
        with self._locked("adding", 0.0):
            yield

    def leftovers(self) -> list[Path]:
        """Return the folders that were half made or half removed; under `nobody_adds` they are nobody's."""
        return [path for path in self.folder.iterdir() if path.name.startswith(_NEW)]

    # ------------------------------------------------------------------------------------------------ the rest

    @contextmanager
    def _locked(self, name: str, patience: float) -> Iterator[None]:
        import filelock

        lock = filelock.FileLock(self.folder / "locks" / f"{name}.lock", timeout=patience, poll_interval=0.02)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise Busy("Another process is busy with this delivery at the moment. Try again in a while.") from None
        try:
            yield
        finally:
            lock.release()

    def _give_way(self, older: Delivery, newer: Delivery) -> None:
        """Cancel an older version that waits; one that is being sent is seen to by its sender."""
        with suppress(Busy), self.lane(older):
            present = self._entries.one(older.identifier)
            if present is not None and present.state in (WAITING, FAILED):
                self.write(present, state=CANCELLED, planned=None, reason=replaced_text(newer))


def replaced_text(newer: Delivery) -> str:
    """Say why a version isn't sent any more."""
    return f"Replaced by version {newer.version} ({newer.short})."


def _measured(path: Path) -> tuple[int, str]:
    """Return the size and the SHA-256 of a file, in constant memory."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def _write(path: Path, text: str) -> None:
    with replacement(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
