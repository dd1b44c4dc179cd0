"""The table that comes out: a row each, with its target, what was measured, the spread, and whether it is met."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_HEADINGS = ("", "at most", "measured", "lowest to highest", "met")


@dataclass(frozen=True)
class Row:
    """What was measured: all values, and the most that their median may be (`limit`; `None`: told for comparison only).

    `judges_longest`: it is the largest value that must keep the limit. `remark` stands at the end of the line, and
    says why where there are no values.
    """

    what: str
    unit: str
    values: tuple[float, ...]
    limit: float | None = None
    judges_longest: bool = False
    remark: str = ""

    @property
    def measured(self) -> float:
        """The value that counts."""
        return max(self.values) if self.judges_longest else statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the limit is kept; `None` where there is no limit, or nothing was measured."""
        if self.limit is None or not self.values:
            return None
        return self.measured <= self.limit

    def cells(self) -> tuple[str, ...]:
        """The row as texts, one for each heading, then the remark."""
        if not self.values:
            return self.what, self._text(self.limit), "–", "", "not measured", self.remark
        met = {True: "yes", False: "NO", None: ""}[self.met]
        spread = f"{_number(min(self.values))} to {_number(max(self.values))}" if len(self.values) > 1 else ""
        return self.what, self._text(self.limit), self._text(self.measured), spread, met, self.remark

    def _text(self, value: float | None) -> str:
        return "" if value is None else f"{_number(value)} {self.unit}"


def row(what: str, unit: str, values: Iterable[float], limit: float | None = None, remark: str = "") -> Row:
    """A row that is judged by its median."""
    return Row(what, unit, tuple(values), limit, remark=remark)


def longest(what: str, values: Iterable[float], limit: float | None) -> Row:
    """A row in milliseconds that is judged by its largest value."""
    return Row(what, "ms", tuple(values), limit, judges_longest=True)


def not_measured(what: str, reason: str, limit: float | None = None, unit: str = "") -> Row:
    """A row without a measurement."""
    return Row(what, unit, (), limit, remark=reason)


def ratios(what: str, ours: Sequence[float], theirs: Sequence[float], limit: float) -> Row:
    """The ratio of each pair of seconds; both medians are the remark."""
    own, other = statistics.median(ours), statistics.median(theirs)
    values = [mine / yours for mine, yours in zip(ours, theirs, strict=True)]
    return row(what, "×", values, limit, f"{_seconds(own)} against {_seconds(other)}")


def _seconds(value: float) -> str:
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def lines(rows: Sequence[Row]) -> list[str]:
    """The rows as lines of equal columns, below the headings."""
    table = [(*_HEADINGS, ""), *(each.cells() for each in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(_HEADINGS))]
    return [
        "  ".join(
            cell.ljust(width) if column in (0, 4) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=False))
        ).rstrip()
        + (f"  {line[-1]}" if line[-1] else "")
        for line in table
    ]
