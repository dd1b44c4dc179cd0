"""Lost connections, restarts, cancelling: what is retried, what isn't, and nothing doubled."""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from psycopg2.extensions import cursor as Cursor

from abq_data_entry import postgres
from abq_data_entry.constants import SCHEMA_VERSION
from abq_data_entry.models import (
    DatabaseError,
    LoginFailed,
    ObservationInvalid,
    OutcomeUnknown,
    QueryCancelled,
    RecordExists,
    RecordMissing,
    SchemaMissing,
    ServerUnreachable,
    SQLModel,
)
from abq_data_entry.models.connections import Connections, rows_as_dicts
from abq_data_entry.models.presence import RECORDS, Notification
from abq_data_entry.models.weather import Counts
from tests.models.records import DATE, record, typed
from tests.models.test_schema import run
from tests.models.wire import When, losing_answers, proxied
from tests.pace import patience

Endpoint = dict[str, str]

unix_only = pytest.mark.skipif(sys.platform == "win32", reason="the proxy stands before a unix socket")


def kick_out(model: SQLModel, database: Endpoint) -> None:
    """End all connections of the model's database, as a restart of the server does."""
    other = SQLModel.at({**database, "dbname": "postgres"})
    other.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database["dbname"]])
    rows: list[dict[str, object]] = [{"pid": 1}]
    deadline = time.monotonic() + 10
    while rows:
        rows = other.query("SELECT pid FROM pg_stat_activity WHERE datname = %s", [database["dbname"]]) or []
        assert time.monotonic() < deadline
    other.close()


def test_a_lost_connection_is_not_noticed(model: SQLModel, database: Endpoint) -> None:
    model.save_record(record())
    kick_out(model, database)
    assert model.get_record(DATE, "8:00", "A", 3) == typed(record())
    kick_out(model, database)
    model.save_record(record(Plot=4), write="insert")
    kick_out(model, database)
    assert model.query("SELECT count(*) AS n FROM plot_checks") == [{"n": 2}]


def test_it_works_again_after_a_restart_of_the_server(
    server: postgres.EmbeddedServer, model: SQLModel
) -> None:
    model.save_record(record())
    server.stop()
    with pytest.raises(ServerUnreachable) as caught:
        model.get_record(DATE, "8:00", "A", 3)
    assert "No database answers there" in str(caught.value)
    with pytest.raises(ServerUnreachable):
        model.save_record(record(Plot=4))
    server.ensure_running()
    model.save_record(record(Plot=4))
    assert model.last_write == "insert"
    assert set(model.get_check(DATE, "8:00", "A").recorded) == {3, 4}


@unix_only
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", ["insert", None])
def test_a_commit_without_an_answer_is_settled_by_looking(database: Endpoint, when: When, write: object) -> None:
    """What `settle` does after a save."""
    with proxied(database) as (proxy, endpoint):
        model = SQLModel.at(endpoint)
        model.connect()
        proxy.cut = when
        model.save_record(record(), write=write)  # type: ignore[arg-type]
        assert proxy.has_cut, "the fault did not happen"
        assert model.last_write == "insert"
        assert model.query("SELECT count(*) AS n FROM plot_checks") == [{"n": 1}]
        with pytest.raises(RecordExists):
            model.save_record(record(), write="insert")
        model.close()


@unix_only
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_update_without_an_answer_is_settled_too(database: Endpoint, when: When) -> None:
    with proxied(database) as (proxy, endpoint):
        model = SQLModel.at(endpoint)
        model.save_record(record())
        proxy.cut = when
        model.save_record(record(Fruit="7"), write="update")
        assert (proxy.has_cut, model.last_write) == (True, "update")
        assert model.get_record(DATE, "8:00", "A", 3)["Fruit"] == 7
        model.close()


@unix_only
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_observation_without_an_answer_is_stored_once(database: Endpoint, when: When) -> None:
    with proxied(database) as (proxy, endpoint):
        model = SQLModel.at(endpoint)
        model.connect()
        proxy.cut = when
        seen = {"observation_time_rfc822": "Wed, 14 Feb 2018 14:53:00 -0500", "temp_c": "11.7"}
        assert model.add_weather_data(seen) is True
        assert model.add_weather_data(seen) is False
        proxy.cut = when
        later = {**seen, "observation_time_rfc822": "Wed, 14 Feb 2018 15:53:00 -0500"}
        assert model.weather_history.store([later]) == (Counts(new=1) if when == "before" else Counts(known=1))
        with pytest.raises(ObservationInvalid):
            model.add_weather_data({})
        model.close()


