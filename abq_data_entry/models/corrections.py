"""The part of `SQLModel` that undoes mistakes: see `undoing` for how, and `create_db.sql` for who may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames
from abq_data_entry.models import statements, undoing
from abq_data_entry.models.connections import Connections
from abq_data_entry.models.errors import DatabaseError, RecordInvalid
from abq_data_entry.models.records import Withdrawn
from abq_data_entry.models.undoing import NOBODY_NAMED, By, Place, Request

Key = tuple[object, object, object, object]
"""Date, time, lab and plot of a record, as texts or as typed values."""

CheckKey = tuple[object, object, object]
"""Date, time and lab of a check."""

_CHECK = (FieldNames.DATE, FieldNames.TIME, FieldNames.LAB)

# A record that was to come where another one stands: what both give is saved there, and the first is withdrawn. In one
# transaction: whatever happens in between, both are as they were, or it is all done. The labs in the order of their
# letters, as the functions do: who waits for one holds none after it.
_MOVE_OVER = f"""
    SELECT lock_lab(lab) FROM (
        SELECT DISTINCT lab FROM unnest(ARRAY[%(from Lab)s, %(Lab)s]::text[]) AS lab ORDER BY lab
    ) AS labs;
    SELECT withdraw_record(%(from Date)s, %(from Time)s, %(from Lab)s, %(from Plot)s, %(reason)s, %(from version)s);
    SELECT set_config('abq.reason', %(reason)s, true);
    {statements.REQUIRE_VERSION}
    {statements.UPDATE_PLOT}
