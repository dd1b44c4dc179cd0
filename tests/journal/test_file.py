"""The journal's file: what is kept is on disk; damaged, foreign and full files; two processes."""

from __future__ import annotations

import datetime
import json
import os
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.journal import Entry, Journal, JournalBusy, JournalError, database_name, same_database
from abq_data_entry.journal.file import from_content, to_content
from abq_data_entry.store.database import PAGE, digest_of
from tests.fixtures.disks import filled, read_only, small_disk
from tests.journal.entries import DATABASE, corrected, inserted
from tests.models.records import record

ROOT = Path(__file__).resolve().parents[2]


def test_what_is_kept_comes_back_as_it_was_and_in_order(journal: Journal) -> None:
    kept = [inserted(3), inserted(1, Humidity="24.10", Notes="ein\nZeilenumbruch ü"), corrected(1, record(Plot="1"))]
    for entry in kept:
        journal.keep(entry)
    assert Journal(journal.folder).entries() == kept
    assert kept[1].record["Humidity"] == Decimal("24.10") and str(kept[1].record["Humidity"]) == "24.10"


def test_what_is_settled_waits_no_more_and_what_is_undecided_says_why(journal: Journal) -> None:
    first, second, third = inserted(1), inserted(2), inserted(3)
    for entry in (first, second, third):
        journal.keep(entry)
    journal.settle(first.identifier, "saved")
    journal.settle(first.identifier, "saved")
    journal.leave_undecided(third.identifier, "Somebody else recorded this plot.")
    left = journal.entries()
    assert [(each.record["Plot"], each.state, each.remark) for each in left] == [
        (2, "waiting", ""),
        (3, "undecided", "Somebody else recorded this plot."),
    ]


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
def test_only_its_owner_can_read_it(journal: Journal) -> None:
    journal.keep(inserted(1))
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.folder.stat().st_mode) == 0o700


