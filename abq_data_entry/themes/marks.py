"""The mark inside a field that is wrong: it tells one from the others without comparing colours."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any

_Layout = list[tuple[str, Any]]


def use_marks(style: ttk.Style, root: tk.Misc, line: int, colour: str) -> None:
    """Let the entries and list fields of the present theme show a ✗ while they are wrong, on a place kept for it.

    Numbers, which stand at the right, have it at the left (``Number.TEntry``). ``line`` is the height of a line of text
    in pixels.
    """
    size = max(7, round(line / 2.2))
    element = f"Wrong{colour[1:]}x{size}.mark"
    if element not in style.element_names():
        nothing, cross = _picture(root, f"abq-right-{size}", size), _picture(root, f"abq-wrong-{colour}-{size}", size)
        for step in range(size - 1):
            for x in (step, size - 2 - step):
                root.tk.call(cross, "put", colour, "-to", x, step, x + 2, step + 2)
        style.element_create(element, "image", nothing, ("invalid", cross), width=size + 4, sticky="")
    style.layout("TEntry", _field("Entry", element, "right"))
    style.layout("Number.TEntry", _field("Entry", element, "left"))
    arrow: tuple[str, Any] = ("Combobox.downarrow", {"side": "right", "sticky": "ns"})
    style.layout("TCombobox", [arrow, *_field("Combobox", element, "right")])


def _field(kind: str, mark: str, side: str) -> _Layout:
    text: _Layout = [(f"{kind}.textarea", {"sticky": "nswe"})]
    inside: _Layout = [(mark, {"side": side, "sticky": ""}), (f"{kind}.padding", {"sticky": "nswe", "children": text})]
    return [(f"{kind}.field", {"sticky": "nswe", "children": inside})]  # drawn before what is inside


def _picture(root: tk.Misc, name: str, size: int) -> str:
    # Named, so that Tk keeps it for as long as the window lives.
    return str(root.tk.call("image", "create", "photo", name, "-width", size, "-height", size))
