"""No statement waits for ever: another thread closes the connection when the server has stopped answering.

TCP keepalives don't notice a server whose processes are stopped, since its kernel still answers them. So after some
seconds without a reply, the server is probed on a second connection. If it doesn't answer there either, the socket is
closed, which ends the wait. The same happens when a wait exceeds its time limit.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, make_dsn
from psycopg2.extensions import connection as Connection

SAVE, PAGE, WRITE = 10.0, 30.0, 60.0
"""Time limits in seconds: for a save, for a page of records or one value, and for any other change."""
UNLIMITED = None
"""No time limit, such as for a count, as long as the server answers probes."""

NO_ANSWER = "the server doesn't answer"
PROBE_AFTER = 2.5  # seconds without a reply until the server is probed, and between probes
ANSWER_WITHIN = 2.5  # seconds in which it has to answer a probe
LONG_WORK = 10.0
"""Seconds to answer a probe during a backup, a restore or a move, which may represent hours of work."""
_LOOK = 0.1
_IDLE = 5.0  # seconds without waits until the watching thread ends

log = logging.getLogger(__name__)


Place = tuple[str, str, str]
"""Where a server is: libpq's host, hostaddr ('' for a socket of this machine) and port."""


@dataclass(eq=False)
class Wait:
    """One wait for the server, for at most `limit` seconds. `ended`: why we ended it, or ''."""

    connection: Connection
    limit: float | None
    since: float = field(default_factory=time.monotonic)
    heard: float = field(default_factory=time.monotonic)
    ended: str = ""

    def progressed(self) -> None:
        """Note that the server has sent data."""
        self.heard = time.monotonic()

    @property
    def place(self) -> Place:
        """The server that is waited for."""
        return place_of(self.connection)


class Waits:
    """The waits of all connections to one database, watched by one thread."""

    def __init__(self, endpoint: Mapping[str, str], patience: float = ANSWER_WITHIN) -> None:
        """`patience`: seconds in which the server has to answer a probe."""
        self._endpoint = dict(endpoint)
        self._patience = patience
        self._waits: set[Wait] = set()
        self._asking: set[Place] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watched(self, connection: Connection, limit: float | None) -> Iterator[Wait]:
        """While the block runs, close the connection when the server doesn't answer, or after `limit` seconds."""
        wait = Wait(connection, limit)
        with self._changed:
            self._waits.add(wait)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="waits", daemon=True)
                self._thread.start()
            elif len(self._waits) == 1:
                self._changed.notify()
        try:
            yield wait
        finally:
            with self._changed:
                self._waits.discard(wait)

    def _watch(self) -> None:
        while True:
            with self._changed:
                if not self._waits and not self._changed.wait_for(self._waits.__len__, _IDLE):
                    self._thread = None
                    return
            time.sleep(_LOOK)  # most waits are over by then
            with self._changed:
                if self._waits:
                    self._look_at_all()

    def _look_at_all(self) -> None:
        # A function of its own, so that no variable of the thread keeps an unused connection alive.
        now = time.monotonic()
        for wait in tuple(self._waits):
            if wait.ended:
                continue
            if wait.limit is not None and now - wait.since > wait.limit:
                self._end(wait, f"it took longer than {wait.limit:g} s")
            elif now - wait.heard > PROBE_AFTER:
                self._probe_soon(wait)

    def _probe_soon(self, wait: Wait) -> None:
        with suppress(psycopg2.Error, OSError):  # closed by now
            place = wait.place
            if place not in self._asking:
                self._asking.add(place)
                threading.Thread(target=self._probe, args=(place,), name="asking", daemon=True).start()

    def _probe(self, place: Place) -> None:
        asked = time.monotonic()
        there = answers(endpoint_at(self._endpoint, place), self._patience)
        with self._changed:
            self._asking.discard(place)
            for wait in tuple(self._waits):
                with suppress(psycopg2.Error, OSError):
                    if wait.heard > asked - PROBE_AFTER or wait.place != place:
                        continue
                    if there:
                        wait.progressed()
                    else:
                        self._end(wait, NO_ANSWER)

    def _end(self, wait: Wait, why: str) -> None:
        log.warning("a wait for the database was ended: %s", why)
        wait.ended = why
        close_socket(wait.connection)


def close_socket(connection: Connection) -> None:
    """Shut down the socket of a connection, from any thread; whoever waits for it gets an error."""
    with suppress(psycopg2.Error, OSError):
        twin = socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        try:
            twin.shutdown(socket.SHUT_RDWR)
        finally:
            twin.close()


def place_of(connection: Connection) -> Place:
    """Return the place of an open connection's server. Raises `psycopg2.Error` if it is closed by now."""
    with socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as twin:
        peer = twin.getpeername()
    # With the address, libpq needn't resolve the name, which would block all threads.
    address = str(peer[0]) if isinstance(peer, tuple) else ""
    return connection.info.host, address, str(connection.info.port)


def endpoint_at(endpoint: Mapping[str, str], place: Place) -> dict[str, str]:
    """Return the endpoint of one server, among those of `endpoint`."""
    host, address, port = place
    there = {**endpoint, "host": host, "hostaddr": address, "port": port, "target_session_attrs": "any"}
    return {key: value for key, value in there.items() if value}


def answers(endpoint: Mapping[str, str], seconds: float, statement: str = "SELECT 1") -> bool:
    """Return whether the server answers a statement on a new connection within `seconds`.

    Refusing the connection with an error, such as for too many connections, is an answer, too.
    """
    deadline = time.monotonic() + seconds
    connection: Connection | None = None
    try:
        connection = psycopg2.connect(make_dsn(**endpoint), async_=True)
        if not _ready(connection, deadline):
            return False
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return _ready(connection, deadline)
    except psycopg2.Error as error:
        return "FATAL" in str(error) or error.pgcode is not None
    except (OSError, ValueError):
        return False
    finally:
        if connection is not None:
            connection.close()


def _ready(connection: Connection, deadline: float) -> bool:
    while (state := connection.poll()) != POLL_OK:
        ends = ([connection], []) if state == POLL_READ else ([], [connection])
        left = deadline - time.monotonic()
        if left <= 0 or select.select(*ends, [], left) == ([], [], []):
            return False
    return True
