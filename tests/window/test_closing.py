"""Windows that are closed by the window manager while something is going on in them: nothing typed is lost."""

from __future__ import annotations

import os
import tkinter as tk
from contextlib import closing
from pathlib import Path
from tkinter import filedialog, ttk

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.models.alarms import Finding
from abq_data_entry.models.undoing import By
from abq_data_entry.views.administration import AdministrationWindow
from abq_data_entry.views.charts import ChartsWindow
from abq_data_entry.views.marks import TextDialog
from abq_data_entry.views.record_windows import HistoryWindow
from tests.fixtures.window import Window
from tests.window.half_typed_dialogs import drafts, on_disk
from tests.window.test_form import open_plot, record, today


def close(window: Window, closed: tk.Tk | tk.Toplevel) -> None:
    """Close it as the window manager does."""
    window.app.tk.eval(str(closed.protocol("WM_DELETE_WINDOW")))


def words(window: Window) -> TextDialog:
    """The dialog that asks for words, with the keyboard."""
    dialog = window.dialog()
    assert isinstance(dialog, TextDialog)
    window.until(lambda: window.app.focus_get() is dialog.box, "the focus in it")
    return dialog


def beside(window: Window) -> tk.Toplevel:
    """The window beside the form."""

    def found() -> list[tk.Toplevel]:
        return [each for each in window.app.winfo_children() if isinstance(each, tk.Toplevel) and each.winfo_viewable()]

    window.until(found, "the window")
    return found()[0]


@pytest.mark.parametrize(
    ("opener", "key"),
    [
        ("show_questions", "alt+a"), ("show_handover", "alt+w"), ("show_shift_messages", "alt+w"),
        ("show_alarms", "alt+e"),
    ],
)  # fmt: skip
def test_words_of_a_dialog_that_is_closed_are_there_when_it_is_opened_again(
    window: Window, stored: SQLModel, opener: str, key: str
) -> None:
    day = today(window)
    stored.save_record(record(1, day))
    stored.mark_value((day, "8:00", "A", 1), "light", "queried", "Was it dark?")
    stored.look_for_alarms([Finding("disk", "/data", "It is full.")], by=By("", "bench"))
    window.begin_check()
    notes = window.app.form.inputs[F.NOTES].editor
    notes.focus_set()
    window.app.callbacks[opener]()
    listed = beside(window)
    window.settle()
    for typed, expected in (("Half a sentence", "Half a sentence"), (", and more", "Half a sentence, and more")):
        window.until(lambda: str(window.app.focus_get()).startswith(str(listed)), "the focus in the list")
        window.press(key)
        dialog = words(window)
        window.type(typed)
        assert dialog.words == expected
        close(window, dialog)
        window.until(lambda: not window.dialogs, "the end of the dialog")
        assert "What you typed is kept" in window.app.status.get()
    window.until(lambda: str(window.app.focus_get()).startswith(str(listed)), "the focus in the list")
    close(window, listed)
    window.until(lambda: window.app.focus_get() is notes, "the focus where it was")


def test_words_that_were_not_sent_keep_the_program_open_until_somebody_decides(
    window: Window, stored: SQLModel
) -> None:
    window.begin_check()
    window.app.callbacks["write_note"]()
    words(window)
    window.type("The door sticks.")
    close(window, window.app)
    asked = window.dialog()
    assert asked.title() == "Quit" and "Write Note isn't sent yet" in asked.message
    assert asked.detail == "Edit ‣ Write Note: The door sticks."
    close(window, window.app)  # once more: the same question
    assert window.dialogs == [asked]
    window.answer("Cancel")
    window.app.callbacks["write_note"]()
    assert words(window).words == "The door sticks."
    window.press("Return")
    window.until(lambda: [each.words for each in stored.get_notes()] == ["The door sticks."], "the note")
    window.settle()
    close(window, window.app)
    assert not is_there(window.app)


def test_whoever_quits_all_the_same_is_asked_no_more(window: Window) -> None:
    window.begin_check()
    window.app.callbacks["write_note"]()
    words(window)
    window.type("Never mind.")
    close(window, window.app)
    asked = window.dialog()
    window.until(lambda: window.app.focus_get() is asked.buttons[0], "the focus, as nothing is lost by that one")
    window.answer("Quit and Keep It")
    assert not is_there(window.app) and on_disk("Write Note", "Never mind.")


def test_quit_says_that_nothing_can_be_kept(window: Window) -> None:
    window.begin_check()
    path = Path(os.environ["ABQ_DATA_DIR"]) / "drafts" / "drafts.sqlite"
    path.rename(path.with_suffix(".away"))
    path.mkdir()
    window.app.callbacks["write_note"]()
    words(window)
    window.type("The door sticks.")
    window.message("What you are typing can't be kept")
    close(window, window.app)
    asked = window.dialog()
    assert "can't be kept" in asked.message and asked.detail.endswith("\n\nEdit ‣ Write Note: The door sticks.")
    window.answer("Cancel")
    path.rmdir()
    window.app.callbacks["write_note"]()
    words(window)
    window.press("End", "BackSpace")
    window.type("!")
    window.until(lambda: on_disk("Write Note", "The door sticks!"), "the draft")
    window.until(lambda: not window.messages, "the end of that message")
    close(window, window.app)
    window.answer("Quit and Keep It")
    assert not is_there(window.app) and on_disk("Write Note", "The door sticks!")


