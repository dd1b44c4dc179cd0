"""Two people changed one record: both sides, field by field, and one choice for each."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from tkinter import ttk
from typing import NamedTuple

from .conflict_row import SIDE_NAMES, SIDES, ConflictRow, Difference, Side, cell_width
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
        self._rows: list[ConflictRow] = []
        self._save = lambda: save(self, self.choices)
        self._former = chosen or {}
        self._refused = ""
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
        return {row.name: row.side for row in self._rows if row.side is not None}

    @property
    def chosen(self) -> dict[str, tuple[Side, str]]:
        """What is chosen by now, for a later dialog."""
        return {
            row.name: (row.side, each.theirs)
            for row, each in zip(self._rows, self._differences, strict=True)
            if row.side is not None
        }

    def refuse(self, reason: str) -> None:
        """The record wasn't saved, and ``reason`` says why: all that was chosen stays."""
        self._saving, self._refused = False, reason
        for button in self._buttons:
            button.state(["!disabled"])
        self._show_state()
        self._buttons[0].focus_set()

    def make_body(self, body: ttk.Frame) -> None:
        """The fields, one a line, and below them what is still to do."""
        self._room = self.add_room(body, 16)
        body.rowconfigure(2, weight=1)
        grid = ttk.Frame(self._room.inside)
        self._add_heads(grid)
        for number, each in enumerate(self._differences):
            row = ConflictRow(grid, each, 2 + number, self._chosen, self._move, self._entered)
            self._rows.append(row)
            side, text = self._former.get(each.name, (None, ""))
            if side is not None and text == each.theirs:
                row.choose(side)
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
            self._begin_saving()
            return
        super().close(action)

    def _begin_saving(self) -> None:
        if self._saving:
            return
        self._saving = True
        for button in self._buttons:
            button.state(["disabled"])
        self._state.configure(text="Saving…", style="Note.TLabel")
        self.as_command(self._save)()

    def _add_heads(self, grid: ttk.Frame) -> None:
        heads = ["Field", "It was", SIDE_NAMES["mine"], self._words.theirs]
        for column, text in enumerate(heads):
            shown = text if column != 1 or self._with_former else ""
            label = ttk.Label(grid, text=shown, style="Section.TLabel", wraplength=cell_width(self), justify="left")
            label.grid(row=0, column=column, sticky="sw", padx=(0, 16), pady=(0, 4))
        texts = ("Take all typed here", "Take all saved")
        for column, (side, text) in enumerate(zip(SIDES, texts, strict=True), start=2):
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
        self._refused = ""
        if hasattr(self, "_state"):  # what was chosen before is taken over while the rows are made
            self._show_state()

    def _show_state(self, asked: bool = False) -> None:
        missing = len(self._rows) - len(self.choices)
        wrong = self._wrong() if not missing else {}
        text, style = "", "Note.TLabel"
        if self._refused:
            text, style = f"✗ Not saved: {self._refused}", "Error.TLabel"
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
