"""Keep what is typed while a record is being saved, and type it into the next plot."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

from ..widgets.focus import focused_widget

_MODIFIERS = frozenset(
    f"{key}_{side}" for key in ("Shift", "Control", "Alt", "Meta", "Super", "Hyper") for side in "LR"
) | {"Caps_Lock", "Num_Lock", "ISO_Level3_Shift"}
_COMMAND_STATE = 0x4 | 0x8 | 0x40000


class TypeAhead:
    """Holds the focus between Enter and the database's answer, so that no key gets into the wrong field."""

    def __init__(self, form: tk.Misc) -> None:
        self._form = form
        self._keys: list[tuple[str, str]] = []
        self._before: tk.Misc | None = None
        self._collector = ttk.Frame(form, width=1, height=1, takefocus=0)
        self._collector.place(x=-10, y=-10)
        self._collector.bind("<Key>", self._collect)

    def begin(self) -> None:
        """Collect keys from now on."""
        focused = focused_widget(self._form)
        if focused is not self._collector:
            self._before = focused
        self._collector.focus_set()

    def end(self, return_focus: bool) -> None:
        """Type the collected keys where the focus is now, or with ``return_focus`` where it was before."""
        if return_focus and self._before is not None:
            self._before.focus_set()
        keys, self._keys = self._keys, []
        for keysym, char in keys:
            target = focused_widget(self._form)
            if target is self._collector:  # a collected Enter began another save
                self._keys.append((keysym, char))
            elif target is not None:
                _type(target, keysym, char)

    def _collect(self, event: tk.Event) -> str | None:
        if event.keysym in _MODIFIERS:
            return "break"
        if isinstance(event.state, int) and event.state & _COMMAND_STATE:
            return None
        self._keys.append((event.keysym, event.char))
        return "break"


def _type(target: tk.Misc, keysym: str, char: str) -> None:
    if isinstance(target, (ttk.Entry, tk.Text)) and len(char) == 1 and char.isprintable():
        if isinstance(target, ttk.Entry) and target.selection_present():
            target.delete(tk.SEL_FIRST, tk.SEL_LAST)
        target.insert(tk.INSERT, char)
    elif keysym and keysym != "??":
        target.event_generate(f"<KeyPress-{keysym}>")
