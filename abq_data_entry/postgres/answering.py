"""Nothing in this package waits for ever: statements and client programs end when the server has stopped answering.

`waits` says how. This module imports psycopg2 at its top, so others import it only where they need it.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2
from psycopg2.extensions import connection as _Connection
from psycopg2.extensions import cursor as _Cursor

from .. import waits
from .errors import NoAnswer


class Connection(_Connection):
    """A connection that is closed when the server stops answering: its statements then raise `NoAnswer`.

    Call `watch` before the first statement.
    """

    def watch(self, keywords: Mapping[str, str]) -> None:
        """Start watching the server; `keywords` are the libpq keywords that the connection was opened with."""
        self._waits = waits.Waits(keywords, waits.LONG_WORK)
        self._keywords = dict(keywords)
        self._cancelling = 0.0
        self.cursor_factory = Cursor

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Raise `NoAnswer` if the server stops answering while the block runs."""
        with self._waits.watched(self, waits.UNLIMITED) as wait:
            try:
                yield
            except psycopg2.Error as error:
                if wait.ended:
                    raise NoAnswer(self._keywords.get("host", ""), wait.ended) from error
                raise

    def cancel(self) -> None:
        """Cancel the running statement, from another thread. If that takes too long too, the socket is closed."""
        # PQcancel would wait for the server without a limit, and psycopg2 would hold the GIL meanwhile.
        begun = self._cancelling = self._cancelling or time.monotonic()
        with suppress(psycopg2.Error, OSError):  # closed by now
            server = waits.endpoint_at(self._keywords, waits.place_of(self))
            # A pooler makes up this PID: then only closing the socket, after a while, ends the statement.
            statement = f"SELECT pg_cancel_backend({self.info.backend_pid})"
            late = time.monotonic() - begun > waits.ANSWER_WITHIN
            if late or not waits.answers(server, waits.ANSWER_WITHIN, statement):
                waits.close_socket(self)


class Cursor(_Cursor):
    """A cursor of a `Connection`."""

    def execute(self, *statement: Any) -> None:
        """Execute a statement with its parameters. Raises `psycopg2.Error`, and `NoAnswer`."""
        assert isinstance(self.connection, Connection)
        with self.connection.answering():
            super().execute(*statement)


@contextmanager
def watch_for_silence(endpoint: Mapping[str, str]) -> Iterator[threading.Event]:
    """Ask the server again and again while the block runs; the event is set once it doesn't answer."""
    over, silent = threading.Event(), threading.Event()

    def ask() -> None:
        while not over.wait(waits.PROBE_AFTER):
            if not waits.answers(endpoint, waits.LONG_WORK):
                silent.set()
                return

    asking = threading.Thread(target=ask, name="asking", daemon=True)
    asking.start()
    try:
        yield silent
    finally:
        over.set()
        asking.join(1)  # otherwise its connection would be counted as another user of the database
