"""Versions of a record and its history: which one stands there, who made it, and what each change was."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from psycopg2.extensions import cursor as Cursor

from abq_data_entry import fields
from abq_data_entry.constants import FieldNames
from abq_data_entry.models import statements
from abq_data_entry.models.connections import rows_as_dicts
from abq_data_entry.models.records import Change, VersionedRecord

Record = dict[str, object]
Row = Mapping[str, object]


def read(cursor: Cursor, key: Mapping[str, object]) -> VersionedRecord:
    """Return the record of that key with its version; version 0 when there is none."""
    cursor.execute(statements.GET_VERSIONED, key)
    found = rows_as_dicts(cursor)
    if not found:
        return VersionedRecord()
    row = found[0]
    moment = row["moment"]
    return VersionedRecord(
        record={name: row[name] for name in fields.CSV_HEADER},
        version=int(str(row["version"])),
        check_version=int(str(row["check_version"] or 0)),
        changed_by=str(row["changed_by"]),
        changed_at=moment,  # type: ignore[arg-type]
    )


def history(cursor: Cursor, key: Mapping[str, object]) -> list[Change]:
    """Return the changes of a record, the oldest first; a record from before the audit has none."""
    cursor.execute("SELECT id, name FROM lab_techs")
    technicians = dict(cursor.fetchall())
    cursor.execute(statements.GET_HISTORY, key)
    changes = []
    for _, entries in itertools.groupby(cursor.fetchall(), key=lambda entry: entry[6]):
        together = list(entries)  # a save may change a row twice, with its check first
        moment, operation, user, author, workstation, reason, _, old, _, there = together[0]
        new = together[-1][8]
        differences = _differences(old, new, technicians)
        elsewhere = _place(there) if there else ""
        changes.append(Change(moment, operation, user, author, workstation, reason, differences, elsewhere))
    return changes


def taken_away(cursor: Cursor, key: Mapping[str, object]) -> str:
    """Say who withdrew the record that stood there, or moved it where to; empty where nobody did so last."""
    cursor.execute(statements.GET_LAST_DELETION, key)
    found = cursor.fetchone()
    if found is None:
        return ""
    who, reason, date, time, lab, plot = found
    words = f"{who} withdrew it" if plot is None else f"{who} moved it to {date} {time}, lab {lab}, plot {plot}"
    return f"{words} ({reason})." if reason else f"{words}."


def _place(key: Mapping[str, object]) -> str:
    """A key of the audit, for people."""
    hour, minute = str(key["time"]).split(":")[:2]
    return f"{key['date']} {int(hour)}:{minute}, lab {key['lab_id']}, plot {key['plot']}"


def _differences(old: Row | None, new: Row | None, technicians: Mapping[int, str]) -> dict[str, tuple[str, str]]:
    before, after = (_texts(row, technicians) for row in (old, new))
    return {
        name: (before[name], after[name])
        for name in fields.CSV_HEADER
        if name not in fields.RECORD_KEY and before[name] != after[name]
    }


def _texts(row: Row | None, technicians: Mapping[int, str]) -> dict[str, str]:
    """Return the texts of a row of the audit by field name, as the form shows them."""
    return {each.name: _text(each, (row or {}).get(each.column), technicians) for each in fields.FIELDS}


def _text(each: fields.Field, value: object, technicians: Mapping[int, str]) -> str:
    if value is None:
        return ""
    if each.name == FieldNames.TECHNICIAN and isinstance(value, int):
        return technicians.get(value, f"technician {value}")
    return fields.format_value(each, value)
