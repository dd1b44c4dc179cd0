"""Following the desktop: its dark colours and its fine screen."""

from __future__ import annotations

import stat
import tkinter as tk
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abq_data_entry.themes import DARK, LIGHT, TK_9, desktop
from abq_data_entry.themes.desktop import dpi_of
from tests.fixtures.window import Window


@pytest.mark.parametrize(
    ("resources", "dpi"),
    [
        ("Xft.dpi:\t192\n", 192.0),
        ("*x: 1\nXft.dpi: 96.5\n", 96.5),
        ("Xft.dpi: 0\n", None),
        ("Xft.dpi: 1.2.3\n", None),
        ("Xft.dpi: many\n", None),
        ("", None),
    ],
)
def test_dpi_of_an_x_servers_resources(resources: str, dpi: float | None) -> None:
    assert dpi_of(resources) == dpi


@pytest.fixture
def _screen_as_before(display: str) -> Iterator[None]:
    """Tk keeps the scaling with its connection to the display: the next test's window would be as large."""
    root = tk.Tk()
    scaling = root.tk.call("tk", "scaling")
    root.destroy()
    yield
    root = tk.Tk()
    root.tk.call("tk", "scaling", scaling)
    root.destroy()


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str], Path | None], None]:
    """Put programs on the path that print what they are given, once the file is there if one is named."""
    monkeypatch.setattr(desktop, "PATIENCE", 30.0)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")

    def answer(texts: dict[str, str], after: Path | None = None) -> None:
        wait = f'until [ -e "{after}" ]; do sleep 0.02; done\n' if after else ""
        for name, text in texts.items():
            program = folder / name
            program.write_text(f'#!/bin/sh\n{wait}echo "{text}"\n')
            program.chmod(program.stat().st_mode | stat.S_IXUSR)

    return answer


@pytest.mark.usefixtures("_screen_as_before")
def test_a_dark_desktop_with_a_fine_screen(
    answers: Callable[..., None], tmp_path: Path, open_window: Callable[[], Window]
) -> None:
    asked = tmp_path / "window is open"  # the answers come after that
    answers({"gsettings": "'prefer-dark'"} if TK_9 else {"gsettings": "'prefer-dark'", "xrdb": "Xft.dpi: 192"}, asked)
    window = open_window()
    line = window.app.look.line
    asked.touch()
    window.until(lambda: window.app.look.palette == DARK, "the dark colours")
    assert TK_9 or window.app.look.line > line * 1.5
    window.app.settings["theme"].set("light")
    assert window.app.look.palette == LIGHT


@pytest.mark.skipif(not TK_9, reason="Tk 8.6 doesn't ask the desktop by itself")
@pytest.mark.parametrize(
    "told",
    [
        {"xrdb": "Xft.dpi: 192"},
        # Xfce doubles each window; the dots an inch of its texts are left at the usual number.
        {"ps": "1 ? 00:00:00 xfce4-session", "xfconf-query": "2", "xrdb": "Xft.dpi: 96"},
    ],
    ids=["by dots an inch", "by Xfce's factor"],
)
@pytest.mark.usefixtures("_screen_as_before")
def test_tk_9_has_asked_the_desktop_itself(
    told: dict[str, str], answers: Callable[..., None], open_window: Callable[[], Window]
) -> None:
    answers({**told, "gsettings": "'prefer-dark'"})
    window = open_window()
    window.until(lambda: window.app.look.palette == DARK, "the answer of the desktop")
    window.settle()
    assert float(window.app.tk.call("tk", "scaling")) == pytest.approx(192 / 72, 0.01)
    assert window.app.look.line > 25  # 15 or 16 at 96 dots an inch
    assert window.app.winfo_height() > 900 or window.app.winfo_height() >= window.app.winfo_screenheight() - 100
