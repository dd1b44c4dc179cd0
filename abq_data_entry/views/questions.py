"""What the form waits for, and what it asks: which plot comes next, who sits at the window, whether the day is right.
"""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Mapping

from ..constants import FieldNames as F
from ..widgets.focus import focused_widget
from .check_panel import CheckPanel, DateQuestion, TechnicianQuestion, date_question
from .form_content import CHECK_FIELDS, CheckView, FormContent
from .opening import Autofill


class Awaiting:
    """Holds Enter in the head of the form until the database has told which plot comes next, and keys until the plot is
    this window's."""

    def __init__(self, form: FormContent) -> None:
        self._form = form
        self._field = ""
        self.claims = False
        """Whether the plot is being claimed, so that keys wait."""

    @property
    def is_waiting(self) -> bool:
        """Whether Enter waits somewhere."""
        return bool(self._field)

    @property
    def is_looked_up(self) -> bool:
        """Whether the database is still to tell which plot comes next."""
        form = self._form
        # A check that couldn't be looked up holds nobody: what can be typed without it is typed.
        unknown = form.check_key is not None and not form.check.known and not form.check.problem
        return unknown and form.opened_record is None and form.fills_itself

    def holds(self, name: str) -> bool:
        """Enter in an empty Technician, which may fill itself in a moment: how many Enters it takes to the first value
        doesn't depend on how fast the database is."""
        if name != F.TECHNICIAN or self._form.inputs[name].text or not self.is_looked_up:
            return False
        self.wait_at(name)
        return True

    def wait_at(self, name: str) -> None:
        """Enter was pressed there: on from that field once the check is known."""
        self._field = name
        self._form.type_ahead.wait(None)

    def claim(self) -> None:
        """The plot is being claimed: a key belongs to a plot that is this window's."""
        self.claims = True
        self._form.type_ahead.wait(self._form.key)

    def claim_answered(self) -> None:
        """Whose the plot is, is known: on with what was typed meanwhile."""
        if self.claims:
            self.claims = False
            self._form.type_ahead.arrived()

    def go_on(self) -> None:
        """The check is known, or can't be: on from where Enter waited, with what was typed meanwhile."""
        if not self._field or self.is_looked_up:
            return
        name, self._field = self._field, ""
        self._form.advance(name)
        if self._field:
            return
        focused = self._form.focused
        if self._form.inputs[name].error or focused is None or focused.name in (*CHECK_FIELDS, F.PLOT):
            self._form.type_ahead.refused()  # it was typed for a reading
        else:
            self._form.type_ahead.arrived()

    def end(self) -> None:
        """Somebody clicks: what is typed next is for where that leads."""
        if self._field:
            self._field = ""
            self._form.type_ahead.refused()

    def check_lists(self) -> str:
        """The lists are here: what was typed before them is completed, or marked; returns the first that is wrong."""
        form, focused, wrong = self._form, self._form.focused, ""
        for name in (F.LAB, F.TECHNICIAN, F.PLOT):
            each = form.inputs[name]
            # Half a name isn't wrong yet; where Enter waits, the field is done.
            is_being_typed = each is focused and not self._field
            unknown = form.inputs.choices.get(name) is None
            if not each.text or is_being_typed or form.opened_record is not None or unknown:
                continue
            if not each.check():
                wrong = wrong or name
        return wrong

    def stop_at(self, wrong: str) -> None:
        """A field that is wrong holds what was typed after it."""
        if wrong and self._field:
            self._field = ""
            self._form.inputs[wrong].focus_set()
            self._form.type_ahead.refused()


