"""Each example of docs/qa.md against an independent computation, on data whose answers Python knows."""

from __future__ import annotations

import datetime
import hashlib
import itertools
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn
from psycopg2.extras import execute_values

from abq_data_entry.models import SQLModel
from tests.test_documents import QA, answers, blocks, delivery

ZONE = ZoneInfo("America/Indiana/Indianapolis")
TODAY = datetime.date.today()
TIMES = [datetime.time(hour) for hour in (8, 12, 16, 20)]
LABS = "AB"
HOUR = datetime.timedelta(hours=1)


class Record(NamedTuple):
    """A row as it is put into plot_checks."""

    date: datetime.date
    time: datetime.time
    lab: str
    plot: int
    seed: str
    humidity: Decimal | None
    light: Decimal | None
    temperature: Decimal | None
    fault: bool
    height: Decimal


class Data(NamedTuple):
    """What is in the database."""

    session: Connection
    records: list[Record]
    weather: dict[datetime.datetime, Decimal | None]


def statement(beginning: str) -> str:
    """The example whose statement begins so, or holds the text."""
    (found,) = [each for each in blocks(QA, "sql") if beginning in each]
    return found


@pytest.fixture
def data(model: SQLModel, database: dict[str, str]) -> Iterator[Data]:
    """Nine days of two labs, with faults, gaps, two observations in an hour, and observations without a value."""
    model.get_lab_check("2026-01-01", "8:00", "A")  # the tables are there
    chance = random.Random(9)
    days = [TODAY - datetime.timedelta(days=number) for number in range(9)]
    checks = [(day, time, lab) for day in days for time in TIMES for lab in LABS if chance.random() < 0.8]
    records = [_record(chance, *check, plot) for check in checks for plot in range(1, 7) if chance.random() < 0.9]
    weather = dict(_observations(chance, days))
    session = psycopg2.connect(make_dsn(**database))
    with session, session.cursor() as cursor:
        execute_values(cursor, "INSERT INTO lab_checks (date, time, lab_id, lab_tech_id) VALUES %s",
                       [(*check, 4291) for check in checks])  # fmt: skip
        execute_values(
            cursor,
            "INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, humidity, light, temperature,"
            " equipment_fault, max_height, min_height, median_height, blossoms, plants, fruit, lab_tech_id) VALUES %s",
            [(*record, 1, record.height, 1, 1, 1, 4291) for record in records],
        )
        execute_values(cursor, "INSERT INTO local_weather (datetime, temperature) VALUES %s", list(weather.items()))
    yield Data(session, records, weather)
    session.close()


def _record(
    chance: random.Random, date: datetime.date, time: datetime.time, lab: str, plot: int
) -> Record:
    fault = chance.random() < 0.1
    humidity, light, temperature = (
        None if fault else _decimal(chance, *limits) for limits in ((0.5, 52), (0, 100), (4, 40))
    )
    seed = "AXM477" if chance.random() < 0.9 else "AXM478"
    return Record(date, time, lab, plot, seed, humidity, light, temperature, fault, _decimal(chance, 1, 20))


