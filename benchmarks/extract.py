"""The extract of all records against psql's \\copy of the view to a file, in turns; and our memory meanwhile."""

from __future__ import annotations

import datetime
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from abq_data_entry import postgres
from abq_data_entry.models import SQLModel
from benchmarks import dataset, table
from benchmarks.memory import most_memory
from benchmarks.options import Options

RATIO_LIMIT = 1.25
MEMORY_LIMIT = 10.0  # MiB
MOST_PAIRS = 7

_ALWAYS = (datetime.date(1, 1, 1), datetime.date(9999, 12, 31))


def measure(options: Options) -> list[table.Row]:
    """One a process: it looks at the most memory that this one ever had."""
    what = f"extract of {options.extract_records:,} records"
    psql = _psql()
    if psql is None:
        return [table.not_measured(what, "psql is missing: install postgresql-client", RATIO_LIMIT, "×")]
    with dataset.server(options.folder) as server:
        endpoint = server.endpoint(dataset.prepare(server, options.extract_records))
        model = SQLModel.at(endpoint)
        with tempfile.TemporaryDirectory(prefix="abq-extract-") as folder:
            ours, theirs = Path(folder, "ours.csv"), Path(folder, "theirs.csv")
            tasks: list[Callable[[], object]] = [
                lambda: model.export_records(ours, *_ALWAYS),
                lambda: _copy(psql, endpoint, theirs),
            ]
            # A day first, so that what every extract needs is there before the memory is looked at.
            model.export_records(ours, datetime.date.today() - datetime.timedelta(1))
            before = most_memory()
            for task in tasks:
                task()
            times: tuple[list[float], list[float]] = ([], [])
            for pair in range(min(options.runs, MOST_PAIRS)):
                for place in (0, 1) if pair % 2 else (1, 0):
                    times[place].append(_seconds(tasks[place]))
            grown = most_memory() - before
        model.close()
    return [
        table.ratios(f"{what}, against psql \\copy of the view", *times, RATIO_LIMIT),
        table.row(f"{what}, memory added", "MiB", [grown], MEMORY_LIMIT),
    ]


def _psql() -> str | None:
    bundled = postgres.binaries() / "psql"
    return str(bundled) if bundled.exists() else shutil.which("psql")


def _copy(psql: str, endpoint: Mapping[str, str], path: Path) -> None:
    command = f"\\copy (SELECT * FROM data_record_view) TO '{path}' WITH (FORMAT csv, HEADER)"
    subprocess.run([psql, "-Xq", "-d", postgres.dsn(endpoint), "-c", command], check=True)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
