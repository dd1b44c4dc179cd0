"""The waits before a connection stands: names that nobody resolves, hosts that don't answer."""

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from abq_data_entry.network.failures import Cancelled, HostRefused, InvalidInput, TimedOut
from abq_data_entry.network.guard import Guard
from tests.pace import patience

from .faults import Connection, serving


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port whose queue of connections is full, so that Linux answers no further one."""
    if sys.platform != "linux":
        pytest.skip("a full queue refuses connections here")
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def set_soon(cancel: threading.Event) -> None:
    timer = threading.Timer(0.2, cancel.set)
    timer.daemon = True
    timer.start()


def test_connecting_ends_in_time(silent_port: int) -> None:
    start = time.monotonic()
    with Guard(None, 0.3) as guard, pytest.raises(TimedOut, match="didn't answer"):
        guard.connect("127.0.0.1", silent_port)
    assert time.monotonic() - start < patience(2)


def test_connecting_can_be_cancelled(silent_port: int) -> None:
    cancel = threading.Event()
    set_soon(cancel)
    start = time.monotonic()
    with Guard(cancel, 30) as guard, pytest.raises(Cancelled):
        guard.connect("127.0.0.1", silent_port)
    assert time.monotonic() - start < patience(3)


def test_looking_up_a_name_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, cancel = threading.Event(), threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: ended.wait(30))  # a name server that says nothing
    set_soon(cancel)
    start = time.monotonic()
    with Guard(cancel, 30) as guard, pytest.raises(Cancelled):
        guard.connect("somewhere.example", 80)
    ended.set()
    assert time.monotonic() - start < patience(3)


def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda connection: connection.stall()) as port:
        addresses = [("127.0.0.2", port), ("127.0.0.1", port)]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with Guard(None, 5) as guard, guard.connect("two.example", port) as connection:
            assert connection.getpeername() == ("127.0.0.1", port)


def test_an_address_that_says_nothing_costs_a_moment(silent_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda connection: connection.stall()) as port:
        addresses = [("127.0.0.1", silent_port), ("127.0.0.1", port)]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        start = time.monotonic()
        with Guard(None, 20) as guard, guard.connect("two.example", port) as connection:
            assert connection.getpeername() == ("127.0.0.1", port)
            assert time.monotonic() - start < patience(3)
            connection.sendall(b"still open")


def test_refused_names_host_and_port() -> None:
    with serving(lambda connection: None) as port:
        pass
    with Guard(None, 5) as guard, pytest.raises(HostRefused, match=f"127.0.0.1 refused the connection at port {port}"):
        guard.connect("127.0.0.1", port)


def test_slow_but_steady_is_no_stall() -> None:
    """What takes longer than the limit in all goes on, as long as something moves."""
    received = bytearray()
    done = threading.Event()

    def script(connection: object) -> None:
        peer: socket.socket = connection.socket  # type: ignore[attr-defined]
        while block := peer.recv(32768):
            received.extend(block)
            done.wait(0.02)
        done.set()

    size = 3_000_000
    start = time.monotonic()
    with serving(script) as port, Guard(None, 0.5) as guard:
        with guard.connect("127.0.0.1", port) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            guard.send(connection, bytes(size))
        assert done.wait(20)
    assert time.monotonic() - start > 0.5, "not slow enough to tell anything"
    assert len(received) == size


@pytest.mark.parametrize("wait", [0, -1, float("nan")])
def test_a_limit_must_be_one(wait: float) -> None:
    with pytest.raises(InvalidInput):
        Guard(None, wait)


def test_what_was_connected_for_a_block_is_closed_at_its_end() -> None:
    """Also where something else, such as TLS, has taken the socket over; the other side may take few at a time."""
    ended = threading.Event()

    def script(connection: Connection) -> None:
        connection.request()  # until the other side closes
        ended.set()

    with serving(script) as port, Guard(None, 30) as guard:
        with guard.connected("127.0.0.1", port) as connection:
            taken_over = socket.socket(fileno=connection.detach())
            taken_over.close()
            assert not ended.wait(0.2), "the guard could still end it"
        assert ended.wait(patience(5))


def test_no_thread_stays() -> None:
    with Guard(None, 5):
        assert any(thread.name == "network-guard" for thread in threading.enumerate())
    end = time.monotonic() + 5
    while any(thread.name == "network-guard" for thread in threading.enumerate()):
        assert time.monotonic() < end
        threading.Event().wait(0.01)
