"""What the form holds: its fields, what is known of their check, the saved record that was opened; and whom it asks."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from .. import fields
from ..constants import FieldNames as F
from ..widgets import FieldInput
from ..widgets.focus import focused_widget
from .record_inputs import CHECK_FIELDS, CheckKey, OpenedRecord, Record, RecordInputs, RecordKey


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
        plots = tuple(sorted({*plots, *self.recorded}))
        return self if plots == self.plots else self._replace(plots=plots)

    def next_missing(self, after: int) -> int | None:
        """The next plot after ``after`` that is neither recorded nor being entered by somebody else, going round."""
        later = [plot for plot in self.plots if plot > after] + [plot for plot in self.plots if plot <= after]
        taken = {each.plot for each in self.others}
        return next((plot for plot in later if plot not in self.recorded and plot not in taken), None)

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


class FormCallbacks(NamedTuple):
    """What the form reports. ``save(record, opened)``: ``opened`` is the key of the record that was opened
    and is to be updated, ``None`` for a new one. ``find_draft(key)`` gives what is half typed of that plot,
    ``keep_draft(draft)`` keeps such a one when another check is chosen, where the plot has no other;
    ``is_other_draft(key, corrects)`` tells whether it has one besides what the form holds. ``confirmed()``: somebody
    has said who sits here; it returns whether the plot is being claimed now, until
    :meth:`DataRecordForm.claim_answered`."""

    check_chosen: Callable[[datetime.date, str, str], object]
    save: Callable[[Record, RecordKey | None], object]
    go_to_plot: Callable[[int], object]
    open_recorded: Callable[[RecordKey], object]
    edited: Callable[[], object]
    confirmed: Callable[[], bool]
    next_check: Callable[[], object]
    discard: Callable[[], object]
    find_draft: Callable[[RecordKey], Mapping[str, Any] | None]
    keep_draft: Callable[[Mapping[str, Any]], bool]
    is_other_draft: Callable[[RecordKey, bool], bool]


class FormContent:
    """Shared by the parts of the form. ``check`` and ``opened`` are what is known; ``saving``: a save is under way.

    ``is_loading``: the program fills the fields, nobody types.
    """

    def __init__(self, inputs: RecordInputs) -> None:
        self.inputs = inputs
        self.check = CheckView()
        self.opened: OpenedRecord | None = None
        self.saving = self.is_loading = False

    @property
    def key(self) -> RecordKey | None:
        """Date, time, lab and plot, when all four are valid."""
        return self.inputs.key

    @property
    def check_key(self) -> CheckKey | None:
        """Date, time and lab, when all three are valid."""
        return self.inputs.check_key

    @property
    def new_key(self) -> RecordKey | None:
        """The key of the new record; ``None`` while it isn't all there, or a saved record is corrected."""
        return self.key if self.opened is None else None

    @property
    def plot(self) -> int | None:
        """The plot, when it is valid."""
        plot = self.inputs.value(F.PLOT)
        return plot if isinstance(plot, int) else None

    @property
    def technician(self) -> FieldInput:
        """The field of the technician."""
        return self.inputs[F.TECHNICIAN]

    @property
    def corrects(self) -> bool:
        """Whether a save corrects the opened record: its technician is whoever recorded it, and stays so."""
        return self.opened is not None and self.opened.key == self.key

    @property
    def changed(self) -> bool:
        """Whether something was typed that would be lost with the form."""
        return self.inputs.typed if self.opened is None else self.inputs.differ_from(self.opened.texts)

    @property
    def focused(self) -> FieldInput | None:
        """The field that has the focus."""
        widget = focused_widget(self.technician)
        return next((each for each in self.inputs.values() if each.editor is widget), None)

    def load(self, fill: Callable[[], object]) -> None:
        """Let ``fill`` set the fields by the program."""
        self.is_loading = True
        fill()
        self.is_loading = False

    def empty_plot(self) -> None:
        """Empty all but the check's fields."""
        self.load(lambda: self.inputs.fill({name: "" for name in self.inputs if name not in CHECK_FIELDS}))
        self.inputs.forget_readings()
        self.inputs.apply_fault()

    def missing_of_key(self) -> str:
        """The first field that is missing for the form to be of a certain plot; Plot where none is."""
        wrong = (name for name in fields.FOCUS_ORDER if name in fields.RECORD_KEY and self.inputs.value(name) is None)
        return next(wrong, F.PLOT)
