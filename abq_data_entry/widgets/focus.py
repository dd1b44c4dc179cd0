"""Which widget has the focus, also where tkinter can't say."""

from __future__ import annotations

import tkinter as tk


def focused_widget(window: tk.Misc) -> tk.Misc | None:
    """The widget of this application that has the focus; ``None`` when it is elsewhere, or on an open list."""
    try:
        return window.focus_get()
    except KeyError:  # the list that a combobox opens is made by Tk, and unknown to tkinter
        return None
