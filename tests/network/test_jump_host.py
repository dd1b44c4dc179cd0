"""SFTP through a jump host: two real sshd, and an ssh-agent with the key."""

from __future__ import annotations

import base64
import os
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from abq_data_entry.models import SETTINGS
from abq_data_entry.network import describe_failure
from abq_data_entry.network.destination import Jump, jump_of, jump_problem
from abq_data_entry.network.destinations import destination
from abq_data_entry.outbox import is_transient, login_refused
from abq_data_entry.stored_destination import STORED, StoredDestination
from tests import programs
from tests.diagnostics.conftest import Checks, failure, step_of, verdicts
from tests.fixtures.ports import free_port
from tests.network.faults import Connection, serving
from tests.network.real_servers import ShellServer, sshd

NAME = "abq_data_record_2026-11-20.csv"
CONTENT = bytes(range(256)) * 4000
DEFAULTS: dict[str, object] = {**{each.name: each.default for each in SETTINGS}, "network_timeout": 20}


class Way(NamedTuple):
    """The host on the way, and the one behind it, which lets in whoever has the first one's key."""

    jump: ShellServer
    target: ShellServer
    known: Path

    def settings(self, **more: object) -> dict[str, Any]:
        """Those of a delivery that goes through."""
        own = {
            "abq_transfer": "sftp", "abq_ftp_host": "127.0.0.1", "abq_sftp_port": self.target.port,
            "abq_sftp_known_hosts": str(self.known), "abq_sftp_key_file": str(self.jump.key_file),
            "abq_sftp_jump": f"{self.jump.username}@127.0.0.1:{self.jump.port}",
        }  # fmt: skip
        return {**DEFAULTS, **own, **more}

    def send(self, path: Path, **more: object) -> None:
        """Deliver the file."""
        settings = self.settings(**more)
        assert destination("ftp").problem(settings) == ""
        with destination("ftp").uploads(settings, self.target.username, "") as opened:
            opened.upload(path)

    def refusal(self, path: Path, **more: object) -> tuple[str, BaseException]:
        """What is said, and the error."""
        with pytest.raises(Exception) as caught:
            self.send(path, **more)
        return describe_failure(caught.value), caught.value


@contextmanager
def two_hosts(folder: Path) -> Iterator[Way]:
    """Both, running; their keys are known in the folder."""
    with sshd() as jump, sshd() as target:
        own, theirs = (each.key_file.with_name("user_key.pub") for each in (target, jump))
        own.write_text(own.read_text() + theirs.read_text())
        known = folder / "known_hosts"
        known.write_text(lines_of(jump, target))
        yield Way(jump, target, known)


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    with two_hosts(tmp_path_factory.mktemp("known")) as found:
        yield found


def lines_of(*servers: ShellServer) -> str:
    return "".join(f"[127.0.0.1]:{each.port} {each.host_key}\n" for each in servers)


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(CONTENT)
    return path


