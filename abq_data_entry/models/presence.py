"""Who else works in this database: who enters which check, and what others change."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import select
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import make_dsn

from abq_data_entry.models.connections import is_pooled
from abq_data_entry.models.records import Presence
from abq_data_entry.retrying import LISTENING, Retries
from abq_data_entry.waits import PAGE, Waits

# Who is entering which check: rows that are valid while the session that wrote them holds a lock (see create_db.sql).

_CHECK = "%(token)s, %(Date)s, %(Time)s, %(Lab)s"
_SOON = "SET LOCAL synchronous_commit = off;"  # it may be lost in a power cut
_ENTER = f"{_SOON} SELECT enter_check({_CHECK}, %(plot)s, %(who)s, %(workstation)s)"
_CLAIM = f"{_SOON} SELECT claim_plot({_CHECK}, %(plot)s, %(who)s, %(workstation)s)"
_CLAIM_NEXT = f"{_SOON} SELECT claim_next_plot({_CHECK}, %(plots)s)"
_LEAVE = f"{_SOON} SELECT leave_check(%(token)s)"
_PRESENT = """
    SELECT date, to_char(time, 'FMHH24:MI'), lab_id, plot, coalesce(application_user, ''), coalesce(workstation, ''),
        since, lease
    FROM check_presence_view WHERE date = %(Date)s AND time = %(Time)s AND lab_id = %(Lab)s ORDER BY since, lease
