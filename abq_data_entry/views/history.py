"""The history of one record: who changed what, when, from what to what, and why."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import NamedTuple

from ..widgets.table import Table
from .receipt import Receipt
from .side_window import SideWindow

_COLUMNS = (("When", 19), ("Who", 14), ("Workstation", 12), ("Field", 14), ("From", 13), ("To", 13), ("Why", 24))
_FETCHING = "Looking up the history…"
_EMPTY = "Nothing is known of this record: it was never saved."


class FieldChange(NamedTuple):
    """One field of a change. ``before`` is empty for a record that was new, ``after`` for one that is gone.

    With ``whole`` it tells what became of the whole record, and from where or to where it was moved.
    """

    name: str
    before: str
    after: str
    whole: bool = False


class RecordChange(NamedTuple):
    """One change of the record: the moment as it is shown, who and where, what was done, why, and its fields."""

    when: str
    who: str
    workstation: str
    what: str
    why: str
    fields: tuple[FieldChange, ...]


class HistoryWindow(SideWindow):
    """Stays open beside the form; newest first, a line a field.

    ``fetch()`` is called when it opens and for Retry; the answer comes by :meth:`show_changes` or
    :meth:`show_problem`. ``undo(window, what)`` is called for the button that undoes the last change.
    """

    def __init__(
        self,
        parent: tk.Misc,
        record: str,
        fetch: Callable[[HistoryWindow], object],
        undo: Callable[[HistoryWindow, str], object],
    ) -> None:
        super().__init__(parent, f"Record History: {record}")
        self._fetch, self._undo = fetch, undo
        self._changes: Sequence[RecordChange] = ()
        room = self.room
        room.columnconfigure(0, weight=1)
        room.rowconfigure(1, weight=1)
        ttk.Label(room, text=record, style="Section.TLabel").grid(row=0, column=0, sticky="w", pady=(0, 8))
        table = Table(room, _COLUMNS, spare=("Workstation",), height=12, selectmode="extended")
        table.grid(row=1, column=0, sticky="nsew")
        self.tree = table.tree
        self.tree.tag_configure("odd", background=ttk.Style(self).lookup("Bar.TFrame", "background"))
        self.tree.bind("<<TreeviewSelect>>", lambda _event: self._show_detail())
        self._detail = Receipt(room)
        self._detail.grid(row=2, column=0, sticky="nsew", pady=(12, 0))
        self._message = ttk.Label(self.tree, style="Empty.TLabel", justify="center", wraplength=560)
        calls = {"Take Back…": self._call, "Copy": self._copy, "Refresh": self.refresh, "Close": self.destroy}
        self.buttons = self.add_buttons(3, calls)
        self.undo_button = self.buttons["Take Back…"]
        for key in ("<<Copy>>", "<<SelectAll>>"):
            self.bind(key, lambda _event, key=key: self._copy() if key == "<<Copy>>" else self._select_all())
        self.bind("<F5>", lambda _event: self.refresh())
        self.minsize(480, 280)
        self.show(self.tree)
        self.refresh()

    def refresh(self) -> None:
        """Look the history up again."""
        if not self.winfo_exists():
            return
        self._show_message(_FETCHING)
        self._fetch(self)

    def show_changes(self, changes: Sequence[RecordChange], undo: str = "") -> None:
        """Show these changes, newest first; ``undo`` is the button's text that undoes the first, empty: nothing does.
        """
        if not self.winfo_exists():
            return
        self._changes = changes
        self.tree.delete(*self.tree.get_children())
        for number, change in enumerate(changes):
            self._add_change(number, change)
        self._message.place_forget()
        self._message.configure(text="")
        if not changes:
            self._show_message(_EMPTY)
            return
        first = self.tree.get_children()[0]
        self.tree.selection_set(first)
        self.tree.focus(first)
        self.buttons["Copy"].state(["!disabled"])
        if undo:
            self.undo_button.configure(text=undo)
            self.undo_button.state(["!disabled"])

    def show_problem(self, text: str) -> None:
        """The history couldn't be had; Refresh tries again."""
        if self.winfo_exists():
            self._changes = ()
            self._show_message(text)

    @property
    def text(self) -> str:
        """The chosen lines as they are copied, all where none or one is chosen: a line a field, between tabs."""
        chosen = self.tree.selection()
        lines = chosen if len(chosen) > 1 else self.tree.get_children()
        heads = "\t".join(name for name, _width in _COLUMNS)
        return "\n".join([heads, *("\t".join(self._cells_of(line)) for line in lines)])

    def _cells_of(self, line: str) -> tuple[str, ...]:
        number, position = (int(part) for part in line.split("-"))
        change = self._changes[number]
        field = change.fields[position] if change.fields else FieldChange("", "", "")
        cells = (change.when, change.who, change.workstation, field.name or change.what, field.before, field.after)
        return tuple(" ".join(cell.split()) for cell in (*cells, change.why))

    def _add_change(self, number: int, change: RecordChange) -> None:
        for position in range(max(1, len(change.fields))):
            line = f"{number}-{position}"
            cells = list(self._cells_of(line))
            if position:  # who and when stand once, at the first field of a change
                cells[0] = cells[1] = cells[2] = cells[6] = ""
            self.tree.insert("", "end", iid=line, values=cells, tags=("odd",) if number % 2 else ())

    def _show_message(self, text: str) -> None:
        self.tree.delete(*self.tree.get_children())
        self._detail.show("")
        for button in (self.buttons["Copy"], self.undo_button):
            button.state(["disabled"])
        self._message.configure(text=text)
        self._message.place(relx=0.5, rely=0.5, anchor="center")

    def _show_detail(self) -> None:
        chosen = self.tree.selection()
        if not chosen:
            return
        change = self._changes[int(chosen[-1].split("-")[0])]
        where = f" on {change.workstation}" if change.workstation else ""
        lines = [f"{change.when}: {change.what} by {change.who}{where}."]
        lines += [f"Reason: {change.why}"] if change.why else []
        whole = any(each.whole for each in change.fields)
        lines += [_sentence(each, whole) for each in change.fields if not each.whole]
        self._detail.show("\n".join(lines))

    def _call(self) -> None:
        self._undo(self, str(self.undo_button.cget("text")))

    def _select_all(self) -> str:
        self.tree.selection_set(self.tree.get_children())
        return "break"

    def _copy(self) -> str:
        if self._changes:
            self.clipboard_clear()
            self.clipboard_append(self.text)
        return "break"


def _sentence(change: FieldChange, whole: bool = False) -> str:
    """What changed; of a record that went or came as a ``whole``, what it said."""
    if change.before and change.after:
        return f"{change.name}: from {change.before} to {change.after}"
    if whole:
        return f"{change.name}: {change.after or change.before}"
    return f"{change.name}: {change.after or f'{change.before} removed'}"
