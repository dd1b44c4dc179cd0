"""The last known copy: what it answers without a database, and a file that can't be used is none."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.journal import Known, KnownFile
from abq_data_entry.journal import known as known_room
from abq_data_entry.models import CheckProgress, Choices
from abq_data_entry.store.database import digest_of
from abq_data_entry.store.drafts import DraftFile, throwaway_file
from tests.models.records import DATE, faulty, record, typed

NOW = datetime.datetime(2026, 11, 20, 9, tzinfo=datetime.timezone.utc)
CHOICES = Choices(("J Simms", "P Taylor"), ("A", "B"), {"A": (1, 2, 3), "B": (1,)}, {("A", 1): "AXM477"})


@pytest.fixture
def known() -> Known:
    records = [typed(record(Plot="3")), typed(record(Plot="3", Time="12:00", Fruit="7")), typed(faulty(Plot="2"))]
    copy = Known(NOW).with_choices(CHOICES, NOW).with_records(records)
    return copy.with_check((DATE, "8:00", "A"), CheckProgress("P Taylor", {1: "P Taylor"}))


def test_a_check_is_known_from_its_progress_and_its_records(known: Known) -> None:
    progress = known.progress((DATE, "8:00", "A"))
    assert progress == CheckProgress("P Taylor", {1: "P Taylor", 2: "J Simms", 3: "J Simms"})
    assert known.progress((DATE, "16:00", "A")) == CheckProgress()
    assert known.record((DATE, "12:00", "A", 3))[F.FRUIT] == 7
    assert known.record((DATE, "20:00", "A", 3)) == {}


def test_all_that_is_known_and_when_it_was_looked_up(known: Known) -> None:
    later = NOW + datetime.timedelta(hours=1)
    assert known.as_of(later).taken == later and known.as_of(later).readings == known.readings
    kept = [(each[F.PLOT], each[F.TIME]) for latest in known.readings.values() for each in latest]
    assert sorted(kept) == [(2, "8:00"), (3, "12:00"), (3, "8:00")]


def test_previous_readings_are_those_before_the_check(known: Known) -> None:
    assert known.previous((DATE, "8:00", "A")) == {}
    assert known.previous((DATE, "12:00", "A"))[3][F.FRUIT] == 3
    later = known.previous((DATE + datetime.timedelta(1), "8:00", "A"))
    assert later[3][F.FRUIT] == 7 and set(later) == {2, 3}


def test_only_the_latest_are_kept(known: Known) -> None:
    days = [DATE + datetime.timedelta(number) for number in range(200)]
    grown = known.with_records(typed(record(Plot="3", Date=day.isoformat())) for day in days)
    assert [each[F.DATE] for each in grown.readings["A", 3]] == days[:-5:-1]
    for day in days:
        grown = grown.with_check((day, "8:00", "A"), CheckProgress())
    assert len(grown.checks) == known_room.MOST_CHECKS and (days[-1], "8:00", "A") in grown.checks
    corrected = known.with_records([typed(record(Plot="3", Fruit="9"))])
    assert known_room.record_key(corrected.readings["A", 3][1]) == (DATE, "8:00", "A", 3)
    assert corrected.record((DATE, "8:00", "A", 3))[F.FRUIT] == 9


def test_it_comes_back_from_its_file(known: Known, tmp_path: Path) -> None:
    file = KnownFile(tmp_path / "drafts", "db1:5432/abq")
    assert file.read() is None
    file.write(known)
    assert KnownFile(tmp_path / "drafts", "db1:5432/abq").read() == known
    assert KnownFile(tmp_path / "drafts", "db2:5432/abq").read() is None
    modes = {stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "drafts").glob("*.sqlite*")}
    assert os.name != "posix" or modes == {0o600}


@pytest.mark.parametrize("change", ["content = substr(content, 20)", "content = replace(content, 'P T', 'M C')",
                                    "content = '', digest = ''", "database = 'db1:5432/abq'"])  # fmt: skip
def test_a_copy_that_cannot_be_used_is_none(known: Known, tmp_path: Path, change: str) -> None:
    name = "db2" if change.startswith("database") else "db1:5432/abq"
    KnownFile(tmp_path, name).write(known)
    with throwaway_file(tmp_path).opened() as connection:
        connection.execute(f"UPDATE known SET {change}")
    file = KnownFile(tmp_path, "db1:5432/abq")
    assert file.read() is None
    with throwaway_file(tmp_path).opened() as connection:
        assert not connection.execute("SELECT * FROM known").fetchall()
    file.write(known)
    assert file.read() == known


def test_a_copy_of_impossible_size_is_not_kept(known: Known, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KnownFile(tmp_path / "measured", "db1:5432/abq").write(known)
    with throwaway_file(tmp_path / "measured").opened() as connection:
        (row,) = connection.execute("SELECT * FROM known")
    length = max(len(each) for each in row if isinstance(each, str))
    for largest, kept in ((length, known), (length - 1, None)):
        monkeypatch.setattr(known_room, "LARGEST", largest)
        file = KnownFile(tmp_path / f"{largest}", "db1:5432/abq")
        file.write(known)
        assert file.read() == kept


def test_the_copy_and_the_drafts_are_written_through_one_file(
    known: Known, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements, connect = list[str](), sqlite3.connect

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    drafts = DraftFile(tmp_path)
    drafts.take_over()
    file = KnownFile(tmp_path, "db1:5432/abq", file=drafts.database)
    for _ in range(3):
        file.write(known)
        drafts.write(None)
    drafts.release()
    assert file.read() == known
    assert sum("integrity_check" in each for each in statements) == 1  # when it was new, not after each change


@pytest.mark.parametrize("is_whole", [True, False])
def test_the_file_of_a_version_before_is_taken_over_once(known: Known, tmp_path: Path, is_whole: bool) -> None:
    text = known_room._to_text(known, "db1:5432/abq").encode("utf-8")
    name = f"known-{hashlib.sha256(b'db1:5432/abq').hexdigest()[:16]}"
    old = tmp_path / "journal" / f"{name}.json"
    old.parent.mkdir()
    old.write_bytes(hashlib.sha256(text).hexdigest().encode("ascii") + b"\n" + text[: None if is_whole else -9])
    file = KnownFile(tmp_path / "drafts", "db1:5432/abq", earlier=old.parent)
    assert file.read() == (known if is_whole else None)
    assert [each.name for each in old.parent.iterdir()] == [f"{name}.taken-over"]
    assert file.read() == (known if is_whole else None)


def test_a_disk_that_refuses_costs_no_more_than_the_copy(known: Known, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    KnownFile(tmp_path / "file", "abq").write(known)
    assert KnownFile(tmp_path / "file", "abq").read() is None


def test_a_reading_that_breaks_todays_limits_spoils_nothing(tmp_path: Path) -> None:
    old = typed(record(Plot="1")) | {F.HUMIDITY: "99.99"}
    file = KnownFile(tmp_path, "abq")
    file.write(Known(NOW).with_records([old]))
    found = file.read()
    assert found is not None and found.record((DATE, "8:00", "A", 1))[F.HUMIDITY] == "99.99"


def test_a_copy_of_another_version_with_other_fields_is_read(known: Known, tmp_path: Path) -> None:
    file = KnownFile(tmp_path, "db1:5432/abq")
    content = json.loads(known_room._to_text(known, "db1:5432/abq"))
    for texts in content["readings"]:
        texts["Soil Moisture"] = "31.5"
        del texts["Notes"]
        texts["Plants"] = "25"  # which may have been allowed
    text = json.dumps(content)
    file.write(known)
    with throwaway_file(tmp_path).opened() as connection:
        connection.execute("UPDATE known SET content = ?, digest = ?", (text, digest_of(text)))
    found = file.read()
    assert found is not None
    assert found.record((DATE, "12:00", "A", 3)) == {
        **known.record((DATE, "12:00", "A", 3)),
        F.PLANTS: "25",
        F.NOTES: None,
    }
