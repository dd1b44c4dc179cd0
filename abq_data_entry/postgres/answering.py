"""Nothing in this package waits for ever: statements and client programs end when the server has stopped answering.

See `waits`. This one imports psycopg2, so it is imported where it is needed.
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
    """A connection that is ended when the server doesn't answer; `NoAnswer` is raised then. `watch` comes first."""

    def watch(self, keywords: Mapping[str, str]) -> None:
        """From now on; `keywords` are those that it was made with."""
        self._waits = waits.Waits(keywords, waits.LONG_WORK)
        self._keywords = dict(keywords)
        self._cancelling = 0.0
        self.cursor_factory = Cursor

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Within the block the server must answer."""
        with self._waits.watched(self, waits.UNLIMITED) as wait:
            try:
                yield
            except psycopg2.Error as error:
                if wait.ended:
                    raise NoAnswer(self._keywords.get("host", ""), wait.ended) from error
                raise

    def cancel(self) -> None:
        """Cancel the statement, from another thread. When that takes too long as well, the socket is closed."""
        # Not by libpq: it waits for the server without a limit, and psycopg2 holds the interpreter meanwhile.
        begun = self._cancelling = self._cancelling or time.monotonic()
        with suppress(psycopg2.Error, OSError):  # closed by now
            server = waits.endpoint_at(self._keywords, waits.place_of(self))
            statement = f"SELECT pg_cancel_backend({self.info.backend_pid})"  # behind a pooler another's: it stays
            late = time.monotonic() - begun > waits.ANSWER_WITHIN
            if late or not waits.answers(server, waits.ANSWER_WITHIN, statement):
                waits.close_socket(self)


class Cursor(_Cursor):
    """A cursor of such a connection."""

    def execute(self, *statement: Any) -> None:
        """As every cursor does. Raises `NoAnswer` too."""
        assert isinstance(self.connection, Connection)
        with self.connection.answering():
            super().execute(*statement)


@contextmanager
def watch_for_silence(endpoint: Mapping[str, str]) -> Iterator[threading.Event]:
    """Within the block the server is asked for a word again and again; the event is set when it hasn't answered."""
    over, silent = threading.Event(), threading.Event()

    def ask() -> None:
        while not over.wait(waits.ASK_AFTER):
            if not waits.answers(endpoint, waits.LONG_WORK):
                silent.set()
                return

    asking = threading.Thread(target=ask, name="asking", daemon=True)
    asking.start()
    try:
        yield silent
    finally:
        over.set()
        asking.join(1)  # else its connection would be taken for somebody who uses the database
