"""The record list at ten million records: any page of any order; and a save against two bare inserts and a commit."""

from __future__ import annotations

import argparse
import datetime
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn

from abq_data_entry.models import SORTABLE, Selection, SQLModel
from benchmarks import dataset

PAGE = 50
PAGE_LIMIT_MS = 30.0
SAVE_RATIO_LIMIT = 2.0

Record = dict[str, object]
Result = TypeVar("Result")

_FILTERS: tuple[Record, ...] = (
    {},
    {"lab": "A"},
    {"plot": 7},
    {"technician": "P Taylor"},
    {"lab": "A", "plot": 7},
    {"lab": "A", "plot": 7, "technician": "P Taylor"},
)
_FILTERED_SORTS = ("Date", "Humidity", "Technician", "Median Height")
_ALL_DATES = datetime.date(9999, 12, 31)

_BARE_CHECK = "INSERT INTO lab_checks (date, time, lab_id, lab_tech_id) VALUES (%s, %s, %s, %s)"
_BARE_PLOT = (
    "INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, humidity, light, temperature, equipment_fault,"
    " blossoms, plants, fruit, max_height, min_height, median_height, notes, lab_tech_id)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)


def measure_pages(model: SQLModel) -> bool:
    """Print how long the pages of each selection take at worst; tell whether all are within the limit."""
    print(f"\nPages of {PAGE} records, the first time each is asked for (ms, at most {PAGE_LIMIT_MS:.0f})")
    print(f"  {'order and filter':44} {'records':>11} {'count s':>8} {'first':>6} {'any':>6} {'beside':>6} {'last':>6}")
    slowest = 0.0
    for selection in _selections():
        seconds, index = _timed(partial(model.count_records, selection))
        get_page = partial(model.get_page, selection, PAGE)
        first = _timed(get_page)[0] * 1000
        places = [index.total * percent // 100 for percent in (10, 37, 50, 77, 99)] if index.total else []
        anywhere, beside = [0.0], [0.0]
        for start in places:
            took, page = _timed(partial(get_page, start=start, index=index))
            anywhere.append(took * 1000)
            beside.append(_timed(partial(get_page, after=page[-1]))[0] * 1000)
            beside.append(_timed(partial(get_page, before=page[0]))[0] * 1000)
        last = _timed(partial(get_page, last=True))[0] * 1000
        slowest = max(slowest, first, last, *anywhere, *beside)
        print(
            f"  {_named(selection):44} {index.total:11,} {seconds:8.2f} {first:6.1f} {max(anywhere):6.1f}"
            f" {max(beside):6.1f} {last:6.1f}",
            flush=True,
        )
    print(f"  slowest of all: {slowest:.1f} ms")
    return slowest <= PAGE_LIMIT_MS


def measure_saves(model: SQLModel, endpoint: Mapping[str, str], pairs: int) -> bool:
    """Print what a save takes against two bare inserts and a commit into the same tables, in turns; then undo both."""
    connection = psycopg2.connect(make_dsn(**endpoint))
    times = [
        (
            _timed(partial(model.save_record, _record(2 * pair), "insert"))[0] * 1000,
            _timed(partial(_insert_bare, connection, 2 * pair + 1))[0] * 1000,
        )
        for pair in range(pairs)
    ]
    _undo(connection)
    ratio = statistics.median(own / other for own, other in times)
    print(f"\nA save of the first plot of a check, {pairs} pairs in turns (ms)")
    names = ("save_record", "two bare inserts, commit")
    for name, column in zip(names, zip(*times, strict=True), strict=True):
        hundredths = statistics.quantiles(column, n=100)
        middle = statistics.median(column)
        print(f"  {name:26} median {middle:6.2f}   95 % {hundredths[94]:6.2f}   most {max(column):6.2f}")
    print(f"  ratio of each pair         median {ratio:6.2f}   at most {SAVE_RATIO_LIMIT}")
    return ratio <= SAVE_RATIO_LIMIT


def measure_size(model: SQLModel) -> None:
    """Print what the table and its indexes take."""
    rows = model.query(
        "SELECT relname, pg_relation_size(oid) / 1048576.0 AS mib FROM pg_class"
        " WHERE relname LIKE 'plot_checks%' AND relkind IN ('r', 'i') ORDER BY relkind DESC, 2 DESC"
    )
    print("\nSizes (MiB)")
    for row in rows or []:
        print(f"  {row['relname']:36} {row['mib']:9,.0f}")


def _selections() -> Iterator[Selection]:
    for sort in SORTABLE:
        yield Selection(sort=sort)
    yesterday = datetime.date.today() - datetime.timedelta(1)
    for filters in ({"date": yesterday}, *_FILTERS[1:]):
        for sort in _FILTERED_SORTS:
            yield Selection(sort=sort, **filters)  # type: ignore[arg-type]


def _named(selection: Selection) -> str:
    filters = (selection.date, selection.lab, selection.plot, selection.technician)
    return ", ".join([selection.sort, *(str(each) for each in filters if each is not None)])


def _record(day: int) -> Record:
    texts = "8:00|J Simms|A|3|AXM479|24.09|1.03|22.01|no|9|21|3|1.67|8.70|2.73|"
    date = _ALL_DATES - datetime.timedelta(day)
    names = "Time|Technician|Lab|Plot|Seed sample|Humidity|Light|Temperature|Equipment Fault|Plants|Blossoms|Fruit|"
    return {
        "Date": date,
        **dict(zip((names + "Min Height|Max Height|Median Height|Notes").split("|"), texts.split("|"), strict=True)),
    }


def _insert_bare(connection: Connection, day: int) -> None:
    date = _ALL_DATES - datetime.timedelta(day)
    with connection.cursor() as cursor:
        cursor.execute(_BARE_CHECK, (date, "8:00", "A", 4291))
        cursor.execute(
            _BARE_PLOT,
            (date, "8:00", "A", 3, "AXM479", 24.09, 1.03, 22.01, False, 21, 9, 3, 8.7, 1.67, 2.73, None, 4291),
        )
    connection.commit()


def _undo(connection: Connection) -> None:
    with connection.cursor() as cursor:
        for table in ("plot_checks", "lab_checks"):
            cursor.execute(f"DELETE FROM {table} WHERE date > '9900-01-01'")
    connection.commit()
    connection.close()


def _timed(work: Callable[[], Result]) -> tuple[float, Result]:
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def run(arguments: argparse.Namespace) -> bool:
    """Measure and print all of it; tell whether it is within the limits."""
    with dataset.database(arguments) as endpoint:
        model = SQLModel.at(endpoint)
        model.connect()
        measure_size(model)
        good = measure_saves(model, endpoint, arguments.pairs)
        good = measure_pages(model) and good
        model.close()
    return good


def main() -> int:
    """Run it from the command line."""
    parser = dataset.options(__doc__ or "", 10_000_000)
    parser.add_argument("--pairs", type=int, default=200, help="how many saves of each kind (%(default)s)")
    return 0 if run(parser.parse_args()) else 1


if __name__ == "__main__":
    sys.exit(main())
