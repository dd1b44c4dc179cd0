"""Enter in a field, held or doubled as well, and going on by itself after the second decimal."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Callable

from .form_content import FormContent
from .record_inputs import CHECK_FIELDS
from .repeated_enter import RepeatedEnter

HABIT_SECONDS = 1.0  # in which Enter after a field that went on by itself is the habitual one


class EnterKey:
    """Calls ``advance(name)`` for each Enter that counts; ``holds(name)``: the field keeps the focus.

    ``goes_on()``: whether a field goes on by itself when it is full; ``is_last(name)``: Enter there saves.
    """

    def __init__(
        self,
        window: tk.Misc,
        content: FormContent,
        advance: Callable[[str], object],
        holds: Callable[[str], bool],
        goes_on: Callable[[], bool],
        is_last: Callable[[str], bool],
    ) -> None:
        self._content, self._advance, self._holds = content, advance, holds
        self._goes_on, self._is_last = goes_on, is_last
        self._repeated = RepeatedEnter(window)
        self._swallowed = ("", 0.0)  # in which field, until when

    def pressed(self, name: str, event: tk.Event) -> str:
        """Enter in the field of that name."""
        swallowed, self._swallowed = self._swallowed, ("", 0.0)
        steps = self._repeated.steps(int(event.time), is_stop=name in CHECK_FIELDS)
        if swallowed[0] == name and time.monotonic() <= swallowed[1]:
            return "break"
        if not steps and not self._holds(name):
            self._content.inputs[name].show_hint("Enter was pressed twice, and counts once")
        if steps:
            self._advance(name)
        focused = self._content.focused
        if steps > 1 and focused is not None and not self._content.saving:
            self._advance(focused.name)
        return "break"

    def filled_up(self, name: str) -> None:
        """The second decimal was typed: go on by itself where that is wanted, but never save by itself."""
        if not self._goes_on() or self._is_last(name) or self._content.inputs.after(name) is None:
            return
        self._advance(name)
        focused = self._content.focused
        if focused is not None and focused.name != name:
            self._swallowed = (focused.name, time.monotonic() + HABIT_SECONDS)

    def edited(self, name: str) -> None:
        """Somebody typed in the field, or the program filled it."""
        self._swallowed = ("", 0.0)
        if not self._content.inputs[name].is_filling:
            self._repeated.edited(name not in CHECK_FIELDS)
