"""Where the labs are: asked at `db init`, changed by `db set-timezone`, kept once in the database."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from abq_data_entry.__main__ import main
from abq_data_entry.models import DatabaseError, SQLModel
from tests.fixtures.window import write_settings
from tests.models.test_schema import Endpoint, run


def test_it_is_the_servers_to_begin_with(database: Endpoint) -> None:
    assert run(database, "SELECT time_zone FROM lab_settings") == run(database, "SHOW timezone")


def test_setting_it_is_in_the_audit_and_moves_when_checks_are_due(model: SQLModel, database: Endpoint) -> None:
    assert model.time_zone() == model.set_time_zone("america/denver")
    assert model.set_time_zone("America/Denver") == model.time_zone() == "America/Denver"
    entries = run(database, "SELECT operation, new ->> 'time_zone' FROM audit WHERE table_name = 'lab_settings'"
                            " ORDER BY sequence")  # fmt: skip
    assert entries[1:] == [("UPDATE", "America/Denver")] and entries[0][0] == "INSERT"
    assert model.verify_audit().breaks == ()
    run(database, "INSERT INTO lab_checks VALUES ('2026-07-01', '8:00', 'A', 4291)")
    run(database, "INSERT INTO plot_checks VALUES ('2026-07-01', '8:00', 'A', 1, 'AXM477', NULL, NULL, NULL, true, 1,"
                  " 1, 1, 1, 1, 1)")  # fmt: skip
    assert run(database, "SELECT due = '2026-07-01 14:00Z' FROM plot_readings") == [(True,)]


@pytest.mark.parametrize("name", ["Denver", "MTZ7", "+7", "", "UTC'", "America/Denver "])
def test_what_is_no_time_zone_is_refused(model: SQLModel, database: Endpoint, name: str) -> None:
    before = model.time_zone()
    with pytest.raises(DatabaseError, match="knows no time zone"):
        model.set_time_zone(name)
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        run(database, "UPDATE lab_settings SET time_zone = '" + name.replace("'", "''") + "'")
    assert model.time_zone() == before


def test_there_is_one_row(database: Endpoint) -> None:
    for statement in ("INSERT INTO lab_settings (time_zone) VALUES ('UTC')",
                      "INSERT INTO lab_settings VALUES (false, 'UTC')"):  # fmt: skip
        with pytest.raises(psycopg2.IntegrityError):
            run(database, statement)


def test_by_words(home: Path, empty_database: Endpoint, capsys: pytest.CaptureFixture[str]) -> None:
    write_settings(home, {"db_name": empty_database["dbname"]})
    assert main(["db", "init", "--timezone", "Europe/Vienna"]) == 0
    assert run(empty_database, "SELECT time_zone FROM lab_settings") == [("Europe/Vienna",)]
    assert main(["db", "init"]) == 0  # changes nothing
    capsys.readouterr()
    assert main(["db", "set-timezone", "Asia/Kolkata"]) == 0
    assert capsys.readouterr().out == "The labs are in the time zone Asia/Kolkata, and no longer in Europe/Vienna\n"
    assert main(["db", "set-timezone", "Atlantis"]) == 1
    assert "knows no time zone Atlantis" in capsys.readouterr().err
    assert run(empty_database, "SELECT time_zone FROM lab_settings") == [("Asia/Kolkata",)]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_it_is_asked_for_at_a_terminal(home: Path, empty_database: Endpoint) -> None:
    write_settings(home, {"db_name": empty_database["dbname"]})
    ours, theirs = pty.openpty()
    os.write(ours, b"Europe/Vienna\n")
    done = subprocess.run([sys.executable, "-m", "abq_data_entry", "db", "init"], stdin=theirs, capture_output=True,
                          text=True, timeout=120, check=False)  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert "Time zone of the laboratories (Enter: " in done.stderr
    assert run(empty_database, "SELECT time_zone FROM lab_settings") == [("Europe/Vienna",)]
