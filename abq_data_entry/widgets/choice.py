"""A list field that takes typing: the first letters that are unique complete it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from .. import fields
from .editing import EditHistory, bind_after_class, paste_value


class FieldChoice(ttk.Combobox):
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
        super().__init__(
            parent,
            textvariable=self.variable,
            width=width,
            validate="key",
            postcommand=self._refresh,
            font="TkTextFont",
        )
        self.configure(validatecommand=(self.register(self._allows_edit), "%P", "%d"))
        self.history = EditHistory(self, self.variable)
        self.variable.trace_add("write", lambda *_: self.event_generate("<<Edited>>"))
        self.bind("<<Paste>>", lambda _event: paste_value(self, self.variable, self._allows))
        self.bind("<Alt-Down>", self._open)
        bind_after_class(self, "<Key>", self._complete_while_typing)

    def choices(self) -> fields.Choices | None:
        """The values as they are now; ``None`` while they are still being fetched."""
        return self._given()

    @property
    def text(self) -> str:
        """What stands in the field, without blanks around it."""
        return self.variable.get().strip()

    def set_text(self, text: str) -> None:
        """Fill the field by the program: not checked, not a step to undo."""
        self.variable.set(text)
        self.history.restart()

    def settle(self) -> None:
        """Complete what was typed, where that is unique."""
        completed = fields.complete(self.field, self.text, self.choices()) if self.text else None
        if completed is not None and completed != self.variable.get():
            self.variable.set(completed)

    def set_enabled(self, enabled: bool) -> None:
        """Let the user choose here, or not."""
        self.state(["!disabled" if enabled else "disabled"])

    def _refresh(self) -> None:
        self.configure(values=[str(each) for each in self.choices() or self.field.values])

    def _open(self, _event: object) -> str:
        self.event_generate("<Down>")
        return "break"

    def _allows(self, text: str) -> bool:
        return text.isprintable() and fields.could_become_valid(self.field, text, self.choices())

    def _allows_edit(self, text: str, action: str) -> bool:
        allowed = action == "0" or not text or self._allows(text)
        if not allowed:
            self.event_generate("<<Refused>>")
        return allowed

    def _complete_while_typing(self, event: tk.Event) -> None:
        typed = self.variable.get()
        if not event.char or not event.char.isprintable() or self.index(tk.INSERT) != len(typed) or not typed:
            return
        completed = fields.complete(self.field, typed, self.choices())
        if completed and completed != typed and completed.lower().startswith(typed.lower()):
            self.variable.set(completed)
            self.icursor(len(typed))
            self.selection_range(len(typed), tk.END)

    def select_all(self) -> None:
        """Select the text, so that typing replaces it. (Tab does so by itself; a click doesn't.)"""
        self.selection_range(0, tk.END)
        self.icursor(tk.END)
