"""The number pad: Enter and, without Num Lock, the arrows do what the main keys do; and it goes from plot to plot."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Iterable, Mapping

from .bindings import bound

MAIN_KEYS = {
    "KP_Enter": "Return",
    "KP_Left": "Left",
    "KP_Right": "Right",
    "KP_Up": "Up",
    "KP_Down": "Down",
    "KP_Home": "Home",
    "KP_End": "End",
    "KP_Prior": "Prior",
    "KP_Next": "Next",
    "KP_Insert": "Insert",
    "KP_Delete": "Delete",
}
MOVES = {"Divide": "previous_record", "Multiply": "next_record"}
_SIGNS = {"Divide": "slash", "Multiply": "asterisk"}
_PAGES = {"KP_Prior": "previous_record", "KP_Next": "next_record"}


class NumberPad:
    """Binds the keys of the pad for all windows of ``window``.

    ``fields`` are the editors of the form in which the pad's Page Up and Page Down go to another record.
    """

    def __init__(
        self, window: tk.Misc, fields: Iterable[tk.Misc], callbacks: Mapping[str, Callable[..., object]]
    ) -> None:
        self._window = window
        for kind in ("Entry", "TEntry", "TCombobox", "TSpinbox", "Text"):
            # Else the class would insert the sign that X has for this key.
            window.bind_class(kind, "<KP_Delete>", "# nothing")
        for key in MAIN_KEYS:
            window.bind_all(f"<{key}>", self._as_main_key, add=True)
        # Windows and macOS have no names of their own for these keys of the pad.
        named = window.tk.call("tk", "windowingsystem") == "x11"
        modifier = "Command" if window.tk.call("tk", "windowingsystem") == "aqua" else "Control"
        for key, callback in MOVES.items():
            for sign in (f"KP_{key}", *([] if named else [_SIGNS[key]])):
                window.bind(f"<{modifier}-{sign}>", _calling(callbacks[callback]))
        for field in fields:
            for key, callback in _PAGES.items():
                field.bind(f"<{key}>", _calling(callbacks[callback]))

    def _as_main_key(self, event: tk.Event) -> str | None:
        widget = event.widget
        if not hasattr(widget, "bindtags"):  # made by Tk itself, and unknown to tkinter
            return None
        if any(bound(self._window, tag, f"<{event.keysym}>") for tag in widget.bindtags() if tag != "all"):
            return None
        widget.event_generate(f"<{MAIN_KEYS[str(event.keysym)]}>", state=int(event.state))
        return "break"


def _calling(callback: Callable[..., object]) -> Callable[[tk.Event], str]:
    def call(_event: tk.Event) -> str:
        callback()
        return "break"

    return call
