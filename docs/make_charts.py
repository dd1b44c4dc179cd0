"""Draw the charts for qa.md, of a season that is made up here: with weather, growth, a sensor that drifts and gaps.

Run from the checkout, with Pillow: python -m docs.make_charts
"""

from __future__ import annotations

import datetime
import io
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import psycopg2
from PIL import Image
from psycopg2.extensions import make_dsn

from abq_data_entry import postgres
from abq_data_entry.charts import ChartChoice
from abq_data_entry.models import SQLModel, schema
from abq_data_entry.workflows.draw_chart import chart_file

IMAGES = Path(__file__).resolve().parent / "images"
COLOURS = 64
FIRST, DAYS = datetime.date(2026, 3, 2), 120
LAST = FIRST + datetime.timedelta(DAYS - 1)
DATABASE = "abq_season"

# The temperature inside follows that of three hours before; plot 7 of lab A warms by 0.02 °C a day; lab B was too warm
# for a week, and without readings for two days.
_SEASON = """
    SELECT setseed(0.42);
    SET session_replication_role = replica;
    UPDATE lab_settings SET time_zone = 'America/Denver';
    INSERT INTO local_weather (datetime, temperature, rel_hum, pressure)
        SELECT moment, (8 + 0.08 * hour / 24 + 5 * sin((hour - 9) * pi() / 12)
            + 2.5 * sin(hour / 6.3) + 2 * sin(hour / 10.1) + 1.5 * sin(hour / 3.7) + 2 * sin(hour / 90.0) + random())
            ::numeric(5, 2), (55 + 25 * sin(hour / 37.0) + 10 * random())::numeric(5, 2), 1013
        FROM generate_series(0, %(days)s * 24 + 47) AS hour,
            LATERAL (SELECT (%(first)s::date - 1)::timestamp AT TIME ZONE 'America/Denver'
                + hour * interval '1 hour' + interval '7 minutes' AS moment) AS at;
    INSERT INTO lab_checks (date, time, lab_id, lab_tech_id)
        SELECT %(first)s::date + day, hour, lab, (SELECT min(id) FROM lab_techs)
        FROM generate_series(0, %(days)s - 1) AS day, unnest(ARRAY['A', 'B', 'C']) AS lab,
            unnest(ARRAY['8:00', '12:00', '16:00', '20:00']::time[]) AS hour
        WHERE NOT (lab = 'B' AND day IN (40, 41)) AND NOT (lab = 'C' AND day = 77 AND hour = '20:00');
    INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, humidity, light, temperature, equipment_fault,
            blossoms, plants, fruit, min_height, max_height, median_height, lab_tech_id)
        SELECT date, time, lab_id, plot, CASE WHEN day < 75 THEN 'AXM477' ELSE 'AXM480' END,
            CASE WHEN NOT fault THEN greatest(0.5, 0.45 * warmth + 2 + noise) END::numeric(4, 2),
            CASE WHEN NOT fault THEN least(100, light * exp(noise / 3)) END::numeric(5, 2),
            CASE WHEN NOT fault THEN warmth + noise / 2
                + CASE WHEN lab_id = 'A' AND plot = 7 THEN 0.02 * day ELSE 0 END END::numeric(4, 2),
            fault, least(1000, age * age / 40)::int, 12, least(1000, age * age / 90)::int,
            (0.6 * height)::numeric(6, 2), (1.4 * height)::numeric(6, 2), height::numeric(6, 2), lab_tech_id
        FROM (
            SELECT c.*, plot, c.date - %(first)s::date AS day, (c.date - %(first)s::date) %% 75 AS age,
                random() + random() + random() - 1.5 AS noise, random() < 0.01 AS fault,
                CASE time WHEN '8:00' THEN 18 WHEN '12:00' THEN 62 WHEN '16:00' THEN 41 ELSE 0.6 END AS light,
                17 + (ascii(lab_id) - 65) + 0.35 * coalesce(outside.temperature, 8)
                    + CASE WHEN lab_id = 'B' AND c.date - %(first)s::date BETWEEN 60 AND 66 THEN 3 ELSE 0 END AS warmth,
                (38 + 2 * (plot %% 5) + ascii(lab_id) - 65)
                    / (1 + exp(-((c.date - %(first)s::date) %% 75 - 32) / 8.0)) + 2 AS height
            FROM lab_checks AS c
            CROSS JOIN generate_series(1, 20) AS plot
            LEFT JOIN LATERAL (
                SELECT w.temperature FROM local_weather AS w
                WHERE w.datetime <= (c.date + c.time) AT TIME ZONE 'America/Denver' - interval '3 hours'
                ORDER BY w.datetime DESC LIMIT 1
            ) AS outside ON true
        ) AS made
        WHERE random() > 0.002;
"""

CHOICES = (
    *(ChartChoice("climate", "A", first=FIRST, last=FIRST + datetime.timedelta(29)), ChartChoice("correlation", "A")),
    *(ChartChoice("growth", "A", 7), ChartChoice("control", "B"), ChartChoice("completeness", last=LAST)),
    ChartChoice("drift", "A"),
    ChartChoice("scatter", "A", across="temperature", up="humidity"),
)


def fill(endpoint: Mapping[str, str]) -> None:
    """Put the season into a database that is empty."""
    schema.prepare(endpoint)
    with closing(psycopg2.connect(make_dsn(**endpoint))) as connection, connection, connection.cursor() as cursor:
        cursor.execute(_SEASON, {"first": FIRST, "days": DAYS})
        cursor.execute("ANALYZE")


def main() -> None:
    """Write one picture for each chart."""
    with tempfile.TemporaryDirectory(prefix="abq") as folder:
        server = postgres.start(Path(folder) / "data")
        try:
            server.create_database(DATABASE)
            fill(server.endpoint(DATABASE))
            model = SQLModel.at(server.endpoint(DATABASE))
            for choice in CHOICES:
                with Image.open(io.BytesIO(chart_file(model, choice, "png", size=(720, 420)))) as picture:
                    few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
                    few.save(IMAGES / f"chart-{choice.name}.png", optimize=True)
            model.close()
        finally:
            server.stop()


if __name__ == "__main__":
    main()
