"""The inputs of a record by field name, the typed values that their texts mean, the saved record that is open,
and what QA says of it."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from .. import fields
from ..constants import FieldNames as F
from ..fields.dates import DateReader
from ..widgets import FieldInput

Record = fields.Record
CheckKey = tuple[datetime.date, str, str]
RecordKey = tuple[datetime.date, str, str, int]

Said = Mapping[str, str]
"""A sentence by field name; that of the whole record by the name of Plot."""

WHOLE_RECORD = F.PLOT
"""Beside which field stands what is said of the whole record."""

HEIGHTS = (F.MIN_HEIGHT, F.MAX_HEIGHT, F.MEDIAN_HEIGHT)
CHECK_FIELDS = (F.DATE, F.TIME, F.LAB, F.TECHNICIAN)


class RecordInputs(dict[str, FieldInput]):
    """One :class:`FieldInput` a field. ``choices`` holds the lists' present values by field name.

    ``reader`` says how dates are read here.
    """

    def __init__(self, reader: DateReader) -> None:
        super().__init__()
        self._reader = reader
        self.choices: dict[str, fields.Choices | None] = {}
        self._of_record: Mapping[str, object] = {}
        self.read_only = False
        """Whether records can only be looked at: what leads to them can still be typed."""
        self.readings_before_fault: dict[str, str] = {}
        """What stood in the readings before the equipment fault was set, by field name; another record has none."""
        self.has_person: Callable[[], bool] = lambda: True
        """Whether the technician is confirmed; until then Technician is a stop."""
        self._heights_disagree = False

    def add(self, parent: tk.Misc, name: str, label: str, width: int, label_width: int) -> FieldInput:
        """Make the input of the field ``name``."""
        choices = partial(self.offered, name)
        each = FieldInput(parent, fields.field(name), label, choices, width, label_width, self._reader)
        each.note.others = lambda: (other.note for other in self.values())
        self[name] = each
        return each

    def offer(self, choices: Mapping[str, fields.Choices | None]) -> None:
        """The lists have these values now, by field name."""
        for name, each in choices.items():
            if name not in self.choices or self.choices[name] != each:
                self.choices[name] = each
                self[name].choices_changed()

    def offer_of_record(self, record: Mapping[str, object]) -> None:
        """The record that is open has these values of lists: one may be retired, and offered for no other record."""
        before, self._of_record = self._of_record, record
        # Most lists have what the record says: then nothing has to be looked at again.
        for name, choices in self.choices.items():
            own = {before.get(name), record.get(name)} - {None, ""}
            if choices is not None and not own.issubset(choices):
                self[name].choices_changed()

    def reserve_notes(self, names: Collection[str], lines: int) -> bool:
        """Keep this number of lines for the words below these fields; whether that has changed."""
        changed = [self[name].note.reserve(lines) for name in names]
        return any(changed)

    def offered(self, name: str) -> fields.Choices | None:
        """The present values of a list, with that of the record that is open."""
        choices, own = self.choices.get(name), self._of_record.get(name)
        if choices is None or own in (None, "") or own in choices:
            return choices
        return (*choices, own)

    def value(self, name: str) -> object:
        """The typed value of a field, ``None`` while there is none or it isn't valid."""
        try:
            return self[name].value()
        except (ValueError, KeyError):
            return None

    def texts(self) -> dict[str, str]:
        """What stands in each field."""
        return {name: each.text for name, each in self.items()}

    def differ_from(self, opened: OpenedRecord) -> bool:
        """Whether a field means another value than in that record: 24,1 is 24.10."""
        others = [name for name, each in self.items() if each.text != opened.texts.get(name, "")]
        # What isn't valid means nothing, so it is another one.
        return any((value := self.value(name)) is None or value != opened.record.get(name) for name in others)

    def fill(self, texts: Mapping[str, str]) -> None:
        """Set the texts by the program; fields that aren't named stay as they are."""
        for name, text in texts.items():
            if name in self:
                self[name].fill(text)

    def mark_wrong(self) -> None:
        """Mark the texts that aren't valid, as they were when they were typed; what is empty isn't marked."""
        for each in self.values():
            if each.text and not each.is_disabled:
                try:
                    each.value()
                except ValueError as error:
                    each.show_error(str(error))
        self.check_across()

    def read(self) -> Record:
        """Check every field, and give the record with typed values; raises :class:`fields.FieldErrors` with a sentence
        for each field that is wrong."""
        values: dict[str, object] = {}
        errors: dict[str, str] = {}
        for name, each in self.items():
            if each.check():
                # Closed by the fault, and empty as it has to be.
                values[name] = None if each.is_disabled and not each.text else each.value()
            else:
                errors[name] = each.error
        for name, sentence in fields.check_across(values).items():
            errors.setdefault(name, sentence)
        if errors:
            raise fields.FieldErrors(errors)
        return Record(values)

    def check_across(self) -> None:
        """Show what doesn't fit between the heights typed so far; what fits by now is wrong no more."""
        errors = fields.check_across({name: self.value(name) for name in HEIGHTS})
        self._heights_disagree = bool(errors)
        for name in HEIGHTS:
            each = self[name]
            # What is wrong in itself keeps its own sentence.
            own = bool(each.text) and self.value(name) is None
            if not own and each.text:
                each.show_error(errors.get(name, ""))

    def spread_problem(self, name: str, cells: Sequence[str]) -> str:
        """Why a row of ``cells`` can't be pasted into the fields from ``name`` on; empty where it can.

        A cell that isn't valid is no reason: its field is marked. What can't stand in its field at all is one.
        """
        names = _from(name)
        if len(cells) > len(names):
            return f"{len(cells)} cells, but {len(names)} fields from {name} on"
        row = dict(zip(names, cells, strict=False))
        fault = row.get(F.EQUIPMENT_FAULT, self[F.EQUIPMENT_FAULT].text).strip()
        try:
            is_fault = fields.parse(fields.field(F.EQUIPMENT_FAULT), fault) is True
        except ValueError as error:
            return f"{F.EQUIPMENT_FAULT}: {error}"
        kept = [each for each in fields.READINGS if row.get(each, "").strip()]
        if is_fault and kept:
            return f"{kept[0]}, though {F.EQUIPMENT_FAULT} is set"
        closed = [each for each in row if self[each].is_disabled and each not in fields.READINGS and row[each].strip()]
        return f"{closed[0]} is closed" if closed else ""

    def spread(self, name: str, cells: Sequence[str]) -> str:
        """Paste a row of ``cells`` into the fields from ``name`` on, as the user's own edit, and check each.

        Returns the field that the focus goes to: the first that is wrong, else the last one of the row.
        """
        row = dict(zip(_from(name), cells, strict=False))
        # The fault first: it opens and closes the readings.
        for each in sorted(row, key=lambda field: field != F.EQUIPMENT_FAULT):
            self[each].editor.edit_text(fields.pasted(self[each].field, row[each]))
        wrong = [each for each in row if not self[each].check()]
        self.check_across()
        wrong += [each for each in row if self[each].error and each not in wrong]
        return wrong[0] if wrong else list(row)[-1]

    def height_edited(self) -> None:
        """A height was changed: where the heights were marked for not fitting together, look again."""
        if self._heights_disagree:
            self.check_across()

    def apply_fault(self, clear: bool = True) -> None:
        """Disable the readings while the equipment fault is set, and empty them; without it they come back."""
        fault = self[F.EQUIPMENT_FAULT].text == "true"
        for name in fields.READINGS:
            each = self[name]
            if fault and clear:
                if each.text:
                    self.readings_before_fault[name] = each.text
                each.fill("")
            # Also where nothing was cleared: a draft may come back with the fault set.
            each.set_enabled(not fault and not self.read_only)
            if not fault and clear and not each.text and name in self.readings_before_fault:
                each.fill(self.readings_before_fault.pop(name))
                each.check()

    def set_read_only(self, read_only: bool) -> None:
        """Close all fields but those that lead to a record, or open them again."""
        self.read_only = read_only
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
                # A name that filled itself in says nothing about who sits here.
                passed_over = each.is_disabled or (self.has_person() and not each.error)
            if each.field.required and not passed_over:
                return following
        return None

    def first_empty(self) -> str:
        """The first required field that is empty, or Technician while nobody is confirmed.

        Humidity when there is none (Plot where records are only looked at).
        """
        for name in fields.REQUIRED_ORDER:
            is_stop = not self[name].text or (name == F.TECHNICIAN and not self.has_person())
            if is_stop and not self[name].is_disabled:
                return name
        return F.PLOT if self.read_only else F.HUMIDITY


