"""The dialog for two people who changed one record: it shows both versions, and asks for a choice for each field."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from tkinter import font as tkfont
from tkinter import ttk
from typing import Any, Literal, NamedTuple

from ..widgets.text_lines import OneLine
from .dialogs import Dialog, line_width

Side = Literal["mine", "theirs"]
SIDES: tuple[Side, Side] = ("mine", "theirs")
SIDE_NAMES: dict[Side, str] = {"mine": "Typed here", "theirs": "Saved"}
EMPTY = "(empty)"
_WIDEST, _NARROWEST = 24, 11  # characters in a line of a cell
_AROUND = 20  # characters beside the three cells: the field names and the gaps
_BETWEEN = 6  # characters of the gaps, if only two cells are side by side
_LINES, _LINES_NARROW = 8, 2  # visible lines of a long text
_BESIDE = (0, 16)


class Difference(NamedTuple):
    """One field with different values on both sides. ``was`` is None if there was no record before."""

    name: str
    was: str | None
    mine: str
    theirs: str
    long: bool = False


class ConflictText(NamedTuple):
    """The texts of the dialog: the message, the details, the heading of the other side, and what was merged."""

    message: str
    detail: str
    theirs: str
    merged: str = ""


class ConflictDialog(Dialog):
    """Shows each :class:`Difference` with both sides; nothing is chosen to begin with.

    ``result(choices)`` returns the merged record with these choices, and its errors by field name. ``save(record,
    self)`` is called once everything is chosen and there are no errors. The dialog stays open until the record is saved
    (:meth:`close`), or shows why it wasn't (:meth:`refuse`). ``cancel()`` leaves everything as it was. ``former`` is
    the dialog of an earlier attempt, whose choices are kept where the other side's value is still the same.
    """

    def __init__(
        self,
        parent: tk.Misc,
        words: ConflictText,
        differences: Sequence[Difference],
        result: Callable[[Mapping[str, Side]], tuple[Any, Mapping[str, str]]],
        save: Callable[[Any, ConflictDialog], object],
        cancel: Callable[[], object],
        former: ConflictDialog | None = None,
    ) -> None:
        self.differences = differences
        self.choices: dict[str, Side] = {}
        """The choices made so far, by field name."""
        if former is not None:
            # If the other side has saved again, a choice between mine and its old value is no longer valid.
            before = {each.name: each.theirs for each in former.differences if each.name in former.choices}
            same = [each.name for each in differences if before.get(each.name) == each.theirs]
            self.choices = {name: former.choices[name] for name in same}
        self.cells: dict[tuple[str, Side], ttk.Button] = {}
        """The buttons, by field name and side."""
        self._cell_words: dict[ttk.Button, str] = {}
        self._texts: list[tk.Text] = []
        self._words, self._result, self._save = words, result, save
        self.saving = False
        """Whether it waits for the answer to its save."""
        buttons = (("Save", self._confirmed), ("Cancel", cancel))
        super().__init__(parent, "Two Versions of One Record", words.message, words.detail, buttons)

    def make_body(self, body: ttk.Frame) -> None:
        """Add a line for each field, and below them a line about what is still to be chosen."""
        digit = tkfont.nametofont("TkDefaultFont", self).measure("0")
        letters = (self.winfo_screenwidth() // digit - _AROUND) // 3 - 3
        self._is_narrow = letters < _NARROWEST
        self._first_side = 0 if self._is_narrow else 2
        if self._is_narrow:  # the field and its old value are above the two sides, so that both sides are visible
            letters = (line_width(self) // digit - _BETWEEN) // 2 - 3
        self._letters = max(_NARROWEST, min(_WIDEST, letters))
        self._wrap: dict[str, Any] = {"wraplength": digit * self._letters, "justify": "left"}
        room = tk.Canvas(body)
        grid = ttk.Frame(room)
        self._add_heads(grid)
        for number, each in enumerate(self.differences):
            self._add_field(grid, number, each)
        self.state_label = ttk.Label(body, style="Note.TLabel", wraplength=line_width(self), justify="left")
        self.state_label.grid(row=3, column=0, sticky="w", pady=(12, 0))
        self._show_choices()
        self._scrolled = self.place(room, grid, 16)

    def first_focus(self) -> tk.Misc:
        """Return the first field without a choice; Save if there is none."""
        names = (each.name for each in self.differences if each.name not in self.choices)
        return self.cells.get((next(names, ""), "mine"), self.buttons[0])

    def choose(self, name: str, side: Side) -> None:
        """Choose a side for a field, as a key or a click does."""
        self.choices[name] = side
        self._show_choices()

    def take_all(self, side: Side) -> None:
        """Choose the same side for every field."""
        self.choices = dict.fromkeys([each.name for each in self.differences], side)
        self._show_choices()
        self.buttons[0].focus_set()

    def close(self, action: Callable[[], object] | None = None) -> None:
        """Save, if everything is chosen and the record has no errors; otherwise the dialog stays open."""
        if action != self._confirmed:
            super().close(action)
        elif len(self.choices) < len(self.differences):
            self._show_choices(asked=True)
            self.first_focus().focus_set()
        elif not self.saving:
            record, wrong = self._result(self.choices)
            if wrong:
                name = next((name for name in self.choices if name in wrong), self.differences[0].name)
                self.cells[name, self.choices[name]].focus_set()
                return
            self.saving = True
            for button in self.buttons:
                button.state(["disabled"])
            self.state_label.configure(text="Saving…", style="Note.TLabel")
            self.as_command(partial(self._save, record, self))()

    def refuse(self, reason: str, is_unknown: bool = False) -> None:
        """Show the reason why the record wasn't saved, or why that isn't known; the choices stay."""
        self.saving = False
        for button in self.buttons:
            button.state(["!disabled"])
        self._show_choices(refused=f"{'Not known yet whether it is saved' if is_unknown else 'Not saved'}: {reason}")
        self.buttons[0].focus_set()

    def _confirmed(self) -> None:
        """Identifies the button Save; :meth:`close` does its work."""

    def _add_heads(self, grid: ttk.Frame) -> None:
        had_values = any(each.was is not None for each in self.differences)
        heads = ("Field", "It was" if had_values else "", SIDE_NAMES["mine"], self._words.theirs)
        for column, text in enumerate(heads[2 - self._first_side :]):
            label = ttk.Label(grid, text=text, style="Section.TLabel", **self._wrap)
            label.grid(row=0, column=column, sticky="sw", padx=_BESIDE, pady=(0, 4))
        texts = ("Take all typed here", "Take all saved")
        for column, (side, text) in enumerate(zip(SIDES, texts, strict=True), start=self._first_side):
            button = ttk.Button(grid, text=text, command=partial(self.take_all, side))
            button.grid(row=1, column=column, sticky="w", padx=_BESIDE, pady=(0, 8))
            button.bind("<Down>", lambda _event: self._go_to(0, "mine"))

    def _add_field(self, grid: ttk.Frame, number: int, each: Difference) -> None:
        """Add the old value and a button for each side; long texts are below the buttons."""
        row = 2 + 3 * number
        old = self._add_words(grid, row, each)
        for column, (side, value) in enumerate(zip(SIDES, (each.mine, each.theirs), strict=True), self._first_side):
            button = ttk.Button(grid, style="Choice.TButton", width=self._letters)
            button.configure(command=partial(self.choose, each.name, side))
            button.grid(row=row + 1, column=column, sticky="new", padx=_BESIDE, pady=(0, 4))
            button.bind("<Key>", partial(self._key, number, side))
            self.cells[each.name, side] = button
            self._cell_words[button] = SIDE_NAMES[side] if each.long else value or EMPTY
            if each.long:
                text = self._add_text(grid, value or EMPTY)
                text.grid(row=row + 2, column=column, sticky="new", padx=_BESIDE, pady=(0, 4))
                button.bind("<FocusIn>", partial(self._show_with_text, (*old, text)), add=True)

    def _add_words(self, grid: ttk.Frame, row: int, each: Difference) -> tuple[tk.Text, ...]:
        """Add the field's name and its old value: in two columns, or in a line above if the screen is narrow. Return
        the long text that takes the place of an old value, if there is one."""
        if self._is_narrow:
            return self._add_words_above(grid, row, each)
        ttk.Label(grid, text=each.name).grid(row=row + 1, column=0, sticky="nw", padx=_BESIDE, pady=(6, 4))
        if each.was is not None and each.long and len(each.was) > self._letters:
            self._add_text(grid, each.was).grid(row=row + 1, column=1, rowspan=2, sticky="nw", padx=_BESIDE, pady=4)
        elif each.was is not None:
            label = ttk.Label(grid, text=each.was or EMPTY, style="Unit.TLabel", **self._wrap)
            label.grid(row=row + 1, column=1, rowspan=2, sticky="nw", padx=_BESIDE, pady=(6, 4))
        return ()

    def _add_words_above(self, grid: ttk.Frame, row: int, each: Difference) -> tuple[tk.Text, ...]:
        words = each.name if each.was is None else f"{each.name}, it was {' '.join(each.was.split()) or EMPTY}"
        place: dict[str, Any] = {"row": row, "columnspan": 2, "sticky": "ew", "padx": _BESIDE, "pady": (6, 4)}
        if each.long and len(words) > 2 * self._letters:  # a line would be cut, the rest only in the tooltip
            old = self._add_text(grid, f"{each.name}, it was: {each.was}", 2)
            old.grid(**place)
            return (old,)
        line = OneLine(grid, "TLabel")
        line.show(words)
        line.grid(**place)
        return ()

    def _show_with_text(self, texts: Sequence[tk.Text], event: tk.Event) -> None:
        """Scroll to the long texts too when their button gets the focus, because they never get it."""
        if self._scrolled is not None:
            for each in (*texts, event.widget):
                self._scrolled.show_part(each)

    def _add_text(self, grid: ttk.Frame, text: str, columns: int = 1) -> tk.Text:
        lines = sum(1 + len(line) // (columns * self._letters) for line in text.splitlines()) or 1
        style = ttk.Style(grid)
        height = min(_LINES_NARROW if self._is_narrow else _LINES, lines)
        made = tk.Text(grid, width=self._letters + 2, height=height, wrap="word", relief="flat")
        made.configure(font="TkDefaultFont", borderwidth=0, highlightthickness=0, takefocus=0, padx=4)
        made.configure(background=style.lookup("Bar.TFrame", "background") or style.lookup("TFrame", "background"))
        made.configure(foreground=style.lookup("TLabel", "foreground"))
        made.insert("1.0", text)
        made.configure(state="disabled")
        self._texts.append(made)
        return made

    def _show_choices(self, asked: bool = False, refused: str = "") -> None:
        """Update the dots of all buttons, and the line about what is still to be chosen."""
        for (name, side), button in self.cells.items():
            is_chosen = self.choices.get(name) == side
            button.configure(text=f"{'●' if is_chosen else '○'}  {self._cell_words[button]}")
            button.state(["selected" if is_chosen else "!selected"])
        missing = len(self.differences) - len(self.choices)
        # A record can be checked only once everything is chosen.
        wrong = self._result(self.choices)[1] if not missing else {}
        text, style = "", "Note.TLabel"
        if refused:
            text, style = f"✗ {refused}", "Error.TLabel"
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

    def _key(self, number: int, side: Side, event: tk.Event) -> str | None:
        """Handle a key at the button of a side of a field: Left and Right choose, Enter goes to the next open field."""
        name = self.differences[number].name
        match event.keysym:
            case "Left" | "Right":
                side = "mine" if event.keysym == "Left" else "theirs"
                self.choose(name, side)
                self.cells[name, side].focus_set()
            case "Up" | "Down":
                self._go_to(max(0, number - 1) if event.keysym == "Up" else number + 1, side)
            case "Prior" | "Next":
                for each in self._texts:
                    each.yview_scroll(1 if event.keysym == "Next" else -1, "pages")
            case "Return" | "KP_Enter" if name not in self.choices:
                self._show_choices(asked=True)
            case "Return" | "KP_Enter":
                count = len(self.differences)
                later = (*range(number + 1, count), *range(number))
                self._go_to(
                    next((at for at in later if self.differences[at].name not in self.choices), count),
                    self.choices[name],
                )
            case _:
                return None
        return "break"

    def _go_to(self, number: int, side: Side) -> str:
        """Put the focus on that side of the field with that number; after the last field, on Save."""
        if number < len(self.differences):
            self.cells[self.differences[number].name, side].focus_set()
        else:
            self.buttons[0].focus_set()
        return "break"
