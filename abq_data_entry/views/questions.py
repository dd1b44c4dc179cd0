"""What a save may ask first: who sits at the window, and whether the day of the check is right."""

from __future__ import annotations

import datetime
import tkinter as tk

from ..constants import FieldNames as F
from ..widgets.focus import focused_widget
from .check_panel import CheckPanel, DateQuestion, TechnicianQuestion, date_question
from .form_content import FormContent
from .known_check import Awaiting


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

    def show(self) -> bool:
        """Ask about the date that stands there, or say what was asked; returns whether that is new."""
        found = self._question()
        is_new = found != self._panel.date_line.question
        if is_new:
            self._panel.ask_date(found)
        return is_new

    def holds(self, entered: bool = False) -> bool:
        """Whether the date is still to be kept or changed: then it has the focus. ``entered``: Enter keeps it."""
        is_new, line = self.show(), self._panel.date_line
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
