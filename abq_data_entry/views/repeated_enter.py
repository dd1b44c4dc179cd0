"""Enter that is held down, or pressed twice by one tap: it leads on once."""

from __future__ import annotations

import tkinter as tk

DOUBLED_MS = 250
"""After a value was typed, a second press within that time is the same Enter."""


class RepeatedEnter:
    """Tells whether a press of Enter is the one before it once more, held or doubled.

    Two quick presses after a value are one; with a third one somebody is going through the fields, and all of them
    count. Times are those of the events, in milliseconds.
    """

    def __init__(self, window: tk.Misc) -> None:
        self._last: int | None = None
        self._released: int | None = None
        self._typed = False
        self._owed = False
        for key in ("Return", "KP_Enter"):
            window.bind(f"<KeyRelease-{key}>", self._release, add=True)
        window.bind("<Key>", self._other_key, add=True)
        window.bind("<Button>", self._other_key, add=True)

    def edited(self, is_value: bool) -> None:
        """Something was typed, a value of the plot or not: the next Enter is for that."""
        self._typed, self._last, self._owed = is_value, None, False

    def steps(self, time: int, is_stop: bool) -> int:
        """How many fields this press leads on: 0, 1, or 2 with the one that was held back before.

        ``is_stop``: a press of its own is wanted in this field, however quickly it comes.
        """
        last, released = self._last, self._released
        after_value, self._last, self._released = self._typed, time, None
        if last is None:
            return 1
        pause = time - last
        if released == time:  # X11 tells of a key that is held so
            self._owed = False
            return 0
        if 0 < pause <= DOUBLED_MS and after_value and not is_stop and not self._owed:
            self._owed, self._typed = True, False
            return 0
        steps = 2 if self._owed and 0 < pause <= DOUBLED_MS else 1
        self._owed = self._typed = False
        return steps

    def _other_key(self, event: tk.Event) -> None:
        if event.keysym not in ("Return", "KP_Enter"):
            self._last, self._owed = None, False

    def _release(self, event: tk.Event) -> None:
        self._released = int(event.time)
