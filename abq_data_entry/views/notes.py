"""The handover page: all open notes of the labs; and the dialog that writes one."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from typing import Any

from .action_list import ActionList, ListTexts, RowAction, RowCallbacks
from .marks import ChoicesDialog

_COLUMNS = (("To", 26), ("State", 7), ("Who", 18), ("Since", 16), ("Note", 44))
_TEXTS = ListTexts(
    "Notes that are done too",
    "Looking up the notes…",
    "No note is open. Alt+W writes one; “Notes that are done too” lists the others.",
    "Nobody has written a note yet. Alt+W writes one.",
)
OPEN, DONE, NOT_DONE, WRITE = "Go There", "Done", "Not Done", "Write Note…"
_ACTIONS = (
    RowAction(OPEN, "", "Choose date, time and lab in the form: the line beside the plots then says the note"),
    RowAction(DONE, "d", "It is done already, or this login may only read"),
    RowAction(NOT_DONE, "n", "It is open already, or this login may only read"),
)


class HandoverWindow(ActionList):
    """The list of notes; ``write()`` opens the dialog for a new one."""

    def __init__(self, parent: tk.Misc, callbacks: RowCallbacks, write: Callable[[], object]) -> None:
        super().__init__(
            parent, "Handover", _COLUMNS, ("Who", "Since"), _ACTIONS, _TEXTS, callbacks, {WRITE: write}
        )


class NoteDialog(ChoicesDialog):
    """Asks for the subject and text of a note; calls ``act(subject, words)`` with a key of ``subjects``.

    ``subjects`` has the texts to list; ``first`` and ``words`` are the first choice and text.
    """

    def __init__(
        self,
        parent: tk.Misc,
        message: str,
        subjects: Mapping[Any, str],
        act: Callable[[Any, str], object],
        first: Any,
        words: str,
    ) -> None:
        detail = "It is shown to whoever is there next, until somebody says that it is done."
        super().__init__(parent, "Write Note", message, detail, "Write", act, (("To", subjects, first),), words)
