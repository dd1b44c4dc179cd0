"""What stands in the outbox: entries, versions, damaged ones, and who may be at them."""

from __future__ import annotations

import contextlib
import datetime
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from abq_data_entry.outbox import Attempt, Busy, Delivery, NoRecords, Outbox, UnknownDelivery, due
from abq_data_entry.outbox.delivery import BROKEN_OFF, PERHAPS_ARRIVED, STATES, from_text, to_text
from tests.outbox.conftest import DATE, FTP, NAME, REST, START, Clock, Extract, content_of, replace_content, rewrite
from tests.outbox.earlier import left_by_the_version_before

ROOT = Path(__file__).resolve().parents[2]
moments = st.datetimes(datetime.datetime(1970, 1, 2), datetime.datetime(2100, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=datetime.timezone.utc)
)
texts = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]))
attempts = st.builds(Attempt, moments, st.none() | st.floats(0, 1e6), st.integers(0, 2**40), st.text())
deliveries = st.builds(
    Delivery,
    identifier=st.uuids().map(lambda each: each.hex),
    name=st.just(NAME),
    date=st.dates(),
    kind=st.sampled_from(["rest", "ftp"]),
    address=texts,
    username=texts,
    size=st.integers(0, 2**40),
    sha256=st.binary().map(lambda each: hashlib.sha256(each).hexdigest()),
    version=st.integers(1, 1000),
    created=moments,
    since=moments,
    changed=moments,
    state=st.sampled_from(STATES),
    planned=st.none() | moments,
    failures=st.integers(0, 1000),
    attempts=st.lists(attempts, max_size=3).map(tuple),
    reason=texts,
    revision=st.integers(0, 1000),
    audit_head=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=50),
    sent_as=st.sampled_from([NAME, "A 2026-11-20.csv"]),
)


@given(deliveries)
def test_a_delivery_comes_back_from_disk_as_it_was(delivery: Delivery) -> None:
    assert from_text(to_text(delivery)) == delivery


@given(deliveries)
def test_a_delivery_of_the_forms_before_is_read(delivery: Delivery) -> None:
    content = json.loads(to_text(delivery))
    del content["id"]
    assert from_text(json.dumps({**content, "format": 3})) == delivery
    del content["sent_as"]
    assert from_text(json.dumps({**content, "format": 2})) == replace(delivery, sent_as=NAME)
    del content["audit_head"]
    assert from_text(json.dumps({**content, "format": 1})) == replace(delivery, audit_head="", sent_as=NAME)
    with pytest.raises(ValueError):
        from_text(json.dumps(content))


@given(deliveries, st.data())
def test_damage_is_seen(delivery: Delivery, data: st.DataObject) -> None:
    text = to_text(delivery)
    with pytest.raises(ValueError):
        from_text(text[: data.draw(st.integers(0, len(text) - 1))])
    content: dict[str, Any] = json.loads(text)
    name = data.draw(st.sampled_from(sorted(set(content) - {"planned"})))
    with pytest.raises((ValueError, TypeError)):
        free = name in ("kind", "address", "username", "reason")
        damage = 1 if free else data.draw(st.sampled_from([None, -1.5, [1], "\0"]))
        from_text(json.dumps({**content, name: damage}))


def test_an_extract_is_put_in_whole(box: Outbox) -> None:
    put = box.add(Extract(), DATE, REST, "lab-a")
    (found,) = box.deliveries()
    assert found == put == box.read(put.identifier) == box.find(put.short_id)
    content = box.file_of(found).read_bytes()
    assert (found.name, found.size, found.sha256) == (NAME, len(content), hashlib.sha256(content).hexdigest())
    assert (found.kind, found.address, found.username, found.created) == (REST.kind, REST.address, "lab-a", START)
    assert (found.state, found.version, found.planned, found.attempts) == ("waiting", 1, None, ())
    assert box.is_whole(found)


def test_only_this_user_may_look_into_it(box: Outbox) -> None:
    put = box.add(Extract(), DATE, REST, "lab-a")
    for folder in (box.folder, box.folder / "locks", box.file_of(put).parent):
        assert folder.stat().st_mode & 0o077 == 0


def test_without_records_nothing_is_put_in(box: Outbox) -> None:
    with pytest.raises(NoRecords, match="There are no records to upload"):
        box.add(Extract(b""), DATE, REST, "lab-a")
    assert box.deliveries() == [] and box.leftovers() == []


