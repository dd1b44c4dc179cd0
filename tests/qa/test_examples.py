"""Each example of the views in docs/qa.md: what it answers, computed from the rows of its view."""

from __future__ import annotations

import datetime
from collections import Counter, defaultdict
from statistics import mean
from typing import Any

from tests.qa.data import Data
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
