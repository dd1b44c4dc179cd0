"""What records cost that wait on this computer: one that is kept, many that are read at the start, and their replay."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from abq_data_entry.journal import Entry, Journal, new_entry
from benchmarks import table
from benchmarks.options import Options
from tests.models.records import record

DATABASE = "this computer/abq"


def measure(options: Options) -> list[table.Row]:
    """A kept save before any waits and behind many; many read; each of them settled, as a replay does."""
    folder, count = options.folder / "waiting", options.deliveries
    entries = [_entry(number) for number in range(count)]
    kept = [_milliseconds(lambda each=each: _opened(folder).keep(each)) for each in entries]  # type: ignore[misc]
    read = [_milliseconds(lambda: _opened(folder).entries()) for _ in range(options.runs)]
    journal = _opened(folder)
    settled = [_milliseconds(lambda each=each: journal.settle(each.identifier, "saved")) for each in entries]  # type: ignore[misc]
    if journal.entries() or journal.problems:
        raise ValueError("something is left")
    few = max(1, count // 10)
    return [
        table.row("a record kept on this computer, the first ones", "ms", kept[:few]),
        table.row(f"a record kept on this computer, behind {count - few:,}", "ms", kept[-few:]),
        table.row(f"{count:,} records that wait, read at the start", "ms", read),
        table.row(f"a replay's own work for each of {count:,} records", "ms", settled),
    ]


def _opened(folder: Path) -> Journal:
    """As the window opens it for each thing that it does."""
    return Journal(folder)


def _entry(number: int) -> Entry:
    of_plot = record(Plot=str(number % 20 + 1), Notes=f"{number}: leaf spots")
    return new_entry(DATABASE, of_plot, "insert", author="J Simms")


def _milliseconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000
