"""kill -9 at the calls of the system that write: between any two of them the journal is whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from abq_data_entry.journal import Journal
from tests import programs
from tests.fixtures import journal_1_0
from tests.journal.entries import inserted

ROOT = Path(__file__).resolve().parents[2]
STEP = 6  # all of them, about 70 and 30, were run once and were right as well
CALLS = "pwrite64,fsync,fdatasync,ftruncate,unlink,rename"
KEEPS = """
import os, sys
from pathlib import Path
from abq_data_entry.journal import Journal
from tests.journal.entries import inserted
folder = Path(sys.argv[1])
entries = [inserted(plot) for plot in (1, 2, 3)]
def tell(*words):
    os.write(1, (" ".join(words) + "\\n").encode())
tell(*[each.identifier for each in entries])
for what, number in (("keep", 0), ("keep", 1), ("settle", 0), ("keep", 2), ("settle", 1), ("settle", 2)):
    journal = Journal(folder)
    journal.keep(entries[number]) if what == "keep" else journal.settle(entries[number].identifier, "saved")
    tell(what, str(number))
"""
LOOKS = """
import sys
from pathlib import Path
from abq_data_entry.journal import Journal
Journal(Path(sys.argv[1])).entries()
"""
STEPS = [line.split() for line in ("keep 0", "keep 1", "settle 0", "keep 2", "settle 1", "settle 2")]


def killed_at(number: int, program: str, folder: Path) -> tuple[bool, list[str]]:
    """Run the program and kill it at its n-th call on the journal's files; whether it ended by itself, what it told."""
    strace = programs.find("strace")
    if strace is None:
        pytest.skip("strace isn't installed")
    names = ("waiting.sqlite", "waiting.sqlite-wal", "journal.log", "journal.end")
    files = [folder, *(folder / name for name in names)]
    inject = ("-e", f"trace={CALLS}", "-e", f"inject={CALLS}:signal=SIGKILL:when={number}")
    watched = [word for each in files for word in ("-P", str(each))]
    ours = [sys.executable, "-c", program, str(folder)]
    command = [str(strace), "-f", "-qq", "-o", "/dev/null", *inject, *watched, *ours]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if "ptrace" in done.stderr:
        pytest.skip("strace may not look at processes here")
    assert done.returncode in (0, -9, 137), done.stderr
    return done.returncode == 0, done.stdout.splitlines()


def after(steps: int) -> set[int]:
    """Which of the three wait after so many steps."""
    waits: set[int] = set()
    for what, number in STEPS[:steps]:
        waits = waits | {int(number)} if what == "keep" else waits - {int(number)}
    return waits


def test_killed_while_it_keeps_and_settles(tmp_path: Path) -> None:
    number, ended, hits = 1, False, 0
    while not ended:
        folder = tmp_path / str(number) / "journal"
        ended, told = killed_at(number, KEEPS, folder)
        identifiers = told[0].split() if told else []
        journal = Journal(folder)
        left = [identifiers.index(each.identifier) for each in journal.entries()]
        done = max(len(told) - 1, 0)
        # What was being done at that moment may be done or not.
        assert set(left) in (after(done), after(done + 1)), number
        assert left == sorted(left) and not journal.problems, number
        journal.keep(inserted(4))
        assert len(journal.entries()) == len(left) + 1 and not journal.problems, number
        hits += not ended
        number += STEP
    assert hits >= 10, "so many of the calls were hit"


def test_killed_while_it_takes_over_what_a_version_before_kept(tmp_path: Path) -> None:
    number, ended, hits = 1, False, 0
    while not ended:
        older = journal_1_0.Journal(tmp_path / str(number) / "journal")
        entries = [inserted(plot) for plot in (1, 2, 3)]
        for each in entries:
            older.keep(each)
        older.settle(entries[0].identifier, "saved")
        older.leave_undecided(entries[2].identifier, "why")
        expected = older.entries()
        ended, _told = killed_at(number, LOOKS, older.folder)
        journal = Journal(older.folder)
        assert journal.entries() == expected and not journal.problems, number
        assert len(list(older.folder.glob("*.taken-over"))) == 1, number
        hits += not ended
        number += STEP
    assert hits >= 4, "so many of the calls were hit"
