"""Deliveries by FTP: to the bundled server as it is, and to servers that misbehave."""

import ftplib
import hashlib
import os
import re
import socket
import threading
import time
import traceback
from pathlib import Path

import pytest

from abq_data_entry import network
from abq_data_entry.outbox import is_transient
from tests.fixtures.servers import BundledServer, bundled_server
from tests.pace import patience

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
            super().__init__(connection.socket, connection.ended)
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
def test_the_digest_is_compared_if_the_server_sends_it(extract: Path, command: str, right: bool) -> None:
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


def test_a_digest_that_is_announced_but_not_available(extract: Path) -> None:
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


def test_a_size_that_the_server_does_not_send(extract: Path) -> None:
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
        (Ftp(welcome="421 bye"), "error_temp", "closed the connection (421)", False),
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
        (Ftp(replies={"226": "552 full"}), "error_perm", "takes no more of this user (552)", True),
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
    assert time.monotonic() - start < patience(5)
    # nothing is left behind of what was begun, and the old file is as it was
    assert server.files == {large.name: b"the old one"}
    assert not begun or any(command.startswith("DELE ") for command in server.commands)


def cut_inside_a_reply(begin: bytes, at: str) -> Ftp:
    """A server whose control connection ends in the middle of its answer to a command."""

    class Cut(Ftp):
        def __call__(self, control: Connection) -> None:
            super().__call__(Scissors(control.socket, control.ended, self))

    class Scissors(Connection):
        def __init__(self, connection: socket.socket, ended: threading.Event, server: Ftp) -> None:
            super().__init__(connection, ended)
            self._server = server

        def send(self, data: bytes) -> None:
            if not self._server.commands or not self._server.commands[-1].startswith(at):
                super().send(data)
                return
            super().send(begin)
            self.socket.shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError

    return Cut()


@pytest.mark.parametrize("begin", [b"2", b"23", b"230", b"230 welc", b"230-welcome\r\n230 Yo"])
def test_a_reply_that_was_cut_in_the_middle_is_a_broken_connection(begin: bytes, extract: Path) -> None:
    error = failing(cut_inside_a_reply(begin, "PASS"), extract)
    assert "The connection was cut" in network.describe_failure(error)
    assert is_transient(error)


BUSY = [
    "530 Sorry, the maximum number of allowed clients (5) already connected",
    "530 Too many connections from this host",
    "530 User cannot log in: maximum connections exceeded.",
    "530-Welcome\r\n530 Connection limit reached",
]
LOCKED = ["530 Too many failed attempts, try again later", "530 Login incorrect.", "530 Sorry"]


@pytest.mark.parametrize("reply", BUSY)
@pytest.mark.parametrize("command", ["USER", "PASS"])
def test_too_many_connections_pass_by_whatever_the_number(reply: str, command: str, extract: Path) -> None:
    server = Ftp(replies={command: reply})
    with serving(server) as port, network.FtpUploads("127.0.0.1", port, "alice", SECRET) as uploads:
        for _ in range(2):  # it isn't a refused login, which would not be tried again
            with pytest.raises(network.ftp.error_temp, match="has too many connections at the moment") as caught:
                uploads.upload(extract)
            assert is_transient(caught.value)
        assert server.commands.count("USER alice") == 2
    assert network.describe_failure(caught.value).splitlines()[1].startswith("The server said: ")


@pytest.mark.parametrize("reply", LOCKED)
def test_a_refused_login_stays_one(reply: str, extract: Path) -> None:
    error = failing(Ftp(replies={"PASS": reply}), extract)
    assert "refused the user name or the password (530)" in network.describe_failure(error) and not is_transient(error)


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("USER", "530 Non-anonymous sessions must use encryption."),
        ("USER", "550 SSL/TLS required on the control channel"),
        ("PASS", "530 This server does not allow plain FTP. You have to use FTP over TLS."),
        ("USER", "503 Use AUTH first."),
        ("USER", "421 Sorry, cleartext sessions are not accepted on this server."),
        ("STOR", "522 Data connections must be encrypted"),
    ],
)
def test_a_server_that_wants_encryption_names_the_setting(command: str, reply: str, extract: Path) -> None:
    error = failing(Ftp(replies={command: reply}), extract, security="none")
    ours, said = network.describe_failure(error).splitlines()
    assert "wants an encrypted connection" in ours and "abq_ftp_security" in ours
    assert said == f"The server said: {reply[4:]}" and not is_transient(error)


@pytest.mark.parametrize(
    "replies",
    [
        {"PASV": "502 not known"},
        {"PASV": "425 not now"},
        {"PASV": "227 nonsense"},
        {"PASV": "500 what?"},
    ],
)
def test_passive_mode_in_the_newer_way_where_the_older_one_is_refused(replies: dict[str, str], extract: Path) -> None:
    server = Extended(replies=replies)
    with serving(server) as port:
        send(port, extract)
    assert server.files == {extract.name: extract.read_bytes()} and "EPSV" in server.commands


