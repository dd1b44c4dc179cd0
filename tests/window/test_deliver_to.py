"""Tools ‣ Deliver to: further destinations, offered only where the settings say where they are."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.models import SQLModel
from tests.fixtures.window import Window
from tests.network.mail_server import mail_server
from tests.window.test_form import record
from tests.window.test_menus import entries, submenu

TODAY = datetime.date.today()
EXTRACT = f"abq_data_record_{TODAY}.csv"


def choose(window: Window, label: str) -> None:
    """Go down the open menu to a line, by keys."""
    call = window.app.tk.call

    def active() -> str:
        menu = str(call("focus"))
        index = str(call(menu, "index", "active"))
        return "" if index in ("", "none") else str(call(menu, "entrycget", index, "-label"))

    window.until(lambda: call("focus") and call("winfo", "class", call("focus")) == "Menu", "the open menu")
    for _ in range(10):
        if active() == label:
            return
        before = active()
        window.press("Down")
        window.until(lambda before=before: active() != before, "the next line")  # type: ignore[misc]
    raise AssertionError(f"{label} isn't in the menu")


def test_a_shared_folder_by_keys_without_a_login(
    open_window: Callable[[], Window], settings: dict[str, Any], stored: SQLModel, tmp_path: Path
) -> None:
    share = tmp_path / "share"
    settings["abq_folder_path"] = str(share)
    stored.save_record(record(1, str(TODAY)))
    window = open_window()
    window.until_open()
    window.press("alt+t")
    choose(window, "Deliver to")
    window.press("Right")
    choose(window, "File Share")
    window.press("Return")
    dialog = window.dialog()  # nobody has mounted it
    assert "couldn't be sent by file share" in dialog.message
    assert f"The shared folder {share} isn't there" in dialog.detail and "It is tried again at" in dialog.detail
    window.answer("Close")
    share.mkdir()
    window.app.callbacks["upload_to_corporate_folder"]()
    done = f"{EXTRACT} successfully uploaded to the file share"
    window.until(lambda: window.app.status.get() == done, "the delivery")
    assert (share / EXTRACT).read_bytes().startswith(b"Date,Time") and not window.dialogs
    offered = [text for text, _ in window.app.status_bar.extracts.commands]
    assert offered == ["Upload to REST", "Upload to FTP", "Upload to file share", "Export"]


def test_what_is_not_set_up_is_not_offered(window: Window) -> None:
    main = window.app.nametowidget(window.app.cget("menu"))
    assert "Deliver to" not in [text for _, text, _ in entries(submenu(main, "Tools"))]
    assert [text for text, _ in window.app.status_bar.extracts.commands] == [
        "Upload to REST", "Upload to FTP", "Export",
    ]  # fmt: skip


@pytest.mark.needs("network")
def test_a_mail_that_some_have_is_sent_again_only_to_the_others(
    open_window: Callable[[], Window], settings: dict[str, Any], stored: SQLModel
) -> None:
    """What the window offers first after a mail that not everybody got, and after one that may have arrived."""
    with mail_server() as (port, letters):
        letters.refused = {"late@example.com": "450 mailbox full"}
        stored.save_record(record(1, str(TODAY)))
        settings |= {"abq_mail_to": "qa@example.com, late@example.com", "abq_mail_from": "lab@example.com",
                     "abq_mail_host": "127.0.0.1", "abq_mail_port": port, "abq_mail_security": "none",
                     "abq_mail_auth_method": "none"}  # fmt: skip
        window = open_window()
        window.until_open()
        window.app.callbacks["upload_to_corporate_email"]()
        dialog = window.dialog()  # without a login before it
        assert dialog.message.startswith("Not everybody has an extract") and "450 mailbox full" in dialog.detail
        letters.refused, letters.fault = {}, lambda: "lost"
        window.until(lambda: window.app.focus_get() is dialog.buttons[0], "the focus on Try Again")
        window.press("Return")
        window.until(lambda: window.dialogs and window.dialogs[-1] is not dialog, "what became of that")
        dialog = window.dialog()
        assert dialog.message.startswith("It isn't known") and "late@example.com" not in dialog.detail
        window.until(lambda: window.app.focus_get() is dialog.buttons[-1], "the focus on Close")
        window.press("Return")
        window.until(lambda: not window.dialogs, "its end")
        assert "may have arrived" in window.app.status.get()
        window.settle()
    assert [to for to, _content in letters.kept] == [["qa@example.com"], ["late@example.com"]]
