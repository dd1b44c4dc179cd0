"""Reads an X selection from its owner with libxcb, on a separate connection, within a time that the caller sets.

Loaded with the first paste, because importing `ctypes` would slow each start by some milliseconds.
"""

from __future__ import annotations

import ctypes
import select
import time
from collections.abc import Callable, Sequence

_ANY_TYPE = 0
_SELECTION_NOTIFY, _PROPERTY_NOTIFY = 31, 28
_NEW_VALUE = 0
_PROPERTY_CHANGES = 1 << 22
_EVENT_MASK_VALUE = 1 << 11  # XCB_CW_EVENT_MASK: the value is the mask of events that the window wants
_INPUT_ONLY = 2
_READ_UNITS = 1 << 16  # units of four bytes to read in one reply
MOST_BYTES = 16 * 1024 * 1024
_FORMS = (("UTF8_STRING", "utf-8"), ("STRING", "latin-1"))  # targets and their encodings, tried in this order


class NoAnswer(Exception):
    """The owner of the selection didn't answer in time."""


class Unavailable(Exception):
    """X can't be asked here: no libxcb, or no display."""


class OwnedHere(Exception):
    """Our own program owns the selection."""


class _Cookie(ctypes.Structure):
    _fields_ = (("sequence", ctypes.c_uint),)


class _ScreenIterator(ctypes.Structure):
    _fields_ = (("data", ctypes.POINTER(ctypes.c_uint32)), ("rem", ctypes.c_int), ("index", ctypes.c_int))


class _AtomReply(ctypes.Structure):
    _fields_ = (
        ("response_type", ctypes.c_uint8), ("pad0", ctypes.c_uint8), ("sequence", ctypes.c_uint16),
        ("length", ctypes.c_uint32), ("atom", ctypes.c_uint32),
    )  # fmt: skip


class _OwnerReply(ctypes.Structure):
    _fields_ = (
        ("response_type", ctypes.c_uint8), ("pad0", ctypes.c_uint8), ("sequence", ctypes.c_uint16),
        ("length", ctypes.c_uint32), ("owner", ctypes.c_uint32),
    )  # fmt: skip


class _Setup(ctypes.Structure):
    """The beginning of the connection setup. The bits of a window's number outside the resource mask are the same for
    all windows of one client."""

    _fields_ = (("before", ctypes.c_uint32 * 4), ("resource_id_mask", ctypes.c_uint32))


class _PropertyReply(ctypes.Structure):
    _fields_ = (
        ("response_type", ctypes.c_uint8), ("format", ctypes.c_uint8), ("sequence", ctypes.c_uint16),
        ("length", ctypes.c_uint32), ("type", ctypes.c_uint32), ("bytes_after", ctypes.c_uint32),
        ("value_len", ctypes.c_uint32),
    )  # fmt: skip


class _Event(ctypes.Structure):
    """An event as a sequence of 32-bit words, which fits all events used here."""

    _fields_ = (
        ("response_type", ctypes.c_uint8), ("pad0", ctypes.c_uint8), ("sequence", ctypes.c_uint16),
        ("words", ctypes.c_uint32 * 7),
    )  # fmt: skip


