"""For each kind of destination: a real one where every n-th file meets a fault, and what sends there.

What sends there is a destination of the table, as a workstation has it from the database.
"""

from __future__ import annotations

import datetime
import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from abq_data_entry.models import SETTINGS
from abq_data_entry.network import Uploads
from abq_data_entry.network.destinations import destination
from abq_data_entry.network.folder_store import FolderUploads, SharedFolder
from abq_data_entry.network.guard import Guard
from abq_data_entry.network.secure_shell import SftpUploads
from abq_data_entry.stored_destination import STORED, StoredDestination
from tests.fixtures.servers import bundled_server
from tests.network.dav_servers import PASSWORD, USERNAME, apache
from tests.network.faults import serving
from tests.network.login_server import PASSWORD as SECRET
from tests.network.login_server import USERNAME as LOGIN
from tests.network.login_server import login_service
from tests.network.real_servers import sshd
from tests.network.relays import FTP_FAULTS, REST_FAULTS, SHELL_FAULTS, ShellRelay, Turns, ftp_relay, http_relay

FOLDER_FAULTS = ("full", "gone", "torn", "killed", "frozen", "renamed, then gone", "renamed twice", "full")


_HANDSHAKE = 2.0  # seconds that a login by SSH may take on a busy machine


Kept = Callable[[], Mapping[str, bytes]]
"""What a destination has, by name; what came twice has a second name."""


def files_in(folder: Path) -> dict[str, bytes]:
    """The files of a folder, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


class Run(NamedTuple):
    """The faults; and what starts a destination in a folder of its own, and gives what it has and its sender.

    `content`: of a day's file, where it can't be any; `once`: nothing that may be there is sent again by itself.
    """

    faults: tuple[str, ...]
    start: Callable[[Turns, Path, float], AbstractContextManager[tuple[Kept, Callable[[], Uploads]]]]
    content: Callable[[datetime.date], bytes] | None = None
    once: bool = False


def sender_of(
    row: StoredDestination, username: str, password: str, patience: float, **settings: object
) -> Callable[[], Uploads]:
    """What opens a login at that destination of the table; a silent server is given up after `patience` seconds."""
    values = {each.name: each.default for each in SETTINGS} | settings
    values |= {"network_timeout": patience, STORED: {row.key: row}}
    assert destination(row.key).problem(values) == ""
    return lambda: destination(row.key).uploads(values, username, password)


@contextmanager
def _rest(turns: Turns, workspace: Path, patience: float) -> Iterator[tuple[Kept, Callable[[], Uploads]]]:
    options = ("--print-limit", "4096", "--username", "test", "--save-to", str(workspace / "received"))
    with (
        bundled_server(
            "sample_http_server.py", *options, workspace=workspace, environment={"ABQ_SERVER_PASSWORD": "test"}
        ) as server,
        serving(http_relay(server.port, turns)) as port,
    ):
        row = StoredDestination("archive", "rest", f"http://127.0.0.1:{port}/upload")
        yield partial(files_in, server.folder), sender_of(row, "test", "test", patience)


@contextmanager
def _rest_by_token(turns: Turns, workspace: Path, patience: float) -> Iterator[tuple[Kept, Callable[[], Uploads]]]:
    folder = workspace / "received"
    folder.mkdir()
    with (
        login_service("token", folder=folder, forgets=7) as service,
        serving(http_relay(int(service.url.rpartition(":")[2]), turns)) as port,
    ):
        row = StoredDestination("archive", "rest", f"http://127.0.0.1:{port}/upload", login_method="token")
        yield partial(files_in, folder), sender_of(row, LOGIN, SECRET, patience)


@contextmanager
def _ftp(turns: Turns, workspace: Path, patience: float) -> Iterator[tuple[Kept, Callable[[], Uploads]]]:
    with (
        bundled_server("basic_ftp_server.py", workspace=workspace) as server,
        serving(ftp_relay(server.port, turns)) as port,
    ):
        row = StoredDestination("archive", "ftp", f"127.0.0.1:{port}")
        yield partial(files_in, server.folder), sender_of(row, "test", "test", patience)


@contextmanager
def _sftp(turns: Turns, workspace: Path, patience: float) -> Iterator[tuple[Kept, Callable[[], Uploads]]]:
    with sshd() as server:
        relay = ShellRelay(server.port)
        with serving(relay) as port:
            known = workspace / "known_hosts"
            known.write_text(f"[127.0.0.1]:{port} {server.host_key}\n", "utf-8")
            row = StoredDestination("archive", "sftp", f"127.0.0.1:{port}")
            files = {"abq_sftp_known_hosts": str(known), "abq_sftp_key_file": str(server.key_file)}
            opened = sender_of(row, server.username, "", max(patience, _HANDSHAKE), **files)

            def faulty() -> Uploads:
                uploads = opened()
                assert isinstance(uploads, SftpUploads)
                uploads.__class__ = _FaultySftp
                assert isinstance(uploads, _FaultySftp)
                uploads.relay, uploads.turns = relay, turns
                return uploads

            yield partial(files_in, server.folder), faulty


class _FaultySftp(SftpUploads):
    """Tells the relay, which can't read what it carries, that the next file begins."""

    relay: ShellRelay
    turns: Turns

    def upload(self, filepath: str | os.PathLike[str], **options: Any) -> None:
        """Send the file; the relay knows what is to happen to it."""
        self.relay.begin(self.turns.next())
        super().upload(filepath, **options)