def test_each_thread_has_its_own_connection(model: SQLModel) -> None:
    pids: list[object] = []

    def ask() -> None:
        pids.extend(row["pid"] for row in model.query("SELECT pg_backend_pid() AS pid") or [])

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    ask()
    assert len(set(pids)) == 4
    model.close()
    ask()
    assert pids[3] != pids[4]


def test_a_confirmation_is_a_commit_of_its_own(model: SQLModel, database: Endpoint) -> None:
    """A synchronous standby is waited for by what has a number; what only reads has none."""
    newest = "SELECT txid_snapshot_xmax(txid_current_snapshot()) AS number"
    before = model.query(newest)
    assert model.query(newest) == before
    connections = Connections(database)
    connections.confirm()
    connections.close()
    assert model.query(newest) != before


def test_reading_can_be_cancelled(model: SQLModel) -> None:
    caught: list[BaseException] = []

    def count() -> None:
        model.query("SELECT 1")  # a write of the same thread that is over
        try:
            model._connections.read(lambda cursor: cursor.execute("SELECT pg_sleep(60)"), snapshot=True)
        except DatabaseError as error:
            caught.append(error)

    thread = threading.Thread(target=count)
    thread.start()
    assert thread.ident is not None
    deadline = time.monotonic() + 20
    while thread.is_alive():
        model.cancel_query(thread.ident)
        thread.join(0.02)
        assert time.monotonic() < deadline
    assert isinstance(caught[0], QueryCancelled)
    assert model.cancel_query(0) is False
    assert model.query("SELECT 1 AS one") == [{"one": 1}]


def test_statements_answer_rows_or_nothing_and_are_all_or_nothing(model: SQLModel) -> None:
    assert model.query("SELECT %(a)s::int AS a", {"a": 1}) == [{"a": 1}]
    assert model.query("UPDATE plots SET current_seed_sample = NULL") is None
    with pytest.raises(DatabaseError) as caught:
        model.query("DELETE FROM local_weather; SELECT secret_column_4711 FROM plots")
    assert "4711" not in str(caught.value) and "SELECT" not in str(caught.value) + caught.value.detail
    assert model.query("SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"dbname": "no_such_database"}, SchemaMissing, "There is no database no_such_database"),
        ({"dbname": "postgres"}, SchemaMissing, "The tables of ABQ Data Entry are missing"),
        ({"user": "nobody_of_that_name"}, LoginFailed, ""),
        ({"host": "/nowhere"}, ServerUnreachable, "No database answers there"),
        ({"host": "no-such-host.invalid"}, ServerUnreachable, "name of the database server is unknown"),
    ],
)
def test_a_failed_login_says_why(
    database: Endpoint, change: Endpoint, kind: type[DatabaseError], words: str
) -> None:
    password = "".join(("open", "sesame"))
    model = SQLModel.at({**database, "password": password, **change})
    with pytest.raises(kind) as caught:
        model.connect()
    assert words in str(caught.value)
    assert password not in f"{caught.value!r} {caught.value.detail} {model!r} {caught.getrepr()}"


def test_a_wrong_password_is_reported_as_such(tmp_path_factory: pytest.TempPathFactory) -> None:
    """By a server that asks for one: over TCP, with SCRAM."""
    asking = postgres.start(tmp_path_factory.mktemp("asking") / "data", over_tcp=True)
    try:
        endpoint = asking.endpoint("postgres") | {"passfile": os.devnull}
        for password, words in (("wrong", "user name or the password is wrong"), ("", "asks for a password")):
            with pytest.raises(LoginFailed, match=words):
                SQLModel.at({**endpoint, "password": password}).connect()
    finally:
        asking.stop()


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        model = SQLModel("127.0.0.1", "abq", "abq", "x", port=str(silent.getsockname()[1]), connect_timeout="2")
        begin = time.monotonic()
        with pytest.raises(ServerUnreachable, match="didn't answer in time"):
            model.get_record(DATE, "8:00", "A", 3)
        assert time.monotonic() - begin < patience(10)


