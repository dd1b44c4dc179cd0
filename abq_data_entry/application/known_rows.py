"""The record list while the database is away: the last known copy, and what waits on this computer. No Tk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .. import fields
from ..constants import CHECK_TIMES
from ..constants import FieldNames as F

if TYPE_CHECKING:
    from ..views.record_list import ListFilter

Record = Mapping[str, Any]


def known_rows(known: Iterable[Record], waiting: Iterable[Record], chosen: ListFilter) -> list[Record]:
    """The records that the filter lets through, in its order; one that waits stands for an earlier one of its plot."""
    found = {_key(record): record for record in (*known, *waiting)}
    rows = [record for record in found.values() if _admits(chosen, record)]
    there = [record for record in rows if record[chosen.sort] is not None]
    empty = [record for record in rows if record[chosen.sort] is None]
    name = chosen.sort
    there.sort(key=lambda record: (_order(name, record[name]), _moment(record)), reverse=chosen.descending)
    empty.sort(key=_moment, reverse=chosen.descending)
    return there + empty


def _admits(chosen: ListFilter, record: Record) -> bool:
    wanted = (
        (chosen.date, F.DATE),
        (chosen.lab, F.LAB),
        (chosen.plot, F.PLOT),
        (chosen.technician, F.TECHNICIAN),
    )
    return all(value in (None, record[name]) for value, name in wanted)


def _key(record: Record) -> tuple[Any, ...]:
    return tuple(record[name] for name in fields.RECORD_KEY)


def _moment(record: Record) -> tuple[Any, ...]:
    return record[F.DATE], CHECK_TIMES.index(record[F.TIME]), record[F.LAB], record[F.PLOT]


def _order(name: str, value: Any) -> Any:
    if name == F.TIME:
        return CHECK_TIMES.index(value)
    return (value.casefold(), value) if isinstance(value, str) else value
