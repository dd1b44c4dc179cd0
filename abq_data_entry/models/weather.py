"""Weather observations: from the texts of a feed to rows of `local_weather`.

And the weather of a longer time: finding gaps, and storing many observations at once.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple, TypeVar

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.models.connections import Connections, rows_as_dicts
from abq_data_entry.models.errors import (
    ObservationElsewhere,
    ObservationInvalid,
)
from abq_data_entry.observation import (
    AHEAD,
    CONDITIONS_KEY,
    KINDS,
    OLD,
    QUANTITIES,
    STATION,
    TIME_KEY,
    read_conditions,
    read_quantity,
    read_time,
    shown,
)

_Value = TypeVar("_Value")

LONGEST_CONDITIONS = 128

_FIRST = datetime.datetime(1990, 1, 1, tzinfo=datetime.timezone.utc)
_LONGEST_SOURCE = 64
_LONGEST_NOTE = 200


@dataclass(frozen=True)
class Observation:
    """One row of `local_weather`: °C, %, mb at sea level; `None` if the feed has no valid value.

    `notes` say which values were invalid or rounded; they go to the column `quality`.
    """

    time: datetime.datetime
    temperature: Decimal | None
    relative_humidity: Decimal | None
    pressure: Decimal | None
    conditions: str | None
    station: str | None = None
    source: str | None = None
    kind: str | None = None
    fetched: datetime.datetime | None = None
    notes: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, Decimal | str | None]:
        """The observed values by column."""
        return {
            "temperature": self.temperature,
            "rel_hum": self.relative_humidity,
            "pressure": self.pressure,
            "conditions": self.conditions,
        }

    @property
    def age(self) -> datetime.timedelta:
        """How old it was when it was fetched."""
        return (self.fetched or self.time) - self.time


def parse_observation(data: Mapping[str, str | None], now: datetime.datetime | None = None) -> Observation:
    """Return the observation in a dict of `network.get_local_weather`, fetched now.

    A value that isn't a finite decimal, or is outside all that was ever measured in the United States, is left out and
    named in `notes`. Raises `ObservationInvalid` for no time, a time without an unambiguous zone, before 1990 or more
    than 10 minutes ahead, for no value at all, and for an invalid station or kind.
    """
    now = now or datetime.datetime.now(datetime.timezone.utc)
    time = _parse_time(_text(data, TIME_KEY))
    _require_possible(time, now)
    notes = [note for note in (_text(data, "quality") or "").split("; ") if note]
    texts = [(each, _text(data, each.key)) for each in QUANTITIES]
    numbers = [_value(read_quantity(each, text), notes) if text else None for each, text in texts]
    words = _text(data, CONDITIONS_KEY)
    conditions = _shorten(_value(read_conditions(words), notes)) if words else None
    if all(value is None for value in (*numbers, conditions)):
        reason = f" ({'; '.join(notes)})" if notes else ""
        raise ObservationInvalid(
            f"The weather observation has no value that can be used, so nothing was stored{reason}."
        )
    temperature, relative_humidity, pressure = numbers
    return Observation(
        time,
        temperature,
        relative_humidity,
        pressure,
        conditions,
        station=_station(data),
        source=_source(data),
        kind=_kind(data),
        fetched=now.replace(microsecond=0),
        notes=_unique(notes),
    )


def age_in_words(age: datetime.timedelta) -> str:
    """Return an age in words, such as "3 days old", in the largest unit of which it has at least two."""
    number, unit = int(age.total_seconds() // 31557600), "years"
    for shorter, seconds, most in (("days", 86400, 731), ("hours", 3600, 48), ("minutes", 60, 120)):
        if (whole := int(age.total_seconds() // seconds)) < most:
            number, unit = whole, shorter
    return f"{number} {unit} old"


def _text(data: Mapping[str, str | None], key: str) -> str | None:
    value = data.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ObservationInvalid(f"The weather observation's {key} isn't a text.")
    return " ".join(value.split()) or None


def _value(read: tuple[_Value, str], notes: list[str]) -> _Value:
    value, note = read
    if note:
        notes.append(note)
    return value


def _unique(notes: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(note[:_LONGEST_NOTE] for note in notes))


def _station(data: Mapping[str, str | None]) -> str | None:
    text = _text(data, "station")
    if text is not None and not STATION.fullmatch(text):
        raise ObservationInvalid(f"The weather observation is of {shown(text)}, which can't be a station.")
    return text and text.upper()


def _source(data: Mapping[str, str | None]) -> str | None:
    text = _text(data, "source")
    if text is not None and (len(text) > _LONGEST_SOURCE or not text.isprintable()):
        raise ObservationInvalid(f"The weather observation is from {shown(text)}, which can't be a source.")
    return text


def _kind(data: Mapping[str, str | None]) -> str | None:
    text = _text(data, "kind")
    if text is not None and text not in KINDS:
        raise ObservationInvalid(f"The weather observation is of the kind {shown(text)}, not {' or '.join(KINDS)}.")
    return text


def _parse_time(text: str | None) -> datetime.datetime:
    if text is None:
        raise ObservationInvalid("The weather observation has no time, so nothing was stored.")
    moment, problem = read_time(text)
    if moment is None:
        raise ObservationInvalid(f"The weather observation's time {problem}.")
    return moment


def _require_possible(time: datetime.datetime, now: datetime.datetime) -> None:
    if time < _FIRST:
        raise ObservationInvalid(
            f"The weather observation is of {time:%Y-%m-%d}, before there were any, so nothing was stored."
        )
    if time - now > AHEAD:
        minutes = (time - now) // datetime.timedelta(minutes=1)
        ahead = f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours" if minutes < 2880 else "days"
        raise ObservationInvalid(
            f"The weather observation is {ahead} ahead of this computer's clock, so nothing was stored. "
            "Check the clock, then the station."
        )


def _shorten(text: str | None) -> str | None:
    """Truncate a text that is too long for the column after its last whole word, rather than lose the measurements."""
    if text is None or len(text) <= LONGEST_CONDITIONS:
        return text
    begun = text[: LONGEST_CONDITIONS - 1]
    words, blank, _ = begun.rpartition(" ")
    return (words if blank else begun) + "…"


# The rows of `local_weather`, one for each time. Stored values aren't changed; only NULLs are filled.

_INSERT = """
    INSERT INTO local_weather
        (datetime, temperature, rel_hum, pressure, conditions, station, source, kind, fetched, quality)
    VALUES (%(datetime)s, %(temperature)s, %(rel_hum)s, %(pressure)s, %(conditions)s, %(station)s, %(source)s, %(kind)s,
        %(fetched)s, %(quality)s)
    ON CONFLICT (datetime) DO NOTHING
