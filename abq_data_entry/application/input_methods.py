"""Input methods wait until the window takes keys: on X11 Tk asks the display twice for each widget about them."""

from __future__ import annotations

import tkinter as tk


def put_off_input_methods(window: tk.Tk) -> bool:
    """Leave them out for now, before there is any widget. Tells whether :func:`resume_input_methods` is wanted."""
    if window.tk.call("tk", "windowingsystem") != "x11" or not window.tk.call("tk", "useinputmethods"):
        return False
    window.tk.call("tk", "useinputmethods", False)
    return True


def resume_input_methods(window: tk.Tk) -> None:
    """From now on each widget gets its context with its next event; the one that has the focus has it at once."""
    window.tk.call("tk", "useinputmethods", True)
    from ..widgets.focus import focused_widget

    focused = focused_widget(window)
    if focused is not None:
        # Only a widget that the focus comes to hears of its context; nothing of ours is to happen a second time.
        tags = focused.bindtags()
        focused.bindtags(("no-binding",))
        focused.event_generate("<FocusIn>")
        focused.bindtags(tags)
