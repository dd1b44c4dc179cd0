"""The Windows Event Log, through advapi32.dll: the source ABQ Data Entry in the log Application."""

from __future__ import annotations

import sys
from typing import Any

from .event import Event, Origin, Target, Unusable, shortened

SOURCE = "ABQ Data Entry"
_LONGEST = 31_000  # bytes; one string has at most 31,839 characters

# Type and number of an event: EventCreate.exe, which shows them, has a message "%1" for each number up to 1000.
_INFORMATION, _WARNING, _ERROR = (4, 1), (2, 2), (1, 3)


class EventLog(Target):
    """The Event Log of this computer. `library`: advapi32, or a replacement. Raises Unusable on other systems."""

    name = "the Windows Event Log"

    def __init__(self, library: Any = None) -> None:
        if library is None and sys.platform != "win32":
            raise Unusable("the Windows Event Log is on Windows only.")
        self._library = _advapi32() if library is None else library
        self._source: Any = None

    def send(self, event: Event, origin: Origin) -> None:
        """Report one event."""
        import ctypes

        if not self._source:
            self._source = self._library.RegisterEventSourceW(None, SOURCE)
        kind, number = _INFORMATION if event.severity > 4 else _WARNING if event.severity == 4 else _ERROR
        strings = (ctypes.c_wchar_p * 1)(report(event, origin))
        if not self._source or not self._library.ReportEventW(self._source, kind, 0, number, None, 1, 0, strings, None):
            raise OSError("the Event Log doesn't take it")

    def close(self) -> None:
        """Deregister the source."""
        if self._source:
            self._library.DeregisterEventSource(self._source)
            self._source = None


def report(event: Event, origin: Origin) -> str:
    """Return the text of an event: its message, and a line for each fact."""
    facts = "".join(f"\r\n{name}: {value}" for name, value in event.facts(origin).items())
    return f"{shortened(event.text, _LONGEST - len(facts))}\r\n{facts}"


def _advapi32() -> Any:
    """Return the library, with the types of what we call: a handle has 64 bits."""
    import ctypes
    from ctypes import wintypes

    library = ctypes.WinDLL("advapi32", use_last_error=True)  # type: ignore[attr-defined]  # only on Windows
    library.RegisterEventSourceW.argtypes = [wintypes.LPCWSTR, wintypes.LPCWSTR]
    library.RegisterEventSourceW.restype = wintypes.HANDLE
    library.ReportEventW.argtypes = [
        *(wintypes.HANDLE, wintypes.WORD, wintypes.WORD, wintypes.DWORD, ctypes.c_void_p, wintypes.WORD),
        *(wintypes.DWORD, ctypes.POINTER(wintypes.LPCWSTR), ctypes.c_void_p),
    ]
    library.ReportEventW.restype = wintypes.BOOL
    library.DeregisterEventSource.argtypes = [wintypes.HANDLE]
    return library
