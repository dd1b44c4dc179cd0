"""Two people change one record: the window, and a second real connection as the other person."""

from __future__ import annotations

import tkinter as tk
from decimal import Decimal
from tkinter import ttk

import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.views.conflict import ConflictDialog
from abq_data_entry.views.dialogs import UNREAD_SECONDS
from tests.fixtures.window import Window
from tests.window.test_dialog_keys import click
from tests.window.test_form import open_plot, record, today
from tests.window.test_type_ahead import slow


def other_saves(stored: SQLModel, window: Window, plot: int = 1, **changes: object) -> None:
    """P Taylor saves that plot with these changes."""
    stored.save_record(record(plot, today(window), **changes), author="P Taylor", workstation="bench-2")


def conflict(window: Window) -> ConflictDialog:
    dialog = window.dialog()
    assert isinstance(dialog, ConflictDialog)
    return dialog


def state_of(dialog: ConflictDialog) -> str:
    return str(dialog.state_label.cget("text"))


@pytest.fixture
def correcting(window: Window, stored: SQLModel) -> Window:
    """Plot 1 is open for correction."""
    other_saves(stored, window)
    window.begin_check()
    open_plot(window, 1)
    window.settle()
    return window


def test_what_only_one_side_changed_comes_together_by_itself(correcting: Window, stored: SQLModel) -> None:
    correcting.fill(Humidity="25")
    other_saves(stored, correcting, Blossoms="22", Fruit="4")
    correcting.save()
    saved = stored.get_record(today(correcting), "8:00", "A", 1)
    assert (saved[F.HUMIDITY], saved[F.BLOSSOMS], saved[F.FRUIT]) == (Decimal("25"), 22, 4)
    assert "changes saved together with P Taylor's Blossoms, Fruit" in correcting.app.status.get()
    assert not correcting.dialogs


def test_the_same_change_on_both_sides_is_no_conflict(correcting: Window, stored: SQLModel) -> None:
    correcting.fill(Plants="12")
    other_saves(stored, correcting, Plants="12")
    correcting.save()
    assert stored.get_record(today(correcting), "8:00", "A", 1)[F.PLANTS] == 12
    assert not correcting.dialogs


@pytest.mark.parametrize(("key", "plants"), [("Left", 12), ("Right", 13)])
def test_what_both_changed_is_chosen_by_keyboard(correcting: Window, stored: SQLModel, key: str, plants: int) -> None:
    correcting.fill(Plants="12", Humidity="25")
    other_saves(stored, correcting, Plants="13", Fruit="4")
    correcting.app.form.submit()
    dialog = conflict(correcting)
    assert "P Taylor saved it at" in dialog.detail
    assert [each.name for each in dialog.differences] == [F.PLANTS]  # the rest is no question
    assert dialog.choices == {}
    correcting.until(lambda: correcting.app.focus_get() is dialog.cells[F.PLANTS, "mine"], "the focus")
    correcting.press(key, "Return")
    assert "can be saved" in state_of(dialog)
    correcting.until(lambda: correcting.app.focus_get() is dialog.buttons[0], "the focus on Save")
    correcting.press("Return")
    correcting.until(lambda: not correcting.app.form.saving, "the save")
    saved = stored.get_record(today(correcting), "8:00", "A", 1)
    assert (saved[F.PLANTS], saved[F.HUMIDITY], saved[F.FRUIT]) == (plants, Decimal("25"), 4)


def test_enter_without_a_choice_saves_nothing_and_says_so(correcting: Window, stored: SQLModel) -> None:
    correcting.fill(Plants="12")
    other_saves(stored, correcting, Plants="13")
    correcting.app.form.submit()
    dialog = conflict(correcting)
    dialog.buttons[0].invoke()
    assert dialog.winfo_exists() and "Choose for each field first" in state_of(dialog)
    correcting.press("Escape")
    correcting.until(lambda: not correcting.dialogs, "the dialog to close")
    assert stored.get_record(today(correcting), "8:00", "A", 1)[F.PLANTS] == 13


