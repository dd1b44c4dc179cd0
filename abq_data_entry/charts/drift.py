"""Sensor drift: how far each sensor moves away from those beside it per day, with the limits of that."""

from __future__ import annotations

from collections.abc import Sequence

from ..counting import counted
from .choice import MEASURES
from .page import LATEST, Page, Row, by, legend_above, name, unit


def draw(page: Page, rows: Sequence[Row]) -> None:
    """A panel for each field, with the strongest trend at the top; rows of `sensor_drift`."""
    if not any(row["slope_per_day"] is not None for row in rows):
        page.show_text(f"No sensor has ten days of readings of {page.choice.words}")
        return
    found = by([row for row in rows if row["slope_per_day"] is not None], "field")
    measures = page.fitting([each for each in MEASURES if each in found], columns=34)
    most = max(3, int((page.lines - 8) / 1.25))
    for place, measure in enumerate(measures[: len(page.add_panels(len(measures), beside=True))]):
        _draw_field(page, place, measure, found[measure][:most])
    legend_above(page)
    page.title = _title(page, [found[each][0] for each in measures])
    page.note = (
        f"{page.choice.heading}: Theil-Sen slope of the daily mean less the lab's median, last 90 days, with"
        f" 95 % limits; the {most} strongest trends by Kendall's tau."
    )


def _draw_field(page: Page, place: int, measure: str, rows: Sequence[Row]) -> None:
    axes, look = page.panels[place], page.look
    for drifts, colour, mark, text in (
        (True, look.series[1], "D", "Drifts: the limits exclude 0"),
        (False, look.muted, "o", "No drift shown"),
    ):
        chosen = [(number, row) for number, row in enumerate(rows) if _drifts(row) == drifts]
        if not chosen:
            continue
        heights = [number for number, _ in chosen]
        slopes = [row["slope_per_day"] for _, row in chosen]
        axes.hlines(heights, [row["low"] for _, row in chosen], [row["high"] for _, row in chosen], color=colour,
                    linewidth=1.4)  # fmt: skip
        axes.scatter(slopes, heights, marker=mark, s=24, color=colour, facecolors=colour if drifts else look.ground,
                     zorder=3, label=text)  # fmt: skip
    axes.axvline(0, color=look.text, linewidth=0.8)
    axes.set_yticks(range(len(rows)), [f"{row['lab']} {row['plot']}" for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(f"{name(measure, True)} ({unit(measure).strip()} per day)")
    if place == 0:
        axes.set_ylabel("Lab and plot")
    axes.grid(visible=False, axis="y")
    axes.locator_params(axis="x", nbins=3 if len(page.panels) > 1 else 6)
    for number, row in enumerate(rows):
        since = f", outside of EWMA's limits since {row['ewma_since']}" if row["ewma_since"] else ""
        words = (
            f"Lab {row['lab']}, plot {row['plot']}: {name(measure)} {row['slope_per_day']:+.4f}{unit(measure)} a day"
            f" ({row['low']:+.4f} to {row['high']:+.4f}), tau {number_of(row['tau'])}{since}"
        )
        page.add_spot(place, row["slope_per_day"], number, words, (LATEST, None, row["lab"], row["plot"]))


def number_of(value: float | None) -> str:
    """Two decimals, or a dash."""
    return "–" if value is None else f"{value:.2f}"


def _drifts(row: Row) -> bool:
    return bool(row["low"] > 0 or row["high"] < 0)


def _title(page: Page, firsts: Sequence[Row]) -> str:
    drifting, sensors = sum(row["drifting"] for row in firsts), sum(row["sensors"] for row in firsts)
    where = f"in lab {page.choice.lab}" if page.choice.lab else "in all labs"
    if not drifting:
        return f"None of {counted(sensors, 'sensor')} {where} drifts from those beside it"
    verb = "drifts" if drifting == 1 else "drift"
    return f"{drifting:,} of {counted(sensors, 'sensor')} {where} {verb} from those beside them"
