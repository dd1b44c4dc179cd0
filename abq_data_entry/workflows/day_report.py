"""The report of a day as one page: what was recorded, what stands out, what was corrected, and what is open."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import folders
from ..charts import MEASURES, QUANTITIES, ChartChoice, ChartsMissing
from ..constants import APPLICATION_ID
from ..counting import counted, ranges
from ..exporting.texts import short_time
from ..exporting.web_page import Picture, Section, page
from ..models.errors import DatabaseError
from ..models.view_rows import ViewQuery, ViewRows
from ..version import version
from .draw_chart import chart_file

if TYPE_CHECKING:
    from ..models import SQLModel

Row = dict[str, Any]

MOST_ROWS = 200
"""How many rows a table of the report has at most; a line below it says how many there are."""
CHART_DAYS = 30
DRIFT_DAYS = 90
_CHART_SIZE = (640, 300)
_FIGURES = 4  # significant digits of a computed number
_WEATHER_UNITS = {"temperature": "°C", "rel_hum": "%", "humidity": "g/m³", "pressure": "hPa"}


class Reported(NamedTuple):
    """The report's file, and sentences about parts that couldn't be made."""

    file: Path
    problems: list[str]


def usual_name(date: datetime.date) -> str:
    """Return the default name of a day's report."""
    return f"abq_report_{date}.html"


def write_report(
    model: SQLModel, date: datetime.date, target: Path, now: datetime.datetime, with_charts: bool = True
) -> Reported:
    """Write the report of a day to a file, whole or not at all. A part that can't be made is replaced by the reason.

    Raises `DatabaseError` if the database can't be read at all, and `OSError`.
    """
    days = ViewQuery("completeness", date, date)
    problems: list[str] = []
    parts: list[tuple[str, Callable[[], Section]]] = [
        ("Completeness", lambda: _completeness(_rows(model, days))),
        ("Questions from QA", lambda: _questions(model)),
        ("Readings that stand out", lambda: _outliers(model, date)),
        ("Sensors that drift", lambda: _drift(model, date)),
        ("Control charts", lambda: _control(model, date, with_charts)),
        ("Weather", lambda: _weather(model, date)),
        ("Corrections", lambda: _corrections(model, date)),
        ("Audit", lambda: _audit(model, date)),
    ]
    model.connect()
    sections = list(_sections(parts, problems))
    made = f"Made by {APPLICATION_ID} {version()} on {now:%Y-%m-%d %H:%M}"
    with folders.replacement(target) as file:
        file.write_text(page(f"ABQ laboratories: {date:%A}, {date}", made, sections), encoding="utf-8")
    return Reported(target, problems)


def _sections(parts: Sequence[tuple[str, Callable[[], Section]]], problems: list[str]) -> Iterator[Section]:
    for title, make in parts:
        try:
            yield make()
        except (DatabaseError, ChartsMissing) as error:
            problems.append(f"{title}: {error}")
            yield Section(title, [f"This part couldn't be made: {error}"])


def _rows(model: SQLModel, wanted: ViewQuery, keep: Callable[[Row], bool] = lambda row: True) -> list[Row]:
    """Return the rows of a view for which `keep(row)` is true."""

    def take(found: ViewRows) -> list[Row]:
        names = [each.name for each in found.columns]
        made = (dict(zip(names, row, strict=True)) for batch in found.batches for row in batch)
        return [row for row in made if keep(row)]

    return model.read_view(wanted, take)


def _table(
    title: str, sentence: str, names: Sequence[str], rows: Sequence[Row], units: Mapping[str, str] | None = None
) -> Section:
    """Return a section with a table of these columns, of at most `MOST_ROWS` rows. `units`: by column. A column `field`
    names the field to which the values of its row belong; that field's unit is added to the name."""
    shown = [
        [_with_unit(row[name]) if name == "field" else _shown(row[name]) for name in names] for row in rows[:MOST_ROWS]
    ]
    below = f"{MOST_ROWS} of {len(rows):,}; `export` writes all of them." if len(rows) > MOST_ROWS else ""
    heads = [f"{each} ({units[each]})" if units and each in units else each for each in names]
    return Section(title, [sentence], [each.replace("_", " ") for each in heads], shown, below)


def _with_unit(column: str) -> str:
    """Return the name of a field with its unit, if it has one: `median height (cm)`."""
    unit = QUANTITIES[column].unit if column in QUANTITIES else ""
    return column.replace("_", " ") + (f" ({unit})" if unit else "")


def _shown(value: Any) -> Any:
    """Return a value for people: times to the minute, computed numbers with four significant digits."""
    if isinstance(value, datetime.datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, datetime.time):
        return short_time(value)
    if isinstance(value, float):
        return float(f"{value:.{_FIGURES}g}") + 0.0  # + 0.0 turns -0.0 into 0.0
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value


def _completeness(rows: list[Row]) -> Section:
    expected, recorded = (sum(row[name] for row in rows) for name in ("expected", "recorded"))
    gaps = [{**row, "missing": ranges(row["missing"])} for row in rows if row["missing"]]
    if not rows:
        return Section("Completeness", ["No check of this day was due yet, and none was begun."])
    sentence = f"{recorded:,} of {counted(expected, 'record')} of {counted(len(rows), 'check')}."
    if not gaps:
        return Section("Completeness", [f"{sentence} Nothing is missing."])
    return _table("Completeness", f"{sentence} Missing:", ("time", "lab", "expected", "recorded", "missing"), gaps)


