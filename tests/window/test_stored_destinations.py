"""Tools ‣ Deliver to has the destinations of the database, as soon as somebody adds one."""

from __future__ import annotations

import datetime
import tkinter as tk
from pathlib import Path

from abq_data_entry.models import SQLModel
from abq_data_entry.stored_destination import StoredDestination
from abq_data_entry.views.deliveries import DeliveriesWindow
from tests.fixtures.window import Window
from tests.models.test_destinations import scheduled
from tests.window.test_deliver_to import choose
from tests.window.test_form import record
from tests.window.test_menus import entries, submenu

TODAY = datetime.date.today()
EXTRACT = f"abq_data_record_{TODAY}.csv"


def test_a_destination_of_the_database_by_keys(window: Window, stored: SQLModel, tmp_path: Path) -> None:
    share = tmp_path / "archive"
    share.mkdir()
    stored.save_record(record(1, str(TODAY)))
    window.until_open()
    stored.add_destination(StoredDestination("archive", "folder", str(share)))
    stored.add_destination(StoredDestination("files", "sftp", "files.example.com"))
    wanted = ["Upload to REST", "Upload to FTP", "Upload to archive", "Upload to files", "Export"]
    row = window.app.status_bar.extracts
    window.until(lambda: [text for text, _ in row.commands] == wanted, "the destinations that others have added")
    window.press("alt+t")
    choose(window, "Deliver to")
    window.press("Right")
    choose(window, "archive")
    window.press("Return")
    done = f"{EXTRACT} successfully uploaded to archive"
    window.until(lambda: window.app.status.get() == done, "the delivery")
    assert (share / EXTRACT).read_bytes().startswith(b"Date,Time") and not window.dialogs
    window.app.callbacks["show_deliveries"]()
    window.until(lambda: listed(window) == [("archive", "delivered")], "the delivery in its list")
    # The menu that another look brings has them too, and the keys of the commands below them are still greyed right.
    window.app.settings["theme"].set("dark")
    window.until(lambda: "Deliver to" in labels(window), "the menu in the other colours")
    window.app.offer_commands({"show_administration"})
    tools = submenu(menu_of(window), "Tools")
    assert [str(tools.entrycget(each, "state")) for each in ("Technicians, Labs and Plots", "Deliveries")] == [
        "disabled", "normal"
    ]  # fmt: skip
    stored.remove_destination("archive")
    window.until(lambda: "Upload to archive" not in [text for text, _ in row.commands], "that it is gone")


def menu_of(window: Window) -> tk.Menu:
    found: tk.Menu = window.app.nametowidget(window.app.cget("menu"))
    return found


def listed(window: Window) -> list[tuple[str, str]]:
    """Where the deliveries in their window go, and how they stand."""
    found = [each for each in window.app.winfo_children() if isinstance(each, DeliveriesWindow)]
    tree = found[0].tree
    return [(tree.set(row, 2), tree.set(row, 3)) for row in tree.get_children()]


def labels(window: Window) -> list[str]:
    """The texts of the Tools menu."""
    return [text for _, text, _ in entries(submenu(menu_of(window), "Tools"))]


def test_what_a_schedule_wants_is_sent_once_while_the_window_is_open(
    window: Window, stored: SQLModel, database: dict[str, str], tmp_path: Path
) -> None:
    share = tmp_path / "evening"
    share.mkdir()
    window.until_open()
    day = TODAY - datetime.timedelta(2)
    stored.save_record(record(1, str(day)))
    evening = StoredDestination("evening", "folder", str(share), schedule="every day at 20:30")
    stored.add_destination(evening)
    stored.add_destination(evening._replace(name="files", kind="sftp", address="127.0.0.1:9"))
    window.until(lambda: len(window.app.own_settings.stored or {}) == 2, "the destinations that others have added")
    window.until(lambda: not looks(window), "the first look, before anything is due")
    scheduled(database, f"{day} 00:00-07")
    window.app.delivery_schedule.look()
    file = share / f"abq_data_record_{day}.csv"
    said = f"{file.name} successfully uploaded to evening"
    window.until(lambda: stored.query(DELIVERED) == [{"destination": "folder:evening", "version": 1}], said)
    assert file.read_bytes().startswith(b"Date,Time")
    told = window.message(f"The records of {day} are due at files, and nobody has logged in there on this computer.")
    assert [text for text, _ in told.buttons] == ["Deliver Now", "Dismiss"]
    window.until(lambda: not looks(window), "the end of the look")
    window.app.delivery_schedule.look()  # as after a minute, in this window or another
    window.until(lambda: not looks(window), "the next look")
    window.settle()
    assert stored.query("SELECT count(*) AS number FROM deliveries") == [{"number": 1}]
    assert len(window.messages) == 1 and not window.dialogs


DELIVERED = "SELECT destination, version FROM deliveries WHERE state = 'delivered'"


def looks(window: Window) -> bool:
    """Whether the window is looking what is due."""
    return window.app.delivery_schedule.is_looking
