"""How the window looks: palettes, fonts, spacing, and the ttk styles made of them."""

from .look import DENSITIES, THEMES, apply, be_aware_of_dpi, families
from .palette import DARK, LIGHT, TK_9, Look, Palette, contrast

__all__ = [
    "DARK",
    "DENSITIES",
    "LIGHT",
    "THEMES",
    "TK_9",
    "Look",
    "Palette",
    "apply",
    "be_aware_of_dpi",
    "contrast",
    "families",
]
