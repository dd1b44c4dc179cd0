"""From the start of the process to a window that takes keys, and to the first record saved."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg2
from psycopg2.extensions import make_dsn

from abq_data_entry import postgres
from abq_data_entry.launcher.virtualenv import VirtualEnvironment, base_executable
from benchmarks import dataset, table
from benchmarks.driver import BLOCKED_LIMIT
from benchmarks.keyboard import Keyboard
from benchmarks.options import CHECKOUT, Options, environment, forget_last_database

START_LIMIT = 2.5  # times a bare window
SERVER_LIMIT = 0.6  # seconds more
SIZE_LIMIT = 1.1
PATIENCE = 30.0  # seconds for a start that hangs

_BARE = "import tkinter; root = tkinter.Tk(); entry = tkinter.Entry(root); entry.pack(); entry.focus(); root.mainloop()"
_LAUNCHER = [base_executable(), str(CHECKOUT / "abq_data_entry.py")]
_MODULE = [sys.executable, "-m", "abq_data_entry"]


@dataclass(frozen=True)
class Start:
    """Seconds since the process was started: until the window had the focus, until a key pressed then stood in its
    entry, until a record was saved; and the longest time the window didn't answer meanwhile."""

    window: float
    key: float = 0.0
    saved: float = 0.0
    blocked: float = 0.0


class _Stage:
    """Where programs are started to be watched."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        probe = str(CHECKOUT / "benchmarks" / "probe")
        self._environment = {**variables, "PYTHONPATH": probe}
        self._keyboard = Keyboard(variables["DISPLAY"])

    def start(self, command: list[str], record: Mapping[str, str] | None = None) -> Start:
        """Start a program, watch it until it takes keys (or has saved the record), and end it."""
        asked = {"ABQ_BENCHMARK_RECORD": ",".join(f"{name}={text}" for name, text in record.items())} if record else {}
        forget_last_database(Path(self._environment["ABQ_DATA_DIR"]))
        begun = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env={**self._environment, **asked},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            window = _told(process, "window")[0] - begun
            if record:
                saved, blocked = _told(process, "saved")
                return Start(window, saved=saved - begun, blocked=blocked)
            self._keyboard.press("8")
            return Start(window, key=_told(process, "key")[0] - begun)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def _told(process: subprocess.Popen[bytes], what: str) -> list[float]:
    """Wait for the line that begins so; return its numbers."""
    assert process.stdout is not None
    deadline = time.monotonic() + PATIENCE
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        read = os.read(process.stdout.fileno(), 1) if ready else b""
        if not read:
            raise RuntimeError(f"{' '.join(map(str, process.args))} never told of its {what}: {line!r}")  # type: ignore[arg-type]
        line += read
    word, *values = line.decode().split(maxsplit=2)
    if word != what:
        raise RuntimeError(f"{what} was expected, but {line.decode().strip()!r} was told")
    return [float(value) for value in values]


def measure_start(options: Options) -> list[table.Row]:
    """A start with the embedded server running, against a bare window of the same Python with one entry."""
    what = "process start to a window that takes keys, against a bare Tk window: "
    launched = VirtualEnvironment(CHECKOUT).fits(tk=True)
    with dataset.server(options.folder) as server:
        stage = _Stage(environment(options, dataset.prepare(server, 0)))
        commands = {"bare": [base_executable(), "-c", _BARE], "bare in .venv": [sys.executable, "-c", _BARE]}
        commands |= {"module": _MODULE, **({"launcher": _LAUNCHER} if launched else {})}
        tasks = {name: partial(stage.start, command) for name, command in commands.items()}
        starts = _in_turns(tasks, options.runs)
    keys = {name: [each.key for each in found] for name, found in starts.items()}
    rows = [table.ratios(f"{what}python -m abq_data_entry", keys["module"], keys["bare in .venv"], START_LIMIT)]
    if launched:
        rows.insert(0, table.ratios(f"{what}python3 abq_data_entry.py", keys["launcher"], keys["bare"], START_LIMIT))
    else:
        reason = "python3 abq_data_entry.py was never started here"
        rows.insert(0, table.not_measured(f"{what}python3 abq_data_entry.py", reason, START_LIMIT, "×"))
    return rows


def measure_server(options: Options) -> list[table.Row]:
    """The first record saved, with the server to be started against the server running."""
    records = iter(range(400))
    with dataset.server(options.folder) as server:
        database = dataset.prepare(server, 0)
        stage = _Stage(environment(options, database))

        def running() -> Start:
            server.ensure_running()
            return stage.start(_MODULE, dataset.record(next(records)))

        def stopped() -> Start:
            server.stop()
            return stage.start(_MODULE, dataset.record(next(records)))

        starts = _in_turns({"running": running, "stopped": stopped}, options.runs)
        server.ensure_running()
        _forget(server, database)
    warm_saves = [each.saved for each in starts["running"]]
    more = [cold.saved - warm.saved for cold, warm in zip(starts["stopped"], starts["running"], strict=True)]
    blocked = [1000 * each.blocked for each in starts["stopped"]]
    return [
        table.row("process start to the first record saved, server running", "s", warm_saves),
        table.row("the same with the server to be started, more", "s", more, SERVER_LIMIT),
        table.longest("the Tk thread doesn't answer: from the window until that save", blocked, BLOCKED_LIMIT),
    ]


def measure_size(options: Options) -> list[table.Row]:
    """The start with many records against none: to the window, and to a record saved."""
    records = iter(range(400))
    with dataset.server(options.folder) as server:
        databases = {"none": dataset.prepare(server, 0), "many": dataset.prepare(server, options.records)}
        stages = {name: _Stage(environment(options, database)) for name, database in databases.items()}

        def saved(name: str) -> Start:
            return stages[name].start(_MODULE, dataset.record(next(records)))

        keys = _in_turns({name: partial(stage.start, _MODULE) for name, stage in stages.items()}, options.runs)
        saves = _in_turns({name: partial(saved, name) for name in stages}, options.runs)
        for database in databases.values():
            _forget(server, database)
    what = f"the start with {options.records:,} records, against 0 records: to "
    many, none = ([each.key for each in keys[name]] for name in ("many", "none"))
    rows = [table.ratios(f"{what}a window that takes keys", many, none, SIZE_LIMIT)]
    many, none = ([each.saved for each in saves[name]] for name in ("many", "none"))
    return [*rows, table.ratios(f"{what}the first record saved", many, none, SIZE_LIMIT)]


def _in_turns(tasks: Mapping[str, Callable[[], Start]], runs: int) -> dict[str, list[Start]]:
    """Run the tasks alternating, each `runs` times, so that what else the machine does meets all alike."""
    found: dict[str, list[Start]] = {name: [] for name in tasks}
    for task in tasks.values():  # compiles, and brings files into the cache: not measured
        task()
    for number in range(runs):
        for name in tasks if number % 2 else reversed(list(tasks)):
            found[name].append(tasks[name]())
    return found


def _forget(server: postgres.EmbeddedServer, database: str) -> None:
    with psycopg2.connect(make_dsn(**server.endpoint(database))) as connection, connection.cursor() as cursor:
        dataset.forget(cursor)
