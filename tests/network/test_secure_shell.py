"""Deliveries by SFTP: to OpenSSH's sshd as it is, and to servers that misbehave."""

import base64
import contextlib
import errno
import hashlib
import hmac
import os
import socket
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abq_data_entry import network
from abq_data_entry.network import shell_session as host_keys
from abq_data_entry.outbox import is_transient
from tests.pace import patience

from .faults import Connection, Script, serving
from .real_servers import ShellServer, key_generator, sshd, user_and_group

SECRET = "correct horse battery"


@pytest.fixture(scope="module")
def server() -> Iterator[ShellServer]:
    with sshd() as running:
        yield running


@pytest.fixture(autouse=True)
def empty_destination(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "server" in request.fixturenames:
        for path in request.getfixturevalue("server").folder.iterdir():
            path.unlink()


@pytest.fixture
def known(server: ShellServer, tmp_path: Path) -> Path:
    """A file of known hosts with the server in it."""
    path = tmp_path / "known_hosts"
    path.write_text(f"# comment\n\n[127.0.0.1]:{server.port} {server.host_key} of the test\n")
    return path


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / "abq_data_record_2026-11-21.csv"
    path.write_bytes(bytes(range(256)) * 40_000)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    return path


def send(server: ShellServer, path: Path, known: Path, **options: object) -> None:
    options = {"key_file": server.key_file, **options}
    network.upload_to_corporate_sftp(
        path, "127.0.0.1", server.port, server.username, "", known, **options  # type: ignore[arg-type]
    )  # fmt: skip


def words(error: BaseException) -> str:
    """The error in words; it holds nothing of what led to it, and no password."""
    assert error.__context__ is None and error.__cause__ is None
    text = network.describe_failure(error)
    assert SECRET not in "".join([text, str(error), repr(error), *traceback.format_exception(error)])
    return text


def files(server: ShellServer) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in server.folder.iterdir()}


@pytest.mark.parametrize("name", ["plain.csv", "größe 記録.csv", "empty.csv"])
def test_the_file_arrives_as_it_is(server: ShellServer, known: Path, extract: Path, name: str) -> None:
    path = extract.with_name(name)
    path.write_bytes(b"" if name == "empty.csv" else extract.read_bytes())
    os.utime(path, (1_000_000_000, 1_000_000_000))
    told: list[tuple[int, int]] = []
    send(server, path, known, progress=lambda sent, total: told.append((sent, total)))
    assert files(server) == {name: path.read_bytes()}
    assert (server.folder / name).stat().st_mtime == 1_000_000_000
    assert told[-1] == (path.stat().st_size,) * 2


def test_again_takes_the_place_of_the_old_one(server: ShellServer, known: Path, extract: Path) -> None:
    for content in (b"first and longer", b"second"):
        extract.write_bytes(content)
        send(server, extract, known)
    assert files(server) == {extract.name: b"second"}


@pytest.mark.parametrize("old", [b"the old one", None])
def test_server_that_only_renames_to_free_names(extract: Path, tmp_path: Path, old: bytes | None) -> None:
    with refusing("posix-rename", tmp_path) as (server, known):
        if old is not None:
            (server.folder / extract.name).write_bytes(old)
            os.chown(server.folder / extract.name, *user_and_group())
        send(server, extract, known)
        assert files(server) == {extract.name: extract.read_bytes()}


def test_server_that_renames_nothing(extract: Path, tmp_path: Path) -> None:
    with refusing("posix-rename,rename", tmp_path) as (server, known):
        (server.folder / extract.name).write_bytes(b"the old one")
        with pytest.raises(OSError) as caught:
            send(server, extract, known)
        assert "refused the file" in words(caught.value)
        assert files(server) == {extract.name: b"the old one"}


@contextlib.contextmanager
def refusing(requests: str, folder: Path) -> Iterator[tuple[ShellServer, Path]]:
    """A server that knows some requests of SFTP not, and the file of known hosts with it."""
    with sshd(options=f"-P {requests}") as server:
        known = folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
        yield server, known


