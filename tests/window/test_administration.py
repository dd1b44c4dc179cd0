"""The window of technicians, labs and plots: by the keyboard, with the real database."""

from __future__ import annotations

import tkinter as tk
from contextlib import closing
from tkinter import ttk
from tkinter.font import nametofont

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.views.administration import AdministrationWindow
from abq_data_entry.widgets import Scrolled
from tests.fixtures.window import Window
from tests.window.test_form import record


@pytest.fixture
def administration(window: Window) -> AdministrationWindow:
    """The window, with what is there."""
    window.app.callbacks["show_administration"]()
    found = next(each for each in window.app.winfo_children() if isinstance(each, AdministrationWindow))
    window.until(lambda: found.technicians.get_children(), "the technicians")
    window.until(lambda: window.app.focus_get() is found.entries["number"], "the focus")
    return found


def note(administration: AdministrationWindow, part: str) -> str:
    return str(administration.notes[part].cget("text"))


def test_a_technician_is_added_by_keyboard_and_the_form_offers_the_name(
    window: Window, administration: AdministrationWindow, stored: SQLModel
) -> None:
    window.type("4711\nA Newcomer\n")
    window.until(lambda: "added" in note(administration, "technician"), "the answer")
    assert "A Newcomer" in stored.choices().technicians
    assert "A Newcomer" in (window.app.form.choices[F.TECHNICIAN] or ())
    assert window.app.focus_get() is administration.entries["number"] and not administration.entries["number"].get()


def test_a_long_name_has_the_room_that_the_list_has(window: Window, administration: AdministrationWindow) -> None:
    window.type("4712\nMaximiliane von Oberhausen\n")
    window.until(lambda: "added" in note(administration, "technician"), "the answer")
    room = int(administration.technicians.column("Name", "width"))
    assert room >= nametofont("TkDefaultFont", window.app).measure("Maximiliane von Oberhausen")


def test_a_number_that_is_taken_is_said_in_place_and_all_stays(
    window: Window, administration: AdministrationWindow, stored: SQLModel
) -> None:
    window.type("4291\nA Newcomer\n")
    window.until(lambda: "J Simms is 4291 already" in note(administration, "technician"), "the error")
    assert note(administration, "technician").startswith("✗")
    assert administration.entries["name"].get() == "A Newcomer"
    assert "A Newcomer" not in stored.choices().technicians


def retype(window: Window, entry: ttk.Entry, text: str) -> None:
    entry.focus_force()
    window.press("ctrl+a", "Delete")
    window.type(text)


def test_what_makes_no_sense_is_never_asked_of_the_database(
    window: Window, administration: AdministrationWindow
) -> None:
    for typed, said in (("x\n\n", "from 1 to 32767"), ("7\n\n", "1 to 512"), ("99999\nN\n", "from 1 to 32767")):
        retype(window, administration.entries["number"], typed)
        assert said in note(administration, "technician"), typed


def test_a_seed_sample_is_changed_and_fills_itself_in_from_then_on(
    window: Window, administration: AdministrationWindow, stored: SQLModel
) -> None:
    administration.plots.focus_set()
    administration.plots.selection_set("1")
    window.app.update()
    assert administration.entries["plot"].get() == "1"
    administration.entries["seed"].focus_force()
    administration.entries["seed"].selection_range(0, "end")
    window.type("ZZZ999\n")
    window.until(lambda: "ZZZ999" in note(administration, "plot"), "the answer")
    assert stored.get_current_seed_sample("A", 1) == "ZZZ999"
    window.press("Escape")
    window.until(lambda: not administration.winfo_exists(), "the window to close")
    window.begin_check()
    assert window.text(F.SEED_SAMPLE) == "ZZZ999"


def test_a_seed_sample_of_another_length_is_refused(window: Window, administration: AdministrationWindow) -> None:
    administration.entries["plot"].insert(0, "1")
    administration.entries["seed"].focus_force()
    window.type("AX\n")
    assert "a seed sample has 6" in note(administration, "plot")


def test_a_lab_and_a_plot_are_added(window: Window, administration: AdministrationWindow, stored: SQLModel) -> None:
    administration.entries["letter"].focus_force()
    window.type("F\n")
    administration.entries["count"].delete(0, "end")
    window.type("3\n")
    window.until(lambda: "Lab F added" in note(administration, "lab"), "the answer")
    assert stored.choices().plots["F"] == (1, 2, 3)
    administration.lab.set("F")
    administration.entries["plot"].focus_force()
    window.type("4\nAXM480\n")
    window.until(lambda: "Plot 4 added" in note(administration, "plot"), "the answer")
    assert stored.choices().plots["F"] == (1, 2, 3, 4)
    assert "F" in (window.app.form.choices[F.LAB] or ())


