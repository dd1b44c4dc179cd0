"""Who is entering which check, and what was just saved: as the database tells its windows by NOTIFY.

A row of `check_presence` counts while the connection that wrote it holds the advisory lock of its number. So a lease
ends with its connection, however that ends.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.constants import CHECK_TIMES
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.fields import field, format_value

RECORDS_CHANNEL = "abq_records"
PRESENCE_CHANNEL = "abq_presence"
_LEASE_CLASS = 0x61627170  # the upper half of a lease; the lower one is the number of the server process
_LONGEST_NAME = 120
_MOST = 200

_LEASE = f"({_LEASE_CLASS}::bigint << 32) | pg_backend_pid()"
_HOLD = f"""
    INSERT INTO check_presence (lease, date, time, lab_id, plot, application_user, workstation)
    VALUES ({_LEASE}, %(date)s, %(time)s, %(lab)s, %(plot)s, %(name)s, %(workstation)s)
    ON CONFLICT (lease) DO UPDATE SET date = EXCLUDED.date, time = EXCLUDED.time, lab_id = EXCLUDED.lab_id,
        plot = EXCLUDED.plot, application_user = EXCLUDED.application_user, workstation = EXCLUDED.workstation
"""
_LEAVE = f"DELETE FROM check_presence WHERE lease = {_LEASE}"
_TIDY = "DELETE FROM check_presence WHERE lease NOT IN (SELECT lease FROM check_presence_view)"
_OTHERS = f"""
    SELECT date, time, lab_id::text, plot, application_user, workstation FROM check_presence_view
    WHERE lease <> {_LEASE} ORDER BY since, lease LIMIT {_MOST}
"""


@dataclass(frozen=True)
class Presence:
    """Somebody who is entering a check: its date, time and lab, the plot (`None`: at none), the person, the place."""

    date: datetime.date
    time: str
    lab: str
    plot: int | None
    name: str
    workstation: str = ""


@dataclass(frozen=True)
class RecordSaved:
    """Somebody else saved a record; with `plot` `None`, changed a check. `operation` is insert, update or delete."""

    date: datetime.date
    time: str
    lab: str
    plot: int | None
    operation: str = ""

    @property
    def key(self) -> tuple[datetime.date, str, str, int | None]:
        """Date, time, lab and plot."""
        return self.date, self.time, self.lab, self.plot


def take_lease(cursor: Cursor) -> None:
    """Take the lock that makes a row of this connection count, and clear away the rows that nobody holds."""
    cursor.execute(f"SELECT pg_advisory_lock({_LEASE})")
    cursor.execute(_TIDY)


def hold(cursor: Cursor, presence: Presence | None) -> None:
    """Say what is being entered on this connection's workstation, `None` for nothing."""
    cursor.execute(_LEAVE if presence is None else _HOLD, None if presence is None else vars(presence))


def read_others(cursor: Cursor) -> tuple[Presence, ...]:
    """Return who else is entering a check now, the earliest first."""
    cursor.execute(_OTHERS)
    return tuple(
        Presence(date, _shown(time), lab, plot, name or "", workstation or "")
        for date, time, lab, plot, name, workstation in cursor.fetchall()
    )


def read_saved(payload: str) -> RecordSaved | None:
    """Return what the database told of a change, `None` if it was of technicians, labs or plots.

    Raises `ValueError` if it makes no sense.
    """
    told = json.loads(payload)
    if not isinstance(told, dict):
        raise ValueError("an object is expected")
    if told.get("table") not in ("plot_checks", "lab_checks"):
        return None
    plot, lab = told.get("plot"), told.get("lab_id")
    if not (plot is None or (type(plot) is int and 1 <= plot <= 20)) or not isinstance(lab, str) or len(lab) != 1:
        raise ValueError("not the key of a record")
    date = datetime.date.fromisoformat(str(told.get("date")))
    time = _shown(datetime.time.fromisoformat(str(told.get("time"))))
    if time not in CHECK_TIMES:
        raise ValueError("not the time of a check")
    return RecordSaved(date, time, lab, plot, str(told.get("operation") or "").lower()[:_LONGEST_NAME])


def _shown(time: datetime.time) -> str:
    return format_value(field(F.TIME), time)
