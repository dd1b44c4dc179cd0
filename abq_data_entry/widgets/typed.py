"""What the entries and the list fields have in common: a field's text, typed key by key."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

from .. import fields
from .editing import EditHistory, paste_value


class TypedField(ttk.Entry):
    """Base of :class:`FieldEntry` and :class:`FieldChoice` (Tk's combobox is an entry too).

    Takes only keystrokes that can lead to a valid value. Events: ``<<Edited>>`` after each change by the user
    or the program, ``<<Refused>>`` when a keystroke was ignored. A subclass sets ``field`` and ``variable``
    before its Tk widget is made, and calls :meth:`listen` after.
    """

    field: fields.Field
    variable: tk.StringVar

    def choices(self) -> fields.Choices | None:
        """The present values of a list; ``None``: any, or they are still being fetched."""
        return None

    def listen(self) -> None:
        """Check keystrokes, keep the steps to undo, tell of changes."""
        self.configure(
            validate="key", validatecommand=(self.register(self._allows_edit), "%P", "%d"), font="TkTextFont"
        )
        self.history = EditHistory(self, self.variable)
        self.variable.trace_add("write", lambda *_: self.event_generate("<<Edited>>"))
        self.bind("<<Paste>>", lambda _event: paste_value(self, self.variable, self._allows))

    @property
    def text(self) -> str:
        """What stands in the field, without blanks around it."""
        return self.variable.get().strip()

    def set_text(self, text: str) -> None:
        """Fill the field by the program: not checked, not a step to undo."""
        if text != self.variable.get():
            self.variable.set(text)
        self.history.restart()

    def set_enabled(self, enabled: bool) -> None:
        """Let the user type here, or not."""
        self.state(["!disabled" if enabled else "disabled"])

    def select_all(self) -> None:
        """Select the text, so that typing replaces it. (Tab does so by itself; a click doesn't.)"""
        self.selection_range(0, tk.END)
        self.icursor(tk.END)

    def _allows(self, text: str) -> bool:
        return text.isprintable() and fields.could_become_valid(self.field, text, self.choices())

    def _allows_edit(self, text: str, action: str) -> bool:
        allowed = action == "0" or not text or self._allows(text)
        if not allowed:
            self.event_generate("<<Refused>>")
        return allowed
