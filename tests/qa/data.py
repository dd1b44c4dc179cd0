"""A laboratory's half year, made by a seed, as Python knows it: what the views are compared with."""

from __future__ import annotations

import datetime
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg2
from psycopg2.extensions import make_dsn
from psycopg2.extras import execute_values

Endpoint = dict[str, str]
Check = tuple[datetime.date, datetime.time, str]

ZONE = ZoneInfo("America/Denver")
FIRST = datetime.date(2026, 2, 10)
DAYS = 100  # the clocks change on 8 March
LABS = "AB"
PLOTS = range(1, 13)
TIMES = tuple(datetime.time(hour) for hour in (8, 12, 16, 20))
TECHNICIANS = {4291: "J Simms", 4319: "P Taylor", 4478: "Q Murphy"}
MINUTE = datetime.timedelta(minutes=1)


class Record(NamedTuple):
    """A row of plot_checks; the readings are None after a fault."""

    date: datetime.date
    time: datetime.time
    lab: str
    plot: int
    seed: str
    technician: int
    humidity: Decimal | None
    light: Decimal | None
    temperature: Decimal | None
    heights: tuple[Decimal, Decimal, Decimal]

    @property
    def due(self) -> datetime.datetime:
        """When the check was due."""
        return due(self.date, self.time)


class Observation(NamedTuple):
    """A row of local_weather."""

    moment: datetime.datetime
    temperature: Decimal | None
    rel_hum: Decimal | None
    pressure: Decimal | None
    kind: str | None


class Data(NamedTuple):
    """What is in the database at `endpoint`."""

    endpoint: Endpoint
    records: list[Record]
    weather: list[Observation]

    def checks(self) -> dict[Check, list[Record]]:
        """The records by check."""
        found: dict[Check, list[Record]] = defaultdict(list)
        for each in self.records:
            found[each.date, each.time, each.lab].append(each)
        return found

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """What a statement answers, each row by the names of its columns."""
        return ask(self.endpoint, statement, parameters)


