"""What the form holds: its fields, what is known of their check, the saved record that was opened; and whom it asks."""

from __future__ import annotations

import datetime
import time
import tkinter as tk
from collections.abc import Callable, Mapping
from tkinter import ttk
from types import MappingProxyType
from typing import Any, NamedTuple

from ..constants import FieldNames as F
from ..widgets import FieldInput
from ..widgets.focus import focused_widget
from .record_inputs import CHECK_FIELDS, CheckKey, OpenedRecord, Record, RecordInputs, RecordKey
from .type_ahead import TypeAhead

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
        # Asked for, not ended by a timer: timers stand still while the computer sleeps.
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


class Entering(NamedTuple):
    """Somebody else who is entering a check now, where, and at which plot; ``None`` while at none."""

    name: str
    workstation: str = ""
    plot: int | None = None

    @property
    def named(self) -> str:
        """The person and the place ("P Taylor on bench-2")."""
        return f"{self.name} on {self.workstation}" if self.workstation else self.name


class CheckView(NamedTuple):
    """What the form knows of a check.

    ``recorded`` gives the technician of each recorded plot, ``previous`` the latest earlier record of each
    plot; ``known`` is False while the database hasn't answered; ``following`` is the check that comes next;
    ``others`` are the people who are entering it now besides the one who sits here; ``waiting`` are the
    recorded plots that wait on this computer for the database; ``version`` is that of the check, where known;
    ``known_at`` is when this computer learned of it, where the database is away.
    """

    key: CheckKey | None = None
    plots: tuple[int, ...] = ()
    technician: str | None = None
    recorded: Mapping[int, str] = MappingProxyType({})
    previous: Mapping[int, Mapping[str, Any]] = MappingProxyType({})
    known: bool = False
    problem: str = ""
    following: CheckKey | None = None
    others: tuple[Entering, ...] = ()
    waiting: frozenset[int] = frozenset()
    version: int | None = None
    known_at: str = ""

    def with_recorded(self, plot: int, technician: str) -> CheckView:
        """The same check with one more plot recorded."""
        return self._replace(recorded={**self.recorded, plot: technician}, technician=self.technician or technician)

    def with_plots(self, plots: tuple[int, ...]) -> CheckView:
        """The same check with the lab's plots; those that were recorded and are retired since belong to it too."""
        # Without the retired ones a check that is complete would look as if it weren't.
        plots = tuple(sorted({*plots, *self.recorded}))
        return self if plots == self.plots else self._replace(plots=plots)

    def next_missing(self, after: int) -> int | None:
        """The next plot after ``after`` that is neither recorded nor being entered by somebody else, going round."""
        return next(iter(self.free_after(after)), None)

    def free_after(self, plot: int) -> list[int]:
        """Those of :meth:`missing_after` that nobody else is entering."""
        # Two who share a check never type into the same plot.
        taken = {each.plot for each in self.others}
        return [each for each in self.missing_after(plot) if each not in taken]

    def missing_after(self, plot: int) -> tuple[int, ...]:
        """The plots that aren't recorded, in the order in which they come after that one, which is the last."""
        # Whoever began in the middle of the lab comes round to its beginning.
        later = [each for each in self.plots if each > plot] + [each for each in self.plots if each <= plot]
        return tuple(each for each in later if each not in self.recorded)

    def left_to_others(self) -> Entering | None:
        """Who is entering the first plot that is missing, where others are entering all that are."""
        missing = [plot for plot in self.plots if plot not in self.recorded]
        entered = [self.entered_by(plot) for plot in missing]
        return entered[0] if entered and all(entered) else None

    def entered_by(self, plot: int) -> Entering | None:
        """Who else is entering that plot now."""
        return next((each for each in self.others if each.plot == plot), None)

    @property
    def complete(self) -> bool:
        """Whether every plot of the lab is recorded."""
        return self.known and bool(self.plots) and all(plot in self.recorded for plot in self.plots)


# Callbacks, not the application: the form can be made and tested without a database.
class FormCallbacks(NamedTuple):
    """What the form reports. ``save(record, opened)``: ``opened`` is the key of the record that was opened
    and is to be updated, ``None`` for a new one. ``find_draft(key)`` gives what is half typed of that plot,
    ``keep_draft(draft)`` keeps such a one when another check is chosen, where the plot has no other;
    ``is_other_draft(key, corrects)`` tells whether it has one besides what the form holds. ``confirmed()``: somebody
    has said who sits here; it returns whether the plot is being claimed now, until
    :meth:`DataRecordForm.claim_answered`. What isn't given does nothing."""

    check_chosen: Callable[[datetime.date, str, str], object] = lambda date, time, lab: None
    save: Callable[[Record, RecordKey | None], object] = lambda record, opened: None
    go_to_plot: Callable[[int], object] = lambda plot: None
    open_recorded: Callable[[RecordKey], object] = lambda key: None
    edited: Callable[[], object] = lambda: None
    confirmed: Callable[[], bool] = lambda: False
    next_check: Callable[[], object] = lambda: None
    discard: Callable[[], object] = lambda: None
    find_draft: Callable[[RecordKey], Mapping[str, Any] | None] = lambda key: None
    keep_draft: Callable[[Mapping[str, Any]], bool] = lambda draft: False
    is_other_draft: Callable[[RecordKey, bool], bool] = lambda key, corrects: False


