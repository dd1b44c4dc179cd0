"""What is typed is what is kept: with real keys, a value is saved as it was typed or marked and not saved."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

import pytest

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.widgets.editors import TypedField
from tests.fixtures.window import Window
from tests.window import one_window
from tests.window.test_form import open_plot, record, today

pytestmark = pytest.mark.usefixtures("display")

ROW = ("24.09", "1.03", "22.01", "", "9", "21", "3", "1.67", "8.70", "2.73")

window, stored = one_window.window, one_window.stored


def go_to(window: Window, name: str) -> None:
    window.app.form.inputs[name].focus_set()
    window.app.update()


def copy(window: Window, text: str) -> None:
    window.app.clipboard_clear()
    window.app.clipboard_append(text)
    window.app.update()


def paste(window: Window, name: str, text: str) -> None:
    """Paste with real keys, and wait until the field shows that text: the clipboard's owner may take a while."""
    window.press("ctrl+v")
    window.until(lambda: window.text(name) == text, f"{text!r} in {name}")


def note(window: Window, name: str) -> str:
    return str(window.app.form.inputs[name].line_below.label.cget("text"))


MARKED = [
    (F.HUMIDITY, "99.9", "99.9 is above 52.0 g/m³"),
    (F.HUMIDITY, "60.00", "60.00 is above 52.0 g/m³"),
    (F.HUMIDITY, "520", "520 is above 52.0 g/m³: 5.20?"),
    (F.TEMPERATURE, "45.5", "45.5 is above 40 °C"),
    (F.TEMPERATURE, "41.50", "41.50 is above 40 °C"),
    (F.LIGHT, "500", "500 is above 100 klx: 5.00?"),
    (F.LIGHT, "120.50", "120.50 is above 100 klx"),
    (F.PLANTS, "25", "25 is above 20"),
    (F.BLOSSOMS, "1500", "1500 is above 1000"),
    (F.BLOSSOMS, "2.1", "2.1 isn't a whole number"),
    (F.HUMIDITY, "2409", "2409 is above 52.0 g/m³: 24.09?"),
    (F.LIGHT, "103", "103 is above 100 klx: 1.03?"),
    (F.TEMPERATURE, "2201", "2201 is above 40 °C: 22.01?"),
    (F.HUMIDITY, "24;09", "`;` isn't part of a number: 24.09?"),
    (F.LIGHT, "1:03", "`:` isn't part of a number: 1.03?"),
    (F.MIN_HEIGHT, "1;67", "`;` isn't part of a number: 1.67?"),
    (F.HUMIDITY, "24.095", "three decimals; two are kept"),
    (F.HUMIDITY, "52.01", "52.01 is above 52.0 g/m³"),
    (F.HUMIDITY, "-5", "-5 is below 0.5 g/m³"),
    (F.HUMIDITY, "1e1", "`e` isn't part of a number"),
    (F.TECHNICIAN, "Kelly", "Kelly isn't one of J Simms, L Taniff, P Taylor or Q Murphy"),
    (F.TECHNICIAN, "Bob Quinn", "Bob Quinn isn't one of J Simms, L Taniff, P Taylor or Q Murphy"),
    (F.TIME, "9:00", "9:00 isn't one of 8:00, 12:00, 16:00 or 20:00"),
    (F.TIME, "22:00", "22:00 isn't one of 8:00, 12:00, 16:00 or 20:00"),
    (F.TIME, "14:00", "14:00 isn't one of 8:00, 12:00, 16:00 or 20:00"),
    (F.PLOT, "25", "25 isn't one of 1 to 20"),
    (F.PLOT, "100", "100 isn't one of 1 to 20"),
    (F.LAB, "lab B", "lab B isn't one of A, B, C, D or E"),
    (F.SEED_SAMPLE, "AXM4777", "7 characters; a seed sample has 6"),
]


