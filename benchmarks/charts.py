"""What drawing a chart adds to its view: over one season and over ten, in the size of a large window."""

from __future__ import annotations

import time
from contextlib import closing

import psycopg2
from psycopg2.extensions import make_dsn

from abq_data_entry.charts import CHARTS, LIGHT_LOOK, ChartChoice
from abq_data_entry.charts.drawing import to_picture
from abq_data_entry.models import SQLModel
from benchmarks import dataset, table
from benchmarks.options import Options
from benchmarks.views import LIMITS, SEASON, complete

DRAWING = 1.0
"""Seconds that drawing may take."""

SIZE = (1600, 900)


def measure(options: Options) -> list[table.Row]:
    """A row for each chart and number of seasons; what matplotlib costs once, when it is imported, in front."""
    begin = time.perf_counter()
    to_picture([], ChartChoice(CHARTS[0].name), LIGHT_LOOK, SIZE)
    rows = [table.row("the first picture, with the import of matplotlib", "s", [time.perf_counter() - begin])]
    with dataset.server(options.folder) as server:
        for seasons in LIMITS:
            records = min(SEASON * seasons, options.records * seasons)
            endpoint = server.endpoint(dataset.prepare(server, records))
            with closing(psycopg2.connect(make_dsn(**endpoint))) as connection:
                complete(connection)
            model = SQLModel.at(endpoint)
            for chart in CHARTS:
                seconds, points = _drawn(model, ChartChoice(chart.name, "A"))
                name = f"chart {chart.name} of {points:,} points over {records:,} records, drawn"
                rows.append(table.row(name, "s", seconds, DRAWING))
            model.close()
    return rows


def _drawn(model: SQLModel, choice: ChartChoice) -> tuple[list[float], int]:
    """The seconds of three drawings, and how many rows the database gave."""
    found = model.chart_rows(choice)
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        to_picture(found, choice, LIGHT_LOOK, SIZE)
        seconds.append(time.perf_counter() - begin)
    return seconds, len(found)
