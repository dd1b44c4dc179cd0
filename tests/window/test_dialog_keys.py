"""What is typed right after a command, and what a dialog's first field does with the first key."""

from __future__ import annotations

import datetime
import subprocess
import tkinter as tk
from collections.abc import Iterator
from tkinter import ttk

import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.themes import THEMES
from abq_data_entry.views import Dialog
from abq_data_entry.views.notes import NoteDialog
from abq_data_entry.views.reasoned import REASON, ReasonedDialog
from abq_data_entry.views.side_window import SideWindow
from abq_data_entry.widgets.status_bar import ShownDay
from tests.fixtures.window import Window
from tests.window import one_window
from tests.window.test_form import open_plot, record
from tests.window.test_layout import close_beside

window, stored = one_window.window, one_window.stored


@pytest.fixture
def begun(window: Window) -> Window:
    window.begin_check()
    window.settle()
    return window


def test_the_number_after_go_to_plot_never_becomes_a_reading(begun: Window) -> None:
    begun.press("ctrl+g", "1", "3", "BackSpace", "2", "Return")
    begun.until(lambda: begun.text(F.PLOT) == "12" and not begun.dialogs, "plot 12")
    begun.until(lambda: begun.focus == F.HUMIDITY, "the focus")
    begun.type("24.09")
    assert begun.text(F.HUMIDITY) == "24.09" and not begun.messages


def test_a_plot_that_the_lab_has_not_is_reported_as_that(begun: Window) -> None:
    begun.press("ctrl+g", "7", "7", "Return")
    begun.until(lambda: not begun.dialogs, "the dialog to be gone")
    assert begun.app.status.get() == "This lab has no plot 77"
    assert (begun.text(F.PLOT), begun.text(F.HUMIDITY)) == ("1", "")


def test_escape_right_after_go_to_plot_gives_it_up(begun: Window) -> None:
    begun.press("ctrl+g", "7", "Escape")
    begun.until(lambda: not begun.dialogs, "the dialog to be gone")
    begun.type("3")
    assert (begun.text(F.PLOT), begun.text(F.HUMIDITY), begun.messages) == ("1", "3", [])


NUMBER = ("2", "4", "period", "0", "9", "Return", "1", "period", "0", "3", "Return")


@pytest.mark.parametrize("command, closing", [
    ("ask_plot", ("7", "Return")), ("show_keys", ("Escape",)), ("write_note", ("a", "Return")),
    ("show_handover", ("Escape",)), ("show_deliveries", ("ctrl+w",)),
])  # fmt: skip
def test_keys_that_were_typed_before_a_window_could_close_go_into_the_form(
    begun: Window, command: str, closing: tuple[str, ...]
) -> None:
    begun.app.callbacks[command]()
    begun.until(lambda: all(each.takes_keys for each in begun.dialogs) and begun.focus != F.HUMIDITY, "the focus")
    begun.settle()
    subprocess.run(["xdotool", "key", "--delay", "0", *closing, *NUMBER], check=True)  # all of it before a key is read
    begun.settle()
    begun.until_known()
    assert (begun.text(F.HUMIDITY), begun.text(F.LIGHT)) == ("24.09", "1.03")
    assert begun.text(F.PLOT) == ("7" if command == "ask_plot" else "1") and begun.focus == F.TEMPERATURE


def test_keys_that_are_typed_while_a_list_opens_are_for_the_list(begun: Window) -> None:
    begun.app.callbacks["show_handover"]()
    subprocess.run(["xdotool", "key", "--delay", "0", "Escape", *NUMBER], check=True)  # before the list has the focus
    begun.until(lambda: begun.focus == F.TEMPERATURE, "the list to be closed, and the numbers")
    assert (begun.text(F.HUMIDITY), begun.text(F.LIGHT)) == ("24.09", "1.03")
    assert not [each for each in begun.app.winfo_children() if isinstance(each, SideWindow)]


@pytest.mark.parametrize("command", ["ctrl+shift+p", "ctrl+shift+e", "ctrl+shift+a", "F8", "ctrl+l"])
def test_who_goes_back_to_a_half_typed_value_types_on_in_it(begun: Window, command: str) -> None:
    """The focus is where it was, and nothing is selected, which the next digit would replace."""
    begun.app.status_bar.extracts.show([ShownDay(datetime.date.today(), "not sent", False, True, "Not sent")])
    begun.app.messages.note("Lamp", "The lamp is off.")
    begun.type("2")
    begun.press(command)
    begun.until(lambda: begun.focus != F.HUMIDITY, "the focus")
    begun.press("ctrl+r" if command == "ctrl+l" else "Escape")
    begun.until(lambda: begun.focus == F.HUMIDITY, "the focus back")
    begun.type("4.09\n")
    assert (begun.text(F.HUMIDITY), begun.text(F.LIGHT)) == ("24.09", "")
    begun.app.messages.settled("Lamp")


def test_a_button_that_is_clicked_twice_acts_once(begun: Window) -> None:
    pressed: list[int] = []
    dialog = Dialog(begun.app, "Title", "Message", "", (("OK", lambda: pressed.append(1)), ("Cancel", None)))
    begun.dialog()
    begun.take_keys()
    button = dialog.buttons[0]
    at = (str(button.winfo_rootx() + 5), str(button.winfo_rooty() + 5))
    subprocess.run(["xdotool", "mousemove", *at, "click", "--repeat", "2", "--delay", "0", "1"], check=True)
    begun.until(lambda: not begun.dialogs, "the dialog to be gone")
    assert pressed == [1]


