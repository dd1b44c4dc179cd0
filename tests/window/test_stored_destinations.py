"""Tools ‣ Deliver to has the destinations of the database, as soon as somebody adds one."""

from __future__ import annotations

import datetime
import tkinter as tk
from pathlib import Path

from abq_data_entry.models import SQLModel
from abq_data_entry.stored_destination import StoredDestination
from abq_data_entry.views.deliveries import DeliveriesWindow
from tests.fixtures.window import Window
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
