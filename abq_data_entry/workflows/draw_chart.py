"""Draw a chart of the database's data, for the window, the subcommand and the day's report."""

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
    """Return the chart as the bytes of a `png`, `svg` or `pdf`; `size` (width, height) in pixels at 96 dpi.

    If there are no data, the chart says so. Raises DatabaseError, and ChartsMissing if matplotlib isn't installed.
    """
    from ..charts.drawing import FILE_SIZE, to_file

    return to_file(model.chart_rows(choice), choice, form, look, size or FILE_SIZE)
