"""The menus of all platforms, their keys, and the dialogs of Help."""

from __future__ import annotations

import re
import sys
import tkinter as tk
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.application.about import environment_text
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.mainmenu import ALL_COMMANDS, keys_text, menu_class
from abq_data_entry.models import SQLModel
from tests.fixtures.window import Window
from tests.window.test_form import record

PACKAGE = Path(__file__).resolve().parents[2] / "abq_data_entry"
PLATFORMS = ("x11", "win32", "aqua")
TOOLS = ["Update Weather Data", "Upload CSV to corporate REST", "Upload CSV to corporate FTP", "Deliveries"]
TOOLS += ["Remote Files…", "Waiting Records", "Messages", "Check Connections…", "Technicians, Labs and Plots"]


def entries(menu: tk.Menu) -> Iterator[tuple[str, str, str]]:
    """(type, text, key) of each entry."""
    last = menu.index("end")
    for index in range(0 if last is None else last + 1):
        kind = str(menu.type(index))
        text = "" if kind == "separator" else str(menu.entrycget(index, "label"))
        yield kind, text, str(menu.entrycget(index, "accelerator")) if kind == "command" else ""


def submenu(menu: tk.Menu, label: str) -> tk.Menu:
    found: tk.Menu = menu.nametowidget(menu.entrycget(label, "menu"))
    return found


@pytest.fixture
def build(window: Window) -> Callable[[str], tuple[tk.Menu, list[str]]]:
    """Builds a platform's menu; gives it, and the names of the callbacks that were called."""

    def make(platform: str) -> tuple[tk.Menu, list[str]]:
        called: list[str] = []
        callbacks = {name: lambda name=name: called.append(name) for name in window.app.callbacks}
        menu = menu_class(platform)(window.app, callbacks, window.app.settings)
        menu.fill()
        return menu, called

    return make


@pytest.mark.skipif(sys.platform != "linux", reason="Tk draws these menus on X only")
def test_the_mark_of_a_switch_has_the_colour_of_its_text(window: Window) -> None:
    window.app.settings["theme"].set("dark")
    window.settle()
    main = window.app.nametowidget(window.app.cget("menu"))
    options = main.nametowidget(main.entrycget("Options", "menu"))

    def marks() -> list[str]:
        return [str(options.entrycget(index, "selectcolor")) for index in (0, 1)]

    def chosen() -> str:
        return str(call(call("focus"), "index", "active"))

    def press_down() -> None:
        before = chosen()
        window.press("Down")
        window.until(lambda: chosen() != before, "the next line")

    active, usual = (str(options.cget(name)) for name in ("activeforeground", "foreground"))
    window.press("alt+o")
    call = window.app.tk.call
    window.until(lambda: call("winfo", "class", call("focus") or ".") == "Menu", "the open menu")
    # No counted presses: Tk 8.6 has the first line chosen a moment after the menu has the focus, Tk 9.0.4 not always.
    for wanted in ([active, usual], [usual, active]):
        for _ in range(options.index("end") + 2):
            if marks() == wanted:
                break
            press_down()
        assert marks() == wanted
    window.press("Escape", "Escape")


def test_the_menus_of_all_platforms(build: Callable[[str], tuple[tk.Menu, list[str]]]) -> None:
    for platform in PLATFORMS:
        menu, called = build(platform)
        labels = [text for kind, text, _ in entries(menu) if kind == "cascade"]
        assert {"File", "Tools", "Options", "Go", "Help"} <= set(labels), platform
        assert labels[-1] == "Help" and "File" in labels[:2]
        assert len(labels) == len(set(labels))
        assert [text for _, text, _ in entries(submenu(menu, "Tools"))] == TOOLS
        ending = {"x11": ["Quit"], "win32": ["Exit"], "aqua": []}[platform]
        assert [text for _, text, _ in entries(submenu(menu, "File")) if text in ("Quit", "Exit")] == ending
        for each in labels:
            menu_of = submenu(menu, each)
            for index, (kind, _, _) in enumerate(entries(menu_of)):
                if kind == "command":
                    menu_of.invoke(index)
        assert {
            "new_record", "save_record", "update_weather_data", "upload_to_corporate_rest", "upload_to_corporate_ftp",
            "show_record_list", "next_record", "previous_record", "show_keys", "about",
        } <= set(called), platform  # fmt: skip
        assert called.count("about") == 1


