"""What is known of the form's check, as it comes from the database; and what waits until it is."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Mapping

from ..constants import FieldNames as F
from .form_content import CheckView, Entering, FormContent
from .opening import Autofill
from .record_inputs import CHECK_FIELDS, CheckKey, RecordKey
from .type_ahead import TypeAhead


class Awaiting:
    """Holds Enter in the head of the form until the database has told which plot comes next.

    ``advance(name)`` is Enter in a field; ``fills_itself()``: whether the plot fills itself at all.
    """

    def __init__(
        self,
        content: FormContent,
        ahead: Callable[[], TypeAhead],
        advance: Callable[[str], object],
        fills_itself: Callable[[], bool],
    ) -> None:
        self._content, self._ahead = content, ahead
        self._advance, self._fills_itself = advance, fills_itself
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
        content = self._content
        unknown = content.check_key is not None and not content.check.known and not content.check.problem
        return unknown and content.opened is None and self._fills_itself()

    def holds(self, name: str) -> bool:
        """Enter in an empty Technician, which may fill itself in a moment: how many Enters it takes to the first value
        doesn't depend on how fast the database is."""
        if name != F.TECHNICIAN or self._content.inputs[name].text or not self.is_looked_up:
            return False
        self.wait_at(name)
        return True

    def wait_at(self, name: str) -> None:
        """Enter was pressed there: on from that field once the check is known."""
        self._field = name
        self._ahead().wait(None)

    def claim(self) -> None:
        """The plot is being claimed: a key belongs to a plot that is this window's."""
        self.claims = True
        self._ahead().wait(self._content.key)

    def claim_answered(self) -> None:
        """Whose the plot is, is known: on with what was typed meanwhile."""
        if self.claims:
            self.claims = False
            self._ahead().arrived()

    def go_on(self) -> None:
        """The check is known, or can't be: on from where Enter waited, with what was typed meanwhile."""
        if not self._field or self.is_looked_up:
            return
        name, self._field = self._field, ""
        self._advance(name)
        if self._field:
            return
        focused = self._content.focused
        if self._content.inputs[name].error or focused is None or focused.name in (*CHECK_FIELDS, F.PLOT):
            self._ahead().refused()  # it was typed for a reading
        else:
            self._ahead().arrived()

    def end(self) -> None:
        """Somebody clicks: what is typed next is for where that leads."""
        if self._field:
            self._field = ""
            self._ahead().refused()

    def check_lists(self) -> str:
        """The lists are here: what was typed before them is completed, or marked; returns the first that is wrong."""
        content, focused, wrong = self._content, self._content.focused, ""
        for name in (F.LAB, F.TECHNICIAN, F.PLOT):
            each = content.inputs[name]
            is_being_typed = each is focused and not self._field
            unknown = content.inputs.choices.get(name) is None
            if not each.text or is_being_typed or content.opened is not None or unknown:
                continue
            if not each.check():
                wrong = wrong or name
        return wrong

    def stop_at(self, wrong: str) -> None:
        """A field that is wrong holds what was typed after it."""
        if wrong and self._field:
            self._field = ""
            self._content.inputs[wrong].focus_set()
            self._ahead().refused()


