"""Who is entering which check: rows that count while the session of their writer holds a lock (see create_db.sql)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.models.records import Presence

_CHECK = "%(word)s, %(Date)s, %(Time)s, %(Lab)s"
_SOON = "SET LOCAL synchronous_commit = off;"  # nobody misses it after a power cut
_ENTER = f"{_SOON} SELECT enter_check({_CHECK}, %(plot)s, %(who)s, %(workstation)s)"
_CLAIM = f"{_SOON} SELECT claim_plot({_CHECK}, %(plot)s, %(who)s, %(workstation)s)"
_CLAIM_NEXT = f"{_SOON} SELECT claim_next_plot({_CHECK}, %(plots)s)"
_LEAVE = f"{_SOON} SELECT leave_check(%(word)s)"
_PRESENT = """
    SELECT date, to_char(time, 'FMHH24:MI'), lab_id, plot, coalesce(application_user, ''), coalesce(workstation, ''),
        since, lease
    FROM check_presence_view WHERE date = %(Date)s AND time = %(Time)s AND lab_id = %(Lab)s ORDER BY since, lease
"""
_WORDS = 3  # those of the connections before the last one, which may have been lost in the middle of a change


def _lease(word: str) -> int:
    """The number by which the table knows the window: presence_lease in create_db.sql."""
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big", signed=True)


class PresenceKeeper:
    """The presence of one window: the word that only it knows, a new one for each connection that holds it."""

    def __init__(self) -> None:
        self._words: tuple[str, ...] = ()
        self._backend: int | None = None
        self._is_there = False

    @property
    def process(self) -> int | None:
        """The server process whose session tells where this window is; `None` where it is nowhere."""
        return self._backend if self._is_there else None

    def hold(self, cursor: Cursor, key: Mapping[str, object], plot: int | None, who: str, workstation: str) -> None:
        """Say where this window is."""
        self._tell(cursor, _ENTER, {**key, "plot": plot, "who": who, "workstation": workstation})

    def claim(self, cursor: Cursor, key: Mapping[str, object], plot: int, who: str, workstation: str) -> bool:
        """Say that this window is at that plot, unless somebody else is; then at none of the check, and `False`."""
        self._tell(cursor, _CLAIM, {**key, "plot": plot, "who": who, "workstation": workstation})
        return bool(cursor.fetchall()[0][0])

    def claim_next(self, cursor: Cursor, key: Mapping[str, object], plots: Sequence[int]) -> int | None:
        """Return the first of `plots` that nobody has recorded or open, and say that this window goes there.

        On any connection, where `hold` has told that this window is at the check.
        """
        cursor.execute(_CLAIM_NEXT, {**key, "plots": list(plots), "word": self._words[-1] if self._words else ""})
        plot: int | None = cursor.fetchall()[0][0]
        return plot

    def leave(self, cursor: Cursor) -> None:
        """Say that this window is nowhere."""
        self._is_there = False
        for word in self._words:
            cursor.execute(_LEAVE, {"word": word})

    def _tell(self, cursor: Cursor, statement: str, values: Mapping[str, object]) -> None:
        backend = cursor.connection.get_backend_pid()
        if self._backend != backend:
            self.leave(cursor)  # the server may not know yet that those connections were lost
            self._words = (*self._words[1 - _WORDS :], secrets.token_hex(16))
        cursor.execute(statement, {**values, "word": self._words[-1]})
        self._backend, self._is_there = backend, True

    def present(self, cursor: Cursor, key: Mapping[str, object]) -> list[Presence]:
        """Return who is at that check."""
        cursor.execute(_PRESENT, key)
        own = {_lease(word) for word in self._words}
        return [
            Presence(date, time, lab, plot, who, workstation, since, lease in own)
            for date, time, lab, plot, who, workstation, since, lease in cursor.fetchall()
        ]
