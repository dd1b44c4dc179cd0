"""Editors for fields: entries of one line (also for lists and dates), with undo, redo and paste, which keep whatever is
typed; a check box; and a text of several lines."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import TYPE_CHECKING

from .. import fields
from ..constants import FieldTypes
from ..fields.dates import DateReader, likely_date
from ..themes import LIGHT, Look
from . import clipboard
from .scrolled import ignore_wheel
from .text_lines import measure_in

if TYPE_CHECKING:
    from .calendar_popup import CalendarPopup


class EditHistory:
    """Undo and redo of an entry's text; uninterrupted typing counts as one step.

    Call :meth:`note` with each new text, and :meth:`restart` when the program has filled the entry.
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
        """Forget all steps; ``text`` is the text that the program has filled in."""
        self._done.clear()
        self._undone.clear()
        self._last, self._kind = text, ""

    def _new_step(self, _event: object) -> None:
        self._kind = ""

    def note(self, text: str) -> None:
        """Note that the text has changed: a new step, unless it continues the last one."""
        if self._restoring or text == self._last:
            return
        kind = _kind_of_edit(self._last, text)
        # Uninterrupted typing is one step; each paste is a step of its own. Typing over a selection deletes that first.
        types_over = kind == "type" and self._kind == "replace" and not self._last
        if (kind != self._kind or kind == "replace") and not types_over:
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
    """Call ``function`` after the widget class has handled the event, so that the text has already changed."""
    tag = f"after-{widget}"
    tags = list(widget.bindtags())
    if tag not in tags:
        tags.insert(tags.index(widget.winfo_class()) + 1, tag)
        widget.bindtags(tuple(tags))
    widget.bind_class(tag, sequence, function)


LATE = "the clipboard answered late: paste again"


def bind_paste(entry: TypedField) -> None:
    """Pass what is pasted into ``entry`` to its method ``paste``."""
    entry.bind("<<Paste>>", lambda _event: _paste(entry, "CLIPBOARD"))
    entry.bind("<<PasteSelection>>", lambda event: _paste_selection(entry, event.x))


def _paste(entry: TypedField, selection: str) -> str:
    before = _state(entry)

    def take(text: str, problem: str) -> None:
        if problem:
            entry.refuse(problem)
        elif _state(entry) != before:  # keys were typed in the meantime: the text would land between them
            entry.refuse(LATE)
        else:
            entry.paste(text)

    clipboard.read(entry, take, selection=selection)
    return "break"


