"""Backups that no other login can stop, and those without rows, which a restore refuses."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry import postgres
from abq_data_entry.models import SQLModel, schema
from abq_data_entry.postgres import dumps
from tests.fixtures.cluster import Node
from tests.fixtures.single import single_server
from tests.models.logins import programs_of, run
from tests.models.records import record

Endpoint = dict[str, str]


@pytest.fixture(scope="module", params=["newest", "older"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    with single_server(programs_of(request.param)) as made:
        yield made


@pytest.fixture
def owned(node: Node) -> Iterator[Endpoint]:
    """A database with one record, whose owner is no superuser."""
    password = secrets.token_hex(12)
    node.execute(f"CREATE ROLE keeper LOGIN CREATEDB PASSWORD '{password}'")
    node.execute("CREATE DATABASE kept OWNER keeper TEMPLATE template0 ENCODING 'UTF8'")
    made = {**node.endpoint("kept"), "user": "keeper", "password": password}
    schema.prepare(made)
    model = SQLModel.at(made)
    model.save_record(record())
    model.close()
    yield made
    node.execute("DROP DATABASE kept WITH (FORCE)")
    node.execute("DROP ROLE keeper")


def records(endpoint: Endpoint) -> int:
    ((found,),) = run(endpoint, "SELECT count(*)::int FROM plot_checks")
    assert isinstance(found, int)
    return found


def test_a_large_object_of_another_login_stops_no_backup(owned: Endpoint, node: Node, tmp_path: Path) -> None:
    """Whoever may connect makes one without any right in the database, and its owner may not read it."""
    password = secrets.token_hex(12)
    node.execute(f"CREATE ROLE stranger LOGIN PASSWORD '{password}'")
    stranger = {**owned, "user": "stranger", "password": password}
    try:
        run(stranger, "SELECT lo_from_bytea(0, '\\x00')")
        held = postgres.dump(owned, tmp_path / "dump", verify=True)
        assert held["public.plot_checks"].rows == 1
        postgres.restore(owned, tmp_path / "dump")
        assert records(owned) == 1
    finally:
        node.execute("DROP OWNED BY stranger", "kept")
        node.execute("DROP ROLE stranger")


@pytest.mark.parametrize(
    ("what", "missing"),
    [
        ("--schema-only", "alarm_calendar"),
        ("--exclude-table-data=plot_checks", "plot_checks"),
        ("--exclude-table-data=audit", "audit"),
        ("--exclude-table=audit", "audit"),
    ],
)
def test_a_dump_without_rows_replaces_nothing(owned: Endpoint, tmp_path: Path, what: str, missing: str) -> None:
    file = tmp_path / "empty.dump"
    dumps.run("pg_dump", owned, ["--format=custom", f"--file={file}", what], "No dump")
    with pytest.raises(postgres.PostgresError, match=f"isn't a whole backup: .*table {missing} "):
        postgres.restore(owned, file)
    assert records(owned) == 1


def test_the_reason_is_that_of_the_program_that_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old program stands in front of the one that fits, and that one is refused by the server."""
    for name, said in (("old", "pg_dump: error: aborting because of server version mismatch"),
                       ("new", "pg_dump: error: permission denied for table kept")):  # fmt: skip
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
        (tmp_path / name).chmod(0o700)
    found = [tmp_path / "old", tmp_path / "new"]
    monkeypatch.setattr(dumps, "tools", lambda name, on_a_network: found)
    with pytest.raises(postgres.PostgresError, match=r"^Not done: permission denied for table kept"):
        dumps.output("pg_dump", [], "Not done")
    found.pop()
    with pytest.raises(postgres.PostgresError, match=r"^Not done: .*old is too old"):
        dumps.output("pg_dump", [], "Not done")


def test_without_the_right_to_end_sessions_the_grant_is_named(owned: Endpoint, node: Node, tmp_path: Path) -> None:
    password = secrets.token_hex(12)
    node.execute(f"CREATE ROLE window_of_others LOGIN PASSWORD '{password}'")
    postgres.dump(owned, tmp_path / "dump")
    run(owned, "DELETE FROM plot_checks")
    window = psycopg2.connect(make_dsn(**{**owned, "user": "window_of_others", "password": password}))
    try:
        told = r"not replaced: window_of_others uses it.*GRANT pg_signal_backend TO keeper;"
        with pytest.raises(postgres.PostgresError, match=told):
            postgres.restore(owned, tmp_path / "dump")
        assert records(owned) == 0
        node.execute("GRANT pg_signal_backend TO keeper")
        postgres.restore(owned, tmp_path / "dump")
        assert records(owned) == 1
        with pytest.raises(psycopg2.OperationalError), window.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        window.close()
        node.execute("REVOKE pg_signal_backend FROM keeper; DROP ROLE window_of_others")


OF_THE_DATABASE = """
    SELECT (SELECT array_agg(acl::text ORDER BY acl::text) FROM unnest(datacl) AS acl), datconnlimit, datistemplate,
        (SELECT array_agg(concat(setrole::regrole, setconfig) ORDER BY setrole) FROM pg_db_role_setting
            WHERE setdatabase = pg_database.oid)
    FROM pg_database WHERE datname = 'kept'
"""


def test_what_belongs_to_the_database_stays(owned: Endpoint, node: Node, tmp_path: Path) -> None:
    postgres.dump(owned, tmp_path / "dump")
    for statement in (
        "REVOKE CONNECT, TEMPORARY ON DATABASE kept FROM PUBLIC", "CREATE ROLE reader LOGIN",
        "GRANT CONNECT ON DATABASE kept TO reader WITH GRANT OPTION", "ALTER DATABASE kept CONNECTION LIMIT 7",
        "ALTER DATABASE kept SET statement_timeout = '61s'", "ALTER DATABASE kept IS_TEMPLATE true",
        """ALTER DATABASE kept SET search_path = "$user", public, 'a "b", c'""",
    ):  # fmt: skip
        node.execute(statement)
    try:
        before = node.execute(OF_THE_DATABASE)
        postgres.restore(owned, tmp_path / "dump")
        assert node.execute(OF_THE_DATABASE) == before and records(owned) == 1
        node.execute("ALTER ROLE reader IN DATABASE kept SET work_mem = '5MB'")
        node.execute("ALTER DATABASE kept SET abq.word = 'it''s'")
        with pytest.raises(postgres.PostgresError, match=r"not replaced.*ALTER \w+ (reader IN DATABASE )?kept SET "):
            postgres.restore(owned, tmp_path / "dump")
        before = node.execute(OF_THE_DATABASE)
        postgres.restore(node.endpoint("kept"), tmp_path / "dump")
        after = node.execute(OF_THE_DATABASE)
        assert after[0][1:] == before[0][1:] and "reader=c*/" in str(after[0][0])
        assert node.execute("SELECT datname FROM pg_database WHERE datname LIKE 'kept\\_%'") == []
    finally:
        node.execute("ALTER DATABASE kept IS_TEMPLATE false")
        node.execute("REVOKE ALL ON DATABASE kept FROM reader")
        node.execute("ALTER ROLE reader IN DATABASE kept RESET ALL")
        node.execute("DROP ROLE reader")
