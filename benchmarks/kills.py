"""kill -9 of the application at random moments of a keyed check, with and without the database."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from abq_data_entry.models import SQLModel, schema
from benchmarks import dataset, table
from benchmarks.keyed import LAB, TIME, date_of, values
from benchmarks.options import CHECKOUT, Options, environment

LONGEST = 2.0  # seconds after the first key at which the kill comes at the latest
DRAFT_SECONDS = 0.5  # what was typed so long before the kill is on disk as a draft
PATIENCE = 60.0
ENOUGH = 20  # moments, after which some plot was saved before one of them
_DATABASE = "abq_benchmark_kills"


@dataclass
class Round:
    """What one process said before it was killed: values typed and when, plots shown as saved."""

    number: int
    killed: float = 0.0
    typed: dict[int, dict[str, tuple[str, float]]] = field(default_factory=dict)
    saved: set[int] = field(default_factory=set)

    @property
    def plot(self) -> int:
        """The plot that was keyed last."""
        return max(self.typed, default=1)

    def safe(self) -> dict[str, str]:
        """What was typed for the last plot long enough before the kill."""
        typed = self.typed.get(self.plot, {})
        return {name: text for name, (text, moment) in typed.items() if moment < self.killed - DRAFT_SECONDS}


@dataclass
class Counts:
    """What went wrong, and what was seen."""

    saved: int = 0
    half: int = 0
    lost: int = 0
    twice: int = 0
    drafts: int = 0
    drafts_missing: int = 0


def measure(options: Options) -> list[table.Row]:
    """Counts over all moments; every other check is keyed without the database."""
    moments = options.killed_moments
    chance = random.Random(20261125)
    counts = Counts()
    with dataset.server(options.folder) as server:
        server.create_database(_DATABASE)
        endpoint = server.endpoint(_DATABASE)
        schema.prepare(endpoint)
        model = SQLModel.at(endpoint)
        previous: Round | None = None
        try:
            for number in range(moments + 1):
                process = _start(options, number)
                try:
                    draft = _answer(process, "opened")[0]
                    _answer(process, "ready")
                    if previous is not None:
                        _judge(previous, draft, model, counts)
                    previous = Round(number)
                    time.sleep(chance.uniform(0.0, LONGEST) if number < moments else 0.0)
                finally:
                    moment = time.time()
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                previous.killed = moment
                _hear_all(process, previous)
        finally:
            model.close()
    if moments >= ENOUGH and not counts.saved:  # a check in which nothing is saved can't lose anything
        raise RuntimeError("no plot was saved before its window was killed")
    what = f"kill -9 at {moments} moments of a keyed check"
    return [
        table.row(f"{what}: half records", "", [counts.half], 0),
        table.row(f"{what}: lost of those shown as saved", "", [counts.lost], 0, f"{counts.saved} were shown as saved"),
        table.row(f"{what}: written twice", "", [counts.twice], 0),
        table.row(f"{what}: drafts not back", "", [counts.drafts_missing], 0, f"of {counts.drafts}"),
    ]


def _start(options: Options, number: int) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "benchmarks.keyed", str(options.folder), options.display, _DATABASE]
    words += [str(number), str(number % 2)]
    variables = environment(options, _DATABASE)
    return subprocess.Popen(words, cwd=CHECKOUT, env=variables, stdout=subprocess.PIPE)


def _answer(process: subprocess.Popen[bytes], what: str) -> list[Any]:
    line = _output(process).readline()
    found = json.loads(line) if line else ["nothing more"]
    if found[0] != what:
        raise RuntimeError(f"{what} was expected of the window, it said {found[0]}")
    return list(found[1:])


def _hear_all(process: subprocess.Popen[bytes], this: Round) -> None:
    """What it said since it was ready; a last line may be torn."""
    for line in _output(process).read().split(b"\n")[:-1]:
        what, *rest = json.loads(line)
        if what == "typed":
            plot, name, text, moment = rest
            this.typed.setdefault(plot, {})[name] = (text, moment)
        elif what == "saved":
            this.saved.add(rest[0])


def _output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


def _judge(this: Round, draft: Mapping[str, str] | None, model: SQLModel, counts: Counts) -> None:
    """Look into the database, after the next start has saved what waited, and at the draft that it showed."""
    stored: dict[int, dict[str, object]] = {}
    for plot in model.get_check(date_of(this.number), TIME, LAB).recorded:
        stored[plot] = model.get_record(date_of(this.number), TIME, LAB, plot)
    counts.saved += len(this.saved)
    counts.lost += len(this.saved - set(stored))
    counts.half += sum(not _is_whole(this.number, plot, record) for plot, record in stored.items())
    rows = model.query("SELECT count(*) AS n FROM plot_checks WHERE date = %s AND version > 1", [date_of(this.number)])
    counts.twice += int(str((rows or [{"n": 0}])[0]["n"]))
    expected = this.safe()
    if expected and this.plot not in stored:
        counts.drafts += 1
        shown = draft or {}
        counts.drafts_missing += any(not shown.get(name, "").startswith(text) for name, text in expected.items())


def _is_whole(number: int, plot: int, record: Mapping[str, object]) -> bool:
    """Tell whether every value that was typed is there, as typed."""
    from abq_data_entry import fields

    typed = {name: fields.parse(fields.field(name), text) for name, text in values(number, plot).items()}
    return all(record[name] == value for name, value in typed.items())
