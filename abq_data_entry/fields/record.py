"""Checks of a whole record, and what comes together of two versions of one. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from abq_data_entry.constants import FieldNames
from abq_data_entry.fields.numbers import with_unit
from abq_data_entry.fields.table import CSV_HEADER, FIELDS, READINGS, RECORD_KEY, Choices, field
from abq_data_entry.fields.values import format_value, parse


class FieldErrors(ValueError):
    """A record that can't be saved: `errors` holds a sentence for each field that is wrong."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(in_one_line(errors))
        self.errors: dict[str, str] = dict(errors)


class Record(Mapping[str, Any]):
    """The typed values of all fields by name, as `parse_record` gives them: a value that never changes.

    Whoever holds one need not check it again. It equals a dict of the same values.
    """

    # No dataclass: the window imports this, and `dataclasses` costs its start some milliseconds.
    __slots__ = ("_values", "key")
    _values: dict[str, Any]
    key: tuple[Any, ...]
    """Date, time, lab and plot."""

    def __init__(self, values: Mapping[str, object]) -> None:
        object.__setattr__(self, "_values", {each.name: values[each.name] for each in FIELDS})
        object.__setattr__(self, "key", tuple(values[name] for name in RECORD_KEY))

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a record never changes")

    def __repr__(self) -> str:
        return f"Record({self._values!r})"


def in_one_line(errors: Mapping[str, str]) -> str:
    """Return the errors by field name as one line, each with its field."""
    return "; ".join(
        sentence if sentence.startswith(name) else f"{name}: {sentence}" for name, sentence in errors.items()
    )


def parse_record(
    record: Mapping[str, object], choices: Mapping[str, Choices] | None = None
) -> Record:
    """Return the record with typed values for all fields, in the order of the CSV, from texts or values.

    A `Record` comes back as it is, where no `choices` are given. A field that is missing counts as
    empty. `choices` are the present values of lists by field name; the lists that aren't there are left for the
    database to decide.

    Raises `FieldErrors` with all errors of the record, those across fields too.
    """
    if isinstance(record, Record) and choices is None:
        return record
    values: dict[str, object] = {}
    errors = {name: "no field of a record" for name in record if name not in _NAMES}
    fault = _read_fault(record)
    for each in FIELDS:
        text = format_value(each, record.get(each.name))
        if each.name in READINGS and fault and not text.strip():
            values[each.name] = None
            continue
        try:
            values[each.name] = parse(each, text, (choices or {}).get(each.name))
        except ValueError as error:
            errors[each.name] = str(error)
    # What is wrong in itself comes first: how it fits to the others is told once it is right.
    for name, sentence in check_across(values).items():
        errors.setdefault(name, sentence)
    if errors:
        raise FieldErrors(errors)
    return Record(values)


def check_record(record: Mapping[str, object], choices: Mapping[str, Choices] | None = None) -> dict[str, str]:
    """Return a sentence for each field of the record that is wrong, by field name; none when it can be saved."""
    try:
        parse_record(record, choices)
    except FieldErrors as error:
        return error.errors
    return {}


def check_across(values: Mapping[str, object]) -> dict[str, str]:
    """Return what doesn't fit between the typed values that are there, by the name of the field to change."""
    errors: dict[str, str] = {}
    if values.get(FieldNames.EQUIPMENT_FAULT) is True:
        for name in READINGS:
            if values.get(name) is not None:
                errors[name] = f"a reading, although {FieldNames.EQUIPMENT_FAULT} is set"
    for wrong, relation, other in _HEIGHTS:
        value, limit = values.get(wrong.name), values.get(other.name)
        if not isinstance(value, Decimal) or not isinstance(limit, Decimal):
            continue
        if value < limit if relation == "below" else value > limit:
            errors[wrong.name] = f"{with_unit(wrong, value)} is {relation} {other.name} ({with_unit(other, limit)})"
            break  # the others may come right with this one
    return errors


_LOWEST, _HIGHEST, _MEDIAN = (
    field(name) for name in (FieldNames.MIN_HEIGHT, FieldNames.MAX_HEIGHT, FieldNames.MEDIAN_HEIGHT)
)

_HEIGHTS = ((_HIGHEST, "below", _LOWEST), (_MEDIAN, "below", _LOWEST), (_MEDIAN, "above", _HIGHEST))
"""What is wrong, by which of two heights is to be changed."""


def _read_fault(record: Mapping[str, object]) -> bool:
    fault = field(FieldNames.EQUIPMENT_FAULT)
    try:
        return parse(fault, format_value(fault, record.get(fault.name))) is True
    except ValueError:
        return False


_NAMES = frozenset(each.name for each in FIELDS)


TOGETHER: tuple[tuple[str, ...], ...] = (
    (FieldNames.EQUIPMENT_FAULT, *READINGS),
    (FieldNames.MIN_HEIGHT, FieldNames.MAX_HEIGHT, FieldNames.MEDIAN_HEIGHT),
)
"""Fields of which one limits what the others may say."""


class Merge(NamedTuple):
    """`merged` holds what each field is to be, mine where that is still to be chosen; `conflicts` names those fields.

    `taken` names the fields in which theirs was taken over.
    """

    merged: dict[str, object]
    conflicts: tuple[str, ...]
    taken: tuple[str, ...]


def merge(base: Mapping[str, object] | None, mine: Mapping[str, object], theirs: Mapping[str, object]) -> Merge:
    """Bring two versions of one record together, field by field.

    `base`: what both began with, None where both began a new record. Values are typed; the key is the same. What only
    one side changed is taken from there; what both changed in the same way is no conflict. A fault of the equipment
    and its three readings go together, and so do the heights where the merged ones wouldn't be in order.
    """
    merged: dict[str, object] = {}
    conflicts: list[str] = []
    taken: list[str] = []
    for name in CSV_HEADER:
        own, other = mine.get(name), theirs.get(name)
        merged[name] = own
        if own == other or name in RECORD_KEY:
            continue
        # Untouched on this side: what the other one made of it is what both want.
        if base is not None and own == base.get(name):
            merged[name] = other
            taken.append(name)
        elif base is None or other != base.get(name):
            conflicts.append(name)
    for group in TOGETHER:
        if _breaks(group, base, mine, theirs, merged, conflicts):
            _keep_together(group, mine, theirs, merged, conflicts, taken)
    return Merge(merged, tuple(name for name in CSV_HEADER if name in conflicts), tuple(taken))


def _breaks(
    group: tuple[str, ...],
    base: Mapping[str, object] | None,
    mine: Mapping[str, object],
    theirs: Mapping[str, object],
    merged: Mapping[str, object],
    conflicts: Sequence[str],
) -> bool:
    """Tell whether the fields of a group can't be chosen one by one."""
    if base is not None and not (_changed(group, base, mine) and _changed(group, base, theirs)):
        return False  # all of it is one side's
    if group[0] == FieldNames.EQUIPMENT_FAULT:
        return mine.get(group[0]) != theirs.get(group[0])
    return not any(name in conflicts for name in group) and any(name in check_across(merged) for name in group)


def _changed(group: tuple[str, ...], base: Mapping[str, object], side: Mapping[str, object]) -> bool:
    return any(side.get(name) != base.get(name) for name in group)


def _keep_together(
    group: tuple[str, ...],
    mine: Mapping[str, object],
    theirs: Mapping[str, object],
    merged: dict[str, object],
    conflicts: list[str],
    taken: list[str],
) -> None:
    for name in group:
        merged[name] = mine.get(name)
        if name in taken:
            taken.remove(name)
        if mine.get(name) != theirs.get(name) and name not in conflicts:
            conflicts.append(name)
