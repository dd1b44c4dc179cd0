"""The outbox of version 1.0 is taken over once; a window of that version that is still open does no harm."""

from __future__ import annotations

import datetime
import json
import shutil
import sqlite3
import tempfile
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from abq_data_entry.journal import Journal
from abq_data_entry.outbox import Attempt, Outbox, UnknownDelivery, deliver, due
from tests.fixtures.disks import busy_folder, filled, read_only, small_disk
from tests.outbox.conftest import DATE, FTP, NAME, REST, START, Clock, Extract, rewrite
from tests.outbox.earlier import entry_of, left_by_the_version_before
from tests.outbox.test_sending import arriving, failing, put


def restarted(box: Outbox) -> Outbox:
    return Outbox(box.folder, box.clock)


def test_what_waits_is_taken_over_and_its_entry_kept(box: Outbox) -> None:
    waiting = replace(put(box), attempts=(Attempt(START, 1.5, 10, "The connection was cut."),), revision=3)
    entry = left_by_the_version_before(box, waiting)
    before = entry.read_bytes()
    again = restarted(box)
    assert again.deliveries() == [waiting] == restarted(box).deliveries() and not again.problems
    assert (box.folder / "taken-over" / f"{waiting.identifier}.json").read_bytes() == before
    assert json.loads(entry.read_text())["format"] == 4, "the version before refuses it by name"
    assert deliver(again, waiting, arriving)[0].state == "delivered"
    assert not entry.parent.exists()


def test_what_has_ended_is_taken_over(box: Outbox) -> None:
    done = replace(put(box), state="delivered", revision=4)
    left_by_the_version_before(box, done)
    again = restarted(box)
    assert again.deliveries() == [done]
    again.tidy()
    assert again.deliveries() == [done] and not box.file_of(done).exists()


@pytest.mark.parametrize("recorded", [0, 1])
def test_what_the_database_knew_it_still_knows(box: Outbox, recorded: int) -> None:
    waiting = put(box)
    with left_by_the_version_before(box, waiting).open("ab") as file:
        file.write(b"\n\nrecorded %d" % recorded)
    assert (restarted(box).unrecorded() == []) == bool(recorded)


@pytest.mark.parametrize("note", [b"", b"\n", b"\n\n{", b'\n\n{"format": 1}', b"\n\n{\x00\x00", b"\n\n\xff\xfe{"])
def test_a_note_that_was_cut_short_is_none(box: Outbox, note: bytes) -> None:
    waiting = put(box)
    with left_by_the_version_before(box, waiting).open("ab") as file:
        file.write(note)
    again = restarted(box)
    assert again.deliveries() == [waiting] and not again.problems


def test_an_attempt_that_was_broken_off_waits(box: Outbox) -> None:
    waiting = put(box)
    sending = replace(waiting, state="sending", revision=2, attempts=(Attempt(START),))
    with left_by_the_version_before(box, waiting).open("ab") as file:
        file.write(b"\n\n" + entry_of(sending).encode())
    again = restarted(box)
    assert again.deliveries() == [sending]
    again.tidy()
    assert again.read(waiting.identifier).state == "waiting"


def test_what_an_open_window_of_that_version_sends_is_left_to_it(box: Outbox) -> None:
    waiting = put(box)
    entry = left_by_the_version_before(box, waiting)
    again = restarted(box)
    with box.locked(waiting):  # as that window holds it while it sends
        before = entry.read_bytes()
        assert again.deliveries() == [] and entry.read_bytes() == before
        entry.write_text(entry_of(replace(waiting, state="delivered", revision=3)))
    assert [each.state for each in again.deliveries()] == ["delivered"]


def test_what_an_open_window_of_that_version_puts_in_later_is_seen(box: Outbox) -> None:
    again = restarted(box)
    assert again.deliveries() == []
    waiting = put(box)
    left_by_the_version_before(box, waiting)
    assert again.deliveries() == [waiting]
    assert again.add(Extract(), DATE, REST, "lab").version == 2


def test_what_that_window_has_sent_meanwhile_is_not_replaced_by_an_older_version(box: Outbox) -> None:
    waiting = put(box)
    newer = replace(waiting, identifier="b" * 32, version=waiting.version + 1, state="delivered", revision=3)
    (box.folder / newer.identifier).mkdir()
    (box.folder / newer.identifier / "delivery.json").write_text(entry_of(newer), encoding="utf-8")
    again = restarted(box)
    after, _error = deliver(again, waiting, failing(AssertionError("sent")))
    assert after.state == "cancelled" and f"version {newer.version}" in after.reason
    assert {each.state for each in again.deliveries()} == {"cancelled", "delivered"}


