"""A check by keyboard alone, with real keys."""

from __future__ import annotations

import pytest

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from tests.fixtures.window import Window
from tests.window import one_window

pytestmark = pytest.mark.usefixtures("display")

# 33 characters in nine values: what a technician types for a plot on average.
AVERAGE = ("24.09", "10.03", "22.01", "9", "21", "13", "11.67", "18.7", "12.7")
FOCUS_NAMES = fields.FOCUS_ORDER

window, stored = one_window.window, one_window.stored


def test_a_check_of_20_plots_takes_at_most_42_keys_a_plot(window: Window, stored: SQLModel) -> None:
    assert sum(len(value) for value in AVERAGE) == 33
    window.type("8\na\n")
    window.until_known()
    keys = 0
    beginning = "j\n"
    window.type(beginning)
    keys += len(beginning)
    for plot in range(1, 21):
        # The first plot's values are shorter by what the technician's name took.
        humidity = AVERAGE[0] if plot > 1 else "24"
        text = "\n".join((humidity, *AVERAGE[1:])) + "\n"
        keys += len(text)
        window.type(text)
    window.until(lambda: window.app.form.check.complete, "all plots to be recorded")
    window.settle()
    assert keys <= 42 * 20
    records = stored.get_all_records()
    assert [record[F.PLOT] for record in records] == list(range(1, 21))
    for record in records[1:]:
        assert [fields.format_value(fields.field(name), record[name]) for name in (F.HUMIDITY, F.MEDIAN_HEIGHT)] == [
            "24.09",
            "12.70",
        ]
        assert record[F.TECHNICIAN] == "J Simms" and record[F.LAB] == "A" and record[F.TIME] == "8:00"
    assert "Check complete" in window.app.form.check_panel.summary.text


def test_enter_after_a_complete_check_begins_the_next_lab(window: Window, stored: SQLModel) -> None:
    record = {
        **dict(zip(fields.CSV_HEADER[6:9], ("20", "2", "21"), strict=True)),
        **dict(zip(fields.CSV_HEADER[10:16], ("5", "5", "5", "1", "3", "2"), strict=True)),
    }
    for plot in range(1, 20):
        date = window.text(F.DATE)
        stored.save_record(
            {F.DATE: date, F.TIME: "8:00", F.TECHNICIAN: "P Taylor", F.LAB: "A", F.PLOT: plot, F.SEED_SAMPLE: "AXM477"}
            | record
        )
    window.type("8\na\n")
    window.until_known()
    assert window.text(F.TECHNICIAN) == "P Taylor"  # the check's
    assert window.text(F.PLOT) == "20"  # the one that is missing
    assert window.focus == F.TECHNICIAN
    window.type("\n20\n2\n21\n5\n5\n5\n1\n3\n2\n")
    window.until(lambda: window.app.form.check.complete, "the check to be complete")
    window.settle()
    window.press("Return")
    window.until(lambda: window.text(F.LAB) == "B" and window.app.form.check.known, "lab B")
    window.until_known()
    assert (window.text(F.TIME), window.text(F.PLOT), window.focus) == ("8:00", "1", F.HUMIDITY)
    assert window.text(F.TECHNICIAN) == "P Taylor"


def test_tab_goes_through_all_fields_and_back(window: Window) -> None:
    window.app.form.inputs[F.DATE].focus_set()
    visited = [window.focus]
    for _ in range(len(FOCUS_NAMES) - 1):
        window.press("Tab")
        visited.append(window.focus)
    assert visited == list(FOCUS_NAMES)
    window.press("Tab")  # out of Notes, to Save
    assert "button" in window.focus
    back = []
    for _ in FOCUS_NAMES:
        window.press("shift+Tab")
        back.append(window.focus)
    assert back == list(reversed(FOCUS_NAMES))


def test_typing_a_12_into_plot_does_not_jump_at_1(window: Window) -> None:
    window.begin_check()
    window.app.form.inputs[F.PLOT].focus_set()
    window.type("12")
    assert (window.focus, window.text(F.PLOT)) == (F.PLOT, "12")
    window.press("Return")
    assert (window.focus, window.text(F.PLOT), window.text(F.SEED_SAMPLE)) == (F.HUMIDITY, "12", "AXM480")