def _paste_selection(entry: TypedField, x: int) -> str:
    # Dragging with the middle button scrolls a long text in Tk; it isn't meant to paste the selection.
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

    Invalid characters stay in the text; :meth:`typing_error` returns what is wrong with it. Events: ``<<Edited>>``
    after each change by the user, ``<<Refused>>`` when a paste was refused, with the reason in ``refusal``. A subclass
    sets ``field`` and ``variable`` before its Tk widget is made, and calls :meth:`listen` afterwards.

    ``spread(cells)`` is called with a pasted row of cells, to fill the fields from this one on. It returns the reason
    if that isn't possible, else an empty text.
    """

    field: fields.Field
    variable: tk.StringVar
    refusal = ""
    _is_being_set = False  # while the program sets the text
    spread: Callable[[Sequence[str]], str]

    def choices(self) -> fields.Choices | None:
        """Return the current values of a list; ``None`` if the field has no list, or it is still being fetched."""
        return None

    def listen(self) -> None:
        """Start to record undo steps, handle pastes and report changes."""
        self.configure(font="TkTextFont")
        self.spread = lambda cells: f"{len(cells)} cells: only one fits here"
        self.history = EditHistory(self, self.variable)
        self.variable.trace_add("write", self._written)
        bind_paste(self)

    def _written(self, *_names: str) -> None:
        # What the program fills in isn't an undo step.
        if not self._is_being_set:
            self.history.note(self.variable.get())
            self.event_generate("<<Edited>>")

    @property
    def text(self) -> str:
        """The text in the field, without spaces around it."""
        return self.variable.get().strip()

    def typing_error(self) -> str:
        """Return the error of the text; empty while more characters could make it valid."""
        return fields.typing_error(self.field, self.text, self.choices())

    def error(self) -> str:
        """Return the error of the text as it is; empty if it is valid."""
        try:
            fields.parse(self.field, self.text, self.choices())
        except ValueError as error:
            return str(error)
        return ""

    def likely(self) -> str | None:
        """Return what an invalid text was probably meant to be; ``None`` if that is unclear."""
        return fields.likely(self.field, self.text)

    def set_text(self, text: str) -> None:
        """Set the text on behalf of the program: this isn't an undo step, and sends no event."""
        if text != self.variable.get():
            self._is_being_set = True
            self.variable.set(text)
            self._is_being_set = False
        self.history.restart(text)

    def edit_text(self, text: str) -> None:
        """Replace the text on behalf of the user: this is an undo step."""
        self.variable.set(text)
        self.icursor(tk.END)

    def paste(self, text: str) -> None:
        """Insert ``text`` at the cursor or over the selection; several cells go to the fields from this one on."""
        if not text or self.instate(["disabled"]):
            return
        rows = fields.cells(text)
        # Of several plots pasted into one record, all but one would be lost.
        if len(rows) > 1:
            self.refuse(f"{len(rows)} rows are a sheet; paste one plot's row")
        elif len(rows[0]) > 1:
            problem = self.spread(rows[0])
            if problem:
                self.refuse(problem)
        else:
            self._insert_pasted(fields.pasted(self.field, text))

    def refuse(self, why: str) -> None:
        """Report that a paste was refused, and why; the text stays as it is."""
        self.refusal = why
        self.event_generate("<<Refused>>")

    def set_enabled(self, enabled: bool) -> None:
        """Allow or prevent typing."""
        self.state(["!disabled" if enabled else "disabled"])

    def select_all(self) -> None:
        """Select the text, so that typing replaces it, as after Tab."""
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

    If ``implies_point()`` is true, digits typed into a decimal field are hundredths: 2, 4, 0, 9 shows 0.02, 0.24,
    2.40, 24.09. A typed point or comma ends this. ``<<Full>>`` is sent when a key completes a decimal number: it is
    valid, and no digit can be added.
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
            bind_after_class(self, "<Key>", self._send_full_event)

    def typing_error(self) -> str:
        """Return the error of the text; empty while more characters could make it valid."""
        if self._implied and fields.could_become_implied(self.field, self._implied):
            return ""
        return super().typing_error()

    @property
    def _implied(self) -> str:
        """The digits typed so far without a point; empty if the text wasn't typed that way."""
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
        self._send_full_event(event)
        return "break"

    def _digits_after(self, event: tk.Event) -> str | None:
        """Return the digits after this key; None if the key is left to the entry itself."""
        if isinstance(event.state, int) and event.state & _COMMAND_STATE:
            return None
        text, implied = self.variable.get(), self._implied
        selected = self.selection_present()
        # A digit typed over the whole value begins a new one.
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

    def _send_full_event(self, event: tk.Event) -> None:
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


_BESIDE = 32  # pixels for border, padding and a scrollbar on a screen of 96 dpi
_USUAL_SCALING = 96 / 72


def widen_list(box: ttk.Combobox) -> None:
    """Make the list of ``box`` as wide as its longest value, within the screen.

    Called by the ``postcommand`` of ``box``, after it has set the values.
    """
    entries = [str(each) for each in box.cget("values")]
    measure = measure_in("TkTextFont", box)
    dots = max(1.0, float(box.tk.call("tk", "scaling")) / _USUAL_SCALING)
    screen = box.winfo_screenwidth()
    wanted = min(max(map(measure, entries), default=0) + round(_BESIDE * dots), screen)
    more = max(0, wanted - box.winfo_width())
    left = min(0, screen - box.winfo_rootx() - box.winfo_width() - more)
    style, offset = ttk.Style(box), (left, 0, more, 0)
    name = str(box.cget("style")) or "TCombobox"
    known = tuple(int(str(each)) for each in box.tk.splitlist(style.lookup(name, "postoffset") or (0, 0, 0, 0)))
    if known != offset:  # one list is open at a time, so that all boxes of a style can share it
        style.configure(name, postoffset=offset)


