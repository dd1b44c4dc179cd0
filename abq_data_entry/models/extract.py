"""The extract of records as CSV: streamed by COPY into a temporary file that then gets its name.

RFC 4180: UTF-8, lines end with CR LF, a header; within quotes a line break stays as it was typed. Texts that a
spreadsheet would run as a formula get an apostrophe in front; numbers are left alone.
"""

from __future__ import annotations

import datetime
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.constants import FieldNames
from abq_data_entry.fields import CSV_HEADER
from abq_data_entry.models.errors import DatabaseError

FORMULA_BEGINNINGS = "=+-@\t\r\n"
"""What makes a spreadsheet take a text for a formula (OWASP, CSV injection)."""

_TEXTS = {FieldNames.TECHNICIAN, FieldNames.LAB, FieldNames.SEED_SAMPLE, FieldNames.NOTES}
_BUFFER = 1024 * 1024


def _neutral(column: str) -> str:
    """An apostrophe before a formula, and before apostrophes before one, so that reading can take it away again."""
    # A blank beginning would match everything, so an empty one becomes NULL.
    beginning = f"NULLIF(left(ltrim({column}, ''''), 1), '')"
    return f"CASE WHEN strpos(E'=+-@\\t\\r\\n', {beginning}) > 0 THEN '''' || {column} ELSE {column} END"


def _column(name: str) -> str:
    quoted = f'"{name}"'
    if name in _TEXTS:
        return _neutral(quoted if name == FieldNames.NOTES else f"{quoted}::text")
    if name == FieldNames.EQUIPMENT_FAULT:
        return f"CASE WHEN {quoted} THEN 'true' ELSE 'false' END"
    return quoted


_COLUMNS = ", ".join(f'{_column(name)} AS "{name}"' for name in CSV_HEADER)

# 8:00 is shorter than 12:00: by length and text is by time, and the day's index already gives the order of days.
_COPY = f"""
    COPY (
        SELECT {_COLUMNS} FROM data_record_view WHERE "Date" BETWEEN %s AND %s
        ORDER BY "Date", length("Time"), "Time", data_record_view."Lab", "Plot"
    ) TO STDOUT WITH (FORMAT csv, HEADER, ENCODING 'UTF8')
"""


def export(cursor: Cursor, path: Path, first_date: datetime.date, last_date: datetime.date) -> int:
    """Write the records of these days to `path`, in the order of time; return how many.

    The memory it takes doesn't depend on how many. `path` is replaced when all is on disk, and left alone when there
    are no records or something goes wrong. Raises `DatabaseError`, `OSError`.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb", buffering=_BUFFER) as file:
            lines = _Lines(file.write)
            cursor.copy_expert(cursor.mogrify(_COPY, (first_date, last_date)), lines)
            rows = cursor.rowcount
            if lines.count != rows + 1:
                raise DatabaseError("The extract could not be written: the server sent its lines in another form.")
            file.flush()
            os.fsync(file.fileno())
        if rows:
            temporary.replace(path)
            _sync_folder(path.parent)
        return rows
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


class _Lines:
    """What COPY writes into: the server sends one message a record, whose line end becomes the one of RFC 4180."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self._write = write
        self.count = 0

    def write(self, record: bytes) -> None:
        self.count += 1
        self._write(record[:-1] + b"\r\n")


def _sync_folder(folder: Path) -> None:
    """Have the new name on disk as well, where the system can do that."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