def test_cancel_keeps_what_was_typed_and_a_later_save_asks_again(correcting: Window, stored: SQLModel) -> None:
    correcting.fill(Plants="12")
    other_saves(stored, correcting, Plants="13")
    correcting.app.form.submit()
    conflict(correcting)
    correcting.answer("Cancel")
    assert correcting.text(F.PLANTS) == "12" and not correcting.app.form.saving
    assert "P Taylor saved this record meanwhile" in str(correcting.app.form.plot_panel.remark.cget("text"))
    correcting.app.form.submit()
    conflict(correcting).take_all("mine")
    correcting.answer("Save")
    correcting.until(lambda: not correcting.app.form.saving, "the save")
    assert stored.get_record(today(correcting), "8:00", "A", 1)[F.PLANTS] == 12


def test_a_choice_that_makes_no_record_is_refused_in_place(correcting: Window, stored: SQLModel) -> None:
    """Each side is right by itself; together the heights are out of order."""
    correcting.fill(Min_Height="2.50")  # median 2.73, max 8.70
    other_saves(stored, correcting, Median_Height="2.00")
    correcting.app.form.submit()
    dialog = conflict(correcting)
    assert {each.name for each in dialog.differences} == {F.MIN_HEIGHT, F.MEDIAN_HEIGHT}
    dialog.choose(F.MIN_HEIGHT, "mine")
    dialog.choose(F.MEDIAN_HEIGHT, "theirs")
    assert "is below Min Height" in state_of(dialog)
    dialog.buttons[0].invoke()
    assert dialog.winfo_exists()
    dialog.choose(F.MEDIAN_HEIGHT, "mine")
    correcting.answer("Save")
    correcting.until(lambda: not correcting.app.form.saving, "the save")
    saved = stored.get_record(today(correcting), "8:00", "A", 1)
    assert (saved[F.MIN_HEIGHT], saved[F.MEDIAN_HEIGHT]) == (Decimal("2.50"), Decimal("2.73"))


def test_a_fault_and_its_readings_are_one_question(correcting: Window, stored: SQLModel) -> None:
    correcting.fill(Humidity="25")
    other_saves(stored, correcting, Humidity="", Light="", Temperature="", Equipment_Fault="true")
    correcting.app.form.submit()
    dialog = conflict(correcting)
    names = {each.name for each in dialog.differences}
    assert names == {F.EQUIPMENT_FAULT, F.HUMIDITY, F.LIGHT, F.TEMPERATURE}
    dialog.take_all("theirs")
    correcting.answer("Save")
    correcting.until(lambda: not correcting.app.form.saving, "the save")
    assert stored.get_record(today(correcting), "8:00", "A", 1)[F.EQUIPMENT_FAULT] is True


def test_somebody_saves_again_while_the_dialog_is_open(correcting: Window, stored: SQLModel) -> None:
    correcting.fill(Plants="12")
    other_saves(stored, correcting, Plants="13")
    correcting.app.form.submit()
    first = conflict(correcting)
    first.take_all("mine")
    other_saves(stored, correcting, Plants="14")
    correcting.answer("Save")
    correcting.until(lambda: first not in correcting.dialogs and correcting.dialogs, "the next question")
    dialog = conflict(correcting)
    assert dialog.differences[0].theirs == "14" and dialog.differences[0].was == "13"
    dialog.take_all("theirs")
    correcting.answer("Save")
    correcting.until(lambda: not correcting.app.form.saving, "the save")
    assert stored.get_record(today(correcting), "8:00", "A", 1)[F.PLANTS] == 14