def test_macos_finds_its_own_menus(build: Callable[[str], tuple[tk.Menu, list[str]]]) -> None:
    menu, _called = build("aqua")
    names = [str(menu.entrycget(index, "menu")).rpartition(".")[2] for index in range(int(menu.index("end") or 0) + 1)]
    assert names[0] == "apple" and names[-1] == "help"
    keys = [key for _, _, key in entries(submenu(menu, "Tools"))]
    shown = [f"Command-Shift-{letter}" for letter in "WRFDJCT"]
    assert keys == [*shown[:4], "", shown[4], "F8", *shown[5:]]  # Remote Files… has no key of its own


def test_the_keys_that_are_wanted_are_there_and_each_means_one_thing() -> None:
    wanted = {
        "save_record", "new_record", "show_record_list", "next_record", "previous_record", "update_weather_data",
        "upload_to_corporate_rest", "upload_to_corporate_ftp", "help_for_field",
    }  # fmt: skip
    for of in (lambda command: command.key, lambda command: command.mac_key):
        keys = [of(command) for command in ALL_COMMANDS if of(command)]
        assert len(keys) == len(set(keys))
        assert wanted <= {command.callback for command in ALL_COMMANDS if of(command)}


def test_the_options_menu_holds_what_can_be_set(build: Callable[[str], tuple[tk.Menu, list[str]]]) -> None:
    for platform in PLATFORMS:
        menu, _called = build(platform)
        options = submenu(menu, "Options")
        texts = [text for _, text, _ in entries(options)]
        assert {"Autofill Date", "Font Size", "Theme", "Density"} <= set(texts)
        assert len(list(entries(submenu(options, "Theme")))) >= 3


KEYS = {
    "ctrl+s": "save_record",
    "ctrl+n": "new_record",
    "ctrl+l": "show_record_list",
    "ctrl+r": "show_form",
    "ctrl+Next": "next_record",
    "ctrl+Prior": "previous_record",
    "ctrl+g": "ask_plot",
    "ctrl+m": "next_missing",
    "ctrl+shift+w": "update_weather_data",
    "ctrl+shift+r": "upload_to_corporate_rest",
    "ctrl+shift+f": "upload_to_corporate_ftp",
    "ctrl+shift+d": "show_deliveries",
    "ctrl+shift+g": "show_charts",
    "ctrl+shift+c": "check_connections",
    "ctrl+shift+t": "show_administration",
    "ctrl+shift+h": "show_history",
    "F5": "refresh",
    "F1": "help_for_field",
    "shift+F1": "show_keys",
}


@pytest.fixture
def recorded(window: Window) -> list[str]:
    """The names of the callbacks that keys call, in place of what they do."""
    from abq_data_entry.mainmenu import bind_keys

    called: list[str] = []
    callbacks = {name: lambda name=name: called.append(name) for name in window.app.callbacks}
    bind_keys(window.app, callbacks, mac=False)
    return called


def test_accelerators_by_real_keys_from_form_notes_and_list(window: Window, recorded: list[str]) -> None:
    places: list[Any] = [
        window.app.form.inputs[F.HUMIDITY].editor,
        window.app.form.inputs[F.TECHNICIAN].editor,
        window.app.form.inputs[F.NOTES].editor,
        window.app.record_list.page.tree,
    ]
    for place in places:
        place.focus_force()
        window.app.update()
        recorded.clear()
        window.press(*KEYS)
        window.until(lambda: len(recorded) >= len(KEYS), f"the keys, got {recorded}")
        assert recorded == list(KEYS.values())
    assert window.text(F.NOTES) == ""