def test_what_is_being_sent_is_sent_before_the_window_closes(
    window: Window, database: dict[str, str], stored: SQLModel
) -> None:
    window.begin_check()
    window.app.callbacks["write_note"]()
    words(window)
    window.type("The door sticks.")
    with closing(psycopg2.connect(make_dsn(**database))) as other:
        other.cursor().execute("LOCK TABLE shift_notes")
        window.press("Return")
        window.until(lambda: "under way" in window.app.status.get(), "the sending")
        close(window, window.app)
        assert "closes once the database has what you sent" in window.app.status.get()
        window.app.callbacks["write_note"]()  # its text would take the place of the one that may be refused
        assert not window.dialogs
        close(window, window.app)
        assert "hasn't answered yet" in window.dialog().message
        window.answer("Cancel")
        close(window, window.app)
        assert not window.dialogs
    window.until(lambda: not is_there(window.app), "the end")
    assert [each.words for each in stored.get_notes()] == ["The door sticks."] and drafts() == []


def is_there(window: tk.Tk) -> bool:
    try:
        return bool(window.winfo_exists())
    except tk.TclError:
        return False


@pytest.mark.parametrize(("number", "told"), [("4711", "A Newcomer added as 4711."), ("4291", "is 4291 already")])
def test_what_becomes_of_a_command_is_said_where_its_window_is_closed_by_then(
    window: Window, database: dict[str, str], number: str, told: str
) -> None:
    window.app.callbacks["show_administration"]()
    administration = beside(window)
    assert isinstance(administration, AdministrationWindow)
    window.until(lambda: administration.technicians.get_children(), "the technicians")
    window.until(lambda: window.app.focus_get() is administration.entries["number"], "the focus")
    with closing(psycopg2.connect(make_dsn(**database))) as other:
        other.cursor().execute("LOCK TABLE lab_techs")
        window.type(f"{number}\nA Newcomer\n")
        close(window, administration)
        assert not administration.winfo_exists()
    window.until(lambda: told in window.app.status.get(), "what became of it")


def test_a_window_that_is_open_takes_the_colours_of_another_theme(window: Window, stored: SQLModel) -> None:
    day = today(window)
    stored.save_record(record(1, day))
    stored.save_record(record(1, day, Humidity="25"), "update", reason="Misread")
    window.begin_check()
    open_plot(window, 1)
    window.app.callbacks["show_history"]()
    history = beside(window)
    assert isinstance(history, HistoryWindow)
    window.until(lambda: history.changes, "the changes")
    for theme in ("dark", "light"):
        window.app.settings["theme"].set(theme)
        window.settle()
        style = ttk.Style(window.app)
        ground = style.lookup("TFrame", "background")
        assert (str(history.cget("background")), str(history.detail.text.cget("background"))) == (ground, ground)
        assert str(history.detail.text.cget("foreground")) == style.lookup("TLabel", "foreground")
        assert str(history.tree.tag_configure("odd", "background")) == style.lookup("Bar.TFrame", "background")


def file_dialog(window: Window) -> str:
    """The path of Tk's own dialog for files, once it is there."""
    return str(window.app.tk.eval(
        "foreach each [concat . [winfo children .]] {set found [expr {$each eq {.} ? {} : $each}].__tk_filedialog; "
        "if {[winfo exists $found] && [winfo viewable $found]} {return $found}}; return {}"
    ))  # fmt: skip


@pytest.mark.parametrize("is_all", [False, True])
def test_a_window_is_closed_while_it_asks_for_a_file(
    window: Window, stored: SQLModel, is_all: bool, request: pytest.FixtureRequest
) -> None:
    charts = open_charts(window, stored)

    def close_soon() -> None:
        if file_dialog(window):
            close(window, window.app if is_all else charts)
        else:
            window.app.after(20, close_soon)

    window.app.after(20, close_soon)
    charts.save()  # returns once the file dialog is gone
    assert not window.problems
    assert is_there(window.app) is not is_all


def test_a_chart_whose_window_is_closed_meanwhile_is_saved_and_reported(
    window: Window, stored: SQLModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    charts, target = open_charts(window, stored), tmp_path / "chart.png"

    def chosen(**_options: object) -> str:
        close(window, charts)
        return str(target)

    monkeypatch.setattr(filedialog, "asksaveasfilename", chosen)
    charts.save()
    window.message(f"Saved as {target}")
    assert target.read_bytes().startswith(b"\x89PNG")


def open_charts(window: Window, stored: SQLModel) -> ChartsWindow:
    pytest.importorskip("matplotlib", reason="matplotlib isn't installed: no wheel for this Python")
    stored.save_record(record(1, today(window)))
    window.app.callbacks["show_charts"]()
    charts = beside(window)
    assert isinstance(charts, ChartsWindow)
    charts.variables["lab"].set("A")
    charts.draw()
    window.until(lambda: charts.picture.drawing, "the chart")
    window.settle()
    return charts