def sql(journal: Journal, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """What somebody does to the file without us."""
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as connection:
        return connection.execute(statement, values).fetchall()


def test_a_damaged_record_is_put_aside_and_reported_and_the_rest_is_kept(journal: Journal) -> None:
    for plot in (1, 2, 3):
        journal.keep(inserted(plot))
    sql(journal, "UPDATE waiting SET content = replace(content, '24.09', '24.08') WHERE number = 2")
    assert [each.record["Plot"] for each in journal.entries()] == [1, 3]
    (aside,) = journal.folder.glob("damaged-*")
    assert b"24.08" in aside.read_bytes()
    assert str(aside) in journal.problems[0]
    again = Journal(journal.folder)
    assert [each.record["Plot"] for each in again.entries()] == [1, 3] and not again.problems


def test_a_record_of_an_unknown_format_is_left_and_reported(journal: Journal) -> None:
    journal.keep(inserted(1))
    text = json.dumps({"id": "0" * 32, "record": "of the future"})
    sql(journal, "INSERT INTO waiting (id, content, digest) VALUES (?, ?, ?)", "0" * 32, text, digest_of(text))
    assert len(journal.entries()) == 1
    assert "can't be read" in journal.problems[0]
    journal.keep(inserted(2))
    assert sql(journal, "SELECT count(*) FROM waiting") == [(3,)]


@pytest.mark.parametrize("seed", range(30))
def test_bytes_that_were_changed_cost_no_more_than_they_touch(journal: Journal, seed: int) -> None:
    """All that can be read still waits, in order; how many are gone is told, and the file is put aside whole."""
    chance = random.Random(seed)
    kept = [inserted(plot, Notes=f"{plot} ü" * 20) for plot in range(1, 21)]
    for entry in kept:
        journal.keep(entry)
    data = bytearray(journal.path.read_bytes())
    page = chance.randrange(len(data) // PAGE)
    for _ in range(chance.choice([1, 3, 100])):
        data[page * PAGE + chance.randrange(PAGE)] = chance.randrange(256)
    journal.path.write_bytes(data)
    after = Journal(journal.folder)
    try:
        left = after.entries()
    except JournalError as error:
        assert "newer version" in str(error) and journal.path.read_bytes() == data
        return
    assert left == [each for each in kept if each in left], "in order, and as they were kept"
    assert len(left) >= 20 - 5, "no more than a page of them"
    if len(left) < 20:
        assert after.problems and any(journal.folder.glob("damaged-*"))
    again = Journal(journal.folder)
    assert again.entries() == left and not again.problems
    again.keep(inserted(1))
    assert len(again.entries()) == len(left) + 1


def test_a_long_note_is_found_in_a_damaged_file_if_its_pages_are_whole(journal: Journal) -> None:
    kept = [inserted(1), inserted(2, Notes="wilted " * 3000), inserted(3)]
    for entry in kept:
        journal.keep(entry)
    data = bytearray(journal.path.read_bytes())
    data[PAGE - 50 : PAGE] = bytes(50)  # a statement of the first page
    journal.path.write_bytes(data)
    left = journal.entries()
    assert [each for each in left if each in (kept[0], kept[2])] == [kept[0], kept[2]] and journal.problems


def test_a_newer_versions_journal_is_refused_and_not_touched(journal: Journal) -> None:
    journal.keep(inserted(1))
    sql(journal, "PRAGMA user_version = 3")
    before = {each.name: each.read_bytes() for each in journal.folder.iterdir()}
    for ask in (journal.entries, lambda: journal.keep(inserted(1)), lambda: journal.settle("0" * 32, "saved")):
        with pytest.raises(JournalError, match="newer version"):
            ask()
    assert {each.name: each.read_bytes() for each in journal.folder.iterdir()} == before


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of files there")
def test_a_full_disk_is_an_error_and_leaves_the_journal_whole(journal: Journal) -> None:
    import resource

    for plot in range(1, 9):
        journal.keep(inserted(plot))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        with pytest.raises(JournalError, match="journal of this computer can't be used"):
            journal.keep(inserted(9))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [each.record["Plot"] for each in journal.entries()] == [*range(1, 9)]
    journal.keep(inserted(10))
    assert [each.record["Plot"] for each in journal.entries()] == [*range(1, 9), 10] and not journal.problems


def test_a_disk_without_room_keeps_nothing_and_shows_what_waits(tmp_path: Path) -> None:
    with small_disk(tmp_path, "1m"):
        (tmp_path / "ballast").write_bytes(bytes(100_000))
        journal = Journal(tmp_path / "journal")
        kept: list[Entry] = []
        with pytest.raises(JournalError):
            for plot in range(10_000):
                entry = inserted(plot % 20 + 1)
                journal.keep(entry)
                kept.append(entry)
        assert len(kept) > 100 and journal.entries() == kept and not journal.problems
        filled(tmp_path / "filler")
        assert Journal(journal.folder).entries() == kept
        (tmp_path / "ballast").unlink()
        for entry in kept[:100]:
            journal.settle(entry.identifier, "saved")
        journal.keep(inserted(1))
        assert len(journal.entries()) == len(kept) - 99 and not journal.problems


def test_a_folder_that_can_only_be_read_shows_what_waits(tmp_path: Path) -> None:
    with small_disk(tmp_path, "1m"):
        Journal(tmp_path / "journal").keep(inserted(1))
        with read_only(tmp_path):
            journal = Journal(tmp_path / "journal")
            assert [each.record["Plot"] for each in journal.entries()] == [1]
            with pytest.raises(JournalError, match="can't be used"):
                journal.keep(inserted(2))
        assert len(journal.entries()) == 1 and not journal.problems


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalError, match="can't be opened"):
        Journal(tmp_path / "file" / "journal")


def test_a_journal_of_impossible_size_is_not_read(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("abq_data_entry.store.database.LARGEST", 16 * PAGE)
    with pytest.raises(JournalError, match="full"):
        for plot in range(1, 100):
            journal.keep(inserted(plot % 20 + 1))
    count = len(journal.entries())
    assert count > 10
    with journal.path.open("ab") as file:
        file.write(bytes(16 * PAGE))
    with pytest.raises(JournalError, match="too large"):
        journal.entries()


def test_two_processes_keep_at_the_same_time(journal: Journal) -> None:
    program = (
        "import sys; from pathlib import Path; from abq_data_entry.journal import Journal\n"
        "from tests.journal.entries import inserted\n"
        "for number in range(1, 21): Journal(Path(sys.argv[1])).keep(inserted(number, Notes=sys.argv[2]))"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(journal.folder), name], cwd=ROOT) for name in ("a", "b")
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    kept = [(each.record["Notes"], each.record["Plot"]) for each in journal.entries()]
    assert len(kept) == 40
    for name in ("a", "b"):
        assert [plot for notes, plot in kept if notes == name] == list(range(1, 21))


def test_only_one_saves_what_waits(journal: Journal) -> None:
    with journal.replaying():
        with pytest.raises(JournalBusy), Journal(journal.folder).replaying():
            pass
        journal.keep(inserted(1))  # which keeps nobody from keeping


def test_what_is_settled_leaves_nothing_in_the_file(journal: Journal) -> None:
    entries = [inserted(plot % 20 + 1, Notes=f"the note {plot}") for plot in range(60)]
    for entry in entries:
        journal.keep(entry)
    before, seen = journal.path.stat().st_size, journal.mark()
    for entry in entries[1:]:
        journal.settle(entry.identifier, "saved")
    assert journal.entries() == entries[:1]
    assert journal.path.stat().st_size < before / 2 and journal.mark() != seen
    assert b"the note 7" not in journal.path.read_bytes()


def test_its_mark_changes_with_what_waits_and_not_with_a_look(journal: Journal) -> None:
    journal.keep(inserted(1))
    other = Journal(journal.folder)
    mark = other.mark()
    other.entries()
    assert journal.mark() == other.mark() == mark
    for change in (
        lambda: journal.keep(inserted(2)),
        lambda: journal.leave_undecided(journal.entries()[0].identifier, "why"),
        lambda: journal.settle(journal.entries()[0].identifier, "saved"),
    ):
        change()
        assert other.mark() != mark
        mark = other.mark()


def test_the_order_is_that_of_keeping_whatever_the_clock_says(journal: Journal) -> None:
    now = datetime.datetime.now(datetime.timezone.utc)
    moments = [now, now - datetime.timedelta(days=400), now + datetime.timedelta(hours=1)]
    kept = [replace(inserted(plot), moment=moment) for plot, moment in enumerate(moments, 1)]
    for entry in kept:
        journal.keep(entry)
    assert Journal(journal.folder).entries() == kept


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, DATABASE),
        ({"db_host": "DB1, db2", "db_port": "5432", "db_name": "abq"}, "db1:5432,db2:5432/abq"),
        ({"db_host": "db1,db2", "db_port": "1,2", "db_name": "lab"}, "db1:1,db2:2/lab"),
        ({"db_host": "db1,db2,db3", "db_port": "1,2"}, "db1:1,db2:1,db3:1/abq"),
        ({"db_host": "db1,", "db_port": " ", "db_name": " "}, "db1:5432/abq"),
    ],
)
def test_a_database_has_a_name(settings: dict[str, str], name: str) -> None:
    assert database_name(settings) == name


