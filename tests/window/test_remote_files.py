"""Tools ‣ Remote Files…: a shared folder, looked at, fetched from, put into and tidied by keys alone."""

from __future__ import annotations

import tkinter as tk
from pathlib import Path
from tkinter import filedialog

import pytest

from abq_data_entry.views.dialogs import Dialog
from abq_data_entry.views.remote_files import RemoteFilesWindow
from tests.fixtures.window import Window


@pytest.mark.needs("network")
def test_a_folder_by_keys_alone(window: Window, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    share, here = tmp_path / "company", tmp_path / "here"
    for each in (share, share / "seeds", here):
        each.mkdir()
    (share / "report.pdf").write_bytes(b"%PDF")
    (share / "lost").symlink_to(tmp_path)
    window.app.settings["abq_folder_path"].set(str(share))
    window.app.callbacks["show_remote_files"]()
    (files,) = [each for each in window.app.winfo_children() if isinstance(each, RemoteFilesWindow)]

    def names() -> list[str]:
        return [str(files.tree.set(each, "Name")) for each in files.tree.get_children()]

    def until(expected: list[str]) -> None:
        window.until(lambda: not files.running and names() == expected, f"{expected}")

    def asked() -> Dialog:
        found: list[Dialog] = []

        def shown() -> bool:
            parents: list[tk.Misc] = [window.app, files]
            found[:] = [each for one in parents for each in one.winfo_children() if isinstance(each, Dialog)]
            return bool(found) and found[0].takes_keys

        window.until(shown, "the question")
        return found[0]

    asked().buttons[-1].invoke()  # the FTP server's login
    window.until(lambda: "Nobody is logged in" in files.said.cget("text"), "that nobody is logged in")
    index = list(files.destination["values"]).index("file share")
    files.destination.current(index)
    files.destination.event_generate("<<ComboboxSelected>>")
    until(["seeds", "lost", "report.pdf"])
    files.tree.focus_force()
    window.until(lambda: files.focus_displayof() is files.tree, "the focus in the list")
    files.live_list.choose(files.tree.get_children()[2])
    monkeypatch.setattr(filedialog, "asksaveasfilename", lambda **_options: str(here / "got.pdf"))
    window.press("alt+f")
    window.until(lambda: (here / "got.pdf").exists() and not files.running, "the file")
    assert (here / "got.pdf").read_bytes() == b"%PDF" and "compared by its size" in files.said.cget("text")

    monkeypatch.setattr(filedialog, "askopenfilename", lambda **_options: str(here / "got.pdf"))
    window.press("alt+p")
    until(["seeds", "got.pdf", "lost", "report.pdf"])
    window.press("alt+w")
    window.until(lambda: "4 not ours" in files.said.cget("text"), "the comparison")

    files.live_list.choose(files.tree.get_children()[1])
    window.press("Delete")
    assert asked().message == "Delete got.pdf?"
    asked().buttons[0].invoke()
    until(["seeds", "lost", "report.pdf"])
    assert not (share / "got.pdf").exists()

    files.tree.focus_force()
    files.live_list.choose(files.tree.get_children()[0])
    window.press("Return")
    until([])
    assert files.place.cget("text").endswith("/company/seeds") and "empty" in files.said.cget("text")
    window.press("alt+n")
    asked()
    window.type("2026")
    window.press("Return")
    until(["2026"])
    files.tree.focus_force()
    window.press("BackSpace")
    until(["seeds", "lost", "report.pdf"])
    window.press("BackSpace")
    window.until(lambda: "Nothing above" in files.said.cget("text"), "the refusal")
    window.press("Escape")
    window.until(lambda: not files.winfo_exists(), "the end")
