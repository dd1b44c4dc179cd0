"""Apply a theme, a font size and a density to a root window; at once, and again whenever they change."""

from __future__ import annotations

import sys
import tkinter as tk
from tkinter import font as tkfont
from tkinter import ttk

from . import styles
from .palette import DARK, LIGHT, Look, Palette, contrast

THEMES = {"default": "As the desktop", "light": "Light", "dark": "Dark", "platform": "The platform's own"}
DENSITIES = {"compact": 0.5, "comfortable": 1.0, "spacious": 1.75}
SUITABLE_FAMILIES = (
    *("Adwaita Sans", "Arial", "Atkinson Hyperlegible", "Cantarell", "DejaVu Sans", "Helvetica", "Inter"),
    *("Liberation Sans", "Lucida Grande", "Noto Sans", "OpenDyslexic", "Roboto", "Segoe UI", "Ubuntu", "Verdana"),
)
LEAST_CONTRAST = 3.0  # of a border, to be seen at all
_OWN_THEME = "abq"
_PLATFORM_THEMES = {"aqua": "aqua", "win32": "vista", "x11": "clam"}
_NAMED_FONTS = ("TkDefaultFont", "TkTextFont", "TkMenuFont", "TkHeadingFont", "TkTooltipFont", "TkIconFont")


def apply(
    root: tk.Misc, theme: str, font_size: int, density: str, desktop_is_dark: bool = False, family: str = ""
) -> Look:
    """Style ``root`` and all its widgets.

    ``theme`` is a key of :data:`THEMES`, ``font_size`` in points, ``density`` a key of :data:`DENSITIES`;
    unknown ones count as the defaults. ``family`` is a font's name, empty for the desktop's own.
    """
    dark = theme == "dark" or (theme not in ("light", "platform") and desktop_is_dark)
    palette = DARK if dark else LIGHT
    _set_fonts(root, font_size, family)
    line = tkfont.nametofont("TkDefaultFont").metrics("linespace")
    unit = max(4, round(line / 4))
    gap = max(1, round(unit * DENSITIES.get(density, 1.0)))
    look = Look(palette, gap, line + max(4, 2 * gap), dark, line)
    style = ttk.Style(root)
    if theme == "platform":
        style.theme_use(_PLATFORM_THEMES.get(str(root.tk.call("tk", "windowingsystem")), "clam"))
        look = look._replace(palette=_colours_of(style, root), dark=False)
        styles.configure_sizes(style, look)
        styles.configure_platform(style, look, root)
    else:
        if _OWN_THEME not in style.theme_names():
            # A theme of our own: clam itself stays as it is, for those who choose the platform's own.
            style.theme_create(_OWN_THEME, parent="clam")
        style.theme_use(_OWN_THEME)
        styles.configure(style, look, root)
    styles.configure_options(root, look)
    styles.recolour_open_lists(root, look)
    root.event_generate("<<LookChanged>>")
    return look


def be_aware_of_dpi() -> None:
    """Tell Windows, before the first window, that we draw for the real resolution; elsewhere nothing is needed."""
    if sys.platform == "win32":
        import ctypes

        try:
            ctypes.windll.shcore.SetProcessDpiAwareness(1)
        except (AttributeError, OSError):  # Windows 7 knows no such thing
            return


def families(root: tk.Misc) -> list[str]:
    """Return the fonts of this computer that suit a form, by name."""
    present = set(tkfont.families(root))
    return [name for name in SUITABLE_FAMILIES if name in present]


def _set_fonts(root: tk.Misc, size: int, family: str) -> None:
    # The caption font is never changed here: it tells the desktop's own family. A font that isn't on this
    # computer (the settings came from another) is left out.
    known = family and family in tkfont.families(root)
    wanted_family = family if known else str(tkfont.nametofont("TkCaptionFont").actual("family"))
    for name in _NAMED_FONTS:
        tkfont.nametofont(name).configure(size=size, family=wanted_family)
    tkfont.nametofont("TkHeadingFont").configure(weight="normal")
    base = tkfont.nametofont("TkDefaultFont").actual()
    for name, change, weight in (("AbqSmall", -1, "normal"), ("AbqTitle", 3, "bold"), ("AbqStrong", 0, "bold")):
        wanted = {"family": base["family"], "size": max(7, size + change), "weight": weight}
        if name in tkfont.names():
            tkfont.nametofont(name).configure(**wanted)  # type: ignore[arg-type]
        else:
            # Kept alive by the interpreter: tkinter deletes a named font with its Python object.
            made = tkfont.Font(name=name, exists=False, **wanted)  # type: ignore[arg-type]
            made.delete_font = False


def _colours_of(style: ttk.Style, root: tk.Misc) -> Palette:
    """Return the native theme's own colours where it tells them, for what we draw ourselves."""

    def colour(option: str, fallback: str) -> str:
        found = style.lookup("TFrame" if option == "background" else "TLabel", option) or fallback
        red, green, blue = (value >> 8 for value in root.winfo_rgb(found))
        return f"#{red:02x}{green:02x}{blue:02x}"

    surface = colour("background", LIGHT.surface)
    border = LIGHT.border if contrast(surface, LIGHT.border) >= LEAST_CONTRAST else LIGHT.muted
    text = colour("foreground", LIGHT.text)
    return LIGHT._replace(surface=surface, bar=surface, text=text, border=border, field_disabled=surface)


_DISTANCES = ("-padx", "-pady")


class Spacing:
    """Scales the distances between the widgets of a window, and back again.

    The original distances are kept, so that scaling twice has the same result as scaling once.
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
