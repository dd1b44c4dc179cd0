"""kill -9 at every point of a delivery, with real processes and a real server: nothing is lost, doubled or cut."""

from __future__ import annotations

import datetime
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from abq_data_entry import network
from abq_data_entry.outbox import Outbox, deliver, extract_name, tidy
from tests.fixtures.servers import BundledServer
from tests.outbox.killed import CONTENT, DATE

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not hasattr(sys, "addaudithook") or sys.platform == "win32", reason="no fork here")
def test_killed_at_every_point(tmp_path: Path, ftp_server: BundledServer) -> None:
    words = [sys.executable, "-m", "tests.outbox.killed", str(tmp_path), str(ftp_server.port), "1", "1"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    last, code = map(int, done.stdout.split())
    assert code == 0 and last > 40, "so many points there are at least"
    stages = [_after_the_kill(tmp_path / str(number), number, ftp_server) for number in range(1, last)]
    assert {"nothing", "waiting", "sending", "delivered"} <= set(stages), "every stage was hit"


def _after_the_kill(folder: Path, number: int, server: BundledServer) -> str:
    """Do what the next start does; return in which state the killed process left its delivery."""
    arrived = server.folder / extract_name(DATE + datetime.timedelta(days=number))

    def send(path: Path, *, progress: object, cancel: threading.Event) -> None:
        network.upload_to_corporate_ftp(path, server.host, server.port, "test", "test", cancel=cancel)

    box = Outbox(folder)
    left = box.deliveries()
    assert len(left) <= 1 and not box.problems, number
    state = left[0].state if left else "nothing"
    if state == "delivered":
        assert arrived.read_bytes() == CONTENT, f"{number}: told as delivered, and it isn't"
    tidy(box)
    for each in box.deliveries():
        assert deliver(box, each.identifier, send)[0].state == "delivered", number
    tidy(box)
    assert arrived.exists() == bool(left) and (not left or arrived.read_bytes() == CONTENT), number
    files = [path.name for path in folder.rglob("*") if path.is_file() and path.parent.name != "locks"]
    assert files == ["delivery.json"] * len(left), number
    return state
