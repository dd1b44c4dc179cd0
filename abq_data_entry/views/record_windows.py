"""Windows about records: the history of one, those that wait on this computer, and those that were withdrawn."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import NamedTuple

from ..widgets.table import LiveList, Table
from .side_window import Receipt, SideWindow

_HISTORY_COLUMNS = (
    *(("When", 19), ("Who", 14), ("Workstation", 12), ("Field", 14)),
    *(("From", 13), ("To", 13), ("Why", 24)),
)
_HISTORY_FETCHING = "Looking up the history…"
_HISTORY_EMPTY = "Nothing is known about this record: it was never saved."


class FieldChange(NamedTuple):
    """One field of a change. ``before`` is empty for a new record, ``after`` for one that was removed.

    With ``whole`` it describes a change of the whole record, such as from where to where it was moved.
    """

    name: str
    before: str
    after: str
    whole: bool = False


class RecordChange(NamedTuple):
    """One change of the record: when (as shown), by whom and where, what was done, why, and the changed fields."""

    when: str
    who: str
    workstation: str
    what: str
    why: str
    fields: tuple[FieldChange, ...]


class HistoryWindow(SideWindow):
    """The history of a record, open beside the form; newest change first, a row for each field.

    ``fetch(window)`` is called when the window opens and for Refresh, and calls :meth:`show_changes` or
    :meth:`show_problem` when done. ``undo(window, what)`` is called for the button that undoes the last change.
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
        self.changes: Sequence[RecordChange] = ()
        room = self.room
        room.columnconfigure(0, weight=1)
        self.share_room(1, 2)
        ttk.Label(room, text=record, style="Section.TLabel").grid(row=0, column=0, sticky="w", pady=(0, 8))
        self._table = table = Table(
            room, _HISTORY_COLUMNS, spare=("Workstation",), height=12, selectmode="extended"
        )
        table.grid(row=1, column=0, sticky="nsew")
        self.tree = table.tree
        self._tint()
        self.tree.bind("<<ThemeChanged>>", lambda _event: self._tint())
        self.tree.bind("<<TreeviewSelect>>", lambda _event: self._show_detail())
        self.detail = Receipt(room)
        self.detail.grid(row=2, column=0, sticky="nsew", pady=(12, 0))
        self.message_label = ttk.Label(self.tree, style="Empty.TLabel", justify="center", wraplength=560)
        calls = {"Take Back…": self._call, "Copy": self._copy, "Refresh": self.refresh, "Close": self.leave}
        self.buttons = self.add_buttons(3, calls)
        self.undo_button = self.buttons["Take Back…"]
        # Bound to the whole window, so that they work wherever the focus is.
        for key in ("<<Copy>>", "<<SelectAll>>"):
            self.bind(key, lambda _event, key=key: self._copy() if key == "<<Copy>>" else self._select_all())
        self.bind("<F5>", lambda _event: self.refresh())
        self.minsize(480, 280)
        self.show(self.tree)
        self.refresh()

    def refresh(self) -> None:
        """Fetch the history again."""
        # A timer or an answer may come after the window has been closed.
        if not self.winfo_exists():
            return
        self._show_message(_HISTORY_FETCHING)
        self._fetch(self)

    def show_changes(self, changes: Sequence[RecordChange], undo: str = "") -> None:
        """Show these changes, newest first; ``undo``: the text of the button that undoes the first; "": no button."""
        if not self.winfo_exists():
            return
        self.changes = changes
        self.tree.delete(*self.tree.get_children())
        for number, change in enumerate(changes):
            self._add_change(number, change)
        self._table.suit_texts()
        self.message_label.place_forget()
        self.message_label.configure(text="")
        if not changes:
            self._show_message(_HISTORY_EMPTY)
            return
        first = self.tree.get_children()[0]
        self.tree.selection_set(first)
        self.tree.focus(first)
        self.buttons["Copy"].state(["!disabled"])
        if undo:
            self.undo_button.configure(text=undo)
            self.undo_button.state(["!disabled"])

    def show_problem(self, text: str) -> None:
        """Show why the history couldn't be fetched; Refresh tries again."""
        if self.winfo_exists():
            self.changes = ()
            self._show_message(text)

    @property
    def text(self) -> str:
        """The rows as text to copy, with tabs: the chosen ones, or all if at most one is chosen."""
        chosen = self.tree.selection()
        # One row is chosen from the start, so a copy then means all of them.
        lines = chosen if len(chosen) > 1 else self.tree.get_children()
        heads = "\t".join(name for name, _width in _HISTORY_COLUMNS)
        return "\n".join([heads, *("\t".join(self._cells_of(line)) for line in lines)])

    def _cells_of(self, line: str) -> tuple[str, ...]:
        number, position = (int(part) for part in line.split("-"))
        change = self.changes[number]
        field = change.fields[position] if change.fields else FieldChange("", "", "")
        # A change of the whole record has no field name; what was done is shown in its place.
        cells = (change.when, change.who, change.workstation, field.name or change.what, field.before, field.after)
        return tuple(" ".join(cell.split()) for cell in (*cells, change.why))

    def _tint(self) -> None:
        """Tint the lines of every other change, so that the lines of one change are seen as a group."""
        self.tree.tag_configure("odd", background=ttk.Style(self).lookup("Bar.TFrame", "background"))

    def _add_change(self, number: int, change: RecordChange) -> None:
        for position in range(max(1, len(change.fields))):
            line = f"{number}-{position}"
            cells = list(self._cells_of(line))
            if position:  # who and when are shown once, at the first field of a change
                cells[0] = cells[1] = cells[2] = cells[6] = ""
            self._table.note_widths(cells)
            self.tree.insert("", "end", iid=line, values=cells, tags=("odd",) if number % 2 else ())

    def _show_message(self, text: str) -> None:
        self.tree.delete(*self.tree.get_children())
        self.detail.show("")
        # There are no rows for these buttons.
        for button in (self.buttons["Copy"], self.undo_button):
            button.state(["disabled"])
        self.message_label.configure(text=text)
        self.message_label.place(relx=0.5, rely=0.5, anchor="center")

    def _show_detail(self) -> None:
        chosen = self.tree.selection()
        if not chosen:
            return
        change = self.changes[int(chosen[-1].split("-")[0])]
        where = f" on {change.workstation}" if change.workstation else ""
        lines = [f"{change.when}: {change.what} by {change.who}{where}."]
        lines += [f"Reason: {change.why}"] if change.why else []
        # For a record that was added or removed, the fields have one value, not an old and a new one.
        whole = any(each.whole for each in change.fields)
        lines += [_sentence(each, whole) for each in change.fields if not each.whole]
        self.detail.show("\n".join(lines))

    def _call(self) -> None:
        self._undo(self, str(self.undo_button.cget("text")))

    def _select_all(self) -> str:
        self.tree.selection_set(self.tree.get_children())
        return "break"

    def _copy(self) -> str:
        if self.changes:
            self.clipboard_clear()
            self.clipboard_append(self.text)
        return "break"