def test_an_export_that_fails_leaves_nothing(box: Outbox) -> None:
    class Broken(Extract):
        def export_records(self, path: Path, first_date: datetime.date) -> int:
            path.write_bytes(b"half")
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        box.add(Broken(), DATE, REST, "lab-a")
    assert box.deliveries() == [] and box.leftovers() == []


def test_a_new_version_takes_the_place_of_one_that_waits(box: Outbox) -> None:
    first = box.add(Extract(), DATE, REST, "lab-a")
    others = [box.add(Extract(), DATE, FTP, "lab-a"), box.add(Extract(), datetime.date(2026, 1, 1), REST, "lab-a")]
    second = box.add(Extract(b"corrected\r\n"), DATE, REST, "lab-b")
    assert second.version == 2
    given_up = box.read(first.identifier)
    assert (given_up.state, given_up.reason) == ("cancelled", f"Replaced by version 2 ({second.short_id}).")
    assert not box.file_of(first).exists()
    assert [box.read(each.identifier) for each in others] == others


def test_versions_go_on_from_what_the_database_knows(box: Outbox) -> None:
    assert box.add(Extract(), DATE, REST, "lab-a", known_version=7).version == 8
    assert box.add(Extract(), DATE, REST, "lab-a", known_version=3).version == 9


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", 7),
        ("version", 0),
        ("version", 2**40),
        ("size", 10**30),
        ("revision", 2**31),
        ("planned", "9999-12-31T23:59:59+00:00"),
        ("created", "0001-01-01T00:00:00+00:00"),
        ("changed", "2026-11-21T08:00:00"),
        ("reason", "\0"),
        ("username", "\ud800"),
        ("address", "x" * 20_000),
        ("sent_as", "../../x"),
        ("name", "../../x"),
        ("state", "on its way"),
        ("date", "2026-02-30"),
        ("attempts", [{"started": "9999-12-31T23:59:59+00:00", "seconds": 1, "sent": 1, "outcome": ""}]),
    ],
)
def test_an_absurd_entry_is_put_aside_and_the_others_go_on(box: Outbox, name: str, value: object) -> None:
    good, bad = box.add(Extract(), DATE, REST, "lab-a"), box.add(Extract(), DATE, FTP, "lab-a")
    replace_content(box, bad, json.dumps({**content_of(box, bad), name: value}))
    box.tidy()
    assert box.deliveries() == [good] and due(box) == [good]
    (told,) = box.problems
    assert bad.short_id in told and "damaged" in told and len([*(box.folder / "damaged").iterdir()]) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such things here")
@pytest.mark.parametrize("what", ["folder", "pipe", "loop", "huge", "no right"])
def test_an_unreadable_entry_is_reported_and_the_others_go_on(box: Outbox, what: str) -> None:
    good, bad = box.add(Extract(), DATE, REST, "lab-a"), box.add(Extract(), DATE, FTP, "lab-a")
    entry = left_by_the_version_before(box, bad)
    with contextlib.ExitStack() as stack:
        if what == "no right":
            if os.geteuid() == 0:
                pytest.skip("root may read everything")
            entry.chmod(0)
            stack.callback(entry.chmod, 0o600)
        else:
            entry.unlink()
        if what == "folder":
            entry.mkdir()
        elif what == "pipe":
            os.mkfifo(entry)
        elif what == "loop":
            entry.symlink_to(entry)
        elif what == "huge":
            with entry.open("wb") as file:
                file.truncate(2**40)
        box.tidy()
        assert box.deliveries() == [good] and due(box) == [good] and box.replaced_by(bad) is None
        (told,) = box.problems
        assert bad.short_id in told and (what in ("loop", "no right")) == entry.parent.exists()


@pytest.mark.parametrize("damage", ["", "{", '{"format": 1}', "null", "[" * 100_000, "\udcff"], ids=lambda _: "")
def test_a_damaged_entry_is_put_aside_and_reported(box: Outbox, damage: str) -> None:
    good, bad = box.add(Extract(), DATE, REST, "lab-a"), box.add(Extract(), DATE, FTP, "lab-a")
    replace_content(box, bad, damage)
    assert box.deliveries() == box.deliveries() == [good]
    (told,) = box.problems
    assert bad.short_id in told and "damaged" in told
    (aside,) = (box.folder / "damaged").iterdir()
    assert (aside / NAME).read_bytes() == Extract().content


