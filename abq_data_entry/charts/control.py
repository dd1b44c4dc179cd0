"""The control chart of one field in one lab, with the rules that are violated by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..counting import counted
from .page import MARKS, Page, Row, legend_above, name, show_dates, unit

RULES = {
    1: "beyond 3 σ",
    2: "nine on one side",
    3: "six rise or fall",
    4: "fourteen by turns",
    5: "two of three beyond 2 σ",
    6: "four of five beyond 1 σ",
    7: "fifteen within 1 σ",
    8: "eight beyond 1 σ",
}
"""The rules of L. S. Nelson (1984) by their numbers."""


def draw(page: Page, rows: Sequence[Row]) -> None:
    """Rows of `control_chart`, all of one lab and one field."""
    measure = page.choice.measure
    rows = [row for row in rows if row["value"] is not None]
    if not rows:
        page.show_text(f"There are no checks with ten readings of {page.choice.words}")
        return
    (axes,) = page.add_panels(1)
    look, lab = page.look, rows[0]["lab"]
    moments, values = [row["moment"] for row in rows], [row["value"] for row in rows]
    axes.plot(moments, values, color=look.muted, linewidth=0.7, marker=".", markersize=4, label="Check")
    limits = rows[-1]
    if limits["centre"] is not None:
        axes.axhline(limits["centre"], color=look.series[0], linewidth=1.2, label="Centre")
        for level in (limits["lower"], limits["upper"]):
            axes.axhline(level, color=look.series[0], linewidth=1.2, linestyle="--",
                         label="Limits (3 σ)" if level == limits["upper"] else None)  # fmt: skip
    _mark_violations(page, rows)
    for row in rows:
        rules = "; ".join(f"{each}: {RULES[each]}" for each in row["rules"] or ())
        words = f"Lab {lab}, {row['moment']:%Y-%m-%d %H:%M}: {row['value']:+.2f}{unit(measure)}"
        key = (row["date"], row["moment"].time(), lab, None)
        page.add_spot(0, row["moment"], row["value"], f"{words}. {rules}" if rules else words, key)
    axes.set_ylabel(f"Deviation ({unit(measure).strip()})")
    axes.margins(x=0.01)
    legend_above(page)
    show_dates(axes, page)
    page.title = _title(rows, measure)
    page.note = (
        f"Lab {lab}: the mean of each check less that of its time of day in the base period, whose limits these are."
        " Rules of L. S. Nelson (1984), each point under the lowest number that it violates."
    )


def _mark_violations(page: Page, rows: Sequence[Row]) -> None:
    """Each violated rule has a mark and a colour of its own, and stands in the legend by number and name."""
    found = Counter(rule for row in rows for rule in row["rules"] or ())
    series = page.look.series
    for place, rule in enumerate(sorted(found)):
        points = [row for row in rows if row["rules"] and row["rules"][0] == rule]
        if points:
            colour = series[(place + 1) % len(series)]
            mark = MARKS[place % len(MARKS)]
            page.panels[0].scatter(
                [row["moment"] for row in points], [row["value"] for row in points], marker=mark,
                s=26 if len(rows) < 300 else 14,
                facecolors=colour if rule == 1 else "none", edgecolors=colour, linewidths=1.2, zorder=3,
                label=f"{rule}: {RULES[rule]} ({found[rule]:,})",
            )  # fmt: skip


def _title(rows: Sequence[Row], measure: str) -> str:
    first = rows[0]
    where = f"{name(measure, True)} in lab {first['lab']}"
    if rows[-1]["centre"] is None:
        return f"{where} has no limits yet: the base period has fewer than ten checks"
    beyond = sum(1 in (row["rules"] or ()) for row in rows)
    checks = counted(first["checks"], "check")
    if not first["violations"]:
        return f"{where} is under control: none of {checks} violates a rule"
    return f"{where} was beyond its limits at {beyond:,} of {checks}, and violated a rule at {first['violations']:,}"
