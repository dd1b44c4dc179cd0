"""What the outbox costs: many small extracts over one login, and as many with a fault in every third.

The first is measured against the server's own time: the same files over one session with nothing but the protocol, in
turns. Ours has all that makes a delivery: the lock, each state on the disk before it counts, the digest, the check at
the destination, and the rows in the database. In the second the clock is moved on to the next attempt, so that what
takes a laboratory an evening takes seconds here.
"""

from __future__ import annotations

import datetime
import ftplib
import http.client
import logging
import shutil
import statistics
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg2
from psycopg2.extensions import make_dsn

from abq_data_entry.models import SETTINGS, SQLModel
from abq_data_entry.network import Uploads
from abq_data_entry.network.destinations import destination
from abq_data_entry.outbox import Outbox, Place, Sender, attempt_each, deliver, due, extract_name, record, sender
from benchmarks import dataset, table
from benchmarks.options import Options
from tests.fixtures.servers import BundledServer, bundled_server
from tests.network.fault_runs import files_in
from tests.network.further_fault_runs import RUNS, kinds_here
from tests.network.relays import Turns

LIMIT = 5.0  # milliseconds of each delivery
EVERY = 3  # file that meets a fault
MOST_PAIRS = 3
PATIENCE = 0.3  # seconds until a silent server is given up
_FIRST_DAY = datetime.date(2000, 1, 1)
_LOGIN = ("test", "test")


def measure(options: Options) -> Iterator[table.Row]:
    """What REST and FTP cost, and each kind with faults."""
    for name in ("abq_data_entry", "mail.log"):  # the faults are meant, and aiosmtpd tells what it will change
        logging.getLogger(name).addHandler(logging.NullHandler())
    with ExitStack() as stack:
        server = stack.enter_context(dataset.server(options.folder))
        endpoint = server.endpoint(dataset.prepare(server, 0))
        model = SQLModel.at(endpoint)
        stack.callback(_forget, endpoint)
        stack.callback(model.close)
        bench = _Bench(model, options)
        for kind in ("rest", "ftp"):
            yield from bench.cost(kind)
        for kind in kinds_here():
            yield from bench.faults(kind)


class Records:
    """In place of the records: a small extract for any day, or what `content` makes of it."""

    def __init__(self, content: Callable[[datetime.date], bytes] | None = None) -> None:
        self._content = content or content_of

    def export_records(self, path: Path, first_date: datetime.date) -> int:
        path.write_bytes(self._content(first_date))
        return 20


def content_of(day: datetime.date) -> bytes:
    """The extract of a day, unlike that of any other."""
    line = f"{day},8:00,J Simms,A,1,AXM477,24.47,1.01,21.44,,14,27,1,2.35,9.20,5.09,\r\n"
    return b"Date,Time,Technician,Lab\r\n" + line.encode() * 20


class _Clock:
    """The time, which can be moved on."""

    def __init__(self) -> None:
        self.ahead = datetime.timedelta()

    def __call__(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.timezone.utc) + self.ahead


