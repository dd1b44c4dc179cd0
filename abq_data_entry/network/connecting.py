"""From a host's name to a connected socket, without a wait that can't be ended.

All addresses of a host are tried, each a little after the one before (RFC 8305), so that a broken IPv6 costs a
moment and not a timeout. `check` is called often and ends the wait by raising.
"""

import contextlib
import errno
import os
import queue
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from .failures import HostUnknown

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
        found = call_abandonable(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), check)
        if found:
            return [*found]
    except socket.gaierror as error:
        code = error.errno or code
    except (UnicodeError, ValueError, OverflowError):
        pass
    raise HostUnknown(code, f"The host {host} isn't known. Check its name in the settings, and the network.")


def call_abandonable(work: Callable[[], Answer], check: Check) -> Answer:
    """Return what `work` returns, on a thread of its own: what can't be interrupted can be left behind.

    Raises what `work` raises, and what `check` raises.
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
    """Return a connected socket (not blocking) to the first address that answers within the time.

    Raises `OSError`: the last refusal, or `TimeoutError`; and what `check` raises.
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
                    winner = runner.dup()  # the stack closes the others, and this one's twin
                    winner.setblocking(False)
                    return winner
                failure = OSError(code, os.strerror(code))
    raise failure


def _start(address: Address) -> tuple[socket.socket, int]:
    """Begin to connect; return the socket and the error number so far (0: connected)."""
    family, kind, protocol, _, place = address
    runner = socket.socket(family, kind, protocol)
    try:
        runner.setblocking(False)
        return runner, runner.connect_ex(place)
    except OSError as error:  # a family that this machine doesn't have
        return runner, error.errno or errno.EADDRNOTAVAIL