_CALLS: dict[str, tuple[object, Sequence[object]]] = {
    "xcb_connect": (ctypes.c_void_p, (ctypes.c_char_p, ctypes.POINTER(ctypes.c_int))),
    "xcb_connection_has_error": (ctypes.c_int, (ctypes.c_void_p,)),
    "xcb_disconnect": (None, (ctypes.c_void_p,)),
    "xcb_get_setup": (ctypes.POINTER(_Setup), (ctypes.c_void_p,)),
    "xcb_setup_roots_iterator": (_ScreenIterator, (ctypes.POINTER(_Setup),)),
    "xcb_generate_id": (ctypes.c_uint32, (ctypes.c_void_p,)),
    "xcb_create_window": (
        _Cookie,
        (
            ctypes.c_void_p, ctypes.c_uint8, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_int16, ctypes.c_int16,
            ctypes.c_uint16, ctypes.c_uint16, ctypes.c_uint16, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint32,
            ctypes.POINTER(ctypes.c_uint32),
        ),
    ),
    "xcb_intern_atom": (_Cookie, (ctypes.c_void_p, ctypes.c_uint8, ctypes.c_uint16, ctypes.c_char_p)),
    "xcb_intern_atom_reply": (ctypes.POINTER(_AtomReply), (ctypes.c_void_p, _Cookie, ctypes.c_void_p)),
    "xcb_get_selection_owner": (_Cookie, (ctypes.c_void_p, ctypes.c_uint32)),
    "xcb_get_selection_owner_reply": (ctypes.POINTER(_OwnerReply), (ctypes.c_void_p, _Cookie, ctypes.c_void_p)),
    "xcb_convert_selection": (_Cookie, (ctypes.c_void_p, *(ctypes.c_uint32,) * 5)),
    "xcb_get_property": (
        _Cookie,
        (ctypes.c_void_p, ctypes.c_uint8, ctypes.c_uint32, ctypes.c_uint32, *(ctypes.c_uint32,) * 3),
    ),
    "xcb_get_property_reply": (ctypes.POINTER(_PropertyReply), (ctypes.c_void_p, _Cookie, ctypes.c_void_p)),
    "xcb_get_property_value": (ctypes.c_void_p, (ctypes.POINTER(_PropertyReply),)),
    "xcb_get_property_value_length": (ctypes.c_int, (ctypes.POINTER(_PropertyReply),)),
    "xcb_poll_for_event": (ctypes.POINTER(_Event), (ctypes.c_void_p,)),
    "xcb_get_file_descriptor": (ctypes.c_int, (ctypes.c_void_p,)),
    "xcb_flush": (ctypes.c_int, (ctypes.c_void_p,)),
}  # fmt: skip


def text_of(selection: str, timeout: float, display: str = "", window: int = 0) -> str:
    """Return the text of ``selection`` (``CLIPBOARD``, ``PRIMARY``); empty if nobody owns it or it holds no text.

    Waits ``timeout`` seconds at most, then raises :class:`NoAnswer`. ``window`` is the number of one of our windows.
    Raises :class:`OwnedHere` if this program owns the selection, and :class:`Unavailable` if X can't be asked.
    """
    connection = _Connection(display)
    try:
        until = time.monotonic() + timeout
        connection.refuse_own(selection, window)
        for form, encoding in _FORMS:
            found = connection.ask(selection, form, until)
            if found is not None:
                return found.decode(encoding, "replace")
        return ""
    finally:
        connection.close()


