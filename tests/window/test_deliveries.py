"""Uploads of the window stand in the outbox: tried again while it is open, offered at the next start."""

from __future__ import annotations

import datetime
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.models import SQLModel
from abq_data_entry.outbox import Outbox, OutboxError, Place, deliver
from abq_data_entry.views import LoginDialog
from abq_data_entry.views.deliveries import DeliveriesWindow
from abq_data_entry.workflows.deliver_day import Outcome
from tests.commands.test_deliveries import Service
from tests.fixtures.window import Window
from tests.network.faults import serving
from tests.outbox.conftest import rewrite
from tests.outbox.test_sending import arriving
from tests.window.test_form import record
from tests.window.test_tools import EXTRACT, REST_TITLE, TODAY, log_in, point_to, status, told

SENT = f"{EXTRACT} successfully uploaded to REST API."


@pytest.fixture
def service() -> Iterator[tuple[Service, dict[str, Any]]]:
    """A REST service that refuses at first, and the settings that lead to it."""
    made = Service()
    with serving(made) as port:
        address = f"http://127.0.0.1:{port}"
        yield made, {"abq_auth_url": f"{address}/auth", "abq_upload_url": f"{address}/upload"}


def box() -> Outbox:
    return Outbox(Path(os.environ["ABQ_DATA_DIR"]) / "outbox")


def upload(window: Window) -> None:
    window.app.callbacks["upload_to_corporate_rest"]()
    log_in(window, REST_TITLE, "test", "test")


def failure(window: Window) -> str:
    window.until(lambda: window.dialogs and not isinstance(window.dialogs[-1], LoginDialog), "the failure")
    return told(window)


def states(stored: SQLModel) -> list[object]:
    rows = stored.query("SELECT version, state FROM deliveries ORDER BY version")
    return [tuple(row.values()) for row in rows or []]


