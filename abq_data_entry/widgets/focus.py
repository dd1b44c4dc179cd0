"""The keyboard: which widget has the focus, moving it so that no key gets lost, and how many keys were typed."""

from __future__ import annotations

import tkinter as tk
from _tkinter import DONT_WAIT, WINDOW_EVENTS
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from tkinter import ttk

_BESIDE = "abq-beside"
_KEYS = ("<KeyPress>", "<KeyRelease>")
_PATIENCE_MS = 1000


def focused_widget(window: tk.Misc) -> tk.Misc | None:
    """Return the widget of this application that has the focus; ``None`` if none has it, or an open list does."""
    try:
        return window.focus_get()
    except KeyError:  # tkinter doesn't know the list of a combobox, which Tk makes itself
        return None


def call_and_break(action: Callable[[], object]) -> str:
    """Call ``action()`` and return ``"break"``, for a binding after which Tk must not call any other for the event."""
    action()
    return "break"


def exempt_from_leaving(widget: tk.Misc) -> None:
    """When ``widget`` gets the focus, don't treat the field that had it as left: the field keeps its hint."""
    widget.bindtags((*widget.bindtags(), _BESIDE))


def is_exempt_from_leaving(widget: tk.Misc) -> bool:
    """Return whether ``widget`` was marked by :func:`exempt_from_leaving`."""
    return _BESIDE in widget.bindtags()


def give_focus(widget: tk.Misc) -> None:
    """Put the focus on ``widget`` so that it gets the next key.

    A widget that isn't drawn yet gets the focus from Tk only later, and until then keys go to the one that had it. So
    pending layout is drawn first. A widget that stays hidden, like the form behind the list in a small window, gets no
    focus, because it would take it from another widget later.
    """
    if not widget.winfo_viewable() and widget.winfo_toplevel().winfo_viewable():
        widget.update_idletasks()
        if not widget.winfo_viewable():
            return
    widget.focus_set()


@contextmanager
def collecting(widget: tk.Misc, closing: tk.Toplevel | None = None) -> Iterator[None]:
    """Collect the keys that arrive at ``widget`` within the block; they are handled next, wherever the focus is then.

    ``closing`` is a window that is about to be destroyed: ``widget`` gets its focus, and the keys that were typed into
    it and aren't handled yet. The display has sent them to that window already, and with it they would be lost.
    """
    keys: list[tk.Event] = []
    tag = f"KeysOf{widget}-{id(keys)}"
    for kind in _KEYS:
        widget.bind_class(tag, kind, lambda event: keys.append(event) or "break")  # type: ignore[func-returns-value]
    widget.bindtags((tag, *widget.bindtags()))
    if closing is not None:
        widget.focus_force()
        closing.winfo_pointerxy()  # a question to the display: what was typed before the focus moved is here now
        while widget.tk.dooneevent(WINDOW_EVENTS | DONT_WAIT):
            pass
    yield
    if widget.winfo_exists():
        widget.bindtags(tuple(each for each in widget.bindtags() if each != tag))
        for kind in _KEYS:
            widget.unbind_class(tag, kind)
        for key in reversed(keys):
            name = f"<{key.type.name}>"
            widget.event_generate(name, keycode=key.keycode, state=key.state, time=key.time, when="head")


def await_focus(opened: tk.Toplevel) -> None:
    """Keep the keys that are typed until a window that has just been opened gets the focus, because they are meant for
    that window; if it gets none within a second, they go where they were typed."""
    source = focused_widget(opened)
    if source is None:
        return
    until_focused = ExitStack()
    until_focused.enter_context(collecting(source))

    def arrived(_event: object = None) -> None:
        until_focused.close()

    opened.bind("<FocusIn>", arrived, add=True)
    opened.bind("<Destroy>", arrived, add=True)
    source.after(_PATIENCE_MS, arrived)


def select_text(field: tk.Misc) -> None:
    """Select the text of a field that has just got the focus, as Tab does, so that typing replaces it."""
    field.event_generate("<<TraverseIn>>")


def let_enter_press(window: tk.Misc) -> None:
    """Make Enter press the button that has the focus, in all windows, unless it has its own binding for Enter."""
    window.bind_class("TButton", "<Return>", _press)


def _press(event: tk.Event) -> str | None:
    button = event.widget
    if not isinstance(button, ttk.Button) or button.bind("<Return>"):
        return None
    button.invoke()
    return "break"


# X11 sends a held key as releases and presses with equal times; on other platforms a repeat can't be recognized.
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
    """From now on, watch in all windows when Enter is released, for :func:`is_held`."""
    window.tk.eval(_WATCH)


def is_held(event: tk.Event) -> bool:
    """Return whether this Enter comes from a key that is held down."""
    return event.time != 0 and str(event.time) == str(event.widget.tk.eval("set ::abq_enter::ended"))


# Counted in Tcl, before the bindings of the widget: no binding can hide a key, and calling Python would slow each key.
_COUNT_TAG = "AbqKeyCount"
_START = """
namespace eval ::abq_keys {
    variable count 0
    variable apart
    array set apart {}
    # Modifier keys don't count. With Ctrl or Command only keys that edit count: the others choose commands.
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
# Forgotten when the window is destroyed, because another one may get its name.
_APART = """
namespace eval ::abq_keys {}
set ::abq_keys::apart(%(window)s) 1
bind %(window)s <Destroy> {+if {"%%W" eq "%(window)s"} {array unset ::abq_keys::apart %(window)s}}
"""
_CONTROL, _MOD1 = 4, 8


def start_counting(window: tk.Tk) -> None:
    """Start to count the keys typed in all windows of the program, except those given to :func:`exclude_from_count`."""
    mac = str(window.tk.call("tk", "windowingsystem")) == "aqua"
    window.tk.eval(_START % {"tag": _COUNT_TAG, "command": _CONTROL | _MOD1 if mac else _CONTROL})


def typed_keys(widget: tk.Misc) -> int:
    """Return how many keys were typed since :func:`start_counting`; 0 if it wasn't called."""
    return int(widget.tk.eval("expr {[info exists ::abq_keys::count] ? $::abq_keys::count : 0}"))


def exclude_from_count(window: tk.Toplevel) -> None:
    """Don't count the keys that are typed into ``window``, such as a dialog."""
    window.tk.eval(_APART % {"window": window})
