"""Connections that break in the middle of a file: the transfer goes on where it stopped, to real servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abq_data_entry import network
from abq_data_entry.network.secure_shell import SftpStore

from .certificates import Authority
from .fault_proxy import Fault
from .faults import Connection, Ftp, serving
from .proxied_servers import Server, behind_the_proxy
from .real_servers import user_and_group

SIZE = 12_000_000
IDENTIFIER = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / "abq_data_record_2026-11-21.csv"
    path.write_bytes(array("Q", range(SIZE // 8)).tobytes())  # no two places alike
    return path


def send(server: Server, path: Path, *, lose_after: tuple[int, ...] = (), **options: object) -> None:
    """Send the file; after so many bytes of each connection in turn the network is lost for a moment."""
    server.proxy.faults += [Fault("lose", after, data=server.kind != "sshd") for after in lose_after]
    with server.uploads() as uploads:
        uploads.upload(path, **options)  # type: ignore[arg-type]
    assert not any(fault.times for fault in server.proxy.faults), "the network was never lost"


KINDS = ("bundled", "bundled with TLS", "vsftpd", "proftpd", "proftpd without restarts", "sshd")


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, trusted: Authority, tmp_path: Path) -> Iterator[Server]:
    with behind_the_proxy(request.param, trusted, tmp_path) as running:
        yield running


def test_goes_on_after_the_network_was_lost(server: Server, extract: Path) -> None:
    put_old_file(server, extract.name)
    send(server, extract, lose_after=(6_000_000,))
    assert server.files() == {extract.name: extract.read_bytes()}
    if server.kind == "proftpd without restarts":
        until(lambda: max(server.proxy.counts) >= SIZE)  # this one lets nobody go on
    elif server.kind != "sshd":
        until(lambda: len(server.proxy.counts) == 2)
        assert max(server.proxy.counts) < SIZE, "all of it was sent again"


def test_goes_on_as_often_as_it_gets_further(server: Server, extract: Path) -> None:
    if server.kind == "proftpd without restarts":
        with pytest.raises(network.ftp.all_errors):
            send(server, extract, lose_after=(3_000_000,) * 20)
        assert server.files() == {}
    else:
        send(server, extract, lose_after=(6_000_000, 5_500_000))
        assert server.files() == {extract.name: extract.read_bytes()}


def test_connection_for_the_data_alone_is_lost(server: Server, extract: Path) -> None:
    if server.kind == "sshd":
        pytest.skip("it has only one connection")
    server.proxy.faults.append(Fault("reset", 6_000_000, data=True))
    send(server, extract)
    assert server.proxy.happened.is_set()
    assert server.files() == {extract.name: extract.read_bytes()}


def lose_for_good(server: Server, path: Path) -> None:
    """An attempt that fails: the network is lost, and stays so."""
    server.proxy.faults.append(Fault("down", 8_000_000, data=server.kind != "sshd"))
    with server.uploads() as uploads, pytest.raises(Exception) as caught:
        uploads.upload(path, identifier=IDENTIFIER)
    assert not isinstance(caught.value, network.Cancelled) and server.proxy.is_down
    server.proxy.is_down = False


@pytest.mark.parametrize("kind", ["vsftpd", "proftpd", "sshd"])
def test_next_attempt_goes_on_with_what_the_last_one_left(
    kind: str, trusted: Authority, tmp_path: Path, extract: Path
) -> None:
    with behind_the_proxy(kind, trusted, tmp_path) as server:
        put_old_file(server, extract.name)
        lose_for_good(server, extract)
        kept = [name for name in server.files() if name.endswith(".part")]
        assert len(kept) == 1 and server.files()[extract.name] == b"the old one"
        begun: list[int] = []
        with server.uploads() as uploads:  # as another process would, after a restart
            uploads.upload(extract, identifier=IDENTIFIER, progress=lambda sent, total: begun.append(sent))
        assert server.files() == {extract.name: extract.read_bytes()}
        assert begun[0] > 2_000_000, "all of it was sent again"


ROOT = Path(__file__).resolve().parents[2]
KILLED = """
import json, sys
from abq_data_entry import network
name, arguments, options, path, identifier = json.loads(sys.argv[1])
with getattr(network, name)(*arguments, **options) as uploads:
    uploads.upload(path, identifier=identifier)
