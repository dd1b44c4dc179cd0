"""Relays in front of the real servers that understand what they carry, and let every n-th file meet a fault.

One for HTTP, one for FTP (passive mode, in the clear), as scripts for `faults.serving`. They know which request brings
a file, so that a fault happens to the file that is its turn, whatever connection it comes over.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle

from tests.network.faults import Connection, http

_LOOPBACK = "127.0.0.1"
_BEGINNING = 500  # bytes of a request with a file that pass before it is cut

REST_FAULTS = (
    "cut in the file", "stored, then reset", "500", "stored, then 500", "503", "cut in the file", "stored, answer cut",
    "408", "502", "silent",
)  # fmt: skip
FTP_FAULTS = (
    "cut in the file", "stored, then cut", "450", "stored, then 426", "452", "both cut in the file", "421", "silent",
)  # fmt: skip

SHELL_FAULTS = ("cut in the file", "cut in the answer", "away", "silent", "cut at the end")


class Turns:
    """Whose turn it is to meet which fault: every n-th file, for all connections together."""

    def __init__(self, every: int, faults: Sequence[str]) -> None:
        self.files = 0
        self.faults = 0
        self._every = every
        self._coming: Iterator[str] = cycle(faults)
        self._lock = threading.Lock()

    def next(self) -> str:
        """Return the fault for the next file; empty if it is left in peace."""
        with self._lock:
            self.files += 1
            if self.files % self._every:
                return ""
            self.faults += 1
            return next(self._coming)


def http_relay(port: int, turns: Turns, brings: bytes = rb"PUT ") -> Callable[[Connection], None]:
    """Return the script of a relay to the HTTP server at that port; `brings`: how a request with a file begins."""

    def script(client: Connection) -> None:
        with socket.create_connection((_LOOPBACK, port), 30) as upstream:
            server = Connection(upstream, threading.Event())
            while head := client.until(b"\r\n\r\n"):
                fault = turns.next() if re.match(brings, head) else ""
                body = client.exactly(_length(head))
                if fault.isdigit():
                    client.send(http(f"{fault} Fault"))
                    continue
                if fault in ("cut in the file", "silent"):
                    server.send((head + body)[: -len(body) // 2])
                    server.reset()
                    client.stall() if fault == "silent" else client.reset()
                    return
                server.send(head + body)
                answer = server.until(b"\r\n\r\n")
                is_chunked = b"\r\ntransfer-encoding: chunked" in answer.lower()
                answer += server.until(b"\r\n0\r\n\r\n") if is_chunked else server.exactly(_length(answer))
                if fault == "stored, then reset":
                    client.reset()
                    return
                if fault == "stored, answer cut":
                    client.send(answer[:9])
                    return
                client.send(http("500 Fault") if fault else answer)

    return script


def ftp_relay(port: int, turns: Turns) -> Callable[[Connection], None]:
    """Return the script of a relay to the FTP server at that port."""

    def script(client: Connection) -> None:
        with socket.create_connection((_LOOPBACK, port), 30) as upstream:
            _FtpRelay(client, Connection(upstream, threading.Event()), turns).run()

    return script


class _FtpRelay:
    """One control connection, and the data connections that it asks for."""

    def __init__(self, client: Connection, server: Connection, turns: Turns) -> None:
        self._client = client
        self._server = server
        self._turns = turns
        self._listener: socket.socket | None = None
        self._data_port = 0

    def run(self) -> None:
        self._client.send(self._reply())
        while line := self._client.until(b"\r\n"):
            command = line.split()[0].upper()
            fault = self._turns.next() if command == b"STOR" else ""
            if fault.isdigit():
                self._drop_listener()
                self._client.send(f"{fault} not now\r\n".encode())
                if fault == "421":
                    return
                continue
            self._server.send(line)
            reply = self._reply()
            if command in (b"EPSV", b"PASV"):
                reply = self._rewritten(reply)
            self._client.send(reply)
            if self._listener is not None and reply.startswith(b"1") and not self._carry(command, fault):
                return

    def _carry(self, command: bytes, fault: str) -> bool:
        """Carry the data of one command, and the reply after it; return whether the connection goes on."""
        assert self._listener is not None
        with self._listener, self._listener.accept()[0] as client:
            self._listener = None
            with socket.create_connection((_LOOPBACK, self._data_port), 30) as server:
                if command != b"STOR":
                    _copy(server, client)
                else:
                    content = _all_of(client) if "silent" not in fault else client.recv(10)
                    server.sendall(content[: len(content) // 2] if "in the file" in fault else content)
                    if "in the file" in fault or fault == "silent":
                        Connection(server, threading.Event()).reset()
                if fault == "silent":
                    self._client.stall()
                    return False
        if fault == "both cut in the file":
            self._client.reset()
            return False
        reply = self._reply()
        if fault == "stored, then cut":
            self._client.reset()
            return False
        if fault:
            reply = b"426 cut\r\n"
        self._client.send(reply)
        return True

    def _rewritten(self, reply: bytes) -> bytes:
        """Return the reply with a port of ours in place of the server's."""
        self._drop_listener()
        extended = re.search(rb"\|\|\|(\d+)\|", reply)
        numbers = re.search(rb"(\d+),(\d+)\)", reply)
        if extended:
            self._data_port = int(extended[1])
        elif numbers:
            self._data_port = 256 * int(numbers[1]) + int(numbers[2])
        else:
            return reply
        self._listener = socket.create_server((_LOOPBACK, 0))
        port = self._listener.getsockname()[1]
        if extended:
            return b"229 here (|||%d|)\r\n" % port
        return b"227 here (127,0,0,1,%d,%d)\r\n" % divmod(port, 256)

    def _reply(self) -> bytes:
        """Return the server's next reply, which may have several lines (RFC 959, 4.2)."""
        reply = line = self._server.until(b"\r\n")
        while line and not re.match(rb"%b " % reply[:3], line):
            line = self._server.until(b"\r\n")
            reply += line
        return reply

    def _drop_listener(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None


def _length(head: bytes) -> int:
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return int(found[1]) if found else 0


def _all_of(source: socket.socket) -> bytes:
    content = bytearray()
    with contextlib.suppress(OSError):
        while block := source.recv(65536):
            content += block
    return bytes(content)


def _copy(source: socket.socket, target: socket.socket) -> None:
    target.sendall(_all_of(source))


_AFTER = {"cut in the file": 700, "cut in the answer": 60, "silent": 400, "cut at the end": 2_200}  # bytes


class ShellRelay:
    """A relay to an SSH server. What it carries is encrypted: it is told when a file begins, and what happens to it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._fault, self._left = "", 0

    def begin(self, fault: str) -> None:
        """The next file is on its way, and this is to happen to it; nothing, if that is empty."""
        with self._lock:
            self._fault, self._left = fault, _AFTER.get(fault, 0)

    def __call__(self, client: Connection) -> None:
        """The script of a connection (`faults.serving`)."""
        if self._fault == "away":
            client.reset()
            return
        with socket.create_connection((_LOOPBACK, self._port), 30) as upstream:
            server = Connection(upstream, threading.Event())
            back = threading.Thread(target=self._carry, args=(server, client, False), daemon=True)
            back.start()
            self._carry(client, server, True)
            back.join()

    def _carry(self, source: Connection, target: Connection, up: bool) -> None:
        with contextlib.suppress(OSError):
            while block := source.socket.recv(65536):
                happens = self._passes(len(block), up)
                if happens == "silent":
                    source.stall()
                if happens:
                    break
                target.send(block)
        for each in (source, target):  # whoever waits there wakes, on the other thread too
            with contextlib.suppress(OSError):
                each.socket.shutdown(socket.SHUT_RDWR)

    def _passes(self, count: int, up: bool) -> str:
        """The fault that happens now, with this block; all but an absence happen once."""
        with self._lock:
            if self._fault == "away" or (self._fault and (self._fault == "cut in the answer") != up):
                self._left -= count
                if self._left <= 0:
                    happens = self._fault
                    self._fault = "away" if happens in ("away", "cut at the end") else ""
                    return happens
        return ""
