"""The weather by itself: when it is fetched, what is filled after a pause, and when somebody hears of it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator

import pytest

from abq_data_entry.application.weather_schedule import LONG, WEATHER_MISSING, next_run
from abq_data_entry.models import SQLModel
from tests.fixtures.window import Window
from tests.models.records import record
from tests.network.weather_service import Service, ago, collection, feature, report, running_service, xml

UTC = datetime.timezone.utc
HOUR = datetime.timedelta(hours=1)


@pytest.mark.parametrize(
    ("now", "expected"),
    [("10:00:00", "10:20"), ("10:19:59", "10:20"), ("10:20:00", "11:20"), ("10:59:59", "11:20"), ("23:30:00", "00:20")],
)
def test_the_next_run_is_at_twenty_past(now: str, expected: str) -> None:
    moment = datetime.datetime.fromisoformat(f"2026-11-26T{now}+00:00")
    found = next_run(moment, 30.0)
    assert moment < found <= moment + datetime.timedelta(hours=1, seconds=30)
    assert f"{found:%H:%M:%S}" == f"{expected}:30"


@pytest.fixture
def services() -> Iterator[Service]:
    with running_service() as service:
        yield service


def test_a_pause_is_filled_and_then_every_hour_is_fetched(
    services: Service, settings: dict[str, object], open_window: Callable[[], Window], model: SQLModel
) -> None:
    """One window lives through it."""
    settings.update({**services.settings, "weather_schedule": True})
    now = ago(0)
    model.add_weather_data(_seen(now - 30 * HOUR))
    model.add_weather_data(_seen(now - 5 * HOUR))
    model.save_record(record())
    window = open_window()
    window.until_open()
    schedule = window.app.weather_schedule
    at = schedule.now()
    schedule.now = lambda: at  # it stands still: nothing is due until `run` says so
    assert schedule.due is not None

    # before its time nothing is asked
    schedule.look()
    assert services.asked == []

    # the first run fetches the current one, and fills the hole in the middle as well as the pause
    services.say("/xml/KDCA.xml", xml(ago(15)))
    services.say("/api/KDCA", collection(*(feature(now - number * HOUR) for number in range(1, 30))))
    said = window.app.status.get()
    run(window)
    assert moments(model) >= {now - number * HOUR for number in range(1, 31)}
    assert window.app.status.get() == said and not window.messages and not window.dialogs
    assert model.query("SELECT lab_id FROM kept_until") == [{"lab_id": "A"}]  # QA's views answer at once

    # a clock that was ahead leaves no run for years to come
    schedule.due = schedule.now() + 50_000 * HOUR
    schedule.look()
    assert schedule.due < schedule.now() + 2 * HOUR
    window.settle()

    # an hour later nothing is asked where another workstation was here, or is
    services.asked.clear()
    run(window)
    assert services.asked == []
    with model.weather_history.try_lock():
        model.query("DELETE FROM local_weather WHERE datetime > now() - interval '10 hours'")
        run(window)
    assert services.asked == []

    # then what failed for long is told once, and only until it works again
    services.answers.clear()
    for number in range(4):
        run(window)
        assert bool(window.messages) == (number >= 2)
    (message,) = [each for each in window.app.status_bar.messages.messages if each.key == WEATHER_MISSING]
    assert message.text.startswith("No weather was observed since ") and "knows no weather station" in message.detail
    assert len([path for path, _ in services.asked if path.startswith("/xml")]) == 4
    services.say("/metar", [report(ago(30))])
    run(window)
    assert not window.messages

    # so is a setting that can't be used
    window.app.settings["weather_sources"].set("nws_xml,metra")
    for _ in range(2):
        run(window)
    (message,) = [each for each in window.app.status_bar.messages.messages if each.key == WEATHER_MISSING]
    assert "names 'metra', which is no source" in message.detail
    window.app.settings["weather_sources"].set("nws_xml,nws_api,metar")
    run(window)
    assert not window.messages

    # and what isn't wanted isn't done
    services.asked.clear()
    model.query("DELETE FROM local_weather WHERE datetime > now() - interval '10 hours'")
    window.app.settings["weather_schedule"].set(False)
    run(window)
    window.app.settings["weather_schedule"].set(True)
    window.app.permissions.denied = {"update_weather_data": "This login may not."}
    model.query("DELETE FROM kept_until")
    run(window)
    assert services.asked == [] and LONG < 10 * HOUR
    assert model.query("SELECT lab_id FROM kept_until") == [{"lab_id": "A"}]  # who only reads keeps QA's views, too


def run(window: Window) -> None:
    """The next run's time has come; until it is over."""
    schedule = window.app.weather_schedule
    assert schedule.due is not None
    due, schedule.due = schedule.due, schedule.now()
    schedule.look()
    assert schedule.due is not None and schedule.due > due - HOUR
    window.settle()


def moments(model: SQLModel) -> set[object]:
    return {row["datetime"] for row in model.query("SELECT datetime FROM local_weather") or []}


def _seen(moment: datetime.datetime) -> dict[str, str | None]:
    from abq_data_entry.observation import time_text

    return {"observation_time_rfc822": time_text(moment), "temp_c": "5", "station": "KDCA", "kind": "observed"}
