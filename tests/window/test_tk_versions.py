"""What Tk 8.6 and Tk 9 would draw differently by themselves looks the same in the window: pixel by pixel."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Iterator
from tkinter import ttk
from typing import Literal

import pytest

from abq_data_entry import themes
from abq_data_entry.views.check_panel import PlotStrip
from tests.window.pixels import colour_at, colours, picture


@pytest.fixture
def root(display: str) -> Iterator[tk.Tk]:
    made = tk.Tk()
    made.geometry("400x300+20+20")
    yield made
    made.destroy()


def test_the_sign_of_the_plot_that_is_being_entered_has_one_colour(root: tk.Tk) -> None:
    look = themes.apply(root, "light", 9, "comfortable")
    strip = PlotStrip(root, lambda plot: None)
    strip.pack(fill="x")
    strip.show_look(look)
    strip.show((1, 2, 3), {}, 2)
    shown = picture(strip)
    places = ((x, y) for x in range(shown.width) for y in range(shown.height))
    of_accent = [each for each in places if colour_at(shown, *each) == look.palette.accent]
    left, right = min(x for x, _ in of_accent), max(x for x, _ in of_accent)
    top, bottom = min(y for _, y in of_accent), max(y for _, y in of_accent)
    around = shown.crop((left - 2, top - 2, right + 3, bottom + 2))
    assert colours(around) == {look.palette.accent, look.palette.surface}


@pytest.mark.parametrize("theme", ["light", "dark", "platform"])
def test_the_texts_of_neighbouring_cells_stay_apart(root: tk.Tk, theme: str) -> None:
    """A number stands at the right of its column, a word at the left of the next one."""
    themes.apply(root, theme, 9, "comfortable")
    tree = ttk.Treeview(root, columns=("number", "word"), show="headings")
    tree.column("number", width=100, anchor="e")
    tree.column("word", width=100, anchor="w")
    row = tree.insert("", "end", values=("111", "HHH"))
    tree.pack()
    root.update()
    x, y, width, height = (int(each) for each in tree.bbox(row, "number"))
    shown = picture(tree).crop((x, y, x + 2 * width, y + height))
    ground = shown.getpixel((width // 2, height // 2))
    inked = [x for x in range(shown.width) if any(shown.getpixel((x, y)) != ground for y in range(height))]
    before = max(x for x in inked if x < width)
    behind = min(x for x in inked if x >= width)
    assert width - before >= 4
    assert behind - width >= 4


@pytest.mark.parametrize("orient", ["vertical", "horizontal"])
def test_the_thumb_of_a_scrollbar_is_plain(root: tk.Tk, orient: Literal["vertical", "horizontal"]) -> None:
    look = themes.apply(root, "light", 9, "comfortable")
    bar = ttk.Scrollbar(root, orient=orient)
    bar.pack(side="left", fill="both", expand=True)
    bar.set(0.25, 0.75)
    shown = picture(bar)
    narrow = (shown.width // 2 - 2, shown.width // 2 + 2, shown.height // 2 - 40, shown.height // 2 + 40)
    left, right, top, bottom = narrow if orient == "vertical" else (*_wide(shown.width), *_thin(shown.height))
    assert colours(shown.crop((left, top, right, bottom))) == {look.palette.border}


def _wide(length: int) -> tuple[int, int]:
    return length // 2 - 40, length // 2 + 40


def _thin(length: int) -> tuple[int, int]:
    return length // 2 - 2, length // 2 + 2


def test_the_line_between_form_and_list_is_plain(root: tk.Tk) -> None:
    themes.apply(root, "light", 9, "comfortable")
    pane = ttk.PanedWindow(root, orient="vertical")
    pane.pack(fill="both", expand=True)
    for _ in range(2):
        pane.add(ttk.Frame(pane, height=100, width=300), weight=1)
    root.update()
    place = pane.sashpos(0)
    shown = picture(pane)
    assert len(colours(shown.crop((10, place + 2, shown.width - 10, place + 3)))) == 1
