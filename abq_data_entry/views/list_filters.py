"""The filters above the record list. A text that no record can have as its value stays as typed, with an error."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from tkinter import ttk
from typing import NamedTuple

from .. import fields
from ..constants import FieldNames as F
from ..fields.dates import DateReader
from ..widgets import widen_list
from ..widgets.field_input import ERROR_MARK

ANY = "any"
TODAY = "today"
_BOXES = ((F.DATE, "Date", 11), (F.LAB, "Lab", 5), (F.PLOT, "Plot", 5), (F.TECHNICIAN, "Technician", 16))


class Chosen(NamedTuple):
    """The chosen values. None stands for any value."""

    date: datetime.date | None
    lab: str | None = None
    plot: int | None = None
    technician: str | None = None


class ListFilters(ttk.Frame):
    """A combobox for each filter; ``changed()`` is called after Enter, after a choice, or when a box is left.

    An invalid text stays and gets an error, and the filter keeps its last valid value; Escape restores that.
    """

    def __init__(self, parent: tk.Misc, changed: Callable[[], object], reader: DateReader) -> None:
        super().__init__(parent, style="Bar.TFrame", padding=(16, 4))
        self._reader = reader
        self._choices: dict[str, Sequence[object]] = {}
        self._errors: dict[str, str] = {}
        self._valid: dict[str, str] = {name: TODAY if name == F.DATE else ANY for name, _, _ in _BOXES}
        self._chosen = Chosen(reader.today())
        self.variables = {name: tk.StringVar(self, text) for name, text in self._valid.items()}
        self.boxes: dict[str, ttk.Combobox] = {}
        for name, label, width in _BOXES:
            box = self.add_box(label, width, self.variables[name])
            box.configure(postcommand=lambda name=name, box=box: self._offer(name, box))  # type: ignore[misc]
            # Not after each key, because an incomplete filter would fetch pages that nobody wants to see.
            for event in ("<<ComboboxSelected>>", "<Return>", "<KP_Enter>", "<FocusOut>"):
                box.bind(event, lambda _event: changed(), add=True)
            box.bind("<Escape>", lambda _event, name=name: self._restore(name, changed))  # type: ignore[misc]
            self.boxes[name] = box
        # Drawn over the rows, so that an error moves nothing.
        self._words = ttk.Label(
            parent, style="Words.TLabel", justify="left", wraplength=480, relief="solid", borderwidth=1
        )

    def add_box(self, label: str, width: int, variable: tk.StringVar) -> ttk.Combobox:
        """Add one more box to the bar, after its label."""
        ttk.Label(self, text=label, style="Bar.TLabel").pack(side="left", padx=(0, 4))
        box = ttk.Combobox(self, textvariable=variable, width=width, font="TkTextFont")
        box.pack(side="left", padx=(0, 16))
        return box

    def _offer(self, name: str, box: ttk.Combobox) -> None:
        box.configure(values=self._values(name))
        widen_list(box)

    def show_choices(self, choices: Mapping[str, Sequence[object]]) -> None:
        """Set the values to offer, by field name."""
        self._choices = dict(choices)

    @property
    def words(self) -> str:
        """The error shown; empty if all filters are valid."""
        return str(self._words.cget("text")) if self._words.winfo_manager() else ""

    def marked(self, name: str) -> bool:
        """Return whether the text of the filter is invalid."""
        return name in self._errors

    def read(self) -> Chosen:
        """Normalize the texts, show errors of invalid ones, and return what is chosen."""
        self._errors.clear()
        found = {name: self._read(name) for name in self.variables}
        date, lab, plot, technician = (found[name] for name, _, _ in _BOXES)
        self._chosen = Chosen(
            date if isinstance(date, datetime.date) else None,
            lab if isinstance(lab, str) else None,
            plot if isinstance(plot, int) else None,
            technician if isinstance(technician, str) else None,
        )
        for name, box in self.boxes.items():
            box.state(["invalid" if name in self._errors else "!invalid"])
        self._show_error()
        return self._chosen

    def reset(self, date: datetime.date | None) -> None:
        """Show all records of a day (None: today)."""
        for name, variable in self.variables.items():
            variable.set(ANY)
            self._valid[name] = ANY
        self.set_date(date or self._reader.today())

    def set_date(self, date: datetime.date) -> None:
        """Choose a day."""
        text = TODAY if date == self._reader.today() else date.isoformat()
        self.variables[F.DATE].set(text)

    def keep_day(self) -> None:
        """After midnight, keep showing the day that was today, by its date."""
        if self.is_today and self._chosen.date is not None:
            self.variables[F.DATE].set(self._chosen.date.isoformat())

    @property
    def is_today(self) -> bool:
        """Whether "today" is chosen, rather than a date."""
        return self.variables[F.DATE].get() == TODAY

    def _read(self, name: str) -> object:
        """Return the value of one filter; if its text is invalid, its last valid value."""
        variable = self.variables[name]
        text = variable.get().strip()
        try:
            value, shown = self._meaning(name, text)
        except ValueError as error:
            words = str(error).rstrip(".")
            # The error repeats the text, because the box is narrow and may show only a part of it.
            words = words if text[:9] in words else f"{text}: {words}"
            self._errors[name] = f"{words}. The list still shows {self._valid[name]}."
            return self._chosen[[each for each, _, _ in _BOXES].index(name)]
        if shown != variable.get():
            variable.set(shown)
        self._valid[name] = shown
        return value

    def _meaning(self, name: str, text: str) -> tuple[object, str]:
        """Return the value and the normal form of a text. Raises ``ValueError`` with a message for the user."""
        if text.lower() in (ANY, ""):
            return None, ANY
        if name == F.DATE:
            date = self._reader.today() if text.lower() == TODAY else self._reader.read(text)
            return date, TODAY if text.lower() == TODAY else date.isoformat()
        field, known = fields.field(name), self._choices.get(name)
        choices: fields.Choices | None = None if known is None else [str(each) for each in known]
        value = fields.parse(field, fields.complete(field, text, choices) or text, choices)
        return value, fields.format_value(field, value)

    def _values(self, name: str) -> list[str]:
        if name == F.DATE:
            today = self._reader.today()
            return [TODAY, ANY, *((today - datetime.timedelta(days=n)).isoformat() for n in range(1, 8))]
        return [ANY, *(str(each) for each in self._choices.get(name, ()))]

    def _restore(self, name: str, changed: Callable[[], object]) -> str:
        self.variables[name].set(self._valid[name])
        changed()
        return "break"

    def _show_error(self) -> None:
        name = next((name for name in self.boxes if name in self._errors), None)
        if name is None:
            self._words.place_forget()
            return
        self._words.configure(text=f"{ERROR_MARK}{self._errors[name]}")
        self._words.place(in_=self.boxes[name], relx=0, rely=1, y=4, anchor="nw")
        self._words.lift()
