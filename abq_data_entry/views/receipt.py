"""All that is known of one delivery or of one change: long texts wrap, and can be scrolled, selected and copied."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

from ..widgets.shy_scrollbar import ShyScrollbar

_LINES = 8


class Receipt(ttk.Frame):
    """A text that nobody can change; Tab goes through it."""

    def __init__(self, parent: tk.Misc) -> None:
        super().__init__(parent)
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self.text = tk.Text(self, height=_LINES, width=80, wrap="word", relief="flat", borderwidth=0)
        self.text.configure(font="TkDefaultFont", state="disabled", takefocus=1, padx=4, pady=4)
        bar = ShyScrollbar(self, orient="vertical", command=self.text.yview)
        self.text.configure(highlightthickness=1)
        self.text.configure(yscrollcommand=bar.set)
        self.text.grid(row=0, column=0, sticky="nsew")
        bar.grid(row=0, column=1, sticky="ns")
        self.text.bind("<Tab>", lambda event: self._leave(event.widget.tk_focusNext()))
        for back in ("<Shift-Tab>", "<ISO_Left_Tab>"):
            if back != "<ISO_Left_Tab>" or str(self.tk.call("tk", "windowingsystem")) == "x11":
                self.text.bind(back, lambda event: self._leave(event.widget.tk_focusPrev()))

    def show(self, text: str) -> None:
        """Show this; where it is what stands there, nothing moves."""
        style = ttk.Style(self)  # the theme may have changed since: a text doesn't follow by itself
        background, foreground = style.lookup("TFrame", "background"), style.lookup("TLabel", "foreground")
        self.text.configure(
            background=background,
            foreground=foreground,
            highlightbackground=background,
            highlightcolor=style.lookup("TEntry", "bordercolor", ["focus"]),
        )
        if self.text.get("1.0", "end-1c") != text:
            self.text.configure(state="normal")
            self.text.replace("1.0", "end", text)
            self.text.configure(state="disabled")

    def _leave(self, widget: tk.Misc | None) -> str:
        if widget is not None:
            widget.focus_set()
        return "break"