"""


class Corrections:
    """Withdraws, brings back, moves and corrects records; each with a reason, in one transaction, done once.

    `by` names who asks. All raise `RightsMissing` if somebody else may do it, `RecordMissing`, `RecordConflict` for
    another version, `RecordExists` for a place that is taken, `RecordInvalid` for one that can't be, `DatabaseError`
    without a reason; then nothing is changed.
    """

    _connections: Connections

    def withdraw_record(
        self, key: Key, reason: str, *, expected_version: int | None = None, by: By = NOBODY_NAMED
    ) -> None:
        """Take a record out of all views and extracts; it stays in the audit and in `withdrawn_records`."""
        undoing.withdraw(self._connections, Place(_typed(key), expected_version), reason, by)

    def bring_back_record(self, key: Key, reason: str, *, entry: int | None = None, by: By = NOBODY_NAMED) -> None:
        """Restore what was last withdrawn there, or what that entry withdrew (`Withdrawn.entry`)."""
        undoing.bring_back(self._connections, Place(_typed(key)), entry, reason, by)

    def move_record(
        self, key: Key, to: Key, reason: str, *, expected_version: int | None = None, by: By = NOBODY_NAMED
    ) -> None:
        """Give a record another date, time, lab or plot."""
        undoing.move(self._connections, Place(_typed(key), expected_version), _typed(to), reason, by)

    def move_record_over(
        self,
        key: Key,
        record: Mapping[str, object],
        reason: str,
        *,
        expected_version: int | None,
        over_version: int,
        by: By = NOBODY_NAMED,
    ) -> None:
        """Withdraw a record, and save `record`, which names its place, over the one of that version that stands there:
        both or nothing."""
        try:
            values = fields.parse_record(record)
        except fields.FieldErrors as error:
            raise RecordInvalid(error.errors) from None
        _move_over(self._connections, Place(_typed(key), expected_version), values, over_version, reason, by)

    def move_check(self, check: CheckKey, to: CheckKey, reason: str, *, by: By = NOBODY_NAMED) -> int:
        """Give all records of a check (date, time, lab) another one; returns how many there are then."""
        target = _typed(to)
        moved = undoing.move_check(self._connections, _typed(check), target, reason, by)
        if moved is None:  # the answer was lost
            moved = len(self._connections.read(partial(undoing.plots_of, check=target)))
        return moved

    def take_back(
        self, key: Key, version: int | None, *, reason: str = "taken back", by: By = NOBODY_NAMED
    ) -> str:
        """Take the last change of a record back, which made that version (`None`: whichever it is).

        Returns "withdrawn" (it was the first entry), "restored" or "moved"; "" if the answer was lost on the way.
        """
        return undoing.take_back(self._connections, Place(_typed(key), version), reason, by)

    def correct_records(
        self, places: Sequence[Place], changes: Mapping[str, object], reason: str, *, by: By = NOBODY_NAMED
    ) -> list[Place]:
        """Give many records another technician, seed sample or date (`undoing.CORRECTABLE`): all, or none.

        Returns where they stand then, for `take_back_records`.
        """
        return undoing.correct(self._connections, places, _checked(changes), reason, by)

    def take_back_records(self, places: Sequence[Place], *, reason: str = "taken back", by: By = NOBODY_NAMED) -> None:
        """Take the last change of each record back: of all, or of none."""
        undoing.take_back_many(self._connections, places, reason, by)

    def choose_records(
        self,
        date: object,
        time: object = None,
        lab: object = None,
        plots: Sequence[int] | None = None,
        technician: str | None = None,
    ) -> list[tuple[dict[str, object], Place]]:
        """Return the records of a day with their places, for `correct_records`; `None`: whichever."""
        names = (FieldNames.DATE, FieldNames.TIME, FieldNames.LAB)
        typed = _typed_parts({name: value for name, value in zip(names, (date, time, lab), strict=True) if value})
        chosen = None if plots is None else list(plots)
        wanted = {**dict.fromkeys(names), **typed, "plots": chosen, FieldNames.TECHNICIAN: technician}
        return self._connections.read(partial(undoing.choose, wanted=wanted))

    def look_up_records(self, places: Sequence[Place]) -> list[tuple[dict[str, object], Place]]:
        """Return what stands at those places now, with the versions; places without a record are left out."""
        return self._connections.read(partial(undoing.look_up, places=places))

    def get_withdrawn(
        self, first_date: object = None, last_date: object = None, lab: object = None, limit: int = 1000
    ) -> list[Withdrawn]:
        """Return withdrawn records of those days and that lab (not given: all), what was withdrawn last first."""
        return self._connections.read(
            partial(undoing.withdrawn, first=first_date, last=last_date, lab=lab, limit=limit)
        )


def place(row: Mapping[str, object], version: int | None = None) -> Place:
    """Return the place of a record that has its fields by name."""
    return Place({name: row[name] for name in fields.RECORD_KEY}, version)


def _move_over(
    connections: Connections, source: Place, values: Mapping[str, object], version: int, reason: str, by: By
) -> None:
    """Withdraw the record of `source`, and save `values` over the record of that version that stands there.

    Raises as `SQLModel.move_record_over` does.
    """
    key = {name: values[name] for name in fields.RECORD_KEY}
    origin = {f"from {name}": value for name, value in source.key.items()}
    parameters = {
        **values, **origin, "from version": source.version, "expected version": version, "reason": reason,
    }  # fmt: skip
    undoing.do(connections, Request(_MOVE_OVER, parameters, key), by)


def _typed(key: Sequence[object]) -> dict[str, object]:
    """Return the typed values of a record's or a check's key; raises `RecordInvalid` with a sentence for each fault."""
    names = fields.RECORD_KEY if len(key) == len(fields.RECORD_KEY) else _CHECK
    return _typed_parts(dict(zip(names, key, strict=True)))


def _typed_parts(texts: Mapping[str, object]) -> dict[str, object]:
    values: dict[str, object] = {}
    errors: dict[str, str] = {}
    for name, value in texts.items():
        each = fields.field(name)
        try:
            values[name] = fields.parse(each, fields.format_value(each, value))
        except ValueError as error:
            errors[name] = str(error)
    if errors:
        raise RecordInvalid(errors)
    return values


def _checked(changes: Mapping[str, object]) -> dict[str, object]:
    wanted = {name: value for name, value in changes.items() if value not in (None, "")}
    if not wanted or not set(wanted) <= set(undoing.CORRECTABLE):
        raise DatabaseError("Technician, seed sample and date can be corrected for many records at once.")
    return _typed_parts(wanted)