"""
_READ = "SELECT * FROM local_weather WHERE datetime = %(datetime)s"
# Somebody may fill the same row at the same time: coalesce keeps their values.
_FILL = """
    UPDATE local_weather SET
        temperature = coalesce(temperature, %(temperature)s), rel_hum = coalesce(rel_hum, %(rel_hum)s),
        pressure = coalesce(pressure, %(pressure)s), conditions = coalesce(conditions, %(conditions)s),
        station = coalesce(station, %(station)s), source = coalesce(source, %(source)s),
        kind = coalesce(kind, %(kind)s), fetched = coalesce(fetched, %(fetched)s), quality = %(quality)s
    WHERE datetime = %(datetime)s
"""
# Replace a model's values by an observation. If somebody was faster, the row is an observation already, and is kept.
_REPLACE = """
    UPDATE local_weather SET
        temperature = %(temperature)s, rel_hum = %(rel_hum)s, pressure = %(pressure)s, conditions = %(conditions)s,
        station = %(station)s, source = %(source)s, kind = 'observed', fetched = %(fetched)s, quality = %(quality)s
    WHERE datetime = %(datetime)s AND kind = 'model'
"""
_NAMES = {**{each.column: each.name for each in QUANTITIES}, "conditions": "weather"}
_UNITS = {each.column: f" {each.unit}" for each in QUANTITIES}


class Stored(NamedTuple):
    """The result of storing an observation.

    `state`: `new`, `replaced` (a model's values for that time), `filled` (NULLs in the row of the same observation) or
    `known` (nothing was changed); `filled`: which values; `differing`: sentences about values that differ from the
    stored ones.
    """

    state: Literal["new", "replaced", "filled", "known"]
    observation: Observation
    filled: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()

    def in_words(self, time: str) -> str:
        """Return the result as a sentence about the observation of that time."""
        if self.state in ("new", "replaced"):
            return f"Weather data recorded for {time}"
        if self.state == "filled":
            return f"Weather data for {time} is completed: {', '.join(self.filled)}"
        return f"Weather data for {time} is already recorded"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about its age, invalid values and values that differ."""
        age = self.observation.age
        old = (f"the observation is {age_in_words(age)}",) if age > OLD else ()
        return (*old, *self.observation.notes, *self.differing)


def store(cursor: Cursor, seen: Observation) -> Stored:
    """Store an observation, or fill the NULLs in its row. It replaces a model's values, but a model never replaces it.

    Raises `ObservationElsewhere` if the row is of another station.
    """
    row = {
        **seen.values,
        "datetime": seen.time,
        "station": seen.station,
        "source": seen.source,
        "kind": seen.kind,
        "fetched": seen.fetched,
        "quality": "; ".join(seen.notes) or None,
    }
    cursor.execute(_INSERT, row)
    if cursor.rowcount == 1:
        return Stored("new", seen)
    cursor.execute(_READ, row)
    (present,) = rows_as_dicts(cursor)
    if present["kind"] == "model" and seen.kind != "model":
        cursor.execute(_REPLACE, row)
        return Stored("replaced" if cursor.rowcount else "known", seen)
    if seen.kind == "model" and present["kind"] != "model":
        return Stored("known", seen)
    _require_same_station(seen, present)
    return _fill(cursor, seen, row, present)


def _require_same_station(seen: Observation, present: Mapping[str, object]) -> None:
    """A row without a station is from an older version: it counts as the same observation, unless a value differs."""
    theirs = present["station"]
    if theirs and seen.station and theirs != seen.station:
        raise ObservationElsewhere(
            f"An observation of the station {theirs} of the same moment ({seen.time:%Y-%m-%d %H:%M} UTC) is stored"
            f" already, so that of {seen.station} was not stored: the table has one row for each moment."
        )


def _fill(cursor: Cursor, seen: Observation, row: Mapping[str, object], present: Mapping[str, object]) -> Stored:
    values = seen.values
    differing = [name for name, value in values.items() if _differs(value, present[name])]
    differences = tuple(_difference(name, present[name], values[name]) for name in differing)
    empty = [name for name, value in values.items() if value is not None and present[name] is None]
    known = Stored("known", seen, differing=differences)
    of_whom = bool(present["station"] or not seen.station)
    if differing if not of_whom else not empty:
        return known  # it is complete; or it may be another station's, which isn't filled
    kept = [each for each in str(present["quality"] or "").split("; ") if each and not _is_of(each, empty)]
    fresh = [each for each in seen.notes if _is_of(each, empty)]
    cursor.execute(_FILL, {**row, "quality": "; ".join(dict.fromkeys((*kept, *fresh))) or None})
    if not empty:
        return known
    return Stored("filled", seen, tuple(_NAMES[name] for name in empty), differences)


def _differs(ours: Decimal | str | None, theirs: object) -> bool:
    return ours is not None and theirs is not None and ours != theirs


def _difference(name: str, stands: object, came: object) -> str:
    unit = _UNITS.get(name, "")
    return f"{_NAMES[name]} was {stands}{unit} and is {came}{unit} now; what was recorded first stays"


def _is_of(note: str, columns: list[str]) -> bool:
    return any(note.startswith(f"{_NAMES[column]} ") for column in columns)


_TOGETHER = 50  # observations in one transaction, so that a save at the same time doesn't wait long

# Not weather_holes, which is for QA: it includes checks, and ignores models. A model is asked only for gaps without its
# values.
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
# Days in the labs' time zone, whatever that of this computer and of the session is.
_SPAN = """
    SELECT %(first)s::date::timestamp AT TIME ZONE time_zone, (%(last)s::date + 1)::timestamp AT TIME ZONE time_zone
    FROM lab_settings
"""


class Gap(NamedTuple):
    """A period of more than 90 minutes without a temperature."""

    begin: datetime.datetime
    end: datetime.datetime


class Counts(NamedTuple):
    """How many observations were new, filled NULLs in a row, were known already, or were refused, because they are
    invalid or another station has that time."""

    new: int = 0
    filled: int = 0
    known: int = 0
    refused: int = 0

    def plus(self, other: Counts) -> Counts:
        """Return the sum of both."""
        return Counts(*(one + another for one, another in zip(self, other, strict=True)))


class WeatherHistory:
    """The observations of a longer time: `SQLModel.weather_history`. All methods raise `DatabaseError`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def gaps(self, begin: datetime.datetime, end: datetime.datetime, computed: bool = False) -> list[Gap]:
        """Return the gaps between two times in which no temperature was observed for more than 90 minutes, in order.

        `computed`: values of a model count, too.
        """
        values = {"begin": begin, "end": end, "computed": computed, "least": OLD}

        def read(cursor: Cursor) -> list[Gap]:
            cursor.execute(_GAPS, values)
            return [Gap(*row) for row in cursor.fetchall()]

        return self._connections.read(read) if begin < end else []

    def first(self) -> datetime.datetime | None:
        """Return the time of the first observed temperature."""
        return self._connections.read(_ends)[0]

    def newest(self) -> datetime.datetime | None:
        """Return the time of the newest observed temperature."""
        return self._connections.read(_ends)[1]

    def span_of_days(self, first: datetime.date, last: datetime.date) -> tuple[datetime.datetime, datetime.datetime]:
        """Return when the first day begins and the last one ends, in the time zone of the labs."""

        def read(cursor: Cursor) -> tuple[datetime.datetime, datetime.datetime]:
            cursor.execute(_SPAN, {"first": first, "last": last})
            begin, end = cursor.fetchall()[0]
            return begin, end

        return self._connections.read(read)

    def store(self, observations: Sequence[Mapping[str, str | None]]) -> Counts:
        """Store each observation as `SQLModel.add_weather_data` does; those that can't be stored are counted."""
        found, refused = [], 0
        for each in observations:
            try:
                found.append(parse_observation(each))
            except ObservationInvalid:
                refused += 1
        counts = Counts(refused=refused)
        for start in range(0, len(found), _TOGETHER):
            counts = counts.plus(self._store(found[start : start + _TOGETHER]))
        return counts

    def _store(self, observations: Sequence[Observation]) -> Counts:
        def write(cursor: Cursor) -> Counts:
            return _stored(cursor, observations)

        return self._connections.write_repeatable(write)  # storing again is idempotent

    def try_lock(self) -> AbstractContextManager[bool]:
        """Hold the advisory lock for fetching the weather in the block; yields False if another workstation holds it.

        Behind a pooler the lock excludes nobody, which does no harm: storing is idempotent.
        """
        return self._connections.try_lock("weather")


def _ends(cursor: Cursor) -> tuple[datetime.datetime | None, datetime.datetime | None]:
    cursor.execute(_ENDS)
    first, last = cursor.fetchall()[0]
    return first, last


def _stored(cursor: Cursor, observations: Sequence[Observation]) -> Counts:
    new = filled = known = refused = 0
    for each in observations:
        try:
            state = store(cursor, each).state
        except ObservationElsewhere:
            refused += 1
            continue
        new += state in ("new", "replaced")
        filled += state == "filled"
        known += state == "known"
    return Counts(new, filled, known, refused)
