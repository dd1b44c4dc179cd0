"""`db backup` and `db restore`, on the embedded server."""

from __future__ import annotations

import datetime
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.models import SQLModel, schema
from tests.commands.conftest import Outcome, outcome_of, start_process
from tests.fixtures import short_folders
from tests.fixtures.window import write_settings
from tests.models.records import record


@pytest.fixture
def folder(configure: Callable[..., None], tmp_path: Path) -> Path:
    """The folder of backups, by setting."""
    made = tmp_path / "backups"
    configure(backup_folder=str(made))
    return made


def plots(stored: SQLModel) -> list[object]:
    return [each["Plot"] for each in stored.get_all_records(all_dates=True)]


def test_a_backup_is_verified(line: Callable[..., Outcome], one_record: None, tmp_path: Path) -> None:
    done = line("db", "backup", tmp_path / "verified.dump")
    assert (done.code, done.errors) == (0, "")
    assert ", verified: " in done.output and " rows" in done.output
    assert ", verified" not in line("db", "backup", "--no-verify", tmp_path / "quick.dump").output


def test_the_days_backup(line: Callable[..., Outcome], folder: Path, one_record: None) -> None:
    done = line("db", "backup", "--daily")
    (made,) = folder.glob("*.dump")
    assert datetime.date.today().isoformat() in made.name
    assert str(made) in done.output
    again = line("db", "backup", "--daily")
    assert (again.code, "is there already" in again.output) == (0, True)


def test_daily_backups_can_be_switched_off(line: Callable[..., Outcome], configure: Callable[..., None]) -> None:
    configure(backup_keep=0)
    assert "backup_keep is 0" in line("db", "backup", "--daily").reason


def test_a_file_or_daily_not_both(line: Callable[..., Outcome], tmp_path: Path) -> None:
    assert line("db", "backup").code == 2
    assert line("db", "backup", "--daily", tmp_path / "file").code == 2


def test_what_was_there_before_a_restore_is_kept(
    line: Callable[..., Outcome], stored: SQLModel, folder: Path, tmp_path: Path
) -> None:
    stored.save_record(record(Plot=1))
    assert line("db", "backup", tmp_path / "one.dump").code == 0
    stored.save_record(record(Plot=2))
    stored.close()
    done = line("db", "restore", tmp_path / "one.dump")
    assert plots(stored) == [1]
    (before,) = folder.glob("*-before-restore-*.dump")
    assert f"What it was before is in {before}" in done.output
    stored.close()
    assert "What it was before" not in line("db", "restore", "--no-backup", before).output
    assert plots(stored) == [1, 2]
    assert len(list(folder.glob("*.dump"))) == 1


def test_without_a_backup_of_the_present_state_nothing_is_restored(
    line: Callable[..., Outcome], stored: SQLModel, configure: Callable[..., None], tmp_path: Path
) -> None:
    stored.save_record(record(Plot=1))
    assert line("db", "backup", tmp_path / "one.dump").code == 0
    stored.save_record(record(Plot=2))
    (tmp_path / "file").touch()
    configure(backup_folder=str(tmp_path / "file" / "backups"))
    told = line("db", "restore", tmp_path / "one.dump").reason
    assert "--no-backup" not in told
    assert plots(stored) == [1, 2]


def test_a_backup_before_the_tables_change(
    line: Callable[..., Outcome], folder: Path, stored: SQLModel, one_record: None
) -> None:
    stored.query("DELETE FROM schema_version WHERE version > 1")
    if stored.query("SELECT count(*) AS n FROM schema_version") == [{"n": 0}]:
        stored.query("INSERT INTO schema_version (version) VALUES (1)")
    assert "are now those of version" in line("db", "init").output
    (before,) = folder.glob("*-before-leaving-version-1-*.dump")
    stored.close()
    assert line("db", "restore", before).code == 0
    assert plots(stored) == [3]
    assert stored.query("SELECT max(version) AS version FROM schema_version") == [{"version": schema.VERSION}]


