"""The form for one record: the check at its head, the plot's fields below, in the order of the paper sheet."""

from __future__ import annotations

import datetime
import time
import tkinter as tk
from collections.abc import Callable, Collection, Mapping, Sequence
from tkinter import ttk
from typing import Any, NamedTuple

from .. import fields
from ..constants import FieldNames as F
from ..constants import FieldTypes
from ..fields.dates import DateReader
from ..themes import Look
from ..widgets import FieldEntry, FieldInput, FieldNotes, Scrolled
from ..widgets.focus import focused_widget
from ..widgets.note_line import measure_in
from ..widgets.typed import TypedField
from .autofill import Autofill
from .check_panel import CheckPanel, CheckView, Entering
from .confirmation import Confirmation
from .date_line import KEY as KEEP_DATE_KEY
from .date_line import DateQuestion, question
from .day_line import DayOffer
from .form_keys import FormKeys
from .opened_record import OpenedRecord, opened_in
from .plot_panel import PlotPanel
from .reason import ReasonLine, is_wanted
from .record_inputs import CHECK_FIELDS, HEIGHTS, CheckKey, Record, RecordInputs, RecordKey
from .repeated_enter import RepeatedEnter
from .save_bar import SaveBar
from .technician_line import KEY as WHOLE_CHECK_KEY
from .technician_line import TechnicianQuestion
from .type_ahead import TypeAhead
from .typed_keys import Place

SAVING = (F.MEDIAN_HEIGHT, F.NOTES)
"""The fields in which Enter saves."""

OLD_DATE_DAYS = 7
# How wide the form is, in digits, where one line is enough for the words below the fields of its head, and of a column.
LETTERS_OF_HEAD, LETTERS_OF_READING = 120, 45
HABIT_SECONDS = 1.0  # in which Enter after a field that went on by itself is the habitual one


