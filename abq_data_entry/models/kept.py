"""What is kept for QA's views, brought up to now so that they answer at once; for a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.models.connections import Connections
from abq_data_entry.waits import UNLIMITED

_LOOK = 0.1  # seconds
_READS = "SELECT has_table_privilege('kept_until', 'SELECT')"
# One message, with a transaction of its own: whoever lends the session, it ends with it.
_REFRESH = "BEGIN; SET LOCAL statement_timeout = 0; SELECT qa_refresh(); COMMIT"


def refresh(connections: Connections, cancel: threading.Event) -> bool:
    """Keep up to now what the slow views found; as long as it takes, until `cancel` is set.

    False if this login doesn't read the records. Done again, or by two at once, it does no harm. Raises
    `QueryCancelled`, and other kinds of `DatabaseError`.
    """

    def run(cursor: Cursor) -> bool:
        cursor.execute(_READS)
        if cancel.is_set() or cursor.fetchone() != (True,):
            return False
        try:
            cursor.execute(_REFRESH)
        finally:
            if not cursor.connection.closed:
                cursor.execute("ROLLBACK")  # what failed; after a commit it does nothing
        return True

    with _cancelled_by(connections, cancel):
        return connections.read(run, UNLIMITED)


@contextmanager
def _cancelled_by(connections: Connections, cancel: threading.Event) -> Iterator[None]:
    """Within the block the event cancels what this thread reads."""
    ident, over = threading.get_ident(), threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK):
            if cancel.is_set():
                connections.cancel(ident)  # again and again: the statement may not have begun yet

    watcher = threading.Thread(target=watch, name="cancels the refresh", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()  # else its last one might meet the next statement of this thread
