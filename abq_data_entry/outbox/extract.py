"""The extract of a day: its name here and at its destination, and what a delivery needs to make it."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path
from typing import Protocol

from ..constants import EXTRACT_NAME
from ..remote_names import name_at_destination
from .errors import OutboxError

_LAB = "Lab"  # the column


class NoRecords(Exception):
    """There is nothing to deliver for that day."""


class Records(Protocol):
    """What a delivery needs of the database."""

    def export_records(self, path: Path, first_date: datetime.date) -> int: ...


def extract_name(date: datetime.date) -> str:
    """The name of a day's extract: ``abq_data_record_2026-11-21.csv``."""
    return EXTRACT_NAME.format(date=date)


def name_to_send_as(path: Path, date: datetime.date, pattern: str) -> str:
    """Return what an extract is called at its destination; raises `OutboxError` if the pattern gives no usable name."""
    try:
        return name_at_destination(pattern, date, _labs_in(path) if "{lab}" in pattern else ())
    except ValueError as error:
        refused = str(error)
    raise OutboxError(refused)


def _labs_in(path: Path) -> set[str]:
    """Return the labs of which an extract has records. Raises `OSError`."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row[_LAB] for row in csv.DictReader(file) if row.get(_LAB)}
