"""Draw a chart of what the database has: for the window, the subcommand and the day's report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..charts import LIGHT_LOOK, ChartChoice, ChartLook

if TYPE_CHECKING:
    from ..models import SQLModel


def chart_file(
    model: SQLModel,
    choice: ChartChoice,
    form: str = "svg",
    look: ChartLook = LIGHT_LOOK,
    size: tuple[int, int] | None = None,
) -> bytes:
    """The chart as the bytes of a `png`, `svg` or `pdf`; `size` in pixels of 96 dots an inch.

    Without data the picture says so. Raises DatabaseError, and ChartsMissing where matplotlib isn't installed.
    """
    from ..charts.drawing import FILE_SIZE, to_file

    return to_file(model.chart_rows(choice), choice, form, look, size or FILE_SIZE)
