"""Many people at one database: nothing of anybody's is lost, each save is quick, and what the audit costs."""

from __future__ import annotations

import datetime
import multiprocessing
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial

import psycopg2
from psycopg2.extensions import make_dsn

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel, schema
from benchmarks import correcting, dataset, table
from benchmarks.correcting import Outcome, Pace
from benchmarks.options import Options

WORKSTATIONS = 40
BETWEEN_SAVES = 1.0  # seconds; a technician needs half a minute for a plot
SAVE_LIMIT = 50.0  # milliseconds, of 99 in a hundred saves
AUDIT_LIMIT = 1.5  # times a save without it
ALL_LIMIT = 1.65  # times a save without it, and without what QA's views and marks need
ROUNDS_A_RUN = 40
WARM_UP = 10
PLOTS = 20
SMALL, LARGE = 50, 1000  # checks in one transaction
LARGE_LIMIT = 1.5  # times a record of a small one

# Each entry begins with what the one before it left, whoever wrote it.
_LOST = """
    SELECT count(*) FROM (
        SELECT old, lag(new) OVER (PARTITION BY table_name, key ORDER BY sequence) AS before, operation FROM audit
    ) AS entries
    WHERE old IS DISTINCT FROM before AND NOT (operation = 'INSERT' AND old IS NULL)
        OR operation = 'INSERT' AND before IS NOT NULL
"""
_COUNTED = "SELECT coalesce(sum(blossoms), 0), count(*) FROM plot_checks"
_ENTRIES = "SELECT count(*) FROM audit WHERE table_name = 'plot_checks'"
_DROP = """
    SELECT format('DROP TRIGGER %%I ON %%I', tgname, tgrelid::regclass) FROM pg_trigger WHERE tgname = ANY (%s)
"""
_OF_AUDIT = ("keep_audit_of_new", "keep_audit_of_changes", "raise_version")
_OF_MARKS = ("keep_marks", "keep_marks_of_gone")

_LOAD = """
    WITH checks AS (
        INSERT INTO lab_checks (date, time, lab_id, lab_tech_id)
            SELECT %(first)s::date + day, '8:00', 'A', 4291 FROM generate_series(1, %(checks)s) AS day
            RETURNING date, time, lab_id, lab_tech_id
    )
    INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, equipment_fault, plants, blossoms, fruit,
            min_height, median_height, max_height, lab_tech_id)
        SELECT date, time, lab_id, plot, 'AXM477', true, 1, 1, 1, 1, 2, 3, lab_tech_id
        FROM checks JOIN plots USING (lab_id)
"""


