"""Following the desktop: its dark colours and its fine screen."""

from __future__ import annotations

import stat
import tkinter as tk
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abq_data_entry.themes import DARK, LIGHT, desktop
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


@pytest.mark.usefixtures("_screen_as_before")
def test_a_dark_desktop_with_a_fine_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_window: Callable[[], Window]
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    asked = tmp_path / "window is open"  # the answers come after that
    monkeypatch.setattr(desktop, "PATIENCE", 30.0)
    for name, answer in (("gsettings", "'prefer-dark'"), ("xrdb", "Xft.dpi: 192")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nuntil [ -e "{asked}" ]; do sleep 0.02; done\necho "{answer}"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    window = open_window()
    line = window.app.look.line
    asked.touch()
    window.until(lambda: window.app.look.palette == DARK, "the dark colours")
    assert window.app.look.line > line * 1.5
    window.app.settings["theme"].set("light")
    assert window.app.look.palette == LIGHT
