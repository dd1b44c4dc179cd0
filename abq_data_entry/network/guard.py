"""Keeps every wait of one transfer short: opens its connections, and ends them when cancelled or stalled.

A thread blocked in `recv` or `send` is freed by `shutdown` of the socket from another thread; `close` alone frees it
on no platform. The guard therefore keeps a duplicate of every socket (TLS takes the first one over) and watches from
a thread of its own.
"""

import contextlib
import errno
import ipaddress
import os
import queue
import selectors
import socket
import threading
import time
from types import TracebackType

from .failures import Cancelled, HostRefused, HostUnknown, HostUnreachable, InvalidInput, TimedOut

_POLL = 0.05  # seconds between two looks at the cancel event
_LONGEST_CONNECT = 20.0  # seconds for one address, however long the other waits may be
_IN_PROGRESS = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN}

_Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


def is_loopback(host: str) -> bool:
    """Tell whether the host is this machine itself, by its name or by a literal address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Guard:
    """The connections of one transfer, and the limits on its waits.

    `cancel`: the caller's event; `wait`: the longest time in seconds without any progress. Use as a context manager,
    which stops the watching thread and forgets the sockets (their owners close them).
    """

    def __init__(self, cancel: threading.Event | None, wait: float) -> None:
        if not wait > 0:
            raise InvalidInput(f"A timeout must be more than 0 seconds, not {wait}.")
        self._cancel = cancel or threading.Event()
        self._wait = wait
        self._limit = time.monotonic() + wait
        self._expired = False
        self._finished = threading.Event()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._host = ""

    def __enter__(self) -> "Guard":
        self.progressed()
        threading.Thread(target=self._watch, name="network-guard", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finished.set()
        with self._lock:
            for duplicate in self._sockets:
                duplicate.close()
            self._sockets.clear()

    def progressed(self) -> None:
        """Start the clock anew: something moved, or the next step begins."""
        self._limit = time.monotonic() + self._wait

    def check(self) -> None:
        """Raise `Cancelled` or `TimedOut` if the transfer is to end."""
        if verdict := self.verdict():
            raise verdict

    def verdict(self) -> Cancelled | TimedOut | None:
        """Return why the guard ended the transfer, or None if it had no part in the end."""
        if self._cancel.is_set():
            return Cancelled()
        if self._expired or time.monotonic() > self._limit:
            host = self._host or "The other side"
            return TimedOut(f"{host} didn't answer in time ({self._wait:g} s). Try again later.")
        return None

    def connect(self, host: str, port: int) -> socket.socket:
        """Return a connected TCP socket, watched from now on.

        Raises `HostUnknown`, `HostRefused`, `HostUnreachable`, `TimedOut` (all `OSError`) or `Cancelled`.
        """
        self._host = host
        self.progressed()
        failure: OSError | None = None
        for family, kind, protocol, _, address in self._look_up(host, port):
            try:
                return self._connect(socket.socket(family, kind, protocol), address)
            except OSError as error:
                failure = error
        assert failure is not None
        raise self._told(failure, host, port)

    def send(self, connection: socket.socket, data: bytes | bytearray | memoryview) -> None:
        """Send all of `data`; every piece that the other side takes starts the clock anew."""
        rest = memoryview(data)
        while rest:
            self.check()
            rest = rest[connection.send(rest) :]
            self.progressed()

    def _look_up(
        self, host: str, port: int
    ) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, "_Address"]]:
        """Resolve the name on a thread of its own: `getaddrinfo` can't be interrupted, only left behind."""
        answers: queue.SimpleQueue[object] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError, ValueError, OverflowError) as error:
                answers.put(error)

        threading.Thread(target=ask, name="network-name-lookup", daemon=True).start()
        while True:
            try:
                answer = answers.get(timeout=_POLL)
                break
            except queue.Empty:
                self.check()
        if isinstance(answer, list) and answer:
            return answer
        code = answer.errno if isinstance(answer, OSError) and answer.errno is not None else socket.EAI_NONAME
        raise HostUnknown(code, f"The host {host} isn't known. Check its name in the settings, and the network.")

    def _connect(self, connection: socket.socket, address: "_Address") -> socket.socket:
        """Connect without blocking, so that a cancel is seen at once on every platform."""
        limit = time.monotonic() + min(self._wait, _LONGEST_CONNECT)
        try:
            connection.setblocking(False)
            code = connection.connect_ex(address)
            if code in _IN_PROGRESS:
                with selectors.DefaultSelector() as selector:
                    selector.register(connection, selectors.EVENT_WRITE)
                    while not selector.select(_POLL):
                        self.check()
                        if time.monotonic() > limit:
                            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
                code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))
            connection.settimeout(self._wait)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._keep(connection)
            self.progressed()
        except BaseException:
            connection.close()
            raise
        return connection

    def _keep(self, connection: socket.socket) -> None:
        with self._lock:
            self._sockets.append(connection.dup())
        self.check()

    def _told(self, error: OSError, host: str, port: int) -> OSError:
        if isinstance(error, TimedOut):
            return error
        if isinstance(error, ConnectionRefusedError):
            return HostRefused(
                error.errno, f"{host} refused the connection at port {port}: nothing listens there. Check the settings."
            )
        if isinstance(error, TimeoutError):
            return TimedOut(f"{host} didn't answer at port {port} in time. Check the address, or try again later.")
        if isinstance(error, ConnectionError):
            return HostUnreachable(error.errno, f"The connection to {host}, port {port}, was cut at once. Try again.")
        return HostUnreachable(
            error.errno, f"There is no way to {host}, port {port} ({error.strerror}). Check the network connection."
        )

    def _watch(self) -> None:
        while not self._finished.wait(_POLL):
            if time.monotonic() > self._limit:
                self._expired = True
            if self._expired or self._cancel.is_set():
                self._shut_down()
                return

    def _shut_down(self) -> None:
        with self._lock:
            for duplicate in self._sockets:
                with contextlib.suppress(OSError):
                    duplicate.shutdown(socket.SHUT_RDWR)
