"""Two people changed one record: both sides, field by field, and one choice for each."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from tkinter import ttk
from typing import NamedTuple

from .conflict_row import SIDES, ConflictRow, Difference, Side, cell_width
from .dialogs import Dialog


class ConflictText(NamedTuple):
    """The words of the dialog: what happened, who and when it was, and what comes together by itself."""

    message: str
    detail: str
    theirs: str
    merged: str = ""


class ConflictDialog(Dialog):
    """Shows each :class:`Difference` with both sides; nothing is chosen to begin with.

    ``check(choices)`` tells what is wrong with the record that these choices give, a sentence a field;
    ``save(choices)`` is called once all are made and nothing is wrong; ``cancel()`` leaves all as it was.
    """

    def __init__(
        self,
        parent: tk.Misc,
        words: ConflictText,
        differences: Sequence[Difference],
        check: Callable[[Mapping[str, Side]], Mapping[str, str]],
        save: Callable[[Mapping[str, Side]], object],
        cancel: Callable[[], object],
    ) -> None:
        self._words, self._differences, self._check = words, differences, check
        self._rows: list[ConflictRow] = []
        self._save = lambda: save(self.choices)
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
        return {row.name: row.side for row in self._rows if row.side is not None}

    def make_body(self, body: ttk.Frame) -> None:
        """The fields, one a line, and below them what is still to do."""
        self._room = self.add_room(body, 16)
        body.rowconfigure(2, weight=1)
        grid = ttk.Frame(self._room.inside)
        self._add_heads(grid)
        for number, each in enumerate(self._differences):
            row = ConflictRow(grid, each, 2 + number, self._chosen, self._move, self._entered)
            self._rows.append(row)
        self._room.hold(grid)
        self._state = ttk.Label(body, style="Note.TLabel", wraplength=560, justify="left")
        self._state.grid(row=3, column=0, sticky="w", pady=(12, 0))
        self.limit(self._room, grid)
        self._show_state()

    def first_focus(self) -> tk.Misc:
        """The first field without a choice; once all are made, Save."""
        open_row = next((row for row in self._rows if row.side is None), None)
        return self._buttons[0] if open_row is None else open_row.buttons["mine"]

    def choose(self, name: str, side: Side) -> None:
        """Choose a side for a field, as a key or a click does."""
        next(row for row in self._rows if row.name == name).choose(side)

    def take_all(self, side: Side) -> None:
        """Choose the same side for every field."""
        for row in self._rows:
            row.choose(side)
        self._buttons[0].focus_set()

    def close(self, action: Callable[[], object] | None = None) -> None:
        """Save needs a choice for each field that makes a record without errors; else the dialog stays."""
        if action is self._save:
            if len(self.choices) < len(self._rows):
                self._show_state(asked=True)
                self.first_focus().focus_set()
                return
            wrong = self._wrong()
            if wrong:
                row = next((row for row in self._rows if row.name in wrong), self._rows[0])
                row.buttons[row.side or "mine"].focus_set()
                return
        super().close(action)

    def _add_heads(self, grid: ttk.Frame) -> None:
        heads = ["Field", "It was", "Yours", self._words.theirs]
        for column, text in enumerate(heads):
            shown = text if column != 1 or self._with_former else ""
            label = ttk.Label(grid, text=shown, style="Section.TLabel", wraplength=cell_width(self), justify="left")
            label.grid(row=0, column=column, sticky="sw", padx=(0, 16), pady=(0, 4))
        for column, (side, text) in enumerate(zip(SIDES, ("Take all mine", "Take all theirs"), strict=True), start=2):
            button = ttk.Button(grid, text=text, command=lambda side=side: self.take_all(side))  # type: ignore[misc]
            button.grid(row=1, column=column, sticky="w", padx=(0, 16), pady=(0, 8))
            button.bind("<Return>", lambda event: event.widget.invoke())
            button.bind("<Down>", lambda _event: self._move(None, 1, "mine"))

    @property
    def _with_former(self) -> bool:
        return any(each.was is not None for each in self._differences)

    def _wrong(self) -> Mapping[str, str]:
        return self._check(self.choices)

    def _chosen(self) -> None:
        self._show_state()

    def _show_state(self, asked: bool = False) -> None:
        missing = len(self._rows) - len(self.choices)
        wrong = self._wrong() if not missing else {}
        text, style = "", "Note.TLabel"
        if wrong:
            text, style = "\n".join(f"✗ {sentence}" for sentence in wrong.values()), "Error.TLabel"
        elif missing:
            text = f"{missing} {'choice' if missing == 1 else 'choices'} to make: arrows and Space, Enter goes on."
            if asked:
                text, style = f"✗ Choose for each field first. {text}", "Error.TLabel"
        else:
            text = "✓ The record can be saved like this."
        if self._words.merged and style == "Note.TLabel":
            text = f"{text}\n{self._words.merged}"
        self._state.configure(text=text, style=style)

    def _move(self, row: ConflictRow | None, steps: int, side: Side) -> str:
        index = -1 if row is None else self._rows.index(row)
        following = index + steps
        if 0 <= following < len(self._rows):
            self._rows[following].buttons[side].focus_set()
        elif following >= len(self._rows):
            self._buttons[0].focus_set()
        return "break"

    def _entered(self, row: ConflictRow) -> str:
        if row.side is None:
            self._show_state(asked=True)
        else:
            later = self._rows[self._rows.index(row) + 1 :] + self._rows
            following = next((each for each in later if each.side is None), None)
            if following is None:
                self._buttons[0].focus_set()
            else:
                following.buttons[row.side].focus_set()
        return "break"
