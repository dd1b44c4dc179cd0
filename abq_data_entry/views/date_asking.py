"""Asks once about a day that the check hardly is of, at the date itself."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Mapping

from ..constants import FieldNames as F
from .check_panel import CheckPanel
from .date_line import DateQuestion, question
from .form_content import FormContent

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
        return question(date, self._today(), int(days.get()) if days is not None else OLD_DATE_DAYS)