def measure(options: Options) -> list[table.Row]:
    """Many workstations at the same few plots; then saves with everything, without the audit, and without what QA's
    views and marks need as well, in turns."""
    names = ("abq_benchmark_trust", "abq_benchmark_without_audit", "abq_benchmark_without_any")
    with dataset.server(options.folder) as server:
        endpoints = [server.endpoint(name) for name in names]
        for endpoint in endpoints:
            _make_anew(server.endpoint("postgres"), endpoint)
        whole, without_audit, without_any = endpoints
        _drop(without_audit, _OF_AUDIT)
        _drop(without_any, _OF_AUDIT + _OF_MARKS)
        return [
            *_many(whole, options.writing_seconds),
            *_cost(endpoints, options.runs * ROUNDS_A_RUN),
            _large(whole, max(1, options.runs // 3)),
        ]


def _make_anew(postgres: Mapping[str, str], endpoint: Mapping[str, str]) -> None:
    connection = psycopg2.connect(make_dsn(**postgres))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {endpoint['dbname']} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {endpoint['dbname']} TEMPLATE template0")
    connection.close()
    schema.prepare(endpoint)


def _drop(endpoint: Mapping[str, str], triggers: Sequence[str]) -> None:
    with psycopg2.connect(make_dsn(**endpoint)) as connection, connection.cursor() as cursor:
        cursor.execute(_DROP, [list(triggers)])
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)
    connection.close()


def _many(endpoint: dict[str, str], seconds: float) -> list[table.Row]:
    outcomes = _correct_together(endpoint, Pace(seconds, BETWEEN_SAVES))
    confirmed, refused = (sum(getattr(each, name) for each in outcomes) for name in ("confirmed", "refused"))
    times = [duration for each in outcomes for duration in each.times]
    with psycopg2.connect(make_dsn(**endpoint)) as connection, connection.cursor() as cursor:
        lost = _number(cursor, _LOST) + abs(confirmed - _number(cursor, _COUNTED))
        entries = _number(cursor, _ENTRIES)
    connection.close()
    model = SQLModel.at(endpoint)
    breaks = model.verify_audit().breaks
    model.close()
    what = f"{WORKSTATIONS} workstations, {seconds:.0f} s, {len(correcting.LABS) * correcting.PLOTS} plots"
    told = f"{confirmed:,} saves, {refused:,} refused for another's and merged"
    hundredths = statistics.quantiles(times, n=100)
    rate = f"99 of 100 saves, {len(times) / seconds:.0f} a second in all; half of them {hundredths[49]:.1f} ms"
    return [
        table.Row(f"{what}: updates lost", "", (lost,), 0, remark=told),
        table.Row(f"{what}: audit entries missing or too many", "", (abs(entries - confirmed),), 0),
        table.Row(f"{what}: chains of the audit broken", "", (len(breaks),), 0),
        table.Row(f"{what}: a save", "ms", (hundredths[98],), SAVE_LIMIT, remark=rate),
    ]


def _correct_together(endpoint: dict[str, str], pace: Pace) -> list[Outcome]:
    """Run every workstation as a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.correcting"])
    with context.Manager() as manager, context.Pool(WORKSTATIONS, maxtasksperchild=1) as pool:
        together = manager.Barrier(WORKSTATIONS)
        tasks = [(endpoint, number, pace, together) for number in range(WORKSTATIONS)]
        return pool.starmap(correcting.correct, tasks, chunksize=1)


def _cost(endpoints: Sequence[Mapping[str, str]], rounds: int) -> list[table.Row]:
    """Saves of new records and corrections, as often into each: everything, no audit, neither audit nor QA's part."""
    models = [SQLModel.at(endpoint) for endpoint in endpoints]
    times: list[list[float]] = [[] for _ in models]
    for number in range(WARM_UP + rounds):
        for turn in range(len(models)):
            place = (turn + number) % len(models)  # whoever comes first pays for what all of them need
            duration = _seconds(partial(models[place].save_record, _record(number)))
            if number >= WARM_UP:
                times[place].append(duration)
    for model in models:
        model.close()
    whole, without_audit, without_any = times
    return [
        table.ratios("a save with versions, audit and chain against one without", whole, without_audit, AUDIT_LIMIT),
        table.ratios("a save with audit, marks and QA's views against one without", whole, without_any, ALL_LIMIT),
    ]


def _large(endpoint: Mapping[str, str], pairs: int) -> table.Row:
    """Many records of one laboratory in one transaction, and fewer, in turns: seconds a record."""
    times: dict[int, list[float]] = {SMALL: [], LARGE: []}
    first = datetime.date(1900, 1, 1)
    with closing(psycopg2.connect(make_dsn(**endpoint))) as connection, connection.cursor() as cursor:
        for pair in range(pairs):
            for checks in (SMALL, LARGE) if pair % 2 else (LARGE, SMALL):
                began = time.perf_counter()
                cursor.execute(_LOAD, {"first": first, "checks": checks})
                connection.commit()
                times[checks].append((time.perf_counter() - began) / (checks * PLOTS))
                first += datetime.timedelta(days=checks)
    what = f"a record of {LARGE * PLOTS:,} in one transaction against one of {SMALL * PLOTS:,}"
    return table.ratios(what, times[LARGE], times[SMALL], LARGE_LIMIT)


def _record(number: int) -> dict[str, object]:
    """Every plot of a check, then a correction of each, then the next check."""
    check, place = divmod(number, 40)
    date = datetime.date(2020, 1, 1) + datetime.timedelta(days=check)
    texts = {**dataset.record(place % 20), F.DATE: date.isoformat(), F.PLANTS: str(place // 20)}
    return dict(fields.parse_record(texts))


def _seconds(work: partial[None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _number(cursor: psycopg2.extensions.cursor, statement: str) -> int:
    cursor.execute(statement)
    return int(cursor.fetchall()[0][0])