def _observations(
    chance: random.Random, days: list[datetime.date]
) -> Iterator[tuple[datetime.datetime, Decimal | None]]:
    for day in days:
        for minutes in sorted(chance.sample(range(6 * 60, 21 * 60), 30)):
            moment = datetime.datetime.combine(day, datetime.time(minutes // 60, minutes % 60), ZONE)
            yield moment, None if chance.random() < 0.2 else _decimal(chance, -20, 35)
        yield datetime.datetime.combine(day, datetime.time(12), ZONE), _decimal(chance, -20, 35)  # at the check itself


def _decimal(chance: random.Random, low: float, high: float) -> Decimal:
    return Decimal(chance.randint(int(low * 100), int(high * 100))) / 100


def _average(values: list[Decimal]) -> Decimal:
    return (sum(values, Decimal()) / len(values)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _before(data: Data, record: Record, hours: int, open_end: bool) -> list[datetime.datetime]:
    due = datetime.datetime.combine(record.date, record.time, ZONE)
    begin = due - hours * HOUR
    return sorted(each for each in data.weather if begin <= each <= due and not (open_end and each == begin))


def test_inside_against_outside_counts_each_record_once(data: Data) -> None:
    pairs = defaultdict(list)
    for record in data.records:
        seen = [each for each in _before(data, record, 1, True) if data.weather[each] is not None]
        if seen and record.temperature is not None:
            pairs[record.date, record.lab].append((record.temperature, data.weather[seen[-1]]))
    expected = [
        (*key, _average([inside for inside, _ in values]), _average([outside or Decimal() for _, outside in values]),
         len(values))
        for key, values in sorted(pairs.items())
    ]  # fmt: skip
    assert any(len(_before(data, record, 1, True)) > 1 for record in data.records), "nothing here could be doubled"
    assert answers(data.session, statement("AS outside")) == expected


def test_the_newest_observation_before_each_check(data: Data) -> None:
    week = [record for record in data.records if record.date > TODAY - datetime.timedelta(days=7)]
    expected = {}
    for record in week:
        seen = _before(data, record, 3, False)
        at = seen[-1] if seen else None
        expected[record.date, record.time, record.lab] = (at, data.weather[at] if at else None)
    rows = [(row[:3], row[3:5]) for row in answers(data.session, statement("AS observed"))]
    assert [((day, f"{time.hour}:00", lab), seen) for (day, time, lab), seen in sorted(expected.items())] == rows


def test_averages_of_this_month(data: Data) -> None:
    groups = defaultdict(list)
    for record in data.records:
        if record.date >= TODAY.replace(day=1):
            groups[record.lab, record.time].append(record)
    expected = [
        (lab, f"{time.hour}:00", len(group), _average([each.humidity for each in group if each.humidity is not None]),
         _average([each.light for each in group if each.light is not None]),
         _average([each.temperature for each in group if each.temperature is not None]),
         sum(each.fault for each in group))
        for (lab, time), group in sorted(groups.items())
    ]  # fmt: skip
    assert answers(data.session, statement("AS faults")) == expected


def test_missing_plots_and_checks_never_begun(data: Data) -> None:
    with data.session, data.session.cursor() as cursor:
        cursor.execute("UPDATE plots SET retired = now() - interval '30 days' WHERE plot > 6")
        cursor.execute("UPDATE labs SET retired = now() - interval '30 days' WHERE id > 'B'")
        cursor.execute("SELECT date, time, lab_id FROM lab_checks")
        begun = set(cursor.fetchall())
    there = defaultdict(set)
    for record in data.records:
        there[record.date, record.time, record.lab].add(record.plot)
    missing = {check: sorted(set(range(1, 7)) - there[check]) for check in begun}
    expected = [(*check, "J Simms", plots) for check, plots in sorted(missing.items()) if plots]
    assert answers(data.session, statement("AS begun_by")) == expected
    week = [TODAY - datetime.timedelta(days=number) for number in range(1, 8)]
    never = sorted({(day, time, lab) for day in week for time in TIMES for lab in LABS} - begun)
    assert answers(data.session, statement("generate_series(current_date - 7")) == never


def test_heights_that_changed(data: Data) -> None:
    rows = defaultdict(list)
    for record in sorted(data.records):
        rows[record.lab, record.plot, record.seed].append(record)
    expected = sorted(
        (after.date, after.time, after.lab, after.plot, after.height - before.height)
        for series in rows.values()
        for before, after in itertools.pairwise(series)
        if abs(after.height - before.height) > 5
    )
    found = answers(data.session, statement("AS change"))
    assert [(row[2], f"{row[3]}", row[0], row[1], row[6]) for row in found] == [
        (day, f"{time.hour}:00", lab, plot, change) for day, time, lab, plot, change in expected
    ]


def test_corrections_of_humidity_and_an_unbroken_chain(data: Data) -> None:
    record = next(each for each in data.records if each.humidity is not None)
    other = next(each for each in reversed(data.records) if each.light is not None)
    change = "UPDATE plot_checks SET {} WHERE (date, time, lab_id, plot) = (%s, %s, %s, %s)"
    with data.session, data.session.cursor() as cursor:
        cursor.execute("SET LOCAL abq.reason = 'misread'")
        cursor.execute(change.format("humidity = 51.11"), record[:4])
        cursor.execute(change.format("light = 99.99"), other[:4])
    found = answers(data.session, statement("AS became"))
    assert [row[2:] for row in found] == [("misread", str(record.plot), str(record.humidity), "51.11")]
    assert answers(data.session, statement("AS first_break")) == []


def test_a_broken_entry_is_the_first_break_of_its_lab(data: Data) -> None:
    """Somebody who may switch triggers off changes an entry of two labs; each hash is computed here anew."""
    chance = random.Random(3)
    with data.session, data.session.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for lab in LABS:
            cursor.execute("SELECT max(sequence) FROM audit WHERE lab_id = %s", [lab])
            ((last,),) = cursor.fetchall()
            for sequence in chance.sample(range(2, last), 3):
                cursor.execute("UPDATE audit SET reason = 'no reason' WHERE (lab_id, sequence) = (%s, %s)",
                               [lab, sequence])  # fmt: skip
        cursor.execute("SELECT lab_id, sequence, previous_hash, audit_content(audit), hash FROM audit")
        entries = cursor.fetchall()
    broken = defaultdict(list)
    for lab, sequence, previous, content, kept in entries:
        if hashlib.sha256(f"{previous}{content}".encode()).hexdigest() != kept:
            broken[lab].append(sequence)
    assert {lab: len(found) for lab, found in broken.items()} == {"A": 3, "B": 3}
    found = answers(data.session, statement("AS first_break"))
    assert sorted(found) == sorted((lab, min(sequences)) for lab, sequences in broken.items())


def test_records_that_were_withdrawn(data: Data) -> None:
    """Withdrawn, brought back, withdrawn once more, of long ago, by persons with and without a login of their own."""
    login = data.session.info.user
    chance = random.Random(5)
    old = data.records[0]._replace(date=TODAY - datetime.timedelta(days=30))
    edge = old._replace(date=TODAY - datetime.timedelta(days=29))
    gone: dict[tuple[object, ...], tuple[str, str]] = {}
    order: list[tuple[object, ...]] = []
    with data.session, data.session.cursor() as cursor:
        cursor.execute("INSERT INTO technician_logins VALUES (%s, 4291)", [login])  # J Simms
        for record in (old, edge):
            cursor.execute("INSERT INTO lab_checks (date, time, lab_id, lab_tech_id) VALUES (%s, %s, %s, 4291)",
                           record[:3])  # fmt: skip
            cursor.execute(
                "INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, humidity, light, temperature,"
                " equipment_fault, max_height, min_height, median_height, blossoms, plants, fruit, lab_tech_id)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 1, 1, 1, 1, 1, 4291)", record,
            )  # fmt: skip

    def change(key: tuple[object, ...], function: str, person: str, why: str) -> None:
        with data.session, data.session.cursor() as cursor:
            cursor.execute("SELECT set_config('abq.application_user', %s, true)", [person])
            cursor.execute(f"SELECT {function}(%s, %s, %s, %s, %s)", [*key, why])

    chosen = [record[:4] for record in [old, edge, *chance.sample(data.records[1:], 12)]]
    for number, key in enumerate(chosen):
        person = chance.choice(["J Simms", "P Taylor", ""])
        change(key, "withdraw_record", person, f"reason {number}")
        gone[key] = (person, f"reason {number}")
        order.append(key)
    for key in chosen[3:9]:
        change(key, "bring_back_record", "J Simms", "it was right")
        del gone[key]
        order.remove(key)
    for key in chosen[3:6]:
        change(key, "withdraw_record", "P Taylor", "after all")
        gone[key] = ("P Taylor", "after all")
        order.append(key)

    shown = {"J Simms": "J Simms", "P Taylor": f"P Taylor (login {login})", "": login}
    expected = [
        (shown[gone[key][0]], gone[key][1], key[0], f"{key[1].hour}:00", key[2], key[3])  # type: ignore[attr-defined]
        for key in order
        if key[0] != old.date
    ]
    found = answers(data.session, statement("FROM withdrawn_records"))
    assert [row[1:] for row in found] == expected
    moments = [row[0] for row in found]
    assert moments == sorted(moments) and len(expected) == 10  # type: ignore[type-var]


class Sent(NamedTuple):
    """An extract that went out, or didn't."""

    day: datetime.date
    destination: str
    version: int
    state: str
    delivered: datetime.datetime | None
    sha256: str
    outdated: bool


def _sent(data: Data, model: SQLModel) -> list[Sent]:
    """A fortnight of deliveries and of corrections between them, as they come; what each change leaves outdated."""
    chance = random.Random(11)
    days = [TODAY - datetime.timedelta(days=number) for number in range(9)]
    sent: list[Sent] = []
    moment = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    for _ in range(60):
        day, destination = chance.choice(days), chance.choice(["rest", "ftp"])
        if chance.random() < 0.25:
            _correct(data, day, chance)
            sent = [each._replace(outdated=True) if each.day == day and each.state != "cancelled" else each
                    for each in sent]  # fmt: skip
            continue
        version = 1 + max((each.version for each in sent if (each.day, each.destination) == (day, destination)),
                          default=0)  # fmt: skip
        moment += datetime.timedelta(minutes=1)
        state = chance.choice(["delivered", "delivered", "failed", "waiting", "cancelled"])
        arrived = moment if state == "delivered" else None
        made = Sent(day, destination, version, state, arrived, f"{len(sent):064x}", False)
        model.record_deliveries([delivery(date=day, destination=destination, version=version, state=state,
                                       delivered=arrived, created=moment, sha256=made.sha256)])  # fmt: skip
        sent.append(made)
    return sent


def _correct(data: Data, day: datetime.date, chance: random.Random) -> None:
    record = next(each for each in data.records if each.date == day)
    with data.session, data.session.cursor() as cursor:
        cursor.execute("UPDATE plot_checks SET notes = %s WHERE (date, time, lab_id, plot) = (%s, %s, %s, %s)",
                       [f"{chance.random()}", *record[:4]])  # fmt: skip


def _newest(sent: list[Sent]) -> list[Sent]:
    """The last version of each day and destination that arrived."""
    groups = defaultdict(list)
    for each in sent:
        if each.state == "delivered":
            groups[each.day, each.destination].append(each)
    return [max(group, key=lambda each: each.version) for _, group in sorted(groups.items())]


def test_what_was_delivered_and_no_longer_agrees(data: Data, model: SQLModel) -> None:
    newest = _newest(_sent(data, model))
    expected = [(each.day, each.destination, each.version, each.delivered) for each in newest if each.outdated]
    assert expected and len(expected) < len(newest), "nothing here could be told apart"
    found = answers(data.session, statement("WHERE outdated IS NOT NULL"))
    assert [row[:4] for row in found] == expected and all(row[4] for row in found)


def test_what_the_other_side_has_of_the_last_week(data: Data, model: SQLModel) -> None:
    newest = _newest(_sent(data, model))
    week = [each for each in newest if each.day > TODAY - datetime.timedelta(days=7)]
    assert len(week) < len(newest)
    expected = [(each.day, each.destination, each.version, each.delivered, each.sha256) for each in week]
    assert answers(data.session, statement("version, delivered, sha256")) == expected


def test_questions_that_are_not_closed(data: Data) -> None:
    valid = [each for each in data.records if not each.fault][:4]
    with data.session, data.session.cursor() as cursor:
        marks = (("humidity", "queried"), ("light", "queried"), ("temperature", "queried"), ("light", "excluded"))
        for record, (field, state) in zip(valid, marks, strict=True):
            cursor.execute("SELECT mark_value(%s, %s, %s, %s, %s, %s, 'Why?')", [*record[:4], field, state])
        cursor.execute("SELECT close_mark(id) FROM value_marks WHERE field = 'temperature'")
    found = answers(data.session, statement("state = 'queried' AND status <> 'closed'"))
    assert [row[1:6] for row in found] == [(*valid[0][:4], "humidity"), (*valid[1][:4], "light")]
    assert {row[7] for row in found} == {"Why?"}


def test_each_example_is_computed_here() -> None:
    """Every statement of the document is asked for above."""
    others = (Path(__file__).parent / "qa" / "test_examples.py").read_text("utf-8")
    asked = re.findall(r'(?:statement\(|answers\(data, )"([^"]+)"\)', Path(__file__).read_text("utf-8") + others)
    for each in blocks(QA, "sql"):
        assert [beginning for beginning in asked if beginning in each], each
