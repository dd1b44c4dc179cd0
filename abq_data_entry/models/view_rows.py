"""The rows of a view: in batches for an export, whatever its format, and aggregated by the database for a chart.

The kept results of QA's slow views are refreshed here, so that these views answer at once.
"""

from __future__ import annotations

import datetime
import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from abq_data_entry.charts.choice import ChartChoice
from abq_data_entry.charts.page import LATEST, Key
from abq_data_entry.fields import FIELDS
from abq_data_entry.models.connections import Connections, rows_as_dicts
from abq_data_entry.models.errors import DatabaseError
from abq_data_entry.waits import UNLIMITED

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

Result = TypeVar("Result")

RECORDS = "records"
"""The name under which the records themselves are read, with the columns of the daily extract."""

BATCH = 2000
_RECORD_VIEW = "data_record_view"
_OTHERS = ("weather_holes", "local_weather", "withdrawn_records", "value_marks")
_MOMENTS = ("moment", "datetime", "begins", "withdrawn", "due")
_IN_ORDER = ("date", "Date", "moment", "datetime", "begins", "withdrawn", "time", "Time", "lab", "Lab", "plot", "Plot")
_UNIT = re.compile(r" UCUM: (\S+)\.")
_TERM = re.compile(r" Term: (\S+)\.")


class UnknownView(DatabaseError):
    """There is no view of that name that this login may read."""


class Column(NamedTuple):
    """One column of a view.

    `type`: its typname in PostgreSQL (`date`, `time`, `timestamptz`, `bool`, `int2`, `numeric`, `float8`, `text`,
    `bpchar`, `_int2` for an array …); `digits` and `places`: precision and scale of a numeric, if declared; `comment`:
    that of the column; `unit`: its UCUM code; `term`: the identifier of a term in an ontology; '' if there is none.
    """

    name: str
    type: str
    digits: int | None = None
    places: int | None = None
    comment: str = ""
    unit: str = ""
    term: str = ""


class ViewQuery(NamedTuple):
    """Which rows of a view to read: from the first to the last day, both included (`None`: no limit); lab '': all."""

    view: str
    first: datetime.date | None = None
    last: datetime.date | None = None
    lab: str = ""


class ViewRows(NamedTuple):
    """The rows of a view: `batches` are fetched from the server as they are consumed. `total` is `None` if counting
    would mean computing the view twice. Times are in `time_zone`, that of the labs."""

    columns: tuple[Column, ...]
    batches: Iterator[list[tuple[Any, ...]]]
    total: int | None
    time_zone: str


def view_names(cursor: Cursor) -> list[str]:
    """Return the names of all views that this login may read."""
    cursor.execute(
        "SELECT name FROM unnest(qa_views() || %s) WITH ORDINALITY AS each (name, place)"
        " WHERE coalesce(has_table_privilege(to_regclass(name), 'SELECT'), to_regproc(name) IS NOT NULL)"
        " ORDER BY place",
        (list(_OTHERS),),
    )
    return [RECORDS, *(name for (name,) in cursor.fetchall())]


def read_rows(cursor: Cursor, wanted: ViewQuery, take: Callable[[ViewRows], Result]) -> Result:
    """Return `take(rows)`, in constant memory.

    Call it once within a transaction, whose end closes the server-side cursor. Raises `UnknownView`, and what `take`
    raises.
    """
    names = view_names(cursor)
    if wanted.view not in names:
        raise UnknownView(f"There is no view {wanted.view!r} to be read here. There are {', '.join(names)}.")
    if wanted.lab:
        require_lab(cursor, wanted.lab)
    cursor.execute("SELECT time_zone, set_config('TimeZone', time_zone, true) FROM lab_settings")
    ((time_zone, _),) = cursor.fetchall()
    columns = _columns(cursor, wanted.view)
    statement, values, counts = _statement(cursor, wanted, [each.name for each in columns])
    total = None
    if counts:
        cursor.execute(f"SELECT count(*) FROM ({statement}) AS counted", values)
        ((total,),) = cursor.fetchall()
    cursor.execute(f"DECLARE exported NO SCROLL CURSOR FOR {statement} {_order(columns)}", values)
    return take(ViewRows(columns, _batches(cursor), total, time_zone))


def require_lab(cursor: Cursor, lab: str) -> None:
    """Raise `DatabaseError` for an unknown lab, unless this login may not read the labs: it then gets no rows."""
    cursor.execute("SELECT has_table_privilege('labs', 'SELECT')")
    if cursor.fetchone() != (True,):
        return
    cursor.execute("SELECT id::text FROM labs ORDER BY id")
    labs = [each for (each,) in cursor.fetchall()]
    if lab not in labs:
        raise DatabaseError(f"There is no lab {lab!r} to be read here. There are {', '.join(labs)}.")


