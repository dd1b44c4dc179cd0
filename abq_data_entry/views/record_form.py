"""The form for one record: the check at its head, the plot's fields below, in the order of the paper sheet."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Collection, Mapping, Sequence
from tkinter import ttk
from typing import Any

from .. import fields
from ..constants import FieldNames as F
from ..constants import FieldTypes
from ..fields.dates import DateReader
from ..themes import Look
from ..widgets import FieldEntry, FieldInput, Scrolled
from ..widgets.focus import focused_widget
from ..widgets.typed import TypedField
from .check_panel import KEEP_DATE_KEY, WHOLE_CHECK_KEY, CheckPanel, DayOffer
from .form_content import CheckView, Entering, FormCallbacks, FormContent
from .form_keys import SAVING, Advancing, EnterKey, FormKeys
from .known_check import Awaiting, KnownCheck
from .opening import Autofill, HalfTyped, Opening
from .plot_panel import FormLayout, PlotPanel, ReasonLine, SaveBar, is_wanted
from .questions import Confirmation, DateAsking, Person
from .record_inputs import HEIGHTS, CheckKey, OpenedRecord, Record, RecordInputs, RecordKey
from .saving import Saving
from .type_ahead import TypeAhead
from .typed_keys import Place


class DataRecordForm(ttk.Frame):
    """Enter and correct records, one plot after the other.

    ``settings`` tells the autofills (``autofill date``, ``autofill sheet data``). The database's lists come
    by :meth:`show_choices`, what is known of the check by :meth:`show_check`.
    """

    def __init__(
        self,
        parent: tk.Misc,
        callbacks: FormCallbacks,
        settings: Mapping[str, tk.Variable],
        today: Callable[[], datetime.date] = datetime.date.today,
        month_first: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(parent)
        self._callbacks, self._today, self._settings = callbacks, today, settings
        self._before_strip: FieldInput | None = None
        self.inputs = RecordInputs(DateReader(today, month_first))
        self.content = FormContent(self.inputs)
        self.choices = self.inputs.choices
        self._autofill = Autofill(self.inputs, settings, today)
        self._make_parts()
        self._make_panels()
        self.type_ahead = TypeAhead(self, self)
        self._bind_keys()
        self.begin_new(all_fields=True)

    def _make_parts(self) -> None:
        content, callbacks = self.content, self._callbacks

        def fills_itself() -> bool:
            return self._autofill.sheet_data

        def advance(name: str) -> None:
            self.advance(name)

        self._awaiting = Awaiting(content, lambda: self.type_ahead, advance, fills_itself)
        self._known = KnownCheck(
            content,
            self._autofill,
            self._awaiting,
            lambda: self.type_ahead,
            callbacks.check_chosen,
            lambda plot: self.begin_new(plot=plot),
            lambda: self._half_typed.show_of_plot(),
            lambda: self.focus_first_empty(),
            self._refresh,
        )
        self._opening = Opening(
            content,
            self._autofill,
            self._today,
            self._check_changed,
            self._fill_seed_sample,
            self._refresh,
            self._close_fields,
            lambda: self._half_typed.show_of_plot(),
        )
        self._person = Person(
            content,
            callbacks.confirmed,
            self._awaiting.claim,
            lambda: self._saving.refused(),
            lambda: self._awaiting.is_waiting,
            self._refresh,
        )
        self.inputs.has_person = lambda: content.corrects or self._person.is_confirmed
        self._layout = FormLayout(self, self.inputs)
        self.save_bar = SaveBar(self, self.submit, callbacks.discard, self.focus_first_empty)
        self._half_typed = HalfTyped(
            content,
            self.reason,
            callbacks.find_draft,
            callbacks.keep_draft,
            callbacks.is_other_draft,
            self.fill,
            self._fill_seed_sample,
            lambda: self.person,
            self._opening.open_fields,
        )
        self._saving = Saving(
            content,
            self.reason,
            lambda: self.type_ahead,
            callbacks.save,
            lambda: self._dates.holds() or not self._person.is_there(),
            fills_itself,
        )
        self._enter = EnterKey(
            self.winfo_toplevel(),
            content,
            advance,
            lambda name: self._advancing.holds(name),
            lambda: self._is_on("auto advance"),
            lambda name: name in SAVING,
        )
        self._keys = FormKeys(self.inputs, self.submit)

    def _make_panels(self) -> None:
        content, callbacks, body = self.content, self._callbacks, self._layout.body
        self._check_panel = CheckPanel(
            body,
            self._add_input,
            callbacks.go_to_plot,
            callbacks.next_check,
            lambda: self._dates.keep(),
            self._leave_strip,
        )
        self._plot_panel = PlotPanel(body, self._add_input, self._open_existing)
        self._layout.place(self._check_panel, self._plot_panel, self.save_bar)
        self._keys.add_buttons(self)
        self._dates = DateAsking(
            content, self._check_panel, self._settings, self._today, lambda name: self.advance(name), self._sound
        )
        self._advancing = Advancing(
            content,
            self._awaiting,
            self._dates,
            self._person,
            self._half_typed.show_of_plot,
            self.submit,
            lambda: self.type_ahead.held(),
            self._sound,
        )

    def _bind_keys(self) -> None:
        technician, date = self.content.technician.editor, self.inputs[F.DATE].editor
        technician.bind("<<Left>>", lambda _event: self._person.take_typed_name())
        technician.bind("<<ComboboxSelected>>", lambda _event: self.confirm_technician(), add=True)
        self.inputs[F.PLOT].editor.bind("<<Left>>", lambda _event: self._half_typed.show_of_plot())
        self.inputs[F.PLOT].objection = lambda: self._half_typed.objection
        self.inputs[F.LAB].objection = lambda: self._known.objection
        date.bind("<<Left>>", lambda _event: self._dates.show())
        date.bind("<<PrevWindow>>", lambda _event: "break" if self.focus_strip() else None)
        window = self.winfo_toplevel()
        window.bind("<Key>", lambda _event: self.confirmation.key_pressed(), add=True)
        window.bind("<Button-1>", lambda _event: self._awaiting.end(), add=True)
        window.bind(f"<{KEEP_DATE_KEY}>", lambda _event: self._dates.keep())
        window.bind(f"<{WHOLE_CHECK_KEY}>", lambda _event: self._check_panel.technician_line.toggle())

    # -- what it holds --------------------------------------------------------------------------------

    @property
    def check(self) -> CheckView:
        """What is known of the check."""
        return self.content.check

    @check.setter
    def check(self, view: CheckView) -> None:
        self.content.check = view

    @property
    def saving(self) -> bool:
        """Whether a save is under way."""
        return self.content.saving

    @property
    def confirmation(self) -> Confirmation:
        """Who has confirmed the name in Technician, and until when that counts."""
        return self._person.confirmation

    @property
    def room(self) -> Scrolled:
        """What scrolls where the window is too small for all fields."""
        return self._layout.room

    @property
    def opened(self) -> RecordKey | None:
        """The key of the record that was opened, ``None`` on a new one."""
        return None if self.content.opened is None else self.content.opened.key

    @property
    def opened_record(self) -> OpenedRecord | None:
        """The record that was opened, as the database had it then."""
        return self.content.opened

    @property
    def person(self) -> str:
        """Who sits here, confirmed at Technician; empty while nobody is: a name that filled itself in is nobody."""
        return self._person.name

    @property
    def whole_check(self) -> bool:
        """Whether all plots of the check are to have the technician's name with the next save."""
        return self._check_panel.technician_line.wants_all(self.check_key, self.inputs[F.TECHNICIAN].text)

    @property
    def reason(self) -> ReasonLine:
        """The line that asks why a record is corrected."""
        return self.save_bar.reason

    @property
    def key(self) -> RecordKey | None:
        """The key that the form shows, when all four fields of it are valid."""
        return self.inputs.key

    @property
    def check_key(self) -> CheckKey | None:
        """Date, time and lab, when all three are valid."""
        return self.inputs.check_key

    @property
    def new_key(self) -> Place:
        """The key of the new record; ``None`` while it isn't all there, or a saved record is corrected."""
        return self.content.new_key

    @property
    def changed(self) -> bool:
        """Whether something was typed that would be lost with the form."""
        return self.content.changed

    def texts(self) -> dict[str, str]:
        """What stands in each field."""
        return self.inputs.texts()

    def get(self) -> Record:
        """The record with typed values; raises :class:`fields.FieldErrors`."""
        return self.inputs.record()

    # -- what it is told ------------------------------------------------------------------------------

    def show_choices(
        self,
        technicians: tuple[str, ...],
        labs: tuple[str, ...],
        plots: Mapping[str, tuple[int, ...]],
        seed_samples: Mapping[tuple[str, int], str],
    ) -> None:
        """The lists as the database has them now; ``seed_samples`` by lab and plot."""
        self.choices.update({F.TECHNICIAN: technicians, F.LAB: labs})
        self._known.plots, self._autofill.seed_samples = plots, seed_samples
        self._known.show_plots_of_lab()
        self._fill_seed_sample()
        is_confirmed = self._person.is_confirmed
        wrong = self._awaiting.check_lists()
        if is_confirmed and not self.content.technician.error:
            self.confirm_technician()  # the same person, by the whole name
        self._awaiting.stop_at(wrong)
        self._refresh()

    def show_check(self, view: CheckView) -> None:
        """What the database knows of the check; dropped when the user has gone on to another one."""
        self._known.show(view, self.person)

    def show_others(self, key: CheckKey, others: tuple[Entering, ...]) -> None:
        """Who else is entering the check ``key`` now."""
        self._known.show_others(key, others)

    def show_waiting(self, keys: Collection[RecordKey]) -> None:
        """These records wait on this computer for the database."""
        self._known.show_waiting(keys)

    def give_way(self, plot: int) -> bool:
        """Somebody else was quicker with that plot: on to the next one, unless it was asked for or typed into."""
        return self._known.give_way(plot)

    def plots_after(self, plot: int) -> tuple[int, ...]:
        """The plots of the check that are missing beside that one, in the order in which they come after it."""
        return self._known.plots_after(plot)

    def claim_answered(self) -> None:
        """Whose the plot is, is known: on with what was typed meanwhile."""
        self._awaiting.claim_answered()

    def show_changed(self, key: RecordKey, by: str) -> None:
        """``by`` has saved the record ``key``: say so while it is being corrected here."""
        self._opening.show_changed(key, by, self.person)

    def show_gone(self, key: RecordKey, how: str) -> None:
        """The record ``key`` was withdrawn or moved, and ``how`` says by whom: say so while it is open here."""
        self._opening.show_gone(key, how)

    def make_new(self) -> None:
        """The opened record has gone: what stands here is a new one, of whoever sits here."""
        self._opening.make_new(self.person)

    def show_read_only(self, sentence: str) -> None:
        """Records can only be looked at, and ``sentence`` says why; an empty one: they can be entered."""
        self._opening.show_read_only(sentence)

    @property
    def closed(self) -> RecordKey | None:
        """The plot that the form is at, though its record couldn't be opened."""
        return self._opening.closed

    def show_closed(self, key: RecordKey, sentence: str) -> None:
        """Be at that plot, whose record couldn't be opened; ``sentence`` says why. Nothing can be typed there."""
        self._opening.show_closed(key, sentence)
        self._plot_panel.focus_open()

    def _close_fields(self, sentence: str) -> None:
        self.inputs.set_read_only(bool(sentence))
        self._plot_panel.show_read_only(sentence)
        self.save_bar.show_read_only(bool(sentence))
        self._refresh()

    def open_record(self, record: Mapping[str, object], version: int | None = None, known_at: str = "") -> None:
        """Show a saved record for correction; ``version`` is the one that a save expects to find. ``known_at`` says
        of a copy when this computer learned of it."""
        self._opening.open(record, version, known_at)

    def begin_new(self, plot: int | None = None, all_fields: bool = False, asked: bool = False) -> None:
        """Begin a new record: the check's fields stay (``all_fields``: they are cleared too). ``asked``: somebody
        wants this very plot."""
        self._opening.begin_new(plot, all_fields, asked)

    def set_check(self, date: datetime.date, time: str, lab: str) -> None:
        """Go to another check with a new record."""
        self._opening.set_check(date, time, lab)

    def begin_day(self, *, leave_check: bool = False) -> bool:
        """Midnight has passed: a date that filled itself becomes today's.

        A check that was begun keeps its own, unless it is to be left. Returns whether the form has the date it should
        have.
        """
        return self._opening.begin_day(leave_check)

    def offer_day(self, offer: DayOffer | None) -> None:
        """Offer beside the check to go on to today; None: nothing is offered any more."""
        self._check_panel.offer_day(offer)

    def saved(self, record: Mapping[str, Any], claimed: int | None = None, leaves: bool = False) -> None:
        """The record is in the database: go on to the next plot that isn't recorded. ``claimed`` is the one that the
        database has kept free for this window, 0: none is free; ``None``: it wasn't asked. ``leaves``: the form will
        go somewhere else at once."""
        self.content.saving = False
        self.reason.remember(self.reason.text)
        key = record[F.DATE], record[F.TIME], record[F.LAB]
        self._check_panel.technician_line.saved(key, record[F.TECHNICIAN])
        self.begin_new(plot=self._saving.saved(record, claimed))
        self.focus_first_empty()
        self.type_ahead.accepted(leaves)

    def save_failed(self, errors: Mapping[str, str] | None = None) -> None:
        """The record is not saved: all stays as it was typed; ``errors`` by field name."""
        self._saving.failed(errors)

    def show_errors(self, errors: Mapping[str, str]) -> None:
        """Show the errors beside their fields and move the focus to the first one."""
        self._saving.show_errors(errors)

    def arrange(self) -> None:
        """Give all parts their sizes, for the size that the form has."""
        self._layout.arrange()

    @property
    def wanted_height(self) -> int:
        """The height in pixels at which nothing of the form has to scroll, as it is arranged now."""
        return self._layout.wanted_height

    def on_resize(self, action: Callable[[], object]) -> None:
        """Call ``action`` when what the form needs may have changed."""
        self._layout.on_resize(action)

    def show_look(self, look: Look) -> None:
        """Colours and spacing changed."""
        self._layout.show_look(look)

    # -- the keyboard ---------------------------------------------------------------------------------

    def submit(self) -> None:
        """Save: check every field; with errors the focus moves to the first, else the record goes up."""
        self._saving.submit()

    def advance(self, name: str) -> None:
        """Enter in the field ``name``: on to the next required field, from the last one to a save."""
        self._advancing.advance(name)

    def _sound(self) -> None:
        if self._is_on("sound"):
            self.bell()

    def focus_first_empty(self) -> None:
        """Put the focus where typing goes on: the first required field that is empty, or the next check."""
        if self.content.opened is None and self.check.complete and self._check_panel.focus_next_check():
            return
        self._advancing.focus_first_empty()

    def focus_strip(self) -> bool:
        """Put the focus on the strip of plots, or from there back; False: it has no plots."""
        if focused_widget(self) is self._check_panel.strip:
            self._leave_strip()
            return True
        self._before_strip = self.focused
        return self._check_panel.focus_strip()

    def _leave_strip(self) -> None:
        before = self._before_strip
        if before is not None and not before.is_disabled:
            before.focus_set()
        else:
            self.focus_first_empty()

    def focus_correction(self) -> None:
        """Put the focus where corrections of an opened record begin."""
        fault = self.inputs[F.EQUIPMENT_FAULT].text == "true"
        self.inputs[F.PLOT if self.inputs.read_only else F.PLANTS if fault else F.HUMIDITY].focus_set()

    @property
    def focused(self) -> FieldInput | None:
        """The field that has the focus."""
        return self.content.focused

    # -- who sits here --------------------------------------------------------------------------------

    def confirm_technician(self) -> None:
        """The name that stands in Technician is that of the one who sits here."""
        self._person.confirm()

    def forget_person(self) -> None:
        """Somebody else may sit here now: Technician is a stop again."""
        self._person.forget()

    # -- keys that are typed ahead --------------------------------------------------------------------

    def takes_ahead(self, place: Place) -> bool:
        """Whether keys that were typed for ``place`` can be typed into what the form shows now."""
        if self.saving or self.inputs.read_only or self.content.opened is not None or self.check.complete:
            return False
        return not self.changed or (place is not None and place == self.new_key)

    def keep_draft(self) -> None:
        """Something was typed that a draft has to hold."""
        self._callbacks.edited()

    # -- drafts ---------------------------------------------------------------------------------------

    def draft(self) -> dict[str, Any] | None:
        """What is being typed, as plain texts for a file; ``None`` when nothing would be lost."""
        return self._half_typed.draft()

    def restore_draft(self, draft: Mapping[str, Any]) -> None:
        """Show what :meth:`draft` gave."""
        self._half_typed.restore(draft)

    def fill(self, texts: Mapping[str, str]) -> None:
        """Show these texts, as if they had been typed; but whose they are is nobody who has said so here."""
        self.content.load(lambda: self.inputs.fill(texts))
        if F.TECHNICIAN in texts:
            self.content.technician.filled_by_itself = True
        self.inputs.forget_readings()
        self.inputs.apply_fault(clear=False)
        self._check_changed()
        self._refresh()

    def show_drafts(self, keys: Collection[RecordKey]) -> None:
        """These plots are half typed, and kept."""
        if self._half_typed.show(keys):
            self._refresh()

    def discard(self) -> None:
        """Give up what was typed: the saved record as it was, or the same plot, empty."""
        self._opening.discard()

    def focus_key(self) -> None:
        """Put the focus on the first field that is missing for the form to be of a certain plot."""
        self.inputs[self.content.missing_of_key()].focus_set()

    def next_plot(self) -> int | None:
        """The next plot after this one that is neither recorded nor half typed; a half-typed one if no other is left.
        """
        return self._half_typed.next_plot()

    def leave(self) -> None:
        """What is half typed is kept elsewhere: the form is of no plot until it is told which one comes."""
        self._opening.leave()

    # -- inside ---------------------------------------------------------------------------------------

    def _add_input(
        self, parent: tk.Misc, name: str, label: str = "", width: int = 9, label_width: int = 0
    ) -> FieldInput:
        each = self.inputs.add(parent, name, label, width, label_width)
        each.editor.bind("<Return>", lambda event: self._enter.pressed(name, event))
        each.editor.bind("<KP_Enter>", lambda event: self._enter.pressed(name, event))
        self._keys.add_field(name)
        each.editor.bind("<<Edited>>", lambda _event: self._edited(name), add=True)
        each.alarm = self._sound
        if isinstance(each.editor, TypedField):
            each.editor.spread = lambda cells: self._spread(name, cells)
        if isinstance(each.editor, FieldEntry):
            each.editor.implies_point = lambda: self._is_on("implied decimals")
            each.editor.bind("<<Full>>", lambda _event: self._enter.filled_up(name))
        if name in HEIGHTS:
            each.editor.bind("<<Left>>", lambda _event: self.inputs.check_across())
        return each

    def _spread(self, name: str, cells: Sequence[str]) -> str:
        """Paste a row of cells into the fields from ``name`` on; returns why not, empty where it was done."""
        problem = self.inputs.spread_problem(name, cells)
        if not problem:
            self.inputs[self.inputs.spread(name, cells)].focus_set()
        return problem

    def _is_on(self, setting: str) -> bool:
        variable = self._settings.get(setting)
        return variable is not None and bool(variable.get())

    def _edited(self, name: str) -> None:
        if self.content.is_loading:
            return
        self._enter.edited(name)
        if name in HEIGHTS:
            self.inputs.height_edited()
        if name in (F.DATE, F.TIME, F.LAB):
            self._half_typed.leave_check()
            self._check_changed()
            self._half_typed.come_back()
        if name in (F.LAB, F.PLOT):
            self._fill_seed_sample()
        if name == F.EQUIPMENT_FAULT:
            self.inputs.apply_fault()
        if name in fields.RECORD_KEY or name == F.TECHNICIAN:
            self._refresh()
        self.save_bar.show_discard(self.changed)
        self.type_ahead.show_offer()
        self._callbacks.edited()

    def _check_changed(self) -> None:
        self._half_typed.note_check()
        self._known.changed()

    def _fill_seed_sample(self) -> None:
        saved = "" if self.content.opened is None else self.content.opened.texts.get(F.SEED_SAMPLE, "")
        self._autofill.seed_sample(self.opened, saved)

    def _open_existing(self) -> None:
        if self.key is not None:
            self._callbacks.open_recorded(self.key)

    def _refresh(self) -> None:
        """Bring the strip, the previous readings and the remark beside the plot up to date."""
        plot = self.inputs.value(F.PLOT)
        current = plot if isinstance(plot, int) else None
        technician = self.inputs[F.TECHNICIAN].text
        self._check_panel.show(self.check, current, technician, self._half_typed.plots())
        self.save_bar.show_discard(self.changed)
        self._check_panel.ask_technician(self._person.question())
        focused = self.focused
        if focused is None or focused.name != F.DATE:  # while it is typed it may mean anything
            self._dates.show()
        previous = self.check.previous.get(current or 0, {})
        when = f"Recorded on {previous[F.DATE]} at {previous[F.TIME]}" if previous else ""
        for name, each in self.inputs.items():
            if each.field.group and each.field.type is not FieldTypes.BOOLEAN:
                each.show_previous(fields.format_value(each.field, previous.get(name)), when)
        self._plot_panel.show(self.key, self.content.opened, self.check, bool(self._half_typed.objection))
        self.save_bar.show_corrects(self.content.corrects)
        self.reason.ask(self._wants_reason())
        self.type_ahead.show_offer()

    def _wants_reason(self) -> bool:
        setting = self._settings.get("correction reason")
        opened = self.content.opened
        if opened is None or not self.content.corrects or setting is None or self.inputs.read_only:
            return False
        return is_wanted(str(setting.get()), opened.key[0], self._today())
