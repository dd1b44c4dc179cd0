"""Keys that do the same in every field of the form: Enter, save, and the equipment fault."""

from __future__ import annotations

import time
import tkinter as tk
from tkinter import ttk

from .. import fields
from ..constants import FieldNames as F
from ..constants import FieldTypes
from ..widgets import FieldCheck
from ..widgets.focus import call_and_break
from ..widgets.scrolled import with_all_inside
from .form_content import CHECK_FIELDS, HEIGHTS, FormContent
from .form_parts import DateAsking, PendingAnswer, Person

DOUBLED_MS = 250
"""Milliseconds; within this time after an Enter that followed a typed value, a second one counts as the same."""


class RepeatedEnter:
    """Recognizes an Enter that is held down or pressed twice by mistake.

    Two quick presses after a value count as one. If a third one follows, all of them count, because the user is moving
    through the fields. Times are those of the Tk events, in milliseconds.
    """

    def __init__(self, window: tk.Misc) -> None:
        self._last: int | None = None
        self._released: int | None = None
        self._typed = False
        self._owed = False
        for key in ("Return", "KP_Enter"):
            window.bind(f"<KeyRelease-{key}>", self._release, add=True)
        window.bind("<Key>", self._other_key, add=True)
        window.bind("<Button>", self._other_key, add=True)

    def edited(self, is_value: bool) -> None:
        """Note that something was typed (``is_value``: a value of the plot), so that the next Enter is a new one."""
        self._typed, self._last, self._owed = is_value, None, False

    def steps(self, time: int, is_stop: bool) -> int:
        """Return how many fields to go forward: 0, 1, or 2 if the previous press turns out to count after all.

        ``time`` is that of the event, in milliseconds. ``is_stop``: this field needs a press of its own, however soon
        after the last one.
        """
        last, released = self._last, self._released
        after_value, self._last, self._released = self._typed, time, None
        if last is None:
            return 1
        pause = time - last
        if released == time:  # X11 reports a held key as a release and a press with the same time
            self._owed = False
            return 0
        if 0 < pause <= DOUBLED_MS and after_value and not is_stop and not self._owed:
            self._owed, self._typed = True, False
            return 0
        steps = 2 if self._owed and 0 < pause <= DOUBLED_MS else 1
        self._owed = self._typed = False
        return steps

    def _other_key(self, event: tk.Event) -> None:
        if event.keysym not in ("Return", "KP_Enter"):
            self._last, self._owed = None, False

    def _release(self, event: tk.Event) -> None:
        self._released = int(event.time)


HABIT_SECONDS = 1.0  # an Enter within this time after auto advance was pressed out of habit, and is ignored


SAVING = (F.MEDIAN_HEIGHT, F.NOTES)
"""The fields in which Enter saves."""


