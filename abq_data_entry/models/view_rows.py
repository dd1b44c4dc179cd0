"""The rows of a view, read in batches: what an export writes, whatever its format."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from psycopg2.extensions import TRANSACTION_STATUS_INTRANS
from psycopg2.extensions import cursor as Cursor

from abq_data_entry.fields import FIELDS
from abq_data_entry.models.errors import DatabaseError

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
    """There is no view of that name, or none that this login may read."""


class Column(NamedTuple):
    """One column of a view.

    `type` is PostgreSQL's name of it (`date`, `time`, `timestamptz`, `bool`, `int2`, `numeric`, `float8`, `text`,
    `bpchar`, `_int2` for a list of numbers …), `digits` and `places` those of a numeric that has limits. `comment` is
    what the database says of it, `unit` its UCUM code, `term` the number of an ontology's term; empty if none.
    """

    name: str
    type: str
    digits: int | None = None
    places: int | None = None
    comment: str = ""
    unit: str = ""
    term: str = ""


class Wanted(NamedTuple):
    """Which rows of a view: both days are included, `None` is no end; without a lab those of all."""

    view: str
    first: datetime.date | None = None
    last: datetime.date | None = None
    lab: str = ""


class ViewRows(NamedTuple):
    """What is read: `batches` come from the server as they are taken. `total` is `None` where counting would mean to
    compute the view twice. Moments are by the clock of `time_zone`, the labs'."""

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


def read_rows(cursor: Cursor, wanted: Wanted, take: Callable[[ViewRows], Result]) -> Result:
    """Return what `take` makes of the rows; within a transaction. Memory doesn't grow with the number of rows.

    Raises `UnknownView`; what `take` raises goes through.
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
    try:
        return take(ViewRows(columns, _batches(cursor), total, time_zone))
    finally:
        if not cursor.connection.closed and cursor.connection.info.transaction_status == TRANSACTION_STATUS_INTRANS:
            cursor.execute("CLOSE exported")


def require_lab(cursor: Cursor, lab: str) -> None:
    """Raise `DatabaseError` for a lab that there isn't; who may not look them up gets no rows of it."""
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
    """Return the columns of a view, or of what a function of that name returns."""
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
    limited = kind == "numeric" and modifier >= 4
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
    cursor: Cursor, wanted: Wanted, columns: Sequence[str]
) -> tuple[str, dict[str, object], bool]:
    """Return the statement without its order, its values, and whether its rows are cheap to count."""
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
    """Return the type of the two ends that the function of that name takes, '' if there is none."""
    cursor.execute(
        "SELECT proargtypes[0]::regtype::text FROM pg_proc WHERE oid IN"
        " (to_regprocedure(%s), to_regprocedure(%s), to_regprocedure(%s))",
        (f"{view}(date,date)", f"{view}(date,date,integer[])", f"{view}(timestamptz,timestamptz)"),
    )
    found = cursor.fetchall()
    return str(found[0][0]) if found else ""


def _bound(kind: str, name: str, days: int) -> str:
    """Return the end that a function is asked with; where it takes moments, the midnight before or after that day."""
    if kind == "date":
        return f"%({name})s::date"
    return f"(%({name})s::date + {days})::timestamp AT TIME ZONE current_setting('TimeZone')"


def _within(wanted: Wanted, columns: Sequence[str]) -> str:
    date = next((each for each in ("date", "Date") if each in columns), None)
    if date is not None and wanted.view != "changes":  # of which is asked when they were made, as its function does
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
    """By time, lab and plot. A view without days or moments has an order of its own."""
    names = [each.name for each in columns]
    if not {"date", "Date", *_MOMENTS} & set(names):
        return ""
    return "ORDER BY " + ", ".join(f'"{each}"' for each in _IN_ORDER if each in names)
