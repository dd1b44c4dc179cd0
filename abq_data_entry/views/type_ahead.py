"""Keys typed while a record is being saved: they go into the plot for which they were meant, or are shown as text."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Sequence
from typing import Any, Protocol

from .. import fields
from ..widgets import FieldInput
from ..widgets.focus import focused_widget
from ..widgets.scrolled import with_all_inside
from .typed_keys import AheadLine, Place, Pressing, Rhythm, Segment, TypedKey, copied, leads_on, segments_in, shown

# Keys are typed for at most this time without a break; then the window handles other events.
SLICE_SECONDS = 0.005
REPEATED_MS = 400  # another Enter within this time counts as the same one, held down or pressed twice


class Form(Protocol):
    """The parts of the form used here. ``new_key`` is the key of the new record; ``changed``: something was typed."""

    @property
    def new_key(self) -> Place: ...

    @property
    def changed(self) -> bool: ...

    @property
    def focused(self) -> FieldInput | None: ...

    def takes_ahead(self, place: Place) -> bool:
        """Return whether keys that were typed for ``place`` can go into what the form shows now."""

    def focus_first_empty(self) -> None: ...

    def keep_draft(self) -> None:
        """Report that something was typed, so that the draft is kept."""


class TypeAhead:
    """Collects the keys typed between a save and its answer, and types them where they belong.

    The keys up to the next save key are a segment. The k-th segment belongs to the k-th plot after the one being saved,
    as known when the save began. If a record isn't saved, another plot comes, a key can't be typed as it was pressed,
    or a field keeps the focus, the remaining keys are set aside: ``line`` shows them, and offers to place them. Keys
    typed in the meantime are added at the end.

    ``room`` is the widget of the form; create this object after all widgets inside it.
    """

    def __init__(self, room: tk.Misc, form: Form) -> None:
        self._room, self._form = room, form
        self._window = room.winfo_toplevel()
        self._system = str(room.tk.call("tk", "windowingsystem"))
        self._keys: list[TypedKey] = []
        self._places: list[Place] = []
        self._current: Place = None
        self.aside: list[Segment] = []
        """The keys set aside, for plots at which the form didn't arrive."""
        self._saving = self._typing = self._placing = self._halted = self._led_away = False
        self._waits = False  # keys were typed before it was known which plots come after the awaited one
        self._undecided: Segment | None = None
        self._refused: Segment | None = None
        self._pressing, self._rhythm = Pressing(), Rhythm()
        self._save_time = 0
        self._seen: tuple[tk.Misc | None, Place] | None = None
        self._before: FieldInput | None = None
        self._timer = ""
        self.line = AheadLine(self._window, self.place_here, self._copy, self._discard, self._more, self._back)
        tag = f"type-ahead-{room}"
        room.bind_class(tag, "<Key>", self._key)
        for widget in (self._window, *with_all_inside(room)):
            widget.bindtags((tag, *widget.bindtags()))
        self._window.bind("<FocusIn>", self._focus_is_back, add=True)

    # -- called by the form ---------------------------------------------------------------------------

    def begin(self, places: Sequence[Place]) -> None:
        """Start collecting, because a save begins; ``places`` are the plots that come next, as far as known."""
        # Keys that are being typed keep the plots of the save with which they began.
        if self._waits or (not self._typing and not self._keys):
            self._places = list(places)
        self._waits = False
        self._saving, self._led_away, self._refused = True, False, None
        self._undecided = None
        if not self._typing:
            self._save_time = self._rhythm.last

    def undecided(self) -> None:
        """Set keys aside until the user has decided whether and how the record is saved; commands work meanwhile."""
        if self._saving:
            self._undecided = Segment(tuple(self._places), ())
            if self._keys:
                self._set_undecided_aside()

    def accepted(self, leaves: bool = False) -> None:
        """Type the keys, because the record is saved and the form shows the next plot.

        ``leaves``: the form will go to another record at once.
        """
        self._saving, self._undecided = False, None
        places = tuple(self._places)
        self._current = self._places.pop(0) if self._places else None
        while self._keys and self._keys[0].is_enter and self._keys[0].time - self._save_time < REPEATED_MS:
            self._save_time = self._keys.pop(0).time
        # Only into the expected plot, and only while it is empty.
        fits = bool(places) and self._current == self._form.new_key and not self._form.changed
        if not fits or leaves or self._led_away:
            self._refuse(places)
        elif self._keys:
            self._seen = None
            self._go_on()
        if self.aside:
            self.show_offer()

    def refused(self, places: Sequence[Place] | None = None) -> None:
        """Set the keys aside, because the record isn't saved.

        ``places``: the plots that would have come next, if no save had begun.
        """
        self._saving, self._undecided = False, None
        if self._typing or self._keys or places is None:
            places = self._places
        else:
            self._save_time = self._rhythm.last
        if self._typing:
            self._halted, self._current = True, None
        else:
            self._refuse(tuple(places))
        self.show_offer()

    def wait(self, place: Place) -> None:
        """Collect keys for ``place``, to which the form is going (``None``: to a plot that isn't known yet)."""
        if not self._saving:
            begins = not self._typing and not self._keys
            self.begin([place])
            self._waits = begins

    def arrived(self) -> None:
        """Type the collected keys, because the form has arrived at the awaited plot."""
        if not self._saving:
            return
        self._saving = False
        if self._places and not self._typing:
            self._places.pop(0)
        self._current = self._form.new_key
        if self._led_away and self._keys:
            self._refuse((self._current,))
        elif self._keys:
            self._seen = None
            self._go_on()

    def held(self) -> None:
        """Stop typing, because a field that is wrong or empty keeps the focus: the next keys aren't meant for it."""
        self._halted = self._halted or self._typing

    def halts_save(self) -> bool:
        """Return whether the user is placing keys set aside: these only fill the form, and the user saves it."""
        if self._placing and self._typing:
            self._halted, self._current = True, None
            return True
        return False

    @property
    def is_busy(self) -> bool:
        """Whether keys are being collected or typed."""
        return self._saving or self._typing or bool(self._keys)

    @property
    def has_refused(self) -> bool:
        """Whether a record wasn't saved and no key came since; a key in the same rhythm is then set aside."""
        return self._refused is not None

    def show_offer(self) -> None:
        """Enable or disable the offer to place the keys, because the form has changed."""
        if self.aside:
            self.line.offer(not self.is_busy and self._form.takes_ahead(self.aside[0].place))

    def draft(self) -> list[dict[str, Any]]:
        """Return the keys that would be lost with the window, as values that can be written as JSON."""
        segments = list(self.aside)
        if self._keys:
            segments.append(Segment(self._rest_places(), tuple(self._keys)))
        return [each.draft() for each in segments]

    def restore(self, draft: object) -> None:
        """Show what :meth:`draft` returned."""
        self.aside += segments_in(draft)
        self._show()

    # -- keys set aside -------------------------------------------------------------------------------

    def go_to_line(self) -> bool:
        """Put the focus on the line of keys set aside, or from there back into the form; return False if there is none.
        """
        if not self.aside:
            return False
        if self.line.has_focus:
            self._back()
        else:
            self._before = self._form.focused
            self.show_offer()
            self.line.focus_buttons()
        return True

    def place_here(self) -> None:
        """Type the first segment set aside into the plot that the form shows, up to its save key."""
        self.show_offer()
        if not self.aside or self.is_busy or not self._form.takes_ahead(self.aside[0].place):
            return
        segment = self.aside.pop(0)
        self._keys, self._places = list(segment.keys), list(segment.places[1:])
        self._placing, self._seen = True, None
        self._form.focus_first_empty()
        self._current = self._form.new_key
        self._go_on()

    def _copy(self) -> None:
        self._room.clipboard_clear()
        self._room.clipboard_append("\n".join(copied(each.keys) for each in self.aside))
        self.line.show(f"Copied. {self._title()}", self.line.text)

    def _discard(self) -> None:
        self.aside.clear()
        self._show()
        self._back()
        self._form.keep_draft()

    def _more(self, key: TypedKey) -> None:
        longer = self.aside[-1].with_key(key)
        if self._undecided == self.aside[-1]:
            self._undecided = longer
        self.aside[-1] = longer
        self._show()
        self._form.keep_draft()

    def _back(self) -> None:
        if self._before is not None and not self._before.is_disabled:
            self._before.focus_again()
        else:
            self._form.focus_first_empty()

    def _set_aside(self, places: Sequence[Place], first: bool = False) -> None:
        self._waits = False
        segment = Segment(tuple(places), tuple(self._keys))
        self._keys.clear()
        self.aside.insert(0 if first else len(self.aside), segment)
        self._show()
        self._form.keep_draft()
        if first:
            return
        focused = focused_widget(self._room)
        # An open dialog keeps the focus, because the user has to answer it first.
        if focused is None or focused.winfo_toplevel() is self._window:
            self._before = self._form.focused or self._before
            self.line.take_focus()

    def _show(self) -> None:
        texts = [shown(self.aside[0].keys)] if self.aside else []
        texts += [f"{each.title}: {shown(each.keys)}" for each in self.aside[1:]]
        self.line.show(self._title(), " · ".join(texts))
        self.show_offer()

    def _title(self) -> str:
        return f"{self.aside[0].title}:" if self.aside else ""

    # -- collecting -----------------------------------------------------------------------------------

    def _key(self, event: tk.Event) -> str | None:
        key = TypedKey.of(event, self._system)
        arrives = self._pressing.arrives(key)
        if arrives is not None:
            return None if arrives else "break"
        if key.is_modifier:
            return None
        if not self.is_busy:
            return self._first_key(key)
        self._rhythm.note(key)
        if self._undecided is not None:
            if not key.edits:
                return None
            self._keys.append(key)
            self._set_undecided_aside()
            return "break"
        if not key.edits and not self._keys:
            self._led_away = True  # keys after a command are meant for the widget to which the command leads
            return None
        self._keys.append(key)
        self._form.keep_draft()
        return "break"

    def _set_undecided_aside(self) -> None:
        """Show what was collected; everything typed before the decision is one segment."""
        assert self._undecided is not None
        if self._undecided in self.aside:
            self.aside.remove(self._undecided)
            self._keys[:0] = self._undecided.keys
        self._set_aside(self._undecided.places)
        self._undecided = self.aside[-1]

    def _first_key(self, key: TypedKey) -> str | None:
        """Handle a key while nothing is being saved: pass it to its field, unless it continues after a failed save."""
        refused, self._refused = self._refused, None
        in_rhythm = self._rhythm.goes_on_with(key)
        self._rhythm.note(key)
        if refused is None or not in_rhythm or not key.edits:
            return None
        if key.is_enter and key.time - self._save_time < REPEATED_MS:  # the Enter that saved is held down or doubled
            self._refused = refused
            return "break"
        self._keys.append(key)
        self._set_aside(refused.places)
        return "break"

    def _refuse(self, places: tuple[Place, ...]) -> None:
        """Set aside what was typed for ``places``, and the keys that follow immediately."""
        if self._keys:
            self._set_aside(places)
        else:
            self._refused = Segment(places, ())

    # -- typing ---------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Type the keys, a slice at a time, until none is left, a save begins, or one can't be typed."""
        self._timer = ""
        end = time.perf_counter() + SLICE_SECONDS
        self._typing = True
        try:
            while self._keys and not self._saving and not self._halted:
                if time.perf_counter() > end:
                    self._seen = (focused_widget(self._room), self._form.new_key)
                    self._timer = self._room.after(1, self._let_others_pass)
                    return
                target = focused_widget(self._room)
                if target is None or target.winfo_toplevel() is not self._window:
                    return  # until the focus comes back
                if self._seen not in (None, (target, self._form.new_key)) or not _is_inside(target, self._room):
                    self._halted = True  # the focus has moved in the meantime
                else:
                    self._seen = None
                    self._type(target)
        finally:
            self._typing = False
        self._finish_typing()

    def _let_others_pass(self) -> None:
        """Type the next slice after what else is waiting.

        What was typed is drawn before this timer, which takes long, and Tk calls all timers that are due before it
        looks for other events. One that is set only now isn't among them.
        """
        self._timer = self._room.after(1, self._go_on)

    def _finish_typing(self) -> None:
        placing, self._placing = self._placing, False
        halted, self._halted = self._halted, False
        if halted and self._keys:
            self._set_aside(self._rest_places(), first=placing)
        elif halted and not placing:
            self._refuse(self._rest_places())
        elif placing:
            self._show()
            self._form.keep_draft()

    def _rest_places(self) -> tuple[Place, ...]:
        return tuple(self._places) if self._saving or self._current is None else (self._current, *self._places)

    def _focus_is_back(self, _event: object) -> None:
        if self._keys and not self._saving and not self._typing and not self._timer:
            self._timer = self._room.after_idle(self._go_on)

    def _type(self, target: tk.Misc) -> None:
        """Type the next key into ``target``; stop if it can't be typed as it was pressed, or Enter doesn't move on."""
        key, field = self._keys.pop(0), self._form.focused
        self._save_time = key.time
        if not self._pressing.press(key, target):
            self._keys.insert(0, key)
            self._halted = True
        elif leads_on(key, target) and not self._saving and not self._is_from(field):
            self._halted = True

    def _is_from(self, field: FieldInput | None) -> bool:
        """Return whether the focus is in that field or in one after it; Enter leads nowhere else."""
        now = self._form.focused
        if field is None or now is None:
            return False
        return fields.FOCUS_ORDER.index(now.name) >= fields.FOCUS_ORDER.index(field.name)


def _is_inside(widget: tk.Misc, room: tk.Misc) -> bool:
    return str(widget).startswith(f"{room}.")