def _sentence(change: FieldChange, whole: bool = False) -> str:
    """Return the change of a field in words; for a record that was added or removed (``whole``), its value."""
    if change.before and change.after:
        return f"{change.name}: from {change.before} to {change.after}"
    if whole:
        return f"{change.name}: {change.after or change.before}"
    return f"{change.name}: {change.after or f'{change.before} removed'}"


_WAITING_COLUMNS = (("Record", 28), ("Technician", 18), ("Kept", 17), ("State", 16), ("Why", 48))
_WAITING_EMPTY = "Nothing waits on this computer: every record is in the database."


class WaitingRow(NamedTuple):
    """One record: its cells, the text below the list, and whether it can be opened or discarded."""

    identifier: str
    cells: tuple[str, ...]
    detail: str
    may_open: bool = True
    may_discard: bool = False


class WaitingCallbacks(NamedTuple):
    """Callbacks of the window; the first two take an identifier."""

    open: Callable[[str], object]
    discard: Callable[[str], object]
    retry: Callable[[], object]


class WaitingWindow(SideWindow):
    """The records that wait on this computer, open beside the form; :meth:`show_rows` updates the list."""

    def __init__(self, parent: tk.Misc, callbacks: WaitingCallbacks) -> None:
        super().__init__(parent, "Waiting Records")
        self._callbacks = callbacks
        self._rows: dict[str, WaitingRow] = {}
        self.room.columnconfigure(0, weight=1)
        self.room.rowconfigure(1, weight=1)
        self._next = ttk.Label(self.room, style="Section.TLabel")
        self._next.grid(row=0, column=0, columnspan=2, sticky="w", pady=(0, 8))
        self.live_list = LiveList(self.room, _WAITING_COLUMNS, spare=("Kept", "Technician"))
        self.live_list.grid(row=1, column=0, sticky="nsew")
        self.tree = self.live_list.tree
        self.tree.bind("<<TreeviewSelect>>", lambda _event: self._show_chosen())
        for key in ("<Return>", "<Double-Button-1>"):
            self.tree.bind(key, lambda _event: self.press("Open"))
        self.detail = ttk.Label(self.room, wraplength=640, justify="left", anchor="nw")
        self.detail.grid(row=2, column=0, columnspan=2, sticky="ew", pady=(12, 0))
        self.buttons = self._make_buttons()
        self.detail.bind("<Configure>", lambda event: event.widget.configure(wraplength=event.width))
        self.show(self.tree)

    def show_rows(self, rows: Sequence[WaitingRow], following: str) -> None:
        """Show these records, and above them ``following``, what happens next; the chosen one stays chosen."""
        self._rows = {row.identifier: row for row in rows}
        self.live_list.show({row.identifier: row.cells for row in rows})
        self._next.configure(text=following)
        self._show_chosen()

    def press(self, name: str) -> None:
        """Press the button of that name."""
        self.buttons[name].invoke()

    def _make_buttons(self) -> dict[str, ttk.Button]:
        calls: dict[str, Callable[[], object]] = {
            "Open": lambda: self._call(self._callbacks.open),
            "Discard…": lambda: self._call(self._callbacks.discard),
            "Retry Now": self._callbacks.retry,
            "Close": self.leave,
        }
        return self.add_buttons(3, calls)

    def _call(self, callback: Callable[[str], object]) -> None:
        chosen = self.tree.selection()
        # The record may have been saved since it was chosen.
        if chosen and chosen[0] in self._rows:
            callback(str(chosen[0]))

    def _show_chosen(self) -> None:
        chosen = self.tree.selection()
        row = self._rows.get(chosen[0]) if chosen else None
        self.detail.configure(text=row.detail if row is not None else _WAITING_EMPTY)
        for name, may in (("Open", row and row.may_open), ("Discard…", row and row.may_discard)):
            self.buttons[name].state(["!disabled" if may else "disabled"])


