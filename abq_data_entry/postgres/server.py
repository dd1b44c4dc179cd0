"""The embedded server: start it or attach to the running one, make databases, stop it when nobody uses it."""

import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .cluster import ready_cluster, write_settings
from .connections import connect, cursor_at, endpoint_of, in_use, watched
from .errors import PostgresError
from .home import Home, home_in, locked
from .pidfile import Postmaster
from .process import launch, settled, start_watcher, stop_server
from .programs import binaries
from .sockets import PORT, socket_folder

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

_WINDOWS = sys.platform == "win32"
_WATCHER_ENDS = 5.0  # seconds that the watcher may need to notice


def start(
    data_folder: Path, *, idle_seconds: float = 60.0, over_tcp: bool = _WINDOWS, programs: Path | None = None
) -> "EmbeddedServer":
    """The embedded server of a data folder: made if missing, started if stopped, attached to if it runs.

    Safe for several processes at once. `idle_seconds`: so long after the last connection was closed, a started server
    is stopped by its watcher, whatever became of its clients. `over_tcp`: a new cluster listens on loopback and wants
    a password, for systems without unix sockets. `programs`: the folder of others than the usual ones. Raises
    PostgresError.
    """
    server = EmbeddedServer(data_folder, idle_seconds, over_tcp, programs)
    server.ensure_running()
    return server


class EmbeddedServer:
    """A running server that this process uses: it holds a connection, so that others leave the server running."""

    def __init__(
        self, data_folder: Path, idle_seconds: float, over_tcp: bool, programs: Path | None = None
    ) -> None:
        self._programs = programs
        self._home: Home = home_in(data_folder)
        self._idle_seconds = idle_seconds
        self._over_tcp = over_tcp
        self._found: Postmaster | None = None
        self._presence: Connection | None = None

    def ensure_running(self) -> None:
        """Start the server again if it has gone (killed, or stopped by somebody); attach otherwise.

        Raises PostgresError.
        """
        self._leave()
        with locked(self._home.lock):
            found = settled(self._home.cluster)
            if found and not found.reachable:
                stop_server(self._home)
                found = None
            self._found = found or self._launch()
            self._presence = connect(self.endpoint("postgres"))
            with self._presence.cursor() as cursor:
                if found and not watched(cursor):
                    start_watcher(self._home, self._found, self._idle_seconds)

    def endpoint(self, dbname: str = "abq") -> dict[str, str]:
        """The libpq keywords of a database of this server."""
        if self._found is None:
            raise PostgresError("The embedded database server isn't running.")
        return endpoint_of(self._home, self._found, dbname)

    def create_database(self, dbname: str = "abq") -> None:
        """Make a database, empty and in UTF-8, if it is missing. Raises PostgresError."""
        import psycopg2
        from psycopg2 import errors, sql

        statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(dbname))
        with cursor_at(self.endpoint("postgres")) as cursor:
            cursor.execute("SELECT FROM pg_database WHERE datname = %s", [dbname])
            if cursor.rowcount:
                return
            try:
                with suppress(errors.DuplicateDatabase, errors.UniqueViolation):  # another process was quicker
                    cursor.execute(statement)
            except psycopg2.Error as error:
                reason = error.diag.message_primary
                raise PostgresError(f"The database {dbname} could not be made: {reason}.", str(error)) from error

    def stop_if_unused(self) -> bool:
        """Leave the server, and stop it if nobody else is connected. True: it no longer runs. Raises PostgresError."""
        self._leave()
        with locked(self._home.lock):
            self._found = settled(self._home.cluster)
            if self._found is None:
                return True
            if in_use(self.endpoint("postgres")):
                return False
            stop_server(self._home)
            return True

    def stop(self) -> None:
        """Stop the server, whoever uses it; its watcher has ended too, so the folder may go. Raises PostgresError."""
        self._leave()
        with locked(self._home.lock):
            stop_server(self._home)
        with suppress(PostgresError), locked(self._home.watcher_lock, _WATCHER_ENDS):
            pass

    def _launch(self) -> Postmaster:
        programs = self._programs or binaries()
        ready_cluster(self._home, programs, self._over_tcp)
        sockets = None if self._home.passfile.exists() else socket_folder(self._home)
        try:
            write_settings(self._home, sockets, PORT if sockets else _free_port())
            return launch(self._home, programs, self._idle_seconds)
        except BaseException:  # Ctrl-C too
            if sockets:
                with suppress(OSError):
                    sockets.rmdir()
            raise

    def _leave(self) -> None:
        if self._presence is not None:
            self._presence.close()
            self._presence = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
