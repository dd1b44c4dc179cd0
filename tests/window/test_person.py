"""Who sits at the window: Technician is a stop until somebody is confirmed, and only who is confirmed did it."""

from __future__ import annotations

import time

import pytest

from abq_data_entry.application.state import account
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.views.form_content import PAUSE_SECONDS, Confirmation
from tests.fixtures.window import Window
from tests.window.test_form import open_plot, record, today

VALUES = "24.09\n1.03\n22.01\n9\n21\n3\n1.67\n8.70\n2.73\n"


@pytest.fixture
def begun(window: Window, stored: SQLModel) -> Window:
    """A window before the check of lab A at 8:00, in which J Simms has recorded plot 1."""
    stored.save_record(record(1, today(window)), author="J Simms")
    return window


def authors(stored: SQLModel, window: Window, plot: int) -> list[str]:
    return [each.application_user for each in stored.get_history(today(window), "8:00", "A", plot)]


def chosen(window: Window) -> bool:
    editor = window.app.form.inputs[F.TECHNICIAN].editor
    return bool(editor.selection_present()) and editor.selection_get() == editor.text  # type: ignore[union-attr]


def go_to_technician(window: Window) -> None:
    window.type("8\na\n")
    window.until_known()


def test_technician_is_a_stop_where_a_colleague_began_and_enter_takes_the_name(begun: Window) -> None:
    go_to_technician(begun)
    assert (begun.focus, begun.text(F.TECHNICIAN), begun.app.form.person) == (F.TECHNICIAN, "J Simms", "")
    begun.until(lambda: chosen(begun), "the name to be selected")
    begun.press("Return")
    assert (begun.focus, begun.app.form.person) == (F.HUMIDITY, "J Simms")


def test_typing_replaces_the_colleagues_name(begun: Window, stored: SQLModel) -> None:
    go_to_technician(begun)
    begun.type("p\n" + VALUES)
    begun.until(lambda: 2 in begun.app.form.check.recorded, "the save")
    assert stored.get_record(today(begun), "8:00", "A", 2)[F.TECHNICIAN] == "P Taylor"
    assert authors(stored, begun, 2) == ["P Taylor"]


def test_the_confirmed_name_fills_itself_in_where_a_colleague_began(begun: Window) -> None:
    begun.type("8\nb\np\n")
    begun.until(lambda: begun.focus == F.HUMIDITY, "the first reading")
    begun.press("shift+Tab", "shift+Tab", "shift+Tab", "shift+Tab")
    assert begun.focus == F.LAB
    begun.type("a\n")
    begun.until(lambda: begun.app.form.check.known and begun.focus == F.HUMIDITY, "the first reading")
    begun.until_known()
    assert (begun.text(F.TECHNICIAN), begun.text(F.PLOT)) == ("P Taylor", "2")
    assert "Begun by J Simms" in begun.app.form.check_panel.technician_line.text


def test_a_save_without_a_confirmed_person_stops_at_technician(begun: Window, stored: SQLModel) -> None:
    go_to_technician(begun)
    begun.press("Tab")  # passes the name that filled itself in, and confirms nobody
    begun.app.form.inputs[F.HUMIDITY].focus_set()
    begun.type(VALUES)
    assert begun.focus == F.TECHNICIAN and not begun.app.form.saving
    assert "Who are you?" in str(begun.app.form.inputs[F.TECHNICIAN].line_below.label.cget("text"))
    begun.type("q\n")
    assert begun.focus == F.MEDIAN_HEIGHT  # where the save was stopped
    begun.press("Return")
    begun.until(lambda: 2 in begun.app.form.check.recorded, "the save")
    assert stored.get_record(today(begun), "8:00", "A", 2)[F.TECHNICIAN] == "Q Murphy"


def test_who_corrects_a_colleagues_record_is_never_the_colleague(begun: Window, stored: SQLModel) -> None:
    go_to_technician(begun)
    open_plot(begun, 1)
    begun.fill(Plants="7")
    begun.save()
    assert stored.get_record(today(begun), "8:00", "A", 1)[F.PLANTS] == 7
    assert authors(stored, begun, 1) == ["J Simms", account()]
    begun.app.form.inputs[F.TECHNICIAN].focus_set()
    begun.type("p\n")
    open_plot(begun, 1)
    begun.fill(Plants="8")
    begun.save()
    assert authors(stored, begun, 1)[-1] == "P Taylor"
    assert stored.get_record(today(begun), "8:00", "A", 1)[F.TECHNICIAN] == "J Simms"


def test_a_name_that_filled_itself_in_is_not_announced_to_the_others(begun: Window, stored: SQLModel) -> None:
    go_to_technician(begun)
    begun.fill(Humidity="24")
    key = (today(begun), "8:00", "A")
    begun.until(lambda: stored.get_presence(*key), "the presence")
    assert [each.who for each in stored.get_presence(*key)] == [account()]


def test_four_hours_without_a_key_end_the_confirmation(begun: Window) -> None:
    go_to_technician(begun)
    begun.type("p\n24")
    assert begun.app.form.person == "P Taylor"
    begun.app.form.confirmation.now = lambda: time.time() + PAUSE_SECONDS + 1
    begun.type("\n1\n22\n9\n21\n3\n1.67\n8.70\n2.73\n")
    assert begun.focus == F.TECHNICIAN and not begun.app.form.saving and chosen(begun)
    begun.press("Return")
    assert begun.app.form.person == "P Taylor"


def test_keys_keep_the_confirmation() -> None:
    now = [0.0]
    confirmation = Confirmation(lambda: now[0])
    confirmation.confirm("P Taylor")
    for now[0] in (PAUSE_SECONDS, 2 * PAUSE_SECONDS):
        confirmation.key_pressed()
    assert confirmation.name == "P Taylor"
    now[0] = 3 * PAUSE_SECONDS + 1
    confirmation.key_pressed()  # too late: it may be anybody's
    assert confirmation.name == ""


def test_another_login_ends_the_confirmation(begun: Window) -> None:
    go_to_technician(begun)
    begun.type("p\n")
    begun.app.form.who.forget()  # as a login under another name does
    assert begun.app.form.person == ""
    begun.app.form.focus_first_empty()
    assert begun.focus == F.TECHNICIAN


def test_a_name_picked_from_the_list_is_confirmed(begun: Window) -> None:
    go_to_technician(begun)
    editor = begun.app.form.inputs[F.TECHNICIAN].editor
    editor.edit_text("L Taniff")
    editor.event_generate("<<ComboboxSelected>>")
    assert begun.app.form.person == "L Taniff"
