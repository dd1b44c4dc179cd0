"""Log servers that are gone, frozen, full, untrusted: nobody who logs waits, and the log file tells it once."""

from __future__ import annotations

import logging
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from abq_data_entry.log_targets import sending
from tests.fixtures.ports import free_port
from tests.network.certificates import Authority, authority
from tests.network.faults import Connection, serving
from tests.pace import patience

from .conftest import Frames, kept, log_text

LOG = logging.getLogger("abq_data_entry.test")
MOST, MANY = 200, 1000


@pytest.fixture(autouse=True)
def _short_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the usual queue: what is full is full."""
    monkeypatch.setattr(sending, "MOST", MOST)


def told() -> list[str]:
    """What the log file says about the log server."""
    lines = [line.split(": ", 1)[1] for line in log_text().splitlines() if ".log_targets." in line]
    return [re.sub(r":\d{4,5}", ":PORT", line) for line in lines]


def wait_until_told(text: str) -> None:
    end = time.monotonic() + 60
    while text not in log_text():
        assert time.monotonic() < end, log_text()[-2000:]
        time.sleep(0.01)


def log_many() -> float:
    """Log many events; return the seconds that it took with the end of the log."""
    start = time.monotonic()
    for number in range(MANY):
        LOG.info("event %d", number)
    return time.monotonic() - start


def test_a_server_that_is_gone() -> None:
    port = free_port()
    with kept(log_target="syslog", log_server=f"tcp://127.0.0.1:{port}"):
        LOG.info("first")
        wait_until_told("events wait")
        log_many()
        start = time.monotonic()
    assert time.monotonic() - start < patience(5)  # the end doesn't wait for another attempt
    assert told() == [
        "events wait, syslog at tcp://127.0.0.1:PORT doesn't take them: Connection refused",
        f"{MANY + 1} events are in this file only: syslog at tcp://127.0.0.1:PORT was away or too slow until the end",
    ]
    assert f"event {MANY - 1}" in log_text()


def test_a_server_that_comes_back(frames: Frames) -> None:
    port = free_port()
    with kept(log_target="syslog", log_server=f"tcp://127.0.0.1:{port}"):
        LOG.info("first")
        wait_until_told("events wait")
        log_many()
        with serving(frames.script(), port):
            wait_until_told("events go to")
            LOG.info("last")
            texts = frames.until(f"event {MOST - 2}")  # what had room in the queue, in its order
            assert texts == ["first", *(f"event {number}" for number in range(MOST - 1))]
            wait_until_told("away or too slow")
            LOG.info("after all")
            frames.until("after all")
    assert told()[0].startswith("events wait, syslog at tcp")
    lost = next(line for line in told() if "away or too slow" in line)
    assert int(lost.split()[0]) in (MANY + 1 - MOST, MANY + 2 - MOST)  # "last" may have found room or not


def test_a_server_that_ends_each_connection(frames: Frames) -> None:
    ended = threading.Semaphore(0)

    def play(connection: Connection) -> None:
        frames.counted(connection)
        connection.socket.shutdown(socket.SHUT_RDWR)
        connection.socket.close()
        ended.release()

    with serving(play) as port, kept(log_target="syslog", log_server=f"tcp://127.0.0.1:{port}"):
        for number in range(3):
            LOG.info("event %d", number)
            assert frames.next().text == f"event {number}"
            assert ended.acquire(timeout=60)
    assert told() == []


@pytest.mark.parametrize("way", ["tcp", "tls"])
def test_a_server_that_is_frozen(way: str) -> None:
    """It takes connections and reads nothing."""
    with serving(lambda connection: connection.stall()) as port:
        with kept(log_target="syslog", log_server=f"{way}://127.0.0.1:{port}"):
            for _ in range(10):
                LOG.info("%s", "x" * 60_000)
            took = log_many()
            start = time.monotonic()
        assert took < patience(5) and time.monotonic() - start < patience(5)
    assert f"event {MANY - 1}" in log_text()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no local sockets")
def test_a_journal_that_is_stopped_holds_nobody_up(sockets: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(sockets / "socket"))
        with kept(log_target="journald", log_server=str(sockets / "socket")):
            assert log_many() < patience(5)
    assert int(told()[-1].split()[0]) > 0


@pytest.mark.parametrize("whose", ["stranger", "plain", "nobody"])
def test_no_event_goes_to_a_server_that_cannot_be_trusted(
    whose: str, frames: Frames, trusted: Authority, tmp_path: Path
) -> None:
    stranger = authority("Stranger", tmp_path).issue("localhost")
    script = frames.script(None if whose == "plain" else stranger)

    def play(connection: Connection) -> None:
        if whose != "nobody":  # who hangs up at once
            script(connection)

    with serving(play) as port:
        settings = {"log_server": f"tls://localhost:{port}", "log_ca_file": str(trusted.file)}
        with kept(log_target="syslog", **settings):
            LOG.info("secret of the house")
            wait_until_told("events wait")
    assert frames.queue.empty()
    assert ("certificate isn't trusted" in told()[0]) == (whose == "stranger")
    assert told()[1].startswith("1 event is in this file only")


def test_a_file_of_authorities_that_is_missing(tmp_path: Path) -> None:
    with serving(lambda connection: connection.stall()) as port:
        missing = str(tmp_path / "missing.pem")
        with kept(log_target="syslog", log_server=f"tls://localhost:{port}", log_ca_file=missing):
            LOG.info("hello")
            wait_until_told("events wait")
    assert "No such file" in told()[0]


@pytest.mark.skipif(sys.platform == "win32", reason="it is there")
def test_a_target_that_this_system_does_not_have() -> None:
    with kept(log_target="eventlog"):
        LOG.info("hello")
    assert "events go to this file only: the Windows Event Log is on Windows only." in log_text()
    assert "hello" in log_text()


@pytest.mark.parametrize("address", ["logs.example", "http://logs.example", "tcp://a b", "tls://h:0", "tls://h:99999"])
def test_an_address_that_is_none_sends_nothing(address: str) -> None:
    from abq_data_entry.models import SettingsModel

    with kept(log_target="syslog", log_server=address):
        LOG.info("hello")
    assert "tls://logs.lab.example:6514" in " ".join(SettingsModel().problems)


def test_a_subcommand_tells_what_it_did(frames: Frames) -> None:
    root = Path(__file__).resolve().parents[2]

    def listed(port: int) -> tuple[str, str]:
        with kept(log_target="syslog", log_server=f"tcp://127.0.0.1:{port}"):  # for the file of settings
            command = [sys.executable, "-m", "abq_data_entry", "journal", "list"]
            done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout, done.stderr

    with serving(frames.script()) as port:
        end = time.monotonic() + 120
        said, missing = listed(port), {"journal list begins", "journal list is done"}
        while missing := missing - {frames.next().text for _ in range(frames.queue.qsize())}:
            assert time.monotonic() < end, log_text()  # a command doesn't wait for long, however busy the machine is
            listed(port)
    assert listed(port) == said  # the server has gone by now
