"""The editors of fields. Entries of one line, among them lists and dates, keep what was typed, undo and redo it, and
take what is pasted; besides them a box to tick and a text of several lines."""

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
from .note_line import measure_in
from .scrolled import ignore_wheel

if TYPE_CHECKING:
    from .calendar_popup import CalendarPopup


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
    change by the user, ``<<Refused>>`` when a paste was refused, for the reason in ``refusal``. A
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
        """Keep the steps to undo, take pastes, report changes."""
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
        """Let the program fill the field: that is no step to undo, and nobody is notified."""
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


_BESIDE = 32  # border, padding and a scrollbar, on a screen of 96 dots an inch
_USUAL_SCALING = 96 / 72


def widen_list(box: ttk.Combobox) -> None:
    """To be called by the ``postcommand`` of ``box``, after it has set the values: the list opens as wide as the
    longest of them needs, within the screen."""
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
    """The field's value as text is ``"true"`` or ``"false"``.

    Other keys than Space, and y and n or the words that they begin, are kept and marked: a number typed here was meant
    for another field, and must not go on to the next one with the digits after it. Backspace takes a key back.
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
        """Tick or untick the box by the program."""
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
        """Tick or untick the box for the user."""
        self.set_text(text)
        self.event_generate("<<Edited>>")

    def mark(self) -> str:
        """What is wrong with the keys that were typed here, in words."""
        return fields.mark(self.field, self._typed) if self._typed else ""

    def set_enabled(self, enabled: bool) -> None:
        """Let the user tick here, or not."""
        self.state(["!disabled" if enabled else "disabled"])

    def _begin(self, _event: object) -> None:
        if not self.mark():
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
        # "ye" goes on to "yes"; y after n is another answer.
        begun = [text for text in (self._typed + char, char) if fields.could_become_valid(self.field, text)]
        self._typed = begun[0] if begun and not self.mark() else self._typed + char
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
        """Undo, or redo: what was ticked before stands there again."""
        if source and not self.instate(["disabled"]):
            self._typed = ""
            target.append(self._last)
            self._last = source.pop()
            self.variable.set(self._last)
        return "break"


class FieldChoice(ttk.Combobox, TypedField):
    """One of ``choices()``: typed, completed, or picked from the list (Down or Alt-Down opens it)."""

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
        # Tk's combobox would choose another value when the wheel of the mouse is turned over it.
        ignore_wheel(self, "TCombobox")
        bind_after_class(self, "<Key>", self._complete_while_typing)

    def choices(self) -> fields.Choices | None:
        """The values as they are now; ``None`` while they are still being fetched."""
        return self._given()

    def settle(self) -> None:
        """Complete what was typed, where that is unique."""
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
        # The rest is selected: the next key types over it, so nothing is in the way of who types on.
        completed = fields.complete(self.field, typed, self.choices())
        if completed and completed != typed and completed.lower().startswith(typed.lower()):
            self.variable.set(completed)
            self.icursor(len(typed))
            self.selection_range(len(typed), tk.END)


# Control, Alt or Command is held: those keys go somewhere else.
_ELSEWHERE_STATE = 0x4 | 0x8 | 0x10
_DAY = datetime.timedelta(days=1)


class DateEntry(FieldEntry):
    """Shows what was typed until it is left, and then the date that it means (``26``: 2026-11-26).

    Up goes a day on, Down a day back, Alt-Down opens the calendar.
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
        """Show the date that the text means."""
        try:
            date = self.reader.read(self.text)
        except ValueError:
            return
        if date.isoformat() != self.variable.get():
            self.variable.set(date.isoformat())

    def mark(self) -> str:
        """What is wrong with the text, in words; empty while typing on could make it right."""
        text = self.text
        return "" if not text or self.reader.may_become(text) else self.wrong()

    def wrong(self) -> str:
        """What is wrong with the text as it is, in words."""
        try:
            self.reader.read(self.text)
        except ValueError as error:
            return str(error)
        return ""

    def likely(self) -> str | None:
        """The date that was probably meant by a text with a wrong sign in it."""
        return likely_date(self.text, self.reader.today())

    @property
    def calendar(self) -> CalendarPopup | None:
        """The calendar, while it is open."""
        return self._calendar

    def open_calendar(self) -> str:
        """Open the calendar at the date that stands here, or at today; or close it."""
        from .calendar_popup import CalendarPopup  # when it is wanted: no start has to pay for it

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
        # From an empty field the first press gives today itself.
        date = self._date() if self.text else self.reader.today() - days * _DAY
        if date is not None and self.instate(["!disabled"]) and _has_day(date, days):
            self.edit_text((date + days * _DAY).isoformat())
            self.select_all()
        return "break"

    def _date(self) -> datetime.date | None:
        try:
            return self.reader.read(self.text)
        except ValueError:
            return None


def _has_day(date: datetime.date, days: int) -> bool:
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
        """The notes without blanks and line breaks at their end."""
        return self.get("1.0", "end-1c").rstrip()

    def set_text(self, text: str) -> None:
        """Fill the notes by the program: not a step to undo."""
        # A text that is closed takes nothing from the program either.
        state = str(self.cget("state"))
        self.configure(state="normal")
        self.replace("1.0", "end-1c", text)
        # Else undoing would bring back the notes of another plot.
        self.edit_reset()
        self.edit_modified(False)
        self.configure(state=state)  # type: ignore[call-overload]

    def edit_text(self, text: str) -> None:
        """Replace the notes for the user: a step to undo."""
        self.edit_separator()
        self.replace("1.0", "end-1c", text)
        self.edit_separator()

    def mark(self) -> str:
        """What is wrong with the text, in words."""
        return fields.mark(self.field, self.text)

    def show_wrong(self, wrong: bool) -> None:
        """Tint the text that has an error."""
        self._wrong = wrong
        self._colour()

    def set_enabled(self, enabled: bool) -> None:
        """Let the user write here, or not."""
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
        # A menu or another window had the focus meanwhile: the cursor stays where it was. A click has its own place.
        if self._was_left:
            self.mark_set(tk.INSERT, "end-1c")
        self._was_left = False

    def _break_line(self, _event: object) -> str:
        self.insert(tk.INSERT, "\n")
        self.see(tk.INSERT)
        return "break"