"""


@pytest.mark.parametrize("kind", ["vsftpd", "sshd"])
def test_goes_on_with_what_a_killed_program_left(kind: str, trusted: Authority, tmp_path: Path, extract: Path) -> None:
    with behind_the_proxy(kind, trusted, tmp_path) as server:
        server.proxy.faults.append(Fault("stall", 8_000_000, data=kind != "sshd"))
        task = [server.name, server.arguments, server.options, str(extract), IDENTIFIER]
        process = subprocess.Popen([sys.executable, "-c", KILLED, json.dumps(task)], cwd=ROOT)
        try:
            assert server.proxy.happened.wait(30)
        finally:
            process.kill()
            process.wait()
        server.proxy.cut_all()
        begun: list[int] = []
        with server.uploads() as uploads:
            uploads.upload(extract, identifier=IDENTIFIER, progress=lambda sent, total: begun.append(sent))
        assert server.files() == {extract.name: extract.read_bytes()}
        assert begun[0] > 2_000_000, "all of it was sent again"


@pytest.mark.parametrize("kind", ["vsftpd", "proftpd", "sshd"])
def test_changed_file_begins_anew(kind: str, trusted: Authority, tmp_path: Path, extract: Path) -> None:
    with behind_the_proxy(kind, trusted, tmp_path) as server:
        lose_for_good(server, extract)
        extract.write_bytes(bytes(SIZE))
        with server.uploads() as uploads:
            uploads.upload(extract, identifier=IDENTIFIER)
        assert server.files()[extract.name] == bytes(SIZE)


@pytest.mark.parametrize("kind", ["vsftpd", "proftpd", "sshd"])
def test_cancel_removes_what_an_earlier_attempt_left(
    kind: str, trusted: Authority, tmp_path: Path, extract: Path
) -> None:
    with behind_the_proxy(kind, trusted, tmp_path) as server:
        lose_for_good(server, extract)
        assert server.files()
        cancel = threading.Event()
        cancel.set()
        with server.uploads() as uploads, pytest.raises(network.Cancelled):
            uploads.upload(extract, identifier=IDENTIFIER, cancel=cancel)
        until(lambda: not server.files())


@pytest.mark.parametrize("kind", ["vsftpd", "sshd"])
def test_larger_than_ours_begins_anew(kind: str, trusted: Authority, tmp_path: Path, extract: Path) -> None:
    with behind_the_proxy(kind, trusted, tmp_path) as server:
        lose_for_good(server, extract)
        (part,) = server.folder.iterdir()
        with part.open("ab") as file:
            file.truncate(SIZE + 1)
        send(server, extract, identifier=IDENTIFIER)
        assert server.files() == {extract.name: extract.read_bytes()}


def test_part_of_something_else_is_found_by_its_digest(trusted: Authority, tmp_path: Path, extract: Path) -> None:
    with behind_the_proxy("proftpd", trusted, tmp_path) as server:
        lose_for_good(server, extract)
        (part,) = server.folder.iterdir()
        with part.open("r+b") as file:
            file.write(b"damaged")
        send(server, extract, identifier=IDENTIFIER)
        assert server.files() == {extract.name: extract.read_bytes()}


def test_small_part_is_removed(trusted: Authority, tmp_path: Path, extract: Path) -> None:
    extract.write_bytes(extract.read_bytes()[:500_000])

    def reset(control: Connection, data: Connection) -> None:
        data.reset()
        control.reset()

    server = Ftp(keep=100_000, after=reset)
    with serving(server) as port, pytest.raises(network.ftp.all_errors):
        network.FtpUploads("127.0.0.1", port, "lab", "x").upload(extract, identifier=IDENTIFIER)
    assert server.files == {}


def test_stored_whole_when_the_answer_was_lost(trusted: Authority, tmp_path: Path, extract: Path) -> None:
    """Its size says that there is nothing more to send."""
    with behind_the_proxy("bundled", trusted, tmp_path) as server:
        server.proxy.faults.append(Fault("reset", up=False, mark=b"226 "))
        send(server, extract)
        assert server.proxy.happened.is_set() and server.proxy.counts == [SIZE]
        assert server.files() == {extract.name: extract.read_bytes()}


def test_transfer_cut_off_after_the_last_byte(extract: Path) -> None:
    """The size says that nothing is missing, so nothing is sent again."""
    server = Ftp(replies={"226": "426 cut"})
    with serving(server) as port:
        network.upload_to_corporate_ftp(extract, "127.0.0.1", port, "lab", "x", timeout=5)
    assert server.files == {extract.name: extract.read_bytes()}
    assert sum(command.startswith("STOR") for command in server.commands) == 1


@pytest.mark.parametrize("ways", [("REST",), ("APPE",), ()])
@pytest.mark.parametrize("replies", [{}, {"SIZE": "502 no"}])
def test_ways_to_continue(ways: tuple[str, ...], replies: dict[str, str], extract: Path) -> None:
    """By REST, else by APPE, else from the beginning; the same where SIZE isn't offered and so nothing is known."""
    extract.write_bytes(extract.read_bytes()[:3_000_000])
    server = Ftp(keep=2_000_000, continues=ways, replies=dict(replies))

    def reset(control: Connection, data: Connection) -> None:
        server.keep = None
        data.reset()
        control.reset()

    server.after = reset
    with serving(server) as port:
        network.upload_to_corporate_ftp(extract, "127.0.0.1", port, "lab", "x", timeout=5)
    assert server.files == {extract.name: extract.read_bytes()}
    continued = [command for command in server.commands if command.split(" ")[0] in ("REST", "APPE")]
    assert bool(continued) == ("SIZE" not in replies)
    assert ("REST 2000000" in continued) == ("SIZE" not in replies)


def put_old_file(server: Server, name: str) -> None:
    if server.kind != "proftpd without restarts" and not server.kind.startswith("bundled"):
        (server.folder / name).write_bytes(b"the old one")
        if os.geteuid() == 0:
            os.chown(server.folder / name, *user_and_group())


def until(condition: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(500):
        if condition():
            return
        waiting.wait(0.02)
    raise AssertionError("it didn't come to that")


def test_step_back_is_more_than_the_window() -> None:
    """What a server of SFTP may hold at once, by the window that OpenSSH gives (2 MiB)."""
    assert SftpStore.step_back >= 2 * 2**20
