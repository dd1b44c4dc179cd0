"""A list field that takes typing: the first letters that are unique complete it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from .. import fields
from .drop_down import widen_list
from .editing import bind_after_class
from .typed import TypedField
from .wheel import ignore_wheel


class FieldChoice(ttk.Combobox, TypedField):
    """One of ``choices()``: typed, completed, or picked from the list (Down or Alt-Down opens it)."""

    def __init__(
        self,
        parent: tk.Misc,
        field: fields.Field,
        choices: Callable[[], fields.Choices | None],
        width: int = 9,
    ) -> None:
        self.field = field
        self._given = choices
        self.variable = tk.StringVar(parent)
        ttk.Combobox.__init__(self, parent, textvariable=self.variable, width=width, postcommand=self._refresh)
        self.listen()
        self.bind("<Alt-Down>", self._open)
        # Tk's combobox would choose another value when the wheel of the mouse is turned over it.
        ignore_wheel(self, "TCombobox")
        bind_after_class(self, "<Key>", self._complete_while_typing)

    def choices(self) -> fields.Choices | None:
        """The values as they are now; ``None`` while they are still being fetched."""
        return self._given()

    def settle(self) -> None:
        """Complete what was typed, where that is unique."""
        completed = fields.complete(self.field, self.text, self.choices()) if self.text else None
        if completed is not None and completed != self.variable.get():
            self.variable.set(completed)

    def _refresh(self) -> None:
        self.configure(values=[str(each) for each in self.choices() or self.field.values])
        widen_list(self)

    def _open(self, _event: object) -> str:
        self.event_generate("<Down>")
        return "break"

    def _complete_while_typing(self, event: tk.Event) -> None:
        typed = self.variable.get()
        if not event.char or not event.char.isprintable() or self.index(tk.INSERT) != len(typed) or not typed:
            return
        completed = fields.complete(self.field, typed, self.choices())
        if completed and completed != typed and completed.lower().startswith(typed.lower()):
            self.variable.set(completed)
            self.icursor(len(typed))
            self.selection_range(len(typed), tk.END)
