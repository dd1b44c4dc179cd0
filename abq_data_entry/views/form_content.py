"""The content of the form: its inputs and their values, what is known about the check, the saved record that was
opened, and QA's remarks about it; and the callbacks of the form."""

from __future__ import annotations

import datetime
import time
import tkinter as tk
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from tkinter import ttk
from types import MappingProxyType
from typing import Any, NamedTuple

from .. import fields
from ..constants import FieldNames as F
from ..fields.dates import DateReader
from ..widgets import FieldInput
from ..widgets.focus import focused_widget
from .type_ahead import TypeAhead

Record = fields.Record
CheckKey = tuple[datetime.date, str, str]
RecordKey = tuple[datetime.date, str, str, int]

Remarks = Mapping[str, str]
"""QA's remarks about a record: a sentence by field name; under the name of Plot, about the whole record."""

WHOLE_RECORD = F.PLOT
"""The field beside which QA's remark about the whole record is shown."""

HEIGHTS = (F.MIN_HEIGHT, F.MAX_HEIGHT, F.MEDIAN_HEIGHT)
_MOST_STEPS = 20  # of a field's own undo, to the text that it had before a paste
CHECK_FIELDS = (F.DATE, F.TIME, F.LAB, F.TECHNICIAN)


class PastedRow:
    """The row of cells that was pasted last: one undo in any of its fields takes all of it back, one redo brings it
    back. What was typed into one of them since is undone first, by itself."""

    def __init__(self, inputs: RecordInputs) -> None:
        self._inputs = inputs
        self._texts: dict[str, tuple[str, str]] = {}  # before and after, of each field that it has changed
        self._is_moving = False

    def watch(self, name: str) -> None:
        """Handle undo and redo in that field, before its editor does."""
        editor = self._inputs[name].editor
        tag = f"PastedRow{editor}"
        editor.bindtags((tag, *editor.bindtags()))
        editor.bind_class(tag, "<<Undo>>", lambda _event: self._move(name, "<<Undo>>", 1, 0))
        editor.bind_class(tag, "<<Redo>>", lambda _event: self._move(name, "<<Redo>>", 0, 1))

    def note(self, names: Iterable[str], before: Mapping[str, str]) -> None:
        """Note that a row was pasted into these fields. One that names another plot isn't taken back as a whole."""
        texts = {name: (before[name], self._inputs[name].text) for name in names}
        changed = {name: each for name, each in texts.items() if each[0] != each[1]}
        self._texts = {} if set(changed) & {*CHECK_FIELDS, F.PLOT} else changed

    def _move(self, name: str, event: str, now: int, then: int) -> str | None:
        inputs, row = self._inputs, self._texts
        if self._is_moving or name not in row or any(inputs[each].text != texts[now] for each, texts in row.items()):
            return None
        self._is_moving = True
        try:
            # The fault first, as when it was pasted: it opens and closes the readings.
            for each in sorted(row, key=lambda field: field != F.EQUIPMENT_FAULT):
                for _ in range(_MOST_STEPS):
                    if inputs[each].text != row[each][then]:
                        inputs[each].editor.event_generate(event)
        finally:
            self._is_moving = False
        return "break"


