"""The check of the database: the connection to each server; a login and a write test, which is rolled back, only if
wanted. The embedded server accepts this user without a password, so it is always queried.

Source: PostgreSQL's manual, "Message Flow" (SSLRequest) and "SSL Support" of libpq.
"""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from .network import encryption, probing
from .network.failures import InvalidInput, on_one_line
from .network.guard import call_abandonable, is_loopback
from .network.probing import LATE, Aborted, Clock, Context, Inspection, Result, Steps

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

Endpoint = Mapping[str, str]
Embedded = Callable[[], AbstractContextManager[Endpoint]]
Answer = TypeVar("Answer")

START_SECONDS = 120.0
"""Seconds in which the embedded server has to start."""

_ASKS_FOR_TLS = struct.pack("!ii", 8, 80877103)  # SSLRequest
_MUST_ENCRYPT = ("require", "verify-ca", "verify-full")
_PLAIN = "What is asked and saved can be read on the way. Ask for TLS; the setting is db_sslmode."
_NOT_POSTGRESQL = "What answers at {place} doesn't speak as PostgreSQL does. Check the settings db_host and db_port."
_POOLED = (
    "What others save and who is entering what can't be heard through it: name the server itself in db_notify_host and"
    " db_notify_port."
)
_TABLES = ("lab_checks", "plot_checks", "deliveries")


class _Inspection(Inspection):
    """An inspection that also has texts for PostgreSQL's errors."""

    def in_words(self, error: BaseException) -> str:
        from .models import DatabaseError
        from .postgres import PostgresError

        if isinstance(error, DatabaseError | PostgresError):
            return " ".join(str(error).split())
        return super().in_words(error)


class _Server(NamedTuple):
    """One of the servers that the settings name."""

    host: str
    port: int

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"


def embedded_database(context: Context, opened: Embedded) -> Steps[None]:
    """Check the embedded server: it runs, or can be started, and answers."""
    inspection = _Inspection("Embedded database", context, "database")
    late = "The database server of this computer didn't start in time. The log file has the details."
    begun = inspection.later(START_SECONDS, late)
    with contextlib.ExitStack() as until_the_end:

        def start() -> Result[Endpoint]:
            opening = opened()
            endpoint = call_abandonable(opening.__enter__, begun)
            until_the_end.push(opening.__exit__)
            return Result(endpoint, f"it runs, reached by {on_one_line(endpoint.get('host', ''))}")

        endpoint = yield from inspection.step("Server", start)
        with contextlib.closing((yield from _connected(inspection, "Answer", endpoint))) as connection:
            yield from _check_session(inspection, connection, endpoint, are_made=True)


def configured_database(context: Context) -> Steps[None]:
    """Check each server that the settings name; with a login, also whether one of them accepts writes."""
    from . import postgres

    try:
        whole = postgres.server_endpoint(context.settings)
    except postgres.PostgresError as error:
        inspection = _Inspection("Database", context, "database")
        yield from inspection.fail("Settings", inspection.in_words(error))
        return
    hosts = whole["host"].split(",")
    ports = (whole.get("port") or "5432").split(",")
    roles: list[bool | None] = []
    for host, port in zip(hosts, ports if len(ports) == len(hosts) else ports * len(hosts), strict=True):
        server = _Server(host, int(port))
        endpoint = {**whole, "host": host, "port": port, "connect_timeout": f"{max(2, int(context.wanted.wait))}"}
        endpoint.pop("target_session_attrs", None)
        inspection = _Inspection(f"Database {server.place}", context, "database")
        roles.append((yield from _server(inspection, server, endpoint)))
    if len(hosts) > 1 and any(role is not None for role in roles) and True not in roles:
        text = (
            "No server of the cluster takes changes at the moment. Try again in a minute, then ask its administrator."
        )
        yield from _Inspection("Database", context, "database").fail("Cluster", text)