class EnterKey:
    """Enter in a field goes to the next required field or to the plot, or saves; held down or doubled, it counts once.

    With the setting ``auto advance``, the focus moves on by itself after the second decimal.
    """

    def __init__(self, form: FormContent, pending_answer: PendingAnswer, dates: DateAsking, person: Person) -> None:
        self._form, self._pending_answer, self._dates, self._person = form, pending_answer, dates, person
        self._repeated = RepeatedEnter(form.winfo_toplevel())
        self._swallowed = ("", 0.0)  # the field in which Enter is ignored, and until when

    def pressed(self, name: str, event: tk.Event) -> str:
        """Handle Enter in the field of that name."""
        swallowed, self._swallowed = self._swallowed, ("", 0.0)
        steps = self._repeated.steps(int(event.time), is_stop=name in CHECK_FIELDS)
        # Auto advance has just moved the focus here, and Enter was pressed out of habit.
        if swallowed[0] == name and time.monotonic() <= swallowed[1]:
            return "break"
        if not steps and not self.holds(name):
            self._form.inputs[name].show_hint("Enter was pressed twice, and counts once")
        if steps:
            self.advance(name)
        focused = self._form.focused
        if steps > 1 and focused is not None and not self._form.saving:
            self.advance(focused.name)
        return "break"

    def filled_up(self, name: str) -> None:
        """After the second decimal, go to the next field if the setting ``auto advance`` is on, but never save."""
        if not self._form.settings["auto advance"].get() or name in SAVING or self._form.inputs.after(name) is None:
            return
        self.advance(name)
        focused = self._form.focused
        if focused is not None and focused.name != name:
            self._swallowed = (focused.name, time.monotonic() + HABIT_SECONDS)

    def edited(self, name: str) -> None:
        """Note that something was typed in the field."""
        self._swallowed = ("", 0.0)
        self._repeated.edited(name not in CHECK_FIELDS)

    def advance(self, name: str) -> None:
        """Go to the next required field, or after the last one save.

        A field that is wrong or empty keeps the focus, so that what is typed next replaces its text.
        """
        form, inputs = self._form, self._form.inputs
        if self._pending_answer.holds(name) or self.holds(name):
            return
        if name == F.DATE and self._dates.holds(entered=True):
            return
        # Only on a new record: the technician of a saved one is who recorded it, not who is at the window.
        if name == F.TECHNICIAN and not form.corrects:
            self._person.confirm()
            if self._person.go_back():
                return
        if name == F.PLOT and form.show_draft():
            self._person.take_typed_name()
            inputs[inputs.first_empty()].focus_set()
            return
        following = None if name in SAVING else inputs.after(name)
        if name in CHECK_FIELDS and following not in CHECK_FIELDS and self._pending_answer.is_looking_up:
            self._pending_answer.wait_at(name)
        elif following is None:
            form.submit()
        else:
            # If the plot has values already, such as those of a draft, the next keys must not replace them.
            goes_on = form.opened_record is None and form.changed and following not in (*CHECK_FIELDS, F.PLOT)
            begins = name in (*CHECK_FIELDS, F.PLOT)
            inputs[inputs.first_empty() if goes_on and begins else following].focus_set()

    def holds(self, name: str) -> bool:
        """Return whether the field keeps the focus, because it is wrong, or required and empty; if so, select its
        text."""
        each = self._form.inputs[name]
        each.check()
        if name in HEIGHTS:
            self._form.inputs.check_across()
        if not each.error:
            return False
        each.focus_set()
        self._form.type_ahead.held()
        self._form.sound()
        return True


SAVE_KEYS = ("<Control-Return>", "<Control-KP_Enter>", "<Command-Return>", "<Command-KP_Enter>")
FAULT_KEYS = ("<asterisk>", "<KP_Multiply>")
_TEXTS = (FieldTypes.STRING, FieldTypes.LONG_TEXT)
_COMMAND_STATE = 0x4 | 0x8  # Control, Alt or Command is held, so `*` isn't typed


class FormKeys:
    """Ctrl+Enter saves from anywhere in the form. ``*`` sets or clears the equipment fault.

    ``*`` is on the number pad, and no number, date or list contains it. Fields of free text take it as text.
    """

    def __init__(self, form: FormContent) -> None:
        self._form, self._inputs = form, form.inputs
        self._left = ""  # the reading that had the focus when the fault disabled it

    def add_field(self, name: str) -> None:
        """Bind the keys in the field of that name."""
        each = self._inputs[name]
        self._bind_save(each.editor)
        if each.field.type not in _TEXTS:
            self._bind_fault(each.editor, name)

    def add_buttons(self, form: tk.Misc) -> None:
        """Bind the keys on all buttons inside ``form``."""
        for button in (each for each in with_all_inside(form) if isinstance(each, ttk.Button)):
            self._bind_save(button)
            self._bind_fault(button, "")

    def _bind_save(self, widget: tk.Misc) -> None:
        aqua = widget.tk.call("tk", "windowingsystem") == "aqua"
        for key in SAVE_KEYS:
            if key.startswith("<Command") == aqua:
                widget.bind(key, lambda _event: call_and_break(self._form.submit))

    def _bind_fault(self, widget: tk.Misc, name: str) -> None:
        for key in FAULT_KEYS:
            widget.bind(key, lambda event: self._pressed(event, name))

    def _pressed(self, event: tk.Event, name: str) -> str | None:
        # A command of the window, which must reach its own binding.
        if int(event.state) & _COMMAND_STATE:
            return None
        self.toggle_fault(name)
        return "break"

    def toggle_fault(self, name: str) -> None:
        """Set or clear the equipment fault from the field ``name``; a reading that it disables loses the focus."""
        # Through the box itself, so that it can be undone there and is drawn as ticked.
        fault = self._inputs[F.EQUIPMENT_FAULT]
        if fault.is_disabled:
            return
        setting = fault.text != "true"
        if isinstance(fault.editor, FieldCheck):
            fault.editor.variable.set(setting)
        if setting and name in fields.READINGS:
            self._left = name
            following = self._inputs.after(F.EQUIPMENT_FAULT)
            self._inputs[following or F.PLANTS].focus_set()
        elif not setting and self._left:
            reading, self._left = self._left, ""
            self._inputs[reading].focus_set()
