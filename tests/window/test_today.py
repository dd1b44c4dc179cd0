"""The line of today and the window behind it: what they say, where they lead, when they give way."""

from __future__ import annotations

import dataclasses
import datetime
import threading
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.application.today import line_parts, rows
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.models.alarms import DueCheck, Today
from abq_data_entry.views.today import TodayWindow
from tests.fixtures.window import Window

NOW = datetime.datetime(2026, 3, 2, 12, 0, tzinfo=datetime.timezone.utc)
DAY = NOW.date()
WHOLE, HALF, NONE = (
    DueCheck(DAY, "8:00", "A", 20, 20, ()), DueCheck(DAY, "8:00", "B", 3, 2, (7,)),
    DueCheck(DAY, "12:00", "A", 3, 0, (1, 2, 3)),
)  # fmt: skip


def minutes_ago(minutes: int) -> datetime.datetime:
    return NOW - datetime.timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("today", "waiting", "expected"),
    [
        (Today(()), 0, ["Today: no check was due yet", "no weather yet"]),
        (Today((WHOLE,), 0, minutes_ago(0), 12.34), 0, ["Today: the check is complete", "12.3 °C outside, 0 min ago"]),
        (
            Today((WHOLE, HALF, NONE), 1, minutes_ago(95), None), 1,
            ["Today: 2 checks incomplete (B 8:00, A 12:00)", "1 question from QA", "1 delivery waiting",
             "weather, 1 h ago: old"],
        ),
        (
            Today((HALF,) * 5, 1200, minutes_ago(3 * 1440), -3.0), 2,
            ["Today: 5 checks incomplete (B 8:00, B 8:00, B 8:00 …)", "1,200 questions from QA", "2 deliveries waiting",
             "-3.0 °C outside, 3 days ago: old"],
        ),
        (Today((WHOLE, WHOLE)), 0, ["Today: all 2 checks complete", "no weather yet"]),
        (Today((), notes=2), 0, ["Today: no check was due yet", "2 open notes", "no weather yet"]),
    ],
)  # fmt: skip
def test_words_of_the_line(today: Today, waiting: int, expected: list[str]) -> None:
    assert line_parts(today, waiting, NOW) == expected


def test_rows_of_the_window() -> None:
    parts = DueCheck(DAY, "16:00", "A", 9, 1, (1, 2, 4, 6, 7, 8, 9, 10))
    found = rows(Today((WHOLE, HALF, NONE, parts), 2, minutes_ago(10), 5.0, "KBMG"), 0, NOW)
    assert [(each.what, each.state) for each in found] == [
        ("Check 8:00, lab B", "2 of 3 recorded, missing: 7"),
        ("Check 12:00, lab A", "not begun (3 plots)"),
        ("Check 16:00, lab A", "1 of 9 recorded, missing: 1, 2, 4, 6–10"),
        ("Questions from QA", "2 questions to be answered"),
        ("Weather", "5.0 °C outside, 10 min ago (KBMG)"),
        ("Deliveries", "nothing waits"),
    ]


def late_zone() -> str:
    """A time zone where it is past ten in the evening now, so that all checks of the day were due."""
    offset = 22 - datetime.datetime.now(datetime.timezone.utc).hour
    offset -= 24 if offset > 14 else 0
    return f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT"  # its signs are the other way round


def plant(database: dict[str, str]) -> datetime.date:
    """A record of today in lab A, and weather of ten minutes ago."""
    with closing(psycopg2.connect(make_dsn(**database))) as connection, connection, connection.cursor() as cursor:
        cursor.execute("UPDATE lab_settings SET time_zone = %s", [late_zone()])
        cursor.execute("SELECT (now() AT TIME ZONE time_zone)::date FROM lab_settings")
        ((day,),) = cursor.fetchall()
        cursor.execute("INSERT INTO lab_checks (date, time, lab_id, lab_tech_id)"
                       " SELECT %s, '8:00', 'A', min(id) FROM lab_techs", [day])  # fmt: skip
        cursor.execute(
            "INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, equipment_fault, blossoms, plants, fruit,"
            " min_height, max_height, median_height) VALUES (%s, '8:00', 'A', 1, 'AXM477', true, 1, 1, 1, 1, 3, 2)",
            [day],
        )  # fmt: skip
        cursor.execute("INSERT INTO local_weather (datetime, temperature) VALUES (now() - interval '10 min', 12.3)")
    assert isinstance(day, datetime.date)
    return day


