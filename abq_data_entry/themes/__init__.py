"""How the window looks: palettes, fonts, spacing, and the ttk styles made of them."""

from .look import DENSITIES, THEMES, Look, apply, be_aware_of_dpi, families
from .palette import DARK, LIGHT, Palette, contrast
from .tk_version import TK_9

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
