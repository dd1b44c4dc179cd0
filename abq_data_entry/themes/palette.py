"""The colours, light and dark; what views need to know of the look; and which Tk this is."""

from __future__ import annotations

import tkinter as tk
from typing import NamedTuple

TK_9 = tk.TkVersion >= 8.7  # its changes came with alphas that were called 8.7


class Palette(NamedTuple):
    """Colours as ``#rrggbb``, named by what they are for."""

    surface: str
    bar: str
    field: str
    field_disabled: str
    field_wrong: str
    text: str
    muted: str
    border: str
    line: str
    accent: str
    on_accent: str
    accent_hover: str
    selection: str
    on_selection: str
    error: str
    warning: str


LIGHT = Palette(
    surface="#ffffff",
    bar="#f2f5f4",
    field="#ffffff",
    field_disabled="#eef1f0",
    field_wrong="#fdeceb",
    text="#1a211e",
    muted="#53605a",
    border="#84908a",
    line="#d5dcd8",
    accent="#0a6a4e",
    on_accent="#ffffff",
    accent_hover="#0d7f5e",
    selection="#cfe8dd",
    on_selection="#10201a",
    error="#b3261e",
    warning="#7a4a00",
)

DARK = Palette(
    surface="#1d2125",
    bar="#16191c",
    field="#262b30",
    field_disabled="#202429",
    field_wrong="#45282a",
    text="#e7ecea",
    muted="#a4afaa",
    border="#75807b",
    line="#353c40",
    accent="#4cc29a",
    on_accent="#06251a",
    accent_hover="#63d3ad",
    selection="#24503f",
    on_selection="#eef7f3",
    error="#ff8f87",
    warning="#f0b45c",
)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two ``#rrggbb`` colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class Look(NamedTuple):
    """What views need to know of the look: the palette, and sizes in pixels.

    ``unit`` is the spacing step, by font and density; ``line`` the height of a line of text.
    """

    palette: Palette
    unit: int
    row_height: int
    dark: bool
    line: int = 16
