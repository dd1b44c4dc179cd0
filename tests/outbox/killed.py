"""A process of its own that puts extracts in, delivers them, and is killed at the n-th thing it asks of the system.

Those are files, sockets, and what it asks of SQLite: before each statement, and after it.

`python -m tests.outbox.killed OUTBOX PORT FIRST STEP DAYS`: forks one child for each n (FIRST, FIRST+STEP, …), each
with an outbox of its own, until one ends by itself; prints how many it took. Each child delivers so many days to the
FTP server at PORT, over one login.
"""

from __future__ import annotations

import datetime
import os
import signal
import sqlite3
import sys
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from abq_data_entry import network
from abq_data_entry.outbox import Outbox, Place, Sender, deliver, due, go_through

DATE = datetime.date(2026, 11, 20)
CONTENT = b"Date,Time\r\n" * 20_000
HEAD = f"A 12 {'a' * 64}"  # goes with the extracts of those who have several


class Extract:
    """In place of the database."""

    def export_records(self, path: Path, first_date: datetime.date) -> int:
        path.write_bytes(CONTENT)
        return 20_000


def days_of(number: int, count: int) -> list[datetime.date]:
    """The days of a child: its own, so that each has names of its own at the server."""
    return [DATE + datetime.timedelta(days=count * number + place) for place in range(count)]


def deliver_due(box: Outbox, port: int) -> None:
    """Make an attempt at all that is due."""
    with Sender(partial(network.FtpUploads, "127.0.0.1", port, "test", "test"), with_companion=True) as send:
        go_through(box, due(box), lambda each: deliver(box, each.identifier, send)[1])


def work(folder: Path, port: int, days: list[datetime.date]) -> None:
    """What a child does, until it is killed."""
    box, head = Outbox(folder / "outbox"), HEAD if len(days) > 1 else ""
    for day in days:
        box.add(Extract(), day, Place("ftp", f"127.0.0.1:{port}"), "test", audit_head=lambda day: head)
    deliver_due(box, port)


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


def main(folder: Path, port: int, number: int, step: int, days: int) -> None:
    network.FtpUploads  # noqa: B018 - imported once, before the forks
    while True:
        child = os.fork()
        if not child:
            die_at(number)
            work(folder / str(number), port, days_of(number, days))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            print(number, os.waitstatus_to_exitcode(status))
            return
        number += step


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