class RecordInputs(dict[str, FieldInput]):
    """The :class:`FieldInput` of each field, by name. ``choices`` has the current values of lists by field name."""

    def __init__(self, reader: DateReader) -> None:
        super().__init__()
        self._reader = reader
        self.choices: dict[str, fields.Choices | None] = {}
        self._of_record: Mapping[str, object] = {}
        self.read_only = False
        """Whether records can't be changed; date, time, lab and plot can still be typed, to look at records."""
        self.readings_before_fault: dict[str, str] = {}
        """The readings before the equipment fault was set, by field name; cleared when the record changes."""
        self.has_person: Callable[[], bool] = lambda: True
        """Whether the technician is confirmed; until then Enter stops at Technician."""
        self._heights_disagree = False
        self._pasted = PastedRow(self)

    def add(self, parent: tk.Misc, name: str, label: str, width: int, label_width: int) -> FieldInput:
        """Create the input of the field ``name``."""
        choices = partial(self.offered, name)
        each = FieldInput(parent, fields.field(name), label, choices, width, label_width, self._reader)
        each.line_below.others = lambda: (other.line_below for other in self.values())
        self[name] = each
        self._pasted.watch(name)
        return each

    def offer(self, choices: Mapping[str, fields.Choices | None]) -> None:
        """Set the current values of lists, by field name."""
        for name, each in choices.items():
            if name not in self.choices or self.choices[name] != each:
                self.choices[name] = each
                self[name].choices_changed()

    def offer_of_record(self, record: Mapping[str, object]) -> None:
        """Offer the values of the open record too: one of them may be retired, and not offered for other records."""
        before, self._of_record = self._of_record, record
        # Most lists contain the record's value, and need no update.
        for name, choices in self.choices.items():
            own = {before.get(name), record.get(name)} - {None, ""}
            if choices is not None and not own.issubset(choices):
                self[name].choices_changed()

    def reserve_notes(self, names: Collection[str], lines: int) -> bool:
        """Reserve this number of lines below these fields; return whether that has changed."""
        changed = [self[name].line_below.reserve(lines) for name in names]
        return any(changed)

    def offered(self, name: str) -> fields.Choices | None:
        """Return the current values of a list, with that of the open record."""
        choices, own = self.choices.get(name), self._of_record.get(name)
        if choices is None or own in (None, "") or own in choices:
            return choices
        return (*choices, own)

    def value(self, name: str) -> object:
        """Return the typed value of a field; ``None`` if it is empty or invalid."""
        try:
            return self[name].value()
        except (ValueError, KeyError):
            return None

    def texts(self) -> dict[str, str]:
        """Return the text of each field, by name."""
        return {name: each.text for name, each in self.items()}

    def differ_from(self, opened: OpenedRecord) -> bool:
        """Whether the value of a field differs from that record; 24,1 and 24.10 are the same."""
        others = [name for name, each in self.items() if each.text != opened.texts.get(name, "")]
        # An invalid text has no value, so it differs.
        return any((value := self.value(name)) is None or value != opened.record.get(name) for name in others)

    def fill(self, texts: Mapping[str, str]) -> None:
        """Set the texts on behalf of the program; fields that aren't named stay as they are."""
        for name, text in texts.items():
            if name in self:
                self[name].fill(text)

    def mark_wrong(self) -> None:
        """Show the errors of invalid texts, as when they were typed; empty fields get none."""
        for each in self.values():
            if each.text and not each.is_disabled:
                try:
                    each.value()
                except ValueError as error:
                    each.show_error(str(error))
        self.check_across()

    def read(self) -> Record:
        """Check every field and return the record with typed values; raises :class:`fields.FieldErrors` with a message
        for each field that is wrong."""
        values: dict[str, object] = {}
        errors: dict[str, str] = {}
        for name, each in self.items():
            if each.check():
                # Disabled by the fault, and empty as it must be.
                values[name] = None if each.is_disabled and not each.text else each.value()
            else:
                errors[name] = each.error
        for name, sentence in fields.check_across(values).items():
            errors.setdefault(name, sentence)
        if errors:
            raise fields.FieldErrors(errors)
        return Record(values)

    def check_across(self) -> None:
        """Show an error at heights that contradict each other, and clear it where they no longer do."""
        errors = fields.check_across({name: self.value(name) for name in HEIGHTS})
        self._heights_disagree = bool(errors)
        for name in HEIGHTS:
            each = self[name]
            # A text that is invalid in itself keeps its own error.
            own = bool(each.text) and self.value(name) is None
            if not own and each.text:
                each.show_error(errors.get(name, ""))

    def spread_problem(self, name: str, cells: Sequence[str]) -> str:
        """Return why a row of ``cells`` can't be pasted into the fields from ``name`` on; empty if it can.

        An invalid cell is accepted, because its field shows the error, unless the field can't hold such a text at all.
        """
        names = _fields_from(name)
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
        """Paste a row of ``cells`` into the fields from ``name`` on, as an edit by the user, and check each.

        Returns the name of the field that gets the focus: the first one that is wrong, else the last one of the row.
        """
        row = dict(zip(_fields_from(name), cells, strict=False))
        before = self.texts()
        # The fault first, because it enables and disables the readings.
        for each in sorted(row, key=lambda field: field != F.EQUIPMENT_FAULT):
            self[each].editor.edit_text(fields.pasted(self[each].field, row[each]))
        wrong = [each for each in row if not self[each].check()]
        self.check_across()
        wrong += [each for each in row if self[each].error and each not in wrong]
        self._pasted.note(row, before)
        return wrong[0] if wrong else list(row)[-1]

    def height_edited(self) -> None:
        """Check the heights again after a change, if they were shown not to fit together."""
        if self._heights_disagree:
            self.check_across()

    def apply_fault(self, clear: bool = True) -> None:
        """Disable and empty the readings while the equipment fault is set; restore them when it is no longer set."""
        fault = self[F.EQUIPMENT_FAULT].text == "true"
        for name in fields.READINGS:
            each = self[name]
            if fault and clear:
                if each.text:
                    self.readings_before_fault[name] = each.text
                each.fill("")
            # Even if nothing was cleared: a restored draft may have the fault set.
            each.set_enabled(not fault and not self.read_only)
            if not fault and clear and not each.text and name in self.readings_before_fault:
                each.fill(self.readings_before_fault.pop(name))
                each.check()

    def set_read_only(self, read_only: bool) -> None:
        """Disable all fields except date, time, lab and plot, or enable them again."""
        self.read_only = read_only
        for name, each in self.items():
            if name not in fields.RECORD_KEY:
                each.set_enabled(not read_only)
        self.apply_fault(clear=False)

    def after(self, name: str) -> str | None:
        """Return where Enter leads from the field ``name``: the next required field that wasn't filled by autofill."""
        for following in fields.FOCUS_ORDER[fields.FOCUS_ORDER.index(name) + 1 :]:
            each = self[following]
            passed_over = each.is_disabled or (each.filled_by_itself and not each.error)
            if following == F.TECHNICIAN:
                # A name that was filled in isn't necessarily that of the person at the window.
                passed_over = each.is_disabled or (self.has_person() and not each.error)
            if each.field.required and not passed_over:
                return following
        return None

    def first_empty(self) -> str:
        """Return the first required field that is empty, or Technician while nobody is confirmed.

        If there is none, Humidity; Plot if records can't be changed.
        """
        for name in fields.REQUIRED_ORDER:
            is_stop = not self[name].text or (name == F.TECHNICIAN and not self.has_person())
            if is_stop and not self[name].is_disabled:
                return name
        return F.PLOT if self.read_only else F.HUMIDITY


