"""Which record the form is at: a saved one, a new one, or one that couldn't be opened."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping

from .. import fields
from ..constants import FieldNames as F
from .autofill import Autofill
from .form_content import FormContent
from .opened_record import OpenedRecord
from .record_inputs import CHECK_FIELDS, RecordKey


class Opening:
    """Fills the form. ``check_changed()``, ``fill_seed()`` and ``refresh()`` bring along what depends on the fields;
    ``close(sentence)`` closes the fields, or opens them again; ``show_draft()`` shows what is half typed of the plot.
    """

    def __init__(
        self,
        content: FormContent,
        autofill: Autofill,
        today: Callable[[], datetime.date],
        check_changed: Callable[[], object],
        fill_seed: Callable[[], object],
        refresh: Callable[[], object],
        close: Callable[[str], object],
        show_draft: Callable[[], object],
    ) -> None:
        self._content, self._autofill, self._today = content, autofill, today
        self._check_changed, self._fill_seed, self._refresh = check_changed, fill_seed, refresh
        self._close, self._show_draft = close, show_draft
        self._technician = ("", False)  # of whoever sat here before a record was opened
        self._may_not = ""
        self.closed: RecordKey | None = None
        """The plot that the form is at, though its record couldn't be opened."""

    @property
    def may_not(self) -> str:
        """Why records can only be looked at; empty where they can be entered."""
        return self._may_not

    def show_read_only(self, sentence: str) -> None:
        """Records can only be looked at, and ``sentence`` says why; an empty one: they can be entered."""
        self._may_not = sentence
        if self.closed is None and bool(sentence) != self._content.inputs.read_only:
            self._close(sentence)

    def show_closed(self, key: RecordKey, sentence: str) -> None:
        """Be at that plot, whose record couldn't be opened; ``sentence`` says why. Nothing can be typed there."""
        if key[:3] != self._content.check_key:
            self.set_check(*key[:3])
        self.begin_new(plot=key[3], asked=True)
        self.closed = key
        self._close(sentence)

    def open_fields(self) -> None:
        """Another plot than the closed one is shown."""
        if self.closed is not None:
            self.closed = None
            self._close(self._may_not)

    def open(self, record: Mapping[str, object], version: int | None = None, known_at: str = "") -> None:
        """Show a saved record for correction; ``version`` is the one that a save expects to find. ``known_at`` says
        of a copy when this computer learned of it."""
        self.open_fields()
        content, inputs = self._content, self._content.inputs
        if content.opened is None:
            self._technician = (content.technician.text, content.technician.filled_by_itself)
        inputs.of_record = record
        texts = {name: fields.format_value(each.field, record.get(name)) for name, each in inputs.items()}
        content.load(lambda: inputs.fill(texts))
        inputs.forget_readings()
        inputs.apply_fault()
        key = content.key
        content.opened = None if key is None else OpenedRecord(key, inputs.texts(), version, known_at=known_at)
        self._check_changed()
        self._refresh()

    def begin_new(self, plot: int | None = None, all_fields: bool = False, asked: bool = False) -> None:
        """Begin a new record: the check's fields stay (``all_fields``: they are cleared too). ``asked``: somebody
        wants this very plot."""
        self.open_fields()
        self._content.load(lambda: self._begin_new(plot, all_fields, asked))
        self._refresh()
        self._show_draft()

    def _begin_new(self, plot: int | None, all_fields: bool, asked: bool) -> None:
        inputs = self._content.inputs
        self._close_opened()
        inputs.of_record = {}
        stay = () if all_fields or not self._autofill.sheet_data else CHECK_FIELDS
        for name, each in inputs.items():
            if name not in stay:
                each.fill("")
            each.show_error("")
        self._autofill.date()
        inputs.forget_readings()
        inputs.apply_fault()
        if plot is not None:
            inputs[F.PLOT].fill(str(plot), by_itself=not asked)
        else:
            self._check_changed()
            self._autofill.plot(self._content.check)
        self._fill_seed()

    def set_check(self, date: datetime.date, time: str, lab: str) -> None:
        """Go to another check with a new record."""
        inputs = self._content.inputs
        same_day = inputs.value(F.DATE) == date and inputs[F.DATE].filled_by_itself

        def fill() -> None:
            for name, text in ((F.DATE, date.isoformat()), (F.TIME, time), (F.LAB, lab)):
                inputs[name].fill(text, by_itself=same_day and name == F.DATE)

        self._content.load(fill)
        for name in (F.PLOT, F.TECHNICIAN):
            inputs[name].filled_by_itself = True
        self.begin_new()

    def begin_day(self, leave_check: bool) -> bool:
        """Midnight has passed: a date that filled itself becomes today's.

        A check that was begun keeps its own, unless it is to be left. Returns whether the form has the date it should
        have.
        """
        content, check = self._content, self._content.check
        date, today = content.inputs[F.DATE], self._today().isoformat()
        if not date.filled_by_itself or date.text == today:
            return True
        under_way = bool(check.recorded) and not (check.complete and check.following is None) and not leave_check
        if content.changed or content.saving or content.opened is not None or under_way:
            return False
        date.fill(today, by_itself=True)
        self._check_changed()
        self._refresh()
        return True

    def discard(self) -> None:
        """Give up what was typed: the saved record as it was, or the same plot, empty."""
        opened = self._content.opened
        if opened is not None:
            self.open(opened.values(), opened.version)
        else:
            self.begin_new(plot=self._content.plot)

    def leave(self) -> None:
        """What is half typed is kept elsewhere: the form is of no plot until it is told which one comes."""
        self._close_opened()
        self._content.empty_plot()
        self._refresh()

    def make_new(self, person: str) -> None:
        """The opened record has gone: what stands here is a new one, of ``person``, who sits here."""
        self._content.opened = None
        self._content.inputs.of_record = {}
        self._content.technician.fill(person or self._technician[0], by_itself=True)
        self._refresh()

    def show_changed(self, key: RecordKey, by: str, person: str) -> None:
        """``by`` has saved the record ``key``: say so while it is being corrected here by ``person``."""
        opened = self._content.opened
        if opened is not None and opened.key == key:
            named = "You (in another window)" if by and by == person else by
            self._content.opened = opened._replace(changed_by=named)
            self._refresh()

    def show_gone(self, key: RecordKey, how: str) -> None:
        """The record ``key`` was withdrawn or moved, and ``how`` says by whom: say so while it is open here."""
        opened = self._content.opened
        if opened is not None and opened.key == key:
            self._content.opened = opened._replace(gone=how)
            self._refresh()

    def _close_opened(self) -> None:
        """Whoever sits here is the one from before, not the one whose record was looked at."""
        if self._content.opened is not None:
            self._content.technician.fill(*self._technician)
        self._content.opened = None
