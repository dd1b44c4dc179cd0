"""The process beside an embedded server that stops it when nobody has been connected for a while.

Applications stop an unused server themselves when they quit; the watcher is for those that were killed, and for clients
that use the connection string of `db dsn`. Run as:
python -m abq_data_entry.postgres.watcher DATA_FOLDER --server PID --idle SECONDS
"""

import argparse
import os
import select
import sys
import time
from contextlib import suppress
from pathlib import Path

from ..retrying import WATCHER, Retries
from .cluster import Home, Postmaster, account_for, locked_where_it_is, running
from .connections import WATCHER_NAME, connect, count_other_clients, count_sessions, endpoint_of, in_use
from .errors import PostgresError
from .server import stop_server, truncate_log

_PREDECESSOR = 15.0  # seconds in which the watcher of the previous server ends


class Watch:
    """How long nobody has been connected, as of the last look."""

    def __init__(self, idle_seconds: float) -> None:
        self.idle_seconds = idle_seconds
        self.interval = min(5.0, max(0.05, idle_seconds / 10))
        self._last_seen = time.monotonic()
        self._sessions = -1

    def seen(self, present: int, sessions_so_far: int) -> None:
        """Note the number of clients connected now, and of all sessions since the server's start."""
        if present or sessions_so_far != self._sessions:
            self._last_seen = time.monotonic()
        self._sessions = sessions_so_far

    @property
    def over(self) -> bool:
        """Whether the server has been unused for long enough."""
        return time.monotonic() - self._last_seen >= self.idle_seconds


def main(arguments: list[str]) -> int:
    """Watch until the server has ended. Return the exit code 0, also if another watcher is running already."""
    parser = argparse.ArgumentParser(prog="abq_data_entry.postgres.watcher", description=__doc__)
    parser.add_argument("data_folder", type=Path, help="the application's data folder")
    parser.add_argument("--server", type=int, required=True, metavar="PID", help="the server's process")
    parser.add_argument("--idle", type=float, default=60.0, metavar="SECONDS", help="stop the server after so long")
    options = parser.parse_args(arguments)
    if sys.platform != "win32":
        os.nice(10)
    folder = options.data_folder / "postgres"
    if not folder.is_dir():  # the server has ended and its folder was removed, which must not come back
        return 0
    home = Home(folder, account_for(folder))
    found = running(home.cluster)
    if found and found.pid == options.server:
        with suppress(PostgresError), locked_where_it_is(home.watcher_lock, _PREDECESSOR):  # held: another one watches
            watch(home, options.server, options.idle)
    return 0


def watch(home: Home, server: int, idle_seconds: float) -> None:
    """Stop the server once nobody has been connected for `idle_seconds`; return when it has ended for any reason.

    A server that is started later has a watcher of its own.
    """
    state, retries = Watch(idle_seconds), Retries(WATCHER)
    while (found := running(home.cluster)) and found.pid == server:
        try:
            if found.ready and _watch_connected(home, found, state):
                return
            retries.succeeded()
        except PostgresError:  # it is starting, stopping or recovering, or has too many connections
            time.sleep(retries.failed())
        time.sleep(min(state.interval, 0.2))


def _watch_connected(home: Home, found: Postmaster, state: Watch) -> bool:
    """True when the server was stopped here, False when the connection was lost."""
    import psycopg2

    endpoint = endpoint_of(home, found, "postgres")
    connection = connect(endpoint, WATCHER_NAME)
    try:
        with connection.cursor() as cursor:
            while True:
                state.seen(count_other_clients(cursor), count_sessions(cursor))
                truncate_log(home.log)
                if state.over and _stopped_unused(home, endpoint):
                    return True
                # We haven't sent a query: if the socket is readable, the server has closed the connection.
                select.select([connection], [], [], state.interval)
    except psycopg2.Error:
        return False
    finally:
        connection.close()


def _stopped_unused(home: Home, endpoint: dict[str, str]) -> bool:
    try:
        with locked_where_it_is(home.lock, patience=0.5):
            if in_use(endpoint):
                return False
            stop_server(home)
            return True
    except PostgresError:
        return False  # somebody is starting, attaching or stopping


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
