"""A disk that is full, an outbox that may not be written, and several processes at one outbox."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from abq_data_entry.outbox import Delivery, Outbox, Progress, Send, attempt_each, deliver, due, extract_name, retry
from abq_data_entry.outbox.folder import ROOM
from tests.fixtures.disks import filled, small_disk
from tests.fixtures.servers import BundledServer
from tests.outbox.conftest import DATE, FTP, REST, Extract
from tests.outbox.killed import CONTENT, days_of
from tests.outbox.test_sending import arriving, failing

ROOT = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(os.name != "posix", reason="no such limits and rights here")

LARGE = Extract(b"Date,Time\r\n" * 1_000)


@contextmanager
def full_disk(bytes_left: int = 100) -> Iterator[None]:
    """Let the system refuse every file that grows beyond this, as a full disk does."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@posix
@pytest.mark.parametrize("left", [0, 100, 12_000], ids=["at once", "in the extract", "in its description"])
def test_a_full_disk_takes_nothing_in_and_keeps_what_is_there(box: Outbox, left: int) -> None:
    extract = Extract(b"x\r\n" * 10) if left == 12_000 else LARGE
    waiting = box.add(Extract(), DATE, FTP, "lab-a")
    with full_disk(100 if left == 12_000 else left), pytest.raises(OSError):
        box.add(extract, DATE, REST, "lab-a")
    assert box.deliveries() == [waiting] and box.leftovers() == [] and box.is_whole(waiting)
    assert box.add(extract, DATE, REST, "lab-a").version == 1


@posix
def test_a_full_disk_before_an_attempt_lets_it_wait(box: Outbox) -> None:
    waiting = box.add(Extract(), DATE, REST, "lab-a")
    with full_disk(), pytest.raises(OSError):
        deliver(box, waiting, failing(AssertionError("sent")))
    assert box.deliveries() == [waiting]
    box.tidy()
    assert deliver(box, waiting, arriving)[0].state == "delivered"


@posix
def test_a_full_disk_of_the_states_takes_nothing_in_and_begins_nothing(tmp_path: Path) -> None:
    """The extracts may have room where their states have none."""
    (tmp_path / "journal").mkdir()
    with small_disk(tmp_path / "journal", "512k"):
        box = Outbox(tmp_path / "outbox")
        waiting = box.add(Extract(), DATE, FTP, "lab-a")
        filled(tmp_path / "journal" / "filler")
        with pytest.raises(OSError):
            box.add(Extract(), DATE, REST, "lab-a")
        with pytest.raises(OSError):
            deliver(box, waiting, failing(AssertionError("sent")))
        assert box.deliveries() == [waiting] and len(list(box.folder.glob("*/*.csv"))) == 1
        (tmp_path / "journal" / "filler").unlink()
        assert deliver(box, waiting, arriving)[0].state == "delivered"


@posix
@pytest.mark.parametrize("spare", [-8192, 8192], ids=["too little", "just enough"])
def test_a_round_begins_nothing_whose_outcome_it_couldnt_write_down(tmp_path: Path, spare: int) -> None:
    (tmp_path / "journal").mkdir()
    with small_disk(tmp_path / "journal", "512k"):
        box = Outbox(tmp_path / "outbox")
        waiting = box.add(Extract(), DATE, FTP, "lab-a")
        filler = tmp_path / "journal" / "filler"
        filled(filler)
        os.truncate(filler, max(0, filler.stat().st_size - ROOM - spare))
        send = arriving if spare > 0 else failing(AssertionError("sent"))

        def attempt(delivery: Delivery) -> BaseException | None:
            return deliver(box, delivery, send)[1]

        if spare > 0:
            assert attempt_each(box, due(box), attempt) == []
        else:
            with pytest.raises(OSError):
                attempt_each(box, due(box), attempt)
        assert box.read(waiting.identifier).state == ("delivered" if spare > 0 else "waiting")


