"""Keys that were collected are pressed again, each as it was pressed before, or not at all."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

from ..widgets import FieldChoice, FieldNotes
from ..widgets.typed import TypedField
from .typed_keys import SHIFT, TypedKey

_IN_LISTS = frozenset(("Up", "Down", "Prior", "Next", "KP_Up", "KP_Down"))


class Pressing:
    """Presses keys by Tk's own events, so that every binding sees them. The first of the widgets' bindings asks
    :meth:`arrives`."""

    def __init__(self) -> None:
        self._awaited: TypedKey | None = None
        self._has_arrived = False

    def press(self, key: TypedKey, target: tk.Misc) -> bool:
        """Press the key in the widget that has the focus; False where that can't be done as it was pressed."""
        if not key.is_lasting or (isinstance(target, FieldChoice) and key.keysym in _IN_LISTS):
            return False
        return self._generate(key, target) or _insert(key, target)

    def arrives(self, key: TypedKey) -> bool | None:
        """Whether this is the key that is being pressed; ``None`` while none is."""
        if self._awaited is None:
            return None
        self._has_arrived = key.same_as(self._awaited)
        self._awaited = None
        return self._has_arrived

    def _generate(self, key: TypedKey, target: tk.Misc) -> bool:
        """False where it would mean something else now: another layout, an input method."""
        if not key.keycode:  # what an input method has composed
            return False
        self._awaited, self._has_arrived = key, False
        try:
            target.event_generate("<KeyPress>", keycode=key.keycode, state=key.state, time=key.time)
        finally:
            self._awaited = None
        return self._has_arrived


def leads_on(key: TypedKey, target: tk.Misc) -> bool:
    """Whether the key saves, or is the Enter that leads to the next field: no line break of the notes."""
    return key.saves or (key.is_enter and not (isinstance(target, FieldNotes) and key.state & SHIFT))


def _insert(key: TypedKey, target: tk.Misc) -> bool:
    """Write the key's text as Tk's own binding of the widget does; False where there is none to write."""
    if not key.text or not isinstance(target, (TypedField, FieldNotes)):
        return False
    target.tk.call("ttk::entry::Insert" if isinstance(target, ttk.Entry) else "tk::TextInsert", target, key.text)
    return True
