"""Inside climate against weather: temperature and absolute humidity of the labs, and outside at the same time."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Sequence

from ..counting import counted
from .page import (
    DAY,
    MARKS,
    STYLES,
    Page,
    Row,
    by,
    draw_line,
    label,
    legend_above,
    name,
    show_dates,
    unbroken,
    unit,
)

_MEASURES = ("temperature", "humidity")


def draw(page: Page, rows: Sequence[Row]) -> None:
    """A panel for each of the two; rows of `climate_by_check`, or their means of some days."""
    if not any(row[each] is not None for row in rows for each in _MEASURES):
        page.show_text(f"There are no checks with ten readings of {page.choice.words}" if page.choice.plot is None else
                 f"There are no readings of {page.choice.words}")  # fmt: skip
        return
    wanted = [each for each in _MEASURES if page.choice.measure in ("", each)]
    measures = page.fitting(wanted)
    for place, (axes, measure) in enumerate(zip(page.add_panels(len(measures)), measures, strict=True)):
        _draw_panel(page, place, measure, rows)
        axes.set_ylabel(label(measure))
        axes.margins(x=0.01)
    legend_above(page)
    show_dates(page.panels[-1], page)
    page.title = _title(rows, measures[0], page)
    means = "each point a check" if all(row["time"] for row in rows) else _means(rows)
    model = " Outside partly computed by a model." if any(row["by_model"] for row in rows) else ""
    page.note = f"{page.choice.heading}: {means}; outside at most 45 minutes from the check.{model}"


def _draw_panel(page: Page, place: int, measure: str, rows: Sequence[Row]) -> None:
    axes, colours = page.panels[place], page.look.series
    outside = {row["moment"]: row[f"outside_{measure}"] for row in rows}
    moments = sorted(outside)
    most = _longest_step(moments)
    draw_line(axes, *unbroken(moments, [outside[each] for each in moments], most), page.look.muted, ":", "Outside",
              mark="x", width=1.0)  # fmt: skip
    for number, (lab, of_lab) in enumerate(by(rows, "lab").items()):
        line = unbroken([row["moment"] for row in of_lab], [row[measure] for row in of_lab], most)
        colour, style = colours[number % len(colours)], STYLES[number % len(STYLES)]
        draw_line(axes, *line, colour, style, f"Inside, lab {lab}", mark=MARKS[number % len(MARKS)])
        for row in of_lab:
            value = row[measure]
            when = f"{row['date']} {row['time']:%-H:%M}" if row["time"] else f"from {row['date']} on"
            words = "" if value is None else f"Lab {lab}, {when}: {name(measure)} {value:.2f}{unit(measure)}"
            page.add_spot(place, row["moment"], value, words, (row["date"], row["time"], lab, page.choice.plot))


def _means(rows: Sequence[Row]) -> str:
    steps = ((later["date"] - earlier["date"]).days for earlier, later in itertools.pairwise(rows))
    return f"each point the mean of {counted(min((each for each in steps if each > 0), default=1), 'day')}"


def _longest_step(moments: Sequence[datetime.datetime]) -> datetime.timedelta:
    """Return the longest gap that a line bridges: three times the usual step, at least a day and a half."""
    steps = sorted(later - earlier for earlier, later in itertools.pairwise(moments))
    return max(3 * steps[len(steps) // 2], 1.5 * DAY) if steps else DAY


def _title(rows: Sequence[Row], measure: str, page: Page) -> str:
    pairs = [
        row[measure] - row[f"outside_{measure}"]
        for row in rows
        if row[measure] is not None and row[f"outside_{measure}"] is not None
    ]
    where = f"lab {page.choice.lab}" if page.choice.lab else "the labs"
    if not pairs:
        return f"There is no weather beside the {name(measure)} in {where}"
    mean = sum(pairs) / len(pairs)
    if measure == "temperature":
        than = f"{abs(mean):.1f} °C {'warmer' if mean >= 0 else 'colder'} than outside"
        return f"In {where} it was {than} on average"
    more = f"{abs(mean):.1f} g/m³ {'more' if mean >= 0 else 'less'}"
    return f"The air in {where} held {more} water than outside on average"
