"""A process of its own that puts an extract in, delivers it, and is killed at the n-th thing it asks of the system.

`python -m tests.outbox.killed OUTBOX PORT FIRST STEP`: forks one child for each n (FIRST, FIRST+STEP, …), each with an
outbox of its own, until one ends by itself; prints how many it took. Each child delivers to the FTP server at PORT.
"""

from __future__ import annotations

import datetime
import os
import signal
import sys
import threading
from pathlib import Path

from abq_data_entry import network
from abq_data_entry.outbox import Destination, Outbox, deliver

DATE = datetime.date(2026, 11, 20)
CONTENT = b"Date,Time\r\n" * 20_000


class Extract:
    """In place of the database."""

    def export_records(self, path: Path, first_date: datetime.date) -> int:
        path.write_bytes(CONTENT)
        return 20_000


def work(folder: Path, port: int, number: int) -> None:
    """What a child does, until it is killed: a day of its own, so that each has a name of its own at the server."""
    box = Outbox(folder)
    day = DATE + datetime.timedelta(days=number)
    delivery = box.add(Extract(), day, Destination("ftp", f"127.0.0.1:{port}"), "test")

    def send(path: Path, *, progress: object, cancel: threading.Event) -> None:
        network.upload_to_corporate_ftp(path, "127.0.0.1", port, "test", "test", cancel=cancel)

    deliver(box, delivery.identifier, send)


def die_at(number: int) -> None:
    """Kill this process without any warning at the n-th event that the interpreter reports of files and sockets."""
    left = [number]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" or event.startswith(("os.", "socket.", "shutil.", "fcntl.")):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main(folder: Path, port: int, number: int, step: int) -> None:
    network.upload_to_corporate_ftp  # noqa: B018 - imported once, before the forks
    while True:
        child = os.fork()
        if not child:
            die_at(number)
            work(folder / str(number), port, number)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            print(number, os.waitstatus_to_exitcode(status))
            return
        number += step


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