def test_tables_are_left_alone_when_the_backup_before_fails(
    line: Callable[..., Outcome], configure: Callable[..., None], stored: SQLModel, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    configure(backup_folder=str(tmp_path / "file" / "backups"))
    stored.query("UPDATE schema_version SET version = 1")
    assert "can't be used" in line("db", "init").reason
    assert stored.query("SELECT max(version) AS version FROM schema_version") == [{"version": 1}]


# -- a damaged cluster ----------------------------------------------------------------------------------------


def environment_in(folder: Path) -> dict[str, str]:
    return {**os.environ, "ABQ_DATA_DIR": str(folder / "data"), "ABQ_CONFIG_DIR": str(folder / "config")}


@pytest.fixture(scope="module")
def stopped() -> Iterator[Path]:
    """The folders of an application with an embedded database of its own and a backup of it, for copies only."""
    with short_folders.short_folder() as folder:
        made = environment_in(folder)
        (folder / "config").mkdir()
        write_settings(folder / "config", {"weather_station": "KOKC"})
        assert outcome_of(start_process("db", "add-technician", 6001, "M Curie", env=made)).code == 0
        assert outcome_of(start_process("db", "backup", "--daily", env=made)).code == 0
        assert postgres.start(folder / "data").stop_if_unused()
        yield folder


@pytest.fixture
def places(short_folder: Path, stopped: Path) -> dict[str, str]:
    """The environment of such an application of the test's own."""
    for name in ("config", "data"):
        subprocess.run(["cp", "-a", stopped / name, short_folder / name], check=True)
    return environment_in(short_folder)


@pytest.mark.takes(10)
def test_the_way_back_from_a_damaged_database(places: dict[str, str], short_folder: Path) -> None:
    cluster = short_folder / "data/postgres/cluster"
    (cluster / "global/pg_control").unlink()
    (backup,) = (short_folder / "data/backups").glob("*.dump")
    told = outcome_of(start_process("export", env=places)).reason
    assert "is damaged: global/pg_control is missing. Nothing was changed. The newest backup is of " in told
    assert f'abq-data-entry db restore --put-aside "{backup}"' in told
    assert "is damaged" in outcome_of(start_process("db", "restore", backup, env=places)).reason
    done = outcome_of(start_process("db", "restore", "--put-aside", backup, env=places))
    assert done.code == 0, done
    (aside,) = cluster.parent.glob("cluster.put-aside-*")
    assert str(aside) in done.output and not (aside / "global/pg_control").exists()
    assert "is there already" in outcome_of(start_process("db", "add-technician", 6001, "M Curie", env=places)).output


def test_a_whole_database_that_is_put_aside_is_not_called_damaged(
    places: dict[str, str], short_folder: Path
) -> None:
    (backup,) = (short_folder / "data/backups").glob("*.dump")
    done = outcome_of(start_process("db", "restore", "--put-aside", backup, env=places))
    assert done.code == 0 and "What was there before is kept in " in done.output, done
    assert "damaged" not in done.output


def test_nothing_is_put_aside_for_a_file_that_is_no_backup(places: dict[str, str], short_folder: Path) -> None:
    broken = short_folder / "broken.dump"
    broken.write_text("no backup")
    assert "can't be read as a backup" in outcome_of(
        start_process("db", "restore", "--put-aside", broken, env=places)
    ).reason
    assert not list((short_folder / "data/postgres").glob("cluster.put-aside-*"))


def test_a_server_is_not_put_aside(
    line: Callable[..., Outcome], configure: Callable[..., None], tmp_path: Path
) -> None:
    configure(db_host="db1.lab.example")
    (tmp_path / "file.dump").touch()
    assert "for the embedded database" in line("db", "restore", "--put-aside", tmp_path / "file.dump").reason


def test_a_database_without_tables_has_nothing_to_back_up(
    line: Callable[..., Outcome], home: Path, empty_database: dict[str, str]
) -> None:
    """The nightly line may come before the first start of the window."""
    write_settings(home, {"db_name": empty_database["dbname"], "backup_folder": str(home / "backups")})
    told = line("db", "backup", "--daily").reason
    assert "has no tables yet, so there is nothing to back up" in told and "db init" in told
    assert not list(home.glob("backups/*.dump"))
