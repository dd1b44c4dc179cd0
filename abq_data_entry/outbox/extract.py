"""The extract of a day: its name, and delivering it once without keeping it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
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


def deliver_extract(records: Records, date: datetime.date, send: Callable[[Path], object]) -> str:
    """Write the extract of ``date`` to a temporary folder, ``send`` it, remove it; returns its name.

    Raises :class:`NoRecords` when the day has none, and whatever making or sending it raises.
    """
    import tempfile  # takes shutil and its compressors along: not for every start of the window

    with tempfile.TemporaryDirectory(prefix="abq-extract-") as folder:
        path = Path(folder) / extract_name(date)
        if records.export_records(path, date) == 0:
            raise NoRecords("There are no records to upload")
        send(path)
    return path.name
