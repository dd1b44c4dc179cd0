"""The parts of the form: autofill, opening a saved record or beginning a new one, drafts, waiting for the check or the
plot, confirming who is at the window, and the question whether the date is right."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Mapping
from typing import Any

from .. import fields
from ..constants import FieldNames as F
from ..widgets.focus import focused_widget
from .check_panel import CheckPanel, TechnicianQuestion, date_question
from .form_content import (
    CHECK_FIELDS,
    CheckKey,
    CheckView,
    FormContent,
    OpenedRecord,
    RecordKey,
    opened_in,
    values_of,
)
from .plot_panel import ReasonLine


class Autofill:
    """Fills fields that are empty or were filled before, by the settings ``autofill date`` and ``autofill sheet data``.
    It never replaces what somebody typed."""

    def __init__(self, form: FormContent) -> None:
        self._form = form
        self.seed_samples: Mapping[tuple[str, int], str] = {}
        self._emptied = False

    def date(self) -> None:
        """Fill in today if the date is empty."""
        date = self._form.inputs[F.DATE]
        if not date.text and self._form.settings["autofill date"].get():
            date.fill(self._form.today().isoformat(), by_itself=True)

    def technician(self, check: CheckView, person: str) -> None:
        """Fill in the person confirmed in this window, else the one who began the check."""
        form = self._form
        name, offered = person or check.technician, form.inputs.offered(F.TECHNICIAN)
        if name and offered is not None and name not in offered:  # retired since
            return
        if name and form.fills_itself and form.inputs[F.TECHNICIAN].may_be_filled:
            form.inputs[F.TECHNICIAN].fill(name, by_itself=True)

    def plot(self, check: CheckView) -> None:
        """Fill in the next plot that isn't recorded, unless the one in the form isn't recorded yet."""
        form, current = self._form, self._form.plot
        if current is not None and current not in check.recorded:
            return
        plot = check.next_missing(0) if check.known else None
        if plot is not None and form.fills_itself and form.inputs[F.PLOT].may_be_filled:
            form.inputs[F.PLOT].fill(str(plot), by_itself=True)
            self.seed_sample()

    def seed_sample(self) -> None:
        """Fill in the seed sample that grows in the plot; for an opened record, the one that was recorded."""
        form, opened = self._form, self._form.opened_record
        lab, plot, seed = form.inputs.value(F.LAB), form.plot, form.inputs[F.SEED_SAMPLE]
        if not form.fills_itself or plot is None or not isinstance(lab, str):
            return  # while the lab is being typed, the seed sample of the previous lab stays
        if opened is None:
            if seed.may_be_filled:
                seed.fill(self.seed_samples.get((lab, plot), ""), by_itself=True)
                self._emptied = False
            return
        saved, key = opened.texts.get(F.SEED_SAMPLE, ""), form.key
        if key is None:
            return  # while the date is being typed, the plot isn't certain yet
        if key == opened.key:
            if seed.filled_by_itself or (self._emptied and not seed.text):
                seed.fill(saved)
            self._emptied = False
        elif seed.may_be_filled or seed.text == saved:
            seed.fill(self.seed_samples.get((lab, plot), ""), by_itself=True)
            self._emptied = not seed.text


class ShownRecord:
    """The record that the form shows: fills the form with a saved one, or begins a new one."""

    def __init__(self, form: FormContent, autofill: Autofill) -> None:
        self._form, self._autofill = form, autofill
        self._technician = ("", False)  # Technician before a record was opened, and whether it was filled in
        self.why_read_only = ""
        """Why records can't be changed; empty if they can."""
        self.closed: RecordKey | None = None
        """The key of the plot in the form whose record couldn't be opened."""

    def show_read_only(self, sentence: str) -> None:
        """Prevent changes and show ``sentence`` as the reason; an empty one allows them again."""
        self.why_read_only = sentence
        if self.closed is None and bool(sentence) != self._form.inputs.read_only:
            self._form.close_fields(sentence)

    def show_closed(self, key: RecordKey, sentence: str) -> None:
        """Go to a plot whose record couldn't be opened; ``sentence`` says why. Nothing can be typed there."""
        if key[:3] != self._form.check_key:
            self.set_check(*key[:3])
        self.begin_new(plot=key[3], asked=True)
        self.closed = key
        self._form.close_fields(sentence)

    def open_fields(self) -> None:
        """Enable the fields again after another plot has been chosen."""
        if self.closed is not None:
            self.closed = None
            self._form.close_fields(self.why_read_only)

    def open(self, record: Mapping[str, object], version: int | None = None, known_at: str = "") -> None:
        """Show a saved record for correction.

        ``version`` is the one that a save expects in the database. ``known_at``: the time of a local copy, as text;
        empty if the record comes from the database.
        """
        self.open_fields()
        form, inputs = self._form, self._form.inputs
        if form.opened_record is None:
            # Kept, because the record has its own technician; the next new record gets this one again.
            self._technician = (form.inputs[F.TECHNICIAN].text, form.inputs[F.TECHNICIAN].filled_by_itself)
        inputs.offer_of_record(record)
        texts = {name: fields.format_value(each.field, record.get(name)) for name, each in inputs.items()}
        values = values_of(texts)
        for name, text in texts.items():
            inputs[name].fill(text, value=values[name])  # with its value, so that a save parses only what has changed
        inputs.readings_before_fault = {}
        inputs.apply_fault()
        key = form.key
        form.opened_record = None if key is None else OpenedRecord(key, inputs.texts(), values, version, "", known_at)
        self._form.check_changed()
        self._form.refresh()

    def begin_new(self, plot: int | None = None, all_fields: bool = False, asked: bool = False) -> None:
        """Begin a new record. Fields of the check stay unless ``all_fields``; ``asked``: the user chose this plot."""
        form, inputs = self._form, self._form.inputs
        if self.closed is not None:
            self.open_fields()
        if form.opened_record is not None:
            self._close_opened()
        had_fault = inputs[F.EQUIPMENT_FAULT].text == "true"
        stay = () if all_fields or not form.fills_itself else CHECK_FIELDS
        for name, each in inputs.items():
            if name not in stay:
                each.fill("")
            elif each.error:
                each.show_error("")
        if F.DATE not in stay or not inputs[F.DATE].text:
            self._autofill.date()
        inputs.readings_before_fault = {}
        if had_fault:
            inputs.apply_fault()  # enables the readings again
        if plot is not None:
            inputs[F.PLOT].fill(str(plot), by_itself=not asked, value=plot)
        else:
            form.check_changed()
            self._autofill.plot(form.check)
        self._autofill.seed_sample()
        form.refresh()
        if form.drafts:
            form.show_draft()

    def set_check(self, date: datetime.date, time: str, lab: str) -> None:
        """Go to another check with a new record."""
        inputs = self._form.inputs
        same_day = inputs.value(F.DATE) == date and inputs[F.DATE].filled_by_itself
        for name, text in ((F.DATE, date.isoformat()), (F.TIME, time), (F.LAB, lab)):
            inputs[name].fill(text, by_itself=same_day and name == F.DATE)
        # Plot and technician belong to the previous check, so autofill may replace them.
        for name in (F.PLOT, F.TECHNICIAN):
            inputs[name].filled_by_itself = True
        self.begin_new()

    def begin_day(self, *, leave_check: bool = False) -> bool:
        """After midnight, replace a date that was filled in by today.

        A check that was begun keeps its date, unless ``leave_check``. Returns whether the form has the right date.
        """
        form, check = self._form, self._form.check
        date, today = form.inputs[F.DATE], self._form.today().isoformat()
        if not date.filled_by_itself or date.text == today:
            return True
        # Readings of a check belong to the day on which the check was begun.
        under_way = bool(check.recorded) and not (check.complete and check.following is None) and not leave_check
        if form.changed or form.saving or form.opened_record is not None or under_way:
            return False
        date.fill(today, by_itself=True)
        self._form.check_changed()
        self._form.refresh()
        return True

    def discard(self) -> None:
        """Discard what was typed: show the saved record as it was, or the same plot, empty."""
        opened = self._form.opened_record
        if opened is not None:
            self.open(opened.record, opened.version)
        else:
            self.begin_new(plot=self._form.plot)

    def leave(self) -> None:
        """Leave the plot, whose draft was kept; the form has no plot until another one is chosen."""
        self._close_opened()
        self._form.empty_plot()
        self._form.refresh()

    def make_new(self) -> None:
        """Turn the opened record, which was removed from the database, into a new one by the person at the window."""
        self._form.opened_record = None
        self._form.inputs.offer_of_record({})
        self._form.inputs[F.TECHNICIAN].fill(self._form.confirmation.name or self._technician[0], by_itself=True)
        self._form.refresh()
        self._form.callbacks.edited()  # so that the stored draft becomes one of a new record, too

    def show_changed(self, key: RecordKey, by: str) -> None:
        """Show that the person ``by`` has saved the record ``key``, if it is being corrected here."""
        opened = self._form.opened_record
        if opened is not None and opened.key == key:
            named = "You (in another window)" if by and by == self._form.confirmation.name else by
            self._form.opened_record = opened._replace(changed_by=named)
            self._form.refresh()

    def show_gone(self, key: RecordKey, how: str) -> None:
        """Show that the record ``key`` was withdrawn or moved, if it is open here; ``how`` is a sentence about it."""
        opened = self._form.opened_record
        if opened is not None and opened.key == key:
            self._form.opened_record = opened._replace(gone=how)
            self._form.refresh()

    def _close_opened(self) -> None:
        """Close the opened record, and restore the technician from before."""
        if self._form.opened_record is not None:
            self._form.inputs[F.TECHNICIAN].fill(*self._technician)
            self._form.inputs.offer_of_record({})
        self._form.opened_record = None


