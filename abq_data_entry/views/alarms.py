"""The list of alarms, which need somebody's attention."""

from __future__ import annotations

import tkinter as tk

from .action_list import ActionList, ListTexts, RowAction, RowCallbacks

_COLUMNS = (("Kind", 16), ("State", 24), ("Found", 16), ("What", 50))
_TEXTS = ListTexts(
    "Those that ended within 30 days too",
    "Looking up the alarms…",
    "There is no alarm.",
    "There was no alarm within the last 30 days.",
)
END = "End…"
_ACTIONS = (RowAction(END, "e", "It has ended already"),)


class AlarmsWindow(ActionList):
    """The open alarms, the newest first; then those that ended."""

    def __init__(self, parent: tk.Misc, callbacks: RowCallbacks) -> None:
        super().__init__(parent, "Alarms", _COLUMNS, ("Kind", "State"), _ACTIONS, _TEXTS, callbacks)
