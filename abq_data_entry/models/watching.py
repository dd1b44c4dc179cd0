"""What others change, as the server tells it: LISTEN on a connection of its own, for a worker thread.

Source: PostgreSQL manual, LISTEN and NOTIFY. The channels are those of create_db.sql.
"""

from __future__ import annotations

import json
import logging
import select
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn

from abq_data_entry.models.session import is_pooled
from abq_data_entry.retrying import LISTENING, Retries
from abq_data_entry.waits import PAGE, Waits

RECORDS, PRESENCE, SCHEMA = "abq_records", "abq_presence", "abq_schema"
_LOOK = 0.2  # seconds between two looks whether to stop: so long the end of a window waits
_BEAT = 5.0  # seconds without a notice, until the server is asked for a word: one that is frozen tells nothing
_LASTING = 30.0  # seconds that a connection has held, so that the next loss of one is a first one
_POOLED_LOOK = 20.0  # seconds between two looks at everything where a pooler passes no notices on

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

    A lost connection is opened again, with growing pauses, for as long as it takes. Through a pooler nothing is heard:
    then `told` gets a notice to look at everything now and again. Raises nothing of the database's.
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
            _listen(connection, waits, told, stop)
        except (psycopg2.Error, OSError, ValueError) as error:
            log.info("the connection that listens was lost: %s", type(error).__name__)
            if time.monotonic() - begun > _LASTING:
                retries.succeeded()
            stop.wait(retries.failed())
        finally:
            connection.close()


def _listen(
    connection: Connection, waits: Waits, told: Callable[[list[Notice]], object], stop: threading.Event
) -> None:
    connection.autocommit = True
    with waits.watched(connection, PAGE):
        pooled = is_pooled(connection)
        if not pooled:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {RECORDS}; LISTEN {PRESENCE}; LISTEN {SCHEMA}")
    told([Notice("", {})])
    if pooled:
        log.warning("a pooler stands before the database: what others save is looked for, not heard")
        while not stop.wait(_POOLED_LOOK):
            told([Notice("", {})])
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
