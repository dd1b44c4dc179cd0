"""The fields of one plot in the order of the paper sheet, the buttons below them, and the layout of the form."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from tkinter.font import nametofont

from .. import fields
from ..constants import FieldNames as F
from ..themes import Look
from ..widgets import FieldNotes, Flow, Scrolled, Tooltip, occupied_width, widen_list
from ..widgets.field_input import ERROR_MARK
from ..widgets.focus import call_and_break, give_focus
from ..widgets.text_lines import measure_in
from .check_panel import AddInput, CheckPanel
from .form_content import CheckView, OpenedRecord, RecordInputs, RecordKey

WIDEST_REMARK, LEAST_REMARK = 460, 200
ROOMY_DIGITS = 80  # digits; a form of this width has more space than its fields need

# Row, column and rows of each group, by the number of columns: always read down, then across.
_PLACES = {
    3: ((1, 0, 1), (1, 1, 1), (1, 2, 1)),
    2: ((1, 0, 2), (1, 1, 1), (2, 1, 1)),
    1: ((1, 0, 1), (2, 0, 1), (3, 0, 1)),
}


class PlotPanel(ttk.Frame):
    """Plot, seed sample, readings, counts, heights and notes."""

    def __init__(
        self,
        parent: tk.Misc,
        add_input: AddInput,
        open_existing: Callable[[], object],
    ) -> None:
        super().__init__(parent)
        self._read_only = ""
        self._arrangement = (3, "group")
        self._groups: list[ttk.Frame] = []
        self.columnconfigure((0, 1, 2), weight=1, uniform="group")
        self.rowconfigure(4, weight=1)
        head = ttk.Frame(self)
        head.grid(row=0, column=0, columnspan=3, sticky="ew")
        head.columnconfigure(1, weight=1)
        self._which = Flow(head, 2)
        self._which.grid(row=0, column=0, sticky="nw")
        self._which.add(add_input(self._which, F.PLOT, "Plot", 4), 24)
        seed = add_input(self._which, F.SEED_SAMPLE, "Seed sample", 8)
        self._beside_seed = ttk.Label(seed, width=10)  # space for the text below the field
        self._beside_seed.grid(row=0, column=2)
        self._which.add(seed, 24)
        self._head = head
        self.remark = ttk.Label(
            head, style="Warning.TLabel", font="TkDefaultFont", wraplength=WIDEST_REMARK, justify="left"
        )
        self.remark.grid(row=0, column=1, sticky="nw", pady=(3, 0))
        self.open_button = ttk.Button(head, text="Open it", command=open_existing)
        self.open_button.bind("<Return>", lambda _event: self.open_button.invoke())
        for column, (title, members) in enumerate(fields.GROUPS):
            self._add_group(add_input, column, title, members)
        add_input(self, F.NOTES, "Notes").grid(row=4, column=0, columnspan=3, sticky="nsew", pady=(0, 8))

    @property
    def columns(self) -> int:
        """How many groups of readings are side by side."""
        return self._arrangement[0]

    def fit(self, width: int) -> bool:
        """Arrange the groups and the remark for a width in pixels; return whether anything has changed."""
        # In a narrow window the fields need all the space.
        if width >= ROOMY_DIGITS * nametofont("TkDefaultFont", self).measure("0"):
            self._beside_seed.grid()
        else:
            self._beside_seed.grid_remove()
        changed = self._which.fit(width)
        self._fit_remark(width)
        arrangement = self._fitting(width)
        if arrangement == self._arrangement:
            return changed
        self._arrangement = columns, uniform = arrangement
        for column in range(3):
            is_used = column < columns
            self.columnconfigure(column, weight=int(is_used), uniform=uniform if is_used else "")
        for group, (row, column, rows) in zip(self._groups, _PLACES[columns], strict=True):
            group.grid(row=row, column=column, rowspan=rows)
        return True

    def _fitting(self, width: int) -> tuple[int, str]:
        """Return how many columns of groups fit, and Tk's ``uniform`` group that gives them the same width, or none."""
        first, second, third = (occupied_width(group) for group in self._groups)
        if 3 * max(first, second, third) <= width:
            return 3, "group"
        if first + second + third <= width:
            return 3, ""
        return (2, "") if first + max(second, third) <= width else (1, "")

    def _fit_remark(self, width: int) -> None:
        """Place the remark beside plot and seed sample if a sentence fits there, else below them."""
        others = [each for each in self._head.grid_slaves(row=0) if each is not self.remark]
        room = width - sum(map(occupied_width, others))
        beside = room >= LEAST_REMARK
        place = {"row": 0, "column": 1, "columnspan": 1} if beside else {"row": 1, "column": 0, "columnspan": 3}
        self.remark.grid(**place)  # type: ignore[arg-type]
        self.remark.configure(wraplength=min(room if beside else width, WIDEST_REMARK if beside else width))

    def show_read_only(self, sentence: str) -> None:
        """Show ``sentence`` as the reason why nothing can be typed; an empty one hides the line."""
        self._read_only = sentence

    def focus_open(self) -> None:
        """Put the focus on the button that opens the record, where typing changes nothing."""
        self.open_button.configure(text="Try again")
        self.open_button.grid(row=0, column=2, sticky="ne")
        self.open_button.update_idletasks()  # a button that isn't drawn yet can't take the focus
        self.open_button.focus_set()

    def show(
        self, key: RecordKey | None, opened: OpenedRecord | None, check: CheckView, is_taken: bool = False
    ) -> None:
        """Show what a save of these fields would do, unless it is obvious. ``is_taken``: the plot has another draft."""
        text, can_open = _remark(key, opened, check)
        if is_taken and key is not None:
            text = f"Plot {key[3]} is half typed already: kept. Type another plot for these values, or discard them."
            can_open = False
        if self._read_only:
            text = self._read_only
        self.remark.configure(text=text)
        if can_open:
            self.open_button.configure(text="Open it")
            self.open_button.grid(row=0, column=2, sticky="ne")
        else:
            self.open_button.grid_remove()

    def _add_group(self, add_input: AddInput, column: int, title: str, members: tuple[fields.Field, ...]) -> None:
        group = ttk.Frame(self)
        group.grid(row=1, column=column, sticky="new", padx=(0, 32) if column < 2 else 0)
        group.columnconfigure(0, weight=1)
        self._groups.append(group)
        ttk.Label(group, text=title, style="Section.TLabel").grid(row=0, column=0, sticky="w", pady=(4, 4))
        for row, each in enumerate(members, start=1):
            made = add_input(group, each.name, each.label, 9, 12)
            made.grid(row=row, column=0, sticky="ew", pady=(0, 2))
            if each.name == F.EQUIPMENT_FAULT:
                Tooltip(made.editor, "Space, or y and n. Humidity, light and temperature stay empty.")


