"""A check by the number pad, and the keys of the text's size."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from tests.fixtures.window import Window
from tests.window import one_window, x_keyboard
from tests.window.test_form import record
from tests.window.x_keyboard import CONTROL, PAD, lock_numbers

pytestmark = pytest.mark.takes(3)

if sys.platform != "linux":
    pytest.skip("types on the number pad of an X display", allow_module_level=True)

window, stored = one_window.window, one_window.stored


@pytest.fixture(autouse=True)
def _num_lock(display: str) -> Iterator[None]:
    lock_numbers(True)
    yield
    lock_numbers(False)


def pad(window: Window, *keys: str, held: int | None = None) -> None:
    """Press keys of the pad by the signs on them."""
    for key in keys:
        x_keyboard.press(PAD[key], *([] if held is None else [held]))
    window.settle()


def pad_type(window: Window, text: str) -> None:
    """Type on the pad; a blank is its Enter."""
    pad(window, *("Enter" if key == " " else key for key in text))


def test_plots_by_the_pad_alone(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    pad_type(window, "24.09 1.03 22.01 9 21 3 1.67 8.70 2.73 ")
    window.until(lambda: window.text(F.PLOT) == "2", "plot 2")
    pad_type(window, "*9 21 3 1.67 8.70 2.73 ")
    window.until(lambda: window.text(F.PLOT) == "3", "plot 3")
    first, second = sorted(stored.get_all_records(), key=lambda each: int(str(each[F.PLOT])))
    assert str(first[F.HUMIDITY]) == "24.09" and not first[F.EQUIPMENT_FAULT]
    assert second[F.EQUIPMENT_FAULT] and second[F.HUMIDITY] is None


def test_the_fault_from_any_field(window: Window) -> None:
    for name in (F.DATE, F.TIME, F.LAB, F.TECHNICIAN, F.PLOT, F.TEMPERATURE, F.PLANTS, F.MAX_HEIGHT):
        window.begin_again()
        each, fault = window.app.form.inputs[name], window.app.form.inputs[F.EQUIPMENT_FAULT]
        each.focus_set()
        before = each.text
        for key in ("KP_Multiply", "asterisk"):
            window.press(key)
            assert fault.text == "true" and all(window.app.form.inputs[of].is_disabled for of in fields.READINGS), key
            assert each.text == before, key
            assert window.focus == (F.PLANTS if name in fields.READINGS else name), key
            window.press(key)
            assert fault.text == "false" and window.focus == name, key


def test_free_text_keeps_the_sign(window: Window) -> None:
    for name in (F.NOTES, F.SEED_SAMPLE):
        window.begin_again()
        window.fill(Seed_sample="")
        window.app.form.inputs[name].focus_set()
        window.press("KP_Multiply", "asterisk")
        assert window.app.form.inputs[F.EQUIPMENT_FAULT].text == "false"
        assert name != F.NOTES or window.text(name) == "**"


def test_records_by_the_pad_with_and_without_num_lock(window: Window, stored: SQLModel) -> None:
    for plot in (1, 2):
        stored.save_record(record(plot, window.text(F.DATE)))
    window.begin_check()
    ways: list[tuple[bool, str, str, int | None]] = [
        (True, "/", "*", CONTROL), (False, "/", "*", CONTROL), (False, "9", "3", CONTROL), (False, "9", "3", None)
    ]  # fmt: skip
    for num_lock, back, forth, held in ways:
        lock_numbers(num_lock)
        assert window.text(F.PLOT) == "3"
        pad(window, back, held=held)
        window.until(lambda: window.text(F.PLOT) == "2", f"plot 2 by {back}")
        assert window.text(F.EQUIPMENT_FAULT) == "false"
        pad(window, forth, held=held)
        window.until(lambda: window.text(F.PLOT) == "3", f"plot 3 by {forth}")


def test_a_save_from_anywhere(window: Window, stored: SQLModel) -> None:
    places = (F.HUMIDITY, F.DATE, F.NOTES, "the button that clears")
    cases = ((name, key) for name in places for key in ("ctrl+KP_Enter", "ctrl+Return"))
    for plot, (name, key) in enumerate(cases, 1):
        window.begin_again(plot)
        window.fill_readings()
        if name in window.app.form.inputs:
            window.app.form.inputs[name].focus_set()
        else:
            window.app.form.save_bar.discard_button.focus_set()
        window.app.update()
        window.press(key)
        window.until(lambda plot=plot: window.text(F.PLOT) == str(plot + 1), f"the plot after {key} in {name}")  # type: ignore[misc]
        assert len(stored.get_all_records()) == plot, (key, name)


def test_enter_of_the_pad_is_enter_everywhere(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, window.text(F.DATE)))
    window.begin_check()
    window.press("shift+F1")
    window.dialog()
    window.press("KP_Enter")
    window.until(lambda: not window.dialogs, "the end of the dialog")
    window.app.form.save_bar.save_button.focus_set()
    window.app.update()
    window.press("KP_Enter")
    window.until(lambda: window.error(F.HUMIDITY), "what a save says")


def test_arrows_of_the_pad_without_num_lock(window: Window) -> None:
    window.begin_check()
    window.type("24.9")
    lock_numbers(False)
    pad(window, "4")
    window.type("0")
    assert window.text(F.HUMIDITY) == "24.09"
    pad(window, "7", ".")  # Home, Delete
    assert window.text(F.HUMIDITY) == "4.09"


def test_the_size_of_the_text(window: Window) -> None:
    size = window.app.settings["font size"]
    window.begin_check()
    for larger, smaller, usual in (("plus", "minus", "0"), ("equal", "minus", "0"), ("KP_Add", "KP_Subtract", "KP_0")):
        window.press(f"ctrl+{larger}", f"ctrl+{larger}")
        window.until(lambda: size.get() == 11, "a larger text")
        assert window.app.status.get() == "Font size: 11 points"
        window.press(f"ctrl+{smaller}")
        window.until(lambda: size.get() == 10, "a smaller text")
        window.press(f"ctrl+{usual}")
        window.until(lambda: size.get() == 9, "the usual size")
        assert window.text(F.PLOT) == "1" and window.text(F.HUMIDITY) == ""


def test_the_second_digit_of_a_plot_may_be_0(window: Window) -> None:
    window.begin_check()
    window.xdotool("keydown", "ctrl", "key", "1", "key", "0", "keyup", "ctrl")
    window.until(lambda: window.text(F.PLOT) == "10", "plot 10")
    assert window.app.settings["font size"].get() == 9
