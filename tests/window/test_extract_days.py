"""After midnight: which day is sent and exported, and what the window shows of the last days."""

from __future__ import annotations

import datetime
import uuid
from pathlib import Path
from tkinter import filedialog
from typing import Any

import pytest

from abq_data_entry.application.extract_days import shown, which_day
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.models.extract import ExtractDay, SentExtract
from abq_data_entry.views import LoginDialog
from abq_data_entry.views.dialogs import DayDialog
from abq_data_entry.workflows.deliver_day import last_days
from tests.fixtures.servers import BundledServer
from tests.fixtures.window import Window
from tests.window.test_form import record
from tests.window.test_tools import REST_TITLE, log_in, point_to, rest_settings, status

TODAY = datetime.date.today()
YESTERDAY = TODAY - datetime.timedelta(1)
BEFORE = TODAY - datetime.timedelta(2)
MOMENT = datetime.datetime(2026, 11, 25, 20, 41, tzinfo=datetime.timezone.utc)


def day(date: datetime.date, records: int = 3, rest: SentExtract | None = None) -> ExtractDay:
    return ExtractDay(date, records, {} if rest is None else {"rest": rest}, ("rest",))


OUT, OUTDATED = SentExtract(MOMENT, False, 1), SentExtract(MOMENT, True, 1)


@pytest.mark.parametrize(
    ("days", "meant"),
    [
        ([day(YESTERDAY), day(TODAY)], TODAY),
        ([day(YESTERDAY), day(TODAY, 0)], [YESTERDAY]),
        ([day(BEFORE), day(YESTERDAY, 3, OUTDATED), day(TODAY, 0)], [YESTERDAY, BEFORE]),
        ([day(YESTERDAY, 3, OUT), day(TODAY, 3, OUT)], TODAY),
        ([day(YESTERDAY), day(TODAY, 3, OUT)], [TODAY, YESTERDAY]),
        ([day(YESTERDAY, 3, OUT), day(TODAY, 0)], None),
        ([day(YESTERDAY, 0), day(TODAY, 0)], None),
    ],
)
def test_which_day_is_meant(days: list[ExtractDay], meant: object) -> None:
    found = which_day(days, TODAY, "rest")
    assert ([each.date for each in found] if isinstance(found, list) else found) == meant


def test_what_is_shown_of_a_day() -> None:
    assert shown(day(YESTERDAY), TODAY)[1:4] == ("not sent", False, False)
    assert shown(day(YESTERDAY, 3, OUTDATED), TODAY).state == "changed since"
    assert shown(day(YESTERDAY, 3, SentExtract(waits=True)), TODAY).state == "waits"
    out = shown(day(TODAY, 3, OUT), TODAY)
    assert out.state.startswith("sent ") and (out.delivered, out.today, out.mark) == (True, True, "✓")
    assert last_days(TODAY)[-1] == TODAY and len(last_days(TODAY)) == 8
    both = ExtractDay(YESTERDAY, 3, {"rest": OUT}, ("ftp", "rest"))
    assert shown(both, TODAY).state == "not sent" and "FTP: not sent; REST: sent" in shown(both, TODAY).details


def delivered(stored: SQLModel, date: datetime.date, kind: str = "rest", state: str = "delivered") -> None:
    """The row of a delivery, as another workstation writes it."""
    now = datetime.datetime.now(datetime.timezone.utc)
    stored.record_deliveries([
        {
            "id": uuid.uuid4().hex,
            "created": now,
            "date": date,
            "file_name": f"abq_data_record_{date}.csv",
            "version": 1,
            "destination": kind,
            "address": "http://elsewhere",
            "username": "qa",
            "size": 1,
            "sha256": "0" * 64,
            "state": state,
            "attempts": 1,
            "last_attempt": now,
            "delivered": now if state == "delivered" else None,
            "reason": None,
            "revision": 1,
            "audit_head": stored.audit_heads(date) or None,
        }
    ])


def texts(window: Window) -> list[str]:
    return window.app.status_bar.extracts.texts


