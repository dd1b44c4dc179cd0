"""How many keys were typed into the program's windows: whoever types isn't to be interrupted.

Counted by Tk itself, before any binding of a widget, so that no binding can hide a key and no key gets slower.
"""

from __future__ import annotations

import tkinter as tk

_TAG = "AbqKeyCount"
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
_CONTROL, _MOD1 = 4, 8


def start_counting(window: tk.Tk) -> None:
    """Count from now on the keys that are typed in any window of the program, but for those of :func:`leave_out`."""
    mac = str(window.tk.call("tk", "windowingsystem")) == "aqua"
    window.tk.eval(_START % {"tag": _TAG, "command": _CONTROL | _MOD1 if mac else _CONTROL})


def typed_keys(widget: tk.Misc) -> int:
    """How many keys were typed since the program began to count; 0 where it doesn't."""
    return int(widget.tk.eval("expr {[info exists ::abq_keys::count] ? $::abq_keys::count : 0}"))


def leave_out(window: tk.Toplevel) -> None:
    """Keys that are typed into ``window`` don't count: a dialog's own."""
    window.tk.eval(f"namespace eval ::abq_keys {{}}; set ::abq_keys::apart({window}) 1")
    window.bind("<Destroy>", lambda event: _gone(window, event), add=True)


def _gone(window: tk.Toplevel, event: tk.Event) -> None:
    if event.widget is window:
        window.tk.eval(f"array unset ::abq_keys::apart {window}")
