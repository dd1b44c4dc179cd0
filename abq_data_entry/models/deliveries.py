"""What the database keeps of deliveries: one row each, written again with every change, never twice."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.models.records import ExtractDay, OutdatedDelivery, SentExtract

_COLUMNS = (
    "id", "created", "date", "file_name", "version", "destination", "address", "username", "size", "sha256", "state",
    "attempts", "last_attempt", "delivered", "reason", "revision", "audit_head",
)  # fmt: skip
_RECORD = "SELECT record_deliveries(%s)"


def record(cursor: Cursor, rows: Iterable[Mapping[str, object]]) -> None:
    """Write deliveries; the same one again, or an older state of it, changes nothing."""
    told = [{name: _storable(row[name]) for name in _COLUMNS} for row in rows]
    cursor.execute(_RECORD, [json.dumps(told, default=str)])


def latest_version(cursor: Cursor, date: datetime.date, file_name: str, destination: str) -> int:
    """Return the highest version of a file for a destination, 0 if there is none."""
    cursor.execute(
        "SELECT coalesce(max(version), 0) FROM deliveries"
        " WHERE file_name = %s AND destination = %s AND date = %s",
        (file_name, destination, date),
    )
    ((version,),) = cursor.fetchall()
    return int(version)


def extract_days(cursor: Cursor, dates: Iterable[datetime.date]) -> list[ExtractDay]:
    """Return what went out of each of these days, the earliest first; days without records too."""
    wanted = sorted(set(dates))
    cursor.execute("SELECT date, count(*) FROM plot_checks WHERE date = ANY (%s) GROUP BY date", (wanted,))
    counts = dict(cursor.fetchall())
    cursor.execute("SELECT DISTINCT destination FROM deliveries WHERE created > now() - interval '1 month'")
    used = tuple(sorted(row[0] for row in cursor.fetchall()))
    cursor.execute(
        "SELECT date, destination, version, state, delivered, outdated IS NOT NULL FROM deliveries"
        " WHERE date = ANY (%s) AND state IN ('waiting', 'sending', 'delivered') ORDER BY version, created",
        (wanted,),
    )
    sent: dict[datetime.date, dict[str, SentExtract]] = {}
    for date, destination, version, state, delivered, outdated in cursor.fetchall():
        before = sent.setdefault(date, {}).get(destination, SentExtract())
        found = SentExtract(delivered, outdated, version) if state == "delivered" else replace(before, waits=True)
        sent[date][destination] = found
    return [ExtractDay(date, counts.get(date, 0), sent.get(date, {}), used) for date in wanted]


_OUTDATED = """
    SELECT id::text, date, destination, outdated
    FROM (
        SELECT DISTINCT ON (date, file_name, destination) id, date, destination, outdated, state FROM deliveries
        WHERE state <> 'cancelled' ORDER BY date, file_name, destination, version DESC, created DESC
    ) AS newest
    WHERE outdated IS NOT NULL AND state = 'delivered'
    ORDER BY outdated DESC LIMIT 200
"""


def outdated(cursor: Cursor) -> list[OutdatedDelivery]:
    """Return the extracts that arrived, are the newest of their day there, and no longer agree with the records."""
    cursor.execute(_OUTDATED)
    return [OutdatedDelivery(identifier.replace("-", ""), *rest) for identifier, *rest in cursor.fetchall()]


def _storable(value: object) -> object:
    """A text without the characters that PostgreSQL can't keep."""
    return value.replace("\0", "").encode("utf-8", "replace").decode() if isinstance(value, str) else value