class FieldCheck(ttk.Checkbutton):
    """A check box; its value as text is ``"true"`` or ``"false"``.

    Space toggles it, and y or n (or yes or no) sets it. Any other key is kept and reported as an error, because a
    number typed here was meant for another field: its next digits must not go to the next field. Backspace removes the
    last key.
    """

    def __init__(self, parent: tk.Misc, field: fields.Field, label: str) -> None:
        self.field = field
        self.variable = tk.BooleanVar(parent, value=False)
        super().__init__(parent, text=label, variable=self.variable)
        self._typed = ""
        self.bind("<Key>", self._key, add=True)
        self.bind("<FocusIn>", self._begin, add=True)
        self._last = self._is_being_set = False
        self._done: list[bool] = []
        self._undone: list[bool] = []
        self.variable.trace_add("write", self._changed)
        self.bind("<<Undo>>", lambda _event: self._move(self._done, self._undone))
        self.bind("<<Redo>>", lambda _event: self._move(self._undone, self._done))

    @property
    def text(self) -> str:
        """``"true"`` when ticked, else ``"false"``."""
        return "true" if self.variable.get() else "false"

    def set_text(self, text: str) -> None:
        """Set the box on behalf of the program: this isn't an undo step, and sends no event."""
        self._typed = ""
        ticked = text == "true" or (bool(text) and fields.parse(self.field, text) is True)
        if ticked != self.variable.get():
            self._is_being_set = True
            self.variable.set(ticked)
            self._is_being_set = False
        self._last = ticked
        self._done.clear()
        self._undone.clear()

    def edit_text(self, text: str) -> None:
        """Set the box on behalf of the user: this is an undo step."""
        self._typed = ""
        ticked = text == "true" or (bool(text) and fields.parse(self.field, text) is True)
        if ticked != self.variable.get():
            self.variable.set(ticked)
        else:
            self.event_generate("<<Edited>>")

    def typing_error(self) -> str:
        """Return the error of the keys that were typed here; empty if there is none."""
        return fields.typing_error(self.field, self._typed) if self._typed else ""

    def set_enabled(self, enabled: bool) -> None:
        """Allow or prevent changes by the user."""
        self.state(["!disabled" if enabled else "disabled"])

    def _begin(self, _event: object) -> None:
        if not self.typing_error():
            self._typed = ""

    def _key(self, event: tk.Event) -> str | None:
        if not self.instate(["!disabled"]) or (isinstance(event.state, int) and event.state & _COMMAND_STATE):
            return None
        if event.keysym in ("BackSpace", "Delete", "space"):
            self._typed = self._typed[:-1] if event.keysym == "BackSpace" else ""
            self.event_generate("<<Edited>>")
            return None
        if len(event.char) != 1 or not event.char.isprintable():
            return None
        self._take(event.char)
        return "break"

    def _take(self, char: str) -> None:
        # "ye" may become "yes"; y after n is a new answer.
        begun = [text for text in (self._typed + char, char) if fields.could_become_valid(self.field, text)]
        self._typed = begun[0] if begun and not self.typing_error() else self._typed + char
        try:
            value = fields.parse(self.field, self._typed) is True
        except ValueError:
            self.event_generate("<<Edited>>")
            return
        if value != self.variable.get():
            self.variable.set(value)
        else:
            self.event_generate("<<Edited>>")

    def _changed(self, *_names: str) -> None:
        if self._is_being_set:
            return
        if self.variable.get() != self._last:
            self._done.append(self._last)
            self._undone.clear()
        self._last = self.variable.get()
        self.event_generate("<<Edited>>")

    def _move(self, source: list[bool], target: list[bool]) -> str:
        """Undo or redo: go to the last state of ``source``."""
        if source and not self.instate(["disabled"]):
            self._typed = ""
            target.append(self._last)
            self._last = source.pop()
            self.variable.set(self._last)
        return "break"


