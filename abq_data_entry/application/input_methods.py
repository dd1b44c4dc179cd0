"""Puts off input methods until the window takes keys, because on X11 they cost two round trips for each widget."""

from __future__ import annotations

import tkinter as tk


def put_off_input_methods(window: tk.Tk) -> bool:
    """Disable them before any widget is created; return whether :func:`resume_input_methods` must be called later."""
    if window.tk.call("tk", "windowingsystem") != "x11" or not window.tk.call("tk", "useinputmethods"):
        return False
    window.tk.call("tk", "useinputmethods", False)
    return True


def resume_input_methods(window: tk.Tk) -> None:
    """Enable them: each widget gets its input context with its next event, the focused one at once."""
    window.tk.call("tk", "useinputmethods", True)
    from ..widgets.focus import focused_widget

    focused = focused_widget(window)
    if focused is not None:
        # A widget gets its context when it gets the focus; our own bindings for that must not run a second time.
        tags = focused.bindtags()
        focused.bindtags(("no-binding",))
        focused.event_generate("<FocusIn>")
        focused.bindtags(tags)
