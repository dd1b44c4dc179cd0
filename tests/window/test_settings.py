"""Settings on the real window: they take effect at once, are written down, and nothing of the user's is lost."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tkinter import font as tkfont
from tkinter import ttk
from typing import Any

import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.themes import DARK, LIGHT
from tests.fixtures import window as fixture
from tests.fixtures.window import Window, close


def written(home: Path) -> dict[str, Any]:
    """The values in the settings file."""
    entries = json.loads((home / "abq_settings.json").read_text(encoding="utf-8"))
    return {name: entry["value"] if isinstance(entry, dict) else entry for name, entry in entries.items()}


def choose(window: Window, menu: str, text: str) -> None:
    """Choose an entry of a submenu of Options."""
    main = window.app.nametowidget(window.app.cget("menu"))
    options = main.nametowidget(main.entrycget("Options", "menu"))
    submenu = options.nametowidget(options.entrycget(menu, "menu"))
    submenu.invoke(text)
    window.settle()


def test_theme_font_and_density_take_effect_at_once_and_are_kept(window: Window, home: Path) -> None:
    app, style = window.app, ttk.Style(window.app)
    choose(window, "Theme", "Dark")
    assert style.lookup("TFrame", "background") == DARK.surface
    assert app.form.inputs[F.NOTES].editor.cget("background") == DARK.field
    assert app.form.check_panel.strip.cget("background") == DARK.surface
    choose(window, "Theme", "Light")
    assert style.lookup("TFrame", "background") == LIGHT.surface
    height = app.form.winfo_reqheight()
    choose(window, "Font Size", "14 points")
    assert tkfont.nametofont("TkDefaultFont", app).cget("size") == 14
    assert app.form.winfo_reqheight() > height
    height = app.form.winfo_reqheight()
    rows = style.lookup("Treeview", "rowheight")
    choose(window, "Density", "Compact")
    assert app.form.winfo_reqheight() < height
    assert style.lookup("Treeview", "rowheight") < rows
    kept = written(home)
    assert [kept[name] for name in ("theme", "font size", "density")] == ["light", 14, "compact"]


def test_the_platforms_own_theme_can_be_chosen_and_left(window: Window) -> None:
    choose(window, "Theme", "The platform's own")
    assert window.app.look.dark is False
    assert window.app.form.inputs[F.HUMIDITY].editor.winfo_viewable()
    choose(window, "Theme", "Dark")
    assert ttk.Style(window.app).lookup("TFrame", "background") == DARK.surface


def test_dialogs_have_the_theme(window: Window) -> None:
    choose(window, "Theme", "Dark")
    window.app.callbacks["about"]()
    assert window.dialog().cget("background") == DARK.surface
    window.press("Escape")
    window.until(lambda: not window.dialogs, "the end")


def test_what_is_open_stays_while_the_look_changes(window: Window) -> None:
    window.begin_check()
    window.type("24.09\n1.0")
    choose(window, "Font Size", "16 points")
    assert (window.text(F.HUMIDITY), window.text(F.LIGHT)) == ("24.09", "1.0")
    choose(window, "Theme", "Dark")
    assert window.text(F.LIGHT) == "1.0"


def test_autofills_are_switched_from_the_menu(window: Window, home: Path) -> None:
    main = window.app.nametowidget(window.app.cget("menu"))
    options = main.nametowidget(main.entrycget("Options", "menu"))
    for text in ("Autofill Date", "Autofill Check and Plot"):
        options.invoke(text)
    window.settle()
    kept = written(home)
    assert (kept["autofill date"], kept["autofill sheet data"]) == (False, False)
    window.app.form.begin_new(all_fields=True)
    assert window.text(F.DATE) == ""
    options.invoke("Autofill Date")
    window.app.form.begin_new(all_fields=True)
    assert window.text(F.DATE) != ""


def test_size_and_place_are_remembered(window: Window, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    window.app.geometry("1010x730+40+30")
    window.until(lambda: window.app.winfo_width() == 1010, "the size")
    close(window)
    geometry = written(home)["window geometry"]
    assert geometry.startswith("1010x730+")
    # The fixture would write the settings anew; this start finds them as the first window left them.
    from abq_data_entry.application import Application

    second = Window(Application(), [])
    try:
        second.until(lambda: second.app.winfo_viewable(), "the window")
        second.until(lambda: (second.app.winfo_width(), second.app.winfo_height()) == (1010, 730), "the size")
        second.until_open()
    finally:
        close(second)


@pytest.mark.parametrize("geometry", ["9999x9999+5000+5000", "nonsense", "1x1+0+0", "800x600+-500+-500"])
def test_an_impossible_size_still_gives_a_window_on_the_screen(
    settings: dict[str, Any], open_window: Callable[[], Window], geometry: str
) -> None:
    settings["window geometry"] = geometry
    app = open_window().app
    assert 640 <= app.winfo_width() <= app.winfo_screenwidth()
    assert 480 <= app.winfo_height() <= app.winfo_screenheight()
    assert -20 <= app.winfo_rootx() < app.winfo_screenwidth() - 90


def open_with(monkeypatch: pytest.MonkeyPatch, open_window: Callable[[], Window], content: str | bytes) -> Window:
    """A window that finds this settings file."""

    def write(home: Path, _values: object) -> None:
        data = content.encode() if isinstance(content, str) else content
        (home / "abq_settings.json").write_bytes(data)

    monkeypatch.setattr(fixture, "write_settings", write)
    return open_window()


def problems(window: Window) -> str:
    """What the message says about the settings; it is dismissed."""
    text = window.message("Some settings couldn't be used.").detail
    window.press_message("Dismiss")
    window.until_open()
    return text


def test_wrong_and_unknown_settings_are_named_and_kept(
    monkeypatch: pytest.MonkeyPatch, open_window: Callable[[], Window], database: dict[str, str], home: Path
) -> None:
    content = {
        "db_name": {"type": "str", "value": database["dbname"]},
        "font size": {"type": "int", "value": "large"},
        "theme": {"type": "str", "value": "purple"},
        "colour of the moon": {"type": "str", "value": "green", "comment": "mine"},
    }
    window = open_with(monkeypatch, open_window, json.dumps(content))
    text = problems(window)
    for name in ("font size", "theme", "colour of the moon"):
        assert name in text
    assert "db_name" not in text
    assert window.app.settings["font size"].get() == 9
    choose(window, "Density", "Compact")
    kept = json.loads((home / "abq_settings.json").read_text(encoding="utf-8"))
    assert kept["colour of the moon"] == content["colour of the moon"]
    assert kept["font size"] == content["font size"] and kept["theme"] == content["theme"]
    assert kept["density"]["value"] == "compact"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"db_name": {"type": "str", "value": "abq"}, "font size": ', "can't be read"),
        ('{"db_hots": {"type": "str", "value": "db1.lab.example"}}', "line 1: the setting 'db_hots' is unknown"),
    ],
    ids=["half a file", "a misspelled name"],
)
def test_nothing_is_opened_while_it_is_not_sure_which_database_is_meant(
    monkeypatch: pytest.MonkeyPatch,
    open_window: Callable[[], Window],
    home: Path,
    database: dict[str, str],
    content: str,
    words: str,
) -> None:
    window = open_with(monkeypatch, open_window, content)
    file = home / "abq_settings.json"
    assert words in window.message("The settings don't say clearly which database is meant").detail
    window.app.callbacks["refresh"]()
    window.app.retry_database()
    choose(window, "Font Size", "12 points")
    window.settle()
    assert window.app.data_model is None and not window.dialogs
    assert file.read_text(encoding="utf-8") == content
    assert window.app.form.inputs.read_only
    file.write_text(json.dumps({"db_name": {"type": "str", "value": database["dbname"]}}), encoding="utf-8")
    window.press_message("Look Again")
    window.until(lambda: window.app.title().endswith("on this computer"), "the database")
    window.until(lambda: window.app.shared.username == "" and not window.app.form.inputs.read_only, "the form")
    window.settle()
    assert not window.messages
    assert window.app.title() == f"ABQ Data Entry: {database['dbname']} on this computer"


def test_another_database_than_last_time_is_asked_about_once(
    open_window: Callable[[], Window], home: Path, database: dict[str, str]
) -> None:
    last = Path(os.environ["ABQ_DATA_DIR"], "last-database")
    last.write_text("db1.lab.example:5432/abq\n", encoding="utf-8")
    window = open_window()
    message = window.message(f"This window would write to {database['dbname']} on this computer")
    assert "db1.lab.example:5432/abq" in message.detail and window.app.data_model is None
    window.app.callbacks["refresh"]()
    window.settle()
    assert window.app.data_model is None and window.app.form.inputs.read_only
    window.press_message("Write to")
    window.until_open()
    assert not window.messages and database["dbname"] in last.read_text(encoding="utf-8")
    window.app.end()
    again = open_window()
    again.until_open()
    assert not again.messages


def test_a_folder_that_cannot_be_written_does_not_break_the_window(window: Window, home: Path) -> None:
    # Root may write to any folder, but to none that isn't there and can't be made.
    shutil.rmtree(home)
    home.write_text("a file where the folder was")
    choose(window, "Font Size", "12 points")
    assert "The settings couldn't be saved." in window.messages
    assert tkfont.nametofont("TkDefaultFont", window.app).cget("size") == 12
    window.begin_check()
    window.fill_readings()
    window.save()
    assert window.app.form.check.recorded
    home.unlink()
    home.mkdir()
    choose(window, "Font Size", "10 points")
    assert written(home)["font size"] == 10
