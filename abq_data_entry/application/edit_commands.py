"""The Edit menu: Undo, Redo, Cut, Copy, Paste and Select All of the widget that has the focus."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from .bindings import bound

EVENTS = {
    "undo": "<<Undo>>",
    "redo": "<<Redo>>",
    "cut": "<<Cut>>",
    "copy": "<<Copy>>",
    "paste": "<<Paste>>",
    "select_all": "<<SelectAll>>",
}
_CHANGING = ("undo", "redo", "cut", "paste")


class EditCommands:
    """What the Edit menu does in ``window`` and the windows beside it, by the names of the callbacks."""

    def __init__(self, window: tk.Misc) -> None:
        self._window = window
        self.callbacks: dict[str, Callable[[], object]] = {
            name: lambda event=event: self._perform(event)  # type: ignore[misc]
            for name, event in EVENTS.items()
        }

    def offered(self) -> set[str]:
        """The callbacks that the focused widget knows: a closed field can only be copied from."""
        target = self._target()
        if target is None:
            return set()
        tags = target.bindtags()
        known = {name for name, event in EVENTS.items() if any(bound(target, tag, event) for tag in tags)}
        return known.difference(_CHANGING) if _is_closed(target) else known

    def _perform(self, event: str) -> None:
        target = self._target()
        if target is not None:
            target.event_generate(event)

    def _target(self) -> tk.Misc | None:
        path = str(self._window.tk.call("focus"))
        if not path or self._window.tk.call("winfo", "class", path) == "Menu":
            # An open menu has the focus, and gives it back when it closes.
            path = str(self._window.tk.globalgetvar("::tk::Priv(focus)"))
        try:
            return self._window.nametowidget(path) if path else None
        except KeyError:  # made by Tk itself, such as the list of a combobox
            return None


def _is_closed(widget: tk.Misc) -> bool:
    if isinstance(widget, ttk.Entry):
        return bool(widget.instate(["disabled"]) or widget.instate(["readonly"]))
    return isinstance(widget, tk.Text) and str(widget.cget("state")) == "disabled"
