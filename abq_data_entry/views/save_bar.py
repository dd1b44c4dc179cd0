"""The row of buttons below the form: it stands outside of what scrolls, so that Save is always in sight."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from ..widgets import Tooltip, occupied_width
from .reason import ReasonLine


class SaveBar(ttk.Frame):
    """The reason of a correction, where one is asked for, and the buttons that save and that give up a draft."""

    def __init__(
        self,
        parent: tk.Misc,
        save: Callable[[], object],
        discard: Callable[[], object],
        leave_reason: Callable[[], object],
    ) -> None:
        super().__init__(parent, padding=(16, 8))
        self.columnconfigure(0, weight=1)
        self._discards = self._read_only = False
        self.reason = ReasonLine(self, save, leave_reason)
        self.reason.grid(row=0, column=0, sticky="ew", padx=(0, 16))
        self.reason.grid_remove()
        # Made before the other one, so that Tab comes from Notes to Save.
        self.save_button = ttk.Button(self, text="Save and next  ⏎", style="Accent.TButton", command=save)
        self.save_button.grid(row=0, column=2)
        Tooltip(self.save_button, "Enter in Median Height or Notes; Ctrl+S from anywhere")
        self.discard_button = ttk.Button(self, text="Discard Draft", command=discard, state="disabled")
        Tooltip(self.discard_button, "Give up what you typed for this plot; what is saved stays as it is")
        self.discard_button.grid(row=0, column=1, padx=(0, 8))
        for button in (self.save_button, self.discard_button):
            button.bind("<Return>", lambda event: event.widget.invoke())

    def fit(self, width: int) -> None:
        """Put the reason beside the buttons, or above them where this width is too small for both."""
        inside = width - 2 * int(str(self.tk.splitlist(self.cget("padding"))[0]))
        buttons = sum(occupied_width(each) for each in (self.save_button, self.discard_button))
        beside = self.reason.least_width + buttons <= inside
        asked = self.reason.asked
        self.reason.grid(columnspan=1 if beside else 3, pady=0 if beside else (0, 8))
        if not asked:
            self.reason.grid_remove()
        for button in (self.save_button, self.discard_button):
            button.grid(row=0 if beside else 1)

    def show_read_only(self, is_read_only: bool) -> None:
        """Close the buttons where nothing can be saved, or open them again."""
        self._read_only = is_read_only
        self.save_button.state(["disabled" if is_read_only else "!disabled"])
        self.show_discard(self._discards)

    def show_discard(self, is_changed: bool) -> None:
        """Open or close the button that gives up what was typed."""
        self._discards = is_changed
        self.discard_button.state(["!disabled" if is_changed and not self._read_only else "disabled"])

    def show_corrects(self, corrects: bool) -> None:
        """Say whether a save changes a record or adds one."""
        self.save_button.configure(text="Save changes  ⏎" if corrects else "Save and next  ⏎")