def test_the_model_knows_what_went_out(model: SQLModel) -> None:
    for plot in (1, 2):
        model.save_record(record(plot, str(YESTERDAY)))
    assert model.extract_days([YESTERDAY, TODAY]) == [ExtractDay(YESTERDAY, 2), ExtractDay(TODAY, 0)]
    delivered(model, YESTERDAY)
    (found,) = model.extract_days([YESTERDAY])
    assert found.destinations == ("rest",) and found.went_out("rest") and not found.went_out("ftp")
    model.save_record(record(3, str(YESTERDAY)))
    (found,) = model.extract_days([YESTERDAY])
    assert not found.went_out("rest") and found.sent["rest"].outdated and found.records == 3
    delivered(model, YESTERDAY, "ftp", "waiting")
    (found,) = model.extract_days([YESTERDAY])
    assert found.sent["ftp"].waits and not found.went_out("ftp")


def test_an_evening_check_that_is_finished_after_midnight_is_sent_as_what_it_is(
    window: Window, stored: SQLModel, rest_server: BundledServer
) -> None:
    point_to(window, **rest_settings(rest_server))
    window.begin_check("20:00", "E")
    window.fill_readings()
    window.save()
    tomorrow = TODAY + datetime.timedelta(1)
    window.app.shared.clock = lambda: tomorrow
    window.app.new_day.follow()
    assert window.text(F.DATE) == str(TODAY)
    window.press("ctrl+shift+r")
    log_in(window, REST_TITLE, "test", "test")
    window.until(lambda: "successfully" in status(window), "the upload")
    assert status(window) == f"abq_data_record_{TODAY}.csv successfully uploaded to REST API."
    window.until(lambda: texts(window) and "✓" in texts(window)[0], "the day to be out")
    # It stays there when something else is said, and follows what is saved later.
    window.fill_readings()
    window.save()
    window.until(lambda: "changed since" in texts(window)[0] and "✗" in texts(window)[0], "the change")


@pytest.mark.parametrize(("typed", "date", "asked"), [("25", "2026-11-25", False), ("31.11.", "31.11.", True)])
def test_a_date_that_was_just_typed_is_the_day_that_is_sent(
    window: Window, stored: SQLModel, rest_server: BundledServer, typed: str, date: str, asked: bool
) -> None:
    """Never another day than the one that stands there, only because the field wasn't left yet."""
    point_to(window, **rest_settings(rest_server))
    window.app.shared.clock = lambda: datetime.date(2026, 11, 26)
    for day_of_month in (25, 26):
        stored.save_record(record(1, f"2026-11-{day_of_month}"))
    window.begin_check()
    window.app.form.inputs[F.DATE].focus_set()
    window.type(typed)
    window.press("ctrl+shift+r")
    dialog = window.dialog()
    assert window.text(F.DATE) == date and bool(window.error(F.DATE)) == asked
    if asked:
        assert isinstance(dialog, DayDialog)
        window.press("Return")
        window.until(lambda: any(isinstance(each, LoginDialog) for each in window.dialogs), "the login")
    log_in(window, REST_TITLE, "test", "test")
    window.until(lambda: "successfully" in status(window), "the upload")
    assert status(window).startswith(f"abq_data_record_2026-11-{26 if asked else 25}.csv")


