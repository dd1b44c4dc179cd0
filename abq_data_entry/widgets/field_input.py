"""A field on the form: label, editor, unit, and a line below for the previous reading or the error; and its help."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from .. import fields
from ..constants import FieldTypes
from ..fields.dates import DateReader
from .editors import NUMBERS, DateEntry, FieldCheck, FieldChoice, FieldEntry, FieldNotes, TypedField
from .focus import focused_widget, give_focus, is_exempt_from_leaving
from .scrolled import AutoHideScrollbar, Flow
from .text_lines import LineBelow

ERROR_MARK = "✗ "


def limits_text(field: fields.Field) -> str:
    """Return the limits of the field in a few words ("0.5 to 52.0 g/m³"); empty if it has none."""
    return f"{field.length} characters" if field.type is FieldTypes.STRING else fields.limits(field)


class FieldInput(ttk.Frame):
    """One field of the record. ``editor`` is the widget that gets the focus.

    The line below the editor shows the previous reading of the same plot ("was 23.90"), and before it the error (with
    ✗) or a hint. A text that can't become valid any more gets its error at once, which stays until the text is valid.
    ``on_error()`` is called for each new error. ``objection()`` returns an error for a text that is valid in itself but
    can't be used here; else an empty text.
    """

    def __init__(
        self,
        parent: tk.Misc,
        field: fields.Field,
        label: str = "",
        choices: Callable[[], fields.Choices | None] = lambda: None,
        width: int = 9,
        label_width: int = 0,
        reader: DateReader = DateReader(),  # noqa: B008 - it never changes
    ) -> None:
        super().__init__(parent)
        self.field, self.name = field, field.name
        self._reader = reader
        self.choices = choices
        self.error = ""
        self.on_error: Callable[[], object] = lambda: None
        self.objection: Callable[[], str] | None = None
        self.filled_by_itself = self.is_disabled = False
        self._value: tuple[str, object] | None = None  # a text and what it means, so that no text is parsed twice
        self._is_settled = False
        self._previous = self._question = ""
        self._hint = ""
        self._touched = False
        self.editor = self._make_editor(label, width)
        self.line_below = LineBelow(self, self._overflow_area(), self.editor)
        self._when = ""
        self._place(label, label_width)
        # When idle, because only after all focus events is it known which widget has the focus. A Tcl script, because
        # the field may be destroyed by then.
        left = f"after idle {{if {{[winfo exists {self.editor}]}} {self.register(self._left)}}}"
        self.editor.bind("<FocusOut>", f"+{left}")
        self.editor.bind("<<Edited>>", self._edited, add=True)
        self.editor.bind("<<Refused>>", self._refused, add=True)
        # Alt-Enter, and a click on the error, take the value that the error suggests.
        self.editor.bind("<Alt-Return>", self._take_likely)
        self.line_below.label.bind("<Button-1>", self._take_likely)

    @property
    def text(self) -> str:
        """The text in the editor."""
        return self.editor.text

    @property
    def may_be_filled(self) -> bool:
        """Whether autofill may set a value here: the field is empty, or was filled by autofill."""
        return self.filled_by_itself or not self.editor.text

    def fill(self, text: str, by_itself: bool = False, value: object = None) -> None:
        """Set the text on behalf of the program; sends no event.

        ``by_itself``: this is an autofill, so Enter skips the field. ``value``: the parsed text, if it is known.
        """
        self.editor.set_text(text)
        self.filled_by_itself = by_itself and bool(text)
        self._touched = False
        self._value = None if value is None else (text, value)
        self._is_settled = value is not None
        if self.error:
            self.show_error("")

    def value(self) -> object:
        """Return the value that the text means; raises ``ValueError`` with a message for the user."""
        text = self.editor.text
        if self._value is None or self._value[0] != text:
            if not isinstance(self.editor, FieldCheck):
                value = fields.parse(self.field, text, self.choices())
            elif wrong := self.editor.typing_error():
                raise ValueError(wrong)
            else:
                value = text == "true"
            # Kept with its text, so that a text that changed without an event gets a new value.
            self._value = text, value
        return self._value[1]

    def choices_changed(self) -> None:
        """Parse the text again when its value is needed, because the list has other values now."""
        self._value, self._is_settled = None, False

    def check(self) -> bool:
        """Complete the text, show or clear the error, and return whether the field is valid."""
        if not self._is_settled and isinstance(self.editor, (DateEntry, FieldChoice)):
            self.editor.settle()  # numbers and texts stay as they were typed
        problem = ""
        if not self.is_disabled:
            try:
                self.value()
                self._is_settled = True
                problem = self.objection() if self.objection is not None else ""
            except ValueError as error:
                problem = str(error)
        if problem or self.error:
            self.show_error(problem)
        return not problem

    def set_enabled(self, enabled: bool) -> None:
        """Allow or prevent typing (a reading is disabled after an equipment fault)."""
        if enabled == self.is_disabled:
            self.is_disabled = not enabled
            self.editor.set_enabled(enabled)

    def show_error(self, text: str) -> None:
        """Show the error below the editor; an empty text clears it."""
        appeared, self.error = bool(text) and not self.error, text
        if isinstance(self.editor, ttk.Widget):
            self.editor.state(["invalid" if text else "!invalid"])
        else:
            self.editor.show_wrong(bool(text))
        self._refresh()
        if appeared:
            self.on_error()

    def show_previous(self, text: str, when: str = "") -> None:
        """Show the previous reading of the same plot; ``when`` (date and time) is its tooltip."""
        previous = f"was {text}" if text else ""
        # Only if it changed: this is called for every field after every change of the form.
        if (previous, when) != (self._previous, self._when):
            self._previous, self._when = previous, when
            self._refresh()

    @property
    def previous(self) -> str:
        """The previous reading in a sentence; empty if there is none."""
        return f"{self._when}: {self._previous.removeprefix('was ')}." if self._previous else ""

    @property
    def question(self) -> str:
        """QA's question about the value, after a symbol; empty if there is none."""
        return self._question

    def show_question(self, text: str) -> None:
        """Show QA's question about the value; it begins with a symbol, which is visible even if the text is cut."""
        self._question = text
        self._refresh()

    def show_hint(self, text: str) -> None:
        """Show a hint below the field until the next change."""
        self._hint = text
        self._refresh()

    def focus_set(self) -> None:
        """Put the focus into the editor, its text selected."""
        give_focus(self.editor)
        if isinstance(self.editor, TypedField):
            # Not on FocusIn: that event comes later, and would select what has been typed by then.
            self.editor.select_all()

    def focus_again(self) -> None:
        """Put the focus back into the editor as it was left: a selected text would be replaced by the next digit."""
        give_focus(self.editor)

    def _make_editor(self, label: str, width: int) -> FieldEntry | FieldChoice | FieldCheck | FieldNotes:
        if self.field.type is FieldTypes.BOOLEAN:
            return FieldCheck(self, self.field, label)
        if self.field.type is FieldTypes.LONG_TEXT:
            return FieldNotes(self, self.field)
        if self.field.type in (FieldTypes.LIST, FieldTypes.TIME):
            return FieldChoice(self, self.field, self.choices, width)
        if self.field.type is FieldTypes.DATE:
            return DateEntry(self, self.field, width, self._reader)
        entry = FieldEntry(self, self.field, width)
        if self.field.type in NUMBERS:
            entry.configure(style="Number.TEntry")
        return entry

    def _overflow_area(self) -> tk.Misc:
        """Return the widget over whose free space the line below may extend."""
        return self.master.overflow if isinstance(self.master, Flow) else self

    def _place(self, label: str, label_width: int) -> None:
        self.columnconfigure(2, weight=1)
        if isinstance(self.editor, FieldCheck):
            self.editor.grid(row=0, column=0, sticky="w", padx=(0, 12))
            self.line_below.room.grid(row=0, column=1, columnspan=2, sticky="ew")
            return
        if isinstance(self.editor, FieldNotes):
            ttk.Label(self, text=label).grid(row=0, column=0, sticky="w", padx=(0, 12))
            self.line_below.room.grid(row=0, column=1, columnspan=2, sticky="ew")
            self.editor.grid(row=1, column=0, columnspan=3, sticky="nsew", pady=(2, 0))
            bar = AutoHideScrollbar(self, orient="vertical", command=self.editor.yview)
            self.editor.configure(yscrollcommand=bar.set)
            bar.take_width_only(self, row=1, column=3, pady=(2, 0))
            self.rowconfigure(1, weight=1)
            return
        ttk.Label(self, text=label, width=label_width).grid(row=0, column=0, sticky="w", padx=(0, 8))
        self.editor.grid(row=0, column=1, sticky="w")
        if self.field.unit:
            ttk.Label(self, text=self.field.unit, style="Unit.TLabel").grid(row=0, column=2, sticky="w", padx=(6, 0))
        self.line_below.room.grid(row=1, column=0, columnspan=3, sticky="ew")

    def _refresh(self) -> None:
        message = ERROR_MARK + self.error if self.error else self._hint
        question = self._question
        if message and question:  # the symbol first, then the error, so that a long question can't push it out of sight
            message, question = f"{question[:2]}{message}", question[2:]
        text = " · ".join(filter(None, (message, self._previous, question)))
        # A previous reading alone is right-aligned, digit below digit; a sentence has the whole width.
        alone = bool(text) and text == self._previous
        style = "Error.TLabel" if self.error else "Warning.TLabel" if question else "Note.TLabel"
        self.line_below.show(text, style, self._when, alone)

    def _left(self) -> None:
        # If another window, a dialog or an open list has the focus, the user will come back to this field.
        focused = focused_widget(self) if self.winfo_exists() else None
        if focused is None or focused is self.editor or focused.winfo_toplevel() is not self.winfo_toplevel():
            return
        if not is_exempt_from_leaving(focused):
            self._hint = ""
            if self._touched:  # a field in which nobody has typed shows no error yet; a save checks it
                self.check()
            self.editor.event_generate("<<Left>>")

    def _edited(self, _event: object) -> None:
        self._value, self._is_settled = None, False
        self.filled_by_itself, self._touched = False, True
        self._hint = ""
        self.show_error(self._error_while_typing())

    def _error_while_typing(self) -> str:
        """Return the error of a text that can't become valid; if an error is shown already, of any invalid text."""
        try:
            self.value()
        except ValueError as error:
            found = self.editor.typing_error()
            if found or not self.error:
                return found
            return self.editor.error() if isinstance(self.editor, TypedField) else str(error)
        return ""

    def _refused(self, _event: object) -> None:
        if isinstance(self.editor, TypedField):
            self.show_hint(f"{ERROR_MARK}Not pasted: {self.editor.refusal}")
            self.on_error()

    def _take_likely(self, _event: object) -> str | None:
        """Replace the text by the value that the error suggests ("24;09": 24.09)."""
        likely = self.editor.likely() if self.error and isinstance(self.editor, TypedField) else None
        if likely is None or not isinstance(self.editor, TypedField):
            return None
        self.editor.edit_text(likely)
        self.editor.focus_set()
        return "break"


