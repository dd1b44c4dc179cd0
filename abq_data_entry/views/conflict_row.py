"""One field of a conflict: what it was, and both sides as buttons, of which one is chosen."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import font as tkfont
from tkinter import ttk
from typing import Literal, NamedTuple

Side = Literal["mine", "theirs"]
SIDES: tuple[Side, Side] = ("mine", "theirs")
SIDE_NAMES: dict[Side, str] = {"mine": "Typed here", "theirs": "Saved"}
EMPTY = "(empty)"
_WIDEST, _NARROWEST = 24, 11  # characters in a line of a cell
_AROUND = 20  # characters beside the three cells: the names of fields, and what is between
_LINES = 8  # of a long text that are visible at once


class Difference(NamedTuple):
    """One field that both sides want differently. ``was`` is None where there was no record before."""

    name: str
    was: str | None
    mine: str
    theirs: str
    long: bool = False

    def text(self, side: Side) -> str:
        """What the field says on that side."""
        return (self.mine if side == "mine" else self.theirs) or EMPTY


class ConflictRow:
    """One field: what it was, and a button a side."""

    def __init__(
        self,
        grid: ttk.Frame,
        difference: Difference,
        row: int,
        chosen: Callable[[], object],
        move: Callable[[ConflictRow, int, Side], str],
        entered: Callable[[ConflictRow], str],
    ) -> None:
        self.name = difference.name
        self.side: Side | None = None
        self.buttons: dict[Side, ttk.Button] = {}
        self._difference, self._report = difference, chosen
        self._characters = cell_characters(grid)
        self._texts: list[tk.Text] = []
        ttk.Label(grid, text=difference.name).grid(row=row, column=0, sticky="nw", padx=(0, 16), pady=(6, 4))
        if difference.was is not None:
            self._add_former(grid, row, difference.was or EMPTY)
        for column, side in enumerate(SIDES, start=2):
            cell = ttk.Frame(grid)
            cell.grid(row=row, column=column, sticky="nwe", padx=(0, 16), pady=(0, 4))
            cell.columnconfigure(0, weight=1)
            self._add_button(cell, side, move, entered)
        self._show()

    def choose(self, side: Side) -> None:
        """This side is to be kept."""
        self.side = side
        self._show()
        self._report()

    def _add_former(self, grid: ttk.Frame, row: int, text: str) -> None:
        if self._difference.long and len(text) > self._characters:
            self._add_text(grid, text).grid(row=row, column=1, sticky="nw", padx=(0, 16), pady=(4, 4))
            return
        label = ttk.Label(grid, text=text, style="Unit.TLabel", wraplength=cell_width(grid), justify="left")
        label.grid(row=row, column=1, sticky="nw", padx=(0, 16), pady=(6, 4))

    def _add_button(
        self,
        cell: ttk.Frame,
        side: Side,
        move: Callable[[ConflictRow, int, Side], str],
        entered: Callable[[ConflictRow], str],
    ) -> None:
        button = ttk.Button(cell, style="Choice.TButton", width=self._characters, command=lambda: self.choose(side))
        button.grid(row=0, column=0, sticky="ew")
        if self._difference.long:
            self._add_text(cell, self._difference.text(side)).grid(row=1, column=0, sticky="ew", pady=(2, 0))
        keys: dict[str, Callable[[], str]] = {
            "<Up>": lambda: move(self, -1, side),
            "<Down>": lambda: move(self, 1, side),
            "<Left>": lambda: self._take("mine"),
            "<Right>": lambda: self._take("theirs"),
            "<Return>": lambda: entered(self),
            "<KP_Enter>": lambda: entered(self),
            "<Prior>": lambda: self._scroll(-1),
            "<Next>": lambda: self._scroll(1),
        }
        for key, action in keys.items():
            button.bind(key, lambda _event, action=action: action())  # type: ignore[misc]
        self.buttons[side] = button

    def _add_text(self, parent: ttk.Frame, text: str) -> tk.Text:
        lines = sum(1 + len(line) // self._characters for line in text.splitlines()) or 1
        style = ttk.Style(parent)
        made = tk.Text(parent, width=self._characters + 2, height=min(_LINES, lines), wrap="word", relief="flat")
        made.configure(font="TkDefaultFont", borderwidth=0, highlightthickness=0, takefocus=0, padx=4)
        made.configure(background=style.lookup("Bar.TFrame", "background") or style.lookup("TFrame", "background"))
        made.configure(foreground=style.lookup("TLabel", "foreground"))
        made.insert("1.0", text)
        made.configure(state="disabled")
        self._texts.append(made)
        return made

    def _take(self, side: Side) -> str:
        self.choose(side)
        self.buttons[side].focus_set()
        return "break"

    def _scroll(self, pages: int) -> str:
        for each in self._texts:
            each.yview_scroll(pages, "pages")
        return "break"

    def _show(self) -> None:
        for side, button in self.buttons.items():
            chosen = side == self.side
            words = SIDE_NAMES[side]
            text = words if self._difference.long else self._difference.text(side)
            button.configure(text=f"{'●' if chosen else '○'}  {text}")
            button.state(["selected" if chosen else "!selected"])


def cell_characters(widget: tk.Misc) -> int:
    """How many characters a line of each side has, by the present font and the screen."""
    digit = tkfont.nametofont("TkDefaultFont", widget).measure("0")
    return max(_NARROWEST, min(_WIDEST, (widget.winfo_screenwidth() // digit - _AROUND) // 3 - 3))


def cell_width(widget: tk.Misc) -> int:
    """The width of a side in pixels."""
    return tkfont.nametofont("TkDefaultFont", widget).measure("0") * cell_characters(widget)
