"""Growth: the median height of each plot by day and by degree days, or of all plots of each lab."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from ..counting import counted
from .page import DAY, MARKS, STYLES, Page, Row, by, draw_line, legend_above, show_dates, unbroken


def draw(page: Page, rows: Sequence[Row]) -> None:
    """Rows of `growth`: of the plots of one lab, or medians of several labs."""
    rows = [row for row in rows if row["height"] is not None]
    if not rows:
        page.show_text(f"There are no heights of {page.choice.words}")
        return
    most = 14 * DAY
    if page.choice.lab:
        _draw_plots(page, rows)
    else:
        (axes,) = page.add_panels(1)
        for number, (lab, days) in enumerate(by(rows, "lab").items()):
            line = unbroken([row["date"] for row in days], [row["height"] for row in days], most)
            colour = page.look.series[number % len(page.look.series)]
            draw_line(axes, *line, colour, STYLES[number % len(STYLES)], f"Lab {lab}", mark=MARKS[number % len(MARKS)],
                      width=1.8)  # fmt: skip
            for row in days:
                words = f"Lab {lab}, {row['date']}: {row['height']:.1f} cm, median of {counted(row['plots'], 'plot')}"
                page.add_spot(0, row["date"], row["height"], words, (row["date"], None, lab, None))
        page.title = f"Median height of the plots in {counted(len(by(rows, 'lab')), 'lab')}"
    axes = page.panels[0]
    axes.set_ylabel("Median height (cm)")
    axes.set_ylim(bottom=0)
    legend_above(page)
    show_dates(axes, page)
    page.note = f"{page.choice.heading}: last median height of a day. Degree days: base 10 °C, at most 30 °C."


def _draw_plots(page: Page, rows: Sequence[Row]) -> None:
    chosen, look = page.choice.plot, page.look
    beside = page.columns >= 90
    axes = page.add_panels(2 if beside else 1, beside=True)[0]
    for series in _series(rows):
        plot, strong = series[0]["plot"], series[0]["plot"] == chosen
        colour, width = (look.series[1], 2.2) if strong else (look.muted, 0.7)
        style: dict[str, Any] = {"width": width, "zorder": 3 if strong else 1, "alpha": 1 if strong else 0.6}
        style["mark"] = "s" if strong else "."
        draw_line(axes, *unbroken([row["date"] for row in series], [row["height"] for row in series], 14 * DAY),
                  colour, "-", "_plot", **style)  # fmt: skip
        warm = [row for row in series if row["gdd_cumulative"] is not None]
        if beside and warm:
            draw_line(page.panels[1], [row["gdd_cumulative"] for row in warm], [row["height"] for row in warm], colour,
                      "-", "_plot", **style)  # fmt: skip
        for row in series:
            words = f"Lab {row['lab']}, plot {plot}, {row['seed_sample']}, {row['date']}: {row['height']:.2f} cm"
            key = (row["date"], None, row["lab"], plot)
            page.add_spot(0, row["date"], row["height"], words, key)
            if beside:
                page.add_spot(1, row["gdd_cumulative"], row["height"], words, key)
    for number, of_sample in enumerate(by(rows, "seed_sample").values()):
        days = {date: median(row["height"] for row in of_day) for date, of_day in by(of_sample, "date").items()}
        dates = sorted(days)
        draw_line(axes, *unbroken(dates, [days[each] for each in dates], 14 * DAY), look.series[0], "-",
                  "_median" if number else "Median of each seed sample", width=2.4, zorder=2)  # fmt: skip
    axes.plot([], [], color=look.muted, linewidth=0.8, label="Each plot")
    if chosen is not None:
        axes.plot([], [], color=look.series[1], linewidth=2.2, label=f"Plot {chosen}")
    if beside:
        page.panels[1].set_xlabel("Degree days (°C · d)")
        page.panels[1].set_ylabel("Median height (cm)")
        page.panels[1].set_ylim(bottom=0)
    last = max(row["date"] for row in rows)
    height = median(row["height"] for row in rows if row["date"] == last)
    page.title = f"The plants in lab {page.choice.lab} were {height:.1f} cm high on {last} (median of the plots)"


def _series(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The days of each plot and seed sample: a new sample begins a new line."""
    for _, group in itertools.groupby(rows, key=lambda row: (row["plot"], row["seed_sample"])):
        yield list(group)