def test_an_extract_whose_row_was_lost_is_put_in_again(box: Outbox) -> None:
    waiting, other = put(box), box.add(Extract(), DATE, FTP, "lab")
    rewrite(box, "DELETE FROM deliveries WHERE id = ?", waiting.identifier)
    assert {each.identifier for each in restarted(box).deliveries()} == {waiting.identifier, other.identifier}


def test_a_file_of_all_that_waits_that_was_damaged_costs_no_delivery(box: Outbox) -> None:
    waiting, failed = put(box), box.add(Extract(), DATE, FTP, "lab")
    path = box.folder.parent / "journal" / "waiting.sqlite"
    path.write_bytes(b"rubbish" * 2_000)
    again = restarted(box)
    assert {each.identifier for each in again.deliveries()} == {waiting.identifier, failed.identifier}
    (told,) = again.problems
    assert "damaged" in told and len(list(path.parent.glob("damaged-*.sqlite"))) == 1


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("how", ["removed", "emptied"])
def test_receipts_that_were_lost_are_reported_once(box: Outbox, how: str, waits: bool) -> None:
    sent = put(box)
    with box.locked(sent):
        box.write(sent, state="delivered")
    waiting = [box.add(Extract(), DATE, FTP, "lab").identifier] if waits else []
    assert len(box.deliveries()) == 1 + waits
    path = box.folder.parent / "journal" / "waiting.sqlite"
    path.unlink() if how == "removed" else path.write_bytes(b"")
    again = restarted(box)
    assert [each.identifier for each in again.deliveries()] == waiting
    assert len(again.problems) == 1 and f"{path} was removed or emptied" in again.problems[0]
    again = restarted(box)
    assert [each.identifier for each in again.deliveries()] == waiting and not again.problems


def test_receipts_that_were_tidied_away_are_not_missed(box: Outbox) -> None:
    sent = put(box)
    assert restarted(box).deliveries() == [sent]  # whoever opens it from now on would miss it
    with box.locked(sent):
        box.remove(box.write(sent, state="delivered"))
    (box.folder.parent / "journal" / "waiting.sqlite").unlink()
    again = restarted(box)
    assert again.deliveries() == [] and not again.problems


def test_a_delivery_reads_back_from_the_bytes_of_a_damaged_file(box: Outbox) -> None:
    waiting = put(box)
    with box.locked(waiting):
        waiting = box.write(waiting, state="failed", reason="No.")
    path = box.folder.parent / "journal" / "waiting.sqlite"
    data = bytearray(path.read_bytes())
    data[:4096] = bytes(4096)
    path.write_bytes(data)
    assert restarted(box).deliveries() == [waiting] and Path(box.file_of(waiting)).name == NAME


def test_who_keeps_records_meanwhile_gets_a_turn(box: Outbox) -> None:
    count = 120
    for day in range(count):
        waiting = box.add(Extract(), DATE + datetime.timedelta(day), FTP, "lab")
        (box.file_of(waiting).parent / "delivery.json").write_text(entry_of(waiting), encoding="utf-8")
    rewrite(box, "DELETE FROM deliveries")
    begun, done, seen = threading.Event(), threading.Event(), set[int]()

    def keep() -> None:
        journal, path = Journal(box.folder.parent / "journal"), box.folder.parent / "journal" / "waiting.sqlite"
        while not done.is_set():
            journal.entries()  # waits for the same file as a record that is kept
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as connection:
                seen.add(connection.execute("SELECT count(*) FROM deliveries").fetchone()[0])
            begun.set()

    other = threading.Thread(target=keep)
    other.start()
    try:
        assert begun.wait(20)
        assert len(restarted(box).deliveries()) == count
    finally:
        done.set()
        other.join()
    assert len(seen - {0, count}) >= 2, f"all of them were taken over in one go: {seen}"


def test_notes_of_parts_are_taken_over_once_and_kept(box: Outbox) -> None:
    notes, name = box.folder / "left-there", f"{'a' * 32}.json"
    notes.mkdir(parents=True)
    text = json.dumps({"kind": FTP.kind, "address": FTP.address, "name": "x.part"})
    notes.joinpath(name).write_text(text, encoding="utf-8")
    again = restarted(box)
    assert again.orphaned_parts(FTP) == [("a" * 32, "x.part")] and not any(notes.iterdir())
    assert box.folder.joinpath("taken-over", "left-there", name).read_text(encoding="utf-8") == text
    assert restarted(again).orphaned_parts(FTP) == again.orphaned_parts(FTP)


