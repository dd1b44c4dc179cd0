"""Keys that were typed ahead: what each one means, pressing them again, and the line that shows them as text."""

from __future__ import annotations

import datetime
import time
import tkinter as tk
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from tkinter import ttk
from typing import Any, NamedTuple

from ..widgets import FieldChoice, FieldNotes, Tooltip
from ..widgets.editors import TypedField
from ..widgets.focus import exempt_from_leaving, focused_widget, give_focus

Place = tuple[datetime.date, str, str, int] | None
"""A plot of a check; ``None`` if the plot isn't chosen yet, as without autofill."""

_MODIFIERS = frozenset(
    f"{key}_{side}" for key in ("Shift", "Control", "Alt", "Meta", "Super", "Hyper") for side in "LR"
) | {"Caps_Lock", "Num_Lock", "Scroll_Lock", "Mode_switch", "ISO_Level3_Shift", "ISO_Level5_Shift", "ISO_Next_Group"}
SHIFT = 0x1
# Alt has a different bit on each platform; X11's bit for Alt is Num Lock on Windows.
_COMMAND_BITS = {"x11": 0x4 | 0x8 | 0x40, "win32": 0x4 | 0x20000, "aqua": 0x4 | 0x8}
_ALT_GRAPH_ON_WINDOWS = 0x4 | 0x20000
# Letters by position of the key (X11 key codes), for keyboards with another alphabet.
_PLACES = {29: "y", 38: "a", 39: "s", 52: "z"}
_EDITING = frozenset(("a", "z", "y", "left", "right", "home", "end", "backspace", "delete"))
_SIGNS = {
    "Return": "⏎",
    "KP_Enter": "⏎",
    "Tab": "⇥",
    "ISO_Left_Tab": "⇤",
    "BackSpace": "⌫",
    "Delete": "⌦",
    "KP_Delete": "⌦",
    "Left": "←",
    "Right": "→",
    "Up": "↑",
    "Down": "↓",
}


class TypedKey(NamedTuple):
    """One press of a key, as Tk reports it; ``command``: Ctrl, Alt or ⌘ was held. ``time`` is in milliseconds."""

    keycode: int
    state: int
    keysym: str
    char: str
    time: int = 0
    command: bool = False

    @classmethod
    def of(cls, event: tk.Event, windowing_system: str) -> TypedKey:
        """Return the key of a ``<Key>`` event."""
        state = event.state if isinstance(event.state, int) else 0
        char = event.char if event.char and event.char != "\0" else ""
        command = bool(state & _COMMAND_BITS.get(windowing_system, 0x4))
        # Windows reports AltGr as Ctrl and Alt; with it, a key that types a character is no command.
        if windowing_system == "win32" and state & _ALT_GRAPH_ON_WINDOWS == _ALT_GRAPH_ON_WINDOWS:
            command = command and not char.isprintable()
        return cls(int(event.keycode), state, event.keysym, char, int(event.time), command)

    @property
    def is_modifier(self) -> bool:
        """Whether it only modifies other keys."""
        return self.keysym in _MODIFIERS

    @property
    def is_enter(self) -> bool:
        """Whether it is Enter, on the keyboard or the number pad."""
        return self.keysym in ("Return", "KP_Enter") and not self.command

    @property
    def saves(self) -> bool:
        """Whether it is a key that saves from any field."""
        return self.command and (self._key_name == "s" or self.keysym in ("Return", "KP_Enter"))

    @property
    def edits(self) -> bool:
        """Whether it changes a text or moves in the form, unlike a command of the window."""
        if self.command:
            return self.saves or self._key_name in _EDITING
        return not (self.keysym in ("Escape", "Menu") or (self.keysym[:1] == "F" and self.keysym[1:].isdigit()))

    @property
    def _key_name(self) -> str:
        name = self.keysym.lower()
        # With another alphabet, the position of the key determines which letter is meant.
        if name in _EDITING or (len(name) == 1 and name.isascii()):
            return name
        return _PLACES.get(self.keycode, "")

    @property
    def text(self) -> str:
        """The text that it types; empty if it types nothing."""
        return self.char if len(self.char) == 1 and self.char.isprintable() and not self.command else ""

    @property
    def can_be_typed_later(self) -> bool:
        """Whether it still means the same a moment later, unlike a paste or a dead key."""
        if self.command:
            return self.edits
        if self.keysym in ("Insert", "Multi_key", "XF86Paste") or self.keysym.startswith("dead_"):
            return False
        return bool(self.text) or (self.edits and self.keysym not in ("", "??"))

    def same_as(self, other: TypedKey) -> bool:
        """Return whether both mean the same to a field."""
        return self[:4] == other[:4]

    def shown(self) -> str:
        """Return the key as the line of typed keys shows it."""
        if self.text:
            return self.text
        if self.command:
            return f"Ctrl+{self.keysym.upper() if len(self.keysym) == 1 else self.keysym}"
        back = self.keysym == "Tab" and self.state & SHIFT
        return _SIGNS["ISO_Left_Tab"] if back else _SIGNS.get(self.keysym, self.keysym or "?")


