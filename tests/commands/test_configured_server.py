"""The words with `db_host` set: a server over TCP that wants a password."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry import postgres
from abq_data_entry.models import SQLModel, schema
from tests.commands.conftest import DAY, Outcome, at_terminal, outcome_of, start_process
from tests.models.records import record

USER, PASSWORD, GUEST = "qa desk", "right horse 'battery'", "guest"


@dataclass(frozen=True)
class Configured:
    """A server that asks for a password; `owner` is the endpoint of its administrator."""

    host: str
    port: str
    owner: dict[str, str]


@pytest.fixture(scope="module")
def tcp_server() -> Iterator[Configured]:
    """Has the databases `abq` with the schema and one record, and `bare` without; USER may use both, GUEST neither."""
    folder = Path(tempfile.mkdtemp(prefix="abq-test-"))
    folder.chmod(0o755)
    try:
        running = postgres.start(folder / "data", over_tcp=True)
        try:
            for name in ("abq", "bare"):
                running.create_database(name)
            owner = running.endpoint("abq")
            schema.prepare(owner)
            model = SQLModel.at(owner)
            model.save_record(record())
            model.close()
            _run(owner, f"CREATE ROLE \"{USER}\" LOGIN PASSWORD '{PASSWORD.replace(chr(39), chr(39) * 2)}'")
            _run(owner, f"CREATE ROLE {GUEST} LOGIN PASSWORD 'guest'")
            _run(owner, f'GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO "{USER}"')
            yield Configured(owner["host"], owner["port"], owner)
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder)


def _run(endpoint: dict[str, str], statement: str) -> None:
    connection = psycopg2.connect(make_dsn(**endpoint))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


@pytest.fixture(autouse=True)
def _configured(tcp_server: Configured, configure: Callable[..., None]) -> None:
    configure(db_host=tcp_server.host, db_port=tcp_server.port, db_name="abq")


@pytest.fixture
def log_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts user and password into the environment."""

    def put(user: str, password: str) -> None:
        monkeypatch.setenv("ABQ_DB_USER", user)
        monkeypatch.setenv("ABQ_DB_PASSWORD", password)

    return put


def _export(line: Callable[..., Outcome]) -> Outcome:
    return line("export", "--date", DAY, "-o", "-")


def test_user_and_password_of_our_own_variables(
    line: Callable[..., Outcome], log_in: Callable[[str, str], None]
) -> None:
    log_in(USER, PASSWORD)
    done = _export(line)
    assert (done.code, done.errors) == (0, "")
    assert "AXM479" in done.output
    assert "ABQ_DB_PASSWORD" not in os.environ


