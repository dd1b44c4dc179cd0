"""What others change, as the server tells it: LISTEN on a connection of its own, for a worker thread.

Source: PostgreSQL manual, LISTEN and NOTIFY. The channels are those of create_db.sql.
"""

from __future__ import annotations

import json
import logging
import select
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn

RECORDS, PRESENCE = "abq_records", "abq_presence"
_LOOK = 0.2  # seconds between two looks whether to stop: so long the end of a window waits
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0  # seconds before the server is asked again

log = logging.getLogger(__name__)


class Notice(NamedTuple):
    """Something has changed: the channel, and for records `content` with the table, the operation and the key.

    `process` is the server process that changed it, see `SQLModel.owns`.
    `channel` is '' when notices may have been missed (it is only now that they are heard, at the beginning and after a
    lost connection): look at everything.
    """

    channel: str
    content: Mapping[str, object]
    process: int = 0


def watch(
    endpoint: Mapping[str, str], told: Callable[[list[Notice]], object], stop: threading.Event
) -> None:
    """Call `told` with what has changed, several notices at once where they come together, until `stop` is set.

    A lost connection is opened again, with growing pauses, for as long as it takes. Raises nothing of the database's.
    """
    pause = _SHORTEST_PAUSE
    while not stop.is_set():
        try:
            connection = psycopg2.connect(make_dsn(**endpoint))
        except psycopg2.Error:
            stop.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            continue
        pause = _SHORTEST_PAUSE
        try:
            _listen(connection, told, stop)
        except (psycopg2.Error, OSError, ValueError) as error:
            log.info("the connection that listens was lost: %s", type(error).__name__)
            stop.wait(pause)
        finally:
            connection.close()


def _listen(connection: Connection, told: Callable[[list[Notice]], object], stop: threading.Event) -> None:
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {RECORDS}; LISTEN {PRESENCE}")
    told([Notice("", {})])
    while not stop.is_set():
        if select.select([connection], [], [], _LOOK) == ([], [], []):
            continue
        connection.poll()
        notices = [Notice(each.channel, _content(each.payload), each.pid) for each in connection.notifies]
        connection.notifies.clear()
        if notices:
            told(notices)


def _content(payload: str) -> Mapping[str, object]:
    """Return the content of a notice; anybody may send one, so what can't be read is nothing."""
    try:
        content = json.loads(payload) if payload else {}
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
