"""The file of the last known copy: written after each successful load, private, bounded, checked when it is read."""

from __future__ import annotations

import datetime
import hashlib
import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from abq_data_entry.folders import replacement
from abq_data_entry.journal.entry import as_texts, from_texts
from abq_data_entry.journal.known import Known
from abq_data_entry.models.records import CheckProgress, Choices

log = logging.getLogger(__name__)

FORMAT = 1
LARGEST = 8 * 1024 * 1024


class KnownFile:
    """The copy of one database. Methods do file work; the copy is a help, so that no failure of it is one of ours."""

    def __init__(self, folder: Path, database: str) -> None:
        name = hashlib.sha256(database.encode("utf-8")).hexdigest()[:16]
        self.path = folder / f"known-{name}.json"
        self._database = database

    def read(self) -> Known | None:
        """Return the copy, `None` if there is none; one that is damaged or another's is removed."""
        try:
            with self.path.open("rb") as file:
                data = file.read(LARGEST + 1)
            if len(data) > LARGEST:
                raise ValueError("it is far too large")
            return _from_data(data, self._database)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            log.warning("the last known copy can't be used: %s", error)
            with suppress(OSError):
                self.path.unlink()
            return None

    def write(self, known: Known) -> None:
        """Keep the copy; a disk that refuses is noted in the log only."""
        data = _to_data(known, self._database)
        if len(data) > LARGEST:
            log.warning("the last known copy is too large to be kept")
            return
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with replacement(self.path) as temporary:
                handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
        except OSError as error:
            log.warning("the last known copy can't be kept: %s", error.strerror)


def _to_data(known: Known, database: str) -> bytes:
    choices = known.choices
    content = {
        "format": FORMAT,
        "database": database,
        "taken": known.taken.isoformat(),
        "technicians": list(choices.technicians),
        "labs": list(choices.labs),
        "plots": {lab: list(plots) for lab, plots in choices.plots.items()},
        "seed samples": [[lab, plot, seed] for (lab, plot), seed in choices.seed_samples.items()],
        "retired": {
            "technicians": list(choices.retired_technicians),
            "labs": list(choices.retired_labs),
            "plots": {lab: list(plots) for lab, plots in choices.retired_plots.items()},
        },
        "checks": [
            [date.isoformat(), time, lab, each.technician, [[plot, name] for plot, name in each.recorded.items()]]
            for (date, time, lab), each in known.checks.items()
        ],
        "readings": [as_texts(record) for records in known.readings.values() for record in records],
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return hashlib.sha256(text).hexdigest().encode("ascii") + b"\n" + text


def _from_data(data: bytes, database: str) -> Known:
    digest, _, text = data.partition(b"\n")
    if hashlib.sha256(text).hexdigest().encode("ascii") != digest:
        raise ValueError("it isn't whole")
    content: Mapping[str, Any] = json.loads(text)
    if content["format"] != FORMAT or content["database"] != database:
        raise ValueError("it is another version's, or another database's")
    retired = content.get("retired", {})  # a copy of version 1.0 has none
    choices = Choices(
        tuple(content["technicians"]),
        tuple(content["labs"]),
        {lab: tuple(plots) for lab, plots in content["plots"].items()},
        {(lab, plot): seed for lab, plot, seed in content["seed samples"]},
        tuple(retired.get("technicians", ())),
        tuple(retired.get("labs", ())),
        {lab: tuple(plots) for lab, plots in retired.get("plots", {}).items()},
    )
    checks = {
        (datetime.date.fromisoformat(date), time, lab): CheckProgress(technician, dict(recorded))
        for date, time, lab, technician, recorded in content["checks"]
    }
    known = Known(datetime.datetime.fromisoformat(content["taken"]), choices, checks)
    return known.with_records(from_texts(texts) for texts in content["readings"])
