"""What an SFTP server says of a file is told, but not the password that it repeats; and a login that was cut."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import paramiko
import pytest

from abq_data_entry.network import describe_failure
from abq_data_entry.network.secure_shell import SftpUploads
from abq_data_entry.outbox import is_transient, login_refused
from tests.network.faults import Connection, serving

PASSWORD = "Gr0undhog-Tuesday"


class _Server(paramiko.ServerInterface):
    def check_auth_password(self, username: str, password: str) -> int:
        return paramiko.AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


class _Repeating(paramiko.SFTPServer):
    """Refuses each request with the password, at the end of a line of this length."""

    length = 0

    def _send_status(self, request_number: int, code: int, desc: str | None = None) -> None:
        super()._send_status(request_number, code, f"{'n' * self.length} {PASSWORD} is what you said")


def _script(length: int, key: paramiko.PKey) -> Any:
    ended = threading.Event()

    def script(client: Connection) -> None:
        transport = paramiko.Transport(client.socket)
        transport.add_server_key(key)
        kind = type("Repeating", (_Repeating,), {"length": length})
        transport.set_subsystem_handler("sftp", kind, paramiko.SFTPServerInterface)
        transport.start_server(ended, _Server())
        transport.join(20)

    return script


@pytest.mark.needs("network")
def test_a_connection_that_is_cut_during_the_login_is_no_wrong_password(tmp_path: Path) -> None:
    key, path, known = paramiko.ECDSAKey.generate(), tmp_path / "day.csv", tmp_path / "known_hosts"
    path.write_bytes(b"x" * 100)

    def script(client: Connection) -> None:
        class Cutting(_Server):
            def check_auth_password(self, username: str, password: str) -> int:
                client.socket.shutdown(socket.SHUT_RDWR)
                return paramiko.AUTH_FAILED

        transport = paramiko.Transport(client.socket)
        transport.add_server_key(key)
        transport.start_server(threading.Event(), Cutting())
        transport.join(20)

    with serving(script) as port:
        known.write_text(f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")
        to = SftpUploads("127.0.0.1", port, "lab-a", PASSWORD, known, timeout=10)
        with to as opened, pytest.raises(OSError, match="ended the connection during the login") as caught:
            opened.upload(path)
    assert is_transient(caught.value) and not login_refused(caught.value)


@pytest.mark.needs("network")
@pytest.mark.parametrize("folder", ["", "plants/incoming"])
@pytest.mark.parametrize("length", [5, 260, 290])
def test_a_password_that_the_server_repeats_is_shown_nowhere(tmp_path: Path, folder: str, length: int) -> None:
    key, path = paramiko.ECDSAKey.generate(), tmp_path / "day.csv"
    path.write_bytes(b"x" * 100)
    known = tmp_path / "known_hosts"
    with serving(_script(length, key)) as port:
        known.write_text(f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")
        to = SftpUploads("127.0.0.1", port, "lab-a", PASSWORD, known, folder=folder, timeout=10)
        with to as opened, pytest.raises(OSError) as caught:
            opened.upload(path)
    told = describe_failure(caught.value)
    assert "The server said: " in told
    assert "Gr0und" not in told + repr(caught.value)
