"""Connections of this room's own: to see who is there, to make databases, to be seen."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..constants import REQUIRE_AUTH_SINCE, REQUIRED_AUTHENTICATION
from .errors import NoAnswer, PostgresError
from .home import ROLE, Home
from .pidfile import Postmaster

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

WATCHER_NAME = "ABQ Data Entry watcher"
_CLOSING = 0.5  # seconds that a connection which was just closed may still be seen
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    " AND pid <> pg_backend_pid() AND application_name <> %s"
)
_ARRIVAL = "30 s"  # so long a watcher may be on its way
_WATCHED = (
    "SELECT pg_postmaster_start_time() > now() - %s::interval"
    " OR EXISTS (SELECT FROM pg_stat_activity WHERE application_name = %s)"
)


def endpoint_of(home: Home, found: Postmaster, dbname: str) -> dict[str, str]:
    """The libpq keywords of a database of a running embedded server."""
    where = {"host": found.socket_folder or "127.0.0.1", "port": found.port}
    if not found.socket_folder:
        where["passfile"] = str(home.passfile)
    return {**where, "user": ROLE, "dbname": dbname}


def connect(endpoint: Mapping[str, str], name: str = "ABQ Data Entry") -> "Connection":
    """A connection in autocommit mode; `name` is what `pg_stat_activity` shows. Raises PostgresError.

    Its statements raise `NoAnswer` when the server stops answering.
    """
    import psycopg2
    from psycopg2.extensions import libpq_version, make_dsn

    from .answering import Connection as Answering

    keywords: dict[str, str] = {"connect_timeout": "10", **endpoint, "application_name": name}
    if libpq_version() >= REQUIRE_AUTH_SINCE:
        keywords.setdefault("require_auth", REQUIRED_AUTHENTICATION)
    try:
        connection = psycopg2.connect(make_dsn(**keywords), connection_factory=Answering)
    except psycopg2.Error as error:
        if "timeout expired" in str(error):
            raise NoAnswer(endpoint.get("host", ""), str(error)) from error
        raise PostgresError(
            f"The database server at {endpoint.get('host', '')} refuses the connection: {_last_line(error)}", str(error)
        ) from error
    connection.watch(keywords)
    connection.autocommit = True
    return connection


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["it gave no reason"])[-1].removeprefix("FATAL:").strip()


@contextmanager
def cursor_at(endpoint: Mapping[str, str], name: str = "ABQ Data Entry") -> Iterator["Cursor"]:
    """A cursor on a connection of its own, closed at the end."""
    connection = connect(endpoint, name)
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def in_use(endpoint: Mapping[str, str], besides: int = 0) -> bool:
    """Whether any client but ourselves and the watcher is connected to the server; `besides`: so many are known."""
    deadline = time.monotonic() + _CLOSING
    with cursor_at(endpoint) as cursor:
        while others(cursor) > besides:
            if time.monotonic() > deadline:
                return True
            time.sleep(0.01)
        return False


def others(cursor: "Cursor") -> int:
    """How many clients are connected to any database of the server, without the asker and the watcher."""
    return int(_one(cursor, _OTHERS, WATCHER_NAME))


def watched(cursor: "Cursor") -> bool:
    """Whether somebody sees to it that the server ends when nobody uses it."""
    return bool(_one(cursor, _WATCHED, _ARRIVAL, WATCHER_NAME))


def sessions(cursor: "Cursor") -> int:
    """How many sessions there have been so far: a change means that somebody was there, however briefly."""
    if cursor.connection.server_version < 140000:
        return 0
    return int(_one(cursor, "SELECT coalesce(sum(sessions), 0) FROM pg_stat_database"))


def _one(cursor: "Cursor", query: str, *values: str) -> int:
    cursor.execute(query, values or None)
    return int(cursor.fetchall()[0][0])