class _Bench:
    def __init__(self, model: SQLModel, options: Options) -> None:
        self._model = model
        self._count = options.deliveries
        self._pairs = min(options.runs, MOST_PAIRS)
        self._days = [_FIRST_DAY + datetime.timedelta(days=number) for number in range(self._count)]

    def cost(self, kind: str) -> Iterator[table.Row]:
        """Milliseconds of each delivery over the server's own time."""
        ours: list[float] = []
        own: list[float] = []
        with _server(kind) as server:
            self._deliver_all(kind, server)  # all that is imported with the first use
            for pair in range(self._pairs):
                turns: list[Callable[[], None]] = [
                    lambda: ours.append(self._deliver_all(kind, server)),
                    lambda: own.append(self._send_all(kind, server)),
                ]
                for place in (0, 1) if pair % 2 else (1, 0):
                    turns[place]()
        each = [1000 * (mine - theirs) / self._count for mine, theirs in zip(ours, own, strict=True)]
        what = f"{self._count:,} extracts by {kind.upper()} over one login, each over the server's own time"
        remark = f"{_each(ours, self._count)} against {_each(own, self._count)}"
        yield table.row(what, "ms", each, LIMIT, remark)

    def faults(self, kind: str) -> Iterator[table.Row]:
        """How many files are missing, cut, doubled or strange at the destination."""
        base, *way = kind.split()
        name = " ".join([base.upper() if base in ("sftp", "ftps") else destination(base).name, *way])
        # Some take minutes, since a frozen server is waited for.
        print(f"  {name}, with faults …", file=sys.stderr, flush=True)
        faults, start, content, once = RUNS[kind]
        turns = Turns(EVERY, faults)
        with (
            tempfile.TemporaryDirectory(prefix="abq-outbox-") as workspace,
            _outbox() as (box, clock),
            start(turns, Path(workspace), PATIENCE) as (kept, opened),
        ):
            self._put_in(box, Place(f"{base}:archive", "127.0.0.1"), content)
            self._deliver_despite(box, clock, opened)
            wrong = self._wrong(box, kept(), content or content_of, once)
        what = f"{self._count:,} deliveries by {name}, a fault in every third: files missing, cut or doubled"
        remark = f"{turns.files:,} attempts met {turns.faults:,} faults of {len(set(faults))} kinds"
        yield table.row(what, "files", [wrong], 0.0, remark)

    def _deliver_all(self, kind: str, server: BundledServer) -> float:
        """Return the seconds of all deliveries, from the outbox on the disk to the last row in the database."""
        with _outbox() as (box, _clock):
            self._put_in(box, destination(kind).place(_settings(server)))
            begun = time.perf_counter()
            fresh = Outbox(box.folder)
            with sender(kind, _settings(server), *_LOGIN) as send:
                attempt_each(fresh, due(fresh), lambda each: deliver(fresh, each, send)[1])
            record(fresh, self._model)
            seconds = time.perf_counter() - begun
            found = files_in(server.folder)
            for each in found:
                server.folder.joinpath(each).unlink()
            if wrong := self._wrong(box, found):
                raise AssertionError(f"{wrong} files didn't arrive")
        return seconds

    def _send_all(self, kind: str, server: BundledServer) -> float:
        """Return the seconds of the same files over one session with nothing but the protocol."""
        send = {"rest": _put_all, "ftp": _store_all}[kind]
        with tempfile.TemporaryDirectory(prefix="abq-outbox-") as folder:
            paths = [Path(folder, extract_name(day)) for day in self._days]
            for path, day in zip(paths, self._days, strict=True):
                path.write_bytes(content_of(day))
            begun = time.perf_counter()
            send(server, paths)
            return time.perf_counter() - begun

    def _put_in(self, box: Outbox, to: Place, content: Callable[[datetime.date], bytes] | None = None) -> None:
        for day in self._days:
            box.add(Records(content), day, to, _LOGIN[0])
        record(box, self._model)

    def _deliver_despite(self, box: Outbox, clock: _Clock, opened: Callable[[], Uploads]) -> None:
        """Try again until nothing waits any more, each time at the moment that the outbox says."""
        with Sender(opened) as send:
            while waiting := [each for each in box.deliveries() if each.open]:
                if ready := due(box):
                    attempt_each(box, ready, lambda each: deliver(box, each, send)[1])
                else:
                    clock.ahead += datetime.timedelta(minutes=10)
                if min(each.created for each in waiting) < clock() - datetime.timedelta(days=1):
                    break
        record(box, self._model)

    def _wrong(
        self, box: Outbox, found: Mapping[str, bytes], content: Callable[[datetime.date], bytes] = content_of,
        once: bool = False,
    ) -> int:  # fmt: skip
        """Count what isn't there whole, what is there beside it, and what the receipts say of it wrongly.

        `once`: what may be there is left to a person, and its receipt says that it isn't known.
        """
        wanted = {extract_name(day): content(day) for day in self._days}
        missing = sum(found.get(name) != there for name, there in wanted.items())
        states = ("delivered", "unknown") if once else ("delivered",)
        told = {each.name for each in box.deliveries() if each.state in states}
        return missing + len(found.keys() - wanted.keys()) + len(told ^ wanted.keys())


def _put_all(server: BundledServer, paths: list[Path]) -> None:
    connection = http.client.HTTPConnection(server.host, server.port)
    form = urllib.parse.urlencode({"username": _LOGIN[0], "password": _LOGIN[1]})
    connection.request("POST", "/auth", form, {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    answer.read()
    cookie = str(answer.getheader("Set-Cookie")).partition(";")[0]
    head = '--b\r\nContent-Disposition: form-data; name="file"; filename="{}"\r\n\r\n'
    for path in paths:
        body = head.format(path.name).encode() + path.read_bytes() + b"\r\n--b--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=b", "Cookie": cookie}
        connection.request("PUT", "/upload", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise AssertionError(f"the server answered {answer.status}")
    connection.close()


def _store_all(server: BundledServer, paths: list[Path]) -> None:
    with ftplib.FTP() as session:
        session.connect(server.host, server.port)
        session.login(*_LOGIN)
        for path in paths:
            with path.open("rb") as file:
                session.storbinary(f"STOR {path.name}", file)


def _settings(server: BundledServer) -> dict[str, object]:
    by_default = {each.name: each.default for each in SETTINGS}
    places = {
        "abq_auth_url": server.auth_url,
        "abq_upload_url": server.upload_url,
        "abq_ftp_host": server.host,
        "abq_ftp_port": server.port,
    }
    return {**by_default, **places}


@contextmanager
def _server(kind: str) -> Iterator[BundledServer]:
    """A bundled server that keeps what it gets."""
    workspace = Path(tempfile.mkdtemp(prefix="abq-outbox-"))
    options = ("--print-limit", "4096", "--username", _LOGIN[0], "--save-to", str(workspace / "received"))
    rest = ("sample_http_server.py", *options)
    words = {"rest": rest, "ftp": ("basic_ftp_server.py",)}[kind]
    try:
        with bundled_server(
            *words, workspace=workspace, environment={"ABQ_SERVER_PASSWORD": _LOGIN[1]}
        ) as server:
            yield server
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


@contextmanager
def _outbox() -> Iterator[tuple[Outbox, _Clock]]:
    clock = _Clock()
    with tempfile.TemporaryDirectory(prefix="abq-outbox-") as folder:
        yield Outbox(Path(folder, "outbox"), clock), clock


def _forget(endpoint: Mapping[str, str]) -> None:
    with psycopg2.connect(make_dsn(**endpoint)) as connection, connection.cursor() as cursor:
        dataset.forget(cursor)


def _each(seconds: list[float], count: int) -> str:
    return f"{1000 * statistics.median(seconds) / count:.1f} ms"
