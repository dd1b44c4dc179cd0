"""Each example of the views in docs/qa.md: what it answers, computed from the rows of its view."""

from __future__ import annotations

import datetime
import re
from collections import Counter, defaultdict
from statistics import mean
from typing import Any

from tests.qa.data import Data
from tests.test_documents import QA
from tests.test_qa_examples import statement

MARCH = datetime.date(2026, 3, 1)


def answers(data: Data, beginning: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in data.rows(statement(beginning))]


def test_missing_plots_of_a_week(data: Data) -> None:
    rows = data.rows("SELECT * FROM completeness")
    week = [row for row in rows if MARCH <= row["date"] <= datetime.date(2026, 3, 7)]
    expected = [(row["date"], row["time"], row["lab"], row["missing"]) for row in week if row["missing"]]
    assert len(expected) > 20
    assert sorted(answers(data, "SELECT date, time, lab, missing FROM completeness")) == sorted(expected)


def test_copies_by_technician(data: Data) -> None:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in data.rows("SELECT * FROM copied_records"):
        found[str(row["technician"])].update(name for name in ("same_climate", "same_heights") if row[name])
    rows = answers(data, "AS climate")
    assert {row[0]: row[1:] for row in rows} == {
        name: (counts["same_climate"], counts["same_heights"]) for name, counts in found.items()
    }
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), reverse=True)


def test_who_rounds(data: Data) -> None:
    rows = data.rows("SELECT * FROM digit_preference ORDER BY cramers_v DESC")
    expected = [
        (row["technician"], row["field"], row["n"], round(row["share_0_5"], 2), row["p"])
        for row in rows if row["cramers_v"] > 0.1
    ]  # fmt: skip
    found = [(*row[:3], float(row[3]), row[4]) for row in answers(data, "AS share_0_5, p")]
    assert found == expected
    assert found[0][:2] == ("P Taylor", "humidity")


def test_how_much_warmer_it_is_inside(data: Data) -> None:
    groups = defaultdict(list)
    for check in data.rows("SELECT * FROM climate_by_check('2026-03-01', '2026-03-31')"):
        if check["outside_kind"] == "observed":
            groups[check["lab"], check["time"]].append(check)
    rows = answers(data, "AS warmer_by")
    assert [row[:3] for row in rows] == [(*key, len(group)) for key, group in sorted(groups.items())]
    for row, (_, group) in zip(rows, sorted(groups.items()), strict=True):
        warmer = [each["temperature_difference"] for each in group if each["temperature_difference"] is not None]
        assert abs(float(row[3]) - mean(warmer)) <= 0.00501


def test_the_best_lag(data: Data) -> None:
    best: dict[tuple[Any, Any], dict[str, Any]] = {}
    for row in data.rows("SELECT * FROM weather_correlation"):
        known = best.get((row["lab"], row["field"]))
        if known is None or abs(row["r_without_daily_cycle"]) > abs(known["r_without_daily_cycle"]):
            best[row["lab"], row["field"]] = row
    assert answers(data, "AS best_r") == [
        (*key, row["lag_hours"], row["r_without_daily_cycle"], row["n_effective"]) for key, row in sorted(best.items())
    ]


def test_outliers_of_temperature(data: Data) -> None:
    rows = data.rows("SELECT * FROM reading_outliers WHERE field = 'temperature'")
    month = [row for row in rows if MARCH <= row["date"] <= datetime.date(2026, 3, 31)]
    month.sort(key=lambda row: -abs(row["z"]))
    found = answers(data, "round(z::numeric, 1)")
    assert [row[:5] for row in found] == [tuple(list(row.values())[name] for name in (0, 1, 2, 3, 5)) for row in month]
    assert all(abs(float(row[5]) - known["z"]) <= 0.0501 for row, known in zip(found, month, strict=True))


def test_sensors_that_drift(data: Data) -> None:
    names = ("lab", "plot", "field", "slope_per_day", "tau", "ewma_since")
    rows = data.rows("SELECT * FROM sensor_drift")
    assert answers(data, "WHERE (low > 0 OR high < 0)") == [
        tuple(row[name] for name in names) for row in rows
        if row["low"] * row["high"] > 0 and row["ewma_since"] and row["cusum_since"]
    ]  # fmt: skip


def test_who_is_late(data: Data) -> None:
    late = defaultdict(list)
    for row in data.rows("SELECT * FROM entry_log('2026-03-01', '2026-03-31')"):
        late[row["technician"]].append(row["minutes_late"])
    rows = answers(data, "AS mean_late")
    assert [row[:2] for row in rows] == [(name, len(own)) for name, own in sorted(late.items())]
    assert all(abs(float(row[2]) - mean(late[row[0]])) <= 0.501 for row in rows)


def test_growth_by_degree_day(data: Data) -> None:
    sums: dict[tuple[Any, Any], list[float]] = defaultdict(lambda: [0, 0])
    for row in data.rows("SELECT * FROM growth('2026-03-01', '2026-03-31')"):
        if row["gain"] is None:  # the first day of a seed sample: nothing to compare its degree days with
            continue
        sums[row["lab"], row["seed_sample"]][0] += float(row["gain"])
        sums[row["lab"], row["seed_sample"]][1] += row["gdd"] or 0
    rows = answers(data, "AS cm_a_degree_day")
    assert [row[:2] for row in rows] == sorted(sums)
    assert all(abs(float(row[2]) - sums[row[:2]][0] / sums[row[:2]][1]) <= 0.0000501 for row in rows)


def test_what_is_out_of_control(data: Data) -> None:
    rows = data.rows("SELECT * FROM control_chart")
    april = [row for row in rows if (row["date"].year, row["date"].month) == (2026, 4) and 1 in row["rules"]]
    expected = [(row["lab"], row["field"], row["moment"], row["value"], [1]) for row in april]
    assert sorted(answers(data, "ARRAY[1])")) == sorted(expected)


def test_what_was_changed(data: Data) -> None:
    data.rows("UPDATE plot_checks SET fruit = 3 WHERE plot = 5 AND date = '2026-03-03'")
    rows = data.rows("SELECT * FROM changes")
    counted = Counter(row["field"] for row in rows)
    assert counted["fruit"] > 0
    assert answers(data, "count(DISTINCT who)") == [(field, times, 1) for field, times in sorted(counted.items())]


def test_holes_of_a_week(data: Data) -> None:
    rows = data.rows("SELECT * FROM weather_holes('2026-03-01', '2026-03-08')")
    gaps = sorted((row for row in rows if row["kind"] == "gap"), key=lambda row: -row["minutes"])
    found = answers(data, "WHERE kind = 'gap'")
    assert len(found) > 2 and [row[2] for row in found] == [row["minutes"] for row in gaps]
    assert set(found) == {(row["begins"], row["ends"], row["minutes"]) for row in gaps}


def test_the_line_that_answers_each_question(data: Data) -> None:
    document = QA.read_text(encoding="utf-8").split("## Where the records are")[0]
    lines = re.findall(r"`(SELECT [^`]*)`", document)
    assert len(lines) == 12
    for line in lines:
        assert data.rows(line) or "changes(" in line, line
