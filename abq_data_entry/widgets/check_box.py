"""A check box for a yes-or-no field: Space, or y and n."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

from .. import fields

# Control, Alt or Command is held: no text is typed.
_COMMAND_STATE = 0x4 | 0x8 | 0x40000


class FieldCheck(ttk.Checkbutton):
    """The field's value as text is ``"true"`` or ``"false"``.

    Other keys than Space, and y and n or the words that they begin, are kept and marked: a number typed here was meant
    for another field, and must not go on to the next one with the digits after it. Backspace takes a key back.
    """

    def __init__(self, parent: tk.Misc, field: fields.Field, label: str) -> None:
        self.field = field
        self.variable = tk.BooleanVar(parent, value=False)
        super().__init__(parent, text=label, variable=self.variable)
        self._typed = ""
        self.bind("<Key>", self._key, add=True)
        self.bind("<FocusIn>", self._begin, add=True)
        self._last = False
        self._done: list[bool] = []
        self._undone: list[bool] = []
        self.variable.trace_add("write", self._changed)
        self.bind("<<Undo>>", lambda _event: self._move(self._done, self._undone))
        self.bind("<<Redo>>", lambda _event: self._move(self._undone, self._done))

    @property
    def text(self) -> str:
        """``"true"`` when ticked, else ``"false"``."""
        return fields.format_value(self.field, self.variable.get())

    def set_text(self, text: str) -> None:
        """Tick or untick the box by the program."""
        self._typed = ""
        self.variable.set(fields.parse(self.field, text) is True)
        self._done.clear()
        self._undone.clear()

    def edit_text(self, text: str) -> None:
        """Tick or untick the box for the user."""
        self.set_text(text)

    def mark(self) -> str:
        """What is wrong with the keys that were typed here, in words."""
        return fields.mark(self.field, self._typed)

    def settle(self) -> None:
        """Nothing to bring into form."""

    def set_enabled(self, enabled: bool) -> None:
        """Let the user tick here, or not."""
        self.state(["!disabled" if enabled else "disabled"])

    def _begin(self, _event: object) -> None:
        if not self.mark():
            self._typed = ""

    def _key(self, event: tk.Event) -> str | None:
        if not self.instate(["!disabled"]) or (isinstance(event.state, int) and event.state & _COMMAND_STATE):
            return None
        if event.keysym in ("BackSpace", "Delete", "space"):
            self._typed = self._typed[:-1] if event.keysym == "BackSpace" else ""
            self.event_generate("<<Edited>>")
            return None
        if len(event.char) != 1 or not event.char.isprintable():
            return None
        self._take(event.char)
        return "break"

    def _take(self, char: str) -> None:
        # "ye" goes on to "yes"; y after n is another answer.
        begun = [text for text in (self._typed + char, char) if fields.could_become_valid(self.field, text)]
        self._typed = begun[0] if begun and not self.mark() else self._typed + char
        try:
            value = fields.parse(self.field, self._typed) is True
        except ValueError:
            self.event_generate("<<Edited>>")
            return
        if value != self.variable.get():
            self.variable.set(value)
        else:
            self.event_generate("<<Edited>>")

    def _changed(self, *_names: str) -> None:
        if self.variable.get() != self._last:
            self._done.append(self._last)
            self._undone.clear()
        self._last = self.variable.get()
        self.event_generate("<<Edited>>")

    def _move(self, source: list[bool], target: list[bool]) -> str:
        """Undo, or redo: what was ticked before stands there again."""
        if source and not self.instate(["disabled"]):
            self._typed = ""
            target.append(self._last)
            self._last = source.pop()
            self.variable.set(self._last)
        return "break"
