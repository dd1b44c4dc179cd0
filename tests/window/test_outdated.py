"""An extract that was delivered, and whose day was changed since: told, marked, and sent again."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest

from abq_data_entry.application.extract_days import words
from abq_data_entry.models import SQLModel
from abq_data_entry.models.extract import OutdatedDelivery
from abq_data_entry.outbox import Delivery
from abq_data_entry.outbox.sending import as_row
from abq_data_entry.views.deliveries import DeliveriesWindow
from abq_data_entry.views.reasoned import REASON, ReasonedDialog
from tests.commands.test_deliveries import Service
from tests.fixtures.window import Window
from tests.network.faults import serving
from tests.window.test_deliveries import SENT, upload
from tests.window.test_form import open_plot, record
from tests.window.test_tools import TODAY, point_to, status


@pytest.fixture
def delivered(window: Window, stored: SQLModel) -> Iterator[tuple[Window, Service]]:
    """Two records of today by J Simms, and their extract has arrived by REST."""
    for plot in (1, 2):
        stored.save_record(record(plot, str(TODAY)), author="J Simms")
    there = Service()
    there.recover()
    with serving(there) as port:
        address = f"http://127.0.0.1:{port}"
        settings: dict[str, Any] = {"abq_auth_url": f"{address}/auth", "abq_upload_url": f"{address}/upload"}
        point_to(window, **settings)
        upload(window)
        window.until(lambda: status(window) == SENT, "the upload")
        window.settle()
        yield window, there


def withdraw_plot_2(window: Window) -> None:
    window.begin_check()
    window.until(lambda: 2 in window.app.form.check.recorded, "the check")
    open_plot(window, 2)
    window.settle()
    window.app.callbacks["withdraw_record"]()
    dialog = window.dialog()
    assert isinstance(dialog, ReasonedDialog)
    dialog.boxes[REASON].set("typed twice")
    window.answer("Withdraw")
    window.until(lambda: "is withdrawn" in window.app.status.get(), "the end of it")


def test_what_a_newer_version_delivered_is_reported_and_not_sent(window: Window, stored: SQLModel) -> None:
    """The other workstation has a kind of destination that isn't known here."""
    stored.save_record(record(1, str(TODAY)), author="J Simms")
    moment = datetime.datetime.now(datetime.timezone.utc)
    sent = Delivery(
        "0" * 32, f"abq_data_record_{TODAY}.csv", TODAY, "pigeon", "files:80/", "test", 1, "0" * 64, 1,
        created=moment, since=moment, changed=moment, state="delivered",
    )  # fmt: skip
    stored.record_deliveries([as_row(sent)])
    assert [each.destinations for each in stored.extract_days([TODAY])] == [("pigeon",)]
    window.app.extract_days.look_soon()
    days = window.app.extract_days
    window.until(lambda: days.days and words(days.days[-1]).startswith("1 record. PIGEON: sent "), "the delivery")
    old = OutdatedDelivery("0" * 32, TODAY, "pigeon", moment)
    window.app.outdated.send_again(old)
    assert status(window) == "This version can't deliver by PIGEON: another workstation has a newer one"


def deliveries_window(window: Window) -> DeliveriesWindow:
    window.app.callbacks["show_deliveries"]()
    (shown,) = (each for each in window.app.winfo_children() if isinstance(each, DeliveriesWindow))
    return shown


def states(shown: DeliveriesWindow) -> list[str]:
    return [str(shown.tree.item(each, "values")[3]) for each in shown.tree.get_children()]


def test_a_withdrawn_record_makes_its_extract_outdated(
    delivered: tuple[Window, Service], stored: SQLModel
) -> None:
    window, there = delivered
    assert stored.outdated_deliveries() == []
    withdraw_plot_2(window)
    bar = window.app.status_bar.messages
    window.until(lambda: any(each.key == "Outdated Deliveries" for each in bar.messages), "the message")
    assert f"An extract is outdated: {TODAY} by REST." in next(
        each.text for each in bar.messages if each.key == "Outdated Deliveries"
    )
    assert not window.dialogs
    shown = deliveries_window(window)
    window.until(lambda: states(shown) == ["outdated"], "the mark")
    assert str(shown.buttons["Try Again"].cget("text")) == "Send Again"
    assert "Records of the day were changed after it" in shown.tree.item(shown.tree.get_children()[0], "values")[5]
    shown.buttons["Try Again"].invoke()
    window.until(lambda: len(there.received) == 2, "the second delivery")
    window.until(lambda: states(shown) == ["delivered", "delivered"], "both")
    window.until(lambda: stored.outdated_deliveries() == [], "the database to know")
    shown.destroy()
    rows = stored.query("SELECT version, outdated IS NOT NULL AS old FROM deliveries ORDER BY version")
    assert rows == [{"version": 1, "old": True}, {"version": 2, "old": False}]
