"""Why a saved record is corrected: one line of the form, with the reasons given lately."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from ..widgets import widen_list
from ..widgets.field_input import ERROR_MARK
from ..widgets.focus import give_focus

LONGEST = 500
USUAL = ("Typing error", "Misread the sheet", "Measured again")
_REMEMBERED = 12
_LABEL = "Reason for the correction"


class ReasonLine(ttk.Frame):
    """A box to type a reason into or to choose one of the last; Enter saves, Escape goes back to the form.

    Hidden until :meth:`ask`; arrow down opens the list. ``error`` is what stands in place of the label.
    """

    def __init__(self, parent: tk.Misc, save: Callable[[], object], back: Callable[[], object]) -> None:
        super().__init__(parent)
        self.error = ""
        self._recent: list[str] = list(USUAL)
        self.columnconfigure(1, weight=1)
        self._label = ttk.Label(self, text=_LABEL)
        self._label.grid(row=0, column=0, sticky="w", padx=(0, 8))
        self.box = ttk.Combobox(self, font="TkTextFont")
        self.box.configure(postcommand=self._offer_recent)
        self.box.grid(row=0, column=1, sticky="ew")
        for key, action in (("<Return>", save), ("<KP_Enter>", save), ("<Escape>", back)):
            self.box.bind(key, lambda _event, action=action: _done(action))  # type: ignore[misc]
        self.box.bind("<<ComboboxSelected>>", lambda _event: self.show_error(""))
        self.box.bind("<KeyRelease>", lambda _event: self.show_error(self._too_long()) if self.text else None)

    @property
    def text(self) -> str:
        """The reason without superfluous blanks; empty while none is asked for."""
        return " ".join(self.box.get().split()) if self.asked else ""

    @property
    def asked(self) -> bool:
        """Whether a reason is asked for at the moment."""
        return bool(self.winfo_manager())

    @property
    def least_width(self) -> int:
        """The pixels that it takes, with a box that is wide enough for the usual reasons."""
        return self.winfo_reqwidth()

    def _offer_recent(self) -> None:
        self.box.configure(values=self._recent)
        widen_list(self.box)

    def ask(self, asked: bool) -> None:
        """Show the line, or hide and empty it."""
        if asked == self.asked:
            return
        self.fill("")
        if asked:
            self.grid()
        else:
            self.grid_remove()

    def fill(self, text: str) -> None:
        """Set the reason by the program."""
        self.box.set(text)
        self.show_error("")

    def is_given(self) -> bool:
        """Whether all is here that was asked for; else say so, with the focus on it."""
        if not self.asked:
            return True
        problem = self._too_long() if self.text else "A correction needs a reason"
        self.show_error(problem)
        if problem:
            give_focus(self.box)
        return not problem

    def _too_long(self) -> str:
        """What is wrong with a reason of that length: nothing of it is cut."""
        length = len(self.text)
        return f"{length} characters; at most {LONGEST} are kept" if length > LONGEST else ""

    def remember(self, text: str) -> None:
        """A save with this reason: offer it first next time."""
        if text:
            self._recent = [text, *(each for each in self._recent if each != text)][:_REMEMBERED]

    def show_error(self, text: str) -> None:
        """Show the error in place of the label: a line below would push the buttons out of a small window."""
        if text != self.error:
            self.error = text
            style = "Error.TLabel" if text else "TLabel"
            self._label.configure(text=f"{ERROR_MARK}{text}" if text else _LABEL, style=style, font="TkDefaultFont")


def _done(action: Callable[[], object]) -> str:
    action()
    return "break"


def is_wanted(setting: str, date: datetime.date, today: datetime.date) -> bool:
    """Whether a correction of a record of ``date`` needs a reason, by the setting ``correction reason``."""
    return setting == "always" or (setting == "other days" and date != today)
