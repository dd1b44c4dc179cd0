"""`export`."""

from __future__ import annotations

import csv
import datetime
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from abq_data_entry.fields import CSV_HEADER
from abq_data_entry.models import SQLModel
from tests.commands.conftest import DAY, Outcome, outcome_of, start_process
from tests.commands.test_waits_announced import table_locked
from tests.fixtures.cluster import wait_until
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


def test_a_view_in_any_format(line: Callable[..., Outcome], one_record: None) -> None:
    done = line("export", "--view", "records", "--date", DAY, "-o", "r.xlsx", "--format", "xlsx")
    assert (done.code, done.output) == (0, f"1 row of records, {DAY}, written to r.xlsx\n"), done
    assert line("export", "--view", "completeness", "--from", DAY, "--to", DAY, "--lab", "A").code == 0
    with Path(f"abq_completeness_{DAY}_A.csv").open(encoding="utf-8", newline="") as file:
        assert {row["lab"] for row in csv.DictReader(file)} == {"A"}
    printed = line("export", "--view", "plot_readings", "-o", "-", "--semicolon")
    assert printed.output.startswith("date;time;due;lab;plot;")
    assert line("export", "--view", "reading_outliers", "--to", "2020-01-01").output.startswith("0 rows of")
    assert line("export", "--view", "growth", "-o", "by-name.XLSX").code == 0
    assert Path("by-name.XLSX").read_bytes().startswith(b"PK")
    reason = line("export", "--view", "records", "--lab", "A/B", "-o", "x.csv").reason
    assert reason.startswith("There is no lab 'A/B' to be read here. There are A, B") and not Path("x.csv").exists()
    done = line("export", "--view", "completenes")
    assert done.reason.startswith("There is no view 'completenes' to be read here. There are records, plot_readings,")


def test_links_lead_on_and_folders_have_to_be_there(line: Callable[..., Outcome], one_record: None) -> None:
    Path("latest.csv").symlink_to("real.csv")
    assert line("export", "--date", DAY, "-o", "latest.csv").code == 0
    assert Path("latest.csv").is_symlink() and Path("real.csv").is_file()
    for words in (["export", "--date", DAY], ["export", "--view", "growth"], ["report", "--date", DAY]):
        assert line(*words, "-o", "missing/").reason == "The folder missing/ doesn't exist."
    assert not Path("missing").exists()


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["--from", DAY], "--from needs --view"),
        (["--view", "growth", "--date", DAY, "--to", DAY], "--date is one day"),
        (["--view", "growth", "--from", DAY, "--to", "2020-01-01"], "is after --to"),
        (["--view", "growth", "--format", "xlsx", "--bom"], "--bom is for CSV"),
        (["--view", "growth", "--format", "parquet", "-o", "-"], "-o - prints CSV"),
        (["--view", "growth", "--format", "xlsx", "-o", "g.csv"], "g.csv isn't a name for xlsx"),
        (["-o", "day.xlsx"], "day.xlsx isn't a name for csv"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(line: Callable[..., Outcome], words: list[str], wrong: str) -> None:
    done = line("export", *words)
    assert done.code == 2 and wrong in done.errors


def test_ctrl_c_ends_an_export_and_leaves_nothing(
    configure: Callable[..., None], stored: SQLModel, database: dict[str, str]
) -> None:
    waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with table_locked(database, "local_weather"):
        process = start_process("export", "--view", "local_weather", "-o", Path("never.csv").absolute())
        wait_until(lambda: bool(stored.query(waits)), "the export waits for the table")
        process.send_signal(signal.SIGINT)
        done = outcome_of(process)
        assert (done.code, done.errors) == (1, "Interrupted.\n")
        assert not stored.query(waits)
    assert not list(Path().iterdir())