class MarkedFields:
    """Shows beside the fields QA's remarks about the record in the form, whose key is ``key``."""

    def __init__(self, inputs: RecordInputs) -> None:
        self._inputs = inputs
        self.known: Mapping[RecordKey, Remarks] = {}
        """QA's remarks about records, by the records' keys."""
        self.key: RecordKey | None = None
        """The key of the saved record in the form; None while there is none."""
        self._shown: Remarks = {}

    def show_remarks(self, remarks: Mapping[RecordKey, Remarks]) -> None:
        """Set QA's remarks about records, by the records' keys, and show those about the record in the form."""
        self.known = remarks
        self.show()

    def show(self) -> None:
        """Show the remarks about the record with the key ``key``; call this after the key has changed."""
        remarks = self.known.get(self.key, {}) if self.key is not None else {}
        if remarks == self._shown:
            return
        for name in {*self._shown, *remarks}:
            if name in self._inputs:
                self._inputs[name].show_question(remarks.get(name, ""))
        self._shown = remarks


def _fields_from(name: str) -> tuple[str, ...]:
    return fields.FOCUS_ORDER[fields.FOCUS_ORDER.index(name) :]


class OpenedRecord(NamedTuple):
    """A saved record that is open in the form.

    ``texts`` are the values by field name as the database had them; ``record`` has the typed values, ``None`` for one
    that is no longer valid. ``version`` is that of the record, if it is known. ``changed_by`` names who has saved
    another version since. ``known_at`` is the time of a local copy, shown while the database is away. ``gone`` is a
    sentence about who has withdrawn or moved the record since. The last three are empty otherwise.
    """

    key: RecordKey
    texts: Mapping[str, str]
    record: Mapping[str, object]
    version: int | None = None
    changed_by: str = ""
    known_at: str = ""
    gone: str = ""

    def draft(self) -> dict[str, Any]:
        """Return the part of a draft that describes this record, as values that can be written as JSON."""
        key = [self.key[0].isoformat(), *self.key[1:]]
        return {"opened": key, "baseline": dict(self.texts), "version": self.version, "known_at": self.known_at}