def test_accelerators_with_caps_lock(window: Window, recorded: list[str]) -> None:
    window.press("Caps_Lock")
    try:
        window.press(*KEYS)
        window.until(lambda: len(recorded) >= len(KEYS), "the keys")
    finally:
        window.press("Caps_Lock")
    assert recorded == list(KEYS.values())


def test_keys_save_and_move(window: Window, stored: SQLModel) -> None:
    for plot in (1, 2):
        stored.save_record(record(plot, window.text(F.DATE)))
    window.begin_check()
    assert window.text(F.PLOT) == "3"
    window.press("ctrl+Prior")
    window.until(lambda: window.text(F.PLOT) == "2", "plot 2")
    window.press("ctrl+Next")
    window.until(lambda: window.text(F.PLOT) == "3", "plot 3")
    window.fill_readings()
    window.press("ctrl+s")
    window.until(lambda: window.text(F.PLOT) == "4", "the save")
    assert len(stored.get_all_records()) == 3
    window.press("ctrl+l")
    assert window.app.focus_get() is window.app.record_list.page.tree
    window.press("ctrl+n")
    assert window.focus == F.HUMIDITY
    window.press("ctrl+g")
    window.dialog()
    window.type("17\n")
    window.until(lambda: window.text(F.PLOT) == "17", "plot 17")


def test_the_overview_of_keys_names_them_all(window: Window) -> None:
    window.press("shift+F1")
    dialog = window.dialog()
    texts = [str(each.cget("text")) for each in widgets(dialog) if each.winfo_class() == "TLabel"]
    for key, text in keys_text(mac=False):
        assert key in texts and text in texts
    assert "Ctrl+Shift+W" in texts
    assert dialog.winfo_reqheight() < window.app.winfo_screenheight()
    window.press("Escape")
    window.until(lambda: not window.dialogs, "the end of the dialog")


def test_about_can_be_copied(window: Window) -> None:
    window.app.callbacks["about"]()
    dialog = window.dialog()
    assert "Tcl/Tk" in dialog.detail and "Python" in dialog.detail
    window.answer("Copy")
    copied = window.app.clipboard_get()
    assert "ABQ Data Entry: " in copied and "Tcl/Tk: 8" in copied.replace("Tcl/Tk: 9", "Tcl/Tk: 8")
    assert "copied" in window.app.status.get()


def widgets(parent: tk.Misc) -> Iterator[tk.Misc]:
    for each in parent.winfo_children():
        yield each
        yield from widgets(each)


def edit_menu(window: Window) -> tk.Menu:
    assert window.app.main_menu is not None
    return submenu(window.app.main_menu, "Edit")


def test_the_edit_menu_acts_on_the_focused_field(window: Window) -> None:
    notes = window.app.form.inputs[F.NOTES].editor
    notes.focus_force()
    window.type("dry leaves")
    menu = edit_menu(window)
    menu.invoke("Select All")
    menu.invoke("Cut")
    assert window.text(F.NOTES) == "" and window.app.clipboard_get().rstrip() == "dry leaves"
    menu.invoke("Paste")
    window.until(lambda: window.text(F.NOTES) == "dry leaves", "what is pasted")
    menu.invoke("Undo")
    assert window.text(F.NOTES) == ""
    menu.invoke("Redo")
    assert window.text(F.NOTES) == "dry leaves"
    window.app.clipboard_clear()
    window.app.clipboard_append("24.09")
    humidity = window.app.form.inputs[F.HUMIDITY]
    humidity.focus_set()
    window.app.update()
    menu.invoke("Paste")
    window.until(lambda: window.text(F.HUMIDITY) == "24.09", "the paste")
    menu.invoke("Undo")
    assert window.text(F.HUMIDITY) == ""
    menu.invoke("Redo")
    assert window.text(F.HUMIDITY) == "24.09"


