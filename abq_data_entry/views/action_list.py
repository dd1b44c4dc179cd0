"""A list that stays open beside the form, with buttons for the chosen row: questions from QA, notes, messages."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..widgets.paged_list import RowMenu
from ..widgets.table import LiveList
from .side_window import Head, Receipt, SideWindow


@dataclass(frozen=True)
class ActionRow:
    """One row: its cells, the text below the list while it is chosen, and the names of the actions allowed on it."""

    identifier: str
    cells: tuple[str, ...]
    detail: str
    allowed: frozenset[str]


class RowAction(NamedTuple):
    """A button. Its key is Alt with ``letter``, the first letter of its name; Enter if that is empty. ``why_not`` is
    shown when the action isn't allowed on the chosen row."""

    name: str
    letter: str
    why_not: str


class ListTexts(NamedTuple):
    """The texts of a list: the label of the check box that shows all rows, and what is shown while rows are fetched, if
    none is listed, and if there are none at all."""

    everything: str
    fetching: str
    nothing: str
    nothing_at_all: str


class RowCallbacks(NamedTuple):
    """Callbacks: ``fetch(everything)`` fetches the rows, ``act(name, identifier)`` does the action of a button."""

    fetch: Callable[[bool], object]
    act: Callable[[str, str], object]


class ActionList(SideWindow):
    """A list with actions. ``others`` are buttons that need no chosen row; their keys are Alt with the first letter.

    :meth:`show_rows` updates the list. ``opened(identifier)`` is called when a chosen row counts as read: it is shown
    in full, and the window has the keyboard focus.
    """

    def __init__(
        self,
        parent: tk.Misc,
        title: str,
        columns: Sequence[tuple[str, int]],
        spare: Sequence[str],
        actions: Sequence[RowAction],
        texts: ListTexts,
        callbacks: RowCallbacks,
        others: Mapping[str, Callable[[], object]] | None = None,
        opened: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__(parent, title)
        self._actions, self._texts, self._callbacks, self._opened = actions, texts, callbacks, opened
        self._rows: dict[str, ActionRow] = {}
        self._message, self._remark = texts.fetching, ""
        self.everything = tk.BooleanVar(self, False)
        room = self.room
        room.columnconfigure(0, weight=1)
        self.share_room(1, 2)
        head = Head(room, texts.everything, self.everything, self.refresh)
        head.grid(row=0, column=0, sticky="ew", pady=(0, 8))
        self.count_label = head.count
        self.live_list = LiveList(room, columns, spare=spare)
        self.live_list.grid(row=1, column=0, sticky="nsew")
        self.tree = self.live_list.tree
        self.detail = Receipt(room)
        self.detail.text.configure(height=5)
        self.detail.grid(row=2, column=0, sticky="nsew", pady=(12, 0))
        self.place_status(3)
        calls: dict[str, Callable[[], object]] = {each.name: self._presser(each.name) for each in actions}
        self.buttons = self.add_buttons(4, {**calls, **(others or {}), "Refresh": self.refresh, "Close": self.leave})
        self._bind_keys(others or {})
        self.minsize(420, 300)
        self.show(self.tree)
        self.refresh()
        if opened is not None:
            self.tree.bind("<FocusIn>", lambda _event: self.row_chosen(), add=True)

    @property
    def chosen_row(self) -> ActionRow | None:
        """The chosen row; ``None`` if there is none."""
        return self._rows.get(self.live_list.chosen or "")

    @property
    def allowed(self) -> frozenset[str]:
        """The names of the actions allowed on the chosen row."""
        row = self.chosen_row
        return frozenset() if row is None else row.allowed

    def refresh(self) -> None:
        """Fetch the rows again."""
        if self.winfo_exists():
            self._callbacks.fetch(bool(self.everything.get()))

    def show_rows(self, rows: Sequence[ActionRow], count: str, remark: str = "") -> None:
        """Show these rows, their number in words (``count``), and a remark such as how old they are."""
        if not self.winfo_exists():
            return
        self._message = self._texts.nothing_at_all if self.everything.get() else self._texts.nothing
        self._rows = {row.identifier: row for row in rows}
        before, self._remark = self._remark, remark
        self.live_list.show({row.identifier: row.cells for row in rows})
        self.count_label.configure(text=count)
        if remark != before:  # otherwise the line still shows what was just done
            self.show_status(remark)
        self.row_chosen()

    def show_problem(self, text: str) -> None:
        """Show why the rows couldn't be fetched, in place of them."""
        if self.winfo_exists():
            self._message, self._rows = text, {}
            self.live_list.show({})
            self.count_label.configure(text="")
            self.show_chosen()

    def press(self, name: str) -> str:
        """Run the action of that button, or show why it isn't possible; return ``"break"``, for a key binding."""
        row = self.chosen_row
        if row is not None and name in row.allowed:
            self._callbacks.act(name, row.identifier)
        elif row is not None:
            action = next(each for each in self._actions if each.name == name)
            self.show_status(self._remark if action.letter and self._remark else action.why_not)
        return "break"

    def destroy(self) -> None:
        """Close the window; the form gets the focus back."""
        # Deleted here, because the garbage collector might delete a variable on a worker thread, which mustn't call Tk.
        self.__dict__.pop("everything", None)
        super().destroy()

    def row_chosen(self) -> None:
        """Show the chosen row, because another one was chosen or it changed; with the focus here, it counts as read."""
        self.show_chosen()
        row = self.chosen_row
        if self._opened is not None and row is not None and str(self.tk.call("focus")).startswith(str(self)):
            self._opened(row.identifier)

    def detail_of(self, row: ActionRow) -> str:
        """Return the text below the list while that row is chosen."""
        return row.detail

    def show_chosen(self) -> None:
        """Show the text of the chosen row, and enable the actions allowed on it."""
        row = self.chosen_row
        self.detail.show(self.detail_of(row) if row is not None else "" if self._rows else self._message)
        for each in self._actions:
            self.buttons[each.name].state(["!disabled" if each.name in self.allowed else "disabled"])

    def _presser(self, name: str) -> Callable[[], str]:
        return lambda: self.press(name)

    def _bind_keys(self, others: Mapping[str, Callable[[], object]]) -> None:
        self.bind("<F5>", lambda _event: self.refresh())
        self.tree.bind("<<TreeviewSelect>>", lambda _event: self.row_chosen())
        keys = {each.name: f"Alt+{each.letter.upper()}" if each.letter else "Enter" for each in self._actions}
        for each in self._actions:
            for key in (f"<Alt-{each.letter}>",) if each.letter else ():
                self.bind(key, lambda _event, name=each.name: self.press(name))  # type: ignore[misc]
                self.buttons[each.name].configure(underline=0)  # the letter that the name begins with
            if not each.letter:
                self.live_list.on_enter(self._presser(each.name))
                self.tree.bind("<Double-Button-1>", lambda _event, name=each.name: self.press(name))  # type: ignore[misc]
        for name, call in others.items():
            self.bind(f"<Alt-{name[0].lower()}>", lambda _event, call=call: call())  # type: ignore[misc]
            self.buttons[name].configure(underline=0)
        RowMenu(
            self.tree, self.live_list.choose, [(each.name, self._presser(each.name)) for each in self._actions],
            keys, lambda name: name in self.allowed,
        )  # fmt: skip
