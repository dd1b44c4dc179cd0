"""The last known copy: what it answers without a database, and a file that can't be used is none."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.journal import Known, KnownFile, known_file
from abq_data_entry.journal import known as known_room
from abq_data_entry.models import CheckProgress, Choices
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
    file = KnownFile(tmp_path / "journal", "db1:5432/abq")
    assert file.read() is None
    file.write(known)
    assert KnownFile(tmp_path / "journal", "db1:5432/abq").read() == known
    assert KnownFile(tmp_path / "journal", "db2:5432/abq").read() is None
    assert os.name != "posix" or stat.S_IMODE(file.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["cut", "changed", "other", "huge", "empty"])
def test_a_copy_that_cannot_be_used_is_none(
    known: Known, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = KnownFile(tmp_path, "db1:5432/abq")
    file.write(known)
    data = file.path.read_bytes()
    if damage == "huge":
        monkeypatch.setattr(known_file, "LARGEST", 100)
    elif damage == "other":
        KnownFile(tmp_path, "another").write(known)
        KnownFile(tmp_path, "another").path.replace(file.path)
    else:
        damaged = {"cut": data[:-20], "changed": data.replace(b"P Taylor", b"M Curie!"), "empty": b""}
        file.path.write_bytes(damaged[damage])
    assert file.read() is None
    assert not file.path.exists()


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
    file = KnownFile(tmp_path / "journal", "db1:5432/abq")
    file.write(known)
    content = json.loads(file.path.read_bytes().partition(b"\n")[2])
    for texts in content["readings"]:
        texts["Soil Moisture"] = "31.5"
        del texts["Notes"]
        texts["Plants"] = "25"  # which may have been allowed
    text = json.dumps(content).encode("utf-8")
    file.path.write_bytes(hashlib.sha256(text).hexdigest().encode("ascii") + b"\n" + text)
    found = file.read()
    assert found is not None
    assert found.record((DATE, "12:00", "A", 3)) == {
        **known.record((DATE, "12:00", "A", 3)),
        F.PLANTS: "25",
        F.NOTES: None,
    }
