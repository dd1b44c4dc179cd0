"""A half-typed plot is kept as a draft of its plot, and nobody is asked about it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from decimal import Decimal

import pytest

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.store.drafts import Content, DraftFile
from tests.fixtures.window import Window, close
from tests.window.test_form import open_plot, record, today

REST = "1.03\n22.01\n9\n21\n3\n1.67\n8.70\n2.73\n"


def jump(window: Window, number: str) -> None:
    keys = [part for digit in number for part in ("key", digit)]
    window.xdotool("keydown", "ctrl", *keys, "keyup", "ctrl")
    window.until(lambda: window.text(F.PLOT) == number, f"plot {number}")


def half_typed(window: Window) -> set[int]:
    return set(window.app.form.check_panel.strip.half_typed)


def ends(window: Window) -> None:
    """The window ends as with Quit."""
    window.app.quit_application()


def test_a_half_typed_plot_stays_with_its_plot(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.type("24.09\n1")
    jump(window, "7")
    assert not window.dialogs and window.text(F.HUMIDITY) == ""
    assert half_typed(window) == {1}
    window.type("30\n2")
    window.press("ctrl+Page_Down")
    window.until(lambda: window.text(F.PLOT) == "8", "plot 8")
    assert half_typed(window) == {1, 7}
    assert "half typed, kept here" in window.app.form.check_panel.strip.describe(7)
    jump(window, "1")
    assert (window.text(F.HUMIDITY), window.text(F.LIGHT), window.focus) == ("24.09", "1", F.TEMPERATURE)
    jump(window, "7")
    assert (window.text(F.HUMIDITY), window.text(F.LIGHT)) == ("30", "2") or window.text(F.HUMIDITY) == "30.00"
    jump(window, "1")
    window.app.form.inputs[F.LIGHT].focus_set()
    window.type(REST)
    window.until(lambda: 1 in window.app.form.check.recorded, "the save")
    assert half_typed(window) == {7}
    assert stored.get_record(today(window), "8:00", "A", 1)[F.HUMIDITY] == Decimal("24.09")


def test_the_next_plot_after_a_save_may_be_the_half_typed_one(window: Window) -> None:
    window.begin_check()
    jump(window, "2")
    window.type("30\n2")
    jump(window, "1")
    window.type("24.09\n" + REST)
    window.until(lambda: 1 in window.app.form.check.recorded, "the save")
    assert (window.text(F.PLOT), fields.parse(fields.field(F.HUMIDITY), window.text(F.HUMIDITY))) == ("2", 30)


def test_another_lab_keeps_what_is_half_typed(window: Window) -> None:
    window.begin_check()
    window.type("24.09\n1")
    window.app.form.inputs[F.LAB].focus_set()
    window.type("b\n")
    window.until(lambda: window.app.form.check.known and window.app.form.check_key[2] == "B", "lab B")  # type: ignore[index]
    window.until_known()
    assert (window.text(F.HUMIDITY), window.text(F.PLOT), window.focus) == ("", "1", F.HUMIDITY)
    window.type("33")
    window.app.form.inputs[F.LAB].focus_set()
    window.type("a\n")
    window.until(lambda: window.text(F.LIGHT) in ("1", "1.00"), "what was typed for lab A")
    assert fields.parse(fields.field(F.HUMIDITY), window.text(F.HUMIDITY)) == Decimal("24.09")
    window.app.form.inputs[F.LAB].focus_set()
    window.type("b\n")
    window.until(lambda: window.text(F.HUMIDITY) in ("33", "33.00"), "what was typed for lab B")


def test_another_check_takes_no_values_along_and_undo_brings_them_back(window: Window, stored: SQLModel) -> None:
    for plot, (name, typed) in enumerate(((F.DATE, "2026-11-01"), (F.TIME, "12"), (F.LAB, "b")), 6):
        window.begin_again()
        another_check_takes_no_values(window, plot, name, typed)
        assert sorted(int(str(each[F.PLOT])) for each in stored.get_all_records(True)) == list(range(6, plot + 1))


def another_check_takes_no_values(window: Window, plot: int, name: str, typed: str) -> None:
    jump(window, str(plot))
    window.type("24.09\n1")
    before = window.text(name)
    window.app.form.inputs[name].focus_set()
    window.press("ctrl+a")
    window.type(typed)
    window.until(lambda: window.text(F.HUMIDITY) == "" and window.app.form.check.known, f"the check of another {name}")
    window.until_known()
    assert half_typed(window) == set() and window.text(name).startswith(typed.upper())
    assert "lab A, 8:00 of" in window.app.status.get() and "is kept. Ctrl+Z goes back" in window.app.status.get()
    for _ in range(len(typed) + 2):
        if window.text(name) != before:
            window.press("ctrl+z")
    window.until(lambda: window.text(F.LIGHT).startswith("1"), "what was typed")
    assert (window.text(name), window.text(F.PLOT), window.text(F.HUMIDITY)) == (before, str(plot), "24.09")
    assert window.focus == name
    window.app.form.inputs[F.LIGHT].focus_set()
    window.type(REST)
    window.until(lambda: plot in window.app.form.check.recorded, f"the save after another {name}")


def test_a_draft_that_comes_back_while_a_date_is_typed_changes_no_key(window: Window) -> None:
    window.begin_check()
    date = window.app.shared.today().replace(day=26)
    window.fill(Date=f"{date}")
    window.until_known()
    window.app.form.who.confirm()
    window.app.form.focus_first_empty()
    window.type("24.09\n1")
    window.app.form.inputs[F.DATE].focus_set()
    window.press("ctrl+a")
    window.type(f"26.{date.month}.{date.year}")
    window.settle()
    assert window.app.form.inputs[F.DATE].text == f"26.{date.month}.{date.year}"
    assert (window.text(F.HUMIDITY), window.text(F.PLOT)) == ("24.09", "1")


def test_a_new_record_leaves_the_half_typed_plot(window: Window) -> None:
    window.begin_check()
    window.type("24")
    window.press("ctrl+n")
    assert (window.text(F.PLOT), window.text(F.HUMIDITY), half_typed(window)) == ("2", "", {1})


def test_discard_is_explicit_and_empties_the_plot(window: Window) -> None:
    window.begin_check()
    button = window.app.form.save_bar.discard_button
    assert button.instate(["disabled"])
    window.type("24")
    assert button.instate(["!disabled"])
    jump(window, "5")
    jump(window, "1")
    assert window.text(F.HUMIDITY) in ("24", "24.00")
    button.focus_set()
    window.press("Return")
    assert (window.text(F.PLOT), window.text(F.HUMIDITY), window.focus) == ("1", "", F.HUMIDITY)
    assert "discarded" in window.app.status.get()
    jump(window, "5")
    jump(window, "1")
    assert window.text(F.HUMIDITY) == "" and half_typed(window) == set()


def test_a_half_typed_correction_keeps_the_version_it_was_opened_with(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, today(window)), author="P Taylor")
    window.begin_check()
    open_plot(window, 1)
    version = window.app.form.opened_record.version  # type: ignore[union-attr]
    window.app.form.inputs[F.PLANTS].focus_set()
    window.type("12")
    jump(window, "4")
    assert half_typed(window) == {1}
    assert "half typed here" in window.app.form.check_panel.strip.describe(1)
    stored.save_record(record(1, today(window), Blossoms="99"), author="P Taylor")
    jump(window, "1")
    opened = window.app.form.opened_record
    assert opened is not None and opened.version == version
    assert (window.text(F.PLANTS), window.text(F.BLOSSOMS)) == ("12", "21")
    window.save()
    window.settle()
    saved = stored.get_record(today(window), "8:00", "A", 1)
    assert (saved[F.PLANTS], saved[F.BLOSSOMS]) == (12, 99)  # brought together
    assert half_typed(window) == set()


def test_discarding_a_correction_shows_the_record_as_it_was(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, today(window)))
    window.begin_check()
    open_plot(window, 1)
    window.fill(Plants="12")
    window.app.callbacks["discard_draft"]()
    assert window.text(F.PLANTS) == "9" and window.app.form.opened is not None and not window.app.form.changed


def test_quitting_keeps_all_and_asks_nothing(window: Window, open_window: Callable[[], Window]) -> None:
    window.begin_check()
    window.type("24.09\n1")
    jump(window, "7")
    window.type("30")
    ends(window)
    second = open_window()
    second.until(lambda: second.text(F.HUMIDITY) in ("30", "30.00"), "what was being typed")
    assert second.text(F.PLOT) == "7"
    second.until_known()
    assert "plot 1, lab A, 8:00" in second.app.drafts.greeting
    assert half_typed(second) == {1}
    assert second.app.form.person == ""  # whose it is has to be said anew
    jump(second, "1")
    assert second.text(F.HUMIDITY) == "24.09"
    close(second)


def test_what_is_typed_before_the_drafts_are_read_stays(
    window: Window, open_window: Callable[[], Window], monkeypatch: pytest.MonkeyPatch
) -> None:
    window.begin_check()
    window.type("24.09\n1")
    ends(window)
    is_typed, take_over = threading.Event(), DraftFile.take_over

    def later(file: DraftFile) -> Content:
        is_typed.wait(30)  # as a slow disk
        return take_over(file)

    monkeypatch.setattr(DraftFile, "take_over", later)
    second = open_window()
    second.until(lambda: second.focus == F.TIME, "the focus")
    second.press("1")
    second.until(lambda: second.text(F.TIME) == "1", "the key")
    is_typed.set()
    second.until(lambda: "plot 1, lab A, 8:00" in second.app.drafts.greeting, "the drafts")
    assert (second.text(F.TIME), second.focus, second.text(F.HUMIDITY)) == ("1", F.TIME, "")
    second.press("BackSpace")
    second.begin_check()
    jump(second, "1")
    assert (second.text(F.HUMIDITY), second.text(F.LIGHT)) == ("24.09", "1")


def test_a_text_that_was_marked_is_marked_again(window: Window) -> None:
    window.begin_check()
    window.type("99.9")
    assert window.error(F.HUMIDITY)
    jump(window, "5")
    assert window.error(F.HUMIDITY) == ""
    jump(window, "1")
    assert (window.text(F.HUMIDITY), window.error(F.LIGHT)) == ("99.9", "") and "52" in window.error(F.HUMIDITY)


def test_values_without_a_plot_are_not_left_behind(window: Window) -> None:
    window.begin_check()
    window.type("24")
    window.fill(Plot="")
    window.press("ctrl+n")
    assert window.focus == F.PLOT and window.text(F.HUMIDITY) in ("24", "24.00")
    assert "which plot" in window.app.status.get()


def test_an_emptied_plot_is_no_draft(window: Window) -> None:
    window.begin_check()
    window.type("24")
    jump(window, "5")
    jump(window, "1")
    window.app.form.inputs[F.HUMIDITY].focus_set()
    window.press("ctrl+a", "BackSpace")
    jump(window, "5")
    assert half_typed(window) == set()


def test_a_recorded_plot_can_be_opened_beside_what_is_half_typed(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.type("24")
    stored.save_record(record(1, today(window), Humidity="11"))
    window.until(lambda: 1 in window.app.form.check.recorded, "the other one's")
    window.app.form.plot_panel.open_button.invoke()
    window.until(lambda: window.app.form.opened is not None, "the record")
    assert window.text(F.HUMIDITY) == "11.00" and half_typed(window) == {1}
    jump(window, "5")
    window.app.navigation.go_to_plot(1)
    assert window.text(F.HUMIDITY) in ("24", "24.00") and window.app.form.opened is None


def test_a_fault_that_is_taken_back_gives_the_readings_back(window: Window) -> None:
    for plot, undo in (("1", False), ("2", True)):
        window.begin_again(int(plot))
        readings_come_back(window, plot, undo)


def readings_come_back(window: Window, plot: str, undo: bool) -> None:
    window.type("24.09\n1.03\n22.01\n")
    window.app.form.inputs[F.EQUIPMENT_FAULT].focus_set()
    window.press("space")
    assert [window.text(name) for name in fields.READINGS] == ["", "", ""]
    window.press("ctrl+z" if undo else "space")
    assert [window.text(name) for name in fields.READINGS] == ["24.09", "1.03", "22.01"]
    if undo:
        window.press("ctrl+y")
        assert window.text(F.EQUIPMENT_FAULT) == "true" and window.text(F.HUMIDITY) == ""
    window.type("y")
    jump(window, "5")
    assert [window.text(name) for name in fields.READINGS] == ["", "", ""]
    jump(window, plot)
    window.app.form.inputs[F.EQUIPMENT_FAULT].focus_set()
    window.type("n")
    assert [window.text(name) for name in fields.READINGS] == ["24.09", "1.03", "22.01"]


KEYED = """
import sys
from abq_data_entry.application import Application
from abq_data_entry.constants import FieldNames as F
app = Application()
form = app.form