class FieldChoice(ttk.Combobox, TypedField):
    """An entry for one of ``choices()``, which is typed, completed, or picked from the list (Down or Alt-Down)."""

    def __init__(
        self,
        parent: tk.Misc,
        field: fields.Field,
        choices: Callable[[], fields.Choices | None],
        width: int = 9,
    ) -> None:
        self.field = field
        self._given = choices
        self.variable = tk.StringVar(parent)
        ttk.Combobox.__init__(self, parent, textvariable=self.variable, width=width, postcommand=self._refresh)
        self.listen()
        self.bind("<Alt-Down>", self._open)
        # Otherwise Tk's combobox would choose another value when the mouse wheel turns over it.
        ignore_wheel(self, "TCombobox")
        bind_after_class(self, "<Key>", self._complete_while_typing)

    def choices(self) -> fields.Choices | None:
        """Return the current values; ``None`` while they are still being fetched."""
        return self._given()

    def settle(self) -> None:
        """Complete what was typed, if only one value begins with it."""
        completed = fields.complete(self.field, self.text, self.choices()) if self.text else None
        if completed is not None and completed != self.variable.get():
            self.variable.set(completed)

    def _refresh(self) -> None:
        self.configure(values=[str(each) for each in self.choices() or self.field.values])
        widen_list(self)

    def _open(self, _event: object) -> str:
        self.event_generate("<Down>")
        return "break"

    def _complete_while_typing(self, event: tk.Event) -> None:
        typed = self.variable.get()
        if not event.char or not event.char.isprintable() or self.index(tk.INSERT) != len(typed) or not typed:
            return
        # The completed part is selected, so that the next key replaces it.
        completed = fields.complete(self.field, typed, self.choices())
        if completed and completed != typed and completed.lower().startswith(typed.lower()):
            self.variable.set(completed)
            self.icursor(len(typed))
            self.selection_range(len(typed), tk.END)


# Control, Alt or Command is held: those keys are commands.
_ELSEWHERE_STATE = 0x4 | 0x8 | 0x10
_DAY = datetime.timedelta(days=1)


class DateEntry(FieldEntry):
    """An entry for a date. When it is left, what was typed is replaced by the date that it means (``26``: 2026-11-26).

    Up goes a day forward, Down a day back, and Alt-Down opens the calendar.
    """

    def __init__(self, parent: tk.Misc, field: fields.Field, width: int, reader: DateReader) -> None:
        super().__init__(parent, field, width)
        self.reader = reader
        self._calendar: CalendarPopup | None = None
        for key, days in (("Up", 1), ("KP_Up", 1), ("Down", -1), ("KP_Down", -1)):
            self.bind(f"<{key}>", lambda event, days=days: self._step(event, days))  # type: ignore[misc]
            if days < 0:
                self.bind(f"<Alt-{key}>", lambda _event: self.open_calendar())

    def settle(self) -> None:
        """Replace the text by the date that it means."""
        try:
            date = self.reader.read(self.text)
        except ValueError:
            return
        if date.isoformat() != self.variable.get():
            self.variable.set(date.isoformat())

    def typing_error(self) -> str:
        """Return the error of the text; empty while more characters could make it valid."""
        text = self.text
        return "" if not text or self.reader.may_become(text) else self.error()

    def error(self) -> str:
        """Return the error of the text as it is; empty if it is valid."""
        try:
            self.reader.read(self.text)
        except ValueError as error:
            return str(error)
        return ""

    def likely(self) -> str | None:
        """Return the date that a text with a wrong character in it was probably meant to be."""
        return likely_date(self.text, self.reader.today())

    @property
    def calendar(self) -> CalendarPopup | None:
        """The calendar, while it is open."""
        return self._calendar

    def open_calendar(self) -> str:
        """Open the calendar at the date in the entry, or at today; close it if it is open."""
        from .calendar_popup import CalendarPopup  # imported here, so that it doesn't slow the start

        if self._calendar is not None:
            self._calendar.close()
        elif self.instate(["!disabled"]):
            self._calendar = CalendarPopup(self, self._date() or self.reader.today(), self.reader.today(), self._take)
            self._calendar.bind("<Destroy>", self._closed, add=True)
        return "break"

    def _closed(self, event: tk.Event) -> None:
        if event.widget is self._calendar:
            self._calendar = None

    def _take(self, date: datetime.date) -> None:
        self.edit_text(date.isoformat())
        self.focus_set()
        self.select_all()

    def _step(self, event: tk.Event, days: int) -> str | None:
        if isinstance(event.state, int) and event.state & _ELSEWHERE_STATE:
            return None
        # In an empty field the first press gives today.
        date = self._date() if self.text else self.reader.today() - days * _DAY
        if date is not None and self.instate(["!disabled"]) and _can_step(date, days):
            self.edit_text((date + days * _DAY).isoformat())
            self.select_all()
        return "break"

    def _date(self) -> datetime.date | None:
        try:
            return self.reader.read(self.text)
        except ValueError:
            return None


