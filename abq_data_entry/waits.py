"""No statement waits for ever: its connection is ended from another thread when the server has stopped answering.

Keepalives don't notice a server whose processes are stopped: the kernel still answers them. So after some seconds
without an answer, the server is asked for a sign of life on a second connection. If it doesn't answer there either, the
socket is closed, which ends the wait. The same happens when a wait takes longer than its kind may.
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
"""The longest that a save, a page of records or one value, and any other change may take, in seconds."""
UNLIMITED = None
"""For what takes as long as it takes, a count say, while the server goes on answering."""

NO_ANSWER = "the server doesn't answer"
ASK_AFTER = 2.5  # seconds without an answer, until the server is asked whether it is there; and again
ANSWER_WITHIN = 2.5  # seconds that it has for that
LONG_WORK = 10.0
"""The seconds that it has where hours of work would be lost: a backup, a restore, a move."""
_LOOK = 0.1
_IDLE = 5.0  # seconds without anything to watch, until the thread ends

log = logging.getLogger(__name__)


Place = tuple[str, str, str]
"""Where a server is: libpq's host, hostaddr ('' for a socket of this machine) and port."""


@dataclass(eq=False)
class Wait:
    """One wait for the server, `limit` seconds at most. `ended`: '' while it lasts or when it ended by itself; else why
    we ended it."""

    connection: Connection
    limit: float | None
    since: float = field(default_factory=time.monotonic)
    heard: float = field(default_factory=time.monotonic)
    ended: str = ""

    def progressed(self) -> None:
        """Something came from the server."""
        self.heard = time.monotonic()

    @property
    def place(self) -> Place:
        """The server that is waited for."""
        return place_of(self.connection)


class Waits:
    """The waits of all connections to one database, watched by one thread while there are any."""

    def __init__(self, endpoint: Mapping[str, str], patience: float = ANSWER_WITHIN) -> None:
        """`patience`: seconds that the server has to answer when it is asked for a sign of life."""
        self._endpoint = dict(endpoint)
        self._patience = patience
        self._waits: set[Wait] = set()
        self._asking: set[Place] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watched(self, connection: Connection, limit: float | None) -> Iterator[Wait]:
        """Within the block the connection is ended when the server doesn't answer, or after `limit` seconds."""
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
        # Of its own, so that no variable of the thread keeps a connection open that nobody uses any more.
        now = time.monotonic()
        for wait in tuple(self._waits):
            if wait.ended:
                continue
            if wait.limit is not None and now - wait.since > wait.limit:
                self._end(wait, f"it took longer than {wait.limit:g} s")
            elif now - wait.heard > ASK_AFTER:
                self._ask_soon(wait)

    def _ask_soon(self, wait: Wait) -> None:
        with suppress(psycopg2.Error, OSError):  # closed by now
            place = wait.place
            if place not in self._asking:
                self._asking.add(place)
                threading.Thread(target=self._ask, args=(place,), name="asking", daemon=True).start()

    def _ask(self, place: Place) -> None:
        asked = time.monotonic()
        there = answers(endpoint_at(self._endpoint, place), self._patience)
        with self._changed:
            self._asking.discard(place)
            for wait in tuple(self._waits):
                with suppress(psycopg2.Error, OSError):
                    if wait.heard > asked - ASK_AFTER or wait.place != place:
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
    """Close the socket of a connection, from any thread: who waits at it gets an error."""
    with suppress(psycopg2.Error, OSError):
        twin = socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        try:
            twin.shutdown(socket.SHUT_RDWR)
        finally:
            twin.close()


def place_of(connection: Connection) -> Place:
    """Return where the server of an open connection is. Raises `psycopg2.Error` when it is closed by now."""
    with socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as twin:
        peer = twin.getpeername()
    # With its address nobody has to ask for the name, which libpq would do while nothing else can run.
    address = str(peer[0]) if isinstance(peer, tuple) else ""
    return connection.info.host, address, str(connection.info.port)


def endpoint_at(endpoint: Mapping[str, str], place: Place) -> dict[str, str]:
    """Return the endpoint of that one server among those of an endpoint."""
    host, address, port = place
    there = {**endpoint, "host": host, "hostaddr": address, "port": port, "target_session_attrs": "any"}
    return {key: value for key, value in there.items() if value}


def answers(endpoint: Mapping[str, str], seconds: float, statement: str = "SELECT 1") -> bool:
    """Tell whether the server answers a statement on a connection of its own within `seconds`.

    One that refuses the connection in words, because it has too many say, answers too.
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
