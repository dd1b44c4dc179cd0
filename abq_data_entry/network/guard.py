"""Limits the waits of one transfer: a guard opens its connections, and ends them when it is cancelled or stalled.

A thread that is blocked in `recv` or `send` is woken by `shutdown` of the socket on another thread; `close` doesn't
wake it on any platform. So the guard keeps a duplicate of every socket (TLS wraps the first one), and watches them on a
thread of its own.

All addresses of a host are tried, each a little after the previous one (RFC 8305, Happy Eyeballs), so that a broken
IPv6 connection costs only a moment.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import queue
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Protocol, TypeVar

from .failures import Cancelled, HostRefused, HostUnknown, HostUnreachable, InvalidInput, TimedOut

POLL = 0.05  # seconds between two calls of `check`
_STAGGER = 0.25  # seconds between the starts of two attempts
_IN_PROGRESS = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN}

Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, "tuple[object, ...]"]
Check = Callable[[], object]
Answer = TypeVar("Answer")


def look_up(host: str, port: int, check: Check) -> list[Address]:
    """Return the addresses of the host. Raises `HostUnknown`, and what `check` raises."""
    code = socket.EAI_NONAME
    try:
        found = call_abandonable(partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM), check)
        if found:
            return [*found]
    except socket.gaierror as error:
        code = error.errno or code
    except (UnicodeError, ValueError, OverflowError):
        pass
    raise HostUnknown(code, f"The host {host} isn't known. Check its name in the settings, and the network.")


def call_abandonable(work: Callable[[], Answer], check: Check) -> Answer:
    """Return `work()`, called on another thread, which is abandoned if `check()` raises meanwhile.

    For calls that can't be interrupted. Raises what `work` and `check` raise.
    """
    answers: queue.SimpleQueue[tuple[list[Answer], BaseException | None]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(([work()], None))
        except BaseException as error:
            answers.put(([], error))

    threading.Thread(target=ask, name="network-abandonable", daemon=True).start()
    while True:
        try:
            found, failure = answers.get(timeout=POLL)
            break
        except queue.Empty:
            check()
    if failure is not None:
        raise failure
    return found[0]


def first_to_answer(addresses: list[Address], seconds: float, check: Check) -> socket.socket:
    """Return a connected, non-blocking socket to the first address that accepts within `seconds`.

    Raises `OSError` (the last refusal, or `TimeoutError`), and what `check` raises.
    """
    waiting = list(addresses)
    racing: set[socket.socket] = set()
    failure: OSError = TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    limit, next_start = time.monotonic() + seconds, 0.0
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as losers:
        while waiting or racing:
            check()
            if time.monotonic() > limit:
                raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            outcomes: list[tuple[socket.socket, int]] = []
            if waiting and (not racing or time.monotonic() >= next_start):
                next_start = time.monotonic() + _STAGGER
                runner, code = _start(waiting.pop(0))
                losers.callback(runner.close)
                racing.add(runner)
                if code in _IN_PROGRESS:
                    selector.register(runner, selectors.EVENT_WRITE)
                else:
                    outcomes.append((runner, code))
            if not outcomes:
                ready = [key.fileobj for key, _ in selector.select(POLL)]
                for runner in racing.intersection(ready):
                    selector.unregister(runner)
                    outcomes.append((runner, runner.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)))
            for runner, code in outcomes:
                racing.remove(runner)
                if not code:
                    winner = runner.dup()  # the stack closes the others, and the original of this duplicate
                    winner.setblocking(False)
                    return winner
                failure = OSError(code, os.strerror(code))
    raise failure


def _start(address: Address) -> tuple[socket.socket, int]:
    """Start a non-blocking connect; return the socket and the errno (0: connected)."""
    family, kind, protocol, _, place = address
    runner = socket.socket(family, kind, protocol)
    try:
        runner.setblocking(False)
        return runner, runner.connect_ex(place)
    except OSError as error:  # this computer doesn't support the address family
        return runner, error.errno or errno.EADDRNOTAVAIL


_SMALL_BUFFER = 256 * 1024
_NEVER = 24 * 3600.0  # seconds
_LONGEST_CONNECT = 20.0  # seconds, however long the other waits may be


try:  # Linux: SIOCOUTQ, which has the number of TIOCOUTQ (tcp(7))
    import fcntl
    import termios
except ImportError:
    _QUEUED = None
else:
    _QUEUED = termios.TIOCOUTQ if sys.platform == "linux" else None


def is_loopback(host: str) -> bool:
    """Tell whether the host is a loopback name or address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def unsent(connection: socket.socket) -> int:
    """Return how many bytes of a socket the system hasn't sent, or has sent without an ACK; 0 if unknown."""
    if _QUEUED is None:
        return 0
    answer = bytearray(4)
    try:
        fcntl.ioctl(connection.fileno(), _QUEUED, answer)
    except OSError:
        return 0
    return int.from_bytes(answer, sys.byteorder)


