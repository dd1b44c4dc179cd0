"""The FTP and the SFTP server: real ones, and ones that misbehave."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.network import Cancelled
from abq_data_entry.network.probing import OK, Step
from tests.fixtures.ports import free_port
from tests.fixtures.servers import BundledServer
from tests.network.certificates import Authority
from tests.network.faults import Connection, Ftp, Script, serving
from tests.network.real_servers import PASSWORD, proftpd, sshd, vsftpd
from tests.pace import patience

from .conftest import SECRET, Checks, failure, step_of, verdicts


def ftp(check: Checks, port: int, login: str = "", **options: Any) -> list[Step]:
    known = ("lab", login) if login else None
    return check("ftp", login=known, abq_ftp_host="127.0.0.1", abq_ftp_port=port, **options)


def sftp(check: Checks, port: int, known_hosts: Path, **options: Any) -> list[Step]:
    return check(
        "ftp",
        abq_transfer="sftp",
        abq_ftp_host="127.0.0.1",
        abq_sftp_port=port,
        abq_sftp_known_hosts=str(known_hosts),
        **options,
    )


def test_the_bundled_server_keeps_the_tiny_file(check: Checks, ftp_server: BundledServer) -> None:
    assert [step.what for step in ftp(check, ftp_server.port)] == ["Name", "Port", "Greeting", "TLS", "Abilities"]
    steps = check("ftp", ("test", "test"), True, abq_ftp_host="127.0.0.1", abq_ftp_port=ftp_server.port)
    assert set(verdicts(steps).values()) == {OK}
    assert "ABQ sample FTP server" in step_of(steps, "Greeting").text
    assert "MLST" in step_of(steps, "Abilities").text
    (stored,) = ftp_server.folder.iterdir()
    assert stored.name.startswith(".abq-connection-test-") and "It stays there" in steps[-1].advice


def test_proftpd_with_auth_tls(check: Checks, trusted: Authority) -> None:
    with proftpd(trusted.issue("127.0.0.1", days=5)) as server:
        steps = ftp(
            check, server.port, PASSWORD, write=True, abq_ftp_security="explicit", abq_ca_file=str(trusted.file)
        )
        assert set(verdicts(steps).values()) == {OK}
        assert step_of(steps, "TLS").text.startswith("AUTH TLS, TLS 1.")
        assert "ends in 4 days" in step_of(steps, "TLS").advice
        assert "removed again" in steps[-1].text and not list(server.folder.iterdir())
        assert (
            "530"
            in failure(ftp(check, server.port, SECRET, abq_ftp_security="explicit", abq_ca_file=str(trusted.file))).text
        )


def test_vsftpd_encrypted_from_the_start(check: Checks, trusted: Authority) -> None:
    with vsftpd(trusted.issue("127.0.0.1", days=20), "implicit_ssl=YES") as server:
        options: dict[str, Any] = {
            "abq_ftp_host": "127.0.0.1",
            "abq_ftp_port": server.port,
            "abq_ca_file": str(trusted.file),
        }
        steps = check("ftp", ("anonymous", "a@b"), True, abq_ftp_security="implicit", **options)
        assert set(verdicts(steps).values()) == {OK}
        assert "from the start" in step_of(steps, "TLS").text and not list(server.folder.iterdir())


@pytest.mark.parametrize(
    ("server", "security", "what", "words"),
    [
        (Ftp(welcome="220 ready"), "explicit", "Greeting", "offers no encryption"),
        (Ftp(welcome=""), "none", "Greeting", "in time"),
        (Ftp(welcome="421 too many"), "none", "Greeting", "(421)"),
        (Ftp(welcome="HTTP/1.1 400 Bad Request"), "none", "Greeting", "doesn't speak FTP"),
        (Ftp(replies={"PASS": "530 no"}), "none", "Login", "refused the user name or the password"),
        (Ftp(replies={"STOR": "550 no"}), "none", "Write test", "the right to write"),
        (Ftp(replies={"PASS": ""}), "none", "Login", "in time"),
        (lambda connection: None, "none", "Greeting", "The connection was cut"),
        (lambda connection: connection.drip(b"x" * 10_000, 0.05), "none", "Greeting", "in time"),
    ],
)  # fmt: skip
def test_a_server_that_misbehaves(check: Checks, server: Script, security: str, what: str, words: str) -> None:
    with serving(server) as port:
        found = failure(ftp(check, port, SECRET, write=True, wait=patience(0.8), abq_ftp_security=security))
    assert found.what == what and words in found.text


@pytest.mark.parametrize("days", [-1, 30])
def test_a_certificate_that_is_refused_by_name_or_date(check: Checks, trusted: Authority, days: int) -> None:
    name = "127.0.0.1" if days < 0 else "ftp.abq.example"
    with serving(Ftp(certificate=trusted.issue(name, days=days))) as port:
        found = failure(ftp(check, port, abq_ftp_security="explicit", abq_ca_file=str(trusted.file)))
    assert ("it has expired" if days < 0 else "It names ftp.abq.example") in found.text


def test_a_welcome_of_any_kind_is_one_short_line(check: Checks) -> None:
    with serving(Ftp(welcome="220-\x1b[31mred\r\n220 " + "x" * 300)) as port:
        text = step_of(ftp(check, port), "Greeting").text
    assert "\x1b" not in text and "\n" not in text and len(text) < 130


def test_a_write_test_that_fails_leaves_nothing(check: Checks) -> None:
    server = Ftp(replies={"226": "552 no space"})
    with serving(server) as port:
        found = failure(ftp(check, port, SECRET, write=True, abq_ftp_security="none"))
    assert found.what == "Write test" and "takes no more of this user" in found.text
    assert not server.files and any(each.startswith("DELE .abq-connection-test-") for each in server.commands)


def test_cancel_on_a_stalled_welcome(check: Checks) -> None:
    cancel = threading.Event()
    set_at: list[float] = []

    def cancel_it() -> None:
        set_at.append(time.monotonic())
        cancel.set()

    def stall(connection: Connection) -> None:
        threading.Timer(0.3, cancel_it).start()
        connection.stall()

    with serving(stall) as port:
        with pytest.raises(Cancelled):
            ftp(check, port, cancel=cancel, wait=30.0)
        assert time.monotonic() - set_at[0] < patience(0.5)


def test_an_ssh_key_unknown_set_known_and_changed(check: Checks, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    with sshd() as server:
        unknown = failure(sftp(check, server.port, known))
        assert unknown.what == "Host key" and "SHA256:" in unknown.text and "abq_sftp_host_key" in unknown.text
        assert not known.exists(), "nothing is trusted by looking at it"
        fingerprint = unknown.text.partition("fingerprint ")[2].split()[0].rstrip(".")
        steps = sftp(check, server.port, known, abq_sftp_host_key=fingerprint)
        assert set(verdicts(steps).values()) == {OK} and "abq_sftp_host_key names" in steps[-1].text
        assert not known.exists()
        known.write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
        steps = sftp(check, server.port, known, login=(server.username, "any"), write=True,
                     abq_sftp_key_file=str(server.key_file))  # fmt: skip
        assert set(verdicts(steps).values()) == {OK} and "OpenSSH" in step_of(steps, "Greeting").text
        assert "removed again" in steps[-1].text and not list(server.folder.iterdir())
        found = failure(sftp(check, server.port, known, login=(server.username, SECRET)))
        assert found.what == "Login" and "refused the user name" in found.text
        with sshd() as other:
            known.write_text(f"[127.0.0.1]:{other.port} {server.host_key}\n")
            changed = failure(sftp(check, other.port, known))
    assert changed.what == "Host key" and "has changed" in changed.text and "Ask your administrator" in changed.text


@pytest.mark.parametrize("kind", ["ftp", "sftp"])
def test_a_folder_that_is_missing_then_made_then_there(
    kind: str, check: Checks, trusted: Authority, tmp_path: Path
) -> None:
    with contextlib.ExitStack() as stack:
        if kind == "ftp":
            ftpd = stack.enter_context(proftpd(trusted.issue("127.0.0.1"), encrypted=False))
            folder, login = ftpd.folder, ("lab", PASSWORD)
            options: dict[str, Any] = {"abq_ftp_port": ftpd.port, "abq_ftp_security": "none"}
        else:
            shell = stack.enter_context(sshd())
            folder, login, known = shell.folder, (shell.username, "any"), tmp_path / "known_hosts"
            known.write_text(f"[127.0.0.1]:{shell.port} {shell.host_key}\n")
            options = {"abq_transfer": "sftp", "abq_sftp_port": shell.port, "abq_sftp_known_hosts": str(known),
                       "abq_sftp_key_file": str(shell.key_file)}  # fmt: skip
        options |= {"abq_ftp_host": "127.0.0.1", "abq_ftp_folder": "incoming/a"}
        looked = step_of(check("ftp", login, **options), "Folder")
        assert "can't be entered" in looked.text and "--write" in looked.advice and not list(folder.iterdir())
        for expected in ("was made", "is there"):
            steps = check("ftp", login, True, **options)
            assert set(verdicts(steps).values()) == {OK} and expected in step_of(steps, "Folder").text
        assert (folder / "incoming/a").is_dir() and not list((folder / "incoming/a").iterdir())
        (folder / "file").write_bytes(b"")
        found = failure(check("ftp", login, True, **{**options, "abq_ftp_folder": "file/a"}))
        assert found.what == "Folder" and "abq_ftp_folder" in found.text


@pytest.mark.parametrize("transfer", ["ftp", "sftp"])
@pytest.mark.parametrize(
    ("name", "value"),
    [("abq_ftp_folder", "../x"), ("abq_upload_name", "a/{date}"), ("abq_upload_name", "{plot}"),
     ("abq_upload_name", "")],
)  # fmt: skip
def test_a_folder_or_name_that_makes_no_sense_is_refused_by_name(
    check: Checks, transfer: str, name: str, value: str
) -> None:
    values: dict[str, Any] = {name: value}
    steps = check("ftp", abq_transfer=transfer, **values)
    assert [step.what for step in steps] == ["Settings"] and name in failure(steps).text


def test_a_name_without_the_date_gets_advice(check: Checks, ftp_server: BundledServer) -> None:
    steps = ftp(check, ftp_server.port, abq_upload_name="latest.csv")
    assert set(verdicts(steps).values()) == {OK} and "{date}" in step_of(steps, "Settings").advice


def test_no_ssh_and_nobody_there(check: Checks, tmp_path: Path) -> None:
    with serving(lambda connection: connection.send(b"220 ready\r\n")) as port:
        found = failure(sftp(check, port, tmp_path / "none"))
        assert found.what == "Greeting" and "doesn't speak SSH" in found.text
    with serving(lambda connection: connection.stall()) as port:
        assert "in time" in failure(sftp(check, port, tmp_path / "none", wait=0.6)).text
    assert failure(sftp(check, free_port(), tmp_path / "none")).what == "Port"