def step(what, then):
    def look():
        if what():
            then()
        else:
            app.after(10, look)
    look()

def fill(**texts):
    for name, text in texts.items():
        each = form.inputs[name]
        each.fill(text)
        each.editor.event_generate("<<Edited>>")

def second():
    fill(Humidity="24.09")
    app.navigation.go_to_plot(7)
    fill(Humidity="30")
    app.after(600, lambda: print("typed", flush=True))

def first():
    fill(Time="8:00", Lab="A")
    step(lambda: form.check.known, second)

step(lambda: app.data_model is not None and form.choices.get(F.LAB), first)
app.mainloop()
"""


def test_kill_9_leaves_all_drafts(window: Window, open_window: Callable[[], Window]) -> None:
    close(window)
    process = subprocess.Popen([sys.executable, "-c", KEYED], stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        assert process.stdout is not None and process.stdout.readline() == "typed\n"
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    second = open_window()
    second.until(lambda: second.text(F.HUMIDITY) in ("30", "30.00"), "what was being typed")
    second.until(lambda: second.app.form.check.known and half_typed(second) == {1}, "the other draft")
    second.until_known()


def in_plot(window: Window, text: str) -> None:
    """Type into Plot, and Enter."""
    window.app.form.inputs[F.PLOT].focus_set()
    window.app.update()
    window.type(f"{text}\n")
    window.until(lambda: window.text(F.PLOT) == text, "the plot")


def test_values_do_not_overwrite_what_is_half_typed_of_another_plot(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.settle()
    window.type("11.11\n22.22\n")
    jump(window, "7")
    window.type(f"33.33\n{REST}"[:-5])
    in_plot(window, "1")
    assert (window.error(F.PLOT), window.focus) == ("1 is half typed already", F.PLOT)
    for leave in ("ctrl+s", "ctrl+Page_Down", "ctrl+9"):
        window.press(leave)
        window.settle()
        assert (window.text(F.PLOT), window.text(F.HUMIDITY), window.focus) == ("1", "33.33", F.PLOT)
        assert window.error(F.PLOT) == "1 is half typed already"
    assert not window.app.shared.saved_records
    window.type("7\n")  # selected: typing replaces it
    assert window.error(F.PLOT) == ""
    window.press("ctrl+9")
    window.until(lambda: window.text(F.PLOT) == "9", "plot 9")
    assert half_typed(window) == {1, 7}
    jump(window, "1")
    assert (window.text(F.HUMIDITY), window.text(F.LIGHT)) == ("11.11", "22.22")
    jump(window, "7")
    assert window.text(F.HUMIDITY) == "33.33"


def test_of_two_for_one_plot_the_one_in_the_form_can_be_discarded(window: Window) -> None:
    window.begin_check()
    window.settle()
    window.type("11.11\n")
    jump(window, "7")
    window.type("33.33\n")
    in_plot(window, "1")
    window.app.callbacks["discard_draft"]()
    window.until(lambda: window.text(F.HUMIDITY) == "11.11", "what is kept")
    assert (window.text(F.PLOT), window.error(F.PLOT)) == ("1", "")


def test_another_lab_overwrites_no_draft(window: Window) -> None:
    window.begin_check()
    window.settle()
    window.type("11.11\n")
    jump(window, "7")
    window.type("33.33\n")
    in_plot(window, "1")
    window.app.form.inputs[F.LAB].focus_set()
    window.type("b\n")
    window.settle()
    assert (window.text(F.HUMIDITY), window.text(F.PLOT)) == ("33.33", "")  # values without a plot aren't saved
    in_plot(window, "4")
    window.app.form.inputs[F.LAB].focus_set()
    window.type("a\n")
    window.settle()
    in_plot(window, "1")
    assert (window.text(F.HUMIDITY), window.text(F.PLOT)) == ("11.11", "1")


def test_a_correction_saved_as_another_plot_takes_no_draft_away(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.settle()
    window.type(f"24.09\n{REST}")
    window.until(lambda: window.text(F.PLOT) == "2", "the save")
    jump(window, "5")
    window.type("12.12\n")
    open_plot(window, 1)
    window.type("31.31\n")
    in_plot(window, "5")
    window.press("ctrl+s")
    window.settle()
    assert (window.error(F.PLOT), window.focus) == ("5 is half typed already", F.PLOT)
    assert not stored.get_record(today(window), "8:00", "A", 5)


def test_a_draft_that_was_looked_at_is_not_lost_to_later_values(window: Window) -> None:
    window.begin_check()
    window.settle()
    window.type("11.11\n")
    jump(window, "7")
    jump(window, "1")
    jump(window, "8")
    window.type("33.33\n")
    in_plot(window, "1")
    assert window.error(F.PLOT) == "1 is half typed already"


def test_the_seed_sample_comes_back_with_the_draft_of_another_lab(window: Window) -> None:
    window.begin_check()
    window.settle()
    seed = window.text(F.SEED_SAMPLE)
    window.type("11.11\n22.22\n")
    window.app.form.inputs[F.LAB].focus_set()
    window.type("b\n")
    window.settle()
    window.until(lambda: window.text(F.HUMIDITY) == "", "lab B")
    window.app.form.inputs[F.LAB].focus_set()
    window.type("a\n33.3")
    window.until(lambda: window.text(F.HUMIDITY) == "11.11", "the draft")
    window.until(lambda: window.text(F.TEMPERATURE) == "33.3", "the next value")
    assert (window.text(F.SEED_SAMPLE), window.text(F.LIGHT)) == (seed, "22.22")


def test_two_drafts_of_one_plot_survive_the_program(window: Window, open_window: Callable[[], Window]) -> None:
    window.begin_check()
    window.settle()
    window.type("11.11\n")
    jump(window, "7")
    window.type("33.33\n")
    in_plot(window, "1")
    window.app.drafts.keep()
    window.settle()
    close(window)
    again = open_window()
    again.until(lambda: again.text(F.HUMIDITY) == "33.33", "the draft")
    again.until_open()
    again.press("ctrl+s")
    again.settle()
    assert again.error(F.PLOT) == "1 is half typed already"
    in_plot(again, "7")
    jump(again, "1")
    assert again.text(F.HUMIDITY) == "11.11"
