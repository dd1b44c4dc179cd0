"""Completeness as a calendar: a square for each day, a column for each week, a row for each weekday."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence

from ..counting import counted
from .page import DAY, Page, Row

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEKS_A_LINE = 53
_MOST_LINES = 6


def draw(page: Page, rows: Sequence[Row]) -> None:
    """Rows of `completeness`, summed by day. A long period continues in the next calendar below."""
    if not rows:
        page.show_text(f"No check was due of {page.choice.words}")
        return
    first = rows[0]["date"] - rows[0]["date"].weekday() * DAY
    last = rows[-1]["date"]
    needed = math.ceil(((last - first).days + 1) / 7)
    weeks = max(8, min(_WEEKS_A_LINE, int(page.columns / 2.4), max(needed, 14)))
    needed = math.ceil(needed / weeks)
    lines = min(_MOST_LINES, needed, max(1, int((page.lines - 4) / 9)))
    shown_from = max(first, last - last.weekday() * DAY - (lines * weeks - 1) * 7 * DAY)
    shown = [row for row in rows if row["date"] >= shown_from]
    page.add_panels(lines, one_axis=False)  # each calendar has months of its own
    page.zoomable = False  # weeks and weekdays are no scale
    for place in range(lines):
        begin = shown_from + place * weeks * 7 * DAY
        _draw_calendar(page, place, begin, weeks, [row for row in shown if 0 <= (row["date"] - begin).days < weeks * 7])
    _explain(page)
    page.title = _title(rows)
    left_out = f" Shown from {shown_from} on." if len(shown) < len(rows) else ""
    page.note = f"{page.choice.heading}. The number in a square: records that are missing.{left_out}"


def _draw_calendar(page: Page, place: int, begin: datetime.date, weeks: int, rows: Sequence[Row]) -> None:
    import numpy
    from matplotlib.colors import ListedColormap

    axes = page.panels[place]
    grid = numpy.full((7, weeks), numpy.nan)
    side = float(page.figure.get_figwidth()) * 72 / weeks  # points that a square is wide, about
    for row in rows:
        week, weekday = divmod((row["date"] - begin).days, 7)
        share = row["recorded"] / row["expected"] if row["expected"] else 1.0
        grid[weekday, week] = 3 if not row["missing"] else 2 if share >= 0.9 else 1 if share > 0 else 0
        _add_day(page, place, week, weekday, row)
        if row["missing"] and side > page.look.points * 2:
            light = grid[weekday, week] == 2
            axes.text(week, weekday, str(row["missing"]), ha="center", va="center", size=page.look.points * 0.72,
                      color="#1a211e" if light else "#ffffff", clip_on=True)  # fmt: skip
    axes.pcolormesh(
        numpy.arange(weeks + 1) - 0.5, numpy.arange(8) - 0.5, grid, cmap=ListedColormap(_COLOURS), vmin=-0.5, vmax=3.5,
        edgecolors=page.look.ground, linewidth=1.5,
    )  # fmt: skip
    axes.set_ylim(6.5, -0.5)
    axes.set_aspect("equal", adjustable="box", anchor="NW")
    axes.set_yticks(range(0, 7, 2), _WEEKDAYS[::2])
    shown = range(((rows[-1]["date"] if rows else begin) - begin).days // 7 + 1)
    months = [week for week in shown if (begin + week * 7 * DAY).day <= 7] or [0]
    axes.set_xticks(months, [_month(begin + week * 7 * DAY, week == months[0]) for week in months])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


_COLOURS = ("#b2182b", "#d55e00", "#f3d37a", "#3a87b5")  # dark, light, blue: told apart without red and green
_MEANINGS = ("nothing recorded", "below 90 %", "90 % or more", "complete")


def _explain(page: Page) -> None:
    from matplotlib.patches import Patch

    meanings = list(zip(_COLOURS, _MEANINGS, strict=True))[::-1]
    page.legend = {text: Patch(facecolor=colour, label=text) for colour, text in meanings}


def _add_day(page: Page, place: int, week: int, weekday: int, row: Row) -> None:
    words = f"{row['date']:%A} {row['date']}: {row['recorded']} of {counted(row['expected'], 'record')}"
    key: tuple[datetime.date, datetime.time | None, str, int | None] = (row["date"], None, page.choice.lab, None)
    if row["missing"]:
        place_and_time = f"plot {row['missing_plot']} of lab {row['missing_lab']} at {row['missing_time']:%H:%M}"
        words += f", the first one missing is {place_and_time}"
        key = (row["date"], row["missing_time"], row["missing_lab"], row["missing_plot"])
    page.add_spot(place, week, weekday, words, key)


def _month(date: datetime.date, with_year: bool) -> str:
    return f"{date:%b}\n{date.year}" if with_year or date.month == 1 else f"{date:%b}"


def _title(rows: Sequence[Row]) -> str:
    recorded, expected = sum(row["recorded"] for row in rows), sum(row["expected"] for row in rows)
    days = sum(bool(row["missing"]) for row in rows)
    if not days:
        return f"All {counted(expected, 'record')} of {counted(len(rows), 'day')} are there"
    share = math.floor(1000 * recorded / expected) / 10  # never 100 % where one is missing
    of_days = f"{days:,} of {counted(len(rows), 'day')}"
    return f"{share} % of the records that were due are there; on {of_days} some are missing"
