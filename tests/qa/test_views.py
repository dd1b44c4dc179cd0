"""Each view for QA against an independent computation by NumPy, SciPy and statsmodels, to six digits."""

from __future__ import annotations

import datetime
import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pytest

np = pytest.importorskip("numpy", reason="numpy isn't installed: no wheel for this Python")
stats = pytest.importorskip("scipy.stats", reason="scipy isn't installed: no wheel for this Python")

from tests.qa.data import LABS, PLOTS, TECHNICIANS, TIMES, ZONE, Data, Observation, Record, by, due  # noqa: E402

DAY = datetime.timedelta(days=1)
FIELDS = ("humidity", "light", "temperature")
WINDOW = datetime.timedelta(minutes=45)


def close(found: Any, expected: Any) -> bool:
    """Whether two values agree to six digits; None and what is no number only with the same."""
    if found is None or expected is None or isinstance(expected, (str, list, bool, datetime.date)):
        return found == expected
    return math.isclose(float(found), float(expected), rel_tol=1e-6, abs_tol=1e-9)


def assert_same(found: dict, expected: dict) -> None:
    """The same keys, and for each the values that are expected."""
    assert found.keys() == expected.keys()
    wrong = {
        (key, name, found[key][name], value)
        for key, row in expected.items()
        for name, value in row.items()
        if not close(found[key][name], value)
    }
    assert not wrong, sorted(map(str, wrong))[:5]


def values(records: Iterable[Record], field: str) -> list[float]:
    return [float(value) for each in records if (value := getattr(each, field)) is not None]


def saturation(celsius: float) -> float:
    return 0.6108 * math.exp(17.27 * celsius / (celsius + 237.3))


def absolute_humidity(observation: Observation) -> float | None:
    if observation.temperature is None or observation.rel_hum is None:
        return None
    celsius = float(observation.temperature)
    pascal = 1000 * saturation(celsius) * float(observation.rel_hum) / 100
    return 1000 * pascal / (461.5 * (celsius + 273.15))


def nearest(weather: Iterable[Observation], moment: datetime.datetime) -> Observation | None:
    """The observation with a temperature, else the model's; the earlier of two that are as near."""
    for model in (False, True):
        near = [
            each for each in weather
            if (each.kind == "model") is model and each.temperature is not None and abs(each.moment - moment) <= WINDOW
        ]  # fmt: skip
        if near:
            return min(near, key=lambda each: (abs(each.moment - moment), each.moment))
    return None


def test_completeness(data: Data) -> None:
    recorded = defaultdict(set)
    for each in data.records:
        recorded[each.date, each.time, each.lab].add(each.plot)
    # The tables were made with twenty plots for each lab.
    expected = {}
    for lab in "AB":
        first = min(check[:2] for check in recorded if check[2] == lab)
        day, now = first[0], datetime.datetime.now(datetime.timezone.utc)
        while due(day, TIMES[0]) <= now:
            for time in TIMES:
                if ((day, time) >= first and due(day, time) <= now) or (day, time, lab) in recorded:
                    there = recorded.get((day, time, lab), set())
                    expected[day, time, lab] = {
                        "expected": 20, "recorded": len(there), "missing": sorted(set(range(1, 21)) - there),
                    }  # fmt: skip
            day += DAY
    assert_same(by(data.rows("SELECT * FROM completeness"), "date", "time", "lab"), expected)


def test_copied_records(data: Data) -> None:
    known = {each[:4]: each for each in data.records}
    expected = {}
    for each in data.records:
        before = known.get((each.date - DAY, *each[1:4]))
        if before is None:
            continue
        climate = each.temperature is not None and each[6:9] == before[6:9]
        heights = each.heights == before.heights
        if climate or heights:
            expected[each[:4]] = {
                "technician": TECHNICIANS[each.technician], "same_climate": climate, "same_heights": heights,
            }  # fmt: skip
    assert {row["same_climate"] for row in expected.values()} == {True, False}
    assert_same(by(data.rows("SELECT * FROM copied_records"), "date", "time", "lab", "plot"), expected)


