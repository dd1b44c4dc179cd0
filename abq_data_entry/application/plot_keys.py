"""Ctrl and a number go to the plot of that number: hold Ctrl, type one or two digits, let go. No plot is number 0."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable


class PlotKeys:
    """Collects digits while the modifier is held; two digits go at once, one when the modifier is released.

    A 0 that isn't the second digit calls ``zero()``.
    """

    def __init__(
        self,
        window: tk.Misc,
        go_to: Callable[[int], object],
        modifier: str = "Control",
        zero: Callable[[], object] = lambda: None,
    ) -> None:
        self._go_to, self._zero = go_to, zero
        self._digits = ""
        for digit in "0123456789":
            window.bind(f"<{modifier}-Key-{digit}>", lambda _event, digit=digit: self._typed(digit))  # type: ignore[misc]
            window.bind(f"<{modifier}-KP_{digit}>", lambda _event, digit=digit: self._typed(digit))  # type: ignore[misc]
        keys = ("Meta_L", "Meta_R") if modifier == "Command" else ("Control_L", "Control_R")
        for key in keys:
            window.bind(f"<KeyRelease-{key}>", lambda _event: self._go())

    def _typed(self, digit: str) -> str:
        if digit == "0" and not self._digits:
            self._zero()
            return "break"
        self._digits += digit
        # 1 and 2 may begin a number of two digits; every other digit is a plot by itself.
        if len(self._digits) == 2 or digit not in "12":
            self._go()
        return "break"

    def _go(self) -> None:
        digits, self._digits = self._digits, ""
        if digits:
            self._go_to(int(digits))
