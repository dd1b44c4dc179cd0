"""A one-line entry for a field: numbers, dates and short texts."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

from .. import fields
from ..constants import FieldTypes
from .typed import TypedField

NUMBERS = (FieldTypes.DECIMAL, FieldTypes.INTEGER)


class FieldEntry(TypedField):
    """An entry that brings a valid text into its usual form when it is left."""

    def __init__(self, parent: tk.Misc, field: fields.Field, width: int = 9) -> None:
        self.field = field
        self.variable = tk.StringVar(parent)
        justify = "right" if field.type in NUMBERS else "left"
        ttk.Entry.__init__(self, parent, textvariable=self.variable, width=width, justify=justify)  # type: ignore[arg-type]
        self.listen()

    def settle(self) -> None:
        """Bring a valid text into its usual form ("24,1" → "24.10")."""
        try:
            value = fields.parse(self.field, self.text)
        except ValueError:
            return
        formatted = fields.format_value(self.field, value)
        if formatted != self.variable.get():
            self.variable.set(formatted)