_WITHDRAWN_COLUMNS = (("Record", 26), ("Technician", 14), ("Withdrawn", 17), ("By", 14), ("Why", 30))
_WITHDRAWN_EMPTY = "No record is withdrawn."
_WITHDRAWN_FETCHING = "Looking up what was withdrawn…"


class WithdrawnRow(NamedTuple):
    """One record: its cells, and the text below the list."""

    identifier: str
    cells: tuple[str, ...]
    detail: str


class WithdrawnWindow(SideWindow):
    """The withdrawn records, open beside the form.

    ``fetch(show, problem)`` fetches the rows and calls ``show(rows)``, or ``problem(text)`` if that fails.
    ``bring_back(identifier)`` brings a record back.
    """

    def __init__(
        self,
        parent: tk.Misc,
        fetch: Callable[[Callable[[Sequence[WithdrawnRow]], object], Callable[[str], object]], object],
        bring_back: Callable[[str], object],
    ) -> None:
        super().__init__(parent, "Withdrawn Records")
        self._fetch, self._bring_back = fetch, bring_back
        self._rows: dict[str, WithdrawnRow] = {}
        self._message = _WITHDRAWN_FETCHING
        self.room.columnconfigure(0, weight=1)
        self.share_room(0, 1)
        self.live_list = LiveList(self.room, _WITHDRAWN_COLUMNS, spare=("Technician", "By"))
        self.live_list.grid(row=0, column=0, sticky="nsew")
        self.tree = self.live_list.tree
        self.tree.bind("<<TreeviewSelect>>", lambda _event: self._show_chosen())
        for key in ("<Return>", "<KP_Enter>", "<Double-Button-1>"):
            self.tree.bind(key, lambda _event: self._call())
        self.detail = Receipt(self.room)
        self.detail.grid(row=1, column=0, sticky="nsew", pady=(12, 0))
        calls = {"Bring Back…": self._call, "Refresh": self.refresh, "Close": self.leave}
        self.buttons = self.add_buttons(2, calls)
        self.bind("<F5>", lambda _event: self.refresh())
        self.minsize(480, 280)
        self.show(self.tree)
        self.refresh()

    def refresh(self) -> None:
        """Fetch the withdrawn records again."""
        if self.winfo_exists():
            self._fetch(self._show_rows, self._show_problem)

    def _show_rows(self, rows: Sequence[WithdrawnRow]) -> None:
        if self.winfo_exists():
            self._message = _WITHDRAWN_EMPTY
            self._rows = {row.identifier: row for row in rows}
            self.live_list.show({row.identifier: row.cells for row in rows})
            self._show_chosen()

    def _show_problem(self, text: str) -> None:
        if self.winfo_exists():
            self._message = text
            self._rows = {}
            self.live_list.show({})
            self._show_chosen()

    def _call(self) -> None:
        # After a refresh, the record may no longer be listed.
        if self.live_list.chosen in self._rows:
            self._bring_back(str(self.live_list.chosen))

    def _show_chosen(self) -> None:
        row = self._rows.get(self.live_list.chosen or "")
        self.detail.show(row.detail if row is not None else "" if self._rows else self._message)
        self.buttons["Bring Back…"].state(["!disabled" if row is not None else "disabled"])