@posix
@pytest.mark.parametrize("state", ["waiting", "failed"])
def test_a_full_disk_after_an_attempt_lets_it_wait(box: Outbox, state: str) -> None:
    """It may have arrived, and nobody could write that down: it is sent again, under the same name."""
    waiting, sent = box.add(Extract(), DATE, REST, "lab-a"), list[Path]()
    if state == "failed":
        waiting = deliver(box, waiting, failing(PermissionError("no")))[0]
        waiting = retry(box, waiting)

    def send(path: Path, *, name: str, progress: Progress, cancel: threading.Event) -> None:
        sent.append(path)
        stack.__enter__()

    stack = full_disk()
    try:
        with pytest.raises(OSError):
            deliver(box, waiting, send)
    finally:
        stack.__exit__(None, None, None)
    assert len(sent) == 1
    box.tidy()
    (again,) = due(box)
    assert again.identifier == waiting.identifier and "Broken off" in again.attempts[-1].outcome
    assert deliver(box, again, arriving)[0].state == "delivered"


@pytest.fixture
def read_only() -> Iterator[tuple[Outbox, Send]]:
    """An outbox with a delivery that this process may read, and not write."""
    folder = Path(tempfile.mkdtemp(prefix="abq-test-"))
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    try:
        folder.chmod(0o755)
        box = Outbox(folder / "outbox")
        box.add(Extract(), DATE, REST, "lab-a")
        for path in (box.folder, folder / "journal", *folder.rglob("*/*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        if root:  # whom no rights stop
            os.seteuid(65534)
        yield box, failing(AssertionError("sent"))
    finally:
        if root:
            os.seteuid(0)
        for path in (folder, *folder.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(folder)


@posix
def test_an_outbox_that_may_not_be_written_shows_what_it_has_and_sends_nothing(
    read_only: tuple[Outbox, Send],
) -> None:
    """What can't be written down isn't begun."""
    box, send = read_only
    (waiting,) = Outbox(box.folder).deliveries()
    for refused in (
        lambda: deliver(box, waiting, send),
        lambda: box.add(Extract(), DATE, REST, "lab-a"),
        lambda: box.tidy(),
    ):
        with pytest.raises(OSError):
            refused()
    assert box.deliveries() == [waiting] and box.is_whole(waiting)


_ROUND = """
import sys
from pathlib import Path
from functools import partial
from abq_data_entry import network
from abq_data_entry.outbox import Outbox, OutboxError, Sender, deliver, due, attempt_each
box, port = Outbox(Path(sys.argv[1])), int(sys.argv[2])
def attempt(each):
    try:
        return deliver(box, each, send)[1]
    except OutboxError as error:
        return error
with Sender(partial(network.FtpUploads, "127.0.0.1", port, "test", "test")) as send:
    waiting = due(box)
    print("ready", flush=True)
    sys.stdin.readline()
    attempt_each(box, waiting, attempt)
"""


def test_several_processes_make_one_round(box: Outbox, ftp_server: BundledServer) -> None:
    """Whoever comes first sends it; nobody sends it again."""
    days = days_of(0, 20)
    for day in days:
        box.add(Extract(CONTENT), day, FTP, "test")
    words = [sys.executable, "-c", _ROUND, str(box.folder), str(ftp_server.port)]
    rounds = [
        subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    try:
        for each in rounds:
            assert each.stdout is not None and each.stdout.readline() == "ready\n"
        for each in rounds:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        assert [each.wait(60) for each in rounds] == [0, 0, 0]
    finally:
        for each in rounds:
            each.kill()
            each.communicate()
    assert {each.state for each in box.deliveries()} == {"delivered"}
    assert [len(each.attempts) for each in box.deliveries()] == [1] * len(days)
    stored = [line for line in ftp_server.output().splitlines() if " STOR " in line]
    assert len(stored) == len(days) == len(list(ftp_server.folder.iterdir()))
    assert all((ftp_server.folder / extract_name(day)).read_bytes() == CONTENT for day in days)
