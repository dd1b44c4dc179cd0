"""`weather`."""

from __future__ import annotations

import datetime
import email.utils
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abq_data_entry.models import SQLModel
from tests.commands.conftest import Outcome
from tests.fixtures.servers import BundledServer, bundled_server
from tests.models.records import record
from tests.network.faults import Connection, http, serving
from tests.network.weather_service import Service, collection, feature, hours, report, running_service, xml
from tests.network.weather_service import ago as ago_minutes

OBSERVATION = """<current_observation><station_id>KBMG</station_id>
<observation_time_rfc822>{time}</observation_time_rfc822><weather>Fog/Mist</weather>
<temp_c>3.3</temp_c><relative_humidity>NA</relative_humidity></current_observation>"""


def observation(station: str, time: datetime.datetime, **values: str) -> str:
    """What the feed gives for a station."""
    elements = {"station_id": station, "observation_time_rfc822": email.utils.format_datetime(time), **values}
    inside = "".join(f"<{name}>{text}</{name}>" for name, text in elements.items())
    return f"<current_observation>{inside}</current_observation>"


def ago(**time: float) -> datetime.datetime:
    """A full minute of so long ago."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
    return now - datetime.timedelta(**time)


def test_stores_and_prints_the_observation_once(
    line: Callable[..., Outcome], configure: Callable[..., None], weather_feed: BundledServer, stored: SQLModel
) -> None:
    configure(weather_url=weather_feed.weather_url)
    stored.save_record(record())
    first, second = line("weather"), line("weather", "--station", "KBMG")
    assert (first.code, second.code) == (0, 0)
    assert first.output.startswith("Weather data recorded for ")
    assert "KBMG: " in first.output
    assert "°C" in first.output
    assert "is already recorded" in second.output
    assert len(stored.query("SELECT * FROM local_weather") or []) == 1
    assert stored.query("SELECT lab_id FROM kept_until") == [{"lab_id": "A"}]  # QA's views answer at once


@pytest.fixture
def observations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of observations to give."""
    return tmp_path_factory.mktemp("observations")


@pytest.fixture
def feed(observations: Path, configure: Callable[..., None], tmp_path: Path) -> Iterator[BundledServer]:
    """The bundled server, which gives those."""
    with bundled_server("sample_http_server.py", "--observations", str(observations), workspace=tmp_path) as server:
        configure(weather_url=server.weather_url)
        yield server


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("KNOW", observation("KNOW", ago(hours=1), temp_c="3"), "knows no weather station KXYZ"),
        ("KXYZ", OBSERVATION.format(time="").replace("KBMG", "KXYZ"), "no time"),
        ("KXYZ", observation("KBMG", ago(hours=1), temp_c="3"), "of KBMG, not of the station KXYZ"),
        ("KXYZ", observation("KXYZ", ago(hours=-1), temp_c="3"), "ahead of this computer's clock"),
        ("KXYZ", observation("KXYZ", ago(hours=1), temp_c="99"), "no value that can be used"),
        ("KXYZ", OBSERVATION.replace("KBMG", "KXYZ").format(time="Wed, 14 Feb 2018 14:53:00 -0560"), "understood"),
    ],
    ids=["unknown", "no time", "another station", "ahead", "no value", "-0560"],
)
def test_an_observation_that_cannot_be_stored_is_reported(
    name: str,
    text: str,
    expected: str,
    line: Callable[..., Outcome],
    observations: Path,
    feed: BundledServer,
    stored: SQLModel,
) -> None:
    (observations / f"{name}.xml").write_text(text, encoding="utf-8")
    assert expected in line("weather", "--station", "KXYZ").reason
    assert stored.query("SELECT * FROM local_weather") == []


def test_an_old_observation_with_a_value_that_cannot_be_used(
    line: Callable[..., Outcome], observations: Path, feed: BundledServer, stored: SQLModel
) -> None:
    """It is stored and told; when it comes again complete it is filled, and a value that differs stays."""
    seen, time = observations / "KABQ.xml", ago(days=3, hours=1)
    seen.write_text(observation("KABQ", time, temp_c="3.3", relative_humidity="101", weather="Fog/Mist"), "utf-8")
    first = line("weather", "--station", "KABQ")
    assert first.code == 0
    words = email.utils.format_datetime(time)
    assert first.output.splitlines() == [f"Weather data recorded for {words}", "KABQ: 3.3 °C, Fog/Mist"]
    assert first.errors.splitlines() == [
        "Warning: the observation is 3 days old.",
        "Warning: relative humidity '101' is outside of what is possible (0 to 100 %).",
    ]
    seen.write_text(observation("KABQ", time, temp_c="4.4", relative_humidity="10", weather="Fog/Mist"), "utf-8")
    second = line("weather", "--station", "KABQ")
    assert (second.code, second.output.splitlines()[0]) == (
        0, f"Weather data for {words} is completed: relative humidity"
    )  # fmt: skip
    assert "Warning: temperature was 3.30 °C and is 4.4 °C now; what was recorded first stays." in second.errors
    (row,) = stored.query("SELECT temperature, rel_hum, station, source, kind, quality FROM local_weather") or []
    assert [str(value) for value in row.values()] == ["3.30", "10.00", "KABQ", "nws_xml", "observed", "None"]


