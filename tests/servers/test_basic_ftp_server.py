"""The bundled FTP server, run as it is, and asked by ftplib."""

import errno
import ftplib
import io
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from abq_data_entry import network
from tests.fixtures.servers import PATIENCE, ROOT, BundledServer, bundled_server
from tests.network.certificates import Authority, authority

SCRIPT = "basic_ftp_server.py"


@pytest.fixture
def client(ftp_server: BundledServer) -> Iterator[ftplib.FTP]:
    with ftplib.FTP(timeout=PATIENCE) as client:
        client.connect(ftp_server.host, ftp_server.port)
        client.login("test", "test")
        yield client


def test_stores_lists_and_returns(client: ftplib.FTP, ftp_server: BundledServer) -> None:
    client.storbinary("STOR größe.csv", io.BytesIO(b"1,2"))
    assert (ftp_server.folder / "größe.csv").read_bytes() == b"1,2"
    assert client.nlst() == ["größe.csv"]
    content: list[bytes] = []
    client.retrbinary("RETR größe.csv", content.append)
    assert content == [b"1,2"]


def test_neither_renames_nor_deletes(client: ftplib.FTP, ftp_server: BundledServer) -> None:
    client.storbinary("STOR a.csv", io.BytesIO(b"1,2"))
    for refused in (lambda: client.delete("a.csv"), lambda: client.rename("a.csv", "b.csv"), lambda: client.mkd("c")):
        with pytest.raises(ftplib.error_perm, match="550"):
            refused()
    assert [path.name for path in ftp_server.folder.iterdir()] == ["a.csv"]


def test_stays_in_its_folder(client: ftplib.FTP, ftp_server: BundledServer) -> None:
    (ftp_server.folder.parent / "secret").write_text("x")
    with pytest.raises(ftplib.error_perm):
        client.retrbinary("RETR ../secret", lambda block: None)


def test_wrong_password(ftp_server: BundledServer) -> None:
    with ftplib.FTP(timeout=PATIENCE) as client:
        client.connect(ftp_server.host, ftp_server.port)
        with pytest.raises(ftplib.error_perm, match="530"):
            client.login("test", "wrong")


def test_another_folder_and_passive_ports(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    # a port may be taken by another program: the server then picks one of its own, which is why none is asserted
    options = ["--folder", str(tmp_path / "mine"), "--passive-ports", "50200-50219"]
    with bundled_server(SCRIPT, *options, workspace=tmp_path) as server, ftplib.FTP(timeout=PATIENCE) as client:
        client.connect(server.host, server.port)
        client.login("test", "test")
        client.storbinary("STOR a.csv", io.BytesIO(b"1"))
    assert (tmp_path / "mine" / "a.csv").exists()


def run(*options: str) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, str(ROOT / SCRIPT), *options]
    return subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)


def test_a_port_in_use_is_reported_in_one_line(ftp_server: BundledServer) -> None:
    done = run("--port", str(ftp_server.port))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"127.0.0.1, port {ftp_server.port}: {os.strerror(errno.EADDRINUSE)}. Choose another by --port."
    ]


@pytest.mark.parametrize("script", [SCRIPT, "sample_http_server.py"])
def test_for_a_python_without_the_packages_the_command_is_named(script: str) -> None:
    """The isolated mode without site-packages stands for it; the other server needs none."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(ROOT / script), "--help"], capture_output=True, text=True, timeout=PATIENCE
    )
    if script != SCRIPT:
        assert done.returncode == 0 and "usage:" in done.stdout
        return
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith("This Python lacks the package pyftpdlib. Type") and SCRIPT in done.stderr


def test_the_room_network_says_what_to_type_without_the_packages() -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); from abq_data_entry import network; network.requests"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(ROOT)], capture_output=True, text=True, timeout=PATIENCE
    )
    assert "ModuleNotFoundError: This Python lacks the package requests. " in done.stderr
    assert ".venv" in done.stderr or "pip install requests" in done.stderr


@pytest.mark.parametrize(
    "options", [("--folder", "/nowhere/at/all"), ("--port", "-1"), ("--passive-ports", "9-8"), ("--passive-ports", "x")]
)
def test_wrong_usage(options: tuple[str, ...]) -> None:
    done = run(*options)
    assert done.returncode == 2 and "usage:" in done.stderr and "Traceback" not in done.stderr


def test_warns_when_others_can_reach_it(tmp_path: Path) -> None:
    with bundled_server(SCRIPT, "--host", "0.0.0.0", workspace=tmp_path) as server:
        server.wait_for("Warning: others on the network can reach this server")


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX systems")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_cleanly(client: ftplib.FTP, ftp_server: BundledServer, number: signal.Signals) -> None:
    ftp_server.process.send_signal(number)
    assert ftp_server.process.wait(PATIENCE) == 0
    assert "Traceback" not in ftp_server.output()


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority("Lab Authority", tmp_path_factory.mktemp("trusted"))


@pytest.mark.parametrize("apart", [True, False])
def test_encrypts_with_a_certificate(tmp_path: Path, trusted: Authority, apart: bool) -> None:
    """And takes nothing in the clear; a large file arrives whole, which it doesn't over TLS 1.3 (pyftpdlib 2.2.0)."""
    certificate = trusted.issue("127.0.0.1", "localhost")
    options = ["--certificate", str(certificate)]
    if apart:
        key = tmp_path / "key.pem"
        key.write_bytes(certificate.read_bytes())
        options += ["--key", str(key)]
    large = tmp_path / "large.csv"
    large.write_bytes(bytes(range(256)) * 40_000)
    with bundled_server(SCRIPT, *options, workspace=tmp_path) as server:
        for _ in range(2):
            network.upload_to_corporate_ftp(
                large, server.host, server.port, "test", "test", security="explicit", ca_file=trusted.file
            )
        assert (server.folder / large.name).read_bytes() == large.read_bytes()
        assert [path.name for path in server.folder.iterdir()] == [large.name]
        with ftplib.FTP(timeout=PATIENCE) as client:
            client.connect(server.host, server.port)
            with pytest.raises(ftplib.error_perm, match="TLS required"):
                client.login("test", "test")
        newest = ssl.create_default_context(cafile=str(trusted.file))
        newest.minimum_version = ssl.TLSVersion.TLSv1_3
        with ftplib.FTP_TLS(timeout=PATIENCE, context=newest) as client:
            client.connect(server.host, server.port)
            with pytest.raises(ssl.SSLError):
                client.auth()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--key", "x.pem"], "--key needs --certificate"),
        (["--certificate", "none.pem"], "none.pem is not a file"),
        (["--certificate", __file__], "no certificate and its key"),
    ],
)
def test_certificate_that_is_none(words: list[str], told: str) -> None:
    done = subprocess.run([sys.executable, ROOT / SCRIPT, "--port", "0", *words], capture_output=True, timeout=PATIENCE)
    assert done.returncode in (1, 2) and told in done.stderr.decode()
