"""What the views answer where nothing varies, where QA excluded values, and where there is no weather."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial

import pytest

from abq_data_entry.models import schema
from abq_data_entry.postgres import EmbeddedServer
from abq_data_entry.postgres.connections import cursor_at
from tests.models.test_schema import run
from tests.qa.data import FIRST, TIMES, Endpoint, Observation, Record, ask, due, fill

DAYS = 70
_NAME = "abq_steady"
CLIMATE = {8: ("12.13", "20.10"), 12: ("12.47", "60.30"), 16: ("12.81", "40.70"), 20: ("11.93", "1.10")}


@pytest.fixture(scope="module")
def steady_template(server: EmbeddedServer) -> Iterator[str]:
    """Twelve plots in which each time of the day is always the same, one of them 0.1 °C warmer than the others."""
    records: list[Record] = []
    weather: list[Observation] = []
    for number in range(DAYS):
        day = FIRST + datetime.timedelta(days=number)
        for time in TIMES:
            humidity, light = map(Decimal, CLIMATE[time.hour])
            height = Decimal(number) / 10 + time.hour
            records.extend(
                Record(day, time, "A", plot, "AXM477", 4291, humidity, light,
                       Decimal("21.4") if plot == 3 else Decimal("21.3"), (height - 1, height + 1, height))
                for plot in range(1, 13)
            )  # fmt: skip
            celsius = Decimal(number * 7 % 13 + time.hour % 5)
            weather.append(Observation(due(day, time), celsius, Decimal(40 + number % 17), None, None))
    server.create_database(_NAME)
    schema.prepare(server.endpoint(_NAME))
    fill(server.endpoint(_NAME), records, weather)
    yield _NAME
    with cursor_at(server.endpoint("postgres")) as cursor:
        cursor.execute(f"DROP DATABASE {_NAME}")


@pytest.fixture
def steady(steady_template: str, make_database: Callable[[str], Endpoint]) -> Endpoint:
    """A copy of it."""
    return make_database(steady_template)


def test_equal_readings_go_with_no_weather(steady: Endpoint) -> None:
    rows = [each for each in ask(steady, "SELECT * FROM weather_correlation") if each["n"] >= 10]
    assert {each["field"] for each in rows} == {"humidity", "light", "temperature"}
    for each in rows:
        names = ["r_without_daily_cycle"]  # the time of day alone is what humidity and light vary with
        if each["field"] == "temperature":
            names += ["r", "n_effective", "low", "high"]
        assert [each[name] for name in names] == [None] * len(names), each


def test_equal_readings_violate_no_rule_and_do_not_drift(steady: Endpoint) -> None:
    values = "SELECT DISTINCT value, centre, lower, upper, coalesce(rules, '{}') = '{}' AS quiet FROM control_chart"
    assert ask(steady, values) == [{"value": 0, "centre": 0, "lower": 0, "upper": 0, "quiet": True}]
    drifts = "SELECT DISTINCT slope_per_day, tau, ewma_since, cusum_since FROM sensor_drift"
    assert ask(steady, drifts) == [{"slope_per_day": 0, "tau": None, "ewma_since": None, "cusum_since": None}]


def test_excluded_values_are_not_counted(steady: Endpoint) -> None:
    mark = partial(str.format, "SELECT mark_value('{}', '{}', 'A', {}, '{}', 'excluded', 'typed wrong')")
    before = ask(steady, "SELECT max(n) AS n FROM weather_correlation WHERE field = 'temperature'")[0]["n"]
    for plot in range(1, 4):
        run(steady, mark(FIRST, "12:00", plot, "temperature"))
    run(steady, mark(FIRST, "20:00", 1, "median_height"))
    check = f"WHERE date = '{FIRST}' AND time = '12:00'"
    climate = f"SELECT temperature_mean, temperature_median, vpd_kpa, humidity_mean FROM climate_by_check {check}"
    nothing = dict.fromkeys(("temperature_mean", "temperature_median", "vpd_kpa"))
    assert ask(steady, climate) == [{**nothing, "humidity_mean": 12.47}]
    counts = f"SELECT temperature_readings, humidity_readings, readings FROM check_means {check}"
    assert ask(steady, counts) == [{"temperature_readings": 9, "humidity_readings": 12, "readings": 12}]
    after = ask(steady, "SELECT max(n) AS n FROM weather_correlation WHERE field = 'temperature'")[0]["n"]
    assert after == before - 1
    points = "SELECT field, count(*) AS n FROM control_chart GROUP BY field ORDER BY field"
    assert [each["n"] for each in ask(steady, points)] == [4 * DAYS, 4 * DAYS, 4 * DAYS - 1]
    grown = f"SELECT height FROM growth WHERE plot IN (1, 2) AND date = '{FIRST}' ORDER BY plot"
    assert ask(steady, grown) == [{"height": 16}, {"height": 20}]
    second = FIRST + datetime.timedelta(days=1)
    for time in TIMES:
        run(steady, mark(second, time, 2, "median_height"))
    gains = f"SELECT height, gain FROM growth WHERE plot = 2 AND date > '{FIRST}' ORDER BY date LIMIT 2"
    assert ask(steady, gains) == [{"height": None, "gain": None}, {"height": Decimal("20.20"), "gain": Decimal("0.20")}]


def test_values_that_return_to_the_centre_violate_no_rule(steady: Endpoint) -> None:
    base = "UPDATE plot_checks SET temperature = 21.3 + date_part('doy', date)::integer % 3 * 0.07"
    run(steady, f"{base} WHERE date < date '{FIRST}' + 30")
    run(steady, f"UPDATE plot_checks SET temperature = 21.37 WHERE date >= date '{FIRST}' + 30")
    later = "SELECT value, rules FROM control_chart WHERE field = 'temperature' AND date >= '{}' ORDER BY moment"
    rows = ask(steady, later.format(FIRST + datetime.timedelta(days=60)))
    # Nine on the centre are on neither side of it (rule 2); all of them are within one sigma (rule 7).
    assert {(each["value"], *each["rules"]) for each in rows} == {(0, 7)}


def test_holes_without_weather_and_in_the_future(steady: Endpoint) -> None:
    run(steady, "DELETE FROM local_weather")
    kinds = "SELECT kind, count(*) AS n FROM weather_holes(NULL, NULL) GROUP BY kind ORDER BY kind"
    assert ask(steady, kinds) == [{"kind": "check", "n": 4 * DAYS}, {"kind": "gap", "n": 1}]
    assert ask(steady, kinds.replace("NULL, NULL", "'-infinity', 'infinity'")) == ask(steady, kinds)
    assert ask(steady, "SELECT * FROM weather_holes(now() + interval '1 day', now() + interval '2 days')") == []


def test_what_no_formula_reaches_is_left_empty(steady: Endpoint) -> None:
    run(steady, "UPDATE local_weather SET temperature = -236.9")
    assert ask(steady, "SELECT DISTINCT outside_humidity AS damp FROM climate_by_check") == [{"damp": None}]
    assert ask(steady, "SELECT chi_square_tail(0) AS p") == [{"p": 1}]
