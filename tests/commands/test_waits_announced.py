"""Waits longer than a moment: standard error says what the word does, on servers that are really kept waiting."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.commands import outcome
from abq_data_entry.postgres import programs
from abq_data_entry.postgres.cluster import home_in, locked
from abq_data_entry.postgres.connections import connect, cursor_at
from tests import programs as server_programs
from tests.commands.conftest import start_process
from tests.commands.test_earlier_versions import SCHEMAS
from tests.fixtures.window import write_settings

LIMIT = 3.0
"""Seconds after which a wait must have been told."""
_PATIENCE = 20.0  # seconds, on a busy machine


@contextmanager
def table_locked(endpoint: dict[str, str], table: str, mode: str = "ACCESS EXCLUSIVE") -> Iterator[None]:
    """Whoever reads the table waits until the end of the block."""
    connection = connect(endpoint)
    try:
        connection.autocommit = False
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN {mode} MODE")
        yield
    finally:
        connection.close()


def told_while_kept_waiting(keep: AbstractContextManager[object], *words: object, **options: object) -> tuple[str, int]:
    """Run the words while the block keeps them waiting; what standard error says of it, and the exit code after."""
    with keep:
        process = start_process(*words, **options)
        line = exact_line(process)
    process.communicate(timeout=120)
    return line, process.returncode


def exact_line(process: subprocess.Popen[str]) -> str:
    """The first line that says more than which subcommand is at work, which a busy machine has time to say before."""
    assert process.stderr is not None
    return next(line.strip() for line in process.stderr if not line.endswith(" is at work …\n"))


@pytest.fixture
def ours(home: Path, database: dict[str, str], configure: Callable[..., None]) -> dict[str, str]:
    """The endpoint of the database that the settings name."""
    return database


def test_a_backup(ours: dict[str, str], tmp_path: Path) -> None:
    said, code = told_while_kept_waiting(table_locked(ours, "plot_checks"), "db", "backup", tmp_path / "new.dump")
    assert re.fullmatch(
        rf"Backing up the database {ours['dbname']}, and reading the backup back to compare(: \d+ %)? …", said
    )
    assert code == 0 and (tmp_path / "new.dump").is_file()


def test_a_restore(ours: dict[str, str], tmp_path: Path) -> None:
    postgres.dump(ours, tmp_path / "old.dump")
    keep = table_locked({**ours, "dbname": "postgres"}, "pg_database", "EXCLUSIVE")
    words = ("db", "restore", "--no-backup", tmp_path / "old.dump")
    assert told_while_kept_waiting(keep, *words) == (f"Restoring {tmp_path / 'old.dump'} …", 0)


def test_the_backup_before_a_restore(ours: dict[str, str], tmp_path: Path) -> None:
    postgres.dump(ours, tmp_path / "old.dump")
    said, code = told_while_kept_waiting(
        table_locked(ours, "plot_checks"), "db", "restore", tmp_path / "old.dump"
    )
    assert (said.startswith(f"Backing up the database {ours['dbname']}"), code) == (True, 0)


def test_verifying(ours: dict[str, str]) -> None:
    said, code = told_while_kept_waiting(table_locked(ours, "audit"), "db", "verify")
    assert (said, code) == ("Going through the audit, entry by entry …", 0)


def test_an_extract(ours: dict[str, str]) -> None:
    said, _ = told_while_kept_waiting(table_locked(ours, "plot_checks"), "export", "--date", "2026-11-21", "-o", "-")
    assert said == "Writing the extract of 2026-11-21 …"


def test_a_command_without_a_longer_step_is_announced_by_its_name(ours: dict[str, str]) -> None:
    with table_locked(ours, "lab_techs"):
        process = start_process("db", "add-technician", "7", "N Ewcomer")
        assert process.stderr is not None
        assert process.stderr.readline() == "db add-technician is at work …\n"
    process.communicate(timeout=120)
    assert process.returncode == 0


def test_a_migration_and_its_backup(home: Path, empty_database: dict[str, str]) -> None:
    write_settings(home, {"db_name": empty_database["dbname"], "backup_folder": str(home / "backups")})
    with cursor_at(empty_database) as cursor:
        cursor.execute((SCHEMAS / "version_3.sql").read_text("utf-8"))
    said, code = told_while_kept_waiting(table_locked(empty_database, "lab_techs"), "db", "init")
    assert said.startswith(f"Backing up the database {empty_database['dbname']}, whose tables are of version 3")
    assert code == 0


def test_a_migration(home: Path, empty_database: dict[str, str]) -> None:
    """Readers go on, and the backup with them; the change itself has to wait for them."""
    write_settings(home, {"db_name": empty_database["dbname"], "backup_folder": str(home / "backups")})
    with cursor_at(empty_database) as cursor:
        cursor.execute((SCHEMAS / "version_3.sql").read_text("utf-8"))
    with table_locked(empty_database, "plot_checks", "ACCESS SHARE"):
        process = start_process("db", "init")
        assert process.stderr is not None
        said = next(line for line in process.stderr if line.startswith("Bringing"))
    assert said.startswith(f"Bringing the tables in the database {empty_database['dbname']} to version ")
    process.communicate(timeout=120)
    assert process.returncode == 0


@pytest.mark.takes(10)
def test_the_first_start(short_folder: Path) -> None:
    data = short_folder / "data"
    places = {**os.environ, "ABQ_DATA_DIR": str(data), "ABQ_CONFIG_DIR": str(short_folder / "config")}
    said, code = told_while_kept_waiting(locked(home_in(data).lock), "db", "init", env=places)
    assert (said, code) == ("Making the database on this computer …", 0)
    said, code = told_while_kept_waiting(locked(home_in(data).lock), "db", "init", env=places)
    assert (said, code) == ("Starting the database on this computer …", 0)


def test_an_upgrade(short_folder: Path) -> None:
    ours = programs.major_version(postgres.binaries())
    older = [each for each in server_programs.postgres_folders() if programs.major_version(each) < ours]
    if not older:
        pytest.skip("no older PostgreSQL server (Debian's package postgresql)")
    data = short_folder / "data"
    server = postgres.start(data, programs=older[0])
    server.create_database("abq")
    server.stop()
    places = {**os.environ, "ABQ_DATA_DIR": str(data), "ABQ_CONFIG_DIR": str(short_folder / "config")}
    keep = locked(home_in(data).folder / "replacing.lock")
    said, _ = told_while_kept_waiting(keep, "db", "upgrade", "--programs", older[0], env=places)
    assert said == "Copying everything into a database of the newest version, and comparing every row …"


@contextmanager
def mute_server() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield int(listening.getsockname()[1])


def test_a_server_that_does_not_answer(home: Path, configure: Callable[..., None]) -> None:
    with mute_server() as port:
        configure(db_host="127.0.0.1", db_port=str(port), db_name="abq")
        process = start_process("db", "init")
        _, errors = process.communicate(timeout=120)
    assert "Connecting to the database abq on 127.0.0.1 …" in errors.splitlines()
    assert process.returncode == 1


def test_a_weather_service_that_does_not_answer(home: Path, configure: Callable[..., None]) -> None:
    with mute_server() as port:
        configure(weather_url=f"http://127.0.0.1:{port}/{{station}}.xml")
        process = start_process("weather")
        try:
            assert exact_line(process) == "Fetching the observation of KBMG …"
        finally:
            process.kill()
            process.communicate()


def test_with_quiet_nothing_is_printed(ours: dict[str, str], tmp_path: Path) -> None:
    with table_locked(ours, "plot_checks"):
        process = start_process("--quiet", "db", "backup", tmp_path / "new.dump")
        with pytest.raises(subprocess.TimeoutExpired):  # it has to be seen for a while that nothing comes
            process.communicate(timeout=2 * outcome.FIRST + 2.0)
    assert process.communicate(timeout=120)[1] == ""
    assert process.returncode == 0


def test_somebody_who_is_asked_knows_that() -> None:
    pty = pytest.importorskip("pty", reason="no pseudo-terminals here")
    ours_, theirs = pty.openpty()
    code = (
        "from abq_data_entry.commands import outcome as told\n"
        "told.FIRST = 0.2\n"
        "from abq_data_entry.commands.passwords import ask\n"
        "from abq_data_entry.commands.outcome import announce_if_long, announcing_waits\n"
        "with announcing_waits(), announce_if_long('All of it'):\n"
        "    print(ask('Who? '))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, text=True)
    os.close(theirs)
    try:
        shown = b""
        while b"Who? " not in shown:
            shown += os.read(ours_, 4096)
        with pytest.raises(subprocess.TimeoutExpired):  # it has to be seen for a while that nothing comes
            process.wait(1.0)
        os.write(ours_, b"me\n")
        assert process.wait(60) == 0
        with suppress(OSError):  # the other side has closed it
            while chunk := os.read(ours_, 4096):
                shown += chunk
        assert "…".encode() not in shown
    finally:
        process.kill()
        process.wait()
        os.close(ours_)


def test_progress_is_printed_repeatedly(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "FIRST", 0.1)
    monkeypatch.setattr(outcome, "AGAIN", 0.1)
    shown = ""

    def until(text: str) -> None:
        nonlocal shown
        end = time.monotonic() + _PATIENCE
        while text not in shown:
            assert time.monotonic() < end, shown
            threading.Event().wait(0.02)
            shown += capsys.readouterr().err

    with outcome.announcing_waits(), outcome.announce_if_long("The whole"):
        with outcome.announce_if_long("A part") as part:
            until("A part …\n")
            part.report(1, 4)
            until("A part: 25 % …\n")
            assert "The whole" not in shown
        until("The whole …\n")
    assert shown.count("25 %") == 1


def test_a_wait_is_announced_before_the_limit() -> None:
    assert outcome.FIRST < LIMIT
