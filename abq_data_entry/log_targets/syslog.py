"""Syslog: RFC 5424 over the local socket, UDP (RFC 5426), TCP with octet counting (RFC 6587) or TLS (RFC 5425)."""

from __future__ import annotations

import datetime
import errno
import socket
import ssl
import sys
from contextlib import suppress
from pathlib import Path

from ..constants import APPLICATION_ID
from .address import Address, address_of
from .event import Event, Origin, Target, Unusable, shortened

PATIENCE = 10.0
"""Time limit for one step (connect, TLS, send) in seconds."""

LONGEST = {"local": 8192, "udp": 2048, "tcp": 8192, "tls": 8192}
"""The largest message in bytes: what receivers should accept by UDP (RFC 5426, 3.2), and rsyslog's default."""

_LOCAL = ("/dev/log", "/var/run/syslog")  # Linux and BSD; macOS
_USER_LEVEL = 1  # the facility
_UTF_8 = b"\xef\xbb\xbf"  # the BOM before a message in UTF-8 (RFC 5424, 6.4)
_STRUCTURE = "abq@32473"
"""The SD-ID of our structured data. 32473 is the enterprise number for examples (RFC 5612), as we have none."""

_LARGEST_NUMBER = 2147483647  # of `sequenceId`
_LONGEST_VALUE = 256  # bytes of one value of the structured data


class Syslog(Target):
    """A syslog server at an address (`log_server`), or ('') that of this computer.

    `ca_file`: PEM file with the authorities to trust instead of the system's; `client_certificate`: PEM file with our
    certificate and its key. Raises Unusable.
    """

    def __init__(self, place: str, ca_file: str = "", client_certificate: str = "") -> None:
        self._address = address_of(place) if place else _local()
        if self._address.way == "local" and not hasattr(socket, "AF_UNIX"):
            raise Unusable("this system has no local syslog; name a server by log_server.")
        self._ca_file, self._client_certificate = ca_file, client_certificate
        self._connection: socket.socket | None = None
        self._is_stream = self._address.way in ("tcp", "tls")
        self.name = f"syslog at {self._address}"

    def send(self, event: Event, origin: Origin) -> None:
        """Send one frame; if the server has closed the stream in the meantime, connect again first."""
        if self._connection is not None and self._is_stream and _has_ended(self._connection):
            self.close()
        if self._connection is None:
            self._connection = self._connect()
        self._connection.sendall(self._frame(message(event, origin, LONGEST[self._address.way])))

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
            self._connection = None

    def _frame(self, content: bytes) -> bytes:
        if self._address.way in ("tcp", "tls"):
            return b"%d %b" % (len(content), content)
        return content + b"\0" if self._is_stream else content

    def _connect(self) -> socket.socket:
        way, host, port, path = self._address
        if way == "local":
            return self._connect_locally(path)
        if way == "udp":
            return _connected_datagram(host, port)
        plain = socket.create_connection((host, port), PATIENCE)
        try:
            _notice_loss(plain)
            return self._secured(plain) if way == "tls" else plain
        except BaseException:
            plain.close()
            raise

    def _connect_locally(self, path: str) -> socket.socket:
        """Connect to the local socket: mostly for datagrams, but syslog-ng may be configured for a stream."""
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            connection = socket.socket(socket.AF_UNIX, kind)
            try:
                connection.settimeout(PATIENCE)
                connection.connect(path)
                self._is_stream = kind == socket.SOCK_STREAM
                return connection
            except OSError as error:
                connection.close()
                if kind == socket.SOCK_STREAM or error.errno != errno.EPROTOTYPE:
                    raise
        raise AssertionError("the last kind returns or raises")

    def _secured(self, plain: socket.socket) -> socket.socket:
        context = ssl.create_default_context(cafile=self._ca_file or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._client_certificate:
            context.load_cert_chain(self._client_certificate, password=lambda: b"")  # OpenSSL never asks
        return context.wrap_socket(plain, server_hostname=self._address.host)


def message(event: Event, origin: Origin, size: int) -> bytes:
    """Return the event by RFC 5424, of at most `size` bytes: a message that is too long is truncated."""
    moment = datetime.datetime.fromtimestamp(event.moment, datetime.timezone.utc)
    head = " ".join(
        (
            f"<{8 * _USER_LEVEL + event.severity}>1",
            f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z",
            _word(origin.workstation, 255),
            _word(APPLICATION_ID, 48),
            _word(str(origin.process), 128),
            _word(event.name, 32),
            _structure(event, origin),
        )
    ).encode()
    room = size - len(head) - 1
    if event.text.isascii() and len(event.text) <= room:
        return b"%b %b" % (head, event.text.encode())
    return b"%b %b%b" % (head, _UTF_8, shortened(event.text, room - len(_UTF_8)).encode())


def _structure(event: Event, origin: Origin) -> str:
    facts = (f'{name}="{_escaped(value)}"' for name, value in event.facts(origin).items())
    return f'[{_STRUCTURE} {" ".join(facts)}][meta sequenceId="{1 + (event.number - 1) % _LARGEST_NUMBER}"]'


def _escaped(value: str) -> str:
    """Return a value of the structured data (RFC 5424, 6.3.3)."""
    shown = "".join(each if each.isprintable() else "?" for each in shortened(value, _LONGEST_VALUE))
    return shown.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _word(text: str, longest: int) -> str:
    """Return a field of the header: printable ASCII without blanks; "-" (NILVALUE) for ''."""
    return "".join(each if "!" <= each <= "~" else "_" for each in text)[:longest] or "-"


def _local() -> Address:
    found = next((path for path in _LOCAL if Path(path).exists()), _LOCAL[sys.platform == "darwin"])
    return Address("local", "", 0, found)


def _connected_datagram(host: str, port: int) -> socket.socket:
    """Return a UDP socket connected to the first address of the host that has a route."""
    failure: OSError = OSError(errno.EADDRNOTAVAIL, "there is no way to it")
    for family, kind, protocol, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(PATIENCE)
            connection.connect(place)
            return connection
        except OSError as error:
            connection.close()
            failure = error
    raise failure


def _notice_loss(connection: socket.socket) -> None:
    """Set keepalive options, where available, so that the system notices a dead server."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(2000 * PATIENCE))


def _has_ended(connection: socket.socket) -> bool:
    """Return whether the server has closed the stream: data sent then would be lost without an error."""
    connection.settimeout(0)
    try:
        return connection.recv(1024) == b""  # a syslog server never sends anything
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:  # cut off
        return True
    finally:
        connection.settimeout(PATIENCE)