def test_a_command_chosen_twice_leaves_one_dialog_and_no_message(begun: Window) -> None:
    begun.press("shift+F1", "shift+F1")
    begun.until(lambda: [each.takes_keys for each in begun.dialogs] == [True], "one dialog")
    begun.press("Escape")
    begun.until(lambda: not begun.dialogs, "the dialog to be gone")
    assert begun.messages == []


def test_what_is_typed_replaces_the_text_of_the_first_field(begun: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, begun.text(F.DATE)))
    begun.app.callbacks["refresh"]()
    begun.settle()
    open_plot(begun, 1)
    begun.app.callbacks["move_record"]()
    dialog = begun.dialog()
    assert isinstance(dialog, ReasonedDialog)
    date = dialog.boxes[F.DATE]
    begun.type("nonsense")
    assert date.get() == "nonsense"
    dialog.buttons[0].invoke()
    begun.until(lambda: begun.app.focus_get() is date, "the refused field")
    begun.type("2026-11-01\n")
    assert date.get() == "2026-11-01"


def click(window: Window, widget: tk.Misc) -> None:
    """Click into the middle of a widget, with a real mouse."""
    window.take_keys()  # what has just been shown is drawn
    x, y = widget.winfo_rootx() + widget.winfo_width() // 2, widget.winfo_rooty() + widget.winfo_height() // 2
    window.xdotool("mousemove", str(x), str(y), "click", "1")


def test_who_clicks_into_a_new_dialog_types_there(begun: Window, stored: SQLModel) -> None:
    """Who clicks has seen the dialog, so it doesn't wait for its first half second to be over, and gives no way."""
    stored.save_record(record(1, begun.text(F.DATE)))
    begun.app.callbacks["refresh"]()
    begun.settle()
    open_plot(begun, 1)
    humidity = begun.text(F.HUMIDITY)
    begun.app.messages.command(begun.app.callbacks["move_record"])()
    begun.until(lambda: begun.dialogs and begun.dialogs[0].winfo_viewable(), "the dialog on the screen")
    dialog = begun.dialogs[0]
    assert isinstance(dialog, ReasonedDialog) and not dialog.takes_keys
    box = dialog.boxes[REASON]
    click(begun, box)
    begun.type("wrong plot")
    assert box.get() == "wrong plot" and begun.app.focus_get() is box
    assert begun.text(F.HUMIDITY) == humidity and not begun.messages
    close_dialog(begun)
    begun.until(lambda: begun.app.focus_get() is not None, "the focus")
    assert begun.app.focus_get().winfo_toplevel() is begun.app  # type: ignore[union-attr]


def test_words_can_be_asked_for_in_every_theme(begun: Window) -> None:
    for theme in THEMES:
        begun.app.settings["theme"].set(theme)
        begun.app.callbacks["write_note"]()
        dialog = begun.dialog()
        assert isinstance(dialog, NoteDialog)
        assert dialog.box.cget("background") != dialog.box.cget("foreground"), theme
        begun.type("Lamp.")
        assert dialog.words == "Lamp.", theme
        close_dialog(begun)


def close_dialog(window: Window) -> None:
    window.press("Escape")
    window.until(lambda: not window.dialogs, "the dialog to be gone")


ASKING = ("move_record", "withdraw_record", "move_check", "mark_value", "write_note")
LISTS = ("show_shift_messages", "show_alarms", "show_withdrawn", "show_questions")


def test_a_dialog_with_errors_stays_on_the_screen_with_the_largest_letters(begun: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, begun.text(F.DATE)))
    begun.app.callbacks["refresh"]()
    begun.settle()
    open_plot(begun, 1)
    begun.app.settings["font size"].set(32)  # as 20 on a screen of 800 × 600
    begun.settle()
    for command in ASKING:
        begun.app.callbacks[command]()
        dialog = begun.dialog()
        if isinstance(dialog, ReasonedDialog):
            for box in dialog.boxes.values():
                box.set("nonsense" if box.get() else "")
        dialog.buttons[0].invoke()
        begun.take_keys()
        right, below = (dialog.winfo_rootx() + dialog.winfo_width(), dialog.winfo_rooty() + dialog.winfo_height())
        assert right <= dialog.winfo_screenwidth() and below <= dialog.winfo_screenheight(), command
        close_dialog(begun)


def test_a_list_keeps_some_lines_with_the_largest_letters(window: Window) -> None:
    window.app.settings["font size"].set(32)  # as 20 on a screen of 800 × 600
    window.settle()
    for command in LISTS:
        window.app.callbacks[command]()
        window.settle()
        found = (each for each in window.app.winfo_children() if isinstance(each, SideWindow))
        shown = next(each for each in found if each.winfo_viewable())
        tree = next(each for each in descendants(shown) if isinstance(each, ttk.Treeview))
        row = int(ttk.Style(window.app).lookup("Treeview", "rowheight"))
        assert tree.winfo_height() >= 3 * row, command
        close_beside(window)


def descendants(widget: tk.Misc) -> Iterator[tk.Misc]:
    for child in widget.winfo_children():
        yield child
        yield from descendants(child)


def test_undo_keeps_the_words_that_stood_in_a_dialog_at_first(begun: Window) -> None:
    dialog = NoteDialog(begun.app, "?", {"A": "Lab A"}, lambda _subject, _words: None, "A", "The door sticks.")
    begun.dialog()
    begun.press("End", "exclam", "ctrl+z", "ctrl+z")
    assert dialog.words == "The door sticks."
