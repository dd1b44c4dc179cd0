"""Dates with real keys: short ones, the arrows, the calendar, and what is asked about an unlikely day."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.views.check_panel import FAR_DAYS, UNREAD_SECONDS, DateLine, date_question
from abq_data_entry.widgets.calendar_popup import CalendarPopup
from abq_data_entry.widgets.editors import DateEntry
from tests.fixtures.window import Window
from tests.window import one_window

TODAY = datetime.date(2026, 11, 26)

window, stored = one_window.window, one_window.stored


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dated(window: Window, clock: Clock) -> Window:
    """A window on 26 November 2026, its focus in Date."""
    window.app.shared.clock = lambda: TODAY
    line(window).now = clock
    return at_the_date(window)


def at_the_date(window: Window) -> Window:
    """With today in Date, and the focus there."""
    window.fill(Date=TODAY.isoformat())
    window.app.form.inputs[F.DATE].focus_set()
    window.app.update()
    return window


def line(window: Window) -> DateLine:
    return window.app.form.check_panel.date_line


def entry(window: Window) -> DateEntry:
    editor = window.app.form.inputs[F.DATE].editor
    assert isinstance(editor, DateEntry)
    return editor


def calendar(window: Window) -> CalendarPopup:
    window.until(lambda: entry(window).calendar, "the calendar")
    found = entry(window).calendar
    assert found is not None
    window.until(found.winfo_viewable, "the calendar to show")
    return found


def test_what_is_typed_stands_there_until_enter_and_then_the_date(dated: Window) -> None:
    for typed, shown in (
        ("25", "2026-11-25"),
        ("26.11.", "2026-11-26"),
        ("26.11.2026", "2026-11-26"),
        ("20261121", "2026-11-21"),
        ("2026/11/21", "2026-11-21"),
        ("2026.11.21", "2026-11-21"),
    ):
        at_the_date(dated).type(typed)
        assert (dated.text(F.DATE), dated.error(F.DATE)) == (typed, "")
        dated.press("Return")
        assert dated.text(F.DATE) == shown
        assert dated.focus == F.TIME
        dated.press("shift+Tab", "ctrl+z")
        assert dated.text(F.DATE) == typed  # undo gives back what was typed
        dated.press("Tab")
        assert dated.text(F.DATE) == shown


def test_what_is_no_date_is_marked_at_once_and_holds_the_focus(dated: Window) -> None:
    for typed, words in (
        ("2026-11-31", "2026-11-31: November has 30 days"),
        ("31.11.", "31.11.: November has 30 days"),
        ("11/26", "11/26: write 26.11."),
    ):
        at_the_date(dated).type(typed)
        assert (dated.text(F.DATE), dated.error(F.DATE)) == (typed, words)
        dated.press("Return", "Return")
        assert dated.focus == F.DATE and dated.text(F.DATE) == typed
        dated.type("25")  # the text is selected: typing replaces it
        assert (dated.text(F.DATE), dated.error(F.DATE)) == ("25", "")


def test_a_wrong_sign_is_named_and_the_likely_date_taken_by_a_key(dated: Window) -> None:
    dated.type("25:11:")
    assert dated.error(F.DATE) == "`:` isn't part of a date: 2026-11-25?"
    dated.press("alt+Return")
    assert (dated.text(F.DATE), dated.error(F.DATE)) == ("2026-11-25", "")


def test_the_month_first_where_the_locale_says_so(dated: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = entry(dated).reader._replace(month_first=lambda: True)
    monkeypatch.setattr(entry(dated), "reader", reader)
    dated.type("11/25")
    assert dated.error(F.DATE) == ""
    dated.press("Return")
    assert dated.text(F.DATE) == "2026-11-25"


def test_the_locale_of_this_process_is_asked_and_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    import locale

    from abq_data_entry.application.preferences import month_first

    before = locale.setlocale(locale.LC_TIME)
    monkeypatch.setenv("LC_ALL", "C")
    month_first.cache_clear()
    assert month_first() is False
    assert locale.setlocale(locale.LC_TIME) == before
    month_first.cache_clear()


def test_arrows_go_a_day_on_and_back(dated: Window) -> None:
    dated.press("Down", "Down", "Up")
    assert dated.text(F.DATE) == "2026-11-25"
    dated.type("1.3.")
    dated.press("Down")
    assert dated.text(F.DATE) == "2026-02-28"
    dated.press("ctrl+a", "BackSpace", "Up")
    assert dated.text(F.DATE) == "2026-11-26"
    dated.type("2026-11-31")
    dated.press("Up")
    assert dated.text(F.DATE) == "2026-11-31"  # nothing to count from


def test_the_calendar_by_keys(dated: Window) -> None:
    dated.press("alt+Down")
    shown = calendar(dated)
    assert shown.date == TODAY
    dated.press("Left", "Up", "Prior")
    assert shown.date == datetime.date(2026, 10, 18)
    dated.press("shift+Next", "shift+Prior", "Down", "Right", "Return")
    dated.until(lambda: entry(dated).calendar is None, "the calendar to close")
    assert (dated.text(F.DATE), dated.focus) == ("2026-10-26", F.DATE)
    # The last of a month is the last of a shorter one.
    dated.fill(Date="2026-10-31")
    dated.press("alt+Down")
    calendar(dated)
    dated.press("Next")
    assert calendar(dated).date == datetime.date(2026, 11, 30)
    dated.press("Home")
    assert calendar(dated).date == TODAY
    dated.press("Escape")
    dated.until(lambda: entry(dated).calendar is None, "the calendar to close")
    assert (dated.text(F.DATE), dated.focus) == ("2026-10-31", F.DATE)
    # Keys go on to the field once it is closed, and a key that isn't the calendar's closes it and is typed.
    dated.press("alt+Down")
    calendar(dated)
    dated.press("ctrl+a")
    dated.type("25\n")
    assert entry(dated).calendar is None
    assert (dated.text(F.DATE), dated.focus) == ("2026-11-25", F.TIME)


def test_the_calendar_by_the_number_pad(dated: Window) -> None:
    dated.press("alt+Down")
    shown = calendar(dated)
    dated.press("KP_Left", "KP_Up", "KP_Prior")
    assert shown.date == datetime.date(2026, 10, 18)
    dated.press("KP_Next", "KP_Down", "KP_Right", "KP_Enter")
    assert dated.text(F.DATE) == TODAY.isoformat()


def test_a_click_means_the_same_after_a_calendar(dated: Window) -> None:
    before = dated.app.bind("<Button-1>")
    for key in ("Return", "Escape"):
        dated.press("alt+Down")
        calendar(dated)
        dated.press(key)
        dated.until(lambda: entry(dated).calendar is None, "the calendar to close")
    assert before and dated.app.bind("<Button-1>").split() == before.split()


def test_the_calendar_by_mouse(dated: Window) -> None:
    dated.press("alt+Down")
    shown = calendar(dated)
    place = next(place for place, day in shown.days.items() if day == datetime.date(2026, 11, 12))
    width, height = shown.cell
    x, y = place % 7 * width + 5, (place // 7 + 1) * height + 5
    shown.canvas.event_generate("<Button-1>", x=x, y=y)
    assert dated.text(F.DATE) == "2026-11-12" and entry(dated).calendar is None
    dated.press("alt+Down")
    calendar(dated)
    dated.app.form.event_generate("<Button-1>", x=2, y=2)
    dated.until(lambda: entry(dated).calendar is None, "a click beside it to close it")


def test_the_calendar_stays_within_a_small_window(dated: Window) -> None:
    dated.resize("640x480")
    dated.until(lambda: dated.app.winfo_height() == 480, "the small window")
    dated.press("alt+Down")
    shown = calendar(dated)
    assert shown.winfo_x() >= 0 and shown.winfo_y() >= 0
    assert shown.winfo_y() + shown.winfo_height() <= dated.app.winfo_height()


# -- an unlikely day ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "asked", "far"),
    [
        ("2026-11-26", None, False),
        ("2026-11-19", None, False),
        ("2026-11-18", "8 days back", False),
        ("2026-11-27", "1 day ahead", False),
        ("2062-11-26", "36 years ahead", True),
        ("0206-11-26", "1,820 years back", True),
    ],
)
def test_what_is_asked_about(day: str, asked: str | None, far: bool) -> None:
    found = date_question(datetime.date.fromisoformat(day), TODAY, 7)
    assert (found.distance, found.far) == (asked, far) if found is not None else asked is None
    assert date_question(TODAY - datetime.timedelta(FAR_DAYS + 1), TODAY, 0) is not None


def test_an_old_day_is_asked_about_once_and_shown_from_then_on(dated: Window, stored: SQLModel, clock: Clock) -> None:
    dated.type("10.11.\n")
    assert (dated.text(F.DATE), dated.focus, dated.error(F.DATE)) == ("2026-11-10", F.DATE, "")
    assert line(dated).text == "2026-11-10 is 16 days back. Is that right?" and not dated.dialogs
    assert line(dated).winfo_viewable() and "F6" in str(line(dated).button.cget("text"))
    dated.press("Return")  # doubled by a slip, before anybody could read it
    assert (dated.focus, line(dated).asks) == (F.DATE, True)
    clock.seconds += UNREAD_SECONDS
    dated.press("Return")
    assert (dated.focus, line(dated).text) == (F.TIME, "2026-11-10 is 16 days back")
    dated.begin_check()
    for plot in (1, 2):
        dated.fill_readings()
        dated.save()
        assert dated.text(F.PLOT) == str(plot + 1)
        assert line(dated).text == "2026-11-10 is 16 days back" and not line(dated).asks
    assert stored.get_record("2026-11-10", "8:00", "A", 2)
    dated.fill(Date="2026-11-25")
    dated.app.form.inputs[F.TIME].focus_set()
    dated.until(lambda: line(dated).text == "", "nothing to tell")


def test_a_date_that_was_left_by_tab_is_asked_about_before_it_is_saved(dated: Window, stored: SQLModel) -> None:
    dated.type("2026-11-27")
    dated.press("Tab")
    dated.until(lambda: line(dated).asks, "the question")
    assert dated.focus == F.TIME
    dated.begin_check()
    dated.fill_readings()
    dated.app.form.submit()
    assert dated.focus == F.DATE and not dated.app.form.saving
    assert not stored.get_all_records(all_dates=True)
    dated.press("F6")
    assert not line(dated).asks
    dated.save()
    assert stored.get_record("2026-11-27", "8:00", "A", 1)


@pytest.mark.parametrize(("typed", "words"), [("2062-11-26", "36 years ahead"), ("0206-11-26", "1,820 years back")])
def test_another_year_needs_more_than_enter(
    dated: Window, stored: SQLModel, clock: Clock, typed: str, words: str
) -> None:
    dated.type(typed)
    for _ in range(3):
        dated.press("Return")
        clock.seconds += 10
        assert (dated.focus, line(dated).asks) == (F.DATE, True)
    assert words in line(dated).text
    dated.begin_check()
    dated.fill_readings()
    dated.app.form.submit()
    assert dated.focus == F.DATE and not stored.get_all_records(all_dates=True)
    dated.type("26\n")  # the right one
    assert line(dated).text == "" and dated.focus != F.DATE
    dated.app.form.inputs[F.DATE].focus_set()
    dated.type(f"{typed}\n")
    dated.press("F6")
    assert not line(dated).asks and words in line(dated).text and dated.focus != F.DATE


def test_how_old_is_a_setting(settings: dict[str, Any], open_window: Callable[[], Window]) -> None:
    settings["old_date_days"] = 30
    window = open_window()
    window.until_open()
    window.app.shared.clock = lambda: TODAY
    window.app.form.inputs[F.DATE].focus_set()
    window.type("27.10.\n")
    assert (window.text(F.DATE), window.focus, line(window).text) == ("2026-10-27", F.TIME, "")
    window.press("shift+Tab")
    window.type("26.10.\n")
    assert line(window).text == "2026-10-26 is 31 days back. Is that right?"


def test_an_opened_record_and_a_date_that_filled_itself_are_not_asked_about(dated: Window, stored: SQLModel) -> None:
    from tests.window.test_form import open_plot, record

    stored.save_record(record(1, "2026-10-01"))
    dated.fill(Date="2026-10-01")
    dated.begin_check()
    dated.app.form.keep_date()
    open_plot(dated, 1)
    assert line(dated).text == ""
    dated.app.callbacks["new_record"]()
    dated.until(lambda: line(dated).text == "2026-10-01 is 56 days back", "the answered question")