def test_a_disk_that_is_full_loses_no_note_of_a_part(box: Outbox) -> None:
    disk = Path(tempfile.mkdtemp(dir=box.folder.parent))
    with small_disk(disk, "256k"):
        again = Outbox(disk / "outbox", box.clock)
        assert again.orphaned_parts(FTP) == []
        notes = again.folder / "left-there"
        notes.mkdir()
        note = {"kind": FTP.kind, "address": FTP.address, "name": "x.part"}
        (notes / f"{'a' * 32}.json").write_text(json.dumps(note), encoding="utf-8")
        filled(disk / "rest")
        with pytest.raises(OSError, match="No space left"):
            restarted(again).orphaned_parts(FTP)
        (disk / "rest").unlink()
        assert restarted(again).orphaned_parts(FTP) == [("a" * 32, "x.part")] == restarted(again).orphaned_parts(FTP)


def test_on_a_disk_that_can_only_be_read_all_is_listed_and_stays(box: Outbox) -> None:
    disk = Path(tempfile.mkdtemp(dir=box.folder.parent))
    with small_disk(disk, "1m"):
        again = Outbox(disk / "outbox", box.clock)
        waiting = again.add(Extract(), DATE, FTP, "lab")
        entry = left_by_the_version_before(again, waiting)
        before = entry.read_bytes()
        with read_only(disk):
            reader = restarted(again)
            assert reader.deliveries() == [waiting] == reader.deliveries() == due(reader)
            assert reader.unrecorded() == [waiting] and not reader.problems
        assert entry.read_bytes() == before and not (again.folder / "taken-over").exists()
        assert restarted(again).deliveries() == [waiting]


def test_a_delivery_whose_folder_cannot_go_is_not_put_in_again(box: Outbox, clock: Clock) -> None:
    done = put(box)
    folder = box.file_of(done).parent
    with busy_folder(folder):
        assert deliver(box, done, arriving)[0].state == "delivered"
        assert not box.file_of(done).exists()
        box.note_recorded(box.deliveries())
        clock.forward(days=91)
        box.tidy()
        again = restarted(box)
        assert [each.state for each in again.deliveries()] == ["delivered"] and not again.problems
    box.tidy()
    assert box.deliveries() == [] == restarted(box).deliveries() and not folder.exists()


def test_an_open_window_of_that_version_never_sees_half_a_folder(
    box: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, real, present = put(box), shutil.rmtree, list[bool]()

    def noted(path: Path, ignore_errors: bool = False) -> None:
        present.append((box.folder / done.identifier).exists())
        real(path, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", noted)
    assert deliver(box, done, arriving)[0].state == "delivered"
    assert present == [False] and box.leftovers() == []


def test_a_folder_without_a_description_is_put_aside_and_reported(box: Outbox) -> None:
    lost = box.folder / ("ab" * 16)
    lost.mkdir()
    (lost / NAME).write_bytes(b"x")
    again = restarted(box)
    assert again.deliveries() == [] and not lost.exists()
    (told,) = again.problems
    assert told.startswith("The delivery abababab in the outbox is damaged: its description is missing. It was put")
    (aside,) = (box.folder / "damaged").iterdir()
    assert (aside / NAME).read_bytes() == b"x"


def test_a_number_that_two_deliveries_begin_with_is_refused(box: Outbox) -> None:
    known = []
    for identifier in ("ab" * 16, "abcd" * 8):
        delivery = replace(put(box), identifier=identifier)
        folder = box.folder / identifier
        folder.mkdir()
        (folder / "delivery.json").write_text(entry_of(delivery), encoding="utf-8")
        known.append(delivery)
    with pytest.raises(UnknownDelivery, match="several deliveries whose number begins with 'ab'"):
        box.find("ab")
    assert [box.find(text).identifier for text in (" ABAB ", "abcd")] == [each.identifier for each in known]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (b"{", "is damaged: its description can't be read. It was put aside"),
        (b"other", "is damaged: its description can't be read. It was put aside"),
        (b'{"format": 9}', "was added by a newer version of the application."),
    ],
)
def test_a_description_of_that_version_that_makes_no_sense(box: Outbox, damage: bytes, words: str) -> None:
    other, bad = put(box), box.add(Extract(), DATE, FTP, "lab-a")
    entry = left_by_the_version_before(box, bad)
    entry.write_bytes(entry_of(other).encode() if damage == b"other" else damage)
    again = restarted(box)
    assert again.deliveries() == [other]
    (told,) = again.problems
    assert told.startswith(f"The delivery {bad.short_id} ") and words in told
    assert entry.exists() == ("newer" in words)