class Segment(NamedTuple):
    """Keys, with the plots for which they were typed: the first plot, then one more after each save key."""

    places: tuple[Place, ...]
    keys: tuple[TypedKey, ...]

    @property
    def place(self) -> Place:
        """The plot for which the first keys were typed."""
        return self.places[0] if self.places else None

    @property
    def title(self) -> str:
        """The keys' description, with the date if it isn't today."""
        if self.place is None:
            return "Typed ahead"
        date, time, lab, plot = self.place
        # Keys may come back from a draft of another day.
        day = "" if date == datetime.date.today() else f" of {date.isoformat()}"
        return f"Typed ahead for plot {plot}, lab {lab}, {time}{day}"

    def with_key(self, key: TypedKey) -> Segment:
        """Return the same segment with one more key at its end."""
        return self._replace(keys=(*self.keys, key))

    def draft(self) -> dict[str, Any]:
        """Return the segment as values that can be written as JSON."""
        # Without the times, which count from the start of the X server and mean nothing later.
        places = [None if each is None else [each[0].isoformat(), *each[1:]] for each in self.places]
        return {"places": places, "keys": [[*key[:4], key.command] for key in self.keys]}


def shown(keys: Iterable[TypedKey]) -> str:
    """Return the keys as a text of one line ("24.09 ⏎ 1.03 ⏎")."""
    parts = [""]
    for key in keys:
        if key.text:
            parts[-1] += key.text
        else:
            parts += [key.shown(), ""]
    return " ".join(part for part in parts if part)


def copied(keys: Iterable[TypedKey]) -> str:
    """Return the keys as a text to paste elsewhere, with a line for each field."""
    return "".join("\n" if key.is_enter else key.text or key.shown() for key in keys).strip()


def segments_in(draft: Any) -> list[Segment]:
    """Return the segments from a list of what :meth:`Segment.draft` returned; invalid ones are left out."""
    found = []
    for each in draft if isinstance(draft, (list, tuple)) else []:
        try:
            places = tuple(None if place is None else _place_in(place) for place in each["places"])
            keys = tuple(_key_in(values) for values in each["keys"])
        # The draft is from another version or damaged, so its keys can't be typed again.
        except (KeyError, TypeError, ValueError, IndexError):
            continue
        if keys:
            found.append(Segment(places, keys))
    return found


def _key_in(values: Sequence[Any]) -> TypedKey:
    keycode, state, keysym, char, command = values
    return TypedKey(int(keycode), int(state), str(keysym), str(char), 0, bool(command))


def _place_in(values: Sequence[Any]) -> Place:
    date, time, lab, plot = values
    return datetime.date.fromisoformat(date), str(time), str(lab), int(plot)


SHORTEST_MS, LONGEST_MS = 200, 500  # a shorter pause is too short to read a message; in a longer one, somebody may have
_KEYS, _FEWEST = 8, 3


