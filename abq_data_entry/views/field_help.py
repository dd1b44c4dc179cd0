"""F1: what a field means and takes, on a card below it."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

from ..widgets import FieldInput
from ..widgets.field_input import limits_text


class FieldHelp:
    """One help card for the window; F1 again, Escape, or leaving the field closes it."""

    def __init__(self, window: tk.Tk) -> None:
        self._window = window
        self._card: ttk.Frame | None = None
        window.bind("<Escape>", lambda _event: self.close(), add=True)

    @property
    def is_open(self) -> bool:
        """Whether a card is shown."""
        return self._card is not None

    def toggle(self, each: FieldInput | None) -> None:
        """Show the help for ``each``, or close it."""
        if self._card is not None:
            self.close()
        elif each is not None:
            self._show(each)

    def close(self) -> None:
        """Close the card."""
        if self._card is not None:
            self._card.destroy()
            self._card = None

    def _show(self, each: FieldInput) -> None:
        self._card = card = ttk.Frame(self._window, style="Help.TFrame", padding=12)
        field = each.field
        limits = limits_text(field)
        needed = "Required." if field.required else "May stay empty."
        lines = [field.help, f"{limits}. {needed}" if limits else needed, each.previous]
        ttk.Label(card, text=field.name, style="Help.TLabel", font="AbqStrong").grid(sticky="w")
        for line in filter(None, lines):
            ttk.Label(card, text=line, style="Help.TLabel", wraplength=340, justify="left", font="TkDefaultFont").grid(
                sticky="w", pady=(4, 0)
            )
        card.update_idletasks()
        editor, window = each.editor, self._window
        x = editor.winfo_rootx() - window.winfo_rootx()
        y = editor.winfo_rooty() - window.winfo_rooty() + editor.winfo_height() + 4
        if y + card.winfo_reqheight() > window.winfo_height():
            y = editor.winfo_rooty() - window.winfo_rooty() - card.winfo_reqheight() - 4
        card.place(x=max(8, min(x, window.winfo_width() - card.winfo_reqwidth() - 8)), y=max(0, y))
        card.lift()
        each.editor.bind("<FocusOut>", lambda _event: self.close(), add=True)
