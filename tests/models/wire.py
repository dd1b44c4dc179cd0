"""A fault on the wire: a proxy before the database that cuts the connection around a COMMIT, once."""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal

import pytest

from abq_data_entry.models import SQLModel

Test = Callable[..., None]
When = Literal["before", "after"]
_COMMIT = b"COMMIT"
_CONFIRM = b"pg_logical_emit_message"


def around_the_commit(test: Test) -> Test:
    """Run the test with `when`: the connection is cut before the server has the COMMIT, and before it has answered."""
    only_unix = pytest.mark.skipif(sys.platform == "win32", reason="the proxy stands before a unix socket")
    both: Test = pytest.mark.parametrize("when", ["before", "after"])(test)
    marked: Test = only_unix(both)
    return marked


class Proxy:
    """Passes everything on; `cut` says when the next COMMIT loses its connection, and is `None` once it did.

    `meanwhile` is called when a COMMIT was cut off before: for what somebody else does then.
    """

    def __init__(self, folder: Path, target: str) -> None:
        self.cut: When | None = None
        self.has_cut = False
        self.lost_answers = self.confirmed = 0
        self.meanwhile: Callable[[], object] = lambda: None
        self._cutting = threading.Lock()
        self._target = target
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                pair = (client, server)
                threading.Thread(target=self._pass_requests, args=pair, daemon=True).start()
                threading.Thread(target=self._pass_answers, args=pair, daemon=True).start()

    def _pass_requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                self.confirmed += _CONFIRM in data
                if _COMMIT in data and self.cut == "before":
                    self.cut, self.has_cut = None, True
                    with self._cutting:
                        _end(server)  # else what isn't committed would hold somebody else up
                        self.meanwhile()
                    break
                server.sendall(data)
        _end(client, server)

    def _pass_answers(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if _COMMIT in data and self.cut == "after":
                    self.cut, self.has_cut = None, True
                    self.lost_answers += 1
                    break
                client.sendall(data)
        with self._cutting:
            _end(client, server)


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxied(endpoint: Mapping[str, str]) -> Iterator[tuple[Proxy, dict[str, str]]]:
    """A proxy before a database on a unix socket, and the endpoint that leads through it.

    Whoever finds that it was done though its answer was lost makes sure that it is safe on a standby, too.
    """
    folder = Path(tempfile.mkdtemp(prefix="abq"))
    proxy = Proxy(folder, f"{endpoint['host']}/.s.PGSQL.{endpoint.get('port', '5432')}")
    try:
        yield proxy, {**endpoint, "host": str(folder), "port": "5432"}
        assert proxy.confirmed >= proxy.lost_answers
    finally:
        proxy.close()
        shutil.rmtree(folder)


@contextmanager
def losing_answers(endpoint: Mapping[str, str], when: When) -> Iterator[tuple[SQLModel, Callable[..., None]]]:
    """A model, and what lets it lose the connection around its next COMMIT; that takes what happens `meanwhile`."""
    with proxied(endpoint) as (proxy, through), closing(SQLModel.at(through)) as model:
        model.connect()

        def lose(meanwhile: Callable[[], object] = lambda: None) -> None:
            assert proxy.cut is None, "there was no COMMIT"
            proxy.cut, proxy.meanwhile = when, meanwhile

        yield model, lose
        assert proxy.has_cut and proxy.cut is None