def test_list_fields_complete_what_is_unique(window: Window) -> None:
    window.type("1")
    assert window.text(F.TIME) == "1"  # 12:00 or 16:00
    window.type("6")
    assert window.text(F.TIME) == "16:00"
    window.press("Return")
    window.type("c\nq")
    assert (window.text(F.LAB), window.text(F.TECHNICIAN)) == ("C", "Q Murphy")


def test_a_typed_time_must_be_one_of_the_list(window: Window) -> None:
    window.type("9:00\n")
    assert (window.text(F.TIME), window.focus) == ("9:00", F.TIME)
    assert window.error(F.TIME) == "9:00 isn't one of 8:00, 12:00, 16:00 or 20:00"
    window.type("1\n")
    assert (window.text(F.TIME), window.focus) == ("1", F.TIME)
    assert window.error(F.TIME) == "1 could be 12:00 or 16:00"


def test_undo_and_redo_in_an_entry(window: Window) -> None:
    window.begin_check()
    window.type("24.09")
    window.press("ctrl+z")
    assert window.text(F.HUMIDITY) == ""
    window.press("ctrl+y")
    assert window.text(F.HUMIDITY) == "24.09"


def test_control_and_a_number_go_to_the_plot(window: Window) -> None:
    window.begin_check()
    window.xdotool("keydown", "ctrl", "key", "1", "key", "7", "keyup", "ctrl")
    assert window.text(F.PLOT) == "17"
    window.xdotool("keydown", "ctrl", "key", "2", "keyup", "ctrl")
    window.until(lambda: window.text(F.PLOT) == "2", "plot 2")


def test_fault_by_key_disables_the_readings(window: Window) -> None:
    window.begin_check()
    window.type("24\n2\n22\n")
    window.app.form.inputs[F.EQUIPMENT_FAULT].focus_set()
    window.type("y")
    assert [window.text(name) for name in fields.READINGS] == ["", "", ""]
    assert all(window.app.form.inputs[name].is_disabled for name in fields.READINGS)
    window.press("Return")
    assert window.focus == F.PLANTS
    window.press("shift+Tab")
    window.type("n")
    assert not window.app.form.inputs[F.HUMIDITY].is_disabled


def test_help_for_the_field_with_f1(window: Window) -> None:
    window.begin_check()
    window.press("F1")
    assert window.app.field_help.is_open
    window.press("Escape")
    assert not window.app.field_help.is_open


def test_the_strip_of_plots_by_keyboard_alone(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    form, strip = window.app.form, window.app.form.check_panel.strip
    summary = form.check_panel.summary
    window.press("ctrl+shift+p")
    window.until(lambda: window.app.focus_get() is strip, "the strip")
    assert summary.text.startswith("Plot 1: not recorded yet")
    for keys, plot in ((["Right", "Right"], 3), (["Left"], 2), (["End"], 20), (["Right"], 20), (["Home"], 1)):
        window.press(*keys)
        window.until(lambda plot=plot: summary.text.startswith(f"Plot {plot}:"), f"plot {plot}")  # type: ignore[misc]
    window.press("Escape")
    window.until(lambda: window.focus == F.HUMIDITY, "the field from before")
    assert summary.text == "0 of 20 recorded"
    window.press("ctrl+shift+p", "End", "Left", "Return")
    window.until(lambda: window.text(F.PLOT) == "19" and window.focus == F.HUMIDITY, "plot 19")
    form.inputs[F.DATE].focus_set()
    window.press("shift+Tab")
    window.until(lambda: window.app.focus_get() is strip, "the strip before the first field")
    window.press("Tab")
    window.until(lambda: window.focus == F.DATE, "the first field")
    window.press("shift+Tab", "Home", "space")
    window.until(lambda: window.text(F.PLOT) == "1", "plot 1")


def test_the_strip_in_two_lines_goes_up_and_down_and_shows_the_focus(window: Window) -> None:
    window.resize("640x600")
    window.begin_check()
    strip = window.app.form.check_panel.strip
    window.until(lambda: strip.in_a_line() == 10, "two lines")
    without = strip.find_all()
    window.press("ctrl+shift+p", "Down")
    window.until(lambda: strip.chosen == 11, "the second line")
    assert len(strip.find_all()) > len(without)
    window.press("Up")
    window.until(lambda: strip.chosen == 1, "the first line")


def test_without_a_check_the_window_says_what_the_strip_needs(window: Window) -> None:
    window.press("ctrl+shift+p")
    window.until(lambda: window.app.status.get().startswith("Choose date, time and lab first"), "the words")
    assert window.focus == F.TIME