def _batches(cursor: Cursor) -> Iterator[list[tuple[Any, ...]]]:
    while True:
        cursor.execute(f"FETCH {BATCH} FROM exported")
        rows = cursor.fetchall()
        if not rows:
            return
        yield rows


def _columns(cursor: Cursor, view: str) -> tuple[Column, ...]:
    """Return the columns of a view, or of the rows that the function of that name returns."""
    cursor.execute(
        "SELECT attname, typname, atttypmod, coalesce(col_description(attrelid, attnum), '')"
        " FROM pg_attribute JOIN pg_type AS t ON t.oid = atttypid"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (_RECORD_VIEW if view == RECORDS else view,),
    )
    found = [_column(*row) for row in cursor.fetchall()]
    if not found:
        cursor.execute(f'SELECT * FROM "{view}"(NULL, NULL) LIMIT 0')
        described = cursor.description or ()
        cursor.execute(
            "SELECT typname FROM unnest(%s::oid[]) WITH ORDINALITY AS each (id, place)"
            " JOIN pg_type AS t ON t.oid = each.id ORDER BY place",
            ([each.type_code for each in described],),
        )
        found = [Column(each.name, name) for each, (name,) in zip(described, cursor.fetchall(), strict=True)]
    if view == RECORDS:
        found = [each._replace(type="time") if each.name == "Time" else each for each in found]
    return tuple(found)


def _column(name: str, kind: str, modifier: int, comment: str) -> Column:
    unit, term = _UNIT.search(comment), _TERM.search(comment)
    limited = kind == "numeric" and modifier != -1
    return Column(
        name,
        kind,
        (modifier - 4) >> 16 if limited else None,
        (modifier - 4) & 0x7FF if limited else None,
        _TERM.sub("", _UNIT.sub("", comment)),
        unit[1] if unit else "",
        term[1] if term else "",
    )


def _statement(
    cursor: Cursor, wanted: ViewQuery, columns: Sequence[str]
) -> tuple[str, dict[str, object], bool]:
    """Return the statement without ORDER BY, its parameters, and whether counting its rows is cheap."""
    values: dict[str, object] = {"first": wanted.first, "last": wanted.last, "lab": wanted.lab}
    conditions: list[str] = []
    counts = wanted.view in (RECORDS, *_OTHERS, "plot_readings", "outside_weather")
    kind = "" if wanted.view == RECORDS else _function(cursor, wanted.view)
    if wanted.view == RECORDS:
        listed = ", ".join(
            f'"{each.name}"::time AS "{each.name}"' if each.name == "Time" else f'"{each.name}"' for each in FIELDS
        )
        source = f"(SELECT {listed} FROM {_RECORD_VIEW}) AS found"
    elif kind:
        source = f'"{wanted.view}"({_bound(kind, "first", 0)}, {_bound(kind, "last", 1)})'
    else:
        source = f'"{wanted.view}"'
    if not kind and (wanted.first or wanted.last):
        conditions.append(_within(wanted, columns))
    if wanted.lab:
        conditions.append(_of_lab(wanted.view, columns))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT * FROM {source}{where}", values, counts


def _function(cursor: Cursor, view: str) -> str:
    """Return the type of the two parameters of the function of that name, '' if there is none."""
    cursor.execute(
        "SELECT proargtypes[0]::regtype::text FROM pg_proc WHERE oid IN"
        " (to_regprocedure(%s), to_regprocedure(%s), to_regprocedure(%s))",
        (f"{view}(date,date)", f"{view}(date,date,integer[])", f"{view}(timestamptz,timestamptz)"),
    )
    found = cursor.fetchall()
    return str(found[0][0]) if found else ""


def _bound(kind: str, name: str, days: int) -> str:
    """Return an argument for the function: a day, or if it takes times, the midnight before or after that day."""
    if kind == "date":
        return f"%({name})s::date"
    return f"(%({name})s::date + {days})::timestamp AT TIME ZONE current_setting('TimeZone')"


def _within(wanted: ViewQuery, columns: Sequence[str]) -> str:
    date = next((each for each in ("date", "Date") if each in columns), None)
    if date is not None and wanted.view != "changes":  # these are filtered by the time of the change
        lower, upper, column = "%(first)s::date", "%(last)s::date", f'"{date}"'
        last = f"{column} <= {upper}"
    else:
        moment = next((each for each in _MOMENTS if each in columns), None)
        if moment is None:
            raise DatabaseError(f"The view {wanted.view} has no days: leave --from and --to out.")
        lower, upper, column = _bound("", "first", 0), _bound("", "last", 1), f'"{moment}"'
        last = f"{column} < {upper}"
    parts = [*([f"{column} >= {lower}"] if wanted.first else []), *([last] if wanted.last else [])]
    return " AND ".join(parts)


