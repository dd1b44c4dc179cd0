"""Which formats there are, and what they have in common."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from abq_data_entry.models.view_rows import Column

FORMATS: Mapping[str, str] = {"csv": ".csv", "xlsx": ".xlsx", "parquet": ".parquet", "datapackage": ".csv"}
"""The names of the formats, each with how the name of its file ends."""

_MODULES = {"csv": "csv_text", "xlsx": "workbook", "parquet": "parquet", "datapackage": "data_package"}


class FormatMissing(Exception):
    """What writes this format isn't installed, or can't write there; the text says what to do."""


class CsvStyle(NamedTuple):
    """How a CSV is written: a byte order mark before it, semicolons between values, a comma in decimals."""

    bom: bool = False
    semicolon: bool = False
    decimal_comma: bool = False


class Told(NamedTuple):
    """What a file tells of itself: the view, its columns, the time zone of moments, and the name that it will have."""

    view: str
    columns: tuple[Column, ...]
    time_zone: str
    target: Path


class Sink(NamedTuple):
    """Where a writer writes: the file that gets the target's name at the end, and a folder for what it needs meanwhile.

    `beside` are the further files that appear with it, by their names, each at its temporary place.
    """

    file: Path
    folder: Path
    beside: dict[str, Path]


class Writer(Protocol):
    """Writes rows to a file that is whole once `finish` returns. Both raise `OSError`."""

    def write(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take the next rows."""

    def finish(self) -> list[str]:
        """Write what is left; return what somebody should know, in sentences."""

    def close(self) -> None:
        """Let go of the file; what isn't finished won't be used."""


def make_writer(format_name: str, sink: Sink, told: Told, style: CsvStyle) -> Writer:
    """Return what writes that format; raises `FormatMissing` where it isn't installed, `OSError`."""
    module = importlib.import_module(f"{__package__}.{_MODULES[format_name]}")
    return cast(Writer, module.open_writer(sink, told, style))
