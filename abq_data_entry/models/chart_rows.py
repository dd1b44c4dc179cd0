"""The rows behind a chart: the views for QA between two days, reduced by the database to a few thousand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from psycopg2 import sql

from abq_data_entry.charts.choice import ChartChoice
from abq_data_entry.charts.page import LATEST, Key
from abq_data_entry.models.connections import rows_as_dicts
from abq_data_entry.models.view_rows import require_lab

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

AT_MOST = 3000
"""Points that a chart has, about: more can't be told apart on a screen."""

_DAYS_OF_CHECKS = 62  # beyond that the night and day of each are too near to be told apart

_DAYS = """
    SELECT min(date) AS first, max(date) AS last, (SELECT count(*) FROM labs) AS labs FROM lab_checks
    WHERE date >= coalesce(%(first)s::date, '-infinity') AND date <= coalesce(%(last)s::date, 'infinity')
"""

# Each check, or the means of so many days where the checks are too many.
_CLIMATE = """
    WITH checks AS (
        SELECT c.lab, c.date, c.time, c.readings, c.outside_temperature, c.outside_humidity, c.outside_kind,
            {temperature} AS temperature, {humidity} AS humidity
        FROM climate_by_check(%(first)s::date, %(last)s::date) AS c {plots}
        WHERE (%(lab)s = '' OR c.lab = %(lab)s)
    )
    SELECT lab, min(date) AS date, CASE WHEN %(step)s = 0 THEN min(time) END AS time, count(*) AS checks,
        CASE WHEN %(step)s = 0 THEN min(date + time)
            ELSE min(date)::timestamp + (max(date) - min(date) + 1) * interval '12 hours' END AS moment,
        avg(temperature)::double precision AS temperature, avg(humidity)::double precision AS humidity,
        avg(outside_temperature)::double precision AS outside_temperature,
        avg(outside_humidity)::double precision AS outside_humidity,
        bool_or(outside_kind = 'model') AS by_model
    FROM checks
    GROUP BY lab, CASE WHEN %(step)s = 0 THEN extract(epoch FROM date + time)
        ELSE floor((date - %(origin)s::date)::double precision / %(step)s) END
    ORDER BY lab, moment
"""
_OF_PLOT = "JOIN plot_readings AS r ON (r.lab, r.date, r.time, r.plot) = (c.lab, c.date, c.time, %(plot)s)"

_CORRELATION = """
    SELECT * FROM weather_correlation(%(first)s::date, %(last)s::date)
    WHERE (%(lab)s = '' OR lab = %(lab)s) AND (%(field)s = '' OR field = %(field)s)
    ORDER BY field, lab, lag_hours
"""

_GROWTH = """
    SELECT lab, plot, seed_sample::text AS seed_sample, date, height::double precision AS height, gdd_cumulative
    FROM growth(%(first)s::date, %(last)s::date)
    WHERE lab = %(lab)s AND (date - %(origin)s::date) %% %(step)s = 0
    ORDER BY plot, date
"""
_GROWTH_OF_LABS = """
    SELECT lab, NULL AS plot, NULL AS seed_sample, date, NULL AS gdd_cumulative, count(*) AS plots,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY height::double precision) AS height
    FROM growth(%(first)s::date, %(last)s::date)
    WHERE (date - %(origin)s::date) %% %(step)s = 0
    GROUP BY lab, date
    ORDER BY lab, date
"""

# Of too many points those stay that are beyond the limits; an odd step, so that no time of day is left out.
_CONTROL = """
    SELECT lab, field, date, moment, value, centre, lower, upper, rules, checks, violations FROM (
        SELECT *, row_number() OVER (ORDER BY moment) AS number, count(*) OVER () AS checks,
            count(*) FILTER (WHERE rules <> '{{}}') OVER () AS violations
        FROM (
            SELECT lab, field, date, moment AT TIME ZONE (SELECT time_zone FROM lab_settings) AS moment, value, centre,
                lower, upper, rules, min(lab) OVER () AS first_lab
            FROM control_chart(%(first)s::date, %(last)s::date)
            WHERE field = %(field)s AND (%(lab)s = '' OR lab = %(lab)s)
        ) AS found
        WHERE lab = first_lab
    ) AS numbered
    WHERE 1 = ANY (rules) OR number %% ((checks / %(at_most)s) | 1) = 0
    ORDER BY moment
"""

_COMPLETENESS = """
    SELECT date, sum(expected)::integer AS expected, sum(recorded)::integer AS recorded,
        sum(cardinality(missing))::integer AS missing,
        (array_agg(lab::text ORDER BY time, lab) FILTER (WHERE missing <> '{{}}'))[1] AS missing_lab,
        (array_agg(time ORDER BY time, lab) FILTER (WHERE missing <> '{{}}'))[1] AS missing_time,
        (array_agg(missing[1] ORDER BY time, lab) FILTER (WHERE missing <> '{{}}'))[1] AS missing_plot
    FROM completeness(%(first)s::date, %(last)s::date)
    WHERE %(lab)s = '' OR lab = %(lab)s
    GROUP BY date
    ORDER BY date
"""

