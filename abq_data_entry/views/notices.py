"""The list of the company's notices, with the text of the chosen one below."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import NamedTuple

from .action_list import ActionList, ListTexts, RowAction, RowCallbacks

_COLUMNS = (("Published", 16), ("State", 6), ("Title", 64))
_TEXTS = ListTexts(
    "Older ones too",
    "Looking up the notices…",
    "There are no notices of the last 30 days. Alt+F fetches new ones.",
    "There are no notices of the company yet. Alt+F fetches them.",
)
OPEN, FETCH, READ_ALL = "Open Link", "Fetch Now", "Read All"
_ACTIONS = (RowAction(OPEN, "o", "This notice has no page of its own"),)
_ROWS, _TEXT_LINES = 6, 10


class NoticesCallbacks(NamedTuple):
    """``rows`` are the callbacks of the list. ``opened(identifier)`` is called when a notice is shown, and so counts as
    read. ``fetch()`` fetches new ones; ``read_all()`` marks the listed ones as read."""

    rows: RowCallbacks
    opened: Callable[[str], object]
    fetch: Callable[[], object]
    read_all: Callable[[], object]


class NoticesWindow(ActionList):
    """The notices of the company, the newest first."""

    def __init__(self, parent: tk.Misc, callbacks: NoticesCallbacks) -> None:
        others = {FETCH: callbacks.fetch, READ_ALL: callbacks.read_all}
        super().__init__(
            parent, "Company Notices", _COLUMNS, ("State",), _ACTIONS, _TEXTS, callbacks.rows, others, callbacks.opened
        )
        self.tree.configure(height=_ROWS)
        self.detail.text.configure(height=_TEXT_LINES)
        self.room.rowconfigure(2, weight=2)  # more space for the text, because notices are long