def test_the_day_is_asked_for_where_the_form_has_none_to_send(
    window: Window, stored: SQLModel, rest_server: BundledServer
) -> None:
    point_to(window, **rest_settings(rest_server))
    for date in (YESTERDAY, BEFORE):
        stored.save_record(record(1, str(date)))
    window.press("ctrl+shift+r")
    dialog = window.dialog()
    assert isinstance(dialog, DayDialog) and [date for date, _ in dialog.days] == [YESTERDAY, BEFORE]
    assert "1 record. REST: not sent" in dialog.days[0][1]
    days = dialog.choices
    window.until(lambda: window.app.focus_get() is days[0], "the focus")
    window.press("Down")
    window.until(lambda: window.app.focus_get() is days[1], "the other day")
    assert [str(each.cget("text"))[0] for each in days] == ["○", "●"]
    window.press("Return")
    window.until(lambda: any(isinstance(each, LoginDialog) for each in window.dialogs), "the login")
    log_in(window, REST_TITLE, "test", "test")
    window.until(lambda: "successfully" in status(window), "the upload")
    assert f"abq_data_record_{BEFORE}.csv" in status(window)
    # Only one is left, and it is asked about too; Cancel sends nothing.
    window.app.callbacks["upload_to_corporate_rest"]()
    dialog = window.dialog()
    assert isinstance(dialog, DayDialog) and [date for date, _ in dialog.days] == [YESTERDAY]
    window.answer("Cancel")
    assert status(window) == "Nothing was sent"
    assert rest_server.output().count("PUT request received") == 1


def test_the_export_takes_the_day_of_the_form(
    window: Window, stored: SQLModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def choose(**options: Any) -> str:
        asked.append(options["initialfile"])
        return str(tmp_path / options["initialfile"])

    monkeypatch.setattr(filedialog, "asksaveasfilename", choose)
    stored.save_record(record(1, str(BEFORE)))
    window.fill(Date=str(BEFORE))
    window.app.form.inputs[F.HUMIDITY].focus_set()
    window.settle()
    window.press("ctrl+e", "2", "4", "period")
    window.message("Which file?")
    window.press("0", "9")
    assert window.text(F.HUMIDITY) == "24.09" and not asked
    window.press_message("Choose…")
    window.until(lambda: "exported" in status(window), "the export")
    window.fill(Humidity="")
    assert asked == [f"abq_data_record_{BEFORE}.csv"] and (tmp_path / asked[0]).exists()
    window.fill(Date=str(TODAY))
    window.app.callbacks["export_extract"]()
    assert isinstance(window.dialog(), DayDialog)
    window.answer("Export")
    window.until(lambda: len(asked) == 2, "the second export")
    window.settle()
    stored.query("DELETE FROM plot_checks")
    window.app.callbacks["export_extract"]()
    assert window.dialog().message == "There are no records to export"


def test_the_row_of_the_last_days_is_reached_and_used_by_keys(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    for date in (BEFORE, YESTERDAY, TODAY):
        stored.save_record(record(1, str(date)))
    delivered(stored, BEFORE)  # by another workstation
    window.until(lambda: len(texts(window)) == 3, "the days")
    window.app.extract_days.look_soon()
    window.until(lambda: "✓" in texts(window)[0], "the one that is out")
    assert "✗ not sent" in texts(window)[1] and texts(window)[2] == "today ○ not sent"
    extracts = window.app.status_bar.extracts
    assert "REST: sent" in extracts.days[0].details
    window.press("ctrl+shift+e")
    window.until(lambda: window.app.focus_get() is extracts.buttons[1], "the first that isn't out")
    window.press("Right", "Right", "Left", "Left")
    assert window.app.focus_get() is extracts.buttons[0]
    opened: list[datetime.date] = []
    extracts.offer((("Upload to REST", opened.append),))
    window.press("Return")
    window.until(lambda: [each for each in extracts.winfo_children() if each.winfo_class() == "Menu"], "the menu")
    window.press("Down", "Return")
    window.until(lambda: opened == [BEFORE], "the command")
    extracts.buttons[0].focus_force()
    window.press("Escape")
    window.until(lambda: window.app.form.focused is not None, "the form")


def test_a_narrow_window_shows_the_marks(window: Window, stored: SQLModel) -> None:
    for date in (BEFORE, YESTERDAY, TODAY):
        stored.save_record(record(1, str(date)))
    window.app.extract_days.look_soon()
    window.until(lambda: len(texts(window)) == 3, "the days")
    window.resize("640x480")
    window.until(lambda: [each[-1] for each in texts(window)] == ["✗", "✗", "○"], "the marks alone")
    window.resize("1180x800")
    window.until(lambda: all(each.endswith(" not sent") for each in texts(window)), "the words")
