"""Where a window comes up: within the screen."""

from __future__ import annotations

import tkinter as tk

MARGIN = 16
FRAME_HEIGHT = 96  # a title bar and a desktop's panel


def within_screen(window: tk.Misc, width: int, height: int, x: int, y: int) -> str:
    """The place, as Tk's geometry has it, for a window of that size that would best be at ``x`` and ``y``."""
    x = min(x, window.winfo_screenwidth() - width - MARGIN)
    y = min(y, window.winfo_screenheight() - height - FRAME_HEIGHT // 2)
    return f"+{max(0, x)}+{max(0, y)}"
