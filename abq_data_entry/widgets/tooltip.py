"""A short text beside the mouse, for what has no room on the window."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

DELAY_MS = 500


class Tooltip:
    """Shows ``text`` after the mouse rested on ``widget`` for half a second; an empty text shows nothing."""

    def __init__(self, widget: tk.Widget, text: str = "") -> None:
        self.text = text
        self._widget = widget
        self._timer: str | None = None
        self._window: tk.Toplevel | None = None
        widget.bind("<Enter>", self._arrange, add=True)
        for event in ("<Leave>", "<ButtonPress>", "<Destroy>"):
            widget.bind(event, self._hide, add=True)

    def point_at(self, text: str) -> None:
        """Another part of the widget is below the mouse: show its text, after the usual rest."""
        if text != self.text:
            self.text = text
            self._arrange()

    def _arrange(self, _event: object = None) -> None:
        self._hide()
        if self.text:
            self._timer = self._widget.after(DELAY_MS, self._show)

    def _show(self) -> None:
        self._timer = None
        self._window = window = tk.Toplevel(self._widget)
        window.wm_overrideredirect(True)
        ttk.Label(window, text=self.text, style="Tooltip.TLabel", justify="left", wraplength=420).pack()
        window.update_idletasks()
        x = min(self._widget.winfo_pointerx() + 12, window.winfo_screenwidth() - window.winfo_reqwidth())
        y = self._widget.winfo_rooty() + self._widget.winfo_height() + 4
        window.wm_geometry(f"+{x}+{y}")

    def _hide(self, _event: object = None) -> None:
        if self._timer is not None:
            self._widget.after_cancel(self._timer)
            self._timer = None
        if self._window is not None:
            self._window.destroy()
            self._window = None
