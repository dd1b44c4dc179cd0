"""The journal on disk: one file that grows at its end, in a folder that only its owner reads.

What was kept has reached the disk before anybody is told so. Whoever is killed while writing leaves at most a last line
that isn't whole, which nobody was told of; it is cut off before the next one is written.
"""

from __future__ import annotations

import datetime
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from abq_data_entry.folders import made_durable, replacement, synced
from abq_data_entry.journal import lines
from abq_data_entry.journal.entry import UNDECIDED, Entry, from_content, to_content
from abq_data_entry.journal.errors import JournalBusy, JournalError

log = logging.getLogger(__name__)

LARGEST = 64 * 1024 * 1024
_SETTLED_LINES = 200  # so many of what is done may stand in the file before it is written anew
_PATIENCE = 20.0
_BINARY = getattr(os, "O_BINARY", 0)

Clock = Callable[[], datetime.datetime]


def now() -> datetime.datetime:
    """The present moment, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)


class Journal:
    """What one user's records wait for on one machine. Several processes may use the folder at once.

    Methods raise `JournalError`, also when the disk refuses.
    """

    def __init__(self, folder: Path, clock: Clock = now) -> None:
        self.folder = folder
        self.path = folder / "journal.log"
        self._end = folder / "journal.end"
        self.clock = clock
        self.problems: list[str] = []
        """A sentence for each part that couldn't be read and was put aside."""
        with _told("opened"):
            made_durable(folder)

    # ------------------------------------------------------------------------------------------------ reading

    def entries(self) -> list[Entry]:
        """Return what waits or needs a decision, in the order in which it was kept."""
        noted = self._noted()  # before the file: it may have grown since, but it never shrinks
        content = self._content()
        if content.damaged or _is_shorter(content, noted):
            with self._locked("writing", _PATIENCE):
                content = self._mend(self._content())
                self._tell_missing(content)
        return [entry for each in open_events(content.events).values() if (entry := self._entry(each)) is not None]

    def mark(self) -> tuple[int, ...]:
        """Return numbers that change with the file, so that others need not read it again for nothing."""
        try:
            status = self.path.stat()
        except OSError:
            return ()
        return status.st_ino, status.st_size, status.st_mtime_ns

    # ------------------------------------------------------------------------------------------------ writing

    def keep(self, entry: Entry) -> None:
        """Keep a record; it is on disk when this returns."""
        self._append({"event": "keep", **to_content(entry)})

    def settle(self, identifier: str, how: str) -> None:
        """The database has the record, or somebody decided: it waits no more. May be said twice."""
        self._append({"event": "settled", "id": identifier, "how": how, "moment": self.clock().isoformat()})

    def leave_undecided(self, identifier: str, remark: str) -> None:
        """Somebody has to decide about the record; `remark` says why."""
        self._append({"event": "undecided", "id": identifier, "remark": remark})

    def tidy(self) -> None:
        """Write the file anew without what is settled, if there is much of it."""
        if len(self._content().events) < _SETTLED_LINES:
            return
        with self._locked("writing", _PATIENCE):
            content = self._content()
            waiting = open_events(content.events)
            kept = [each for each in content.events if each.get("id") in waiting]
            if not content.damaged and len(content.events) - len(kept) >= _SETTLED_LINES:
                self._rewrite(kept)

    @contextmanager
    def replaying(self) -> Iterator[None]:
        """Hold what only one holds who saves what waits; raises `JournalBusy` at once if another does."""
        with self._locked("replaying", 0.0):
            yield

    # ------------------------------------------------------------------------------------------------ the rest

    def _content(self) -> lines.Content:
        with _told("read"):
            try:
                with self.path.open("rb", buffering=0) as file:
                    data = file.read(LARGEST + 1)
            except FileNotFoundError:
                data = b""
        if len(data) > LARGEST:
            raise JournalError(f"The journal of this computer is too large to be read: {self.path}.")
        content = lines.read(data)
        if content.format > lines.FORMAT:
            raise JournalError(
                "A newer version of ABQ Data Entry wrote the journal of this computer. Install the newer version here."
            )
        return content

    def _append(self, event: Mapping[str, Any]) -> None:
        with self._locked("writing", _PATIENCE):
            content = self._mend(self._content())
            self._tell_missing(content)
            line = lines.to_line(event)
            if content.length + len(line) > LARGEST:
                raise JournalError(f"The journal of this computer is full: {self.path}.")
            with _told("written"):
                _write_at(self.path, content.length, line if content.length else lines.header() + line)
                if not content.length:
                    synced(self.folder)
            self._note(max(content.length, len(lines.header())) + len(line), (*content.events, event))

    def _mend(self, content: lines.Content) -> lines.Content:
        """Put aside what is damaged; whoever calls this holds the lock."""
        if not content.damaged:
            return content
        place = self.folder / f"damaged-{self.clock():%Y%m%dT%H%M%S}-{os.urandom(2).hex()}.log"
        with _told("mended"), replacement(place) as temporary:
            temporary.write_bytes(b"\n".join(content.damaged) + b"\n")
        self._rewrite(content.events)
        count = len(content.damaged)
        self._tell(
            f"{count} {'parts' if count > 1 else 'part'} of the journal of this computer can't be read."
            f" What is there was put aside: {place}."
        )
        return self._content()

    def _rewrite(self, events: Sequence[lines.Event]) -> None:
        data = lines.header() + b"".join(lines.to_line(each) for each in events)
        self._note(len(data), events)
        with _told("written"), replacement(self.path) as temporary:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)

    # What was cut off at the end of a line can't be seen in the file itself: how long it was stands in another one.

    def _note(self, length: int, events: Sequence[lines.Event]) -> None:
        """Note how long the file is, or is about to be, and how many records wait in it."""
        with suppress(OSError):  # without it only a file that was cut short goes unnoticed
            handle = os.open(self._end, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(f"{length} {len(open_events(events))}\n".encode("ascii"))

    def _noted(self) -> tuple[int, int]:
        """The length that the file has at least, and how many records waited in it; zeros where nothing is noted."""
        try:
            length, waiting = self._end.read_bytes().split()
            return int(length), int(waiting)
        except (OSError, ValueError):  # written at the moment, or by a computer that failed
            return 0, 0

    def _tell_missing(self, content: lines.Content) -> None:
        """Tell once that the file has become shorter; whoever calls this holds the lock."""
        noted = self._noted()
        if not _is_shorter(content, noted):
            return
        missing = noted[1] - len(open_events(content.events))
        if missing > 0:
            count = "1 record" if missing == 1 else f"{missing} records"
            self._tell(
                f"The journal of this computer was cut short, and {count} that waited in it"
                f" {'is' if missing == 1 else 'are'} gone: {self.path}. Look into the record list, and record again"
                " what is missing."
            )
        self._note(content.length, content.events)

    def _entry(self, event: lines.Event) -> Entry | None:
        """The record of an event; one that makes no sense to this version stays where it is, and is told."""
        try:
            entry = from_content(event)
        except (ValueError, TypeError, KeyError, AttributeError):
            self._tell(f"A record in the journal of this computer can't be read. It was left there: {self.path}.")
            return None
        return entry if event.get("remark") is None else replace(entry, state=UNDECIDED, remark=str(event["remark"]))

    def _tell(self, sentence: str) -> None:
        if sentence not in self.problems:
            self.problems.append(sentence)
            log.error("%s", sentence)

    @contextmanager
    def _locked(self, name: str, patience: float) -> Iterator[None]:
        import filelock

        lock = filelock.FileLock(self.folder / f"{name}.lock", timeout=patience, poll_interval=0.02)
        with _told("locked"):
            try:
                lock.acquire()
            except filelock.Timeout:
                raise JournalBusy("Another window is at the journal of this computer at the moment.") from None
        try:
            yield
        finally:
            lock.release()


def _is_shorter(content: lines.Content, noted: tuple[int, int]) -> bool:
    return content.length < noted[0]


def open_events(events: Sequence[lines.Event]) -> dict[str, lines.Event]:
    """The records that aren't settled, by identifier; `remark` where somebody has to decide."""
    found: dict[str, lines.Event] = {}
    for event in events:
        identifier = str(event.get("id"))
        if event.get("event") == "keep":
            found.setdefault(identifier, event)
        elif event.get("event") == "undecided" and identifier in found:
            found[identifier] = {**found[identifier], "remark": event.get("remark")}
        elif event.get("event") == "settled":
            found.pop(identifier, None)
    return found


def _write_at(path: Path, end: int, data: bytes) -> None:
    """Write at the place where the whole lines end, and bring it to the disk; all of it or nothing."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
    try:
        os.ftruncate(handle, end)  # what follows was being written when somebody was killed
        os.lseek(handle, end, os.SEEK_SET)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, end)
            raise
    finally:
        os.close(handle)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Say in words that the disk refuses."""
    try:
        yield
    except OSError as error:
        raise JournalError(f"The journal of this computer can't be {what}: {error.strerror or error}.") from error