def test_a_row_that_is_not_as_it_was_written_is_put_aside(box: Outbox) -> None:
    good, bad = box.add(Extract(), DATE, REST, "lab-a"), box.add(Extract(), DATE, FTP, "lab-a")
    rewrite(box, "UPDATE deliveries SET content = replace(content, 'lab-a', 'lab-b') WHERE id = ?", bad.identifier)
    assert box.deliveries() == Outbox(box.folder).deliveries() == [good]
    (told,) = box.problems
    (aside,) = (box.folder / "damaged").iterdir()
    assert bad.short_id in told and str(aside) in told and b"lab-b" in (aside / "delivery.json").read_bytes()


def test_a_damaged_row_without_a_folder_is_reported_and_removed(box: Outbox) -> None:
    put = box.add(Extract(), DATE, REST, "lab-a")
    shutil.rmtree(box.file_of(put).parent)
    replace_content(box, put, "{")
    assert box.deliveries() == [] and not Outbox(box.folder).deliveries()
    assert box.problems == [f"The delivery {put.short_id} in the outbox is damaged: its description can't be read."]
    again = Outbox(box.folder)
    assert again.deliveries() == [] and not again.problems


def test_a_row_of_a_name_that_is_none_moves_nothing(box: Outbox) -> None:
    put = box.add(Extract(), DATE, REST, "lab-a")
    rewrite(box, "UPDATE deliveries SET id = '../outbox' WHERE id = ?", put.identifier)
    assert box.deliveries() == [put], "it is taken over from its folder"
    assert [each for each in box.problems if "damaged" in each] == [
        "The delivery ../outbo in the outbox is damaged: its description can't be read."
    ]
    assert not (box.folder / "damaged").exists() and Outbox(box.folder).deliveries() == [put]


def test_a_folder_that_cannot_be_put_aside_is_reported_and_stays(box: Outbox) -> None:
    put = box.add(Extract(), DATE, REST, "lab-a")
    (box.folder / "damaged").write_bytes(b"in the way")
    replace_content(box, put, "{")
    assert box.deliveries() == []
    (told,) = box.problems
    assert "It can't be put aside" in told and str(box.file_of(put).parent) in told
    assert box.file_of(put).exists() and Outbox(box.folder).deliveries() == []


def test_an_entry_damaged_after_it_was_read_is_put_aside_too(box: Outbox) -> None:
    first = box.add(Extract(), DATE, REST, "lab-a")
    second = box.add(Extract(), DATE, REST, "lab-a")
    assert box.replaced_by(first) == second
    replace_content(box, second, "{")
    assert box.replaced_by(first) is None and len(box.problems) == 1
    assert [each.identifier for each in box.deliveries()] == [first.identifier]


def test_what_others_put_in_is_seen_at_once(box: Outbox) -> None:
    """What was read before is remembered; what another process did meanwhile counts all the same."""
    other = Outbox(box.folder, box.clock)
    first = box.add(Extract(), DATE, REST, "lab-a")
    assert box.replaced_by(first) is None
    second = other.add(Extract(), DATE, REST, "lab-a")
    assert box.replaced_by(first) == second
    third = other.add(Extract(), DATE, REST, "lab-a")
    assert box.replaced_by(first) == third
    with other.locked(third):
        other.write(third, state="cancelled")
    assert box.replaced_by(first) is None, "the second was cancelled for the third"
    with other.locked(second):
        other.remove(second)
    assert box.add(Extract(), DATE, REST, "lab-a").version == 4
    assert box.add(Extract(), DATE, FTP, "lab-a").version == 1


def test_a_strange_file_in_the_outbox_is_nobodys_delivery(box: Outbox) -> None:
    put = box.add(Extract(), DATE, REST, "lab-a")
    (box.folder / ("f" * 32)).write_bytes(b"?")
    assert box.deliveries() == [put] and box.replaced_by(put) is None and not box.problems


def test_an_entry_of_a_newer_version_stays_as_it_is(box: Outbox) -> None:
    put = box.add(Extract(), DATE, REST, "lab-a")
    content = content_of(box, put)
    for newer in ({"format": 6, "whatever": True}, {**content, "kind": "pigeon"}):
        replace_content(box, put, json.dumps(newer))
        fresh = Outbox(box.folder, box.clock)
        assert fresh.deliveries() == []
        assert "newer version" in fresh.problems[0] and content_of(box, put) == newer


def test_a_description_moved_to_another_name_is_not_believed(box: Outbox) -> None:
    one, other = box.add(Extract(), DATE, REST, "lab-a"), box.add(Extract(), DATE, FTP, "lab-a")
    replace_content(box, other, json.dumps(content_of(box, one)))
    assert box.deliveries() == [one]