def _server(inspection: Inspection, server: _Server, endpoint: Endpoint) -> Steps[bool | None]:
    """Check one server; return whether it accepts writes, None if that isn't known."""
    try:
        if not server.host.startswith("/"):  # a folder with a socket
            yield from _check_network(inspection, server, endpoint)
        login = yield from inspection.login("database")
        if login is None:
            return None
        entering = {**endpoint, "user": login[0], **({"password": login[1]} if login[1] else {})}
        with contextlib.closing((yield from _connected(inspection, "Login", entering))) as connection:
            return (yield from _check_session(inspection, connection, entering))
    except Aborted:  # go on with the next server
        return None


def _check_network(inspection: Inspection, server: _Server, endpoint: Endpoint) -> Steps[None]:
    """Check the name, the port, the PostgreSQL protocol and TLS, without a login."""
    addresses = yield from probing.name(inspection, server.host, server.port)
    yield from probing.port(inspection, server.host, server.port, addresses)
    mode = endpoint.get("sslmode", "prefer")

    connected = partial(inspection.guard.connected, server.host, server.port, addresses)

    def starts_tls(connection: socket.socket) -> bool:
        """Send an SSLRequest; return whether the server starts TLS."""
        connection.sendall(_ASKS_FOR_TLS)
        answer = connection.recv(1)
        if answer not in (b"S", b"N"):
            inspection.guard.check()
            raise InvalidInput(_NOT_POSTGRESQL.format(place=server.place))
        return answer == b"S"

    def ask() -> Result[bool]:
        with connected() as connection:
            return Result(starts_tls(connection), "PostgreSQL answers")

    @contextlib.contextmanager
    def greeted() -> Iterator[socket.socket]:
        with connected() as connection:
            starts_tls(connection)
            yield connection

    can_encrypt = yield from inspection.step("Greeting", ask)
    if can_encrypt and mode != "disable":
        try:
            context = _context(mode, endpoint.get("sslrootcert", ""))
        except InvalidInput as error:
            yield from inspection.fail("TLS", inspection.in_words(error))
        yield from probing.tls(inspection, server.host, greeted, context, "db_sslrootcert")
    elif mode in _MUST_ENCRYPT:
        text = (
            f"The server offers no encryption, and db_sslmode wants it ({mode}). Ask the administrator of the database."
        )
        yield from inspection.fail("TLS", text)
    else:
        yield inspection.note("TLS", "not encrypted", "" if is_loopback(server.host) else _PLAIN)


def _context(mode: str, root: str) -> ssl.SSLContext:
    """Return a TLS context that verifies as libpq would with that sslmode."""
    if mode not in ("verify-ca", "verify-full"):
        return encryption.unverified_context()
    if root == "system":
        return encryption.verified_context(None)
    file = Path(root) if root else Path.home() / ".postgresql" / "root.crt"
    if not file.is_file():
        raise InvalidInput(f"The file of certificate authorities {file} is missing. Check the setting db_sslrootcert.")
    context = encryption.verified_context(file)
    context.check_hostname = mode == "verify-full"
    return context


def _connected(inspection: Inspection, what: str, endpoint: Endpoint) -> Steps[Connection]:
    from .postgres.programs import age_of, installed_version

    def connect() -> Result[Connection]:
        start = time.monotonic()
        connection = _abandonable(inspection, lambda: _open(endpoint))
        seconds = time.monotonic() - start
        installed = _abandonable(inspection, installed_version) if what == "Answer" else None  # of ours
        age = age_of(on_one_line(connection.get_parameter_status("server_version")), datetime.date.today(), installed)
        secure = "encrypted" if connection.info.ssl_in_use else "not encrypted"
        who = "" if what == "Answer" else f"{endpoint['user']} is logged in ({secure}); "
        return Result(connection, f"{who}PostgreSQL {age.text}; database {endpoint['dbname']}", age.hint, seconds)

    return (yield from inspection.step(what, connect))


