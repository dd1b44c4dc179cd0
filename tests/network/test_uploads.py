"""Many files over one login: how often one logs in, what becomes of dead connections, and that files don't disturb
each other."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abq_data_entry import network
from tests.fixtures.servers import BundledServer

from .certificates import authority
from .fault_proxy import ADDRESS, fault_proxy
from .faults import Connection, Ftp, http, serving
from .real_servers import PASSWORD, ShellServer, proftpd, sshd

SECRET = "correct horse battery"
FILES = 5


@pytest.fixture
def extracts(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"abq_data_record_2026-11-{day:02}.csv" for day in range(1, FILES + 1)]
    for number, path in enumerate(paths):
        path.write_bytes(b"Date,Time\r\n" * (number + 1))
    return paths


def contents(paths: list[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


def ftp(port: int, **options: object) -> network.FtpUploads:
    return network.FtpUploads("127.0.0.1", port, "alice", SECRET, **options)  # type: ignore[arg-type]


def rest(port: int) -> network.RestUploads:
    return network.RestUploads(f"http://127.0.0.1:{port}/up", f"http://127.0.0.1:{port}/in", "alice", SECRET)


class Rest:
    """A REST service that notes requests and connections; `answers` replaces what it says to the n-th request."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.connections = 0
        self.answers: dict[int, bytes] = {}
        self.before: Callable[[Connection, int], None] = lambda connection, number: None

    def __call__(self, connection: Connection) -> None:
        self.connections += 1
        while request := connection.request():
            self.requests.append(request.split(b" ")[0].decode())
            number = len(self.requests)
            self.before(connection, number)
            connection.send(self.answers.get(number) or http("200 OK", b"", "Set-Cookie: token=1; Path=/"))


def test_rest_logs_in_once(extracts: list[Path]) -> None:
    server = Rest()
    with serving(server) as port, rest(port) as uploads:
        for path in extracts:
            uploads.upload(path)
    assert server.requests == ["POST"] + ["PUT"] * FILES
    assert server.connections == 1


def test_rest_arrives_at_the_bundled_server(rest_server: BundledServer, extracts: list[Path]) -> None:
    with network.RestUploads(rest_server.upload_url, rest_server.auth_url, "test", "test") as uploads:
        for path in extracts:
            uploads.upload(path)
    assert contents(list(rest_server.folder.iterdir())) == contents(extracts)


def test_rest_login_that_expires_between_files(extracts: list[Path]) -> None:
    server = Rest()
    server.answers[4] = http("401 Expired")
    with serving(server) as port, rest(port) as uploads:
        for path in extracts:
            uploads.upload(path)
    assert server.requests == ["POST", "PUT", "PUT", "PUT", "POST", "PUT", "PUT", "PUT"]


@pytest.mark.parametrize("how", ["closed", "reset by the next request"])
def test_rest_connection_that_died_between_files(how: str, extracts: list[Path]) -> None:
    server = Rest()
    cut: list[int] = []

    def before(connection: Connection, number: int) -> None:
        if how == "closed" and number == 3:
            connection.send(http("200 OK"))
            connection.socket.shutdown(socket.SHUT_WR)
            raise ConnectionResetError
        if how != "closed" and number == 3 and not cut:
            cut.append(number)
            connection.reset()
            raise ConnectionResetError

    server.before = before
    with serving(server) as port, rest(port) as uploads:
        for path in extracts:
            uploads.upload(path)
    assert server.requests.count("POST") == 1, "the login is still good"
    assert server.requests.count("PUT") == FILES + len(cut) and server.connections == 2


def test_a_broken_connection_in_the_first_file_is_an_error(extracts: list[Path]) -> None:
    """A second PUT by itself is for connections that somebody left open too long; the rest is the outbox's."""
    server = Rest()

    def before(connection: Connection, number: int) -> None:
        if number == 2:
            connection.reset()
            raise ConnectionResetError

    server.before = before
    with serving(server) as port, rest(port) as uploads:
        with pytest.raises(network.requests.ConnectionError):
            uploads.upload(extracts[0])
        uploads.upload(extracts[1])
    assert server.requests == ["POST", "PUT", "PUT"]


def test_ftp_logs_in_once(extracts: list[Path]) -> None:
    server = Ftp()
    with serving(server) as port:
        with ftp(port) as uploads:
            for path in extracts:
                uploads.upload(path)
            assert "QUIT" not in server.commands
        assert server.left.wait(5)
    assert server.files == contents(extracts)
    assert server.commands.count("USER alice") == 1