class KnownCheck:
    """Shows it in the form. ``chosen(date, time, lab)`` looks a check up; ``begin_new(plot)`` begins another plot,
    ``show_draft()`` shows what is half typed of it; ``focus_first_empty()`` and ``refresh()`` are the form's."""

    def __init__(
        self,
        content: FormContent,
        autofill: Autofill,
        awaiting: Awaiting,
        ahead: Callable[[], TypeAhead],
        chosen: Callable[[datetime.date, str, str], object],
        begin_new: Callable[[int | None], object],
        show_draft: Callable[[], object],
        focus_first_empty: Callable[[], object],
        refresh: Callable[[], object],
    ) -> None:
        self._content, self._autofill, self._awaiting, self._ahead = content, autofill, awaiting, ahead
        self._chosen, self._begin_new, self._show_draft = chosen, begin_new, show_draft
        self._focus_first_empty, self._refresh = focus_first_empty, refresh
        self.plots: Mapping[str, tuple[int, ...]] = {}
        """Those of each lab."""

    def show(self, view: CheckView, person: str) -> None:
        """What the database knows of the check; dropped when the user has gone on to another one."""
        content = self._content
        if view.key != content.check_key:
            return
        # Only the first answer fills fields and moves the focus: what others record later moves nothing.
        first = content.check.key != view.key or not content.check.known
        is_back = bool(content.check.known_at) and not view.known_at
        content.check = view
        if content.opened is None and first:
            self._autofill.technician(view, person)
        plot = content.inputs[F.PLOT]
        # Readings that are being typed keep their plot, even if somebody else was quicker with it.
        if content.opened is None and not content.changed and (not plot.text or (first and plot.filled_by_itself)):
            self._autofill.plot(view)
            self._show_draft()
        focused = content.focused
        is_filled = focused is not None and focused.name in (F.TECHNICIAN, F.PLOT) and focused.filled_by_itself
        if first and is_filled and not self._awaiting.is_waiting:
            self._focus_first_empty()  # whoever was quicker than the database isn't left in a filled field
        self._refresh()
        self._awaiting.go_on()
        at = content.plot
        if is_back and at is not None and at in view.recorded:
            self.give_way(at)  # a colleague has recorded it while the database was away

    def show_others(self, key: CheckKey, others: tuple[Entering, ...]) -> None:
        """Who else is entering the check ``key`` now."""
        check = self._content.check
        if key == check.key and others != check.others:
            self._content.check = check._replace(others=others)
            self._refresh()

    def show_waiting(self, keys: Collection[RecordKey]) -> None:
        """These records wait on this computer for the database."""
        check = self._content.check
        waiting = frozenset(plot for *of_check, plot in keys if tuple(of_check) == check.key)
        if waiting != check.waiting:
            self._content.check = check._replace(waiting=waiting)
            self._refresh()

    def give_way(self, plot: int) -> bool:
        """Somebody else was quicker with that plot: on to the next one, unless it was asked for or typed into."""
        content = self._content
        under_way = content.changed or content.saving or (self._ahead().is_busy and not self._awaiting.claims)
        filled = content.inputs[F.PLOT].filled_by_itself
        if content.opened is not None or under_way or not filled or content.plot != plot:
            return False
        focused = content.focused
        self._begin_new(content.check.next_missing(plot))
        if focused is not None and focused.name not in CHECK_FIELDS:
            self._focus_first_empty()
        if content.check.key is not None:
            self._ahead().refused([(*content.check.key, plot)])  # who is typing already means the other plot
        return True

    def plots_after(self, plot: int) -> tuple[int, ...]:
        """The plots of the check that are missing beside that one, in the order in which they come after it."""
        check = self._content.check
        later = [each for each in check.plots if each > plot] + [each for each in check.plots if each < plot]
        return tuple(each for each in later if each not in check.recorded)

    def changed(self) -> None:
        """Date, time or lab may be others now: look the check up."""
        self.show_plots_of_lab()
        content, key = self._content, self._content.check_key
        if key != content.check.key:
            content.check = CheckView(key=key, plots=self.plots.get(key[2], ()) if key else ())
            if key is not None:
                self._chosen(*key)

    def show_plots_of_lab(self) -> None:
        """Offer the plots that the lab has; none, once the lists are here, where it has none."""
        content, lab = self._content, self._content.inputs.value(F.LAB)
        choices = content.inputs.choices
        unknown = () if choices.get(F.LAB) is not None else None
        plots = self.plots.get(lab, unknown) if isinstance(lab, str) else None
        choices[F.PLOT] = plots
        if content.check.key is not None and plots is not None:
            content.check = content.check.with_plots(plots)

    @property
    def objection(self) -> str:
        """In words, that nothing can be recorded in the lab; else empty."""
        content, lab = self._content, self._content.inputs.value(F.LAB)
        is_empty = content.inputs.choices.get(F.PLOT) == ()
        if not isinstance(lab, str) or content.corrects or not is_empty:
            return ""
        return f"Lab {lab} has no plots: a supervisor adds them (Tools ‣ Technicians, Labs and Plots)"