def test_somebody_who_holds_a_lock_does_not_hold_us_for_ever(
    make_database: Callable[[str], Endpoint], database: Endpoint
) -> None:
    model = SQLModel.at({**database, "options": "-c lock_timeout=300ms"})
    model.save_record(record())
    with SQLModel.at(database)._connections._connection() as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE plot_checks")
        with pytest.raises(DatabaseError, match="Somebody else is changing the same data"):
            model.save_record(record(Fruit="5"))
        cursor.execute("ROLLBACK")
    model.save_record(record(Fruit="5"))
    model.close()


def sessions(model: SQLModel, database: Endpoint) -> int:
    """How many connections to the model's database there are, without what the server does there by itself."""
    other = SQLModel.at({**database, "dbname": "postgres"})
    statement = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
    rows = other.query(statement, [database["dbname"]]) or []
    other.close()
    return int(str(rows[0]["n"]))


def until_there_are(number: int, model: SQLModel, database: Endpoint) -> bool:
    deadline = time.monotonic() + patience(10)
    while (found := sessions(model, database)) != number and time.monotonic() < deadline:
        time.sleep(0.02)
    return found == number


def test_all_connections_are_closed_and_open_again(model: SQLModel, database: Endpoint) -> None:
    """Those for histories and for hearing what others save too, and those of other threads."""
    model.read_history_at(database)
    model.listen_at(database)

    def use() -> None:
        assert model.get_history(DATE, "8:00", "A", 3) == []
        model.enter_check(DATE, "8:00", "A", 3, "J Simms")
        assert model.choices().labs

    use()
    assert until_there_are(3, model, database)
    thread = threading.Thread(target=model.choices)
    thread.start()
    thread.join()
    model.close()
    assert until_there_are(0, model, database)
    use()
    assert until_there_are(3, model, database)
    # Who tells where somebody is keeps that connection; the others are closed after a while without use.
    assert model.close_idle(3600) == 0 and model.close_idle(0) == 2
    assert until_there_are(1, model, database)
    model.leave_check()
    assert model.close_idle(0) == 1 and model.close_idle(0) == 0
    model.close()


def test_who_works_for_this_model_is_known(model: SQLModel, database: Endpoint) -> None:
    other = SQLModel.at(database)
    statement = "SELECT pg_backend_pid() AS pid"
    own, theirs = ((each.query(statement) or [{}])[0]["pid"] for each in (model, other))
    assert isinstance(own, int) and isinstance(theirs, int)
    assert model.owns(own) and not model.owns(theirs) and other.owns(theirs)
    model.listen_at(database)
    model.enter_check(DATE, "8:00", "A", 3, "J Simms")
    (telling,) = model.query(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
        " AND pid NOT IN (%s, %s)", [own, theirs]
    ) or [{}]
    assert model.owns(int(str(telling["pid"]))) and not other.owns(int(str(telling["pid"])))
    other.close()


def test_what_only_one_may_do_at_a_time(database: Endpoint) -> None:
    one, other = Connections(database), Connections(database)
    lock = "a backup"
    with one.try_lock(lock) as is_first, other.try_lock(lock) as is_second, other.try_lock("another") as is_else:
        assert (is_first, is_second, is_else) == (True, False, True)
    with other.try_lock("a backup") as is_free:
        assert is_free
        with one.try_lock("a backup") as is_second:
            assert not is_second
    one.close()
    other.close()


def test_a_failed_write_leaves_the_connection_as_it_was(model: SQLModel, database: Endpoint) -> None:
    """The next statement that reads is no part of a transaction that nobody ends."""
    inside = "SELECT state, xact_start IS NULL OR query_start = xact_start AS alone FROM pg_stat_activity"

    def failing(cursor: Any) -> None:
        cursor.execute("INSERT INTO lab_techs (id, name) VALUES (77, 'Lost')")
        raise ZeroDivisionError

    connections = Connections(database)
    with pytest.raises(ZeroDivisionError):
        connections.write(failing)

    def read(cursor: Any) -> list[dict[str, object]]:
        cursor.execute(f"{inside} WHERE pid = pg_backend_pid()")
        return rows_as_dicts(cursor)

    connections.read(lambda cursor: cursor.execute("SELECT 1"))
    assert connections.read(read) == [{"state": "active", "alone": True}]
    assert "Lost" not in model.choices().technicians
    connections.close()


