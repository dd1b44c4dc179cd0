"""Endpoints of configured servers, and connection strings."""

import shutil
import subprocess

import psycopg2.extensions
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abq_data_entry import postgres
from abq_data_entry.postgres import EmbeddedServer


def test_one_server() -> None:
    endpoint = postgres.server_endpoint({"db_host": "db.example", "db_port": "", "db_name": "abq", "font size": 9})
    assert endpoint["host"] == "db.example"
    assert endpoint["dbname"] == "abq"
    assert not {"port", "sslmode", "sslrootcert", "target_session_attrs", "user", "password"} & endpoint.keys()
    assert {
        "connect_timeout",
        "keepalives",
        "keepalives_idle",
        "tcp_user_timeout",
        "application_name",
    } <= endpoint.keys()


def test_histories_may_be_read_from_a_standby() -> None:
    settings = {"db_host": "a,b", "db_port": "1,2", "db_name": "lab", "db_sslmode": "require"}
    assert postgres.read_endpoint(settings) == {}
    one = postgres.read_endpoint({**settings, "db_read_host": "c", "db_read_port": "3"})
    assert (one["host"], one["port"], one["dbname"], one["sslmode"]) == ("c", "3", "lab", "require")
    assert "target_session_attrs" not in one
    several = postgres.read_endpoint({**settings, "db_read_host": "c,d"})
    assert (several["port"], several["target_session_attrs"]) == ("1,2", "prefer-standby")
    with pytest.raises(postgres.PostgresError, match="db_port"):
        postgres.read_endpoint({**settings, "db_read_host": "c"})


def test_cluster_of_servers() -> None:
    settings = {"db_host": " a, b ,c", "db_port": "5433", "db_sslmode": "verify-full", "db_sslrootcert": "/ca.pem"}
    endpoint = postgres.server_endpoint(settings)
    assert endpoint["host"] == "a,b,c"
    assert endpoint["port"] == "5433"
    assert endpoint["target_session_attrs"] == "read-write"
    assert endpoint["sslmode"] == "verify-full"
    assert endpoint["sslrootcert"] == "/ca.pem"
    assert postgres.server_endpoint({**settings, "db_port": "1,2,3"})["port"] == "1,2,3"
    assert postgres.server_endpoint({**settings, "db_port": 5434})["port"] == "5434"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"db_host": " , "}, "db_host"),
        ({"db_port": "x"}, "db_port"),
        ({"db_port": "0"}, "db_port"),
        ({"db_port": "65536"}, "db_port"),
        ({"db_port": "1,2"}, "db_port"),
        ({"db_sslmode": "sometimes"}, "db_sslmode"),
    ],
)
def test_settings_without_sense(wrong: dict[str, str], named: str) -> None:
    with pytest.raises(postgres.PostgresError, match=named):
        postgres.server_endpoint({"db_host": "db.example", **wrong})


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_quoting_is_libpqs(value: str) -> None:
    parsed = psycopg2.extensions.parse_dsn(postgres.dsn({"host": "h", "dbname": value}))
    assert parsed == {"host": "h", "dbname": value}


def test_no_password_in_it() -> None:
    assert postgres.dsn({"host": "h", "password": "secret"}) == "host=h"


@pytest.mark.skipif(not shutil.which("psql"), reason="psql isn't installed")
def test_psql_takes_it(server: EmbeddedServer) -> None:
    name = "a 'name' \\ with \"all\""
    server.create_database(name)
    command = ["psql", postgres.dsn(server.endpoint(name)), "--no-psqlrc", "-Atc", "SELECT current_database()"]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "PGPORT": "1"})
    assert done.stdout == name + "\n", done.stderr
