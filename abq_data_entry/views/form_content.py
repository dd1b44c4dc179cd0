"""What the form holds: its fields, what is known of their check, and the saved record that was opened."""

from __future__ import annotations

from collections.abc import Callable

from .. import fields
from ..constants import FieldNames as F
from ..widgets import FieldInput
from ..widgets.focus import focused_widget
from .check_panel import CheckView
from .opened_record import OpenedRecord
from .record_inputs import CHECK_FIELDS, CheckKey, RecordInputs, RecordKey


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