_OF_CHECK = (F.DATE, F.TIME, F.LAB)


class DraftKeeper:
    """Keeps what is half typed as the draft of its plot, and shows such drafts again."""

    def __init__(self, form: FormContent, reason: ReasonLine, autofill: Autofill, shown_record: ShownRecord) -> None:
        self._form, self._reason, self._autofill, self._shown_record = form, reason, autofill, shown_record
        self._last_check: CheckKey | None = None
        self._left: RecordKey | None = None  # the plot that was left half typed when another check was chosen

    def plots(self) -> frozenset[int]:
        """Return the plots of the check that have drafts."""
        return frozenset(plot for *check, plot in self._form.drafts if tuple(check) == self._form.check.key)

    def draft(self) -> dict[str, Any]:
        """Return what is being typed, as values that can be written as JSON."""
        form = self._form
        return {
            "texts": form.inputs.texts(),
            "reason": self._reason.text,
            "by_itself": [name for name, each in form.inputs.items() if each.filled_by_itself],
            "readings": form.inputs.readings_before_fault,
            **({"opened": None} if form.opened_record is None else form.opened_record.draft()),
        }

    @property
    def head_is_typed(self) -> bool:
        """Whether date, time, lab or technician were typed."""
        head = [self._form.inputs[name] for name in CHECK_FIELDS]
        return any(each.text and not each.filled_by_itself for each in head)

    def restore(self, draft: Mapping[str, Any]) -> None:
        """Show what :meth:`draft` returned."""
        self._shown_record.open_fields()
        form, inputs = self._form, self._form.inputs
        form.opened_record = opened_in(draft)
        if form.opened_record is not None:
            _date, _time, lab, plot = form.opened_record.key
            technician = form.opened_record.texts.get(F.TECHNICIAN)
            inputs.offer_of_record({F.TECHNICIAN: technician, F.LAB: lab, F.PLOT: plot})
        form.fill({name: str(text) for name, text in draft["texts"].items()})
        for name in draft.get("by_itself") or ():
            if name in inputs:
                inputs[name].filled_by_itself = True
        inputs.readings_before_fault.update(draft.get("readings") or {})
        self._autofill.seed_sample()
        person = form.confirmation.name
        if form.opened_record is None and person:
            inputs[F.TECHNICIAN].fill(person, by_itself=True)
        # Errors that were shown when the draft was kept are shown again.
        inputs.mark_wrong()
        self._reason.fill(str(draft.get("reason") or ""))
        form.refresh()

    def show_of_plot(self) -> bool:
        """Show the draft of the plot that was just chosen; return whether there is one."""
        form = self._form
        if form.opened_record is not None or form.saving or form.changed:
            return False
        key = form.key
        draft = form.callbacks.find_draft(key) if key is not None and key in form.drafts else None
        if draft is None:
            return False
        # Without date, time and lab, which are the same already; the user may be typing in one of them.
        texts = {name: text for name, text in draft["texts"].items() if name not in _OF_CHECK}
        by_itself = [name for name in draft.get("by_itself") or () if name in texts]
        self.restore({**draft, "texts": texts, "by_itself": by_itself})
        return True

    def leave_check(self) -> None:
        """Keep the draft for its plot, because another check was chosen and the readings belong to the previous one."""
        form, before, key = self._form, self._last_check, self._form.check_key
        if key is None:
            return
        self._last_check = key
        if before is None or before == key or form.opened_record is not None or not form.changed:
            return
        draft, plot = self.draft(), form.plot
        if plot is None:
            return
        draft["texts"] |= {F.DATE: before[0].isoformat(), F.TIME: before[1], F.LAB: before[2]}
        if form.callbacks.keep_draft(draft):
            self._left = (*before, plot)
            form.empty_plot()
        else:
            form.inputs[F.PLOT].fill("")  # the plot belongs to the draft, too

    def note_check(self) -> None:
        """Remember the check that the form shows now, so that :meth:`leave_check` knows which one was left."""
        self._last_check = self._form.check_key or self._last_check

    def come_back(self) -> None:
        """Show the half-typed plot again, if date, time and lab are again as they were when it was left."""
        form, left = self._form, self._left
        if left is None or form.check_key != left[:3] or form.opened_record is not None or form.changed:
            return
        self._left = None
        if left in form.drafts:
            form.inputs[F.PLOT].fill(str(left[3]), by_itself=True)
            self.show_of_plot()

    def objection(self) -> str:
        """Return a message if the plot for these values has another draft already; else empty."""
        form = self._form
        if not form.drafts:
            return ""
        key = form.key
        if key is None or not form.changed or not form.callbacks.is_other_draft(key, form.corrects):
            return ""
        return f"{key[3]} is half typed already"

    def next_plot(self) -> int | None:
        """Return the next plot that is neither recorded nor half typed; a half-typed one if no other is left."""
        key, check = self._form.key, self._form.check
        half = [plot for *others, plot in self._form.drafts if tuple(others) == check.key] + ([key[3]] if key else [])
        after = key[3] if key is not None else 0
        # Half-typed plots count as recorded here, so that empty plots come first.
        others = check._replace(recorded={**check.recorded, **dict.fromkeys(half, "")})
        return others.next_missing(after) or check.next_missing(after)


