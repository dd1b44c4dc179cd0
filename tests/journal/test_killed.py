"""kill -9 at the lines of keeping and replaying, with real processes and a real database: each record is there once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from abq_data_entry.journal import Journal
from abq_data_entry.models import SQLModel
from abq_data_entry.workflows.replay import replay
from tests.journal.killed import DATABASE, day

ROOT = Path(__file__).resolve().parents[2]
STEP = 17  # every line would take minutes


@pytest.mark.takes(10)
@pytest.mark.skipif(sys.platform == "win32", reason="no fork here")
def test_killed_at_every_point(tmp_path: Path, database: dict[str, str], model: SQLModel) -> None:
    words = [sys.executable, "-m", "tests.journal.killed", str(tmp_path), json.dumps(database), "1", str(STEP)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    last, code = map(int, done.stdout.split())
    assert code == 0 and last > 300, "so many lines there are at least"
    found = [_after_the_kill(tmp_path / str(number), number, model) for number in range(1, last + 1, STEP)]
    assert {(0, 0), (1, 1), (2, 2), (2, 1), (2, 0)} <= set(found), "every stage was hit"


def _after_the_kill(folder: Path, number: int, model: SQLModel) -> tuple[int, int]:
    """Do what the next start does; return how many records the child was told are kept, and how many still waited."""
    told_file = folder / "told"
    told = int(told_file.read_text() or 0) if told_file.exists() else 0
    journal = Journal(folder / "journal")
    waiting = len(journal.entries())
    done = replay(journal, DATABASE, model)
    assert not done.undecided and done.problem is None and not journal.problems, number
    assert journal.entries() == [], number
    found = model.get_versioned_record(day(number), "8:00", "A", 3)
    assert found.version >= told, f"{number}: told as kept, and it isn't"
    assert found.version <= 2, f"{number}: written more than once"
    assert found.version < 2 or found.record["Fruit"] == 7, number
    return told, waiting