def test_what_may_pass_is_tried_again_by_itself(
    window: Window, stored: SQLModel, service: tuple[Service, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("abq_data_entry.outbox.retry_policy.FIRST_PAUSE", 0.2)
    there, settings = service
    there.answer = there.answer.replace(b"Retry-After: 600", b"Retry-After: 0")
    stored.save_record(record(1, str(TODAY)))
    point_to(window, **settings)
    upload(window)
    text = failure(window)
    assert "503" in text and "It is tried again at " in text
    there.recover()
    window.until(lambda: status(window) == SENT, "the next attempt")
    assert not window.dialogs and len(there.received) == 1
    assert states(stored) == [(1, "delivered")]


def test_a_new_version_takes_the_place_of_the_planned_attempt(
    window: Window, stored: SQLModel, service: tuple[Service, dict[str, Any]]
) -> None:
    there, settings = service
    stored.save_record(record(1, str(TODAY)))
    point_to(window, **settings)
    upload(window)
    failure(window)
    timers = window.app.deliveries._timers
    assert len(timers) == 1
    there.recover()
    stored.save_record(record(2, str(TODAY)))
    upload(window)
    window.until(lambda: status(window) == SENT, "the upload")
    assert not timers and states(stored) == [(1, "cancelled"), (2, "delivered")]
    assert len(there.received) == 1 and there.received[0].count(b"\r\n2") >= 2


def put_in(stored: SQLModel, settings: dict[str, Any]) -> None:
    """As a window left it that was closed before the attempt succeeded."""
    stored.save_record(record(1, str(TODAY)))
    box().add(stored, TODAY, Place("rest", str(settings["abq_upload_url"])), "test")


@pytest.mark.parametrize("answer", ["Deliver Now", "Later"])
def test_what_waits_is_offered_at_the_start(
    open_window: Callable[[], Window], stored: SQLModel, settings: dict[str, Any], answer: str,
    service: tuple[Service, dict[str, Any]],
) -> None:  # fmt: skip
    there, addresses = service
    there.recover()
    settings.update(addresses)
    put_in(stored, addresses)
    window = open_window()
    assert EXTRACT in window.message("An extract waits to be delivered.").detail
    window.press_message(answer)
    if answer == "Later":
        window.settle()
        assert not window.dialogs and not there.received and box().deliveries()[0].state == "waiting"
        return
    log_in(window, REST_TITLE, "test", "test")
    window.until(lambda: status(window) == SENT, "the delivery")
    assert len(there.received) == 1 and states(stored) == [(1, "delivered")]


def test_no_password_is_asked_for_what_another_program_has_sent_meanwhile(
    open_window: Callable[[], Window], stored: SQLModel, settings: dict[str, Any],
    service: tuple[Service, dict[str, Any]],
) -> None:  # fmt: skip
    settings.update(service[1])
    put_in(stored, service[1])
    window = open_window()
    window.message("An extract waits to be delivered.")
    (delivery,) = box().deliveries()
    assert deliver(box(), delivery, arriving)[0].state == "delivered"
    window.press_message("Deliver Now")
    window.until(lambda: status(window) == "Nothing of it waits to be delivered any more", "the word on it")
    assert not window.dialogs and not window.messages


@pytest.mark.parametrize("is_open", [False, True], ids=["at the start", "while it is open"])
def test_a_damaged_delivery_is_reported_with_where_it_is(
    open_window: Callable[[], Window], stored: SQLModel, settings: dict[str, Any], is_open: bool,
    service: tuple[Service, dict[str, Any]],
) -> None:  # fmt: skip
    _, addresses = service
    settings.update(addresses)
    put_in(stored, addresses)
    (delivery,) = box().deliveries()
    if not is_open:
        rewrite(box(), "UPDATE deliveries SET digest = 'other' WHERE id = ?", delivery.identifier)
        window = open_window()
    else:
        window = open_window()
        window.message("An extract waits to be delivered.")
        rewrite(box(), "UPDATE deliveries SET digest = 'other' WHERE id = ?", delivery.identifier)
        shown = deliveries_window(window)
    told = window.message(f"The delivery {delivery.short_id} in the outbox is damaged").text
    (aside,) = (box().folder / "damaged").iterdir()
    assert str(aside) in told and (aside / EXTRACT).exists()
    if is_open:
        window.until(lambda: cells(shown) == [], "the list without it")


def test_a_long_reason_is_shown_whole_in_the_window_of_deliveries(window: Window) -> None:
    shown = deliveries_window(window)
    shown.show_status("A newer version wrote the journal of this computer. " * 12)
    label = shown.status_label
    window.until(
        lambda: 1 < label.winfo_reqwidth() <= shown.winfo_width() and label.winfo_height() > 30,
        "the reason on several lines",
    )
    window.until(lambda: label.winfo_height() >= label.winfo_reqheight(), "all of its lines")


def test_the_offer_stands_beside_the_warning_about_settings(
    open_window: Callable[[], Window], stored: SQLModel, settings: dict[str, Any],
    service: tuple[Service, dict[str, Any]],
) -> None:  # fmt: skip
    settings["font size"] = 1000
    put_in(stored, service[1])
    window = open_window()
    window.message("An extract waits to be delivered.")
    assert window.messages[1:] == ["Some settings couldn't be used."]
    assert not window.dialogs
    window.press_message("Later")
    assert window.messages == ["Some settings couldn't be used."]


def test_settings_that_lead_elsewhere_get_no_login(
    open_window: Callable[[], Window], stored: SQLModel, service: tuple[Service, dict[str, Any]]
) -> None:
    there, addresses = service
    put_in(stored, addresses)
    window = open_window()
    window.press_message("Deliver Now")
    log_in(window, REST_TITLE, "test", "test")
    window.until(lambda: "settings for rest have changed" in status(window), "the refusal")
    assert not there.received and box().deliveries()[0].state == "failed"


def deliveries_window(window: Window) -> DeliveriesWindow:
    """Open it by its key, and wait until it shows something."""
    window.press("ctrl+shift+d")
    found: list[DeliveriesWindow] = []

    def shown() -> bool:
        found[:] = [each for each in window.app.winfo_children() if isinstance(each, DeliveriesWindow)]
        return bool(found) and found[0].winfo_viewable()

    window.until(shown, "the window of deliveries")
    window.until(lambda: found[0].receipt.text.get("1.0", "end-1c"), "what it shows")
    return found[0]


def cells(shown: DeliveriesWindow) -> list[tuple[str, ...]]:
    return [tuple(map(str, shown.tree.item(each, "values"))) for each in shown.tree.get_children()]


def press(window: Window, shown: DeliveriesWindow, text: str) -> None:
    window.until(lambda: not shown.buttons[text].instate(["disabled"]), f"{text} to be possible")
    shown.buttons[text].invoke()


def test_the_window_lists_retries_and_shows_the_receipt(
    window: Window, stored: SQLModel, service: tuple[Service, dict[str, Any]]
) -> None:
    there, settings = service
    empty = deliveries_window(window)
    assert cells(empty) == [] and "Nothing was delivered" in empty.receipt.text.get("1.0", "end")
    window.press("Escape")
    stored.save_record(record(1, str(TODAY)))
    point_to(window, **settings)
    upload(window)
    failure(window)
    shown = deliveries_window(window)
    ((day, version, to, state, _since, following),) = cells(shown)
    assert (day, version, to, state) == (str(TODAY), "1", "REST", "waiting")
    assert following.startswith("Next attempt ") and "503" in following
    assert "Attempt 1: " in shown.receipt.text.get("1.0", "end")
    there.recover()
    press(window, shown, "Try Again")
    log_in(window, REST_TITLE, "test", "test")
    window.until(lambda: cells(shown)[0][3] == "delivered", "the delivery")
    window.until(lambda: "Delivered." in shown.receipt.text.get("1.0", "end"), "the receipt")
    assert all(shown.buttons[text].instate(["disabled"]) for text in ("Try Again", "Cancel Delivery", "Show File"))
    assert not window.app.deliveries._timers, "what was planned is done"
    assert len(there.received) == 1


def test_cancel_in_the_window_waiting_or_running(
    window: Window, stored: SQLModel, service: tuple[Service, dict[str, Any]]
) -> None:
    there, settings = service
    stored.save_record(record(1, str(TODAY)))
    point_to(window, **settings)
    upload(window)
    failure(window)
    shown = deliveries_window(window)
    press(window, shown, "Cancel Delivery")
    window.until(lambda: cells(shown)[0][3] == "cancelled", "the end of the first")
    shown.destroy()
    there.stalls = True
    upload(window)
    window.until(there.reached.is_set, "the upload")
    shown = deliveries_window(window)
    window.until(lambda: cells(shown)[0][3].startswith("sending"), "the second")
    shown.tree.selection_set(shown.tree.get_children()[0])
    press(window, shown, "Cancel Delivery")
    window.until(lambda: cells(shown)[0][3] == "cancelled", "the end of the second")
    window.until(lambda: not window.app.commands.running, "the end of the command")
    assert there.received == []


def test_one_of_several_is_cancelled_and_the_others_go_on(
    open_window: Callable[[], Window], stored: SQLModel, settings: dict[str, Any],
    service: tuple[Service, dict[str, Any]],
) -> None:  # fmt: skip
    there, addresses = service
    there.stalls = True
    settings.update(addresses)
    for day in (TODAY - datetime.timedelta(1), TODAY):
        stored.save_record(record(1, str(day)))
        box().add(stored, day, Place("rest", str(addresses["abq_upload_url"])), "test")
    window = open_window()
    window.press_message("Deliver Now")
    log_in(window, REST_TITLE, "test", "test")
    window.until(there.reached.is_set, "the first upload")
    there.recover()
    shown = deliveries_window(window)
    window.until(lambda: any(each[3].startswith("sending") for each in cells(shown)), "its line")
    sending = next(each for each in shown.tree.get_children() if shown.tree.set(each, "State").startswith("sending"))
    shown.tree.selection_set(sending)
    press(window, shown, "Cancel Delivery")
    window.until(lambda: not window.app.commands.running, "the end of the command")
    assert sorted(each.state for each in box().deliveries()) == ["cancelled", "delivered"]
    assert len(there.received) == 1


def lost_delivery(window: Window, stored: SQLModel, settings: dict[str, Any]) -> Any:
    """One that failed while the window was open, and that somebody has removed from the disk since."""
    point_to(window, **settings)
    put_in(stored, settings)
    found = box().deliveries()[0]
    window.app.deliveries._report_failures("rest", [Outcome(found, OutboxError("The server said 503."))])
    window.message("An extract couldn't be sent by REST.")
    box().remove(found)
    return found


def test_an_attempt_that_fails_at_once_is_shown_with_its_reason(
    window: Window, stored: SQLModel, service: tuple[Service, dict[str, Any]]
) -> None:
    lost_delivery(window, stored, service[1])
    window.press_message("Try Again")
    text = failure(window)
    assert "The extract couldn't be sent again. Your records are safe in the database." in text
    assert "is gone from the outbox" in text and "Tools ‣ Upload CSV sends the day again" in text
    assert status(window).startswith("Nothing was sent: The delivery ")


def test_somebody_who_types_meanwhile_reads_in_the_bar_why_it_failed(
    window: Window, stored: SQLModel, service: tuple[Service, dict[str, Any]]
) -> None:
    window.begin_check()
    lost_delivery(window, stored, service[1])
    released = threading.Event()
    jobs, bar = window.app.jobs, window.app.status_bar.messages
    jobs.submit("files", lambda: released.wait(10))
    bar.press("Try Again")
    window.app.form.focus_first_empty()
    window.type("2")
    released.set()
    told_there = window.message("The extract couldn't be sent again.")
    assert "Tools ‣ Deliveries" in told_there.detail and not window.dialogs
    assert window.text("Humidity") == "2"


def test_send_again_in_the_window_of_deliveries_tells_why_not(
    window: Window, stored: SQLModel, service: tuple[Service, dict[str, Any]]
) -> None:
    found = lost_delivery(window, stored, service[1])
    window.app.messages.command(window.app.deliveries.try_again)([found.identifier])
    assert "is gone from the outbox" in failure(window)
