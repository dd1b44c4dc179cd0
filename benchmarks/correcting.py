"""A workstation without a window: opens records that others change too, changes and saves them, at a steady pace."""

from __future__ import annotations

import datetime
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Literal

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import RecordConflict, RecordExists, SQLModel
from benchmarks import dataset

LABS = "ABCDE"
PLOTS = 4
"""Of each lab: few, so that many workstations meet at each."""

WARM_UP = 1.0  # seconds


@dataclass(frozen=True)
class Pace:
    """How long to go on, and the seconds from one save to the next; between opening and saving, half of it passes."""

    seconds: float
    between: float


@dataclass(frozen=True)
class Outcome:
    """Milliseconds of each save, refused ones too; how many were confirmed, and how many were refused for another's."""

    times: tuple[float, ...]
    confirmed: int
    refused: int


def correct(endpoint: dict[str, str], number: int, pace: Pace, together: Barrier) -> Outcome:
    """Count a plot's blossoms up by one, again and again, as of the version that was opened.

    A refused save is merged with what the other one saved, and tried again.
    """
    chance = random.Random(number)
    model = SQLModel.at(endpoint)
    model.connect()
    together.wait()
    begin = time.monotonic() + WARM_UP + pace.between * chance.random()
    times, confirmed, refused = [], 0, 0
    while (due := begin + confirmed * pace.between) < begin + pace.seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        key = (datetime.date.today(), "8:00", chance.choice(LABS), chance.randint(1, PLOTS))
        while True:
            opened = model.get_versioned_record(*key)
            time.sleep(pace.between / 2 * chance.random())
            record = _counted_up(opened.record or _new(key), F.BLOSSOMS)
            began = time.perf_counter()
            done = _save(model, record, opened.version, f"workstation-{number:02}")
            times.append(1000 * (time.perf_counter() - began))
            if done:
                break
            refused += 1
        confirmed += 1
    model.close()
    return Outcome(tuple(times), confirmed, refused)


def _save(model: SQLModel, record: dict[str, object], version: int, workstation: str) -> bool:
    write: Literal["insert", "update"] = "update" if version else "insert"
    try:
        model.save_record(record, write, expected_version=version or None, workstation=workstation)
    except (RecordConflict, RecordExists):
        return False
    return True


def _counted_up(record: Mapping[str, object], name: str) -> dict[str, object]:
    return {**record, name: int(str(record[name])) + 1}


def _new(key: tuple[datetime.date, str, str, int]) -> dict[str, object]:
    date, hour, lab, plot = key
    own = {F.DATE: date.isoformat(), F.TIME: hour, F.LAB: lab, F.PLOT: str(plot), F.BLOSSOMS: "0"}
    return dict(fields.parse_record({**dataset.record(0), **own}))
