"""The known traps of such forms, each on the real window and the real database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from abq_data_entry import fields
from abq_data_entry.application.entry import SLOW_MS
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from tests.fixtures.window import PATIENCE, Window, close


def record(plot: int, date: str, **changes: object) -> dict[str, object]:
    """A valid record of lab A at 8:00."""
    texts = ("24.09", "1.03", "22.01", "false", "9", "21", "3", "1.67", "8.7", "2.73", "")
    values: dict[str, object] = dict(zip(fields.CSV_HEADER[6:], texts, strict=False))
    values |= {F.DATE: date, F.TIME: "8:00", F.TECHNICIAN: "J Simms", F.LAB: "A", F.PLOT: plot, F.SEED_SAMPLE: "AXM477"}
    return values | {name.replace("_", " "): value for name, value in changes.items()}


def open_plot(window: Window, plot: int) -> None:
    window.app.navigation.go_to_plot(plot)
    window.until(lambda: window.app.form.opened is not None and window.app.form.opened[3] == plot, "the record")


def today(window: Window) -> str:
    return window.text(F.DATE)


LIMITS = (
    ("Humidity", "0.5"), ("Humidity", "52"), ("Light", "0"), ("Light", "100"), ("Temperature", "4"), ("Fruit", "1000"),
)  # fmt: skip


def test_a_value_equal_to_a_limit_is_saved_as_that_decimal(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    for plot, (name, text) in enumerate(LIMITS, 1):
        assert window.text(F.PLOT) == str(plot)
        window.fill_readings()
        window.fill(**{name: text})
        window.save()
        window.settle()
        assert Decimal(str(stored.get_record(today(window), "8:00", "A", plot)[name])) == Decimal(text)


def test_errors_stand_beside_the_fields_and_the_first_has_the_focus(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.fill_readings()
    window.fill(Light="", Blossoms="", Median_Height="99")
    window.save()
    assert window.focus == F.LIGHT
    assert window.error(F.LIGHT) == "Light is required."
    assert window.error(F.BLOSSOMS) == "Blossoms is required."
    assert "is above Max Height" in window.error(F.MEDIAN_HEIGHT)
    assert not window.dialogs
    assert stored.get_all_records() == []


def test_an_error_appears_when_the_focus_leaves_and_goes_when_mended(window: Window) -> None:
    window.begin_check()
    window.type(".\t")
    assert window.error(F.HUMIDITY) == ". isn't a number"
    assert "✗" in str(window.app.form.inputs[F.HUMIDITY].line_below.label.cget("text"))
    window.press("shift+Tab")
    window.type("24")
    assert window.error(F.HUMIDITY) == ""


def test_notes_do_not_grow_at_each_save(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.fill_readings()
    window.app.form.inputs[F.NOTES].focus_set()
    window.type("leaf")
    window.press("shift+Return")
    window.type("spots\n")
    window.until(lambda: window.app.form.check.recorded, "the save")
    for _ in range(3):
        open_plot(window, 1)
        assert window.text(F.NOTES) == "leaf\nspots"
        window.fill(Plants=str(int(window.text(F.PLANTS)) + 1))
        window.save()
    saved = stored.get_record(today(window), "8:00", "A", 1)
    assert (saved[F.NOTES], saved[F.PLANTS]) == ("leaf\nspots", 12)


def test_a_fault_survives_opening_and_saving(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, today(window), Equipment_Fault="true", Humidity="", Light="", Temperature=""))
    window.begin_check()
    open_plot(window, 1)
    assert window.app.form.inputs[F.HUMIDITY].is_disabled
    window.fill(Plants="7")
    window.save()
    saved = stored.get_record(today(window), "8:00", "A", 1)
    assert (saved[F.EQUIPMENT_FAULT], saved[F.HUMIDITY], saved[F.LIGHT], saved[F.PLANTS]) == (True, None, None, 7)
    # The next plot takes readings again.
    assert not window.app.form.inputs[F.HUMIDITY].is_disabled


def test_opening_plot_1_and_entering_plot_2_never_overwrites_plot_1(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, today(window)))
    window.begin_check()
    open_plot(window, 1)
    window.fill(Plot="2", Plants="5")
    assert "plot 1" in str(window.app.form.plot_panel.remark.cget("text"))
    window.save()
    assert stored.get_record(today(window), "8:00", "A", 1)[F.PLANTS] == 9
    assert stored.get_record(today(window), "8:00", "A", 2)[F.PLANTS] == 5


def test_a_new_record_with_an_existing_key_offers_to_open_it(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.fill_readings()
    # Somebody else saves plot 1 in the meantime.
    stored.save_record(record(1, today(window), Technician="P Taylor", Plants="4"))
    window.app.form.submit()
    window.answer("Cancel")  # to the question which of both versions is right
    assert "already" in window.app.status.get()
    assert stored.get_record(today(window), "8:00", "A", 1)[F.PLANTS] == 4
    assert window.text(F.HUMIDITY) == "24.09"  # nothing typed is lost
    window.until(lambda: 1 in window.app.form.check.recorded, "the check to be looked up again")
    assert window.app.form.plot_panel.open_button.winfo_manager()
    window.app.form.plot_panel.open_button.invoke()
    window.until(lambda: window.app.form.opened is not None, "the record")
    assert window.text(F.PLANTS) == "4"


@pytest.mark.parametrize(("keys", "others"), [((), "J Simms"), (("F7",), "P Taylor"), (("F7", "F7"), "J Simms")])
def test_changing_the_technician_changes_what_was_meant(
    window: Window, stored: SQLModel, keys: tuple[str, ...], others: str
) -> None:
    for plot in (1, 2):
        stored.save_record(record(plot, today(window)))
    window.begin_check()
    window.fill_readings()
    window.app.form.inputs[F.TECHNICIAN].focus_set()
    window.type("p\n")
    line = window.app.form.check_panel.technician_line
    window.until(lambda: line.text and line.winfo_ismapped(), "the question")
    assert line.text == "Begun by J Simms; what you save says P Taylor."
    if keys:
        window.press(*keys)
    window.app.form.submit()
    assert not window.dialogs
    window.until(lambda: 3 in window.app.form.check.recorded, "the save")
    assert line.text == "" and not line.winfo_ismapped()
    window.settle()
    names = [each[F.TECHNICIAN] for each in stored.get_all_records()]
    assert names == [others, others, "P Taylor"]
    # Asked once: the next plot is saved without a question.
    window.fill_readings()
    window.save()
    assert not window.dialogs


def test_a_failed_save_leaves_nothing_half_saved_and_the_form_untouched(window: Window, stored: SQLModel) -> None:
    stored.query(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the disk is on fire'; END $$;"
        "CREATE TRIGGER trouble BEFORE INSERT ON plot_checks FOR EACH ROW EXECUTE FUNCTION fail()"
    )
    window.begin_check()
    window.fill_readings()
    before = window.app.form.inputs.texts()
    window.save()
    window.answer("Close")
    assert window.app.form.inputs.texts() == before
    assert stored.query("SELECT * FROM lab_checks") == []
    stored.query("DROP TRIGGER trouble ON plot_checks")
    window.save()
    assert len(stored.get_all_records()) == 1


def test_sticky_fields_and_the_next_plot_after_a_save(window: Window) -> None:
    window.begin_check("12:00", "B", "L Taniff")
    window.fill_readings()
    window.save()
    sticky = [window.text(name) for name in (F.TIME, F.LAB, F.TECHNICIAN, F.PLOT, F.SEED_SAMPLE)]
    assert sticky == ["12:00", "B", "L Taniff", "2", "AXM478"]
    assert window.focus == F.HUMIDITY
    assert not window.app.form.changed


def test_autofill_can_be_switched_off(window: Window) -> None:
    window.app.settings["autofill sheet data"].set(False)
    window.app.settings["autofill date"].set(False)
    window.fill(Date="2026-11-21")
    window.begin_check()
    assert (window.text(F.PLOT), window.text(F.SEED_SAMPLE)) == ("", "")
    window.fill(Plot="4", Seed_sample="AXM480")
    window.fill_readings()
    window.save()
    assert [window.text(name) for name in (F.DATE, F.TIME, F.LAB, F.TECHNICIAN, F.PLOT)] == [""] * 5


def test_previous_readings_stand_beside_the_fields(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, "2026-11-01", Humidity="23.9"))
    window.fill(Date="2026-11-02")
    window.begin_check()
    each = window.app.form.inputs[F.HUMIDITY]
    assert each.line_below.label.cget("text") == "was 23.90"
    assert each.line_below.tooltip.text == "Recorded on 2026-11-01 at 8:00"
    window.app.navigation.go_to_plot(2)
    window.until(lambda: window.text(F.PLOT) == "2", "plot 2")
    assert each.line_below.label.cget("text") == ""


def test_a_check_that_couldnt_be_looked_up_is_looked_up_again_after_a_save(window: Window) -> None:
    window.begin_check()
    key = window.app.form.check_key
    assert key is not None
    window.app.checks._unknown(key, OSError("The database is away."))
    window.fill_readings()
    window.save()
    window.until(lambda: window.app.form.check.known and not window.app.form.check.problem, "the check")
    window.until_known()
    window.until(lambda: (window.text(F.PLOT), window.focus) == ("2", F.HUMIDITY), "the next plot")


def test_what_is_being_typed_survives_a_crash(window: Window, open_window: Callable[[], Window]) -> None:
    window.begin_check()
    window.type("24.09\n1.0")
    window.app.drafts.keep()
    window.settle()
    # As after kill -9: the lock goes with the process, the draft stays.
    window.app.drafts.file.release()
    second = open_window()
    second.until(lambda: second.text(F.HUMIDITY) == "24.09", "the draft")
    assert (second.text(F.TIME), second.text(F.PLOT), second.text(F.LIGHT)) == ("8:00", "1", "1.0")
    second.until(lambda: second.app.data_model, "the database")
    assert "back in the form" in second.app.status.get()
    second.until_known()
    second.fill_readings()
    second.save()
    close(second)
    close(window)


def test_two_windows_do_not_take_each_others_drafts(window: Window, open_window: Callable[[], Window]) -> None:
    window.begin_check()
    window.type("24.09")
    window.app.drafts.keep()
    window.settle()
    second = open_window()
    second.until_open()
    assert second.text(F.HUMIDITY) == ""


def test_keys_typed_during_a_save_get_into_the_next_plot(window: Window, stored: SQLModel) -> None:
    stored.query(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END $$;"
        "CREATE TRIGGER slow BEFORE INSERT ON plot_checks FOR EACH ROW EXECUTE FUNCTION slowly()"
    )
    window.begin_check()
    window.fill_readings()
    window.app.form.inputs[F.MEDIAN_HEIGHT].focus_set()
    window.type("\n31.5\n2\n")
    window.until(lambda: window.text(F.PLOT) == "2" and window.text(F.LIGHT) == "2", "the next plot")
    assert window.text(F.HUMIDITY) == "31.5"
    assert stored.get_record(today(window), "8:00", "A", 1)[F.MEDIAN_HEIGHT] == Decimal("2.73")


def test_another_plot_for_an_opened_record_brings_its_own_seed_sample(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, today(window)))
    window.begin_check()
    open_plot(window, 1)
    window.fill(Plot="2")
    assert window.text(F.SEED_SAMPLE) == "AXM478"
    window.fill(Plot="1")
    assert window.text(F.SEED_SAMPLE) == "AXM477"
    assert not window.app.form.changed


def test_the_lab_typed_over_itself_leaves_the_seed_sample_of_an_opened_record(
    window: Window, stored: SQLModel
) -> None:
    stored.save_record(record(2, today(window)))  # AXM477, where AXM478 grows now
    window.begin_check()
    window.app.form.known.look_up()
    open_plot(window, 2)
    window.app.form.inputs[F.LAB].focus_set()
    window.press("ctrl+a")
    window.type("A\n")
    window.settle()
    assert (window.text(F.SEED_SAMPLE), window.text(F.LAB)) == ("AXM477", "A")
    window.app.form.inputs[F.TIME].focus_set()
    window.press("ctrl+a", "BackSpace")
    window.type("8\n")
    window.settle()
    assert window.text(F.SEED_SAMPLE) == "AXM477" and not window.app.form.changed


def test_a_dialog_that_takes_the_focus_makes_no_field_wrong(window: Window) -> None:
    window.begin_check()
    window.app.callbacks["about"]()
    window.dialog()
    window.app.update()
    assert window.error(F.HUMIDITY) == ""
    window.answer("Close")
    window.until(lambda: window.focus == F.HUMIDITY, "the focus to come back")


def test_heights_that_do_not_fit_are_reported_when_the_focus_leaves(window: Window) -> None:
    window.begin_check()
    window.app.form.inputs[F.MIN_HEIGHT].focus_set()
    window.type("5\n3\n")
    assert window.error(F.MAX_HEIGHT) == "3 cm is below Min Height (5 cm)"
    assert window.focus == F.MAX_HEIGHT  # a field that is wrong keeps the focus
    window.type("8\n4\n")
    assert window.error(F.MEDIAN_HEIGHT) == "4 cm is below Min Height (5 cm)"
    assert window.error(F.MAX_HEIGHT) == ""
    window.press("shift+Tab", "shift+Tab")
    window.type("3")
    assert window.error(F.MEDIAN_HEIGHT) == ""  # it fits by now


def test_looking_at_a_colleagues_record_leaves_no_name_behind(window: Window, stored: SQLModel) -> None:
    stored.save_record(record(1, today(window), Technician="P Taylor"))
    window.begin_check(technician="J Simms")
    open_plot(window, 1)
    assert window.text(F.TECHNICIAN) == "P Taylor"
    window.app.callbacks["new_record"]()
    window.settle()
    assert (window.text(F.TECHNICIAN), window.text(F.PLOT)) == ("J Simms", "2")


def test_a_look_at_the_check_from_before_a_save_hides_nothing(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked up while the save was under way, and answered after it."""
    window.begin_check()
    model, gate, looked = window.app.data_model, threading.Event(), threading.Event()
    assert model is not None
    look = model.get_check

    def slow(*key: Any) -> Any:
        found = look(*key)
        looked.set()
        gate.wait(PATIENCE)
        return found

    with monkeypatch.context() as during:
        during.setattr(model, "get_check", slow)
        window.app.form.known.look_up()
        window.until(looked.is_set, "the look")
    window.fill_readings()
    window.save()
    assert set(window.app.form.check.recorded) == {1}
    gate.set()
    window.settle()
    assert set(window.app.form.check.recorded) == {1}


