"""Who is entering which check: rows that count while the session of their writer holds a lock (see create_db.sql)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.models.records import Presence

_HOLD = """
    INSERT INTO check_presence (lease, date, time, lab_id, plot, application_user, workstation)
    VALUES (%(lease)s, %(Date)s, %(Time)s, %(Lab)s, %(plot)s, %(who)s, %(workstation)s)
    ON CONFLICT (lease) DO UPDATE SET date = EXCLUDED.date, time = EXCLUDED.time, lab_id = EXCLUDED.lab_id,
        plot = EXCLUDED.plot, application_user = EXCLUDED.application_user,
        since = CASE WHEN (check_presence.date, check_presence.time, check_presence.lab_id)
            = (EXCLUDED.date, EXCLUDED.time, EXCLUDED.lab_id) THEN check_presence.since ELSE now() END
"""
_FORGET_THE_GONE = """
    DELETE FROM check_presence WHERE since < now() - interval '1 day'
        AND lease NOT IN (SELECT lease FROM check_presence_view)
"""
_PRESENT = """
    SELECT date, to_char(time, 'FMHH24:MI'), lab_id, plot, coalesce(application_user, ''), coalesce(workstation, ''),
        since, lease
    FROM check_presence_view WHERE date = %(Date)s AND time = %(Time)s AND lab_id = %(Lab)s ORDER BY since, lease
"""


class PresenceKeeper:
    """The presence of one window: its lease, and the connection that holds it."""

    def __init__(self) -> None:
        self._lease = secrets.randbits(62) + 1
        self._backend: int | None = None

    def hold(self, cursor: Cursor, key: Mapping[str, object], plot: int | None, who: str, workstation: str) -> None:
        """Say where this window is; the lock is taken once a connection."""
        cursor.execute("SET LOCAL synchronous_commit = off")  # nobody misses it after a power cut
        backend = cursor.connection.get_backend_pid()
        if self._backend != backend:
            cursor.execute("SELECT pg_advisory_lock(%s)", [self._lease])
            cursor.execute(_FORGET_THE_GONE)
            self._backend = backend
        cursor.execute(_HOLD, {**key, "plot": plot, "who": who, "workstation": workstation, "lease": self._lease})

    def leave(self, cursor: Cursor) -> None:
        """Say that this window is nowhere."""
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute("DELETE FROM check_presence WHERE lease = %s", [self._lease])

    def present(self, cursor: Cursor, key: Mapping[str, object]) -> list[Presence]:
        """Return who is at that check."""
        cursor.execute(_PRESENT, key)
        return [
            Presence(date, time, lab, plot, who, workstation, since, lease == self._lease)
            for date, time, lab, plot, who, workstation, since, lease in cursor.fetchall()
        ]