class PendingAnswer:
    """The answer of the database that the form waits for: which plot comes next, or whether this window has claimed it.

    Until it is here, Enter in the head of the form is held back, and what is typed for the plot.
    """

    def __init__(self, form: FormContent) -> None:
        self._form = form
        self._field = ""
        self.claims = False
        """Whether the plot is being claimed; keys wait until the answer."""

    @property
    def is_waiting(self) -> bool:
        """Whether an Enter is being held back."""
        return bool(self._field)

    @property
    def is_looking_up(self) -> bool:
        """Whether the check is being looked up, so that it isn't known yet which plot comes next."""
        form = self._form
        # If the lookup has failed, there is nothing to wait for.
        unknown = form.check_key is not None and not form.check.known and not form.check.problem
        return unknown and form.opened_record is None and form.fills_itself

    def holds(self, name: str) -> bool:
        """Return whether Enter waits in an empty Technician, which may be filled in soon.

        That way, the number of Enters until the first value doesn't depend on the speed of the database.
        """
        if name != F.TECHNICIAN or self._form.inputs[name].text or not self.is_looking_up:
            return False
        self.wait_at(name)
        return True

    def wait_at(self, name: str) -> None:
        """Hold back Enter, and go on from that field once the check is known."""
        self._field = name
        self._form.type_ahead.wait(None)

    def claim(self) -> None:
        """Hold back keys while the plot is being claimed."""
        self.claims = True
        self._form.type_ahead.wait(self._form.key)

    def claim_answered(self) -> None:
        """Release the keys typed while the plot was being claimed."""
        if self.claims:
            self.claims = False
            self._form.type_ahead.arrived()

    def go_on(self) -> None:
        """Go on from where Enter waited, with the keys typed since, because the lookup of the check has ended."""
        if not self._field or self.is_looking_up:
            return
        name, self._field = self._field, ""
        self._form.advance(name)
        if self._field:
            return
        focused = self._form.focused
        if self._form.inputs[name].error or focused is None or focused.name in (*CHECK_FIELDS, F.PLOT):
            self._form.type_ahead.refused()  # the keys were typed for a reading
        else:
            self._form.type_ahead.arrived()

    def end(self) -> None:
        """Stop holding back Enter after a click: keys typed next are for what was clicked."""
        if self._field:
            self._field = ""
            self._form.type_ahead.refused()

    def check_lists(self) -> str:
        """Complete or check what was typed before the lists arrived; return the first field that is wrong."""
        form, focused, wrong = self._form, self._form.focused, ""
        for name in (F.LAB, F.TECHNICIAN, F.PLOT):
            each = form.inputs[name]
            # An incomplete name isn't wrong while it is being typed; but if Enter waits there, it isn't typed any more.
            is_being_typed = each is focused and not self._field
            unknown = form.inputs.choices.get(name) is None
            if not each.text or is_being_typed or form.opened_record is not None or unknown:
                continue
            if not each.check():
                wrong = wrong or name
        return wrong

    def stop_at(self, wrong: str) -> None:
        """Set aside the keys typed after a field that is wrong, instead of typing them."""
        if wrong and self._field:
            self._field = ""
            self._form.inputs[wrong].focus_set()
            self._form.type_ahead.refused()


