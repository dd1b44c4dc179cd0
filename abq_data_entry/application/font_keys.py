"""Ctrl and + or −, on the number pad too, make the text larger or smaller; Ctrl+0 gives it the usual size."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping

from ..mainmenu import FONT_SIZES
from .latin_keys import SHIFT, key_of_place

LARGER, SMALLER, USUAL = "larger_text", "smaller_text", "usual_text"
# On French keyboards − lies on the 6, where Ctrl goes to plot 6, and the key that has − elsewhere has a bracket.
_KEYS = {LARGER: ("plus", "equal", "KP_Add"), SMALLER: ("minus", "KP_Subtract", "parenright")}


class FontKeys:
    """Changes the setting ``size`` (points) in the steps of the Options menu; ``tell(sentence)`` says to what."""

    def __init__(self, size: tk.Variable, usual: int, tell: Callable[[str], object]) -> None:
        self._size, self._usual, self._tell = size, usual, tell
        self.callbacks: dict[str, Callable[[], object]] = {
            LARGER: lambda: self._set(min((each for each in FONT_SIZES if each > self._points), default=self._points)),
            SMALLER: lambda: self._set(max((each for each in FONT_SIZES if each < self._points), default=self._points)),
            USUAL: lambda: self._set(self._usual),
        }

    @property
    def _points(self) -> int:
        return int(self._size.get())

    def _set(self, points: int) -> None:
        if points != self._points:
            self._size.set(points)
        self._tell(f"Font size: {points} points")


def bind_font_keys(window: tk.Misc, callbacks: Mapping[str, Callable[..., object]]) -> None:
    """Bind + and − in ``window``; the 0 belongs to the numbers of plots."""
    system = str(window.tk.call("tk", "windowingsystem"))
    modifier = "Command" if system == "aqua" else "Control"

    def pressed(event: tk.Event, callback: str) -> str | None:
        shift = bool(int(event.state) & SHIFT)
        in_number_row = key_of_place(system, int(event.keycode)).isdecimal()
        if (event.keysym == "parenright") if shift else in_number_row:
            return None
        callbacks[callback]()
        return "break"

    for callback, keys in _KEYS.items():
        for key in keys:
            window.bind(f"<{modifier}-{key}>", lambda event, callback=callback: pressed(event, callback))  # type: ignore[misc]