def _remark(key: RecordKey | None, opened: OpenedRecord | None, check: CheckView) -> tuple[str, bool]:
    """Return what a save would do, and whether the existing record can be opened instead."""
    corrects = opened is not None and key == opened.key
    # What somebody else is doing right now comes first, because it may change before the save.
    other = check.entered_by(key[3]) if key is not None else None
    if other is not None:
        return f"{other.named} is entering plot {other.plot} now.", not corrects and other.plot in check.recorded
    if opened is not None and corrects and opened.gone:
        return f"This record isn't here any more: {opened.gone}", False
    if opened is not None and corrects:
        if opened.known_at:
            return f"As this computer knew it at {opened.known_at}: the database is away. You are correcting it.", False
        if opened.changed_by:
            return f"{opened.changed_by} saved this record meanwhile: your save shows you both versions.", False
        return f"Recorded by {check.recorded.get(opened.key[3], '…')}: you are correcting it.", False
    if key is not None and key[3] in check.recorded:
        return f"Plot {key[3]} is already recorded by {check.recorded[key[3]]}.", True
    if opened is not None and key is not None:
        _date, time, lab, plot = opened.key
        return f"Saves a new record; plot {plot} ({time}, lab {lab}) stays as it is.", False
    return "", False


LONGEST = 500
USUAL = ("Typing error", "Misread the sheet", "Measured again")
_REMEMBERED = 12
_LABEL = "Reason for the correction"


