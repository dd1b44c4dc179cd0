"""The weather of a longer time: where it is missing, and storing many observations at once."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.models import weather
from abq_data_entry.models.connections import Connections
from abq_data_entry.models.errors import (
    ObservationElsewhere,
    ObservationInvalid,
    OutcomeUnknown,
)
from abq_data_entry.observation import OLD

_TOGETHER = 50  # observations in one transaction: a save that comes meanwhile waits for no more than these

# weather_holes is for QA: for every moment and check, and of what was observed only. A model is asked where it has
# computed nothing yet either.
_GAPS = """
    SELECT begins, ends FROM (
        SELECT moment AS begins, lead(moment) OVER (ORDER BY moment) AS ends FROM (
            SELECT datetime AS moment FROM local_weather
            WHERE temperature IS NOT NULL AND (kind IS DISTINCT FROM 'model' OR %(computed)s)
                AND datetime BETWEEN %(begin)s AND %(end)s
            UNION SELECT %(begin)s UNION SELECT %(end)s
        ) AS points
    ) AS gaps
    WHERE ends - begins > %(least)s ORDER BY begins
"""
_ENDS = """
    SELECT min(datetime), max(datetime) FROM local_weather
    WHERE temperature IS NOT NULL AND kind IS DISTINCT FROM 'model'
"""
# The labs' days, whatever the time zone of this computer and of the session.
_SPAN = """
    SELECT %(first)s::date::timestamp AT TIME ZONE time_zone, (%(last)s::date + 1)::timestamp AT TIME ZONE time_zone
    FROM lab_settings
"""


class Gap(NamedTuple):
    """A time of more than 90 minutes without a temperature."""

    begin: datetime.datetime
    end: datetime.datetime


class Counts(NamedTuple):
    """What became of many observations: stored, filled (what was empty in their rows), known already, and refused
    because they make no sense or are another station's."""

    new: int = 0
    filled: int = 0
    known: int = 0
    refused: int = 0

    def plus(self, other: Counts) -> Counts:
        """The sum of both."""
        return Counts(*(one + another for one, another in zip(self, other, strict=True)))


class WeatherHistory:
    """All methods raise `DatabaseError`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def gaps(self, begin: datetime.datetime, end: datetime.datetime, computed: bool = False) -> list[Gap]:
        """Return where no temperature was observed for more than 90 minutes between two moments, the earliest first.

        `computed`: what a model has computed counts as well.
        """
        values = {"begin": begin, "end": end, "computed": computed, "least": OLD}

        def read(cursor: Cursor) -> list[Gap]:
            cursor.execute(_GAPS, values)
            return [Gap(*row) for row in cursor.fetchall()]

        return self._connections.read(read) if begin < end else []

    def first(self) -> datetime.datetime | None:
        """Return when the first temperature was observed."""
        return self._connections.read(_ends)[0]

    def newest(self) -> datetime.datetime | None:
        """Return when the newest temperature was observed."""
        return self._connections.read(_ends)[1]

    def span_of_days(self, first: datetime.date, last: datetime.date) -> tuple[datetime.datetime, datetime.datetime]:
        """Return when the first day begins and the last one ends, in the time zone of the labs."""

        def read(cursor: Cursor) -> tuple[datetime.datetime, datetime.datetime]:
            cursor.execute(_SPAN, {"first": first, "last": last})
            begin, end = cursor.fetchall()[0]
            return begin, end

        return self._connections.read(read)

    def store(self, observations: Sequence[Mapping[str, str | None]]) -> Counts:
        """Store observations as `SQLModel.add_weather_data` does, each; one that can't be stored is counted."""
        found, refused = [], 0
        for each in observations:
            try:
                found.append(weather.parse_observation(each))
            except ObservationInvalid:
                refused += 1
        counts = Counts(refused=refused)
        for start in range(0, len(found), _TOGETHER):
            counts = counts.plus(self._store(found[start : start + _TOGETHER]))
        return counts

    def _store(self, observations: Sequence[weather.Observation]) -> Counts:
        def write(cursor: Cursor) -> Counts:
            return _stored(cursor, observations)

        try:
            return self._connections.write(write)
        except OutcomeUnknown:  # again: what is there already isn't doubled
            counts = self._connections.write(write)
            self._connections.confirm()
            return counts

    def alone(self) -> AbstractContextManager[bool]:
        """Within the block no other workstation fetches the weather; False if one does so just now.

        Where a pooler keeps nobody out, what is stored twice is stored once all the same.
        """
        return self._connections.alone("weather")


def _ends(cursor: Cursor) -> tuple[datetime.datetime | None, datetime.datetime | None]:
    cursor.execute(_ENDS)
    first, last = cursor.fetchall()[0]
    return first, last


def _stored(cursor: Cursor, observations: Sequence[weather.Observation]) -> Counts:
    new = filled = known = refused = 0
    for each in observations:
        try:
            state = weather.store(cursor, each).state
        except ObservationElsewhere:
            refused += 1
            continue
        new += state in ("new", "replaced")
        filled += state == "filled"
        known += state == "known"
    return Counts(new, filled, known, refused)
