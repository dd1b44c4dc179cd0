"""How the day stands: which checks lack records, what QA asks, how old the weather is."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_DAY = """
    SELECT day, (day + 1)::timestamp AT TIME ZONE time_zone
    FROM (SELECT (now() AT TIME ZONE time_zone)::date AS day, time_zone FROM lab_settings) AS here
"""
_CHECKS = """
    SELECT date, to_char(time, 'FMHH24:MI') AS time, lab::text, expected, recorded, missing
    FROM completeness(%(day)s, %(day)s) ORDER BY completeness.time, lab
"""
_QUESTIONS = "SELECT count(*) FROM value_marks WHERE state = 'queried' AND status = 'open' AND gone IS NULL"
_NOTES = "SELECT count(*) FROM shift_notes WHERE done IS NULL"
_WEATHER = """
    SELECT datetime, temperature::double precision, station FROM local_weather
    WHERE coalesce(kind, 'observed') = 'observed' ORDER BY datetime DESC LIMIT 1
"""


@dataclass(frozen=True)
class DueCheck:
    """A check that was due today: how many records it should have and has, and the plots that are missing."""

    date: datetime.date
    time: str
    lab: str
    expected: int
    recorded: int
    missing: tuple[int, ...]


@dataclass(frozen=True)
class Today:
    """`checks`: those due so far; `questions`: how many of QA wait for an answer; `observed`: when the weather was last
    observed (None: never), with its `temperature` in °C and `station`; `notes`: how many of them are open; `ends`: the
    labs' midnight after it."""

    checks: tuple[DueCheck, ...]
    questions: int = 0
    observed: datetime.datetime | None = None
    temperature: float | None = None
    station: str | None = None
    notes: int = 0
    ends: datetime.datetime | None = None


def read_today(cursor: Cursor) -> Today:
    """Read it, by the labs' clock."""
    cursor.execute(_DAY)
    day, ends = cursor.fetchone() or (datetime.date.today(), None)
    cursor.execute(_CHECKS, {"day": day})
    checks = tuple(
        DueCheck(date, time, lab, expected, recorded, tuple(missing))
        for date, time, lab, expected, recorded, missing in cursor.fetchall()
    )
    cursor.execute(_QUESTIONS)
    (questions,) = cursor.fetchone() or (0,)
    cursor.execute(_NOTES)
    (notes,) = cursor.fetchone() or (0,)
    cursor.execute(_WEATHER)
    observed, temperature, station = cursor.fetchone() or (None, None, None)
    return Today(checks, questions, observed, temperature, station, notes, ends)