@contextmanager
def agent(folder: Path, *keys: Path) -> Iterator[str]:
    """An ssh-agent with these keys; yields where it listens."""
    words = [programs.shell_tool(name) for name in ("ssh-agent", "ssh-add")]
    if None in words:
        pytest.skip("ssh-agent isn't here")
    place = str(folder / "agent")
    process = subprocess.Popen([str(words[0]), "-D", "-a", place], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdout.readline()  # it says where it listens
        environment = {**os.environ, "SSH_AUTH_SOCK": place}
        for key in keys:
            subprocess.run([str(words[1]), "-q", str(key)], check=True, env=environment, timeout=20)
        yield place
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.needs("network")
def test_a_file_goes_through_and_the_folder_behind_is_in_view(way: Way, extract: Path) -> None:
    way.send(extract)
    assert (way.target.folder / NAME).read_bytes() == CONTENT and not list(way.jump.folder.iterdir())
    with destination("ftp").remote_files(way.settings(), way.target.username, "") as files:
        assert NAME in [each.name for each in files.list().entries]
    row = StoredDestination("behind", "sftp", f"127.0.0.1:{way.target.port}", folder="in", login_address=(
        f"ssh://{way.jump.username}@127.0.0.1:{way.jump.port}"))  # fmt: skip
    values = way.settings(abq_sftp_jump="", **{STORED: {row.key: row}})
    with destination(row.key).uploads(values, way.target.username, "") as opened:
        opened.upload(extract)
        opened.upload(extract, name="second.csv")
    assert (way.target.folder / "in/second.csv").read_bytes() == CONTENT
    into_a_file = way.settings(abq_sftp_jump="", abq_ftp_folder="in/second.csv/in")
    with destination("ftp").uploads(into_a_file, way.target.username, "e") as opened, pytest.raises(OSError) as caught:
        opened.upload(extract)
    assert "The server said: No such file" in describe_failure(caught.value)  # what was told to nobody is no secret


@pytest.mark.needs("network")
def test_an_agent_has_the_key_of_both(way: Way, extract: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_agent = {"abq_sftp_key_file": "", "abq_sftp_agent": True}
    with agent(extract.parent, way.target.key_file, way.jump.key_file) as place:  # the jump host knows the second only
        monkeypatch.setenv("SSH_AUTH_SOCK", place)
        way.send(extract, **by_agent)
        way.send(extract, **by_agent, abq_sftp_jump="")
    assert (way.target.folder / NAME).read_bytes() == CONTENT
    told, error = way.refusal(extract, **by_agent)
    assert "no ssh-agent with a key" in told and login_refused(error)
    with sshd("MaxAuthTries 1") as strict, agent(extract.parent, way.jump.key_file, strict.key_file) as place:
        monkeypatch.setenv("SSH_AUTH_SOCK", place)
        way.known.write_text(lines_of(way.jump, way.target, strict))
        told, error = way.refusal(extract, **by_agent, abq_sftp_jump="", abq_sftp_port=strict.port)
    assert "ended the login after 1 of the 2 keys of the ssh-agent (MaxAuthTries)" in told
    assert login_refused(error) and not is_transient(error)


@contextmanager
def bad_agent(folder: Path, answers: dict[int, bytes | None]) -> Iterator[str]:
    """An agent that answers these kinds of requests so, None: never; yields where it listens."""
    place, ended = str(folder / "bad"), threading.Event()

    class Answers(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while size := self.rfile.read(4):
                answer = answers[self.rfile.read(int.from_bytes(size, "big"))[0]]
                if answer is None:
                    ended.wait(60)
                    return
                self.wfile.write(len(answer).to_bytes(4, "big") + answer)

    with socketserver.ThreadingUnixStreamServer(place, Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield place
        finally:
            ended.set()
            server.shutdown()
    Path(place).unlink()


_LIST, _SIGN, _FAILURE = 11, 13, b"\5"


@pytest.mark.needs("network")
@pytest.mark.skipif(not hasattr(socketserver, "ThreadingUnixStreamServer"), reason="there are no such sockets")
def test_an_agent_that_fails_or_waits_is_reported_in_time(
    way: Way, extract: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = base64.b64decode(way.jump.key_file.with_name("user_key.pub").read_text().split()[1])
    listed = b"\x0c\0\0\0\1" + len(blob).to_bytes(4, "big") + blob + b"\0\0\0\1x"
    cases: tuple[tuple[dict[int, bytes | None], str, bool], ...] = (
        ({_LIST: listed, _SIGN: _FAILURE}, "The ssh-agent refused to use a key for 127.0.0.1", False),
        ({_LIST: _FAILURE}, "no ssh-agent with a key", False),
        ({_LIST: listed, _SIGN: None}, "The ssh-agent, which may wait for somebody to confirm it, didn't", True),
        ({_LIST: None}, "The ssh-agent, which may wait for somebody to confirm it, didn't", True),
    )
    for answers, words, transient in cases:
        with bad_agent(extract.parent, answers) as place:
            monkeypatch.setenv("SSH_AUTH_SOCK", place)
            told, error = way.refusal(extract, abq_sftp_key_file="", abq_sftp_agent=True, network_timeout=1.5)
        assert words in told and (is_transient(error), login_refused(error)) == (transient, not transient), told


@pytest.mark.needs("network")
def test_each_refusal_says_whose_it_is(way: Way, extract: Path) -> None:
    port, jump = way.target.port, f"127.0.0.1:{way.jump.port}"
    told, error = way.refusal(extract, abq_sftp_key_file=str(way.target.key_file))
    assert "The jump host 127.0.0.1 refused the user name" in told and login_refused(error)
    told, error = way.refusal(extract, abq_sftp_jump=f"nobody-here@{jump}")
    assert "The jump host 127.0.0.1 refused the user name nobody-here" in told and login_refused(error)
    told, error = way.refusal(extract, abq_sftp_key_file="")
    assert "logged in at by a key only" in told
    told, error = way.refusal(extract, abq_sftp_port=free_port())
    assert "The jump host 127.0.0.1 can't reach 127.0.0.1, port" in told and is_transient(error)
    told, error = way.refusal(extract, abq_sftp_jump=f"127.0.0.1:{free_port()}")
    assert "refused the connection" in told and is_transient(error)
    told, error = way.refusal(extract, abq_ftp_host="nowhere.invalid")
    assert "The jump host 127.0.0.1" in told and "nowhere.invalid" in told
    with sshd("AllowTcpForwarding no") as closed:
        closed.key_file.with_name("user_key.pub").write_text(way.jump.key_file.with_name("user_key.pub").read_text())
        way.known.write_text(lines_of(way.jump, way.target, closed))
        told, error = way.refusal(extract, abq_sftp_jump=f"127.0.0.1:{closed.port}")
    assert f"lets nobody through to 127.0.0.1, port {port}" in told and not is_transient(error)


@pytest.mark.needs("network")
def test_both_hosts_must_be_known(way: Way, extract: Path, tmp_path: Path) -> None:
    known, jump, target = tmp_path / "known_hosts", way.jump, way.target
    files = {"abq_sftp_known_hosts": str(known)}
    known.write_text(lines_of(target))
    told, error = way.refusal(extract, **files)
    assert "The jump host 127.0.0.1 isn't known yet" in told
    assert not getattr(error, "fingerprint", "")  # the question would be about the host behind it
    known.write_text(lines_of(jump))
    told, error = way.refusal(extract, **files)
    assert "127.0.0.1 isn't known yet" in told and getattr(error, "fingerprint", "").startswith("SHA256:")
    known.write_text(f"[127.0.0.1]:{jump.port} {target.host_key}\n{lines_of(target)}")
    told, error = way.refusal(extract, **files)
    assert "The key of 127.0.0.1 has changed" in told and not is_transient(error)
    known.write_text(f"[127.0.0.1]:{target.port} {jump.host_key}\n{lines_of(jump)}")
    told, error = way.refusal(extract, **files)
    assert "The key of 127.0.0.1 has changed" in told


@pytest.mark.needs("network")
def test_what_is_silent_behind_the_jump_host_has_an_end(way: Way, extract: Path) -> None:
    with serving(Connection.stall) as port:
        told, error = way.refusal(extract, abq_sftp_port=port, network_timeout=1.5)
    assert "didn't" in told and is_transient(error)


@pytest.mark.needs("network")
def test_check_goes_through_step_by_step(way: Way) -> None:
    check, options = Checks(), {**way.settings(), "abq_ftp_folder": ""}
    way.known.write_text(lines_of(way.jump, way.target))
    options.pop("network_timeout")
    assert list(verdicts(check("ftp", **options))) == ["Jump name", "Jump port"]
    steps = check("ftp", (way.target.username, ""), True, **options)
    assert list(verdicts(steps)) == ["Jump name", "Jump port", "Greeting", "Host key", "Login", "Write test"]
    assert f"through {options['abq_sftp_jump']}: " in step_of(steps, "Greeting").text
    wrong = {**options, "abq_sftp_key_file": str(way.target.key_file)}
    assert "The jump host" in failure(check("ftp", (way.target.username, ""), **wrong)).text


def test_what_can_be_a_jump_host() -> None:
    for text, found in (
        ("", None), ("jump.example", Jump("jump.example")), ("lab@jump:2222", Jump("jump", 2222, "lab")),
        ("ssh://lab@[::1]:22", Jump("::1", 22, "lab")), ("[::1]", Jump("::1")),
    ):  # fmt: skip
        assert jump_of(text) == found and jump_problem(text) is None
    for text in ("a b", "jump:0", "jump:99999", "a:b@jump", "a@b@c", "http://jump", "jump/x", "::1", "@jump", "jump:"):
        assert jump_problem(text), text
