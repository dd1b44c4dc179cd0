"""What goes to the destinations of the database: the day's extract, or a view of the day in another format."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..stored_destination import RECORDS, STORED, StoredDestination

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..outbox import Records


def records_for(kind: str, values: Mapping[str, object], model: SQLModel) -> Records:
    """Return what writes the file of a day for that destination."""
    stored = values.get(STORED)
    row = stored.get(kind) if isinstance(stored, dict) else None
    if isinstance(row, StoredDestination) and row.contents != RECORDS:
        return _ViewOfDay(model, row)
    return model


class _ViewOfDay:
    """Writes a view of one day as an export does it (`outbox.Records`)."""

    def __init__(self, model: SQLModel, row: StoredDestination) -> None:
        self._model, self._row = model, row
        self.cancel = threading.Event()

    def export_records(self, path: Path, first_date: datetime.date) -> int:
        """Write the rows of that day; return how many. Raises `SettingsUnusable` where the format isn't installed."""
        from ..outbox import SettingsUnusable
        from .export_view import FormatMissing, Wanted, export_view

        wanted = Wanted(self._row.contents, first_date, first_date)
        try:
            return export_view(self._model, wanted, self._row.format, path, self).rows
        except FormatMissing as error:
            raise SettingsUnusable(f"{error} Nothing was sent.") from error

    def report(self, done: int, total: int) -> None:
        """Nobody looks how far it is."""