class KnownCheck:
    """Shows in the form what is known about its check."""

    def __init__(self, form: FormContent, autofill: Autofill, pending_answer: PendingAnswer) -> None:
        self._form, self._autofill, self._pending_answer = form, autofill, pending_answer
        self.plots: Mapping[str, tuple[int, ...]] = {}
        """The plots of each lab."""

    def show(self, view: CheckView) -> None:
        """Show what is known about a check; ignored if the form shows another one by now."""
        form = self._form
        if view.key != form.check_key:
            return
        # Only the first answer fills fields and moves the focus; records that others save later don't.
        first = form.check.key != view.key or not form.check.known
        is_back = bool(form.check.known_at) and not view.known_at
        form.check = view
        if form.opened_record is None and first:
            self._autofill.technician(view, form.confirmation.name)
        plot = form.inputs[F.PLOT]
        # If readings are being typed, the plot stays, even if somebody else has recorded it first.
        if form.opened_record is None and not form.changed and (not plot.text or (first and plot.filled_by_itself)):
            self._autofill.plot(view)
            form.show_draft()
        focused = form.focused
        is_filled = focused is not None and focused.name in (F.TECHNICIAN, F.PLOT) and focused.filled_by_itself
        if first and is_filled and not self._pending_answer.is_waiting:
            form.focus_first_empty()  # otherwise the focus would stay in a field that was just filled in
        self._form.refresh()
        self._pending_answer.go_on()
        at = form.plot
        if is_back and at is not None and at in view.recorded:
            self.leave_taken_plot(at)  # a colleague has recorded it while the database was away

    def leave_taken_plot(self, plot: int) -> bool:
        """Go to the next plot if somebody else got ``plot`` first, unless the user chose it or typed into it.

        Return whether the form has left it.
        """
        form = self._form
        under_way = form.changed or form.saving or (self._form.type_ahead.is_busy and not self._pending_answer.claims)
        # A plot that the user chose stays, whoever else has it.
        filled = form.inputs[F.PLOT].filled_by_itself
        if form.opened_record is not None or under_way or not filled or form.plot != plot:
            return False
        focused = form.focused
        form.begin_new(form.check.next_missing(plot))
        if focused is not None and focused.name not in CHECK_FIELDS:
            form.focus_first_empty()
        if form.check.key is not None:
            self._form.type_ahead.refused([(*form.check.key, plot)])  # keys typed already were for the plot just left
        return True

    def look_up(self) -> None:
        """Fetch the check again, because others may have recorded plots."""
        key = self._form.check_key
        if key is not None:
            self._form.callbacks.check_chosen(*key)

    def changed(self) -> None:
        """Fetch the check if date, time or lab have changed."""
        self.show_plots_of_lab()
        form, key = self._form, self._form.check_key
        if key != form.check.key:
            form.check = CheckView(key=key, plots=self.plots.get(key[2], ()) if key else ())
            if key is not None:
                form.callbacks.check_chosen(*key)

    def show_plots_of_lab(self) -> None:
        """Offer the plots of the lab; none if it has none and the lists are here."""
        form, lab = self._form, self._form.inputs.value(F.LAB)
        unknown = () if form.inputs.choices.get(F.LAB) is not None else None
        plots = self.plots.get(lab, unknown) if isinstance(lab, str) else None
        form.inputs.offer({F.PLOT: plots})
        form.inputs[F.LAB].objection = self._lab_without_plots if plots == () else None
        if form.check.key is not None and plots is not None:
            form.check = form.check.with_plots(plots)

    def _lab_without_plots(self) -> str:
        """Return a message if the lab has no plots, in which case nothing can be recorded; else an empty text."""
        if self._form.corrects:
            return ""
        lab = self._form.inputs[F.LAB].text
        return f"Lab {lab} has no plots: a supervisor adds them (Tools ‣ Technicians, Labs and Plots)"