def test_what_cant_be_right_is_marked_at_once_kept_and_held_by_enter(window: Window) -> None:
    for name, typed, words in MARKED:
        window.begin_again()
        go_to(window, name)
        window.type(typed)
        assert (window.text(name), window.error(name)) == (typed, words)
        window.press("Return")
        assert (window.focus, window.text(name)) == (name, typed)
        editor = window.app.form.inputs[name].editor
        assert editor.selection_get() == typed  # typing replaces it
        assert words in note(window, name) and isinstance(editor, TypedField) and editor.instate(["invalid"])


def test_another_spelling_stays_as_typed_and_is_saved_as_that_number(window: Window, stored: SQLModel) -> None:
    spellings = [("24,09", "24.09"), ("+24.1", "24.1"), ("52", "52"), (".5", "0.5"), ("024.09", "24.09")]
    for plot, (typed, value) in enumerate(spellings, 1):
        window.begin_check()
        assert window.text(F.PLOT) == str(plot)
        window.fill_readings()
        go_to(window, F.HUMIDITY)
        window.press("ctrl+a")
        window.type(typed + "\n")
        assert (window.text(F.HUMIDITY), window.error(F.HUMIDITY), window.focus) == (typed, "", F.LIGHT)
        window.save()
        assert stored.get_record(today(window), "8:00", "A", plot)[F.HUMIDITY] == Decimal(value)
        open_plot(window, plot)
        assert window.text(F.HUMIDITY) == f"{Decimal(value):.2f}"  # opened, it has its usual form
        window.fill(Humidity=typed)
        assert not window.app.form.changed  # the same value, spelled differently
        window.app.navigation.go_to_plot(plot + 1)
        window.until(lambda: window.app.form.opened is None, "the next plot")


def test_a_name_is_completed_by_one_of_its_words(window: Window) -> None:
    window.begin_check()
    go_to(window, F.TECHNICIAN)
    window.type("murphy\n")
    assert (window.text(F.TECHNICIAN), window.error(F.TECHNICIAN)) == ("Q Murphy", "")
    window.settle()  # who enters the check is looked up meanwhile
    go_to(window, F.TECHNICIAN)
    window.type("ta\n")
    window.settle()
    assert window.error(F.TECHNICIAN) == "ta could be L Taniff or P Taylor"
    assert window.focus == F.TECHNICIAN


