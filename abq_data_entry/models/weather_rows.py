"""The rows of `local_weather`: one a moment. What stands there stays; only what was empty is filled."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, NamedTuple

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.models.connections import rows_as_dicts
from abq_data_entry.models.errors import ObservationElsewhere
from abq_data_entry.models.weather import OLD, Observation, age_in_words
from abq_data_entry.observation import QUANTITIES

_INSERT = """
    INSERT INTO local_weather
        (datetime, temperature, rel_hum, pressure, conditions, station, source, kind, fetched, quality)
    VALUES (%(datetime)s, %(temperature)s, %(rel_hum)s, %(pressure)s, %(conditions)s, %(station)s, %(source)s, %(kind)s,
        %(fetched)s, %(quality)s)
    ON CONFLICT (datetime) DO NOTHING
"""
_READ = "SELECT * FROM local_weather WHERE datetime = %(datetime)s"
# Somebody may fill the same row at this moment: what stands there by then stays.
_FILL = """
    UPDATE local_weather SET
        temperature = coalesce(temperature, %(temperature)s), rel_hum = coalesce(rel_hum, %(rel_hum)s),
        pressure = coalesce(pressure, %(pressure)s), conditions = coalesce(conditions, %(conditions)s),
        station = coalesce(station, %(station)s), source = coalesce(source, %(source)s),
        kind = coalesce(kind, %(kind)s), fetched = coalesce(fetched, %(fetched)s), quality = %(quality)s
    WHERE datetime = %(datetime)s
"""
_NAMES = {**{each.column: each.name for each in QUANTITIES}, "conditions": "weather"}
_UNITS = {each.column: f" {each.unit}" for each in QUANTITIES}


class Stored(NamedTuple):
    """What became of an observation.

    `state`: `new`, `filled` (values that were empty in the row of the same observation) or `known` (nothing changed);
    `filled`: which ones; `differing`: what came and isn't what stands there.
    """

    state: Literal["new", "filled", "known"]
    observation: Observation
    filled: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()

    def in_words(self, time: str) -> str:
        """Say what became of the observation of that time."""
        if self.state == "new":
            return f"Weather data recorded for {time}"
        if self.state == "filled":
            return f"Weather data for {time} is completed: {', '.join(self.filled)}"
        return f"Weather data for {time} is already recorded"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What somebody should know about it: its age, values that can't be used, values that differ."""
        age = self.observation.age
        old = (f"the observation is {age_in_words(age)}",) if age > OLD else ()
        return (*old, *self.observation.notes, *self.differing)


def store(cursor: Cursor, seen: Observation) -> Stored:
    """Store an observation, or fill what is empty in its row.

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
    _require_same_station(seen, present)
    return _fill(cursor, seen, row, present)


def _require_same_station(seen: Observation, present: Mapping[str, object]) -> None:
    """A row without a station is from before they were kept: it is the same observation unless a value differs."""
    theirs = present["station"]
    if theirs and seen.station and theirs != seen.station:
        raise ObservationElsewhere(
            f"An observation of the station {theirs} of the same moment ({seen.time:%Y-%m-%d %H:%M} UTC) stands there"
            f" already, so that of {seen.station} was not stored: the table has one row a moment."
        )


def _fill(cursor: Cursor, seen: Observation, row: Mapping[str, object], present: Mapping[str, object]) -> Stored:
    values = seen.values
    differing = [name for name, value in values.items() if _differs(value, present[name])]
    told = tuple(_difference(name, present[name], values[name]) for name in differing)
    empty = [name for name, value in values.items() if value is not None and present[name] is None]
    known = Stored("known", seen, differing=told)
    of_whom = bool(present["station"] or not seen.station)
    if differing if not of_whom else not empty:
        return known  # all is there; or it may be another station's, and nothing of ours goes into that
    kept = [each for each in str(present["quality"] or "").split("; ") if each and not _is_of(each, empty)]
    fresh = [each for each in seen.notes if _is_of(each, empty)]
    cursor.execute(_FILL, {**row, "quality": "; ".join(dict.fromkeys((*kept, *fresh))) or None})
    if not empty:
        return known
    return Stored("filled", seen, tuple(_NAMES[name] for name in empty), told)


def _differs(ours: Decimal | str | None, theirs: object) -> bool:
    return ours is not None and theirs is not None and ours != theirs


def _difference(name: str, stands: object, came: object) -> str:
    unit = _UNITS.get(name, "")
    return f"{_NAMES[name]} was {stands}{unit} and is {came}{unit} now; what was recorded first stays"


def _is_of(note: str, columns: list[str]) -> bool:
    return any(note.startswith(f"{_NAMES[column]} ") for column in columns)
