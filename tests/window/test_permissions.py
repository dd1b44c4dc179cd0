"""The window offers what the login's role may do, and the server holds it without the window."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.application.permissions import READ_ONLY
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import PrivilegeMissing, SQLModel
from abq_data_entry.views.administration import AdministrationWindow
from tests.fixtures.window import Window
from tests.window.test_form import open_plot, record, today


@pytest.fixture
def open_as(database: dict[str, str], stored: SQLModel, open_window: Callable[[], Window]) -> Callable[[str], Window]:
    """Opens a window whose connections have that role."""

    def open_with(role: str) -> Window:
        with psycopg2.connect(make_dsn(**database)) as connection, connection.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {database['dbname']} SET role = {role}")
        connection.close()
        window = open_window()
        window.until(lambda: window.app.form.choices.get(F.LAB), "the database")
        window.settle()
        return window

    return open_with


def greyed(window: Window) -> set[str]:
    """The commands that the menus don't offer."""
    menu = window.app.main_menu
    assert menu is not None
    entries: list[tuple[tk.Menu, int, str]] = menu._entries
    return {name for of, index, name in entries if str(of.entrycget(index, "state")) == "disabled"}


def test_qa_reads_everything_and_writes_nothing(open_as: Callable[[str], Window], stored: SQLModel) -> None:
    import datetime

    stored.save_record(record(1, datetime.date.today().isoformat()), author="J Simms")
    window = open_as("abq_qa")
    assert greyed(window) == {
        "save_record", "new_record", "next_missing", "take_back", "withdraw_record", "move_record", "move_check",
        "correct_many", "write_note", "show_shift_messages", "upload_to_corporate_rest", "upload_to_corporate_ftp",
        "update_weather_data", "show_administration", "back_up", "restore",
    }  # fmt: skip
    window.fill(Time="8:00", Lab="A")
    window.until_known()
    open_plot(window, 1)
    assert window.text(F.HUMIDITY) == "24.09"
    assert str(window.app.form.plot_panel.remark.cget("text")) == READ_ONLY
    closed = {name for name, each in window.app.form.inputs.items() if each.is_disabled}
    assert closed == set(window.app.form.inputs) - {F.DATE, F.TIME, F.LAB, F.PLOT}
    assert window.app.form.save_bar.save_button.instate(["disabled"])
    window.press("ctrl+s")
    assert window.app.status.get() == READ_ONLY
    window.app.form.submit()
    assert not window.app.form.saving
    model = window.app.data_model
    assert model is not None
    with pytest.raises(PrivilegeMissing):
        model.save_record(record(2, today(window)))
    assert not window.app.form.changed


@pytest.mark.parametrize("command", ["update_weather_data", "upload_to_corporate_rest", "upload_to_corporate_ftp"])
def test_the_commands_are_methods_too_which_say_why_not(open_as: Callable[[str], Window], command: str) -> None:
    window = open_as("abq_qa")
    assert window.app.callbacks[command] == getattr(window.app, command)
    getattr(window.app, command)()
    assert "abq_technician" in window.app.status.get()
    assert not window.app.commands.running and not window.dialogs


def test_qa_goes_from_plot_to_plot_and_reads_histories(open_as: Callable[[str], Window], stored: SQLModel) -> None:
    import datetime

    for plot in (1, 2):
        stored.save_record(record(plot, datetime.date.today().isoformat(), Plants=plot), author="J Simms")
    window = open_as("abq_qa")
    window.fill(Time="8:00", Lab="A")
    window.until_known()
    open_plot(window, 1)
    window.press("ctrl+Next")
    window.until(lambda: window.text(F.PLANTS) == "2", "the next plot")
    assert not window.dialogs
    window.app.callbacks["mark_value"]()  # what QA says of a record is its own to say
    window.dialog()
    window.type("Which lab?\n")
    window.until(lambda: stored.get_marks(), "the mark")
    (marked,) = stored.get_marks()
    assert (marked.plot, marked.words) == (2, "Which lab?") and marked.marked_by.startswith(window.app.shared.person)
    window.settle()
    window.app.callbacks["show_history"]()
    window.settle()


def test_a_technician_enters_and_corrects_but_looks_after_nothing(
    open_as: Callable[[str], Window], stored: SQLModel
) -> None:
    window = open_as("abq_technician")
    assert greyed(window) == {"show_administration", "back_up", "restore", "mark_value"}
    window.press("ctrl+shift+t")
    assert "abq_supervisor" in window.app.status.get()
    assert not [each for each in window.app.winfo_children() if isinstance(each, AdministrationWindow)]
    window.begin_check()
    window.fill_readings()
    window.save()
    assert stored.get_record(today(window), "8:00", "A", 1)
    open_plot(window, 1)
    window.fill(Plants="12")
    window.save()
    assert stored.get_record(today(window), "8:00", "A", 1)[F.PLANTS] == 12
    assert not window.dialogs


def test_a_supervisor_looks_after_technicians_too(open_as: Callable[[str], Window], stored: SQLModel) -> None:
    window = open_as("abq_supervisor")
    assert greyed(window) == {"back_up", "restore", "mark_value"}
    window.app.callbacks["show_administration"]()
    shown = next(each for each in window.app.winfo_children() if isinstance(each, AdministrationWindow))
    window.until(lambda: window.app.focus_get() is shown.entries["number"], "the focus")
    window.type("4711\nA Newcomer\n")
    window.until(lambda: "added" in str(shown.notes["technician"].cget("text")), "the answer")
    assert "A Newcomer" in stored.choices().technicians


def test_another_theme_greys_the_same_commands(open_as: Callable[[str], Window]) -> None:
    window = open_as("abq_technician")
    window.app.settings["theme"].set("dark")
    window.settle()
    assert greyed(window) == {"show_administration", "back_up", "restore", "mark_value"}


def test_a_login_without_labs_is_reported_before_anything_is_typed(
    open_window: Callable[[], Window], stored: SQLModel, database: dict[str, str]
) -> None:
    stored.query("SELECT restrict_labs(true)")
    stored.query(f"ALTER DATABASE {database['dbname']} SET role = abq_technician")
    window = open_window()
    window.until(lambda: window.app.form.inputs.read_only, "the sentence")
    why = window.app.form.shown_record.why_read_only
    assert "belongs to no lab" in why and "set-labs" in why