class KnownCheck:
    """Shows what is known of the check in the form."""

    def __init__(self, form: FormContent, autofill: Autofill, awaiting: Awaiting) -> None:
        self._form, self._autofill, self._awaiting = form, autofill, awaiting
        self.plots: Mapping[str, tuple[int, ...]] = {}
        """Those of each lab."""

    def show(self, view: CheckView) -> None:
        """What the database knows of the check; dropped when the user has gone on to another one."""
        form = self._form
        if view.key != form.check_key:
            return
        # Only the first answer fills fields and moves the focus: what others record later moves nothing.
        first = form.check.key != view.key or not form.check.known
        is_back = bool(form.check.known_at) and not view.known_at
        form.check = view
        if form.opened_record is None and first:
            self._autofill.technician(view, form.confirmation.name)
        plot = form.inputs[F.PLOT]
        # Readings that are being typed keep their plot, even if somebody else was quicker with it.
        if form.opened_record is None and not form.changed and (not plot.text or (first and plot.filled_by_itself)):
            self._autofill.plot(view)
            form.show_draft()
        focused = form.focused
        is_filled = focused is not None and focused.name in (F.TECHNICIAN, F.PLOT) and focused.filled_by_itself
        if first and is_filled and not self._awaiting.is_waiting:
            form.focus_first_empty()  # whoever was quicker than the database isn't left in a filled field
        self._form.refresh()
        self._awaiting.go_on()
        at = form.plot
        if is_back and at is not None and at in view.recorded:
            self.give_way(at)  # a colleague has recorded it while the database was away

    def give_way(self, plot: int) -> bool:
        """Somebody else was quicker with that plot: on to the next one, unless it was asked for or typed into."""
        form = self._form
        under_way = form.changed or form.saving or (self._form.type_ahead.is_busy and not self._awaiting.claims)
        # Who asked for that very plot wants it, whoever else has it.
        filled = form.inputs[F.PLOT].filled_by_itself
        if form.opened_record is not None or under_way or not filled or form.plot != plot:
            return False
        focused = form.focused
        form.begin_new(form.check.next_missing(plot))
        if focused is not None and focused.name not in CHECK_FIELDS:
            form.focus_first_empty()
        if form.check.key is not None:
            self._form.type_ahead.refused([(*form.check.key, plot)])  # who is typing already means the other plot
        return True

    def look_up(self) -> None:
        """Others may have recorded plots of the check: look it up again."""
        key = self._form.check_key
        if key is not None:
            self._form.callbacks.check_chosen(*key)

    def changed(self) -> None:
        """Date, time or lab may be others now: look the check up."""
        self.show_plots_of_lab()
        form, key = self._form, self._form.check_key
        if key != form.check.key:
            form.check = CheckView(key=key, plots=self.plots.get(key[2], ()) if key else ())
            if key is not None:
                form.callbacks.check_chosen(*key)

    def show_plots_of_lab(self) -> None:
        """Offer the plots that the lab has; none, once the lists are here, where it has none."""
        form, lab = self._form, self._form.inputs.value(F.LAB)
        unknown = () if form.inputs.choices.get(F.LAB) is not None else None
        plots = self.plots.get(lab, unknown) if isinstance(lab, str) else None
        form.inputs.offer({F.PLOT: plots})
        form.inputs[F.LAB].objection = self._lab_without_plots if plots == () else None
        if form.check.key is not None and plots is not None:
            form.check = form.check.with_plots(plots)

    def _lab_without_plots(self) -> str:
        """In words, that nothing can be recorded in the lab; empty where that asks nobody to stop."""
        if self._form.corrects:
            return ""
        lab = self._form.inputs[F.LAB].text
        return f"Lab {lab} has no plots: a supervisor adds them (Tools ‣ Technicians, Labs and Plots)"


