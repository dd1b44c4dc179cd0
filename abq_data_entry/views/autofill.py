"""What fills itself: the date, the technician of a check already begun, the next plot, its seed sample."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Mapping

from ..constants import FieldNames as F
from .check_panel import CheckView
from .record_inputs import RecordInputs, RecordKey


class Autofill:
    """Fills ``inputs`` as the settings ``autofill date`` and ``autofill sheet data`` say.

    What somebody typed is never filled over: only empty fields, and those that filled themselves before.
    """

    def __init__(
        self, inputs: RecordInputs, settings: Mapping[str, tk.Variable], today: Callable[[], datetime.date]
    ) -> None:
        self._inputs = inputs
        self._settings = settings
        self._today = today
        self.seed_samples: Mapping[tuple[str, int], str] = {}
        self._emptied = False

    @property
    def sheet_data(self) -> bool:
        """Whether the check's fields stay after a save, and plot and seed sample fill themselves."""
        return self._wants("autofill sheet data")

    def date(self) -> None:
        """Today, where the date is empty."""
        if self._wants("autofill date") and not self._inputs[F.DATE].text:
            self._inputs[F.DATE].fill(self._today().isoformat(), by_itself=True)

    def technician(self, check: CheckView, person: str) -> None:
        """The person who is confirmed in this window, else who began the check."""
        name, offered = person or check.technician, self._inputs.offered(F.TECHNICIAN)
        if name and offered is not None and name not in offered:  # retired since
            return
        if name and self.sheet_data and self._may_fill(F.TECHNICIAN):
            self._inputs[F.TECHNICIAN].fill(name, by_itself=True)

    def plot(self, check: CheckView) -> None:
        """The next plot that isn't recorded; one that isn't recorded yet stays."""
        current = self._inputs.value(F.PLOT)
        if isinstance(current, int) and current not in check.recorded:
            return
        plot = check.next_missing(0) if check.known else None
        if plot is not None and self.sheet_data and self._may_fill(F.PLOT):
            self._inputs[F.PLOT].fill(str(plot), by_itself=True)
            self.seed_sample()

    def seed_sample(self, opened: RecordKey | None = None, saved: str = "") -> None:
        """What grows in the plot; on the record that was ``opened``, what that says (``saved``)."""
        lab, plot, seed = self._inputs.value(F.LAB), self._inputs.value(F.PLOT), self._inputs[F.SEED_SAMPLE]
        if not self.sheet_data or not isinstance(plot, int) or not isinstance(lab, str):
            return  # while a lab is typed over, what stands here is still the old one's
        if opened is not None and self._inputs.key is None:
            return  # while a date is typed it isn't known yet which plot is meant
        if opened is not None and self._inputs.key == opened:
            if seed.filled_by_itself or (self._emptied and not seed.text):
                seed.fill(saved)
            self._emptied = False
        elif self._may_fill(F.SEED_SAMPLE) or (opened is not None and seed.text == saved):
            seed.fill(self.seed_samples.get((lab, plot), ""), by_itself=True)
            self._emptied = opened is not None and not seed.text

    def _may_fill(self, name: str) -> bool:
        each = self._inputs[name]
        return not each.text or each.filled_by_itself

    def _wants(self, setting: str) -> bool:
        variable = self._settings.get(setting)
        return variable is None or bool(variable.get())
