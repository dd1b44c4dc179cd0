"""One-line entries of the record: they keep what was typed, undo and redo it, and take what is pasted."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk

from .. import fields
from ..constants import FieldTypes
from . import clipboard


class EditHistory:
    """Undo and redo of an entry's text; typing in one go counts as one step.

    :meth:`note` is to be told of each text; :meth:`restart` forgets all (the entry was filled by the program).
    """

    def __init__(self, entry: ttk.Entry, variable: tk.StringVar) -> None:
        self._entry = entry
        self._variable = variable
        self._done: list[str] = []
        self._undone: list[str] = []
        self._last = variable.get()
        self._kind = ""
        self._restoring = False
        entry.bind("<<Undo>>", self._undo)
        entry.bind("<<Redo>>", self._redo)
        entry.bind("<FocusIn>", self._new_step, add=True)

    def restart(self, text: str) -> None:
        """Forget the steps: ``text``, which stands in the entry now, is the beginning."""
        self._done.clear()
        self._undone.clear()
        self._last, self._kind = text, ""

    def _new_step(self, _event: object) -> None:
        self._kind = ""

    def note(self, text: str) -> None:
        """The text has changed: a step to undo, unless it goes on with the one before."""
        if self._restoring or text == self._last:
            return
        kind = _kind_of_edit(self._last, text)
        # A word typed in one go is one step; a paste is one each time.
        if kind != self._kind or kind == "replace":
            self._done.append(self._last)
        self._kind, self._last = kind, text
        self._undone.clear()

    def _undo(self, _event: object) -> str:
        self._move(self._done, self._undone)
        return "break"

    def _redo(self, _event: object) -> str:
        self._move(self._undone, self._done)
        return "break"

    def _move(self, source: list[str], target: list[str]) -> None:
        if not source or self._entry.instate(["disabled"]):
            return
        target.append(self._last)
        self._restoring = True
        try:
            self._last = source.pop()
            self._variable.set(self._last)
        finally:
            self._restoring = False
        self._kind = ""
        self._entry.icursor(tk.END)


def _kind_of_edit(before: str, after: str) -> str:
    if len(after) == len(before) + 1 and after.startswith(before):
        return "type"
    if len(after) == len(before) - 1 and before.startswith(after):
        return "delete"
    return "replace"


def bind_after_class(widget: tk.Widget, sequence: str, function: Callable[[tk.Event], object]) -> None:
    """Call ``function`` after the widget class handled the event, so that the text is already changed."""
    tag = f"after-{widget}"
    tags = list(widget.bindtags())
    if tag not in tags:
        tags.insert(tags.index(widget.winfo_class()) + 1, tag)
        widget.bindtags(tuple(tags))
    widget.bind_class(tag, sequence, function)


LATE = "the clipboard answered late: paste again"


def bind_paste(entry: TypedField) -> None:
    """Let ``entry`` take what is pasted by its method ``paste``."""
    entry.bind("<<Paste>>", lambda _event: _paste(entry, "CLIPBOARD"))
    entry.bind("<<PasteSelection>>", lambda event: _paste_selection(entry, event.x))


def _paste(entry: TypedField, selection: str) -> str:
    before = _state(entry)

    def take(text: str, problem: str) -> None:
        if problem:
            entry.refuse(problem)
        elif _state(entry) != before:  # keys came meanwhile: it would go between them
            entry.refuse(LATE)
        else:
            entry.paste(text)

    clipboard.read(entry, take, selection=selection)
    return "break"


def _paste_selection(entry: TypedField, x: int) -> str:
    # Tk scrolls a long text so; what is selected elsewhere wasn't meant to come here.
    if _was_dragged(entry):
        return "break"
    entry.focus_set()
    entry.icursor(entry.index(f"@{x}"))
    entry.selection_clear()
    return _paste(entry, "PRIMARY")


def _was_dragged(entry: TypedField) -> bool:
    """Whether the text was scrolled with the middle button rather than clicked."""
    try:
        return bool(entry.tk.getboolean(entry.tk.eval("set ::ttk::entry::State(scanMoved)")))
    except tk.TclError:
        return False


def _state(entry: TypedField) -> object:
    selected = entry.selection_present()
    return entry.variable.get(), entry.index(tk.INSERT), selected


class TypedField(ttk.Entry):
    """Base of :class:`FieldEntry` and :class:`FieldChoice` (Tk's combobox is an entry too).

    Every key and every paste is kept; :meth:`mark` says what is wrong with the text. Events: ``<<Edited>>`` after each
    change by the user or the program, ``<<Refused>>`` when a paste was refused, for the reason in ``refusal``. A
    subclass sets ``field`` and ``variable`` before its Tk widget is made, and calls :meth:`listen` after.

    ``spread(cells)`` is called with a row of cells that was pasted here, for the fields from this one on; it returns
    why they can't be taken, empty where they were.
    """

    field: fields.Field
    variable: tk.StringVar
    refusal = ""
    _is_being_set = False  # by the program
    spread: Callable[[Sequence[str]], str]

    def choices(self) -> fields.Choices | None:
        """The present values of a list; ``None``: any, or they are still being fetched."""
        return None

    def listen(self) -> None:
        """Keep the steps to undo, take pastes, tell of changes."""
        self.configure(font="TkTextFont")
        self.spread = lambda cells: f"{len(cells)} cells: only one fits here"
        self.history = EditHistory(self, self.variable)
        self.variable.trace_add("write", self._written)
        bind_paste(self)

    def _written(self, *_names: str) -> None:
        # What the program fills in is no step that somebody could want to undo.
        if not self._is_being_set:
            self.history.note(self.variable.get())
        self.event_generate("<<Edited>>")

    @property
    def text(self) -> str:
        """What stands in the field, without blanks around it."""
        return self.variable.get().strip()

    def mark(self) -> str:
        """What is wrong with the text, in words; empty while typing on could make it right."""
        return fields.mark(self.field, self.text, self.choices())

    def wrong(self) -> str:
        """What is wrong with the text as it is, in words."""
        try:
            fields.parse(self.field, self.text, self.choices())
        except ValueError as error:
            return str(error)
        return ""

    def likely(self) -> str | None:
        """What a text that isn't valid was probably meant to be; ``None`` where there is no telling."""
        return fields.likely(self.field, self.text)

    def set_text(self, text: str) -> None:
        """Fill the field by the program: not a step to undo."""
        if text != self.variable.get():
            self._is_being_set = True
            self.variable.set(text)
            self._is_being_set = False
        self.history.restart(text)

    def edit_text(self, text: str) -> None:
        """Replace the text for the user: a step to undo."""
        self.variable.set(text)
        self.icursor(tk.END)

    def paste(self, text: str) -> None:
        """Insert ``text`` at the cursor or over the selection; several cells go to the fields from this one on."""
        if not text or self.instate(["disabled"]):
            return
        rows = fields.cells(text)
        # A sheet of several plots, pasted into one, would leave all but one behind.
        if len(rows) > 1:
            self.refuse(f"{len(rows)} rows are a sheet; paste one plot's row")
        elif len(rows[0]) > 1:
            problem = self.spread(rows[0])
            if problem:
                self.refuse(problem)
        else:
            self._insert_pasted(fields.pasted(self.field, text))

    def refuse(self, why: str) -> None:
        """Tell that a paste was refused; the text stays as it is."""
        self.refusal = why
        self.event_generate("<<Refused>>")

    def set_enabled(self, enabled: bool) -> None:
        """Let the user type here, or not."""
        self.state(["!disabled" if enabled else "disabled"])

    def select_all(self) -> None:
        """Select the text, so that typing replaces it. (Tab does so by itself; a click doesn't.)"""
        self.selection_range(0, tk.END)
        self.icursor(tk.END)

    def _insert_pasted(self, pasted: str) -> None:
        text = self.variable.get()
        start = end = self.index(tk.INSERT)
        if self.selection_present():
            start, end = self.index(tk.SEL_FIRST), self.index(tk.SEL_LAST)
        self.variable.set(text[:start] + pasted + text[end:])
        self.icursor(start + len(pasted))
        self.selection_clear()


NUMBERS = (FieldTypes.DECIMAL, FieldTypes.INTEGER)
# Control, Alt or Command is held: no text is typed.
_COMMAND_STATE = 0x4 | 0x8 | 0x40000


class FieldEntry(TypedField):
    """An entry that keeps what was typed.

    Where ``implies_point()`` says so, digits typed into a decimal field are hundredths: 2, 4, 0, 9 shows 0.02, 0.24,
    2.40, 24.09. A typed point or comma ends that. ``<<Full>>`` tells that a key has made a decimal number valid which
    takes no further digit.
    """

    def __init__(self, parent: tk.Misc, field: fields.Field, width: int = 9) -> None:
        self.field = field
        self.variable = tk.StringVar(parent)
        self.implies_point: Callable[[], bool] = lambda: False
        self._digits = ""
        justify = "right" if field.type in NUMBERS else "left"
        ttk.Entry.__init__(self, parent, textvariable=self.variable, width=width, justify=justify)  # type: ignore[arg-type]
        self.listen()
        if field.places:
            self.bind("<Key>", self._type_implied, add=True)
            bind_after_class(self, "<Key>", self._tell_full)

    def mark(self) -> str:
        """What is wrong with the text, in words; empty while typing on could make it right."""
        if self._implied and fields.could_become_implied(self.field, self._implied):
            return ""
        return super().mark()

    @property
    def _implied(self) -> str:
        """The digits typed so far without a point, empty where the text came about in another way."""
        shown = bool(self._digits) and self.variable.get() == fields.with_implied_point(self.field, self._digits)
        return self._digits if shown else ""

    def _type_implied(self, event: tk.Event) -> str | None:
        digits = self._digits_after(event) if self.implies_point() and self.instate(["!disabled"]) else None
        if digits is None:
            return None
        self._digits = digits
        if event.char in (".", ","):
            text = digits + event.char
        else:
            text = fields.with_implied_point(self.field, digits) if digits else ""
        self.edit_text(text)
        self.selection_clear()
        self._tell_full(event)
        return "break"

    def _digits_after(self, event: tk.Event) -> str | None:
        """The digits after this key, None where it is for the entry itself."""
        if isinstance(event.state, int) and event.state & _COMMAND_STATE:
            return None
        text, implied = self.variable.get(), self._implied
        selected = self.selection_present()
        # Typing over the whole value begins a new one.
        whole = selected and self.index(tk.SEL_FIRST) == 0 and self.index(tk.SEL_LAST) == len(text)
        at_end = not selected and self.index(tk.INSERT) == len(text)
        if event.char and event.char in "0123456789":
            if not text or whole:
                return event.char
            return implied + event.char if implied and at_end else None
        if not implied or not at_end:
            return None
        if event.keysym == "BackSpace":
            return implied[:-1]
        return implied if event.char in (".", ",") else None

    def _tell_full(self, event: tk.Event) -> None:
        typed = bool(event.char) and event.char in "0123456789"
        if typed and self.index(tk.INSERT) == len(self.variable.get()) and self._is_full():
            self.event_generate("<<Full>>")

    def _is_full(self) -> bool:
        separator = self.text.replace(",", ".").find(".")
        if separator < 0 or len(self.text) - separator - 1 != self.field.places:
            return False
        implied = self._implied
        if implied and any(fields.could_become_implied(self.field, implied + digit) for digit in "0123456789"):
            return False
        try:
            fields.parse(self.field, self.text)
        except ValueError:
            return False
        return True
