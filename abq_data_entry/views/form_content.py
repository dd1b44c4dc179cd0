"""What the form holds: its inputs and the typed values that their texts mean, what is known of their check, the saved
record that was opened and what QA says of it; and whom the form asks."""

from __future__ import annotations

import datetime
import time
import tkinter as tk
from collections.abc import Callable, Collection, Mapping, Sequence
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
        each.line_below.others = lambda: (other.line_below for other in self.values())
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
        changed = [self[name].line_below.reserve(lines) for name in names]
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
        """Mark the heights typed so far that don't fit each other, and take the mark from those that do now."""
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
    """Shows beside the fields what QA says of the record in the form: what :meth:`know` was told of ``key``."""

    def __init__(self, inputs: RecordInputs) -> None:
        self._inputs = inputs
        self.known: Mapping[RecordKey, Said] = {}
        """What QA says of records, by their keys."""
        self.key: RecordKey | None = None
        """The saved record that the form is at; None while it is at none."""
        self._shown: Said = {}

    def know(self, said: Mapping[RecordKey, Said]) -> None:
        """This is what QA says of records, by their keys."""
        self.known = said
        self.show()

    def show(self) -> None:
        """The form may be at another record."""
        said = self.known.get(self.key, {}) if self.key is not None else {}
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


PAUSE_SECONDS = 4 * 3600.0


class Confirmation:
    """The confirmed person's name. ``now`` is the clock, in seconds; it goes on while the computer sleeps."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self._name = ""
        self._key_at = 0.0

    @property
    def name(self) -> str:
        """Who sits here; empty while nobody has said so, or after a long pause."""
        # Asked for, not ended by a timer: timers stand still while the computer sleeps.
        if self._name and self.now() - self._key_at > PAUSE_SECONDS:
            self._name = ""
        return self._name

    def confirm(self, name: str) -> None:
        """That is who sits here."""
        self._name, self._key_at = name, self.now()

    def forget(self) -> None:
        """Somebody else may sit here now."""
        self._name = ""

    def key_pressed(self) -> None:
        """The one who sits here is still here; after a long pause it may be somebody else."""
        if self.name:
            self._key_at = self.now()


class Entering(NamedTuple):
    """Somebody else who is entering a check now, where, and at which plot; ``None`` while at none."""

    name: str
    workstation: str = ""
    plot: int | None = None

    @property
    def named(self) -> str:
        """The person and the place ("P Taylor on bench-2")."""
        return f"{self.name} on {self.workstation}" if self.workstation else self.name


class CheckView(NamedTuple):
    """What the form knows of a check.

    ``recorded`` gives the technician of each recorded plot, ``previous`` the latest earlier record of each
    plot; ``known`` is False while the database hasn't answered; ``following`` is the check that comes next;
    ``others`` are the people who are entering it now besides the one who sits here; ``waiting`` are the
    recorded plots that wait on this computer for the database; ``version`` is that of the check, where known;
    ``known_at`` is when this computer learned of it, where the database is away.
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
        """The same check with one more plot recorded."""
        return self._replace(recorded={**self.recorded, plot: technician}, technician=self.technician or technician)

    def with_plots(self, plots: tuple[int, ...]) -> CheckView:
        """The same check with the lab's plots; those that were recorded and are retired since belong to it too."""
        # Without the retired ones a check that is complete would look as if it weren't.
        plots = tuple(sorted({*plots, *self.recorded}))
        return self if plots == self.plots else self._replace(plots=plots)

    def next_missing(self, after: int) -> int | None:
        """The next plot after ``after`` that is neither recorded nor being entered by somebody else, going round."""
        return next(iter(self.free_after(after)), None)

    def free_after(self, plot: int) -> list[int]:
        """Those of :meth:`missing_after` that nobody else is entering."""
        # Two who share a check never type into the same plot.
        taken = {each.plot for each in self.others}
        return [each for each in self.missing_after(plot) if each not in taken]

    def missing_after(self, plot: int) -> tuple[int, ...]:
        """The plots that aren't recorded, in the order in which they come after that one, which is the last."""
        # Whoever began in the middle of the lab comes round to its beginning.
        later = [each for each in self.plots if each > plot] + [each for each in self.plots if each <= plot]
        return tuple(each for each in later if each not in self.recorded)

    def left_to_others(self) -> Entering | None:
        """Who is entering the first plot that is missing, where others are entering all that are."""
        missing = [plot for plot in self.plots if plot not in self.recorded]
        entered = [self.entered_by(plot) for plot in missing]
        return entered[0] if entered and all(entered) else None

    def entered_by(self, plot: int) -> Entering | None:
        """Who else is entering that plot now."""
        return next((each for each in self.others if each.plot == plot), None)

    @property
    def complete(self) -> bool:
        """Whether every plot of the lab is recorded."""
        return self.known and bool(self.plots) and all(plot in self.recorded for plot in self.plots)


