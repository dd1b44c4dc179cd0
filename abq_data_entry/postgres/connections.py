"""Where a database is, and our own connections to it: to see who is there, to make databases, to be seen."""

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


# Where a database is, as libpq keywords: of a server by settings, and written as a connection string.

_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_PLAIN = re.compile(r"[^\s'\\]+")
# A lost server is noticed after seconds instead of libpq's two hours: what is saved meanwhile waits in the journal, and
# the next server of a cluster is tried.
_CONNECT_SECONDS = "5"
_CONNECT_SECONDS_A_HOST = "2"  # the least that libpq takes
_ALIVE = {
    "keepalives": "1",
    "keepalives_idle": "3",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "6000",
    "application_name": "ABQ Data Entry",
}


def configured(settings: Mapping[str, object]) -> dict[str, str]:
    """The endpoint of the server that the settings name: `db_host` (several by commas), `db_port`, `db_name`,
    `db_sslmode`, `db_sslrootcert`. User and password come from the login dialog.

    Raises PostgresError when a setting makes no sense.
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


def reading(settings: Mapping[str, object]) -> dict[str, str]:
    """The endpoint that histories are read from: `db_read_host` (several by commas), `db_read_port` (empty: `db_port`),
    the rest as `configured`. Empty where the setting is. Raises PostgresError when a setting makes no sense.
    """
    endpoint = _elsewhere(settings, "read")
    several = "," in endpoint.get("host", "")
    return endpoint | ({"target_session_attrs": "prefer-standby"} if several else {})


def notifying(settings: Mapping[str, object]) -> dict[str, str]:
    """The endpoint that tells what others save, and knows who is there: `db_notify_host`, `db_notify_port`, for a
    server behind a pooler. Empty, and raises, as `reading`.
    """
    return _elsewhere(settings, "notify")


def _elsewhere(settings: Mapping[str, object], purpose: str) -> dict[str, str]:
    hosts = str(settings.get(f"db_{purpose}_host") or "").strip()
    if not hosts:
        return {}
    port = str(settings.get(f"db_{purpose}_port") or "").strip() or settings.get("db_port")
    return configured({**settings, "db_host": hosts, "db_port": port})


_SETTINGS = ("db_host", "db_port", "db_name", "db_sslmode", "db_sslrootcert")


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= 65535


def dsn(endpoint: Mapping[str, str]) -> str:
    """The endpoint as a connection string that psql takes as it is, without the password.

    Quoted as libpq's manual says in "Keyword/Value Connection Strings".
    """
    return " ".join(f"{key}={_quoted(value)}" for key, value in endpoint.items() if key != "password")


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


# This package's own connections: to see who is there, to make databases, to be seen.

WATCHER_NAME = "ABQ Data Entry watcher"
_CLOSING = 0.5  # seconds that a connection which was just closed may still be seen
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


def one_server(endpoint: Mapping[str, str]) -> dict[str, str]:
    """The endpoint of that one of its servers that takes the connection now, with its address.

    Raises PostgresError when none does.
    """
    from ..waits import endpoint_at, place_of

    with closing(connect(endpoint)) as connection:
        return endpoint_at(endpoint, place_of(connection))


def in_use(endpoint: Mapping[str, str], besides: int = 0) -> bool:
    """Whether any client but ourselves and the watcher is connected to the server; `besides`: how many are known."""
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


# The way to the server itself, past a pooler that lends its sessions for a transaction at a time.
#
# pg_dump, pg_restore and psql set up their sessions, an empty search path for one: through such a pooler the next one
# to be lent that session would have it, and they would get somebody else's.

_TRIES = 5
_ADVICE = (
    "A connection pooler stands before the database and lends its sessions for a transaction at a time: a backup or a"
    " restore needs the server itself. An administrator can name it in the settings db_notify_host and db_notify_port."
)


def past_pooler(endpoint: Mapping[str, str], settings: Mapping[str, object]) -> dict[str, str]:
    """The endpoint for a backup or a restore: the same one, or where a pooler lends its sessions for a transaction at a
    time, the server that `db_notify_host` names, with the same login.

    Raises PostgresError where that isn't set, or can't be reached.
    """
    if endpoint.get("host", "/").startswith("/") or not _lends_for_transactions(endpoint):
        return dict(endpoint)
    there = notifying(settings)
    if not there:
        raise PostgresError(_ADVICE)
    login = {key: endpoint[key] for key in ("user", "password", "passfile") if key in endpoint}
    direct = {**there, "dbname": endpoint["dbname"], **login}
    if _lends_for_transactions(direct):
        raise PostgresError(f"{_ADVICE} What they name now is a pooler too.")
    return direct


def _lends_for_transactions(endpoint: Mapping[str, str]) -> bool:
    """Whether a session that one connection has used goes to the next one that asks, though the first is still open."""
    with closing(connect(endpoint)) as first:
        if _process(first) == first.info.backend_pid:  # a server tells its own number, a pooler one that it made up
            return False
        with closing(connect(endpoint)) as second:
            return any(_process(first) == _process(second) for _ in range(_TRIES))


def _process(connection: "Connection") -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchall()[0][0])