def test_the_newer_answer_to_the_older_question_is_understood(extract: Path) -> None:
    server = Extended(extended=("PASV",))
    with serving(server) as port:
        send(port, extract)
    assert server.files == {extract.name: extract.read_bytes()} and "EPSV" not in server.commands


class Extended(Ftp):
    """Answers EPSV (and what else is named) as RFC 2428 wants it."""

    def __init__(self, replies: dict[str, str] | None = None, extended: tuple[str, ...] = ("EPSV",)) -> None:
        super().__init__(replies=replies or {})
        self._extended = extended

    def __call__(self, control: Connection) -> None:
        super().__call__(Translated(control.socket, control.ended, self))


class Translated(Connection):
    def __init__(self, connection: socket.socket, ended: threading.Event, server: Extended) -> None:
        super().__init__(connection, ended)
        self._server = server

    def send(self, data: bytes) -> None:
        found = re.match(rb"227 here \(127,0,0,1,(\d+),(\d+)\)", data)
        if found and self._server.commands[-1] in self._server._extended:
            data = f"229 here (|||{int(found[1]) * 256 + int(found[2])}|)\r\n".encode()
        super().send(data)


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ({"STOR": "552 Quota of 5 MB exceeded"}, "Quota of 5 MB exceeded"),
        ({"STOR": "550-a\r\n550 b\x1b[31m \x07c"}, "a b c"),
        ({"STOR": f"553 {SECRET} isn't a name"}, "… isn't a name"),
        ({"226": "552 disk full"}, "disk full"),
        ({"TYPE": "504 no"}, "no"),
    ],
)
def test_what_the_server_said_stands_below_our_words(replies: dict[str, str], expected: str, extract: Path) -> None:
    error = failing(Ftp(replies=replies), extract)
    assert network.describe_failure(error).splitlines()[1:] == [f"The server said: {expected}"]


def test_what_is_no_ftp_server_is_shown(extract: Path) -> None:
    error = failing(Ftp(welcome="SSH-2.0-OpenSSH_9.2"), extract)
    assert network.describe_failure(error).endswith("\nThe server said: SSH-2.0-OpenSSH_9.2")


@pytest.mark.parametrize("reply", ["451 Local error in processing", "426 cut"])
def test_a_transfer_that_the_server_gives_up_after_a_cut_is_continued(reply: str, large: Path) -> None:
    class Once(Ftp):
        """Cuts the first transfer only."""

        def _store(self, control, listener, name, reply_with, offset=0):
            first = not any(command.startswith("REST") for command in self.commands)
            self.keep = 3_000_000 if first else None
            self.after = (lambda control, data: data.reset()) if first else None
            self.replies = {"226": reply} if first else {}
            super()._store(control, listener, name, reply_with, offset)

    server = Once(continues=("REST",))
    with serving(server) as port:
        send(port, large)
    assert server.files == {large.name: large.read_bytes()}
    assert "REST 3000000" in server.commands


def test_faults_where_nothing_can_be_renamed(large: Path) -> None:
    server = Ftp(renames=False, keep=1000, after=reset_both)
    failing(server, large, timeout=0.5)
    assert server.files == {}


def test_server_that_permits_no_deletion(extract: Path) -> None:
    server = Ftp(keep=1000, after=lambda control, data: drain(data), deletes=False)
    with serving(server) as port:
        with pytest.raises(network.TransferIncomplete):
            send(port, extract)
        assert server.deleted.wait(5)  # in the background


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
    assert time.monotonic() - start < patience(3)


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
    assert time.monotonic() - at[0] < patience(2)
    assert where == "welcome" or server.files == {}


@pytest.mark.parametrize("emptied", [True, False], ids=["the old file is emptied", "the old file is as it was"])
def test_cancelled_while_the_server_is_silent_after_stor(extract: Path, emptied: bool) -> None:
    server = Ftp(replies={"STOR": ""}, renames=False, files={extract.name: b"the version before"})
    cancel = threading.Event()

    def watch() -> None:
        while f"STOR {extract.name}" not in server.commands:
            cancel.wait(0.01)
        if emptied:
            server.files[extract.name] = b""
        cancel.set()

    threading.Thread(target=watch, daemon=True).start()
    error = failing(server, extract, cancel=cancel)
    assert isinstance(error, network.Cancelled) and error.midway
    assert server.left.wait(patience(5)), "the end of the tidying, which goes on after a cancel"
    assert server.files == ({} if emptied else {extract.name: b"the version before"})


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