class FormCallbacks(NamedTuple):
    """What the form reports. ``save(record, opened)``: ``opened`` is the key of the record that was opened
    and is to be updated, ``None`` for a new one. ``find_draft(key)`` gives what is half typed of that plot,
    ``keep_draft(draft)`` keeps such a one when another check is chosen, where the plot has no other;
    ``is_other_draft(key, corrects)`` tells whether it has one besides what the form holds. ``confirmed()``: somebody
    has said who sits here; it returns whether the plot is being claimed now, until
    :meth:`DataRecordForm.claim_answered`."""

    check_chosen: Callable[[datetime.date, str, str], object]
    save: Callable[[Record, RecordKey | None], object]
    go_to_plot: Callable[[int], object]
    open_recorded: Callable[[RecordKey], object]
    edited: Callable[[], object]
    confirmed: Callable[[], bool]
    next_check: Callable[[], object]
    discard: Callable[[], object]
    find_draft: Callable[[RecordKey], Mapping[str, Any] | None]
    keep_draft: Callable[[Mapping[str, Any]], bool]
    is_other_draft: Callable[[RecordKey, bool], bool]


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
        self._callbacks = callbacks
        self._today = today
        self._opened: OpenedRecord | None = None
        self._technician = ("", False)
        self._settings = settings
        self._loading = False
        self._enter_to_swallow = ("", 0.0)  # in which field, until when
        self.saving = False
        self._plots: Mapping[str, tuple[int, ...]] = {}
        self.check = CheckView()
        self._drafts: Collection[RecordKey] = ()
        self._last_check: CheckKey | None = None
        self._left: RecordKey | None = None  # the plot that was left half typed for another check
        self._may_not = ""
        self._awaiting = ""
        self._claims = False
        self.closed: RecordKey | None = None
        """The plot that the form is at, though its record couldn't be opened."""
        self.confirmation = Confirmation()
        self._stopped_at: tk.Misc | None = None
        self.inputs = RecordInputs(DateReader(today, month_first))
        self.inputs.has_person = lambda: self._corrects or self._is_confirmed
        self._keys = FormKeys(self.inputs, self.submit)
        self.choices = self.inputs.choices
        self._autofill = Autofill(self.inputs, settings, today)
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self.room = Scrolled(self)
        """What scrolls where the window is too small for all fields."""
        self.room.grid(row=0, column=0, sticky="nsew")
        self._body = body = ttk.Frame(self.room.inside, padding=(16, 8, 16, 0))
        body.columnconfigure(0, weight=1)
        body.rowconfigure(2, weight=1)
        self._check_panel = CheckPanel(
            body, self._add_input, callbacks.go_to_plot, callbacks.next_check, self._keep_date, self._leave_strip
        )
        self._check_panel.grid(row=0, column=0, sticky="ew")
        ttk.Frame(body, style="Line.TFrame", height=1).grid(row=1, column=0, sticky="ew", pady=8)
        self._plot_panel = PlotPanel(body, self._add_input, self._open_existing)
        self._plot_panel.grid(row=2, column=0, sticky="nsew")
        self.save_bar = SaveBar(self, self.submit, callbacks.discard, self.focus_first_empty)
        self.save_bar.grid(row=1, column=0, sticky="ew")
        self.room.hold(body, self._fit)
        self._keys.add_buttons(self)
        self.type_ahead = TypeAhead(self, self)
        technician = self.inputs[F.TECHNICIAN].editor
        technician.bind("<<Left>>", lambda _event: self._take_typed_name())
        self.inputs[F.PLOT].editor.bind("<<Left>>", lambda _event: self._show_draft())
        self.inputs[F.PLOT].objection = lambda: self._other_draft
        self.inputs[F.LAB].objection = lambda: self._no_plots
        technician.bind("<<ComboboxSelected>>", lambda _event: self.confirm_technician(), add=True)
        window = self.winfo_toplevel()
        self._enter = RepeatedEnter(window)
        window.bind("<Key>", lambda _event: self.confirmation.key_pressed(), add=True)
        window.bind("<Button-1>", lambda _event: self._wait_no_more(), add=True)
        self.inputs[F.DATE].editor.bind("<<Left>>", lambda _event: self._show_date_line())
        self.inputs[F.DATE].editor.bind("<<PrevWindow>>", lambda _event: "break" if self.focus_strip() else None)
        self._before_strip: FieldInput | None = None
        window.bind(f"<{KEEP_DATE_KEY}>", lambda _event: self._keep_date())
        window.bind(f"<{WHOLE_CHECK_KEY}>", lambda _event: self._check_panel.technician_line.toggle())
        self.begin_new(all_fields=True)

    # -- what it holds --------------------------------------------------------------------------------

    @property
    def opened(self) -> RecordKey | None:
        """The key of the record that was opened, ``None`` on a new one."""
        return None if self._opened is None else self._opened.key

    @property
    def opened_record(self) -> OpenedRecord | None:
        """The record that was opened, as the database had it then."""
        return self._opened

    @property
    def person(self) -> str:
        """Who sits here, confirmed at Technician; empty while nobody is: a name that filled itself in is nobody."""
        return self.confirmation.name

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
        return self.key if self._opened is None else None

    @property
    def changed(self) -> bool:
        """Whether something was typed that would be lost with the form."""
        if self._opened is not None:
            return self.inputs.differ_from(self._opened.texts)
        return self.inputs.typed

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
        self._plots, self._autofill.seed_samples = plots, seed_samples
        self._show_plots_of_lab()
        self._fill_seed_sample()
        self._check_lists()
        self._refresh()

    def show_check(self, view: CheckView) -> None:
        """What the database knows of the check; dropped when the user has gone on to another one."""
        if view.key != self.check_key:
            return
        # Only the first answer fills fields and moves the focus: what others record later moves nothing.
        first = self.check.key != view.key or not self.check.known
        is_back = bool(self.check.known_at) and not view.known_at
        self.check = view
        if self._opened is None and first:
            self._autofill.technician(view, self.person)
        plot = self.inputs[F.PLOT]
        # Readings that are being typed keep their plot, even if somebody else was quicker with it.
        if self._opened is None and not self.changed and (not plot.text or (first and plot.filled_by_itself)):
            self._autofill.plot(view)
            self._show_draft()
        focused = self.focused
        is_filled = focused is not None and focused.name in (F.TECHNICIAN, F.PLOT) and focused.filled_by_itself
        if first and is_filled and not self._awaiting:
            self.focus_first_empty()  # whoever was quicker than the database isn't left in a filled field
        self._refresh()
        self._go_on_waiting()
        at = self.inputs.value(F.PLOT)
        if is_back and isinstance(at, int) and at in view.recorded:
            self.give_way(at)  # a colleague has recorded it while the database was away

    def show_others(self, key: CheckKey, others: tuple[Entering, ...]) -> None:
        """Who else is entering the check ``key`` now."""
        if key == self.check.key and others != self.check.others:
            self.check = self.check._replace(others=others)
            self._refresh()

    def give_way(self, plot: int) -> bool:
        """Somebody else was quicker with that plot: on to the next one, unless it was asked for or typed into."""
        filled = self.inputs[F.PLOT].filled_by_itself
        under_way = self.changed or self.saving or (self.type_ahead.is_busy and not self._claims)
        if self._opened is not None or under_way or not filled or self.inputs.value(F.PLOT) != plot:
            return False
        focused = self.focused
        self.begin_new(plot=self.check.next_missing(plot))
        if focused is not None and focused.name not in CHECK_FIELDS:
            self.focus_first_empty()
        if self.check.key is not None:
            self.type_ahead.refused([(*self.check.key, plot)])  # who is typing already means the other plot
        return True

    def claim_answered(self) -> None:
        """Whose the plot is, is known: on with what was typed meanwhile."""
        if self._claims:
            self._claims = False
            self.type_ahead.arrived()

    def show_changed(self, key: RecordKey, by: str) -> None:
        """``by`` has saved the record ``key``: say so while it is being corrected here."""
        if self._opened is not None and self._opened.key == key:
            named = "You (in another window)" if by and by == self.person else by
            self._opened = self._opened._replace(changed_by=named)
            self._refresh()

    def show_gone(self, key: RecordKey, how: str) -> None:
        """The record ``key`` was withdrawn or moved, and ``how`` says by whom: say so while it is open here."""
        if self._opened is not None and self._opened.key == key:
            self._opened = self._opened._replace(gone=how)
            self._refresh()

    def make_new(self) -> None:
        """The opened record has gone: what stands here is a new one, of whoever sits here."""
        self._opened = None
        self.inputs.of_record = {}
        self.inputs[F.TECHNICIAN].fill(self.person or self._technician[0], by_itself=True)
        self._refresh()

    def show_read_only(self, sentence: str) -> None:
        """Records can only be looked at, and ``sentence`` says why; an empty one: they can be entered."""
        self._may_not = sentence
        if self.closed is None and bool(sentence) != self.inputs.read_only:
            self._close_fields(sentence)

    def show_closed(self, key: RecordKey, sentence: str) -> None:
        """Be at that plot, whose record couldn't be opened; ``sentence`` says why. Nothing can be typed there."""
        if key[:3] != self.check_key:
            self.set_check(*key[:3])
        self.begin_new(plot=key[3], asked=True)
        self.closed = key
        self._close_fields(sentence)
        self._plot_panel.focus_open()

    def _close_fields(self, sentence: str) -> None:
        self.inputs.set_read_only(bool(sentence))
        self._plot_panel.show_read_only(sentence)
        self.save_bar.show_read_only(bool(sentence))
        self._refresh()

    def _open_fields(self) -> None:
        """Another plot than the closed one is shown."""
        if self.closed is not None:
            self.closed = None
            self._close_fields(self._may_not)

    def open_record(self, record: Mapping[str, object], version: int | None = None, known_at: str = "") -> None:
        """Show a saved record for correction; ``version`` is the one that a save expects to find. ``known_at`` says
        of a copy when this computer learned of it."""
        self._open_fields()
        technician = self.inputs[F.TECHNICIAN]
        if self._opened is None:
            self._technician = (technician.text, technician.filled_by_itself)
        self._loading = True
        self.inputs.of_record = record
        self.inputs.fill(
            {name: fields.format_value(each.field, record.get(name)) for name, each in self.inputs.items()}
        )
        self._loading = False
        self.inputs.forget_readings()
        self.inputs.apply_fault()
        key = self.key
        self._opened = None if key is None else OpenedRecord(key, self.texts(), version, known_at=known_at)
        self._check_changed()
        self._refresh()

    def begin_new(self, plot: int | None = None, all_fields: bool = False, asked: bool = False) -> None:
        """Begin a new record: the check's fields stay (``all_fields``: they are cleared too). ``asked``: somebody
        wants this very plot."""
        self._open_fields()
        self._loading = True
        if self._opened is not None:
            # Whoever sits here is the one from before, not the one whose record was looked at.
            self.inputs[F.TECHNICIAN].fill(*self._technician)
        self._opened = None
        self.inputs.of_record = {}
        stay = () if all_fields or not self._autofill.sheet_data else CHECK_FIELDS
        for name, each in self.inputs.items():
            if name not in stay:
                each.fill("")
            each.show_error("")
        self._autofill.date()
        self.inputs.forget_readings()
        self.inputs.apply_fault()
        if plot is not None:
            self.inputs[F.PLOT].fill(str(plot), by_itself=not asked)
        else:
            self._check_changed()
            self._autofill.plot(self.check)
        self._fill_seed_sample()
        self._loading = False
        self._refresh()
        self._show_draft()

    def set_check(self, date: datetime.date, time: str, lab: str) -> None:
        """Go to another check with a new record."""
        same_day = self.inputs.value(F.DATE) == date and self.inputs[F.DATE].filled_by_itself
        self._loading = True
        for name, text in ((F.DATE, date.isoformat()), (F.TIME, time), (F.LAB, lab)):
            self.inputs[name].fill(text, by_itself=same_day and name == F.DATE)
        for name in (F.PLOT, F.TECHNICIAN):
            self.inputs[name].filled_by_itself = True
        self.begin_new()

    def begin_day(self, *, leave_check: bool = False) -> bool:
        """Midnight has passed: a date that filled itself becomes today's.

        A check that was begun keeps its own, unless it is to be left. Returns whether the form has the date it should
        have.
        """
        date, today = self.inputs[F.DATE], self._today().isoformat()
        if not date.filled_by_itself or date.text == today:
            return True
        under_way = bool(self.check.recorded) and not (self.check.complete and self.check.following is None)
        under_way = under_way and not leave_check
        if self.changed or self.saving or self._opened is not None or under_way:
            return False
        date.fill(today, by_itself=True)
        self._check_changed()
        self._refresh()
        return True

    def offer_day(self, offer: DayOffer | None) -> None:
        """Offer beside the check to go on to today; None: nothing is offered any more."""
        self._check_panel.offer_day(offer)

    def plots_after(self, plot: int) -> tuple[int, ...]:
        """The plots of the check that are missing beside that one, in the order in which they come after it."""
        later = [each for each in self.check.plots if each > plot] + [each for each in self.check.plots if each < plot]
        return tuple(each for each in later if each not in self.check.recorded)

    def saved(self, record: Mapping[str, Any], claimed: int | None = None, leaves: bool = False) -> None:
        """The record is in the database: go on to the next plot that isn't recorded. ``claimed`` is the one that the
        database has kept free for this window, 0: none is free; ``None``: it wasn't asked. ``leaves``: the form will
        go somewhere else at once."""
        self.saving = False
        self.reason.remember(self.reason.text)
        key = record[F.DATE], record[F.TIME], record[F.LAB]
        self._check_panel.technician_line.saved(key, record[F.TECHNICIAN])
        if self.check.key == key:
            self.check = self.check.with_recorded(record[F.PLOT], record[F.TECHNICIAN])
        after = int(record[F.PLOT])
        following = self.check.next_missing(after) if claimed is None else claimed or None
        self.begin_new(plot=following if self._autofill.sheet_data else None)
        self.focus_first_empty()
        self.type_ahead.accepted(leaves)

    def show_waiting(self, keys: Collection[RecordKey]) -> None:
        """These records wait on this computer for the database."""
        waiting = frozenset(plot for *check, plot in keys if tuple(check) == self.check.key)
        if waiting != self.check.waiting:
            self.check = self.check._replace(waiting=waiting)
            self._refresh()

    def save_failed(self, errors: Mapping[str, str] | None = None) -> None:
        """The record is not saved: all stays as it was typed; ``errors`` by field name."""
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

    def arrange(self) -> None:
        """Give all parts their sizes, for the size that the form has."""
        self.save_bar.fit(self.winfo_width())
        self.room.arrange()

    @property
    def wanted_height(self) -> int:
        """The height in pixels at which nothing of the form has to scroll, as it is arranged now."""
        return self._body.winfo_reqheight() + self.save_bar.winfo_reqheight()

    def on_resize(self, action: Callable[[], object]) -> None:
        """Call ``action`` when what the form needs may have changed."""
        self._body.bind("<Configure>", lambda _event: action(), add=True)

    def _fit(self, width: int) -> bool:
        """Arrange the parts for this width; whether anything has changed."""
        self.save_bar.fit(self.winfo_width())
        inside = width - 2 * int(str(self.tk.splitlist(self._body.cget("padding"))[0]))
        changed = self._check_panel.fit(inside)
        changed = self._plot_panel.fit(inside) or changed
        return self._reserve_notes(inside) or changed

    def _reserve_notes(self, width: int) -> bool:
        """Keep two lines for the words below a field where one is too short for a sentence."""
        letters = width // measure_in("AbqSmall", self)("0")
        readings = [each.name for _title, members in fields.GROUPS for each in members]
        heads = [name for name in self.inputs if name not in (*readings, F.EQUIPMENT_FAULT, F.NOTES)]
        changed = self.inputs.reserve_notes(heads, 1 if letters >= LETTERS_OF_HEAD else 2)
        lines = 1 if letters >= LETTERS_OF_READING * self._plot_panel.columns else 2
        return self.inputs.reserve_notes(readings, lines) or changed

    def show_look(self, look: Look) -> None:
        """Colours and spacing changed."""
        self.room.show_look(look)
        self._check_panel.show_look(look)
        for each in self.inputs.values():
            if isinstance(each.editor, ttk.Entry):
                # Else the text stays at the height that suited the old font (Tk 8.6).
                each.editor.configure(font="TkTextFont")
        notes = self.inputs[F.NOTES].editor
        if isinstance(notes, FieldNotes):
            notes.show_look(look)

    # -- the keyboard ---------------------------------------------------------------------------------

    def submit(self) -> None:
        """Save: check every field; with errors the focus moves to the first, else the record goes up."""
        if self.saving or self.inputs.read_only or self.type_ahead.halts_save():
            return
        errors = self.inputs.errors()
        if errors:
            self.show_errors(errors)
            self.type_ahead.refused(self._places_ahead())
            return
        if self._asks_date() or not self._has_person():
            return
        if self.changed and not self.reason.is_given():
            self.type_ahead.refused(self._places_ahead())
            return
        self.saving = True
        self.type_ahead.begin(self._places_ahead())
        self._callbacks.save(self.get(), self.opened if self.opened == self.key else None)

    def advance(self, name: str) -> None:
        """Enter in the field ``name``: on to the next required field, from the last one to a save.

        A field that is wrong or empty keeps the focus, so that what is typed next replaces it and gets nowhere else.
        """
        if self._waits_for_check(name):
            return
        if self._holds(name):
            return
        if name == F.DATE and self._asks_date(entered=True):
            return
        if name == F.TECHNICIAN and not self._corrects:
            self.confirm_technician()
            if self._go_on_saving():
                return
        if name == F.PLOT and self._show_draft():
            self.focus_first_empty()
            return
        following = None if name in SAVING else self.inputs.after(name)
        if name in CHECK_FIELDS and following not in CHECK_FIELDS and self._is_looked_up:
            self._wait_at(name)
        elif following is None:
            self.submit()
        else:
            # What is typed of the plot already, as where a draft came back, isn't typed over.
            goes_on = self._opened is None and self.changed and following not in (*CHECK_FIELDS, F.PLOT)
            begins = name in (*CHECK_FIELDS, F.PLOT)
            self.inputs[self.inputs.first_empty() if goes_on and begins else following].focus_set()

    def _holds(self, name: str) -> bool:
        """Whether the field keeps the focus: it is wrong, or required and empty. Its text is selected then."""
        each = self.inputs[name]
        each.check()
        if name in HEIGHTS:
            self.inputs.check_across()
        if not each.error:
            return False
        each.focus_set()
        self.type_ahead.held()
        self._sound()
        return True

    # -- before the check is known --------------------------------------------------------------------

    @property
    def _is_looked_up(self) -> bool:
        """Whether the database is still to tell which plot comes next."""
        unknown = self.check_key is not None and not self.check.known and not self.check.problem
        return unknown and self._opened is None and self._autofill.sheet_data

    def _waits_for_check(self, name: str) -> bool:
        """Enter in an empty Technician, which may fill itself in a moment: how many Enters it takes to the first value
        doesn't depend on how fast the database is."""
        if name != F.TECHNICIAN or self.inputs[name].text or not self._is_looked_up:
            return False
        self._wait_at(name)
        return True

    def _wait_at(self, name: str) -> None:
        self._awaiting = name
        self.type_ahead.wait(None)

    def _go_on_waiting(self) -> None:
        """The check is known, or can't be: on from where Enter waited, with what was typed meanwhile."""
        if not self._awaiting or self._is_looked_up:
            return
        name, self._awaiting = self._awaiting, ""
        self.advance(name)
        if self._awaiting:
            return
        focused = self.focused
        if self.inputs[name].error or focused is None or focused.name in (*CHECK_FIELDS, F.PLOT):
            self.type_ahead.refused()  # it was typed for a reading
        else:
            self.type_ahead.arrived()

    def _wait_no_more(self) -> None:
        """Somebody clicks: what is typed next is for where that leads."""
        if self._awaiting:
            self._awaiting = ""
            self.type_ahead.refused()

    def _check_lists(self) -> None:
        """The lists are here: what was typed before them is completed, or marked, and holds what follows."""
        focused, is_confirmed = self.focused, self._is_confirmed
        wrong = ""
        for name in (F.LAB, F.TECHNICIAN, F.PLOT):
            each = self.inputs[name]
            is_being_typed = each is focused and not self._awaiting
            if not each.text or is_being_typed or self._opened is not None or self.choices.get(name) is None:
                continue
            if not each.check():
                wrong = wrong or name
        if is_confirmed and not self.inputs[F.TECHNICIAN].error:
            self.confirm_technician()  # the same person, by the whole name
        if wrong and self._awaiting:
            self._awaiting = ""
            self.inputs[wrong].focus_set()
            self.type_ahead.refused()

    def _sound(self) -> None:
        if self._is_on("sound"):
            self.bell()

    def focus_first_empty(self) -> None:
        """Put the focus where typing goes on: the first required field that is empty, or the next check."""
        if self._opened is None and self.check.complete and self._check_panel.focus_next_check():
            return
        self._take_typed_name()
        self.inputs[self.inputs.first_empty()].focus_set()

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
        widget = focused_widget(self)
        return next((each for each in self.inputs.values() if each.editor is widget), None)

    # -- a day that the check hardly is of --------------------------------------------------------------

    def _date_question(self) -> DateQuestion | None:
        """What is to be asked about the date; nothing of one that filled itself, or of the record that is corrected."""
        date, days = self.inputs.value(F.DATE), self._settings.get("old_date_days")
        filled = self.inputs[F.DATE].filled_by_itself or self.inputs.read_only
        if not isinstance(date, datetime.date) or filled or (self._opened is not None and self._opened.key[0] == date):
            return None
        return question(date, self._today(), int(days.get()) if days is not None else OLD_DATE_DAYS)

    def _show_date_line(self) -> None:
        self._check_panel.ask_date(self._date_question())

    def _asks_date(self, entered: bool = False) -> bool:
        """Whether the date is still to be kept or changed: then it has the focus. ``entered``: Enter keeps it."""
        line = self._check_panel.date_line
        is_new = self._check_panel.ask_date(self._date_question())
        if not line.asks or (entered and not is_new and line.answer_with_enter()):
            return False
        self.inputs[F.DATE].focus_set()
        self._sound()
        return True

    def _keep_date(self) -> str:
        """The date is right, however unlikely; on to the next field."""
        self.inputs[F.DATE].check()
        self._show_date_line()
        line = self._check_panel.date_line
        if line.asks:
            line.keep()
            focused = self.focused
            if focused is not None and focused.name == F.DATE:
                self.advance(F.DATE)
        return "break"

    # -- who sits here --------------------------------------------------------------------------------

    def confirm_technician(self) -> None:
        """The name that stands in Technician is that of the one who sits here."""
        name = self.inputs.value(F.TECHNICIAN)
        if self._corrects or self.inputs.read_only or not isinstance(name, str):
            return
        self.confirmation.confirm(name)
        is_new = self._opened is None and not self.saving and not self._awaiting
        if self._callbacks.confirmed() and is_new and not self.changed:
            self._claims = True
            self.type_ahead.wait(self.key)  # a key belongs to a plot that is this window's
        self.inputs[F.TECHNICIAN].filled_by_itself = True  # once confirmed it stands there; a pause ends that
        self._refresh()

    def forget_person(self) -> None:
        """Somebody else may sit here now: Technician is a stop again."""
        self.confirmation.forget()
        self.inputs[F.TECHNICIAN].filled_by_itself = bool(self.inputs[F.TECHNICIAN].text)
        self._refresh()

    @property
    def _corrects(self) -> bool:
        """Whether a save corrects the opened record: its technician is whoever recorded it, and stays so."""
        return self._opened is not None and self._opened.key == self.key

    @property
    def _is_confirmed(self) -> bool:
        return bool(self.person) and self.inputs[F.TECHNICIAN].text == self.person

    def _take_typed_name(self) -> None:
        """A name that was typed or picked needs no Enter; one that filled itself in does."""
        technician = self.inputs[F.TECHNICIAN]
        if self._opened is None and not self._is_confirmed and technician.text and not technician.filled_by_itself:
            self.confirm_technician()

    def _has_person(self) -> bool:
        """Whether the save has somebody who does it; else it stops at Technician."""
        if self._corrects:
            return True
        self._take_typed_name()
        if self._is_confirmed:
            return True
        technician = self.inputs[F.TECHNICIAN]
        self._stopped_at = focused_widget(self)
        technician.focus_set()
        technician.show_hint("Not saved yet. Who are you? Enter takes this name.")
        self.type_ahead.refused(self._places_ahead())
        return False

    def _go_on_saving(self) -> bool:
        """Back to where a save was stopped to ask for the technician; whether there is such a place."""
        place, self._stopped_at = self._stopped_at, None
        if place is None or not place.winfo_viewable():
            return False
        place.focus_set()
        return True

    def _question(self) -> TechnicianQuestion | None:
        """Whose the plots of a check are that a colleague began, once another technician is chosen."""
        check, key, chosen = self.check, self.check_key, self.inputs[F.TECHNICIAN].text
        plot = self.inputs.value(F.PLOT)
        mine = isinstance(plot, int) and plot in check.recorded
        others = [each for each, name in check.recorded.items() if name != chosen and each != plot]
        if self._opened is not None:
            known, is_chosen = self._opened.texts.get(F.TECHNICIAN), self._corrects
        else:
            known, is_chosen = check.technician, self._is_confirmed
        if key is None or check.key != key or not others or chosen == known or not is_chosen:
            return None
        if self.inputs.value(F.TECHNICIAN) != chosen or self.inputs.read_only:
            return None
        return TechnicianQuestion(key, chosen, check.technician or "", len(check.recorded) + (not mine))
    # -- keys that are typed ahead --------------------------------------------------------------------

    def takes_ahead(self, place: Place) -> bool:
        """Whether keys that were typed for ``place`` can be typed into what the form shows now."""
        if self.saving or self.inputs.read_only or self._opened is not None or self.check.complete:
            return False
        return not self.changed or (place is not None and place == self.new_key)

    def keep_draft(self) -> None:
        """Something was typed that a draft has to hold."""
        self._callbacks.edited()

    def _places_ahead(self) -> list[Place]:
        """The plots that the form would show after this one, as far as it knows now; each is recorded before the next
        is shown."""
        key, check = self.key, self.check
        if not self._autofill.sheet_data:
            return [None] * len(check.plots)  # which plot it is, is typed each time
        places: list[Place] = []
        plot = None if key is None else key[3]
        while key is not None and plot is not None:
            check = check.with_recorded(plot, self.inputs[F.TECHNICIAN].text)
            plot = check.next_missing(plot)
            if plot is not None:
                places.append((*key[:3], plot))
        return places

    # -- drafts ---------------------------------------------------------------------------------------

    def draft(self) -> dict[str, Any] | None:
        """What is being typed, as plain texts for a file; ``None`` when nothing would be lost."""
        if not self.changed:
            return None
        opened = {"opened": None} if self._opened is None else self._opened.draft()
        by_itself = [name for name, each in self.inputs.items() if each.filled_by_itself]
        return {
            "texts": self.texts(),
            "reason": self.reason.text,
            "by_itself": by_itself,
            "readings": self.inputs.readings_before_fault,
            **opened,
        }

    def restore_draft(self, draft: Mapping[str, Any]) -> None:
        """Show what :meth:`draft` gave."""
        self._open_fields()
        self._opened = opened_in(draft)
        if self._opened is not None:
            _date, _time, lab, plot = self._opened.key
            self.inputs.of_record = {F.TECHNICIAN: self._opened.texts.get(F.TECHNICIAN), F.LAB: lab, F.PLOT: plot}
        self.fill({name: str(text) for name, text in draft["texts"].items()})
        for name in draft.get("by_itself") or ():
            if name in self.inputs:
                self.inputs[name].filled_by_itself = True
        self.inputs.readings_before_fault.update(draft.get("readings") or {})
        self._fill_seed_sample()
        if self._opened is None and self.person:
            self.inputs[F.TECHNICIAN].fill(self.person, by_itself=True)
        self.inputs.mark_wrong()
        self.reason.fill(str(draft.get("reason") or ""))

    def fill(self, texts: Mapping[str, str]) -> None:
        """Show these texts, as if they had been typed; but whose they are is nobody who has said so here."""
        self._loading = True
        self.inputs.fill(texts)
        self._loading = False
        if F.TECHNICIAN in texts:
            self.inputs[F.TECHNICIAN].filled_by_itself = True
        self.inputs.forget_readings()
        self.inputs.apply_fault(clear=False)
        self._check_changed()
        self._refresh()

    def show_drafts(self, keys: Collection[RecordKey]) -> None:
        """These plots are half typed, and kept."""
        if set(keys) != set(self._drafts):
            self._drafts = frozenset(keys)
            self._refresh()

    def discard(self) -> None:
        """Give up what was typed: the saved record as it was, or the same plot, empty."""
        opened, plot = self._opened, self.inputs.value(F.PLOT)
        if opened is not None:
            self.open_record(opened.values(), opened.version)
        else:
            self.begin_new(plot=plot if isinstance(plot, int) else None)

    def focus_key(self) -> None:
        """Put the focus on the first field that is missing for the form to be of a certain plot."""
        wrong = [name for name in fields.FOCUS_ORDER if name in fields.RECORD_KEY and self.inputs.value(name) is None]
        self.inputs[wrong[0] if wrong else F.PLOT].focus_set()

    def next_plot(self) -> int | None:
        """The next plot after this one that is neither recorded nor half typed; a half-typed one if no other is left.
        """
        key, check = self.key, self.check
        half = [plot for *others, plot in self._drafts if tuple(others) == check.key] + ([key[3]] if key else [])
        after = key[3] if key is not None else 0
        others = check._replace(recorded={**check.recorded, **dict.fromkeys(half, "")})
        return others.next_missing(after) or check.next_missing(after)

    def _show_draft(self) -> bool:
        """Show what is half typed of the plot that was just chosen; whether there is such a thing."""
        key = self.key
        if key is None or self._opened is not None or self.changed or self.saving or key not in self._drafts:
            return False
        draft = self._callbacks.find_draft(key)
        if draft is None:
            return False
        # Date, time and lab say the same already, and somebody may be typing there.
        texts = {name: text for name, text in draft["texts"].items() if name not in (F.DATE, F.TIME, F.LAB)}
        by_itself = [name for name in draft.get("by_itself") or () if name in texts]
        self.restore_draft({**draft, "texts": texts, "by_itself": by_itself})
        return True

    def _leave_half_typed(self) -> None:
        """Another check was chosen: what is half typed was read for the one before, and stays with its plot there."""
        before, key = self._last_check, self.check_key
        if key is None:
            return
        self._last_check = key
        if before is None or before == key or self._opened is not None or not self.changed:
            return
        draft, plot = self.draft(), self.inputs.value(F.PLOT)
        if draft is not None and isinstance(plot, int):
            draft["texts"] |= {F.DATE: before[0].isoformat(), F.TIME: before[1], F.LAB: before[2]}
            if self._callbacks.keep_draft(draft):
                self._left = (*before, plot)
                self._empty_plot()
            else:
                self.inputs[F.PLOT].fill("")  # it belongs to what is half typed there

    def _come_back(self) -> None:
        """Date, time and lab are again as they were when the half-typed plot was left: so is the plot, and all of it.
        """
        left = self._left
        if left is None or self.check_key != left[:3] or self._opened is not None or self.changed:
            return
        self._left = None
        if left in self._drafts:
            self.inputs[F.PLOT].fill(str(left[3]), by_itself=True)
            self._show_draft()

    @property
    def _no_plots(self) -> str:
        """In words, that nothing can be recorded in the lab; else empty."""
        lab = self.inputs.value(F.LAB)
        empty = isinstance(lab, str) and not self._corrects and self.choices.get(F.PLOT) == ()
        return f"Lab {lab} has no plots: a supervisor adds them (Tools ‣ Technicians, Labs and Plots)" if empty else ""

    @property
    def _other_draft(self) -> str:
        """In words, that something else is half typed of the plot that these values would be of; else empty."""
        key = self.key
        if key is None or not self.changed or not self._callbacks.is_other_draft(key, self._corrects):
            return ""
        return f"{key[3]} is half typed already"

    def leave(self) -> None:
        """What is half typed is kept elsewhere: the form is of no plot until it is told which one comes."""
        if self._opened is not None:
            self.inputs[F.TECHNICIAN].fill(*self._technician)
            self._opened = None
        self._empty_plot()
        self._refresh()

    def _empty_plot(self) -> None:
        self._loading = True
        for name, each in self.inputs.items():
            if name not in CHECK_FIELDS:
                each.fill("")
        self._loading = False
        self.inputs.forget_readings()
        self.inputs.apply_fault()

    # -- inside ---------------------------------------------------------------------------------------

    def _add_input(
        self, parent: tk.Misc, name: str, label: str = "", width: int = 9, label_width: int = 0
    ) -> FieldInput:
        each = self.inputs.add(parent, name, label, width, label_width)
        each.editor.bind("<Return>", lambda event: self._entered(name, event))
        each.editor.bind("<KP_Enter>", lambda event: self._entered(name, event))
        self._keys.add_field(name)
        each.editor.bind("<<Edited>>", lambda _event: self._edited(name), add=True)
        each.alarm = self._sound
        if isinstance(each.editor, TypedField):
            each.editor.spread = lambda cells: self._spread(name, cells)
        if isinstance(each.editor, FieldEntry):
            each.editor.implies_point = lambda: self._is_on("implied decimals")
            each.editor.bind("<<Full>>", lambda _event: self._filled_up(name))
        if name in HEIGHTS:
            each.editor.bind("<<Left>>", lambda _event: self.inputs.check_across())
        return each

    def _entered(self, name: str, event: tk.Event) -> str:
        swallowed, self._enter_to_swallow = self._enter_to_swallow, ("", 0.0)
        steps = self._enter.steps(int(event.time), is_stop=name in CHECK_FIELDS)
        if swallowed[0] == name and time.monotonic() <= swallowed[1]:
            return "break"
        if not steps and not self._holds(name):
            self.inputs[name].show_hint("Enter was pressed twice, and counts once")
        if steps:
            self.advance(name)
        if steps > 1 and self.focused is not None and not self.saving:
            self.advance(self.focused.name)
        return "break"

    def _filled_up(self, name: str) -> None:
        """The second decimal was typed: go on by itself where that is wanted, but never save by itself."""
        if not self._is_on("auto advance") or name in SAVING or self.inputs.after(name) is None:
            return
        self.advance(name)
        focused = self.focused
        if focused is not None and focused.name != name:
            self._enter_to_swallow = (focused.name, time.monotonic() + HABIT_SECONDS)

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
        if self._loading:
            return
        self._enter_to_swallow = ("", 0.0)
        if not self.inputs[name].is_filling:
            self._enter.edited(name not in CHECK_FIELDS)
        if name in HEIGHTS:
            self.inputs.height_edited()
        if name in (F.DATE, F.TIME, F.LAB):
            self._leave_half_typed()
            self._check_changed()
            self._come_back()
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
        self._show_plots_of_lab()
        key = self.check_key
        self._last_check = key or self._last_check
        if key != self.check.key:
            self.check = CheckView(key=key, plots=self._plots.get(key[2], ()) if key else ())
            if key is not None:
                self._callbacks.check_chosen(*key)

    def _show_plots_of_lab(self) -> None:
        lab, are_known = self.inputs.value(F.LAB), self.choices.get(F.LAB) is not None
        plots = self._plots.get(lab, () if are_known else None) if isinstance(lab, str) else None
        self.choices[F.PLOT] = plots
        if self.check.key is not None and plots is not None:
            self.check = self.check.with_plots(plots)

    def _fill_seed_sample(self) -> None:
        saved = "" if self._opened is None else self._opened.texts.get(F.SEED_SAMPLE, "")
        self._autofill.seed_sample(self.opened, saved)

    def _open_existing(self) -> None:
        if self.key is not None:
            self._callbacks.open_recorded(self.key)

    def _refresh(self) -> None:
        """Bring the strip, the previous readings and the remark beside the plot up to date."""
        plot = self.inputs.value(F.PLOT)
        current = plot if isinstance(plot, int) else None
        technician = self.inputs[F.TECHNICIAN].text
        half_typed = frozenset(plot for *check, plot in self._drafts if tuple(check) == self.check.key)
        self._check_panel.show(self.check, current, technician, half_typed)
        self.save_bar.show_discard(self.changed)
        self._check_panel.ask_technician(self._question())
        focused = self.focused
        if focused is None or focused.name != F.DATE:  # while it is typed it may mean anything
            self._show_date_line()
        previous = self.check.previous.get(current or 0, {})
        when = f"Recorded on {previous[F.DATE]} at {previous[F.TIME]}" if previous else ""
        for name, each in self.inputs.items():
            if each.field.group and each.field.type is not FieldTypes.BOOLEAN:
                each.show_previous(fields.format_value(each.field, previous.get(name)), when)
        self._plot_panel.show(self.key, self._opened, self.check, bool(self._other_draft))
        self.save_bar.show_corrects(self._corrects)
        self.reason.ask(self._wants_reason())
        self.type_ahead.show_offer()

    def _wants_reason(self) -> bool:
        setting = self._settings.get("correction reason")
        if self._opened is None or self.key != self._opened.key or setting is None or self.inputs.read_only:
            return False
        return is_wanted(str(setting.get()), self._opened.key[0], self._today())