class Person:
    """Confirms the name in Technician, and asks for it where a save has nobody who does it."""

    def __init__(self, form: FormContent, awaiting: Awaiting) -> None:
        self._form, self._awaiting = form, awaiting
        self._stopped_at: tk.Misc | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether the name in Technician is that of whoever sits here."""
        name = self._form.confirmation.name
        return bool(name) and self._form.inputs[F.TECHNICIAN].text == name

    def confirm(self) -> None:
        """The name that stands in Technician is that of the one who sits here."""
        form = self._form
        name = form.inputs.value(F.TECHNICIAN)
        if form.corrects or form.inputs.read_only or not isinstance(name, str):
            return
        self._form.confirmation.confirm(name)
        is_new = form.opened_record is None and not form.saving and not self._awaiting.is_waiting
        if form.callbacks.confirmed() and is_new and not form.changed:
            self._awaiting.claim()
        form.inputs[F.TECHNICIAN].filled_by_itself = True  # once confirmed it stands there; a pause ends that
        self._form.refresh()

    def forget(self) -> None:
        """Somebody else may sit here now: Technician is a stop again."""
        self._form.confirmation.forget()
        technician = self._form.inputs[F.TECHNICIAN]
        technician.filled_by_itself = bool(technician.text)
        self._form.refresh()

    def take_typed_name(self) -> None:
        """A name that was typed or picked needs no Enter; one that filled itself in does."""
        technician = self._form.inputs[F.TECHNICIAN]
        is_typed = bool(technician.text) and not technician.filled_by_itself
        if self._form.opened_record is None and not self.is_confirmed and is_typed:
            self.confirm()

    def is_there(self) -> bool:
        """Whether the save has somebody who does it; else it stops at Technician."""
        if self._form.corrects:
            return True
        self.take_typed_name()
        if self.is_confirmed:
            return True
        technician = self._form.inputs[F.TECHNICIAN]
        # So that whoever answers goes on where the save was asked for.
        self._stopped_at = focused_widget(technician)
        technician.focus_set()
        # No dialog: the answer is Enter in the field that has the focus now.
        technician.show_hint("Not saved yet. Who are you? Enter takes this name.")
        self._form.refuse_save()
        return False

    def go_back(self) -> bool:
        """Back to where a save was stopped to ask for the technician; whether there is such a place."""
        place, self._stopped_at = self._stopped_at, None
        if place is None or not place.winfo_viewable():
            return False
        place.focus_set()
        return True

    def question(self) -> TechnicianQuestion | None:
        """Whose the plots of a check are that a colleague began, once another technician is chosen."""
        form = self._form
        check, chosen, plot = form.check, form.inputs[F.TECHNICIAN].text, form.plot
        # The plot in the form gets its technician by the save itself.
        others = [each for each, name in check.recorded.items() if name != chosen and each != plot]
        if not others:
            return None
        if form.opened_record is not None:
            known, is_chosen = form.opened_record.texts.get(F.TECHNICIAN), form.corrects
        else:
            known, is_chosen = check.technician, self.is_confirmed
        key, mine = form.check_key, plot in check.recorded
        if key is None or check.key != key or chosen == known or not is_chosen:
            return None
        if form.inputs.value(F.TECHNICIAN) != chosen or form.inputs.read_only:
            return None
        return TechnicianQuestion(key, chosen, check.technician or "", len(check.recorded) + (not mine))


OLD_DATE_DAYS = 7


class DateAsking:
    """Asks once in ``panel`` about a day that the check hardly is of, at the date itself."""

    def __init__(self, form: FormContent, panel: CheckPanel) -> None:
        self._form, self._panel = form, panel
        self.asked_of: object = None
        """What :meth:`concerns` was when it was asked last."""

    def concerns(self) -> tuple[object, ...]:
        """What decides whether something is to be asked; the same again asks nothing new."""
        date, opened = self._form.inputs[F.DATE], self._form.opened_record
        return date.text, date.filled_by_itself, self._form.inputs.read_only, opened and opened.key

    def show(self) -> bool:
        """Ask about the date that stands there, or say what was asked; returns whether that is new."""
        self.asked_of = self.concerns()
        found = self._question()
        is_new = found != self._panel.date_line.question
        if is_new:
            self._panel.ask_date(found)
        return is_new

    def holds(self, entered: bool = False) -> bool:
        """Whether the date is still to be kept or changed: then it has the focus. ``entered``: Enter keeps it."""
        is_new, line = self.asked_of != self.concerns() and self.show(), self._panel.date_line
        if line.question is None or not line.asks or (entered and not is_new and line.answer_with_enter()):
            return False
        self._form.inputs[F.DATE].focus_set()
        self._form.sound()
        return True

    def keep(self) -> str:
        """The date is right, however unlikely; on to the next field."""
        self._form.inputs[F.DATE].check()
        self.show()
        line = self._panel.date_line
        if line.asks:
            line.keep()
            focused = self._form.focused
            if focused is not None and focused.name == F.DATE:
                self._form.advance(F.DATE)
        return "break"

    def _question(self) -> DateQuestion | None:
        """What is to be asked about the date; nothing of one that filled itself, or of the record that is corrected."""
        inputs, opened, days = self._form.inputs, self._form.opened_record, self._form.settings.get("old_date_days")
        date = inputs.value(F.DATE)
        # Today, or where nothing can be saved: there is nothing to ask.
        filled = inputs[F.DATE].filled_by_itself or inputs.read_only
        if not isinstance(date, datetime.date) or filled or (opened is not None and opened.key[0] == date):
            return None
        return date_question(date, self._form.today(), int(days.get()) if days is not None else OLD_DATE_DAYS)
