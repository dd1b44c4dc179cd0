"""Parquet, with types, one row group at a time. It needs pyarrow, which is so large that it is an extra."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from abq_data_entry.exporting.formats import CsvStyle, FormatMissing, Metadata, Sink
from abq_data_entry.exporting.texts import described, text_of
from abq_data_entry.models.view_rows import Column

if TYPE_CHECKING:
    import pyarrow

GROUP_ROWS = 50_000
"""The rows of a row group, which are in memory at once."""

_HOW = (
    "Parquet is written by pyarrow, which isn't installed. Install it with: python3 -m pip install pyarrow"
    " (in a checkout: .venv/bin/python -m pip install pyarrow)."
)


class ParquetWriter:
    """Writes rows in groups; each column has the type, the unit and the comment of the database."""

    def __init__(self, sink: Sink, metadata: Metadata, group_rows: int = GROUP_ROWS) -> None:
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as error:
            raise FormatMissing(_HOW) from error
        self._arrow = pyarrow
        self._schema = pyarrow.schema([_field(pyarrow, each, metadata.time_zone) for each in metadata.columns])
        self._convert = [_converter(pyarrow, kind) for kind in self._schema.types]
        self._group_rows = group_rows
        self._rows: list[tuple[Any, ...]] = []
        self._writer: Any = parquet.ParquetWriter(str(sink.file), self._schema, compression="zstd")

    def write(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write the next rows."""
        self._rows.extend(rows)
        if len(self._rows) >= self._group_rows:
            self._write_group()

    def finish(self) -> list[str]:
        """Write the rest, and end the file."""
        if self._rows:
            self._write_group()
        self._writer.close()
        return []

    def close(self) -> None:
        """Close the file."""
        if self._writer.is_open:
            self._writer.close()

    def _write_group(self) -> None:
        arrays = []
        for number, kind in enumerate(self._schema.types):
            values = [row[number] for row in self._rows]
            if convert := self._convert[number]:
                values = [None if each is None else convert(each) for each in values]
            arrays.append(self._arrow.array(values, kind))
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._rows.clear()


def open_writer(sink: Sink, metadata: Metadata, style: CsvStyle) -> ParquetWriter:
    """Return a writer of Parquet."""
    return ParquetWriter(sink, metadata)


def _field(arrow: Any, column: Column, time_zone: str) -> pyarrow.Field:
    words = {"description": described(column, time_zone), "unit": column.unit, "term": column.term}
    known = {name: text for name, text in words.items() if text}
    return arrow.field(column.name, _type(arrow, column, time_zone), metadata=known or None)


def _converter(arrow: Any, kind: Any) -> Callable[[Any], Any] | None:
    """Return the function that converts a column's values for Arrow, `None` if none is needed."""
    if kind == arrow.string():
        return text_of
    return float if kind == arrow.float64() else None  # numeric comes as Decimal


def _type(arrow: Any, column: Column, time_zone: str) -> Any:
    types = {
        "date": arrow.date32(), "time": arrow.time64("us"), "bool": arrow.bool_(), "int2": arrow.int16(),
        "int4": arrow.int32(), "int8": arrow.int64(), "float4": arrow.float32(), "float8": arrow.float64(),
        "numeric": arrow.float64(),  # not decimal128: pandas rounds the mean of such a column to its places
        "timestamptz": arrow.timestamp("us", time_zone), "_int2": arrow.list_(arrow.int16()),
        "_int4": arrow.list_(arrow.int32()),
    }  # fmt: skip
    return types.get(column.type, arrow.string())