@contextmanager
def _webdav(turns: Turns, workspace: Path, patience: float) -> Iterator[tuple[Kept, Callable[[], Uploads]]]:
    with apache() as server, serving(http_relay(server.port, turns)) as port:
        row = StoredDestination("archive", "webdav", f"http://127.0.0.1:{port}/")
        yield partial(files_in, server.folder), sender_of(row, USERNAME, PASSWORD, patience)


@contextmanager
def _folder(turns: Turns, workspace: Path, patience: float) -> Iterator[tuple[Kept, Callable[[], Uploads]]]:
    share, ended = workspace / "share", threading.Event()
    share.mkdir()
    opened = sender_of(StoredDestination("archive", "folder", str(share)), "", "", patience)

    def faulty() -> Uploads:
        uploads = opened()
        assert isinstance(uploads, FolderUploads)
        return _FaultyUploads(Path(uploads.folder), turns, ended, patience)

    try:
        yield partial(files_in, share), faulty
    finally:
        ended.set()


class _FaultyUploads(FolderUploads):
    def __init__(self, folder: Path, turns: Turns, ended: threading.Event, patience: float) -> None:
        super().__init__(str(folder), timeout=patience)
        self._turns, self._ended = turns, ended
        self._before: _FaultyShare | None = None

    def share(self, guard: Guard) -> SharedFolder:
        """The next attempt at a file, or the tidying after one: there is none if that was killed."""
        is_killed = self._before is not None and self._before.fault == "killed"
        self._before = _FaultyShare(str(self.folder), guard, self._turns, self._ended, not is_killed)
        return self._before


class _FaultyShare(SharedFolder):
    """What a share does that has a bad day; the errors are the system's own."""

    def __init__(self, folder: str, guard: Guard, turns: Turns, ended: threading.Event, tidies: bool) -> None:
        super().__init__(folder, "", guard)
        self._turns, self._ended, self._tidies, self.fault = turns, ended, tidies, ""

    def put(self, name: str, blocks: Iterable[bytes | memoryview]) -> str:
        self.fault, self._tidies = self._turns.next(), True
        content = b"".join(bytes(block) for block in blocks)
        if self.fault not in ("full", "gone", "torn", "killed", "frozen"):
            return super().put(name, [content])
        whole = super().put(name, [content])
        super().put(name, [content[: len(content) // 2]])
        if self.fault == "torn":
            return whole
        if self.fault == "frozen":
            self.call(lambda: self._ended.wait(60))
        raise self.failure(OSError(errno.ENOSPC if self.fault == "full" else errno.ENOTCONN, "a fault"))

    def rename(self, part: str, name: str, expected: str) -> None:
        super().rename(part, name, expected)
        if self.fault == "renamed twice":
            super().rename(part, name, expected)
        if self.fault == "renamed, then gone":
            raise self.failure(OSError(errno.ENOTCONN, "a fault"))

    def remove(self, name: str) -> None:
        if self._tidies:
            super().remove(name)


OLDER = {
    "rest": Run(REST_FAULTS, _rest),
    "rest by token": Run(REST_FAULTS, _rest_by_token),
    "ftp": Run(FTP_FAULTS, _ftp),
    "sftp": Run(SHELL_FAULTS, _sftp),
    "folder": Run(FOLDER_FAULTS, _folder),
    "webdav": Run(REST_FAULTS, _webdav),
}
"""Those whose files lie in a folder."""