def test_digit_preference(data: Data) -> None:
    expected = {}
    for number, name in TECHNICIANS.items():
        for field in FIELDS:
            own = [getattr(each, field) for each in data.records if each.technician == number]
            digits = np.bincount([int(value * 100) % 10 for value in own if value is not None], minlength=10)
            chi2, p = stats.chisquare(digits)
            expected[name, field] = {
                "n": digits.sum(), "chi2": chi2, "p": p, "cramers_v": math.sqrt(chi2 / digits.sum() / 9),
                "share_0_5": (digits[0] + digits[5]) / digits.sum(),
            }  # fmt: skip
    found = by(data.rows("SELECT * FROM digit_preference"), "technician", "field")
    assert_same(found, expected)
    assert found["P Taylor", "humidity"]["p"] < 1e-20 < found["J Simms", "humidity"]["p"]


@pytest.mark.parametrize("chi2", [0, 1e-6, 0.5, 3.3, 9, 16.919, 60, 400, 1299, 1e6])
def test_the_tail_of_chi_square(data: Data, chi2: float) -> None:
    ((row),) = data.rows("SELECT chi_square_tail(%s) AS p", [chi2])
    assert close(row["p"], stats.chi2.sf(chi2, 9))


def test_climate_by_check(data: Data) -> None:
    expected = {}
    for check, records in data.checks().items():
        row: dict[str, Any] = {"due": due(*check[:2]), "readings": len(values(records, "temperature"))}
        for field in FIELDS:
            readings = values(records, field)
            enough = len(readings) >= 10
            row[f"{field}_mean"] = np.mean(readings) if enough else None
            row[f"{field}_median"] = np.median(readings) if enough else None
        seen = nearest(data.weather, due(*check[:2]))
        outside = absolute_humidity(seen) if seen else None
        inside, wet = row["temperature_mean"], row["humidity_mean"]
        row |= {
            "outside_temperature": seen and seen.temperature,
            "outside_rel_hum": seen and seen.rel_hum,
            "outside_humidity": outside,
            "outside_pressure": seen and seen.pressure,
            "outside_kind": seen and (seen.kind or "observed"),
            "distance_minutes": seen and abs((seen.moment - due(*check[:2])).total_seconds()) / 60,
            "vpd_kpa": None if inside is None else
            saturation(inside) - wet * 461.5 * (inside + 273.15) / 1e6,
            "temperature_difference": inside - float(seen.temperature or 0)
            if seen and inside is not None else None,
            "humidity_difference": wet - outside if wet is not None and outside is not None else None,
        }  # fmt: skip
        expected[check] = row
    kinds = {row["outside_kind"] for row in expected.values()}
    assert kinds == {"observed", "model", None} and None in {row["vpd_kpa"] for row in expected.values()}
    assert_same(by(data.rows("SELECT * FROM climate_by_check"), "date", "time", "lab"), expected)


@pytest.mark.parametrize("view", ["completeness", "copied_records", "climate_by_check"])
def test_the_function_gives_the_dates_that_are_asked_for(data: Data, view: str) -> None:
    first, last = datetime.date(2026, 3, 5), datetime.date(2026, 3, 12)
    rows = data.rows(f"SELECT * FROM {view} ORDER BY date, time, lab")
    within = [row for row in rows if first <= row["date"] <= last]
    assert within and len(within) < len(rows)
    ordered = f"SELECT * FROM {view}(%s, %s) ORDER BY date, time, lab"
    for parameters, expected in (((first, last), within), ((None, None), rows)):
        found = data.rows(ordered, parameters)
        assert sorted(map(str, found)) == sorted(map(str, expected))


def test_digit_preference_of_some_dates_below_ten_readings_has_no_numbers(data: Data) -> None:
    day = data.records[0].date
    few = data.rows("SELECT * FROM digit_preference(%s, %s) WHERE n < 10", [day, day])
    every = data.rows("SELECT sum(n) AS n FROM digit_preference(%s, %s)", [day, day])
    assert all((row["chi2"], row["p"], row["cramers_v"], row["share_0_5"]) == (None,) * 4 for row in few)
    own = [each for each in data.records if each.date == day]
    assert [float(row["n"]) for row in every] == [sum(len(values(own, field)) for field in FIELDS)]


def test_the_checks_are_due_by_the_clock_of_the_labs(data: Data) -> None:
    rows = data.rows("SELECT date, time, due FROM plot_readings WHERE date BETWEEN '2026-03-07' AND '2026-03-09'")
    assert {row["due"] for row in rows} == {due(row["date"], row["time"]) for row in rows}
    offsets = {row["due"].astimezone(ZONE).utcoffset() for row in rows}
    assert len(offsets) == 2
    assert set(LABS) == {each.lab for each in data.records} and set(PLOTS) == {each.plot for each in data.records}
