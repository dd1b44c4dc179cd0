"""A save: from the key in the last field to the form ready for the next plot; and its part in the database."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from benchmarks import dataset, table
from benchmarks.driver import Driver, window
from benchmarks.options import Options

SAVE_LIMIT = 30.0  # milliseconds
DATABASE_LIMIT = 2.0  # times a bare insert and commit
WARM_UP = 2

_BARE = """
    INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, humidity, light, temperature, equipment_fault,
        plants, blossoms, fruit, min_height, max_height, median_height, notes)
    VALUES (%(Date)s, %(Time)s, %(Lab)s, %(Plot)s, %(Seed sample)s, %(Humidity)s, %(Light)s, %(Temperature)s, false,
        %(Plants)s, %(Blossoms)s, %(Fruit)s, %(Min Height)s, %(Max Height)s, %(Median Height)s, %(Notes)s)
"""


def measure_none(options: Options) -> list[table.Row]:
    """Saves into a database without records."""
    return _measure(options, 0)


def measure_many(options: Options) -> list[table.Row]:
    """Saves into a database with many records, all of them in the list."""
    return _measure(options, options.records)


def _measure(options: Options, records: int) -> list[table.Row]:
    what = f"with {records:,} records"
    with dataset.server(options.folder) as server:
        database = dataset.prepare(server, records)
        endpoint = server.endpoint(database)
        try:
            with window(options, database) as driver:
                driver.show_every_day()
                driver.settle()
                times = [_save(driver, number) for number in range(options.runs + WARM_UP)][WARM_UP:]
                blocked = driver.blocked(f"saving {what}")
            ours, bare = _in_the_database(endpoint, max(options.runs, 2))
        finally:
            with psycopg2.connect(make_dsn(**endpoint)) as connection, connection.cursor() as cursor:
                dataset.forget(cursor)
    return [
        table.row(f"save, from the key to the next plot, {what}", "ms", times, SAVE_LIMIT),
        table.ratios(f"save, database part against a bare insert and commit, {what}", ours, bare, DATABASE_LIMIT),
        blocked,
    ]


def _save(driver: Driver, number: int) -> float:
    """Fill the form, press Enter in the last field, and wait until the next plot's first field has the focus."""
    form, record = driver.app.form, dataset.record(number)
    if form.check_key is None or number % 20 == 0:
        form.set_check(datetime.date.today(), record[F.TIME], record[F.LAB])
        driver.until(lambda: form.check.known, "the check")
        driver.fill({F.TECHNICIAN: record[F.TECHNICIAN]})
    driver.settle()
    driver.fill({name: text for name, text in record.items() if name not in (F.DATE, F.TIME, F.LAB, F.TECHNICIAN)})
    last = form.inputs[F.MEDIAN_HEIGHT]
    last.editor.focus_force()
    driver.until(lambda: form.focused is last, "the focus")
    driver.settle()
    saved, first = driver.app.shared.saved_records, form.inputs[F.HUMIDITY]

    def ready() -> bool:
        done = driver.app.shared.saved_records > saved and not form.saving
        return done and (form.focused is first or form.check.complete)

    return 1000 * driver.seconds(lambda: driver.keyboard.press("Return"), ready, "the save")


def _in_the_database(endpoint: Mapping[str, str], pairs: int) -> tuple[list[float], list[float]]:
    """Seconds of a save by the model, and of one bare statement with its commit, in turns, of plots of one check."""
    model = SQLModel.at(endpoint)
    connection = psycopg2.connect(make_dsn(**endpoint))
    times: tuple[list[float], list[float]] = ([], [])
    numbers = iter(range(200, 400))
    try:
        for _check in range(-(-pairs // 9)):
            model.save_record(dataset.record(next(numbers)), "insert")
            with connection, connection.cursor() as cursor:
                cursor.execute(_BARE, _typed(next(numbers)))
            for pair in range(9):
                tasks = (
                    partial(model.save_record, _typed(next(numbers)), "insert"),
                    partial(_insert, connection, _typed(next(numbers))),
                )
                for place in (0, 1) if pair % 2 else (1, 0):
                    times[place].append(_seconds(tasks[place]))
    finally:
        connection.close()
        model.close()
    return times


def _insert(connection: Any, record: Mapping[str, object]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_BARE, record)
    connection.commit()


def _typed(number: int) -> dict[str, object]:
    return dict(fields.parse_record(dataset.record(number)))


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
