"""The journal's file: what is kept is on disk; torn, damaged, foreign and full files; two processes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.journal import Journal, JournalBusy, JournalError, database_name, lines, same_database
from abq_data_entry.journal.entry import from_content, to_content
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


def test_a_torn_tail_is_cut_wherever_it_was_torn(tmp_path: Path) -> None:
    whole = Journal(tmp_path / "whole")
    whole.keep(inserted(1))
    length = whole.path.stat().st_size
    whole.keep(inserted(2))
    data = whole.path.read_bytes()
    for cut in {*range(length, len(data), 97), length + 1, len(data) - 1}:
        torn = Journal(tmp_path / f"torn-{cut}")
        torn.path.write_bytes(data[:cut])
        assert [each.record["Plot"] for each in torn.entries()] == [1]
        torn.keep(inserted(3))
        assert [each.record["Plot"] for each in torn.entries()] == [1, 3]
        assert not torn.problems and not list(torn.folder.glob("damaged-*"))


def test_a_beginning_that_was_torn_is_no_obstacle(journal: Journal) -> None:
    journal.path.write_bytes(lines.header()[:30])
    assert journal.entries() == []
    journal.keep(inserted(1))
    assert len(Journal(journal.folder).entries()) == 1


def test_a_damaged_part_is_put_aside_and_told_and_the_rest_is_kept(journal: Journal) -> None:
    for plot in (1, 2, 3):
        journal.keep(inserted(plot))
    data = journal.path.read_bytes().split(b"\n")
    data[2] = data[2].replace(b"24.09", b"24.08")
    journal.path.write_bytes(b"\n".join(data))
    assert [each.record["Plot"] for each in journal.entries()] == [1, 3]
    (aside,) = journal.folder.glob("damaged-*")
    assert b"24.08" in aside.read_bytes()
    assert str(aside) in journal.problems[0]
    assert [each.record["Plot"] for each in Journal(journal.folder).entries()] == [1, 3]


def test_a_record_that_this_version_does_not_understand_is_left_and_told(journal: Journal) -> None:
    strange = {"event": "keep", "id": "0" * 32, "record": "of the future"}
    journal.keep(inserted(1))
    with journal.path.open("ab") as file:
        file.write(lines.to_line(strange))
    assert len(journal.entries()) == 1
    assert "can't be read" in journal.problems[0]
    journal.keep(inserted(2))
    assert b"of the future" in journal.path.read_bytes()


def test_a_newer_versions_journal_is_refused_and_not_touched(journal: Journal) -> None:
    newer = lines.to_line({"journal": lines.FORMAT + 1}) + b"what this version can't know\n"
    journal.path.write_bytes(newer)
    for ask in (journal.entries, lambda: journal.keep(inserted(1))):
        with pytest.raises(JournalError, match="newer version"):
            ask()
    assert journal.path.read_bytes() == newer


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of files there")
def test_a_full_disk_is_told_and_leaves_the_journal_whole(journal: Journal) -> None:
    import resource

    journal.keep(inserted(1))
    before = journal.path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        with pytest.raises(JournalError, match="can't be written"):
            journal.keep(inserted(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert journal.path.read_bytes() == before
    journal.keep(inserted(3))
    assert [each.record["Plot"] for each in journal.entries()] == [1, 3]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalError, match="can't be opened"):
        Journal(tmp_path / "file" / "journal")


def test_a_journal_of_impossible_size_is_not_read(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("abq_data_entry.journal.file.LARGEST", 1200)
    journal.keep(inserted(1))
    with pytest.raises(JournalError, match="full"):
        journal.keep(inserted(2))
    journal.path.write_bytes(journal.path.read_bytes() * 3)
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


def test_what_is_settled_leaves_the_file_in_time(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("abq_data_entry.journal.file._SETTLED_LINES", 10)
    entries = [inserted(plot) for plot in range(1, 8)]
    for entry in entries:
        journal.keep(entry)
    for entry in entries[:5]:
        journal.settle(entry.identifier, "saved")
    journal.leave_undecided(entries[6].identifier, "why")
    before, seen = journal.path.stat().st_size, journal.mark()
    journal.tidy()
    assert journal.path.stat().st_size < before / 2 and journal.mark() != seen
    assert [(each.record["Plot"], each.remark) for each in journal.entries()] == [(6, ""), (7, "why")]


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, DATABASE),
        ({"db_host": "DB1, db2", "db_port": "5432", "db_name": "abq"}, "db1:5432,db2:5432/abq"),
        ({"db_host": "db1,db2", "db_port": "1,2", "db_name": "lab"}, "db1:1,db2:2/lab"),
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
    events = [dict(each) for each in lines.read(journal.path.read_bytes()).events]
    for event in events:
        change(event)
    journal.path.write_bytes(lines.header() + b"".join(map(lines.to_line, events)))


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
    before = journal.path.read_bytes()
    (entry,) = journal.entries()
    assert entry.state == "undecided" and "Soil Moisture" in entry.remark and "newer version" in entry.remark
    assert from_content({**to_content(entry)}).unknown == {"Soil Moisture": "31.5"}
    assert journal.path.read_bytes() == before


@pytest.mark.parametrize("text", ["25", "-1", "many"])
def test_a_value_beyond_limits_that_were_tightened_is_read_as_it_was_typed(journal: Journal, text: str) -> None:
    journal.keep(inserted(1))
    rewritten(journal, lambda event: event["record"].update({"Plants": text}))
    (entry,) = journal.entries()
    assert (entry.state, entry.record["Plants"]) == ("waiting", text)
    assert not journal.problems


@pytest.mark.parametrize(("name", "text"), [("Date", "2026-13-01"), ("Plot", "x"), ("Plot", ""), ("Time", "")])
def test_a_record_without_a_key_is_left_and_told(journal: Journal, name: str, text: str) -> None:
    journal.keep(inserted(1))
    rewritten(journal, lambda event: event["record"].update({name: text}))
    assert journal.entries() == [] and "can't be read" in journal.problems[0]


@pytest.mark.parametrize("how", ["emptied", "removed", "cut after the first", "cut within the second"])
def test_a_journal_that_was_cut_short_is_told_once(journal: Journal, how: str) -> None:
    journal.keep(inserted(1))
    first = journal.path.stat().st_size
    journal.keep(inserted(2))
    journal.keep(inserted(3))
    if how == "removed":
        journal.path.unlink()
    else:
        os.truncate(journal.path, {"emptied": 0, "cut after the first": first}.get(how, first + 20))
    left = 1 if how.startswith("cut") else 0
    assert len(journal.entries()) == left
    assert f"{3 - left} records that waited in it are gone" in journal.problems[0]
    again = Journal(journal.folder)
    assert len(again.entries()) == left and not again.problems
    again.keep(inserted(4))
    assert len(again.entries()) == left + 1 and not again.problems


def test_a_save_into_a_journal_that_was_cut_short_tells_it_too(journal: Journal) -> None:
    journal.keep(inserted(1))
    journal.path.unlink()
    journal.keep(inserted(2))
    assert "1 record that waited in it is gone" in journal.problems[0]


def test_nothing_is_told_where_all_was_settled(journal: Journal) -> None:
    entry = inserted(1)
    journal.keep(entry)
    journal.settle(entry.identifier, "saved")
    journal.path.unlink()
    assert journal.entries() == [] and not journal.problems
