"""`status`: what monitoring reads, and its exit code."""

from __future__ import annotations

import datetime
import json
import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry import folders
from abq_data_entry.models import SQLModel, schema
from abq_data_entry.postgres import backups_of
from abq_data_entry.workflows import local_disks
from abq_data_entry.workflows.status import Limits, status
from tests.commands.conftest import DAY, Outcome
from tests.commands.test_journal import keep
from tests.fixtures.disks import filled, small_disk
from tests.fixtures.ports import free_port
from tests.network.shares import frozen_share

Line = Callable[..., Outcome]
NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.timezone.utc)


@pytest.fixture
def backed_up(home: Path, database: dict[str, str]) -> Path:
    """A backup of just now."""
    backups = backups_of({"db_name": database["dbname"]}, folders.data_folder())
    backups.folder.mkdir(exist_ok=True)
    made = backups.folder / f"{database['dbname']}-2026-11-26.dump"
    made.touch()
    return made


def content(done: Outcome) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(done.output)
    assert told["ok"] is (done.code == 0) is (not told["problems"])
    return told


def test_all_is_well(line: Line, backed_up: Path, database: dict[str, str], stored: SQLModel) -> None:
    done = line("status")
    assert (done.code, done.errors) == (0, "")
    told = content(done)
    assert told["database"] == {"name": database["dbname"], "host": "", "embedded": True, "running": True,
                                "schema_version": schema.VERSION, "newest_observation": None}  # fmt: skip
    assert told["records_waiting"]["waiting"] == told["deliveries"]["waiting"] == 0
    assert told["disk"]["free_bytes"] > 0
    assert "The newest observation of the weather is missing." in line("status", "--weather-hours", "3").reason
    # neither what a model computed nor a report without a temperature is an observation
    stored.query("INSERT INTO local_weather (datetime, temperature, rel_hum, kind) VALUES (now(), 3, NULL, 'model'),"
                 " (now() - interval '1 minute', NULL, 40, NULL)")  # fmt: skip
    assert "The newest observation of the weather is missing." in line("status", "--weather-hours", "3").reason
    stored.query("INSERT INTO local_weather (datetime, temperature) VALUES (now() - interval '2 hours', 3)")
    assert line("status", "--weather-hours", "3").code == 0
    assert "The newest observation of the weather is of" in line("status", "--weather-hours", "1").reason


def test_status_reports_waiting_records_and_old_backups(line: Line, backed_up: Path, database: dict[str, str]) -> None:
    keep(database, 1)
    keep({"dbname": "another"}, 2)
    told = content(line("status"))
    assert (told["records_waiting"]["waiting"], told["records_waiting"]["for_other_databases"]) == (1, 1)
    for moment in (0, 2**31 - 1):  # one of a clock that was ahead says nothing of today either
        os.utime(backed_up, (moment, moment))
        done = line("status", "--waiting-hours", "0", "--free-mib", "900000000")
        problems = content(done)["problems"]
        assert done.reason == " ".join(problems)
        assert [each.split()[0] for each in problems] == ["1", "The", "Only"]
        assert "J Simms" not in done.output


def test_a_server_that_is_gone_and_a_damaged_journal_are_problems(
    line: Line, configure: Callable[..., None], database: dict[str, str]
) -> None:
    configure(db_host="127.0.0.1", db_port=str(free_port()), backup_keep=0)
    folder = Path(os.environ["ABQ_DATA_DIR"]) / "journal"
    (folder / "waiting.sqlite").mkdir(parents=True)
    try:
        done = line("status")
    finally:
        (folder / "waiting.sqlite").rmdir()
    told = content(done)
    assert not told["database"]["running"] and told["disk"]
    assert "The database can't be read: " in done.reason
    assert "The journal of this computer can't be opened" in done.reason


def test_nothing_is_made_where_nothing_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: Line) -> None:
    monkeypatch.setenv("ABQ_DATA_DIR", str(tmp_path / "none"))
    told = content(line("status"))
    assert told["database"]["running"] is False and not (tmp_path / "none/postgres").exists()
    assert len(told["problems"]) == 1 and told["problems"][0].startswith("There is no backup in")


def test_a_delivery_that_was_given_up_is_a_problem(
    line: Line, backed_up: Path, one_record: None, configure: Callable[..., None]
) -> None:
    configure(abq_auth_url=f"http://127.0.0.1:{free_port()}/auth")
    sent = line("upload", "rest", "--date", DAY, "--username", "test", "--password-stdin", stdin="test\n")
    assert sent.code == 1
    told = content(line("status"))
    assert told["deliveries"]["waiting"] + told["deliveries"]["failed"] == 1


@pytest.mark.parametrize("text", ["-1", "nan", "soon", "inf", ""])
def test_numbers_that_are_none_are_wrong_usage(line: Line, text: str) -> None:
    done = line("status", f"--backup-days={text}")
    assert done.code == 2 and "isn't a number of 0 or more" in done.errors


def test_times_are_of_the_caller(home: Path) -> None:
    values = {"db_name": "abq", "db_host": "", "backup_keep": 0, "backup_keep_weeks": 0}
    shutil.rmtree(folders.data_folder() / "journal", ignore_errors=True)
    found = status(values, _closed, Limits(), NOW)
    assert found.content["moment"] == "2026-11-26T12:00:00Z" and found.problems == ()


def _closed() -> Any:
    return nullcontext(None)


def test_the_disk_of_the_backups_is_looked_at_too(
    line: Line, configure: Callable[..., None], stored: SQLModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups = tmp_path / "backups"
    backups.mkdir(mode=0o700)
    configure(backup_folder=str(backups), backup_keep=0)
    with small_disk(backups, "1m"):
        filled(backups / "rest")
        done = line("status", "--free-mib", "1")
        assert done.reason == f"Only 0 MiB are free on the disk of {backups}."
        assert content(done)["backup"]["free_bytes"] == 0 and not content(done)["backup"]["wanted"]
    assert "free_bytes" not in content(line("status"))["backup"]
    monkeypatch.setattr(local_disks, "PATIENCE", 0.3)
    with frozen_share(backups):
        done = line("status")
        assert done.reason == f"The folder {backups} doesn't answer." and content(done)["disk"]["free_bytes"] > 0
