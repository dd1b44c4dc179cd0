"""The outbox of version 1.0 is taken over once; a window of that version that is still open does no harm."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from abq_data_entry.outbox import Attempt, Outbox, deliver
from tests.outbox.conftest import DATE, FTP, NAME, REST, START, Extract, rewrite
from tests.outbox.earlier import entry_of, left_by_the_version_before
from tests.outbox.test_sending import arriving, put


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
    assert deliver(again, waiting.identifier, arriving)[0].state == "delivered"
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
    with box.lane(waiting):  # as that window holds it while it sends
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


def test_a_delivery_reads_back_from_the_bytes_of_a_damaged_file(box: Outbox) -> None:
    waiting = put(box)
    with box.lane(waiting):
        waiting = box.write(waiting, state="failed", reason="No.")
    path = box.folder.parent / "journal" / "waiting.sqlite"
    data = bytearray(path.read_bytes())
    data[:4096] = bytes(4096)
    path.write_bytes(data)
    assert restarted(box).deliveries() == [waiting] and Path(box.file_of(waiting)).name == NAME
