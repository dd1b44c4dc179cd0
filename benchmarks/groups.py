"""The groups of rows, and the process that each is measured in: what one leaves behind, another doesn't see."""

from __future__ import annotations

import importlib
import multiprocessing
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection

from benchmarks import table
from benchmarks.options import Options, forget_earlier_windows

GROUPS: dict[str, tuple[str, str]] = {
    "start": ("starting", "measure_start"),
    "server": ("starting", "measure_server"),
    "size": ("starting", "measure_size"),
    "list": ("paging", "measure"),
    "orders": ("orders", "measure"),
    "save": ("saving", "measure_none"),
    "save-many": ("saving", "measure_many"),
    "extract": ("extract", "measure"),
    "stall": ("stalling", "measure"),
    "uploads": ("uploads", "measure"),
    "outbox": ("outbox", "measure"),
    "failover": ("failover", "measure"),
    "patroni": ("patroni", "measure"),
    "kills": ("kills", "measure"),
    "killed-deliveries": ("killed_deliveries", "measure"),
    "trust": ("trust", "measure"),
    "outages": ("outages", "measure"),
    "launcher": ("launcher", "measure"),
    "trips": ("trips", "measure"),
    "holding": ("holding", "measure"),
    "room": ("room", "measure"),
    "waiting": ("waiting", "measure"),
    "views": ("views", "measure"),
    "charts": ("charts", "measure"),
    "mutations": ("mutations", "measure"),
}
"""By name: the module, and its function that takes `Options` and gives rows, all at once or each as it is measured."""

PATIENT = ("patroni", "mutations")
"""What takes a minute even in its tiniest size: `--quick` leaves it out unless it is named."""


def measure(name: str, options: Options, patience: float) -> Iterator[table.Row]:
    """Measure one group, row by row. Where that fails or takes longer than `patience` seconds, the last row says so."""
    context = multiprocessing.get_context("spawn")
    answer, question = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(name, options, question), name=name)
    process.start()
    question.close()
    end = time.monotonic() + patience
    try:
        while answer.poll(max(0.0, end - time.monotonic())):
            row: table.Row | None = answer.recv()
            if row is None:
                return
            yield row
        yield table.not_measured(name, f"it took longer than {patience:.0f} s")
    except EOFError:
        yield table.not_measured(name, "its process broke down")
    finally:
        process.join(5)
        process.terminate()
        process.join(30)
        process.kill()


def _measure(name: str, options: Options, question: Connection) -> None:
    # What it started ends with it.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    module, function = GROUPS[name]
    forget_earlier_windows(options.folder)
    try:
        for row in getattr(importlib.import_module(f"benchmarks.{module}"), function)(options):
            question.send(row)
    except Exception as error:
        traceback.print_exc()
        reason = str(error).strip() or type(error).__name__
        question.send(table.not_measured(name, reason.splitlines()[-1][:150]))
    question.send(None)
