"""Observations of the weather: what is stored, and what is refused."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.models import ObservationInvalid, SQLModel
from abq_data_entry.models.weather import parse_observation

TIME = "Wed, 14 Feb 2018 14:53:00 -0500"
GOOD: dict[str, str | None] = {
    "observation_time_rfc822": TIME,
    "temp_c": "11.7",
    "relative_humidity": "96",
    "pressure_mb": "1018.2",
    "weather": "Fog/Mist",
}


def real_observations() -> list[tuple[str, dict[str, str | None]]]:
    folder = Path(os.environ.get("ABQ_WEATHER", Path(__file__).parents[3] / "shared" / "weather"))
    expected = folder / "expected.json"
    return list(json.loads(expected.read_text(encoding="utf-8")).items()) if expected.is_file() else []


def stored(model: SQLModel) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in model.query("SELECT * FROM local_weather ORDER BY datetime") or []]


def moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


@pytest.mark.skipif(not real_observations(), reason="the folder of real observations isn't there (ABQ_WEATHER)")
class TestRealObservations:
    def test_each_is_stored_as_it_was_seen(self, model: SQLModel) -> None:
        assert len(real_observations()) >= 10
        for name, seen in real_observations():
            assert model.add_weather_data(seen) is True, name
            assert model.add_weather_data(seen) is False, name
            (row,) = (row for row in stored(model) if row[0] == parse_observation(seen).time)
            values = (seen["temp_c"], seen["relative_humidity"], seen["pressure_mb"])
            assert row[1:] == (*(None if text is None else Decimal(text) for text in values), seen["weather"]), name

    def test_qa_reads_them_with_psql(self, model: SQLModel, database: dict[str, str]) -> None:
        psql = postgres.binaries() / "psql"
        if not psql.exists() and not shutil.which("psql"):
            pytest.skip("there is no psql on this machine")
        for _, seen in real_observations():
            model.add_weather_data(seen)
        answer = subprocess.run(
            [psql if psql.exists() else "psql", "-d", postgres.dsn(database), "-XAtc", "TABLE local_weather"],
            env={**os.environ, "PGTZ": "America/New_York", "PGCLIENTENCODING": "UTF8"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        ).stdout.splitlines()
        assert "2018-02-14 14:53:00-05|11.70|96.00|1018.20|Fog/Mist" in answer
        assert "2020-10-11 11:55:00-04|21.00|73.00||Mostly Cloudy" in answer
        assert len(answer) == len(real_observations())


def test_missing_values_are_stored_as_null(model: SQLModel) -> None:
    assert model.add_weather_data(dict.fromkeys(GOOD) | {"observation_time_rfc822": TIME, "weather": " "})
    assert stored(model) == [(moment("2018-02-14T14:53:00-05:00"), None, None, None, None)]


def test_the_same_moment_is_recorded_once_and_stays_as_it_was(model: SQLModel) -> None:
    assert model.add_weather_data(GOOD) is True
    assert model.add_weather_data({**GOOD, "temp_c": "12"}) is False
    assert model.add_weather_data({**GOOD, "observation_time_rfc822": "Wed, 14 Feb 2018 19:53:00 GMT"}) is False
    assert [row[1] for row in stored(model)] == [Decimal("11.70")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mon, 11 Feb 2008 06:51:00 -0500 EST\n", "2008-02-11T11:51:00+00:00"),
        ("Wed, 13 Jan 21 10:51:00 +0000", "2021-01-13T10:51:00+00:00"),
        ("Fri, 23 Aug 2013\n 18:56:00 -0700", "2013-08-24T01:56:00+00:00"),
        ("Thu, 21 Jul 2016 10:53:00 EDT", "2016-07-21T14:53:00+00:00"),
        ("Thu, 21 Jul 2016 10:53:00 GMT", "2016-07-21T10:53:00+00:00"),
        ("Thu, 21 Jul 2016 10:53:00 +0530", "2016-07-21T05:23:00+00:00"),
    ],
)
def test_a_time_means(text: str, expected: str) -> None:
    assert parse_observation({**GOOD, "observation_time_rfc822": text}).time == moment(expected)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "Last Updated on Feb 14 2018, 2:53 pm EST",
        "Thu, 21 Jul 2016 10:53:00",
        "Thu, 21 Jul 2016 10:53:00 -0000",
        "Thu, 21 Jul 2016 10:53:00 AKDT",
        "Thu, 21 Jul 2016 10:53:00 HST",
        "Thu, 21 Jul 2016 10:53:00 ChST",
        "Thu, 32 Jul 2016 10:53:00 GMT",
        "Thu, 21 Jul 2016 25:53:00 GMT",
        "Thu, 21 Jul 2016 10:53:00 +9999",
        "Fri, 31 Dec 9999 23:53:00 -0500",
        "Thu, ٢١ Jul 2016 10:53:00 GMT",
        "9" * 100_000,
    ],
)
def test_a_time_that_nobody_can_be_sure_of_is_refused(model: SQLModel, text: str | None) -> None:
    with pytest.raises(ObservationInvalid, match="nothing was stored") as caught:
        model.add_weather_data({**GOOD, "observation_time_rfc822": text})
    assert len(str(caught.value)) < 300
    assert stored(model) == []


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-inf", "1e5", "1_0", "0x1", "٢١", "11,7", "--1", "1 2", "9" * 50])
@pytest.mark.parametrize("key", ["temp_c", "relative_humidity", "pressure_mb"])
def test_what_is_no_decimal_is_refused(key: str, text: str) -> None:
    with pytest.raises(ObservationInvalid, match="isn't a number"):
        parse_observation({**GOOD, key: text})


@pytest.mark.parametrize(
    ("key", "inside", "outside"),
    [
        ("temp_c", ("-90", "60", "+1.25"), ("-90.1", "60.1")),
        ("relative_humidity", ("0", "100"), ("-1", "100.01")),
        ("pressure_mb", ("850", "1100.0"), ("849.9", "1100.1")),
    ],
)
def test_the_bounds(key: str, inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    for text in inside:
        parse_observation({**GOOD, key: text})
    for text in outside:
        with pytest.raises(ObservationInvalid, match="outside of what is possible"):
            parse_observation({**GOOD, key: text})


def test_a_phrase_that_does_not_fit_is_cut_at_a_word(model: SQLModel) -> None:
    model.add_weather_data({**GOOD, "weather": "Thunderstorm in Vicinity and Fog/Mist " * 300})
    conditions = str(stored(model)[0][4])
    assert len(conditions) <= 128 and conditions.endswith((" and…", " in…", "Vicinity…", "Thunderstorm…", "Fog/Mist…"))
    assert parse_observation({**GOOD, "weather": "x" * 128}).conditions == "x" * 128
    assert parse_observation({**GOOD, "weather": "x" * 10_000}).conditions == "x" * 127 + "…"
    assert parse_observation({**GOOD, "weather": "a\x00b\x07"}).conditions == "ab"
