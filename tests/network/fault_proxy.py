"""A proxy in front of a real server that breaks connections on purpose; it understands nothing of what it carries.

It listens at an address of loopback of its own, at the same ports as the server. So an FTP server's data connections
come through it too, also when the control connection is encrypted.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.fixtures.ports import ports_in_a_row

SERVER, ADDRESS = "127.0.0.1", "127.0.0.2"
_SLICE = 16 * 1024
_RANGE = 40  # ports for data: what is late of one transfer doesn't get into the next one


@dataclass
class Fault:
    """What happens to connections of one kind, `times` times, once `after` bytes of each have passed.

    `kind`: cut (a proper end, too early), reset, lose (all connections, as when the network is lost), down (lose, and
    nothing is accepted any more), stall (nothing goes on, nothing ends), refuse (at once), slow (`rate` bytes a second
    from then on); `up`: counted and broken on the way to the server, else on the way back; `data`: of
    an FTP server's data connections, else of the control connection, or the only one; `mark`: it happens only when
    these bytes come by for the `nth` time, which aren't passed on then.
    """

    kind: str
    after: int = 0
    up: bool = True
    data: bool = False
    times: int = 1
    rate: int = 1024
    mark: bytes = b""
    nth: int = 1


class FaultProxy:
    """Carries connections to the ports of a server, and lets faults happen to them in turn."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.connections = 0
        self.is_down = False
        self.happened = threading.Event()
        self.counts: list[int] = []  # bytes that were carried to the server, by data connection
        self._open: list[tuple[socket.socket, socket.socket]] = []
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def listen(self, stack: contextlib.ExitStack, port: int, data: bool) -> None:
        listener = stack.enter_context(socket.create_server((ADDRESS, port)))
        stack.callback(_shut_down, listener)
        threading.Thread(target=self._accept, args=(listener, port, data), daemon=True).start()

    def cut_all(self) -> None:
        """Cut everything that is open."""
        with self._lock:
            pairs, self._open = self._open, []
        for pair in pairs:
            self._break(Fault("reset"), *pair)

    def end(self) -> None:
        self._ended.set()

    def _accept(self, listener: socket.socket, port: int, data: bool) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._carry_both_ways, args=(client, port, data), daemon=True).start()

    def _next_fault(self, data: bool) -> Fault | None:
        with self._lock:
            self.connections += not data
            for fault in self.faults:
                if fault.data == data and fault.times:
                    fault.times -= 1
                    return fault
        return None

    def _carry_both_ways(self, client: socket.socket, port: int, data: bool) -> None:
        fault = self._next_fault(data)
        with client, contextlib.suppress(OSError), socket.create_connection((SERVER, port)) as server:
            # The server may listen there for the next file already, which this connection would take the place of.
            if data and _is_left(client):
                return
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.is_down or (fault is not None and fault.kind == "refuse"):
                self._break(Fault("reset"), client, server)
                return
            with self._lock:
                self._open.append((client, server))
            up = fault if fault is not None and fault.up else None
            down = fault if fault is not None and not fault.up else None
            back = threading.Thread(target=self._carry, args=(server, client, down, False), daemon=True)
            back.start()
            self._carry(client, server, up, data)
            back.join()

    def _carry(self, source: socket.socket, target: socket.socket, fault: Fault | None, counted: bool) -> None:
        passed = seen = 0
        with contextlib.suppress(OSError):
            while not self._ended.is_set():
                free = fault is None or fault.kind == "slow" or fault.mark
                limit = _SLICE if fault is None or free else min(_SLICE, fault.after - passed)
                if fault is not None and fault.kind == "slow":
                    limit = max(fault.rate // 10, 1)
                block = source.recv(limit) if limit else b""
                seen += block.count(fault.mark) if fault is not None and fault.mark else 0
                if fault is not None and fault.mark and seen >= fault.nth:
                    self._break(fault, source, target)
                    break
                if fault is not None and not fault.mark and fault.kind != "slow" and passed + len(block) >= fault.after:
                    target.sendall(block)
                    self._break(fault, source, target)
                    break
                if not block:
                    target.shutdown(socket.SHUT_WR)
                    break
                target.sendall(block)
                passed += len(block)
                if fault is not None and fault.kind == "slow" and passed > fault.after:
                    self.happened.set()
                    self._ended.wait(len(block) / fault.rate)
        if counted:
            self.counts.append(passed)

    def _break(self, fault: Fault, source: socket.socket, target: socket.socket) -> None:
        self.happened.set()
        if fault.kind == "stall":
            self._ended.wait(60)
            return
        if fault.kind in ("lose", "down"):
            self.is_down = fault.kind == "down"
            self.cut_all()
            return
        for each in (source, target):
            with contextlib.suppress(OSError):  # it is closed already
                if fault.kind != "cut":
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                each.shutdown(socket.SHUT_RDWR)
            if fault.kind != "cut":
                each.close()


def _is_left(client: socket.socket) -> bool:
    """Whether whoever has connected is gone again without a word, as after a command that the server refused."""
    try:
        return not client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


def _shut_down(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def fault_proxy(port: int, data_ports: range = range(0)) -> Iterator[FaultProxy]:
    """Run a proxy for the server at that port, and its data connections; clients connect to `ADDRESS`."""
    proxy = FaultProxy()
    with contextlib.ExitStack() as stack:
        stack.callback(proxy.end)
        if not _has_address():
            pytest.skip(f"this machine has no {ADDRESS}")
        proxy.listen(stack, port, False)
        for each in data_ports:
            proxy.listen(stack, each, True)
        yield proxy


def _has_address() -> bool:
    with contextlib.suppress(OSError), socket.create_server((ADDRESS, 0)):
        return True
    return False


def row_of_ports() -> range:
    """Return free ports for a server and its data connections, behind the same ports of the proxy."""
    return ports_in_a_row(_RANGE, (SERVER, ADDRESS))
