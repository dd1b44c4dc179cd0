"""The database: our own, and servers by settings, real ones and ones that misbehave."""

from __future__ import annotations

import shutil
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry import postgres
from abq_data_entry.models import SQLModel, schema
from abq_data_entry.network import Cancelled, probing
from abq_data_entry.network.probing import FAILED, OK, WARNING, Step
from tests.fixtures.ports import free_port
from tests.network.certificates import Authority
from tests.network.faults import Connection, Script, serving
from tests.pace import patience

from .conftest import SECRET, Checks, failure, step_of, verdicts

GUEST, PASSWORD = "guest", "right horse"


@pytest.fixture(scope="module")
def tcp_server() -> Iterator[dict[str, str]]:
    """The owner's endpoint of a server on loopback with the schema; a guest may log in, and not write."""
    folder = Path(tempfile.mkdtemp(prefix="abq-test-"))
    folder.chmod(0o755)
    try:
        running = postgres.start(folder / "data", over_tcp=True)
        try:
            running.create_database("abq")
            owner = running.endpoint("abq")
            schema.prepare(owner)
            with closing(psycopg2.connect(make_dsn(**owner))) as connection, connection.cursor() as cursor:
                cursor.execute(f"CREATE ROLE {GUEST} LOGIN PASSWORD '{PASSWORD}'")
                cursor.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {GUEST}")
                cursor.execute("CREATE ROLE writer LOGIN PASSWORD 'writer'")
                cursor.execute("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO writer")
                connection.commit()
            yield owner
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder)


def configured(check: Checks, ports: object, login: tuple[str, str] | None = None, **options: Any) -> list[Step]:
    hosts = ",".join("127.0.0.1" for _ in str(ports).split(","))
    return check("database", login, db_host=hosts, db_port=str(ports), **options)


def test_our_own_server(check: Checks, model: SQLModel, database: dict[str, str]) -> None:
    check.endpoint = database
    steps = check("database", write=True)
    assert [step.what for step in steps] == ["Server", "Answer", "Round trip", "Tables", "Write test"]
    assert set(verdicts(steps).values()) == {OK}
    assert "PostgreSQL 1" in step_of(steps, "Answer").text and steps[0].destination == "Embedded database"
    for table in ("local_weather", "lab_checks", "plot_checks", "deliveries"):
        assert model.query(f"SELECT FROM {table}") == [], table
    assert "Write test" not in verdicts(check("database"))


def test_our_own_server_without_tables_yet(check: Checks, empty_database: dict[str, str]) -> None:
    check.endpoint = empty_database
    steps = check("database", write=True)
    assert set(verdicts(steps).values()) == {OK} and "when the application is opened" in steps[-1].text