def test_a_cluster_that_won_a_server_is_the_same_and_others_are_not() -> None:
    assert same_database("db1:5432/abq", "db2:5432,db1:5432/abq")
    assert not same_database("db1:5432/abq", "db1:5432/other")
    assert not same_database("db1:5432/abq", "db1:5433/abq")
    assert not same_database(DATABASE, "db1:5432/abq")


def rewritten(journal: Journal, change: Callable[[dict[str, Any]], object]) -> None:
    """The journal's file as another version of the application would have written it."""
    for number, text in sql(journal, "SELECT number, content FROM waiting"):
        content = json.loads(text)
        change(content)
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        sql(journal, "UPDATE waiting SET content = ?, digest = ? WHERE number = ?", text, digest_of(text), number)


def test_a_field_that_was_not_there_yet_is_empty(journal: Journal) -> None:
    kept = corrected(1, record(Plot="1", Notes="dry"), Notes="wet")
    journal.keep(kept)
    rewritten(journal, lambda event: (event["record"].pop("Notes"), event["base"].pop("Notes")))
    (entry,) = journal.entries()
    assert (entry.state, entry.record["Notes"], entry.base and entry.base["Notes"]) == ("waiting", None, None)
    assert {**entry.record, "Notes": "wet"} == kept.record
    assert not journal.problems


