"""What the database tells besides records: lists, progress of checks, versions, history, who is there, rights."""

from __future__ import annotations

import datetime
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from abq_data_entry.constants import FieldNames
from abq_data_entry.fields import CSV_HEADER


@dataclass(frozen=True)
class Choices:
    """The values that lists offer for new records at the moment, in order; seed samples by lab and plot.

    The retired ones are no longer offered, but records have them. A retired lab has all its plots among the retired.
    """

    technicians: tuple[str, ...] = ()
    labs: tuple[str, ...] = ()
    plots: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    seed_samples: Mapping[tuple[str, int], str] = field(default_factory=dict)
    retired_technicians: tuple[str, ...] = ()
    retired_labs: tuple[str, ...] = ()
    retired_plots: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def all_technicians(self) -> tuple[str, ...]:
        """Those of records too: who is retired comes last."""
        return self.technicians + self.retired_technicians

    @property
    def all_labs(self) -> tuple[str, ...]:
        """Those of records too."""
        return tuple(sorted(self.labs + self.retired_labs))

    @property
    def all_plots(self) -> dict[str, tuple[int, ...]]:
        """Those of records too, by lab."""
        return {
            lab: tuple(sorted((*self.plots.get(lab, ()), *self.retired_plots.get(lab, ())))) for lab in self.all_labs
        }


@dataclass(frozen=True)
class CheckProgress:
    """A check: its technician, `None` if it hasn't begun, who recorded which plot, and the version of the check."""

    technician: str | None = None
    recorded: Mapping[int, str] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True)
class VersionedRecord:
    """A record with the number of its version (0: there is none), and who made that version, where known."""

    record: Mapping[str, object] = field(default_factory=dict)
    version: int = 0
    check_version: int = 0
    changed_by: str = ""
    changed_at: datetime.datetime | None = None


@dataclass(frozen=True)
class Change:
    """One change of a record. `fields`: texts before and after, by field name, of those that changed."""

    moment: datetime.datetime
    operation: str
    database_user: str
    application_user: str
    workstation: str
    reason: str
    fields: Mapping[str, tuple[str, str]]
    elsewhere: str = ""
    """Where a record that is gone from here was moved to, or one that is new here was moved from, in words."""

    @property
    def who(self) -> str:
        """Who changed it: as the application said, else who was logged in."""
        return self.application_user or self.database_user


@dataclass(frozen=True)
class Withdrawn:
    """A record that was withdrawn. `entry`: the number of that in the audit of its lab."""

    record: Mapping[str, object]
    entry: int
    moment: datetime.datetime
    database_user: str
    application_user: str
    workstation: str
    reason: str

    @property
    def who(self) -> str:
        """Who withdrew it: as the application said, else who was logged in."""
        return self.application_user or self.database_user


@dataclass(frozen=True)
class Presence:
    """Somebody who is entering a check now; `plot` is the one that is open, `own` tells that it is this session."""

    date: datetime.date
    time: str
    lab: str
    plot: int | None
    who: str
    workstation: str
    since: datetime.datetime
    own: bool = False


@dataclass(frozen=True)
class Rights:
    """What the login may do in this database."""

    may_enter: bool = True
    may_record_deliveries: bool = True
    may_store_weather: bool = True
    may_manage: bool = True
    may_back_up: bool = True
    may_restore: bool = True
    has_labs: bool = True
    may_mark: bool = True


# Which records the list shows and in which order, and where in that order a row stands.

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