def test_a_trip_by_keys(window: Window, database: dict[str, str]) -> None:
    app = window.app
    day = plant(database)
    window.settle()
    app.extract_days.look_soon()
    window.until(lambda: "4 checks incomplete" in "".join(app.today.line.parts), "the line")
    line = app.today.line
    assert line.parts[0].endswith("(A 8:00, A 12:00, A 16:00 …)")
    assert line.parts[1].startswith("12.3 °C outside, 1")
    app.geometry("1180x860")
    window.until(line.winfo_ismapped, "room for the line")
    window.press("ctrl+shift+y")
    window.until(lambda: opened(window) and opened(window)[0].rows.tree.get_children(), "the window")
    shown = opened(window)[0]
    assert shown.rows.tree.set("check 0", "How it stands").startswith("1 of 20 recorded, missing: 2–20")
    window.until(lambda: shown.rows.chosen == "check 0", "the first row")
    window.press("Return")
    window.until(lambda: window.text(F.TIME) == "8:00" and window.text(F.DATE) == str(day), "the check")
    assert window.text(F.LAB) == "A"
    window.until(lambda: app.form.check.known, "the plots")
    window.fill(Technician="J Simms", Plot="2", Seed_sample="AXM478")
    app.form.who.confirm()
    window.fill_readings()
    window.save()
    window.until(lambda: "2 of 20" in shown.rows.tree.set("check 0", "How it stands"), "the record to be counted")
    window.settle()
    app.reconnecting.lost(ConnectionError("a cable"), by_itself=False)
    assert line.parts[0].startswith("As of ") and "The database is away" in shown.status_label.cget("text")
    app.reconnecting.retry_now()
    window.until(lambda: line.parts[0].startswith("Today: 4 checks"), "the database again")
    assert "away" not in shown.status_label.cget("text")
    shown.destroy()


def test_at_midnight_the_day_before_is_named_as_that(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    app = window.app
    app.today.show()
    window.until(lambda: app.today.line.parts, "the words")
    model = app.data_model
    assert model is not None
    real, now = model.today(), datetime.datetime.now(datetime.timezone.utc)
    assert real.ends is not None and datetime.timedelta(0) < real.ends - now <= datetime.timedelta(hours=25)
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(milliseconds=400)
    days = iter([dataclasses.replace(real, ends=soon), real])
    over = threading.Event()

    def today(_model: SQLModel) -> Today:
        found = next(days, real)
        return found if found.ends == soon or over.wait(30) else real  # the second answer comes when the test lets it

    monkeypatch.setattr(SQLModel, "today", today)
    opened(window)[0].buttons["Refresh"].invoke()
    window.until(lambda: app.today.line.parts[0].startswith("As of "), "midnight")
    assert opened(window)[0].status_label.cget("text").startswith("A new day has begun: this was so as of ")
    over.set()
    window.until(lambda: app.today.line.parts[0].startswith("Today"), "the new day")
    opened(window)[0].destroy()
    window.settle()


def opened(window: Window) -> list[TodayWindow]:
    return [each for each in window.app.winfo_children() if isinstance(each, TodayWindow)]


def test_it_is_there_from_the_start_where_there_is_room(window: Window) -> None:
    window.until(window.app.today.line.winfo_ismapped, "the line in the first window")
    assert window.app.layout.shown == ("form", "list")


def test_it_gives_way(window: Window, stored: SQLModel) -> None:
    app = window.app
    app.extract_days.look_soon()
    line = app.today.line
    window.until(lambda: line.parts, "the words")
    app.geometry("1180x900")
    window.until(line.winfo_ismapped, "the line where there is room")
    assert app.layout.shown == ("form", "list")
    app.geometry("800x600")
    window.until(lambda: not line.winfo_ismapped() and app.winfo_width() == 800, "the line to give way")
    app.settings["font size"].set(20)
    window.settle()
    assert not line.winfo_ismapped()
    app.settings["font size"].set(9)
    app.geometry("1180x900")
    window.until(line.winfo_ismapped, "the line to come back")
    window.settle()