class Person:
    """Who is at the window: confirms the name in Technician, and asks for it before a save if nobody is confirmed."""

    def __init__(self, form: FormContent, pending_answer: PendingAnswer) -> None:
        self._form, self._pending_answer = form, pending_answer
        self._stopped_at: tk.Misc | None = None

    def is_known(self) -> bool:
        """Return whether the name in Technician is confirmed, or belongs to a record that is being corrected."""
        name = self._form.confirmation.name
        return (bool(name) and self._form.inputs[F.TECHNICIAN].text == name) or self._form.corrects

    def confirm(self) -> None:
        """Confirm that the name in Technician is that of the person at the window."""
        form = self._form
        name = form.inputs.value(F.TECHNICIAN)
        if form.corrects or form.inputs.read_only or not isinstance(name, str):
            return
        self._form.confirmation.confirm(name)
        is_new = form.opened_record is None and not form.saving and not self._pending_answer.is_waiting
        if form.callbacks.confirmed() and is_new and not form.changed:
            self._pending_answer.claim()
        form.inputs[F.TECHNICIAN].filled_by_itself = True  # so that Enter skips it until a long pause
        self._form.refresh()

    def forget(self) -> None:
        """Forget the confirmed person; Enter stops at Technician again."""
        self._form.confirmation.forget()
        technician = self._form.inputs[F.TECHNICIAN]
        technician.filled_by_itself = bool(technician.text)
        self._form.refresh()

    def take_typed_name(self) -> None:
        """Confirm a name that was typed or picked; one that was filled in is confirmed only by Enter."""
        technician = self._form.inputs[F.TECHNICIAN]
        is_typed = bool(technician.text) and not technician.filled_by_itself
        if self._form.opened_record is None and not self.is_known() and is_typed:
            self.confirm()

    def is_there(self) -> bool:
        """Return whether a person is confirmed for the save; if not, stop at Technician and ask."""
        self.take_typed_name()
        if self.is_known():
            return True
        technician = self._form.inputs[F.TECHNICIAN]
        # So that the focus can return to where the save was started, after the answer.
        self._stopped_at = focused_widget(technician)
        technician.focus_set()
        # A hint instead of a dialog, because Enter in this field, which has the focus now, is the answer.
        technician.show_hint("Not saved yet. Who are you? Enter takes this name.")
        self._form.refuse_save()
        return False

    def go_back(self) -> bool:
        """Return to where a save was stopped to ask for the technician; return whether there is such a place."""
        place, self._stopped_at = self._stopped_at, None
        if place is None or not place.winfo_viewable():
            return False
        place.focus_set()
        return True

    def question(self) -> TechnicianQuestion | None:
        """Return the question about the plots recorded so far, if somebody else continues a colleague's check."""
        form = self._form
        check, chosen, plot = form.check, form.inputs[F.TECHNICIAN].text, form.plot
        # Without the plot in the form, whose technician is set by the save itself.
        others = [each for each, name in check.recorded.items() if name != chosen and each != plot]
        if not others:
            return None
        if form.opened_record is not None:
            known, is_chosen = form.opened_record.texts.get(F.TECHNICIAN), form.corrects
        else:
            known, is_chosen = check.technician, self.is_known()
        key, mine = form.check_key, plot in check.recorded
        if key is None or check.key != key or chosen == known or not is_chosen:
            return None
        if form.inputs.value(F.TECHNICIAN) != chosen or form.inputs.read_only:
            return None
        return TechnicianQuestion(key, chosen, check.technician or "", len(check.recorded) + (not mine))


