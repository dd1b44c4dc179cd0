"""From an older major version of PostgreSQL to the newest: a real old cluster, with programs of its own version."""

from __future__ import annotations

from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.models import SQLModel, schema
from abq_data_entry.postgres import programs
from abq_data_entry.postgres.connections import cursor_at
from tests import programs as server_programs
from tests.models.records import record


@pytest.fixture
def old_programs() -> Path:
    """Server programs of an older version."""
    ours = programs.major_version(postgres.binaries())
    found = [each for each in server_programs.postgres_folders() if programs.major_version(each) < ours]
    if not found:
        pytest.skip("no older PostgreSQL server (Debian's package postgresql)")
    return found[0]


@pytest.fixture
def old_data(folder: Path, old_programs: Path) -> Path:
    """A data folder whose cluster an older version made: two databases, a role with privileges, records."""
    server = postgres.start(folder / "data", programs=old_programs)
    with cursor_at(server.endpoint("postgres")) as cursor:
        cursor.execute("CREATE ROLE jsimms LOGIN PASSWORD 'right horse'")
    for name in ("abq", "another one"):
        server.create_database(name)
        schema.prepare(server.endpoint(name))
        with cursor_at(server.endpoint(name)) as cursor:
            cursor.execute("GRANT SELECT ON plot_checks TO jsimms")
        model = SQLModel.at(server.endpoint(name))
        model.save_record(record(Plot=4))
        model.close()
    server.stop()
    return folder / "data"


@pytest.mark.takes(10)
def test_everything_is_carried_over(old_data: Path, old_programs: Path) -> None:
    before = (old_data / "postgres/cluster/PG_VERSION").read_text()
    with pytest.raises(postgres.PostgresError, match="use: abq-data-entry db upgrade"):
        postgres.start(old_data)
    aside = postgres.upgrade(old_data, old_programs)
    assert aside is not None and (aside / "PG_VERSION").read_text() == before
    server = postgres.start(old_data)
    for name in ("abq", "another one"):
        model = SQLModel.at(server.endpoint(name))
        model.connect()
        assert [each["Plot"] for each in model.get_all_records(all_dates=True)] == [4]
        model.close()
        with cursor_at(server.endpoint(name)) as cursor:
            cursor.execute("SELECT has_table_privilege('jsimms', 'plot_checks', 'SELECT'), rolpassword FROM pg_authid"
                           " WHERE rolname = 'jsimms'")  # fmt: skip
            ((right, password),) = cursor.fetchall()
            assert right and password.startswith("SCRAM-SHA-256$")
    server.stop()
    assert postgres.upgrade(old_data) is None


def test_without_the_old_programs_nothing_changes(
    old_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "_system_folders", list)
    version = (old_data / "postgres/cluster/PG_VERSION").read_text().strip()
    with pytest.raises(postgres.PostgresError, match=rf"aren't on this machine.*postgresql-{version}"):
        postgres.upgrade(old_data)
    with pytest.raises(postgres.PostgresError, match=r"aren't in .*--programs"):
        postgres.upgrade(old_data, postgres.binaries())
    assert (old_data / "postgres/cluster/PG_VERSION").read_text().strip() == version


def test_nothing_changes_while_others_use_it(old_data: Path, old_programs: Path) -> None:
    server = postgres.start(old_data, programs=old_programs)
    with pytest.raises(postgres.PostgresError, match="Close every window"), cursor_at(server.endpoint("abq")):
        postgres.upgrade(old_data, old_programs)
    server.stop()
    assert sorted(path.name for path in old_data.iterdir()) == ["postgres"]
    assert not list((old_data / "postgres").glob("cluster.put-aside-*"))


def test_no_database_at_all(folder: Path) -> None:
    with pytest.raises(postgres.PostgresError, match="There is no embedded database"):
        postgres.upgrade(folder / "data")
