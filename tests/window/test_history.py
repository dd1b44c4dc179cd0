"""The history of a record, from form and list; and the reason that a correction is asked for."""

from __future__ import annotations

import datetime
import getpass
from collections.abc import Callable
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.views.record_windows import HistoryWindow
from tests.fixtures.window import Window
from tests.window.test_form import open_plot, record, today


def yesterday(window: Window) -> str:
    return (datetime.date.fromisoformat(today(window)) - datetime.timedelta(days=1)).isoformat()


def history_of(window: Window) -> HistoryWindow:
    """The open window of a history, once it isn't looking anything up."""
    found = [each for each in window.app.winfo_children() if isinstance(each, HistoryWindow)]
    window.until(lambda: not str(found[-1].message_label.cget("text")).startswith("Looking"), "the history")
    window.settle()
    return found[-1]


def rows(history: HistoryWindow) -> list[tuple[str, ...]]:
    return [tuple(str(cell) for cell in history.tree.item(each, "values")) for each in history.tree.get_children()]


# -- the history ------------------------------------------------------------------------------------------


def test_it_tells_who_when_what_from_what_to_and_why_newest_first(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, today(window)), author="J Simms", workstation="bench-1")
    stored.save_record(
        record(1, today(window), Humidity="25"), author="P Taylor", workstation="bench-2", reason="Misread the sheet"
    )
    window.begin_check()
    open_plot(window, 1)
    window.press("ctrl+shift+h")
    history = history_of(window)
    assert "lab A, plot 1" in history.title()
    first = rows(history)[0]
    assert first[1:] == ("P Taylor", "bench-2", F.HUMIDITY, "24.09 g/m³", "25.00 g/m³", "Misread the sheet")
    recorded = rows(history)[1:]
    assert recorded[0][1] == "J Simms" and all(row[4] == "" for row in recorded)
    assert (F.EQUIPMENT_FAULT, "", "no") in [row[3:6] for row in recorded]
    detail = history.detail.text.get("1.0", "end")
    assert "corrected by P Taylor on bench-2" in detail and "from 24.09 g/m³ to 25.00 g/m³" in detail


def test_it_tells_what_was_withdrawn_from_what_was_moved(window: Window, stored: SQLModel) -> None:
    here, there = (today(window), "8:00", "A", 1), (today(window), "8:00", "A", 5)
    stored.save_record(record(1, today(window)), author="J Simms")
    stored.withdraw_record(here, "typed twice")
    stored.bring_back_record(here, "it was right")
    stored.move_record(here, there, "wrong plot")
    window.begin_check()

    def told(key: tuple[Any, ...]) -> list[tuple[str, ...]]:
        window.app.histories.show_of(dict(zip((F.DATE, F.TIME, F.LAB, F.PLOT), key, strict=True)))
        shown = history_of(window)
        found: list[tuple[str, ...]] = [
            (each.what, each.fields[0].name, *each.fields[0][1:3]) for each in shown.changes
        ]
        assert "removed" not in shown.detail.text.get("1.0", "end")
        shown.destroy()
        return found

    places = [f"{today(window)} 8:00, lab A, plot {plot}" for plot in (1, 5)]
    assert told(here) == [
        (f"moved to {places[1]}", "Moved", "", places[1]),
        ("brought back", "Brought back", "", ""),
        ("withdrawn", "Withdrawn", "", ""),
        ("recorded", "Technician", "", "J Simms"),
    ]
    assert told(there) == [(f"moved here from {places[0]}", "Moved", places[0], "")]


def test_it_can_be_copied_and_closed_by_keyboard(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, today(window), Notes="One line\nand another"), author="J Simms")
    window.begin_check()
    open_plot(window, 1)
    window.app.callbacks["show_history"]()
    history = history_of(window)
    window.until(lambda: window.app.focus_get() is history.tree, "the focus")
    window.press("ctrl+c")
    lines = window.app.clipboard_get().splitlines()
    assert lines[0].split("\t") == ["When", "Who", "Workstation", "Field", "From", "To", "Why"]
    assert len({len(line.split("\t")) for line in lines}) == 1
    assert any("One line and another" in line for line in lines)
    window.press("Escape")
    window.until(lambda: not history.winfo_exists(), "the window to close")


