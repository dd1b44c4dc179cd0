"""What a person was told is kept has reached the disk: a computer that fails a moment later takes nothing back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.durability import KEPT, unsynced

# Locks hold nothing; the line that older versions find helps to see what was cut, and may be older than the journal.
PASSED_OVER = r"\.lock/?$|/locks/|journal\.(log|end)/?$|-shm/?$"
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
    "a journal of a version before": (
        _JOURNAL
        + "from tests.fixtures import journal_1_0\n"
        + "for plot in range(1, 4): journal_1_0.Journal(journal.folder).keep(inserted(plot))\n",
        "journal.entries()",
    ),
    "what is half typed": (
        "import sys\nfrom pathlib import Path\nfrom abq_data_entry.store.drafts import Content, DraftFile\n"
        + "drafts = DraftFile(Path(sys.argv[1]) / 'drafts')\ndrafts.take_over()\n",
        "drafts.write(Content((), {'texts': {'Humidity': '24'}}))",
    ),
    "a delivery": (_OUTBOX, "box.add(Extract(), DATE, REST, 'ann')"),
}
_NO_SYNC = """
import os
os.fsync = os.fdatasync = lambda handle: None
from abq_data_entry.store.database import Database
connect = Database._connect
def unsafe(self, *how):
    connection = connect(self, *how)
    connection.execute("PRAGMA synchronous = OFF")
    return connection
Database._connect = unsafe
"""


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
