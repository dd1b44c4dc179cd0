"""Databases with as many records as wanted, made by SQL, and the records that a measurement adds to them."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg2
from psycopg2.extensions import make_dsn

from abq_data_entry import postgres
from abq_data_entry.folders import bundled_file
from abq_data_entry.models import schema

RECORDS_A_DAY = 400
"""5 labs, 20 plots, 4 times."""

DATABASE = "abq_benchmark"

NOTE = "Saved by a benchmark."
"""By which the records are known that a measurement added."""

# Deterministic, but without a pattern that would flatter an index: a reading doesn't follow the date.
_FILL = """
    SELECT setseed(0.5);

    INSERT INTO lab_checks (date, time, lab_id, lab_tech_id)
    SELECT day, hour, lab,
        (ARRAY[4291, 4319, 4478, 5607])[1 + (number + ascii(lab) + extract(hour FROM hour)::int) %% 4]
    FROM (
        SELECT number, current_date - 1 - %(days)s + number AS day FROM generate_series(1, %(days)s) AS number
    ) AS days,
        unnest(ARRAY['8:00', '12:00', '16:00', '20:00']::time[]) AS hour, unnest(ARRAY['A', 'B', 'C', 'D', 'E']) AS lab
    ORDER BY day, hour, lab;

    INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, humidity, light, temperature, equipment_fault,
        blossoms, plants, fruit, max_height, min_height, median_height, notes, lab_tech_id)
    SELECT date, time, lab_id, plot, 'AXM' || 477 + (plot - 1) %% 4,
        CASE WHEN NOT fault THEN (0.5 + 51.5 * a)::numeric(4, 2) END,
        CASE WHEN NOT fault THEN (100 * b)::numeric(5, 2) END,
        CASE WHEN NOT fault THEN (4 + 36 * (a + c) / 2)::numeric(4, 2) END,
        fault, (1000 * b * c)::int, 20 * c, (1000 * a * b)::int, low + middle + 300 * c, low, low + middle,
        CASE WHEN fault THEN 'The sensors gave no answer, was told to the workshop.'
            WHEN a < 0.02 THEN 'Leaves are yellow' || chr(10) || 'at the tips, watered "twice".' END,
        lab_tech_id
    FROM (
        SELECT *, a < 0.01 AS fault, (100 * a * b)::numeric(6, 2) AS low, (200 * c)::numeric(6, 2) AS middle
        FROM (
            SELECT lab_checks.*, plot, random() AS a, random() AS b, random() AS c
            FROM (SELECT * FROM lab_checks ORDER BY date, time, lab_id) AS lab_checks, generate_series(1, 20) AS plot
        ) AS drawn
    ) AS readings
    LIMIT %(records)s;
"""


def fill(endpoint: Mapping[str, str], records: int, audited: bool = False) -> None:
    """Make the schema and that many records in a database without any, ending yesterday; the user is a superuser.

    `audited`: each with its entry in the audit, as if it had been entered, which takes longer.
    """
    schema.prepare(endpoint)
    if audited:
        with psycopg2.connect(make_dsn(**endpoint)) as connection, connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = off")
            cursor.execute(_FILL, {"records": records, "days": -(-records // RECORDS_A_DAY)})
        connection.close()
        return
    with psycopg2.connect(make_dsn(**endpoint)) as connection, connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'")
        # Neither rows nor references are checked one by one: the statement above can make no wrong ones. Nor do they go
        # to the audit, as if they were older than it.
        cursor.execute("SET session_replication_role = replica")
        for index in _secondary_indexes(cursor):
            cursor.execute(f"DROP INDEX {index}")
        cursor.execute(_FILL, {"records": records, "days": -(-records // RECORDS_A_DAY)})
    with psycopg2.connect(make_dsn(**endpoint)) as connection, connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute(bundled_file("create_db.sql").read_text(encoding="utf-8"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
    connection.close()


def _secondary_indexes(cursor: psycopg2.extensions.cursor) -> list[str]:
    cursor.execute(
        "SELECT indexname FROM pg_indexes WHERE tablename = 'plot_checks' AND indexname <> 'plot_checks_pkey'"
    )
    return [name for (name,) in cursor.fetchall()]


@contextmanager
def server(folder: Path) -> Iterator[postgres.EmbeddedServer]:
    """The embedded server of that folder; stopped at the end."""
    running = postgres.start(folder)
    try:
        yield running
    finally:
        running.stop()


def prepare(server: postgres.EmbeddedServer, records: int) -> str:
    """Return the name of a database of the server with that many records; it is filled unless it is there already."""
    name = f"{DATABASE}_{records}"
    server.create_database(name)
    endpoint = server.endpoint(name)
    schema.prepare(endpoint)
    found = _clean(endpoint)
    if found not in (0, records):
        raise SystemExit(f"The database {name} holds {found:,} records: drop it, or name another folder.")
    if found != records:
        print(f"Making {records:,} records …", file=sys.stderr, flush=True)
        fill(endpoint, records)
    return name


def _clean(endpoint: Mapping[str, str]) -> int:
    """Take out what an earlier run saved, and count the rest."""
    with psycopg2.connect(make_dsn(**endpoint)) as connection, connection.cursor() as cursor:
        forget(cursor)
        cursor.execute("SELECT count(*) FROM plot_checks")
        return int(cursor.fetchall()[0][0])


def forget(cursor: psycopg2.extensions.cursor) -> None:
    """Delete what the benchmarks saved: the newest records, with a note of ours, and all deliveries."""
    cursor.execute(
        """
        DELETE FROM deliveries;
        DELETE FROM plot_checks WHERE date >= (SELECT max(date) - 7 FROM plot_checks) AND notes = %s;
        DELETE FROM lab_checks AS empty WHERE date >= (SELECT max(date) - 7 FROM lab_checks)
            AND NOT EXISTS (SELECT FROM plot_checks WHERE (date, time, lab_id) = (empty.date, empty.time, empty.lab_id))
        """,
        [NOTE],
    )


def record(number: int) -> dict[str, str]:
    """The texts of a record of today that the dataset doesn't hold; each number below 400 is another plot."""
    plot, check = number % 20 + 1, number // 20
    return {
        "Date": datetime.date.today().isoformat(),
        "Time": ("8:00", "12:00", "16:00", "20:00")[check % 4],
        "Lab": "ABCDE"[check // 4],
        "Technician": "J Simms",
        "Plot": str(plot),
        "Seed sample": f"AXM{477 + (plot - 1) % 4}",
        "Humidity": "24.09",
        "Light": "1.03",
        "Temperature": "22.01",
        "Plants": "9",
        "Blossoms": "21",
        "Fruit": "3",
        "Min Height": "1.67",
        "Max Height": "8.70",
        "Median Height": "2.73",
        "Notes": NOTE,
    }
