"""Spacing that grows with the font: the distances in the views are those for the default font."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

_DISTANCES = ("-padx", "-pady")


class Spacing:
    """Scales the distances between the widgets of a window, and back again.

    What a widget was placed with is kept, so that scaling twice is scaling once.
    """

    def __init__(self) -> None:
        self._placed: dict[tuple[str, str], tuple[int, ...]] = {}
        self._factor = 1.0

    def scale(self, window: tk.Misc, factor: float) -> None:
        """Place all widgets inside ``window`` with their distances times ``factor`` (1: as they were made)."""
        if factor == 1.0 == self._factor:
            return
        self._factor = factor
        self._scale_inside(window, factor)

    def _scale_inside(self, window: tk.Misc, factor: float) -> None:
        for child in window.winfo_children():
            manager = child.winfo_manager()
            if manager in ("grid", "pack"):
                self._scale_place(child, manager, factor)
            if isinstance(child, ttk.Frame):
                self._scale_padding(child, factor)
            self._scale_inside(child, factor)

    def _scale_place(self, child: tk.Misc, manager: str, factor: float) -> None:
        told = child.tk.splitlist(child.tk.call(manager, "info", str(child)))
        options = dict(zip(told[::2], told[1::2], strict=True))
        for name in _DISTANCES:
            made = self._placed.setdefault((str(child), name), _numbers(child, options[name]))
            child.tk.call(manager, "configure", str(child), name, [round(each * factor) for each in made])

    def _scale_padding(self, frame: ttk.Frame, factor: float) -> None:
        made = self._placed.setdefault((str(frame), "-padding"), _numbers(frame, frame.cget("padding")))
        if any(made):
            frame.tk.call(str(frame), "configure", "-padding", [round(each * factor) for each in made])


def _numbers(widget: tk.Misc, distance: object) -> tuple[int, ...]:
    parts = distance if isinstance(distance, tuple) else widget.tk.splitlist(str(distance))
    return tuple(int(float(str(each))) for each in parts)