class ReasonLine(ttk.Frame):
    """A box for the reason of a correction, typed or chosen; Enter saves, Escape goes back to the form.

    The line is hidden until :meth:`ask`. Down opens the list of the last reasons. An error replaces the label.
    """

    def __init__(self, parent: tk.Misc, save: Callable[[], object], back: Callable[[], object]) -> None:
        super().__init__(parent)
        self.error = ""
        self.asked = False
        """Whether the line is shown, to ask for a reason."""
        self.recent: list[str] = list(USUAL)
        self.columnconfigure(1, weight=1)
        self._label = ttk.Label(self, text=_LABEL)
        self._label.grid(row=0, column=0, sticky="w", padx=(0, 8))
        self.box = ttk.Combobox(self, font="TkTextFont")
        self.box.configure(postcommand=self._offer_recent)
        self.box.grid(row=0, column=1, sticky="ew")
        for key, action in (("<Return>", save), ("<KP_Enter>", save), ("<Escape>", back)):
            self.box.bind(key, lambda _event, action=action: call_and_break(action))  # type: ignore[misc]
        self.box.bind("<<ComboboxSelected>>", lambda _event: self.show_error(""))
        self.box.bind("<KeyRelease>", lambda _event: self.show_error(self._too_long()) if self.text else None)

    @property
    def text(self) -> str:
        """The reason without extra spaces; empty while none is asked for."""
        return " ".join(self.box.get().split()) if self.asked else ""

    @property
    def least_width(self) -> int:
        """The width in pixels that the line needs, with a box wide enough for the usual reasons."""
        return self.winfo_reqwidth()

    def _offer_recent(self) -> None:
        self.box.configure(values=self.recent)
        widen_list(self.box)

    def ask(self, asked: bool) -> None:
        """Show the line, or hide and empty it."""
        self.asked = asked
        self.fill("")
        if asked:
            self.grid()
        else:
            self.grid_remove()

    def fill(self, text: str) -> None:
        """Set the reason on behalf of the program."""
        self.box.set(text)
        self.show_error("")

    def is_given(self) -> bool:
        """Return whether the reason is given and valid; if not, show the error and put the focus here."""
        if not self.asked:
            return True
        problem = self._too_long() if self.text else "A correction needs a reason"
        self.show_error(problem)
        if problem:
            give_focus(self.box)
        return not problem

    def _too_long(self) -> str:
        """Return an error if the reason is too long (it is never cut); else empty."""
        length = len(self.text)
        return f"{length} characters; at most {LONGEST} are kept" if length > LONGEST else ""

    def remember(self, text: str) -> None:
        """Offer this reason first next time."""
        if text:
            self.recent = [text, *(each for each in self.recent if each != text)][:_REMEMBERED]

    def show_error(self, text: str) -> None:
        """Show the error in place of the label, because a line below would push the buttons out of a small window."""
        if text != self.error:
            self.error = text
            style = "Error.TLabel" if text else "TLabel"
            self._label.configure(text=f"{ERROR_MARK}{text}" if text else _LABEL, style=style, font="TkDefaultFont")


def is_wanted(setting: str, date: datetime.date, today: datetime.date) -> bool:
    """Return whether a correction of a record of ``date`` needs a reason, by the setting ``correction reason``."""
    return setting == "always" or (setting == "other days" and date != today)


class SaveBar(ttk.Frame):
    """The reason of a correction, if one is asked for, and the buttons Save and Discard Draft."""

    def __init__(
        self,
        parent: tk.Misc,
        save: Callable[[], object],
        discard: Callable[[], object],
        leave_reason: Callable[[], object],
    ) -> None:
        super().__init__(parent, padding=(16, 8))
        self.columnconfigure(0, weight=1)
        self._shown = (False, False, False)  # the last arguments of `show`
        self.reason = ReasonLine(self, save, leave_reason)
        self.reason.grid(row=0, column=0, sticky="ew", padx=(0, 16))
        self.reason.grid_remove()
        # Created before the other button, so that Tab goes from Notes to Save.
        self.save_button = ttk.Button(self, text="Save and next  ⏎", style="Accent.TButton", command=save)
        self.save_button.grid(row=0, column=2)
        Tooltip(self.save_button, "Enter in Median Height or Notes; Ctrl+S from anywhere")
        self.discard_button = ttk.Button(self, text="Discard Draft", command=discard, state="disabled")
        Tooltip(self.discard_button, "Discards what you typed for this plot; what is saved stays as it is")
        self.discard_button.grid(row=0, column=1, padx=(0, 8))
        for button in (self.save_button, self.discard_button):
            button.bind("<Return>", lambda event: event.widget.invoke())

    def fit(self, width: int) -> None:
        """Put the reason beside the buttons, or above them if the width is too small for both."""
        inside = width - 2 * int(str(self.tk.splitlist(self.cget("padding"))[0]))
        buttons = sum(occupied_width(each) for each in (self.save_button, self.discard_button))
        # Decided even while no reason is asked for, so that the buttons don't move when it appears.
        beside = self.reason.least_width + buttons <= inside
        self.reason.grid(columnspan=1 if beside else 3, pady=0 if beside else (0, 8))
        if not self.reason.asked:
            self.reason.grid_remove()
        for button in (self.save_button, self.discard_button):
            button.grid(row=0 if beside else 1)

    def show(self, changed: bool, corrects: bool, read_only: bool) -> None:
        """Enable Discard Draft if something was ``changed``, and set the text of the save button: whether it
        ``corrects`` a record or adds one. With ``read_only``, disable all buttons."""
        if (changed, corrects, read_only) == self._shown:
            return
        self._shown = (changed, corrects, read_only)
        self.save_button.configure(text="Save changes  ⏎" if corrects else "Save and next  ⏎")
        self.save_button.state(["disabled" if read_only else "!disabled"])
        self.discard_button.state(["!disabled" if changed and not read_only else "disabled"])


