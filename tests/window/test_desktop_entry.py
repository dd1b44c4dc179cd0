"""The entry in the menu of programs: offered once by the window, in the bar; made and told; never for a trial."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abq_data_entry import folders
from tests.fixtures.window import Window, write_settings

OFFER = "to this computer's application menu?"
MARK = "desktop-entry-offered"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the menu of a Linux desktop")


@pytest.fixture
def menu(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where this user's desktop looks for programs: nothing is there yet, and nothing was offered."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    yield tmp_path / "share/applications"
    (folders.data_folder() / MARK).unlink(missing_ok=True)


@pytest.fixture
def ours(menu: Path, open_window: Callable[[], Window], monkeypatch: pytest.MonkeyPatch) -> Window:
    """A window of somebody who uses the usual folders, as the test says: the folders of a test aren't."""
    window = open_window()
    # The status line says "Ready" once the database is there, over whatever it said a moment before.
    window.until_open()
    monkeypatch.setattr(folders, "are_usual", lambda: True)
    return window


def offered(window: Window) -> bool:
    return any(OFFER in each for each in window.messages)


def test_offered_once_and_made(ours: Window, menu: Path) -> None:
    ours.app.desktop_entry.offer()
    ours.until(lambda: offered(ours), "the offer")
    assert not ours.dialogs
    ours.press_message("Put It There")
    ours.until(lambda: ours.app.status.get() == "ABQ Data Entry is in the application menu")
    assert "Exec=" in (menu / "abq-data-entry.desktop").read_text("utf-8")
    assert not offered(ours)


def test_not_again(ours: Window, menu: Path) -> None:
    ours.app.desktop_entry.offer()
    ours.until(lambda: offered(ours))
    ours.press_message("No, Thanks")
    ours.until(lambda: not offered(ours))
    ours.app.desktop_entry.offer()
    ours.settle()
    assert not offered(ours) and not menu.exists()
    assert (folders.data_folder() / MARK).is_file()


def test_not_to_somebody_who_has_it(ours: Window, menu: Path) -> None:
    menu.mkdir(parents=True)
    (menu / "abq-data-entry.desktop").touch()
    ours.app.desktop_entry.offer()
    ours.settle()
    assert not offered(ours) and not (folders.data_folder() / MARK).exists()


def test_what_stands_in_the_way_is_named(ours: Window, menu: Path) -> None:
    menu.parent.parent.joinpath("share").write_text("a file where the folder has to be")
    ours.app.desktop_entry.offer()
    ours.until(lambda: offered(ours))
    ours.press_message("Put It There")
    ours.until(lambda: any("The entry could not be made" in each for each in ours.messages) or ours.dialogs)
    menu.parent.parent.joinpath("share").unlink()
    if ours.dialogs:
        ours.answer("Try Again")
    else:
        ours.press_message("Try Again")
    ours.until(lambda: (menu / "abq-data-entry.desktop").is_file())


def test_not_in_a_trial(menu: Path, open_window: Callable[[], Window]) -> None:
    """An entry would open the usual folders, not those of the trial, of the demo, or of a test."""
    window = open_window()
    window.app.desktop_entry.offer()
    window.settle()
    assert not offered(window) and not (folders.data_folder() / MARK).exists()


def test_the_window_offers_it_by_itself(display: str, tmp_path: Path) -> None:
    own = {name: text for name, text in os.environ.items() if not name.startswith(("ABQ_", "XDG_"))}
    settings = tmp_path / ".config/abq-data-entry"
    settings.mkdir(parents=True)
    write_settings(settings, {"db_host": "127.0.0.1", "db_port": "1"})  # without a database: it isn't about that
    process = subprocess.Popen([sys.executable, "-m", "abq_data_entry"], cwd=Path(__file__).resolve().parents[2],
                               env={**own, "HOME": str(tmp_path), "DISPLAY": display})  # fmt: skip
    try:
        end = time.monotonic() + 60
        while not (tmp_path / ".local/share/abq-data-entry" / MARK).exists():
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.05)
    finally:
        process.terminate()
        process.wait(30)
