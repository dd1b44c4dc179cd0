"""What is left after something was killed: pid files, half-made clusters, processes without their master."""

import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import psycopg2
import pytest

from abq_data_entry import postgres
from abq_data_entry.postgres import EmbeddedServer
from abq_data_entry.postgres.cluster import orphans, running
from abq_data_entry.postgres.connections import connect, cursor_at

from .processes import alive, spawn, wait_until


def kill(server_folder: Path) -> int:
    """Kill the server's main process, as the system does when memory runs out; its pid."""
    found = running(server_folder / "postgres/cluster")
    assert found
    os.kill(found.pid, signal.SIGKILL)
    wait_until(lambda: not alive(found.pid), "the server is dead")
    return found.pid


def written(server: EmbeddedServer) -> list[tuple[object, ...]]:
    with cursor_at(server.endpoint("postgres")) as cursor:
        cursor.execute("SELECT * FROM kept")
        return list(cursor.fetchall())


def test_server_killed(data_folder: Path) -> None:
    server = postgres.start(data_folder)
    with cursor_at(server.endpoint("postgres")) as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        kill(data_folder)
    assert (data_folder / "postgres/cluster/postmaster.pid").exists()
    server.ensure_running()
    assert written(server) == [(42,)]


def test_server_killed_while_a_query_runs(data_folder: Path) -> None:
    """A process that is busy doesn't notice that its master is dead, and holds the memory a new server needs."""
    server = postgres.start(data_folder)
    connection = connect(server.endpoint("postgres"))
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        cursor.execute("SET max_parallel_workers_per_gather = 0; SELECT pg_backend_pid()")
        busy = int(cursor.fetchall()[0][0])

        def count() -> None:
            with pytest.raises((psycopg2.Error, postgres.PostgresError)):
                cursor.execute("SELECT count(*) FROM generate_series(1, 1e10::bigint)")

        counting = threading.Thread(target=count)
        counting.start()
        with cursor_at(server.endpoint("postgres")) as other:
            wait_until(lambda: _active(other, busy), "the query runs")
        kill(data_folder)
        assert busy in orphans(data_folder / "postgres/cluster")
        server.ensure_running()
        counting.join(timeout=30)
    assert not alive(busy)
    assert written(server) == [(42,)]


def _active(cursor: "psycopg2.extensions.cursor", pid: int) -> bool:
    cursor.execute("SELECT FROM pg_stat_activity WHERE pid = %s AND state = 'active'", [pid])
    return bool(cursor.rowcount)


def test_pid_file_with_the_pid_of_another_program(data_folder: Path) -> None:
    """PostgreSQL itself would refuse to start for it; we must neither believe nor harm that program."""
    postgres.start(data_folder)
    killed = kill(data_folder)
    pid_file = data_folder / "postgres/cluster/postmaster.pid"
    owner = pid_file.stat()
    user = owner.st_uid if os.geteuid() == 0 else None
    sleeper = subprocess.Popen(["sleep", "600"], user=user)
    try:
        pid_file.write_text(pid_file.read_text().replace(str(killed), str(sleeper.pid), 1))
        assert not running(data_folder / "postgres/cluster")
        server = postgres.start(data_folder)
        found = running(data_folder / "postgres/cluster")
        assert found and found.pid != sleeper.pid
        server.stop()
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


def test_pid_file_with_the_pid_of_another_server(data_folder: Path, server: EmbeddedServer) -> None:
    with cursor_at(server.endpoint("postgres")) as cursor:
        cursor.execute("SELECT pg_read_file('postmaster.pid')")
        others = str(cursor.fetchall()[0][0])
        (data_folder / "postgres/cluster/postmaster.pid").write_text(others)
        assert not running(data_folder / "postgres/cluster")
        own = postgres.start(data_folder)
        assert own.endpoint() != server.endpoint()
        own.stop()
        cursor.execute("SELECT 1")  # the other one is well


def test_damaged_pid_file(data_folder: Path) -> None:
    for text in ("", "nonsense", "0\n", "-1\n", "999999999999\n", "1\n"):
        (data_folder / "postgres/cluster/postmaster.pid").write_text(text)
        postgres.start(data_folder).stop()


def test_initdb_killed(folder: Path) -> None:
    data = folder / "data"
    starter = spawn("postgres.start(Path(sys.argv[1]))", data, start_new_session=True)
    wait_until(lambda: list(data.glob("postgres/cluster.new-*/PG_VERSION")), "initdb is at work")
    os.killpg(starter.pid, signal.SIGKILL)
    starter.communicate()
    assert not (data / "postgres/cluster").exists()
    server = postgres.start(data)
    server.create_database("whole")
    server.stop()
    assert not list(data.glob("postgres/cluster.new-*"))


def test_starter_killed_while_the_server_comes_up(data_folder: Path) -> None:
    starter = spawn("postgres.start(Path(sys.argv[1]))", data_folder)
    wait_until((data_folder / "postgres/cluster/postmaster.pid").exists, "the server comes up")
    starter.kill()
    starter.communicate()
    server = postgres.start(data_folder)
    assert "\nFATAL" not in (data_folder / "postgres/server.log").read_text()
    server.stop()


def test_control_c_in_the_terminal_of_the_starter(data_folder: Path) -> None:
    code = "server = postgres.start(Path(sys.argv[1]))\nprint('ready', flush=True)\nsys.stdin.read()"
    starter = spawn(code, data_folder, stdin=subprocess.PIPE, start_new_session=True)
    assert starter.stdout.readline() == "ready\n"
    other = postgres.start(data_folder)
    os.killpg(starter.pid, signal.SIGINT)
    starter.communicate()
    with cursor_at(other.endpoint("postgres")) as cursor:
        cursor.execute("SELECT 1")


def test_output_isnt_kept_open(data_folder: Path) -> None:
    """A server that inherited a pipe would keep a caller waiting who reads it to its end."""
    starter = spawn("postgres.start(Path(sys.argv[1]))", data_folder)
    starter.communicate(timeout=30)
    assert running(data_folder / "postgres/cluster")


@pytest.mark.parametrize("damage", ["PG_VERSION", "global/pg_control"])
def test_damaged_cluster_is_never_made_again(data_folder: Path, damage: str) -> None:
    cluster = data_folder / "postgres/cluster"
    (cluster / damage).unlink()
    before = sorted(path.name for path in cluster.iterdir())
    with pytest.raises(postgres.PostgresError, match=r"cluster|database"):
        postgres.start(data_folder)
    assert set(before) <= {path.name for path in cluster.iterdir()}
    assert (cluster / "base").is_dir()


def test_file_in_the_place_of_the_cluster(data_folder: Path) -> None:
    cluster = data_folder / "postgres/cluster"
    shutil.rmtree(cluster)
    cluster.write_text("somebody's notes")
    with pytest.raises(postgres.PostgresError, match="Nothing was changed"):
        postgres.start(data_folder)
    assert cluster.read_text() == "somebody's notes"


def test_cluster_of_another_major_version(data_folder: Path) -> None:
    version = data_folder / "postgres/cluster/PG_VERSION"
    version.write_text("13\n")
    with pytest.raises(postgres.PostgresError, match=r"made by PostgreSQL 13.*are PostgreSQL \d\d.*db restore"):
        postgres.start(data_folder)


def test_settings_that_the_server_refuses(data_folder: Path) -> None:
    with (data_folder / "postgres/cluster/postgresql.conf").open("a") as file:
        file.write("max_connections = many\n")
    with pytest.raises(postgres.PostgresError, match=r"didn't start: configuration file .* contains errors") as caught:
        postgres.start(data_folder)
    assert "max_connections" in caught.value.detail
