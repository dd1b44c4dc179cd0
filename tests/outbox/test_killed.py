"""kill -9 all along a delivery, with real processes and a real server: nothing is lost, doubled or cut."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path

import pytest

from abq_data_entry.outbox import Outbox, extract_name
from abq_data_entry.stored_destination import StoredDestination
from tests.fixtures.servers import BundledServer
from tests.outbox.killed import CONTENT, HEAD, Way, days_of, deliver_due
from tests.outbox.killing import ROOT, WAYS, kill_all_along


@pytest.mark.skipif(not hasattr(sys, "addaudithook") or sys.platform == "win32", reason="no fork here")
# Every point of the first was run as well (step 1): it takes four times as long.
@pytest.mark.parametrize(("days", "step"), [(1, 4), (3, 29)], ids=["one", "three over one login"])
def test_killed_all_along(tmp_path: Path, ftp_server: BundledServer, days: int, step: int) -> None:
    way = Way(StoredDestination("archive", "ftp", f"127.0.0.1:{ftp_server.port}"), "test", "test", {})
    words = [sys.executable, "-m", "tests.outbox.killed", str(tmp_path), way.text, "1", str(step), str(days)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    last, code = map(int, done.stdout.split())
    assert code == 0 and last > 40, "so many points there are at least"
    stages = [
        _after_the_kill(tmp_path / str(number), number, days_of(number, days), ftp_server, way)
        for number in range(1, last, step)
    ]
    assert {"nothing", "waiting", "sending", "delivered"} <= set().union(*stages), "every stage was hit"


@pytest.mark.needs("network")
@pytest.mark.skipif(not hasattr(sys, "addaudithook") or sys.platform == "win32", reason="no fork here")
# A login by SSH costs half a second, twice by a jump host; the benchmark takes more points.
@pytest.mark.parametrize(("name", "step"), [("S3", 23), ("XML-RPC", 17), ("SFTP by a jump host", 19)])
@pytest.mark.takes(10)
def test_killed_all_along_at_other_kinds(tmp_path: Path, name: str, step: int) -> None:
    with WAYS[name](tmp_path) as (way, kept):
        seen = kill_all_along(way, kept, tmp_path, step)
    assert not seen.wrong and seen.kills > 5
    assert "sending" in seen.states and seen.states & {"nothing", "waiting"}


def _after_the_kill(
    folder: Path, number: int, days: list[datetime.date], server: BundledServer, way: Way
) -> set[str]:
    """Do what the next start does; return in which states the killed process left its deliveries."""
    arrived = {extract_name(day): server.folder / extract_name(day) for day in days}
    box = Outbox(folder / "outbox")
    left = {each.name: each for each in box.deliveries()}
    assert not box.problems, number
    for name, each in left.items():
        if each.state == "delivered":
            assert arrived[name].read_bytes() == CONTENT, f"{number}: told as delivered, and it isn't"
    box.tidy()
    deliver_due(box, way)
    assert {each.state for each in box.deliveries()} <= {"delivered"}, number
    box.tidy()
    for name, path in arrived.items():
        assert path.exists() == (name in left) and (name not in left or path.read_bytes() == CONTENT), number
        beside = path.with_name(f"{name}.audit")
        assert len(days) == 1 or name not in left or beside.read_text() == f"{HEAD}\n", number
    assert [path.name for path in box.folder.iterdir()] == ["locks"], number
    assert [path.name for path in folder.glob("journal/*.sqlite*")] == ["waiting.sqlite"], number
    return {each.state for each in left.values()} or {"nothing"}