def opened_in(draft: Mapping[str, Any]) -> OpenedRecord | None:
    """Return the opened record of a draft (:meth:`OpenedRecord.draft`); ``None`` for a new record or an invalid key."""
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
    """Return the typed values of all fields; ``None`` for an invalid text."""
    return {each.name: _value(each, texts.get(each.name, "")) for each in fields.FIELDS}


def _value(each: fields.Field, text: str) -> object:
    try:
        return fields.parse(each, text)
    except ValueError:
        return None


PAUSE_SECONDS = 4 * 3600.0


class Confirmation:
    """Remembers who is at the window. ``now`` returns the time in seconds; it must include time in standby."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self._name = ""
        self._key_at = 0.0

    @property
    def name(self) -> str:
        """The confirmed name of the person at the window; empty if nobody is confirmed, or after a long pause."""
        # Computed here instead of ended by a timer, because timers stop while the computer sleeps.
        if self._name and self.now() - self._key_at > PAUSE_SECONDS:
            self._name = ""
        return self._name

    def confirm(self, name: str) -> None:
        """Set the name of the person at the window."""
        self._name, self._key_at = name, self.now()

    def forget(self) -> None:
        """Forget the name, because somebody else may be at the window."""
        self._name = ""

    def key_pressed(self) -> None:
        """Note that the person is still here; after a long pause, the name is forgotten."""
        if self.name:
            self._key_at = self.now()


class Entering(NamedTuple):
    """Somebody else who is entering a check now: the person, the workstation, and the plot, if they are at one."""

    name: str
    workstation: str = ""
    plot: int | None = None

    @property
    def named(self) -> str:
        """The person and the workstation ("P Taylor on bench-2")."""
        return f"{self.name} on {self.workstation}" if self.workstation else self.name


class CheckView(NamedTuple):
    """What the form knows about a check.

    ``recorded`` has the technician of each recorded plot, and ``previous`` the latest earlier record of each plot.
    ``known`` is False until the database has answered. ``following`` is the next check. ``others`` are the other people
    who are entering this check now. ``waiting`` are the recorded plots that wait on this computer for the database.
    ``version`` is that of the check, if known; ``known_at`` is the time of a local copy, shown while the database is
    away.
    """

    key: CheckKey | None = None
    plots: tuple[int, ...] = ()
    technician: str | None = None
    recorded: Mapping[int, str] = MappingProxyType({})
    previous: Mapping[int, Mapping[str, Any]] = MappingProxyType({})
    known: bool = False
    problem: str = ""
    following: CheckKey | None = None
    others: tuple[Entering, ...] = ()
    waiting: frozenset[int] = frozenset()
    version: int | None = None
    known_at: str = ""

    def with_recorded(self, plot: int, technician: str) -> CheckView:
        """Return the same check with one more plot recorded."""
        return self._replace(recorded={**self.recorded, plot: technician}, technician=self.technician or technician)

    def with_plots(self, plots: tuple[int, ...]) -> CheckView:
        """Return the same check with these plots of the lab; recorded plots that were retired since remain."""
        # Without the retired ones, a complete check would look incomplete.
        plots = tuple(sorted({*plots, *self.recorded}))
        return self if plots == self.plots else self._replace(plots=plots)

    def next_missing(self, after: int) -> int | None:
        """Return the next plot after ``after``, wrapping around, neither recorded nor being entered by others."""
        return next(iter(self.free_after(after)), None)

    def free_after(self, plot: int) -> list[int]:
        """Return those of :meth:`missing_after` that nobody else is entering."""
        # So that two people who share a check never type into the same plot.
        taken = {each.plot for each in self.others}
        return [each for each in self.missing_after(plot) if each not in taken]

    def missing_after(self, plot: int) -> tuple[int, ...]:
        """Return the plots that aren't recorded, in order from the one after ``plot``, which comes last."""
        # Wraps around, for those who began in the middle of the lab.
        later = [each for each in self.plots if each > plot] + [each for each in self.plots if each <= plot]
        return tuple(each for each in later if each not in self.recorded)

    def left_to_others(self) -> Entering | None:
        """Return who is entering the first missing plot, if others are entering all missing ones."""
        missing = [plot for plot in self.plots if plot not in self.recorded]
        entered = [self.entered_by(plot) for plot in missing]
        return entered[0] if entered and all(entered) else None

    def entered_by(self, plot: int) -> Entering | None:
        """Return who else is entering that plot now; ``None`` if nobody is."""
        return next((each for each in self.others if each.plot == plot), None)

    @property
    def complete(self) -> bool:
        """Whether every plot of the lab is recorded."""
        return self.known and bool(self.plots) and all(plot in self.recorded for plot in self.plots)


