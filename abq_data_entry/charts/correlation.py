"""Correlation over lag: how closely a lab follows the weather of so many hours before."""

from __future__ import annotations

from collections.abc import Sequence

from ..counting import counted
from .choice import MEASURES
from .page import MARKS, Page, Row, by, legend_above, name, number


def draw(page: Page, rows: Sequence[Row]) -> None:
    """A panel for each field; rows of `weather_correlation`. With one lab, there is a band of the limits of `r`."""
    if not any(row["r"] is not None for row in rows):
        page.show_text(f"There are fewer than ten pairs with the weather of {page.choice.words}")
        return
    found = by(rows, "field")
    measures = page.fitting([each for each in MEASURES if each in found], columns=34)
    labs = list(by(rows, "lab"))
    for place, (axes, measure) in enumerate(zip(page.add_panels(len(measures), beside=True), measures, strict=True)):
        for index, (lab, lags) in enumerate(by(found[measure], "lab").items()):
            _draw_lab(page, place, index, lab, lags, alone=len(labs) == 1)
        axes.axhline(0, color=page.look.muted, linewidth=0.8)
        axes.set_ylim(-1.05, 1.05)
        axes.set_xticks(range(0, 13, 2 if page.columns / len(measures) > 36 else 4))
        axes.set_xlabel("Lag (hours)")
        axes.set_title(name(measure, True), loc="left")
        if place == 0:
            axes.set_ylabel("Correlation r")
    legend_above(page)
    page.title = _title(found[measures[0]], measures[0])
    page.note = (
        f"{page.choice.heading}. Full line: without the daily cycle; thin line: with it. Band: 95 % limits of r."
        " Humidity is compared with the absolute humidity outside, the others with the temperature."
    )


def _draw_lab(page: Page, place: int, index: int, lab: str, lags: Sequence[Row], alone: bool) -> None:
    axes, colour = page.panels[place], page.look.series[index % len(page.look.series)]
    for row in lags:
        told = f"Lab {lab}, lag {row['lag_hours']} h: {counted(row['n'], 'pair')}"
        for column, words in (("r_without_daily_cycle", "r without the daily cycle"), ("r", "r with it")):
            if row[column] is not None:
                page.add_spot(place, row["lag_hours"], row[column], f"{told}, {words} {row[column]:.3f}")
    hours = [row["lag_hours"] for row in lags]
    named = "" if alone else f"Lab {lab}"
    if alone:
        axes.fill_between(
            hours, [number(row["low"]) for row in lags], [number(row["high"]) for row in lags], linewidth=0, alpha=0.18,
            color=colour, label="95 % limits of r",
        )  # fmt: skip
    axes.plot(hours, [number(row["r"]) for row in lags], color=colour, linewidth=0.9, linestyle="--",
              label="r with the daily cycle" if alone else None)  # fmt: skip
    axes.plot(
        hours, [number(row["r_without_daily_cycle"]) for row in lags], color=colour, linewidth=1.8,
        marker=MARKS[index % len(MARKS)], markersize=4.5, label=named or "r without the daily cycle",
    )  # fmt: skip


def _title(rows: Sequence[Row], measure: str) -> str:
    known = [row for row in rows if row["r_without_daily_cycle"] is not None]
    if not known:
        return f"How {name(measure)} follows the weather: without the daily cycle nothing is left"
    best = max(known, key=lambda row: abs(row["r_without_daily_cycle"]))
    r, hours = best["r_without_daily_cycle"], best["lag_hours"]
    after = "at once" if hours == 0 else f"after {counted(hours, 'hour')}"
    if abs(r) < 0.1:
        return f"{name(measure, True)} doesn't follow the weather (r below 0.1 at every lag)"
    return f"{name(measure, True)} in lab {best['lab']} follows the weather most closely {after} (r = {r:.2f})"
