"""Charts of the records and the weather: rows of QA's views become pictures, without Tk and without a database.

`choice` defines the charts, `drawing` draws them. matplotlib is imported at the first drawing, because it is slow to
import.
"""

from __future__ import annotations

from .choice import (
    CHARTS,
    FORMATS,
    LIGHT_LOOK,
    MEASURES,
    PLOTS,
    QUANTITIES,
    Chart,
    ChartChoice,
    ChartLook,
    ChartsMissing,
    chart,
)

__all__ = [
    "CHARTS", "FORMATS", "LIGHT_LOOK", "MEASURES", "PLOTS", "QUANTITIES", "Chart", "ChartChoice", "ChartLook",
    "ChartsMissing", "chart",
]  # fmt: skip
