"""`journal`: what waits is listed and saved; words that open the database say that it doesn't hold everything yet."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from abq_data_entry.journal import Journal, new_entry
from abq_data_entry.models import SQLModel
from tests.commands.conftest import DAY, Outcome
from tests.models.records import DATE, record

Line = Callable[..., Outcome]


def keep(database: dict[str, str], plot: int, **changes: object) -> Journal:
    kept = Journal(Path(os.environ["ABQ_DATA_DIR"]) / "journal")
    entry = new_entry(f"this computer/{database['dbname']}", record(Plot=str(plot), **changes), "insert", cause="Gone.")
    kept.keep(entry)
    return kept


def test_nothing_waits(line: Line) -> None:
    assert line("journal", "list").output == "No record waits on this computer.\n"
    assert line("journal", "replay").output == "No record waits here for this database.\n"


def test_what_waits_is_listed_and_saved(line: Line, database: dict[str, str], stored: SQLModel) -> None:
    kept = keep(database, 1)
    keep(database, 2)
    listed = line("journal", "list")
    assert f"{DAY} 8:00, lab A, plot 2  for this computer/{database['dbname']}  waits. Gone." in listed.output
    done = line("journal", "replay")
    assert (done.code, done.errors) == (0, "")
    assert done.output == f"Saved: {DAY} 8:00, lab A, plot 1\nSaved: {DAY} 8:00, lab A, plot 2\n"
    assert set(stored.get_check(DATE, "8:00", "A").recorded) == {1, 2}
    assert kept.entries() == []


def test_a_conflict_is_reported_and_kept(line: Line, database: dict[str, str], stored: SQLModel) -> None:
    stored.save_record(record(Plot="1", Fruit="8"))
    kept = keep(database, 1)
    reason = line("journal", "replay").reason
    assert "1 record of this computer needs a decision: J Simms recorded this plot meanwhile" in reason
    assert "needs a decision in the window" in line("journal", "list").output
    assert len(kept.entries()) == 1


def test_words_that_open_the_database_say_that_something_waits(
    line: Line, database: dict[str, str], tmp_path: Path, stored: SQLModel
) -> None:
    stored.save_record(record(Plot="3"))
    keep(database, 1)
    for words in (("export", "--date", DAY, "-o", tmp_path / "extract.csv"), ("db", "init")):
        done = line(*words)
        assert done.code == 0
        assert "Note: 1 record of this computer is not in the database yet" in done.errors
    assert keep(database, 2).entries()


def test_the_database_is_not_moved_while_something_waits_for_it(line: Line, database: dict[str, str]) -> None:
    keep(database, 1)
    assert "1 record of this computer waits for this database: `journal replay`" in line("db", "move", "db1").reason


def test_a_journal_that_cannot_be_read_is_reported(line: Line) -> None:
    folder = Path(os.environ["ABQ_DATA_DIR"]) / "journal"
    (folder / "waiting.sqlite").mkdir(parents=True)
    try:
        assert "The journal of this computer can't be opened" in line("journal", "list").reason
        assert "Warning: The journal of this computer can't be opened" in line("db", "init").errors
    finally:
        (folder / "waiting.sqlite").rmdir()
