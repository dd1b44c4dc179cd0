"""Two people changed one record: what comes together by itself, and what somebody has to choose. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from abq_data_entry.constants import FieldNames
from abq_data_entry.fields.record import check_across
from abq_data_entry.fields.table import CSV_HEADER, READINGS, RECORD_KEY

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
