"""Save the records in the journal, in order, each once; conflicts between two people wait for a decision."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..journal import UNDECIDED, Entry, Journal, same_database
from ..models.errors import DatabaseError, RecordInvalid, RecordMissing
from .save_record import Conflict, Save, save_record

if TYPE_CHECKING:
    from ..models import SQLModel

log = logging.getLogger(__name__)

_BEHIND = "An earlier record of this plot needs a decision first."


@dataclass(frozen=True)
class Replayed:
    """The entries saved now, left for a decision now, and still waiting; `problem`: the error at which it stopped."""

    saved: tuple[Entry, ...] = ()
    undecided: tuple[Entry, ...] = ()
    waiting: tuple[Entry, ...] = ()
    problem: DatabaseError | None = None


def replay(
    journal: Journal, database: str, model: SQLModel, progress: Callable[[int, int], object] | None = None
) -> Replayed:
    """Save the records that wait for that database. Killed at any point, it can be repeated: each is saved once.

    It stops at the first temporary failure, because later records may depend on earlier ones. Raises `JournalError`,
    and `JournalBusy` if another process is replaying.
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
                remark = _BEHIND if entry.key in blocked else _save(entry, model)
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


def _save(entry: Entry, model: SQLModel) -> str:
    """Save the record; return why somebody has to decide, '' if nobody has to."""
    save = Save(
        entry.record,
        entry.write,
        entry.base,
        entry.version,
        entry.author,
        entry.reason,
        entry.workstation,
        entry.whole_check,
        identifier=entry.identifier,
        typed=entry.moment,
    )
    try:
        outcome = save_record(model, save)
    except (RecordMissing, RecordInvalid) as error:
        return str(error)
    if not isinstance(outcome, Conflict):
        return ""
    who = outcome.theirs.changed_by or "Somebody else"
    did = "changed this record" if entry.write == "update" else "recorded this plot"
    differ = "differs" if len(outcome.to_choose) == 1 else "differ"
    names = f": {', '.join(outcome.to_choose)} {differ}" if outcome.to_choose else ""
    return f"{who} {did} meanwhile{names}."
