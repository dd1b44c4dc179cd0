"""Colours that everybody can read, and looks that apply to all that is open."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Iterator
from tkinter import font as tkfont
from tkinter import ttk

import pytest

from abq_data_entry.themes import DARK, DENSITIES, LIGHT, THEMES, Palette, apply, contrast

TEXTS = (
    ("text", "surface"), ("text", "bar"), ("text", "field"), ("muted", "surface"), ("muted", "bar"),
    ("muted", "field_disabled"), ("on_accent", "accent"), ("on_accent", "accent_hover"), ("on_selection", "selection"),
    ("error", "surface"), ("error", "bar"), ("warning", "surface"), ("warning", "bar"), ("surface", "text"),
)  # fmt: skip
EDGES = (("border", "surface"), ("border", "field"), ("accent", "surface"), ("accent", "field"), ("accent", "bar"),
         ("error", "field"), ("on_accent", "accent"))  # fmt: skip


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "paper"), TEXTS)
def test_texts_have_a_contrast_of_4_5(palette: Palette, ink: str, paper: str) -> None:
    assert contrast(getattr(palette, ink), getattr(palette, paper)) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("line", "beside"), EDGES)
def test_borders_and_the_focus_have_a_contrast_of_3(palette: Palette, line: str, beside: str) -> None:
    assert contrast(getattr(palette, line), getattr(palette, beside)) >= 3


def test_contrast_is_the_one_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#ffffff", "#777777") == contrast("#777777", "#ffffff")


@pytest.fixture
def root(display: str) -> Iterator[tk.Tk]:
    made = tk.Tk()
    made.withdraw()
    yield made
    made.destroy()


@pytest.mark.parametrize("theme", [*THEMES, "no such theme"])
@pytest.mark.parametrize("density", DENSITIES)
def test_every_theme_and_density_can_be_applied(root: tk.Tk, theme: str, density: str) -> None:
    ttk.Entry(root).pack()
    look = apply(root, theme, 12, density)
    root.update_idletasks()
    assert tkfont.nametofont("TkDefaultFont", root).cget("size") == 12
    assert look.row_height >= tkfont.nametofont("TkDefaultFont", root).metrics("linespace")
    assert ttk.Style(root).lookup("Treeview", "rowheight") == look.row_height
    assert contrast(look.palette.text, look.palette.surface) >= 4.5


def test_the_default_theme_follows_the_desktop(root: tk.Tk) -> None:
    assert apply(root, "default", 9, "comfortable", desktop_is_dark=True).palette == DARK
    assert apply(root, "default", 9, "comfortable", desktop_is_dark=False).palette == LIGHT
    assert apply(root, "light", 9, "comfortable", desktop_is_dark=True).palette == LIGHT
    assert apply(root, "dark", 9, "comfortable").palette == DARK


def test_spacing_grows_with_the_font_and_the_density(root: tk.Tk) -> None:
    small, large = (apply(root, "light", size, "comfortable") for size in (9, 18))
    assert large.unit > small.unit and large.row_height > small.row_height
    compact, spacious = (apply(root, "light", 12, density).unit for density in ("compact", "spacious"))
    assert compact < spacious
