"""Saving what waits, in order, each record once; what two people want differently is left for a decision."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames
from abq_data_entry.journal import same_database
from abq_data_entry.journal.entry import UNDECIDED, Entry
from abq_data_entry.journal.file import Journal
from abq_data_entry.models.errors import DatabaseError, RecordConflict, RecordExists, RecordInvalid, RecordMissing
from abq_data_entry.models.records import VersionedRecord
from abq_data_entry.models.saving import Write

log = logging.getLogger(__name__)

_BEHIND = "An earlier record of this plot needs a decision first."
_ATTEMPTS = 5  # at a record that others keep changing


class Ledger(Protocol):
    """What is needed of the database; `entry` makes a save that comes twice one."""

    def save_record(
        self,
        record: Mapping[str, object],
        write: Write | None = None,
        *,
        expected_version: int | None = None,
        reason: str = "",
        author: str = "",
        workstation: str | None = None,
        entry: str | None = None,
    ) -> None: ...

    def get_versioned_record(self, date: object, time: object, lab: object, plot: object) -> VersionedRecord: ...

    def set_check_technician(
        self, date: object, time: object, lab: object, technician: str, *, reason: str = "", author: str = ""
    ) -> None: ...


@dataclass(frozen=True)
class Replayed:
    """What became of it: saved now, left for a decision now, still waiting; `problem` is what it stopped at."""

    saved: tuple[Entry, ...] = ()
    undecided: tuple[Entry, ...] = ()
    waiting: tuple[Entry, ...] = ()
    problem: DatabaseError | None = None


def replay(
    journal: Journal, database: str, ledger: Ledger, progress: Callable[[int, int], object] | None = None
) -> Replayed:
    """Save what waits for that database. May be killed and called again at any point: each record is saved once.

    It stops at the first failure that time may heal: later records may depend on earlier ones. Raises `JournalError`,
    `JournalBusy` if another window is at it.
    """
    with journal.replaying():
        entries = [each for each in journal.entries() if same_database(each.database, database)]
        blocked = {each.key for each in entries if each.state == UNDECIDED}
        waiting = [each for each in entries if each.state != UNDECIDED]
        saved: list[Entry] = []
        undecided: list[Entry] = []
        for number, entry in enumerate(waiting):
            if progress is not None:
                progress(number, len(waiting))
            try:
                remark = _BEHIND if entry.key in blocked else _save(entry, ledger)
            except DatabaseError as error:
                log.warning("what waits can't be saved yet: %s: %s", type(error).__name__, error.detail)
                return Replayed(tuple(saved), tuple(undecided), tuple(waiting[number:]), error)
            if remark:
                journal.leave_undecided(entry.identifier, remark)
                blocked.add(entry.key)
                undecided.append(entry)
            else:
                journal.settle(entry.identifier, "saved")
                saved.append(entry)
    return Replayed(tuple(saved), tuple(undecided))


def _save(entry: Entry, ledger: Ledger) -> str:
    """Save the record; return why somebody has to decide, '' if nobody has."""
    try:
        remark = _save_once(entry, ledger, entry.record, entry.version) if _is_plain(entry) else _save_over(
            entry, ledger, ledger.get_versioned_record(*entry.key)
        )
        if not remark and entry.whole_check:
            date, time, lab, _plot = entry.key
            technician = str(entry.record[FieldNames.TECHNICIAN])
            ledger.set_check_technician(date, time, lab, technician, reason=entry.reason, author=entry.author)
        return remark
    except RecordMissing as error:
        return str(error) or "The record that was corrected is no longer in the database."
    except RecordInvalid as error:
        return str(error)


def _is_plain(entry: Entry) -> bool:
    """Tell whether the entry says what it expects to find; the correction of one that waited itself can't."""
    return entry.write == "insert" or entry.version is not None


def _save_once(entry: Entry, ledger: Ledger, record: Mapping[str, object], version: int | None) -> str:
    try:
        ledger.save_record(
            record,
            entry.write,
            expected_version=version if entry.write == "update" else None,
            reason=entry.reason,
            author=entry.author,
            workstation=entry.workstation,
            entry=entry.identifier,
        )
    except (RecordExists, RecordConflict) as error:
        return _save_over(entry, ledger, error.theirs or ledger.get_versioned_record(*entry.key))
    return ""


def _save_over(entry: Entry, ledger: Ledger, theirs: VersionedRecord, attempts: int = _ATTEMPTS) -> str:
    """Save the record over the version that stands there, as far as both come together by themselves."""
    if theirs.version and theirs.record == entry.record:
        return ""
    if not theirs.version:
        raise RecordMissing("", dict(zip(fields.RECORD_KEY, entry.key, strict=True)))
    base = entry.base if entry.write == "update" else None
    merge = fields.merge(base, entry.record, theirs.record)
    if merge.conflicts or not attempts:
        who = theirs.changed_by or "Somebody else"
        did = "changed this record" if entry.write == "update" else "recorded this plot"
        return f"{who} {did} meanwhile: {', '.join(merge.conflicts)} {_differ(len(merge.conflicts))}."
    try:
        ledger.save_record(
            merge.merged,
            "update",
            expected_version=theirs.version,
            reason=entry.reason,
            author=entry.author,
            workstation=entry.workstation,
            entry=entry.identifier,
        )
    except RecordConflict as error:
        # No retry: each time it is another version that somebody has saved in between.
        return _save_over(entry, ledger, error.theirs, attempts - 1)
    return ""


def _differ(number: int) -> str:
    return "differs" if number == 1 else "differ"