def _can_step(date: datetime.date, days: int) -> bool:
    return date != (datetime.date.max if days > 0 else datetime.date.min)


class FieldNotes(tk.Text):
    """A text of several lines. Its value never ends in a line break, however often it is saved."""

    def __init__(self, parent: tk.Misc, field: fields.Field, height: int = 2) -> None:
        self.field = field
        self._palette = LIGHT
        self._wrong = False
        super().__init__(parent, height=height, width=20, wrap="word", undo=True, maxundo=0, autoseparators=True)
        self.configure(relief="flat", borderwidth=0, highlightthickness=1, font="TkTextFont")
        self.bind("<<Modified>>", self._modified)
        self.bind("<Tab>", lambda _event: self._leave(self.tk_focusNext()))
        for back in ("<Shift-Tab>", "<<PrevWindow>>"):
            self.bind(back, lambda _event: self._leave(self.tk_focusPrev()))
        self.bind("<Shift-Return>", self._break_line)
        self._was_left = True
        self.bind("<FocusIn>", lambda _event: self._entered(), add=True)
        self.bind("<<Left>>", lambda _event: self._note_left(True), add=True)
        self.bind("<Button-1>", lambda _event: self._note_left(False), add=True)
        self.bind("<<Paste>>", lambda _event: self.after_idle(self.see, tk.INSERT), add=True)

    @property
    def text(self) -> str:
        """The notes without spaces and line breaks at their end."""
        return self.get("1.0", "end-1c").rstrip()

    def set_text(self, text: str) -> None:
        """Set the notes on behalf of the program: this isn't an undo step."""
        # A disabled text widget ignores what the program inserts, too.
        state = str(self.cget("state"))
        self.configure(state="normal")
        self.replace("1.0", "end-1c", text)
        # Otherwise undo would bring back the notes of another plot.
        self.edit_reset()
        self.edit_modified(False)
        self.configure(state=state)  # type: ignore[call-overload]

    def edit_text(self, text: str) -> None:
        """Replace the notes on behalf of the user: this is an undo step."""
        self.edit_separator()
        self.replace("1.0", "end-1c", text)
        self.edit_separator()

    def typing_error(self) -> str:
        """Return the error of the text; empty if it is valid."""
        return fields.typing_error(self.field, self.text)

    def show_wrong(self, wrong: bool) -> None:
        """Tint the text while it has an error."""
        self._wrong = wrong
        self._colour()

    def set_enabled(self, enabled: bool) -> None:
        """Allow or prevent writing."""
        self.configure(state="normal" if enabled else "disabled")
        self._colour()

    def show_look(self, look: Look) -> None:
        """Colour the text like the entries beside it."""
        p = self._palette = look.palette
        self.configure(insertbackground=p.text, padx=look.unit, pady=look.unit)
        self._colour()
        self.configure(highlightbackground=p.border, highlightcolor=p.accent, highlightthickness=1)
        self.configure(selectbackground=p.selection, selectforeground=p.on_selection)

    def _colour(self) -> None:
        p, enabled = self._palette, str(self.cget("state")) == "normal"
        field = p.field_wrong if self._wrong else p.field
        self.configure(background=field if enabled else p.field_disabled, foreground=p.text if enabled else p.muted)

    def _modified(self, _event: object) -> None:
        if self.edit_modified():
            self.edit_modified(False)
            self.event_generate("<<Edited>>")

    def _leave(self, widget: tk.Misc | None) -> str:
        if widget is not None:
            widget.focus_set()
        return "break"

    def _note_left(self, left: bool) -> None:
        self._was_left = left

    def _entered(self) -> None:
        # Only after the user came from another field: after a menu or another window, the cursor stays where it was.
        if self._was_left:
            self.mark_set(tk.INSERT, "end-1c")
        self._was_left = False

    def _break_line(self, _event: object) -> str:
        self.insert(tk.INSERT, "\n")
        self.see(tk.INSERT)
        return "break"
