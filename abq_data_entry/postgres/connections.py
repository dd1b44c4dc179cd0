"""Where a database is, and this package's own connections: to see who uses it, and to create databases."""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from ..constants import REQUIRE_AUTH_SINCE, REQUIRED_AUTHENTICATION
from .cluster import ROLE, Home, Postmaster
from .errors import NoAnswer, PostgresError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor


# An endpoint says where a database is: libpq's connection parameters as a dict, made from the settings.

_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_PLAIN = re.compile(r"[^\s'\\]+")
# With these, a lost server is noticed within seconds instead of the kernel's two hours. Records saved meanwhile wait in
# the journal, and the next server of a cluster is tried.
_CONNECT_SECONDS = "5"
_CONNECT_SECONDS_A_HOST = "2"  # libpq's minimum
_ALIVE = {
    "keepalives": "1",
    "keepalives_idle": "3",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "6000",
    "application_name": "ABQ Data Entry",
}


def server_endpoint(settings: Mapping[str, object]) -> dict[str, str]:
    """Return the endpoint of the server that the settings name: `db_host` (several by commas), `db_port`, `db_name`,
    `db_sslmode`, `db_sslrootcert`. User and password come from the login dialog.

    Raises PostgresError when a setting is invalid.
    """
    texts = {name: str(settings.get(name) or "").strip() for name in _SETTINGS}
    hosts = _listed(texts["db_host"])
    if not hosts:
        raise PostgresError("The setting db_host is empty: no database server is configured.")
    ports = _listed(texts["db_port"])
    if len(ports) not in (0, 1, len(hosts)) or not all(_is_port(port) for port in ports):
        raise PostgresError("The setting db_port must be a number from 1 to 65535, or one for each host of db_host.")
    mode = texts["db_sslmode"]
    if mode and mode not in _SSL_MODES:
        raise PostgresError(f"The setting db_sslmode must be one of {', '.join(_SSL_MODES)}.")
    endpoint = {"host": ",".join(hosts), "port": ",".join(ports), "dbname": texts["db_name"] or "abq"}
    endpoint |= {"sslmode": mode, "sslrootcert": texts["db_sslrootcert"]}
    endpoint["connect_timeout"] = _CONNECT_SECONDS_A_HOST if len(hosts) > 1 else _CONNECT_SECONDS
    if len(hosts) > 1:
        endpoint["target_session_attrs"] = "read-write"  # the primary of a cluster, not a standby
    return {key: value for key, value in endpoint.items() if value} | _ALIVE


def read_endpoint(settings: Mapping[str, object]) -> dict[str, str]:
    """Return the endpoint for reading histories: `db_read_host` (several by commas) and `db_read_port` (empty:
    `db_port`), the rest as `server_endpoint`. Empty if `db_read_host` is. Raises PostgresError when a setting is
    invalid."""
    endpoint = _elsewhere(settings, "read")
    several = "," in endpoint.get("host", "")
    return endpoint | ({"target_session_attrs": "prefer-standby"} if several else {})


def notify_endpoint(settings: Mapping[str, object]) -> dict[str, str]:
    """Return the endpoint for LISTEN, and for seeing who is connected: `db_notify_host` and `db_notify_port`, if
    `db_host` is a pooler. Empty if `db_notify_host` is. Raises PostgresError when a setting is invalid."""
    return _elsewhere(settings, "notify")


def _elsewhere(settings: Mapping[str, object], purpose: str) -> dict[str, str]:
    hosts = str(settings.get(f"db_{purpose}_host") or "").strip()
    if not hosts:
        return {}
    port = str(settings.get(f"db_{purpose}_port") or "").strip() or settings.get("db_port")
    return server_endpoint({**settings, "db_host": hosts, "db_port": port})


_SETTINGS = ("db_host", "db_port", "db_name", "db_sslmode", "db_sslrootcert")


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= 65535


def dsn(endpoint: Mapping[str, str]) -> str:
    """Return the endpoint as a connection string for psql, without the password.

    Quoted by libpq's manual, "Keyword/Value Connection Strings".
    """
    return " ".join(f"{key}={_quoted(value)}" for key, value in endpoint.items() if key != "password")


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


# This package's own connections: to see who uses the database, to create databases, to be seen there.

WATCHER_NAME = "ABQ Data Entry watcher"
_CLOSING = 0.5  # seconds for which pg_stat_activity may still show a closed connection
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    " AND pid <> pg_backend_pid() AND application_name <> %s"
)
_ARRIVAL = "30 s"  # how long a watcher may take to arrive
_WATCHED = (
    "SELECT pg_postmaster_start_time() > now() - %s::interval"
    " OR EXISTS (SELECT FROM pg_stat_activity WHERE application_name = %s)"
)


