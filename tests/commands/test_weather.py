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
from tests.network.faults import Connection, http, serving

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
    first, second = line("weather"), line("weather", "--station", "KBMG")
    assert (first.code, second.code) == (0, 0)
    assert first.output.startswith("Weather data recorded for ")
    assert "KBMG: " in first.output
    assert "°C" in first.output
    assert "is already recorded" in second.output
    assert len(stored.query("SELECT * FROM local_weather") or []) == 1


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
def test_what_cannot_be_stored_is_told(
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


def test_the_contact_of_the_settings_is_told_and_a_busy_feed_left_alone(
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
