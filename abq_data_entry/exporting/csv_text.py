"""CSV (RFC 4180). A text that a spreadsheet would run as a formula gets an apostrophe in front."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from typing import Any

from abq_data_entry.exporting.formats import CsvStyle, Metadata, Sink
from abq_data_entry.exporting.texts import NUMBERS, reader
from abq_data_entry.models.extract import neutralised
from abq_data_entry.models.view_rows import Column

_BUFFER = 1024 * 1024


class CsvWriter:
    """Writes rows as CSV. Without `neutral`, texts aren't changed, even if a spreadsheet would run them as formulas."""

    def __init__(self, sink: Sink, metadata: Metadata, style: CsvStyle, neutral: bool = True) -> None:
        encoding = "utf-8-sig" if style.bom else "utf-8"
        self._file = sink.file.open("x", encoding=encoding, newline="", buffering=_BUFFER)
        self._lines = csv.writer(self._file, delimiter=";" if style.semicolon else ",", lineterminator="\r\n")
        self._lines.writerow([each.name for each in metadata.columns])
        self._texts = [_text(each, metadata.view, style, neutral) for each in metadata.columns]

    def write(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write the next rows."""
        texts = self._texts
        self._lines.writerows([text(value) for text, value in zip(texts, row, strict=True)] for row in rows)

    def finish(self) -> list[str]:
        """Write the rest, and end the file."""
        self._file.close()
        return []

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_writer(sink: Sink, metadata: Metadata, style: CsvStyle) -> CsvWriter:
    """Return a writer of CSV."""
    return CsvWriter(sink, metadata, style)


def _text(column: Column, view: str, style: CsvStyle, neutral: bool) -> Callable[[Any], str]:
    plain = reader(column, view)
    if column.type in NUMBERS:
        return (lambda value: plain(value).replace(".", ",")) if style.decimal_comma else plain
    if neutral and column.type not in ("date", "time", "timestamptz", "bool"):
        return lambda value: neutralised(plain(value))
    return plain
