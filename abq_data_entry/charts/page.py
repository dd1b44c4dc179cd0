"""What all charts share: the page with title and source, panels, date axes, legends."""

from __future__ import annotations

import datetime
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .choice import QUANTITIES, ChartChoice, ChartLook

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
Key = tuple[datetime.date, datetime.time | None, str, int | None]
"""The records behind a point: date, time (None: the day), lab ('': any) and plot (None: any)."""
LATEST = datetime.date.max
"""In place of a date: the latest record there is."""

MARKS = ("o", "s", "^", "D", "v", "P")
STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
DAY = datetime.timedelta(days=1)
_FEW = 40  # points of a line that are marked one by one


class Spot(NamedTuple):
    """A selectable point: its panel and position, its description, and the key of the records behind it."""

    panel: int
    across: Any
    up: float
    words: str
    key: Key | None


class Page:
    """A figure that is being filled: `panels` of axes, and the `spots` that can be chosen."""

    def __init__(self, figure: Figure, choice: ChartChoice, look: ChartLook) -> None:
        self.figure, self.choice, self.look = figure, choice, look
        self.panels: list[Axes] = []
        self._rows = 1
        self.spots: list[Spot] = []
        self.title = ""
        self.note = ""
        self.left_out = ""
        self.zoomable = True
        self.legend: dict[str, Any] = {}

    @property
    def lines(self) -> float:
        """The height of the figure in lines of text."""
        return float(self.figure.get_figheight()) * 72 / (self.look.points * 1.4)

    @property
    def columns(self) -> float:
        """The width of the figure in characters."""
        return float(self.figure.get_figwidth()) * 72 / (self.look.points * 0.56)

    def fitting(self, measures: Sequence[str], lines: float = 10, columns: float = 0) -> list[str]:
        """As many of the fields as have room for a panel each; one at least."""
        room = max(1, int(self.columns / columns if columns else (self.lines - 4) / lines))
        if len(measures) > room:
            self.left_out = f" There is no room for {' and '.join(map(name, measures[room:]))}."
        return list(measures[:room])

    def add_panels(self, count: int, beside: bool = False, one_axis: bool = True) -> list[Axes]:
        """Panels one below the other, with `one_axis` of time for all of them, or beside each other."""
        self._rows = 1 if beside else count
        made = self.figure.subplots(
            self._rows, count if beside else 1, sharex=one_axis and not beside, squeeze=False
        )
        self.panels = list(made.flat)
        return self.panels

    def add_spot(self, panel: int, across: Any, up: Any, words: str, key: Key | None = None) -> None:
        """A point that can be chosen, unless it has no value."""
        if up is not None and across is not None:
            self.spots.append(Spot(panel, across, float(up), words, key))

    def show_text(self, text: str) -> None:
        """Show why there is no chart, in its place."""
        self.title = text
        self.zoomable = False
        (axes,) = self.add_panels(1)
        axes.set_axis_off()

    def finish(self) -> None:
        """Put title and legend at the top, the note and the source at the bottom, and the panels between them."""
        wide, high = (float(each) * 72 for each in self.figure.get_size_inches())  # in points
        edge, size = self.look.points * 0.5, self.look.points
        width = max(20, int(self.columns))
        title = textwrap.wrap(self.title, int(width * 0.7))
        foot = _fitting(self.note, int(width * 1.15), 0 if self.lines < 16 else 1 if self.lines < 22 else 3)
        left, top = edge / wide, 1 - edge / high
        self.figure.text(left, top, "\n".join(title), va="top", weight="bold", size=size * 1.2, linespacing=1.2)
        top -= (len(title) * 1.55 * size + edge) / high
        if self.legend and self.lines >= 9:
            fitting = int(self.columns * 0.95 / (max(map(len, self.legend)) + 7))
            columns = max(1, min(4, fitting, len(self.legend)))
            most = columns * max(1, int(self.lines / 6))  # if there are too many, the last ones, which matter most
            shown = dict(list(self.legend.items())[-most:])
            self.figure.legend(
                list(shown.values()), list(shown), loc="upper left", bbox_to_anchor=(left, top), ncols=columns,
                frameon=False, borderaxespad=0, borderpad=0, handlelength=2.2, columnspacing=1.4, labelspacing=0.35,
            )  # fmt: skip
            top -= (math.ceil(len(shown) / columns) * 1.5 * size + edge) / high
        bottom = (len(foot) * 1.3 * size + edge * (2 if foot else 1)) / high
        self.figure.text(left, edge / high, "\n".join(foot), va="bottom", color=self.look.muted, size=size * 0.9)
        engine: Any = self.figure.get_layout_engine()
        engine.set(rect=(left, bottom, 1 - 2 * left, max(0.1, top - bottom)))
        self._wrap_labels((top - bottom) * high)

    def _wrap_labels(self, height: float) -> None:
        """Break a label of a vertical axis that is longer than its panel, so that it covers nothing else.
        `height`: that of all panels together, in points."""
        below = 3.5 * self.look.points  # the dates, or numbers and label, under a panel
        letters = int(((height - below) / self._rows) / (self.look.points * 0.56))
        for axes in self.panels:
            lines = textwrap.wrap(axes.get_ylabel(), max(6, letters), break_long_words=False)
            longest = max(map(len, lines), default=0)
            smaller = max(0.6, min(1.0, letters / longest)) if longest else 1.0
            axes.set_ylabel("\n".join(lines), size=self.look.points * smaller)


