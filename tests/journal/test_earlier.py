"""The journal of version 1.0, and a window of it that is still open: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from abq_data_entry.journal import Journal, JournalError
from abq_data_entry.journal.file import to_line
from tests.fixtures import journal_1_0
from tests.fixtures.disks import filled, read_only, small_disk
from tests.journal.entries import inserted

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def older(tmp_path: Path) -> journal_1_0.Journal:
    """The same folder as an older window uses it."""
    return journal_1_0.Journal(tmp_path / "journal")


def names(journal: Journal) -> set[str]:
    return {each.name for each in journal.folder.iterdir() if each.suffix != ".lock"}


def test_it_is_taken_over_once_and_stays_under_another_name(journal: Journal, older: journal_1_0.Journal) -> None:
    kept = [inserted(plot) for plot in (1, 2, 3)]
    for entry in kept:
        older.keep(entry)
    older.settle(kept[0].identifier, "saved")
    older.leave_undecided(kept[2].identifier, "Somebody else recorded this plot.")
    before, expected = older.path.read_bytes(), older.entries()
    assert journal.entries() == expected and not journal.problems
    (aside,) = journal.folder.glob("*.taken-over")
    assert aside.read_bytes() == before
    assert names(journal) == {"waiting.sqlite", "journal.log", aside.name}
    assert Journal(journal.folder).entries() == expected
    assert len(list(journal.folder.glob("*.taken-over"))) == 1


def test_an_older_program_refuses_what_waits_by_name_and_changes_nothing(
    journal: Journal, older: journal_1_0.Journal
) -> None:
    entry = inserted(1)
    journal.keep(entry)
    before = {each.name: each.read_bytes() for each in journal.folder.iterdir()}
    for ask in (older.entries, lambda: older.keep(inserted(2)), lambda: older.settle(entry.identifier, "saved")):
        with pytest.raises(JournalError, match="newer version of ABQ Data Entry"):
            ask()
    assert {each.name: each.read_bytes() for each in journal.folder.iterdir()} == before
    # After `journal replay` the older program has its journal again.
    journal.settle(entry.identifier, "saved")
    assert "journal.log" not in names(journal)
    older.keep(inserted(2))
    assert len(older.entries()) == 1 and not older.problems


def test_an_older_window_that_is_still_open_loses_nothing(journal: Journal, older: journal_1_0.Journal) -> None:
    first, second = inserted(1), inserted(2)
    older.keep(first)
    assert len(older.entries()) == 1 and journal.entries() == [first]
    # It is replaying meanwhile, and has saved the first one: it can't say so any more, the newer window finds it saved.
    with pytest.raises(JournalError, match="newer version"):
        older.settle(first.identifier, "saved")
    journal.settle(first.identifier, "saved")
    mark = journal.mark()
    older.keep(second)
    assert journal.mark() != mark, "the newer window looks again"
    assert journal.entries() == [second] and not journal.problems and not older.problems
    assert len(list(journal.folder.glob("*.taken-over"))) == 2


def test_what_an_older_window_settles_after_the_take_over_is_settled(
    journal: Journal, older: journal_1_0.Journal
) -> None:
    kept = [inserted(1), inserted(2)]
    for entry in kept:
        older.keep(entry)
    journal.entries()
    (journal.folder / "journal.log").unlink()  # as if it had been written a moment before the newer line
    older.settle(kept[0].identifier, "saved")
    older.leave_undecided(kept[1].identifier, "why")
    left = journal.entries()
    assert [(each.identifier, each.remark) for each in left] == [(kept[1].identifier, "why")]


def test_killed_between_the_commit_and_the_other_name(journal: Journal, older: journal_1_0.Journal) -> None:
    entry = inserted(1)
    older.keep(entry)
    old = older.path.read_bytes()
    assert journal.entries() == [entry]
    older.path.write_bytes(old)  # as it was before it had its other name
    assert journal.entries() == [entry] and not journal.problems
    journal.settle(entry.identifier, "saved")
    assert journal.entries() == []


def test_a_torn_tail_is_no_record_wherever_it_was_torn(tmp_path: Path) -> None:
    whole = journal_1_0.Journal(tmp_path / "whole")
    whole.keep(inserted(1))
    length = whole.path.stat().st_size
    whole.keep(inserted(2))
    data = whole.path.read_bytes()
    for cut in {*range(length, len(data), 197), length + 1, len(data) - 1}:
        torn = Journal(tmp_path / f"torn-{cut}")
        (torn.folder / "journal.log").write_bytes(data[:cut])
        assert [each.record["Plot"] for each in torn.entries()] == [1]
        assert not torn.problems and not list(torn.folder.glob("damaged-*"))


def test_a_beginning_that_was_torn_is_no_obstacle(journal: Journal) -> None:
    (journal.folder / "journal.log").write_bytes(to_line({"journal": 1})[:30])
    assert journal.entries() == []
    journal.keep(inserted(1))
    assert len(Journal(journal.folder).entries()) == 1


def test_damaged_lines_are_put_aside_and_reported(journal: Journal, older: journal_1_0.Journal) -> None:
    for plot in (1, 2, 3):
        older.keep(inserted(plot))
    data = older.path.read_bytes().split(b"\n")
    data[2] = data[2].replace(b"24.09", b"24.08")
    older.path.write_bytes(b"\n".join(data))
    assert [each.record["Plot"] for each in journal.entries()] == [1, 3]
    (aside,) = journal.folder.glob("damaged-*.log")
    assert b"24.08" in aside.read_bytes() and str(aside) in journal.problems[0]


def test_one_that_holds_nothing_that_can_be_read_is_put_away_too(journal: Journal) -> None:
    (journal.folder / "journal.log").write_bytes(b"nonsense\n")
    assert journal.entries() == [] and len(journal.problems) == 1
    (aside,) = journal.folder.glob("*.taken-over")
    assert aside.read_bytes() == b"nonsense\n" and "journal.log" not in names(journal)


def test_an_unknown_event_is_put_aside_and_reported(journal: Journal, older: journal_1_0.Journal) -> None:
    older.keep(inserted(1))
    with older.path.open("ab") as file:
        file.write(to_line({"event": "painted", "id": "0" * 32}) + to_line({"event": "keep"}))
    assert [each.record["Plot"] for each in journal.entries()] == [1]
    (aside,) = journal.folder.glob("damaged-*.log")
    assert [b"painted" in line for line in aside.read_bytes().splitlines()] == [True, False]
    assert journal.problems[0].startswith("2 parts of the journal of this computer can't be read")


def test_of_what_was_cut_off_only_what_still_waited_is_missed(journal: Journal, older: journal_1_0.Journal) -> None:
    kept = [inserted(plot) for plot in (1, 2, 3)]
    for entry in kept:
        older.keep(entry)
    older.settle(kept[0].identifier, "saved")
    older.leave_undecided(kept[1].identifier, "why")
    length = older.path.stat().st_size
    older.keep(inserted(4))
    os.truncate(older.path, length)
    assert [(each.record["Plot"], each.remark) for each in journal.entries()] == [(2, "why"), (3, "")]
    assert "1 record that waited in it is gone" in journal.problems[0]


def test_a_name_that_was_freed_while_records_wait_is_occupied_again(journal: Journal) -> None:
    journal.keep(inserted(1))
    (journal.folder / "journal.log").unlink()
    assert len(journal.entries()) == 1 and "journal.log" in names(journal) and not journal.problems


@pytest.mark.parametrize("how", ["emptied", "removed", "cut"])
def test_a_truncated_journal_is_reported(journal: Journal, older: journal_1_0.Journal, how: str) -> None:
    older.keep(inserted(1))
    length = older.path.stat().st_size
    older.keep(inserted(2))
    if how == "removed":
        older.path.unlink()
    else:
        os.truncate(older.path, length if how == "cut" else 0)
    left = 1 if how == "cut" else 0
    assert len(journal.entries()) == left
    assert f"{2 - left} record" in journal.problems[0] and "gone" in journal.problems[0]
    again = Journal(journal.folder)
    assert len(again.entries()) == left and not again.problems


def test_one_of_a_newer_version_is_refused_and_not_touched(journal: Journal) -> None:
    newer = to_line({"journal": 3}) + b"what this version can't know\n"
    (journal.folder / "journal.log").write_bytes(newer)
    for ask in (journal.entries, lambda: journal.keep(inserted(1))):
        with pytest.raises(JournalError, match="newer version"):
            ask()
    assert (journal.folder / "journal.log").read_bytes() == newer


def test_one_of_impossible_size_is_not_read(
    journal: Journal, older: journal_1_0.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    older.keep(inserted(1))
    size = older.path.stat().st_size
    monkeypatch.setattr("abq_data_entry.journal.file.LARGEST", size - 1)
    with pytest.raises(JournalError, match="too large to be read"):
        journal.entries()
    assert older.path.stat().st_size == size
    monkeypatch.setattr("abq_data_entry.journal.file.LARGEST", size)
    assert len(journal.entries()) == 1 and not journal.problems


@pytest.mark.parametrize(
    "head",
    [{"last": "many", "waiting": "1"}, {"waiting": "1"}, {"last": "1"}, {"last": None, "waiting": "1"},
     {"last": "9", "waiting": [1]}],
)  # fmt: skip
@pytest.mark.parametrize("more", [b"", b"and what else stands there\n"])
def test_what_was_noted_in_a_damaged_way_is_no_loss(journal: Journal, head: dict[str, object], more: bytes) -> None:
    journal.keep(inserted(1))
    (journal.folder / "journal.log").write_bytes(to_line({"journal": 2, **head}) + more)
    again = Journal(journal.folder)
    assert len(again.entries()) == 1 and not again.problems
    again.keep(inserted(2))
    assert len(Journal(journal.folder).entries()) == 2 and not again.problems


def test_windows_of_both_versions_keep_at_the_same_time(journal: Journal) -> None:
    """What the older one was told is kept is there; what it was refused it tells, and its form still has it."""
    program = (
        "import sys; from pathlib import Path; from abq_data_entry.journal import Journal, JournalError\n"
        "from tests.fixtures import journal_1_0\n"
        "from tests.journal.entries import inserted\n"
        "kind = journal_1_0.Journal if sys.argv[2] == 'older' else Journal\n"
        "for number in range(40):\n"
        "    entry = inserted(number % 20 + 1, Notes=sys.argv[2])\n"
        "    try: kind(Path(sys.argv[1])).keep(entry)\n"
        "    except JournalError as error: assert 'newer version' in str(error), error\n"
        "    else: print(entry.identifier)\n"
        "    journal = kind(Path(sys.argv[1]))\n"
        "    if sys.argv[2] == 'newer' and number % 3:\n"
        "        for each in journal.entries():\n"
        "            journal.settle(each.identifier, 'saved')\n"
        "            print('settled', each.identifier)\n"
        "    elif sys.argv[2] == 'older':\n"
        "        try: journal.entries()\n"
        "        except JournalError as error: assert 'newer version' in str(error), error\n"
        "    assert not journal.problems, journal.problems\n"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(journal.folder), name], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for name in ("older", "newer")
    ]
    told = [writer.communicate(timeout=100)[0].split("\n")[:-1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    kept = {line for lines_ in told for line in lines_ if not line.startswith("settled")}
    settled = [line.split()[1] for line in told[1] if line.startswith("settled")]
    left = [each.identifier for each in journal.entries()]
    assert kept == {*settled, *left} and len(settled) == len(set(settled)) and not set(settled) & set(left)
    assert not journal.problems


def test_a_journal_that_cannot_be_taken_over_is_an_error_and_stays(journal: Journal, tmp_path: Path) -> None:
    with small_disk(journal.folder, "256k"):
        older = journal_1_0.Journal(journal.folder)
        older.keep(inserted(1))
        before = older.path.read_bytes()
        with read_only(journal.folder), pytest.raises(JournalError, match="can't be used"):
            journal.entries()
        filled(journal.folder / "filler")
        with pytest.raises(JournalError):
            journal.entries()
        assert older.path.read_bytes() == before
        (journal.folder / "filler").unlink()
        assert len(journal.entries()) == 1 and not journal.problems
