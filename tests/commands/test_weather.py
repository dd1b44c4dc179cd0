"""`weather`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from abq_data_entry.models import SQLModel
from tests.commands.conftest import Outcome
from tests.fixtures.servers import BundledServer, bundled_server

OBSERVATION = """<current_observation><station_id>KBMG</station_id>
<observation_time_rfc822>{time}</observation_time_rfc822><weather>Fog/Mist</weather>
<temp_c>3.3</temp_c><relative_humidity>NA</relative_humidity></current_observation>"""


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


@pytest.mark.parametrize(
    ("station", "time", "expected"),
    [("KNOW", "Wed, 14 Feb 2018 14:53:00 -0500", "KXYZ"), ("KXYZ", "", "no time")],
)
def test_what_cannot_be_stored_is_told(
    station: str,
    time: str,
    expected: str,
    line: Callable[..., Outcome],
    configure: Callable[..., None],
    observations: Path,
    tmp_path: Path,
    stored: SQLModel,
) -> None:
    (observations / f"{station}.xml").write_text(OBSERVATION.format(time=time), encoding="utf-8")
    with bundled_server("sample_http_server.py", "--observations", str(observations), workspace=tmp_path) as feed:
        configure(weather_url=feed.weather_url)
        reason = line("weather", "--station", "KXYZ").reason
    assert expected in reason
    assert stored.query("SELECT * FROM local_weather") == []


def test_another_station_and_values_that_it_lacks(
    line: Callable[..., Outcome], configure: Callable[..., None], observations: Path, tmp_path: Path
) -> None:
    text = OBSERVATION.format(time="Wed, 14 Feb 2018 14:53:00 -0500").replace("NA", "")
    (observations / "KABQ.xml").write_text(text, encoding="utf-8")
    with bundled_server("sample_http_server.py", "--observations", str(observations), workspace=tmp_path) as feed:
        configure(weather_url=feed.weather_url)
        assert line("weather", "--station", "KABQ").output.splitlines()[1] == "KABQ: 3.3 °C, Fog/Mist"


def test_a_feed_that_is_not_there(line: Callable[..., Outcome], configure: Callable[..., None]) -> None:
    configure(weather_url="http://127.0.0.1:1/{station}.xml")
    assert "127.0.0.1" in line("weather").reason