# Callbacks, not the application, so that the form can be created and tested without a database.
class FormCallbacks(NamedTuple):
    """The callbacks of the form; those that aren't set do nothing.

    ``save(record, corrects)`` saves a new record, or corrects the opened one. ``find_draft(key)`` returns the draft of
    a plot. ``keep_draft(draft)`` keeps a draft when another check is chosen, unless its plot has one already.
    ``is_other_draft(key, corrects)`` returns whether the plot has a draft besides what is in the form. ``confirmed()``
    is called when somebody has confirmed a name; it returns whether the plot is being claimed now.
    """

    check_chosen: Callable[[datetime.date, str, str], object] = lambda date, time, lab: None
    save: Callable[[Record, bool], object] = lambda record, corrects: None
    go_to_plot: Callable[[int], object] = lambda plot: None
    open_recorded: Callable[[RecordKey], object] = lambda key: None
    edited: Callable[[], object] = lambda: None
    confirmed: Callable[[], bool] = lambda: False
    next_check: Callable[[], object] = lambda: None
    discard: Callable[[], object] = lambda: None
    find_draft: Callable[[RecordKey], Mapping[str, Any] | None] = lambda key: None
    keep_draft: Callable[[Mapping[str, Any]], bool] = lambda draft: False
    is_other_draft: Callable[[RecordKey, bool], bool] = lambda key, corrects: False


