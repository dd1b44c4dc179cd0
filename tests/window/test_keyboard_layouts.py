"""Shortcuts under the keyboard layouts of other alphabets and of other number rows, by the keys' places."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from abq_data_entry.application.keys import is_of_another_alphabet, key_of_place
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.mainmenu import bind_keys
from tests.fixtures.window import Window
from tests.window import x_keyboard

if sys.platform != "linux":
    pytest.skip("layouts are set with setxkbmap", allow_module_level=True)

PLACES = {
    **dict(zip("1234567890", range(10, 20), strict=True)),
    **dict(zip("qwertyuiop", range(24, 34), strict=True)),
    **dict(zip("asdfghjkl", range(38, 47), strict=True)),
    **dict(zip("zxcvbnm", range(52, 59), strict=True)),
}
OTHER_ALPHABETS = ["ru", "gr", "il", "us,ru", "us,gr", "us,il"]


@pytest.fixture
def layout(display: str) -> Iterator[Callable[[str], None]]:
    """Sets the display's layout; of several the last one is in use."""

    def use(name: str) -> None:
        subprocess.run(["setxkbmap", *name.split()], check=True, timeout=10)
        if "," in name:
            x_keyboard.lock_group(name.count(","))

    yield use
    x_keyboard.lock_group(0)
    use("us")


def press(window: Window, *places: str) -> None:
    """Press keys by their places on an American keyboard, each with Ctrl, whatever the layout has there."""
    for place in places:
        x_keyboard.press(PLACES[place.lower()], x_keyboard.CONTROL, *([x_keyboard.SHIFT] if place.isupper() else []))
        window.settle()
    window.app.update()


@pytest.fixture
def recorded(window: Window) -> list[str]:
    called: list[str] = []
    callbacks = {name: lambda name=name: called.append(name) for name in window.app.callbacks}
    bind_keys(window.app, callbacks, mac=False)
    return called


def test_commands_by_the_places_of_their_letters(
    window: Window, recorded: list[str], layout: Callable[[str], None]
) -> None:
    wanted = ["save_record", "new_record", "show_record_list", "ask_plot", "export_extract", "quit"]
    wanted += ["update_weather_data", "show_deliveries", "show_history"]
    for name in (*OTHER_ALPHABETS, "us", "de", "cz"):
        recorded.clear()
        layout(name)
        window.app.form.inputs[F.HUMIDITY].focus_set()
        press(window, "s", "n", "l", "g", "e", "q", "W", "D", "H")
        window.until(lambda: len(recorded) >= len(wanted), f"the commands under {name}")
        assert (name, recorded) == (name, wanted)


def test_a_latin_layout_keeps_its_letters(
    window: Window, recorded: list[str], layout: Callable[[str], None]
) -> None:
    layout("us -variant dvorak")
    window.app.form.inputs[F.HUMIDITY].focus_set()
    press(window, "q", "w", "s", "l")  # ' , o n
    assert recorded == ["new_record"]
    recorded.clear()
    layout("fr")
    press(window, "q", "a")  # a q
    assert recorded == ["quit"]


@pytest.mark.takes(15)
def test_editing_keys_in_fields(window: Window, layout: Callable[[str], None]) -> None:
    for field, text in ((F.HUMIDITY, "24.09"), (F.NOTES, "dry"), (F.TECHNICIAN, "J Simms")):
        for name in OTHER_ALPHABETS:
            layout("us")
            window.app.form.shown_record.begin_new(all_fields=True)
            window.app.clipboard_clear()
            window.app.clipboard_append("something else")
            window.settle()
            editing_keys(window, layout, name, field, text)


def editing_keys(window: Window, layout: Callable[[str], None], name: str, field: str, text: str) -> None:
    """Type the text, and copy, cut, paste, undo and redo it by the keys' places under that layout."""
    each = window.app.form.inputs[field]
    each.focus_set()
    each.editor.focus_force()
    window.type(text)
    layout(name)
    press(window, "a", "c")
    window.until(lambda: window.app.clipboard_get().rstrip() == text, f"the copy under {name} in {field}")
    press(window, "x")
    window.until(lambda: not each.text, f"the cut under {name} in {field}")
    press(window, "v")
    window.until(lambda: each.text == text, f"the paste under {name} in {field}")
    press(window, "z")
    window.until(lambda: not each.text, f"undo under {name} in {field}")
    press(window, "y")
    window.until(lambda: each.text == text, f"redo under {name} in {field}")


def test_plots_by_the_number_row(window: Window, layout: Callable[[str], None]) -> None:
    window.begin_check()
    for name in ("us", "de", "fr", "cz", "ru", "gr", "il", "us,il"):
        layout(name)
        for plot in "3456789":
            press(window, plot)
            window.until(lambda plot=plot: window.text(F.PLOT) == plot, f"plot {plot} under {name}")  # type: ignore[misc]
        assert window.app.settings["font size"].get() == 9


def test_a_window_beside_the_form_closes(window: Window, layout: Callable[[str], None]) -> None:
    layout("il")
    window.app.callbacks["show_administration"]()
    window.settle()
    opened = window.app.winfo_children()[-1]
    window.until(lambda: opened.focus_displayof() is not None and opened.winfo_viewable(), "the window")
    opened.focus_force()
    press(window, "w")
    window.until(lambda: not opened.winfo_exists(), "the end of the window")


def test_places_and_alphabets() -> None:
    assert key_of_place("x11", 54) == "c" and key_of_place("win32", ord("C")) == "c"
    assert key_of_place("aqua", 8 << 24 | 0x441) == "c" and key_of_place("aqua", 29 << 24) == "0"
    assert not key_of_place("x11", 9) and not key_of_place("win32", 0x70)
    assert is_of_another_alphabet(0x6D3) and is_of_another_alphabet(0x7F8) and is_of_another_alphabet(0xCE1)
    assert is_of_another_alphabet(0x10010D0)  # Georgian
    assert not is_of_another_alphabet(ord("c")) and not is_of_another_alphabet(0x1001EA1)  # Vietnamese
    assert not is_of_another_alphabet(0xFF0D) and not is_of_another_alphabet(0x1EC)  # Return, ě
