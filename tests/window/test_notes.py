"""Notes to the next shift: shown where they belong, written and done by keys, kept where they can't be stored."""

from __future__ import annotations

import datetime

import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.models.marks import Subject
from abq_data_entry.views.noted_places import Notes, notes_line
from abq_data_entry.views.notes import DONE, HandoverWindow, NoteDialog
from tests.fixtures.window import Window
from tests.models.test_notes import HOSTILE

DAY = datetime.date(2026, 11, 20)
NOTES: Notes = {
    ("A",): ["The door sticks."], ("A", 3): ["Lamp."], ("A", 4): ["Leaf."], (DAY, "8:00", "A"): ["18 to 20 missing."],
    ("B",): ["Theirs."],
}  # fmt: skip


@pytest.mark.parametrize(
    ("lab", "check", "plot", "expected"),
    [
        ("A", (DAY, "8:00", "A"), 3, "3 notes (Go ‣ Handover lists 4): to plot 3: Lamp. · to this check: 18 to 20"
         " missing. · to lab A: The door sticks."),
        ("A", (DAY, "12:00", "A"), None, "Note (Go ‣ Handover lists 4): to lab A: The door sticks."),
        ("B", None, None, "Note: to lab B: Theirs."),
        ("C", None, 3, ""), (None, None, None, ""),
    ],
)  # fmt: skip
def test_the_line_says_what_belongs_to_the_place(
    lab: str | None, check: tuple[datetime.date, str, str] | None, plot: int | None, expected: str
) -> None:
    assert notes_line(NOTES, lab, check, plot) == expected


def test_the_line_leads_to_notes_of_other_places() -> None:
    assert notes_line({("A", 4): ["Leaf."]}, "A", None, 3) == "1 note is to plots or checks of lab A: Go ‣ Handover"


def line(window: Window) -> str:
    """What the head of the form says beside the plots."""
    return window.app.form.check_panel.others.text


def handover(window: Window) -> HandoverWindow:
    """The open page, with the keyboard."""
    window.until(lambda: any(isinstance(each, HandoverWindow) for each in window.app.winfo_children()), "the page")
    found = next(each for each in window.app.winfo_children() if isinstance(each, HandoverWindow))
    window.until(lambda: window.app.focus_get() is found.tree, "the focus in the page")
    return found


def states(page: HandoverWindow) -> list[tuple[str, str]]:
    """To what and how each listed note is."""
    rows = [page.tree.item(each, "values") for each in page.tree.get_children()]
    return [(str(row[0]), str(row[1])) for row in rows]


def test_a_note_is_written_shown_done_and_opened_again_by_keys(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.press("ctrl+shift+n")
    asked = window.dialog()
    assert isinstance(asked, NoteDialog) and asked.boxes["To"].get() == "Lab A"
    window.press("Return")
    assert window.dialogs and "Words are required" in str(asked.note.cget("text"))
    window.type("The door sticks.\n")
    window.until(lambda: line(window) == "Note: to lab A: The door sticks.", "the note in the head")
    (note,) = stored.get_notes()
    assert (note.subject, note.written_by.split(" (")[0]) == (Subject("A"), "J Simms")

    # From elsewhere: whoever types goes on typing.
    window.app.form.inputs[F.HUMIDITY].focus_set()
    window.type("24.09")
    window.press("Return")
    plot = stored.write_note(Subject("A", 1), HOSTILE)
    stored.write_note(Subject("A", 9), "Leaf spots.")
    window.until(lambda: line(window).startswith("2 notes (Go ‣ Handover lists 3): to plot 1: '); DROP"), "the others")
    assert "\n" not in line(window) and "\u202e" not in line(window)
    assert (window.focus, window.text(F.HUMIDITY)) == (F.LIGHT, "24.09")

    window.press("ctrl+shift+o")
    page = handover(window)
    window.until(lambda: len(states(page)) == 3, "the notes")
    assert states(page) == [("lab A", "open"), ("lab A, plot 1", "open"), ("lab A, plot 9", "open")]
    window.press("Down")
    window.until(lambda: HOSTILE in page.detail.text.get("1.0", "end"), "all that it says")
    window.press("alt+d")
    window.until(lambda: ("lab A, plot 1", "done") in states(page), "the note to be done")
    window.until(lambda: line(window).startswith("Note (Go ‣ Handover lists 2): to lab A"), "it to go from the head")
    assert stored.get_note(plot).done_by.startswith("J Simms")
    window.until(lambda: DONE not in page.allowed, "what can be done now")
    window.press("alt+n")
    window.until(lambda: stored.get_note(plot).done is None, "the note to be open again")
    window.until(lambda: ("lab A, plot 1", "open") in states(page), "it to be listed so")

    # What the database can't take is kept.
    window.until(lambda: window.app.focus_get() is page.tree, "the focus in the page")
    window.press("alt+w")
    asked = window.dialog()
    window.type("Heater is off.")
    window.app.reconnecting.lost(ConnectionError("a cable"), by_itself=False)
    asked.buttons[0].invoke()  # no key: nothing may come back before it
    window.until(lambda: window.dialogs and "database is away" in window.dialogs[-1].detail, "why it isn't taken")
    assert "What you typed is kept" in window.dialog().detail
    window.answer("Close")
    window.app.reconnecting.lost(ConnectionError("a cable"), by_itself=False)
    window.app.handover.write()
    assert not window.dialogs and "when the database is back" in str(page.status_label.cget("text"))
    window.app.reconnecting.retry_now()
    window.until(lambda: window.app.shared.reachable is not None and DONE in page.allowed, "the database")
    window.settle()
    window.app.callbacks["write_note"]()
    window.until(lambda: isinstance(window.dialog(), NoteDialog), "the dialog once more")
    window.press("Return")
    window.until(lambda: "Heater is off." in {each.words for each in stored.get_notes("A")}, "the note")
    window.settle()

    # Where large text leaves no room for the head of the form, the status bar says what belongs to the plot.
    stored.write_note(Subject("A", 2), "Wet leaves.")
    window.app.settings["font size"].set(20)
    window.app.geometry("800x600")
    window.settle()
    window.app.form.inputs[F.MEDIAN_HEIGHT].focus_set()
    window.settle()
    told: list[str] = []
    window.app.status.trace_add("write", lambda *_names: told.append(window.app.status.get()))
    window.app.form.begin_new(plot=2)
    window.until(lambda: any("to plot 2: Wet leaves." in each for each in told), "the note in the status bar")
