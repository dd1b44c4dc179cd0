"""The boxes to tick, as pictures: clam draws a cross where everybody expects a tick."""

from __future__ import annotations

import tkinter as tk
from pathlib import Path
from tkinter import ttk
from typing import Any

BOX_SIZES = (14, 16, 20, 24, 32, 48)
_FOLDER = Path(__file__).resolve().parent.parent / "images"


def use_boxes(style: ttk.Style, root: tk.Misc, line: int, dark: bool) -> None:
    """Let check boxes of the present theme show a tick; ``line`` is the height of a line of text in pixels."""
    size = max((each for each in BOX_SIZES if each <= line), default=BOX_SIZES[0])
    look = f"{'dark' if dark else 'light'}-{size}"
    element = f"Box{look}.indicator"
    if element not in style.element_names():
        images = []
        for state in ("off", "on"):
            # Named, so that Tk keeps them for as long as the window lives. Tk asks the display for each shade of a
            # palette, one after the other: 64 of each colour are enough for these, 256 would take four times as long.
            picture = ("-file", _FOLDER / f"box-{state}-{look}.png", "-palette", "64/64/64")
            images.append(root.tk.call("image", "create", "photo", f"abq-{state}-{look}", *picture))
        style.element_create(element, "image", images[0], ("selected", images[1]), width=size + 6, sticky="w")
    label: tuple[str, Any] = ("Checkbutton.label", {"sticky": "nswe"})
    inside: list[tuple[str, Any]] = [
        (element, {"side": "left", "sticky": ""}),
        ("Checkbutton.focus", {"side": "left", "sticky": "w", "children": [label]}),
    ]
    style.layout("TCheckbutton", [("Checkbutton.padding", {"sticky": "nswe", "children": inside})])