@pytest.mark.parametrize("pause", [0.0, 0.8])
def test_a_save_that_takes_a_while_says_so(window: Window, stored: SQLModel, pause: float) -> None:
    stored.query(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN PERFORM pg_sleep({pause}); RETURN NEW; END $$;"
        "CREATE TRIGGER slow BEFORE INSERT ON plot_checks FOR EACH ROW EXECUTE FUNCTION slowly()"
    )
    window.begin_check()
    window.fill_readings()
    said: list[str] = []
    window.app.status.trace_add("write", lambda *_: said.append(window.app.status.get()))
    begun = time.monotonic()
    window.save()
    took = time.monotonic() - begun
    told = any(text.startswith("Saving…") for text in said)
    assert told if pause else not told or took > SLOW_MS / 1000  # on a busy machine every save may take a while
    assert said[-1].startswith("Plot 1, lab A, 8:00: saved")


def test_what_the_form_offers_has_the_name_that_the_menu_has(window: Window) -> None:
    from abq_data_entry.mainmenu import ALL_COMMANDS, DISCARD

    assert str(window.app.form.save_bar.discard_button.cget("text")) == DISCARD.text
    assert not any("Clear" in command.text for command in ALL_COMMANDS)


def test_a_save_parses_no_field_that_was_parsed_while_it_was_typed(
    window: Window, stored: SQLModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    window.begin_check()
    window.fill_readings()
    window.app.update()
    parsed: list[str] = []
    parse = fields.parse

    def counting(field: fields.Field, text: str, choices: fields.Choices | None = None) -> object:
        parsed.append(field.name)
        return parse(field, text, choices)

    monkeypatch.setattr(fields, "parse", counting)
    window.app.form.submit()
    assert window.app.form.saving and set(parsed) <= {F.SEED_SAMPLE, F.EQUIPMENT_FAULT, F.NOTES}  # nobody typed there
    window.until(lambda: not window.app.form.saving, "the save")
    assert stored.get_record(today(window), "8:00", "A", 1)[F.HUMIDITY] == Decimal("24.09")


def test_what_was_typed_is_looked_at_again_when_the_list_has_changed(window: Window, stored: SQLModel) -> None:
    window.begin_check(technician="P Taylor")
    window.fill_readings()
    technician = window.app.form.inputs[F.TECHNICIAN]
    assert technician.value() == "P Taylor"
    window.app.form.inputs.offer({F.TECHNICIAN: ("J Simms", "Q Murphy")})
    window.save()
    assert "isn't one of J Simms or Q Murphy" in technician.error
    assert not window.app.form.check.recorded


def test_a_number_that_was_typed_into_the_fault_isnt_saved_with_it(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.fill_readings()
    fault = window.app.form.inputs[F.EQUIPMENT_FAULT]
    assert fault.value() is False
    fault.focus_set()
    window.type("9")
    window.until(lambda: fault.error, "the mark")
    window.save()
    assert fault.error and not window.app.form.check.recorded


def test_only_somebodys_edits_are_announced(window: Window) -> None:
    inputs, told = window.app.form.inputs, list[str]()
    for name, each in inputs.items():
        each.editor.bind("<<Edited>>", lambda _event, name=name: told.append(name), add=True)  # type: ignore[misc]
    for name, value in record(3, today(window), Notes="Wet.", Equipment_Fault="true").items():
        inputs[name].fill(str(value))
    window.settle()
    assert told == [] and inputs[F.NOTES].text == "Wet." and inputs[F.EQUIPMENT_FAULT].text == "true"
    for name, text in ((F.FRUIT, "4"), (F.NOTES, "Dry."), (F.EQUIPMENT_FAULT, "false")):
        inputs[name].editor.edit_text(text)
        window.settle()
    assert told == [F.FRUIT, F.NOTES, F.EQUIPMENT_FAULT]