class Numbered(Protocol):
    """An object with a file descriptor: a socket, or a wrapper of one."""

    def fileno(self) -> int: ...


class Guard:
    """The connections of one transfer, and the limits on its waits.

    `cancel`: the caller's event; `wait`: the longest time without progress in seconds, or with `whole` the longest time
    for everything. Use it as a context manager, which stops the watching thread and forgets the sockets (their owners
    close them).
    """

    def __init__(self, cancel: threading.Event | None, wait: float, *, whole: bool = False) -> None:
        if not wait > 0:
            raise InvalidInput(f"A timeout must be more than 0 seconds, not {wait}.")
        self._cancel = cancel or threading.Event()
        self._wait = wait
        self._whole = whole
        self._limit = time.monotonic() + wait
        self._expired = False
        self._finished = threading.Event()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._host = ""

    @property
    def wait(self) -> float:
        """The longest time without progress, in seconds."""
        return self._wait

    def __enter__(self) -> Guard:
        self._limit = time.monotonic() + self._wait
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
        """Restart the clock: data was transferred, or the next step begins."""
        if not self._whole:
            self._limit = time.monotonic() + self._wait

    def check(self) -> None:
        """Raise `Cancelled` or `TimedOut` if the transfer has to end."""
        if verdict := self.verdict():
            raise verdict

    def verdict(self) -> Cancelled | TimedOut | None:
        """Return why the guard ended the transfer, or None if it didn't."""
        if self._cancel.is_set():
            return Cancelled()
        if self._expired or time.monotonic() > self._limit:
            host = self._host or "The other side"
            return TimedOut(f"{host} didn't answer in time ({self._wait:g} s). Try again later.")
        return None

    @contextlib.contextmanager
    def waiting_for(self, whom: str) -> Iterator[None]:
        """Name `whom` instead of the host in the error, if a wait in the block is too long."""
        host, self._host = self._host, whom
        yield
        self._host = host  # not after an error, which may be a result of that wait

    def connect(self, host: str, port: int, addresses: list[Address] | None = None) -> socket.socket:
        """Return a connected TCP socket, which is watched; `addresses`: those of the host, if they are known.

        Raises `HostUnknown`, `HostRefused`, `HostUnreachable`, `TimedOut` (all `OSError`) or `Cancelled`.
        """
        self._host = host
        self.progressed()
        addresses = look_up(host, port, self.check) if addresses is None else addresses
        try:
            return self.keep(first_to_answer(addresses, min(self._wait, _LONGEST_CONNECT), self.check))
        except OSError as error:
            failure = self._describe(error, host, port)
        raise failure

    @contextlib.contextmanager
    def connected(self, host: str, port: int, addresses: list[Address] | None = None) -> Iterator[socket.socket]:
        """As `connect`, for a block, at whose end the connection is closed, even if TLS has wrapped it.

        The server may accept only a few connections at a time.
        """
        with self.connect(host, port, addresses) as connection:
            with self._lock:
                duplicate = self._sockets[-1]
            try:
                yield connection
            finally:
                with self._lock:
                    self._sockets.remove(duplicate)
                duplicate.close()

    def watch(self, connection: Numbered) -> None:
        """Watch an open connection, also one that another guard has opened."""
        number = connection.fileno()
        if number < 0:
            raise ConnectionAbortedError(errno.ECONNABORTED, os.strerror(errno.ECONNABORTED))
        with self._lock:  # by fileno, since a TLS socket can't be duplicated; any family does for a shutdown
            self._sockets.append(socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM))
        self.check()  # the guard may have ended the others before this one was added

    def send(self, connection: socket.socket, data: bytes | bytearray | memoryview) -> None:
        """Send all of `data`; every piece that the system accepts restarts the clock."""
        rest = memoryview(data)
        while rest:
            self.check()
            rest = rest[connection.send(rest) :]
            self.progressed()

    def keep(self, connection: socket.socket) -> socket.socket:
        """Watch a new connection; close it if the guard has ended already."""
        try:
            connection.settimeout(_NEVER)  # a limit, so that `send` takes what fits; the guard ends the wait
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if _QUEUED is None:  # so that little can wait there unseen
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SMALL_BUFFER)
            self.watch(connection)
            self.progressed()
        except BaseException:
            connection.close()
            raise
        return connection

    def _describe(self, error: OSError, host: str, port: int) -> OSError:
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
            error.errno, f"There is no route to {host}, port {port} ({error.strerror}). Check the network connection."
        )

    def _watch(self) -> None:
        queued: list[int] = []
        while not self._finished.wait(POLL):
            with self._lock:
                before, queued = queued, [unsent(each) for each in self._sockets]
            is_same = len(queued) == len(before)  # one may be gone by now
            if is_same and any(now < then for now, then in zip(queued, before, strict=True)):
                self.progressed()  # the system is still sending what it has buffered
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
