"""Tools ‣ Remote Files…: a shared folder, looked at, fetched from, put into and tidied by keys alone."""

from __future__ import annotations

import threading
import tkinter as tk
from pathlib import Path
from tkinter import filedialog
from typing import Any

import pytest

from abq_data_entry.network.folder_store import FolderFiles
from abq_data_entry.views.dialogs import Dialog
from abq_data_entry.views.remote_files import NameDialog, RemoteFilesWindow
from tests.fixtures.window import Window


def question(window: Window, files: RemoteFilesWindow) -> Dialog:
    """The dialog that is open, once it takes keys."""
    found: list[Dialog] = []

    def shown() -> bool:
        parents: list[tk.Misc] = [window.app, files]
        found[:] = [each for one in parents for each in one.winfo_children() if isinstance(each, Dialog)]
        return bool(found) and found[0].takes_keys

    window.until(shown, "the question")
    return found[0]


def choose(files: RemoteFilesWindow, name: str) -> None:
    """Choose a destination, as a click in the list of them does."""
    files.destination.current(list(files.destination["values"]).index(name))
    files.destination.event_generate("<<ComboboxSelected>>")


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
        return question(window, files)

    asked().buttons[-1].invoke()  # the FTP server's login
    window.until(lambda: "Nobody is logged in" in files.status_label.cget("text"), "that nobody is logged in")
    choose(files, "file share")
    until(["seeds", "lost", "report.pdf"])
    files.tree.focus_force()
    window.until(lambda: files.focus_displayof() is files.tree, "the focus in the list")
    files.live_list.choose(files.tree.get_children()[2])
    monkeypatch.setattr(filedialog, "asksaveasfilename", lambda **_options: str(here / "got.pdf"))
    window.press("alt+f")
    window.until(lambda: (here / "got.pdf").exists() and not files.running, "the file")
    assert (here / "got.pdf").read_bytes() == b"%PDF" and "compared by its size" in files.status_label.cget("text")

    monkeypatch.setattr(filedialog, "askopenfilename", lambda **_options: str(here / "got.pdf"))
    window.press("alt+p")
    until(["seeds", "got.pdf", "lost", "report.pdf"])
    window.press("alt+w")
    window.until(lambda: "4 not ours" in files.status_label.cget("text"), "the comparison")

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
    assert files.place.cget("text").endswith("/company/seeds") and "empty" in files.status_label.cget("text")
    window.press("alt+n")
    assert isinstance(named := asked(), NameDialog) and named.entry.get() == ""
    window.type("2026")
    window.press("Return")
    until(["2026"])
    files.tree.focus_force()
    files.tree.event_generate("<KeyRelease-Return>", time=7)  # as X11 tells of a key that is held down
    files.tree.event_generate("<Return>", time=7)
    assert not files.running, "an Enter that answers the question opens nothing too"
    window.press("alt+r")
    assert isinstance(named := asked(), NameDialog) and named.entry.get() == "2026"
    window.press("Escape")
    window.until(lambda: files.focus_displayof() is files.tree, "the focus in the list")
    window.press("BackSpace")
    until(["seeds", "lost", "report.pdf"])
    window.press("BackSpace")
    window.until(lambda: "Nothing above" in files.status_label.cget("text"), "the refusal")
    window.press("Escape")
    window.until(lambda: not files.winfo_exists(), "the end")


@pytest.mark.needs("network")
def test_what_was_asked_about_is_meant(window: Window, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that waits while another folder is opened; a list that comes when another destination is shown."""
    share = tmp_path / "company"
    (share / "seeds").mkdir(parents=True)
    for folder in (share, share / "seeds"):
        (folder / "a.csv").write_text("x")
    window.app.settings["abq_folder_path"].set(str(share))
    window.app.settings["font size"].set(20)
    window.settle()
    window.app.callbacks["show_remote_files"]()
    (files,) = [each for each in window.app.winfo_children() if isinstance(each, RemoteFilesWindow)]
    question(window, files).buttons[-1].invoke()  # the FTP server's login
    choose(files, "file share")

    def rows() -> list[str]:
        return [str(files.tree.set(each, "Name")) for each in files.tree.get_children()]

    window.until(lambda: not files.running and rows() == ["seeds", "a.csv"] and files.chosen_line, "the list")
    folder_line, file_line = files.tree.get_children()
    files.live_list.choose(file_line)
    files.press("Delete")
    files.live_list.choose(folder_line)  # a mouse is quicker than the question
    files.press("Open")
    window.until(lambda: not files.running and rows() == ["a.csv"], "the folder")
    question(window, files).buttons[0].invoke()
    window.until(lambda: not files.running and rows() == ["seeds"], "the list without it")
    assert [each.name for each in share.iterdir()] == ["seeds"] and (share / "seeds" / "a.csv").exists()
    window.until(lambda: files.chosen_line is not None, "a chosen line")
    window.settle()
    assert "a.csv is deleted" in files.status_label.cget("text")  # not hidden by the rights of the next line

    goes_on = threading.Event()
    original = FolderFiles.list

    def slow(*arguments: Any) -> Any:
        assert goes_on.wait(60)
        return original(*arguments)

    monkeypatch.setattr(FolderFiles, "list", slow)
    files.press("Open")
    choose(files, "FTP")
    goes_on.set()
    question(window, files).buttons[-1].invoke()
    window.settle()
    assert rows() == [] and "Nobody is logged in" in files.status_label.cget("text") and not files.running
    window.app.settings["font size"].set(9)
    files.destroy()
    window.app.callbacks["show_remote_files"]()
    (files,) = [each for each in window.app.winfo_children() if isinstance(each, RemoteFilesWindow)]
    question(window, files).buttons[-1].invoke()
    window.settle()
    assert files.buttons["Close"].winfo_rooty() == files.buttons["Delete"].winfo_rooty()