_DRIFT = """
    SELECT * FROM (
        SELECT *, row_number() OVER (PARTITION BY field ORDER BY abs(tau) DESC NULLS LAST, lab, plot) AS place,
            count(*) OVER (PARTITION BY field) AS sensors,
            count(*) FILTER (WHERE low > 0 OR high < 0) OVER (PARTITION BY field) AS drifting
        FROM sensor_drift(%(first)s::date, %(last)s::date)
        WHERE (%(lab)s = '' OR lab = %(lab)s) AND (%(plot)s::integer IS NULL OR plot = %(plot)s)
            AND (%(field)s = '' OR field = %(field)s)
    ) AS ordered
    WHERE place <= 20
    ORDER BY field, place
"""

# A part of them by a hash of their keys: each n-th would leave out plots or times of day.
_SCATTER = """
    WITH chosen AS (
        SELECT lab, date, time, plot, {across}::double precision AS across, {up}::double precision AS up,
            count(*) OVER () AS records
        FROM plot_readings
        WHERE date >= coalesce(%(first)s::date, '-infinity') AND date <= coalesce(%(last)s::date, 'infinity')
            AND (%(lab)s = '' OR lab = %(lab)s) AND (%(plot)s::integer IS NULL OR plot = %(plot)s)
            AND {across} IS NOT NULL AND {up} IS NOT NULL
    )
    SELECT chosen.*, c.outside_temperature::double precision AS outside_temperature
    FROM chosen
    LEFT JOIN climate_by_check(%(first)s::date, %(last)s::date) AS c USING (lab, date, time)
    WHERE mod(hashtext(date::text || time || lab || plot)::bigint + 2147483648, 1 + records / %(at_most)s) = 0
    ORDER BY date, time, lab, plot
"""


_FIND = """
    SELECT "Date", "Time", "Lab", "Plot" FROM data_record_view
    WHERE (%(latest)s OR "Date" = %(date)s) AND (%(time)s::time IS NULL OR "Time"::time = %(time)s::time)
        AND (%(lab)s = '' OR "Lab" = %(lab)s) AND (%(plot)s::integer IS NULL OR "Plot" = %(plot)s)
    ORDER BY "Date" DESC, "Time"::time, "Lab", "Plot"
    LIMIT 1
"""


def find_record(cursor: Cursor, key: Key) -> tuple[object, ...] | None:
    """The first record behind a point, of a sensor the latest: its date, time, lab and plot; None: there is none."""
    date, time, lab, plot = key
    values = {"latest": date == LATEST, "date": date, "time": time, "lab": lab, "plot": plot}
    cursor.execute(_FIND, values)
    found = cursor.fetchone()
    return None if found is None else tuple(found)


def read(cursor: Cursor, choice: ChartChoice) -> list[dict[str, object]]:
    """The rows that the chart draws, in its order; times are those of the labs' clock. Few thousand at most.

    Raises `DatabaseError` for a lab that there isn't.
    """
    if choice.lab:
        require_lab(cursor, choice.lab)
    found = {"first": choice.first, "last": choice.last}
    cursor.execute(_DAYS, found)
    origin, end, labs = cursor.fetchone() or (None, None, 0)
    if origin is None and choice.name != "completeness":  # which tells the days when nothing was recorded, too
        return []
    series = 1 if choice.lab else max(1, labs)
    days = (end - origin).days + 1 if origin else 1
    values: Mapping[str, object] = {
        **found,
        "lab": choice.lab,
        "plot": choice.plot,
        "field": choice.measure,
        "at_most": AT_MOST,
        "origin": origin,
        "step": _step(choice, days, series),
    }
    cursor.execute(_statement(choice), values)
    return rows_as_dicts(cursor)


def _step(choice: ChartChoice, days: int, series: int) -> int:
    """Of how many days one point is; 0: of one check."""
    if choice.name == "climate":
        return 0 if days <= _DAYS_OF_CHECKS and days * 4 * series <= AT_MOST else math.ceil(days * series / AT_MOST)
    lines = 20 if choice.lab else series
    return math.ceil(days * lines / AT_MOST / 2)


def _statement(choice: ChartChoice) -> sql.Composable:
    if choice.name == "growth":
        return sql.SQL(_GROWTH if choice.lab else _GROWTH_OF_LABS)
    if choice.name == "climate":
        of_plot = choice.plot is not None
        names = {each: sql.SQL(f"r.{each}" if of_plot else f"c.{each}_mean") for each in ("temperature", "humidity")}
        return sql.SQL(_CLIMATE).format(plots=sql.SQL(_OF_PLOT if of_plot else ""), **names)
    if choice.name == "scatter":
        return sql.SQL(_SCATTER).format(across=sql.Identifier(choice.across), up=sql.Identifier(choice.up))
    others = {"correlation": _CORRELATION, "control": _CONTROL, "completeness": _COMPLETENESS, "drift": _DRIFT}
    return sql.SQL(others[choice.name]).format()