# The selection isn't read through Tk, which blocks the window for up to five seconds for each target.
# libX11, which Tk uses, is built on libxcb: so libxcb is there wherever there is a window. It can be used on threads.
class _Connection:
    """A connection to the display with an invisible window, to which the owner sends its text."""

    def __init__(self, display: str) -> None:
        try:
            self._xcb, self._free = _library()
        except (OSError, AttributeError) as error:
            raise Unavailable(str(error)) from error
        self._at = self._xcb.xcb_connect(display.encode() or None, None)
        try:
            if self._xcb.xcb_connection_has_error(self._at):
                raise Unavailable("the display can't be reached")
            self._window = self._make_window()
            self._property, self._incremental = self._atom("ABQ_SELECTION"), self._atom("INCR")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, which also destroys the window."""
        self._xcb.xcb_disconnect(self._at)

    def refuse_own(self, selection: str, window: int) -> None:
        """Raise :class:`OwnedHere` if the selection's owner belongs to the same program as ``window``.

        Raises :class:`Unavailable` if the display has gone.
        """
        cookie = self._xcb.xcb_get_selection_owner(self._at, self._atom(selection))
        reply = self._xcb.xcb_get_selection_owner_reply(self._at, cookie, None)
        if not reply:
            raise Unavailable("the display went away")
        try:
            owner = int(reply.contents.owner)
        finally:
            self._free(reply)
        if owner and window and not (owner ^ window) & ~self._xcb.xcb_get_setup(self._at).contents.resource_id_mask:
            raise OwnedHere

    def ask(self, selection: str, form: str, until: float) -> bytes | None:
        """Return the selection in one ``form``; ``None`` if nobody owns it, or its owner doesn't offer that form."""
        self._xcb.xcb_convert_selection(
            self._at, self._window, self._atom(selection), self._atom(form), self._property, 0
        )
        while True:
            kind, words = self._event(until)
            if kind == _SELECTION_NOTIFY:
                break
        if not words[4]:  # the property with the text; 0 if the owner refused
            return None
        whole, data = self._read()
        return data if whole else self._parts(until)

    def _parts(self, until: float) -> bytes:
        # Long texts come in parts (INCR): each new value of the property is a part, and an empty one is the end.
        found = b""
        while True:
            kind, words = self._event(until)
            if kind != _PROPERTY_NOTIFY or words[1] != self._property or words[3] & 0xFF != _NEW_VALUE:
                continue
            part = self._read()[1]
            found += part
            if not part or len(found) > MOST_BYTES:
                return found

    def _read(self) -> tuple[bool, bytes]:
        """Read and delete the property; return its value, and whether it is the whole text (else it comes in parts)."""
        data, place = b"", 0
        while True:
            cookie = self._xcb.xcb_get_property(
                self._at, 1, self._window, self._property, _ANY_TYPE, place, _READ_UNITS
            )
            reply = self._xcb.xcb_get_property_reply(self._at, cookie, None)
            if not reply:
                return True, data
            try:
                if reply.contents.type == self._incremental:
                    return False, b""
                length = self._xcb.xcb_get_property_value_length(reply)
                data += ctypes.string_at(self._xcb.xcb_get_property_value(reply), length)
                if not reply.contents.bytes_after or len(data) > MOST_BYTES:
                    return True, data
                place += _READ_UNITS
            finally:
                self._free(reply)

    def _event(self, until: float) -> tuple[int, list[int]]:
        """Return the kind and the words of the next event; the caller skips those that it doesn't know."""
        self._xcb.xcb_flush(self._at)
        while True:
            event = self._xcb.xcb_poll_for_event(self._at)
            if event:
                try:
                    return event.contents.response_type & 0x7F, list(event.contents.words)
                finally:
                    self._free(event)
            if self._xcb.xcb_connection_has_error(self._at):
                raise Unavailable("the display went away")
            left = until - time.monotonic()
            if left <= 0:
                raise NoAnswer
            select.select((self._xcb.xcb_get_file_descriptor(self._at),), (), (), left)

    def _make_window(self) -> int:
        setup = self._xcb.xcb_get_setup(self._at)
        root = self._xcb.xcb_setup_roots_iterator(setup).data[0]
        window = int(self._xcb.xcb_generate_id(self._at))
        wanted = (ctypes.c_uint32 * 1)(_PROPERTY_CHANGES)
        self._xcb.xcb_create_window(
            self._at, 0, window, root, 0, 0, 1, 1, 0, _INPUT_ONLY, 0, _EVENT_MASK_VALUE, wanted
        )
        return window

    def _atom(self, name: str) -> int:
        cookie = self._xcb.xcb_intern_atom(self._at, 0, len(name), name.encode())
        reply = self._xcb.xcb_intern_atom_reply(self._at, cookie, None)
        if not reply:
            raise Unavailable("the display went away")
        try:
            return int(reply.contents.atom)
        finally:
            self._free(reply)


def _library() -> tuple[ctypes.CDLL, Callable[[object], object]]:
    # By its fixed name, because `ctypes.util.find_library` runs a compiler on some machines.
    xcb = ctypes.CDLL("libxcb.so.1")
    for name, (result, arguments) in _CALLS.items():
        call = getattr(xcb, name)
        call.restype, call.argtypes = result, arguments
    free = ctypes.CDLL(None).free
    free.restype, free.argtypes = None, (ctypes.c_void_p,)
    return xcb, free