def test_it_opens_from_the_list_for_the_row_that_is_chosen(window: Window, stored: SQLModel) -> None:
    for plot in (1, 2):
        stored.save_record(record(plot, today(window)), author="J Simms")
    window.app.callbacks["refresh"]()
    window.until(lambda: len(window.app.record_list.page.rows) == 2, "the list")
    window.settle()
    window.app.record_list.focus_set()
    window.app.record_list.page.select(1)
    window.app.update()
    window.app.callbacks["show_history"]()
    assert "plot 1" in history_of(window).title()


def test_who_only_corrects_is_not_taken_for_the_technician_of_the_record(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, today(window), Technician="P Taylor"), author="P Taylor")
    window.app.callbacks["refresh"]()
    window.until(lambda: window.app.record_list.page.rows, "the list")
    window.app.navigation.open_row(window.app.record_list.page.rows[0])
    window.until(lambda: window.app.form.opened, "the record")
    window.fill(Plants="12")
    window.save()
    assert stored.get_history(today(window), "8:00", "A", 1)[-1].who == getpass.getuser()


def test_a_record_that_was_never_saved_has_none_and_says_so(window: Window) -> None:
    window.begin_check()
    window.app.callbacks["show_history"]()
    history = history_of(window)
    assert "never saved" in str(history.message_label.cget("text"))
    assert history.buttons["Copy"].instate(["disabled"])


def test_a_history_that_cannot_be_had_says_why_and_can_be_asked_for_again(
    window: Window, stored: SQLModel, database: dict[str, str]
) -> None:
    stored.save_record(record(1, today(window)), author="J Simms")
    window.begin_check()
    open_plot(window, 1)
    run(database, "ALTER TABLE audit RENAME TO audit_away")
    window.app.callbacks["show_history"]()
    history = history_of(window)
    assert "couldn't be looked up" in str(history.message_label.cget("text"))
    run(database, "ALTER TABLE audit_away RENAME TO audit")
    history.buttons["Refresh"].invoke()
    window.until(lambda: rows(history), "the history")


def run(database: dict[str, str], statement: str) -> None:
    connection = psycopg2.connect(make_dsn(**database))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


# -- the reason -------------------------------------------------------------------------------------------


def corrects(window: Window, stored: SQLModel, date: str, plot: int = 1) -> None:
    """Open a plot of that day and change a value of it."""
    stored.save_record(record(plot, date), author="P Taylor")
    window.begin_check()
    window.fill(Date=date)
    window.until(lambda: plot in window.app.form.check.recorded, "the check")
    open_plot(window, plot)
    window.fill(Humidity="25")


def test_a_record_of_another_day_is_corrected_with_a_reason_by_keyboard(window: Window, stored: SQLModel) -> None:
    date = yesterday(window)
    corrects(window, stored, date)
    window.app.form.inputs[F.MEDIAN_HEIGHT].focus_set()
    window.press("Return")
    reason = window.app.form.reason
    assert window.app.focus_get() is reason.box and reason.error == "A correction needs a reason"
    assert stored.get_record(date, "8:00", "A", 1)[F.HUMIDITY] != 25
    window.type("Misread the sheet\n")
    window.until(lambda: window.app.form.opened is None, "the save")
    assert stored.get_history(date, "8:00", "A", 1)[-1].reason == "Misread the sheet"
    assert stored.get_history(date, "8:00", "A", 1)[-1].who == "J Simms"


def test_escape_leaves_the_reason_and_keeps_the_form(window: Window, stored: SQLModel) -> None:
    corrects(window, stored, yesterday(window))
    window.app.form.submit()
    window.until(lambda: window.app.focus_get() is window.app.form.reason.box, "the focus")
    window.press("Escape")
    assert window.focus in window.app.form.inputs and window.text(F.HUMIDITY) == "25"
    assert window.app.form.changed


def test_the_last_reason_is_offered_first(window: Window, stored: SQLModel) -> None:
    date = yesterday(window)
    corrects(window, stored, date)
    window.app.form.reason.box.set("The scale was off")
    window.save()
    assert window.app.form.reason.recent[0] == "The scale was off"


ASKED = (
    ("never", True, False),
    ("never", False, False),
    ("other days", True, False),
    ("other days", False, True),
    ("always", True, True),
    ("always", False, True),
)


