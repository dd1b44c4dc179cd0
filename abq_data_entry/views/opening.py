"""Which record the form is at: a saved one, a new one that fills itself, or what is half typed of one."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Collection, Mapping
from typing import Any

from .. import fields
from ..constants import FieldNames as F
from .form_content import CheckView, FormContent
from .plot_panel import ReasonLine
from .record_inputs import CHECK_FIELDS, CheckKey, OpenedRecord, RecordInputs, RecordKey, opened_in


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


_OF_CHECK = (F.DATE, F.TIME, F.LAB)


class HalfTyped:
    """What is half typed in the form, and of which plots drafts are kept elsewhere.

    ``find(key)`` gives the draft of a plot; ``keep(draft)`` keeps one when another check is chosen, unless the plot has
    another; ``is_other(key, corrects)`` tells whether it has. ``fill(texts)`` shows texts in the form, ``fill_seed()``
    what grows in the plot; ``person()`` is who sits here, and
    ``open_fields()`` opens fields that a record which couldn't be opened had closed.
    """

    def __init__(
        self,
        content: FormContent,
        reason: ReasonLine,
        find: Callable[[RecordKey], Mapping[str, Any] | None],
        keep: Callable[[Mapping[str, Any]], bool],
        is_other: Callable[[RecordKey, bool], bool],
        fill: Callable[[Mapping[str, str]], object],
        fill_seed: Callable[[], object],
        person: Callable[[], str],
        open_fields: Callable[[], object],
    ) -> None:
        self._content, self._reason = content, reason
        self._find, self._keep, self._is_other = find, keep, is_other
        self._fill, self._fill_seed, self._person = fill, fill_seed, person
        self._open_fields = open_fields
        self._kept: Collection[RecordKey] = ()
        self._last_check: CheckKey | None = None
        self._left: RecordKey | None = None  # the plot that was left half typed for another check

    def show(self, keys: Collection[RecordKey]) -> bool:
        """Of these plots drafts are kept; whether that has changed."""
        if set(keys) == set(self._kept):
            return False
        self._kept = frozenset(keys)
        return True

    def plots(self) -> frozenset[int]:
        """The plots of the check that have drafts."""
        return frozenset(plot for *check, plot in self._kept if tuple(check) == self._content.check.key)

    def draft(self) -> dict[str, Any] | None:
        """What is being typed, as plain texts for a file; ``None`` when nothing would be lost."""
        content = self._content
        if not content.changed:
            return None
        return {
            "texts": content.inputs.texts(),
            "reason": self._reason.text,
            "by_itself": [name for name, each in content.inputs.items() if each.filled_by_itself],
            "readings": content.inputs.readings_before_fault,
            **({"opened": None} if content.opened is None else content.opened.draft()),
        }

    def restore(self, draft: Mapping[str, Any]) -> None:
        """Show what :meth:`draft` gave."""
        self._open_fields()
        content, inputs = self._content, self._content.inputs
        content.opened = opened_in(draft)
        if content.opened is not None:
            _date, _time, lab, plot = content.opened.key
            inputs.of_record = {F.TECHNICIAN: content.opened.texts.get(F.TECHNICIAN), F.LAB: lab, F.PLOT: plot}
        self._fill({name: str(text) for name, text in draft["texts"].items()})
        for name in draft.get("by_itself") or ():
            if name in inputs:
                inputs[name].filled_by_itself = True
        inputs.readings_before_fault.update(draft.get("readings") or {})
        self._fill_seed()
        if content.opened is None and self._person():
            content.technician.fill(self._person(), by_itself=True)
        inputs.mark_wrong()
        self._reason.fill(str(draft.get("reason") or ""))

    def show_of_plot(self) -> bool:
        """Show what is half typed of the plot that was just chosen; whether there is such a thing."""
        content, key = self._content, self._content.key
        if key is None or content.opened is not None or content.changed or content.saving or key not in self._kept:
            return False
        draft = self._find(key)
        if draft is None:
            return False
        # Date, time and lab say the same already, and somebody may be typing there.
        texts = {name: text for name, text in draft["texts"].items() if name not in _OF_CHECK}
        by_itself = [name for name in draft.get("by_itself") or () if name in texts]
        self.restore({**draft, "texts": texts, "by_itself": by_itself})
        return True

    def leave_check(self) -> None:
        """Another check was chosen: what is half typed was read for the one before, and stays with its plot there."""
        content, before, key = self._content, self._last_check, self._content.check_key
        if key is None:
            return
        self._last_check = key
        if before is None or before == key or content.opened is not None or not content.changed:
            return
        draft, plot = self.draft(), content.plot
        if draft is None or plot is None:
            return
        draft["texts"] |= {F.DATE: before[0].isoformat(), F.TIME: before[1], F.LAB: before[2]}
        if self._keep(draft):
            self._left = (*before, plot)
            content.empty_plot()
        else:
            content.inputs[F.PLOT].fill("")  # it belongs to what is half typed there

    def note_check(self) -> None:
        """The form may be at another check now, whatever led there."""
        self._last_check = self._content.check_key or self._last_check

    def come_back(self) -> None:
        """Date, time and lab are again as they were when the half-typed plot was left: so is the plot, and all of it.
        """
        content, left = self._content, self._left
        if left is None or content.check_key != left[:3] or content.opened is not None or content.changed:
            return
        self._left = None
        if left in self._kept:
            content.inputs[F.PLOT].fill(str(left[3]), by_itself=True)
            self.show_of_plot()

    @property
    def objection(self) -> str:
        """In words, that something else is half typed of the plot that these values would be of; else empty."""
        content, key = self._content, self._content.key
        if key is None or not content.changed or not self._is_other(key, content.corrects):
            return ""
        return f"{key[3]} is half typed already"

    def next_plot(self) -> int | None:
        """The next plot after this one that is neither recorded nor half typed; a half-typed one if no other is left.
        """
        key, check = self._content.key, self._content.check
        half = [plot for *others, plot in self._kept if tuple(others) == check.key] + ([key[3]] if key else [])
        after = key[3] if key is not None else 0
        others = check._replace(recorded={**check.recorded, **dict.fromkeys(half, "")})
        return others.next_missing(after) or check.next_missing(after)
