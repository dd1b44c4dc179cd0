"""Charts of the records and the weather: rows of the views for QA become pictures, without Tk and without a database.

`choice` says which charts there are, `drawing` draws them. matplotlib is imported with the first drawing, so that
nobody pays for it who looks at none.
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
