"""Backups, restores, moves and migrations at a server whose processes are all stopped in the middle of it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from abq_data_entry import postgres, waits
from abq_data_entry.models import ServerUnreachable, schema
from abq_data_entry.models.connections import Connections
from abq_data_entry.postgres import EmbeddedServer, backup, dumps
from abq_data_entry.postgres.connections import cursor_at
from abq_data_entry.postgres.errors import Cancelled, NoAnswer, cancellable
from tests.fixtures.cluster import DATABASE, Node, frozen
from tests.postgres.tables import OURS

from .processes import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the servers of the tests run on Linux only")
WITHIN = 25.0
"""So long it may take until it is given up, in seconds: with a connection that is tried meanwhile, and some load."""
_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "PROBE_AFTER", 0.5)
    monkeypatch.setattr(waits, "LONG_WORK", 3.0)


class Work(threading.Thread):
    """Does something in a thread of its own, and keeps what it raised."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.raised: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self.raised = error


@contextmanager
def held_up(node: Node, work: Callable[[], object], lock: str = "LOCK TABLE plot_checks") -> Iterator[Work]:
    """The work waits for a lock within the block."""
    with cursor_at(node.endpoint()) as cursor:
        cursor.execute(f"BEGIN; {lock}")
        begun = Work(work)
        with cursor_at(node.endpoint()) as looking:

            def waiting() -> bool:
                looking.execute(_WAITING)
                return bool(looking.fetchall() != [(0,)])

            wait_until(waiting, "it waits for the lock")
        yield begun
        cursor.execute("ROLLBACK")


def ended(begun: Work, begin: float) -> BaseException | None:
    """What it raised, in time."""
    begun.join(WITHIN)
    assert not begun.is_alive(), f"it still waits after {time.monotonic() - begin:.0f} s"
    return begun.raised


def digests(node: Node, folder: Path) -> None:
    with dumps.snapshot(node.endpoint()) as connection:
        dumps.contents_of(connection)


WORKS: dict[str, Callable[[Node, Path], object]] = {
    "pg_dump": lambda node, folder: postgres.dump(node.endpoint(), folder / "dump"),
    "a verified backup": lambda node, folder: postgres.dump(node.endpoint(), folder / "dump", verify=True),
    "digests": digests,
    "a statement": lambda node, folder: backup._execute(node.endpoint(), "VACUUM (ANALYZE) plot_checks"),
}


@pytest.mark.parametrize("name", WORKS)
def test_it_is_given_up_in_words(single: Node, tmp_path: Path, name: str) -> None:
    with held_up(single, lambda: WORKS[name](single, tmp_path)) as begun, frozen(single):
        raised = ended(begun, time.monotonic())
    assert isinstance(raised, NoAnswer)
    assert "at 127.0.0.1 has stopped answering" in str(raised)
    assert not list(tmp_path.iterdir())


def test_a_server_that_answers_is_waited_for(single: Node, tmp_path: Path) -> None:
    with held_up(single, lambda: postgres.dump(single.endpoint(), tmp_path / "dump")) as begun:
        begun.join(2 * (waits.PROBE_AFTER + waits.LONG_WORK))
        assert begun.is_alive()
    begun.join()
    assert begun.raised is None and (tmp_path / "dump").is_file()


def test_a_migration_is_given_up_in_words(single: Node) -> None:
    connections = Connections(single.endpoint())
    with held_up(single, lambda: schema.apply(connections), "LOCK TABLE labs") as begun, frozen(single):
        raised = ended(begun, time.monotonic())
    assert isinstance(raised, ServerUnreachable) and "has stopped answering" in str(raised)
    connections.close()
    schema.prepare(single.endpoint())


def test_pg_restore_is_given_up_and_the_database_stays(single: Node, tmp_path: Path) -> None:
    """It hangs in the middle of its transaction; what is left of it goes with the next restore."""
    postgres.dump(single.endpoint(), tmp_path / "dump")
    before = single.execute("SELECT oid FROM pg_database WHERE datname = 'abq'")
    sleepy = (
        "CREATE FUNCTION public.sleepy() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF TG_TAG = 'CREATE TABLE' THEN PERFORM pg_sleep(600); END IF; END $$;"
        "CREATE EVENT TRIGGER sleepy ON ddl_command_start EXECUTE FUNCTION public.sleepy()"
    )
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"

    def restore() -> None:
        with pytest.MonkeyPatch.context() as patch:
            real = dumps.fill

            def fill(fresh: dict[str, str], *rest: object) -> list[str]:
                with cursor_at(fresh) as cursor:
                    cursor.execute(sleepy)
                return real(fresh, *rest)  # type: ignore[arg-type]

            patch.setattr(backup, "fill", fill)
            postgres.restore(single.endpoint(), tmp_path / "dump")

    begun = Work(restore)
    wait_until(lambda: begun.raised or single.execute(asleep) == [(1,)], "pg_restore is in the middle")
    with frozen(single):
        raised = ended(begun, time.monotonic())
    assert isinstance(raised, NoAnswer), raised
    assert single.execute("SELECT oid FROM pg_database WHERE datname = 'abq'") == before
    stop = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname LIKE '%restoring%'"
    single.execute(stop)
    assert postgres.restore(single.endpoint(), tmp_path / "dump") == []
    assert single.execute("SELECT count(*) FROM pg_database WHERE datname LIKE '%restoring%'") == [(0,)]


@pytest.mark.takes(10)
def test_a_server_that_freezes_between_two_steps_of_a_restore(single: Node, tmp_path: Path) -> None:
    postgres.dump(single.endpoint(), tmp_path / "dump")
    begun = Work(lambda: postgres.restore(single.endpoint(), tmp_path / "dump", lambda fresh: single.freeze()))
    try:
        raised = ended(begun, time.monotonic())
    finally:
        single.thaw()
    assert isinstance(raised, NoAnswer) and "at 127.0.0.1 has stopped answering" in str(raised)
    assert single.execute("SELECT count(*) FROM plot_checks", DATABASE) == [(0,)]


@pytest.mark.takes(10)
def test_a_move_to_a_server_that_freezes(server: EmbeddedServer, single: Node) -> None:
    source = server.endpoint("to be moved")
    server.create_database(source["dbname"])
    with cursor_at(source) as cursor:
        cursor.execute(OURS)
    single.execute("CREATE DATABASE bigger TEMPLATE template0 ENCODING 'UTF8'")

    class Freezing:
        cancel = threading.Event()

        def report(self, done: int, total: int) -> None:
            single.freeze()

    moved: list[object] = []
    begun = Work(lambda: postgres.move(source, single.endpoint("bigger"), moved.append, Freezing()))
    try:
        raised = ended(begun, time.monotonic())
    finally:
        single.thaw()
        with suppress(postgres.PostgresError):
            backup._drop(server.endpoint("postgres"), source["dbname"])
    assert isinstance(raised, NoAnswer) and not moved


def test_cancel_does_not_wait_for_a_frozen_server(single: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "LONG_WORK", 600.0)

    class Cancelling:
        cancel = threading.Event()

        def report(self, done: int, total: int) -> None:
            """Nobody looks."""

    def work() -> None:
        with cursor_at(single.endpoint()) as cursor, cancellable(cursor.connection, Cancelling()):
            cursor.execute("LOCK TABLE plot_checks; SELECT pg_sleep(600)")

    with held_up(single, work) as begun, frozen(single):
        Cancelling.cancel.set()
        assert isinstance(ended(begun, time.monotonic()), Cancelled)
