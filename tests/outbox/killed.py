"""A process of its own that puts extracts in, delivers them, and is killed at the n-th thing it asks of the system.

Those are files, sockets, and what it asks of SQLite: before each statement, and after it.

`python -m tests.outbox.killed OUTBOX WAY FIRST STEP DAYS`: forks one child for each n (FIRST, FIRST+STEP, …), each
with an outbox of its own, until one ends by itself; prints how many it took. Each child delivers so many days, over one
login, to the destination that `Way.text` describes. One that nobody kills goes before, and tells what it imports.
"""

from __future__ import annotations

import datetime
import importlib
import json
import os
import signal
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from abq_data_entry.outbox import Outbox, Place, Sender, attempt_each, deliver, due
from abq_data_entry.stored_destination import StoredDestination
from tests.network.fault_runs import sender_of

DATE = datetime.date(2026, 11, 20)
CONTENT = b"Date,Time\r\n" * 20_000
PATIENCE = 20.0  # seconds until a silent server is given up
HEAD = f"A 12 {'a' * 64}"  # goes with the extracts of those who have several


class Way(NamedTuple):
    """Where it goes, with the login and further settings."""

    to: StoredDestination
    username: str
    password: str
    settings: dict[str, object]

    @property
    def text(self) -> str:
        """All of it in one word of a command line."""
        return json.dumps([self.to._asdict(), *self[1:]])

    @classmethod
    def of(cls, text: str) -> Way:
        """What such a word says."""
        to, username, password, settings = json.loads(text)
        return cls(StoredDestination(**to), username, password, settings)


class Extract:
    """In place of the database."""

    def export_records(self, path: Path, first_date: datetime.date) -> int:
        path.write_bytes(CONTENT)
        return 20_000


def days_of(number: int, count: int) -> list[datetime.date]:
    """The days of a child: its own, so that each has names of its own at the server."""
    return [DATE + datetime.timedelta(days=count * number + place) for place in range(count)]


def deliver_due(box: Outbox, way: Way) -> None:
    """Make an attempt at all that is due."""
    opened = sender_of(way.to, way.username, way.password, PATIENCE, **way.settings)
    with Sender(opened, with_companion=True) as send:
        attempt_each(box, due(box), lambda each: deliver(box, each, send)[1])


def work(folder: Path, way: Way, days: list[datetime.date]) -> None:
    """What a child does, until it is killed."""
    box, head = Outbox(folder / "outbox"), HEAD if len(days) > 1 else ""
    for day in days:
        box.add(Extract(), day, Place(way.to.key, way.to.address), way.username, audit_head=lambda day: head)
    deliver_due(box, way)


def die_at(number: int) -> None:
    """Kill this process without any warning at the n-th event that the interpreter reports of files and statements."""
    left = [number]

    def count() -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" or event.startswith(("os.", "socket.", "shutil.", "fcntl.")):
            count()

    def called(frame: FrameType, event: str, function: Any) -> None:
        if event in ("c_call", "c_return") and isinstance(getattr(function, "__self__", None), sqlite3.Connection):
            count()

    sys.addaudithook(hook)
    sys.setprofile(called)


def import_what_it_needs(folder: Path, way: Way, days: int) -> None:
    """Import once, before the forks, whatever a child that isn't killed has imported."""
    reading, writing = os.pipe()
    if not os.fork():
        work(folder / "0", way, days_of(0, days))
        with os.fdopen(writing, "w") as told:
            told.write("\n".join(sys.modules))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as heard:
        for name in heard.read().split("\n"):
            with suppress(ImportError):
                importlib.import_module(name)
    os.wait()


def main(folder: Path, way: Way, number: int, step: int, days: int) -> None:
    import_what_it_needs(folder, way, days)
    while True:
        child = os.fork()
        if not child:
            die_at(number)
            work(folder / str(number), way, days_of(number, days))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            print(number, os.waitstatus_to_exitcode(status))
            return
        number += step


if __name__ == "__main__":
    main(Path(sys.argv[1]), Way.of(sys.argv[2]), *map(int, sys.argv[3:]))
