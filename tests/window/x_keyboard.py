"""The keyboard of an X display by the places of its keys, which xdotool can't press under another layout."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

CONTROL, SHIFT = 37, 50
NUM_LOCK = 16
_CORE_KEYBOARD = 0x100
PAD = {
    "7": 79, "8": 80, "9": 81, "-": 82, "4": 83, "5": 84, "6": 85, "+": 86, "1": 87, "2": 88, "3": 89, "0": 90,
    ".": 91, "Enter": 104, "/": 106, "*": 63,
}  # fmt: skip


@contextmanager
def _opened() -> Iterator[tuple[ctypes.CDLL, ctypes.c_void_p]]:
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    display = ctypes.c_void_p(x11.XOpenDisplay(None))
    x11.XkbUseExtension(display, None, None)
    try:
        yield x11, display
    finally:
        x11.XSync(display, 0)
        x11.XCloseDisplay(display)


def press(code: int, *held: int) -> None:
    """Press the key of that key code while those of ``held`` are down."""
    test = ctypes.CDLL("libXtst.so.6")
    with _opened() as (_x11, display):
        for each in held:
            test.XTestFakeKeyEvent(display, each, 1, 0)
        for down in (1, 0):
            test.XTestFakeKeyEvent(display, code, down, 0)
        for each in reversed(held):
            test.XTestFakeKeyEvent(display, each, 0, 0)


def lock_group(group: int) -> None:
    """Use the layout of that place among those that are set."""
    with _opened() as (x11, display):
        x11.XkbLockGroup(display, _CORE_KEYBOARD, group)


def lock_numbers(on: bool) -> None:
    """Num Lock on or off."""
    with _opened() as (x11, display):
        x11.XkbLockModifiers(display, _CORE_KEYBOARD, NUM_LOCK, NUM_LOCK if on else 0)
