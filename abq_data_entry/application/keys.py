"""All keys of the window: for commands, plots, fonts and the number pad, and Tk's own, adapted to modern desktops."""

from __future__ import annotations

import re
import sys
import tkinter as tk
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from tkinter import ttk

from ..mainmenu import FONT_SIZES, bind_keys

# A shortcut is bound to a letter or a number. If the key types another character (с, ψ, ב, &), its position counts: the
# shortcut of the letter or number that a Latin keyboard has there is run. A layout with Latin letters keeps its
# letters, wherever they are.
SHIFT, ALT_X11, ALT_WINDOWS, GROUP = 0x1, 0x8, 0x20000, 0x6000
# Rows of keys by their first X11 key code, which stands for a position; on Windows it stands for the character.
_X11_ROWS = ((10, "1234567890"), (24, "qwertyuiop"), (38, "asdfghjkl"), (52, "zxcvbnm"))
X11_KEYS = {first + place: key for first, row in _X11_ROWS for place, key in enumerate(row)}
WINDOWS_KEYS = {ord(key.upper()): key for key in X11_KEYS.values()}
_AQUA_ROWS = ((0, "asdfhgzxcv"), (11, "bqweryt123465"), (31, "ou"), (34, "ip"), (37, "lj"), (45, "nm"))
AQUA_KEYS = {first + place: key for first, row in _AQUA_ROWS for place, key in enumerate(row)}
AQUA_KEYS |= {25: "9", 26: "7", 28: "8", 29: "0", 40: "k"}
# Keysyms of alphabets other than the Latin one: kana, Arabic, Cyrillic, Greek, Hebrew, Thai, Korean.
_OTHER_ALPHABETS = (range(0x4A6, 0x5FF), range(0x681, 0x7FA), range(0xCDF, 0xEFF))
_UNICODE = 0x1000000
_LETTER_TO_ASK = 38  # a letter on every layout
_PROBE = "abq-layout-probe"
_PARTS = re.compile(r"%(.)")


def key_of_place(system: str, keycode: int) -> str:
    """Return the letter or number of a Latin keyboard at that position; empty if there is none.

    ``system`` is Tk's windowing system, ``keycode`` as its events have it.
    """
    if system == "aqua":
        return AQUA_KEYS.get(keycode >> 24, "")
    return (WINDOWS_KEYS if system == "win32" else X11_KEYS).get(keycode, "")


def is_of_another_alphabet(keysym: int) -> bool:
    """Return whether an X keysym is a letter of a non-Latin alphabet."""
    if keysym > _UNICODE:
        sign = chr(min(keysym - _UNICODE, sys.maxunicode))
        return sign.isalpha() and "LATIN" not in unicodedata.name(sign, "")
    return any(keysym in each for each in _OTHER_ALPHABETS)


