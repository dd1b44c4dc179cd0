"""What every one-line entry can do beyond Tk's own: undo and redo."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk


class EditHistory:
    """Undo and redo of an entry's text; typing in one go counts as one step.

    The entry's variable is watched; :meth:`restart` forgets all (the entry was filled by the program).
    """

    def __init__(self, entry: ttk.Entry, variable: tk.StringVar) -> None:
        self._entry = entry
        self._variable = variable
        self._done: list[str] = []
        self._undone: list[str] = []
        self._last = variable.get()
        self._kind = ""
        self._restoring = False
        variable.trace_add("write", self._note)
        entry.bind("<<Undo>>", self._undo)
        entry.bind("<<Redo>>", self._redo)
        entry.bind("<FocusIn>", self._new_step, add=True)

    def restart(self) -> None:
        """Forget the steps: what stands in the entry now is the beginning."""
        self._done.clear()
        self._undone.clear()
        self._last = self._variable.get()
        self._kind = ""

    def _new_step(self, _event: object) -> None:
        self._kind = ""

    def _note(self, *_names: str) -> None:
        text = self._variable.get()
        if self._restoring or text == self._last:
            return
        kind = _kind_of_edit(self._last, text)
        if kind != self._kind or kind == "replace":
            self._done.append(self._last)
        self._kind, self._last = kind, text
        self._undone.clear()

    def _undo(self, _event: object) -> str:
        self._move(self._done, self._undone)
        return "break"

    def _redo(self, _event: object) -> str:
        self._move(self._undone, self._done)
        return "break"

    def _move(self, source: list[str], target: list[str]) -> None:
        if not source or self._entry.instate(["disabled"]):
            return
        target.append(self._last)
        self._restoring = True
        try:
            self._last = source.pop()
            self._variable.set(self._last)
        finally:
            self._restoring = False
        self._kind = ""
        self._entry.icursor(tk.END)


def _kind_of_edit(before: str, after: str) -> str:
    if len(after) == len(before) + 1 and after.startswith(before):
        return "type"
    if len(after) == len(before) - 1 and before.startswith(after):
        return "delete"
    return "replace"


def bind_after_class(widget: tk.Widget, sequence: str, function: Callable[[tk.Event], object]) -> None:
    """Call ``function`` after the widget class handled the event, so that the text is already changed."""
    tag = f"after-{widget}"
    tags = list(widget.bindtags())
    if tag not in tags:
        tags.insert(tags.index(widget.winfo_class()) + 1, tag)
        widget.bindtags(tuple(tags))
    widget.bind_class(tag, sequence, function)
