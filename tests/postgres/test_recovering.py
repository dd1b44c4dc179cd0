"""A server that was killed, recovers from a lot of WAL and is killed again meanwhile: told as starting, tried again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from abq_data_entry import postgres
from abq_data_entry.models import ServerUnreachable, SQLModel, connections
from abq_data_entry.postgres.cluster import arguments_for, home_in, read_pid_file, start_failure
from abq_data_entry.postgres.connections import cursor_at
from abq_data_entry.postgres.programs import binaries, program
from tests.fixtures.cluster import Node, wait_until

from .processes import alive

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the servers of the tests run on Linux only")
ROWS = 400_000
_MADE = "CREATE TABLE much (number integer, text text)"  # by itself: else its rows needn't be in the WAL
_MUCH = f"INSERT INTO much SELECT number, repeat(md5(number::text), 8) FROM generate_series(1, {ROWS}) number"
SAID = "The database is just starting, perhaps after a crash, and accepts no connections yet."


def freeze_recovery(folder: Path, after: int = 0) -> psutil.Process:
    """Stop the process that recovers this cluster where it is; `after`: another postmaster than that one."""
    found: list[psutil.Process] = []

    def stopped() -> bool:
        server = read_pid_file(folder)
        if server is None or server.pid == after:
            return False
        with suppress(psutil.Error):  # it has just ended
            for child in psutil.Process(server.pid).children():
                if "startup" in " ".join(child.cmdline()):
                    child.suspend()
                    found.append(child)
        return bool(found)

    wait_until(stopped, "the server recovers")
    return found[0]


def start(node: Node) -> None:
    """Start it, and don't wait until it is ready."""
    killed = read_pid_file(node.folder)
    # As long as the system hasn't taken note of its end, the new one believes that it runs.
    wait_until(lambda: killed is None or not psutil.pid_exists(killed.pid), "the killed server is gone")
    words: list[str | Path] = [program(binaries(), "pg_ctl"), "start", "--no-wait", "-D", node.folder, "-l", node.log]
    command, options = arguments_for(words, node.account, binaries(), node.folder.parent)
    subprocess.run(command, **options, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def test_a_server_killed_while_it_recovers_is_starting_and_waited_for(
    single: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    for statement in (_MADE, _MUCH):
        single.execute(statement, "abq")
    model = SQLModel.at(single.endpoint())
    for _ in range(2):  # the second time it is killed while it recovers
        single.kill()
        with pytest.raises(ServerUnreachable, match="No database answers there"):
            model.query("SELECT count(*) FROM much")
        start(single)
        recovering = freeze_recovery(single.folder)
        with monkeypatch.context() as patch, pytest.raises(ServerUnreachable) as caught:
            patch.setattr(connections, "NOT_READY_PATIENCE", 0.5)
            model.query("SELECT count(*) FROM much")
        assert str(caught.value) == SAID
    answers: list[object] = []
    asking = threading.Thread(target=lambda: answers.append(model.query("SELECT count(*) AS rows FROM much")))
    asking.start()
    recovering.resume()
    asking.join(60)
    assert answers == [[{"rows": ROWS}]]
    model.close()


def embedded_with_much(data_folder: Path) -> Path:
    """An embedded cluster that was killed with a lot of WAL to go through."""
    server = postgres.start(data_folder)
    with cursor_at(server.endpoint("postgres")) as cursor:
        cursor.execute(_MADE)
        cursor.execute(_MUCH)
    cluster = home_in(data_folder).cluster
    kill(cluster)
    return cluster


def kill(cluster: Path) -> int:
    """Kill the server's main process; its children end by themselves, or with the next start."""
    found = read_pid_file(cluster)
    assert found
    os.kill(found.pid, signal.SIGKILL)
    wait_until(lambda: not alive(found.pid), "it is dead")
    return found.pid


def rows(server: postgres.EmbeddedServer) -> object:
    with cursor_at(server.endpoint("postgres")) as cursor:
        cursor.execute("SELECT count(*) FROM much")
        return cursor.fetchall()[0][0]


def test_the_embedded_server_is_started_again_when_it_is_killed_while_it_recovers(data_folder: Path) -> None:
    cluster = embedded_with_much(data_folder)
    started: list[object] = []

    def begin() -> None:
        try:
            started.append(rows(postgres.start(data_folder)))
        except postgres.PostgresError as error:
            started.append(error)

    begun = threading.Thread(target=begin)
    killed = read_pid_file(cluster).pid  # type: ignore[union-attr]
    begun.start()
    for _ in range(2):
        recovering = freeze_recovery(cluster, after=killed)
        killed = kill(cluster)
        recovering.kill()
    begun.join(60)
    assert started == [ROWS]


def test_another_window_waits_while_the_embedded_server_recovers(data_folder: Path) -> None:
    cluster = embedded_with_much(data_folder)
    killed = read_pid_file(cluster).pid  # type: ignore[union-attr]
    found: list[object] = []
    windows = [threading.Thread(target=lambda: found.append(rows(postgres.start(data_folder)))) for _ in range(2)]
    for window in windows:
        window.start()
    recovering = freeze_recovery(cluster, after=killed)
    begun = time.monotonic()
    windows[0].join(1)
    assert not found and time.monotonic() - begun >= 1
    recovering.resume()
    for window in windows:
        window.join(60)
    assert found == [ROWS, ROWS]


def test_a_server_killed_at_every_start_is_not_reported_as_damaged(data_folder: Path) -> None:
    """The server itself logs that data may be corrupted, which is only a guess."""
    said = (
        "LOG:  database system was interrupted while in recovery at 2026-11-26 10:00:00 UTC\n"
        "HINT:  This probably means that some data is corrupted and you will have to use the last backup for recovery."
        "\nFATAL:  the server was ended from outside while it was starting"
    )
    error = start_failure(home_in(data_folder), said)
    assert not isinstance(error, postgres.Damaged) and "ended from outside while it was starting" in str(error)
