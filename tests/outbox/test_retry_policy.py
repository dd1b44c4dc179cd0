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
from abq_data_entry.network.shell_session import FileRefused
from abq_data_entry.outbox import retry_policy
from abq_data_entry.outbox.retry_policy import FIRST_PAUSE, LIMIT, is_due, next_attempt
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


class Said(Exception):
    """An error that says something of itself, as those of `network` do."""

    def __init__(self, **says: object) -> None:
        super().__init__("said")
        vars(self).update(says)


def within(error: BaseException) -> BaseException:
    outer = RuntimeError("outer")
    outer.__cause__ = error
    return outer


def test_what_an_error_says_of_itself_is_found_in_its_causes() -> None:
    refused, unknown = Said(login_refused=True), Said(outcome_unknown=True)
    served, key = Said(served=("a@example.org",)), Said(fingerprint="SHA256:abc")
    for wrap in (lambda error: error, within):
        assert outbox.login_refused(wrap(refused)) and not outbox.login_refused(wrap(unknown))
        assert outbox.outcome_unknown(wrap(unknown)) and not outbox.outcome_unknown(wrap(refused))
        assert retry_policy.served_by(wrap(served)) == ("a@example.org",) and retry_policy.served_by(wrap(key)) == ()
        assert retry_policy.unknown_host_key(wrap(key)) == "SHA256:abc"
        assert retry_policy.unknown_host_key(wrap(served)) == ""
    assert not outbox.login_refused(None) and not outbox.login_refused(Said(login_refused="perhaps"))
    assert retry_policy.served_by(None) == () and retry_policy.unknown_host_key(None) == ""
    assert not outbox.outcome_unknown(Said(outcome_unknown=1))


def test_what_it_says_goes_before_what_python_means() -> None:
    assert outbox.is_transient(Said(transient=True)) and not outbox.is_transient(Said(transient=False))
    assert not outbox.is_transient(Said(transient="perhaps"))
    final = Said(transient=False)
    final.__cause__ = ConnectionResetError()
    assert not outbox.is_transient(final)
    cut = ConnectionResetError()
    cut.__cause__ = Said(transient=False)
    assert not outbox.is_transient(cut)


@pytest.mark.parametrize("number", [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ETIMEDOUT])
def test_a_file_of_this_machine_is_no_connection(number: int) -> None:
    assert outbox.is_transient(OSError(number, "no way"))
    assert not outbox.is_transient(OSError(number, "no way", "extract.csv"))


@pytest.mark.parametrize(
    ("hours", "wanted", "seconds"),
    [(0, None, FIRST_PAUSE), (0, 7200.0, 7200.0), (0, FIRST_PAUSE / 2, FIRST_PAUSE), (-3, None, FIRST_PAUSE),
     (0, LIMIT, LIMIT), (0, LIMIT + 1, None), (23, 3600.0, 3600.0), (23, 3601.0, None), (-3, LIMIT, LIMIT)],
)  # fmt: skip
def test_the_last_moment_of_a_round(hours: int, wanted: float | None, seconds: float | None) -> None:
    planned = next_attempt(NOW, NOW - datetime.timedelta(hours=hours), 1, wanted, 1.0)
    assert planned == (None if seconds is None else NOW + datetime.timedelta(seconds=seconds))


def test_an_attempt_is_due_at_its_very_moment() -> None:
    second = datetime.timedelta(seconds=1)
    assert is_due(NOW, NOW, NOW) and is_due(NOW, None, NOW) and not is_due(NOW, NOW + second, NOW)
    assert is_due(NOW, NOW + second, NOW + second)  # the clock was set back
