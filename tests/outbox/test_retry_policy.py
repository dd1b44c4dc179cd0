"""Which failures are tried again: the errors that the protocols really raise against servers that misbehave."""

from __future__ import annotations

import datetime
import errno
import ftplib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from abq_data_entry import network, outbox
from abq_data_entry.network.encryption import CertificateRefused
from abq_data_entry.network.file_transfer import TransferStopped
from abq_data_entry.network.ftp_session import EncryptionMissing
from abq_data_entry.network.rest_answers import RestStatusError
from abq_data_entry.network.secure_shell import ShellConnectionCut
from abq_data_entry.network.sftp_folder import FileRefused
from tests.network.faults import LOGIN_PAGE, Connection, Ftp, http, serving

NOW = datetime.datetime(2026, 11, 21, 20, 15, tzinfo=datetime.timezone.utc)
WAIT = 0.3


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "abq_data_record_2026-11-20.csv"
    path.write_bytes(b"Date,Time\r\n" * 1000)
    return path


def rest_error(file: Path, script: Callable[[Connection], None]) -> BaseException:
    """What a REST delivery to a misbehaving server ends with."""
    with serving(script) as port, pytest.raises(Exception) as caught:
        address = f"http://127.0.0.1:{port}/"
        network.upload_to_corporate_rest(file, address, address, "lab", "secret", timeout=WAIT)
    return caught.value


def ftp_error(file: Path, server: Callable[[Connection], None]) -> BaseException:
    with serving(server) as port, pytest.raises(Exception) as caught:
        network.upload_to_corporate_ftp(file, "127.0.0.1", port, "lab", "secret", timeout=WAIT)
    return caught.value


def answering(*replies: bytes) -> Callable[[Connection], None]:
    def script(connection: Connection) -> None:
        for reply in replies:
            if not connection.request():
                return
            connection.send(reply)

    return script


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 507])
def test_a_server_that_is_busy_or_broken_may_recover(file: Path, status: int) -> None:
    assert outbox.is_transient(rest_error(file, answering(http("200 OK"), http(f"{status} Sorry"))))


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 405, 407, 410, 413, 415, 422])
def test_a_server_that_refuses_will_refuse_again(file: Path, status: int) -> None:
    assert not outbox.is_transient(rest_error(file, answering(http("200 OK"), http(f"{status} No"))))
    assert not outbox.is_transient(rest_error(file, answering(http(f"{status} No"))))


def test_a_login_page_is_no_success_and_stays_one(file: Path) -> None:
    assert not outbox.is_transient(rest_error(file, answering(http("200 OK", LOGIN_PAGE))))
    assert not outbox.is_transient(rest_error(file, answering(http("200 OK"), http("200 OK", LOGIN_PAGE))))


@pytest.mark.parametrize("script", [Connection.stall, Connection.reset], ids=["stalls", "resets"])
def test_rest_connections_that_break_may_hold_tomorrow(file: Path, script: Callable[[Connection], None]) -> None:
    assert outbox.is_transient(rest_error(file, script))


@pytest.mark.parametrize(
    ("command", "reply", "passes"),
    [
        ("USER", "421 too many users", True),
        ("PASS", "530 wrong", False),
        ("PASS", "430 wrong", False),
        ("STOR", "450 busy", True),
        ("STOR", "452 full", True),
        ("STOR", "550 no", False),
        ("STOR", "553 no", False),
        ("STOR", "552 no", False),
    ],
)
def test_ftp_replies(file: Path, command: str, reply: str, passes: bool) -> None:
    assert outbox.is_transient(ftp_error(file, Ftp(replies={command: reply}))) is passes


def test_an_ftp_transfer_that_was_cut_or_stalls_may_pass(file: Path) -> None:
    assert outbox.is_transient(ftp_error(file, Ftp(keep=100, after=lambda control, data: data.reset())))
    assert outbox.is_transient(ftp_error(file, Ftp(keep=100, deletes=False)))  # short, though it says 226
    assert outbox.is_transient(ftp_error(file, Ftp(replies={"PASS": ""})))
    assert not outbox.is_transient(ftp_error(file, Ftp(welcome="SSH-2.0-OpenSSH_9.2")))


def test_nobody_listens(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    address = f"http://127.0.0.1:{port}/"
    with pytest.raises(requests.ConnectionError) as rest:
        network.upload_to_corporate_rest(file, address, address, "lab", "secret")
    with pytest.raises(OSError) as ftp:
        network.upload_to_corporate_ftp(file, "127.0.0.1", port, "lab", "secret")
    assert outbox.is_transient(rest.value) and outbox.is_transient(ftp.value)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (socket.gaierror(socket.EAI_NONAME, "not known"), True),
        (OSError(errno.ENETUNREACH, "no way"), True),
        (EOFError(), True),
        (ssl.SSLEOFError(8, "cut"), True),
        (ssl.SSLCertVerificationError(1, "expired"), False),
        (requests.exceptions.SSLError("certificate"), False),
        (ssl.SSLError(1, "wrong version number"), False),
        (ftplib.error_reply("300 what"), False),
        (network.Cancelled(), False),
        (network.InvalidInput("no host"), False),
        (network.FileChanged("changed"), False),
        (FileNotFoundError(errno.ENOENT, "gone", "extract.csv"), False),
        (OSError(errno.ENOSPC, "full"), False),
        (ZeroDivisionError(), False),
        (CertificateRefused("expired"), False),
        (EncryptionMissing("no TLS"), False),
        (TransferStopped("changed"), False),
        (network.TransferIncomplete("half of it"), True),
        (network.HostKeyUnknown("never seen", "SHA256:abc"), False),
        (network.HostKeyChanged("another"), False),
        (network.LoginRefused("wrong"), False),
        (ShellConnectionCut("cut"), True),
        (FileRefused("no"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_other_errors(error: BaseException, passes: bool) -> None:
    assert outbox.is_transient(error) is passes
    outer = RuntimeError("outer")
    outer.__cause__ = error
    assert outbox.is_transient(outer) is passes


def waits(file: Path, header: str) -> float | None:
    script = answering(http("200 OK"), http("429 Too Many Requests", b"", header))
    return outbox.retry_after(rest_error(file, script), NOW)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        ("0", None),
        ("Sat, 21 Nov 2026 20:20:00 GMT", 300.0),
        ("Sat, 21 Nov 2026 20:00:00 GMT", None),
        ("9" * 40, 999999999.0),
        ("soon", None),
        ("-5", None),
        ("1e3", None),
    ],
)
def test_how_long_the_server_wants_us_to_wait(file: Path, text: str, seconds: float | None) -> None:
    assert waits(file, f"Retry-After: {text}") == seconds


def test_an_error_without_an_answer_wants_nothing(file: Path) -> None:
    assert outbox.retry_after(ConnectionResetError(), NOW) is None
    assert waits(file, "X-Other: 1") is None


@given(st.text(max_size=40))
def test_no_header_is_too_odd(text: str) -> None:
    response = requests.Response()
    response.status_code = 429
    response.headers["Retry-After"] = text
    found = outbox.retry_after(RestStatusError("busy", response), NOW)
    assert found is None or found >= 0
