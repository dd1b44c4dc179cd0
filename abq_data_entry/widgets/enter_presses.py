"""Enter presses the button that has the focus, whichever it is, as Space does."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk


def let_enter_press(window: tk.Misc) -> None:
    """For all buttons of the program; one with a meaning of its own for Enter keeps that."""
    window.bind_class("TButton", "<Return>", _press)


def _press(event: tk.Event) -> str | None:
    button = event.widget
    if not isinstance(button, ttk.Button) or button.bind("<Return>"):
        return None
    button.invoke()
    return "break"
