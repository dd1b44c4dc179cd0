"""What was put into the records is what the questions at the head of docs/qa.md find in them."""

from __future__ import annotations

import datetime
import math
import random
from collections import defaultdict
from decimal import Decimal

from tests.qa.data import FIRST, TIMES, Endpoint, Observation, Record, ask, due, fill, rounded
from tests.test_qa_examples import statement

DAYS = 60
PLOTS = range(1, 13)
LAG = 3
"""Hours until the weather is felt inside."""
DAMP = range(45, 52)
"""Days on which the lab is too damp by 3 g/m³."""
CM_A_DEGREE_DAY = 0.05
HOUR = datetime.timedelta(hours=1)


def make_weather(chance: random.Random) -> dict[datetime.datetime, float]:
    """An observation at 53 of each hour: a day's course, and what stays for some hours."""
    start = due(FIRST, datetime.time(0)) - 24 * HOUR
    found, extra = {}, 0.0
    for number in range((DAYS + 2) * 24):
        extra = 0.8 * extra + chance.gauss(0, 2)
        moment = start + number * HOUR
        found[moment - datetime.timedelta(minutes=7)] = 8 + 6 * math.cos((moment.hour - 21) * math.pi / 12) + extra
    return found


def make_records(chance: random.Random, outside: dict[datetime.datetime, float]) -> list[Record]:
    """Plots that are as warm as the weather of three hours ago makes them, and grow with the degree days they had."""
    records: list[Record] = []
    grown: dict[int, float] = defaultdict(lambda: 2.0)
    for number in range(DAYS):
        day = FIRST + datetime.timedelta(days=number)
        warmth: dict[int, list[Decimal]] = defaultdict(list)
        for time in TIMES:
            felt = outside[due(day, time) - LAG * HOUR - datetime.timedelta(minutes=7)]
            lab = 21 + 0.4 * felt + chance.gauss(0, 0.3)
            damp = 12 + chance.gauss(0, 0.3) + (3 if number in DAMP else 0)
            for plot in PLOTS:
                warmth[plot].append(rounded(lab + chance.gauss(0, 0.2), 4, 40))
                height = grown[plot]
                if len(warmth[plot]) == len(TIMES):  # the last height of the day shows what the day has added
                    degrees = float(min(warmth[plot]) + max(warmth[plot])) / 2 - 10
                    height = grown[plot] = height + CM_A_DEGREE_DAY * min(max(degrees, 0), 20)
                middle = rounded(height, 0, 1000)
                humidity, light = (
                    rounded(damp + chance.gauss(0, 0.1), 0.5, 52),
                    rounded(20 + chance.gauss(0, 1), 0, 100),
                )
                heights = (middle - 1, middle + 1, middle)
                records.append(Record(day, time, "A", plot, "AXM477", 4291, humidity, light, warmth[plot][-1], heights))
    return records


def test_what_was_planted_is_found(database: Endpoint) -> None:
    chance = random.Random(12)
    outside = make_weather(chance)
    observations = [Observation(moment, rounded(value, -40, 50), None, None, None) for moment, value in outside.items()]
    fill(database, make_records(chance, outside), observations)

    lags = {row["lag_hours"]: row["r_without_daily_cycle"] for row in ask(
        database, "SELECT * FROM weather_correlation WHERE field = 'temperature'")}  # fmt: skip
    assert max(lags, key=lambda hours: abs(lags[hours])) == LAG and lags[LAG] > 0.9
    best = {row["field"]: row["lag_hours"] for row in ask(database, statement("AS best_r"))}
    assert best["temperature"] == LAG

    charts = ask(database, "SELECT * FROM control_chart WHERE field = 'humidity' AND 1 = ANY (rules)")
    damp = {(FIRST + datetime.timedelta(days=number), time) for number in DAMP for time in TIMES}
    found = {row["moment"] for row in charts}
    assert {due(*check) for check in damp} <= found and len(found) < len(damp) + 5

    (growth,) = ask(database, statement("AS cm_a_degree_day"))
    assert abs(float(growth["cm_a_degree_day"]) / CM_A_DEGREE_DAY - 1) < 0.001
    whole = "SELECT sum(gain) / sum(gdd) FILTER (WHERE gain IS NOT NULL) AS slope FROM growth WHERE plot = 5"
    assert abs(ask(database, whole)[0]["slope"] / CM_A_DEGREE_DAY - 1) < 0.001