class FormContent(ttk.Frame):
    """What the parts of the form share: its state, its callbacks, and the methods that each part may call.

    ``check`` and ``opened_record`` are the state in the database; ``saving``: a save is running. ``callbacks`` may be
    set later. ``confirmation`` knows who is at the window. ``type_ahead`` collects keys that were typed before their
    plot is shown. ``drafts`` are the keys of plots with a draft that isn't in the form.
    """

    type_ahead: TypeAhead

    def __init__(
        self,
        parent: tk.Misc,
        callbacks: FormCallbacks,
        settings: Mapping[str, tk.Variable],
        today: Callable[[], datetime.date],
        inputs: RecordInputs,
    ) -> None:
        super().__init__(parent)
        self.callbacks, self.settings, self.today, self.inputs = callbacks, settings, today, inputs
        self.confirmation = Confirmation()
        self.check = CheckView()
        self.opened_record: OpenedRecord | None = None
        self.saving = False
        self.drafts: Collection[RecordKey] = frozenset()
        self.date: datetime.date | None = None
        """The date in the form; ``None`` while it isn't valid."""
        self.edition = 0
        """Incremented whenever the content may have changed, so that others can skip work if it hasn't."""
        self.after_save: Callable[[], object] | None = None
        """A function to call once the running save is done."""

    @property
    def check_key(self) -> CheckKey | None:
        """Date, time and lab; ``None`` unless all three are valid."""
        date, time, lab = (self.inputs.value(name) for name in (F.DATE, F.TIME, F.LAB))
        if isinstance(date, datetime.date) and isinstance(time, str) and isinstance(lab, str):
            return date, time, lab
        return None

    @property
    def key(self) -> RecordKey | None:
        """Date, time, lab and plot; ``None`` unless all four are valid."""
        check, plot = self.check_key, self.inputs.value(F.PLOT)
        return (*check, plot) if check is not None and isinstance(plot, int) else None

    @property
    def new_key(self) -> RecordKey | None:
        """The key of the new record; ``None`` while it is incomplete, or a saved record is being corrected."""
        return self.key if self.opened_record is None else None

    @property
    def plot(self) -> int | None:
        """The plot; ``None`` unless it is valid."""
        plot = self.inputs.value(F.PLOT)
        return plot if isinstance(plot, int) else None

    @property
    def corrects(self) -> bool:
        """Whether a save corrects the opened record, which keeps its technician."""
        return self.opened_record is not None and self.opened_record.key == self.key

    @property
    def changed(self) -> bool:
        """Whether something was typed that would be lost if the form were closed."""
        if self.opened_record is not None:
            # Compared by value: 24,1 typed over 24.10 is no change.
            return self.inputs.differ_from(self.opened_record)
        # Fields filled by autofill, and those of the check, would be filled again.
        return any(
            each.text not in ("", "false") and not each.filled_by_itself
            for name, each in self.inputs.items()
            if name not in (*CHECK_FIELDS, F.PLOT)
        )

    @property
    def focused(self) -> FieldInput | None:
        """The field that has the focus; ``None`` if none has it."""
        widget = focused_widget(self)
        return next((each for each in self.inputs.values() if each.editor is widget), None)

    @property
    def fills_itself(self) -> bool:
        """Whether the fields of the check stay after a save, and plot and seed sample are filled in."""
        return bool(self.settings["autofill sheet data"].get())

    def empty_plot(self) -> None:
        """Empty all fields except those of the check."""
        self.inputs.fill({name: "" for name in self.inputs if name not in CHECK_FIELDS})
        # The readings from before a fault belong to the previous record.
        self.inputs.readings_before_fault = {}
        self.inputs.apply_fault()

    # -- for the parts of the form; DataRecordForm implements these -------------------------------------

    def advance(self, name: str) -> None:
        """Go on from the field ``name``, as Enter does: to the next required field, or after the last one save."""
        raise NotImplementedError

    def begin_new(self, plot: int | None = None, all_fields: bool = False, asked: bool = False) -> None:
        """Begin a new record. Fields of the check stay unless ``all_fields``; ``asked``: the user chose this plot."""
        raise NotImplementedError

    def check_changed(self) -> None:
        """Handle a possible change of date, time or lab."""
        raise NotImplementedError

    def close_fields(self, sentence: str) -> None:
        """Disable the fields and show why; an empty sentence enables them."""
        raise NotImplementedError

    def fill(self, texts: Mapping[str, str]) -> None:
        """Show these texts as if they had been typed; the technician among them doesn't count as confirmed."""
        raise NotImplementedError

    def focus_first_empty(self) -> None:
        """Put the focus where typing continues: the first required field that is empty, or the next check."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Update the strip, the previous readings and the remark beside the plot."""
        raise NotImplementedError

    def refuse_save(self) -> None:
        """Refuse to save; keys typed from now on belong to the plots that would have come next."""
        raise NotImplementedError

    def show_draft(self) -> bool:
        """Show the draft of the plot that was just chosen; return whether there is one."""
        raise NotImplementedError

    def sound(self) -> None:
        """Make a sound for an error, if the setting asks for it."""
        raise NotImplementedError

    def submit(self) -> None:
        """Check every field; then save the record, or put the focus on the first error."""
        raise NotImplementedError