def test_a_row_of_another_station_at_that_moment_is_not_called_recorded(
    line: Callable[..., Outcome], observations: Path, feed: BundledServer
) -> None:
    for station in ("KABQ", "KOKC"):
        (observations / f"{station}.xml").write_text(observation(station, ago(hours=1), temp_c="3"), "utf-8")
    assert line("weather", "--station", "KABQ").code == 0
    reason = line("weather", "--station", "KOKC").reason
    assert "of the station KABQ of the same moment" in reason and "recorded" not in reason


def test_the_contact_is_sent_and_a_busy_feed_is_not_asked_again(
    line: Callable[..., Outcome], configure: Callable[..., None]
) -> None:
    asked: list[bytes] = []

    def busy(connection: Connection) -> None:
        asked.append(connection.request())
        connection.send(http("503 Service Unavailable", b"", "Retry-After: 60"))

    with serving(busy) as port:
        configure(weather_url=f"http://127.0.0.1:{port}/{{station}}.xml", weather_contact="qa@lab.example")
        assert "accepts no request before" in line("weather").reason
        assert "so it was not asked" in line("weather").reason
    (request,) = asked
    assert b"(qa@lab.example)" in request


def test_a_feed_that_is_not_there(line: Callable[..., Outcome], configure: Callable[..., None]) -> None:
    configure(weather_url="http://127.0.0.1:1/{station}.xml")
    assert "127.0.0.1" in line("weather").reason


@pytest.fixture
def services(configure: Callable[..., None]) -> Iterator[Service]:
    """All sources of observations, none with an answer yet."""
    with running_service() as service:
        configure(**{**service.with_model, "weather_open_meteo_url": ""})
        yield service


def test_backfill_fetches_the_current_one_and_fills_the_holes(
    line: Callable[..., Outcome], services: Service, stored: SQLModel
) -> None:
    now = ago_minutes(0)
    hour = datetime.timedelta(hours=1)
    services.say("/xml/KDCA.xml", xml(ago_minutes(15)))
    services.say("/api/KDCA", collection(*(feature(now - number * hour) for number in range(1, 24 * 7))))
    reports = [report(now - number * hour) for number in range(24 * 6, 24 * 15) if not 24 * 9 <= number < 24 * 9 + 4]
    services.say("/metar", reports)
    first = line("weather", "--backfill")
    assert first.code == 0, first
    assert " observations stored, 0 observations completed." in first.output
    assert "1 hole of more than 90 minutes left: " in first.output
    (number,) = stored.query("SELECT count(*) FROM local_weather") or []
    assert first.output.startswith(f"{number['count']} observations stored, "), "the current one counts too"
    kinds = stored.query("SELECT source, count(*) FROM local_weather GROUP BY 1 ORDER BY 1") or []
    assert [row["source"] for row in kinds] == ["metar", "nws_api", "nws_xml"]
    assert not (stored.query("SELECT * FROM local_weather WHERE kind <> 'observed'") or [])
    services.asked.clear()
    again = line("weather", "--backfill")
    assert again.output.startswith("0 observations stored, 0 observations completed.")
    assert not [path for path, _ in services.asked if path.startswith("/xml")]  # there is one of 15 minutes ago
    assert len(services.asked) == 1, services.asked  # for the hole that is left, and only METAR reaches so far


def test_backfill_of_days_asks_for_those(
    line: Callable[..., Outcome], services: Service, configure: Callable[..., None], stored: SQLModel
) -> None:
    configure(**services.with_model)
    stored.query("UPDATE lab_settings SET time_zone = 'UTC'")
    day = ago_minutes(60 * 24 * 200).replace(hour=0, minute=0)
    services.say("/archive", hours(*(day + datetime.timedelta(hours=number) for number in range(25))))
    outcome = line("weather", "--backfill", "--from", f"{day:%Y-%m-%d}", "--to", f"{day:%Y-%m-%d}")
    assert outcome.code == 0, outcome
    assert outcome.output.startswith("25 observations stored")
    assert len(stored.query("SELECT * FROM local_weather WHERE kind = 'model' AND station IS NULL") or []) == 25
    assert [path for path, _ in services.asked if not path.startswith("/archive?")] == []


def test_backfill_without_any_answer_is_not_done(line: Callable[..., Outcome], services: Service) -> None:
    for path in ("/xml/KDCA.xml", "/api/KDCA", "/metar"):
        services.say(path, b"", 500)
    outcome = line("weather", "--backfill")
    assert outcome.code == 1 and outcome.errors.splitlines()[-1] == "No source had what is missing."
    assert "metar: The server 127.0.0.1 had an error of its own (500)." in outcome.errors


def test_backfill_leaves_it_to_another_workstation(
    line: Callable[..., Outcome], services: Service, stored: SQLModel
) -> None:
    with stored.weather_history.try_lock():
        assert "Another workstation" in line("weather", "--backfill").output
    assert services.asked == []


@pytest.mark.parametrize(
    "words", [("--from", "2026-01-01"), ("--backfill", "--from", "2026-01-02", "--to", "2026-01-01"), ("--to", "x")]
)
def test_days_that_make_no_sense_are_wrong_usage(line: Callable[..., Outcome], words: tuple[str, ...]) -> None:
    assert line("weather", *words).code == 2