# Callbacks, not the application: the form can be made and tested without a database.
class FormCallbacks(NamedTuple):
    """What the form reports. ``save(record, opened)``: ``opened`` is the key of the record that was opened
    and is to be updated, ``None`` for a new one. ``find_draft(key)`` gives what is half typed of that plot,
    ``keep_draft(draft)`` keeps such a one when another check is chosen, where the plot has no other;
    ``is_other_draft(key, corrects)`` tells whether it has one besides what the form holds. ``confirmed()``: somebody
    has said who sits here; it returns whether the plot is being claimed now, until
    :meth:`DataRecordForm.claim_answered`. What isn't given does nothing."""

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
    """What the parts of the form share: what it holds, whom it asks, and what each part may ask of the whole.

    ``check`` and ``opened_record`` are what is known; ``saving``: a save is under way. ``callbacks`` may be
    set once those are there whom the form calls. ``confirmation``: who sits here. ``type_ahead`` collects keys that
    come before their plot. ``drafts``: of which plots something half typed is kept elsewhere.
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
        """The day of the check, while it is valid."""
        self.edition = 0
        """Another number once something of it may have changed, so that nobody looks at the same twice."""
        self.after_save: Callable[[], object] | None = None
        """What is to be done once the save that is under way is done."""

    @property
    def check_key(self) -> CheckKey | None:
        """Date, time and lab, when all three are valid."""
        date, time, lab = (self.inputs.value(name) for name in (F.DATE, F.TIME, F.LAB))
        if isinstance(date, datetime.date) and isinstance(time, str) and isinstance(lab, str):
            return date, time, lab
        return None

    @property
    def key(self) -> RecordKey | None:
        """Date, time, lab and plot, when all four are valid."""
        check, plot = self.check_key, self.inputs.value(F.PLOT)
        return (*check, plot) if check is not None and isinstance(plot, int) else None

    @property
    def new_key(self) -> RecordKey | None:
        """The key of the new record; ``None`` while it isn't all there, or a saved record is corrected."""
        return self.key if self.opened_record is None else None

    @property
    def plot(self) -> int | None:
        """The plot, when it is valid."""
        plot = self.inputs.value(F.PLOT)
        return plot if isinstance(plot, int) else None

    @property
    def corrects(self) -> bool:
        """Whether a save corrects the opened record: its technician is whoever recorded it, and stays so."""
        return self.opened_record is not None and self.opened_record.key == self.key

    @property
    def changed(self) -> bool:
        """Whether something was typed that would be lost with the form."""
        if self.opened_record is not None:
            # Compared by value: 24,1 that was typed over 24.10 is no change.
            return self.inputs.differ_from(self.opened_record)
        # What filled itself, and the check's own fields, would come again.
        return any(
            each.text not in ("", "false") and not each.filled_by_itself
            for name, each in self.inputs.items()
            if name not in (*CHECK_FIELDS, F.PLOT)
        )

    @property
    def focused(self) -> FieldInput | None:
        """The field that has the focus."""
        widget = focused_widget(self)
        return next((each for each in self.inputs.values() if each.editor is widget), None)

    @property
    def fills_itself(self) -> bool:
        """Whether the check's fields stay after a save, and plot and seed sample fill themselves."""
        return bool(self.settings["autofill sheet data"].get())

    def empty_plot(self) -> None:
        """Empty all but the check's fields."""
        self.inputs.fill({name: "" for name in self.inputs if name not in CHECK_FIELDS})
        # Another record: what stood in the readings before a fault isn't its.
        self.inputs.readings_before_fault = {}
        self.inputs.apply_fault()

    # -- what the parts ask of the whole: DataRecordForm does it ----------------------------------------

    def advance(self, name: str) -> None:
        """Enter in the field ``name``: on to the next required field, from the last one to a save."""
        raise NotImplementedError

    def begin_new(self, plot: int | None = None, all_fields: bool = False, asked: bool = False) -> None:
        """Begin a new record: the check's fields stay (``all_fields``: they are cleared too). ``asked``: somebody
        wants this very plot."""
        raise NotImplementedError

    def check_changed(self) -> None:
        """Date, time or lab may be others now."""
        raise NotImplementedError

    def close_fields(self, sentence: str) -> None:
        """Let nobody type here, and say why; an empty sentence opens the fields."""
        raise NotImplementedError

    def fill(self, texts: Mapping[str, str]) -> None:
        """Show these texts, as if they had been typed; but whose they are is nobody who has said so here."""
        raise NotImplementedError

    def focus_first_empty(self) -> None:
        """Put the focus where typing goes on: the first required field that is empty, or the next check."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Bring the strip, the previous readings and the remark beside the plot up to date."""
        raise NotImplementedError

    def refuse_save(self) -> None:
        """No save begins: what is typed on is for the plots that would have come."""
        raise NotImplementedError

    def show_draft(self) -> bool:
        """Show what is half typed of the plot that was just chosen; whether there is such a thing."""
        raise NotImplementedError

    def sound(self) -> None:
        """Tell of something that is wrong, where a sound is wanted."""
        raise NotImplementedError

    def submit(self) -> None:
        """Save: check every field; with errors the focus moves to the first, else the record goes up."""
        raise NotImplementedError
