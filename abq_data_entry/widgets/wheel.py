"""The one place for the wheel of a mouse and for two fingers on a touchpad, whatever Tk and the platform make of them.

Tk 8.6 sends Button-4 and Button-5 on X11, MouseWheel elsewhere (on macOS in small numbers). Tk 9 sends MouseWheel
everywhere, 120 a notch and less for fine wheels, and TouchpadScroll in dots for Apple's touchpads. All of it becomes
whole lines here; what is less than a line is kept for the next event.
"""

from __future__ import annotations

import re
import tkinter as tk
from collections.abc import Callable

from ..themes import TK_9

NOTCH = 120
DOTS_A_LINE = 12
LINES_A_NOTCH = 3
_OLD_X11 = (("<Button-4>", NOTCH), ("<Button-5>", -NOTCH))
_OF_A_WHEEL = re.compile(r"MouseWheel|TouchpadScroll|\bButton(Press)?-[4-7]\b")

_SHIFT = 0x0001

Scroll = Callable[[tk.Event, int], object]
"""Called with the event and how many lines to go: below 0 up."""


class Wheel:
    """Bind it once for a widget or for a tag of widgets."""

    def __init__(
        self,
        widget: tk.Misc,
        scroll: Scroll,
        lines: int = LINES_A_NOTCH,
        tag: str = "",
        across: Callable[[int], object] | None = None,
    ) -> None:
        """Let the wheel over ``widget``, or over all that have the bind tag ``tag``, go ``lines`` lines a notch.

        ``across`` is called with dots to the right (below 0: left), for a wheel with Shift and for touchpads.
        """
        self._scroll, self._across = scroll, across
        self._lines = lines
        self._left = 0.0
        self._aqua_units = widget.tk.call("tk", "windowingsystem") == "aqua" and not TK_9

        def bind(sequence: str, action: Callable[[tk.Event], object]) -> None:
            if tag:
                widget.bind_class(tag, sequence, action)
            else:
                widget.bind(sequence, action)

        bind("<MouseWheel>", self.turned)
        if not TK_9:
            for sequence, delta in _OLD_X11:
                bind(sequence, lambda event, delta=delta: self._turned(event, delta / NOTCH))  # type: ignore[misc]
        else:
            bind("<TouchpadScroll>", self.touched)

    def turned(self, event: tk.Event) -> object:
        """A wheel was turned: ``event.delta`` is above 0 away from the user."""
        return self._turned(event, event.delta / (1 if self._aqua_units else NOTCH))

    def touched(self, event: tk.Event) -> object:
        """Two fingers moved: ``event.delta`` holds dots across in its upper 16 bits, and down in its lower ones."""
        across, down = dots(event.delta)
        if across and self._across is not None:
            self._across(-across)
        return self._go(event, -down / DOTS_A_LINE)

    def _turned(self, event: tk.Event, notches: float) -> object:
        if self._across is not None and isinstance(event.state, int) and event.state & _SHIFT:
            self._across(int(-notches * self._lines * DOTS_A_LINE))
            return "break"
        return self._go(event, -notches * self._lines)

    def _go(self, event: tk.Event, lines: float) -> object:
        if (lines < 0) is not (self._left < 0):
            self._left = 0.0  # the other way: what was left of this way is forgotten
        self._left = round(self._left + lines, 6)  # twelve twelfths are one
        whole = int(self._left)
        self._left -= whole
        return self._scroll(event, whole) if whole else "break"


def dots(delta: int) -> tuple[int, int]:
    """The dots across and down of what TouchpadScroll carries, as Tk's own ``tk::PreciseScrollDeltas`` reads them."""
    high, low = (delta >> 16) & 0xFFFF, delta & 0xFFFF
    return _signed(high), _signed(low)


def _signed(word: int) -> int:
    return word - 0x10000 if word >= 0x8000 else word


def ignore_wheel(widget: tk.Misc, class_name: str) -> None:
    """Take the wheel from all widgets of a class, such as the lists that would choose another value."""
    for sequence in widget.bind_class(class_name):
        if _OF_A_WHEEL.search(sequence):  # with Shift, Option or Control held down too
            widget.unbind_class(class_name, sequence)
