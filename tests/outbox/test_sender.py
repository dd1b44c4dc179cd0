"""By which protocol a delivery goes, and where it leads, by the settings."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from abq_data_entry import network, outbox
from abq_data_entry.models import SETTINGS
from abq_data_entry.network.destinations import destination
from tests.network.faults import Connection, Ftp, http, serving
from tests.network.real_servers import sshd
from tests.outbox.conftest import alone


def settings_with(**values: object) -> dict[str, object]:
    return {**{each.name: each.default for each in SETTINGS}, **values}


def test_sftp_in_place_of_ftp_by_the_settings(tmp_path: Path) -> None:
    extract = tmp_path / "extract.csv"
    extract.write_bytes(b"Date,Time\r\n")
    with sshd() as server:
        settings = settings_with(
            abq_transfer="sftp",
            abq_ftp_host="127.0.0.1",
            abq_sftp_port=server.port,
            abq_sftp_key_file=str(server.key_file),
            abq_sftp_known_hosts=str(tmp_path / "known_hosts"),
        )
        assert destination("ftp").place(settings).address == f"127.0.0.1:{server.port}"

        def deliver() -> None:
            send = alone(outbox.sender("ftp", settings, server.username, ""))
            send(extract, name=extract.name, progress=lambda sent, total: None, cancel=threading.Event())

        with pytest.raises(network.HostKeyUnknown) as caught:
            deliver()
        assert "abq_sftp_host_key" in str(caught.value)
        settings["abq_sftp_host_key"] = caught.value.fingerprint
        deliver()
        assert (server.folder / extract.name).read_bytes() == extract.read_bytes()


def test_every_attempt_of_a_delivery_has_the_same_key(tmp_path: Path) -> None:
    seen: list[bytes] = []

    def script(connection: Connection) -> None:
        while request := connection.request():
            seen.append(request)
            connection.send(http("200 OK"))

    keys = []
    with serving(script) as port:
        address = f"http://127.0.0.1:{port}/"
        settings = settings_with(abq_auth_url=address, abq_upload_url=address)
        for folder in ("0123", "0123", "4567"):
            extract = tmp_path / folder / "extract.csv"
            extract.parent.mkdir(exist_ok=True)
            extract.write_bytes(b"Date,Time\r\n")
            alone(outbox.sender("rest", settings, "alice", "secret"))(
                extract, name=extract.name, progress=lambda sent, total: None, cancel=threading.Event()
            )
            found = re.search(rb'Idempotency-Key: "(.*?)"', seen[-1])
            assert found is not None
            keys.append(found[1])
    assert keys == [b"0123", b"0123", b"4567"]


def test_ftp_unless_the_settings_say_otherwise() -> None:
    assert destination("ftp").place(settings_with()).address == "localhost:2100"


def test_one_login_for_all_that_is_sent_within(tmp_path: Path) -> None:
    server = Ftp()
    paths = [tmp_path / "0123" / f"{number}.csv" for number in range(3)]
    paths[0].parent.mkdir()
    with serving(server) as port:
        send = outbox.sender("ftp", settings_with(abq_ftp_host="127.0.0.1", abq_ftp_port=port), "lab", "secret")
        with send:
            for path in paths:
                path.write_bytes(b"Date,Time\r\n")
                send(path, name=path.name, progress=lambda sent, total: None, cancel=threading.Event())
        assert server.left.wait(5)
    assert len(server.files) == 3
    assert server.commands.count("USER lab") == 1