def test_user_and_password_as_for_psql(line: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGUSER", USER)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert _export(line).code == 0


def test_a_password_file_as_for_psql(
    line: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tcp_server: Configured
) -> None:
    file = tmp_path / "pgpass"
    file.write_text(f"{tcp_server.host}:*:*:{USER}:{PASSWORD}\n", encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("PGUSER", USER)
    monkeypatch.setenv("PGPASSFILE", str(file))
    assert _export(line).code == 0


def test_our_own_variables_go_first(
    line: Callable[..., Outcome], log_in: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGUSER", GUEST)
    monkeypatch.setenv("PGPASSWORD", "wrong")
    log_in(USER, PASSWORD)
    assert _export(line).code == 0


def test_it_is_asked_for_at_a_terminal_until_it_is_right(line: Callable[..., Outcome], tmp_path: Path) -> None:
    extract = tmp_path / "extract.csv"
    user = ("User name for the database abq on 127.0.0.1: ", USER)
    question = f"Password of {USER} for the database abq on 127.0.0.1: "
    done = at_terminal(
        ["export", "--date", DAY, "-o", extract], [user, (question, "wrong"), user, (question, PASSWORD)]
    )
    assert done.code == 0, done
    assert PASSWORD not in done.output
    assert extract.is_file()


@pytest.mark.parametrize("password", ["", "wrong horse"])
def test_a_wrong_password_is_reported_as_such(
    password: str, line: Callable[..., Outcome], log_in: Callable[[str, str], None]
) -> None:
    log_in(USER, password)
    reason = _export(line).reason
    assert "password" in reason
    assert "ABQ_DB_PASSWORD" in reason
    assert "wrong horse" not in reason


def test_a_server_that_is_not_there(line: Callable[..., Outcome], configure: Callable[..., None]) -> None:
    configure(db_host="127.0.0.1", db_port="1")
    reason = _export(line).reason
    assert "db_host" in reason
    assert "password" not in reason


def test_settings_that_make_no_sense(line: Callable[..., Outcome], configure: Callable[..., None]) -> None:
    configure(db_host="127.0.0.1", db_port="many")
    assert "db_port" in _export(line).reason


@pytest.mark.parametrize(
    ("name", "words", "expected"),
    [
        ("abq", ["export"], 'has to give it a role: GRANT abq_technician TO "guest"'),
        ("bare", ["export"], "are missing in the database bare.*db init"),
        ("bare", ["db", "init"], "may not make the tables.*GRANT USAGE, CREATE ON SCHEMA public TO guest"),
        ("nowhere", ["export"], "no database nowhere.*createdb nowhere"),
    ],
)
def test_without_tables_or_privileges_it_says_what_an_administrator_has_to_run(
    name: str,
    words: list[str],
    expected: str,
    line: Callable[..., Outcome],
    configure: Callable[..., None],
    tcp_server: Configured,
    log_in: Callable[[str, str], None],
) -> None:
    configure(db_host=tcp_server.host, db_port=tcp_server.port, db_name=name)
    log_in(GUEST, "guest")
    assert re.search(expected, line(*words).reason)


def test_a_backup_is_made_with_the_same_login(
    line: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tcp_server: Configured,
) -> None:
    passfile = tcp_server.owner["passfile"]
    monkeypatch.setenv("PGUSER", tcp_server.owner["user"])
    monkeypatch.setenv("PGPASSFILE", passfile)
    file = tmp_path / "abq.dump"
    assert line("db", "backup", file).code == 0
    assert file.read_bytes().startswith(b"PGDMP")


def test_dsn_holds_no_password_and_asks_nobody(
    line: Callable[..., Outcome], log_in: Callable[[str, str], None], tcp_server: Configured
) -> None:
    log_in(USER, PASSWORD)
    done = line("db", "dsn")
    assert (done.code, done.errors) == (0, "")
    assert f"host={tcp_server.host} port={tcp_server.port} dbname=abq" in done.output
    assert f"user='{USER}'" in done.output
    assert PASSWORD not in done.output
    psycopg2.connect(done.output.strip(), password=PASSWORD).close()


def test_no_embedded_server_is_started(short_folder: Path) -> None:
    login = {"ABQ_DB_USER": USER, "ABQ_DB_PASSWORD": PASSWORD}
    variables = {**os.environ, **login, "ABQ_DATA_DIR": str(short_folder / "data")}
    process = start_process("export", "--date", DAY, "-o", "-", env=variables)
    assert outcome_of(process).code == 0
    assert not (short_folder / "data" / "postgres").exists()


@pytest.mark.parametrize("words", [("export",), ("db", "init"), ("db", "dsn"), ("weather",), ("check",)], ids=" ".join)
def test_a_doubt_which_database_is_meant_opens_none(
    line: Callable[..., Outcome], home: Path, words: tuple[str, ...]
) -> None:
    file = home / "abq_settings.json"
    content = '{\n  "db_hots": {"type": "str", "value": "db1.lab.example"}\n}\n'
    file.write_text(content, encoding="utf-8")
    reason = line(*words).reason
    assert "line 2: the setting 'db_hots' is unknown: is 'db_host' meant?" in reason and "Nothing was opened" in reason
    assert file.read_text(encoding="utf-8") == content


def test_without_the_right_to_add_technicians_the_role_is_named(
    line: Callable[..., Outcome], log_in: Callable[[str, str], None], tcp_server: Configured
) -> None:
    log_in(USER, PASSWORD)
    _run(tcp_server.owner, f'REVOKE INSERT ON lab_techs FROM "{USER}"')
    refused = line("db", "add-technician", 6001, "M Curie").reason
    assert "the role abq_supervisor, or owns the tables." in refused
    assert f'An administrator can give it: GRANT abq_supervisor TO "{USER}";' in refused
    assert "abq_technician" not in refused
    _run(tcp_server.owner, f'GRANT INSERT ON lab_techs TO "{USER}"')


def test_a_technician_is_no_login_and_the_role_for_one_is_named(
    line: Callable[..., Outcome], log_in: Callable[[str, str], None], tcp_server: Configured
) -> None:
    log_in(USER, PASSWORD)
    _run(tcp_server.owner, f'GRANT INSERT ON lab_techs TO "{USER}"')
    done = line("db", "add-technician", 6007, "P Curie")
    assert done.code == 0, done
    assert "Technician P Curie (6007) added" in done.output and "has the role abq_technician" in done.output


def test_check_without_login_claims_none(
    line: Callable[..., Outcome], log_in: Callable[[str, str], None], tcp_server: Configured
) -> None:
    log_in(USER, "wrong")
    done = line("check", "--only", "database")
    assert done.code == 0 and "Login" not in done.output
    assert done.output.endswith("\nNo login was tried: --login does that.\n")
    assert line("check", "--only", "database", "--login").code == 1
