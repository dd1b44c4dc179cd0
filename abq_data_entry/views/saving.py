"""A save of the form: what stops it, and to which plots it leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import fields
from ..constants import FieldNames as F
from .form_content import FormContent
from .plot_panel import ReasonLine
from .record_inputs import Record, RecordKey
from .type_ahead import TypeAhead
from .typed_keys import Place


class Saving:
    """Checks the form and hands its record to ``save(record, opened)``.

    ``stops()`` tells whether the date or the technician has to be settled first; ``fills_itself()`` whether the plot
    after a save fills itself.
    """

    def __init__(
        self,
        content: FormContent,
        reason: ReasonLine,
        ahead: Callable[[], TypeAhead],
        save: Callable[[Record, RecordKey | None], object],
        stops: Callable[[], bool],
        fills_itself: Callable[[], bool],
    ) -> None:
        self._content, self._reason, self._ahead = content, reason, ahead
        self._save, self._stops, self._fills_itself = save, stops, fills_itself

    def submit(self) -> None:
        """Check every field; with errors the focus moves to the first, else the record goes up."""
        content, ahead = self._content, self._ahead()
        if content.saving or content.inputs.read_only or ahead.halts_save():
            return
        errors = content.inputs.errors()
        if errors:
            self.show_errors(errors)
            self.refused()
            return
        if self._stops():
            return
        if content.changed and not self._reason.is_given():
            self.refused()
            return
        content.saving = True
        ahead.begin(self._places_ahead())
        self._save(content.inputs.record(), content.opened.key if content.opened and content.corrects else None)

    def failed(self, errors: Mapping[str, str] | None) -> None:
        """The record is not saved: all stays as it was typed."""
        self._content.saving = False
        if errors:
            self.show_errors(errors)
        self._ahead().refused()

    def refused(self) -> None:
        """No save began: what is typed on is for the plots that would have come."""
        self._ahead().refused(self._places_ahead())

    def show_errors(self, errors: Mapping[str, str]) -> None:
        """Show the errors beside their fields and move the focus to the first one."""
        inputs = self._content.inputs
        for name, text in errors.items():
            if name in inputs:
                inputs[name].show_error(text)
        first = next((name for name in fields.FOCUS_ORDER if errors.get(name)), None)
        if first is not None:
            inputs[first].focus_set()

    def saved(self, record: Mapping[str, Any], claimed: int | None) -> int | None:
        """The record is in the database; returns the plot that comes next, ``None`` where it is typed each time.

        ``claimed`` is the one that the database has kept free for this window, 0: none is free; ``None``: it wasn't
        asked.
        """
        content = self._content
        if content.check.key == (record[F.DATE], record[F.TIME], record[F.LAB]):
            content.check = content.check.with_recorded(record[F.PLOT], record[F.TECHNICIAN])
        following = content.check.next_missing(int(record[F.PLOT])) if claimed is None else claimed or None
        return following if self._fills_itself() else None

    def _places_ahead(self) -> list[Place]:
        """The plots that the form would show after this one, as far as it knows now; each is recorded before the next
        is shown."""
        key, check = self._content.key, self._content.check
        if not self._fills_itself():
            return [None] * len(check.plots)  # which plot it is, is typed each time
        places: list[Place] = []
        plot = None if key is None else key[3]
        while key is not None and plot is not None:
            check = check.with_recorded(plot, self._content.technician.text)
            plot = check.next_missing(plot)
            if plot is not None:
                places.append((*key[:3], plot))
        return places
