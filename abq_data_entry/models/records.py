"""Values that models return besides records: lists, progress, versions, history, presence, privileges, selections."""

from __future__ import annotations

import datetime
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from abq_data_entry.constants import FieldNames
from abq_data_entry.fields import CSV_HEADER


@dataclass(frozen=True)
class Choices:
    """The values that lists offer for new records, in order; seed samples by lab and plot.

    Retired values are no longer offered, but old records have them. All plots of a retired lab are in `retired_plots`.
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
        """All technicians, retired ones last."""
        return self.technicians + self.retired_technicians

    @property
    def all_labs(self) -> tuple[str, ...]:
        """All labs, retired ones too."""
        return tuple(sorted(self.labs + self.retired_labs))

    @property
    def all_plots(self) -> dict[str, tuple[int, ...]]:
        """All plots, retired ones too, by lab."""
        return {
            lab: tuple(sorted((*self.plots.get(lab, ()), *self.retired_plots.get(lab, ())))) for lab in self.all_labs
        }


@dataclass(frozen=True)
class CheckProgress:
    """A check: its technician (`None`: it hasn't begun), who recorded which plot, and the version of the check."""

    technician: str | None = None
    recorded: Mapping[int, str] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True)
class VersionedRecord:
    """A record with its version (0: there is no record), and who made that version and when, if known."""

    record: Mapping[str, object] = field(default_factory=dict)
    version: int = 0
    check_version: int = 0
    changed_by: str = ""
    changed_at: datetime.datetime | None = None


@dataclass(frozen=True)
class Change:
    """One change of a record. `fields`: the changed fields, each with its text before and after."""

    moment: datetime.datetime
    operation: str
    database_user: str
    application_user: str
    workstation: str
    reason: str
    fields: Mapping[str, tuple[str, str]]
    elsewhere: str = ""
    """The place to which the record was moved from here, or from which it was moved here, in words."""

    @property
    def who(self) -> str:
        """Who changed it: the person named by the application, else the login."""
        return self.application_user or self.database_user


@dataclass(frozen=True)
class Withdrawn:
    """A withdrawn record. `entry`: the number of the audit entry of its lab that withdrew it."""

    record: Mapping[str, object]
    entry: int
    moment: datetime.datetime
    database_user: str
    application_user: str
    workstation: str
    reason: str

    @property
    def who(self) -> str:
        """Who withdrew it: the person named by the application, else the login."""
        return self.application_user or self.database_user


@dataclass(frozen=True)
class Presence:
    """Somebody who is entering a check now. `plot`: the one that is open; `own`: it is this window."""

    date: datetime.date
    time: str
    lab: str
    plot: int | None
    who: str
    workstation: str
    since: datetime.datetime
    own: bool = False


@dataclass(frozen=True)
class Privileges:
    """What the login may do in this database."""

    may_enter: bool = True
    may_record_deliveries: bool = True
    may_store_weather: bool = True
    may_manage: bool = True
    may_back_up: bool = True
    may_restore: bool = True
    has_labs: bool = True
    may_mark: bool = True


# Which records the list shows, in which order, and the position of a row in that order.

SORTABLE: tuple[str, ...] = tuple(name for name in CSV_HEADER if name != FieldNames.NOTES)
"""The columns that the list can be sorted by."""


@dataclass(frozen=True)
class Selection:
    """The selected records, and their order: by `sort`, then by date, time, lab and plot, all in one direction.

    `None` means any date, lab, plot or technician. Empty readings come last in both directions. Raises `ValueError` for
    a column that the list can't be sorted by.
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
class PartIndex:
    """A sparse index of a part of the order, by which positions can be looked up.

    An entry is the number of rows before it (`befores`), and the `values` of the order's two leading columns there (or
    of the only one, the date).
    """

    total: int
    befores: tuple[int, ...] = ()
    values: tuple[tuple[object, ...], ...] = ()

    def entry_before(self, position: int) -> tuple[int, tuple[object, ...] | None]:
        """Return the last entry at or before that position: the number of rows before it, and its values.

        For the first entry the values are `None`, so that rows that were added before it later are read as well.
        """
        found = bisect_right(self.befores, position) - 1
        return (self.befores[found], self.values[found]) if found > 0 else (0, None)


@dataclass(frozen=True)
class PositionIndex:
    """The positions of the rows of a selection, counted in one snapshot: `total` rows, and an entry about every 500."""

    selection: Selection
    total: int
    part_indexes: tuple[PartIndex, ...] = field(repr=False, default=())

    def __len__(self) -> int:
        return self.total