def _check_session(
    inspection: Inspection, connection: Connection, endpoint: Endpoint, are_made: bool = False
) -> Steps[bool]:
    """Query a server after the login; return whether it accepts writes. `are_made`: the window creates the tables."""
    from .models import schema
    from .models.connections import is_pooled

    def trip() -> Result[bool]:
        start = time.monotonic()
        standby = _abandonable(inspection, lambda: _query(connection, endpoint, "SELECT pg_is_in_recovery()"))
        seconds = time.monotonic() - start
        role = "is a standby, which takes no changes" if standby else "takes changes"
        return Result(not standby, f"one question and its answer; this server {role}", seconds=seconds)

    def tables() -> Result[bool]:
        _abandonable(inspection, lambda: _with_cursor(connection, endpoint, schema.refuse_encoding))
        look = schema.installed_version if are_made else lambda cursor: schema.check(cursor, endpoint)
        version = _abandonable(inspection, lambda: _with_cursor(connection, endpoint, look))
        if are_made and (version or 0) < schema.VERSION:
            return Result(False, "none of this version yet: they are made when the application is opened")
        return Result(True, f"those of version {max(version or 0, schema.VERSION)}")

    def write() -> Result[None]:
        _abandonable(inspection, lambda: _with_cursor(connection, endpoint, _write))
        return Result(None, "a row was written and taken back; no record")

    takes_changes = yield from inspection.step("Round trip", trip)
    if not are_made:  # the embedded server has this computer's clock
        clock = Clock()
        clock.at(_abandonable(inspection, lambda: _with_cursor(connection, endpoint, _moment)))
        yield from clock.steps(inspection, LATE)
    if _abandonable(inspection, lambda: is_pooled(connection)):
        advice = "" if inspection.context.settings["db_notify_host"] else _POOLED
        yield inspection.note("Pooler", "there is a connection pooler, such as PgBouncer, in front of the server",
        advice)
    has_tables = yield from inspection.step("Tables", tables)
    if inspection.context.wanted.write and takes_changes and has_tables:
        yield from inspection.step("Write test", write)
    return takes_changes


def _open(endpoint: Endpoint) -> Connection:
    import psycopg2
    from psycopg2.extensions import make_dsn

    from .models.connections import PATH, is_pooled
    from .models.errors import describe_connection

    try:
        connection = psycopg2.connect(make_dsn(**{"client_encoding": "UTF8", **endpoint}))
        connection.autocommit = True
        if not is_pooled(connection):  # behind a pooler, the next client would get these parameters
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '5s'; SET statement_timeout = '8s'")
                if "search_path" not in endpoint.get("options", ""):
                    cursor.execute(f"SELECT set_config('search_path', {PATH}, false) WHERE {PATH} IS NOT NULL")
        return connection
    except psycopg2.Error as error:
        failure = describe_connection(error, endpoint)
    raise failure


def _query(connection: Connection, endpoint: Endpoint, statement: str) -> bool:
    def ask(cursor: Cursor) -> bool:
        cursor.execute(statement)
        ((value,),) = cursor.fetchall()
        return bool(value)

    return _with_cursor(connection, endpoint, ask)


def _moment(cursor: Cursor) -> float:
    cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
    ((moment,),) = cursor.fetchall()
    return float(moment)


def _write(cursor: Cursor) -> None:
    """Check the privileges that saving needs, in a transaction that is always rolled back."""
    cursor.execute("BEGIN")
    try:
        for table in _TABLES:
            # Checks the privilege without inserting a row.
            cursor.execute(f"INSERT INTO {table} SELECT (NULL::{table}).* WHERE false")
        cursor.execute("INSERT INTO local_weather (datetime) VALUES ('0001-01-01 00:00+00')")
    finally:
        with contextlib.suppress(Exception):
            cursor.execute("ROLLBACK")


def _with_cursor(connection: Connection, endpoint: Endpoint, work: Callable[[Cursor], Answer]) -> Answer:
    import psycopg2

    from .models.errors import describe_statement

    try:
        with connection.cursor() as cursor:
            return work(cursor)
    except psycopg2.Error as error:
        failure = describe_statement(error, endpoint)
    raise failure


def _abandonable(inspection: Inspection, work: Callable[[], Answer]) -> Answer:
    """Return `work()`, called on a thread that can be abandoned, since libpq's waits can't be interrupted."""
    late = f"{inspection.destination} didn't answer in time. Check the network, and the settings db_host and db_port."
    return call_abandonable(work, inspection.later(inspection.context.wanted.wait, late))
