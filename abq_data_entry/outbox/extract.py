"""The extract of a day: its name, and what a delivery needs to make it."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Protocol

from ..constants import EXTRACT_NAME


class NoRecords(Exception):
    """There is nothing to deliver for that day."""


class Records(Protocol):
    """What a delivery needs of the database."""

    def export_records(self, path: Path, first_date: datetime.date) -> int: ...


def extract_name(date: datetime.date) -> str:
    """The name of a day's extract: ``abq_data_record_2026-11-21.csv``."""
    return EXTRACT_NAME.format(date=date)
