"""The charts, the options of each, and their look."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from ..constants import FieldNames, FieldTypes
from ..fields import FIELDS, READINGS, field

FORMATS = ("png", "svg", "pdf")
"""The file formats of a chart."""

PLOTS = range(1, int(field(FieldNames.PLOT).maximum or 0) + 1)
"""The plots of a lab."""


class ChartsMissing(Exception):
    """matplotlib isn't installed; the text is for people."""


class Quantity(NamedTuple):
    """A numeric column: its name for people, and its unit ('': a count)."""

    column: str
    name: str
    unit: str

    @property
    def label(self) -> str:
        """The label of its axis, such as `Light (klx)`."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


QUANTITIES = {
    each.column: Quantity(each.column, each.name.capitalize(), each.unit)
    for each in FIELDS
    if each.type in (FieldTypes.DECIMAL, FieldTypes.INTEGER)
}
"""What a scatter can show, by column: every field that is a number."""

MEASURES = tuple(sorted((field(name).column for name in READINGS), reverse=True))
"""The columns of the climate, which the views for QA study, as charts show them: temperature, light, humidity."""


class Chart(NamedTuple):
    """One kind of chart: its name on the command line, its name in lists, its view, and which filters it knows.

    `measures`: what `field` may be; the first one is usual, and an empty one means all of them.
    """

    name: str
    title: str
    view: str
    measures: tuple[str, ...] = ()
    by_plot: bool = False
    two_quantities: bool = False


CHARTS = (
    Chart("climate", "Climate against weather", "climate_by_check", ("", "temperature", "humidity"), by_plot=True),
    Chart("correlation", "Correlation over lag", "weather_correlation", ("", *MEASURES)),
    Chart("growth", "Growth", "growth", by_plot=True),
    Chart("control", "Control chart", "control_chart", MEASURES),
    Chart("completeness", "Completeness", "completeness"),
    Chart("drift", "Sensor drift", "sensor_drift", ("", *MEASURES), by_plot=True),
    Chart("scatter", "Two fields and the weather", "climate_by_check", by_plot=True, two_quantities=True),
)


def chart(name: str) -> Chart:
    """Return the chart of that name; raises `KeyError` if there is none."""
    return {each.name: each for each in CHARTS}[name]


class ChartChoice(NamedTuple):
    """A chart and what of the records it shows: a lab (empty: all), a plot, days (both included; None: no end).

    `field`: one of the chart's `measures`; `across` and `up`: columns of :data:`QUANTITIES`, for a scatter.
    """

    name: str
    lab: str = ""
    plot: int | None = None
    first: datetime.date | None = None
    last: datetime.date | None = None
    field: str = ""
    across: str = "temperature"
    up: str = "humidity"

    @property
    def measure(self) -> str:
        """The field, or what is usual for this chart."""
        measures = chart(self.name).measures
        return self.field if self.field or not measures else measures[0]

    @property
    def words(self) -> str:
        """Which records it shows: `lab A, plot 3, from 2026-03-01 to 2026-03-31`."""
        days = [f"{word} {day}" for word, day in (("from", self.first), ("to", self.last)) if day is not None]
        plot = "" if self.plot is None else f"plot {self.plot}"
        return ", ".join(filter(None, (f"lab {self.lab}" if self.lab else "all labs", plot, " ".join(days))))

    @property
    def heading(self) -> str:
        """The same at the beginning of a sentence."""
        return self.words[0].upper() + self.words[1:]


class ChartLook(NamedTuple):
    """The look of a chart: colours as `#rrggbb`, the font and its size in points, the resolution in dpi.

    `series`: colours of M. Okabe and K. Ito (2008), which colour-blind people can distinguish, as far as they are
    visible on this background. Series never differ by colour alone: line styles and marks differ, too.
    """

    ground: str = "#ffffff"
    text: str = "#1a211e"
    muted: str = "#53605a"
    line: str = "#d5dcd8"
    series: tuple[str, ...] = ("#0072b2", "#d55e00", "#009e73", "#a8447f", "#8a6d00", "#3a87b5")
    family: str = "DejaVu Sans"
    points: float = 9
    dots: float = 96

    @classmethod
    def dark(cls, dark: bool = True) -> ChartLook:
        """Light on dark, or the usual one."""
        return cls("#1d2125", "#e7ecea", "#a4afaa", "#353c40", DARK_SERIES) if dark else cls()


DARK_SERIES = ("#56b4e9", "#e69f00", "#00b386", "#e09cc0", "#f0e442", "#ff7f3f")
LIGHT_LOOK = ChartLook()
