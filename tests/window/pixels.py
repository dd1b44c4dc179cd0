"""What a widget looks like on the screen, pixel by pixel."""

from __future__ import annotations

import os
import tkinter as tk
from collections import Counter

from PIL import Image, ImageGrab


def picture(widget: tk.Misc, margin: int = 0) -> Image.Image:
    """The widget as it stands on the screen."""
    widget.update()
    left, top = widget.winfo_rootx() - margin, widget.winfo_rooty() - margin
    box = (left, top, left + widget.winfo_width() + 2 * margin, top + widget.winfo_height() + 2 * margin)
    return ImageGrab.grab(box, xdisplay=os.environ["DISPLAY"]).convert("RGB")


def pixel(widget: tk.Misc) -> str:
    """The colour that most of the widget has."""
    return _name(Counter(_colours(picture(widget))).most_common(1)[0][0])


def edge(widget: tk.Misc) -> str:
    """The colour of its frame, at the middle of the lower side."""
    shown = picture(widget)
    return _name(_at(shown, shown.width // 2, shown.height - 1))


def background(widget: tk.Misc) -> str:
    """The colour just inside the frame."""
    shown = picture(widget)
    return _name(_at(shown, shown.width // 2, shown.height - 6))


def marks_in(field: tk.Misc) -> bool:
    """Whether there is something besides the ground at the left side of the field, where no number stands."""
    shown = picture(field)
    part = shown.crop((4, 5, 13, shown.height - 5))
    return len(set(_colours(part))) > 1


def colours(shown: Image.Image) -> set[str]:
    """All colours of a picture."""
    return {_name(each) for each in _colours(shown)}


def colour_at(shown: Image.Image, x: int, y: int) -> str:
    """The colour of one pixel."""
    return _name(_at(shown, x, y))


def _colours(shown: Image.Image) -> list[tuple[int, ...]]:
    return [_at(shown, x, y) for x in range(shown.width) for y in range(shown.height)]


def _at(shown: Image.Image, x: int, y: int) -> tuple[int, ...]:
    found = shown.getpixel((x, y))
    assert isinstance(found, tuple)
    return tuple(int(part) for part in found)


def _name(colour: tuple[int, ...]) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)
