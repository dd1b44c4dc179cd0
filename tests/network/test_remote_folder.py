"""A folder at the destination: entered, made where it is missing and allowed, told by name where it isn't."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from abq_data_entry.network import (
    FtpUploads,
    InvalidInput,
    SftpUploads,
    Uploads,
    describe_failure,
    upload_to_corporate_ftp,
)
from abq_data_entry.outbox import is_transient, login_refused
from tests.fixtures.servers import BundledServer, bundled_server
from tests.network.certificates import Authority
from tests.network.fault_proxy import Fault
from tests.network.faults import Ftp, serving
from tests.network.proxied_servers import behind_the_proxy
from tests.network.real_servers import PASSWORD, proftpd, sshd, vsftpd

CONTENT = b"Date,Time\r\n2026-11-20,8:00\r\n"
NAME = "A 2026-11-20.csv"
SERVERS = ("vsftpd", "vsftpd, encrypted", "vsftpd, implicit", "proftpd", "proftpd, encrypted", "sshd")
_PLAIN_VSFTPD = ("ssl_enable=NO", "force_anon_logins_ssl=NO", "force_anon_data_ssl=NO")


class Server:
    """A running server, and how files are sent to it."""

    def __init__(self, kind: str, folder: Path, port: int, login: tuple[str, ...], **options: object) -> None:
        self.kind = kind
        self.folder = folder
        self._login = port, *login
        self._options = options

    def uploads(self, folder: str) -> Uploads:
        made = SftpUploads if self.kind == "sshd" else FtpUploads
        return made("127.0.0.1", *self._login, folder=folder, timeout=20.0, **self._options)  # type: ignore[arg-type]

    def send(self, path: Path, folder: str, name: str | None = NAME) -> None:
        with self.uploads(folder) as uploads:
            uploads.upload(path, name=name)

    def files(self) -> dict[str, bytes]:
        """What lies there, by its path."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in found}


@contextmanager
def running(kind: str, trusted: Authority, known: Path) -> Iterator[Server]:
    program, _, how = kind.partition(", ")
    certificate = trusted.issue("127.0.0.1")
    security = {"encrypted": "explicit", "implicit": "implicit", "": "none"}[how]
    options = {"security": security, "ca_file": str(trusted.file)}
    if program == "sshd":
        with sshd() as shell:
            known.write_text(f"[127.0.0.1]:{shell.port} {shell.host_key}\n")
            yield Server(program, shell.folder, shell.port, (shell.username, "", str(known), str(shell.key_file)))
    elif program == "vsftpd":
        lines = {"": _PLAIN_VSFTPD, "encrypted": (), "implicit": ("implicit_ssl=YES",)}[how]
        with vsftpd(certificate, *lines) as ftp:
            yield Server(program, ftp.folder, ftp.port, (ftp.username, "any"), **options)
    else:
        with proftpd(certificate, "AllowOverwrite on", encrypted=bool(how)) as ftp:
            yield Server(program, ftp.folder, ftp.port, (ftp.username, PASSWORD), **options)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, trusted: Authority, tmp_path: Path) -> Iterator[Server]:
    with running(request.param, trusted, tmp_path / "known_hosts") as made:
        yield made


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / "abq_data_record_2026-11-20.csv"
    path.write_bytes(CONTENT)
    return path


def test_it_is_made_where_it_is_missing_and_used_where_it_is_there(server: Server, extract: Path) -> None:
    for _ in range(2):
        server.send(extract, "incoming/lab a")
    assert server.files() == {f"incoming/lab a/{NAME}": CONTENT}
    server.send(extract, "incoming/", None)
    assert server.files() == {f"incoming/lab a/{NAME}": CONTENT, f"incoming/{extract.name}": CONTENT}


def test_names_beyond_ascii(server: Server, extract: Path) -> None:
    server.send(extract, "größe/記録", "größe.csv")
    assert server.files() == {"größe/記録/größe.csv": CONTENT}


