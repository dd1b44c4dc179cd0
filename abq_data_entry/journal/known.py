"""The last known copy of what the form needs: its lists, the progress of checks, the latest readings; and its file."""

from __future__ import annotations

import datetime
import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from abq_data_entry import fields
from abq_data_entry.constants import CHECK_TIMES
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.journal.file import as_texts, from_texts
from abq_data_entry.models.records import CheckProgress, Choices
from abq_data_entry.store.database import Database, StoreError, digest_of
from abq_data_entry.store.drafts import throwaway_file

log = logging.getLogger(__name__)

Record = Mapping[str, Any]
CheckKey = tuple[datetime.date, str, str]
PlotKey = tuple[str, int]

READINGS_A_PLOT = 4  # as many as there are checks in a day
MOST_CHECKS = 100
FORMAT = 1
LARGEST = 8 * 1024 * 1024
_NOT_OURS = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Known:
    """What was known at the moment `taken`, in UTC.

    `checks`: the progress of each check; `readings`: the latest records of each plot, by lab and plot, newest first.
    """

    taken: datetime.datetime
    choices: Choices = field(default_factory=Choices)
    checks: Mapping[CheckKey, CheckProgress] = field(default_factory=dict)
    readings: Mapping[PlotKey, tuple[Record, ...]] = field(default_factory=dict)

    def with_choices(self, choices: Choices, taken: datetime.datetime) -> Known:
        """Return a copy with newer lists."""
        return replace(self, choices=choices, taken=taken)

    def with_check(self, key: CheckKey, progress: CheckProgress) -> Known:
        """Return a copy with the present progress of a check; when there are many checks, the oldest are dropped."""
        checks = {**self.checks, key: progress}
        newest = sorted(checks, key=lambda each: moment_of(*each[:2]), reverse=True)[:MOST_CHECKS]
        return replace(self, checks={each: checks[each] for each in newest})

    def with_records(self, records: Iterable[Record]) -> Known:
        """Return a copy with these records, too; only the latest of each plot are kept."""
        readings = dict(self.readings)
        for record in records:
            key = (str(record[F.LAB]), int(record[F.PLOT]))
            # A record that is already there is replaced, because it may have been corrected.
            others = [each for each in readings.get(key, ()) if _moment(each) != _moment(record)]
            readings[key] = tuple(sorted((*others, record), key=_moment, reverse=True)[:READINGS_A_PLOT])
        return replace(self, readings=readings)

    def as_of(self, taken: datetime.datetime) -> Known:
        """Return a copy with `taken` set to that moment, in UTC: all of it was looked up then."""
        return replace(self, taken=taken)

    def progress(self, key: CheckKey) -> CheckProgress:
        """Return the progress of that check, as far as it is known from the check and from the records of its plots."""
        known = self.checks.get(key, CheckProgress())
        recorded = dict(known.recorded)
        # The latest records may be newer than the known progress of the check.
        for plot in self.choices.plots.get(key[2], ()):
            record = self.record((*key, plot))
            if record:
                recorded[plot] = str(record[F.TECHNICIAN])
        technician = known.technician or next(iter(recorded.values()), None)
        return CheckProgress(technician, recorded)

    def record(self, key: tuple[Any, ...]) -> Record:
        """Return the record of that date, time, lab and plot; an empty one if it isn't among the latest."""
        _date, _time, lab, plot = key
        same = (each for each in self.readings.get((lab, plot), ()) if record_key(each) == tuple(key))
        return next(same, {})

    def previous(self, key: CheckKey) -> dict[int, Record]:
        """Return the latest known record of each plot of the lab before that check."""
        before = moment_of(*key[:2])
        found = {}
        for plot in self.choices.plots.get(key[2], ()):
            earlier = [each for each in self.readings.get((key[2], plot), ()) if _moment(each) < before]
            if earlier:
                found[plot] = earlier[0]
        return found


def moment_of(date: datetime.date, time: str) -> tuple[datetime.date, int]:
    """Return a sort key for checks: `8:00` comes before `12:00`."""
    # A time that this version doesn't know sorts last, instead of raising an error.
    return date, CHECK_TIMES.index(time) if time in CHECK_TIMES else len(CHECK_TIMES)


def record_key(record: Record) -> tuple[Any, ...]:
    """Return date, time, lab and plot of a record."""
    return tuple(record[name] for name in fields.RECORD_KEY)


def _moment(record: Record) -> tuple[datetime.date, int]:
    return moment_of(record[F.DATE], record[F.TIME])


class KnownFile:
    """The copy of one database, in the file of that folder that may be deleted (`store.drafts`).

    `earlier`: the folder where earlier versions had a file for each database. Methods read or write files. Their
    failures are only logged, because the application works without the copy.
    """

    def __init__(
        self, folder: Path, database: str, earlier: Path | None = None, file: Database | None = None
    ) -> None:
        """`file`: the `Database` of that folder's file, if somebody has one already."""
        # A database's name has characters that aren't allowed in a file name.
        name = hashlib.sha256(database.encode("utf-8")).hexdigest()[:16]
        self._earlier = (earlier or folder) / f"known-{name}.json"
        self._file = file or throwaway_file(folder)
        self._database = database

    def read(self) -> Known | None:
        """Return the copy, `None` if there is none; one that is damaged, or of another database, is removed."""
        try:
            with self._file.opened() as connection:
                rows = connection.execute("SELECT content, digest FROM known WHERE database = ?", (self._database,))
                for content, digest in rows.fetchall():
                    try:
                        if digest_of(content) != digest:
                            raise ValueError("its digest doesn't match")
                        return _from_text(content, self._database)
                    except _NOT_OURS as error:
                        log.warning("the last known copy can't be used: %s", error)
                        connection.execute("DELETE FROM known WHERE database = ?", (self._database,))
        except StoreError as error:
            log.warning("the last known copy can't be read: %s", error)
            return None
        return self._taken_over()

    def write(self, known: Known) -> None:
        """Write the copy; if the disk fails, that is only logged."""
        text = _to_text(known, self._database)
        if len(text) > LARGEST:
            log.warning("the last known copy is too large to be kept")
            return
        try:
            with self._file.opened() as connection:
                row = (self._database, text, digest_of(text))
                connection.execute("INSERT OR REPLACE INTO known (database, content, digest) VALUES (?, ?, ?)", row)
        except StoreError as error:
            log.warning("the last known copy can't be kept: %s", error)

    def _taken_over(self) -> Known | None:
        """Return the copy that an earlier version left, whose file is renamed; `None` if there is none."""
        try:
            with self._earlier.open("rb") as file:
                digest, _, data = file.read(LARGEST).partition(b"\n")
            text = data.decode("utf-8")
            known = _from_text(text, self._database) if digest_of(text).encode("ascii") == digest else None
        except (OSError, *_NOT_OURS):
            return None
        if known is not None:
            self.write(known)
        with suppress(OSError):
            self._earlier.replace(self._earlier.with_suffix(".taken-over"))
        return known


def _to_text(known: Known, database: str) -> str:
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
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _from_text(text: str, database: str) -> Known:
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
