"""PgBouncer between us and the server, lending sessions as a whole or for a transaction at a time."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry import postgres
from abq_data_entry.__main__ import main
from abq_data_entry.models import DatabaseError, RecordConflict, SettingsModel, SQLModel, schema
from abq_data_entry.models.errors import NotThroughPooler
from abq_data_entry.models.presence import Notification
from abq_data_entry.models.records import Selection
from abq_data_entry.network.probing import FAILED, Options
from abq_data_entry.postgres.connections import cursor_at
from abq_data_entry.workflows.check_connections import check_connections
from tests.fixtures.cluster import Node, wait_until
from tests.fixtures.pooler import pooler
from tests.fixtures.single import single_server
from tests.fixtures.window import Window, write_settings
from tests.models.records import DATE, record, typed
from tests.window.test_login import type_login

_NUMBERS = itertools.count(1)
Settings = dict[str, object]
MODES = ("session", "transaction")


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with single_server() as running:
        yield running


@pytest.fixture(scope="module", params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def pooled(node: Node, mode: str) -> Iterator[dict[str, str]]:
    with pooler(node, mode) as endpoint:
        yield endpoint


@pytest.fixture
def direct(node: Node) -> dict[str, str]:
    """The endpoint of a database of its own, at the server itself."""
    name = f"pooled_{next(_NUMBERS)}"
    node.execute(f"CREATE DATABASE {name} TEMPLATE abq")
    return node.endpoint(name)


@pytest.fixture
def through(pooled: dict[str, str], direct: dict[str, str]) -> dict[str, str]:
    """The endpoint of the same database through the pooler."""
    return {**pooled, "dbname": direct["dbname"]}


@pytest.fixture
def model(through: dict[str, str]) -> Iterator[SQLModel]:
    made = SQLModel.at(through)
    yield made
    made.close()


def test_saves_lists_and_extracts_work(model: SQLModel, tmp_path: Path) -> None:
    model.connect()
    assert model.server_facts.pooled and model.server_facts.version > 0
    model.save_record(record(), "insert", author="J Simms", workstation="bench 3")
    assert model.get_record(DATE, "8:00", "A", 3) == typed(record())
    version = model.get_versioned_record(DATE, "8:00", "A", 3).version
    model.save_record(record(Fruit="7"), "update", expected_version=version, author="P Taylor", workstation="bench 4")
    with pytest.raises(RecordConflict):
        model.save_record(record(Fruit="8"), "update", expected_version=version)
    who = [(each.who, each.workstation) for each in model.get_history(DATE, "8:00", "A", 3)]
    assert who[-2:] == [("J Simms", "bench 3"), ("P Taylor", "bench 4")]
    assert len(model.get_page(Selection(), 50)) == model.count_records(Selection()).total == 1
    assert model.export_records(tmp_path / "extract.csv", DATE) == 1
    assert not model.verify_audit().breaks


def test_what_is_set_for_us_is_nobody_elses(model: SQLModel, through: dict[str, str]) -> None:
    """The sessions of the server keep neither our time limits nor our name."""
    threads = [threading.Thread(target=lambda: model.query("SELECT pg_sleep(0.05)")) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    model.close()
    for _ in range(6):
        connection = psycopg2.connect(make_dsn(**through))
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout'),"
                           " coalesce(current_setting('abq.workstation', true), '')")  # fmt: skip
            assert cursor.fetchall() == [("0", "0", "")]
        connection.close()


def test_time_limits_hold_all_the_same(model: SQLModel) -> None:
    def limits(cursor: psycopg2.extensions.cursor) -> tuple[object, ...]:
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        return tuple(cursor.fetchall()[0])

    assert model._connections.read(limits) == model._connections.write(limits) == ("8s", "1min")


def test_a_copy_of_the_tables_in_front_is_not_used(direct: dict[str, str], through: dict[str, str]) -> None:
    with cursor_at(direct) as cursor:
        cursor.execute("CREATE SCHEMA front; CREATE TABLE front.plot_checks (LIKE plot_checks);"
                       " CREATE TABLE front.schema_version AS SELECT 99 AS version;"
                       f" ALTER DATABASE {direct['dbname']} SET search_path = front, public")  # fmt: skip
    model = SQLModel.at(through)
    try:
        model.connect()
        assert model.server_facts.pooled and model.server_facts.version == schema.VERSION
        model.save_record(record())
        assert len(model.get_all_records(all_dates=True)) == 1
        schema.apply(model._connections)
    finally:
        model.close()
    with cursor_at(direct) as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM front.plot_checks), (SELECT count(*) FROM public.plot_checks),"
                       " to_regclass('front.audit')")  # fmt: skip
        assert cursor.fetchall() == [(0, 1, None)]


def test_many_write_at_once(model: SQLModel, through: dict[str, str]) -> None:
    problems: list[BaseException] = []

    def write(number: int) -> None:
        own = SQLModel.at(through)
        try:
            for plot in range(1, 11):
                own.save_record(record(Date=f"2026-02-{number + 1:02}", Plot=str(plot)), "insert")
        except DatabaseError as error:
            problems.append(error)
        finally:
            own.close()

    model.close()
    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not problems
    assert len(model.get_all_records(all_dates=True)) == 30


def test_without_a_direct_way_presence_is_refused_and_changes_are_looked_for(model: SQLModel) -> None:
    with pytest.raises(NotThroughPooler, match="db_notify_host"):
        model.enter_check(DATE, "8:00", "A", 3, "J Simms")
    assert model.get_presence(DATE, "8:00", "A") == []
    heard, stop = list[Notification](), threading.Event()
    thread = threading.Thread(target=model.watch, args=(heard.extend, stop))
    thread.start()
    wait_until(lambda: heard, "a look at everything")
    stop.set()
    thread.join(20)
    assert {notice.channel for notice in heard} == {""} and not thread.is_alive()


def test_a_direct_way_gives_presence_and_notices(
    model: SQLModel, direct: dict[str, str], through: dict[str, str]
) -> None:
    model.listen_at(direct)
    other = SQLModel.at(through)
    heard, stop = list[Notification](), threading.Event()
    thread = threading.Thread(target=model.watch, args=(heard.extend, stop))
    thread.start()
    try:
        model.enter_check(DATE, "8:00", "A", 3, "J Simms")
        assert [each.who for each in other.get_presence(DATE, "8:00", "A")] == ["J Simms"]
        wait_until(lambda: heard, "the beginning")
        other.save_record(record(), "insert")
        wait_until(lambda: any(notice.channel == "abq_records" for notice in heard), "the notice")
        model.leave_check()
        assert other.get_presence(DATE, "8:00", "A") == []
    finally:
        stop.set()
        thread.join(20)
        other.close()


def test_a_ghost_goes_with_the_connection(model: SQLModel, direct: dict[str, str]) -> None:
    model.listen_at(direct)
    model.enter_check(DATE, "12:00", "A", 3, "J Simms")
    there = SQLModel.at(direct)
    model.close()
    wait_until(lambda: there.get_presence(DATE, "12:00", "A") == [], "nobody is there")
    there.close()


def test_the_tables_are_made_through_it(node: Node, pooled: dict[str, str]) -> None:
    name = f"pooled_{next(_NUMBERS)}"
    node.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    assert schema.prepare({**pooled, "dbname": name}) is True
    assert schema.prepare({**pooled, "dbname": name}) is False
    with cursor_at({**pooled, "dbname": name}) as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchall() == [("0",)]


@pytest.fixture
def settings_of(node: Node) -> Settings:
    return {"db_notify_host": "127.0.0.1", "db_notify_port": str(node.port)}


def test_a_backup_comes_back_through_it_or_past_it(
    model: SQLModel, mode: str, through: dict[str, str], settings_of: Settings, tmp_path: Path
) -> None:
    """pg_dump and psql leave an empty search path behind, for whoever is lent that session next."""
    backup = tmp_path / "pooled.dump"
    model.save_record(record(), "insert")
    way = postgres.bypassing_pooler(through, settings_of)
    assert (way["port"] == through["port"]) == (mode == "session")
    held = postgres.dump(way, backup, verify=True)
    assert held["public.plot_checks"].rows == 1
    model.save_record(record(Plot="4"), "insert")
    postgres.restore(way, backup)
    assert len(model.get_all_records(all_dates=True)) == 1
    model.save_record(record(Plot="5"), "insert")
    for _ in range(4):
        with cursor_at(through) as cursor:
            cursor.execute("SELECT count(*) FROM plot_checks")
            assert cursor.fetchall() == [(2,)]


def test_without_a_server_behind_the_pooler_the_setting_is_named(
    mode: str, through: dict[str, str], node: Node
) -> None:
    nowhere: Settings = {"db_notify_host": "", "db_notify_port": ""}
    with cursor_at(through):  # somebody else uses the pool too
        if mode == "session":
            assert postgres.bypassing_pooler(through, nowhere) == through
            return
        with pytest.raises(postgres.PostgresError, match=r"pooler.*db_notify_host and db_notify_port"):
            postgres.bypassing_pooler(through, nowhere)
        itself: Settings = {"db_notify_host": "127.0.0.1", "db_notify_port": through["port"]}
        with pytest.raises(postgres.PostgresError, match="is such a pooler, too"):
            postgres.bypassing_pooler(through, itself)
    assert postgres.bypassing_pooler(node.endpoint(), nowhere) == node.endpoint()


def test_the_commands_go_past_it(
    mode: str,
    through: dict[str, str],
    model: SQLModel,
    settings_of: Settings,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(*words: str) -> int:
        monkeypatch.setenv("ABQ_DB_USER", through["user"])
        monkeypatch.setenv("ABQ_DB_PASSWORD", through["password"])
        return main(["db", *words])

    model.save_record(record(), "insert")
    model.close()
    told: Settings = {"db_host": "127.0.0.1", "db_port": through["port"], "db_name": through["dbname"]}
    write_settings(home, told)
    backup = home / "by_command.dump"
    if mode == "transaction":
        for words in (["backup", str(backup)], ["backup", "--daily"]):
            assert run(*words) == 1
            assert "db_notify_host" in capsys.readouterr().err and not backup.exists()
        write_settings(home, told | settings_of)
    assert run("backup", str(backup)) == 0, capsys.readouterr()
    model.save_record(record(Plot="4"), "insert")
    model.close()
    assert run("restore", str(backup)) == 0, capsys.readouterr()
    assert len(model.get_all_records(all_dates=True)) == 1


def test_the_check_reports_the_pooler(through: dict[str, str]) -> None:
    settings = SettingsModel("none.json", "/nowhere").values()
    settings |= {"db_host": "127.0.0.1", "db_port": through["port"], "db_name": through["dbname"]}
    login = (through["user"], through["password"])
    wanted = Options(("database",), lambda kind: login)
    embedded = lambda: contextlib.nullcontext(through)  # noqa: E731 - it isn't asked for
    steps = list(check_connections(settings, embedded, wanted, threading.Event()))
    assert not [each for each in steps if each.verdict == FAILED]
    (told,) = [each for each in steps if each.what == "Pooler"]
    assert "PgBouncer" in told.text and "db_notify_host" in told.advice


def test_a_window_works_through_it(  # the direct way is set, as the documents say
    node: Node, through: dict[str, str], settings: dict[str, Any], open_window: Callable[[], Window]
) -> None:
    settings.update(db_host="127.0.0.1", db_port=through["port"], db_name=through["dbname"])
    settings.update(db_notify_host="127.0.0.1", db_notify_port=str(node.port))
    window = open_window()
    type_login(window, through["user"], through["password"])
    window.until_open()
    window.begin_check()
    for _plot in range(2):
        window.fill_readings()
        window.save()
    window.settle()
    there = SQLModel.at(through)
    assert [each["Plot"] for each in there.get_all_records()] == [1, 2]
    there.save_record(record(Date=str(window.app.shared.today()), Time="8:00", Lab="A", Plot="9"))
    window.until(lambda: 9 in window.app.form.check.recorded, "what a colleague saves")
    assert len(there.get_presence(window.app.shared.today(), "8:00", "A")) == 1
    there.close()
    assert not window.dialogs and not window.messages