def test_an_absolute_one(server: Server, extract: Path) -> None:
    # ProFTPD shows its folder as /, where it may: that takes root.
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    root = "" if server.kind == "proftpd" and is_root else str(server.folder)
    server.send(extract, f"{root}/from the root/x")
    assert server.files() == {f"from the root/x/{NAME}": CONTENT}


def test_several_files_over_one_login_go_there(server: Server, extract: Path) -> None:
    with server.uploads("a/b") as uploads:
        for name in ("one.csv", "two.csv"):
            uploads.upload(extract, name=name)
        assert uploads.discard("one.csv")
    assert server.files() == {"a/b/two.csv": CONTENT}


def test_a_file_in_place_of_the_folder_is_named(server: Server, extract: Path) -> None:
    (server.folder / "incoming").write_bytes(b"a file")
    with pytest.raises(Exception) as caught:
        server.send(extract, "incoming/x")
    told = describe_failure(caught.value)
    assert "no folder incoming/x" in told and "abq_ftp_folder" in told and "The server said" in told
    assert not is_transient(caught.value) and not login_refused(caught.value)
    assert server.files() == {"incoming": b"a file"}


def test_a_server_that_lets_nobody_make_one(ftp_server: BundledServer, extract: Path) -> None:
    login = "127.0.0.1", ftp_server.port, "test", "test"
    with pytest.raises(Exception) as caught:
        upload_to_corporate_ftp(extract, *login, folder="incoming")
    told = describe_failure(caught.value)
    assert "no folder incoming" in told and "couldn't be made" in told and "Not enough privileges" in told
    assert not is_transient(caught.value) and not list(ftp_server.folder.iterdir())
    (ftp_server.folder / "incoming").mkdir()
    upload_to_corporate_ftp(extract, *login, folder="incoming", name=NAME)
    assert [each.name for each in (ftp_server.folder / "incoming").iterdir()] == [NAME]


def test_the_bundled_server_on_a_folder_of_folders(extract: Path, tmp_path: Path) -> None:
    with bundled_server("basic_ftp_server.py", workspace=tmp_path) as server:
        (server.folder / "a/b").mkdir(parents=True)
        upload_to_corporate_ftp(extract, "127.0.0.1", server.port, "test", "test", folder="/a/b")
        assert (server.folder / "a/b" / extract.name).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("reply", "passes"), [("450 busy", True), ("451 local error", True), ("550 no", False), ("421 bye", True)]
)
def test_a_refusal_for_now_is_one_for_now(reply: str, passes: bool, extract: Path) -> None:
    script = Ftp(replies={"CWD": reply, "MKD": "550 no"})
    with serving(script) as port, pytest.raises(Exception) as caught:
        upload_to_corporate_ftp(extract, "127.0.0.1", port, "test", "test", folder="incoming")
    assert is_transient(caught.value) is passes and not script.files


@pytest.mark.parametrize("folder", ["..", "a/../b", "a\r\nDELE b", "a\\b", "{date}"])
@pytest.mark.parametrize("uploads", [FtpUploads, SftpUploads])
def test_a_folder_that_makes_no_sense_is_refused_before_anything_is_sent(
    uploads: type[FtpUploads | SftpUploads], folder: str
) -> None:
    with pytest.raises(InvalidInput, match="abq_ftp_folder"):
        uploads("127.0.0.1", 1, "test", "test", folder=folder)


@pytest.mark.parametrize("kind", ["vsftpd", "proftpd", "sshd"])
def test_a_broken_transfer_goes_on_in_the_folder(kind: str, trusted: Authority, tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    large.write_bytes(b"2026-11-20,8:00,J Simms\r\n" * 600_000)
    with behind_the_proxy(kind, trusted, tmp_path) as server:
        server.proxy.faults.append(Fault("cut", 10_000_000, data=kind != "sshd"))
        with server.uploads(folder="incoming") as uploads:
            uploads.upload(large, name=NAME, identifier="1" * 32)
        assert server.proxy.connections >= 2, "nothing broke"
        found = {path.relative_to(server.folder).as_posix() for path in server.folder.rglob("*")}
        assert found == {"incoming", f"incoming/{NAME}"}
        assert (server.folder / "incoming" / NAME).read_bytes() == large.read_bytes()
