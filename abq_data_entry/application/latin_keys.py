"""Shortcuts on keyboards without Latin letters, and on those whose number row needs Shift for a number.

A shortcut is bound to a letter or a number. Where the pressed key has another sign on it (с, ψ, ב, &), the key's place
on the keyboard says which letter or number a Latin keyboard has there, and what is bound to that is done. A layout with
Latin letters keeps its letters, wherever they lie.
"""

from __future__ import annotations

import re
import sys
import tkinter as tk
import unicodedata

SHIFT, ALT_X11, ALT_WINDOWS, GROUP = 0x1, 0x8, 0x20000, 0x6000
# Rows of keys by their first X11 key code. It counts places on the keyboard; on Windows it is the sign itself.
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
    """The letter or number of a Latin keyboard at that place, empty where there is none.

    ``system`` is Tk's windowing system, ``keycode`` as its events have it.
    """
    if system == "aqua":
        return AQUA_KEYS.get(keycode >> 24, "")
    return (WINDOWS_KEYS if system == "win32" else X11_KEYS).get(keycode, "")


def is_of_another_alphabet(keysym: int) -> bool:
    """Whether that X keysym is a letter, and not a Latin one."""
    if keysym > _UNICODE:
        sign = chr(min(keysym - _UNICODE, sys.maxunicode))
        return sign.isalpha() and "LATIN" not in unicodedata.name(sign, "")
    return any(keysym in each for each in _OTHER_ALPHABETS)


class LatinKeys:
    """Does what is bound to the Latin letter or the number of the pressed key, in all windows of ``window``."""

    def __init__(self, window: tk.Misc) -> None:
        self._window = window
        self._system = str(window.tk.call("tk", "windowingsystem"))
        self._modifier = "Command" if self._system == "aqua" else "Control"
        self._answer = 0
        window.bind_all(f"<{self._modifier}-Key>", self._pressed)
        window.bind_class(_PROBE, "<Key>", self._noted)

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
        """Whether the place of the key counts, not its sign."""
        sign = str(event.keysym)
        if len(sign) == 1 and sign.isascii() and sign.isalnum():
            return False
        if key.isdecimal():
            return not state & SHIFT
        if is_of_another_alphabet(int(event.keysym_num)):
            return True
        if int(event.keysym_num) > 0x7F:
            return False
        # Greek and Hebrew keyboards have ; and / where Q is. So have others with Latin letters: they lie elsewhere.
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

    def _noted(self, event: tk.Event) -> str:
        self._answer = int(event.keysym_num)
        return "break"

    def _sequences(self, key: str, shift: bool) -> tuple[str, ...]:
        if shift:
            return f"<{self._modifier}-Shift-Key-{key.upper()}>", f"<{self._modifier}-Key-{key.upper()}>"
        return (f"<{self._modifier}-Key-{key}>",)

    def _run(self, event: tk.Event, sequence: str, key: str) -> bool:
        """Run what the widget, its class and its window have bound to ``sequence``; whether there was anything."""
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
                    # An event can't be made for a letter that the keyboard doesn't have, so the script is run as Tk
                    # would; a break in it ends the loop early, and the widget's other bindings with it.
                    loop = f"set abq_done 0\nwhile 1 {{\n{filled}\nset abq_done 1\nbreak\n}}\nset abq_done"
                    if str(self._window.tk.eval(loop)) == "0":
                        return True
                    break
        return found


def _modifiers(sequence: str) -> tuple[frozenset[str], str]:
    """The modifiers of a sequence in no order, and its key."""
    *modifiers, key = sequence.strip("<>").split("-") if not sequence.startswith("<<") else ("",)
    return frozenset(modifiers) - {"Key", "KeyPress"}, key


def bound(window: tk.Misc, tag: str, sequence: str) -> str:
    """The script that ``tag`` has for ``sequence``; empty where there is none, or one that does nothing.

    Tk's own classes have scripts of a comment only, to keep more general ones from being run.
    """
    script = str(window.tk.call("bind", tag, sequence))
    return script if any(line.strip()[:1] not in ("", "#") for line in script.splitlines()) else ""