def test_it_opens_once(window: Window, administration: AdministrationWindow) -> None:
    window.app.callbacks["show_administration"]()
    assert [each for each in window.app.winfo_children() if isinstance(each, AdministrationWindow)] == [administration]


def test_what_is_typed_while_the_lists_come_again_stays(
    window: Window, administration: AdministrationWindow
) -> None:
    choose(administration, "4319")
    retype(window, administration.entries["name"], "Half Typ")
    administration.entries["letter"].focus_force()
    window.type("G\n\n")
    window.until(lambda: "Lab G added" in note(administration, "lab"), "the answer")
    window.settle()
    assert administration.entries["number"].get() == "4319" and administration.entries["name"].get() == "Half Typ"


def test_the_next_entry_may_be_typed_while_a_slow_database_still_adds_the_last(
    window: Window, administration: AdministrationWindow, database: dict[str, str]
) -> None:
    with closing(psycopg2.connect(make_dsn(**database))) as other:
        other.cursor().execute("LOCK TABLE lab_techs")
        window.type("4711\nA Newcomer\n")
        retype(window, administration.entries["number"], "4712")
        administration.entries["plot"].focus_force()
        window.type("1")
    window.until(lambda: "added" in note(administration, "technician"), "the answer")
    window.settle()
    assert administration.entries["number"].get() == "4712" and administration.entries["name"].get() == "A Newcomer"
    window.type("2")
    assert administration.entries["plot"].get() == "12"


def press(window: Window, administration: AdministrationWindow, text: str) -> None:
    """Press the button of that text with the keyboard."""
    found = next(each for each in buttons(administration) if str(each.cget("text")) == text)
    found.focus_force()
    window.app.update()
    window.press("Return")


def buttons(widget: tk.Misc) -> list[ttk.Button]:
    found = [widget] if isinstance(widget, ttk.Button) else []
    return found + [each for child in widget.winfo_children() for each in buttons(child)]


def choose(administration: AdministrationWindow, number: str) -> None:
    administration.technicians.selection_set(number)
    administration.update()


def test_a_technician_is_renamed_and_retired_and_used_again(
    window: Window, administration: AdministrationWindow, stored: SQLModel
) -> None:
    choose(administration, "4319")
    assert administration.entries["name"].get() == "P Taylor"
    administration.entries["name"].focus_force()
    administration.entries["name"].selection_range(0, "end")
    window.type("Pat Taylor")
    press(window, administration, "Rename")
    window.until(lambda: "Pat Taylor from now on" in note(administration, "technician"), "the answer")
    assert "Pat Taylor" in (window.app.form.choices[F.TECHNICIAN] or ())
    choose(administration, "4319")
    press(window, administration, "Retire")
    window.until(lambda: "no longer" in note(administration, "technician"), "the answer")
    assert stored.choices().retired_technicians == ("Pat Taylor",)
    assert "Pat Taylor" not in (window.app.form.choices[F.TECHNICIAN] or ())
    choose(administration, "4319")
    assert "retired" in administration.technicians.item("4319", "values")
    press(window, administration, "Use Again")
    window.until(lambda: "again" in note(administration, "technician"), "the answer")
    assert stored.choices().retired_technicians == ()


def test_the_button_of_a_typed_number_says_what_it_does(
    window: Window, administration: AdministrationWindow, stored: SQLModel
) -> None:
    stored.retire_technician(4319, True)
    administration.event_generate("<F5>")
    window.until(lambda: "retired" in administration.technicians.item("4319", "values"), "the state")
    button = administration.retire_buttons["technician"]
    administration.entries["number"].focus_force()
    window.type("431")
    window.until(lambda: str(button.cget("text")) == "Retire", "nobody's number")
    window.type("9")
    window.until(lambda: str(button.cget("text")) == "Use Again", "the retired one's number")
    press(window, administration, "Use Again")
    window.until(lambda: "again" in note(administration, "technician"), "the answer")
    assert stored.choices().retired_technicians == ()


def test_what_was_used_is_not_removed_and_what_was_not_is(
    window: Window, administration: AdministrationWindow, stored: SQLModel
) -> None:
    stored.save_record(record(1, "2026-11-01"))
    choose(administration, "4291")
    press(window, administration, "Remove")
    window.until(lambda: "Retire the name instead" in note(administration, "technician"), "the refusal")
    choose(administration, "4478")
    press(window, administration, "Remove")
    window.until(lambda: "Q Murphy removed" in note(administration, "technician"), "the answer")
    administration.lab.set("E")
    press(window, administration, "Retire Lab")
    window.until(lambda: "Lab E is no longer offered for new records" in note(administration, "lab"), "the answer")
    assert "E" not in (window.app.form.choices[F.LAB] or ()) and "E" in stored.choices().all_labs
    administration.entries["plot"].insert(0, "20")
    press(window, administration, "Remove Plot")
    window.until(lambda: "Plot 20 of lab E removed" in note(administration, "plot"), "the answer")