def test_unknown_host_is_asked_about_once(server: ShellServer, extract: Path, tmp_path: Path) -> None:
    nobody = tmp_path / "ssh" / "known_hosts"
    with pytest.raises(network.HostKeyUnknown) as caught:
        send(server, extract, nobody)
    fingerprint = caught.value.fingerprint
    assert fingerprint in words(caught.value) and "nothing was sent" in words(caught.value)
    listed = subprocess.run(
        [key_generator(), "-l", "-f", str(server.key_file.with_name("host_key.pub"))], capture_output=True, check=True
    ).stdout.decode()
    assert fingerprint in listed.split()
    with pytest.raises(network.HostKeyUnknown):
        send(server, extract, nobody, accept_host_key=lambda shown: False)
    assert not nobody.exists() and not files(server)
    send(server, extract, nobody, accept_host_key=lambda shown: shown == fingerprint)
    send(server, extract, nobody)
    assert len(nobody.read_text().splitlines()) == 1 and files(server)


def test_changed_key_is_refused(server: ShellServer, extract: Path, tmp_path: Path) -> None:
    other = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)).decode()
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{server.port} ssh-ed25519 {other}\n")
    with pytest.raises(network.HostKeyChanged, match="has changed") as caught:
        send(server, extract, known, accept_host_key=lambda shown: True)
    assert str(known) in words(caught.value)
    assert not files(server) and known.read_text().count("\n") == 1


def test_a_key_that_differs_from_the_set_fingerprint_is_an_alarm(
    server: ShellServer, extract: Path, tmp_path: Path
) -> None:
    empty, other = tmp_path / "nobody_known", "SHA256:" + "A" * 43
    with pytest.raises(network.HostKeyChanged) as caught:
        send(server, extract, empty, host_key=other)
    told = words(caught.value)
    assert "isn't the one that abq_sftp_host_key names" in told and other in told and "pretending" in told
    assert not is_transient(caught.value)
    assert not empty.exists() and files(server) == {}
    with pytest.raises(network.HostKeyUnknown) as unknown:
        send(server, extract, empty)
    line = f"256 {unknown.value.fingerprint} root@lab (ED25519)"  # as ssh-keygen says it
    send(server, extract, empty, host_key=line)
    assert files(server) == {extract.name: extract.read_bytes()} and empty.read_text()
    with pytest.raises(network.InvalidInput, match="a key's fingerprint"):
        send(server, extract, empty, host_key="16:27:ac:a5")


