"""The sources of observations beside the XML feed: real observations, everything that may come instead, and the order.

What the server says to which path is the test's.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry import network
from abq_data_entry.network.weather import observations_from, sources_set_up
from abq_data_entry.network.weather_source import Observation
from abq_data_entry.network.weather_sources import SOURCES, in_order, sources_problem
from abq_data_entry.network.weather_sources.metar import relative_humidity
from abq_data_entry.observation import read_time, time_text
from tests.pace import patience

from .weather_service import REPORT, Service, ago, collection, feature, hours, quantity, report, running_service, xml

REAL = Path(os.environ.get("ABQ_WEATHER", Path(__file__).resolve().parents[3] / "shared" / "weather")) / "json"
UTC = datetime.timezone.utc
BY_NAME = {each.name: each for each in SOURCES}
API, METAR, MODEL, XML = (BY_NAME[name] for name in ("nws_api", "metar", "open_meteo", "nws_xml"))


@pytest.fixture(scope="module")
def running() -> Iterator[Service]:
    with running_service() as service:
        yield service


@pytest.fixture
def service(running: Service) -> Service:
    running.answers.clear()
    running.asked.clear()
    return running


def real(station: str) -> bytes:
    """A real answer, with its relative time filled in."""

    def fill(found: re.Match[str]) -> str:
        return (datetime.datetime.now(UTC) - datetime.timedelta(seconds=int(found[1]))).isoformat(timespec="seconds")

    return re.sub(r"date:now -(\d+) seconds", fill, (REAL / f"{station}.json").read_text("utf-8")).encode()


def read(document: object, source: Any = API, station: str = "KDCA") -> Observation:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    found: Observation = source.read(raw, "application/json", "", station)
    return found


# -- api.weather.gov


@pytest.mark.skipif(not REAL.is_dir(), reason="no real observations beside the checkout")
@pytest.mark.parametrize(
    ("station", "temperature", "humidity", "pressure", "words"),
    [
        ("KDCA", "7.2", "35.16", "1013.6", "Mostly Cloudy"),
        ("KFLG", "6.7", "39.59", "1022.4", "Clear"),  # 6.7000000000000002
        ("PGUM", "27.2", "84.71", "1009.3", "Mostly Cloudy"),  # quality code S
        ("KEWR", "8", "70.7", None, "Mostly Clear"),  # the pressure there is an altimeter setting
        ("D3169", "17.78", "64.38", None, None),
        ("PHNL", None, None, None, "Cloudy"),
    ],
)
def test_real_observations(
    station: str, temperature: str | None, humidity: str | None, pressure: str | None, words: str | None
) -> None:
    found = read(real(station), station=station)
    assert (found["temp_c"], found["relative_humidity"], found["pressure_mb"]) == (temperature, humidity, pressure)
    assert (found["weather"], found["station"], found["source"]) == (words, station, "nws_api")
    assert (found["kind"], found["quality"]) == ("observed", None)


@pytest.mark.skipif(not REAL.is_dir(), reason="no real observations beside the checkout")
def test_a_service_that_has_none_at_the_moment_says_so() -> None:
    with pytest.raises(network.WeatherError, match=r"no observations of this station at the moment \(503\)"):
        read(real("PAFA"), station="PAFA")


@pytest.mark.parametrize("prefix", ["wmoUnit:", "unit:", "http://codes.wmo.int/common/unit/"])
@pytest.mark.parametrize(
    ("entry", "value", "unit", "key", "expected"),
    [
        ("temperature", 21.5, "degC", "temp_c", "21.5"),
        ("temperature", 70.7, "degF", "temp_c", "21.5"),
        ("temperature", 294.65, "K", "temp_c", "21.5"),
        ("seaLevelPressure", 101360, "Pa", "pressure_mb", "1013.6"),
        ("seaLevelPressure", 1013.6, "hPa", "pressure_mb", "1013.6"),
        ("relativeHumidity", 100, "percent", "relative_humidity", "100"),
    ],
)
def test_units_in_each_spelling(prefix: str, entry: str, value: float, unit: str, key: str, expected: str) -> None:
    entries: dict[str, Any] = {entry: quantity(value, prefix + unit)}
    assert read(feature(ago(5), **entries))[key] == expected


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (quantity(70, "wmoUnit:percent"), "temperature has a unit that is not known"),
        (quantity(7, "uc:Cel"), "temperature has a unit that is not known"),
        ({"value": 7}, "temperature has a unit that is not known"),
        (quantity(7, "wmoUnit:degC", "X"), "temperature failed the service's checks"),
        (quantity(7, "wmoUnit:degC", "Q"), "temperature is doubted by the service"),
        (quantity(7, "wmoUnit:degC", "B"), "temperature is bad by the service's word"),
        (quantity(7, "wmoUnit:degC", "?"), "temperature has a quality code that is not known"),
        (quantity("7", "wmoUnit:degC"), "temperature isn't a number"),
        (quantity(True, "wmoUnit:degC"), "temperature isn't a number"),
        (quantity([7], "wmoUnit:degC"), "temperature isn't a number"),
        (quantity(61, "wmoUnit:degC"), "temperature '61' is outside of what is possible"),
        (quantity(10**40, "wmoUnit:degC"), "temperature has a unit that is not known"),
        (quantity(None, "wmoUnit:degC", "Z"), ""),
        (None, ""),
        ("7", ""),
    ],
)
def test_a_value_that_cannot_be_used_is_left_out_and_named(entry: object, told: str) -> None:
    moment = ago(5)
    good, found = read(feature(moment)), read(feature(moment, temperature=entry))
    assert found["temp_c"] is None and str(found["quality"] or "").startswith(told)
    assert found | {"temp_c": "7.2", "quality": None} == good


@pytest.mark.parametrize("code", ["V", "S", "C", "Z", "G", "T"])
def test_values_that_passed_or_were_not_checked_yet_are_taken(code: str) -> None:
    assert read(feature(ago(5), temperature=quantity(7, "wmoUnit:degC", code)))["temp_c"] == "7"


def test_the_newest_with_a_temperature_is_taken_and_none_of_the_future() -> None:
    blank = quantity(None, "wmoUnit:degC", "Z")
    moment, cold = ago(65), quantity(3, "unit:degC")
    past = (feature(ago(5), temperature=blank), feature(moment, temperature=cold), feature(ago(125)))
    found = read(collection(feature(ago(-30)), *past))
    assert (found["temp_c"], read_time(str(found["observation_time_rfc822"]))[0]) == ("3", moment)


@pytest.mark.parametrize("time", ["12:00:00Z", "12:00:00.123Z", "13:00:00+01:00", "05:00:00-0700"])
def test_a_time_is_read_by_its_offset(time: str) -> None:
    found = read(feature(ago(5), timestamp=f"2026-02-11T{time}"))
    assert found["observation_time_rfc822"] == "Wed, 11 Feb 2026 12:00:00 +0000"


@pytest.mark.parametrize("time", ["2026-11-26T12:00:00", "yesterday", "2026-13-26T12:00:00Z", "", None, 5])
def test_an_observation_without_a_certain_time_is_passed_over(time: object) -> None:
    with pytest.raises(network.WeatherError, match="no observation of this station that can be used"):
        read(collection(feature(ago(5), timestamp=time)))


DEEP = b'{"type": "FeatureCollection", "features": ' + b"[" * 200_000
HUGE = b'{"type": "Feature", "properties": {"timestamp": ' + b"9" * 10_000 + b"}}"


@pytest.mark.parametrize("source", [API, METAR, MODEL], ids=lambda each: each.name)
@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"<?xml version='1.0'?><a/>", "something else"),
        (b'{"a": 1,', "was cut off"),
        (b"[1, 2", "was cut off"),
        (b'{"a" 1}', "damaged JSON"),
        (b'{"a": NaN}', "damaged JSON"),
        (b'{"a": "\xff"}', "damaged JSON"),
        (DEEP, "was cut off"),
        (HUGE, "damaged JSON"),
        (b"42", "JSON, but no"),
        (b'"text"', "JSON, but no"),
        (b'{"title": "Not Found", "status": 404}', "JSON, but no"),
    ],
)
def test_what_may_come_instead(source: Any, body: bytes, told: str) -> None:
    with pytest.raises(network.WeatherError, match=told):
        read(body, source)


# -- the reports of airports

def test_a_report_has_tenths_by_its_t_group() -> None:
    moment = ago(20)
    found = read([report(moment)], METAR)
    assert found == {
        "observation_time_rfc822": time_text(moment), "temp_c": "7.2", "relative_humidity": "35.16",
        "pressure_mb": "1013.6", "weather": "Mostly Cloudy", "station": "KDCA", "source": "metar", "kind": "observed",
        "quality": None,
    }  # fmt: skip
    assert read(REPORT.format(moment).encode(), METAR) == found  # raw


@pytest.mark.parametrize(
    ("groups", "temperature", "pressure", "words", "note"),
    [
        ("9999 -RA BKN010 07/06 Q1028", "7", None, "Light rain", "temperatures in whole degrees"),
        ("1SM TSRA BR OVC002 M07/M08 A2993", "-7", None, "Thunderstorm with rain; Mist", "whole degrees"),
        ("CAVOK 21/ Q1013", "21", None, None, ""),
        ("10SM CLR M00/M01 A2993 RMK SLPNO T10041012", "-0.4", None, "Clear", ""),
        ("10SM SCT010 OVC020 03/02 A2993 RMK SLP998 T00280017", "2.8", "999.8", "Overcast", ""),
        ("10SM CLR A2993 RMK SLP013", None, "1001.3", "Clear", ""),
        ("XXXX 10SM ///// 12/11 A2993 WEIRD GROUPS", "12", None, None, "whole degrees"),
    ],
)
def test_what_reports_say(groups: str, temperature: str, pressure: str, words: str, note: str) -> None:
    found = read([report(ago(20), "METAR KDCA {:%d%H%M}Z 28008KT " + groups)], METAR)
    assert (found["temp_c"], found["pressure_mb"], found["weather"]) == (temperature, pressure, words)
    assert note in str(found["quality"] or "")


def test_the_humidity_is_that_of_the_weather_service() -> None:
    """Its own figures for its own temperatures and dew points, of real observations."""
    from decimal import Decimal as D

    for temperature, dewpoint, humidity in (("7.2", "-7.2", 35.1625), ("27.2", "24.4", 84.7085), ("8", "3", 70.6975)):
        assert float(relative_humidity(D(temperature), D(dewpoint)) or 0) == pytest.approx(humidity, abs=0.006)
    assert relative_humidity(D(5), D(6)) is None and relative_humidity(None, D(6)) is None


@pytest.mark.parametrize(
    "bad",
    [
        report(ago(20), obsTime=0),  # another moment than the report's own
        report(ago(20), obsTime="x"),
        report(ago(20), rawOb=""),
        report(ago(20), rawOb="KDCA NIL"),
        report(ago(20), rawOb="KDCA 991552Z 10/10"),
        report(ago(20), REPORT + " X" * 1000),
        report(ago(20), "KDCA {:%d%H%M}Z NIL"),
        "text",
        None,
    ],
)
def test_a_report_that_says_nothing_certain_is_passed_over(bad: object) -> None:
    with pytest.raises(network.WeatherError, match="no observation of this station that can be used"):
        read([bad], METAR)


def test_a_raw_report_of_a_month_that_has_ended_is_of_that_month() -> None:
    moment = ago(60 * 24 * 14)
    assert read_time(str(read(REPORT.format(moment).encode(), METAR)["observation_time_rfc822"]))[0] == moment


def test_no_reports_are_no_error_for_a_time_without_any() -> None:
    assert METAR.read_all(b"", "", "", "KDCA") == [] == METAR.read_all(b"[]", "", "", "KDCA")


@pytest.mark.parametrize(
    ("source", "document"),
    [(API, feature(ago(5), "KIAD")), (METAR, [report(ago(5), REPORT.replace("KDCA", "KIAD"), icaoId="KIAD")])],
)
def test_another_station_is_refused(source: Any, document: object) -> None:
    with pytest.raises(network.WeatherError, match="of KIAD, not of the station KDCA"):
        read(document, source)


# -- the model


def test_the_model_gives_hours_that_are_over_and_says_what_they_are() -> None:
    past, ahead = ago(50), ago(-50)
    found = MODEL.read_all(json.dumps(hours(past, ahead)).encode(), "", "", "KDCA")
    assert found == [{
        "observation_time_rfc822": time_text(past), "temp_c": "20.5", "relative_humidity": "40",
        "pressure_mb": "1013.2", "weather": "Light Rain", "station": None, "source": "open_meteo", "kind": "model",
        "quality": None,
    }]  # fmt: skip


def test_local_times_of_the_model_are_taken_by_their_offset() -> None:
    hourly = {"time": ["2025-11-02T01:00", "2025-11-02T02:00"], "temperature_2m": [1, 2]}
    document = {**hours(), "utc_offset_seconds": -25200, "hourly": hourly}
    found = MODEL.read_all(json.dumps(document).encode(), "", "", "KDCA")
    times = ["Sun, 02 Nov 2025 08:00:00 +0000", "Sun, 02 Nov 2025 09:00:00 +0000"]
    assert [each["observation_time_rfc822"] for each in found] == times


@pytest.mark.parametrize(
    ("changed", "key", "told"),
    [
        ({"hourly_units": {"temperature_2m": "°F"}}, "temp_c", "temperature has a unit that is not known"),
        ({"hourly": {"time": [1700000000], "temperature_2m": [1, 2]}}, "temp_c", ""),
        ({"hourly": {"time": [1700000000], "temperature_2m": ["x"]}}, "temp_c", "temperature isn't a number"),
        ({"hourly": {"time": [1700000000], "temperature_2m": 5}}, "temp_c", ""),
    ],
)
def test_what_is_not_certain_of_the_model_is_left_out(changed: dict[str, object], key: str, told: str) -> None:
    document = {**hours(ago(60)), **changed}
    (found,) = MODEL.read_all(json.dumps(document).encode(), "", "", "KDCA")
    assert found[key] is None and told in str(found["quality"] or "")


# -- asking them, in order


def source_of(settings: Mapping[str, object]) -> str:
    return str(network.fetch_observation(settings, timeout=5)["source"])


def test_the_first_one_that_is_current_is_taken(service: Service) -> None:
    service.say("/xml/KDCA.xml", xml(ago(20)))
    assert source_of(service.settings) == "nws_xml" and len(service.asked) == 1
    service.say("/xml/KDCA.xml", xml(ago(91)))
    service.say("/api/KDCA", collection(feature(ago(30))))
    assert source_of(service.settings) == "nws_api"
    assert service.asked[-1][0] == "/api/KDCA?limit=6" and service.asked[-1][1].startswith("abq-data-entry/")
    service.say("/api/KDCA", collection(feature(ago(600))))
    service.say("/metar", [report(ago(40))])
    assert source_of(service.settings) == "metar"
    assert source_of({**service.settings, "weather_sources": "metar, nws_xml"}) == "metar"


@pytest.mark.skipif(not REAL.is_dir(), reason="no real observations beside the checkout")
@pytest.mark.parametrize(("station", "temperature"), [("KDCA", "7.2"), ("PGUM", "27.2"), ("D3169", "17.78")])
def test_real_observations_over_http(service: Service, station: str, temperature: str) -> None:
    service.say(f"/api/{station}", real(station), headers={"Content-Type": "application/geo+json"})
    service.say(f"/xml/{station}.xml", b"", 403)
    found = network.fetch_observation(service.settings, station, timeout=5)
    assert (found["temp_c"], found["source"], found["station"]) == (temperature, "nws_api", station)


def test_where_none_is_current_the_newest_is_taken(service: Service) -> None:
    service.say("/xml/KDCA.xml", xml(ago(-60)))  # ahead of the clock
    service.say("/api/KDCA", collection(feature(ago(600))))
    service.say("/metar", [report(ago(170))])
    assert source_of(service.settings) == "metar"
    service.say("/model", hours(ago(30)))
    assert source_of(service.with_model) == "metar"  # a model never comes before what was observed


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [(403, {}, b""), (500, {}, b""), (429, {"Retry-After": "600"}, b""), (200, {}, xml(ago(5))[:-30]), (200, {}, b"")],
)
def test_the_next_one_is_asked_when_one_does_not_answer(
    service: Service, tmp_path: Path, status: int, headers: dict[str, str], body: bytes
) -> None:
    service.say("/xml/KDCA.xml", body, status, headers)
    service.say("/api/KDCA", b"", status, headers)
    service.say("/metar", [report(ago(40))])
    place = f"127.0.0.1:{service.server_address[1]}"
    pauses = network.Pauses(tmp_path / "pauses.json")
    if headers:  # one server stands for all three here, so the pause holds for all of them
        with pytest.raises(network.WeatherBusy, match="accepts no request before"):
            network.fetch_observation(service.settings, timeout=5, pauses=pauses)
        assert len(service.asked) == 1 and pauses.until(place) is not None
        return
    assert network.fetch_observation(service.settings, timeout=5, pauses=pauses)["source"] == "metar"


def test_a_slow_one_does_not_hold_the_next_one_up(service: Service) -> None:
    service.say("/xml/KDCA.xml", xml(ago(5)), after=30)
    service.say("/api/KDCA", collection(feature(ago(30))))
    start = time.monotonic()
    assert network.fetch_observation(service.settings, timeout=0.5)["source"] == "nws_api"
    assert time.monotonic() - start < patience(5)


def test_if_none_answers_the_error_of_the_first_is_raised(service: Service) -> None:
    service.say("/xml/KDCA.xml", b"", 500)
    with pytest.raises(network.WeatherError, match="had an error of its own"):
        network.fetch_observation(service.settings, timeout=5)


def test_an_answer_that_is_too_large_is_given_up(service: Service) -> None:
    service.say("/api/KDCA", b"x" * (API.largest + 2))
    with pytest.raises(network.WeatherError, match=r"too large .*Check weather_api_url"):
        network.fetch_observation({**service.settings, "weather_sources": "nws_api"}, timeout=10)


def test_a_feed_on_this_computer_is_never_replaced_by_one_beyond_it(service: Service) -> None:
    beyond = {**service.settings, "weather_api_url": "https://api.weather.gov/stations/{station}/observations"}
    assert [each.name for each in sources_set_up(beyond, "KDCA")] == ["nws_xml", "metar"]
    beyond["weather_url"] = network.WEATHER_URL
    assert [each.name for each in sources_set_up(beyond, "KDCA")] == ["nws_xml", "nws_api", "metar"]


def test_the_setting_says_the_order_and_the_model_is_off_by_itself() -> None:
    assert [each.name for each in in_order("metar,nws_xml")] == ["metar", "nws_xml", "open_meteo"]
    assert [each.name for each in sources_set_up({"weather_url": "https://x.example/{station}"}, "KDCA")] == [
        "nws_xml", "nws_api", "metar"
    ]  # fmt: skip
    assert sources_problem("nws_xml, metar") is None and "no source" in str(sources_problem("nws_xml,metra"))
    with pytest.raises(network.InvalidInput, match="weather_sources names 'x'"):
        network.fetch_observation({"weather_station": "KDCA", "weather_sources": "x"})


@pytest.mark.parametrize("latitude", ["91", "x", "35,08", "1e3", "35&x=1", "٣٥"])
def test_coordinates_that_are_none_are_refused_before_anything_is_asked(service: Service, latitude: str) -> None:
    settings = {**service.with_model, "weather_sources": "open_meteo", "weather_latitude": latitude}
    with pytest.raises(network.InvalidInput, match="weather_latitude must be degrees"):
        network.fetch_observation(settings, timeout=5)
    assert service.asked == []


# -- a time that is over


def between(service: Service, source: Any, begin: float, end: float, settings: Any = None) -> list[Observation]:
    answers = observations_from(source, settings or service.settings, "KDCA", ago(begin), ago(end), timeout=5)
    return [each for answer in answers for each in answer]


def test_the_api_is_asked_a_day_at_a_time_and_seven_days_back(service: Service) -> None:
    moment = ago(60 * 24 * 3)
    service.say("/api/KDCA", collection(feature(moment), feature(ago(60 * 24 * 30))))
    found = between(service, API, 60 * 24 * 20, 0)
    assert len(service.asked) in (7, 8)  # the clock goes on meanwhile
    assert {each["observation_time_rfc822"] for each in found} == {time_text(moment)}
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(service.asked[1][0]).query)
    first, last = (datetime.datetime.fromisoformat(query[name][0][:-1]) for name in ("start", "end"))
    assert last - first == datetime.timedelta(days=1) and query["limit"] == ["500"]


def test_reports_are_asked_three_days_at_a_time(service: Service) -> None:
    service.say("/metar", [report(ago(60 * 100)), report(ago(60 * 101))])
    assert len(between(service, METAR, 60 * 103, 60 * 99)) == 2
    assert re.fullmatch(r"/metar\?ids=KDCA&format=json&hours=4&date=\d{8}_\d{4}", service.asked[0][0])
    service.asked.clear()
    between(service, METAR, 60 * 24 * 40, 0)
    assert len(service.asked) in (5, 6)


def test_the_model_is_asked_at_its_archive_for_what_is_long_ago(service: Service) -> None:
    service.say("/model", hours(ago(60 * 24 * 2)))
    service.say("/archive", hours(ago(60 * 24 * 100)))
    assert len(between(service, MODEL, 60 * 24 * 101, 0, service.with_model)) == 4
    paths = [urllib.parse.urlsplit(path).path for path, _ in service.asked]
    assert paths == ["/archive", "/model", "/model", "/model"]
    assert "latitude=35.08&longitude=-106.65&" in service.asked[0][0]
    assert between(service, XML, 100, 0) == []  # which has only the newest