def test_an_unknown_number_is_refused(box: Outbox) -> None:
    box.add(Extract(), DATE, REST, "lab-a")
    box.add(Extract(), DATE, FTP, "lab-a")
    for beginning, words in (("zz", "no delivery"), ("", "no delivery"), ("../..", "no delivery")):
        with pytest.raises(UnknownDelivery, match=words):
            box.find(beginning)
    with pytest.raises(UnknownDelivery, match="00000000 is gone from the outbox"):
        box.read("0" * 32)
    with pytest.raises(UnknownDelivery, match="is gone from the outbox"):
        box.write(replace(box.deliveries()[0], identifier="0" * 32), reason="")


def test_two_processes_are_never_at_the_same_delivery(box: Outbox) -> None:
    put = box.add(Extract(), DATE, REST, "lab-a")
    code = (
        "import sys, pathlib\nfrom abq_data_entry.outbox import Outbox\n"
        "box = Outbox(pathlib.Path(sys.argv[1]))\nwith box.locked(box.read(sys.argv[2])):\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    words = [sys.executable, "-c", code, str(box.folder), put.identifier]
    other = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        with pytest.raises(Busy), box.locked(put):
            pass
    finally:
        other.kill()
        other.communicate()
    with box.locked(put, patience=10):
        pass


def test_a_file_that_another_window_holds_is_reported_as_busy(box: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    put = box.add(Extract(), DATE, REST, "lab-a")
    monkeypatch.setattr("abq_data_entry.store.database.PATIENCE", 0.05)
    with FileLock(box.folder.parent / "journal" / "writing.lock"), pytest.raises(Busy):
        box.deliveries()
    assert box.deliveries() == [put]


def test_no_destination_holds_up_another(box: Outbox) -> None:
    """Whatever they are called: which names went together would depend on the day."""
    put = [box.add(Extract(), DATE, REST._replace(kind=f"folder:at-{number}"), "lab-a") for number in range(60)]
    with ExitStack() as held:
        for each in put:
            held.enter_context(box.locked(each))
        with pytest.raises(Busy), box.locked(put[0]):
            pass


def test_what_a_crash_left_is_tidied(box: Outbox) -> None:
    put, done = box.add(Extract(), DATE, REST, "lab-a"), box.add(Extract(), DATE, FTP, "lab-a")
    content = box.file_of(done).read_bytes()
    with box.locked(done):
        done = box.write(done, state="delivered")
    box.file_of(done).parent.mkdir()
    box.file_of(done).write_bytes(content)  # killed between the two
    (box.folder / ".new-abc").mkdir()
    (box.folder / ".new-abc" / NAME).write_bytes(b"half")
    box.tidy()
    assert not box.file_of(done).exists() and box.leftovers() == []
    assert box.deliveries() == [put, done] or box.deliveries() == [done, put]


def test_one_that_is_being_made_is_not_tidied_away(box: Outbox) -> None:
    class Meanwhile(Extract):
        def export_records(self, path: Path, first_date: datetime.date) -> int:
            Outbox(box.folder).tidy()
            return super().export_records(path, first_date)

    box.add(Meanwhile(), DATE, REST, "lab-a")
    assert len(box.deliveries()) == 1


def test_receipts_go_when_they_are_old_and_in_the_database(box: Outbox, clock: Clock) -> None:
    recorded, unrecorded = box.add(Extract(), DATE, REST, "lab-a"), box.add(Extract(), DATE, FTP, "lab-a")
    waiting = box.add(Extract(), datetime.date(2026, 1, 1), REST, "lab-a")
    recorded, unrecorded = box.write(recorded, state="delivered"), box.write(unrecorded, state="delivered")
    box.note_recorded([recorded, waiting])
    clock.forward(days=89)
    box.tidy()
    assert len(box.deliveries()) == 3
    clock.forward(days=2)
    box.tidy()
    assert {each.identifier for each in box.deliveries()} == {unrecorded.identifier, waiting.identifier}
    # The files of what was delivered went with it.
    assert {each.name for each in box.folder.iterdir() if each.is_dir()} == {waiting.identifier, "locks"}


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_bytes(b"")
    with pytest.raises(OSError):
        Outbox(tmp_path / "outbox")
    assert [path.name for path in tmp_path.iterdir()] == ["outbox"]


@pytest.mark.parametrize("what", ["gone", "longer", "other", "audit"])
def test_a_file_that_is_no_longer_as_it_was_put_in_is_not_whole(box: Outbox, what: str) -> None:
    put = box.add(Extract(), DATE, REST, "lab-a", audit_head=lambda date: "A 1 abc")
    path = box.file_of(put)
    assert box.is_whole(put) and box.files_of(put)[1].read_text() == "A 1 abc\n"
    if what == "gone":
        path.unlink()
    elif what == "audit":
        box.files_of(put)[1].write_text("A 1 abd\n")
    else:
        path.write_bytes(path.read_bytes() + b"x" if what == "longer" else b"x" * put.size)
    assert not box.is_whole(put)


def test_what_the_database_lacks_is_known_by_revision(box: Outbox) -> None:
    put = box.add(Extract(), DATE, REST, "lab-a")
    assert box.unrecorded() == [put] and put.revision == 1
    box.note_recorded([put])
    assert box.unrecorded() == []
    changed = box.write(put, reason="Later.")
    assert box.unrecorded() == [changed] and (changed.revision, changed.reason) == (2, "Later.")


def test_an_attempt_begins_only_where_it_may(box: Outbox) -> None:
    put = box.add(Extract(), DATE, REST, "lab-a")
    with box.locked(put):
        assert box.begin(put, is_whole=False) == (put, None)
        begun, newer = box.begin(put, is_whole=True)
        assert (begun.state, begun.planned, newer) == ("sending", None, None)
        assert begun.attempts == (Attempt(START),)
        again, _ = box.begin(begun, is_whole=True)
        assert [each.outcome for each in again.attempts] == [BROKEN_OFF, ""]
        for state in ("delivered", "cancelled", "unknown"):
            left = box.write(again, state=state)
            assert box.begin(left, is_whole=True) == (left, None)
    with pytest.raises(UnknownDelivery, match="is gone from the outbox"):
        box.begin(replace(put, identifier="0" * 32), is_whole=True)


@pytest.mark.parametrize(
    ("sent", "state", "reason"), [(0, "waiting", BROKEN_OFF), (28, "unknown", PERHAPS_ARRIVED)]
)
def test_what_was_being_sent_when_the_program_ended_waits_or_is_unknown(
    box: Outbox, sent: int, state: str, reason: str
) -> None:
    put = box.add(Extract(), DATE, REST, "lab-a")
    assert put.size == 28
    box.write(put, state="sending", attempts=(Attempt(START, None, sent),))
    box.tidy()
    (left,) = box.deliveries()
    assert (left.state, left.planned, left.reason) == (state, None, reason)
    assert left.attempts == (Attempt(START, None, sent, BROKEN_OFF),)


def test_a_state_changes_only_from_those_that_are_named(box: Outbox) -> None:
    put = box.add(Extract(), DATE, REST, "lab-a")
    assert box.change(put, ("failed", "sending"), state="cancelled") == put == box.read(put.identifier)
    failed = box.change(put, ("waiting",), state="failed", reason="Because.")
    assert failed == box.read(put.identifier) and (failed.state, failed.reason) == ("failed", "Because.")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_an_error_of_the_disk_names_the_folder(box: Outbox, number: int) -> None:
    class Full(Extract):
        def export_records(self, path: Path, first_date: datetime.date) -> int:
            raise OSError(number, os.strerror(number))

    with pytest.raises(OSError) as caught:
        box.add(Full(), DATE, REST, "lab-a")
    assert caught.value.errno == number
    assert caught.value.filename == (None if number == errno.EACCES else os.fspath(box.folder))


def test_without_room_no_attempt_begins(box: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    put = box.add(Extract(), DATE, REST, "lab-a")
    free = shutil.disk_usage(box.folder)
    with monkeypatch.context() as during, box.locked(put):
        during.setattr(shutil, "disk_usage", lambda path: free._replace(free=128 * 1024 - 1))
        with pytest.raises(OSError, match="No space left") as caught:
            box.begin(put, is_whole=True)
        assert caught.value.filename == os.fspath(box.folder)
        during.setattr(shutil, "disk_usage", lambda path: free._replace(free=128 * 1024))
        assert box.begin(put, is_whole=True)[0].state == "sending"


def test_what_failed_and_has_no_file_any_more_is_gone(box: Outbox) -> None:
    put = box.add(Extract(), DATE, REST, "lab-a")
    failed = replace(put, state="failed")
    assert not box.is_gone(put) and not box.is_gone(failed)
    box.file_of(put).unlink()
    assert not box.is_gone(put) and box.is_gone(failed)
