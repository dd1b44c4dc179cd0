"""Real keys on an X display, without a process for each: the XTEST extension, as xdotool uses it."""

from __future__ import annotations

import ctypes


class Keyboard:
    """Presses keys for whatever has the focus on the display."""

    def __init__(self, display: str) -> None:
        self._x11 = ctypes.CDLL("libX11.so.6")
        self._xtest = ctypes.CDLL("libXtst.so.6")
        self._x11.XOpenDisplay.restype = ctypes.c_void_p
        self._x11.XStringToKeysym.restype = ctypes.c_ulong
        opened = self._x11.XOpenDisplay(display.encode())
        if not opened:
            raise OSError(f"There is no display {display}.")
        self._display = ctypes.c_void_p(opened)

    def press(self, name: str) -> None:
        """Press and release the key of that X name (`Return`, `8`)."""
        keysym = ctypes.c_ulong(self._x11.XStringToKeysym(name.encode()))
        code = self._x11.XKeysymToKeycode(self._display, keysym) & 0xFF
        for down in (1, 0):
            self._xtest.XTestFakeKeyEvent(self._display, code, down, ctypes.c_ulong(0))
        self._x11.XFlush(self._display)

    def close(self) -> None:
        """Leave the display."""
        self._x11.XCloseDisplay(self._display)
