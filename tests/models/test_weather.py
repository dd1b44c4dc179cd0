"""Observations of the weather: what is stored, and what is refused."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry import postgres
from abq_data_entry.models import ObservationElsewhere, ObservationInvalid, SQLModel
from abq_data_entry.models.weather import Stored, parse_observation

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
    """The rows with the columns that were there from the beginning."""
    rows = model.query("SELECT * FROM local_weather ORDER BY datetime") or []
    assert not rows or list(rows[0])[5:] == ["station", "source", "kind", "fetched", "quality"]
    return [tuple(row.values())[:5] for row in rows]


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
        columns = "SELECT datetime, temperature, rel_hum, pressure, conditions FROM local_weather"
        answer = subprocess.run(
            [psql if psql.exists() else "psql", "-d", postgres.dsn(database), "-XAtc", columns],
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
    assert model.today().observed is None
    assert model.add_weather_data({"observation_time_rfc822": TIME, "weather": "Fair"})
    assert stored(model) == [(moment("2018-02-14T14:53:00-05:00"), None, None, None, "Fair")]


@pytest.mark.parametrize("data", [{}, {"weather": " "}, {"temp_c": "NA", "weather": "null", "pressure_mb": ""}])
def test_an_observation_without_any_value_is_not_stored(model: SQLModel, data: dict[str, str | None]) -> None:
    with pytest.raises(ObservationInvalid, match="no value that can be used, so nothing was stored"):
        model.add_weather_data({"observation_time_rfc822": TIME, **data})
    assert stored(model) == []


def test_the_same_moment_is_recorded_once_and_stays_as_it_was(model: SQLModel) -> None:
    assert model.add_weather_data(GOOD) is True
    assert model.add_weather_data({**GOOD, "temp_c": "12"}) is False
    assert model.add_weather_data({**GOOD, "observation_time_rfc822": "Wed, 14 Feb 2018 19:53:00 GMT"}) is False
    assert [row[1] for row in stored(model)] == [Decimal("11.70")]


def whole_row(model: SQLModel) -> dict[str, object]:
    (row,) = model.query("SELECT * FROM local_weather") or []
    return row


OF_KBMG: dict[str, str | None] = {**GOOD, "station": "KBMG", "source": "nws_xml", "kind": "observed"}


def test_where_an_observation_comes_from_is_stored(model: SQLModel) -> None:
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    assert model.add_weather_data({**OF_KBMG, "station": "kbmg", "temp_c": "-3.2999999999999545"})
    row = whole_row(model)
    assert (row["station"], row["source"], row["kind"]) == ("KBMG", "nws_xml", "observed")
    assert row["temperature"] == Decimal("-3.30")
    assert row["quality"] == "temperature rounded from '-3.2999999999999545'"
    assert before <= row["fetched"] <= before + datetime.timedelta(minutes=1)  # type: ignore[operator]
    seen = model.today()
    assert (seen.observed, seen.temperature, seen.station) == (row["datetime"], -3.3, "KBMG")


def test_what_is_not_said_of_an_observation_stays_empty(model: SQLModel) -> None:
    assert model.add_weather_data(GOOD)
    row = whole_row(model)
    assert [row[name] for name in ("station", "source", "kind", "quality")] == [None] * 4


@pytest.mark.parametrize(
    "wrong", [{"station": "K-BMG"}, {"station": "KBMG12345"}, {"kind": "guessed"}, {"source": "x" * 65}]
)
def test_a_station_or_kind_that_can_be_none_is_refused(model: SQLModel, wrong: dict[str, str | None]) -> None:
    with pytest.raises(ObservationInvalid):
        model.add_weather_data({**OF_KBMG, **wrong})
    assert stored(model) == []


def test_a_station_that_is_no_text_is_refused(model: SQLModel) -> None:
    wrong: dict[str, Any] = {"station": 7}
    with pytest.raises(ObservationInvalid, match="station isn't a text"):
        model.add_weather_data({**OF_KBMG, **wrong})


def test_an_observation_of_another_station_with_the_same_time_is_refused(model: SQLModel) -> None:
    assert model.add_weather_data(OF_KBMG)
    with pytest.raises(ObservationElsewhere, match=r"station KBMG of the same moment.*that of KOKC was not stored"):
        model.add_weather_data({**OF_KBMG, "station": "KOKC", "temp_c": "30"})
    assert whole_row(model)["station"] == "KBMG"


def test_what_was_empty_is_filled_when_the_observation_comes_again(model: SQLModel) -> None:
    partly = {**OF_KBMG, "relative_humidity": "101", "pressure_mb": None}
    first = model.store_weather(partly)
    assert first.state == "new"
    assert first.observation.notes == ("relative humidity '101' is outside of what is possible (0 to 100 %)",)
    fetched = whole_row(model)["fetched"]
    again = model.store_weather(OF_KBMG)
    assert (again.state, again.filled, again.differing) == ("filled", ("relative humidity", "pressure"), ())
    assert again.in_words("T") == "Weather data for T is completed: relative humidity, pressure"
    row = whole_row(model)
    assert (row["rel_hum"], row["pressure"], row["quality"]) == (Decimal(96), Decimal("1018.20"), None)
    assert row["fetched"] == fetched
    assert model.add_weather_data(OF_KBMG) is False
    entries = model.query("SELECT operation, old, new FROM audit WHERE table_name = 'local_weather' ORDER BY sequence")
    assert [entry["operation"] for entry in entries or []] == ["INSERT", "UPDATE"]
    last = (entries or [])[-1]
    assert (last["old"]["rel_hum"], last["new"]["rel_hum"]) == (None, 96)  # type: ignore[index]
    assert not model.verify_audit().breaks


def test_a_stored_value_that_differs_stays_with_a_warning_and_others_are_filled(model: SQLModel) -> None:
    model.add_weather_data({**OF_KBMG, "pressure_mb": None})
    again = model.store_weather({**OF_KBMG, "temp_c": "12.0"})
    assert (again.state, again.filled) == ("filled", ("pressure",))
    assert again.differing == ("temperature was 11.70 °C and is 12.0 °C now; what was recorded first stays",)
    assert again.differing[0] in again.warnings
    row = whole_row(model)
    assert (row["temperature"], row["pressure"]) == (Decimal("11.70"), Decimal("1018.20"))


def test_a_row_of_nobody_knows_which_station_takes_only_what_agrees_with_it(model: SQLModel) -> None:
    """Rows from before version 4 name no station."""
    model.add_weather_data({**GOOD, "pressure_mb": None})
    other = model.store_weather({**OF_KBMG, "station": "KOKC", "temp_c": "30"})
    assert (other.state, whole_row(model)["station"], whole_row(model)["pressure"]) == ("known", None, None)
    same = model.store_weather(OF_KBMG)
    assert (same.state, whole_row(model)["station"]) == ("filled", "KBMG")
    assert whole_row(model)["pressure"] == Decimal("1018.20")


def test_a_later_note_of_quality_goes_with_the_value_that_it_is_about(model: SQLModel) -> None:
    model.add_weather_data({**OF_KBMG, "temp_c": "NA", "pressure_mb": "10"})
    model.add_weather_data({**OF_KBMG, "temp_c": "1.234", "pressure_mb": "11"})
    assert whole_row(model)["quality"] == (
        "pressure '10' is outside of what is possible (850 to 1100 mb); temperature rounded from '1.234'"
    )


NOW = moment("2026-11-26T12:00:00+00:00")


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("Thu, 26 Nov 2026 12:09:59 +0000", ""),
        ("Thu, 26 Nov 2026 12:10:00 +0000", ""),
        ("Thu, 26 Nov 2026 12:10:01 +0000", "10 minutes ahead"),
        ("Thu, 26 Nov 2026 13:59:00 +0000", "119 minutes ahead"),
        ("Thu, 26 Nov 2026 14:00:00 +0000", "2 hours ahead"),
        ("Sat, 28 Nov 2026 11:59:00 +0000", "47 hours ahead"),
        ("Sat, 28 Nov 2026 12:00:00 +0000", "is days ahead"),
        ("Mon, 01 Jan 1990 00:00:00 +0000", ""),
        ("Sun, 31 Dec 1989 23:59:59 +0000", "before there were any"),
        ("Fri, 31 Dec 99 23:59:59 +0000", ""),
        ("Sun, 31 Dec 89 23:59:59 +0000", "before there were any"),
        ("Wed, 14 Feb 0001 14:53:00 -0500", "before there were any"),
        ("Wed, 14 Feb 0018 14:53:00 -0500", "before there were any"),
    ],
)
def test_a_time_ahead_or_from_before_all_observations_is_refused(time: str, expected: str) -> None:
    data = {**GOOD, "observation_time_rfc822": time}
    if not expected:
        assert parse_observation(data, NOW).temperature == Decimal("11.7")
        return
    with pytest.raises(ObservationInvalid, match=f"{expected}.*nothing was stored"):
        parse_observation(data, NOW)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("Thu, 26 Nov 2026 10:30:00 +0000", ()),
        ("Thu, 26 Nov 2026 10:29:00 +0000", ("the observation is 91 minutes old",)),
        ("Thu, 26 Nov 2026 10:00:01 +0000", ("the observation is 119 minutes old",)),
        ("Thu, 26 Nov 2026 10:00:00 +0000", ("the observation is 2 hours old",)),
        ("Tue, 24 Nov 2026 12:00:01 +0000", ("the observation is 47 hours old",)),
        ("Tue, 24 Nov 2026 12:00:00 +0000", ("the observation is 2 days old",)),
        ("Tue, 26 Nov 2024 12:00:00 +0000", ("the observation is 730 days old",)),
        ("Mon, 25 Nov 2024 12:00:00 +0000", ("the observation is 2 years old",)),
        ("Wed, 14 Feb 2018 14:53:00 -0500", ("the observation is 8 years old",)),
    ],
)
def test_the_warning_about_an_old_observation_has_its_age(time: str, expected: tuple[str, ...]) -> None:
    seen = parse_observation({**GOOD, "observation_time_rfc822": time}, NOW)
    assert Stored("new", seen).warnings == expected


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
        "Thu, 21 Jul 2016 10:53:00 AST",
        "Thu, 21 Jul 2016 10:53:00 -0560",
        "Thu, 21 Jul 2016 10:53:00 +1500",
        "Thu, 21 Jul 216 10:53:00 GMT",
        "Thu, 21 Jul 2016 10:53:00 GMT Thu, 21 Jul 2016 11:53:00 GMT",
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


NO_NUMBERS = ["NaN", "NA", "null", "Infinity", "-inf", "1e5", "1_0", "0x1", "٢١", "11,7", "--1", "1 2", "9" * 50]
COLUMNS = {"temp_c": "temperature", "relative_humidity": "relative_humidity", "pressure_mb": "pressure"}


@pytest.mark.parametrize("text", NO_NUMBERS)
@pytest.mark.parametrize("key", COLUMNS)
def test_what_is_no_decimal_is_left_out_and_named(key: str, text: str) -> None:
    good, seen = parse_observation(GOOD, NOW), parse_observation({**GOOD, key: text}, NOW)
    assert dataclasses.replace(seen, notes=()) == dataclasses.replace(good, **{COLUMNS[key]: None})  # type: ignore[arg-type]
    (note,) = seen.notes
    assert "isn't a number" in note and len(note) < 100


@pytest.mark.parametrize(
    ("key", "inside", "outside"),
    [
        ("temp_c", ("-90", "60", "+1.25"), ("-90.1", "60.001")),
        ("relative_humidity", ("0", "100"), ("-1", "100.001", "101")),
        ("pressure_mb", ("850", "1100.0"), ("849.9", "1100.1")),
    ],
)
def test_the_bounds(key: str, inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    for text in inside:
        seen = parse_observation({**GOOD, key: text})
        assert (getattr(seen, COLUMNS[key]), seen.notes) == (Decimal(text), ())
    for text in outside:
        seen = parse_observation({**GOOD, key: text})
        assert getattr(seen, COLUMNS[key]) is None and "outside of what is possible" in seen.notes[0]


@pytest.mark.parametrize(
    ("text", "rounded"), [("-3.2999999999999545", "-3.30"), ("1.005", "1.01"), ("-0.005", "-0.01"), ("59.999", "60.00")]
)
def test_more_than_two_decimals_are_rounded_and_named(text: str, rounded: str) -> None:
    seen = parse_observation({**GOOD, "temp_c": text})
    assert (str(seen.temperature), seen.notes) == (rounded, (f"temperature rounded from '{text}'",))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("new", "Weather data recorded for 8:00"), ("replaced", "Weather data recorded for 8:00"),
        ("filled", "Weather data for 8:00 is completed: pressure, conditions"),
        ("known", "Weather data for 8:00 is already recorded"),
    ],
)  # fmt: skip
def test_what_became_of_it_in_words(state: Any, words: str) -> None:
    assert Stored(state, parse_observation(GOOD), ("pressure", "conditions")).in_words("8:00") == words


def test_zeros_at_the_end_are_no_rounding() -> None:
    assert parse_observation({**GOOD, "temp_c": "1.50000"}).notes == ()


def test_a_phrase_that_does_not_fit_is_cut_at_a_word(model: SQLModel) -> None:
    model.add_weather_data({**GOOD, "weather": "Thunderstorm in Vicinity and Fog/Mist " * 300})
    conditions = str(stored(model)[0][4])
    assert len(conditions) <= 128 and conditions.endswith((" and…", " in…", "Vicinity…", "Thunderstorm…", "Fog/Mist…"))
    assert parse_observation({**GOOD, "weather": "x" * 128}).conditions == "x" * 128
    assert parse_observation({**GOOD, "weather": "x" * 10_000}).conditions == "x" * 127 + "…"
    assert parse_observation({**GOOD, "weather": "a\x00b\x07"}).conditions == "ab"
