"""The embedded server: start it or attach to the running one, make databases, stop it when nobody uses it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .cluster import make_cluster, write_configuration
from .errors import PostgresError
from .home import ROLE, Home, home_in
from .process import PATIENCE, Postmaster, launch, running, stop_server
from .programs import binaries
from .sockets import socket_folder

if TYPE_CHECKING:
    import psycopg2.extensions

_PORT = 5432
WATCHER_NAME = "ABQ Data Entry watcher"


def start(data_folder: Path) -> "EmbeddedServer":
    """The embedded server of a data folder: made if missing, started if stopped, attached to if it runs.

    Safe for several processes at once. Raises PostgresError.
    """
    home = home_in(data_folder)
    with locked(home.lock):
        found = running(home.cluster)
        if found is None:
            programs = binaries()
            make_cluster(home, programs)
            write_configuration(home, socket_folder(home), _PORT)
            found = launch(home, programs)
        return EmbeddedServer(home, found)


@contextmanager
def locked(path: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Hold a lock among processes; it falls with the process that holds it."""
    import filelock

    try:
        with filelock.FileLock(path, timeout=patience, poll_interval=0.01):
            yield
    except filelock.Timeout as error:
        raise PostgresError("Another process has been starting or stopping the database for ten minutes.") from error


class EmbeddedServer:
    """A running server that this process uses: as long as this object is connected, others leave it running."""

    def __init__(self, home: Home, found: Postmaster) -> None:
        self._home = home
        self._found = found
        self._presence: psycopg2.extensions.connection | None = self._connect()

    def endpoint(self, dbname: str = "abq") -> dict[str, str]:
        """The libpq keywords of a database of this server."""
        return {"host": self._found.socket_folder, "port": self._found.port, "user": ROLE, "dbname": dbname}

    def create_database(self, dbname: str = "abq") -> None:
        """Make a database, empty and in UTF-8, if it is missing."""
        import psycopg2.errors
        from psycopg2 import sql

        connection = self._connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [dbname])
                if cursor.fetchone():
                    return
                statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'")
                try:
                    cursor.execute(statement.format(sql.Identifier(dbname)))
                except (psycopg2.errors.DuplicateDatabase, psycopg2.errors.UniqueViolation):
                    pass  # another process was quicker
        finally:
            connection.close()

    def stop_if_unused(self) -> bool:
        """Leave the server, and stop it if nobody else is connected. True: it no longer runs."""
        self._leave()
        with locked(self._home.lock):
            if running(self._home.cluster) is None:
                return True
            if self._others():
                return False
            stop_server(self._home, binaries())
            return True

    def stop(self) -> None:
        """Stop the server, whoever uses it."""
        self._leave()
        with locked(self._home.lock):
            stop_server(self._home, binaries())

    def _others(self) -> int:
        connection = self._connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                    " AND pid <> pg_backend_pid() AND application_name <> %s",
                    [WATCHER_NAME],
                )
                return int(cursor.fetchone()[0])
        finally:
            connection.close()

    def _leave(self) -> None:
        if self._presence is not None:
            self._presence.close()
            self._presence = None

    def _connect(self) -> "psycopg2.extensions.connection":
        import psycopg2

        connection = psycopg2.connect(**self.endpoint("postgres"), connect_timeout="10")
        connection.autocommit = True
        return connection
