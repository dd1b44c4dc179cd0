"""Save a record: by whom, over which version, together with what somebody else changed meanwhile; and what comes next.

A person has to decide only what two people want differently: that comes back as a `Conflict`, for a dialog, or for a
remark in the journal.
"""

from __future__ import annotations

import datetime
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from .. import fields
from ..constants import FieldNames as F
from ..models.errors import CheckChanged, DatabaseError, RecordConflict, RecordExists, RecordMissing
from ..models.records import VersionedRecord

if TYPE_CHECKING:
    from ..journal import Entry, Journal
    from ..models import SQLModel
    from ..models.saving import Write

log = logging.getLogger(__name__)

_ATTEMPTS = 6
"""How often a record is tried that others keep changing; after that, whoever asked may ask again."""

Record = Mapping[str, Any]
Side = Literal["mine", "theirs"]


@dataclass(frozen=True)
class Save:
    """What is to be saved.

    `record` is a `fields.Record`, or holds texts that the model still has to check. `base` and `version` are what stood
    there when it was opened (an update), as far as that was known. `whole_check`: the technician is that of the whole
    check, if that has `check_version` still (not given: whichever it has). `plots_after`: of which the first free one
    is claimed for this window then. `identifier` (32 hexadecimal digits) makes a save that comes twice one. `typed`:
    when it was kept in the journal (not given: it wasn't), for the audit.
    """

    record: Record
    write: Write = "insert"
    base: Record | None = None
    version: int | None = None
    author: str = ""
    reason: str = ""
    workstation: str | None = None
    whole_check: bool = False
    check_version: int | None = None
    plots_after: tuple[int, ...] | None = None
    identifier: str = field(default_factory=lambda: uuid.uuid4().hex)
    typed: datetime.datetime | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """Date, time, lab and plot."""
        return tuple(self.record[name] for name in fields.RECORD_KEY)

    def over(self, theirs: VersionedRecord, record: Record) -> Save:
        """The same with another record, to be saved over the version that stands there."""
        return replace(self, record=record, write="update", base=theirs.record, version=theirs.version)


@dataclass(frozen=True)
class Saved:
    """The record as the database has it now, and its version (`None`: not known, it was saved before).

    `merged`: what it was brought together with, if it was; `remark`: why the check stays as it is; `claimed`: the plot
    that comes next, 0 if none is free, `None` if that isn't known.
    """

    record: Record
    version: int | None
    merged: Conflict | None = None
    remark: str = ""
    claimed: int | None = None


@dataclass(frozen=True)
class Conflict:
    """`mine` was to be saved over `base` (`None`: as a new record), but the database has `theirs`.

    `merged` holds what each field is to be, mine where that is still to be chosen; `to_choose` names those fields, in
    the order of the form, and `taken_over` those that only the other side changed. Where none is to be chosen, others
    only changed the record again and again. `reason` is what the database said, for people.
    """

    mine: Record
    base: Record | None
    theirs: VersionedRecord
    merged: Record
    to_choose: tuple[str, ...]
    taken_over: tuple[str, ...] = ()
    reason: str = ""

    def chosen(
        self, choices: Mapping[str, fields.Choices | None], sides: Mapping[str, Side]
    ) -> tuple[Record, dict[str, str]]:
        """The record that these sides give, on top of what came together by itself, and what is wrong with it, by field
        name: what the database would refuse is told before. `choices` are the present values of lists."""
        records = {"mine": self.mine, "theirs": self.theirs.record}
        values = {**self.merged, **{name: records[side][name] for name, side in sides.items()}}
        parsed = isinstance(self.mine, fields.Record)  # each value is right by itself; else it holds texts
        errors = fields.check_across(values) if parsed else fields.check_record(values)
        technicians = choices.get(F.TECHNICIAN)
        if technicians and values[F.TECHNICIAN] not in technicians:
            errors.setdefault(F.TECHNICIAN, f"{values[F.TECHNICIAN]} isn't in the list of technicians any more")
        return fields.Record(values) if parsed else values, errors


def bring_together(mine: Record, base: Record | None, theirs: VersionedRecord, reason: str = "") -> Conflict:
    """Merge both versions field by field; `to_choose` is empty where that needs nobody."""
    merge = fields.merge(base, mine, theirs.record)
    # What the database has is right, and so is mine if it was parsed: then both together are.
    whole = isinstance(mine, fields.Record) and not merge.conflicts
    merged = fields.Record(merge.merged) if whole else merge.merged
    return Conflict(mine, base, theirs, merged, merge.conflicts, merge.taken, reason)


def save_record(model: SQLModel, save: Save) -> Saved | Conflict:
    """Save it, and merge it with a later version as far as both come together by themselves.

    May be done again after a lost answer: it is saved once. Raises `RecordMissing`, `RecordInvalid`, `DatabaseError`;
    then nothing of the record is saved.
    """
    # The correction of a record that waited itself can't say which version it corrects.
    is_plain = save.write == "insert" or save.version is not None
    attempt, merged, reason = save, None, ""
    base = save.base if save.write == "update" else None
    theirs = None if is_plain else model.get_versioned_record(*save.key)
    for _ in range(_ATTEMPTS):
        if theirs is not None and theirs.version:
            if theirs.record == save.record:  # our own, whose answer was lost; or somebody saved the same
                return _finish(model, save, Saved(save.record, theirs.version))
            merged = bring_together(save.record, base, theirs, reason)
            if merged.to_choose:
                return merged
            attempt = save.over(theirs, merged.merged)
        elif theirs is not None and save.write == "update":
            key = dict(zip(fields.RECORD_KEY, save.key, strict=True))
            raise RecordMissing("The record that was corrected is no longer in the database.", key)
        try:
            model.save_record(
                attempt.record,
                attempt.write,
                expected_version=attempt.version if attempt.write == "update" else None,
                reason=save.reason,
                author=save.author,
                workstation=save.workstation,
                entry=save.identifier,
                typed=save.typed,
            )
        except (RecordExists, RecordConflict) as error:
            theirs, reason = error.theirs or model.get_versioned_record(*save.key), str(error)
        else:
            return _finish(model, save, Saved(attempt.record, model.saved_version, merged))
    return bring_together(save.record, base, theirs or VersionedRecord(), reason)


def _finish(model: SQLModel, save: Save, saved: Saved) -> Saved:
    """The record is saved: so is its check, and the next plot is claimed before the form goes there."""
    date, time, lab, _plot = save.key
    if save.whole_check:
        who = {"reason": save.reason, "author": save.author}
        try:
            technician = str(saved.record[F.TECHNICIAN])
            model.set_check_technician(date, time, lab, technician, expected_version=save.check_version, **who)
        except CheckChanged as error:
            saved = replace(saved, remark=f"({error})")
    if save.plots_after is None:
        return saved
    try:
        return replace(saved, claimed=model.claim_next_plot(date, time, lab, save.plots_after) or 0)
    except DatabaseError as error:  # it is saved; what comes next can be decided without
        log.info("the next plot couldn't be claimed: %s", type(error).__name__)
        return saved


def keep(journal: Journal, database: str, save: Save, cause: str) -> Entry:
    """Keep it in the journal for that database, as it can't be saved now (`cause`, for people); on disk then."""
    from ..journal.file import new_entry

    entry = new_entry(
        database,
        save.record,
        save.write,
        author=save.author,
        base=save.base,
        version=save.version,
        reason=save.reason,
        whole_check=save.whole_check,
        cause=cause,
        identifier=save.identifier,
    )
    journal.keep(entry)
    return entry
