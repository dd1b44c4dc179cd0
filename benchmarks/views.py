"""The views for QA over one season and over ten, each read whole; and how much the weather and the audit hold then."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing

import psycopg2
from psycopg2.extensions import make_dsn

from abq_data_entry.models.auditing import QA_VIEWS
from benchmarks import dataset, table
from benchmarks.options import Options

SEASON = 72_000
"""Records of 180 days."""

LIMITS = {1: 1.0, 10: 5.0}
"""Seconds that a view may take, by the number of seasons."""

# An observation each hour, and an entry for each record as if it had been entered ten minutes after its check.
_MORE = """
    SET session_replication_role = replica;
    INSERT INTO local_weather (datetime, temperature, rel_hum, pressure)
        SELECT moment, 10 + 8 * sin(extract(epoch FROM moment) / 13750.99) + 3 * random(), 40 + 50 * random(),
            1000 + 30 * random()
        FROM (SELECT min(date) AS first, max(date) AS last FROM lab_checks) AS days,
            generate_series(first::timestamptz - interval '1 day', last::timestamptz + interval '1 day', '1 hour')
                AS moment
        ON CONFLICT DO NOTHING;
    INSERT INTO audit (lab_id, sequence, table_name, key, operation, new, database_user, application_user, workstation,
            moment, transaction, previous_hash, hash)
        SELECT lab_id, 1000000 + row_number() OVER (PARTITION BY lab_id ORDER BY date, time, plot), 'plot_checks',
            record_key(date, time, lab_id, plot), 'INSERT', to_jsonb(p), current_user, 'J Simms', 'bench',
            (date + time) AT TIME ZONE (SELECT time_zone FROM lab_settings) + interval '10 minutes',
            1, '', ''
        FROM plot_checks AS p
        WHERE NOT EXISTS (SELECT FROM audit WHERE sequence > 1000000);
"""


def measure(options: Options) -> list[table.Row]:
    """A row for each view and number of seasons."""
    rows = []
    with dataset.server(options.folder) as server:
        for seasons, limit in LIMITS.items():
            records = min(SEASON * seasons, options.records * seasons)
            endpoint = server.endpoint(dataset.prepare(server, records))
            with closing(psycopg2.connect(make_dsn(**endpoint))) as connection:
                complete(connection)
                for view in QA_VIEWS:
                    seconds = [_read(endpoint, view) for _ in range(3)]
                    rows.append(table.row(f"{view} over {records:,} records", "s", seconds, limit))
    return rows


def complete(connection: psycopg2.extensions.connection) -> None:
    """Add the weather and the audit of the records, unless they are there."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(_MORE)
        cursor.execute("VACUUM ANALYZE local_weather, audit, plot_checks")
        cursor.execute("SELECT qa_rebuild()")


def _read(endpoint: Mapping[str, str], view: str) -> float:
    """Return the seconds until all rows were computed, in a session of its own."""
    with closing(psycopg2.connect(make_dsn(**endpoint))) as connection, connection.cursor() as cursor:
        begin = time.perf_counter()
        cursor.execute(f"SELECT count(each) FROM {view} AS each")
        return time.perf_counter() - begin