def _of_lab(view: str, columns: Sequence[str]) -> str:
    lab = next((each for each in ("lab", "Lab", "lab_id") if each in columns), None)
    if lab is None:
        raise DatabaseError(f"The view {view} has no labs: leave --lab out.")
    return f'"{lab}" = %(lab)s'


def _order(columns: Sequence[Column]) -> str:
    """ORDER BY time, lab and plot. A view without days or times has an order of its own."""
    names = [each.name for each in columns]
    if not {"date", "Date", *_MOMENTS} & set(names):
        return ""
    return "ORDER BY " + ", ".join(f'"{each}"' for each in _IN_ORDER if each in names)


_LOOK = 0.1  # seconds
_READS = "SELECT has_table_privilege('kept_until', 'SELECT')"
# In one message and one transaction, so that a pooler doesn't keep the parameter for another client.
_REFRESH = "BEGIN; SET LOCAL statement_timeout = 0; SELECT qa_refresh(); COMMIT"


def refresh_kept(connections: Connections, cancel: threading.Event) -> bool:
    """Refresh the kept results of the slow views, however long it takes, until `cancel` is set.

    Returns False if this login can't read them. Repeated and simultaneous calls do no harm. Raises `QueryCancelled` and
    other `DatabaseError`s.
    """

    def run(cursor: Cursor) -> bool:
        cursor.execute(_READS)
        if cancel.is_set() or cursor.fetchone() != (True,):
            return False
        try:
            cursor.execute(_REFRESH)
        finally:
            if not cursor.connection.closed:
                cursor.execute("ROLLBACK")  # after a failure; after a commit it does nothing
        return True

    with _cancelled_by(connections, cancel):
        return connections.read(run, UNLIMITED)


@contextmanager
def _cancelled_by(connections: Connections, cancel: threading.Event) -> Iterator[None]:
    """While the block runs, setting the event cancels this thread's statement."""
    ident, over = threading.get_ident(), threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK):
            if cancel.is_set():
                connections.cancel(ident)  # again and again: the statement may not have begun yet

    watcher = threading.Thread(target=watch, name="cancels the refresh", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()  # otherwise it might cancel the next statement of this thread


AT_MOST = 3000
"""About how many points a chart has: more can't be told apart on a screen."""

_DAYS_OF_CHECKS = 62  # beyond that, a day's points are too near each other to be told apart

_DAYS = """
    SELECT min(date) AS first, max(date) AS last, (SELECT count(*) FROM labs) AS labs FROM lab_checks
    WHERE date >= coalesce(%(first)s::date, '-infinity') AND date <= coalesce(%(last)s::date, 'infinity')
"""

# A row for each check or, if there are too many, for each `step` days, with their means.
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

# If there are too many points, those beyond the limits are kept. The step is odd, so that no time of day is left out.
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

# A sample by a hash of the key: every n-th row would leave out plots or times of day.
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
    """Return date, time, lab and plot of the first record behind a point (a sensor's: the latest); None: no record."""
    date, time, lab, plot = key
    values = {"latest": date == LATEST, "date": date, "time": time, "lab": lab, "plot": plot}
    cursor.execute(_FIND, values)
    found = cursor.fetchone()
    return None if found is None else tuple(found)


def read_chart(cursor: Cursor, choice: ChartChoice) -> list[dict[str, object]]:
    """Return the rows that the chart draws, in its order, a few thousand at most; times in the labs' time zone.

    Raises `DatabaseError` for an unknown lab.
    """
    if choice.lab:
        require_lab(cursor, choice.lab)
    found = {"first": choice.first, "last": choice.last}
    cursor.execute(_DAYS, found)
    ((origin, end, labs),) = cursor.fetchall()
    if origin is None and choice.name != "completeness":  # that one also shows days without records
        return []
    series = 1 if choice.lab else labs
    values: Mapping[str, object] = {
        **found,
        "lab": choice.lab,
        "plot": choice.plot,
        "field": choice.measure,
        "at_most": AT_MOST,
        "origin": origin,
        "step": None if origin is None else _step(choice, (end - origin).days + 1, series),
    }
    cursor.execute(_chart_statement(choice), values)
    return rows_as_dicts(cursor)


def _step(choice: ChartChoice, days: int, series: int) -> int:
    """Return how many days one point stands for; 0: one check."""
    if choice.name == "climate":
        return 0 if days <= _DAYS_OF_CHECKS and days * 4 * series <= AT_MOST else math.ceil(days * series / AT_MOST)
    lines = 20 if choice.lab else series
    return math.ceil(days * lines / AT_MOST / 2)


def _chart_statement(choice: ChartChoice) -> sql.Composable:
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
