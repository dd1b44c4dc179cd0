"""Dialogs that change saved records: they ask for values and a reason, and show errors in place."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from tkinter import ttk
from typing import NamedTuple

from .. import fields
from ..widgets import widen_list
from ..widgets.field_input import ERROR_MARK
from ..widgets.table import Table
from .dialogs import TypingDialog, letters_in, line_width
from .plot_panel import LONGEST, USUAL

REASON = "Reason"
Act = Callable[[Mapping[str, object], str, tuple[str, ...]], object]
_PREVIEW_LINES = 8
_PREVIEW_ROOM = 0.25  # the largest part of the screen's height for the preview
_BESIDE = 16  # letters: the longest label, the arrow and the gaps


class Asked(NamedTuple):
    """A field of the dialog: the name of the record's field, its first text, and the current values of its list."""

    name: str
    text: str = ""
    choices: fields.Choices | None = None


class ReasonedDialog(TypingDialog):
    """Asks for fields and for a reason.

    ``act(values, reason, typed)`` is called once each field is valid, with the values by field name, and all texts as
    they were typed. With ``may_be_empty``, an empty field has the value ``None``. ``check(values)`` returns an error if
    valid values contradict each other, else an empty text. ``usual`` are the reasons to choose from. ``typed`` are the
    texts of an earlier attempt.
    """

    def __init__(
        self,
        parent: tk.Misc,
        title: str,
        message: str,
        detail: str,
        action: str,
        act: Act,
        asked: Sequence[Asked] = (),
        usual: Sequence[str] = USUAL,
        may_be_empty: bool = False,
        check: Callable[[Mapping[str, object]], str] = lambda values: "",
        typed: Sequence[str] = (),
    ) -> None:
        self._asked, self._usual, self._check = asked, usual, check
        self._first = (*(each.text for each in asked), "")
        self._begin_with = typed or self._first
        self._may_be_empty = may_be_empty
        self.boxes: dict[str, ttk.Combobox] = {}
        self.notes: dict[str, ttk.Label] = {}
        self._texts: dict[str, str] = {}
        self._act = act
        super().__init__(parent, title, message, detail, ((action, self._confirmed), ("Cancel", None)))

    @property
    def typed(self) -> tuple[str, ...]:
        """The texts of the fields and the reason, as they were typed."""
        return tuple(each.get() for each in self.boxes.values())

    @property
    def has_text(self) -> bool:
        """Whether any text isn't as it was at first."""
        return self.typed != self._first

    @property
    def reason(self) -> str:
        """The reason without extra spaces."""
        return " ".join(self.boxes[REASON].get().split())

    def values(self) -> dict[str, object] | None:
        """Return the typed values; None if one isn't valid, which then shows its error."""
        found: dict[str, object] = {}
        wrong = ""
        for each in self._asked:
            text = self.boxes[each.name].get().strip()
            try:
                found[each.name] = fields.parse(fields.field(each.name), text, each.choices) if text else None
                problem = "" if text or self._may_be_empty else f"{each.name} is required."
            except ValueError as error:
                problem = str(error)
            # All fields are checked, so that all errors are shown at once.
            self._show_beside(each.name, problem)
            wrong = wrong or (each.name if problem else "")
        return None if wrong else found

    def make_body(self, body: ttk.Frame) -> None:
        """Add a line for each field, the reason last."""
        room = tk.Canvas(body)
        grid = ttk.Frame(room)
        grid.columnconfigure(1, weight=1)
        for position, (each, text) in enumerate(zip(self._asked, self._begin_with, strict=False)):
            self._add_line(grid, 2 * position, each.name, text, [str(one) for one in each.choices or ()], 14)
        self._add_line(grid, 2 * len(self._asked), REASON, self._begin_with[-1], self._usual, 40)
        self.add_more(body)
        self.place(room, grid, 16)
        for note in self.notes.values():  # hidden until there is an error, but the dialog has room for all of them
            note.grid_remove()

    def add_more(self, body: ttk.Frame) -> None:
        """For subclasses: add what comes below the fields, in row 3."""

    def first_focus(self) -> tk.Misc:
        """Return the first field."""
        return next(iter(self.boxes.values()))

    def begin_in(self, field: tk.Misc) -> None:
        """Go on behind a reason, which may have been kept half typed; select any other text."""
        if field is self.boxes[REASON]:
            self.boxes[REASON].icursor("end")
        else:
            super().begin_in(field)

    def close(self, action: Callable[[], object] | None = None) -> None:
        """Close the dialog, unless a field isn't valid: then that field gets the focus."""
        if action == self._confirmed:
            values = self.values()
            if values is None:
                self._go_to(next(name for name, note in self.notes.items() if note.cget("text")))
                return
            # Called only once each field is valid by itself.
            problem = self._check(values)
            if problem:
                name = self._asked[0].name
                self._show_beside(name, problem)
                self._go_to(name)
                return
            if not self._reason_is_given():
                self._go_to(REASON)
                return
            super().close(partial(self._act, values, self.reason, self.typed))  # read before the widgets are destroyed
            return
        super().close(action)

    def edited(self) -> None:
        """For subclasses: handle a change of a text."""

    def _reason_is_given(self) -> bool:
        length = len(self.reason)
        problem = "A reason is required." if not length else ""
        if length > LONGEST:
            problem = f"{length} characters; at most {LONGEST} are kept."
        self._show_beside(REASON, problem)
        return not problem

    def _add_line(
        self, grid: ttk.Frame, row: int, name: str, text: str, values: Sequence[str], width: int
    ) -> None:
        ttk.Label(grid, text=name).grid(row=row, column=0, sticky="w", padx=(0, 12), pady=(4, 0))
        width = letters_in(self, width, _BESIDE)
        box = ttk.Combobox(grid, width=width, values=list(values), font="TkTextFont")
        box.configure(postcommand=lambda: widen_list(box))
        box.set(text)
        box.grid(row=row, column=1, sticky="ew" if name == REASON else "w", pady=(4, 0))
        note = ttk.Label(grid, style="Error.TLabel", wraplength=line_width(self) * 2 // 3, justify="left")
        note.grid(row=row + 1, column=1, sticky="w")
        self.boxes[name], self.notes[name], self._texts[name] = box, note, text
        # Enter goes to the next line, as in the form, and confirms only at the reason.
        for key in ("<Return>", "<KP_Enter>"):
            box.bind(key, lambda _event: self._entered(name))
        box.bind("<KeyRelease>", lambda _event: self._text_typed(name))
        box.bind("<<ComboboxSelected>>", lambda _event: self._text_typed(name))

    def _entered(self, name: str) -> str:
        if name == REASON:
            self.buttons[0].invoke()
        else:
            names = list(self.boxes)
            self._go_to(names[names.index(name) + 1])
        return "break"

    def _go_to(self, name: str) -> None:
        self.boxes[name].focus_set()
        self.begin_in(self.boxes[name])

    def _text_typed(self, name: str) -> None:
        text = self.boxes[name].get()
        if text == self._texts.get(name):  # Enter and the arrows change nothing
            return
        self._texts[name] = text
        self._show_beside(name, "")
        self.edited()

    def _show_beside(self, name: str, text: str) -> None:
        note = self.notes[name]
        note.configure(text=f"{ERROR_MARK}{text}" if text else "")
        if text:
            note.grid()
        else:
            note.grid_remove()

    def _confirmed(self) -> None:
        """Identifies the button of the action; :meth:`close` does its work."""


class ManyDialog(ReasonedDialog):
    """Changes many records, with a preview: ``preview(values)`` returns pairs of a record and what it will become."""

    def __init__(
        self,
        parent: tk.Misc,
        title: str,
        message: str,
        detail: str,
        action: str,
        act: Act,
        asked: Sequence[Asked],
        preview: Callable[[Mapping[str, object]], Sequence[tuple[str, str]]],
        typed: Sequence[str] = (),
    ) -> None:
        self._preview = preview
        super().__init__(
            parent, title, message, detail, action, act, asked, may_be_empty=True,
            check=lambda values: "" if any(values.values()) else "Say what is to be corrected.", typed=typed,
        )  # fmt: skip

    def add_more(self, body: ttk.Frame) -> None:
        """Add the preview."""
        fitting = int(self.winfo_screenheight() * _PREVIEW_ROOM) // int(ttk.Style(self).lookup("Treeview", "rowheight"))
        columns = (("Record", 26), ("Becomes", letters_in(self, 44, 26)))
        table = Table(body, columns, height=max(2, min(_PREVIEW_LINES, fitting)))
        table.grid(row=3, column=0, sticky="nsew", pady=(16, 0))
        body.rowconfigure(3, weight=1)
        self.tree = table.tree
        self.edited()

    def edited(self) -> None:
        """Update the preview with what is typed so far."""
        values: dict[str, object] = {}
        for each in self._asked:
            text = self.boxes[each.name].get().strip()
            try:
                values[each.name] = fields.parse(fields.field(each.name), text, each.choices) if text else None
            # An incomplete value changes nothing yet; its error is shown when the dialog is confirmed.
            except ValueError:
                values[each.name] = None
        self.tree.delete(*self.tree.get_children())
        for cells in self._preview(values):
            self.tree.insert("", "end", values=cells)
