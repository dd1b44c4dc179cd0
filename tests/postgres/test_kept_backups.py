"""Backups that are made by themselves: one a day, rotated, one before a change, never twice and never half."""

from __future__ import annotations

import datetime
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.postgres import EmbeddedServer, KeptBackups, backup
from abq_data_entry.postgres.backup import Rotation, expired, moment_of
from abq_data_entry.postgres.connections import cursor_at
from abq_data_entry.postgres.errors import Cancelled
from tests.postgres.tables import OURS

from .processes import spawn, wait_until

TODAY = datetime.date(2026, 11, 25)  # a Wednesday


@pytest.fixture
def endpoint(server: EmbeddedServer) -> Iterator[dict[str, str]]:
    """A database with a table."""
    made = server.endpoint("daily kept")
    server.create_database(made["dbname"])
    with cursor_at(made) as cursor:
        cursor.execute(OURS)
        cursor.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    yield made
    backup._drop(server.endpoint("postgres"), made["dbname"])


@pytest.fixture
def backups(tmp_path: Path, endpoint: dict[str, str]) -> KeptBackups:
    return KeptBackups(tmp_path / "made when needed" / "backups", endpoint["dbname"])


def test_one_a_day(backups: KeptBackups, endpoint: dict[str, str]) -> None:
    made = backups.make_daily(endpoint, TODAY)
    assert made and made.name == "daily_kept-2026-11-25.dump"
    assert (made.stat().st_mode & 0o777, made.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert backups.make_daily(endpoint, TODAY) is None
    postgres.refuse_foreign_file(made)
    assert backups.newest() == made


def test_a_backup_before_a_change_is_not_the_days(backups: KeptBackups, endpoint: dict[str, str]) -> None:
    before = backups.make_before(endpoint, "restore")
    assert backups.daily() == {}
    assert backups.newest() == before
    assert backups.make_daily(endpoint, TODAY)
    assert before.is_file()


def test_an_empty_database_needs_no_backup_before_a_restore(server: EmbeddedServer, tmp_path: Path) -> None:
    assert KeptBackups(tmp_path, "postgres").make_before_restore(server.endpoint("postgres")) is None
    assert not list(tmp_path.iterdir())


def test_old_ones_go(backups: KeptBackups, endpoint: dict[str, str]) -> None:
    backups.folder.mkdir(parents=True)
    for ago in range(1, 60):
        (backups.folder / f"daily_kept-{TODAY - datetime.timedelta(ago)}.dump").touch()
    others = [backups.folder / name for name in ("other-2020-01-01.dump", "daily_kept-2020-99-99.dump", "notes.txt")]
    for other in others:
        other.touch()
    backups.make_daily(endpoint, TODAY, Rotation(7, 4))
    last_days = [TODAY - datetime.timedelta(ago) for ago in range(7)]
    # The rest of the week before, and the Sundays of the three weeks before that.
    weeks = [datetime.date(2026, 11, day) for day in (18, 15, 8, 1)]
    assert list(backups.daily()) == last_days + weeks
    assert all(other.exists() for other in others)


@pytest.mark.parametrize("rotation", [Rotation(1, 0), Rotation(7, 4), Rotation(3, 52), Rotation(0, 0)])
def test_rotation_day_by_day(rotation: Rotation) -> None:
    """Whatever was kept the day before: the last days are there, and one of each week before."""
    kept: set[datetime.date] = set()
    for ago in range(400, -1, -1):
        kept.add(TODAY - datetime.timedelta(ago))
        kept -= set(expired(kept, rotation, TODAY - datetime.timedelta(ago)))
    days = max(rotation.days, 1)
    assert {TODAY - datetime.timedelta(ago) for ago in range(days)} <= kept
    assert len(kept) == days + rotation.weeks
    weeks = [day.isocalendar()[:2] for day in sorted(kept)[: rotation.weeks]]
    assert len(set(weeks)) == rotation.weeks


def test_a_clock_that_was_ahead_costs_no_backup(backups: KeptBackups, endpoint: dict[str, str]) -> None:
    """What was made in those days is neither the newest, nor in the place of one that was made since."""
    backups.folder.mkdir(parents=True)
    ahead = [backups.folder / f"daily_kept-{datetime.date(2031, 3, day)}.dump" for day in range(1, 9)]
    for path in ahead:
        path.touch()
        os.utime(path, (2**31 - 1,) * 2)
    assert backups.newest() in ahead
    made = [backups.make_daily(endpoint, TODAY + datetime.timedelta(day), Rotation(2, 0)) for day in range(3)]
    assert [each is not None and each.exists() for each in made] == [False, True, True]
    assert backups.newest() in made and all(each.exists() for each in ahead)


def test_several_at_once_make_one(backups: KeptBackups, endpoint: dict[str, str]) -> None:
    made: list[Path | None] = []
    workers = [threading.Thread(target=lambda: made.append(backups.make_daily(endpoint, TODAY))) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(map(bool, made)) == [False, False, True]
    assert len(backups.daily()) == 1


def test_killed_in_the_middle(backups: KeptBackups, endpoint: dict[str, str]) -> None:
    """Nothing half has the name of a backup, and the next one removes what was left."""
    with cursor_at(endpoint) as cursor:
        cursor.execute("BEGIN; LOCK TABLE kept IN ACCESS EXCLUSIVE MODE")  # pg_dump waits for it
        code = (
            "import datetime, json\nendpoint, folder = json.loads(sys.argv[1]), Path(sys.argv[2])\n"
            "postgres.KeptBackups(folder, endpoint['dbname']).make_daily(endpoint, datetime.date(2026, 11, 25))"
        )
        process = spawn(code, json.dumps(endpoint), backups.folder)

        def waiting() -> bool:
            cursor.execute("SELECT FROM pg_locks WHERE NOT granted AND relation = 'kept'::regclass")
            return cursor.rowcount == 1

        # Its file is open then: what the program still writes there after its master's end has no name any more.
        wait_until(waiting, "pg_dump waits for the table")
        assert list(backups.folder.glob(".*.part"))
        process.kill()
        process.communicate()
        assert backups.newest() is None
        cursor.execute("ROLLBACK")
    assert backups.make_daily(endpoint, TODAY)
    assert not list(backups.folder.glob(".*.part"))


def test_cancelled(backups: KeptBackups, endpoint: dict[str, str]) -> None:
    class Cancelling:
        cancel = threading.Event()

        def report(self, done: int, total: int) -> None:
            self.cancel.set()

    with pytest.raises(Cancelled):
        backups.make_daily(endpoint, TODAY, monitor=Cancelling())
    assert backups.newest() is None
    assert [path.name for path in backups.folder.iterdir()] in ([], [".lock"])


def test_a_folder_that_cannot_be_used(tmp_path: Path, endpoint: dict[str, str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(postgres.PostgresError, match=r"folder of backups .*backup_folder.* can't be used"):
        KeptBackups(tmp_path / "file" / "backups", "kept").make_daily(endpoint, TODAY)


def test_the_way_back_names_the_newest_backup(backups: KeptBackups, endpoint: dict[str, str]) -> None:
    assert f"There is no backup in {backups.folder}" in postgres.recovery_advice(backups)
    made = backups.make_daily(endpoint, TODAY)
    assert made is not None
    os.utime(made, (0, datetime.datetime(2026, 11, 25, 18, 2).timestamp()))
    assert moment_of(made) == "25 November 2026, 18:02"
    told = postgres.recovery_advice(backups)
    assert f'of 25 November 2026, 18:02. To go back to it: abq-data-entry db restore --put-aside "{made}".' in told


@pytest.mark.parametrize(
    ("settings", "folder", "rotation"),
    [
        ({"backup_folder": "", "backup_keep": 7, "backup_keep_weeks": 4}, "data/backups", (7, 4)),
        ({"backup_folder": "/elsewhere", "backup_keep": 1, "backup_keep_weeks": 0}, "/elsewhere", (1, 0)),
        ({"backup_folder": "", "backup_keep": 0, "backup_keep_weeks": 4}, "data/backups", None),
    ],
)
def test_settings(settings: dict[str, object], folder: str, rotation: tuple[int, int] | None) -> None:
    assert postgres.backups_of(settings, Path("data")).folder == Path(folder).absolute()
    assert postgres.rotation_of(settings) == rotation


def test_dumps_of_two_servers_do_not_share_names(tmp_path: Path) -> None:
    settings = {"backup_folder": str(tmp_path), "db_name": "abq"}
    places = ("", "db1.lab.example", "db2.lab.example", "db1.lab.example, db2.lab.example")
    names = {postgres.backups_of({**settings, "db_host": host}, tmp_path).file_name(TODAY) for host in places}
    assert len(names) == 4 and f"abq-{TODAY}.dump" in names and f"abq-db1.lab.example-{TODAY}.dump" in names
    embedded, server = (postgres.backups_of({**settings, "db_host": host}, tmp_path) for host in places[:2])
    (tmp_path / "abq-db1.lab.example-2026-11-21.dump").touch()
    assert not embedded.daily() and len(server.daily()) == 1
    assert embedded.newest() is None and server.newest() is not None
