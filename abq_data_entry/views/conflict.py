"""Two people changed one record: both sides, field by field, and one choice for each."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from tkinter import font as tkfont
from tkinter import ttk
from typing import Literal, NamedTuple

from .dialogs import Dialog

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
        side: Side | None = None,
    ) -> None:
        self.name = difference.name
        self.side = side
        self.buttons: dict[Side, ttk.Button] = {}
        self.difference, self._report = difference, chosen
        self._characters = cell_characters(grid)
        self._texts: list[tk.Text] = []
        ttk.Label(grid, text=difference.name).grid(row=row, column=0, sticky="nw", padx=(0, 16), pady=(6, 4))
        if difference.was is not None:
            self._add_former(grid, row, difference.was or EMPTY)
        for column, each in enumerate(SIDES, start=2):
            cell = ttk.Frame(grid)
            cell.grid(row=row, column=column, sticky="nwe", padx=(0, 16), pady=(0, 4))
            cell.columnconfigure(0, weight=1)
            self._add_button(cell, each, move, entered)
        self._show()

    def choose(self, side: Side) -> None:
        """This side is to be kept."""
        self.side = side
        self._show()
        self._report()

    def _add_former(self, grid: ttk.Frame, row: int, text: str) -> None:
        if self.difference.long and len(text) > self._characters:
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
        if self.difference.long:
            self._add_text(cell, self.difference.text(side)).grid(row=1, column=0, sticky="ew", pady=(2, 0))
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
            text = words if self.difference.long else self.difference.text(side)
            button.configure(text=f"{'●' if chosen else '○'}  {text}")
            button.state(["selected" if chosen else "!selected"])


def cell_characters(widget: tk.Misc) -> int:
    """How many characters a line of each side has, by the present font and the screen."""
    digit = tkfont.nametofont("TkDefaultFont", widget).measure("0")
    return max(_NARROWEST, min(_WIDEST, (widget.winfo_screenwidth() // digit - _AROUND) // 3 - 3))


def cell_width(widget: tk.Misc) -> int:
    """The width of a side in pixels."""
    return tkfont.nametofont("TkDefaultFont", widget).measure("0") * cell_characters(widget)


class ConflictText(NamedTuple):
    """The words of the dialog: what happened, who and when it was, and what comes together by itself."""

    message: str
    detail: str
    theirs: str
    merged: str = ""


class ConflictDialog(Dialog):
    """Shows each :class:`Difference` with both sides; nothing is chosen to begin with.

    ``check(choices)`` tells what is wrong with the record that these choices give, a sentence a field;
    ``save(self, choices)`` is called once all are made and nothing is wrong. The dialog stays open until the record is
    saved (:meth:`close`), or says why it isn't (:meth:`refuse`). ``cancel()`` leaves all as it was. ``chosen`` is what
    was chosen in an earlier dialog: side and text of the saved value, by field name; what still fits stays chosen.
    """

    def __init__(
        self,
        parent: tk.Misc,
        words: ConflictText,
        differences: Sequence[Difference],
        check: Callable[[Mapping[str, Side]], Mapping[str, str]],
        save: Callable[[ConflictDialog, Mapping[str, Side]], object],
        cancel: Callable[[], object],
        chosen: Mapping[str, tuple[Side, str]] | None = None,
    ) -> None:
        self._words, self._differences, self._check = words, differences, check
        self.rows: list[ConflictRow] = []
        self._save = lambda: save(self, self.choices)
        self._former = chosen or {}
        self._saving = False
        super().__init__(
            parent,
            "Two Versions of One Record",
            words.message,
            words.detail,
            (("Save", self._save), ("Cancel", cancel)),
        )

    @property
    def choices(self) -> dict[str, Side]:
        """What is chosen by now, by field name."""
        return {row.name: row.side for row in self.rows if row.side is not None}

    @property
    def chosen(self) -> dict[str, tuple[Side, str]]:
        """What is chosen by now, for a later dialog."""
        return {
            row.name: (row.side, each.theirs)
            for row, each in zip(self.rows, self._differences, strict=True)
            if row.side is not None
        }

    def refuse(self, reason: str) -> None:
        """The record wasn't saved, and ``reason`` says why: all that was chosen stays."""
        self._saving = False
        for button in self.buttons:
            button.state(["!disabled"])
        self._show_state(refused=reason)
        self.buttons[0].focus_set()

    def make_body(self, body: ttk.Frame) -> None:
        """The fields, one a line, and below them what is still to do."""
        self._room = self.add_room(body, 16)
        body.rowconfigure(2, weight=1)
        grid = ttk.Frame(self._room.inside)
        self._add_heads(grid)
        for number, each in enumerate(self._differences):
            side, text = self._former.get(each.name, (None, ""))
            # They saved once more meanwhile: a choice against another value is no choice.
            side = side if text == each.theirs else None
            row = ConflictRow(grid, each, 2 + number, self._show_state, self._move, self._entered, side)
            self.rows.append(row)
        self._room.hold(grid)
        self.state_label = ttk.Label(body, style="Note.TLabel", wraplength=560, justify="left")
        self.state_label.grid(row=3, column=0, sticky="w", pady=(12, 0))
        self.limit(self._room, grid)
        self._show_state()

    def first_focus(self) -> tk.Misc:
        """The first field without a choice; once all are made, Save."""
        open_row = next((row for row in self.rows if row.side is None), None)
        return self.buttons[0] if open_row is None else open_row.buttons["mine"]

    def choose(self, name: str, side: Side) -> None:
        """Choose a side for a field, as a key or a click does."""
        next(row for row in self.rows if row.name == name).choose(side)

    def take_all(self, side: Side) -> None:
        """Choose the same side for every field."""
        for row in self.rows:
            row.choose(side)
        self.buttons[0].focus_set()

    def close(self, action: Callable[[], object] | None = None) -> None:
        """Save needs a choice for each field that makes a record without errors; else the dialog stays."""
        if action is not self._save:
            super().close(action)
        elif len(self.choices) < len(self.rows):
            self._show_state(asked=True)
            self.first_focus().focus_set()
        elif wrong := self._check(self.choices):
            row = next((row for row in self.rows if row.name in wrong), self.rows[0])
            row.buttons[row.side or "mine"].focus_set()
        elif not self._saving:
            self._saving = True
            for button in self.buttons:
                button.state(["disabled"])
            self.state_label.configure(text="Saving…", style="Note.TLabel")
            self.as_command(self._save)()

    def _add_heads(self, grid: ttk.Frame) -> None:
        had_values = any(each.was is not None for each in self._differences)
        heads = ["Field", "It was" if had_values else "", SIDE_NAMES["mine"], self._words.theirs]
        for column, text in enumerate(heads):
            label = ttk.Label(grid, text=text, style="Section.TLabel", wraplength=cell_width(self), justify="left")
            label.grid(row=0, column=column, sticky="sw", padx=(0, 16), pady=(0, 4))
        texts = ("Take all typed here", "Take all saved")
        for column, (side, text) in enumerate(zip(SIDES, texts, strict=True), start=2):
            button = ttk.Button(grid, text=text, command=lambda side=side: self.take_all(side))  # type: ignore[misc]
            button.grid(row=1, column=column, sticky="w", padx=(0, 16), pady=(0, 8))
            button.bind("<Return>", lambda event: event.widget.invoke())
            button.bind("<Down>", lambda _event: self._move(None, 1, "mine"))

    def _show_state(self, asked: bool = False, refused: str = "") -> None:
        missing = len(self.rows) - len(self.choices)
        # Half of the choices makes no record that could be checked.
        wrong = self._check(self.choices) if not missing else {}
        text, style = "", "Note.TLabel"
        if refused:
            text, style = f"✗ Not saved: {refused}", "Error.TLabel"
        elif wrong:
            text, style = "\n".join(f"✗ {sentence}" for sentence in wrong.values()), "Error.TLabel"
        elif missing:
            text = f"{missing} {'choice' if missing == 1 else 'choices'} to make: arrows and Space, Enter goes on."
            if asked:
                text, style = f"✗ Choose for each field first. {text}", "Error.TLabel"
        else:
            text = "✓ The record can be saved like this."
        if self._words.merged and style == "Note.TLabel":
            text = f"{text}\n{self._words.merged}"
        self.state_label.configure(text=text, style=style)

    def _move(self, row: ConflictRow | None, steps: int, side: Side) -> str:
        index = -1 if row is None else self.rows.index(row)
        following = index + steps
        if 0 <= following < len(self.rows):
            self.rows[following].buttons[side].focus_set()
        elif following >= len(self.rows):
            self.buttons[0].focus_set()
        return "break"

    def _entered(self, row: ConflictRow) -> str:
        if row.side is None:
            self._show_state(asked=True)
        else:
            later = self.rows[self.rows.index(row) + 1 :] + self.rows
            following = next((each for each in later if each.side is None), None)
            if following is None:
                self.buttons[0].focus_set()
            else:
                following.buttons[row.side].focus_set()
        return "break"