class FieldHelp:
    """The help card of the window; F1 again, Escape, or leaving the field closes it."""

    def __init__(self, window: tk.Tk) -> None:
        self._window = window
        self._card: ttk.Frame | None = None
        window.bind("<Escape>", lambda _event: self.close(), add=True)

    @property
    def is_open(self) -> bool:
        """Whether a card is shown."""
        return self._card is not None

    def toggle(self, each: FieldInput | None) -> None:
        """Show the help for ``each``, or close it."""
        if self._card is not None:
            self.close()
        elif each is not None:
            self._show(each)

    def close(self) -> None:
        """Close the card."""
        if self._card is not None:
            self._card.destroy()
            self._card = None

    def _show(self, each: FieldInput) -> None:
        self._card = card = ttk.Frame(self._window, style="Help.TFrame", padding=12)
        field = each.field
        limits = limits_text(field)
        needed = "Required." if field.required else "May stay empty."
        lines = [field.help, f"{limits}. {needed}" if limits else needed, each.previous, each.question]
        ttk.Label(card, text=field.name, style="Help.TLabel", font="AbqStrong").grid(sticky="w")
        for line in filter(None, lines):
            ttk.Label(card, text=line, style="Help.TLabel", wraplength=340, justify="left", font="TkDefaultFont").grid(
                sticky="w", pady=(4, 0)
            )
        card.update_idletasks()
        editor, window = each.editor, self._window
        x = editor.winfo_rootx() - window.winfo_rootx()
        y = editor.winfo_rooty() - window.winfo_rooty() + editor.winfo_height() + 4
        if y + card.winfo_reqheight() > window.winfo_height():
            y = editor.winfo_rooty() - window.winfo_rooty() - card.winfo_reqheight() - 4
        card.place(x=max(8, min(x, window.winfo_width() - card.winfo_reqwidth() - 8)), y=max(0, y))
        card.lift()
        each.editor.bind("<FocusOut>", lambda _event: self.close(), add=True)