def test_a_configured_server_without_and_with_a_login(check: Checks, tcp_server: dict[str, str]) -> None:
    steps = configured(check, tcp_server["port"])
    assert [step.what for step in steps] == ["Name", "Port", "Greeting", "TLS"]
    steps = configured(check, tcp_server["port"], ("writer", "writer"), write=True)
    assert [step.what for step in steps[4:]] == ["Login", "Round trip", "Clock", "Tables", "Write test"]
    assert set(verdicts(steps).values()) == {OK}
    assert "writer is logged in (not encrypted); PostgreSQL 1" in step_of(steps, "Login").text
    with closing(psycopg2.connect(make_dsn(**tcp_server))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT FROM local_weather")
        assert cursor.rowcount == 0


def test_the_clock_of_the_server(check: Checks, tcp_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def clock(seconds: float) -> Step:
        monkeypatch.setattr(probing, "now", lambda: time.time() + seconds)
        return step_of(configured(check, tcp_server["port"], ("writer", "writer")), "Clock")

    now = clock(0)
    assert (now.verdict, now.text) == (OK, "this computer's clock and the server's agree")
    late = clock(-3600 * 3)
    assert late.verdict == WARNING and "minutes_late" in late.advice
    assert late.text == "this computer's clock is 3 hours behind the server's"


def test_a_wrong_password_and_a_missing_right(check: Checks, tcp_server: dict[str, str]) -> None:
    found = failure(configured(check, tcp_server["port"], (GUEST, SECRET)))
    assert found.what == "Login" and found.text == "The user name or the password is wrong."
    found = failure(configured(check, tcp_server["port"], (GUEST, PASSWORD), write=True))
    assert found.what == "Write test" and "GRANT" in found.text


def test_a_database_that_is_missing(check: Checks, tcp_server: dict[str, str]) -> None:
    found = failure(configured(check, tcp_server["port"], ("writer", "writer"), db_name="other"))
    assert found.what == "Login" and "There is no database other" in found.text


def test_several_servers_each_for_itself(check: Checks, tcp_server: dict[str, str]) -> None:
    closed = free_port()
    steps = configured(check, f"{closed},{tcp_server['port']}", ("writer", "writer"))
    places = list(dict.fromkeys(step.destination for step in steps))
    assert places == [f"Database 127.0.0.1:{closed}", f"Database 127.0.0.1:{tcp_server['port']}"]
    assert [step.what for step in steps if step.verdict == FAILED] == ["Port"]
    assert "takes changes" in step_of(steps, "Round trip").text


def saying(answer: bytes) -> Script:
    def play(connection: Connection) -> None:
        if connection.exactly(8):
            connection.send(answer)
            connection.stall()

    return play


@pytest.mark.parametrize(
    ("script", "what", "words"),
    [
        (saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "Greeting", "doesn't speak as PostgreSQL does"),
        (saying(b""), "Greeting", "in time"),
        (saying(b"N"), "TLS", "offers no encryption, and db_sslmode wants it"),
        (saying(b"Sxx"), "TLS", "Ask"),
    ],
)
def test_a_server_that_misbehaves(check: Checks, script: Script, what: str, words: str) -> None:
    with serving(script) as port:
        found = failure(configured(check, port, wait=0.8, db_sslmode="require"))
    assert found.what == what and (words in found.text or words == "Ask")


def test_a_login_that_never_ends(check: Checks) -> None:
    with serving(saying(b"N")) as port:
        found = failure(configured(check, port, ("lab", SECRET), wait=0.8))
    assert found.what == "Login" and "didn't answer in time" in found.text


@pytest.mark.parametrize(
    ("mode", "whose", "name", "days", "words"),
    [
        ("verify-full", "trusted", "127.0.0.1", 30, ""),
        ("verify-full", "trusted", "db.abq.example", 30, "it is not for 127.0.0.1"),
        ("verify-ca", "trusted", "db.abq.example", 30, ""),
        ("verify-full", "trusted", "127.0.0.1", -1, "it has expired"),
        ("verify-ca", "stranger", "127.0.0.1", 30, "its issuer isn't trusted"),
        ("require", "stranger", "127.0.0.1", 30, ""),
    ],
)
def test_certificates(
    check: Checks,
    trusted: Authority,
    request: pytest.FixtureRequest,
    mode: str,
    whose: str,
    name: str,
    days: int,
    words: str,
) -> None:
    issuer: Authority = request.getfixturevalue(whose)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issuer.issue(name, days=days))

    def play(connection: Connection) -> None:
        if connection.exactly(8):
            connection.send(b"S")
            context.wrap_socket(connection.socket, server_side=True).recv(1)

    with serving(play) as port:
        steps = configured(check, port, db_sslmode=mode, db_sslrootcert=str(trusted.file))
    found = step_of(steps, "TLS")
    assert found.verdict == (FAILED if words else OK) and words in found.text
    assert ("not verified" in found.text) == (mode == "require")
    assert not words or "db_sslrootcert" in found.text


def test_settings_that_make_no_sense(check: Checks, tmp_path: Path) -> None:
    found = failure(check("database", db_host="127.0.0.1", db_port="many"))
    assert found.what == "Settings" and "db_port" in found.text
    with serving(saying(b"S")) as port:
        missing = str(tmp_path / "none.pem")
        found = failure(configured(check, port, db_sslmode="verify-full", db_sslrootcert=missing))
    assert "db_sslrootcert" in found.text


def test_cancel_while_a_server_stalls(check: Checks) -> None:
    cancel = threading.Event()
    set_at: list[float] = []

    def play(connection: Connection) -> None:
        if not connection.exactly(8):
            return
        connection.send(b"N")
        if connection.exactly(4):  # the second time, after which the login begins
            set_at.append(time.monotonic())
            cancel.set()
            connection.stall()

    with serving(play) as port:
        with pytest.raises(Cancelled):
            configured(check, port, ("lab", SECRET), cancel=cancel, wait=30.0)
        assert time.monotonic() - set_at[0] < patience(0.5)
