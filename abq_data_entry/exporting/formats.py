"""The formats, and what they have in common."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from abq_data_entry.models.view_rows import Column

FORMATS: Mapping[str, str] = {"csv": ".csv", "xlsx": ".xlsx", "parquet": ".parquet", "datapackage": ".csv"}
"""The file name extension of each format."""

_MODULES = {"csv": "csv_text", "xlsx": "workbook", "parquet": "parquet", "datapackage": "data_package"}


class FormatMissing(Exception):
    """The package for this format isn't installed, or the format can't be written there; the text says what to do."""


class CsvStyle(NamedTuple):
    """How a CSV is written: a byte order mark before it, semicolons between values, a comma in decimals."""

    bom: bool = False
    semicolon: bool = False
    decimal_comma: bool = False


class Metadata(NamedTuple):
    """The metadata of a file: the view, its columns, the time zone of times, and the final path."""

    view: str
    columns: tuple[Column, ...]
    time_zone: str
    target: Path


class Sink(NamedTuple):
    """Where a writer writes: the temporary `file`, which is renamed at the end, and a `folder` for other temporary
    files.

    `beside`: further files that are published with it: temporary path by final name.
    """

    file: Path
    folder: Path
    beside: dict[str, Path]


class Writer(Protocol):
    """Writes rows to a file, which is complete once `finish` returns. Both methods raise `OSError`."""

    def write(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write the next rows."""

    def finish(self) -> list[str]:
        """Write the rest; return remarks, as sentences."""

    def close(self) -> None:
        """Close the file; an unfinished one isn't used."""


def make_writer(format_name: str, sink: Sink, metadata: Metadata, style: CsvStyle) -> Writer:
    """Return the writer of that format; raises `FormatMissing` if it isn't installed, and `OSError`."""
    module = importlib.import_module(f"{__package__}.{_MODULES[format_name]}")
    return cast(Writer, module.open_writer(sink, metadata, style))
