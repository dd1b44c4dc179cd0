"""Which widget has the focus, giving it so that no key gets lost, and how many keys were typed."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

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


def select_text(field: tk.Misc) -> None:
    """Select the text of a field that has just got the focus, as Tab does: what is typed then replaces it."""
    field.event_generate("<<TraverseIn>>")


def let_enter_press(window: tk.Misc) -> None:
    """For all buttons of the program; one with a meaning of its own for Enter keeps that."""
    window.bind_class("TButton", "<Return>", _press)


def _press(event: tk.Event) -> str | None:
    button = event.widget
    if not isinstance(button, ttk.Button) or button.bind("<Return>"):
        return None
    button.invoke()
    return "break"


# X11 repeats a key that is held down as its end and its begin at one moment; elsewhere there is no sign of it.
_WATCH = """
namespace eval ::abq_enter {
    variable ended
    if {![info exists ended]} {
        set ended -1
        bind all <KeyRelease-Return> {+set ::abq_enter::ended %t}
        bind all <KeyRelease-KP_Enter> {+set ::abq_enter::ended %t}
    }
}
"""


def watch_enter(window: tk.Misc) -> None:
    """Notice from now on, in all windows, when an Enter ends, for :func:`is_held`."""
    window.tk.eval(_WATCH)


def is_held(event: tk.Event) -> bool:
    """Whether this Enter is the same as before, held down."""
    return event.time != 0 and str(event.time) == str(event.widget.tk.eval("set ::abq_enter::ended"))


# Counted by Tk itself, before any binding of a widget: no binding can hide a key, and no key gets slower.
_COUNT_TAG = "AbqKeyCount"
_START = """
namespace eval ::abq_keys {
    variable count 0
    variable apart
    array set apart {}
    # Keys that type nothing by themselves; with Ctrl or Command only those that edit count: others choose commands.
    proc typed {key state character} {
        variable count
        if {[string match {*_[LR]} $key] || $key in {Caps_Lock Num_Lock Scroll_Lock ISO_Level3_Shift Mode_switch}} {
            return
        }
        set command [expr {$state & %(command)d}]
        if {!$command || [string is print -strict $character]
                || $key in {v V x X z Z y Y BackSpace Delete}} {
            incr count
        }
    }
    proc watch {widget} {
        variable apart
        if {![winfo exists $widget] || [info exists apart([winfo toplevel $widget])]} {
            return
        }
        set tags [bindtags $widget]
        if {"%(tag)s" ni $tags} {
            bindtags $widget [linsert $tags 0 %(tag)s]
        }
    }
    bind %(tag)s <KeyPress> {::abq_keys::typed %%K %%s %%A}
    bind all <FocusIn> {+::abq_keys::watch %%W}
}
"""
# Until the window is gone: another one may get its name.
_APART = """
namespace eval ::abq_keys {}
set ::abq_keys::apart(%(window)s) 1
bind %(window)s <Destroy> {+if {"%%W" eq "%(window)s"} {array unset ::abq_keys::apart %(window)s}}
"""
_CONTROL, _MOD1 = 4, 8


def start_counting(window: tk.Tk) -> None:
    """Count from now on the keys that are typed in any window of the program, but for those of :func:`leave_out`."""
    mac = str(window.tk.call("tk", "windowingsystem")) == "aqua"
    window.tk.eval(_START % {"tag": _COUNT_TAG, "command": _CONTROL | _MOD1 if mac else _CONTROL})


def typed_keys(widget: tk.Misc) -> int:
    """How many keys were typed since the program began to count; 0 where it doesn't."""
    return int(widget.tk.eval("expr {[info exists ::abq_keys::count] ? $::abq_keys::count : 0}"))


def leave_out(window: tk.Toplevel) -> None:
    """Keys that are typed into ``window`` don't count: a dialog's own."""
    window.tk.eval(_APART % {"window": window})