def cut_before(command: str) -> type[Ftp]:
    """A server that hangs up at the second command of that kind, without a word."""

    class Dying(Ftp):
        def __call__(self, control: Connection) -> None:
            given = control.until

            def until(mark: bytes) -> bytes:
                line = given(mark)
                seen = [each.split(" ")[0] for each in self.commands].count(command)
                if line.startswith(command.encode()) and seen == 1:
                    self.commands.append(command)
                    control.reset()
                    raise ConnectionResetError
                return line

            control.until = until  # type: ignore[method-assign]
            super().__call__(control)

    return Dying


@pytest.mark.parametrize("command", ["TYPE", "PASV", "STOR"])
def test_ftp_connection_that_died_between_files(command: str, extracts: list[Path]) -> None:
    server = cut_before(command)()
    server.replies["EPSV"] = "500 no"
    with serving(server) as port, ftp(port) as uploads:
        for path in extracts:
            uploads.upload(path)
    assert server.files == contents(extracts)
    assert server.commands.count("USER alice") == 2


def test_ftp_server_that_ends_idle_sessions(extracts: list[Path], tmp_path: Path) -> None:
    trusted = authority("Lab Authority", tmp_path)
    with proftpd(trusted.issue("127.0.0.1"), "TimeoutIdle 3", "LoadModule mod_digest.c") as server:
        with network.FtpUploads(
            "127.0.0.1", server.port, server.username, PASSWORD, security="explicit", ca_file=trusted.file
        ) as uploads:
            for number, path in enumerate(extracts):
                uploads.upload(path)
                if number == 2:
                    assert uploads._session is not None and uploads._session.sock is not None
                    assert select.select([uploads._session.sock], [], [], 20)[0], "it hasn't said that it ends"
        assert contents(list(server.folder.iterdir())) == contents(extracts)
        assert server.commands.count("USER lab") == 2


def test_ftp_cancel_of_one_file_leaves_the_next(extracts: list[Path]) -> None:
    server = Ftp()
    cancelled = threading.Event()
    cancelled.set()
    with serving(server) as port, ftp(port) as uploads:
        uploads.upload(extracts[0], cancel=threading.Event())
        with pytest.raises(network.Cancelled):
            uploads.upload(extracts[1], cancel=cancelled)
        uploads.upload(extracts[2], cancel=threading.Event())
    assert server.files == contents([extracts[0], extracts[2]])


@pytest.mark.parametrize("kind", ["ftp", "rest"])
def test_refused_login_is_not_tried_again(kind: str, extracts: list[Path]) -> None:
    """A thousand wrong logins in a row would lock the user out."""
    logins = []
    if kind == "ftp":
        server = Ftp(replies={"PASS": "530 no"})
        with serving(server) as port, ftp(port) as uploads:
            for path in extracts:
                with pytest.raises(network.ftp.error_perm, match="530"):
                    uploads.upload(path)
        logins = [command for command in server.commands if command.startswith("PASS")]
    else:
        service = Rest()
        service.answers = {number: http("401 No") for number in range(1, 10)}
        with serving(service) as port, rest(port) as uploads:
            for path in extracts:
                with pytest.raises(network.requests.HTTPError, match="401"):
                    uploads.upload(path)
        logins = service.requests
    assert len(logins) == 1


@pytest.fixture(scope="module")
def shell() -> Iterator[ShellServer]:
    with sshd() as running:
        yield running


@pytest.mark.parametrize("dies", [False, True])
def test_sftp_logs_in_once_and_anew_when_the_connection_has_died(
    dies: bool, shell: ShellServer, extracts: list[Path], tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"[{ADDRESS}]:{shell.port} {shell.host_key}\n")
    with (
        fault_proxy(shell.port) as proxy,
        network.SftpUploads(ADDRESS, shell.port, shell.username, "", known, shell.key_file) as uploads,
    ):
        for number, path in enumerate(extracts):
            uploads.upload(path)
            if dies and number == 2:
                proxy.cut_all()
    assert contents(list(shell.folder.iterdir())) == contents(extracts)
    assert proxy.connections == (2 if dies else 1)
    for path in shell.folder.iterdir():
        path.unlink()