# From these widths in digits, of the form and of a column, one line is enough for the text below a field.
LETTERS_OF_HEAD, LETTERS_OF_READING = 120, 45


class FormLayout:
    """Arranges the scrolling body of the form, and the bar of buttons below it."""

    def __init__(self, form: ttk.Frame, inputs: RecordInputs) -> None:
        self._form, self._inputs = form, inputs
        form.columnconfigure(0, weight=1)
        form.rowconfigure(0, weight=1)
        self.room = Scrolled(form)
        """The frame that scrolls if the window is too small for all fields."""
        self.room.grid(row=0, column=0, sticky="nsew")
        self.body = ttk.Frame(self.room.inside, padding=(16, 8, 16, 0))
        self.body.columnconfigure(0, weight=1)
        self.body.rowconfigure(2, weight=1)

    def place(self, check_panel: CheckPanel, plot_panel: PlotPanel, save_bar: SaveBar) -> None:
        """Place the panels, which are children of ``body``, and the bar, which is a child of the form."""
        self._check_panel, self._plot_panel, self._save_bar = check_panel, plot_panel, save_bar
        check_panel.grid(row=0, column=0, sticky="ew")
        ttk.Frame(self.body, style="Line.TFrame", height=1).grid(row=1, column=0, sticky="ew", pady=8)
        plot_panel.grid(row=2, column=0, sticky="nsew")
        save_bar.grid(row=1, column=0, sticky="ew")
        self.room.hold(self.body, self._fit)

    def arrange(self) -> None:
        """Set the sizes of all parts, for the current size of the form."""
        self._save_bar.fit(self._form.winfo_width())
        self.room.arrange()

    @property
    def wanted_height(self) -> int:
        """Return the height in pixels at which the form needn't scroll, as it is arranged now."""
        return self.body.winfo_reqheight() + self._save_bar.winfo_reqheight()

    def on_resize(self, action: Callable[[], object]) -> None:
        """Call ``action`` when the size that the form needs may have changed."""
        self.body.bind("<Configure>", lambda _event: action(), add=True)
        self.room.bind("<<NeedsChanged>>", lambda _event: action())

    def show_look(self, look: Look) -> None:
        """Apply the colours and the spacing."""
        self.room.show_look(look)
        self._check_panel.show_look(look)
        for each in self._inputs.values():
            if isinstance(each.editor, ttk.Entry):
                # Otherwise Tk 8.6 keeps the height for the old font.
                each.editor.configure(font="TkTextFont")
        notes = self._inputs[F.NOTES].editor
        if isinstance(notes, FieldNotes):
            notes.show_look(look)

    def _fit(self, width: int) -> bool:
        """Arrange the parts for a width in pixels; return whether anything has changed."""
        self._save_bar.fit(self._form.winfo_width())
        inside = width - 2 * int(str(self.body.tk.splitlist(self.body.cget("padding"))[0]))
        changed = self._check_panel.fit(inside)
        changed = self._plot_panel.fit(inside) or changed
        return self._reserve_notes(inside) or changed

    def _reserve_notes(self, width: int) -> bool:
        """Reserve two lines below a field if one is too short for a sentence."""
        letters = width // measure_in("AbqSmall", self._form)("0")
        readings = [each.name for _title, members in fields.GROUPS for each in members]
        heads = [name for name in self._inputs if name not in (*readings, F.EQUIPMENT_FAULT, F.NOTES)]
        changed = self._inputs.reserve_notes(heads, 1 if letters >= LETTERS_OF_HEAD else 2)
        lines = 1 if letters >= LETTERS_OF_READING * self._plot_panel.columns else 2
        return self._inputs.reserve_notes(readings, lines) or changed
