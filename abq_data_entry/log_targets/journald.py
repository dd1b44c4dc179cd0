"""systemd's journal, by its native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL), without a library.

A value with a line break is sent with its length before it, so that no text can inject a field or an entry.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from contextlib import suppress

from ..constants import APPLICATION_ID
from .address import address_of
from .event import Event, Origin, Target, Unusable

SOCKET = "/run/systemd/journal/socket"
PATIENCE = 10.0
"""Time limit for one message in seconds: the socket of a stopped journald fills up."""


class Journal(Target):
    """The journal of this computer, over the socket `place` ('': the default one). Raises Unusable."""

    def __init__(self, place: str = "") -> None:
        self._path = address_of(place).path if place else SOCKET
        if not self._path or not hasattr(os, "memfd_create"):
            raise Unusable("the journal of systemd is on Linux only, and log_server can name only its socket.")
        self._connection: socket.socket | None = None
        self.name = f"the journal at {self._path}"

    def send(self, event: Event, origin: Origin) -> None:
        """Send one entry; one that is too large for a datagram is passed as a memfd."""
        if self._connection is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._connection = connection  # `close` closes it, whatever happens next
            connection.settimeout(PATIENCE)
            connection.connect(self._path)
        content = entry(event, origin)
        try:
            self._connection.send(content)
        except OSError as error:
            if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                raise
            _send_in_file(self._connection, content)

    def close(self) -> None:
        """Close the socket."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
            self._connection = None


def entry(event: Event, origin: Origin) -> bytes:
    """Return the event as an entry of the journal."""
    file, line, function = event.place
    fields = {
        "MESSAGE": event.text,
        "PRIORITY": str(event.severity),
        "SYSLOG_IDENTIFIER": APPLICATION_ID,
        "SYSLOG_PID": str(origin.process),
        "CODE_FILE": file,
        "CODE_LINE": str(line),
        "CODE_FUNC": function,
        **{f"ABQ_{name.upper()}": value for name, value in event.facts(origin).items()},
    }
    return b"".join(_field(name.encode(), value.encode("utf-8", "replace")) for name, value in fields.items())


def _field(name: bytes, value: bytes) -> bytes:
    if b"\n" in value:
        return b"%b\n%b%b\n" % (name, struct.pack("<Q", len(value)), value)
    return b"%b=%b\n" % (name, value)


def _send_in_file(connection: socket.socket, content: bytes) -> None:
    """Pass the content as the file descriptor of a sealed memfd."""
    import fcntl

    number = os.memfd_create(APPLICATION_ID, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with os.fdopen(number, "wb") as file:
        file.write(content)
        file.flush()
        seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        fcntl.fcntl(number, fcntl.F_ADD_SEALS, seals)
        socket.send_fds(connection, [b""], [number])
