"""Real FTP servers that refuse by their own settings: what we make of it, and what the server said below that."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from abq_data_entry.network import FtpUploads, describe_failure
from abq_data_entry.outbox import is_transient, login_refused
from tests.fixtures.disks import small_disk
from tests.network.certificates import Authority
from tests.network.real_servers import PASSWORD, RealServer, proftpd, user_and_group, vsftpd

PLAIN = ("ssl_enable=NO", "force_anon_logins_ssl=NO", "force_anon_data_ssl=NO")
LARGE = 3_000_000  # bytes

Start = Callable[..., AbstractContextManager[RealServer]]


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / "extract.csv"
    path.write_bytes(b"Date,Time\r\n")
    return path


@contextlib.contextmanager
def running(kind: str, trusted: Authority, *lines: str, encrypted: bool = False) -> Iterator[RealServer]:
    certificate = trusted.issue("127.0.0.1")
    if kind == "vsftpd":
        with vsftpd(certificate, *(() if encrypted else PLAIN), *lines) as server:
            yield server
    else:
        with proftpd(certificate, *lines, encrypted=encrypted) as server:
            yield server


def send(server: RealServer, path: Path, trusted: Authority, security: str = "none", **options: object) -> None:
    login = "127.0.0.1", server.port, server.username, PASSWORD
    with FtpUploads(*login, security=security, ca_file=trusted.file, timeout=20.0, **options) as uploads:  # type: ignore[arg-type]
        uploads.upload(path)


def failure(server: RealServer, path: Path, trusted: Authority, security: str = "none") -> BaseException:
    with pytest.raises(Exception) as caught:
        send(server, path, trusted, security)
    assert not login_refused(caught.value)
    return caught.value


@contextlib.contextmanager
def logged_in(server: RealServer) -> Iterator[None]:
    """Somebody else's session. The one that looked whether the server listens may still count for a moment."""
    end = time.monotonic() + 20
    reply = b""
    while not reply.startswith(b"230"):
        assert time.monotonic() < end, reply
        with contextlib.suppress(ConnectionError), contextlib.ExitStack() as stack:
            other = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            lines = stack.enter_context(other.makefile("rwb"))
            for command in ("", f"USER {server.username}\r\n", f"PASS {PASSWORD}\r\n"):
                lines.write(command.encode())
                lines.flush()
                reply = lines.readline()
            if reply.startswith(b"230"):
                yield


@pytest.mark.parametrize(
    ("kind", "said"), [("vsftpd", "Anonymous sessions must use encryption"), ("proftpd", "SSL/TLS required")]
)
def test_one_that_insists_on_encryption_names_the_setting(
    kind: str, said: str, trusted: Authority, extract: Path
) -> None:
    with running(kind, trusted, encrypted=True) as server:
        error = failure(server, extract, trusted)
        told = describe_failure(error)
        assert "abq_ftp_security" in told and f"\nThe server said: {said}" in told and not is_transient(error)
        send(server, extract, trusted, "explicit")
        assert [path.name for path in server.folder.iterdir()] == [extract.name]


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        ("vsftpd", "max_clients=1"),
        ("vsftpd", "max_per_ip=1"),
        ("proftpd", "MaxClients 1"),
        ("proftpd", "MaxClientsPerHost 1"),
        ("proftpd", "MaxClientsPerUser 1"),
        ("proftpd", "MaxConnectionsPerHost 1"),
    ],
)
def test_one_that_has_too_many_connections_is_asked_later(
    kind: str, limit: str, trusted: Authority, extract: Path
) -> None:
    with running(kind, trusted, limit) as server:
        with logged_in(server):
            error = failure(server, extract, trusted)
        told = describe_failure(error)
        assert is_transient(error) and "too many connections at the moment" in told
        assert re.search(r"\nThe server said: .*(too many|maximum number)", told), told


@pytest.mark.parametrize(
    ("kind", "lines"),
    [("vsftpd", "cmds_denied=PASV"), ("proftpd", "<Limit PASV>\nDenyAll\n</Limit>")],
)
def test_one_without_pasv_is_asked_by_epsv(kind: str, lines: str, trusted: Authority, extract: Path) -> None:
    with running(kind, trusted, lines) as server:
        send(server, extract, trusted)
        assert [path.read_bytes() for path in server.folder.iterdir()] == [extract.read_bytes()]
        if kind == "proftpd":
            assert '"PASV" 5' in server.commands and '"EPSV" 229' in server.commands


def test_one_without_any_passive_mode_names_the_setting(trusted: Authority, extract: Path) -> None:
    with running("vsftpd", trusted, "pasv_enable=NO") as server:
        error = failure(server, extract, trusted)
        told = describe_failure(error)
        assert "passive" in told and "abq_ftp_passive" in told
        assert re.search(r"\nThe server said: (Permission denied|Command not implemented)", told)  # by its version
        assert not is_transient(error)
        send(server, extract, trusted, passive=False)
        assert [path.name for path in server.folder.iterdir()] == [extract.name]


@pytest.mark.parametrize("security", ["none", "explicit"])
def test_one_that_takes_no_more_says_so(security: str, trusted: Authority, extract: Path) -> None:
    """The reason comes after a broken data connection (with Python 3.13 too, where TLS hides it)."""
    extract.write_bytes(b"x" * LARGE)
    with running("proftpd", trusted, "MaxStoreFileSize 1 Mb", encrypted=security != "none") as server:
        error = failure(server, extract, trusted, security)
        told = describe_failure(error)
        assert "(552)" in told and "\nThe server said: Transfer aborted. File too large" in told
        assert not is_transient(error) and not list(server.folder.iterdir())


@pytest.mark.parametrize("kind", ["vsftpd", "proftpd"])
@pytest.mark.parametrize("security", ["none", "explicit"])
def test_one_whose_disk_is_full_is_tried_later_and_keeps_nothing(
    kind: str, security: str, trusted: Authority, extract: Path
) -> None:
    with (
        running(kind, trusted, encrypted=security != "none") as server,
        small_disk(server.folder, "1m", user_and_group()),
    ):
        large = extract.with_name("large.csv")
        large.write_bytes(b"x" * LARGE)
        error = failure(server, large, trusted, security)
        assert is_transient(error) and re.search(r"\(45[12]\).*\nThe server said: \w", describe_failure(error))
        assert not list(server.folder.iterdir())
        send(server, extract, trusted, security)
        assert [path.name for path in server.folder.iterdir()] == [extract.name]
