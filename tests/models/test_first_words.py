"""What is said before anything works: to a role without privileges, of a database that can't serve, of certificates."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from abq_data_entry import postgres
from abq_data_entry.models import (
    DatabaseError,
    LoginFailed,
    PrivilegeMissing,
    SchemaMissing,
    ServerNotReady,
    ServerUnreachable,
    SQLModel,
    errors,
    schema,
)
from abq_data_entry.models.records import Selection
from tests.fixtures.cluster import Node
from tests.fixtures.single import single_server
from tests.models.records import DATE, record


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with single_server() as running:
        running.execute("CREATE ROLE nobody LOGIN PASSWORD 'nobody'")
        running.execute("CREATE ROLE \"Some One\" LOGIN PASSWORD 'nobody'")
        yield running


def as_role(node: Node, role: str, dbname: str = "abq") -> dict[str, str]:
    return {**node.endpoint(dbname), "user": role, "password": "nobody"}


@pytest.mark.parametrize(("role", "named"), [("nobody", "nobody"), ("Some One", '"Some One"')])
def test_for_a_role_that_may_make_no_tables_the_grant_is_named(node: Node, role: str, named: str) -> None:
    node.execute("DROP DATABASE IF EXISTS empty")
    node.execute("CREATE DATABASE empty TEMPLATE template0 ENCODING 'UTF8'")
    with pytest.raises(PrivilegeMissing) as caught:
        schema.prepare(as_role(node, role, "empty"))
    assert f"GRANT USAGE, CREATE ON SCHEMA public TO {named};" in str(caught.value)
    assert "db init" not in str(caught.value)
    node.execute(f"GRANT USAGE, CREATE ON SCHEMA public TO {named}", "empty")
    assert schema.prepare(as_role(node, role, "empty")) is True


def test_for_a_login_without_privileges_the_role_to_grant_is_named(node: Node) -> None:
    model = SQLModel.at(as_role(node, "nobody"))
    with pytest.raises(PrivilegeMissing, match='GRANT abq_technician TO "nobody";'):
        model.connect()
    with pytest.raises(PrivilegeMissing, match='GRANT abq_technician TO "nobody";'):
        model.save_record(record())
    model.close()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_holds_not_every_name_is_refused(node: Node, encoding: str) -> None:
    node.execute("DROP DATABASE IF EXISTS narrow")
    node.execute(f"CREATE DATABASE narrow TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    endpoint = node.endpoint("narrow")
    for refuse in (schema.prepare, schema.require_encoding):
        with pytest.raises(DatabaseError, match=f"encoded as {encoding}.*--encoding UTF8"):
            refuse(endpoint)
    assert node.execute("SELECT to_regclass('plot_checks')", "narrow") == [(None,)]


def test_a_backup_is_verified_whatever_is_quoted(node: Node, tmp_path: Path) -> None:
    node.execute("ALTER DATABASE abq SET quote_all_identifiers = on", "abq")
    try:
        held = postgres.dump(node.endpoint(), tmp_path / "quoted.dump", verify=True)
        assert "public.plot_checks" in held
        postgres.restore(node.endpoint(), tmp_path / "quoted.dump")
        assert schema.prepare(node.endpoint()) is False
    finally:
        node.execute("ALTER DATABASE abq RESET quote_all_identifiers", "abq")


@pytest.mark.parametrize("sort", ["Date", "Plot"])
def test_a_date_before_christ_stops_no_read(node: Node, sort: str) -> None:
    model = SQLModel.at(node.endpoint())
    model.save_record(record(Plot="5"))
    node.execute(
        "SET session_replication_role = replica;"
        " ALTER TABLE lab_checks DROP CONSTRAINT IF EXISTS date_of_a_check;"  # as in a database of before
        " ALTER TABLE plot_checks DROP CONSTRAINT IF EXISTS date_of_a_record;"
        " INSERT INTO lab_checks (date, time, lab_id, lab_tech_id)"
        f" SELECT '0044-03-15 BC', time, lab_id, lab_tech_id FROM lab_checks WHERE date = '{DATE}' LIMIT 1"
        " ON CONFLICT DO NOTHING;"
        " INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, plants, blossoms, fruit, min_height,"
        " max_height, median_height, equipment_fault) VALUES"
        " ('0044-03-15 BC', '8:00', 'A', 1, 'AXM477', 1, 1, 1, 1, 1, 1, true) ON CONFLICT DO NOTHING",
        "abq",
    )
    rows = model.get_page(Selection(sort=sort), 50)
    assert {row["Date"] for row in rows} >= {DATE, datetime.date.min}
    assert model.count_records(Selection(sort=sort)).total == len(rows)
    assert model.choices().technicians
    model.close()


class _Said(psycopg2.OperationalError):
    """What libpq says of a connection that failed."""


WORDS = {
    'root certificate file "/ca.pem" does not exist': (ServerUnreachable, "/ca.pem is missing"),
    "SSL error: certificate verify failed": (ServerUnreachable, "isn't signed by the authority in /ca.pem"),
    'server certificate for "db9" does not match host name "db1"': (ServerUnreachable, "another name than db1"),
    "SSL error: certificate has expired": (ServerUnreachable, "has expired"),
    "server does not support SSL, but SSL was required": (ServerUnreachable, "offers no encryption"),
    'FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "x", database "abq", no encryption': (
        LoginFailed, "with encryption only"),
    "FATAL:  the database system is not yet accepting connections": (ServerNotReady, "just starting"),
    "FATAL:  the database system is in recovery mode": (ServerNotReady, "just starting"),
    "FATAL:  sorry, too many clients already": (ServerNotReady, "too many connections"),
    "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute": (
        ServerNotReady, "too many connections"),
    'FATAL:  too many connections for role "x"': (ServerNotReady, "too many connections"),
    "FATAL:  no more connections allowed (max_client_conn)": (ServerNotReady, "too many connections"),
    'FATAL:  password authentication failed for user "x"': (LoginFailed, "is wrong"),
    'FATAL:  LDAP authentication failed for user "x"': (LoginFailed, "refused the login"),
    "FATAL:  unsupported startup parameter: options": (ServerUnreachable, "pooler"),
    "FATAL:  no such database: abq": (SchemaMissing, "pooler knows no database"),
    "FATAL:  server login has been failing, try again later": (ServerUnreachable, "at the moment"),
    "FATAL:  some other reason": (ServerUnreachable, "at the moment"),
}  # fmt: skip


@pytest.mark.parametrize("said", WORDS)
def test_each_reason_has_its_own_words(said: str) -> None:
    kind, words = WORDS[said]
    endpoint = {"host": "db1", "dbname": "abq", "user": "x", "sslrootcert": "/ca.pem"}
    told = errors.describe_connection(_Said(said), endpoint)
    assert type(told) is kind and words in str(told)


def test_a_lost_connection_is_reported_with_its_detail() -> None:
    told = errors.describe_statement(psycopg2.InterfaceError("cursor already closed"), {})
    assert type(told) is ServerUnreachable and "was lost" in str(told)
    assert told.detail == "the connection is closed"
