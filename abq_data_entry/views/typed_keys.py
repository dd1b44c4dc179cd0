"""Keys that were typed ahead: what is known of each, how it is shown as text, and how it stands in a draft."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from .record_inputs import RecordKey

Place = RecordKey | None
"""A plot of a check; ``None``: a form whose plot isn't chosen yet, as without autofill."""

_MODIFIERS = frozenset(
    f"{key}_{side}" for key in ("Shift", "Control", "Alt", "Meta", "Super", "Hyper") for side in "LR"
) | {"Caps_Lock", "Num_Lock", "Scroll_Lock", "Mode_switch", "ISO_Level3_Shift", "ISO_Level5_Shift", "ISO_Next_Group"}
SHIFT = 0x1
# Alt is another bit on each system, and on Windows the one of X11's Alt is Num Lock.
_COMMAND_BITS = {"x11": 0x4 | 0x8 | 0x40, "win32": 0x4 | 0x20000, "aqua": 0x4 | 0x8}
_ALT_GRAPH_ON_WINDOWS = 0x4 | 0x20000
# By place, where the key has a letter of another alphabet on it (X11's key codes).
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
    """One press of a key, as Tk tells it; ``command`` says that Ctrl, Alt or ⌘ was held. ``time`` in milliseconds."""

    keycode: int
    state: int
    keysym: str
    char: str
    time: int = 0
    command: bool = False

    @classmethod
    def of(cls, event: tk.Event, windowing_system: str) -> TypedKey:
        """The key of a ``<Key>`` event."""
        state = event.state if isinstance(event.state, int) else 0
        char = event.char if event.char and event.char != "\0" else ""
        command = bool(state & _COMMAND_BITS.get(windowing_system, 0x4))
        if windowing_system == "win32" and state & _ALT_GRAPH_ON_WINDOWS == _ALT_GRAPH_ON_WINDOWS:
            command = command and not char.isprintable()
        return cls(int(event.keycode), state, event.keysym, char, int(event.time), command)

    @property
    def is_modifier(self) -> bool:
        """Whether it only changes what other keys mean."""
        return self.keysym in _MODIFIERS

    @property
    def is_enter(self) -> bool:
        """Enter, of the keyboard or the number pad."""
        return self.keysym in ("Return", "KP_Enter") and not self.command

    @property
    def saves(self) -> bool:
        """Whether it is the key that saves from any field."""
        return self.command and (self._key_name == "s" or self.keysym in ("Return", "KP_Enter"))

    @property
    def edits(self) -> bool:
        """Whether it changes a text or goes on in the form: anything but a command of the window."""
        if self.command:
            return self.saves or self._key_name in _EDITING
        return not (self.keysym in ("Escape", "Menu") or (self.keysym[:1] == "F" and self.keysym[1:].isdigit()))

    @property
    def _key_name(self) -> str:
        name = self.keysym.lower()
        if name in _EDITING or (len(name) == 1 and name.isascii()):
            return name
        return _PLACES.get(self.keycode, "")

    @property
    def text(self) -> str:
        """What it writes; empty where it writes nothing."""
        return self.char if len(self.char) == 1 and self.char.isprintable() and not self.command else ""

    @property
    def is_lasting(self) -> bool:
        """Whether it means the same a moment later: a paste doesn't, nor half of an accent."""
        if self.command:
            return self.edits
        if self.keysym in ("Insert", "Multi_key", "XF86Paste") or self.keysym.startswith("dead_"):
            return False
        return bool(self.text) or (self.edits and self.keysym not in ("", "??"))

    def same_as(self, other: TypedKey) -> bool:
        """Whether both mean the same to a field."""
        return self[:4] == other[:4]

    def shown(self) -> str:
        """As it is shown in a text."""
        if self.text:
            return self.text
        if self.command:
            return f"Ctrl+{self.keysym.upper() if len(self.keysym) == 1 else self.keysym}"
        back = self.keysym == "Tab" and self.state & SHIFT
        return _SIGNS["ISO_Left_Tab"] if back else _SIGNS.get(self.keysym, self.keysym or "?")


class Segment(NamedTuple):
    """Keys, and the plots that they were typed for: the first of them, then the one after each save."""

    places: tuple[Place, ...]
    keys: tuple[TypedKey, ...]

    @property
    def place(self) -> Place:
        """The plot that the first keys were typed for."""
        return self.places[0] if self.places else None

    @property
    def title(self) -> str:
        """What they are, in words; with the date where that isn't today's."""
        if self.place is None:
            return "Typed ahead"
        date, time, lab, plot = self.place
        day = "" if date == datetime.date.today() else f" of {date.isoformat()}"
        return f"Typed ahead for plot {plot}, lab {lab}, {time}{day}"

    def with_key(self, key: TypedKey) -> Segment:
        """The same with one more key at its end."""
        return self._replace(keys=(*self.keys, key))

    def draft(self) -> dict[str, Any]:
        """As it stands in a draft, plain enough for a file."""
        places = [None if each is None else [each[0].isoformat(), *each[1:]] for each in self.places]
        return {"places": places, "keys": [[*key[:4], key.command] for key in self.keys]}


def shown(keys: Iterable[TypedKey]) -> str:
    """The keys as a text of one line ("24.09 ⏎ 1.03 ⏎")."""
    parts = [""]
    for key in keys:
        if key.text:
            parts[-1] += key.text
        else:
            parts += [key.shown(), ""]
    return " ".join(part for part in parts if part)


def copied(keys: Iterable[TypedKey]) -> str:
    """The keys as a text to paste elsewhere: a line a field."""
    return "".join("\n" if key.is_enter else key.text or key.shown() for key in keys).strip()


def segments_in(draft: Any) -> list[Segment]:
    """What :meth:`Segment.draft` gave, of a list of them; what makes no sense is left out."""
    found = []
    for each in draft if isinstance(draft, (list, tuple)) else []:
        try:
            places = tuple(None if place is None else _place_in(place) for place in each["places"])
            keys = tuple(_key_in(values) for values in each["keys"])
        except (KeyError, TypeError, ValueError, IndexError):
            continue
        if keys:
            found.append(Segment(places, keys))
    return found


def _key_in(values: Sequence[Any]) -> TypedKey:
    keycode, state, keysym, char, command = values
    return TypedKey(int(keycode), int(state), str(keysym), str(char), 0, bool(command))


def _place_in(values: Sequence[Any]) -> RecordKey:
    date, time, lab, plot = values
    return datetime.date.fromisoformat(date), str(time), str(lab), int(plot)
