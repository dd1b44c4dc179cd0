"""The inputs of a record by field name, and the typed values that their texts mean."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Mapping

from .. import fields
from ..constants import FieldNames as F
from ..widgets import FieldInput

Record = dict[str, object]
CheckKey = tuple[datetime.date, str, str]
RecordKey = tuple[datetime.date, str, str, int]

HEIGHTS = (F.MIN_HEIGHT, F.MAX_HEIGHT, F.MEDIAN_HEIGHT)
CHECK_FIELDS = (F.DATE, F.TIME, F.LAB, F.TECHNICIAN)


class RecordInputs(dict[str, FieldInput]):
    """One :class:`FieldInput` a field. ``choices`` holds the lists' present values by field name."""

    def __init__(self) -> None:
        super().__init__()
        self.choices: dict[str, fields.Choices | None] = {}
        self._read_only = False
        self.has_person: Callable[[], bool] = lambda: True
        """Whether the technician is confirmed; until then Technician is a stop."""

    def add(self, parent: tk.Misc, name: str, label: str, width: int, label_width: int) -> FieldInput:
        """Make the input of the field ``name``."""
        each = FieldInput(parent, fields.field(name), label, lambda: self.choices.get(name), width, label_width)
        self[name] = each
        return each

    def value(self, name: str) -> object:
        """The typed value of a field, ``None`` while there is none or it isn't valid."""
        try:
            return self[name].value()
        except (ValueError, KeyError):
            return None

    @property
    def check_key(self) -> CheckKey | None:
        """Date, time and lab, when all three are valid."""
        date, time, lab = (self.value(name) for name in (F.DATE, F.TIME, F.LAB))
        if isinstance(date, datetime.date) and isinstance(time, str) and isinstance(lab, str):
            return date, time, lab
        return None

    @property
    def key(self) -> RecordKey | None:
        """The record's key, when all four fields of it are valid."""
        check, plot = self.check_key, self.value(F.PLOT)
        return (*check, plot) if check is not None and isinstance(plot, int) else None

    @property
    def typed(self) -> bool:
        """Whether something was typed that didn't fill itself and isn't the check's."""
        return any(
            each.text not in ("", "false") and not each.filled_by_itself
            for name, each in self.items()
            if name not in (*CHECK_FIELDS, F.PLOT)
        )

    def texts(self) -> dict[str, str]:
        """What stands in each field."""
        return {name: each.text for name, each in self.items()}

    def fill(self, texts: Mapping[str, str]) -> None:
        """Set the texts by the program; fields that aren't named stay as they are."""
        for name, text in texts.items():
            if name in self:
                self[name].fill(text)

    def record(self) -> Record:
        """The record with typed values; raises :class:`fields.FieldErrors`."""
        return fields.parse_record(self.texts(), {k: v for k, v in self.choices.items() if v is not None})

    def errors(self) -> dict[str, str]:
        """Check every field, and what has to fit across fields; a sentence for each that is wrong."""
        for each in self.values():
            each.check()
        shown = {name: each.error for name, each in self.items() if each.error}
        try:
            self.record()
        except fields.FieldErrors as error:
            return {**error.errors, **shown}
        return shown

    def check_across(self) -> None:
        """Show what doesn't fit between the heights typed so far; what fits by now is wrong no more."""
        errors = fields.check_across({name: self.value(name) for name in HEIGHTS})
        for name in HEIGHTS:
            each = self[name]
            own = bool(each.text) and self.value(name) is None
            if not own and each.text:
                each.show_error(errors.get(name, ""))

    def apply_fault(self, clear: bool = True) -> None:
        """Disable the readings while the equipment fault is set, and empty them."""
        fault = self[F.EQUIPMENT_FAULT].text == "true"
        for name in fields.READINGS:
            if fault and clear:
                self[name].fill("")
            self[name].set_enabled(not fault and not self._read_only)

    @property
    def read_only(self) -> bool:
        """Whether records can only be looked at: what leads to them can still be typed."""
        return self._read_only

    def set_read_only(self, read_only: bool) -> None:
        """Close all fields but those that lead to a record, or open them again."""
        self._read_only = read_only
        for name, each in self.items():
            if name not in fields.RECORD_KEY:
                each.set_enabled(not read_only)
        self.apply_fault(clear=False)

    def after(self, name: str) -> str | None:
        """Where Enter leads to from the field ``name``: the next required field that didn't fill itself."""
        for following in fields.FOCUS_ORDER[fields.FOCUS_ORDER.index(name) + 1 :]:
            each = self[following]
            passed_over = each.is_disabled or (each.filled_by_itself and not each.error)
            if following == F.TECHNICIAN:
                passed_over = each.is_disabled or (self.has_person() and not each.error)
            if each.field.required and not passed_over:
                return following
        return None

    def first_empty(self) -> str:
        """The first required field that is empty, or Technician while nobody is confirmed.

        Humidity when there is none (Plot where records are only looked at).
        """
        empty = (name for name in fields.REQUIRED_ORDER if self._is_a_stop(name) and not self[name].is_disabled)
        return next(empty, F.PLOT if self._read_only else F.HUMIDITY)

    def _is_a_stop(self, name: str) -> bool:
        return not self[name].text or (name == F.TECHNICIAN and not self.has_person())
