"""Input methods (dead keys, Compose, Chinese and more) wait at a start until the window takes keys.

On X11 Tk makes an input context for each widget with its first event (Tk_HandleEvent in Tk's tkEvent.c), and asks the
display twice for each. At a start these are hundreds of questions, one after the other, for widgets of which most are
never typed into; on a display behind a network each takes its time.
"""

from __future__ import annotations

import tkinter as tk

from ..widgets.focus import focused_widget


def put_off(window: tk.Tk) -> bool:
    """Leave them out for now, before there is any widget. Tells whether :func:`resume` is wanted."""
    if window.tk.call("tk", "windowingsystem") != "x11" or not window.tk.call("tk", "useinputmethods"):
        return False
    window.tk.call("tk", "useinputmethods", False)
    return True


def resume(window: tk.Tk) -> None:
    """From now on each widget gets its context with its next event; the one that has the focus has it at once."""
    window.tk.call("tk", "useinputmethods", True)
    focused = focused_widget(window)
    if focused is not None:
        # Only a widget that the focus comes to hears of its context; nothing of ours is to happen a second time.
        tags = focused.bindtags()
        focused.bindtags(("no-binding",))
        focused.event_generate("<FocusIn>")
        focused.bindtags(tags)