def test_a_new_record_that_somebody_else_was_quicker_with(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.fill_readings()
    window.fill(Notes="The lamp flickers.\n" * 30)
    other_saves(stored, window, Technician="P Taylor", Plants="4", Notes="Yellow leaves.")
    window.app.form.submit()
    dialog = conflict(window)
    assert [each.name for each in dialog.differences] == [F.TECHNICIAN, F.PLANTS, F.NOTES]
    dialog.take_all("theirs")
    dialog.choose(F.PLANTS, "mine")
    window.answer("Save")
    window.until(lambda: not window.app.form.saving, "the save")
    saved = stored.get_record(today(window), "8:00", "A", 1)
    assert (saved[F.TECHNICIAN], saved[F.PLANTS], saved[F.NOTES]) == ("P Taylor", 9, "Yellow leaves.")
    assert window.text(F.PLOT) == "2"


def test_the_same_new_record_from_two_sides_is_simply_saved(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.fill_readings()
    stored.save_record(window.app.form.inputs.read(), author="P Taylor")
    window.save()
    assert not window.dialogs and window.text(F.PLOT) == "2"


def test_a_draft_knows_which_version_it_corrected(correcting: Window, stored: SQLModel) -> None:
    correcting.fill(Plants="12")
    draft = correcting.app.form.draft()
    assert draft is not None
    correcting.app.form.begin_new()
    other_saves(stored, correcting, Plants="13")
    correcting.app.form.draft_keeper.restore(draft)
    correcting.app.form.submit()
    assert conflict(correcting).differences[0].name == F.PLANTS
    correcting.answer("Cancel")


def test_a_record_that_was_deleted_meanwhile_can_be_saved_as_a_new_one(correcting: Window, stored: SQLModel) -> None:
    correcting.fill(Plants="12")
    stored.query("DELETE FROM plot_checks")
    correcting.save()
    assert "Save makes a new record" in correcting.app.status.get()
    assert correcting.text(F.PLANTS) == "12" and correcting.app.form.opened is None and correcting.app.form.changed
    correcting.save()
    assert stored.get_record(today(correcting), "8:00", "A", 1)[F.PLANTS] == 12
    changes = stored.get_history(today(correcting), "8:00", "A", 1)
    assert [each.operation for each in changes][-2:] == ["DELETE", "INSERT"]


def test_what_was_chosen_stays_when_the_save_is_refused(correcting: Window, stored: SQLModel) -> None:
    correcting.fill(Plants="12", Blossoms="30", Fruit="9")
    other_saves(stored, correcting, Plants="13", Blossoms="31", Fruit="10")
    correcting.app.form.submit()
    dialog = conflict(correcting)
    dialog.take_all("mine")
    dialog.choose(F.FRUIT, "theirs")
    stored.query("ALTER TABLE plot_checks ADD CONSTRAINT house_rule CHECK (plants <> 12) NOT VALID")
    correcting.answer("Save")
    correcting.until(lambda: "Not saved" in state_of(dialog), "the refusal")
    assert correcting.dialogs == [dialog]
    assert "can be saved" not in state_of(dialog)
    assert dialog.choices == {F.PLANTS: "mine", F.BLOSSOMS: "mine", F.FRUIT: "theirs"}
    stored.query("ALTER TABLE plot_checks DROP CONSTRAINT house_rule")
    correcting.answer("Save")
    correcting.until(lambda: not correcting.app.form.saving, "the save")
    saved = stored.get_record(today(correcting), "8:00", "A", 1)
    assert (saved[F.PLANTS], saved[F.BLOSSOMS], saved[F.FRUIT]) == (12, 30, 10)
    assert not correcting.dialogs


def test_what_was_chosen_stays_when_somebody_is_quicker_once_more(correcting: Window, stored: SQLModel) -> None:
    correcting.fill(Plants="12", Fruit="9")
    other_saves(stored, correcting, Plants="13", Fruit="10")
    correcting.app.form.submit()
    first = conflict(correcting)
    first.take_all("mine")
    other_saves(stored, correcting, Plants="14", Fruit="10")
    correcting.answer("Save")
    correcting.until(lambda: first not in correcting.dialogs and correcting.dialogs, "the next question")
    dialog = conflict(correcting)
    assert F.PLANTS not in dialog.choices  # it has another value by now
    dialog.take_all("theirs")
    correcting.answer("Save")
    correcting.until(lambda: not correcting.app.form.saving, "the save")
    assert stored.get_record(today(correcting), "8:00", "A", 1)[F.PLANTS] == 14


def test_a_technician_who_is_not_in_the_list_any_more_is_reported_before(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.fill_readings()
    other_saves(stored, window, Technician="P Taylor", Plants="4")
    window.app.form.submit()
    dialog = conflict(window)
    window.app.form.choices[F.TECHNICIAN] = ("P Taylor",)
    dialog.take_all("mine")
    assert "isn't in the list" in state_of(dialog)
    window.answer("Cancel")


def test_with_the_largest_letters_it_stays_on_the_screen_and_shows_the_field_with_the_focus(
    correcting: Window, stored: SQLModel
) -> None:
    correcting.app.settings["font size"].set(40)
    correcting.settle()
    correcting.fill(Plants="12", Blossoms="30", Fruit="9")
    other_saves(stored, correcting, Plants="13", Blossoms="31", Fruit="10")
    correcting.app.form.submit()
    dialog = conflict(correcting)
    right, below = dialog.winfo_rootx() + dialog.winfo_width(), dialog.winfo_rooty() + dialog.winfo_height()
    assert right <= dialog.winfo_screenwidth() and below <= dialog.winfo_screenheight()
    for name in (F.FRUIT, F.BLOSSOMS):
        cell = dialog.cells[name, "theirs"]
        cell.focus_set()
        correcting.until(lambda cell=cell: is_in_sight(cell, dialog), f"the button of {name}")  # type: ignore[misc]
    correcting.answer("Cancel")


def test_on_a_small_screen_both_sides_and_the_field_are_seen_and_a_long_text_with_its_button(
    correcting: Window, stored: SQLModel
) -> None:
    correcting.app.settings["font size"].set(32)  # as 20 on a screen of 800 × 600
    other_saves(stored, correcting, Notes="one leaf is brown at its edge, the others are green " * 3 + "THE END")
    correcting.app.form.begin_new(plot=2)
    open_plot(correcting, 1)
    correcting.settle()
    correcting.fill(Plants="12", Blossoms="30", Fruit="9", Notes="yellow at the edge\n" * 9)
    other_saves(stored, correcting, Plants="13", Blossoms="31", Fruit="10", Notes="brown\n" * 9)
    correcting.app.form.submit()
    dialog = conflict(correcting)
    for name in (F.FRUIT, F.NOTES):
        mine, theirs = dialog.cells[name, "mine"], dialog.cells[name, "theirs"]
        mine.focus_set()
        correcting.until(lambda: is_in_sight(mine, dialog) and is_in_sight(theirs, dialog), f"both sides of {name}")  # noqa: B023
    words = next(each for each in texts_inside(dialog) if "brown" in each.get("1.0", "end"))
    assert is_in_sight(words, dialog)
    old = next(each for each in texts_inside(dialog) if "THE END" in each.get("1.0", "end"))
    assert not old.bbox("end - 2 chars")
    correcting.press(*["Next"] * 6)
    correcting.until(lambda: old.bbox("end - 2 chars"), "the end of the note that it was")
    assert any(text.startswith("Fruit, it was ") for text in texts_of(dialog))
    correcting.answer("Cancel")


def texts_inside(widget: tk.Misc) -> list[tk.Text]:
    """All long texts in it."""
    own = [widget] if isinstance(widget, tk.Text) else []
    return own + [text for each in widget.winfo_children() for text in texts_inside(each)]


def is_in_sight(button: tk.Widget, dialog: tk.Misc) -> bool:
    """Whether its middle is seen, with nothing over it."""
    x, y = button.winfo_rootx() + button.winfo_width() // 2, button.winfo_rooty() + button.winfo_height() // 2
    return dialog.winfo_containing(x, y) is button


def test_the_same_person_is_called_you(correcting: Window, stored: SQLModel) -> None:
    who = correcting.app.shared.person
    correcting.fill(Plants="12")
    stored.save_record(record(1, today(correcting), Plants="13"), author=who, workstation="bench-2")
    correcting.app.form.submit()
    dialog = conflict(correcting)
    assert "has changed since it was opened here" in dialog.message
    assert "You saved it at" in dialog.detail and "in another window or on another computer" in dialog.detail
    assert all("heirs" not in text for text in texts_of(dialog))
    assert "Typed here" in texts_of(dialog) and any(text.startswith("Saved by you, ") for text in texts_of(dialog))
    correcting.answer("Cancel")


def texts_of(widget: tk.Misc) -> list[str]:
    """All that labels and buttons say."""
    own = [str(widget.cget("text"))] if isinstance(widget, ttk.Label | ttk.Button) else []
    return own + [text for each in widget.winfo_children() for text in texts_of(each)]


def test_who_types_on_during_a_save_is_asked_in_the_bar(correcting: Window, stored: SQLModel) -> None:
    correcting.fill(Plants="12")
    other_saves(stored, correcting, Plants="13")
    stored.query(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(0.5); RETURN OLD; END $$;"
        "CREATE TRIGGER slow BEFORE UPDATE ON plot_checks FOR EACH STATEMENT EXECUTE FUNCTION slowly()"
    )
    correcting.app.form.inputs[F.MEDIAN_HEIGHT].focus_set()
    correcting.type("\n24.0")
    message = correcting.message("Plot 1, lab A, 8:00 has changed since it was opened here.")
    assert not correcting.dialogs and [text for text, _ in message.buttons] == ["Choose…", "Cancel"]
    assert correcting.app.form.saving
    correcting.press_message("Choose…")
    conflict(correcting).take_all("mine")
    stored.query("DROP TRIGGER slow ON plot_checks")
    correcting.answer("Save")
    correcting.until(lambda: not correcting.app.form.saving, "the save")
    assert stored.get_record(today(correcting), "8:00", "A", 1)[F.PLANTS] == 12
    # What was typed on waits in its line for somebody to place it: nothing of it is lost, nothing goes elsewhere.
    line = correcting.app.form.type_ahead.line
    correcting.until(lambda: line.is_shown, "the line with the keys")
    assert "24.0" in line.text and correcting.text(F.HUMIDITY) == ""
    assert correcting.text(F.PLOT) == "2"


def test_a_dialog_that_is_answered_by_mouse_at_once_stays_until_the_record_is_saved(
    correcting: Window, stored: SQLModel
) -> None:
    """A key that is typed during the save, within the dialog's first half second, doesn't close it."""
    correcting.fill(Plants="12")
    other_saves(stored, correcting, Plants="13")
    correcting.app.form.submit()
    correcting.until(lambda: correcting.dialogs and correcting.dialogs[0].winfo_viewable(), "the dialog")
    dialog = correcting.dialogs[0]
    assert isinstance(dialog, ConflictDialog) and not dialog.takes_keys
    click(correcting, dialog.cells[F.PLANTS, "mine"])
    with slow(stored):
        click(correcting, dialog.buttons[0])
        correcting.until(lambda: state_of(dialog) == "Saving…", "the save")
        correcting.type("7")
        correcting.wait(2 * UNREAD_SECONDS)
        assert correcting.dialogs == [dialog] and not correcting.messages
    correcting.until(lambda: not correcting.app.form.saving, "the save")
    correcting.settle()
    assert stored.get_record(today(correcting), "8:00", "A", 1)[F.PLANTS] == 12
    assert not correcting.dialogs and not correcting.messages


def test_the_window_says_that_it_closes_once_the_question_is_answered(correcting: Window, stored: SQLModel) -> None:
    correcting.fill(Plants="12")
    other_saves(stored, correcting, Plants="13")
    correcting.app.form.submit()
    conflict(correcting)
    correcting.app.quit_application()  # as the close button of the window does
    assert correcting.app.status.get() == "The window closes once the record in the form is saved"
    correcting.answer("Cancel")
    assert not correcting.app.form.saving and correcting.text(F.PLANTS) == "12"
