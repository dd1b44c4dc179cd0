"""Deliveries by FTP: to the bundled server as it is, and to servers that misbehave."""

import ftplib
import hashlib
import os
import socket
import threading
import time
import traceback
from pathlib import Path

import pytest

from abq_data_entry import network
from tests.fixtures.servers import BundledServer, bundled_server

from .faults import Connection, Ftp, Script, serving

SECRET = "correct horse battery"


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / "abq_data_record_2026-11-21.csv"
    path.write_bytes(b"Date,Time\r\n" * 50_000)
    return path


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file larger than what the buffers of a connection hold."""
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(20_000_000)
    return path


def send(port: int, path: Path, **options: object) -> None:
    network.upload_to_corporate_ftp(path, "127.0.0.1", port, "alice", SECRET, **options)  # type: ignore[arg-type]


def failing(script: Script, path: Path, **options: object) -> Exception:
    """Return the error of a delivery to the script; it and its words must not hold the password."""
    with serving(script) as port, pytest.raises(Exception) as caught:
        send(port, path, **options)
    error = caught.value
    texts = [str(error), repr(error), network.describe_failure(error), *traceback.format_exception(error)]
    assert not any(SECRET in text or "battery" in text for text in texts)
    assert error.__context__ is None and error.__cause__ is None
    return error


@pytest.mark.parametrize("name", ["plain.csv", "größe 記録.csv", "empty.csv"])
def test_the_file_arrives_as_it_is(ftp_server: BundledServer, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"" if name == "empty.csv" else b"\r\n\0\xff" * 100_001)
    told: list[tuple[int, int]] = []
    network.upload_to_corporate_ftp(
        path, ftp_server.host, ftp_server.port, "test", "test", progress=lambda sent, total: told.append((sent, total))
    )
    assert (ftp_server.folder / name).read_bytes() == path.read_bytes()
    assert told[-1] == (path.stat().st_size,) * 2


def test_ipv6(extract: Path, tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with bundled_server("basic_ftp_server.py", "--host", "::1", workspace=tmp_path) as server:
        network.upload_to_corporate_ftp(extract, "::1", server.port, "test", "test")
        assert (server.folder / extract.name).read_bytes() == extract.read_bytes()


def test_again_takes_the_place_of_the_old_one(ftp_server: BundledServer, extract: Path) -> None:
    for content in (b"first and longer", b"second"):
        extract.write_bytes(content)
        network.upload_to_corporate_ftp(extract, ftp_server.host, ftp_server.port, "test", "test")
    assert (ftp_server.folder / extract.name).read_bytes() == b"second"


def test_wrong_password(ftp_server: BundledServer, extract: Path) -> None:
    with pytest.raises(network.ftp.error_perm) as caught:
        network.upload_to_corporate_ftp(extract, ftp_server.host, ftp_server.port, "test", "wrong")
    assert "user name or the password (530)" in network.describe_failure(caught.value)
    assert not list(ftp_server.folder.iterdir())


def test_refused_name_harms_nothing(ftp_server: BundledServer, extract: Path) -> None:
    (ftp_server.folder / extract.name).mkdir()
    with pytest.raises(network.ftp.error_perm) as caught:
        network.upload_to_corporate_ftp(extract, ftp_server.host, ftp_server.port, "test", "test")
    assert "refused the file (550)" in network.describe_failure(caught.value)
    assert (ftp_server.folder / extract.name).is_dir()


def test_commands_on_the_wire(extract: Path) -> None:
    server = Ftp()
    with serving(server) as port:
        send(port, extract)
    assert server.commands[:2] == ["USER alice", f"PASS {SECRET}"]
    kinds = [command.split(" ")[0] for command in server.commands]
    in_order = ["STOR", "SIZE", "RNFR", "RNTO"]
    assert [kind for kind in kinds[kinds.index("STOR") :] if kind in in_order] == in_order
    assert kinds.index("TYPE") < kinds.index("STOR")
    stored = server.commands[kinds.index("STOR")].split(" ")[1]
    assert stored.startswith(extract.name) and stored.endswith(".part")
    assert server.left.wait(5)
    assert server.commands[-2:] == [f"RNTO {extract.name}", "QUIT"]
    assert server.files == {extract.name: extract.read_bytes()}


def test_old_one_without_its_own_delivery(extract: Path) -> None:
    """Two deliveries in a row: the second one finds the old file and asks for its renaming without doing it."""
    server = Ftp(files={extract.name: b"the old one"})
    with serving(server) as port:
        send(port, extract)
    assert server.commands.count(f"RNFR {extract.name}") == 1
    assert server.files == {extract.name: extract.read_bytes()}


@pytest.mark.parametrize("old", [True, False])
def test_rename_refused(extract: Path, old: bool) -> None:
    """The bundled server is such a one: nothing but the file's own name may appear, for it couldn't be removed."""
    server = Ftp(renames=False, deletes=False, files={extract.name: b"old"} if old else {})
    with serving(server) as port:
        send(port, extract)
    assert server.files == {extract.name: extract.read_bytes()}


def test_rename_refused_as_a_surprise(extract: Path) -> None:
    told: list[int] = []
    server = Ftp(replies={"RNFR": "550 no"})
    with serving(server) as port:
        send(port, extract, progress=lambda sent, total: told.append(sent))
    assert server.files == {extract.name: extract.read_bytes()}
    assert told[-1] == extract.stat().st_size


def test_rights_from_the_facts(extract: Path) -> None:
    replies = {"FEAT": "211-\r\n MLST perm*;\r\n211 end", "MLST": "250-\r\n type=file;perm=rw; it\r\n250 end"}
    server = Ftp(replies=replies, files={extract.name: b"old"})
    with serving(server) as port:
        send(port, extract)
    assert f"STOR {extract.name}" in server.commands and not any("RNFR" in command for command in server.commands)


def test_overwriting_refused(extract: Path) -> None:
    server = Ftp(overwrites=False, files={extract.name: b"old"})
    with serving(server) as port:
        send(port, extract)
    assert server.files == {extract.name: extract.read_bytes()}


def test_overwriting_and_moving_aside_refused(extract: Path) -> None:
    server = Ftp(replies={"RNTO": "553 no"}, files={extract.name: b"old"})
    error = failing(server, extract)
    assert "refused the file's name (553)" in network.describe_failure(error)
    assert server.files == {extract.name: b"old"}


def test_temporary_name_refused(extract: Path) -> None:
    class OnlyTables(Ftp):
        def _store(self, control, listener, name, reply, offset=0):
            if name.endswith(".csv"):
                super()._store(control, listener, name, reply, offset)
            else:
                reply("553 only .csv here")

    server = OnlyTables()
    with serving(server) as port:
        send(port, extract)
    assert server.files == {extract.name: extract.read_bytes()}


def test_broken_between_the_two_renames(extract: Path) -> None:
    """The old file was moved aside when the connection died: the next session brings the new one into its place."""

    class Dying(Ftp):
        def __call__(self, control: Connection) -> None:
            first = "RNTO" not in " ".join(self.commands)
            super().__call__(Fragile(control) if first else control)

    class Fragile(Connection):
        def __init__(self, connection: Connection) -> None:
            super().__init__(connection.socket, connection._ended)
            self.renamed = False

        def send(self, data: bytes) -> None:
            if self.renamed:
                self.reset()
                raise ConnectionResetError
            self.renamed = data.startswith(b"250 renamed")
            super().send(data)

    server = Dying(overwrites=False, files={extract.name: b"old"})
    failing(server, extract, timeout=2)
    assert server.files == {extract.name: extract.read_bytes()}


@pytest.mark.parametrize("command", ["HASH", "XSHA256"])
@pytest.mark.parametrize("right", [True, False])
def test_digest_where_the_server_tells_it(extract: Path, command: str, right: bool) -> None:
    digest = hashlib.sha256(extract.read_bytes()).hexdigest() if right else "0" * 64
    replies = {
        "FEAT": f"211-\r\n {command} SHA-256*;SHA-1\r\n211 end",
        "OPTS": "200 fine",
        command: f"213 SHA-256 0-550000 {digest.upper()} it",
    }
    server = Ftp(replies=replies, files={extract.name: b"old"})
    if right:
        with serving(server) as port:
            send(port, extract)
    else:
        error = failing(server, extract)
        assert isinstance(error, network.TransferIncomplete) and "differs from what was sent" in str(error)
    assert server.files == {extract.name: extract.read_bytes() if right else b"old"}


def test_digest_that_is_announced_and_not_told(extract: Path) -> None:
    server = Ftp(replies={"FEAT": "211-\r\n HASH MD5*\r\n XSHA256\r\n211 end"})
    with serving(server) as port:
        send(port, extract)
    kinds = [command.split(" ")[0] for command in server.commands]
    assert "XSHA256" in kinds and server.files == {extract.name: extract.read_bytes()}


def test_time_of_the_file(extract: Path) -> None:
    os.utime(extract, (1_000_000_000, 1_000_000_000))
    server = Ftp(replies={"FEAT": "211-\r\n MFMT\r\n211 end"})
    with serving(server) as port:
        send(port, extract)
    assert any(command.startswith("MFMT 20010909014640 ") for command in server.commands)


@pytest.mark.parametrize(
    ("replies", "deletes_what_it_has"),
    [({"SIZE": "502 no"}, False), ({"SIZE": "550 not in this mode", "MLST": "500 what?"}, False)],
)
def test_size_from_the_listing(replies: dict[str, str], deletes_what_it_has: bool, extract: Path) -> None:
    server = Ftp(replies=replies)
    with serving(server) as port:
        send(port, extract)
    assert any(command.startswith("DELE ") for command in server.commands) == deletes_what_it_has
    assert any(command.startswith(f"LIST {extract.name}") for command in server.commands)


def test_size_from_facts(extract: Path) -> None:
    server = Ftp(replies={"SIZE": "502 no", "MLST": f"250-\r\n type=file;size={extract.stat().st_size}; it\r\n250 end"})
    with serving(server) as port:
        send(port, extract)
    assert not any(command.startswith("LIST") for command in server.commands)


@pytest.mark.parametrize(("unknown", "told"), [({"SIZE": "502 no"}, "not all of"), ({}, "1000 of")])
def test_short_file_is_found_whatever_the_server_says(unknown: dict[str, str], told: str, extract: Path) -> None:
    server = Ftp(keep=1000, after=lambda control, data: drain(data), replies=unknown)
    error = failing(server, extract)
    assert isinstance(error, network.TransferIncomplete)
    assert f"{told} the 550000 bytes" in str(error)
    assert server.files == {}


def test_size_that_nobody_tells(extract: Path) -> None:
    error = failing(Ftp(replies={"SIZE": "502 no", "LIST": "502 no"}), extract)
    assert isinstance(error, network.TransferIncomplete)
    assert "can't be confirmed" in str(error)


def drain(data: Connection) -> None:
    while data.socket.recv(65536):
        pass


def reset_both(control: Connection, data: Connection) -> None:
    data.reset()
    control.reset()


def stall(control: Connection, data: Connection) -> None:
    data.stall()


SILENCE = "didn't answer in time"


@pytest.mark.parametrize(
    ("server", "kind", "told", "begun"),
    [
        (Ftp(welcome="421 too many"), "error_temp", "closed the connection (421)", False),
        (Ftp(welcome="HTTP/1.1 400 Bad Request"), "error_proto", "doesn't speak FTP", False),
        (Ftp(welcome=""), "TimedOut", SILENCE, False),
        (Ftp(replies={"USER": "530 no"}), "error_perm", "user name or the password (530)", False),
        (Ftp(replies={"PASS": f"530 {SECRET} is wrong"}), "error_perm", "user name or the password (530)", False),
        (Ftp(replies={"PASS": ""}), "TimedOut", SILENCE, False),
        (Ftp(replies={"PASS": "332 account?"}), "error_perm", "a command that is needed (502)", False),
        (Ftp(replies={"TYPE": "504 no"}), "error_perm", "refused the request (504)", False),
        (Ftp(replies={"PASV": "227 nonsense", "EPSV": "229 nonsense"}), "error_proto", "doesn't speak FTP", False),
        (Ftp(replies={"PASV": "425 no", "EPSV": "425 no"}), "error_temp", "for the data (425)", False),
        (Ftp(replies={"PASV": "227 (127,0,0,1,0,1)"}), "HostRefused", "refused the connection at port 1", False),
        (Ftp(replies={"STOR": "553 no"}), "error_perm", "refused the file's name (553)", False),
        (Ftp(replies={"STOR": "550 no"}), "error_perm", "refused the file (550)", False),
        (Ftp(replies={"STOR": "452 no"}), "error_temp", "no space left (452)", False),
        (Ftp(replies={"STOR": ""}), "TimedOut", SILENCE, False),
        (Ftp(replies={"226": "426 cut"}, keep=1000), "error_temp", "cut the transfer off (426)", True),
        (Ftp(replies={"226": "552 full"}), "error_perm", "no space left for this user (552)", True),
        (Ftp(replies={"226": "gibberish"}), "error_proto", "doesn't speak FTP", True),
        (Ftp(replies={"226": "150-\r\n" * 2000}), "error_proto", "doesn't speak FTP", True),
        (Ftp(replies={"SIZE": ""}), "TimedOut", SILENCE, True),
        (Ftp(keep=1000, after=reset_both), "ConnectionError", "was cut", True),
        (Ftp(keep=1000, after=lambda control, data: data.reset()), "ConnectionError", "was cut", True),
        (Ftp(keep=1000, after=lambda control, data: control.reset()), "Exception", "was cut", True),
        (Ftp(keep=1000, after=stall), "TimedOut", SILENCE, True),
        (Ftp(keep=20_000_000, after=stall), "TimedOut", SILENCE, True),
    ],
)  # fmt: skip
def test_faults(server: Ftp, kind: str, told: str, begun: bool, large: Path) -> None:
    server = Ftp(dict(server.replies), server.welcome, server.keep, server.after)  # each run has its own
    server.files[large.name] = b"the old one"
    start = time.monotonic()
    error = failing(server, large, timeout=0.5)
    assert kind in [ancestor.__name__ for ancestor in type(error).__mro__]
    assert isinstance(error, network.ftp.all_errors)
    assert told in network.describe_failure(error)
    assert time.monotonic() - start < 5
    # nothing is left behind of what was begun, and the old file is as it was
    assert server.files == {large.name: b"the old one"}
    assert not begun or any(command.startswith("DELE ") for command in server.commands)


def test_faults_where_nothing_can_be_renamed(large: Path) -> None:
    server = Ftp(renames=False, keep=1000, after=reset_both)
    failing(server, large, timeout=0.5)
    assert server.files == {}


def test_server_that_permits_no_deletion(extract: Path) -> None:
    server = Ftp(keep=1000, after=lambda control, data: drain(data), deletes=False)
    assert isinstance(failing(server, extract), network.TransferIncomplete)
    assert server.deleted.is_set()


def test_not_ftp_at_all(extract: Path) -> None:
    error = failing(lambda connection: connection.send(b"SSH-2.0-OpenSSH\r\n"), extract)
    assert "doesn't speak FTP" in network.describe_failure(error)


def test_bytes_that_are_no_text_in_a_reply(ftp_server: BundledServer, extract: Path) -> None:
    def script(connection: Connection) -> None:
        connection.send("220 Grüße\r\n".encode("latin-1"))
        connection.until(b"\r\n")
        connection.send("530 für Sie nicht\r\n".encode("latin-1"))

    assert isinstance(failing(script, extract), network.ftp.error_perm)


def test_endless_reply(extract: Path) -> None:
    def script(connection: Connection) -> None:
        while True:
            connection.send(b"220-more\r\n" * 100)

    assert isinstance(failing(script, extract), network.ftp.error_proto)


def test_dripping_replies_end_in_time(extract: Path) -> None:
    start = time.monotonic()
    error = failing(lambda connection: connection.drip(b"220-" + b"x" * 1000, 0.05), extract, timeout=0.5)
    assert isinstance(error, TimeoutError)
    assert time.monotonic() - start < 3


@pytest.mark.parametrize("where", ["welcome", "sending", "last reply"])
def test_cancel_frees_a_stalled_delivery(where: str, large: Path) -> None:
    moment, cancel = threading.Event(), threading.Event()
    at: list[float] = []
    began: list[int] = []

    def after(control: Connection, data: Connection) -> None:
        moment.set()
        data.stall()

    server = Ftp(keep=20_000_000 if where == "last reply" else 1000, after=after)

    def script(connection: Connection) -> None:
        began.append(1)
        if where == "welcome":
            moment.set()
            connection.stall()
        server(connection)

    def watch() -> None:
        moment.wait(20)
        at.append(time.monotonic())
        cancel.set()

    threading.Thread(target=watch, daemon=True).start()
    assert isinstance(failing(script, large, cancel=cancel), network.Cancelled)
    assert time.monotonic() - at[0] < 2
    assert where == "welcome" or server.files == {}


def test_cancelled_before_it_begins(extract: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    server = Ftp()
    assert isinstance(failing(server, extract, cancel=cancel), network.Cancelled)
    assert server.files == {}


@pytest.mark.parametrize("change", ["shorter", "longer", "rewritten"])
def test_file_changed_while_it_is_sent(large: Path, change: str) -> None:
    os.utime(large, ns=(1, 1))

    def after(control: Connection, data: Connection) -> None:
        if change == "shorter":
            os.truncate(large, 1000)
        else:
            with large.open("ab" if change == "longer" else "r+b") as file:
                file.write(b"more")
        drain(data)

    server = Ftp(keep=1000, after=after)
    error = failing(server, large)
    assert isinstance(error, network.ftp.all_errors)
    assert "was changed while it was being sent" in network.describe_failure(error)
    assert server.files == {}


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_interrupted_by_the_caller(large: Path, kind: type[BaseException]) -> None:
    def progress(sent: int, total: int) -> None:
        raise kind

    server = Ftp()
    with serving(server) as port, pytest.raises(kind):
        send(port, large, progress=progress)
    assert server.files == {}


def test_refused_and_unknown_hosts(extract: Path) -> None:
    with serving(lambda connection: None) as port:
        pass
    with pytest.raises(ConnectionRefusedError, match=f"refused the connection at port {port}"):
        send(port, extract)
    with pytest.raises(OSError, match=r"nowhere\.invalid isn't known"):
        network.upload_to_corporate_ftp(extract, "nowhere.invalid", 21, "alice", SECRET)


@pytest.mark.parametrize(
    ("host", "port", "user", "password"),
    [
        ("127.0.0.1", 21, "alice\r\nDELE x", SECRET),
        ("127.0.0.1", 21, "alice", f"{SECRET}\nDELE x"),
        ("127.0.0.1\r\n", 21, "alice", SECRET),
        ("", 21, "alice", SECRET),
        ("127.0.0.1", 0, "alice", SECRET),
        ("127.0.0.1", 70000, "alice", SECRET),
    ],
)
def test_bad_input_is_refused(host: str, port: int, user: str, password: str, extract: Path) -> None:
    with pytest.raises(network.InvalidInput) as caught:
        network.upload_to_corporate_ftp(extract, host, port, user, password)
    assert SECRET not in str(caught.value)


def test_line_break_in_the_name(tmp_path: Path) -> None:
    path = tmp_path / "a\r\nDELE b.csv"
    try:
        path.touch()
    except OSError:
        pytest.skip("this system has no such names")
    server = Ftp()
    assert isinstance(failing(server, path), network.InvalidInput)
    assert not server.commands


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        send(1, tmp_path / "none.csv")


def test_the_module_is_ftplib() -> None:
    assert network.ftp is ftplib
