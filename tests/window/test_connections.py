"""The window that checks the connections: lines as they come, Cancel, logins, keys, and text for the help desk."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.models import SQLModel
from abq_data_entry.stored_destination import StoredDestination
from abq_data_entry.views import LoginDialog
from abq_data_entry.views.connections import ConnectionsWindow
from tests.fixtures.ports import free_port
from tests.fixtures.servers import BundledServer
from tests.fixtures.window import Window
from tests.network.faults import Connection, serving
from tests.pace import patience
from tests.window.test_tools import log_in, point_to

SECRET = "correct horse"


@pytest.fixture
def all_well(rest_server: BundledServer, ftp_server: BundledServer, weather_feed: BundledServer) -> dict[str, Any]:
    """Settings that lead to real servers."""
    return {
        "weather_url": weather_feed.weather_url,
        "abq_auth_url": rest_server.auth_url,
        "abq_upload_url": f"{rest_server.upload_url}?token={SECRET}",
        "abq_ftp_host": "127.0.0.1",
        "abq_ftp_port": ftp_server.port,
    }


def opened(window: Window) -> ConnectionsWindow:
    window.press("ctrl+shift+c")
    found: list[ConnectionsWindow] = []

    def shown() -> bool:
        found[:] = [each for each in window.app.winfo_children() if isinstance(each, ConnectionsWindow)]
        return bool(found) and found[0].winfo_viewable() and found[0].focus_displayof() is not None

    window.until(shown, "the window")
    return found[0]


def summary(shown: ConnectionsWindow) -> str:
    return str(shown.summary.cget("text"))


def ended(window: Window, shown: ConnectionsWindow) -> str:
    window.until(lambda: not shown.running, "the end of the check")
    return shown.text


def test_all_is_well_and_can_be_copied(
    window: Window, stored: SQLModel, all_well: dict[str, Any], tmp_path: Path
) -> None:
    point_to(window, **all_well)
    window.until_open()
    stored.add_destination(StoredDestination("archive", "folder", str(tmp_path)))
    window.until(lambda: bool(window.app.own_settings.stored), "the destination of the database")
    shown = opened(window)
    text = ended(window, shown)
    assert summary(shown) == "✓ Everything can be reached."
    headings = [line for line in text.splitlines() if line and not line.startswith("\t")]
    assert [each.split()[0] for each in headings] == ["Embedded", "Weather", "REST", "FTP", "archive:"]
    assert "failed" not in text and "Login" not in text and SECRET not in text
    window.press("shift+Tab", "shift+Tab", "Tab", "Tab", "Tab")
    window.until(lambda: window.app.focus_get() is shown.buttons["Copy"], "the focus on Copy")
    window.press("Return")
    window.until(lambda: summary(shown).startswith("Copied"), "the copy")
    copied = window.app.clipboard_get()
    assert copied.startswith("Connections of ABQ Data Entry 1") and "Embedded database" in copied
    assert SECRET not in copied
    window.press("Escape")
    window.until(lambda: not shown.winfo_exists(), "the end of the window")


def test_a_failure_says_what_to_do_and_is_checked_again(window: Window, all_well: dict[str, Any]) -> None:
    port = all_well["abq_ftp_port"]
    point_to(window, **{**all_well, "abq_ftp_port": free_port()})
    shown = opened(window)
    text = ended(window, shown)
    assert "refused the connection" in text and "Check the settings" in text
    assert summary(shown).startswith("✗ One step failed") and str(shown.summary.cget("style")) == "Error.TLabel"
    point_to(window, abq_ftp_port=port)
    window.press("F5")
    # Not until it runs: on a busy machine it may be over by then.
    window.until(lambda: not summary(shown).startswith("✗ One step failed"), "the second check")
    assert "failed" not in ended(window, shown)
    window.press("ctrl+shift+c")
    assert opened(window) is shown, "there is one such window"


def test_with_login_and_write_test_by_keys(window: Window, all_well: dict[str, Any], ftp_server: BundledServer) -> None:
    point_to(window, **all_well)
    shown = opened(window)
    ended(window, shown)
    shown.boxes["With write test"].focus_set()
    window.press("space")
    window.until(lambda: shown.with_login.get() and shown.with_write.get(), "both boxes")
    window.press("F5")
    log_in(window, "Login to ABQ Corporate REST API", "test", "test")
    log_in(window, "Login to ABQ Corporate FTP", "test", "test")
    text = ended(window, shown)
    assert text.count("test is logged in") == 2 and text.count("Write test") == 3 and "failed" not in text
    assert [each.name[:21] for each in ftp_server.folder.iterdir()] == [".abq-connection-test-"]
    shown.begin()
    assert "failed" not in ended(window, shown)
    assert not window.dialogs, "a login that was taken isn't asked for again"


def test_a_login_that_is_not_given_is_not_tried(window: Window, all_well: dict[str, Any]) -> None:
    point_to(window, **all_well)
    shown = opened(window)
    ended(window, shown)
    shown.with_login.set(True)
    shown.begin()
    for _ in range(2):
        window.until(lambda: any(isinstance(each, LoginDialog) for each in window.dialogs), "a login dialog")
        window.answer("Cancel")
    assert "Login" not in ended(window, shown)


def test_cancel_acts_at_once_on_a_server_that_stalls(window: Window, all_well: dict[str, Any]) -> None:
    reached = threading.Event()

    def stall(connection: Connection) -> None:
        if connection.request():
            reached.set()
            connection.stall()

    with serving(stall) as port:
        point_to(window, **{**all_well, "weather_url": f"http://127.0.0.1:{port}/{{station}}.xml"})
        shown = opened(window)
        window.until(reached.is_set, "the feed to be asked")
        shown.buttons["Cancel"].focus_set()
        window.press("Return")
        begun = time.monotonic()
        assert "Embedded database" in ended(window, shown)
        assert time.monotonic() - begun < patience(0.5)
    assert summary(shown).startswith("Cancelled")
    assert window.app.focus_get() is shown.buttons["Check Again"]


def test_a_window_that_is_closed_ends_its_check(
    window: Window, all_well: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, gone = threading.Event(), threading.Event()

    def stall(connection: Connection) -> None:
        if connection.request():
            reached.set()
            connection.socket.settimeout(5)
            if not connection.socket.recv(1):
                gone.set()

    with serving(stall) as port:
        point_to(window, **{**all_well, "weather_url": f"http://127.0.0.1:{port}/{{station}}.xml"})
        opened(window)
        window.until(reached.is_set, "the feed to be asked")
        window.press("Escape")
        window.until(gone.is_set, "the end of the connection")
    window.settle()


def test_it_follows_the_theme_and_fits_the_screen(window: Window, all_well: dict[str, Any]) -> None:
    point_to(window, **all_well)
    window.app.settings["font size"].set(14)
    shown = opened(window)
    ended(window, shown)
    assert shown.winfo_width() <= window.app.winfo_screenwidth()
    assert shown.winfo_rooty() + shown.winfo_height() <= window.app.winfo_screenheight()
    for button in shown.buttons.values():
        assert button.winfo_rooty() + button.winfo_height() <= shown.winfo_rooty() + shown.winfo_height()
    before = str(shown.list.cget("background"))
    window.app.settings["theme"].set("dark")
    window.until(lambda: str(shown.list.cget("background")) != before, "the dark theme")
