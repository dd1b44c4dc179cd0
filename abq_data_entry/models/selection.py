"""Which records the list shows and in which order, and where in that order a row stands."""

from __future__ import annotations

import datetime
from bisect import bisect_right
from dataclasses import dataclass, field

from abq_data_entry.constants import FieldNames
from abq_data_entry.fields import CSV_HEADER

SORTABLE: tuple[str, ...] = tuple(name for name in CSV_HEADER if name != FieldNames.NOTES)
"""The columns that the list can be sorted by."""


@dataclass(frozen=True)
class Selection:
    """The records that are shown, and their order: by `sort`, then by date, time, lab and plot, all in one direction.

    `None` means any date, lab, plot or technician. Empty readings come last, whichever the direction. Raises
    `ValueError` for a column that the list can't be sorted by.
    """

    date: datetime.date | None = None
    lab: str | None = None
    plot: int | None = None
    technician: str | None = None
    sort: str = FieldNames.DATE
    descending: bool = True

    def __post_init__(self) -> None:
        if self.sort not in SORTABLE:
            raise ValueError(f"The list can't be sorted by {self.sort!r}.")


@dataclass(frozen=True)
class Stretch:
    """A part of the order in which positions can be looked up: its rows follow one another by `posts`.

    A post is the number of rows of the stretch before it, and the values of the two leading columns of the order
    where it stands (one of them may be the date alone).
    """

    total: int
    befores: tuple[int, ...] = ()
    values: tuple[tuple[object, ...], ...] = ()

    def post_before(self, position: int) -> tuple[int, tuple[object, ...] | None]:
        """Return the last post at or before that row: the number of rows before it, and where it stands.

        At the first there is nothing to skip, so `None`: rows that came before it since are seen as well.
        """
        found = bisect_right(self.befores, position) - 1
        return (self.befores[found], self.values[found]) if found > 0 else (0, None)


@dataclass(frozen=True)
class PositionIndex:
    """Where every row of a selection stands, as counted at one moment: `total` rows, and posts every 500 rows or so."""

    selection: Selection
    total: int
    stretches: tuple[Stretch, ...] = field(repr=False, default=())

    def __len__(self) -> int:
        return self.total