"""
_TOKENS = 3  # also those of earlier connections, which may have been lost in the middle of a change


class PresenceKeeper:
    """The presence of one window, by a secret token, which is a new one for each connection."""

    def __init__(self) -> None:
        self._tokens: tuple[str, ...] = ()
        self._backend: int | None = None
        self._is_there = False

    @property
    def process(self) -> int | None:
        """The PID of the server process whose session holds the presence; `None` if the window is at no check."""
        return self._backend if self._is_there else None

    def hold(self, cursor: Cursor, key: Mapping[str, object], plot: int | None, who: str, workstation: str) -> None:
        """Record at which check and plot this window is."""
        self._execute(cursor, _ENTER, {**key, "plot": plot, "who": who, "workstation": workstation})

    def claim(self, cursor: Cursor, key: Mapping[str, object], plot: int, who: str, workstation: str) -> bool:
        """Record that this window has that plot open; if another window has, record no plot, and return `False`."""
        self._execute(cursor, _CLAIM, {**key, "plot": plot, "who": who, "workstation": workstation})
        return bool(cursor.fetchall()[0][0])

    def claim_next(self, cursor: Cursor, key: Mapping[str, object], plots: Sequence[int]) -> int | None:
        """Return the first of `plots` that is neither recorded nor open, and record that this window is there.

        Works on any connection, after `hold` for the same check.
        """
        cursor.execute(_CLAIM_NEXT, {**key, "plots": list(plots), "token": self._tokens[-1] if self._tokens else ""})
        plot: int | None = cursor.fetchall()[0][0]
        return plot

    def leave(self, cursor: Cursor) -> None:
        """Record that this window is at no check."""
        self._is_there = False
        for token in self._tokens:
            cursor.execute(_LEAVE, {"token": token})

    def _execute(self, cursor: Cursor, statement: str, values: Mapping[str, object]) -> None:
        """Execute the statement with the token of this connection; a new connection first ends the old presence."""
        backend = cursor.connection.get_backend_pid()
        if self._backend != backend:
            self.leave(cursor)  # the server may not have noticed yet that earlier connections were lost
            self._tokens = (*self._tokens[1 - _TOKENS :], secrets.token_hex(16))
        cursor.execute(statement, {**values, "token": self._tokens[-1]})
        self._backend, self._is_there = backend, True

    def present(self, cursor: Cursor, key: Mapping[str, object]) -> list[Presence]:
        """Return who is at that check."""
        cursor.execute(_PRESENT, key)
        # The table has hashes of the tokens: see presence_lease in create_db.sql.
        hashes = [hashlib.sha256(token.encode()).digest() for token in self._tokens]
        own = {int.from_bytes(each[:8], "big", signed=True) for each in hashes}
        return [
            Presence(date, time, lab, plot, who, workstation, since, lease in own)
            for date, time, lab, plot, who, workstation, since, lease in cursor.fetchall()
        ]


# Notifications about others' changes: LISTEN on a connection of its own, on a worker thread.
#
# Source: PostgreSQL manual, LISTEN and NOTIFY. The channels are those of create_db.sql.

RECORDS, PRESENCE, SCHEMA, MESSAGES = "abq_records", "abq_presence", "abq_schema", "abq_messages"
_LOOK = 0.2  # seconds between two looks at `stop`; closing a window waits that long
_BEAT = 5.0  # seconds without a notification until the server is probed
_HELD_LONG = 30.0  # seconds after which a connection counts as stable: its loss is then the first failure again
_POOLED_LOOK = 20.0  # seconds between two `notify` calls behind a pooler, which doesn't pass notifications on

log = logging.getLogger(__name__)


class Notification(NamedTuple):
    """A notification of a change: the channel, and for records the `content` with table, operation and key.

    `process`: the PID of the server process that made the change, see `SQLModel.owns`. If `channel` is '',
    notifications may have been missed (at the beginning, and after a lost connection): look at everything.
    """

    channel: str
    content: Mapping[str, object]
    process: int = 0


def watch(
    endpoint: Mapping[str, str], notify: Callable[[list[Notification]], object], stop: threading.Event
) -> None:
    """Call `notify` with the notifications that arrive, all that are there at once, until `stop` is set.

    A lost connection is opened again, with growing pauses. Behind a pooler no notifications arrive: then `notify` gets
    one with the channel '' every `_POOLED_LOOK` seconds. Database errors aren't raised.
    """
    retries, waits = Retries(LISTENING), Waits(endpoint)
    while not stop.is_set():
        begun = time.monotonic()
        try:
            connection = psycopg2.connect(make_dsn(**endpoint))
        except psycopg2.Error:
            stop.wait(retries.failed())
            continue
        try:
            _listen(connection, waits, notify, stop)
        except (psycopg2.Error, OSError, ValueError) as error:
            log.info("the connection that listens was lost: %s", type(error).__name__)
            if time.monotonic() - begun > _HELD_LONG:
                retries.succeeded()
            stop.wait(retries.failed())
        finally:
            connection.close()


def _listen(
    connection: Connection, waits: Waits, notify: Callable[[list[Notification]], object], stop: threading.Event
) -> None:
    connection.autocommit = True
    with waits.watched(connection, PAGE):
        pooled = is_pooled(connection)
        if not pooled:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {RECORDS}; LISTEN {PRESENCE}; LISTEN {SCHEMA}; LISTEN {MESSAGES}")
    notify([Notification("", {})])
    if pooled:
        log.warning("there is a pooler in front of the database, so changes of others are polled")
        while not stop.wait(_POOLED_LOOK):
            notify([Notification("", {})])
        return
    heard = time.monotonic()
    while not stop.is_set():
        if select.select([connection], [], [], _LOOK) == ([], [], []):
            if time.monotonic() - heard > _BEAT:
                with waits.watched(connection, PAGE), connection.cursor() as cursor:
                    cursor.execute("SELECT")
                heard = time.monotonic()
            elif not connection.notifies:
                continue
        heard = time.monotonic()
        connection.poll()
        notices = [Notification(each.channel, _content(each.payload), each.pid) for each in connection.notifies]
        connection.notifies.clear()
        if notices:
            notify(notices)


def _content(payload: str) -> Mapping[str, object]:
    """Return the content of a notification; {} if it can't be parsed, since anybody may send one."""
    try:
        content = json.loads(payload) if payload else {}
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