class MarkedFields:
    """Shows beside the fields what QA says of the record in the form: what :meth:`know` was told, for the one that
    :meth:`show` names."""

    def __init__(self, inputs: RecordInputs) -> None:
        self._inputs = inputs
        self._known: Mapping[RecordKey, Said] = {}
        self.key: RecordKey | None = None
        """The saved record that the form is at."""
        self._shown: Said = {}

    def know(self, said: Mapping[RecordKey, Said]) -> None:
        """This is what QA says of records, by their keys."""
        self._known = said
        self.show(self.key)

    def show(self, key: RecordKey | None) -> None:
        """The form is at that saved record, or at none."""
        self.key = key
        said = self._known.get(key, {}) if key is not None else {}
        if said == self._shown:
            return
        for name in {*self._shown, *said}:
            if name in self._inputs:
                self._inputs[name].show_question(said.get(name, ""))
        self._shown = said


def _from(name: str) -> tuple[str, ...]:
    return fields.FOCUS_ORDER[fields.FOCUS_ORDER.index(name) :]


class OpenedRecord(NamedTuple):
    """``texts`` by field name as the database had them, and the typed values of ``record``, ``None`` where an old row
    holds what isn't valid any more; ``version`` is the record's, where it is known.

    ``changed_by`` is who saved another version of it since, empty while nobody has. ``known_at`` is when this computer
    learned of it, where that is a copy from before the database went away; else it is empty. ``gone`` says who withdrew
    or moved it since.
    """

    key: RecordKey
    texts: Mapping[str, str]
    record: Mapping[str, object]
    version: int | None = None
    changed_by: str = ""
    known_at: str = ""
    gone: str = ""

    def draft(self) -> dict[str, Any]:
        """The entries of a draft, plain enough for a file."""
        key = [self.key[0].isoformat(), *self.key[1:]]
        return {"opened": key, "baseline": dict(self.texts), "version": self.version, "known_at": self.known_at}


def opened_in(draft: Mapping[str, Any]) -> OpenedRecord | None:
    """What :meth:`OpenedRecord.draft` gave; ``None`` for a new record, and for a key that makes no sense."""
    try:
        date, time, lab, plot = draft["opened"]
        key = datetime.date.fromisoformat(date), str(time), str(lab), int(plot)
    except (KeyError, TypeError, ValueError):
        return None
    version = draft.get("version")
    known_version = version if isinstance(version, int) else None
    baseline, known_at = dict(draft.get("baseline") or {}), str(draft.get("known_at") or "")
    return OpenedRecord(key, baseline, values_of(baseline), known_version, known_at=known_at)


def values_of(texts: Mapping[str, str]) -> dict[str, object]:
    """The typed values of all fields; ``None`` where a text isn't valid."""
    return {each.name: _value(each, texts.get(each.name, "")) for each in fields.FIELDS}


def _value(each: fields.Field, text: str) -> object:
    try:
        return fields.parse(each, text)
    except ValueError:
        return None
