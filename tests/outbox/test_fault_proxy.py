"""Faults on the way to real servers: after each attempt the destination has the whole file once or not at all, and the
outbox says which; in the end it has it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from abq_data_entry import network
from abq_data_entry.outbox import Delivery, Outbox, Send, deliver, retry
from tests.fixtures.servers import bundled_server
from tests.network.certificates import Authority, authority
from tests.network.fault_proxy import Fault
from tests.network.proxied_servers import Server, behind_the_proxy
from tests.network.real_servers import PASSWORD, vsftpd
from tests.outbox.conftest import DATE, FTP, NAME, REST, Extract

CONTENT = b"Date,Time,Technician\r\n" + b"2026-11-20,8:00,J Simms\r\n" * 20_000
KINDS = ("rest", "bundled", "vsftpd", "proftpd", "sshd")
PATIENCE = 1.0
FAULTS = {
    "the first two connections refused": [Fault("refuse", times=2)],
    "cut before the greeting": [Fault("cut", 0, up=False)],
    "cut in the greeting": [Fault("cut", 30, up=False)],
    "cut early on the way there": [Fault("cut", 20)],
    "reset while the file is sent": [Fault("reset", 100_000, data=True)],
    "everything lost while the file is sent": [Fault("lose", 100_000, data=True)],
    "cut while the file is sent": [Fault("cut", 300_000, data=True)],
    "stalls while the file is sent": [Fault("stall", 100_000, data=True)],
    "answers stall": [Fault("stall", 60, up=False)],
    "twice lost": [Fault("lose", 200_000, data=True), Fault("reset", 100_000, data=True)],
}


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority("Lab Authority", tmp_path_factory.mktemp("trusted"))


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest, trusted: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with behind_the_proxy(request.param, trusted, tmp_path_factory.mktemp("server"), PATIENCE) as running:
        yield running


@pytest.fixture(autouse=True)
def empty_destination(request: pytest.FixtureRequest) -> None:
    if "server" in request.fixturenames:
        running: Server = request.getfixturevalue("server")
        for path in running.folder.iterdir():
            path.unlink()
        running.proxy.faults.clear()
        running.proxy.happened.clear()


def by(server: Server, **options: object) -> Send:
    def send(path: Path, *, name: str, progress: object, cancel: threading.Event) -> None:
        with server.uploads(**options) as uploads:
            uploads.upload(path, identifier=path.parent.name, cancel=cancel)

    return send


def until_delivered(box: Outbox, delivery: Delivery, server: Server) -> int:
    """Make attempts until it has arrived; return how many it took."""
    for attempt in range(1, 6):
        after, error = deliver(box, delivery, by(server))
        assert after.state in ("waiting", "delivered"), after.reason
        present = server.files().get(NAME)
        if server.kind == "bundled" and after.state == "waiting":  # nothing can be renamed or removed there
            assert CONTENT.startswith(present or b"")
        else:
            assert present in (None, CONTENT), "half a file is at the destination"
        if after.state == "delivered":
            assert error is None and present == CONTENT
            return attempt
        assert after.planned is not None and after.reason and after.attempts[-1].outcome == after.reason
        retry(box, after)
    raise AssertionError(after.reason)


@pytest.mark.parametrize("name", FAULTS)
def test_arrives_whole_and_once(name: str, server: Server, box: Outbox) -> None:
    one_connection = server.kind in ("rest", "sshd")
    for fault in FAULTS[name]:
        server.proxy.faults.append(replace(fault, data=fault.data and not one_connection))
    delivery = box.add(Extract(CONTENT), DATE, REST if server.kind == "rest" else FTP, "lab")
    until_delivered(box, delivery, server)
    assert server.proxy.happened.is_set(), "the fault never happened"
    wait_until_nothing_else_is_there(server)


@pytest.mark.parametrize(
    ("server", "mark", "nth"), [("rest", b"HTTP/1.1 200", 2), ("bundled", b"226 ", 1)], indirect=["server"]
)
def test_answer_lost_after_the_server_has_stored_it(server: Server, mark: bytes, nth: int, box: Outbox) -> None:
    server.proxy.faults.append(Fault("reset", up=False, mark=mark, nth=nth))
    delivery = box.add(Extract(CONTENT), DATE, REST if server.kind == "rest" else FTP, "lab")
    attempts = until_delivered(box, delivery, server)
    assert server.proxy.happened.is_set() and attempts == (2 if server.kind == "rest" else 1)
    assert server.files() == {NAME: CONTENT}


@pytest.mark.parametrize("server", ["rest", "bundled"], indirect=True)
def test_one_kilobyte_a_second_is_slow_and_no_fault(server: Server, box: Outbox) -> None:
    content = CONTENT[:3000]
    server.proxy.faults.append(Fault("slow", 500, data=server.kind != "rest"))
    delivery = box.add(Extract(content), DATE, REST if server.kind == "rest" else FTP, "lab")
    after, error = deliver(box, delivery, by(server, timeout=20.0))
    assert (after.state, error) == ("delivered", None) and server.proxy.happened.is_set()
    assert server.files() == {NAME: content}


@pytest.mark.parametrize("kind", ["rest", "ftp"])
@pytest.mark.parametrize(
    ("names", "days", "stranger", "told"),
    [
        (["127.0.0.1"], -1, False, "it has expired"),
        (["elsewhere.example"], 2, False, "it is not for 127.0.0.1"),
        (["127.0.0.1"], 2, True, "its issuer isn't trusted"),
    ],
)
def test_wrong_certificate(
    kind: str, names: list[str], days: int, stranger: bool, told: str, trusted: Authority, box: Outbox, tmp_path: Path
) -> None:
    """Nothing is sent, and nothing is tried again before somebody has looked."""
    issuer = authority("Somebody Else", tmp_path) if stranger else trusted
    certificate = issuer.issue(*names, days=days)
    with ExitStack() as stack:
        if kind == "rest":
            folder = tmp_path / "received"
            words = ("--certificate", str(certificate), "--save-to", str(folder))
            folder.mkdir()
            running = stack.enter_context(bundled_server("sample_http_server.py", *words, workspace=tmp_path))
            url = f"https://127.0.0.1:{running.port}"

            def opened() -> network.Uploads:
                return network.RestUploads(f"{url}/upload", f"{url}/auth", "lab", "x", ca_file=trusted.file)
        else:
            real = stack.enter_context(vsftpd(certificate))
            folder = real.folder

            def opened() -> network.Uploads:
                return network.FtpUploads(
                    "127.0.0.1", real.port, real.username, PASSWORD, security="explicit", ca_file=trusted.file
                )

        def send(path: Path, *, name: str, progress: object, cancel: threading.Event) -> None:
            with opened() as uploads:
                uploads.upload(path, identifier=path.parent.name, cancel=cancel)

        delivery = box.add(Extract(CONTENT), DATE, REST if kind == "rest" else FTP, "lab")
        after, _error = deliver(box, delivery, send)
        assert not list(folder.iterdir())
    assert after.state == "failed" and after.planned is None
    assert told in after.reason and "Nothing was sent" in after.reason
    assert box.is_whole(after)


def wait_until_nothing_else_is_there(server: Server) -> None:
    waiting = threading.Event()
    for _ in range(300):
        # the bundled REST server keeps what it receives under a name with a dot, until that connection ends
        if {name: content for name, content in server.files().items() if name[0] != "."} == {NAME: CONTENT}:
            return
        waiting.wait(0.02)
    raise AssertionError(sorted(server.files()))