def test_what_is_at_the_other_end_is_known(model: SQLModel) -> None:
    model.connect()
    facts = model.server_facts
    assert not facts.pooled and facts.version == model.read_schema_version() == SCHEMA_VERSION
    rows = model.query("SELECT oid::int AS oid, current_setting('server_version') AS v FROM pg_database"
                       " WHERE datname = current_database()")  # fmt: skip
    assert rows == [{"oid": facts.database, "v": facts.server}]
    model.query("UPDATE schema_version SET version = 7")
    assert model.read_schema_version() == model.server_facts.version == 7


@unix_only
def test_changes_by_others_during_a_lost_answer_are_reported(database: Endpoint) -> None:
    refuses = (
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'disk quota'; END$$;"
        "CREATE TRIGGER refuse BEFORE INSERT ON plot_checks FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    with losing_answers(database, "before") as (model, lose), closing(SQLModel.at(database)) as other:
        lose(lambda: other.save_record(record(Fruit="9")))
        with pytest.raises(RecordExists):
            model.save_record(record(), write="insert")
        lose(lambda: other.save_record(record(Plot="4")))
        model.save_record(record(Plot="4"), write="insert")
        assert model.last_write == "insert", "it is there as it was to be"
        lose(lambda: other.withdraw_record((DATE, "8:00", "A", 4), "wrong"))
        with pytest.raises(RecordMissing):
            model.save_record(record(Plot="4", Fruit="7"), write="update")
        lose(lambda: run(database, refuses))
        with pytest.raises(OutcomeUnknown, match="won't be doubled") as told:
            model.save_record(record(Plot="5"), write="insert")
        assert "disk quota" in told.value.detail


def test_what_the_commit_finds_wrong_is_no_unknown_outcome(database: Endpoint) -> None:
    run(database, "CREATE TABLE own (number integer UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    with closing(Connections(database)) as connections:
        with pytest.raises(DatabaseError) as told:
            connections.write(lambda cursor: cursor.execute("INSERT INTO own VALUES (1), (1)"))
        assert not isinstance(told.value, OutcomeUnknown)
        connections.write(lambda cursor: cursor.execute("INSERT INTO own VALUES (2)"))
    assert run(database, "SELECT number FROM own") == [(2,)]


def test_a_commit_with_a_warning_is_no_acknowledgement_and_is_asked_for_once_more(database: Endpoint) -> None:
    """As that of a server whose standby was given up: committed locally, perhaps not replicated."""
    run(database, """
        CREATE TABLE own (number integer);
        CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF (SELECT count(*) % 2 = 1 FROM own) THEN RAISE WARNING 'not replicated'; END IF; RETURN NULL; END
        $$;
        CREATE CONSTRAINT TRIGGER warn AFTER INSERT ON own DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION warn();
    """)  # fmt: skip

    def insert(cursor: Cursor) -> int:
        cursor.execute("INSERT INTO own VALUES (1)")
        cursor.execute("SELECT count(*) FROM own")
        return int(cursor.fetchall()[0][0])

    with closing(Connections(database)) as connections:
        with pytest.raises(OutcomeUnknown, match="could not confirm that the data are safe") as told:
            connections.write(insert)
        assert "not replicated" in told.value.detail
        assert connections.write(insert) == 2
        assert connections.write_repeatable(insert) == 4


def test_what_others_change_is_heard_also_after_a_lost_connection(model: SQLModel, database: Endpoint) -> None:
    heard, stop = queue.Queue[list[Notification]](), threading.Event()
    listening = SQLModel.at(database)
    thread = threading.Thread(target=listening.watch, args=(heard.put, stop))
    thread.start()
    try:
        assert heard.get(timeout=patience(30)) == [Notification("", {})]
        model.save_record(record())
        notices = [each for each in heard.get(timeout=patience(30)) if each.channel == RECORDS]
        assert notices and all(model.owns(each.process) and not listening.owns(each.process) for each in notices)
        kick_out(model, database)
        while (found := heard.get(timeout=patience(30))) != [Notification("", {})]:
            assert all(each.channel for each in found)
    finally:
        stop.set()
        thread.join(patience(30))
    assert not thread.is_alive()
    listening.close()
