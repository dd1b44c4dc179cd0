"""The parts of the form in the room that they have: what scrolls, and the buttons below it."""

from __future__ import annotations

from collections.abc import Callable
from tkinter import ttk

from .. import fields
from ..constants import FieldNames as F
from ..themes import Look
from ..widgets import FieldNotes, Scrolled
from ..widgets.note_line import measure_in
from .check_panel import CheckPanel
from .plot_panel import PlotPanel
from .record_inputs import RecordInputs
from .save_bar import SaveBar

# How wide the form is, in digits, where one line is enough for the words below the fields of its head, and of a column.
LETTERS_OF_HEAD, LETTERS_OF_READING = 120, 45


class FormLayout:
    """Arranges ``room`` with what scrolls (:meth:`make_body`), and the bar of buttons, in the frame of the form."""

    def __init__(self, form: ttk.Frame, inputs: RecordInputs) -> None:
        self._form, self._inputs = form, inputs
        form.columnconfigure(0, weight=1)
        form.rowconfigure(0, weight=1)
        self.room = Scrolled(form)
        """What scrolls where the window is too small for all fields."""
        self.room.grid(row=0, column=0, sticky="nsew")
        self.body = ttk.Frame(self.room.inside, padding=(16, 8, 16, 0))
        self.body.columnconfigure(0, weight=1)
        self.body.rowconfigure(2, weight=1)

    def place(self, check_panel: CheckPanel, plot_panel: PlotPanel, save_bar: SaveBar) -> None:
        """Put the panels, which were made in ``body``, and the bar, which was made in the form, where they belong."""
        self._check_panel, self._plot_panel, self._save_bar = check_panel, plot_panel, save_bar
        check_panel.grid(row=0, column=0, sticky="ew")
        ttk.Frame(self.body, style="Line.TFrame", height=1).grid(row=1, column=0, sticky="ew", pady=8)
        plot_panel.grid(row=2, column=0, sticky="nsew")
        save_bar.grid(row=1, column=0, sticky="ew")
        self.room.hold(self.body, self._fit)

    def arrange(self) -> None:
        """Give all parts their sizes, for the size that the form has."""
        self._save_bar.fit(self._form.winfo_width())
        self.room.arrange()

    @property
    def wanted_height(self) -> int:
        """The height in pixels at which nothing of the form has to scroll, as it is arranged now."""
        return self.body.winfo_reqheight() + self._save_bar.winfo_reqheight()

    def on_resize(self, action: Callable[[], object]) -> None:
        """Call ``action`` when what the form needs may have changed."""
        self.body.bind("<Configure>", lambda _event: action(), add=True)

    def show_look(self, look: Look) -> None:
        """Colours and spacing changed."""
        self.room.show_look(look)
        self._check_panel.show_look(look)
        for each in self._inputs.values():
            if isinstance(each.editor, ttk.Entry):
                # Else the text stays at the height that suited the old font (Tk 8.6).
                each.editor.configure(font="TkTextFont")
        notes = self._inputs[F.NOTES].editor
        if isinstance(notes, FieldNotes):
            notes.show_look(look)

    def _fit(self, width: int) -> bool:
        """Arrange the parts for this width; whether anything has changed."""
        self._save_bar.fit(self._form.winfo_width())
        inside = width - 2 * int(str(self.body.tk.splitlist(self.body.cget("padding"))[0]))
        changed = self._check_panel.fit(inside)
        changed = self._plot_panel.fit(inside) or changed
        return self._reserve_notes(inside) or changed

    def _reserve_notes(self, width: int) -> bool:
        """Keep two lines for the words below a field where one is too short for a sentence."""
        letters = width // measure_in("AbqSmall", self._form)("0")
        readings = [each.name for _title, members in fields.GROUPS for each in members]
        heads = [name for name in self._inputs if name not in (*readings, F.EQUIPMENT_FAULT, F.NOTES)]
        changed = self._inputs.reserve_notes(heads, 1 if letters >= LETTERS_OF_HEAD else 2)
        lines = 1 if letters >= LETTERS_OF_READING * self._plot_panel.columns else 2
        return self._inputs.reserve_notes(readings, lines) or changed
