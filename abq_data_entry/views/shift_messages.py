"""The list of messages from colleagues, and the dialog that writes one."""

from __future__ import annotations

import re
import tkinter as tk
from collections.abc import Callable, Mapping
from tkinter import ttk
from typing import Any, NamedTuple

from ..widgets.field_input import ERROR_MARK
from .action_list import ActionList, ListTexts, RowAction, RowCallbacks
from .dialogs import line_width
from .marks import ChoicesDialog

_COLUMNS = (("From", 22), ("To", 12), ("State", 8), ("Sent", 16), ("Message", 46))
_TEXTS = ListTexts(
    "Those that you sent too",
    "Looking up the messages…",
    "No colleague has sent you a message in the last 30 days. Alt+W writes one.",
    "There is no message of the last 30 days from you or to you. Alt+W writes one.",
)
ANSWER, WRITE, READ_ALL = "Answer…", "Write Message…", "Read All"
_ACTIONS = (
    RowAction(ANSWER, "a", "You sent it yourself, or its sender is no technician in the list: Alt+W writes to others"),
)
_DETAIL = "Enter sends it. It is kept for 30 days for those who aren't there now."


class MessagesCallbacks(NamedTuple):
    """``rows`` are the callbacks of the list. ``opened(identifier)`` is called when a message is shown in full, and so
    counts as read. ``write()`` opens the dialog for a new one; ``read_all()`` marks the listed ones as read."""

    rows: RowCallbacks
    opened: Callable[[str], object]
    write: Callable[[], object]
    read_all: Callable[[], object]


class MessagesWindow(ActionList):
    """The messages of the last 30 days, the newest first."""

    def __init__(self, parent: tk.Misc, callbacks: MessagesCallbacks) -> None:
        others = {WRITE: callbacks.write, READ_ALL: callbacks.read_all}
        super().__init__(
            parent, "Messages from Colleagues", _COLUMNS, ("To", "Sent"), _ACTIONS, _TEXTS, callbacks.rows, others,
            callbacks.opened,
        )  # fmt: skip


class MessageDialog(ChoicesDialog):
    """Asks for addressee and text; calls ``act(addressee, words)`` with a key of ``addressees``, which has the texts
    to list. ``first`` and ``words`` are the first choice and text. A message is one line of at most ``longest``
    characters. ``refusal``: why the first addressee can't get one."""

    def __init__(
        self,
        parent: tk.Misc,
        message: str,
        addressees: Mapping[Any, str],
        act: Callable[[Any, str], object],
        first: Any,
        words: str,
        longest: int,
        refusal: str = "",
    ) -> None:
        self._longest, self._refusal = longest, refusal
        super().__init__(
            parent, "Write Message", message, _DETAIL, "Send", act, (("To", addressees, first),), words
        )

    def add_choices(self, grid: ttk.Frame) -> None:
        """Add the list of addressees, and below it why the first one can't get a message."""
        super().add_choices(grid)
        self.refusal = ttk.Label(grid, style="Error.TLabel", wraplength=line_width(self), justify="left")
        if self._refusal:
            self.refusal.configure(text=f"{ERROR_MARK}{self._refusal}")
            self.refusal.grid(row=1, column=1, sticky="w")
            self.boxes["To"].bind("<<ComboboxSelected>>", lambda _event: self.refusal.grid_remove(), add=True)

    def first_focus(self) -> tk.Misc:
        """Return the list of addressees after a refusal, else the text box."""
        return self.boxes["To"] if self._refusal else super().first_focus()

    @property
    def words(self) -> str:
        """The text in one line: line breaks, and tabs of a pasted table, become spaces."""
        return re.sub(r"\r?\n|[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", super().words)

    def problem(self) -> str:
        """Return what is wrong with the text; empty if it is valid."""
        length = len(self.words)
        if length > self._longest:
            return f"{length} characters; a message has {self._longest} at most."
        return super().problem()
