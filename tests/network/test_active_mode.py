"""Who connects for the data: we (passive) or the server (active), by IPv4 and IPv6, with and without encryption."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abq_data_entry import network
from tests.fixtures.servers import bundled_server
from tests.pace import patience

from .certificates import Authority, authority
from .faults import Connection, Ftp, serving
from .real_servers import PASSWORD, proftpd, vsftpd

HOSTS = {"IPv4": "127.0.0.1", "IPv6": "::1"}


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / "abq_data_record_2026-11-21.csv"
    path.write_bytes(bytes(range(256)) * 40_000)
    return path


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> str:
    found = HOSTS[request.param]
    try:
        socket.create_server((found, 0), family=socket.AF_INET6 if ":" in found else socket.AF_INET).close()
    except OSError:
        pytest.skip(f"this machine has no {request.param}")
    return found


@contextlib.contextmanager
def running(kind: str, host: str, trusted: Authority, folder: Path) -> Iterator[tuple[int, Path, tuple[str, str]]]:
    """Yield port, folder, and user with password."""
    if kind.startswith("bundled"):
        words = ["--host", host, *(["--certificate", str(trusted.issue(host))] if "TLS" in kind else [])]
        with bundled_server("basic_ftp_server.py", *words, workspace=folder) as server:
            yield server.port, server.folder, ("test", "test")
        return
    start = vsftpd if kind == "vsftpd" else proftpd
    with start(trusted.issue(host), host=host) as real:
        yield real.port, real.folder, (real.username, PASSWORD)


@pytest.mark.parametrize("passive", [True, False], ids=["passive", "active"])
@pytest.mark.parametrize("kind", ["bundled", "bundled with TLS", "vsftpd", "proftpd"])
def test_the_file_arrives(
    kind: str, passive: bool, host: str, trusted: Authority, extract: Path, tmp_path: Path
) -> None:
    security = "none" if kind == "bundled" else "explicit"
    with running(kind, host, trusted, tmp_path) as (port, folder, login):
        for content in (extract.read_bytes(), b"corrected\r\n"):
            extract.write_bytes(content)
            network.upload_to_corporate_ftp(
                extract, host, port, *login, security=security, ca_file=trusted.file, passive=passive
            )
            assert {path.name: path.read_bytes() for path in folder.iterdir()} == {extract.name: content}


class Active(Ftp):
    """A server that connects to us: from `source`, and then from its own address; never where `connects` is false."""

    connects = True
    source: str | None = None
    told = ""

    def __call__(self, control: Connection) -> None:
        given = control.until

        def until(mark: bytes) -> bytes:
            line = given(mark)
            if line.startswith(b"PORT "):
                numbers = line[5:].decode().strip().split(",")
                self.place = ".".join(numbers[:4]), int(numbers[4]) * 256 + int(numbers[5])
                control.send(b"200 fine\r\n")
                return until(mark)
            if line.startswith(b"STOR "):
                return self.store(control, line.decode().strip().partition(" ")[2], lambda: until(mark))
            return line

        control.until = until  # type: ignore[method-assign]
        super().__call__(control)

    def store(self, control: Connection, name: str, following: Callable[[], bytes]) -> bytes:
        control.send(b"150 I am coming\r\n")
        if self.source is not None:
            with socket.create_connection(self.place, source_address=(self.source, 0)) as stranger:
                stranger.settimeout(5)
                self.told = repr(stranger.recv(10))
        if self.connects:
            with socket.create_connection(self.place) as data:
                content = b""
                while block := data.recv(65536):
                    content += block
            self.files[name] = content
            control.send(b"226 stored\r\n")
        elif self.told == "":
            control.send(b"425 a firewall is in the way\r\n")
        return following()


def send(server: Ftp, extract: Path, **options: object) -> None:
    with serving(server) as port:
        network.upload_to_corporate_ftp(
            extract, "127.0.0.1", port, "lab", "secret", passive=False, **options  # type: ignore[arg-type]
        )  # fmt: skip


def test_nobody_but_the_server_gets_the_file(extract: Path) -> None:
    server = Active()
    server.source = "127.0.0.3"
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.3", 0)):
        send(server, extract)
        assert server.told == "b''", "a stranger was sent something"
        assert server.files == {extract.name: extract.read_bytes()}
        return
    pytest.skip("this machine has no 127.0.0.3")


def test_server_that_cannot_connect_says_so(extract: Path) -> None:
    server = Active()
    server.connects = False
    start = time.monotonic()
    with pytest.raises(network.ftp.error_temp) as caught:
        send(server, extract)
    assert "A firewall may be in the way" in network.describe_failure(caught.value)
    assert time.monotonic() - start < patience(5)


@pytest.mark.parametrize("ends", ["time", "cancel"])
def test_server_that_never_connects(ends: str, extract: Path) -> None:
    server = Active()
    server.connects, server.told = False, "nothing"
    cancel = threading.Event()
    if ends == "cancel":
        timer = threading.Timer(0.3, cancel.set)
        timer.daemon = True
        timer.start()
    with pytest.raises(network.Cancelled if ends == "cancel" else TimeoutError):
        send(server, extract, cancel=cancel, timeout=0.5 if ends == "time" else 30.0)


def test_server_that_refuses_active_mode(extract: Path) -> None:
    server = Ftp(replies={"PORT": "500 passive only"})
    with pytest.raises(network.ftp.error_perm):
        send(server, extract)
    assert server.files == {}


def test_certificate_of_who_connects_is_verified(extract: Path, trusted: Authority, tmp_path: Path) -> None:
    stranger = authority("Somebody Else", tmp_path).issue("127.0.0.1")

    class Impostor(Active):
        def store(self, control: Connection, name: str, following: Callable[[], bytes]) -> bytes:
            control.send(b"150 I am coming\r\n")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(stranger)
            with contextlib.suppress(OSError), socket.create_connection(self.place) as data:
                self.told = repr(context.wrap_socket(data, server_side=True).recv(10))
            control.send(b"426 no\r\n")
            return following()

    server = Impostor(certificate=trusted.issue("127.0.0.1"))
    with pytest.raises(ssl.SSLError):
        send(server, extract, security="explicit", ca_file=trusted.file)
    assert server.told == "" and server.files == {}