class LatinKeys:
    """Runs shortcuts by the position of the key on non-Latin keyboards, in all windows of ``window``."""

    def __init__(self, window: tk.Misc) -> None:
        self._window = window
        self._system = str(window.tk.call("tk", "windowingsystem"))
        self._modifier = "Command" if self._system == "aqua" else "Control"
        self._answer = 0
        window.bind_all(f"<{self._modifier}-Key>", self._pressed)
        window.bind_class(_PROBE, "<Key>", self._keep_keysym)

    def _pressed(self, event: tk.Event) -> str | None:
        state = int(event.state)
        alt = {"x11": ALT_X11, "win32": ALT_WINDOWS}.get(self._system, 0)
        key = key_of_place(self._system, int(event.keycode))
        if not key or state & alt or not hasattr(event.widget, "bindtags"):
            return None
        if not self._wanted(event, key, state):
            return None
        for sequence in self._sequences(key, bool(state & SHIFT)):
            if self._run(event, sequence, key):
                break
        return "break"

    def _wanted(self, event: tk.Event, key: str, state: int) -> bool:
        """Return whether the position of the key counts, not its character."""
        sign = str(event.keysym)
        if len(sign) == 1 and sign.isascii() and sign.isalnum():
            return False
        if key.isdecimal():
            return not state & SHIFT
        if is_of_another_alphabet(int(event.keysym_num)):
            return True
        if int(event.keysym_num) > 0x7F:
            return False
        # Greek and Hebrew keyboards have ; and / at Q. Some Latin layouts do too, but they have their Q elsewhere.
        return self._system == "win32" or self._alphabet_differs(event.widget, state)

    def _alphabet_differs(self, widget: tk.Misc, state: int) -> bool:
        if self._system != "x11":
            return True
        tags = widget.bindtags()
        self._answer = 0
        widget.bindtags((_PROBE, *tags))
        try:
            widget.event_generate("<Key>", keycode=_LETTER_TO_ASK, state=state & GROUP, when="now")
        finally:
            widget.bindtags(tags)
        return is_of_another_alphabet(self._answer)

    def _keep_keysym(self, event: tk.Event) -> str:
        self._answer = int(event.keysym_num)
        return "break"

    def _sequences(self, key: str, shift: bool) -> tuple[str, ...]:
        if shift:
            return f"<{self._modifier}-Shift-Key-{key.upper()}>", f"<{self._modifier}-Key-{key.upper()}>"
        return (f"<{self._modifier}-Key-{key}>",)

    def _run(self, event: tk.Event, sequence: str, key: str) -> bool:
        """Run what the widget, its class and its window have bound to ``sequence``; return whether there was any."""
        widget = event.widget
        call, wanted, found = self._window.tk.call, _modifiers(sequence), False
        virtual = [
            str(name)
            for name in self._window.tk.splitlist(call("event", "info"))
            if any(_modifiers(str(each)) == wanted for each in self._window.tk.splitlist(call("event", "info", name)))
        ]
        values = {
            **{"W": str(widget), "K": key, "N": str(ord(key)), "A": "{}", "T": "2", "%": "%"},
            **{"#": str(event.serial), "k": str(event.keycode), "s": str(event.state), "t": str(event.time)},
        }
        for tag in widget.bindtags():
            for each in (sequence, *virtual):
                script = bound(self._window, tag, each)
                if script:
                    found = True
                    filled = _PARTS.sub(lambda part: values.get(part[1], "??"), script)
                    # An event can't be generated for a letter that the keyboard doesn't have, so the scripts are run as
                    # Tk would run them; a break in one ends the loop, and with it the further bindings.
                    loop = f"set abq_done 0\nwhile 1 {{\n{filled}\nset abq_done 1\nbreak\n}}\nset abq_done"
                    if str(self._window.tk.eval(loop)) == "0":
                        return True
                    break
        return found


def _modifiers(sequence: str) -> tuple[frozenset[str], str]:
    """Return the modifiers of a sequence as a set, and its key."""
    *modifiers, key = sequence.strip("<>").split("-") if not sequence.startswith("<<") else ("",)
    return frozenset(modifiers) - {"Key", "KeyPress"}, key


def bound(window: tk.Misc, tag: str, sequence: str) -> str:
    """Return the script of ``tag`` for ``sequence``; empty if there is none, or if it does nothing.

    Tk's own classes have scripts with only a comment, so that more general ones aren't run.
    """
    script = str(window.tk.call("bind", tag, sequence))
    return script if any(line.strip()[:1] not in ("", "#") for line in script.splitlines()) else ""


_NOT_EMACS: tuple[tuple[str, tuple[str, ...]], ...] = (
    # On X11, Tk binds these to Emacs commands.
    ("<<Paste>>", ("<Control-Key-y>", "<Control-Lock-Key-Y>")),
    ("<<Cut>>", ("<Control-Key-w>", "<Control-Lock-Key-W>")),
    # Hebrew keyboards have / at the position of Q.
    ("<<SelectAll>>", ("<Control-Key-slash>",)),
    # With a letter of our commands they move the cursor, and with Shift they select: the next digit would replace it.
    *(
        (f"<<{event}>>", (f"<Control-Key-{letter}>", f"<Control-Lock-Key-{letter.swapcase()}>"))
        for moves, key in (("LineStart", "a"), ("LineEnd", "e"), ("PrevChar", "b"), ("NextChar", "f"),
                           ("PrevLine", "p"), ("NextLine", "n"))
        for event, letter in ((moves, key), (f"Select{moves}", key.upper()))
    ),
)
_USUAL_EVENTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("<<Redo>>", ("<Control-Key-y>", "<Control-Lock-Key-Y>", "<Control-Shift-Key-Z>")),
    ("<<SelectAll>>", ("<Control-Key-a>", "<Control-Lock-Key-A>")),
)


