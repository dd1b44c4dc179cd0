"""`export`."""

from __future__ import annotations

import csv
import datetime
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from abq_data_entry.fields import CSV_HEADER
from abq_data_entry.models import SQLModel
from tests.commands.conftest import DAY, Outcome
from tests.models.records import record

NAME = f"abq_data_record_{DAY}.csv"


@pytest.fixture(autouse=True)
def _here(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))


def test_writes_the_day_here_under_its_name(line: Callable[..., Outcome], one_record: None) -> None:
    done = line("export", "--date", DAY)
    assert (done.code, done.output) == (0, f"1 record of {DAY} written to {NAME}\n")
    with Path(NAME).open(encoding="utf-8", newline="") as file:
        header, row = list(csv.reader(file))
    assert tuple(header) == tuple(CSV_HEADER)
    assert row[:5] == [DAY, "8:00", "J Simms", "A", "3"]


def test_today_is_the_default(line: Callable[..., Outcome], stored: SQLModel) -> None:
    today = datetime.date.today()
    stored.save_record(record(Date=today.isoformat()))
    assert line("export").code == 0
    assert Path(f"abq_data_record_{today.isoformat()}.csv").is_file()


def test_the_other_days_that_were_not_sent_are_named(line: Callable[..., Outcome], stored: SQLModel) -> None:
    today = datetime.date.today()
    before = [today - datetime.timedelta(days=days) for days in (1, 3, 30)]
    for each in before:
        stored.save_record(record(Date=each.isoformat()))
    named = f"Not sent yet: {before[1]}, {before[0]} (--date)."
    assert line("export").reason == f"There are no records of {today}, so no file was written. {named}"
    stored.save_record(record(Date=today.isoformat()))
    assert line("export", "-o", "t.csv").output == f"1 record of {today} written to t.csv\n{named}\n"
    printed = line("export", "-o", "-")
    assert named not in printed.output and printed.errors == f"{named}\n"
    assert named not in line("export", "--date", f"{before[0]}", "-o", "y.csv").output


def test_yesterday(line: Callable[..., Outcome], stored: SQLModel) -> None:
    yesterday = datetime.date.today() - datetime.timedelta(days=1)
    stored.save_record(record(Date=yesterday.isoformat()))
    assert line("export", "--date", "yesterday", "-o", "y.csv").code == 0
    assert Path("y.csv").is_file()


def test_to_a_named_file_in_the_place_of_the_old_one(line: Callable[..., Outcome], one_record: None) -> None:
    Path("out.csv").write_text("old", encoding="utf-8")
    assert line("export", "--date", DAY, "-o", "out.csv").code == 0
    assert Path("out.csv").read_text(encoding="utf-8").startswith("Date,Time,")


def test_to_a_folder_and_to_standard_output(line: Callable[..., Outcome], one_record: None) -> None:
    Path("folder").mkdir()
    assert line("export", "--date", DAY, "-o", "folder").code == 0
    printed = line("export", "--date", DAY, "-o", "-")
    assert printed.code == 0
    written = (Path("folder") / NAME).read_bytes().decode()
    assert printed.output.replace("\r\n", "\n") == written.replace("\r\n", "\n")


def test_without_records_no_file(line: Callable[..., Outcome], one_record: None) -> None:
    Path("kept.csv").write_text("kept", encoding="utf-8")
    for words in (["-o", "new.csv"], ["-o", "kept.csv"], ["-o", "-"], []):
        done = line("export", "--date", "2020-02-29", *words)
        assert done.reason == "There are no records of 2020-02-29, so no file was written."
        assert done.output == ""
    assert [path.name for path in Path().iterdir()] == ["kept.csv"]
    assert Path("kept.csv").read_text(encoding="utf-8") == "kept"


def test_where_nothing_can_be_written(line: Callable[..., Outcome], one_record: None) -> None:
    assert "missing/x.csv can't be written" in line("export", "--date", DAY, "-o", "missing/x.csv").reason
    assert "is not a file" in line("export", "--date", DAY, "-o", os.devnull).reason
    assert not list(Path().iterdir())
