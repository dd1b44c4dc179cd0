"""The way to the server itself, past a pooler that lends its sessions for a transaction at a time.

pg_dump, pg_restore and psql set up their sessions, an empty search path for one: through such a pooler the next one to
be lent that session would have it, and they would get somebody else's.
"""

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from .connections import connect
from .endpoints import notifying
from .errors import PostgresError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

_TRIES = 5
_ADVICE = (
    "A connection pooler stands before the database and lends its sessions for a transaction at a time: a backup or a"
    " restore needs the server itself. An administrator can name it in the settings db_notify_host and db_notify_port."
)


def past_pooler(endpoint: Mapping[str, str], settings: Mapping[str, object]) -> dict[str, str]:
    """The endpoint for a backup or a restore: the same one, or where a pooler lends its sessions for a transaction at a
    time, the server that `db_notify_host` names, with the same login.

    Raises PostgresError where that isn't set, or can't be reached.
    """
    if endpoint.get("host", "/").startswith("/") or not _lends_for_transactions(endpoint):
        return dict(endpoint)
    there = notifying(settings)
    if not there:
        raise PostgresError(_ADVICE)
    login = {key: endpoint[key] for key in ("user", "password", "passfile") if key in endpoint}
    direct = {**there, "dbname": endpoint["dbname"], **login}
    if _lends_for_transactions(direct):
        raise PostgresError(f"{_ADVICE} What they name now is a pooler too.")
    return direct


def _lends_for_transactions(endpoint: Mapping[str, str]) -> bool:
    """Whether a session that one connection has used goes to the next one that asks, though the first is still open."""
    with closing(connect(endpoint)) as first:
        if _process(first) == first.info.backend_pid:  # a server tells its own number, a pooler one that it made up
            return False
        with closing(connect(endpoint)) as second:
            return any(_process(first) == _process(second) for _ in range(_TRIES))


def _process(connection: "Connection") -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchall()[0][0])
