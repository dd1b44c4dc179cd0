"""The watcher: a server that nobody uses ends, whatever became of its clients."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.postgres import EmbeddedServer, cluster, connections, watcher
from abq_data_entry.postgres.cluster import running
from abq_data_entry.postgres.connections import cursor_at

from .processes import alive, spawn, wait_until

_START = "server = postgres.start(Path(sys.argv[1]), idle_seconds=0.5)\nprint('ready', flush=True)\n"


def watchers(data_folder: Path) -> list[int]:
    """The pids of the watchers of a data folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"abq_data_entry.postgres.watcher" in words and os.fsencode(data_folder) in words:
            found.append(int(process.name))
    return found


def watcher_connected(server: EmbeddedServer) -> bool:
    """Whether the server's watcher has arrived."""
    with cursor_at(server.endpoint("postgres")) as cursor:
        cursor.execute("SELECT FROM pg_stat_activity WHERE application_name = %s", [connections.WATCHER_NAME])
        return bool(cursor.rowcount)


def test_killed_client(data_folder: Path) -> None:
    client = spawn(_START + "sys.stdin.read()", data_folder, stdin=subprocess.PIPE)
    assert client.stdout.readline() == "ready\n"
    cluster = data_folder / "postgres/cluster"
    client.kill()
    client.communicate()
    wait_until(lambda: not running(cluster), "the watcher has stopped the server")
    wait_until(lambda: not watchers(data_folder), "the watcher has ended too")
    assert "shut down" in (data_folder / "postgres/server.log").read_text()


def test_not_as_long_as_somebody_is_there(data_folder: Path) -> None:
    server = postgres.start(data_folder, idle_seconds=0.3)
    wait_until(lambda: watcher_connected(server), "the watcher has arrived")
    with cursor_at(server.endpoint("postgres")) as cursor:
        server._leave()
        cursor.execute("SELECT pg_sleep(1)")
        assert running(data_folder / "postgres/cluster")
    wait_until(lambda: not running(data_folder / "postgres/cluster"), "the watcher has stopped the server")


def test_short_visits_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that connects for a moment now and then is seen by the number of sessions, if not by itself."""
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    state = watcher.Watch(idle_seconds=60)
    state.seen(present=0, sessions_so_far=7)
    clock[0] = 59
    assert not state.over
    state.seen(present=0, sessions_so_far=8)
    clock[0] = 118
    assert not state.over
    state.seen(present=0, sessions_so_far=8)
    clock[0] = 119
    assert state.over


def test_visits_are_counted(data_folder: Path) -> None:
    server = postgres.start(data_folder)
    with cursor_at(server.endpoint("postgres")) as cursor:
        before = connections.count_sessions(cursor)
        with cursor_at(server.endpoint("postgres")):
            pass
        wait_until(lambda: connections.count_sessions(cursor) > before, "the visit is counted")


def test_ends_with_the_server(data_folder: Path) -> None:
    server = postgres.start(data_folder)
    wait_until(lambda: watcher_connected(server), "the watcher has arrived")
    (watcher,) = watchers(data_folder)
    server.stop()
    wait_until(lambda: not alive(watcher), "the watcher has ended", seconds=5)


def test_one_a_server(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_ARRIVAL", "0 s")
    server = postgres.start(data_folder)
    wait_until(lambda: watcher_connected(server), "the watcher has arrived")
    (watcher,) = watchers(data_folder)
    postgres.start(data_folder)
    assert watchers(data_folder) == [watcher]


def test_replaced_when_it_was_killed(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_ARRIVAL", "0 s")
    server = postgres.start(data_folder)
    wait_until(lambda: watcher_connected(server), "the watcher has arrived")
    (watcher,) = watchers(data_folder)
    os.kill(watcher, signal.SIGKILL)
    wait_until(lambda: not watcher_connected(server), "the watcher has gone")
    postgres.start(data_folder)
    wait_until(lambda: watcher_connected(server), "another watcher has arrived")


def test_survives_a_crash_of_one_of_the_servers_processes(data_folder: Path) -> None:
    """PostgreSQL cuts all connections then, and starts over under the same pid."""
    server = postgres.start(data_folder, idle_seconds=1)
    wait_until(lambda: watcher_connected(server), "the watcher has arrived")
    with cursor_at(server.endpoint("postgres")) as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        os.kill(cursor.fetchall()[0][0], signal.SIGKILL)
    wait_until(lambda: not running(data_folder / "postgres/cluster"), "the watcher has stopped the server")
    assert "server process" in (data_folder / "postgres/server.log").read_text()


def test_keeps_the_log_small(data_folder: Path) -> None:
    log = data_folder / "postgres/server.log"
    server = postgres.start(data_folder, idle_seconds=1)
    with log.open("ab") as file:
        file.write(b"a line of a server that has much to say\n" * 100_000)
    wait_until(lambda: log.stat().st_size < 1_000_000, "the log was shortened")
    server.stop()
    assert log.read_text().rstrip().endswith("database system is shut down")


@pytest.mark.skipif(os.name != "posix", reason="elsewhere the folder of a lock that is held can't be removed")
def test_a_late_watcher_brings_nothing_back(tmp_path: Path) -> None:
    lock = tmp_path / "watcher.lock"
    with pytest.raises(postgres.PostgresError, match="is gone"), cluster.locked_where_it_is(lock, 1):
        pass
    assert not lock.exists()

    lock.touch()
    with cluster.locked(lock):  # the same lock as that of everybody else
        begun = time.monotonic()
        with pytest.raises(postgres.PostgresError), cluster.locked_where_it_is(lock, 0.2):
            pass
        assert time.monotonic() - begun >= 0.2
    with cluster.locked_where_it_is(lock, 1), pytest.raises(postgres.PostgresError), cluster.locked(lock, 0.1):
        pass
