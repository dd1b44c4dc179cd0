"""The form for one record: the check at its head, the plot's fields below, in the order of the paper sheet."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from .. import fields
from ..constants import FieldNames as F
from ..constants import FieldTypes
from ..fields.dates import DateReader
from ..widgets import FieldEntry, FieldInput
from ..widgets.editors import TypedField
from ..widgets.focus import focused_widget
from .check_panel import KEEP_DATE_KEY, WHOLE_CHECK_KEY, CheckPanel
from .form_content import HEIGHTS, CheckKey, Entering, FormCallbacks, FormContent, MarkedFields, RecordInputs, RecordKey
from .form_keys import EnterKey, FormKeys
from .form_parts import Autofill, DateAsking, DraftKeeper, KnownCheck, PendingAnswer, Person, ShownRecord
from .noted_places import Notes, notes_line
from .plot_panel import FormLayout, PlotPanel, SaveBar, is_wanted
from .type_ahead import TypeAhead
from .typed_keys import Place


class DataRecordForm(FormContent):
    """Enter and correct records, one plot after the other.

    ``settings`` are the user's options, such as ``autofill date``. :meth:`show_choices` sets the lists of the
    database, and ``known.show`` the check. ``shown_record`` goes to other records, ``who`` knows the person at the
    window, ``draft_keeper`` handles drafts, and ``pending_answer`` holds keys back until the check or the plot is
    known.
    """

    def __init__(
        self,
        parent: tk.Misc,
        callbacks: FormCallbacks,
        settings: Mapping[str, tk.Variable],
        today: Callable[[], datetime.date] = datetime.date.today,
        month_first: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(parent, callbacks, settings, today, RecordInputs(DateReader(today, month_first)))
        self._before_strip: FieldInput | None = None
        self.choices = self.inputs.choices
        self.marked = MarkedFields(self.inputs)
        self._notes: Notes = {}
        self._previous: Mapping[str, Any] = {}
        self.field_to_correct: tuple[object, str] = (None, "")
        """The key of a record that is being opened, with the name of the field to correct in it."""
        self._autofill = Autofill(self)
        self.pending_answer = PendingAnswer(self)
        self.known = KnownCheck(self, self._autofill, self.pending_answer)
        self.shown_record = ShownRecord(self, self._autofill)
        self.who = Person(self, self.pending_answer)
        self._keys = FormKeys(self)
        self.layout = FormLayout(self, self.inputs)
        self.save_bar = SaveBar(self, self.submit, lambda: self.callbacks.discard(), self.focus_first_empty)
        self.reason = self.save_bar.reason
        """The line that asks why a record is corrected."""
        self.draft_keeper = DraftKeeper(self, self.reason, self._autofill, self.shown_record)
        body = self.layout.body
        self.check_panel = CheckPanel(
            body,
            self._add_input,
            lambda plot: self.callbacks.go_to_plot(plot),
            lambda: self.callbacks.next_check(),
            self.keep_date,
            lambda: self.focus_left(self._before_strip),
        )
        self.plot_panel = PlotPanel(body, self._add_input, self._open_existing)
        self.layout.place(self.check_panel, self.plot_panel, self.save_bar)
        self._keys.add_buttons(self)
        self.dates = DateAsking(self, self.check_panel)
        self._enter = EnterKey(self, self.pending_answer, self.dates, self.who)
        # Last, because it binds the keys of every widget that the form has by now.
        self.type_ahead = TypeAhead(self, self)
        self.room = self.layout.room
        """The frame that scrolls if the window is too small for all fields."""
        self._bind_keys()
        self.begin_new(all_fields=True)

    def _bind_keys(self) -> None:
        technician, date, plot = (self.inputs[name].editor for name in (F.TECHNICIAN, F.DATE, F.PLOT))
        technician.bind("<<Left>>", lambda _event: self.who.take_typed_name())
        technician.bind("<<ComboboxSelected>>", lambda _event: self.who.confirm(), add=True)
        plot.bind("<<Left>>", lambda _event: self.show_draft())
        self.inputs.has_person = self.who.is_known
        date.bind("<<Left>>", lambda _event: self.dates.show())
        date.bind("<<PrevWindow>>", lambda _event: "break" if self.focus_strip() else None)
        window = self.winfo_toplevel()
        window.bind("<Key>", lambda _event: self.confirmation.key_pressed(), add=True)
        window.bind("<Button-1>", lambda _event: self.pending_answer.end(), add=True)
        window.bind(f"<{KEEP_DATE_KEY}>", lambda _event: self.keep_date())
        window.bind(f"<{WHOLE_CHECK_KEY}>", lambda _event: self.check_panel.technician_line.toggle())

    # -- content --------------------------------------------------------------------------------------

    @property
    def opened(self) -> RecordKey | None:
        """The key of the opened record; ``None`` for a new one."""
        return None if self.opened_record is None else self.opened_record.key

    @property
    def person(self) -> str:
        """The person confirmed at Technician; empty if nobody is. A name that was only filled in doesn't count."""
        return self.confirmation.name

    # -- for the application --------------------------------------------------------------------------

    def show_choices(
        self,
        technicians: tuple[str, ...],
        labs: tuple[str, ...],
        plots: Mapping[str, tuple[int, ...]],
        seed_samples: Mapping[tuple[str, int], str],
    ) -> None:
        """Set the current lists of the database; ``seed_samples`` by lab and plot."""
        self.inputs.offer({F.TECHNICIAN: technicians, F.LAB: labs})
        self.known.plots, self._autofill.seed_samples = plots, seed_samples
        self.known.show_plots_of_lab()
        self._autofill.seed_sample()
        is_known = self.who.is_known()
        wrong = self.pending_answer.check_lists()
        if is_known and not self.inputs[F.TECHNICIAN].error:
            self.who.confirm()  # the same person, now with the whole name
        self.pending_answer.stop_at(wrong)
        self.refresh()

    def show_others(self, key: CheckKey, others: tuple[Entering, ...]) -> None:
        """Show who else is entering the check ``key`` now."""
        if key == self.check.key and others != self.check.others:
            self.check = self.check._replace(others=others)
            self.refresh()

    def show_notes(self, notes: Notes) -> None:
        """Show the open notes about labs, plots and checks."""
        if notes != self._notes:
            self._notes = notes
            self.refresh()

    def show_waiting(self, keys: Collection[RecordKey]) -> None:
        """Show which records wait on this computer for the database."""
        waiting = frozenset(plot for *of_check, plot in keys if tuple(of_check) == self.check.key)
        if waiting != self.check.waiting:
            self.check = self.check._replace(waiting=waiting)
            self.refresh()

    def show_closed(self, key: RecordKey, sentence: str) -> None:
        """Go to a plot whose record couldn't be opened; ``sentence`` says why. Nothing can be typed there."""
        self.shown_record.show_closed(key, sentence)
        self.plot_panel.focus_open()

    def close_fields(self, sentence: str) -> None:
        """Disable the fields and show why; an empty sentence enables them."""
        self.inputs.set_read_only(bool(sentence))
        self.plot_panel.show_read_only(sentence)
        self.refresh()

    def open_record(self, record: Mapping[str, object], version: int | None = None, known_at: str = "") -> None:
        """Show a saved record for correction.

        ``version`` is the one that a save expects in the database. ``known_at``: the time of a local copy, as text;
        empty if the record comes from the database.
        """
        self.shown_record.open(record, version, known_at)

    def begin_new(self, plot: int | None = None, all_fields: bool = False, asked: bool = False) -> None:
        """Begin a new record. Fields of the check stay unless ``all_fields``; ``asked``: the user chose this plot."""
        self.shown_record.begin_new(plot, all_fields, asked)

    def set_check(self, date: datetime.date, time: str, lab: str) -> None:
        """Go to another check with a new record."""
        self.shown_record.set_check(date, time, lab)

    # -- a save ---------------------------------------------------------------------------------------

    def submit(self) -> None:
        """Check every field; then save the record, or put the focus on the first error."""
        if self.saving or self.inputs.read_only or self.type_ahead.halts_save():
            return
        try:
            record = self.inputs.read()
        except fields.FieldErrors as error:
            self.show_errors(error.errors)
            self.refuse_save()
            return
        # After the errors, because while a record can't be saved, no questions are needed.
        if self.dates.holds() or not self.who.is_there():
            return
        # A record that was opened but not changed needs no reason.
        if self.reason.asked and self.changed and not self.reason.is_given():
            self.refuse_save()
            return
        self.saving = True
        self.type_ahead.begin(self._places_ahead())
        self.callbacks.save(record, self.corrects)

    def refuse_save(self) -> None:
        """Refuse to save; keys typed from now on belong to the plots that would have come next."""
        self.type_ahead.refused(self._places_ahead())

    def save_failed(self, errors: Mapping[str, str] | None = None) -> None:
        """Handle a failed save: everything stays as typed, and ``errors`` are shown, by field name."""
        self.saving = False
        if errors:
            self.show_errors(errors)
        self.type_ahead.refused()

    def show_errors(self, errors: Mapping[str, str]) -> None:
        """Show the errors beside their fields and move the focus to the first one."""
        for name, text in errors.items():
            if name in self.inputs:
                self.inputs[name].show_error(text)
        first = next((name for name in fields.FOCUS_ORDER if errors.get(name)), None)
        if first is not None:
            self.inputs[first].focus_set()

    def saved(self, record: Mapping[str, Any], claimed: int | None = None, leaves: bool = False) -> None:
        """Handle a successful save: go on to the next plot that isn't recorded.

        ``claimed`` is the plot that the database has claimed for this window; 0: none is free; ``None``: it wasn't
        asked. ``leaves``: the form will go to another record at once.
        """
        self.saving = False
        if self.reason.asked:
            self.reason.remember(self.reason.text)
        check, plot, technician = (record[F.DATE], record[F.TIME], record[F.LAB]), record[F.PLOT], record[F.TECHNICIAN]
        self.check_panel.technician_line.saved(check, technician)
        if self.check.key == check:
            self.check = self.check.with_recorded(plot, technician)
        # The database knows best which plots others are entering; what the form knows may be a moment old.
        following = self.check.next_missing(plot) if claimed is None else claimed or None
        self.shown_record.begin_new(following if self.fills_itself else None)
        self.focus_first_empty()
        self.type_ahead.accepted(leaves)

    def _places_ahead(self) -> list[Place]:
        """Return the plots that the form would show after this one, each once the one before it is recorded."""
        key = self.key
        if not self.fills_itself:
            return [None] * len(self.check.plots)  # without autofill, the user types the plot each time
        if key is None:
            return []
        return [(*key[:3], plot) for plot in self.check.free_after(key[3]) if plot != key[3]]

    # -- the keyboard ---------------------------------------------------------------------------------

    def advance(self, name: str) -> None:
        """Go on from the field ``name``, as Enter does: to the next required field, or after the last one save."""
        self._enter.advance(name)

    def sound(self) -> None:
        """Make a sound for an error, if the setting asks for it."""
        if self.settings["sound"].get():
            self.bell()

    def focus_first_empty(self) -> None:
        """Put the focus where typing continues: the first required field that is empty, or the next check."""
        if self.opened_record is None and self.check.complete and self.check_panel.focus_next_check():
            return
        self.who.take_typed_name()
        self.inputs[self.inputs.first_empty()].focus_set()

    def focus_strip(self) -> bool:
        """Put the focus on the strip of plots, or from the strip back; return False if the strip has no plots."""
        if focused_widget(self) is self.check_panel.strip:
            self.focus_left(self._before_strip)
            return True
        self._before_strip = self.focused
        return self.check_panel.focus_strip()

    def focus_left(self, field: FieldInput | None) -> None:
        """Put the focus back on the field that was left; if there is none, where typing continues."""
        if field is not None and not field.is_disabled:
            field.focus_again()
        else:
            self.focus_first_empty()

    def focus_correction(self) -> None:
        """Put the focus on the field to correct in an opened record, or where corrections usually begin."""
        (key, name), self.field_to_correct = self.field_to_correct, (None, "")
        if key == self.opened and name in self.inputs and not self.inputs[name].is_disabled:
            self.inputs[name].focus_set()
            return
        fault = self.inputs[F.EQUIPMENT_FAULT].text == "true"
        self.inputs[F.PLOT if self.inputs.read_only else F.PLANTS if fault else F.HUMIDITY].focus_set()

    def keep_date(self) -> str:
        """Keep the date, however unlikely, and go to the next field."""
        return self.dates.keep()

    # -- keys that are typed ahead --------------------------------------------------------------------

    def takes_ahead(self, place: Place) -> bool:
        """Return whether keys that were typed for ``place`` can be typed into what the form shows now."""
        if self.saving or self.inputs.read_only or self.opened_record is not None or self.check.complete:
            return False
        return not self.changed or (place is not None and place == self.new_key)

    def keep_draft(self) -> None:
        """Report that something was typed, so that the draft is kept."""
        self.callbacks.edited()

    # -- drafts ---------------------------------------------------------------------------------------

    def draft(self) -> dict[str, Any] | None:
        """Return what is being typed, as values that can be written as JSON; ``None`` if nothing would be lost."""
        return self.draft_keeper.draft() if self.changed else None

    def show_draft(self) -> bool:
        """Show the draft of the plot that was just chosen; return whether there is one."""
        return self.draft_keeper.show_of_plot()

    def fill(self, texts: Mapping[str, str]) -> None:
        """Show these texts as if they had been typed; the technician among them doesn't count as confirmed."""
        self.inputs.fill(texts)
        if F.TECHNICIAN in texts:
            self.inputs[F.TECHNICIAN].filled_by_itself = True
        self.inputs.readings_before_fault = {}
        self.inputs.apply_fault(clear=False)
        self.check_changed()
        self.refresh()

    def show_drafts(self, keys: Collection[RecordKey]) -> None:
        """Show which plots have drafts."""
        if self.drafts != keys:
            self.drafts = frozenset(keys)
            self.inputs[F.PLOT].objection = self.draft_keeper.objection if keys else None
            self.refresh()

    def focus_key(self) -> None:
        """Put the focus on the first of date, time, lab and plot that is missing; on Plot if none is."""
        key = (name for name in fields.FOCUS_ORDER if name in fields.RECORD_KEY)
        self.inputs[next((name for name in key if self.inputs.value(name) is None), F.PLOT)].focus_set()

    # -- inside ---------------------------------------------------------------------------------------

    def _add_input(
        self, parent: tk.Misc, name: str, label: str = "", width: int = 9, label_width: int = 0
    ) -> FieldInput:
        each = self.inputs.add(parent, name, label, width, label_width)
        for key in ("<Return>", "<KP_Enter>"):
            each.editor.bind(key, lambda event: self._enter.pressed(name, event))
        self._keys.add_field(name)
        each.editor.bind("<<Edited>>", partial(self._edited, name), add=True)
        each.on_error = self.sound
        if isinstance(each.editor, TypedField):
            each.editor.spread = partial(self._spread, name)
        if isinstance(each.editor, FieldEntry):
            each.editor.implies_point = self.settings["implied decimals"].get
            each.editor.bind("<<Full>>", lambda _event: self._enter.filled_up(name))
        if name in HEIGHTS:
            each.editor.bind("<<Left>>", lambda _event: self.inputs.check_across())
        return each

    def _spread(self, name: str, cells: Sequence[str]) -> str:
        """Paste a row of cells into the fields from ``name`` on; return why that can't be done, empty if it was."""
        problem = self.inputs.spread_problem(name, cells)
        if not problem:
            self.inputs[self.inputs.spread(name, cells)].focus_set()
        return problem

    def _edited(self, name: str, _event: object) -> None:
        self.edition += 1
        self._enter.edited(name)
        if name in HEIGHTS:
            self.inputs.height_edited()
        if name in (F.DATE, F.TIME, F.LAB):
            # The draft is kept for its plot before the form shows the other check.
            self.draft_keeper.leave_check()
            self.check_changed()
            self.draft_keeper.come_back()
        if name in (F.LAB, F.PLOT):
            self._autofill.seed_sample()
        if name == F.EQUIPMENT_FAULT:
            self.inputs.apply_fault()
        if name in fields.RECORD_KEY or name == F.TECHNICIAN:
            self.refresh()
        else:
            self.save_bar.show(self.changed, self.corrects, self.inputs.read_only)
            if self.type_ahead.aside:
                self.type_ahead.show_offer()
        self.callbacks.edited()

    def check_changed(self) -> None:
        """Handle a possible change of date, time or lab."""
        self.draft_keeper.note_check()
        self.known.changed()

    def _open_existing(self) -> None:
        key = self.key
        if key is not None:
            self.callbacks.open_recorded(key)

    def refresh(self) -> None:
        """Update the strip, the previous readings and the remark beside the plot."""
        self.edition += 1
        # Read once, because each of these properties reads several fields.
        check, plot, key, corrects, panel = self.check, self.plot, self.key, self.corrects, self.check_panel
        date = self.inputs.value(F.DATE)
        self.date = date if isinstance(date, datetime.date) else None
        half_typed = self.draft_keeper.plots() if self.drafts else frozenset()
        notes = notes_line(self._notes, self.inputs.value(F.LAB), self.check_key, plot) if self._notes else ""
        panel.show(check, plot, self.inputs[F.TECHNICIAN].text, half_typed, notes)
        question = self.who.question()
        if question != panel.technician_line.question:
            panel.ask_technician(question)
        if self.dates.asked_of != self.dates.concerns():
            focused = self.focused
            if focused is None or focused.name != F.DATE:  # an incomplete date may mean anything
                self.dates.show()
        previous = check.previous.get(plot or 0, {})
        if previous != self._previous:
            self._show_previous(previous)
        is_taken = bool(self.drafts) and bool(self.draft_keeper.objection())
        opened = self.opened_record
        self.marked.key = opened.key if opened is not None and corrects else None
        if self.marked.known:
            self.marked.show()
        self.plot_panel.show(key, opened, check, is_taken)
        self.save_bar.show(self.changed, corrects, self.inputs.read_only)
        wants_reason = corrects and self._wants_reason()
        if wants_reason != self.reason.asked:
            self.reason.ask(wants_reason)
        if self.type_ahead.aside:
            self.type_ahead.show_offer()

    def _show_previous(self, previous: Mapping[str, Any]) -> None:
        """Show the latest earlier record of the plot below the fields; an empty one clears it."""
        self._previous = previous
        when = f"Recorded on {previous[F.DATE]} at {previous[F.TIME]}" if previous else ""
        for name, each in self.inputs.items():
            if each.field.group and each.field.type is not FieldTypes.BOOLEAN:
                each.show_previous(fields.format_value(each.field, previous.get(name)) if previous else "", when)

    def _wants_reason(self) -> bool:
        opened = self.opened_record
        if opened is None or self.inputs.read_only:
            return False
        return is_wanted(str(self.settings["correction reason"].get()), opened.key[0], self.today())
