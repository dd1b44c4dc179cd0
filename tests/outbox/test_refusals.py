"""Which failures mean that the login was refused: told from others on real connections."""

from __future__ import annotations

from pathlib import Path

import paramiko
import pytest

from abq_data_entry import network
from abq_data_entry.outbox import login_refused, unknown_host_key
from tests.network.faults import LOGIN_PAGE, Connection, Ftp, http, serving


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "extract.csv"
    made.write_bytes(b"content")
    return made


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (http("401 Unauthorized"), True),
        (http("403 Forbidden"), True),
        (http("200 OK", LOGIN_PAGE), True),
        (http("404 Not Found"), False),
        (http("413 Too Large"), False),
        (http("503 Busy"), False),
        (b"", False),
    ],
)
def test_rest(file: Path, answer: bytes, refused: bool) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(answer)

    with serving(script) as port, pytest.raises(network.requests.RequestException) as caught:
        url = f"http://127.0.0.1:{port}/"
        network.upload_to_corporate_rest(file, url, url, "lab", "secret")
    assert login_refused(caught.value) is refused


@pytest.mark.parametrize(("refuses_login", "refused"), [(True, True), (False, False)])
def test_rest_that_says_so_with_a_success(file: Path, refuses_login: bool, refused: bool) -> None:
    """Only what answers the login is about the login; a file that isn't wanted asks nobody for a password."""

    def script(connection: Connection) -> None:
        said = http("200 OK", b'{"success": false, "message": "not today"}', "Content-Type: application/json")
        for answer in (said,) if refuses_login else (http("200 OK"), said):
            connection.request()
            connection.send(answer)

    with serving(script) as port, pytest.raises(network.requests.HTTPError, match="not today") as caught:
        url = f"http://127.0.0.1:{port}/"
        network.upload_to_corporate_rest(file, url, url, "lab", "secret")
    assert login_refused(caught.value) is refused


@pytest.mark.parametrize(
    ("command", "reply", "refused"),
    [
        ("PASS", "530 no", True),
        ("PASS", "430 no", True),
        ("PASS", "421 later", False),
        ("STOR", "550 no", False),
        ("STOR", "553 no", False),
    ],
)
def test_ftp(file: Path, command: str, reply: str, refused: bool) -> None:
    with serving(Ftp(replies={command: reply})) as port, pytest.raises(network.ftp.all_errors) as caught:
        network.upload_to_corporate_ftp(file, "127.0.0.1", port, "lab", "secret")
    assert login_refused(caught.value) is refused


def test_sftp() -> None:
    from abq_data_entry.network.secure_shell import HostKeyUnknown

    assert login_refused(network.LoginRefused("no"))
    unknown = HostKeyUnknown("not known yet", "SHA256:abc")
    assert not login_refused(unknown) and not login_refused(paramiko.SSHException("no"))
    assert unknown_host_key(unknown) == "SHA256:abc"
    assert unknown_host_key(paramiko.SSHException("no")) == "" == unknown_host_key(None)


def test_none_is_no_refusal() -> None:
    assert not login_refused(None) and not login_refused(ValueError("login"))