class DateAsking:
    """Asks once in ``panel`` whether an unlikely date of the check is right."""

    def __init__(self, form: FormContent, panel: CheckPanel) -> None:
        self._form, self._panel = form, panel
        self.asked_of: object = None
        """The value of :meth:`concerns` when it was asked last."""

    def concerns(self) -> datetime.date | None:
        """Return the date to ask about if it is unlikely; None for today, for the date of the record that is being
        corrected, for one that was filled in, or if nothing can be saved."""
        form, date, opened = self._form, self._form.date, self._form.opened_record
        filled = form.inputs[F.DATE].filled_by_itself or form.inputs.read_only
        if date is None or filled or (opened is not None and opened.key[0] == date) or date == form.today():
            return None
        return date

    def begin_day(self) -> None:
        """Ask again if needed, because midnight has passed, which changes how far the date is from today."""
        self.asked_of = "the day before"

    def show(self) -> bool:
        """Ask about the date in the form, or show the answered question; return whether the line has changed."""
        self.asked_of = date = self.concerns()
        old_days = int(self._form.settings["old_date_days"].get())
        found = None if date is None else date_question(date, self._form.today(), old_days)
        is_new = found != self._panel.date_line.question
        if is_new:
            self._panel.ask_date(found)
        return is_new

    def holds(self, entered: bool = False) -> bool:
        """Return whether the question about the date is open; then the date gets the focus. ``entered``: Enter answers
        it."""
        is_new, line = self.asked_of != self.concerns() and self.show(), self._panel.date_line
        if line.question is None or not line.asks or (entered and not is_new and line.answer_with_enter()):
            return False
        self._form.inputs[F.DATE].focus_set()
        self._form.sound()
        return True

    def keep(self) -> str:
        """Keep the date, however unlikely, and return the next field."""
        self._form.inputs[F.DATE].check()
        self.show()
        line = self._panel.date_line
        if line.asks:
            line.keep()
            focused = self._form.focused
            if focused is not None and focused.name == F.DATE:
                self._form.advance(F.DATE)
        return "break"
