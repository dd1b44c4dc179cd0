"""Receivers of events on this computer, and the log as the program keeps it, with settings of the test's."""

from __future__ import annotations

import json
import queue
import re
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from abq_data_entry import folders, logfile
from tests.network.certificates import Authority, authority
from tests.network.faults import Connection

PATIENCE = 60.0  # seconds for what comes at once on an idle machine
_MESSAGE = re.compile(
    r"<(?P<priority>\d{1,3})>1 (?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (?P<host>[!-~]{1,255}) abq-data-entry"
    r" (?P<process>\d+) (?P<id>[!-~]{1,32}) (?P<facts>(?:\[(?:[^\]\\\"]|\"(?:[^\\\"\]]|\\.)*\")*\])+)"
    r"(?: \ufeff?(?P<text>.*))?"
)
FACT = re.compile(r'(\w+)="((?:[^\\"\]]|\\.)*)"')


class Received(NamedTuple):
    """One event as a receiver understands it."""

    priority: int
    text: str
    facts: dict[str, str]
    id: str


def understood(frame: bytes) -> Received:
    """Read a message of RFC 5424, strictly."""
    found = _MESSAGE.fullmatch(frame.decode("utf-8"))
    assert found is not None, frame
    facts = {name: re.sub(r"\\(.)", r"\1", value) for name, value in FACT.findall(found["facts"])}
    return Received(int(found["priority"]), found["text"] or "", facts, found["id"])


class Frames:
    """What came, in its order."""

    def __init__(self) -> None:
        self.queue: queue.Queue[bytes] = queue.Queue()

    def next(self) -> Received:
        """The next event; waits for it."""
        return understood(self.queue.get(timeout=PATIENCE))

    def until(self, text: str) -> list[str]:
        """The texts of all events up to the one with this text."""
        texts: list[str] = []
        while not texts or text not in texts[-1]:
            texts.append(self.next().text)
        return texts

    def counted(self, connection: Connection) -> bool:
        """Take one frame with its length before it; False at the end of the stream."""
        length = connection.until(b" ")
        if not length:
            return False
        assert re.fullmatch(rb"[1-9]\d* ", length), length
        self.queue.put(connection.exactly(int(length)))
        return True

    def script(self, certificate: Path | None = None) -> Callable[[Connection], None]:
        """What a receiver does with a connection, by TCP or TLS."""

        def play(connection: Connection) -> None:
            if certificate is not None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate)
                connection.socket = context.wrap_socket(connection.socket, server_side=True)
            while self.counted(connection):
                pass

        return play


@contextmanager
def datagrams(family: int, place: object) -> Iterator[tuple[socket.socket, Callable[[], bytes]]]:
    """A socket for datagrams, and what waits for the next."""
    with socket.socket(family, socket.SOCK_DGRAM) as receiver:
        receiver.bind(place)  # type: ignore[arg-type]
        receiver.settimeout(PATIENCE)
        yield receiver, lambda: receiver.recv(1 << 20)


@contextmanager
def kept(**settings: str) -> Iterator[None]:
    """The log as every process of ours keeps it, with these settings in the file."""
    file = folders.config_folder(create=True) / "abq_settings.json"
    entries = {name: {"type": "str", "value": value} for name, value in settings.items()}
    file.write_text(json.dumps(entries), encoding="utf-8")
    with logfile.logging_to_file():
        yield


def log_text() -> str:
    """The log file."""
    return (folders.log_folder() / logfile.NAME).read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABQ_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ABQ_CONFIG_DIR", str(tmp_path / "config"))


@pytest.fixture
def frames() -> Frames:
    return Frames()


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="abq-log-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority("Log Authority", tmp_path_factory.mktemp("logs"))
