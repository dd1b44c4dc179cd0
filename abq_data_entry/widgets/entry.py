"""A one-line entry for a field: numbers, dates and short texts."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from .. import fields
from ..constants import FieldTypes
from .editing import EditHistory, paste_value

NUMBERS = (FieldTypes.DECIMAL, FieldTypes.INTEGER)


class FieldEntry(ttk.Entry):
    """Takes only keystrokes that can lead to a valid value of ``field``.

    Events: ``<<Edited>>`` after each change by the user or the program, ``<<Refused>>`` when a keystroke
    was ignored. ``choices`` gives a list field's present values (``None``: any).
    """

    def __init__(
        self,
        parent: tk.Misc,
        field: fields.Field,
        choices: Callable[[], fields.Choices | None] = lambda: None,
        width: int = 9,
    ) -> None:
        self.field = field
        self.choices = choices
        self.variable = tk.StringVar(parent)
        justify = "right" if field.type in NUMBERS else "left"
        super().__init__(parent, textvariable=self.variable, width=width, justify=justify, validate="key")  # type: ignore[arg-type]
        self.configure(validatecommand=(self.register(self._allows_edit), "%P", "%d"), font="TkTextFont")
        self.history = EditHistory(self, self.variable)
        self.variable.trace_add("write", lambda *_: self.event_generate("<<Edited>>"))
        self.bind("<<Paste>>", lambda _event: paste_value(self, self.variable, self._allows))

    @property
    def text(self) -> str:
        """What stands in the entry, without blanks around it."""
        return self.variable.get().strip()

    def set_text(self, text: str) -> None:
        """Fill the entry by the program: not checked, not a step to undo."""
        self.variable.set(text)
        self.history.restart()

    def settle(self) -> None:
        """Bring a valid text into its usual form ("8" → "8:00", "24,1" → "24.1")."""
        try:
            value = fields.parse(self.field, self.text, self.choices())
        except ValueError:
            return
        formatted = fields.format_value(self.field, value)
        if formatted != self.variable.get():
            self.variable.set(formatted)

    def set_enabled(self, enabled: bool) -> None:
        """Let the user type here, or not."""
        self.state(["!disabled" if enabled else "disabled"])

    def _allows(self, text: str) -> bool:
        return text.isprintable() and fields.could_become_valid(self.field, text, self.choices())

    def _allows_edit(self, text: str, action: str) -> bool:
        allowed = action == "0" or not text or self._allows(text)
        if not allowed:
            self.event_generate("<<Refused>>")
        return allowed

    def select_all(self) -> None:
        """Select the text, so that typing replaces it. (Tab does so by itself; a click doesn't.)"""
        self.selection_range(0, tk.END)
        self.icursor(tk.END)