def _fitting(text: str, width: int, lines: int) -> list[str]:
    """As many whole sentences as fit into so many lines; if not even the first one fits, its beginning."""
    if not lines:
        return []
    while len(textwrap.wrap(text, width)) > lines and ". " in text:
        text = text.rpartition(". ")[0] + "."
    return textwrap.wrap(text, width, max_lines=lines, placeholder=" …")


def number(value: Any) -> float:
    """Return a value for a line; a missing one breaks the line."""
    return float("nan") if value is None else float(value)


def label(measure: str) -> str:
    """Return the label of a field's axis."""
    return QUANTITIES[measure].label


def unit(measure: str) -> str:
    """Return the unit of a field, after a space; empty where there is none."""
    found = QUANTITIES[measure].unit
    return f" {found}" if found else ""


def name(measure: str, first: bool = False) -> str:
    """Return the name of a field within a sentence, or as its `first` word."""
    found = QUANTITIES[measure].name
    return found if first else found.lower()


def by(rows: Iterable[Row], column: str) -> dict[Any, list[Row]]:
    """Return the rows by what they have in that column, in the order in which they come."""
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(row[column], []).append(row)
    return found


def unbroken(moments: Sequence[Any], values: Sequence[Any], most: datetime.timedelta) -> tuple[list[Any], list[float]]:
    """Return a line for these points that ends and begins again where more than `most` lies between two of them."""
    across: list[Any] = []
    up: list[float] = []
    for moment, value in zip(moments, values, strict=True):
        if across and moment - across[-1] > most:
            across.append(across[-1] + most / 2)
            up.append(float("nan"))
        across.append(moment)
        up.append(number(value))
    return across, up


def draw_line(
    axes: Axes, across: Sequence[Any], up: Sequence[float], colour: str, style: Any, text: str, **more: Any
) -> None:
    """A line, with marks where the points are few or one stands alone."""
    mark = more.pop("mark", "o")
    marks = {"marker": mark, "markersize": 4} if len(across) <= _FEW else {}
    axes.plot(across, up, color=colour, linestyle=style, label=text, linewidth=more.pop("width", 1.3), **marks, **more)


def show_dates(axes: Axes, page: Page) -> None:
    """Dates at the axis that can be read: as many as fit, with the year shown once."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    ticks = max(3, min(9, int(page.columns / 12)))
    locator = AutoDateLocator(minticks=2, maxticks=ticks)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    low, high = (each.date() for each in _shown_dates(axes))
    if high - low < 2 * DAY:  # one point alone: an axis of microseconds says nothing
        middle = _shown_dates(axes)[0]
        axes.set_xlim(middle - DAY, middle + DAY)  # type: ignore[arg-type]


def _shown_dates(axes: Axes) -> tuple[datetime.datetime, datetime.datetime]:
    from matplotlib.dates import num2date

    low, high = axes.get_xlim()
    found = [num2date(each) for each in (low, high)]  # type: ignore[no-untyped-call]
    return found[0].replace(tzinfo=None), found[1].replace(tzinfo=None)


def legend_above(page: Page) -> None:
    """One legend for all panels, which stands above them, where it covers nothing."""
    for axes in page.panels:
        handles, texts = axes.get_legend_handles_labels()
        page.legend |= dict(zip(texts, handles, strict=True))
