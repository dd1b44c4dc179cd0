"""Workstations without a window: processes that save one record after the other, whatever happens to the server."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

from abq_data_entry.models import DatabaseError, SQLModel
from benchmarks import dataset

_PAUSE = 0.02  # seconds after a failure, until it is tried again
_TIMES = ("8:00", "12:00", "16:00", "20:00")


@dataclass(frozen=True)
class Workstation:
    """One of up to 20: a lab at a time of day. `file` gets a line for each save that was confirmed."""

    number: int
    file: Path


def enter(endpoint: dict[str, str], workstation: Workstation, over: Event) -> None:
    """Save records until `over`, each as often as it takes, and note which were confirmed and when."""
    model = SQLModel.at(endpoint)
    noted = os.open(workstation.file, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC, 0o600)
    for record in _records(workstation.number):
        while not over.is_set():
            try:
                model.save_record(record)
            except DatabaseError:  # told to the user, who saves again
                time.sleep(_PAUSE)
                continue
            os.write(noted, f"{_key(record)}\t{time.monotonic()}\n".encode())
            break
        if over.is_set():
            break
    model.close()
    os.close(noted)


def acknowledged(workstation: Workstation) -> list[tuple[str, float]]:
    """The records whose save was confirmed, and when (`time.monotonic`, the same for all processes on Linux)."""
    try:
        lines = workstation.file.read_text("utf-8").split("\n")[:-1]
    except FileNotFoundError:
        return []
    return [(key, float(when)) for key, when in (line.split("\t") for line in lines)]


def _records(number: int) -> Iterator[dict[str, str]]:
    check = {"Time": _TIMES[number // 5], "Lab": "ABCDE"[number % 5]}
    for count in range(1_000_000):
        date = datetime.date(2020, 1, 1) + datetime.timedelta(days=count // 20)
        plants = {"Plants": str(count % 21)}
        yield {**dataset.record(count % 20), **check, **plants, "Date": date.isoformat()}


def _key(record: dict[str, str]) -> str:
    return " ".join(record[name] for name in ("Date", "Time", "Lab", "Plot", "Plants"))
