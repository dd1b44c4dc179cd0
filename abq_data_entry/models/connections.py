"""One connection to the database for each thread, opened when first needed, and again after it was lost.

We set time-outs and the origin of changes in each session. A pooler in transaction mode, such as PgBouncer, gives us
another session for each transaction: there we set them with SET LOCAL, or they would stay for the next client. It also
refuses startup options, so none are used.
"""

from __future__ import annotations

import datetime
import getpass
import platform
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

import psycopg2
from psycopg2.extensions import (
    PYDATE,
    PYDATETIME,
    PYDATETIMETZ,
    TRANSACTION_STATUS_IDLE,
    libpq_version,
    make_dsn,
    new_type,
    register_type,
)
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from abq_data_entry.constants import REQUIRE_AUTH_SINCE, REQUIRED_AUTHENTICATION, SCHEMA_VERSION
from abq_data_entry.models.errors import (
    DatabaseError,
    OutcomeUnknown,
    ServerUnreachable,
    TookTooLong,
    describe_connection,
    describe_statement,
    is_lost,
    is_not_ready,
)
from abq_data_entry.retrying import STARTING, Retries
from abq_data_entry.waits import (
    NO_ANSWER,
    PAGE,
    UNLIMITED,
    WRITE,
    Wait,
    Waits,
    answers,
    close_socket,
    endpoint_at,
    place_of,
)

# Time-outs for locks that somebody left open, and for slow statements. They are shorter than the client's (`waits.py`),
# because the server's own message says more.
_LIMITS = {"lock_timeout": "8s", "statement_timeout": "60s", "idle_in_transaction_session_timeout": "5min"}
_OPTION = re.compile(r"(?:^|(?<=\s))(?:-c\s*|--)([\w.-]+)=((?:\\.|[^\s\\])*)")


_DATABASE = "(SELECT oid FROM pg_database WHERE datname = current_database())"
_HAS_VERSION = "coalesce(has_table_privilege(to_regclass('schema_version'), 'SELECT'), false)"
# The schema of our tables (public, or the first other one) comes first, whatever the search_path of a role or database
# has in front; then that search_path, for users' own reports; pg_temp, where anybody may create tables, comes last.
PATH = """(
    SELECT array_to_string(ARRAY(
        SELECT quote_ident(name) FROM unnest(nspname || current_schemas(false)) WITH ORDINALITY AS path (name, place)
        WHERE name !~ '^pg_temp' GROUP BY name ORDER BY min(place)
    ) || 'pg_temp'::text, ', ')
    FROM pg_namespace AS place WHERE nspname !~ '^pg_' AND 3 = (
        SELECT count(*) FROM pg_class
        WHERE relnamespace = place.oid AND relname IN ('labs', 'lab_checks', 'plot_checks')
    ) ORDER BY nspname <> 'public', place.oid LIMIT 1
)"""
"""SQL for the search_path with our tables first; NULL if there are no tables."""

SCHEMA_VERSION_NOW = "SELECT coalesce(max(version), 0) FROM schema_version"
"""SQL for the version of the schema."""


def _with_first(kind: Any, first: object) -> Any:
    """Return psycopg2's typecaster for dates, but with `first` for dates BC."""

    def read(text: str | bytes | None, cursor: Cursor) -> object:
        return first if isinstance(text, str) and text.endswith("BC") else kind(text, cursor)

    return new_type(kind.values, kind.name, read)


# Dates BC, which Python doesn't have, are read as its first day: one such row must not make a page fail.
_DATE_TYPES = (
    _with_first(PYDATE, datetime.date.min),
    _with_first(PYDATETIME, datetime.datetime.min),
    _with_first(PYDATETIMETZ, datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)),
)


class ServerFacts(NamedTuple):
    """What a new connection has found out about the server.

    `pooled`: there is a pooler in between; `database`: the OID of the database, another one after a restore;
    `version`: of the schema, 0 if it can't be read; `server`: PostgreSQL's server_version, such as `18.6`.
    """

    pooled: bool = False
    database: int = 0
    version: int = 0
    server: str = ""


