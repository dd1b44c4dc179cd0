"""What is known of the form's check, as it comes from the database; and what waits until it is."""

from __future__ import annotations

from collections.abc import Mapping

from ..constants import FieldNames as F
from .form_content import CheckView, FormContent
from .opening import Autofill
from .record_inputs import CHECK_FIELDS


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
        if form.check.key is not None and plots is not None:
            form.check = form.check.with_plots(plots)