def test_the_setting_says_when_a_reason_is_asked_for(
    settings: dict[str, Any], open_window: Callable[[], Window], stored: SQLModel
) -> None:
    settings["correction reason"] = "never"
    window = open_window()
    window.until(lambda: window.app.form.choices.get(F.LAB), "the database")
    assert window.app.settings["correction reason"].get() == "never"
    for plot, (when, of_today, asked) in enumerate(ASKED, 1):
        window.app.settings["correction reason"].set(when)
        window.begin_again()
        corrects(window, stored, today(window) if of_today else yesterday(window), plot)
        assert window.app.form.reason.asked is asked, (when, of_today)
        window.app.form.submit()
        assert window.app.form.saving is not asked, (when, of_today)
        window.settle()
        window.app.form.shown_record.discard()


def test_a_first_entry_needs_no_reason_whatever_the_setting(
    settings: dict[str, Any], open_window: Callable[[], Window], stored: SQLModel
) -> None:
    settings["correction reason"] = "always"
    window = open_window()
    window.until(lambda: window.app.form.choices.get(F.LAB), "the database")
    window.settle()
    window.begin_check()
    window.fill(Date=yesterday(window))
    window.until_known()
    window.fill_readings()
    window.save()
    assert stored.get_record(window.text(F.DATE), "8:00", "A", 1)


def test_a_reason_that_was_typed_is_in_the_draft(window: Window, stored: SQLModel) -> None:
    corrects(window, stored, yesterday(window))
    window.app.form.reason.box.set("The scale was off")
    draft = window.app.form.draft()
    assert draft is not None
    window.app.form.begin_new()
    assert not window.app.form.reason.asked
    window.app.form.draft_keeper.restore(draft)
    assert window.app.form.reason.text == "The scale was off"


# -- undoing from there -----------------------------------------------------------------------------------


def undo(window: Window, history: HistoryWindow, reason: str) -> None:
    history.undo_button.focus_force()
    window.press("Return")
    dialog = window.dialog()
    window.until(lambda: window.app.focus_get() is dialog.first_focus(), "the focus in the dialog")
    window.type(f"{reason}\n")


def test_a_withdrawn_record_is_brought_back_from_its_history(window: Window, stored: SQLModel) -> None:
    key = (today(window), "8:00", "A", 1)
    stored.save_record(record(1, today(window)), author="J Simms")
    before = stored.get_record(*key)
    stored.withdraw_record(key, "typed twice")
    window.begin_check()
    window.press("ctrl+shift+h")
    history = history_of(window)
    assert str(history.undo_button.cget("text")) == "Bring Back…"
    undo(window, history, "it was right")
    window.until(lambda: stored.get_record(*key) == before, "the record")
    window.until(lambda: history.undo_button.cget("text") == "Take Back…", "the history afterwards")
    assert rows(history_of(window))[0][6] == "it was right"


def test_the_last_correction_is_taken_back_from_the_history_and_the_first_entry_withdrawn(
    window: Window, stored: SQLModel
) -> None:
    key = (today(window), "8:00", "A", 1)
    stored.save_record(record(1, today(window)), author="J Simms")
    stored.save_record(record(1, today(window), Humidity="25"), author="J Simms", reason="misread")
    window.begin_check()
    open_plot(window, 1)
    window.press("ctrl+shift+h")
    history = history_of(window)
    assert str(history.undo_button.cget("text")) == "Take Back…"
    undo(window, history, "it was 24.09")
    window.until(lambda: str(stored.get_record(*key)[F.HUMIDITY]) == "24.09", "the record as it was")
    history.destroy()
    stored.save_record(record(2, today(window)), author="J Simms")
    window.app.form.known.look_up()
    window.until(lambda: 2 in window.app.form.check.recorded, "plot 2")
    open_plot(window, 2)
    window.press("ctrl+shift+h")
    history = history_of(window)
    assert str(history.undo_button.cget("text")) == "Withdraw…"
    undo(window, history, "typed twice")
    window.until(lambda: not stored.get_record(*key[:3], 2), "the record to be gone")
    window.until(lambda: history.undo_button.cget("text") == "Bring Back…", "the history afterwards")


def test_a_record_that_was_moved_away_has_nothing_to_take_back_here(window: Window, stored: SQLModel) -> None:
    key = (today(window), "8:00", "A", 1)
    stored.save_record(record(1, today(window)), author="J Simms")
    stored.move_record(key, (*key[:3], 5), "wrong plot")
    window.begin_check()
    window.app.histories.show_of(dict(zip((F.DATE, F.TIME, F.LAB, F.PLOT), key, strict=True)))
    assert history_of(window).undo_button.instate(["disabled"])