def ask(endpoint: Endpoint, statement: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
    """What a statement answers, each row by the names of its columns."""
    with closing(psycopg2.connect(make_dsn(**endpoint))) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        if cursor.description is None:
            return []
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def due(date: datetime.date, time: datetime.time) -> datetime.datetime:
    """The moment when a check is due, in UTC."""
    return datetime.datetime.combine(date, time, ZONE).astimezone(datetime.timezone.utc)


def rounded(value: float, low: float, high: float) -> Decimal:
    """A reading with two decimals, within its limits."""
    return Decimal(f"{min(max(value, low), high):.2f}")


def make_records(seed: int) -> list[Record]:
    """Records with faults, gaps, copies of the day before, round digits, and checks with few plots."""
    chance = random.Random(seed)
    found: dict[tuple[datetime.date, datetime.time, str, int], Record] = {}
    for number in range(DAYS):
        day = FIRST + datetime.timedelta(days=number)
        for time in TIMES:
            for lab in LABS:
                if chance.random() < 0.03:
                    continue
                few = chance.random() < 0.06
                technician = chance.choice(list(TECHNICIANS))
                for plot in PLOTS:
                    if chance.random() < (0.4 if few else 0.02):
                        continue
                    before = found.get((day - datetime.timedelta(days=1), time, lab, plot))
                    made = _record(chance, (day, time, lab, plot), number, technician)
                    if before is not None and chance.random() < 0.03:
                        made = made._replace(humidity=before.humidity, light=before.light,
                                             temperature=before.temperature)  # fmt: skip
                    if before is not None and chance.random() < 0.03:
                        made = made._replace(heights=before.heights)
                    found[made[:4]] = made
    return list(found.values())


def _record(
    chance: random.Random, key: tuple[datetime.date, datetime.time, str, int], number: int, technician: int
) -> Record:
    _, time, lab, _ = key
    warmth = {8: 0, 12: 4, 16: 6, 20: 1}[time.hour] + (2 if lab == "A" else 0)
    temperature = 18 + warmth + chance.gauss(0, 1.5) + (9 if chance.random() < 0.004 else 0)
    light = {8: 20, 12: 60, 16: 40, 20: 1}[time.hour] * chance.lognormvariate(0, 0.3)
    humidity = 12 + 0.3 * warmth + chance.gauss(0, 0.8)
    if technician == 4319:  # who likes round numbers
        humidity = round(humidity * 2, 1) / 2
    height = 2 + 0.4 * number % 60 + chance.random()
    heights = (rounded(height * 0.6, 0, 1000), rounded(height * 1.5, 0, 1000), rounded(height, 0, 1000))
    fault = chance.random() < 0.03
    readings = (rounded(humidity, 0.5, 52), rounded(light, 0, 100), rounded(temperature, 4, 40))
    seed = "AXM477" if number < 60 else "AXM480"
    known = (None, None, None) if fault else readings
    return Record(*key, seed, technician, known[0], known[1], known[2], heights)


def make_weather(seed: int) -> list[Observation]:
    """An observation each hour at 53, with holes, values that are missing, models, and some beside a check."""
    chance = random.Random(seed + 1)
    found: dict[datetime.datetime, Observation] = {}

    def add(moment: datetime.datetime, kind: str | None) -> None:
        warmth = 5 + 8 * ((moment.hour - 6) % 24 / 24) + chance.gauss(0, 2)
        found[moment] = Observation(
            moment,
            None if chance.random() < 0.1 else rounded(warmth, -40, 50),
            None if chance.random() < 0.1 else rounded(chance.uniform(15, 100), 0, 100),
            None if chance.random() < 0.1 else rounded(chance.gauss(1013, 8), 900, 1100),
            kind,
        )

    start = datetime.datetime.combine(FIRST, datetime.time(0, 53), ZONE).astimezone(datetime.timezone.utc)
    for hour in range(-24, DAYS * 24):
        hole = hour % 200 in range(3, 12)
        if not hole and chance.random() > 0.05:
            add(start + hour * 60 * MINUTE, chance.choice([None, "observed"]))
        if chance.random() < 0.2:
            add(start + (hour * 60 + 7) * MINUTE, "model")
    for number in range(0, DAYS, 9):  # two that are as near
        at = due(FIRST + datetime.timedelta(days=number), datetime.time(12))
        for minutes in (-5, 5):
            add(at + minutes * MINUTE, None)
    return list(found.values())


def fill(endpoint: Endpoint, records: Iterable[Record], weather: Iterable[Observation]) -> None:
    """Put them into a database with the schema; the plots of the labs are those of `PLOTS`."""
    with closing(psycopg2.connect(make_dsn(**endpoint))) as connection, connection, connection.cursor() as cursor:
        cursor.execute("UPDATE lab_settings SET time_zone = %s", [ZONE.key])
        rows = sorted(records)
        execute_values(cursor, "INSERT INTO lab_checks (date, time, lab_id, lab_tech_id) VALUES %s",
                       sorted({(*row[:3], row.technician) for row in rows}))  # fmt: skip
        execute_values(
            cursor,
            "INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, lab_tech_id, humidity, light, temperature,"
            " min_height, max_height, median_height, equipment_fault, blossoms, plants, fruit) VALUES %s",
            [(*row[:9], *row.heights, row.humidity is None, 1, 1, 1) for row in rows],
        )
        execute_values(cursor, "INSERT INTO local_weather (datetime, temperature, rel_hum, pressure, kind) VALUES %s",
                       list(weather))  # fmt: skip
        cursor.execute("ANALYZE")  # as autovacuum does within a minute; until then the views take many times as long


def by(rows: Iterable[Mapping[str, Any]], *names: str) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """The rows by the values of those columns; no two have the same."""
    found: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for row in rows:
        key = tuple(row[name] for name in names)
        assert key not in found, key
        found[key] = row
    return found