def _questions(model: SQLModel) -> Section:
    marks = model.get_marks(["queried"])
    rows = [
        {
            "date": each.date, "time": each.time, "lab": each.lab, "plot": each.plot, "field": each.field,
            "value": each.value, "question": each.words, "asked_by": each.marked_by, "technician": each.technician,
            "status": each.status, "answer": each.answer,
        }
        for each in marks
    ]  # fmt: skip
    if not rows:
        return Section("Questions from QA", ["None is open."])
    waiting = sum(each.waits for each in marks)
    return _table("Questions from QA", f"{counted(len(rows), 'question')}, {waiting} without an answer:",
                  tuple(rows[0]), rows)  # fmt: skip


def _outliers(model: SQLModel, date: datetime.date) -> Section:
    rows = _rows(model, ViewQuery("reading_outliers", date, date))
    rows.sort(key=lambda row: -abs(row["z"] or 0))
    names = ("time", "lab", "plot", "field", "value", "median", "deviation", "z", "technician")
    if not rows:
        return Section("Readings that stand out", ["None: no modified z is over 3.5."])
    return _table("Readings that stand out", f"{counted(len(rows), 'reading')}, the furthest first:", names, rows)


def _drift(model: SQLModel, date: datetime.date) -> Section:
    first = date - datetime.timedelta(days=DRIFT_DAYS - 1)

    def drifts(row: Row) -> bool:
        is_slope = row["low"] is not None and (row["low"] > 0 or row["high"] < 0)
        return is_slope and row["ewma_since"] is not None and row["cusum_since"] is not None

    rows = _rows(model, ViewQuery("sensor_drift", first, date), drifts)
    names = ("lab", "plot", "field", "days", "slope_per_day", "low", "high", "tau", "ewma_since", "cusum_since")
    if not rows:
        return Section("Sensors that drift", [f"None in the {DRIFT_DAYS} days up to this one."])
    sentence = f"{counted(len(rows), 'sensor')}: slope, EWMA and CUSUM of {DRIFT_DAYS} days agree."
    return _table("Sensors that drift", sentence, names, rows)


def _control(model: SQLModel, date: datetime.date, with_charts: bool) -> Section:
    rows = _rows(model, ViewQuery("control_chart", date, date))
    violated = [row for row in rows if row["rules"]]
    if not rows:
        return Section("Control charts", ["There are no means of checks of this day."])
    names = ("lab", "field", "moment", "value", "centre", "lower", "upper", "rules")
    sentence = "Violated rules of Nelson, by number:" if violated else "No rule of Nelson is violated on this day."
    pictures: list[Picture] = []
    missing = ""
    if with_charts:
        try:
            pictures = list(_control_pictures(model, date, sorted({str(row["lab"]) for row in rows})))
        except ChartsMissing as error:
            missing = str(error)
    found = _table("Control charts", sentence, names, violated)
    return found._replace(sentences=list(filter(None, [*found.sentences, missing])), pictures=pictures)


def _control_pictures(model: SQLModel, date: datetime.date, labs: Sequence[str]) -> Iterator[Picture]:
    first = date - datetime.timedelta(days=CHART_DAYS - 1)
    for lab in labs:
        for measure in MEASURES:
            choice = ChartChoice("control", lab, None, first, date, measure)
            svg = chart_file(model, choice, "svg", size=_CHART_SIZE)
            yield Picture(svg, f"Lab {lab}, {measure}: check means less the usual mean of their time of day")


def _weather(model: SQLModel, date: datetime.date) -> Section:
    rows = _rows(model, ViewQuery("outside_weather", date, date))
    holes = _rows(model, ViewQuery("weather_holes", date, date))
    if not rows:
        return Section("Weather", ["There is no observation of this day."])
    gaps = sum(row["kind"] == "gap" for row in holes)
    alone = sum(row["kind"] == "check" for row in holes)
    sentence = (
        f"{counted(len(rows), 'observation')}, {counted(gaps, 'gap')} of more than 90 minutes,"
        f" {counted(alone, 'check')} without one within 45 minutes."
    )
    return _table("Weather", sentence, ("moment", *_WEATHER_UNITS, "kind"), rows, _WEATHER_UNITS)


def _corrections(model: SQLModel, date: datetime.date) -> Section:
    rows = _rows(model, ViewQuery("changes", date, date))
    names = ("moment", "who", "reason", "date", "time", "lab", "plot", "field", "was", "became")
    if not rows:
        return Section("Corrections", ["Nothing was corrected, moved or withdrawn on this day."])
    sentence = f"{counted(len(rows), 'change')} made on this day, of records of any day:"
    return _table("Corrections", sentence, names, rows)


def _audit(model: SQLModel, date: datetime.date) -> Section:
    heads = model.audit_heads(date)
    if not heads:
        return Section("Audit", ["No lab has a check of this day."])
    sentence = "Where the audit of each lab stood when this was made. `db verify --head` takes the line as it is."
    return Section("Audit", [sentence], code=heads)
