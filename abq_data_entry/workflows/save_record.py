"""Save a record over the version that it corrects, merge it with others' changes, and claim the next plot.

If two people have changed the same field, somebody has to decide: then the result is a `Conflict`, for a dialog, or for
a remark in the journal.
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
"""How often a save is tried while others keep changing the record; then a `Conflict` is returned."""

Record = Mapping[str, Any]
Side = Literal["mine", "theirs"]


@dataclass(frozen=True)
class Save:
    """A record to be saved.

    `record` is a `fields.Record`, or has texts that the model still has to check. `base` and `version`: the record in
    the database when it was opened for an update, if known. `whole_check`: also set the technician of the whole check,
    if its version still is `check_version` (None: any). `plots_after`: plots, of which the first free one is then
    claimed for this window. `identifier` (32 hexadecimal digits): an idempotency key. `typed`: when the record was kept
    in the journal (None: it wasn't), for the audit.
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
        """Return a copy that saves `record` over `theirs`, the version in the database."""
        return replace(self, record=record, write="update", base=theirs.record, version=theirs.version)


@dataclass(frozen=True)
class Saved:
    """The record in the database, and its version (`None`: not known, because an earlier attempt had saved it).

    `merged`: the conflict that was merged, if any; `remark`: why the check wasn't changed; `claimed`: the next plot, 0
    if none is free, `None` if it isn't known.
    """

    record: Record
    version: int | None
    merged: Conflict | None = None
    remark: str = ""
    claimed: int | None = None


@dataclass(frozen=True)
class Conflict:
    """`mine` was to be saved over `base` (`None`: as a new record), but the database has `theirs`.

    `merged` has each field's merged value, or mine if both sides changed it. `to_choose` names these fields, in the
    order of the form, and `taken_over` those that only the other side changed. If `to_choose` is empty, others have
    changed the record again and again. `reason`: the database's message, for people.
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
        """Return the merged record with these sides chosen, and its errors by field name, before the database would
        refuse it. `choices`: the current values of lists."""
        records = {"mine": self.mine, "theirs": self.theirs.record}
        values = {**self.merged, **{name: records[side][name] for name, side in sides.items()}}
        parsed = isinstance(self.mine, fields.Record)  # each value is valid by itself; otherwise it has texts
        errors = fields.check_across(values) if parsed else fields.check_record(values)
        technicians = choices.get(F.TECHNICIAN)
        if technicians and values[F.TECHNICIAN] not in technicians:
            errors.setdefault(F.TECHNICIAN, f"{values[F.TECHNICIAN]} isn't in the list of technicians any more")
        return fields.Record(values) if parsed else values, errors


def merge_versions(mine: Record, base: Record | None, theirs: VersionedRecord, reason: str = "") -> Conflict:
    """Merge both versions field by field; `to_choose` is empty if nobody has to decide."""
    merge = fields.merge(base, mine, theirs.record)
    # The database's values are valid, and so are mine if they were parsed: then the merged ones are, too.
    whole = isinstance(mine, fields.Record) and not merge.conflicts
    merged = fields.Record(merge.merged) if whole else merge.merged
    return Conflict(mine, base, theirs, merged, merge.conflicts, merge.taken, reason)


def save_record(model: SQLModel, save: Save) -> Saved | Conflict:
    """Save a record; if the database has a later version, merge both, unless somebody has to decide.

    Idempotent: the call can be repeated after a lost answer. Raises `RecordMissing`, `RecordInvalid`, `DatabaseError`;
    then nothing of the record is saved.
    """
    # A correction of a record that was itself waiting doesn't know which version it corrects.
    is_plain = save.write == "insert" or save.version is not None
    attempt, merged, reason = save, None, ""
    base = save.base if save.write == "update" else None
    theirs = None if is_plain else model.get_versioned_record(*save.key)
    for _ in range(_ATTEMPTS):
        if theirs is not None and theirs.version:
            if theirs.record == save.record:  # ours, if its answer was lost; or somebody else saved the same
                return _finish(model, save, Saved(save.record, theirs.version))
            merged = merge_versions(save.record, base, theirs, reason)
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
    return merge_versions(save.record, base, theirs or VersionedRecord(), reason)


def _finish(model: SQLModel, save: Save, saved: Saved) -> Saved:
    """After the record was saved: save its check, and claim the next plot before the form goes there."""
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
    except DatabaseError as error:  # the record is saved; the next plot can be chosen without a claim
        log.info("the next plot couldn't be claimed: %s", type(error).__name__)
        return saved


def keep(journal: Journal, database: str, save: Save, cause: str) -> Entry:
    """Keep the record in the journal for that database, because it can't be saved now (`cause`, for people).

    The record is on disk when this returns. Raises `JournalError`.
    """
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
