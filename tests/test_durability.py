"""What a person was told is kept has reached the disk: a computer that fails a moment later takes nothing back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.durability import KEPT, unsynced

# Locks hold nothing; how long the journal is helps to see that it was cut, and may be older than the journal.
PASSED_OVER = r"\.lock/?$|/locks/|journal\.end/?$|-shm/?$"
_JOURNAL = """
import sys
from pathlib import Path
from abq_data_entry.journal import Journal
from tests.journal.entries import inserted
journal = Journal(Path(sys.argv[1]) / "journal")
"""
_OUTBOX = """
import datetime, sys
from pathlib import Path
from abq_data_entry.outbox import Outbox
from abq_data_entry.folders import replacement
from tests.outbox.conftest import DATE, REST
class Extract:
    def export_records(self, path, first_date):  # as the database's model does
        with replacement(path) as temporary:
            temporary.write_text("Date,Time\\r\\n2026-11-20,8:00\\r\\n")
        return 1
box = Outbox(Path(sys.argv[1]) / "outbox")
"""
_KEEPS = {
    "the first record that waits": (_JOURNAL, "journal.keep(inserted(1))"),
    "another record that waits": (_JOURNAL + "journal.keep(inserted(1))\n", "journal.keep(inserted(2))"),
    "a decision": (
        _JOURNAL + "entry = inserted(1); journal.keep(entry)\n",
        "journal.settle(entry.identifier, 'saved')",
    ),
    "a journal that is written anew": (
        _JOURNAL
        + "from abq_data_entry.journal import file\n"
        + "file._SETTLED_LINES = 4\n"
        + "entries = [inserted(plot) for plot in range(1, 8)]\n"
        + "for entry in entries: journal.keep(entry)\n"
        + "for entry in entries[:5]: journal.settle(entry.identifier, 'saved')\n",
        "journal.tidy()",
    ),
    "a delivery": (_OUTBOX, "box.add(Extract(), DATE, REST, 'ann')"),
}
_NO_SYNC = "import os\nos.fsync = os.fdatasync = lambda handle: None\n"


@pytest.mark.parametrize("what", _KEEPS)
def test_what_is_kept_is_on_the_disk(what: str, tmp_path: Path) -> None:
    before, keep = _KEEPS[what]
    data = tmp_path / "data"
    data.mkdir()
    program = f"{before}{keep}\nprint({KEPT!r}, flush=True)\n"
    assert unsynced(program, [str(data)], data, tmp_path / "trace", PASSED_OVER) == set()


@pytest.mark.parametrize("what", ["another record that waits", "a delivery"])
def test_a_program_that_doesnt_sync_is_seen(what: str, tmp_path: Path) -> None:
    before, keep = _KEEPS[what]
    data = tmp_path / "data"
    data.mkdir()
    program = f"{_NO_SYNC}{before}{keep}\nprint({KEPT!r}, flush=True)\n"
    assert unsynced(program, [str(data)], data, tmp_path / "trace", PASSED_OVER)