def bind_all_keys(
    window: tk.Tk,
    callbacks: Mapping[str, Callable[..., object]],
    go_to_plot: Callable[[int], object],
    editors: Iterable[tk.Misc],
) -> None:
    """Bind the keys for commands, plots, fonts and the number pad, for every keyboard layout.

    ``editors`` are those of the form's fields in which the pad's Page Up and Page Down go to another record.
    """
    mac = window.tk.call("tk", "windowingsystem") == "aqua"
    bind_keys(window, callbacks, mac)
    if not mac:
        for event, keys in _NOT_EMACS:
            window.event_delete(event, *keys)
        for event, keys in _USUAL_EVENTS:
            window.event_add(event, *keys)
    LatinKeys(window)
    PlotKeys(window, go_to_plot, "Command" if mac else "Control", callbacks["usual_text"])
    bind_font_keys(window, callbacks)
    NumberPad(window, editors, callbacks)


class PlotKeys:
    """Collects digits while the modifier is held; two digits go at once, one when the modifier is released.

    A 0 that isn't the second digit calls ``zero()``.
    """

    def __init__(
        self,
        window: tk.Misc,
        go_to: Callable[[int], object],
        modifier: str = "Control",
        zero: Callable[[], object] = lambda: None,
    ) -> None:
        self._go_to, self._zero = go_to, zero
        self._digits = ""
        for digit in "0123456789":
            window.bind(f"<{modifier}-Key-{digit}>", lambda _event, digit=digit: self._typed(digit))  # type: ignore[misc]
            window.bind(f"<{modifier}-KP_{digit}>", lambda _event, digit=digit: self._typed(digit))  # type: ignore[misc]
        keys = ("Meta_L", "Meta_R") if modifier == "Command" else ("Control_L", "Control_R")
        for key in keys:
            window.bind(f"<KeyRelease-{key}>", lambda _event: self._go())

    def _typed(self, digit: str) -> str:
        if digit == "0" and not self._digits:
            self._zero()
            return "break"
        self._digits += digit
        # 1 and 2 may begin a two-digit number; any other digit is complete.
        if len(self._digits) == 2 or digit not in "12":
            self._go()
        return "break"

    def _go(self) -> None:
        digits, self._digits = self._digits, ""
        if digits:
            self._go_to(int(digits))


MAIN_KEYS = {
    "KP_Enter": "Return",
    "KP_Left": "Left",
    "KP_Right": "Right",
    "KP_Up": "Up",
    "KP_Down": "Down",
    "KP_Home": "Home",
    "KP_End": "End",
    "KP_Prior": "Prior",
    "KP_Next": "Next",
    "KP_Insert": "Insert",
    "KP_Delete": "Delete",
}
MOVES = {"Divide": "previous_record", "Multiply": "next_record"}
_SIGNS = {"Divide": "slash", "Multiply": "asterisk"}
_PAGES = {"KP_Prior": "previous_record", "KP_Next": "next_record"}


class NumberPad:
    """Binds the keys of the pad for all windows of ``window``.

    ``fields`` are the editors of the form in which the pad's Page Up and Page Down go to another record.
    """

    def __init__(
        self, window: tk.Misc, fields: Iterable[tk.Misc], callbacks: Mapping[str, Callable[..., object]]
    ) -> None:
        self._window = window
        for kind in ("Entry", "TEntry", "TCombobox", "TSpinbox", "Text"):
            # Otherwise the class would insert the character of this key.
            window.bind_class(kind, "<KP_Delete>", "# nothing")
        for key in MAIN_KEYS:
            window.bind_all(f"<{key}>", self._as_main_key, add=True)
        # Windows and macOS have no separate names for these keys of the pad.
        named = window.tk.call("tk", "windowingsystem") == "x11"
        modifier = "Command" if window.tk.call("tk", "windowingsystem") == "aqua" else "Control"
        for key, callback in MOVES.items():
            for sign in (f"KP_{key}", *([] if named else [_SIGNS[key]])):
                window.bind(f"<{modifier}-{sign}>", _calling(callbacks[callback]))
        for field in fields:
            for key, callback in _PAGES.items():
                field.bind(f"<{key}>", _calling(callbacks[callback]))

    def _as_main_key(self, event: tk.Event) -> str | None:
        widget = event.widget
        if not hasattr(widget, "bindtags"):  # created by Tk itself, and unknown to tkinter
            return None
        if any(bound(self._window, tag, f"<{event.keysym}>") for tag in widget.bindtags() if tag != "all"):
            return None
        widget.event_generate(f"<{MAIN_KEYS[str(event.keysym)]}>", state=int(event.state))
        return "break"


