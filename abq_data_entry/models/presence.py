"""Who is entering which check: rows that count while the session of their writer holds a lock (see create_db.sql)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

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
# Whoever claims a plot of a check waits for the one who does so at the moment, and then sees that claim.
_IN_TURN = """
    SET LOCAL synchronous_commit = off;
    SELECT pg_advisory_xact_lock(hashtext('a plot of a check'),
        hashtext(concat_ws(' ', %(Date)s::date, %(Time)s::time, %(Lab)s::text)));
"""
_TAKEN = """
    SELECT EXISTS (
        SELECT FROM check_presence_view WHERE date = %(Date)s AND time = %(Time)s AND lab_id = %(Lab)s
            AND plot = %(plot)s AND lease <> %(lease)s
    )
"""
_NEXT = """
    WITH free AS (
        SELECT wanted.plot FROM unnest(%(plots)s::int[]) WITH ORDINALITY AS wanted(plot, place)
        WHERE NOT EXISTS (
            SELECT FROM check_presence_view AS p WHERE p.date = %(Date)s AND p.time = %(Time)s AND p.lab_id = %(Lab)s
                AND p.plot = wanted.plot AND p.lease <> %(lease)s
        ) AND NOT EXISTS (
            SELECT FROM plot_checks AS r WHERE r.date = %(Date)s AND r.time = %(Time)s AND r.lab_id = %(Lab)s
                AND r.plot = wanted.plot
        )
        ORDER BY wanted.place LIMIT 1
    ), told AS (
        UPDATE check_presence SET plot = (SELECT plot FROM free)
        WHERE lease = %(lease)s AND date = %(Date)s AND time = %(Time)s AND lab_id = %(Lab)s
    )
    SELECT plot FROM free
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

    def claim(self, cursor: Cursor, key: Mapping[str, object], plot: int, who: str, workstation: str) -> bool:
        """Say that this window is at that plot, unless somebody else is; then at none of the check, and `False`."""
        values = {**key, "plot": plot, "lease": self._lease}
        cursor.execute(_IN_TURN + _TAKEN, values)
        is_taken = cursor.fetchall() == [(True,)]
        self.hold(cursor, key, None if is_taken else plot, who, workstation)
        return not is_taken

    def claim_next(self, cursor: Cursor, key: Mapping[str, object], plots: Sequence[int]) -> int | None:
        """Return the first of `plots` that nobody has recorded or open, and say that this window goes there.

        On any connection, where `hold` has told that this window is at the check.
        """
        cursor.execute(_IN_TURN + _NEXT, {**key, "plots": list(plots), "lease": self._lease})
        found = cursor.fetchall()
        return int(found[0][0]) if found else None

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
