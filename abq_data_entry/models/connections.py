"""One connection to the database for each thread, opened when first needed and again when it was lost."""

from __future__ import annotations

import getpass
import platform
import re
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import libpq_version, make_dsn

from abq_data_entry.constants import REQUIRE_AUTH_SINCE, REQUIRED_AUTHENTICATION, SCHEMA_VERSION
from abq_data_entry.models.errors import DatabaseError, OutcomeUnknown, ServerUnreachable
from abq_data_entry.models.failures import describe_connection, describe_statement, is_lost

Result = TypeVar("Result")

_DEFAULTS = {"connect_timeout": "10", "application_name": "ABQ Data Entry", "client_encoding": "UTF8"}
if libpq_version() >= REQUIRE_AUTH_SINCE:
    _DEFAULTS["require_auth"] = REQUIRED_AUTHENTICATION
# Nobody waits for ever: neither for a lock of somebody who went home, nor for a page of the list.
_OPTIONS = (
    "-c lock_timeout=10s -c statement_timeout=60s -c idle_in_transaction_session_timeout=5min"
    f" -c abq.schema={SCHEMA_VERSION}"  # an older window than the tables is refused its saves
)
_STARTING_PATIENCE = 15.0
_STARTING_PAUSE = 0.05


class Connections:
    """The connections of all threads to one database.

    All methods raise `DatabaseError` or one of its kinds. `endpoint` holds libpq's keywords.
    """

    def __init__(self, endpoint: Mapping[str, str]) -> None:
        self.endpoint = {**_DEFAULTS, **{key: value for key, value in endpoint.items() if value}}
        self.endpoint["options"] = f"{_OPTIONS} {_origin()} {self.endpoint.get('options', '')}".strip()
        self._local = threading.local()
        self._open: weakref.WeakValueDictionary[int, Connection] = weakref.WeakValueDictionary()
        self._writing: set[int] = set()
        self._processes: set[int] = set()
        self._lock = threading.Lock()

    def read(self, work: Callable[[Cursor], Result]) -> Result:
        """Run statements that only read, each by itself; once more on a fresh connection if that was lost."""
        connection = self._connection()
        try:
            return self._attempt_read(connection, work)
        except ServerUnreachable:
            self._discard()
        return self._attempt_read(self._connection(), work)

    def read_snapshot(self, work: Callable[[Cursor], Result]) -> Result:
        """Run long statements that only read and all see the same state of the database; no time limit."""

        def within_transaction(cursor: Cursor) -> Result:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL statement_timeout = 0")
            try:
                return work(cursor)
            finally:
                if not cursor.connection.closed:
                    cursor.execute("ROLLBACK")

        return self.read(within_transaction)

    def write(self, work: Callable[[Cursor], Result]) -> Result:
        """Run statements in one transaction and commit; all or nothing.

        Runs `work` a second time if the first surely left nothing behind: the connection was lost before the commit,
        or the transaction met another one. Raises `OutcomeUnknown` if it was lost during the commit.
        """
        ident = threading.get_ident()
        with self._lock:
            self._writing.add(ident)
        try:
            try:
                return self._attempt_write(work)
            except _TryAgain:
                return self._attempt_write(work)
        except _TryAgain as failure:
            raise failure.reason from failure.__cause__
        finally:
            with self._lock:
                self._writing.discard(ident)

    def confirm(self) -> None:
        """Return once all that can be seen is as safe as a commit of our own: on a synchronous standby too.

        A commit whose wait for the standby was broken off can be seen, though a failover may still lose it. Those
        after it are replicated after it: so a commit of ours that was waited for confirms it as well.
        """
        self.write(confirm)

    def cancel(self, ident: int) -> bool:
        """Cancel what the thread of that ident reads at the moment; a write is never cancelled."""
        with self._lock:
            connection = self._open.get(ident)
            if connection is None or connection.closed or ident in self._writing:
                return False
            connection.cancel()
            return True

    def owns(self, process: int) -> bool:
        """Tell whether a server process serves, or served, one of these connections."""
        return process in self._processes

    def connect(self) -> None:
        """Open this thread's connection if it isn't."""
        self._connection()

    def close(self) -> None:
        """Close the connections of all threads; they open again when needed."""
        with self._lock:
            connections = list(self._open.values())
        for connection in connections:
            connection.close()

    def _attempt_read(self, connection: Connection, work: Callable[[Cursor], Result]) -> Result:
        try:
            with connection.cursor() as cursor:
                return work(cursor)
        except psycopg2.Error as error:
            raise self._described(error) from None

    def _attempt_write(self, work: Callable[[Cursor], Result]) -> Result:
        connection = self._connection()
        connection.autocommit = False
        try:
            with connection.cursor() as cursor:
                result = work(cursor)
        except psycopg2.Error as error:
            described = self._described(error)
            self._roll_back(connection)
            if isinstance(described, ServerUnreachable) or (error.pgcode or "").startswith("40"):
                raise _TryAgain(described) from None
            raise described from None
        except BaseException:
            self._roll_back(connection)
            raise
        self._commit(connection)
        return result

    def _commit(self, connection: Connection) -> None:
        connection.notices.clear()
        try:
            connection.commit()
        except psycopg2.Error as error:
            described = self._described(error)
            self._roll_back(connection)
            if isinstance(described, ServerUnreachable):
                raise OutcomeUnknown(
                    "The connection was lost while saving: it isn't known whether it was saved. Save again; what is"
                    " there already won't be doubled.",
                    described.detail,
                ) from None
            raise described from None
        connection.autocommit = True
        if connection.notices:
            # "committed locally, but might not have been replicated": no acknowledgement.
            raise OutcomeUnknown(
                "The database could not confirm that the data are safe on its standby. Save again.",
                " ".join(connection.notices).strip(),
            )

    def _roll_back(self, connection: Connection) -> None:
        try:
            connection.rollback()
            connection.autocommit = True
        except psycopg2.Error:
            self._discard()

    def _described(self, error: psycopg2.Error) -> DatabaseError:
        described = describe_statement(error, self.endpoint)
        if is_lost(error):
            self._discard()
        return described

    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = self._connect_patiently()
            self._local.connection = connection
            with self._lock:
                self._open[threading.get_ident()] = connection
                self._processes.add(connection.info.backend_pid)
        return connection

    def _connect_patiently(self) -> Connection:
        """Connect; a server that is just starting, after a crash say, is waited for."""
        deadline = time.monotonic() + _STARTING_PATIENCE
        while True:
            try:
                connection = psycopg2.connect(make_dsn(**self.endpoint))
                connection.autocommit = True
                return connection
            except psycopg2.Error as error:
                if "starting up" not in str(error) or time.monotonic() > deadline:
                    raise describe_connection(error, self.endpoint) from None
                time.sleep(_STARTING_PAUSE)

    def _discard(self) -> None:
        connection: Connection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()


def _origin() -> str:
    """Return the options that tell the audit who changes something and where, unless a save says it itself."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # of a number without a name
        user = ""
    told = {"abq.application_user": user, "abq.workstation": platform.node()}
    return " ".join(f"-c {name}={_escaped(value)}" for name, value in told.items() if value)


def _escaped(value: str) -> str:
    """Return a value for libpq's keyword `options` (its manual, "Connection Control Functions")."""
    return re.sub(r"[\s\\]", r"\\\g<0>", value.encode("utf-8", "replace").decode())


class _TryAgain(Exception):
    """A write failed and surely left nothing behind."""

    def __init__(self, reason: DatabaseError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def confirm(cursor: Cursor) -> None:
    """Make the commit of this transaction one that is waited for, though it changes nothing."""
    cursor.execute("SELECT pg_logical_emit_message(true, 'abq_data_entry', 'confirmed')")


def rows_as_dicts(cursor: Cursor) -> list[dict[str, object]]:
    """Return the rows of the last statement, each by column name."""
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
