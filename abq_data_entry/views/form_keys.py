"""Keys that mean the same in every field of the form: save, and the fault, for a hand that stays on the number pad."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Iterator
from tkinter import ttk

from .. import fields
from ..constants import FieldNames as F
from ..constants import FieldTypes
from ..widgets import FieldCheck
from .record_inputs import RecordInputs

SAVE_KEYS = ("<Control-Return>", "<Control-KP_Enter>", "<Command-Return>", "<Command-KP_Enter>")
FAULT_KEYS = ("<asterisk>", "<KP_Multiply>")
_TEXTS = (FieldTypes.STRING, FieldTypes.LONG_TEXT)
_COMMAND_STATE = 0x4 | 0x8  # Control, Alt or Command: not the sign itself


class FormKeys:
    """Ctrl+Enter saves from anywhere in the form. ``*`` sets the equipment fault or takes it back.

    ``*`` is the one sign that no number, date or list can hold and that the number pad has. Fields of free text keep it
    as it is typed. ``save()`` and ``toggled()``, after the fault has changed, are the form's.
    """

    def __init__(self, inputs: RecordInputs, save: Callable[[], object]) -> None:
        self._inputs, self._save = inputs, save
        self._left = ""  # the reading that the fault closed while it had the focus

    def add_field(self, name: str) -> None:
        """Bind the keys in the field of that name."""
        each = self._inputs[name]
        self._bind_save(each.editor)
        if each.field.type not in _TEXTS:
            self._bind_fault(each.editor, name)

    def add_buttons(self, form: tk.Misc) -> None:
        """Bind the keys on all buttons inside ``form``."""
        for button in _buttons(form):
            self._bind_save(button)
            self._bind_fault(button, "")

    def _bind_save(self, widget: tk.Misc) -> None:
        aqua = widget.tk.call("tk", "windowingsystem") == "aqua"
        for key in SAVE_KEYS:
            if key.startswith("<Command") == aqua:
                widget.bind(key, lambda _event: _done(self._save))

    def _bind_fault(self, widget: tk.Misc, name: str) -> None:
        for key in FAULT_KEYS:
            widget.bind(key, lambda event: self._pressed(event, name))

    def _pressed(self, event: tk.Event, name: str) -> str | None:
        if int(event.state) & _COMMAND_STATE:
            return None
        self.toggle_fault(name)
        return "break"

    def toggle_fault(self, name: str) -> None:
        """Set the equipment fault or take it back, from the field ``name``; what it closes loses the focus."""
        fault = self._inputs[F.EQUIPMENT_FAULT]
        if fault.is_disabled:
            return
        setting = fault.text != "true"
        if isinstance(fault.editor, FieldCheck):
            fault.editor.variable.set(setting)
        if setting and name in fields.READINGS:
            self._left = name
            following = self._inputs.after(F.EQUIPMENT_FAULT)
            self._inputs[following or F.PLANTS].focus_set()
        elif not setting and self._left:
            reading, self._left = self._left, ""
            self._inputs[reading].focus_set()


def _buttons(widget: tk.Misc) -> Iterator[ttk.Button]:
    for each in widget.winfo_children():
        if isinstance(each, ttk.Button):
            yield each
        yield from _buttons(each)


def _done(action: Callable[[], object]) -> str:
    action()
    return "break"
