"""A one-line entry for a field: numbers, dates and short texts."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from .. import fields
from ..constants import FieldTypes
from .editing import bind_after_class
from .typed import TypedField

NUMBERS = (FieldTypes.DECIMAL, FieldTypes.INTEGER)
# Control, Alt or Command is held: no text is typed.
_COMMAND_STATE = 0x4 | 0x8 | 0x40000


class FieldEntry(TypedField):
    """An entry that keeps what was typed.

    Where ``implies_point()`` says so, digits typed into a decimal field are hundredths: 2, 4, 0, 9 shows 0.02, 0.24,
    2.40, 24.09. A typed point or comma ends that. ``<<Full>>`` tells that a key has made a decimal number valid which
    takes no further digit.
    """

    def __init__(self, parent: tk.Misc, field: fields.Field, width: int = 9) -> None:
        self.field = field
        self.variable = tk.StringVar(parent)
        self.implies_point: Callable[[], bool] = lambda: False
        self._digits = ""
        justify = "right" if field.type in NUMBERS else "left"
        ttk.Entry.__init__(self, parent, textvariable=self.variable, width=width, justify=justify)  # type: ignore[arg-type]
        self.listen()
        if field.places:
            self.bind("<Key>", self._type_implied, add=True)
            bind_after_class(self, "<Key>", self._tell_full)

    def settle(self) -> None:
        """Numbers and texts stay as they were typed."""

    def mark(self) -> str:
        """What is wrong with the text, in words; empty while typing on could make it right."""
        if self._implied and fields.could_become_implied(self.field, self._implied):
            return ""
        return super().mark()

    @property
    def _implied(self) -> str:
        """The digits typed so far without a point, empty where the text came about in another way."""
        shown = bool(self._digits) and self.variable.get() == fields.with_implied_point(self.field, self._digits)
        return self._digits if shown else ""

    def _type_implied(self, event: tk.Event) -> str | None:
        digits = self._digits_after(event) if self.implies_point() and self.instate(["!disabled"]) else None
        if digits is None:
            return None
        self._digits = digits
        if event.char in (".", ","):
            text = digits + event.char
        else:
            text = fields.with_implied_point(self.field, digits) if digits else ""
        self.edit_text(text)
        self.selection_clear()
        self._tell_full(event)
        return "break"

    def _digits_after(self, event: tk.Event) -> str | None:
        """The digits after this key, None where it is for the entry itself."""
        if isinstance(event.state, int) and event.state & _COMMAND_STATE:
            return None
        text, implied = self.variable.get(), self._implied
        selected = self.selection_present()
        whole = selected and self.index(tk.SEL_FIRST) == 0 and self.index(tk.SEL_LAST) == len(text)
        at_end = not selected and self.index(tk.INSERT) == len(text)
        if event.char and event.char in "0123456789":
            if not text or whole:
                return event.char
            return implied + event.char if implied and at_end else None
        if not implied or not at_end:
            return None
        if event.keysym == "BackSpace":
            return implied[:-1]
        return implied if event.char in (".", ",") else None

    def _tell_full(self, event: tk.Event) -> None:
        typed = bool(event.char) and event.char in "0123456789"
        if typed and self.index(tk.INSERT) == len(self.variable.get()) and self._is_full():
            self.event_generate("<<Full>>")

    def _is_full(self) -> bool:
        separator = self.text.replace(",", ".").find(".")
        if separator < 0 or len(self.text) - separator - 1 != self.field.places:
            return False
        implied = self._implied
        if implied and any(fields.could_become_implied(self.field, implied + digit) for digit in "0123456789"):
            return False
        try:
            fields.parse(self.field, self.text)
        except ValueError:
            return False
        return True
