"""Run by test_new_command.py with a copy of the package whose Tools menu has one command more: count the records."""

from __future__ import annotations

import tkinter as tk

from abq_data_entry.mainmenu import keys_text
from tests.fixtures.window import window_of_a_script

TEXT = "Count Today's Records"


def main() -> None:
    """Save a record and count; whatever fails raises."""
    with window_of_a_script() as window:
        assert TEXT in tools(window.app), tools(window.app)
        assert ("Ctrl+Shift+U", TEXT) in keys_text(mac=False)
        window.begin_check()
        window.fill_readings()
        window.save()
        window.take_keys()
        window.press("ctrl+shift+u")
        window.until(lambda: window.app.status.get() == "Records today: 1", "the count")


def tools(app: tk.Tk) -> list[str]:
    """The texts of the Tools menu."""
    bar = app.nametowidget(app.cget("menu"))
    for number in range(bar.index("end") + 1):
        if bar.entrycget(number, "label") == "Tools":
            menu = app.nametowidget(bar.entrycget(number, "menu"))
            entries = range(menu.index("end") + 1)
            return [str(menu.entrycget(each, "label")) for each in entries if menu.type(each) != "separator"]
    return []


if __name__ == "__main__":
    main()