class FormContent(ttk.Frame):
    """What the parts of the form share: what it holds, whom it asks, and what each part may ask of the whole.

    ``check`` and ``opened_record`` are what is known; ``saving``: a save is under way; ``is_loading``: the program
    fills the fields, nobody types. ``callbacks`` may be set once those are there whom the form calls.
    ``confirmation``: who sits here. ``type_ahead`` collects keys that come before
    their plot.
    """

    type_ahead: TypeAhead

    def __init__(
        self,
        parent: tk.Misc,
        callbacks: FormCallbacks,
        settings: Mapping[str, tk.Variable],
        today: Callable[[], datetime.date],
        inputs: RecordInputs,
    ) -> None:
        super().__init__(parent)
        self.callbacks, self.settings, self.today, self.inputs = callbacks, settings, today, inputs
        self.confirmation = Confirmation()
        self.check = CheckView()
        self.opened_record: OpenedRecord | None = None
        self.saving = self.is_loading = False
        self.edition = 0
        """Another number once something of it may have changed, so that nobody looks at the same twice."""
        self.after_save: Callable[[], object] | None = None
        """What is to be done once the save that is under way is done."""

    @property
    def check_key(self) -> CheckKey | None:
        """Date, time and lab, when all three are valid."""
        date, time, lab = (self.inputs.value(name) for name in (F.DATE, F.TIME, F.LAB))
        if isinstance(date, datetime.date) and isinstance(time, str) and isinstance(lab, str):
            return date, time, lab
        return None

    @property
    def key(self) -> RecordKey | None:
        """Date, time, lab and plot, when all four are valid."""
        check, plot = self.check_key, self.inputs.value(F.PLOT)
        return (*check, plot) if check is not None and isinstance(plot, int) else None

    @property
    def new_key(self) -> RecordKey | None:
        """The key of the new record; ``None`` while it isn't all there, or a saved record is corrected."""
        return self.key if self.opened_record is None else None

    @property
    def plot(self) -> int | None:
        """The plot, when it is valid."""
        plot = self.inputs.value(F.PLOT)
        return plot if isinstance(plot, int) else None

    @property
    def corrects(self) -> bool:
        """Whether a save corrects the opened record: its technician is whoever recorded it, and stays so."""
        return self.opened_record is not None and self.opened_record.key == self.key

    @property
    def changed(self) -> bool:
        """Whether something was typed that would be lost with the form."""
        if self.opened_record is not None:
            # Compared by value: 24,1 that was typed over 24.10 is no change.
            return self.inputs.differ_from(self.opened_record)
        # What filled itself, and the check's own fields, would come again.
        return any(
            each.text not in ("", "false") and not each.filled_by_itself
            for name, each in self.inputs.items()
            if name not in (*CHECK_FIELDS, F.PLOT)
        )

    @property
    def focused(self) -> FieldInput | None:
        """The field that has the focus."""
        widget = focused_widget(self)
        return next((each for each in self.inputs.values() if each.editor is widget), None)

    @property
    def fills_itself(self) -> bool:
        """Whether the check's fields stay after a save, and plot and seed sample fill themselves."""
        return self.is_on("autofill sheet data", without=True)

    def is_on(self, setting: str, without: bool = False) -> bool:
        """Whether that setting is on; ``without``: where it isn't known."""
        variable = self.settings.get(setting)
        return without if variable is None else bool(variable.get())

    def empty_plot(self) -> None:
        """Empty all but the check's fields."""
        self.is_loading = True
        self.inputs.fill({name: "" for name in self.inputs if name not in CHECK_FIELDS})
        self.is_loading = False
        # Another record: what stood in the readings before a fault isn't its.
        self.inputs.readings_before_fault = {}
        self.inputs.apply_fault()

    # -- what the parts ask of the whole: DataRecordForm does it ----------------------------------------

    def advance(self, name: str) -> None:
        """Enter in the field ``name``: on to the next required field, from the last one to a save."""
        raise NotImplementedError

    def begin_new(self, plot: int | None = None, all_fields: bool = False, asked: bool = False) -> None:
        """Begin a new record: the check's fields stay (``all_fields``: they are cleared too). ``asked``: somebody
        wants this very plot."""
        raise NotImplementedError

    def check_changed(self) -> None:
        """Date, time or lab may be others now."""
        raise NotImplementedError

    def close_fields(self, sentence: str) -> None:
        """Let nobody type here, and say why; an empty sentence opens the fields."""
        raise NotImplementedError

    def fill(self, texts: Mapping[str, str]) -> None:
        """Show these texts, as if they had been typed; but whose they are is nobody who has said so here."""
        raise NotImplementedError

    def focus_first_empty(self) -> None:
        """Put the focus where typing goes on: the first required field that is empty, or the next check."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Bring the strip, the previous readings and the remark beside the plot up to date."""
        raise NotImplementedError

    def refuse_save(self) -> None:
        """No save begins: what is typed on is for the plots that would have come."""
        raise NotImplementedError

    def show_draft(self) -> bool:
        """Show what is half typed of the plot that was just chosen; whether there is such a thing."""
        raise NotImplementedError

    def sound(self) -> None:
        """Tell of something that is wrong, where a sound is wanted."""
        raise NotImplementedError

    def submit(self) -> None:
        """Save: check every field; with errors the focus moves to the first, else the record goes up."""
        raise NotImplementedError