def test_the_edit_menu_by_keys_gives_the_focus_back_where_the_cursor_was(window: Window) -> None:
    notes: Any = window.app.form.inputs[F.NOTES].editor
    notes.focus_force()
    window.type("ab")
    window.press("Left")
    window.app.clipboard_clear()
    window.app.clipboard_append("-")
    texts = [text for kind, text, _ in entries(edit_menu(window)) if kind == "command"]

    def active() -> str:
        """The text of the entry that Return would choose; empty before the menu has the keys."""
        posted = str(window.app.tk.call("focus"))
        is_menu = posted and str(window.app.tk.call("winfo", "class", posted)) == "Menu"
        return str(window.app.tk.call(posted, "entrycget", "active", "-label")) if is_menu else ""

    window.press("alt+e")
    window.until(lambda: active() == texts[0], "the menu")
    window.press(*["Down"] * texts.index("Paste"))
    window.until(lambda: active() == "Paste", "the entry")
    window.press("Return")
    window.until(lambda: window.text(F.NOTES) == "a-b", "the paste")
    window.until(lambda: window.focus == F.NOTES, "the focus")
    assert notes.index("insert") == "1.2"


def test_the_edit_menu_offers_what_the_focused_widget_knows(window: Window) -> None:
    def offered() -> set[str]:
        menu = edit_menu(window)
        window.app.tk.call(str(menu.cget("postcommand")))
        return {
            text
            for index, (kind, text, _) in enumerate(entries(menu))
            if kind == "command" and str(menu.entrycget(index, "state")) == "normal"
        } & {"Undo", "Redo", "Cut", "Copy", "Paste", "Select All"}

    window.app.form.inputs[F.HUMIDITY].focus_set()
    assert offered() == {"Undo", "Redo", "Cut", "Copy", "Paste", "Select All"}
    window.app.record_list.page.tree.focus_set()
    assert "Paste" not in offered() and "Undo" not in offered()
    window.app.form.inputs[F.NOTES].set_enabled(False)
    window.app.form.inputs[F.NOTES].editor.focus_force()
    assert offered() == {"Copy", "Select All"}


def test_a_click_into_the_notes_puts_the_cursor_there(window: Window) -> None:
    notes: Any = window.app.form.inputs[F.NOTES].editor
    notes.focus_force()
    window.type("abcdef")
    window.app.form.inputs[F.PLANTS].focus_set()
    window.settle()
    box = notes.bbox("1.3")
    window.xdotool("mousemove", str(notes.winfo_rootx() + box[0] + 1), str(notes.winfo_rooty() + box[1] + 5))
    window.xdotool("click", "1")
    window.until(lambda: window.focus == F.NOTES, "the focus")
    assert notes.index("insert") == "1.3"


def test_what_the_code_says_of_menus_names_their_commands() -> None:
    """Sentences such as "Go ‣ Handover lists them": a command of that name exists. Its dots may be left out."""
    names = {each.text.rstrip("…") for each in ALL_COMMANDS} | {"Upload CSV"}  # which are two, and more
    said = [
        (path.name, words)
        for path in sorted(PACKAGE.rglob("*.py"))
        for words in re.findall(r"\b(?:File|Edit|Go|Tools|Help) ‣ ([^\n]+)", path.read_text(encoding="utf-8"))
    ]
    assert len(said) > 10
    assert not [each for each in said if not each[1].startswith(("{", *names))]


def test_about_names_the_servers_exact_version(window: Window) -> None:
    window.settle()
    said = environment_text(window.app, window.app.data_model, True)
    assert re.search(r"^PostgreSQL: \d+\.\d+(?: of \d+ \w+ \d{4}, .* old|, newer than )", said, re.MULTILINE), said


def test_about_says_when_a_newer_postgresql_is_installed(window: Window) -> None:
    window.settle()
    assert window.app.data_model is not None
    major = int(window.app.data_model.server_facts.server.partition(".")[0])
    said = environment_text(window.app, window.app.data_model, True, (major, 99))
    assert f"{major}.99 is installed: close all windows, and the next start uses it." in said