def _calling(callback: Callable[..., object]) -> Callable[[tk.Event], str]:
    def call(_event: tk.Event) -> str:
        callback()
        return "break"

    return call


LARGER, SMALLER, USUAL = "larger_text", "smaller_text", "usual_text"
# French keyboards have − on the 6, which with Ctrl goes to plot 6, and a bracket where other keyboards have −.
_KEYS = {LARGER: ("plus", "equal", "KP_Add"), SMALLER: ("minus", "KP_Subtract", "parenright")}


class FontKeys:
    """Changes the setting ``size`` (points) in the steps of the Options menu; ``show_status`` shows the new size."""

    def __init__(self, size: tk.Variable, usual: int, show_status: Callable[[str], object]) -> None:
        self._size, self._usual, self._show_status = size, usual, show_status
        self.callbacks: dict[str, Callable[[], object]] = {
            LARGER: lambda: self._set(min((each for each in FONT_SIZES if each > self._points), default=self._points)),
            SMALLER: lambda: self._set(max((each for each in FONT_SIZES if each < self._points), default=self._points)),
            USUAL: lambda: self._set(self._usual),
        }

    @property
    def _points(self) -> int:
        return int(self._size.get())

    def _set(self, points: int) -> None:
        if points != self._points:
            self._size.set(points)
        self._show_status(f"Font size: {points} points")


def bind_font_keys(window: tk.Misc, callbacks: Mapping[str, Callable[..., object]]) -> None:
    """Bind + and − in ``window``; 0 is bound with the plot numbers."""
    system = str(window.tk.call("tk", "windowingsystem"))
    modifier = "Command" if system == "aqua" else "Control"

    def pressed(event: tk.Event, callback: str) -> str | None:
        shift = bool(int(event.state) & SHIFT)
        in_number_row = key_of_place(system, int(event.keycode)).isdecimal()
        if (event.keysym == "parenright") if shift else in_number_row:
            return None
        callbacks[callback]()
        return "break"

    for callback, keys in _KEYS.items():
        for key in keys:
            window.bind(f"<{modifier}-{key}>", lambda event, callback=callback: pressed(event, callback))  # type: ignore[misc]


_EDIT_EVENTS = {
    "undo": "<<Undo>>",
    "redo": "<<Redo>>",
    "cut": "<<Cut>>",
    "copy": "<<Copy>>",
    "paste": "<<Paste>>",
    "select_all": "<<SelectAll>>",
}
_CHANGING = ("undo", "redo", "cut", "paste")


class EditCommands:
    """The commands of the Edit menu in ``window`` and the windows beside it, by the names of the callbacks."""

    def __init__(self, window: tk.Misc) -> None:
        self._window = window
        self.callbacks: dict[str, Callable[[], object]] = {
            name: lambda event=event: self._perform(event)  # type: ignore[misc]
            for name, event in _EDIT_EVENTS.items()
        }

    def offered(self) -> set[str]:
        """Return the callbacks that the focused widget supports; a disabled field supports only copying."""
        target = self._target()
        if target is None:
            return set()
        tags = target.bindtags()
        known = {name for name, event in _EDIT_EVENTS.items() if any(bound(target, tag, event) for tag in tags)}
        return known.difference(_CHANGING) if _is_closed(target) else known

    def _perform(self, event: str) -> None:
        target = self._target()
        if target is not None:
            target.event_generate(event)

    def _target(self) -> tk.Misc | None:
        path = str(self._window.tk.call("focus"))
        if not path or self._window.tk.call("winfo", "class", path) == "Menu":
            # An open menu has the focus, and returns it when it closes.
            path = str(self._window.tk.globalgetvar("::tk::Priv(focus)"))
        try:
            return self._window.nametowidget(path) if path else None
        except KeyError:  # a widget created by Tk itself, such as the list of a combobox
            return None


def _is_closed(widget: tk.Misc) -> bool:
    if isinstance(widget, ttk.Entry):
        return bool(widget.instate(["disabled"]) or widget.instate(["readonly"]))
    return isinstance(widget, tk.Text) and str(widget.cget("state")) == "disabled"