class Session:
    """The parameters that we set in each session or, behind a pooler, in each transaction."""

    def __init__(self, options: str = "") -> None:
        """`options`: libpq's connection parameter, such as `-c lock_timeout=1s`; it takes precedence over ours."""
        wanted = {name.replace("-", "_"): re.sub(r"\\(.)", r"\1", value) for name, value in _OPTION.findall(options)}
        # With this number the server recognizes a window that is older than the schema, and refuses its saves.
        self._values = {**_LIMITS, "abq.schema": str(SCHEMA_VERSION), **_origin(), **wanted}
        self._path_is_given = "search_path" in wanted
        self.other_options = " ".join(_OPTION.sub("", options).split())
        """The options that can only be set when a connection is opened."""

    def begin(self, connection: Connection) -> ServerFacts:
        """Set up a new connection; behind a pooler, `begin_transaction` sets the parameters each time."""
        # At startup a server sends the PID of its backend process, a pooler an invented one.
        given = connection.info.backend_pid
        settings = "".join([", set_config(%s, %s, pg_backend_pid() <> %s)"] * len(self._values))
        bound = [part for name, value in self._values.items() for part in (name, value, given)]
        with connection.cursor() as cursor:
            path = "current_setting('search_path')"
            pinned = path if self._path_is_given else (
                f"set_config('search_path', coalesce({PATH}, {path}), pg_backend_pid() <> %s)"
            )
            # Privileges are checked last: the parameters may include another role.
            cursor.execute(
                f"SELECT pg_backend_pid(), {_DATABASE}{settings}, {pinned}, {_HAS_VERSION}",
                bound if self._path_is_given else [*bound, given],
            )
            process, database, *_, found, has_version = cursor.fetchall()[0]
            version = 0
            if has_version:
                cursor.execute(
                    f"SELECT set_config('search_path', %s, %s); {SCHEMA_VERSION_NOW}", [found, process != given]
                )
                version = cursor.fetchall()[0][0]
        if process != given:
            self._values = {**self._values, "search_path": found}
        return ServerFacts(process != given, database, version, connection.get_parameter_status("server_version") or "")

    @property
    def path(self) -> str:
        """The search_path, as SQL, after `begin` has found a pooler."""
        return self._values["search_path"]

    def begin_transaction(self, cursor: Cursor) -> None:
        """Set the parameters for the transaction that has begun."""
        settings = ", ".join(["set_config(%s, %s, true)"] * len(self._values))
        cursor.execute(f"SELECT {settings}", [part for pair in self._values.items() for part in pair])


def is_pooled(connection: Connection) -> bool:
    """Return whether there is a pooler between us and the server."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return bool(cursor.fetchall()[0][0] != connection.info.backend_pid)


def _origin() -> Mapping[str, str]:
    """Return the parameters from which the audit takes the author and the workstation, unless a save sets them."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # the user has no name, only a number
        user = ""
    values = {"abq.application_user": user, "abq.workstation": platform.node()}
    return {name: value.encode("utf-8", "replace").decode() for name, value in values.items() if value}


Result = TypeVar("Result")

_DEFAULTS = {"connect_timeout": "10", "application_name": "ABQ Data Entry", "client_encoding": "UTF8"}
if libpq_version() >= REQUIRE_AUTH_SINCE:
    _DEFAULTS["require_auth"] = REQUIRED_AUTHENTICATION
NOT_READY_PATIENCE = 15.0
"""Seconds to wait for a server that doesn't accept connections yet, if nothing else retries."""

_CANCEL_SECONDS = 2.0
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"


