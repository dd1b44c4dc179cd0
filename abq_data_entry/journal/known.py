"""The last known copy of what the form needs: its lists, how far checks are, the latest readings. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from abq_data_entry import fields
from abq_data_entry.constants import CHECK_TIMES
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models.records import CheckProgress, Choices

Record = Mapping[str, Any]
CheckKey = tuple[datetime.date, str, str]
PlotKey = tuple[str, int]

READINGS_A_PLOT = 4  # the checks of a day
MOST_CHECKS = 100


@dataclass(frozen=True)
class Known:
    """What was known at the moment `taken`, in UTC.

    `checks`: how far each check was; `readings`: the latest records of each plot, by lab and plot, the newest first.
    """

    taken: datetime.datetime
    choices: Choices = field(default_factory=Choices)
    checks: Mapping[CheckKey, CheckProgress] = field(default_factory=dict)
    readings: Mapping[PlotKey, tuple[Record, ...]] = field(default_factory=dict)

    def with_choices(self, choices: Choices, taken: datetime.datetime) -> Known:
        """The same with newer lists."""
        return replace(self, choices=choices, taken=taken)

    def with_check(self, key: CheckKey, progress: CheckProgress) -> Known:
        """The same with a check as it is now; the oldest checks go when there are many."""
        checks = {**self.checks, key: progress}
        newest = sorted(checks, key=lambda each: moment_of(*each[:2]), reverse=True)[:MOST_CHECKS]
        return replace(self, checks={each: checks[each] for each in newest})

    def with_records(self, records: Iterable[Record]) -> Known:
        """The same with these records of plots; of each plot the latest are kept."""
        readings = dict(self.readings)
        for record in records:
            key = (str(record[F.LAB]), int(record[F.PLOT]))
            others = [each for each in readings.get(key, ()) if _moment(each) != _moment(record)]
            readings[key] = tuple(sorted((*others, record), key=_moment, reverse=True)[:READINGS_A_PLOT])
        return replace(self, readings=readings)

    def as_of(self, taken: datetime.datetime) -> Known:
        """The same, all of it looked up at that moment, in UTC."""
        return replace(self, taken=taken)

    def records(self) -> list[Record]:
        """Return all records that are known, in no order."""
        return [record for records in self.readings.values() for record in records]

    def progress(self, key: CheckKey) -> CheckProgress:
        """Return how far that check was, from what is known of it and of its plots."""
        known = self.checks.get(key, CheckProgress())
        recorded = dict(known.recorded)
        for plot in self.choices.plots.get(key[2], ()):
            record = self.record((*key, plot))
            if record:
                recorded[plot] = str(record[F.TECHNICIAN])
        technician = known.technician or next(iter(recorded.values()), None)
        return CheckProgress(technician, recorded)

    def record(self, key: tuple[Any, ...]) -> Record:
        """Return the record of that date, time, lab and plot, an empty one if it isn't among the latest."""
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
    """Return what orders checks: `8:00` comes before `12:00`."""
    return date, CHECK_TIMES.index(time) if time in CHECK_TIMES else len(CHECK_TIMES)


def record_key(record: Record) -> tuple[Any, ...]:
    """Return date, time, lab and plot of a record."""
    return tuple(record[name] for name in fields.RECORD_KEY)


def _moment(record: Record) -> tuple[datetime.date, int]:
    return moment_of(record[F.DATE], record[F.TIME])
