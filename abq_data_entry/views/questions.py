"""What a save may ask first: who sits at the window, and whether the day of the check is right."""

from __future__ import annotations

import datetime
import time
import tkinter as tk
from collections.abc import Callable, Mapping

from ..constants import FieldNames as F
from ..widgets.focus import focused_widget
from .check_panel import CheckPanel, DateQuestion, TechnicianQuestion, date_question
from .form_content import FormContent

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


class Person:
    """Confirms the name in Technician. ``claim()``: the plot is to be this window's before a key gets there, if
    ``confirmed()`` says that it is being claimed; ``refused()``: a save stopped here; ``refresh()``: the form shows
    what has changed. ``is_waiting()`` tells whether Enter waits for the check."""

    def __init__(
        self,
        content: FormContent,
        confirmed: Callable[[], bool],
        claim: Callable[[], object],
        refused: Callable[[], object],
        is_waiting: Callable[[], bool],
        refresh: Callable[[], object],
    ) -> None:
        self.confirmation = Confirmation()
        self._content = content
        self._confirmed, self._claim, self._refused = confirmed, claim, refused
        self._is_waiting, self._refresh = is_waiting, refresh
        self._stopped_at: tk.Misc | None = None

    @property
    def name(self) -> str:
        """The name that was confirmed; empty while nobody is: a name that filled itself in is nobody."""
        return self.confirmation.name

    @property
    def is_confirmed(self) -> bool:
        """Whether the name in Technician is that of whoever sits here."""
        return bool(self.name) and self._content.technician.text == self.name

    def confirm(self) -> None:
        """The name that stands in Technician is that of the one who sits here."""
        content = self._content
        name = content.inputs.value(F.TECHNICIAN)
        if content.corrects or content.inputs.read_only or not isinstance(name, str):
            return
        self.confirmation.confirm(name)
        is_new = content.opened is None and not content.saving and not self._is_waiting()
        if self._confirmed() and is_new and not content.changed:
            self._claim()
        content.technician.filled_by_itself = True  # once confirmed it stands there; a pause ends that
        self._refresh()

    def forget(self) -> None:
        """Somebody else may sit here now: Technician is a stop again."""
        self.confirmation.forget()
        technician = self._content.technician
        technician.filled_by_itself = bool(technician.text)
        self._refresh()

    def take_typed_name(self) -> None:
        """A name that was typed or picked needs no Enter; one that filled itself in does."""
        technician = self._content.technician
        is_typed = bool(technician.text) and not technician.filled_by_itself
        if self._content.opened is None and not self.is_confirmed and is_typed:
            self.confirm()

    def is_there(self) -> bool:
        """Whether the save has somebody who does it; else it stops at Technician."""
        if self._content.corrects:
            return True
        self.take_typed_name()
        if self.is_confirmed:
            return True
        technician = self._content.technician
        self._stopped_at = focused_widget(technician)
        technician.focus_set()
        technician.show_hint("Not saved yet. Who are you? Enter takes this name.")
        self._refused()
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
        content = self._content
        check, key, chosen, plot = content.check, content.check_key, content.technician.text, content.plot
        mine = plot is not None and plot in check.recorded
        others = [each for each, name in check.recorded.items() if name != chosen and each != plot]
        if content.opened is not None:
            known, is_chosen = content.opened.texts.get(F.TECHNICIAN), content.corrects
        else:
            known, is_chosen = check.technician, self.is_confirmed
        if key is None or check.key != key or not others or chosen == known or not is_chosen:
            return None
        if content.inputs.value(F.TECHNICIAN) != chosen or content.inputs.read_only:
            return None
        return TechnicianQuestion(key, chosen, check.technician or "", len(check.recorded) + (not mine))


OLD_DATE_DAYS = 7


class DateAsking:
    """Asks in ``panel``. ``advance(name)`` is Enter in a field, ``sound()`` tells of something that is wrong."""

    def __init__(
        self,
        content: FormContent,
        panel: CheckPanel,
        settings: Mapping[str, tk.Variable],
        today: Callable[[], datetime.date],
        advance: Callable[[str], object],
        sound: Callable[[], object],
    ) -> None:
        self._content, self._panel, self._settings, self._today = content, panel, settings, today
        self._advance, self._sound = advance, sound

    def show(self) -> None:
        """Ask about the date that stands there, or say what was asked."""
        self._panel.ask_date(self._question())

    def holds(self, entered: bool = False) -> bool:
        """Whether the date is still to be kept or changed: then it has the focus. ``entered``: Enter keeps it."""
        line = self._panel.date_line
        is_new = self._panel.ask_date(self._question())
        if not line.asks or (entered and not is_new and line.answer_with_enter()):
            return False
        self._content.inputs[F.DATE].focus_set()
        self._sound()
        return True

    def keep(self) -> str:
        """The date is right, however unlikely; on to the next field."""
        self._content.inputs[F.DATE].check()
        self.show()
        line = self._panel.date_line
        if line.asks:
            line.keep()
            focused = self._content.focused
            if focused is not None and focused.name == F.DATE:
                self._advance(F.DATE)
        return "break"

    def _question(self) -> DateQuestion | None:
        """What is to be asked about the date; nothing of one that filled itself, or of the record that is corrected."""
        inputs, opened, days = self._content.inputs, self._content.opened, self._settings.get("old_date_days")
        date = inputs.value(F.DATE)
        filled = inputs[F.DATE].filled_by_itself or inputs.read_only
        if not isinstance(date, datetime.date) or filled or (opened is not None and opened.key[0] == date):
            return None
        return date_question(date, self._today(), int(days.get()) if days is not None else OLD_DATE_DAYS)
