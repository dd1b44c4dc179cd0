"""Records withdrawn, moved, brought back and corrected together, in the window, each with its reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.models.undoing import By
from abq_data_entry.views.conflict import ConflictDialog
from abq_data_entry.views.reasoned import REASON, ManyDialog, ReasonedDialog
from abq_data_entry.views.record_windows import WithdrawnWindow
from abq_data_entry.widgets.paged_list import PageRequest
from tests.commands.test_waits_announced import table_locked
from tests.fixtures.window import Window
from tests.window.test_form import open_plot, record, today


def reasoned(window: Window) -> ReasonedDialog:
    dialog = window.dialog()
    assert isinstance(dialog, ReasonedDialog)
    window.until(lambda: window.app.focus_get() is dialog.first_focus(), "the focus in the dialog")
    return dialog


def ended(window: Window, words: str) -> None:
    window.until(lambda: words in window.app.status.get(), f"{words!r}")
    window.settle()


@pytest.fixture
def opened(window: Window, stored: SQLModel) -> Window:
    """J Simms has recorded plots 1 to 3, and looks at plot 2."""
    for plot in (1, 2, 3):
        stored.save_record(record(plot, today(window)), author="J Simms", workstation="bench-1")
    window.begin_check()
    window.app.form.known.look_up()
    open_plot(window, 2)
    window.settle()
    return window


def test_withdraw_by_keyboard_and_bring_back(opened: Window, stored: SQLModel) -> None:
    key = (today(opened), "8:00", "A", 2)
    before = stored.get_record(*key)
    opened.app.callbacks["withdraw_record"]()
    dialog = reasoned(opened)
    assert f"Withdraw the record of {key[0]} 8:00, lab A, plot 2?" in dialog.message
    assert "Humidity 24.09 g/m³" in dialog.detail
    opened.press("Return")
    assert dialog.winfo_exists() and "A reason is required" in str(dialog.notes[REASON].cget("text"))
    opened.type("typed twice\n")
    ended(opened, "plot 2 is withdrawn")
    assert stored.get_record(*key) == {}
    last = stored.get_history(*key)[-1]
    assert (last.operation, last.reason, last.who) == ("DELETE", "typed twice", "J Simms")
    assert sorted(opened.app.form.check.recorded) == [1, 3]
    assert opened.app.form.opened is None and opened.text(F.PLOT) == "2" and opened.text(F.HUMIDITY) == ""

    opened.app.callbacks["show_withdrawn"]()
    (shown,) = (each for each in opened.app.winfo_children() if isinstance(each, WithdrawnWindow))
    opened.until(lambda: shown.tree.get_children(), "the withdrawn record")
    assert "plot 2" in shown.tree.item(shown.tree.get_children()[0], "values")[0]
    opened.until(lambda: opened.app.focus_get() is shown.tree, "the focus in the window")
    opened.press("Return")
    reasoned(opened)
    opened.type("it was right\n")
    ended(opened, "plot 2 is back")
    assert stored.get_record(*key) == before
    opened.until(lambda: not shown.tree.get_children(), "the list to be empty")
    shown.destroy()


def test_the_key_takes_a_withdrawal_back(opened: Window, stored: SQLModel) -> None:
    opened.app.callbacks["withdraw_record"]()
    reasoned(opened)
    opened.type("wrong plot\n")
    ended(opened, "is withdrawn")
    opened.press("ctrl+shift+b")
    ended(opened, "is back")
    assert stored.get_record(today(opened), "8:00", "A", 2)[F.PLANTS] == 9


def test_move_a_record_by_keyboard(opened: Window, stored: SQLModel) -> None:
    opened.app.callbacks["move_record"]()
    dialog = reasoned(opened)
    opened.press("Return", "Return", "Return")
    opened.until(lambda: opened.app.focus_get() is dialog.boxes[F.PLOT], "the plot")
    opened.press("ctrl+a")
    opened.type("99\n")
    opened.type("wrong plot\n")
    assert dialog.winfo_exists() and dialog.notes[F.PLOT].cget("text")
    opened.until(lambda: opened.app.focus_get() is dialog.boxes[F.PLOT], "the plot once more")
    opened.press("ctrl+a")
    opened.type("20\n\n")
    ended(opened, "plot 20 now")
    assert sorted(stored.get_check(today(opened), "8:00", "A").recorded) == [1, 3, 20]
    opened.until(lambda: opened.app.form.opened is not None and opened.app.form.opened[3] == 20, "the record there")
    assert stored.get_withdrawn() == []
    opened.press("ctrl+shift+b")
    ended(opened, "plot 2 again")
    assert sorted(stored.get_check(today(opened), "8:00", "A").recorded) == [1, 2, 3]


def test_a_taken_place_opens_both_versions(opened: Window, stored: SQLModel) -> None:
    stored.save_record(record(3, today(opened), Plants="4", Fruit="7"), author="P Taylor")
    opened.app.callbacks["move_record"]()
    dialog = reasoned(opened)
    dialog.boxes[F.PLOT].set("3")
    dialog.boxes[REASON].set("wrong plot")
    opened.answer("Move")
    both = opened.dialog()
    assert isinstance(both, ConflictDialog)
    assert "Nothing was moved" in both.message and "P Taylor saved it" in both.detail
    assert {each.name for each in both.differences} == {F.PLANTS, F.FRUIT}
    opened.answer("Cancel")
    assert sorted(stored.get_check(today(opened), "8:00", "A").recorded) == [1, 2, 3]
    dialog.destroy()
    opened.app.callbacks["move_record"]()
    dialog = reasoned(opened)
    dialog.boxes[F.PLOT].set("3")
    dialog.boxes[REASON].set("wrong plot")
    opened.answer("Move")
    both = opened.dialog()
    assert isinstance(both, ConflictDialog)
    both.choose(F.PLANTS, "mine")
    both.choose(F.FRUIT, "theirs")
    opened.answer("Save")
    ended(opened, "saved as chosen")
    kept = stored.get_record(today(opened), "8:00", "A", 3)
    assert (kept[F.PLANTS], kept[F.FRUIT]) == (9, 7)
    assert sorted(stored.get_check(today(opened), "8:00", "A").recorded) == [1, 3]
    assert [each.reason for each in stored.get_withdrawn()] == ["wrong plot"]


def test_bringing_back_onto_a_plot_recorded_anew_opens_both_versions(opened: Window, stored: SQLModel) -> None:
    key = (today(opened), "8:00", "A", 2)
    stored.withdraw_record(key, "wrong plot", by=By("J Simms"))
    stored.save_record(record(2, today(opened), Plants="4"), author="P Taylor")
    opened.app.callbacks["show_withdrawn"]()
    (shown,) = (each for each in opened.app.winfo_children() if isinstance(each, WithdrawnWindow))
    opened.until(lambda: shown.tree.get_children(), "the withdrawn record")
    shown.buttons["Bring Back…"].invoke()
    reasoned(opened).boxes[REASON].set("it was right")
    opened.answer("Bring Back")
    both = opened.dialog()
    assert isinstance(both, ConflictDialog) and "Nothing was brought back" in both.message
    both.take_all("mine")
    opened.answer("Save")
    ended(opened, "saved as chosen")
    assert stored.get_record(*key)[F.PLANTS] == 9
    shown.destroy()


def test_move_a_check(opened: Window, stored: SQLModel) -> None:
    opened.app.callbacks["move_check"]()
    dialog = reasoned(opened)
    dialog.boxes[F.LAB].set("C")
    dialog.boxes[REASON].set("wrong lab")
    opened.answer("Move")
    ended(opened, "3 records are those of")
    assert sorted(stored.get_check(today(opened), "8:00", "C").recorded) == [1, 2, 3]
    assert stored.get_lab_check(today(opened), "8:00", "A") == {}
    assert opened.text(F.LAB) == "C"
    opened.press("ctrl+shift+b")
    ended(opened, "lab A again")
    assert sorted(stored.get_check(today(opened), "8:00", "A").recorded) == [1, 2, 3]


def test_whoever_types_on_is_not_taken_along_with_a_check(
    opened: Window, stored: SQLModel, database: dict[str, str]
) -> None:
    opened.app.navigation.go_to_plot(4)
    opened.until(lambda: opened.text(F.PLOT) == "4" and opened.focus == F.HUMIDITY, "the new plot")
    opened.app.callbacks["move_check"]()
    dialog = reasoned(opened)
    dialog.boxes[F.LAB].set("C")
    dialog.boxes[REASON].set("wrong lab")
    with table_locked(database, "plot_checks"):
        opened.answer("Move")
        opened.until(lambda: opened.focus == F.HUMIDITY, "the form")
        opened.type("24.0")
    ended(opened, "3 records are those of")
    opened.type("9\n1.03\n")
    assert [opened.text(name) for name in (F.LAB, F.PLOT, F.HUMIDITY, F.LIGHT)] == ["A", "4", "24.09", "1.03"]


def test_somebody_else_s_record_is_refused_in_words(opened: Window, stored: SQLModel) -> None:
    stored.save_record(record(4, today(opened)), author="P Taylor")
    opened.app.form.known.look_up()
    opened.until(lambda: 4 in opened.app.form.check.recorded, "the check")
    open_plot(opened, 4)
    opened.settle()
    opened.app.callbacks["withdraw_record"]()
    reasoned(opened).boxes[REASON].set("wrong plot")
    opened.answer("Withdraw")
    opened.until(lambda: any("Nothing was changed" in each.message for each in opened.dialogs), "the refusal")
    assert "P Taylor entered the record" in opened.dialogs[-1].detail
    opened.answer("Close")
    assert stored.get_record(today(opened), "8:00", "A", 4) != {}


@pytest.fixture
def listed(window: Window, stored: SQLModel) -> Window:
    """Twelve records, the list has the keyboard on the first row."""
    for plot in range(1, 13):
        stored.save_record(record(plot, today(window)), author="J Simms", workstation="bench-1")
    window.begin_check()
    window.app.refresh()
    page = window.app.record_list.page
    window.until(lambda: page.total == 12 and page.rows, "the list")
    window.app.show_record_list()
    window.settle()
    window.until(lambda: window.app.focus_get() is page.tree, "the focus in the list")
    return window


def chosen(window: Window) -> list[int]:
    return sorted(int(str(row[F.PLOT])) for row in window.app.record_list.marks.rows)


def test_rows_are_chosen_by_keyboard_on_any_page(listed: Window) -> None:
    page = listed.app.record_list.page
    first = page.selected
    assert first is not None and first[F.PLOT] == 12
    listed.press("shift+Down", "shift+Down")
    assert chosen(listed) == [10, 11, 12]
    listed.press("shift+Up")
    assert chosen(listed) == [11, 12]
    listed.press("ctrl+Down", "ctrl+Down", "ctrl+space")
    assert chosen(listed) == [9, 11, 12]
    assert page.tree.item("0", "values")[0].startswith("✓")
    listed.press("Escape")
    assert chosen(listed) == []
    listed.press("Home")
    listed.settle()
    for _ in range(11):
        listed.press("shift+Down")
        listed.until(lambda: not page.waiting, "the page")
    assert chosen(listed) == list(range(1, 13))
    listed.press("Down")
    assert chosen(listed) == []
    listed.press("ctrl+a")
    listed.until(lambda: len(chosen(listed)) == 12, "all of them")


@pytest.mark.parametrize("leave", ["Escape", "Down"])
def test_how_many_are_chosen_is_said_until_none_is(listed: Window, leave: str) -> None:
    listed.press("shift+Down", "shift+Down")
    assert listed.app.status.get().startswith("3 records are chosen.")
    listed.press(leave)
    assert (chosen(listed), listed.app.status.get()) == ([], "")
    listed.press("shift+Down")
    listed.app.status.set("Something else")
    listed.press("Escape")
    assert (chosen(listed), listed.app.status.get()) == ([], "Something else")


def test_another_order_chooses_none_and_says_nothing_of_it(listed: Window) -> None:
    listed.press("shift+Down", "shift+Down")
    assert listed.app.status.get().startswith("3 records are chosen.")
    listed.app.record_list.sort_by("Plot")
    listed.until(lambda: not chosen(listed), "the choice to be gone")
    assert listed.app.status.get() == ""


def test_keys_mean_the_row_that_those_before_led_to(listed: Window) -> None:
    listed.app.show_record_list()
    page = listed.app.record_list.page
    assert len(page.rows) < 12  # so the keys go beyond the page
    held: list[PageRequest] = []
    fetch = page.fetch

    def choose(*keys: str) -> list[int]:
        """Press the keys from the first row on; those pages that are held come after the last key."""
        listed.press("Escape", "Home")
        listed.until(lambda: not page.waiting or held, "the first page")
        come()
        listed.press(*keys)
        come()
        return chosen(listed)

    def come() -> None:
        while page.waiting:
            if held:
                fetch(held.pop(0))
            listed.until(lambda: held or not page.waiting, "a page")

    for page.fetch in (fetch, held.append):
        assert choose(*["shift+Down"] * 11) == list(range(1, 13))
        assert choose(*["shift+Down"] * 8, "ctrl+Down", "ctrl+space") == [3, *range(4, 13)]
        assert choose(*["shift+Down"] * 9, *["shift+Up"] * 3) == list(range(6, 13))
        assert choose("End", "ctrl+space", "ctrl+Up", "ctrl+space") == [1, 2]
        assert choose("End", "shift+Up", "Home", "ctrl+space") == [12]
        assert choose(*["Down"] * 10, "ctrl+space", "Up", "ctrl+space") == [3]

    listed.press("Home", *["Down"] * 11, "Return")
    come()
    listed.until(lambda: listed.app.form.opened, "the record")
    opened = listed.app.form.opened
    assert opened is not None and opened[3] == 1


def test_many_are_corrected_and_taken_back(listed: Window, stored: SQLModel) -> None:
    listed.press("shift+Down", "shift+Down")
    listed.app.callbacks["correct_many"]()
    dialog = reasoned(listed)
    assert isinstance(dialog, ManyDialog)
    listed.type("Q Murphy\n")
    lines = [dialog.tree.item(each, "values") for each in dialog.tree.get_children()]
    assert len(lines) == 3 and lines[0][1] == "Technician J Simms → Q Murphy"
    dialog.boxes[REASON].set("wrong badge")
    listed.answer("Correct")
    ended(listed, "3 records are corrected")
    recorded = stored.get_check(today(listed), "8:00", "A").recorded
    assert [plot for plot, name in recorded.items() if name == "Q Murphy"] == [10, 11, 12]
    assert stored.get_history(today(listed), "8:00", "A", 11)[-1].reason == "wrong badge"
    listed.press("ctrl+shift+b")
    ended(listed, "as before the correction")
    assert set(stored.get_check(today(listed), "8:00", "A").recorded.values()) == {"J Simms"}


def test_many_want_something_to_correct(listed: Window, stored: SQLModel) -> None:
    listed.press("shift+Down")
    listed.app.callbacks["correct_many"]()
    dialog = reasoned(listed)
    dialog.boxes[REASON].set("wrong badge")
    dialog.buttons[0].invoke()
    assert "Say what is to be corrected" in str(dialog.notes[F.TECHNICIAN].cget("text"))
    dialog.boxes[F.DATE].set("2026-11-31")
    dialog.buttons[0].invoke()
    assert "30 days" in str(dialog.notes[F.DATE].cget("text"))
    listed.answer("Cancel")


def test_without_a_record_nothing_is_asked(window: Window) -> None:
    commands: list[Callable[..., object]] = [
        window.app.callbacks[name] for name in ("withdraw_record", "move_record", "move_check", "correct_many")
    ]
    for command in commands:
        window.app.status.set("")
        command()
        window.settle()
        assert "first" in window.app.status.get() and not window.dialogs
