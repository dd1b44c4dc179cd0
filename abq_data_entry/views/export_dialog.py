"""The dialog of File ‣ Export…: which view, which days, which lab, and in which format."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from tkinter import ttk
from tkinter.font import nametofont
from typing import NamedTuple

from ..fields.dates import read_date
from ..widgets import widen_list
from ..widgets.field_input import ERROR_MARK
from .dialogs import Dialog, line_width

ALL_LABS = "all"
_FROM, _TO = "From", "To"
_BESIDE = 12  # letters for the label and the arrow of a list
_SHORT = 24  # letters; a list with longer entries takes the free width


class ChosenExport(NamedTuple):
    """What to export, as chosen in the dialog. ``lab`` is '' for all labs; ``form`` is the key of a format."""

    view: str
    first: datetime.date | None
    last: datetime.date | None
    lab: str
    form: str


class ExportDialog(Dialog):
    """Asks what to export; ``choose(chosen)`` is called once the days are valid.

    ``forms`` has the formats, each with its description.
    """

    def __init__(
        self,
        parent: tk.Misc,
        views: Sequence[str],
        labs: Sequence[str],
        forms: Mapping[str, str],
        today: datetime.date,
        choose: Callable[[ChosenExport], object],
    ) -> None:
        self._views, self._labs, self._forms, self._today = views, labs, forms, today
        self._choose = choose
        self.boxes: dict[str, ttk.Combobox | ttk.Entry] = {}
        self.notes: dict[str, ttk.Label] = {}
        detail = "An empty day sets no limit. docs/qa.md says what each view holds."
        buttons = (("Choose Place…", self._confirmed), ("Cancel", None))
        super().__init__(parent, "Export", "Export records, or what is computed from them", detail, buttons)

    def make_body(self, body: ttk.Frame) -> None:
        """Add a line for each choice, and below each day a line for its error."""
        grid = ttk.Frame(body)
        grid.grid(row=2, column=0, sticky="ew", pady=(16, 0))
        grid.columnconfigure(1, weight=1)
        self._add_list(grid, 0, "View", self._views, 24)
        self._add_day(grid, 1, _FROM)
        self._add_day(grid, 3, _TO)
        self._add_list(grid, 5, "Lab", [ALL_LABS, *self._labs], 6)
        self._add_list(grid, 6, "Format", list(self._forms.values()), 36)

    def first_focus(self) -> tk.Misc:
        """Return the list of views."""
        return self.boxes["View"]

    def close(self, action: Callable[[], object] | None = None) -> None:
        """Close the dialog, unless a day isn't valid: then its entry gets the focus."""
        if action != self._confirmed:
            super().close(action)
            return
        days = {name: self._day(name) for name in (_FROM, _TO)}
        first, last = days[_FROM], days[_TO]
        if first and last and first > last:
            self._show_beside(_TO, f"This is before {first}.")
        wrong = next((name for name, note in self.notes.items() if note.cget("text")), "")
        if wrong:
            self.boxes[wrong].focus_set()
            self.boxes[wrong].selection_range(0, "end")
            return
        lab, words = self.boxes["Lab"].get(), self.boxes["Format"].get()
        form = next(name for name, each in self._forms.items() if each == words)
        chosen = ChosenExport(self.boxes["View"].get(), first, last, "" if lab == ALL_LABS else lab, form)
        choose = self._choose
        super().close(lambda: choose(chosen))

    def _confirmed(self) -> None:
        """Identifies the default button; `close` does its work."""

    def _add_list(self, grid: ttk.Frame, row: int, name: str, values: Sequence[str], width: int) -> None:
        letters = line_width(self) // nametofont("TkDefaultFont", self).measure("0")
        width = min(width, max(10, letters - _BESIDE))
        box = ttk.Combobox(grid, values=list(values), width=width, state="readonly", font="TkTextFont")
        box.configure(postcommand=lambda: widen_list(box))
        box.current(0)
        box.bind("<Key>", lambda event: _choose_next(box, event.char))
        self._place(grid, row, name, box)

    def _add_day(self, grid: ttk.Frame, row: int, name: str) -> None:
        self._place(grid, row, name, ttk.Entry(grid, width=12, font="TkTextFont"))
        note = ttk.Label(grid, style="Error.TLabel", wraplength=line_width(self), justify="left")
        note.grid(row=row + 1, column=1, sticky="w")
        note.grid_remove()
        self.notes[name] = note

    def _place(self, grid: ttk.Frame, row: int, name: str, box: ttk.Combobox | ttk.Entry) -> None:
        ttk.Label(grid, text=name).grid(row=row, column=0, sticky="w", padx=(0, 16), pady=4)
        box.grid(row=row, column=1, sticky="ew" if int(box.cget("width")) > _SHORT else "w", pady=4)
        for key in ("<Return>", "<KP_Enter>"):
            box.bind(key, lambda _event: self.buttons[0].invoke())
        self.boxes[name] = box

    def _day(self, name: str) -> datetime.date | None:
        text = self.boxes[name].get().strip()
        self._show_beside(name, "")
        if not text:
            return None
        try:
            return read_date(text, self._today)
        except ValueError as error:
            self._show_beside(name, str(error))
            return None

    def _show_beside(self, name: str, problem: str) -> None:
        note = self.notes[name]
        note.configure(text=f"{ERROR_MARK}{problem}" if problem else "")
        if problem:
            note.grid()
        else:
            note.grid_remove()


def _choose_next(box: ttk.Combobox, letter: str) -> None:
    """Choose the next entry that begins with the letter, as lists of all desktops do, but not ttk's."""
    values = [str(each) for each in box.cget("values")]
    start, wanted = box.current() + 1, letter.casefold()
    found = [each for each in (*values[start:], *values[:start]) if wanted and each.casefold().startswith(wanted)]
    if found:
        box.set(found[0])
