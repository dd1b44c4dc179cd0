"""Hearing, on a thread and a connection of its own, what others save and who is entering what."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn

from abq_data_entry.models import presence
from abq_data_entry.models.presence import PRESENCE_CHANNEL, RECORDS_CHANNEL, Presence, RecordSaved

log = logging.getLogger(__name__)

LEASE_SECONDS = 5.0  # how long somebody whose computer died is still shown
QUIET_SECONDS = 30.0  # how often a connection on which nothing is heard is tried
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)  # before each attempt to come back; the last one for ever


class WatchCallbacks(NamedTuple):
    """What is heard; all are called on the watcher's thread and must return at once.

    `saved`: others saved a record; `places`: technicians, labs or plots changed; `present`: these others are entering
    checks now; `listening`: from here on nothing is missed, but before (at the beginning, and after a lost connection)
    something may have been.
    """

    saved: Callable[[RecordSaved], object]
    places: Callable[[], object]
    present: Callable[[tuple[Presence, ...]], object]
    listening: Callable[[], object]


class Watcher:
    """Listens until `end`; a lost connection is made anew. `endpoint` holds libpq's keywords.

    `is_own(process)` tells whether a server process is one of this window's: what those save isn't news.
    """

    def __init__(
        self, endpoint: Mapping[str, str], callbacks: WatchCallbacks, is_own: Callable[[int], bool] = lambda _: False
    ) -> None:
        self._endpoint, self._callbacks, self._is_own = dict(endpoint), callbacks, is_own
        self._shown: tuple[Presence, ...] = ()
        self._held: Presence | None = None
        self._told: Presence | None = None
        self._ended = False
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="watching", daemon=True)
        self._thread.start()

    def hold(self, presence: Presence | None) -> None:
        """Tell the others what is being entered here, `None` for nothing; returns at once."""
        self._held = presence
        self._wake_up()

    def end(self, seconds: float = 5.0) -> None:
        """Leave, and close the connection; waits for that, not longer than `seconds`."""
        self._ended = True
        self._wake_up()
        self._thread.join(seconds)

    def _wake_up(self) -> None:
        with contextlib.suppress(OSError):
            self._wake.send(b"x")

    # -- on the watcher's thread ------------------------------------------------------------------------

    def _run(self) -> None:
        attempts = 0
        while not self._ended:
            try:
                connection = psycopg2.connect(make_dsn(**self._endpoint))
                try:
                    self._begin(connection)
                    attempts = 0
                    self._listen(connection)
                finally:
                    connection.close()
            except (psycopg2.Error, OSError) as error:
                log.info("not listening: %s", type(error).__name__)
            self._told = None
            self._show(())
            if not self._ended:
                self._wait(PAUSES[min(attempts, len(PAUSES) - 1)])
                attempts += 1
        self._wake.close()
        self._woken.close()

    def _begin(self, connection: Connection) -> None:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {RECORDS_CHANNEL}; LISTEN {PRESENCE_CHANNEL}")
            # Whoever only reads holds nothing.
            with contextlib.suppress(psycopg2.errors.InsufficientPrivilege):
                presence.take_lease(cursor)
        self._callbacks.listening()

    def _listen(self, connection: Connection) -> None:
        looked = 0.0  # the first look is due at once
        while not self._ended:
            self._tell(connection, self._held)
            due = looked + (LEASE_SECONDS if self._shown else QUIET_SECONDS) - time.monotonic()
            if self._hear(connection) or due <= 0:
                self._look(connection)
                looked = time.monotonic()
                continue  # what came meanwhile has been read from the socket already
            select.select([connection.fileno(), self._woken.fileno()], [], [], due)
            self._drain()
            connection.poll()
        self._tell(connection, None)

    def _hear(self, connection: Connection) -> bool:
        """Hand on what was heard; tell whether somebody came, moved on or left."""
        moved = False
        while connection.notifies:
            notice = connection.notifies.pop(0)
            if notice.channel == PRESENCE_CHANNEL:
                moved = moved or notice.pid != connection.info.backend_pid
            elif not self._is_own(notice.pid):
                self._hear_record(notice.payload)
        return moved

    def _hear_record(self, payload: str) -> None:
        try:
            saved = presence.read_saved(payload)
        except ValueError:
            log.warning("a notification on %s makes no sense", RECORDS_CHANNEL)
            return
        if saved is None:
            self._callbacks.places()
        else:
            self._callbacks.saved(saved)

    def _tell(self, connection: Connection, held: Presence | None) -> None:
        if held == self._told:
            return
        with connection.cursor() as cursor, contextlib.suppress(psycopg2.errors.InsufficientPrivilege):
            presence.hold(cursor, held)
        self._told = held

    def _look(self, connection: Connection) -> None:
        with connection.cursor() as cursor:
            self._show(presence.read_others(cursor))

    def _show(self, others: tuple[Presence, ...]) -> None:
        if others != self._shown:
            self._shown = others
            self._callbacks.present(others)

    def _wait(self, seconds: float) -> None:
        select.select([self._woken], [], [], seconds)
        self._drain()

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(64):
                pass
