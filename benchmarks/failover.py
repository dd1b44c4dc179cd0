"""The primary killed under load, again and again: what was confirmed is there once, and entry goes on by itself."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

from abq_data_entry.models import SQLModel, schema
from benchmarks import table
from benchmarks.options import Options
from benchmarks.workstations import Workstation, acknowledged, enter
from tests.fixtures.cluster import Cluster, cluster, wait_until

WRITERS = 8
SECONDS_TO_FIRST_SAVE = 2.0
_STORED = """SELECT concat_ws(' ', "Date", "Time", "Lab", "Plot", "Plants") AS key FROM data_record_view"""
_ENTERED_TWICE = """
    SELECT key FROM audit WHERE table_name = 'plot_checks' AND operation = 'INSERT' GROUP BY key HAVING count(*) > 1
"""
LOAD_SECONDS = 1.0
_WITHOUT_PRIMARY = 0.3  # seconds in which everybody notices


def measure(options: Options) -> list[table.Row]:
    """A primary with a synchronous standby; each time a new standby is built."""
    if sys.platform != "linux":
        return [table.not_measured("failover", "the clusters run on Linux only")]
    with cluster(options.folder / "failover", fsync=True) as servers:
        schema.prepare(servers.endpoint())
        with workstations(servers.endpoint(), options.folder) as entering:
            first, all_of_them = [], []
            for turn in range(options.kills):
                print(f"Killing the primary, {turn + 1} of {options.kills} …", file=sys.stderr, flush=True)
                promoted = _fail_over(servers)
                first.append(min(wait_for_saves(entering, promoted)) - promoted)
                all_of_them.append(max(wait_for_saves(entering, promoted)) - promoted)
                servers.build_standby()
        return rows(f"primary killed {options.kills} times", servers.endpoint(), entering, first, all_of_them)


def _fail_over(servers: Cluster) -> float:
    """Kill the primary under load and promote the standby; when the promotion began."""
    time.sleep(LOAD_SECONDS)
    servers.kill_primary()
    time.sleep(_WITHOUT_PRIMARY)
    began = time.monotonic()
    servers.promote()
    return began


@contextmanager
def workstations(endpoint: dict[str, str], folder: Path) -> Iterator[list[Workstation]]:
    """Processes that save one record after the other, until the end."""
    context = multiprocessing.get_context("spawn")
    over: Event = context.Event()
    entering = [Workstation(number, folder / f"confirmed-{number}") for number in range(WRITERS)]
    processes = [context.Process(target=enter, args=(endpoint, each, over)) for each in entering]
    try:
        for process in processes:
            process.start()
        wait_for_saves(entering, 0.0)
        yield entering
    finally:
        over.set()
        for process in processes:
            process.join(30)
            process.kill()


def wait_for_saves(entering: Sequence[Workstation], since: float) -> list[float]:
    """When each of them had its first save confirmed after a moment; waits until all have."""

    def found() -> list[float | None]:
        return [next((when for _, when in acknowledged(each) if when > since), None) for each in entering]

    wait_until(lambda: None not in found(), "every workstation saves")
    return [each for each in found() if each is not None]


def rows(
    what: str,
    endpoint: dict[str, str],
    entering: Sequence[Workstation],
    first: Sequence[float],
    all_of_them: Sequence[float],
    seconds: float | None = SECONDS_TO_FIRST_SAVE,
) -> list[table.Row]:
    """What became of the confirmed records, and how long nobody could save."""
    confirmed = [key for each in entering for key, _ in acknowledged(each)]
    with closing(SQLModel.at(endpoint)) as model:
        stored = {str(each["key"]) for each in model.query(_STORED) or []}
        doubled = len(model.query(_ENTERED_TWICE) or [])
    lost = sum(key not in stored for key in confirmed)
    many = f"{len(confirmed):,} records, {len(entering)} workstations"
    return [
        table.Row(f"{what}: confirmed records lost", "", (lost,), 0, remark=many),
        table.Row(f"{what}: records entered twice", "", (doubled,), 0),
        table.Row(f"{what}: promotion to the first save", "s", tuple(first), seconds, judges_longest=True),
        table.Row(f"{what}: until every workstation saves", "s", tuple(all_of_them), seconds, judges_longest=True),
    ]

