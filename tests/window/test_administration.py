"""The window of technicians, labs and plots: by the keyboard, with the real database."""

from __future__ import annotations

import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.views.administration import AdministrationWindow
from tests.fixtures.window import Window


@pytest.fixture
def administration(window: Window) -> AdministrationWindow:
    """The window, with what is there."""
    window.app.callbacks["show_administration"]()
    found = next(each for each in window.app.winfo_children() if isinstance(each, AdministrationWindow))
    window.until(lambda: found._technicians.get_children(), "the technicians")
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


def test_a_number_that_is_taken_is_said_in_place_and_all_stays(
    window: Window, administration: AdministrationWindow, stored: SQLModel
) -> None:
    window.type("4291\nA Newcomer\n")
    window.until(lambda: "J Simms is 4291 already" in note(administration, "technician"), "the error")
    assert note(administration, "technician").startswith("✗")
    assert administration.entries["name"].get() == "A Newcomer"
    assert "A Newcomer" not in stored.choices().technicians


@pytest.mark.parametrize(
    ("typed", "said"), [("x\n\n", "from 1 to 32767"), ("99999\nN\n", "from 1 to 32767"), ("7\n\n", "1 to 512")]
)
def test_what_makes_no_sense_is_never_asked_of_the_database(
    window: Window, administration: AdministrationWindow, typed: str, said: str
) -> None:
    window.type(typed)
    assert said in note(administration, "technician")


def test_a_seed_sample_is_changed_and_fills_itself_in_from_then_on(
    window: Window, administration: AdministrationWindow, stored: SQLModel
) -> None:
    administration._plots.focus_set()
    administration._plots.selection_set("1")
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
