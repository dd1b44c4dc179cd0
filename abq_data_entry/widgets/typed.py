"""What the entries and the list fields have in common: a field's text, kept exactly as it is typed."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk

from .. import fields
from .editing import EditHistory
from .pasting import bind_paste


class TypedField(ttk.Entry):
    """Base of :class:`FieldEntry` and :class:`FieldChoice` (Tk's combobox is an entry too).

    Every key and every paste is kept; :meth:`mark` says what is wrong with the text. Events: ``<<Edited>>`` after each
    change by the user or the program, ``<<Refused>>`` when a paste was refused, for the reason in ``refusal``. A
    subclass sets ``field`` and ``variable`` before its Tk widget is made, and calls :meth:`listen` after.

    ``spread(cells)`` is called with a row of cells that was pasted here, for the fields from this one on; it returns
    why they can't be taken, empty where they were.
    """

    field: fields.Field
    variable: tk.StringVar
    refusal = ""
    spread: Callable[[Sequence[str]], str]

    def choices(self) -> fields.Choices | None:
        """The present values of a list; ``None``: any, or they are still being fetched."""
        return None

    def listen(self) -> None:
        """Keep the steps to undo, take pastes, tell of changes."""
        self.configure(font="TkTextFont")
        self.spread = lambda cells: f"{len(cells)} cells: only one fits here"
        self.history = EditHistory(self, self.variable)
        self.variable.trace_add("write", lambda *_: self.event_generate("<<Edited>>"))
        bind_paste(self)

    @property
    def text(self) -> str:
        """What stands in the field, without blanks around it."""
        return self.variable.get().strip()

    def mark(self) -> str:
        """What is wrong with the text, in words; empty while typing on could make it right."""
        return fields.mark(self.field, self.text, self.choices())

    def wrong(self) -> str:
        """What is wrong with the text as it is, in words."""
        try:
            fields.parse(self.field, self.text, self.choices())
        except ValueError as error:
            return str(error)
        return ""

    def likely(self) -> str | None:
        """What a text that isn't valid was probably meant to be; ``None`` where there is no telling."""
        return fields.likely(self.field, self.text)

    def set_text(self, text: str) -> None:
        """Fill the field by the program: not a step to undo."""
        if text != self.variable.get():
            self.variable.set(text)
        self.history.restart()

    def edit_text(self, text: str) -> None:
        """Replace the text for the user: a step to undo."""
        self.variable.set(text)
        self.icursor(tk.END)

    def paste(self, text: str) -> None:
        """Insert ``text`` at the cursor or over the selection; several cells go to the fields from this one on."""
        if not text or self.instate(["disabled"]):
            return
        rows = fields.cells(text)
        if len(rows) > 1:
            self.refuse(f"{len(rows)} rows are a sheet; paste one plot's row")
        elif len(rows[0]) > 1:
            problem = self.spread(rows[0])
            if problem:
                self.refuse(problem)
        else:
            self._insert_pasted(fields.pasted(self.field, text))

    def refuse(self, why: str) -> None:
        """Tell that a paste was refused; the text stays as it is."""
        self.refusal = why
        self.event_generate("<<Refused>>")

    def set_enabled(self, enabled: bool) -> None:
        """Let the user type here, or not."""
        self.state(["!disabled" if enabled else "disabled"])

    def select_all(self) -> None:
        """Select the text, so that typing replaces it. (Tab does so by itself; a click doesn't.)"""
        self.selection_range(0, tk.END)
        self.icursor(tk.END)

    def _insert_pasted(self, pasted: str) -> None:
        text = self.variable.get()
        start = end = self.index(tk.INSERT)
        if self.selection_present():
            start, end = self.index(tk.SEL_FIRST), self.index(tk.SEL_LAST)
        self.variable.set(text[:start] + pasted + text[end:])
        self.icursor(start + len(pasted))
        self.selection_clear()