def test_a_lab_that_is_none(window: Window, administration: AdministrationWindow, stored: SQLModel) -> None:
    for typed, said in (("7\n\n", "one letter"), ("a\n\n", "there is a lab A")):
        retype(window, administration.entries["letter"], typed)
        window.until(lambda said=said: said in note(administration, "lab"), f"the refusal of {typed}")  # type: ignore[misc]
    assert stored.choices().labs == ("A", "B", "C", "D", "E")


def test_with_a_large_font_fields_and_buttons_stay_usable(window: Window) -> None:
    window.app.settings["font size"].set(20)
    window.settle()
    window.app.callbacks["show_administration"]()
    found = next(each for each in window.app.winfo_children() if isinstance(each, AdministrationWindow))
    window.until(lambda: found.technicians.get_children(), "the technicians")
    window.settle()
    right, bottom = found.winfo_rootx() + found.winfo_width(), found.winfo_rooty() + found.winfo_height()
    for each in (*buttons(found), *found.entries.values()):
        assert each.winfo_rootx() + each.winfo_width() <= right and each.winfo_rooty() + each.winfo_height() <= bottom
    bars = [each for tree in (found.technicians, found.plots) for each in tree.master.winfo_children()]
    across = [each for each in bars if isinstance(each, ttk.Scrollbar) and str(each.cget("orient")) == "horizontal"]
    assert len(across) == 2 and not any(each.winfo_manager() for each in across)
    assert found.entries["name"].winfo_width() >= 8 * nametofont("TkTextFont").measure("0")


def test_on_a_small_screen_with_large_letters_tab_brings_each_part_into_sight(window: Window) -> None:
    window.app.settings["font size"].set(20)
    window.settle()
    window.app.callbacks["show_administration"]()
    found = next(each for each in window.app.winfo_children() if isinstance(each, AdministrationWindow))
    found.geometry("768x504+0+0")
    window.until(lambda: (found.winfo_width(), found.winfo_height()) == (768, 504), "the small window")
    window.until(lambda: window.app.focus_get() is found.entries["number"], "the focus")
    window.settle()
    scrolled = next(each for each in everything(found) if isinstance(each, Scrolled))
    assert scrolled.down.winfo_manager() and not scrolled.across.winfo_manager()
    stops: list[tk.Misc] = [found.technicians, found.plots, found.lab, *found.entries.values(), *buttons(found)]
    left = set(stops)
    for _ in stops:
        focused = window.app.focus_get()
        assert focused is not None
        window.until(lambda: is_in_sight(focused, scrolled, found), f"{focused} in sight")  # noqa: B023
        left.discard(focused)
        window.press("Tab")
    assert not left
    window.until(lambda: window.app.focus_get() is found.entries["number"], "the first field again")
    window.type("4291\tA Newcomer\n")
    note = found.notes["technician"]
    window.until(lambda: "is 4291 already" in str(note.cget("text")), "the error")
    window.until(lambda: is_in_sight(note, scrolled, found), "the error in sight")


def is_in_sight(part: tk.Misc, scrolled: Scrolled, window: AdministrationWindow) -> bool:
    room: tk.Misc = scrolled.inside if str(part).startswith(f"{scrolled.inside}.") else window
    left, top = part.winfo_rootx() - room.winfo_rootx(), part.winfo_rooty() - room.winfo_rooty()
    right, bottom = left + part.winfo_width(), top + part.winfo_height()
    return min(left, top) >= 0 and right <= room.winfo_width() and bottom <= room.winfo_height()


def everything(widget: tk.Misc) -> list[tk.Misc]:
    return [widget, *(each for child in widget.winfo_children() for each in everything(child))]


def test_a_lab_without_plots_is_reported_and_nothing_is_saved_there(window: Window, stored: SQLModel) -> None:
    stored.query("INSERT INTO labs (id) VALUES ('F')")
    window.app.refresh()
    window.until(lambda: "F" in (window.app.form.choices.get(F.LAB) or ()), "lab F")
    window.type("8\nf\n")
    window.settle()
    assert window.focus == F.LAB
    assert window.error(F.LAB).startswith("Lab F has no plots: a supervisor adds them")
    assert window.app.form.check_panel.summary.text == "Lab F has no plots."
    window.fill(Technician="J Simms", Plot="1", Seed_sample="AXM477")
    window.fill_readings()
    window.save()
    assert window.error(F.LAB) and window.error(F.PLOT)
    assert stored.get_all_records(True) == []
    stored.add_lab("F", 2)
    window.app.refresh()
    window.until(lambda: window.app.form.choices.get(F.PLOT) == (1, 2), "the plots")
    window.save()
    window.settle()
    assert [each[F.LAB] for each in stored.get_all_records(True)] == ["F"]
