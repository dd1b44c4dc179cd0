"""A paste into a field of the record: the clipboard with its keys, the selection with the middle mouse button."""

from __future__ import annotations

import tkinter as tk
from typing import TYPE_CHECKING

from . import clipboard

if TYPE_CHECKING:
    from .typed import TypedField

LATE = "the clipboard answered late: paste again"


def bind_paste(entry: TypedField) -> None:
    """Let ``entry`` take what is pasted by its method ``paste``."""
    entry.bind("<<Paste>>", lambda _event: _paste(entry, "CLIPBOARD"))
    entry.bind("<<PasteSelection>>", lambda event: _paste_selection(entry, event.x))


def _paste(entry: TypedField, selection: str) -> str:
    before = _state(entry)

    def take(text: str, problem: str) -> None:
        if problem:
            entry.refuse(problem)
        elif _state(entry) != before:  # keys came meanwhile: it would go between them
            entry.refuse(LATE)
        else:
            entry.paste(text)

    clipboard.read(entry, take, selection=selection)
    return "break"


def _paste_selection(entry: TypedField, x: int) -> str:
    if _was_dragged(entry):
        return "break"
    entry.focus_set()
    entry.icursor(entry.index(f"@{x}"))
    entry.selection_clear()
    return _paste(entry, "PRIMARY")


def _was_dragged(entry: TypedField) -> bool:
    """Whether the text was scrolled with the middle button rather than clicked."""
    try:
        return bool(entry.tk.getboolean(entry.tk.eval("set ::ttk::entry::State(scanMoved)")))
    except tk.TclError:
        return False


def _state(entry: TypedField) -> object:
    selected = entry.selection_present()
    return entry.variable.get(), entry.index(tk.INSERT), selected