def test_a_field_of_a_newer_version_is_kept_and_its_record_waits_for_that_version(journal: Journal) -> None:
    journal.keep(inserted(1))
    rewritten(journal, lambda event: event["record"].update({"Soil Moisture": "31.5"}))
    before = sql(journal, "SELECT * FROM waiting")
    (entry,) = journal.entries()
    assert entry.state == "undecided" and "Soil Moisture" in entry.remark and "newer version" in entry.remark
    assert from_content({**to_content(entry)}).unknown == {"Soil Moisture": "31.5"}
    assert sql(journal, "SELECT * FROM waiting") == before


@pytest.mark.parametrize("text", ["25", "-1", "many"])
def test_a_value_beyond_limits_that_were_tightened_is_read_as_it_was_typed(journal: Journal, text: str) -> None:
    journal.keep(inserted(1))
    rewritten(journal, lambda event: event["record"].update({"Plants": text}))
    (entry,) = journal.entries()
    assert (entry.state, entry.record["Plants"]) == ("waiting", text)
    assert not journal.problems


@pytest.mark.parametrize(("name", "text"), [("Date", "2026-13-01"), ("Plot", "x"), ("Plot", ""), ("Time", "")])
def test_a_record_without_a_key_is_left_and_reported(journal: Journal, name: str, text: str) -> None:
    journal.keep(inserted(1))
    rewritten(journal, lambda event: event["record"].update({name: text}))
    assert journal.entries() == [] and "can't be read" in journal.problems[0]


@pytest.mark.parametrize("how", ["emptied", "removed", "cut by a quarter", "an older copy"])
def test_a_truncated_journal_is_reported_once(journal: Journal, how: str) -> None:
    journal.keep(inserted(1))
    copy = journal.path.read_bytes()
    for plot in range(2, 21):
        journal.keep(inserted(plot))
    if how == "removed":
        journal.path.unlink()
    elif how == "an older copy":
        journal.path.write_bytes(copy)
    else:
        os.truncate(journal.path, {"emptied": 0, "cut by a quarter": journal.path.stat().st_size * 3 // 4}[how])
    left = len(journal.entries())
    assert left in {"an older copy": (1,), "cut by a quarter": range(3, 20)}.get(how, (0,))
    assert f"{20 - left} records that waited in it are gone" in journal.problems[-1]
    again = Journal(journal.folder)
    assert len(again.entries()) == left and not again.problems
    again.keep(inserted(4))
    assert len(again.entries()) == left + 1 and not again.problems


def test_a_save_into_a_truncated_journal_reports_it_too(journal: Journal) -> None:
    journal.keep(inserted(1))
    journal.path.unlink()
    journal.keep(inserted(2))
    assert "1 record that waited in it is gone" in journal.problems[0]


def test_no_loss_is_reported_if_all_was_settled(journal: Journal) -> None:
    entry = inserted(1)
    journal.keep(entry)
    journal.settle(entry.identifier, "saved")
    journal.path.unlink()
    assert journal.entries() == [] and not journal.problems


def test_a_look_at_a_journal_that_is_not_there_makes_none(journal: Journal) -> None:
    assert journal.entries() == [] and not journal.path.exists()


def test_a_lock_that_cannot_be_taken_is_an_error(journal: Journal) -> None:
    (journal.folder / "replaying.lock").mkdir()
    with pytest.raises(JournalError, match="can't be locked"), journal.replaying():
        pass