class Rhythm:
    """The times between the last keys. ``last`` is the time of the last one, in milliseconds of Tk's events."""

    def __init__(self) -> None:
        self.last = 0
        self._pauses: deque[int] = deque(maxlen=_KEYS)

    def note(self, key: TypedKey) -> None:
        """Note that a key was typed."""
        if self.last:
            self._pauses.append(key.time - self.last)
        self.last = key.time

    def goes_on_with(self, key: TypedKey) -> bool:
        """Return whether the key continues the rhythm of those before it, so the user hasn't looked up in between."""
        # One or two keys are too few to know the rhythm.
        if len(self._pauses) < _FEWEST:
            return False
        middle = sorted(self._pauses)[len(self._pauses) // 2]
        longest = min(max(2 * middle, SHORTEST_MS), LONGEST_MS)
        return 0 <= key.time - self.last <= longest


_IN_LISTS = frozenset(("Up", "Down", "Prior", "Next", "KP_Up", "KP_Down"))


class Pressing:
    """Presses keys by generating Tk events, so that every binding sees them. The first binding of each widget calls
    :meth:`arrives`."""

    def __init__(self) -> None:
        self._awaited: TypedKey | None = None
        self._has_arrived = False

    def press(self, key: TypedKey, target: tk.Misc) -> bool:
        """Press the key in the widget that has the focus; return False if it can't be pressed as it was."""
        # An arrow would open the list of a field, in which later keys would choose something.
        if not key.can_be_typed_later or (isinstance(target, FieldChoice) and key.keysym in _IN_LISTS):
            return False
        return self._generate(key, target) or _insert(key, target)

    def arrives(self, key: TypedKey) -> bool | None:
        """Return whether ``key`` is the one that :meth:`press` is generating; ``None`` while it generates none."""
        if self._awaited is None:
            return None
        self._has_arrived = key.same_as(self._awaited)
        self._awaited = None
        return self._has_arrived

    def _generate(self, key: TypedKey, target: tk.Misc) -> bool:
        """Generate the event; return False if it would now mean something else (another layout, an input method)."""
        if not key.keycode:  # composed by an input method
            return False
        self._awaited, self._has_arrived = key, False
        try:
            target.event_generate("<KeyPress>", keycode=key.keycode, state=key.state, time=key.time)
        finally:
            self._awaited = None
        return self._has_arrived


def leads_on(key: TypedKey, target: tk.Misc) -> bool:
    """Return whether the key saves or moves to the next field, unlike a line break in Notes."""
    return key.saves or (key.is_enter and not (isinstance(target, FieldNotes) and key.state & SHIFT))


def _insert(key: TypedKey, target: tk.Misc) -> bool:
    """Insert the key's text as Tk's own binding of the widget does; return False if it has none."""
    if not key.text or not isinstance(target, (TypedField, FieldNotes)):
        return False
    target.tk.call("ttk::entry::Insert" if isinstance(target, ttk.Entry) else "tk::TextInsert", target, key.text)
    return True


QUIET_SECONDS = 1.0
_LEAVING = ("Tab", "ISO_Left_Tab", "Escape")


def give_to(
    box: tk.Text | ttk.Entry, source: tk.Misc, confirm: Callable[[], object], cancel: Callable[[], object]
) -> None:
    """Redirect keys typed in ``source``, which has the focus, into ``box`` of a dialog until that is closed.

    Keys typed before the dialog takes the focus are meant for its text. Enter calls ``confirm``, Escape ``cancel``, and
    Shift-Enter inserts a line break. Keys that neither insert nor delete stay with ``source``.
    """
    dialog = box.winfo_toplevel()
    tag = f"MeantFor{dialog}"
    windowing_system = str(dialog.tk.call("tk", "windowingsystem"))
    has_lines = isinstance(box, tk.Text)

    def typed(event: tk.Event) -> str | None:
        key = TypedKey.of(event, windowing_system)
        if key.is_enter and not (has_lines and key.state & SHIFT):
            confirm()
        elif key.keysym == "Escape":
            cancel()
        elif key.keysym == "BackSpace" and not key.command:
            if isinstance(box, tk.Text):
                box.delete("insert-1c")
            elif box.index("insert"):
                box.delete(box.index("insert") - 1)
        elif key.text or key.is_enter:
            box.insert("insert", key.text or "\n")
        else:
            return None
        return "break"

    def closed(event: tk.Event) -> None:
        if event.widget is dialog and source.winfo_exists():
            source.bindtags(tuple(each for each in source.bindtags() if each != tag))
            source.unbind_class(tag, "<Key>")

    source.bind_class(tag, "<Key>", typed)
    source.bindtags((tag, *source.bindtags()))
    dialog.bind("<Destroy>", closed, add=True)


class AheadLine(ttk.Frame):
    """The line ``Typed ahead for plot 8: 24.09 ⏎ 1.03`` with its buttons; hidden while there are no keys.

    While it has the focus, ``more(key)`` is called for each key, to be added at the end of the text, because a user who
    looks at the paper goes on typing. Tab and Escape leave the line after a second without a key. Commands of the
    window work. The line is drawn over ``host``, so that nothing moves, and calls ``comes_or_goes()`` when it is shown
    or hidden.
    """

    def __init__(
        self,
        parent: tk.Misc,
        place: Callable[[], object],
        copy: Callable[[], object],
        discard: Callable[[], object],
        more: Callable[[TypedKey], object],
        back: Callable[[], object],
    ) -> None:
        super().__init__(parent, style="Bar.TFrame")
        self.host: tk.Misc = parent
        self.comes_or_goes: Callable[[], object] = lambda: None
        self._more, self._back = more, back
        self._last = 0.0
        self.columnconfigure(1, weight=1)
        self._label = ttk.Label(self, style="Warning.Bar.TLabel")
        self._label.grid(row=0, column=0, padx=(0, 8))
        self._text = tk.StringVar(self)
        self.box = ttk.Entry(self, textvariable=self._text, state="readonly", font="TkTextFont", width=10)
        self.box.grid(row=0, column=1, sticky="ew")
        self._tooltip = Tooltip(self.box)
        self.buttons: dict[str, ttk.Button] = {}
        commands = (
            ("Place Here", place, "Types it into the plot above, up to the save; F9 goes to this button"),
            ("Copy", copy, "As text, one value on each line"),
            ("Discard", discard, "It can't be brought back"),
        )
        for column, (name, command, words) in enumerate(commands, 2):
            button = ttk.Button(self, text=name, style="Quiet.TButton", command=command)
            button.bind("<Return>", lambda event: event.widget.invoke())
            button.bind("<Escape>", self._leave)
            button.grid(row=0, column=column, padx=(8, 0))
            self.buttons[name] = button
            Tooltip(button, words)
        tag = f"ahead-{self.box}"
        self.box.bindtags((tag, *self.box.bindtags()))
        self.bind_class(tag, "<Key>", self._typed)
        for widget in (self.box, *self.buttons.values()):
            exempt_from_leaving(widget)
        self.bind("<Configure>", lambda _event: self._arrange())

    @property
    def is_shown(self) -> bool:
        """Whether the line is shown."""
        return bool(self.winfo_manager())

    @property
    def title(self) -> str:
        """The text of the line before the keys."""
        return str(self._label.cget("text"))

    @property
    def text(self) -> str:
        """The keys as the line shows them."""
        return self._text.get()

    @property
    def has_focus(self) -> bool:
        """Whether the line or one of its buttons has the focus."""
        focused = focused_widget(self)
        return focused is not None and str(focused).startswith(str(self))

    def show(self, title: str, text: str) -> None:
        """Show these keys; an empty text hides the line."""
        self._label.configure(text=f"⚠ {title}" if title else "")
        self._text.set(text)
        self.box.icursor(tk.END)
        self.box.xview_moveto(1.0 if self.has_focus else 0.0)
        self._tooltip.text = text
        if text:
            self._arrange()
        if text and not self.is_shown:
            self.place(in_=self.host, relx=0, rely=1, relwidth=1, anchor="sw")
            self.lift()
            self.comes_or_goes()
        elif not text and self.is_shown:
            self.place_forget()
            self.comes_or_goes()

    def _arrange(self) -> None:
        """Place the title above keys and buttons if there is no room for all of them in one line."""
        others = (self.box, *self.buttons.values())
        needed = sum(each.winfo_reqwidth() + 8 for each in (self._label, *others))
        is_wide = needed <= self.host.winfo_width()
        self._label.grid(columnspan=1 if is_wide else 1 + len(others), sticky="w")
        for each in others:
            each.grid(row=0 if is_wide else 1)

    def offer(self, can_place: bool) -> None:
        """Enable Place Here if the form can take the keys now."""
        self.buttons["Place Here"].state(["!disabled" if can_place else "disabled"])

    def take_focus(self) -> None:
        """Take the focus while the user is typing; for the next second, each key belongs to the text."""
        self._last = time.monotonic()
        give_focus(self.box)

    def focus_buttons(self) -> None:
        """Put the focus on the first enabled button."""
        give_focus(next(each for each in self.buttons.values() if each.instate(["!disabled"])))

    def _typed(self, event: tk.Event) -> str | None:
        key = TypedKey.of(event, str(self.tk.call("tk", "windowingsystem")))
        if key.is_modifier or not (key.edits or key.keysym == "Escape"):
            return None
        now, last = time.monotonic(), self._last
        if key.keysym in _LEAVING and now - last > QUIET_SECONDS:
            return self._leave() if key.keysym == "Escape" else None
        self._last = now
        self._more(key)
        return "break"

    def _leave(self, _event: object = None) -> str:
        self._back()
        return "break"
