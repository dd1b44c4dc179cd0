"""What the form asks the database besides records: the values of its lists, and how far a check is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Choices:
    """The values that lists offer at the moment, in order; seed samples by lab and plot."""

    technicians: tuple[str, ...] = ()
    labs: tuple[str, ...] = ()
    plots: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    seed_samples: Mapping[tuple[str, int], str] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckProgress:
    """A check: its technician, `None` if it hasn't begun, and who recorded which plot."""

    technician: str | None = None
    recorded: Mapping[int, str] = field(default_factory=dict)
