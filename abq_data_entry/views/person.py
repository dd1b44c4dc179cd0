"""Who sits at the window: confirmed at Technician, and asked for by a save that has nobody who does it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from ..constants import FieldNames as F
from ..widgets.focus import focused_widget
from .confirmation import Confirmation
from .form_content import FormContent
from .technician_line import TechnicianQuestion


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
