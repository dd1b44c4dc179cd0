"""Rows with what goes wrong in files: texts that look like something else, ends of ranges, and nothing at all."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from abq_data_entry.exporting import CsvStyle, Metadata, Sink, make_writer
from abq_data_entry.models.view_rows import Column

MOMENT = datetime.datetime(2026, 3, 1, 8, tzinfo=datetime.timezone(datetime.timedelta(hours=-7)))
COLUMNS = (
    Column("date", "date", comment="Day of the check."),
    Column("time", "time"),
    Column("moment", "timestamptz"),
    Column("humidity", "numeric", 4, 2, "Absolute humidity.", "g/m3"),
    Column("r", "float8", unit="1"),
    Column("plot", "int2"),
    Column("fault", "bool"),
    Column("missing", "_int2"),
    Column("notes", "text", comment="Free text."),
)
TEXTS = (
    *("12E456", "000123", "=1+1", "+1", "-1", "@SUM(1)", "1/2", "3-4", "TRUE", "NaN", "#N/A", "1,5", "1.5"),
    *(" blanks ", "two\nlines", "a\r\nb", "tab\tin it", "\x01\x1f bell\x07", "_x0041_x0042_", "_x000D_"),
    *("<r>bold</r>", "<b>&amp;\"'", "ü–漢字😀", "\ufffe", "http://example.org/", "x" * 32_767, "'=1", "8:00"),
    *("12:30", "2026-03-01"),
)


def rows(texts: Sequence[str] = TEXTS) -> list[tuple[Any, ...]]:
    """A row for each text, with other values that vary, and one of nothing but NULL."""
    made: list[tuple[Any, ...]] = []
    for number, text in enumerate(texts):
        day = datetime.date(2026, 2, 26) + datetime.timedelta(days=number)
        made.append(
            (
                day,
                datetime.time((8, 12, 16, 20)[number % 4]),
                MOMENT + datetime.timedelta(hours=number, seconds=number),
                Decimal(number * 7 + 5) / 100,
                1 / (number + 3),
                number % 20 + 1,
                number % 2 == 0,
                [3, 7][: number % 3],
                text,
            )
        )
    return [*made, (None,) * len(COLUMNS)]


def write(
    format_name: str, path: Path, found: Sequence[tuple[Any, ...]], columns: tuple[Column, ...] = COLUMNS,
    style: CsvStyle | None = None,
) -> list[str]:
    """Write rows in a format; what the writer remarks."""
    folder = path.parent / "meanwhile"
    folder.mkdir()
    sink = Sink(path, folder, {})
    writer = make_writer(format_name, sink, Metadata("sample", columns, "America/Denver", path), style or CsvStyle())
    writer.write(found)
    remarks = writer.finish()
    writer.close()
    for name, place in sink.beside.items():
        place.rename(path.parent / name)
    assert not list(folder.iterdir())
    folder.rmdir()
    return remarks