def endpoint_of(home: Home, found: Postmaster, dbname: str) -> dict[str, str]:
    """Return the endpoint of a database of a running embedded server."""
    where = {"host": found.socket_folder or "127.0.0.1", "port": found.port}
    if not found.socket_folder:
        where["passfile"] = str(home.passfile)
    return {**where, "user": ROLE, "dbname": dbname}


def connect(endpoint: Mapping[str, str], name: str = "ABQ Data Entry") -> "Connection":
    """Open a connection in autocommit mode, with the application_name `name`. Raises PostgresError.

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
    """A cursor on a new connection, which is closed at the end of the block."""
    connection = connect(endpoint, name)
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def one_server(endpoint: Mapping[str, str]) -> dict[str, str]:
    """Return the endpoint of the one server, among those of `endpoint`, that accepts a connection now, with its
    address.

    Raises PostgresError when none does.
    """
    from ..waits import endpoint_at, place_of

    with closing(connect(endpoint)) as connection:
        return endpoint_at(endpoint, place_of(connection))


def in_use(endpoint: Mapping[str, str], besides: int = 0) -> bool:
    """Return whether clients are connected to the server, other than this process, the watcher and `besides` known
    ones."""
    deadline = time.monotonic() + _CLOSING
    with cursor_at(endpoint) as cursor:
        while count_other_clients(cursor) > besides:
            if time.monotonic() > deadline:
                return True
            time.sleep(0.01)
        return False


def count_other_clients(cursor: "Cursor") -> int:
    """Return how many clients are connected to any database of the server, apart from this connection and the
    watcher."""
    return int(_one(cursor, _OTHERS, WATCHER_NAME))


def has_watcher(cursor: "Cursor") -> bool:
    """Return whether the server has a watcher, which stops it when nobody uses it, or one has had no time to connect
    yet."""
    return bool(_one(cursor, _WATCHED, _ARRIVAL, WATCHER_NAME))


def count_sessions(cursor: "Cursor") -> int:
    """Return how many sessions there have been so far: if the number has changed, somebody was connected, however
    briefly."""
    if cursor.connection.server_version < 140000:
        return 0
    return int(_one(cursor, "SELECT coalesce(sum(sessions), 0) FROM pg_stat_database"))


def _one(cursor: "Cursor", query: str, *values: str) -> int:
    cursor.execute(query, values or None)
    return int(cursor.fetchall()[0][0])


# The endpoint of the server itself, if there is a pooler in transaction mode in front of it.
#
# pg_dump, pg_restore and psql set session parameters, such as an empty search_path. Through such a pooler, the next
# client would get a session with these parameters, and they would get one with those of somebody else.

_TRIES = 5
_ADVICE = (
    "There is a connection pooler in transaction mode in front of the database: a backup or a restore needs a"
    " connection to the server itself. An administrator can set it in db_notify_host and db_notify_port."
)


def bypassing_pooler(endpoint: Mapping[str, str], settings: Mapping[str, object]) -> dict[str, str]:
    """Return the endpoint for a backup or a restore: `endpoint`, or if that is a pooler in transaction mode, the server
    that `db_notify_host` names, with the same login.

    Raises PostgresError if `db_notify_host` isn't set, or the server can't be reached.
    """
    if endpoint.get("host", "/").startswith("/") or not _lends_for_transactions(endpoint):
        return dict(endpoint)
    there = notify_endpoint(settings)
    if not there:
        raise PostgresError(_ADVICE)
    login = {key: endpoint[key] for key in ("user", "password", "passfile") if key in endpoint}
    direct = {**there, "dbname": endpoint["dbname"], **login}
    if _lends_for_transactions(direct):
        raise PostgresError(f"{_ADVICE} The server they name now is such a pooler, too.")
    return direct


def _lends_for_transactions(endpoint: Mapping[str, str]) -> bool:
    """Return whether this is a pooler in transaction mode: two open connections get the same server process."""
    with closing(connect(endpoint)) as first:
        if _process(first) == first.info.backend_pid:  # a server sends its real PID, a pooler one that it made up
            return False
        with closing(connect(endpoint)) as second:
            return any(_process(first) == _process(second) for _ in range(_TRIES))


def _process(connection: "Connection") -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchall()[0][0])