@pytest.fixture
def file_system(server: ShellServer) -> Iterator[Callable[..., None]]:
    """Puts a small file system of its own in the place of the server's folder, with options of mount."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    mounted = False

    def mount(*options: str) -> None:
        nonlocal mounted
        user, group = user_and_group()
        what = f"size=1m,uid={user},gid={group},mode=755"
        command = ["mount", "-t", "tmpfs", "-o", ",".join([what, *options]), "tmpfs", str(server.folder)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("this machine mounts nothing")
        mounted = True

    yield mount
    if mounted:
        subprocess.run(["umount", "-l", str(server.folder)], check=True)


@pytest.mark.parametrize(
    ("options", "name", "told", "number"),
    [
        ([], "large.csv", "has no space left", errno.ENOSPC),
        (["ro"], "small.csv", "its file system can only be read", errno.EROFS),
        ([], "x" * 245 + ".csv", "its name is too long", errno.ENAMETOOLONG),
    ],
)
def test_refusals_with_the_status_failure_are_distinguished(
    options: list[str],
    name: str,
    told: str,
    number: int,
    server: ShellServer,
    known: Path,
    tmp_path: Path,
    file_system: Callable[..., None],
) -> None:
    file_system(*options)
    path = tmp_path / name
    path.write_bytes(bytes(3_000_000 if name == "large.csv" else 10))
    with pytest.raises(OSError) as caught:
        send(server, path, known)
    assert told in words(caught.value) and caught.value.errno == number
    assert files(server) == {}


def test_revoked_key_is_refused(server: ShellServer, known: Path, extract: Path) -> None:
    known.write_text(known.read_text() + f"@revoked * {server.host_key}\n")
    with pytest.raises(network.HostKeyChanged, match="was revoked"):
        send(server, extract, known)


def test_the_kind_of_key_that_is_known_is_asked_for(extract: Path, tmp_path: Path) -> None:
    with sshd(kind="rsa") as server:
        ed25519 = server.key_file  # a second host key, which would be preferred
        with sshd(f"HostKey {ed25519}", f"HostKey {server.key_file.with_name('host_key')}") as both:
            known = tmp_path / "known_hosts"
            known.write_text(f"[127.0.0.1]:{both.port} {server.host_key}\n")
            send(both, extract, known)
            assert files(both)


@pytest.mark.parametrize(
    ("names", "fits"),
    [
        ("ftp.abq.example", True),
        ("other,FTP.abq.example", True),
        ("*.abq.example", True),
        ("*.abq.example,!ftp.*", False),
        ("[ftp.abq.example]:2222", False),
        ("hashed", True),
        ("|1|nonsense", False),
        ("abq.example", False),
    ],
)
def test_names_in_known_hosts(names: str, fits: bool, tmp_path: Path) -> None:
    if names == "hashed":
        digest = hmac.new(b"salt", b"ftp.abq.example", hashlib.sha1).digest()
        names = "|1|" + "|".join(base64.b64encode(part).decode() for part in (b"salt", digest))
    file = tmp_path / "known_hosts"
    file.write_text(
        f"{names} ssh-ed25519 AAAA comment\nbroken line\n@cert-authority * ssh-rsa AAAA\nx ssh-rsa no!base64"
    )
    keys, revoked = host_keys.keys_of(file, "ftp.abq.example", 22)
    assert bool(keys) == fits and not revoked


def test_added_after_a_line_without_its_end(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("other ssh-ed25519 AAAA")
    key = host_keys.HostKey("ssh-ed25519", b"abc")
    host_keys.add(file, "h.example", 2022, key)
    assert file.read_text() == "other ssh-ed25519 AAAA\n[h.example]:2022 ssh-ed25519 YWJj\n"
    assert host_keys.keys_of(file, "h.example", 2022) == ([key], [])


def test_wrong_user_or_password(server: ShellServer, known: Path, extract: Path) -> None:
    with pytest.raises(network.LoginRefused) as caught:
        network.upload_to_corporate_sftp(extract, "127.0.0.1", server.port, "alice", SECRET, known)
    assert "refused the user name, or the password or key" in words(caught.value)


def test_folder_without_the_right_to_write(server: ShellServer, known: Path, extract: Path) -> None:
    server.folder.chmod(0o555)
    try:
        with pytest.raises(OSError) as caught:
            send(server, extract, known)
    finally:
        server.folder.chmod(0o755)
    assert "the right to write to its folder is missing" in words(caught.value)


def test_name_that_is_a_folder_there(server: ShellServer, known: Path, extract: Path) -> None:
    (server.folder / extract.name).mkdir()
    (server.folder / extract.name / "inside").mkdir()
    try:
        send(server, extract, known)  # nothing else can be done with it than to move it aside
        assert (server.folder / extract.name).is_file()
    except OSError as error:
        assert "refused the file" in words(error)
        assert [path.name for path in server.folder.iterdir()] == [extract.name]
    finally:
        subprocess.run(["rm", "-r", *map(str, server.folder.iterdir())], check=True)


def test_user_who_is_not_allowed(extract: Path, tmp_path: Path) -> None:
    with sshd("AllowUsers nobody-at-all") as server, pytest.raises(network.LoginRefused):
        known = tmp_path / "known_hosts"
        known.write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
        send(server, extract, known)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (lambda connection: connection.send(b"220 FTP server ready\r\n" * 200), "doesn't speak SSH"),
        (lambda connection: (connection.until(b"\n"), connection.reset()), "ended the connection at once"),
        (lambda connection: connection.stall(), "didn't answer in time"),
        (lambda connection: (connection.send(b"SSH-2.0-x\r\n"), connection.stall()), "didn't answer in time"),
        (lambda connection: connection.send(b"SSH-2.0-x\r\n"), "ended the connection while the encryption"),
    ],
)
def test_faults_of_the_greeting(script: Script, told: str, extract: Path, tmp_path: Path) -> None:
    start = time.monotonic()
    with serving(script) as port, pytest.raises(Exception) as caught:
        network.upload_to_corporate_sftp(
            extract, "127.0.0.1", port, "alice", SECRET, tmp_path / "known_hosts", timeout=0.5
        )
    assert told in words(caught.value)
    assert time.monotonic() - start < patience(3)


def relay(server: ShellServer, limit: int, then: str, reached: threading.Event) -> Script:
    """Hand everything on to the server and back; when so many bytes of a connection have come: cut it, or stall."""

    def script(connection: Connection) -> None:
        passed = 0
        with socket.create_connection(("127.0.0.1", server.port)) as onward:

            def back() -> None:
                with contextlib.suppress(OSError):
                    while block := onward.recv(65536):
                        connection.send(block)

            threading.Thread(target=back, daemon=True).start()
            while block := connection.socket.recv(65536):
                passed += len(block)
                if limit < passed:
                    reached.set()
                    if then == "stall":
                        connection.stall()
                    connection.reset()
                    return
                onward.sendall(block)

    return script


@pytest.mark.parametrize(("then", "told"), [("cut", "was cut"), ("stall", "didn't answer in time")])
def test_faults_while_sending(then: str, told: str, server: ShellServer, known: Path, extract: Path) -> None:
    """The old file stays as it was, and a new session removes the partial one."""
    send(server, extract, known)
    extract.write_bytes(b"corrected" * 1_000_000)
    reached = threading.Event()
    with serving(relay(server, 1_000_000, then, reached)) as port, pytest.raises(OSError) as caught:
        known.write_text(f"[127.0.0.1]:{port} {server.host_key}\n")
        network.upload_to_corporate_sftp(
            extract, "127.0.0.1", port, server.username, "", known, server.key_file, timeout=1.0
        )
    assert told in words(caught.value) and reached.is_set()
    assert list(files(server)) == [extract.name] and not files(server)[extract.name].startswith(b"corrected")


def test_cancel_frees_a_stalled_delivery(server: ShellServer, known: Path, extract: Path) -> None:
    reached, cancel = threading.Event(), threading.Event()
    at: list[float] = []

    def watch() -> None:
        reached.wait(20)
        at.append(time.monotonic())
        cancel.set()

    threading.Thread(target=watch, daemon=True).start()
    with serving(relay(server, 1_000_000, "stall", reached)) as port, pytest.raises(network.Cancelled):
        known.write_text(f"[127.0.0.1]:{port} {server.host_key}\n")
        network.upload_to_corporate_sftp(
            extract, "127.0.0.1", port, server.username, "", known, server.key_file, cancel=cancel
        )
    assert time.monotonic() - at[0] < patience(0.5)
    deadline = time.monotonic() + 5
    while files(server) and time.monotonic() < deadline:  # it is tidied in the background
        pass
    assert not files(server)


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_interrupted_by_the_caller(kind: type[BaseException], server: ShellServer, known: Path, extract: Path) -> None:
    def progress(sent: int, total: int) -> None:
        raise kind

    with pytest.raises(kind):
        send(server, extract, known, progress=progress)
    assert not files(server)


def test_file_changed_while_it_is_sent(server: ShellServer, known: Path, extract: Path) -> None:
    def progress(sent: int, total: int) -> None:
        with extract.open("ab") as file:
            file.write(b"more")

    extract.write_bytes(bytes(30_000_000))
    with pytest.raises(network.FileChanged):
        send(server, extract, known, progress=progress)
    assert not files(server)


@pytest.mark.parametrize(("host", "port", "user"), [("", 22, "a"), ("h\n", 22, "a"), ("h", 0, "a"), ("h", 22, "")])
def test_bad_input_is_refused(host: str, port: int, user: str, extract: Path) -> None:
    with pytest.raises(network.InvalidInput):
        network.upload_to_corporate_sftp(extract, host, port, user, SECRET)


def test_key_file_that_is_none(extract: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key")
    with pytest.raises(network.InvalidInput, match="isn't a private key"):
        network.upload_to_corporate_sftp(extract, "h", 22, "a", SECRET, key_file=tmp_path / "key")
    with pytest.raises(FileNotFoundError):
        network.upload_to_corporate_sftp(extract, "h", 22, "a", SECRET, key_file=tmp_path / "none")


def test_key_with_a_passphrase(server: ShellServer, known: Path, extract: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.write_bytes(server.key_file.read_bytes())
    locked.chmod(0o600)
    subprocess.run([key_generator(), "-q", "-p", "-P", "", "-N", SECRET, "-f", str(locked)], check=True)
    for password, works in ((SECRET, True), ("wrong", False)):
        try:
            network.upload_to_corporate_sftp(
                extract, "127.0.0.1", server.port, server.username, password, known, locked
            )
            assert works
        except network.InvalidInput:
            assert not works
    assert files(server)
