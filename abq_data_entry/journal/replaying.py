"""Saving what waits, in order, each record once; what somebody else changed meanwhile is left for a decision."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames
from abq_data_entry.journal.belonging import same_database
from abq_data_entry.journal.entry import UNDECIDED, Entry, Record
from abq_data_entry.journal.file import Journal
from abq_data_entry.models.errors import DatabaseError, RecordExists, RecordInvalid, RecordMissing
from abq_data_entry.models.saving import Write

log = logging.getLogger(__name__)

_BEHIND = "An earlier record of this plot needs a decision first."


class Ledger(Protocol):
    """What is needed of the database."""

    def save_record(self, record: Mapping[str, object], write: Write | None = None) -> None: ...

    def get_record(self, date: object, time: object, lab: object, plot: object) -> Record: ...

    def set_check_technician(self, date: object, time: object, lab: object, technician: str) -> None: ...


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
        journal.tidy()
    return Replayed(tuple(saved), tuple(undecided))


def _save(entry: Entry, ledger: Ledger) -> str:
    """Save the record, unless it is there; return why somebody has to decide, '' if nobody has."""
    try:
        found = ledger.get_record(*entry.key)
        if found != entry.record:
            if entry.write == "update" and found and entry.base is not None and found != entry.base:
                return f"Somebody else changed {differing(found, entry.base)} of this record meanwhile."
            ledger.save_record(entry.record, entry.write)
        if entry.whole_check:
            date, time, lab, _plot = entry.key
            ledger.set_check_technician(date, time, lab, str(entry.record[FieldNames.TECHNICIAN]))
    except RecordExists:
        return "Somebody else recorded this plot meanwhile."
    except RecordMissing:
        return "The record that was corrected is no longer in the database."
    except RecordInvalid as error:
        return str(error)
    return ""


def differing(record: Record, other: Record) -> str:
    """The names of the fields in which two records differ, for people."""
    return ", ".join(each.name for each in fields.FIELDS if record.get(each.name) != other.get(each.name))
