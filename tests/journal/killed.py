"""A process of its own that keeps two records, replays them, and is killed at the n-th line that it runs of that.

`python -m tests.journal.killed FOLDER DATABASE FIRST STEP`: forks one child for each n (FIRST, FIRST+STEP, …), each
with a journal and a day of its own, until one ends by itself; prints how many it took. DATABASE: an endpoint as JSON.
What a child was told is kept stands in the file `told` beside its journal.
"""

from __future__ import annotations

import datetime
import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from abq_data_entry.journal import Journal, new_entry
from abq_data_entry.models import SQLModel
from abq_data_entry.workflows.replay import replay
from tests.models.records import DATE, record, typed

DATABASE = "this computer/abq"
PACKAGES = (
    "abq_data_entry/journal/",
    "workflows/replay.py",
    "workflows/save_record.py",
    "store/database.py",
    "models/saving.py",
    "models/connections.py",
    "models/sql.py",
    "folders.py",
)


def day(number: int) -> str:
    """The day of the n-th child's records."""
    return (DATE + datetime.timedelta(days=number)).isoformat()


def work(folder: Path, endpoint: dict[str, str], number: int) -> None:
    """What a child does, until it is killed: a new record, its correction, and the replay of both."""
    journal = Journal(folder / "journal")
    first = record(Date=day(number))
    journal.keep(new_entry(DATABASE, first, "insert", author="J Simms"))
    (folder / "told").write_text("1")
    journal.keep(new_entry(DATABASE, {**first, "Fruit": "7"}, "update", author="J Simms", base=typed(first)))
    (folder / "told").write_text("2")
    replay(journal, DATABASE, SQLModel.at(endpoint))


def die_at(number: int) -> None:
    """Kill this process without any warning at the n-th line of the packages that save."""
    left = [number]

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if event == "call":
            return trace if any(each in frame.f_code.co_filename.replace("\\", "/") for each in PACKAGES) else None
        if event == "line":
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


def main(folder: Path, endpoint: dict[str, str], number: int, step: int) -> None:
    while True:
        place = folder / str(number)
        place.mkdir()
        child = os.fork()
        if not child:
            die_at(number)
            work(place, endpoint, number)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            print(number, os.waitstatus_to_exitcode(status))
            return
        number += step


if __name__ == "__main__":
    # Imported once, before the forks.
    new_entry(DATABASE, record(), "insert")
    import sqlite3  # noqa: F401

    import filelock  # noqa: F401
    import psycopg2  # noqa: F401

    main(Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
