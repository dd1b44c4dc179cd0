"""Deliveries by FTP over TLS: to vsftpd, ProFTPD and the bundled server as they are, and to servers that misbehave."""

import os
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest

from abq_data_entry import network
from abq_data_entry.network import encryption
from tests.pace import patience

from .certificates import Authority, authority
from .faults import Connection, Ftp, Script, serving
from .real_servers import PASSWORD, RealServer, proftpd, vsftpd


class Start(Protocol):
    def __call__(self, certificate: Path, *lines: str) -> AbstractContextManager[RealServer]: ...


IMPLICIT = {"vsftpd": "implicit_ssl=YES", "proftpd": "TLSOptions UseImplicitSSL"}


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / "abq_data_record_2026-11-21.csv"
    path.write_bytes(bytes(range(256)) * 40_000)  # more than the buffers of a connection hold
    os.utime(path, (1_000_000_000, 1_000_000_000))
    return path


def send(server: RealServer, path: Path, trusted: Authority, **options: object) -> None:
    network.upload_to_corporate_ftp(
        path, "127.0.0.1", server.port, server.username, PASSWORD, ca_file=trusted.file, **options  # type: ignore[arg-type]
    )  # fmt: skip


def files(server: RealServer) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in server.folder.iterdir()}


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def version(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Limit our side to one version of TLS."""
    original = encryption.verified_context

    def limited(ca_file: Path, client_certificate: str = "") -> ssl.SSLContext:
        context = original(ca_file, client_certificate)
        context.maximum_version = ssl.TLSVersion[request.param]
        return context

    monkeypatch.setattr(encryption, "verified_context", limited)
    yield request.param


@pytest.mark.parametrize("start", [vsftpd, proftpd])
@pytest.mark.parametrize("security", ["explicit", "implicit"])
def test_servers_that_want_the_session_again(
    start: Start, security: str, version: str, trusted: Authority, extract: Path
) -> None:
    lines = [IMPLICIT["proftpd" if start is proftpd else "vsftpd"]] if security == "implicit" else []
    with start(trusted.issue("127.0.0.1"), *lines) as server:
        send(server, extract, trusted, security=security)
        assert files(server) == {extract.name: extract.read_bytes()}
        if start is proftpd:  # it knows MFMT
            assert (server.folder / extract.name).stat().st_mtime == 1_000_000_000
        extract.write_bytes(b"corrected\r\n")
        send(server, extract, trusted, security=security)  # both refuse to overwrite or do it: one file in the end
        assert files(server) == {extract.name: b"corrected\r\n"}


def test_a_server_that_supports_hash(trusted: Authority, extract: Path) -> None:
    with proftpd(trusted.issue("127.0.0.1"), "LoadModule mod_digest.c") as server:
        send(server, extract, trusted, security="explicit")
        assert f"HASH {extract.name}" in server.commands and "PASS" in server.commands
        assert files(server) == {extract.name: extract.read_bytes()}


def words(error: BaseException) -> str:
    """The error in words; it holds nothing of what led to it, and no password."""
    assert error.__context__ is None and error.__cause__ is None
    text = network.describe_failure(error)
    assert PASSWORD not in "".join([text, str(error), repr(error), *traceback.format_exception(error)])
    return text


def failing(port: int, path: Path, ca_file: Path, **options: object) -> str:
    with pytest.raises(Exception) as caught:
        network.upload_to_corporate_ftp(
            path, "127.0.0.1", port, "alice", PASSWORD, ca_file=ca_file, **options  # type: ignore[arg-type]
        )  # fmt: skip
    assert isinstance(caught.value, network.ftp.all_errors)
    return words(caught.value)


@pytest.mark.parametrize("security", ["explicit", "implicit"])
@pytest.mark.parametrize(
    ("names", "days", "stranger", "told"),
    [
        (["127.0.0.1"], -1, False, "it has expired"),
        (["ftp.abq.example", "::1"], 2, False, "it is not for 127.0.0.1. It names ftp.abq.example, ::1, was issued"),
        (["127.0.0.1"], 2, True, "its issuer isn't trusted"),
    ],
)
def test_certificate_refused(
    names: list[str], days: int, stranger: bool, told: str, security: str, trusted: Authority, extract: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    issuer = authority("Somebody Else", tmp_path) if stranger else trusted
    lines = [IMPLICIT["proftpd"]] if security == "implicit" else []
    with proftpd(issuer.issue(*names, days=days), *lines) as server:
        text = failing(server.port, extract, trusted.file, security=security)
        assert text.startswith("The certificate of 127.0.0.1 can't be trusted: ")
        assert told in text and f"issued by {issuer.name}, and is valid from 20" in text and "abq_ca_file" in text
        assert not files(server)
        assert "USER" not in server.commands and "PASS" not in server.commands


def test_certificate_of_the_data_connection_is_verified_too(trusted: Authority, extract: Path, tmp_path: Path) -> None:
    class Impostor(Ftp):
        def _accepted(self, listener: socket.socket) -> socket.socket:
            self.certificate = authority("Somebody Else", tmp_path).issue("127.0.0.1")
            return super()._accepted(listener)

    server = Impostor(certificate=trusted.issue("127.0.0.1"))
    with serving(server) as port:
        assert "certificate can't be trusted" in failing(port, extract, trusted.file, security="explicit")
    assert not any(server.files.values())


def test_server_without_encryption(extract: Path, trusted: Authority) -> None:
    server = Ftp()
    with serving(server) as port:
        text = failing(port, extract, trusted.file, security="explicit")
    assert "127.0.0.1 offers no encryption (it answered 502), so nothing was sent, not even the user name" in text
    assert server.commands == ["AUTH TLS"]


def test_server_without_encryption_from_the_start(extract: Path, trusted: Authority) -> None:
    server = Ftp()
    with serving(server) as port:
        assert "doesn't speak TLS" in failing(port, extract, trusted.file, security="implicit", timeout=2)
    assert not any("alice" in command for command in server.commands)


def test_server_that_would_send_the_file_in_the_clear(extract: Path, trusted: Authority) -> None:
    server = Ftp(certificate=trusted.issue("127.0.0.1"), replies={"PROT": "534 no"})
    with serving(server) as port:
        assert "doesn't encrypt files (it answered 534)" in failing(port, extract, trusted.file, security="explicit")
    assert not any(command.startswith("STOR") for command in server.commands)


@pytest.mark.parametrize("ends_tls", [True, False])
def test_commands_on_the_wire(extract: Path, trusted: Authority, ends_tls: bool) -> None:
    """What is slipped in before the encryption begins has no effect; a server may end TLS properly or just hang up."""
    server = Ftp(certificate=trusted.issue("127.0.0.1"), ends_tls=ends_tls)
    with serving(server) as port:
        network.upload_to_corporate_ftp(
            extract, "127.0.0.1", port, "alice", PASSWORD, security="explicit", ca_file=trusted.file
        )
    assert server.commands[:5] == ["AUTH TLS", "USER alice", f"PASS {PASSWORD}", "PBSZ 0", "PROT P"]
    assert server.files == {extract.name: extract.read_bytes()}


def test_tls_to_a_plain_port_is_said(extract: Path, trusted: Authority) -> None:
    with serving(Ftp()) as port:
        assert "doesn't speak TLS" in failing(port, extract, trusted.file, security="implicit")


@pytest.mark.parametrize("security", ["none", "explicit"])
def test_plain_to_a_port_of_tls_is_said(security: str, extract: Path, trusted: Authority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted.issue("127.0.0.1"))

    def script(connection: Connection) -> None:
        with context.wrap_socket(connection.socket, server_side=True):
            connection.stall()

    with serving(script) as port:
        told = failing(port, extract, trusted.file, security=security, timeout=2)
    assert f"speaks TLS from the start at port {port}" in told and "abq_ftp_security to implicit" in told


def test_reason_of_the_server_when_the_data_breaks(extract: Path, trusted: Authority) -> None:
    def after(control: Connection, data: Connection) -> None:
        data.reset()

    server = Ftp(
        certificate=trusted.issue("127.0.0.1"), keep=1000, after=after, replies={"226": "552 full"}, files={"x": b"y"}
    )
    with serving(server) as port:
        assert "takes no more of this user (552)" in failing(port, extract, trusted.file, security="explicit")
    assert server.files == {"x": b"y"}


def stall_after_auth(connection: Connection) -> None:
    connection.send(b"220 hello\r\n")
    connection.until(b"\r\n")
    connection.send(b"234 go on\r\n")
    connection.stall()


@pytest.mark.parametrize(
    ("script", "security"), [(stall_after_auth, "explicit"), (lambda connection: connection.stall(), "implicit")]
)
def test_stalled_handshake(script: Script, security: str, extract: Path, trusted: Authority) -> None:
    with serving(script) as port:
        text = failing(port, extract, trusted.file, security=security, timeout=0.5)
    assert "didn't answer in time" in text


def test_cancel_while_sending(extract: Path, trusted: Authority) -> None:
    cancel = threading.Event()
    at: list[float] = []

    def after(control: Connection, data: Connection) -> None:
        at.append(time.monotonic())
        cancel.set()
        data.stall()

    server = Ftp(certificate=trusted.issue("127.0.0.1"), keep=1000, after=after, files={extract.name: b"old"})
    with serving(server) as port:
        with pytest.raises(network.Cancelled):
            network.upload_to_corporate_ftp(
                extract, "127.0.0.1", port, "alice", PASSWORD, security="explicit", ca_file=trusted.file, cancel=cancel
            )
        assert time.monotonic() - at[0] < patience(0.5)
        assert server.deleted.wait(5)  # in the background
    assert server.files == {extract.name: b"old"}


def test_encrypted_unless_it_is_this_machine() -> None:
    assert [network.ftp_security(host, "") for host in ("localhost", "127.0.0.1", "::1")] == ["none"] * 3
    assert network.ftp_security("ftp.abq.example", "") == network.ftp_security("192.0.2.1", None) == "explicit"
    assert network.ftp_security("ftp.abq.example", "none") == "none"
    with pytest.raises(network.InvalidInput, match="one of none, explicit, implicit"):
        network.ftp_security("ftp.abq.example", "ssl")


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_ca_file_that_is_none(content: bytes | None, tmp_path: Path, extract: Path) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(network.InvalidInput, match="abq_ca_file"):
        network.upload_to_corporate_ftp(extract, "h.invalid", 21, "alice", PASSWORD, ca_file=file)
