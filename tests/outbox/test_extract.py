"""The extract of a day is made, handed over and removed, whatever happens."""

from __future__ import annotations

import csv
import datetime
import tempfile
from pathlib import Path

import pytest

from abq_data_entry import fields, outbox
from abq_data_entry.models import SQLModel
from tests.models.records import DATE, record


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of its own, to see what is left in it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_days_extract_is_sent_and_removed(model: SQLModel, temporary: Path) -> None:
    model.save_record(record())
    model.save_record(record(Date="2026-11-19"))
    seen: list[object] = []

    def send(path: Path) -> None:
        with path.open(encoding="utf-8", newline="") as file:
            seen.extend([path.name, *csv.reader(file)])

    assert outbox.deliver_extract(model, DATE, send) == "abq_data_record_2026-11-20.csv"
    assert seen[:2] == ["abq_data_record_2026-11-20.csv", list(fields.CSV_HEADER)]
    assert len(seen) == 3 and seen[2][0] == "2026-11-20"  # type: ignore[index]
    assert list(temporary.iterdir()) == []


def test_only_this_user_may_look_into_the_extract(model: SQLModel, temporary: Path) -> None:
    model.save_record(record())
    modes: list[int] = []
    outbox.deliver_extract(model, DATE, lambda path: modes.append(path.parent.stat().st_mode & 0o077))
    assert modes == [0]


def test_without_records_nothing_is_sent(model: SQLModel, temporary: Path) -> None:
    sent: list[Path] = []
    with pytest.raises(outbox.NoRecords, match="There are no records to upload"):
        outbox.deliver_extract(model, DATE, sent.append)
    assert sent == []
    assert list(temporary.iterdir()) == []


def test_a_failed_delivery_leaves_nothing_behind(model: SQLModel, temporary: Path) -> None:
    model.save_record(record())

    def send(path: Path) -> None:
        assert path.exists()
        raise ConnectionResetError("cut off")

    with pytest.raises(ConnectionResetError):
        outbox.deliver_extract(model, DATE, send)
    assert list(temporary.iterdir()) == []


def test_the_name_of_an_extract() -> None:
    assert outbox.extract_name(datetime.date(2026, 1, 2)) == "abq_data_record_2026-01-02.csv"