class Connections:
    """The connections of all threads to one database.

    All methods raise `DatabaseError` or a subclass. `endpoint`: libpq's connection parameters.
    """

    def __init__(self, endpoint: Mapping[str, str], patience: float | None = None) -> None:
        """`patience`: seconds to wait, at the first connection only, for a server that doesn't accept connections yet;
        None: `NOT_READY_PATIENCE`, at each connection."""
        self._patience = patience
        self._gave_up = False
        self._session = Session(endpoint.get("options", ""))
        parameters = {**_DEFAULTS, **endpoint, "options": self._session.other_options}
        self.endpoint = {key: value for key, value in parameters.items() if value}
        self._waits = Waits(self.endpoint)
        self._local = threading.local()
        self._open: weakref.WeakValueDictionary[int, Connection] = weakref.WeakValueDictionary()
        self._writing: set[int] = set()
        self._cancelling: dict[int, threading.Event] = {}
        self._processes: set[int] = set()
        self._busy: dict[int, int] = {}
        self._used: dict[int, float] = {}
        self._lock = threading.Lock()
        self.facts = ServerFacts()
        """What the latest new connection has found out."""

    def read(
        self, work: Callable[[Cursor], Result], limit: float | None = PAGE, snapshot: bool = False
    ) -> Result:
        """Run statements that only read, in autocommit mode; again on a new connection if that was lost.

        `limit`: seconds after which `TookTooLong` is raised, see `waits`. `snapshot`: in one transaction with one
        snapshot, and without a limit, here and at the server.
        """
        with self._in_use():
            for tries in range(2):
                try:
                    connection = self._connection()
                    with self._watched(connection, UNLIMITED if snapshot else limit), connection.cursor() as cursor:
                        if not snapshot and not self.facts.pooled:
                            return work(cursor)
                        cursor.execute(_SNAPSHOT if snapshot else "BEGIN")
                        if self.facts.pooled:
                            self._session.begin_transaction(cursor)
                        if snapshot:
                            cursor.execute("SET LOCAL statement_timeout = 0")
                        try:
                            return work(cursor)
                        finally:
                            if not connection.closed:
                                cursor.execute("ROLLBACK")
                except ServerUnreachable:
                    if tries:
                        raise
                    self._discard()
        raise AssertionError

    def rows(self, statement: str, bound: Mapping[str, object] | None = None) -> list[dict[str, object]]:
        """Return the rows of one statement that only reads, as dicts by column name."""

        def run(cursor: Cursor) -> list[dict[str, object]]:
            cursor.execute(statement, bound)
            return rows_as_dicts(cursor)

        return self.read(run)

    def run_script(self, script: str) -> None:
        """Run a script in one transaction, which it ends itself, without a time limit.

        Raises `psycopg2.Error` untranslated, because the caller knows what the script's errors mean, and
        `ServerUnreachable` if the server has stopped answering.
        """
        with self._in_use():
            self._run_script(script)

    def _run_script(self, script: str) -> None:
        connection = self._connection()
        path = f"SET LOCAL search_path = {self._session.path};" if self.facts.pooled else ""
        # In one message, so that a pooler uses one session for all of it.
        whole = f"BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; {path}\n{script}"
        with self._waits.watched(connection, UNLIMITED) as wait, connection.cursor() as cursor:
            try:
                cursor.execute(whole)
            except psycopg2.Error as error:
                self._roll_back(connection)
                if wait.ended:
                    raise self._described(error, wait) from None
                raise

    def write(self, work: Callable[[Cursor], Result], limit: float | None = WRITE) -> Result:
        """Run statements in one transaction and commit it.

        Runs `work` a second time if the first transaction was certainly not committed: the connection was lost before
        the commit, or there was a serialization failure or a deadlock. Raises `OutcomeUnknown` if the connection was
        lost during the commit. `limit`: as for `read`.
        """
        ident = threading.get_ident()
        with self._lock:
            self._writing.add(ident)
            cancelling = self._cancelling.get(ident)
        if cancelling is not None:
            cancelling.wait()
        try:
            with self._in_use():
                try:
                    return self._attempt_write(work, limit)
                except _TryAgain:
                    return self._attempt_write(work, limit)
        except _TryAgain as failure:
            raise failure.reason from failure.__cause__
        finally:
            with self._lock:
                self._writing.discard(ident)

    def write_repeatable(self, work: Callable[[Cursor], Result], limit: float | None = WRITE) -> Result:
        """As `write`, for idempotent work: after an unknown outcome it is simply done again."""
        try:
            return self.write(work, limit)
        except OutcomeUnknown:
            result = self.write(work, limit)
            self.confirm()
            return result

    def confirm(self) -> None:
        """Return once everything that is visible has also reached the synchronous standby, if there is one.

        A commit whose wait for the standby was cancelled is visible, though a failover may still lose it. Later commits
        are replicated after it: so a commit of our own, which is waited for, confirms it as well.
        """
        self.write(confirm)

    def cancel(self, ident: int) -> bool:
        """Cancel the statement with which the thread of that ident reads; a write is never cancelled."""
        with self._lock:
            connection = self._open.get(ident)
            if connection is None or connection.closed or ident in self._writing or ident in self._cancelling:
                return False
            ended = self._cancelling[ident] = threading.Event()
        try:
            with suppress(psycopg2.Error, OSError):  # closed by now
                # PQcancel would wait for the server without a limit, and psycopg2 would hold the GIL meanwhile.
                server = endpoint_at(self.endpoint, place_of(connection))
                statement = f"SELECT pg_cancel_backend({connection.info.backend_pid})"
                if self.facts.pooled or not answers(server, _CANCEL_SECONDS, statement):
                    close_socket(connection)
        finally:
            with self._lock:
                del self._cancelling[ident]
            ended.set()
        return True

    def owns(self, process: int) -> bool:
        """Return whether a server process (PID) serves, or served, one of these connections. Not behind a pooler."""
        return process in self._processes

    def connect(self) -> None:
        """Open this thread's connection, unless it is open."""
        with self._in_use():
            self._connection()

    def close_idle(self, seconds: float, keep: int | None = None) -> int:
        """Close the connections that their threads haven't used for `seconds`, except that of server process `keep`.

        Each is opened again when it is next used. Return how many were closed."""
        closed, now = 0, time.monotonic()
        with self._lock:
            for ident, connection in tuple(self._open.items()):
                is_idle = ident not in self._busy and now - self._used.get(ident, now) >= seconds
                if is_idle and not connection.closed and connection.info.backend_pid != keep:
                    connection.close()
                    closed += 1
        return closed

    @contextmanager
    def try_lock(self, what: str) -> Iterator[bool]:
        """Hold the advisory lock `what` of this schema in the block; yields False if another workstation holds it.

        Behind a pooler, where each statement may get another session, the lock excludes nobody.
        """
        self.connect()
        if self.facts.pooled:
            yield True
            return
        is_ours = self.read(partial(_lock, function="pg_try_advisory_lock", what=what))
        try:
            yield is_ours
        finally:
            if is_ours:
                with suppress(DatabaseError):  # if the connection is lost, so is its lock
                    self.read(partial(_lock, function="pg_advisory_unlock", what=what))

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        """While the block runs, `close_idle` doesn't close this thread's connection."""
        ident = threading.get_ident()
        with self._lock:
            self._busy[ident] = self._busy.get(ident, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._used[ident] = time.monotonic()
                self._busy[ident] -= 1
                if not self._busy[ident]:
                    del self._busy[ident]

    def close(self) -> None:
        """Close the connections of all threads, even while they read; they are opened again when needed."""
        with self._lock:
            connections = dict(self._open.items())
            reading = [each for ident, each in connections.items() if ident not in self._writing]
        own = getattr(self._local, "connection", None)
        for connection in reading:
            if connection is not own:
                close_socket(connection)  # otherwise close() would wait for the end of the statement
        for connection in connections.values():
            connection.close()

    @contextmanager
    def _watched(self, connection: Connection, limit: float | None) -> Iterator[Wait]:
        """End the block if the server stops answering; translate psycopg2's errors into ours."""
        with self._waits.watched(connection, limit) as wait:
            try:
                yield wait
            except psycopg2.Error as error:
                raise self._described(error, wait) from None

    def _attempt_write(self, work: Callable[[Cursor], Result], limit: float | None) -> Result:
        connection = self._connection()
        connection.autocommit = False
        with self._waits.watched(connection, limit) as wait:
            try:
                with connection.cursor() as cursor:
                    if self.facts.pooled:
                        self._session.begin_transaction(cursor)
                    result = work(cursor)
            except psycopg2.Error as error:
                described = self._described(error, wait)
                self._roll_back(connection)
                if isinstance(described, ServerUnreachable) or (error.pgcode or "").startswith("40"):
                    raise _TryAgain(described) from None
                raise described from None
            except BaseException:
                self._roll_back(connection)
                raise
            self._commit(connection, wait)
        return result

    def _commit(self, connection: Connection, wait: Wait) -> None:
        connection.notices.clear()
        try:
            connection.commit()
        except psycopg2.Error as error:
            described = self._described(error, wait)
            self._roll_back(connection)
            if isinstance(described, ServerUnreachable | TookTooLong):
                raise OutcomeUnknown(
                    "The connection was lost while saving: it isn't known whether it was saved. Save again; what is"
                    " there already won't be doubled.",
                    described.detail,
                ) from None
            raise described from None
        connection.autocommit = True
        if connection.notices:
            # "committed locally, but might not have been replicated": that is no acknowledgement.
            raise OutcomeUnknown(
                "The database could not confirm that the data are safe on its standby. Save again.",
                " ".join(connection.notices).strip(),
            )

    def _roll_back(self, connection: Connection) -> None:
        try:
            connection.rollback()
            if connection.info.transaction_status != TRANSACTION_STATUS_IDLE:  # a script has begun a transaction
                with connection.cursor() as cursor:
                    cursor.execute("ROLLBACK")
            connection.autocommit = True
        except psycopg2.Error:
            self._discard()

    def _described(self, error: psycopg2.Error, wait: Wait) -> DatabaseError:
        if is_lost(error):
            self._discard()
        if wait.ended == NO_ANSWER:
            return ServerUnreachable("The database server has stopped answering. It is tried again.", wait.ended)
        if wait.ended:
            return TookTooLong("The database took too long for this, and was stopped. Try again later.", wait.ended)
        return describe_statement(error, self.endpoint)

    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = self._connect_patiently()
            with self._watched(connection, PAGE):
                self.facts = self._session.begin(connection)
            self._local.connection = connection
            with self._lock:
                self._open[threading.get_ident()] = connection
                if not self.facts.pooled:
                    self._processes.add(connection.info.backend_pid)
        return connection

    def _connect_patiently(self) -> Connection:
        """Connect; if the server doesn't accept connections yet, wait for it, with `patience` only the first time."""
        patience = NOT_READY_PATIENCE if self._patience is None else self._patience
        deadline = time.monotonic() + (0.0 if self._gave_up else patience)
        retries: Retries | None = None
        while True:
            try:
                connection = psycopg2.connect(make_dsn(**self.endpoint))
                connection.autocommit = True
                for kind in _DATE_TYPES:
                    register_type(kind, connection)
                self._gave_up = False
                return connection
            except psycopg2.Error as error:
                is_late = time.monotonic() >= deadline
                if not is_not_ready(error) or is_late:
                    self._gave_up = is_late and self._patience is not None
                    raise describe_connection(error, self.endpoint) from None
            retries = retries or Retries(STARTING)
            time.sleep(retries.failed())

    def _discard(self) -> None:
        connection: Connection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()


class _TryAgain(Exception):
    """A write failed, and was certainly not committed."""

    def __init__(self, reason: DatabaseError) -> None:
        self.reason = reason


def confirm(cursor: Cursor) -> None:
    """Make this transaction write WAL, so that its commit waits for the standby though no row is changed."""
    cursor.execute("SELECT pg_logical_emit_message(true, 'abq_data_entry', 'confirmed')")


def rows_as_dicts(cursor: Cursor) -> list[dict[str, object]]:
    """Return the rows of the last statement, as dicts by column name."""
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _lock(cursor: Cursor, function: str, what: str) -> bool:
    cursor.execute(f"SELECT {function}(hashtextextended(current_schema() || %s, 0))", (f" {what}",))
    return bool(cursor.fetchall()[0][0])
