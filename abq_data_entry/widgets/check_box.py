"""A check box for a yes-or-no field: Space, or y and n."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

from .. import fields


class FieldCheck(ttk.Checkbutton):
    """The field's value as text is ``"true"`` or ``"false"``."""

    def __init__(self, parent: tk.Misc, field: fields.Field, label: str) -> None:
        self.field = field
        self.variable = tk.BooleanVar(parent, value=False)
        super().__init__(parent, text=label, variable=self.variable)
        self.variable.trace_add("write", lambda *_: self.event_generate("<<Edited>>"))
        for key, value in (("y", True), ("Y", True), ("n", False), ("N", False)):
            self.bind(f"<KeyPress-{key}>", lambda _event, value=value: self.variable.set(value))  # type: ignore[misc]

    @property
    def text(self) -> str:
        """``"true"`` when ticked, else ``"false"``."""
        return fields.format_value(self.field, self.variable.get())

    def set_text(self, text: str) -> None:
        """Tick or untick the box by the program."""
        self.variable.set(fields.parse(self.field, text) is True)

    def edit_text(self, text: str) -> None:
        """Tick or untick the box for the user."""
        self.set_text(text)

    def mark(self) -> str:
        """Nothing can be wrong with a box."""
        return ""

    def settle(self) -> None:
        """Nothing to bring into form."""

    def set_enabled(self, enabled: bool) -> None:
        """Let the user tick here, or not."""
        self.state(["!disabled" if enabled else "disabled"])
