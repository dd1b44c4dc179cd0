"""Which widget has the focus, also where tkinter can't say; and giving it, so that no key gets lost on the way."""

from __future__ import annotations

import tkinter as tk

_BESIDE = "abq-beside"


def focused_widget(window: tk.Misc) -> tk.Misc | None:
    """The widget of this application that has the focus; ``None`` when it is elsewhere, or on an open list."""
    try:
        return window.focus_get()
    except KeyError:  # the list that a combobox opens is made by Tk, and unknown to tkinter
        return None


def set_beside(widget: tk.Misc) -> None:
    """Let the focus come to ``widget`` without leaving the field that had it: what is said of that field stays."""
    widget.bindtags((*widget.bindtags(), _BESIDE))


def is_beside(widget: tk.Misc) -> bool:
    """Whether :func:`set_beside` was told of it."""
    return _BESIDE in widget.bindtags()


def give_focus(widget: tk.Misc) -> None:
    """Put the focus on ``widget`` so that the next key is its own.

    Tk gives the focus to a widget that isn't on the screen only once that has been drawn, and until then the keys go
    to the one that had it before: what was arranged a moment ago is brought to the screen first. A widget that stays
    hidden, as the form behind the list of a small window, gets no focus: it would take it later, from somebody else.
    """
    if not widget.winfo_viewable() and widget.winfo_toplevel().winfo_viewable():
        widget.update_idletasks()
        if not widget.winfo_viewable():
            return
    widget.focus_set()