def test_held_and_doubled_enter_shift_nothing(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    for value in ("24.09", "1.03", "22.01", "9", "21", "3", "1.67", "8.70"):
        window.type(value)
        window.press("Return", "Return", "Return")
    assert window.focus == F.MEDIAN_HEIGHT
    assert window.error(F.MEDIAN_HEIGHT) == "Median Height is required."
    window.type("2.73\n\n\n")
    window.until(lambda: window.text(F.PLOT) == "2" and not window.app.form.saving, "the next plot")
    window.settle()
    saved = stored.get_all_records()
    assert len(saved) == 1
    names = (*fields.READINGS, *fields.CSV_HEADER[10:16])
    assert [fields.format_value(fields.field(name), saved[0][name]) for name in names] == [
        each for each in ROW if each
    ]
    assert window.focus == F.HUMIDITY and window.text(F.HUMIDITY) == ""


def test_a_mark_stays_until_the_text_is_right(window: Window) -> None:
    window.begin_check()
    window.type("99.9")
    window.press("Tab")
    assert window.focus == F.LIGHT and window.error(F.HUMIDITY)
    window.press("shift+Tab")
    window.press("BackSpace")  # all of it is selected
    assert window.error(F.HUMIDITY) == "Humidity is required."
    window.type("0")
    assert window.error(F.HUMIDITY) == "0 is below 0.5 g/m³"
    window.type(".6")
    assert window.error(F.HUMIDITY) == ""


def test_a_marked_field_holds_the_record_back(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.fill_readings()
    go_to(window, F.BLOSSOMS)
    window.press("ctrl+a")
    window.type("1500")
    window.press("Tab", "Tab", "Tab", "Tab", "Tab")
    window.press("ctrl+s")
    window.settle()
    assert stored.get_all_records() == []
    assert (window.focus, window.text(F.BLOSSOMS)) == (F.BLOSSOMS, "1500")


def test_the_last_reading_stays_beside_the_error(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.fill_readings()
    window.save()
    window.fill(Time="12:00", Plot="1")
    window.until(lambda: window.app.form.check.known and "was" in note(window, F.HUMIDITY), "the previous reading")
    window.until_known()
    go_to(window, F.HUMIDITY)
    window.type("99.9")
    assert note(window, F.HUMIDITY) == "✗ 99.9 is above 52.0 g/m³ · was 24.09"


def test_the_likely_value_is_taken_with_a_key(window: Window) -> None:
    window.begin_check()
    window.type("24;09")
    window.press("alt+Return")
    assert (window.text(F.HUMIDITY), window.error(F.HUMIDITY)) == ("24.09", "")
    window.press("ctrl+z")
    assert window.text(F.HUMIDITY) == "24;09"
    window.press("Return")
    assert window.focus == F.HUMIDITY


def test_backspace_undo_and_redo_in_a_marked_field(window: Window) -> None:
    window.begin_check()
    window.type("24.095")
    window.press("BackSpace")
    assert (window.text(F.HUMIDITY), window.error(F.HUMIDITY)) == ("24.09", "")
    window.press("ctrl+z")
    assert (window.text(F.HUMIDITY), bool(window.error(F.HUMIDITY))) == ("24.095", True)
    window.press("ctrl+y")
    assert window.text(F.HUMIDITY) == "24.09"


def test_a_paste_keeps_the_value(window: Window) -> None:
    for name, clipboard, text, words in (
        (F.HUMIDITY, "24,09 g/m³", "24,09", ""),
        (F.HUMIDITY, " 31.5\n", "31.5", ""),
        (F.HUMIDITY, "\n \r\n31.5\n\n", "31.5", ""),
        (F.BLOSSOMS, "1 000", "1000", ""),
        (F.HUMIDITY, "24,09 °C", "24,09 °C", "a space isn't part of a number"),
        (F.TECHNICIAN, "Q Murphy\r\n", "Q Murphy", ""),
        (F.SEED_SAMPLE, "AXM 477", "AXM 477", "a space isn't part of a seed sample"),
    ):
        window.begin_again()
        copy(window, clipboard)
        go_to(window, name)
        paste(window, name, text)
        assert window.error(name) == words


def test_a_paste_into_typed_text_goes_where_the_cursor_is(window: Window) -> None:
    window.begin_check()
    copy(window, "31.5")
    window.type("24.09")
    paste(window, F.HUMIDITY, "24.0931.5")
    assert window.error(F.HUMIDITY)


def test_cells_are_spread_over_the_fields(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    copy(window, "\t".join(ROW) + "\n")
    paste(window, F.HUMIDITY, ROW[0])
    window.until(lambda: window.focus == F.MEDIAN_HEIGHT, "the last cell")
    assert tuple(window.text(name) for name in fields.FOCUS_ORDER[6:9]) == ROW[:3]
    window.press("Return")
    window.until(lambda: window.text(F.PLOT) == "2" and not window.app.form.saving, "the next plot")
    saved = stored.get_all_records()[0]
    assert (saved[F.HUMIDITY], saved[F.MEDIAN_HEIGHT], saved[F.EQUIPMENT_FAULT]) == (
        Decimal("24.09"),
        Decimal("2.73"),
        False,
    )


def test_one_undo_takes_a_pasted_row_back_and_one_redo_brings_it(window: Window) -> None:
    window.begin_check()
    window.fill(Light="5", Temperature="20")
    window.app.form.inputs[F.HUMIDITY].focus_set()
    for row in (ROW, ("", "", "", "y", *ROW[4:], "the lamp is off")):
        before = window.app.form.inputs.texts()
        copy(window, "\t".join(row))
        window.press("ctrl+v")
        window.until(lambda row=row: window.text(F.MEDIAN_HEIGHT) == ROW[-1], "the paste")  # type: ignore[misc]
        after = window.app.form.inputs.texts()
        window.type("9")  # typed into the last field since: that is undone by itself
        window.press("ctrl+z")
        assert window.app.form.inputs.texts() == after
        window.press("ctrl+z")
        assert window.app.form.inputs.texts() == before
        window.press("ctrl+y")
        assert window.app.form.inputs.texts() == after
        window.press("ctrl+z")
        assert window.app.form.inputs.texts() == before and not window.error(F.MAX_HEIGHT)
        window.app.form.inputs[F.HUMIDITY].focus_set()


def test_a_wrong_cell_is_marked_and_has_the_focus(window: Window) -> None:
    window.begin_check()
    copy(window, "24.09\t103\t22.01")
    paste(window, F.LIGHT, "103")
    window.until(lambda: window.focus == F.LIGHT, "the wrong cell")
    assert window.error(F.LIGHT) == "103 is above 100 klx: 1.03?"
    assert window.text(F.TEMPERATURE) == "22.01"


def test_what_doesnt_fit_is_refused_whole_with_the_reason(window: Window) -> None:
    for clipboard, reason in (
        ("24.09\t1.03\n25\t2", "2 rows are a sheet; paste one plot's row"),
        ("24.09\n25", "2 rows are a sheet; paste one plot's row"),
        ("\t".join("1" * 12), "12 cells, but 11 fields from Humidity on"),
        ("24.09\t1.03\t22.01\tperhaps", "Equipment Fault: perhaps isn't yes or no"),
        ("24.09\t1.03\t22.01\tyes", "Humidity, though Equipment Fault is set"),
    ):
        window.begin_again()
        copy(window, clipboard)
        window.press("ctrl+v")
        window.until(lambda reason=reason: reason in note(window, F.HUMIDITY), "the reason")  # type: ignore[misc]
        assert [window.text(name) for name in fields.READINGS] == ["", "", ""]
        window.type("24")
        assert note(window, F.HUMIDITY) == "" and window.text(F.HUMIDITY) == "24"


def test_a_number_typed_into_the_check_box_is_held_there(window: Window) -> None:
    window.begin_check()
    go_to(window, F.EQUIPMENT_FAULT)
    window.type("9\n")
    assert (window.focus, window.text(F.EQUIPMENT_FAULT)) == (F.EQUIPMENT_FAULT, "false")
    assert window.error(F.EQUIPMENT_FAULT) == "9 isn't yes or no"
    window.type("21\n")
    assert (window.focus, window.error(F.EQUIPMENT_FAULT)) == (F.EQUIPMENT_FAULT, "921 isn't yes or no")
    window.press("BackSpace", "BackSpace", "BackSpace")
    assert window.error(F.EQUIPMENT_FAULT) == ""
    window.type("yes")
    assert (window.text(F.EQUIPMENT_FAULT), window.error(F.EQUIPMENT_FAULT)) == ("true", "")
    window.type("n\n")
    assert (window.text(F.EQUIPMENT_FAULT), window.focus) == ("false", F.PLANTS)


def test_a_long_reason_is_marked_not_cut(window: Window, stored: SQLModel) -> None:
    window.app.settings["correction reason"].set("always")
    window.begin_check()
    window.fill_readings()
    window.save()
    window.app.navigation.go_to_plot(1)
    window.until(lambda: window.app.form.opened is not None, "the record")
    window.fill(Plants="8")
    reason = window.app.form.reason
    reason.box.focus_set()
    copy(window, "r" * 498)
    window.press("ctrl+v")
    window.type("abcd\n")
    window.until(lambda: reason.error == "502 characters; at most 500 are kept", "the mark")
    assert len(reason.text) == 502 and not window.app.form.saving
    window.press("BackSpace", "BackSpace", "Return")
    window.until(lambda: not window.app.form.saving and stored.get_all_records()[0][F.PLANTS] == 8, "the save")


def test_notes_take_tabs_and_lines_as_they_are(window: Window) -> None:
    window.begin_check()
    copy(window, "1\t2\n3\t4")
    go_to(window, F.NOTES)
    paste(window, F.NOTES, "1\t2\n3\t4")


def test_the_mouse_wheel_chooses_no_other_value(window: Window) -> None:
    window.begin_check()
    editor = window.app.form.inputs[F.TIME].editor
    for button in (4, 5, 5):
        editor.event_generate(f"<Button-{button}>", x=2, y=2)
        window.app.update()
    assert window.text(F.TIME) == "8:00"


# Values of a plot as in test_keyboard: how many keys they take with the options for those who type a lot.
VALUES = ("24.09", "10.03", "22.01", "9", "21", "13", "11.67", "18.7", "12.7")


@pytest.mark.parametrize(
    ("options", "budget", "texts"),
    [
        ((), 42, [f"{value}\n" for value in VALUES]),
        (
            ("implied decimals",),
            38,
            [f"{value.replace('.', '') if value[-3:-2] == '.' else value}\n" for value in VALUES],
        ),
        (("auto advance",), 38, [value if value[-3:-2] == "." else f"{value}\n" for value in VALUES]),
        (
            ("implied decimals", "auto advance"),
            35,
            ["2409", "1003", "2201", "9\n", "21\n", "13\n", "1167\n", "18.7\n", "12.7\n"],
        ),
    ],
    ids=lambda value: " and ".join(value) or "default" if isinstance(value, tuple) else "",
)
def test_how_many_keys_a_plot_takes(
    window: Window,
    stored: SQLModel,
    budgets: Callable[[str], object],
    options: tuple[str, ...],
    budget: int,
    texts: list[str],
) -> None:
    for name in options:
        window.app.settings[name].set(True)
    window.begin_check()
    window.type("".join(texts))
    window.until(lambda: window.text(F.PLOT) == "2" and not window.app.form.saving, "the next plot")
    window.settle()
    saved = stored.get_all_records()[0]
    names = (*fields.READINGS, *fields.CSV_HEADER[10:16])
    assert [Decimal(str(saved[name])) for name in names] == [Decimal(value) for value in VALUES]
    keys = len("".join(texts))
    budgets(f"keys a plot, {' and '.join(options) or 'by default'}: {keys}")
    assert keys <= budget


def test_implied_decimals_are_shown_at_once(window: Window) -> None:
    window.app.settings["implied decimals"].set(True)
    window.begin_check()
    shown = []
    for digit in "2409":
        window.type(digit)
        shown.append(window.text(F.HUMIDITY))
        assert window.error(F.HUMIDITY) == ""
    assert shown == ["0.02", "0.24", "2.40", "24.09"]
    window.type("1")
    assert window.error(F.HUMIDITY) == "240.91 is above 52.0 g/m³"
    window.press("BackSpace", "BackSpace")
    assert (window.text(F.HUMIDITY), window.error(F.HUMIDITY)) == ("2.40", "")
    window.press("ctrl+a")
    window.type("24.1\n")  # a typed point is where it was typed
    assert (window.text(F.HUMIDITY), window.focus) == ("24.1", F.LIGHT)
    copy(window, "12")
    paste(window, F.LIGHT, "12")  # what is pasted is meant as it is
    go_to(window, F.PLANTS)
    window.type("9")
    assert window.text(F.PLANTS) == "9"


def test_auto_advance_swallows_the_habitual_enter_and_never_saves(window: Window, stored: SQLModel) -> None:
    window.app.settings["auto advance"].set(True)
    window.begin_check()
    window.type("24.09")
    assert window.focus == F.LIGHT
    window.press("Return")
    assert (window.focus, window.error(F.LIGHT)) == (F.LIGHT, "")
    window.press("Return")
    assert window.error(F.LIGHT)  # a second one isn't habit
    window.type("1.0322.01")
    assert (window.focus, window.text(F.LIGHT), window.text(F.TEMPERATURE)) == (F.PLANTS, "1.03", "22.01")
    window.type("9\n21\n3\n1.678.702.73")
    assert (window.focus, window.text(F.MEDIAN_HEIGHT)) == (F.MEDIAN_HEIGHT, "2.73")
    window.settle()
    assert stored.get_all_records() == []


def test_a_wrong_value_is_not_advanced_from(window: Window) -> None:
    window.app.settings["auto advance"].set(True)
    window.begin_check()
    window.type("52.01")
    assert (window.focus, window.text(F.HUMIDITY)) == (F.HUMIDITY, "52.01")


def test_any_keys_give_the_number_that_was_typed_or_nothing(window: Window, stored: SQLModel) -> None:
    """Random keys into the nine values, real ones: what is saved is what the same texts mean, or nothing is."""
    for plot in range(1, 13):
        source = random.Random(plot)
        window.begin_again(plot)
        window.fill_readings()
        chosen = source.sample((*fields.READINGS, *fields.CSV_HEADER[10:16]), 3)
        typed = {}
        for name in chosen:
            text = "".join(source.choice("0123456789012345678901234.,;:-e ") for _ in range(source.randint(1, 6)))
            go_to(window, name)
            window.press("ctrl+a")
            window.type(text)
            typed[name] = text
            assert str(window.app.form.inputs[name].editor.get()) == text  # type: ignore[union-attr, call-arg]
        before = window.app.shared.saved_records
        window.press("ctrl+s")
        window.settle()
        if window.app.shared.saved_records > before:
            saved = stored.get_record(today(window), "8:00", "A", plot)
            assert all(saved[name] == Decimal(text.strip().replace(",", ".")) for name, text in typed.items())
        else:
            assert any(window.error(name) for name in fields.CSV_HEADER)
            assert len(stored.get_all_records()) == before


@pytest.mark.parametrize("held", (False, True))
def test_enter_held_or_doubled_shifts_nothing_in_a_correction(window: Window, stored: SQLModel, held: bool) -> None:
    window.begin_check()
    window.type("".join(f"{each}\n" for each in ROW if each))
    window.until(lambda: window.text(F.PLOT) == "2" and not window.app.form.saving, "the save")
    window.press("ctrl+1")
    window.until(lambda: window.app.form.opened is not None, "the record")
    for value in ("30.00", "2.00", "23.00", "8"):
        window.type(value)
        if held:
            press_long(window, "Return")
        else:
            window.press("Return", "Return")
    assert window.focus == F.BLOSSOMS
    window.press("ctrl+s")
    window.until(lambda: window.app.shared.saved_records == 2, "the save")
    saved = stored.get_all_records()[0]
    assert [str(saved[name]) for name in (*fields.READINGS, F.PLANTS)] == ["30.00", "2.00", "23.00", "8"]
    assert saved[F.BLOSSOMS] == 21


def press_long(window: Window, key: str) -> None:
    """Hold a key down until it has been repeated."""
    releases: list[int] = []
    window.app.bind(f"<KeyRelease-{key}>", lambda event: releases.append(event.time), add=True)
    window.xdotool("keydown", key)
    window.until(lambda: len(releases) > 4, "the key to repeat")
    window.xdotool("keyup", key)
    window.settle()


def test_going_through_the_fields_by_enter_counts_each(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.type("".join(f"{each}\n" for each in ROW if each))
    window.until(lambda: window.text(F.PLOT) == "2" and not window.app.form.saving, "the save")
    window.press("ctrl+1")
    window.until(lambda: window.app.form.opened is not None, "the record")
    window.type("30.00")
    window.xdotool("key", "--delay", "170", "Return", "Return", "Return", "Return")
    assert window.focus == F.BLOSSOMS


def test_a_held_enter_takes_no_name_that_filled_itself_in(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, today(window), Technician="P Taylor"))
    window.fill(Time="8:00")
    window.app.form.inputs[F.LAB].focus_set()
    window.type("a")
    press_long(window, "Return")
    window.until(lambda: window.text(F.TECHNICIAN) == "P Taylor", "the name")
    assert not window.app.form.person and window.focus == F.TECHNICIAN
