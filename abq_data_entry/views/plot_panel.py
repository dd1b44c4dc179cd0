"""The fields of one plot, in the groups and the order of the paper sheet."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from tkinter.font import nametofont

from .. import fields
from ..constants import FieldNames as F
from ..widgets import Flow, Tooltip, occupied_width
from .check_panel import AddInput, CheckView
from .opened_record import OpenedRecord
from .record_inputs import RecordKey

WIDEST_REMARK, LEAST_REMARK = 460, 200
ROOMY_DIGITS = 80  # how wide the form is, where there is more than its fields take

# Row, column and rows of each group, by the number of columns: always read down, then across.
_PLACES = {
    3: ((1, 0, 1), (1, 1, 1), (1, 2, 1)),
    2: ((1, 0, 2), (1, 1, 1), (2, 1, 1)),
    1: ((1, 0, 1), (2, 0, 1), (3, 0, 1)),
}


class PlotPanel(ttk.Frame):
    """Plot, seed sample, readings, counts, heights and notes."""

    def __init__(
        self,
        parent: tk.Misc,
        add_input: AddInput,
        open_existing: Callable[[], object],
    ) -> None:
        super().__init__(parent)
        self._read_only = ""
        self._arrangement = (3, "group")
        self._groups: list[ttk.Frame] = []
        self.columnconfigure((0, 1, 2), weight=1, uniform="group")
        self.rowconfigure(4, weight=1)
        head = ttk.Frame(self)
        head.grid(row=0, column=0, columnspan=3, sticky="ew")
        head.columnconfigure(1, weight=1)
        self._which = Flow(head, 2)
        self._which.grid(row=0, column=0, sticky="nw")
        self._which.add(add_input(self._which, F.PLOT, "Plot", 4), 24)
        seed = add_input(self._which, F.SEED_SAMPLE, "Seed sample", 8)
        self._beside_seed = ttk.Label(seed, width=10)  # room for the words below the field
        self._beside_seed.grid(row=0, column=2)
        self._which.add(seed, 24)
        self._head = head
        self._remark = ttk.Label(
            head, style="Warning.TLabel", font="TkDefaultFont", wraplength=WIDEST_REMARK, justify="left"
        )
        self._remark.grid(row=0, column=1, sticky="nw", pady=(3, 0))
        self._open = ttk.Button(head, text="Open it", command=open_existing)
        self._open.bind("<Return>", lambda _event: self._open.invoke())
        for column, (title, members) in enumerate(fields.GROUPS):
            self._add_group(add_input, column, title, members)
        add_input(self, F.NOTES, "Notes").grid(row=4, column=0, columnspan=3, sticky="nsew", pady=(0, 8))

    @property
    def columns(self) -> int:
        """How many groups of readings stand side by side."""
        return self._arrangement[0]

    def fit(self, width: int) -> bool:
        """Arrange the groups and the remark for this width; whether anything has changed."""
        if width >= ROOMY_DIGITS * nametofont("TkDefaultFont", self).measure("0"):
            self._beside_seed.grid()
        else:
            self._beside_seed.grid_remove()
        changed = self._which.fit(width)
        self._fit_remark(width)
        arrangement = self._fitting(width)
        if arrangement == self._arrangement:
            return changed
        self._arrangement = columns, uniform = arrangement
        for column in range(3):
            is_used = column < columns
            self.columnconfigure(column, weight=int(is_used), uniform=uniform if is_used else "")
        for group, (row, column, rows) in zip(self._groups, _PLACES[columns], strict=True):
            group.grid(row=row, column=column, rowspan=rows)
        return True

    def _fitting(self, width: int) -> tuple[int, str]:
        """How many columns of groups there is room for, and whether they are of the same width."""
        first, second, third = (occupied_width(group) for group in self._groups)
        if 3 * max(first, second, third) <= width:
            return 3, "group"
        if first + second + third <= width:
            return 3, ""
        return (2, "") if first + max(second, third) <= width else (1, "")

    def _fit_remark(self, width: int) -> None:
        """The remark beside plot and seed sample where a sentence fits there, else below them."""
        others = [each for each in self._head.grid_slaves(row=0) if each is not self._remark]
        room = width - sum(map(occupied_width, others))
        beside = room >= LEAST_REMARK
        place = {"row": 0, "column": 1, "columnspan": 1} if beside else {"row": 1, "column": 0, "columnspan": 3}
        self._remark.grid(**place)  # type: ignore[arg-type]
        self._remark.configure(wraplength=min(room if beside else width, WIDEST_REMARK if beside else width))

    def show_read_only(self, sentence: str) -> None:
        """Say in ``sentence`` why nothing can be typed; an empty one: it can."""
        self._read_only = sentence

    def focus_open(self) -> None:
        """Put the focus on the button that opens the record: a place where typing changes nothing."""
        self._open.configure(text="Try again")
        self._open.grid(row=0, column=2, sticky="ne")
        self._open.update_idletasks()  # a button that isn't on the screen yet takes no focus
        self._open.focus_set()

    def show(
        self, key: RecordKey | None, opened: OpenedRecord | None, check: CheckView, is_taken: bool = False
    ) -> None:
        """Say in words what a save of these fields would do, where that could surprise. ``is_taken``: something else is
        half typed of that plot."""
        text, can_open = _remark(key, opened, check)
        if is_taken and key is not None:
            text = f"Plot {key[3]} is half typed already: kept. Type another plot for these values, or discard them."
            can_open = False
        if self._read_only:
            text = self._read_only
        self._remark.configure(text=text)
        if can_open:
            self._open.configure(text="Open it")
            self._open.grid(row=0, column=2, sticky="ne")
        else:
            self._open.grid_remove()

    def _add_group(self, add_input: AddInput, column: int, title: str, members: tuple[fields.Field, ...]) -> None:
        group = ttk.Frame(self)
        group.grid(row=1, column=column, sticky="new", padx=(0, 32) if column < 2 else 0)
        group.columnconfigure(0, weight=1)
        self._groups.append(group)
        ttk.Label(group, text=title, style="Section.TLabel").grid(row=0, column=0, sticky="w", pady=(4, 4))
        for row, each in enumerate(members, start=1):
            made = add_input(group, each.name, each.label, 9, 12)
            made.grid(row=row, column=0, sticky="ew", pady=(0, 2))
            if each.name == F.EQUIPMENT_FAULT:
                Tooltip(made.editor, "Space, or y and n. Humidity, light and temperature stay empty.")


def _remark(key: RecordKey | None, opened: OpenedRecord | None, check: CheckView) -> tuple[str, bool]:
    """What a save would do, and whether the existing record can be opened instead."""
    corrects = opened is not None and key == opened.key
    other = check.entered_by(key[3]) if key is not None else None
    if other is not None:
        return f"{other.named} is entering plot {other.plot} now.", not corrects and other.plot in check.recorded
    if opened is not None and corrects and opened.gone:
        return f"This record isn't here any more: {opened.gone}", False
    if opened is not None and corrects:
        if opened.known_at:
            return f"As this computer knew it at {opened.known_at}: the database is away. You are correcting it.", False
        if opened.changed_by:
            return f"{opened.changed_by} saved this record meanwhile: your save shows you both versions.", False
        return f"Recorded by {check.recorded.get(opened.key[3], '…')}: you are correcting it.", False
    if key is not None and key[3] in check.recorded:
        return f"Plot {key[3]} is already recorded by {check.recorded[key[3]]}.", True
    if opened is not None and key is not None:
        _date, time, lab, plot = opened.key
        return f"Saves a new record; plot {plot} ({time}, lab {lab}) stays as it is.", False
    return "", False
