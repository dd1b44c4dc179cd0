"""Memory doesn't grow with the rows."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from abq_data_entry.exporting import CsvStyle, Metadata, Sink, make_writer
from tests.exporting.samples import COLUMNS, rows

BATCHES = 12


def peak(form: str, folder: Path, batches: int) -> int:
    """The most bytes that Python held while so many batches were written."""
    folder.mkdir()
    sink = Sink(folder / "file", folder, {})
    batch = rows(["short", "=1+1"] * 20)
    tracemalloc.start()
    try:
        writer = make_writer(form, sink, Metadata("sample", COLUMNS, "UTC", folder / "file"), CsvStyle())
        for _ in range(batches):
            writer.write(batch)
        writer.finish()
        writer.close()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", ["csv", "xlsx", "datapackage"])
@pytest.mark.takes(10)
def test_ten_times_the_rows_take_no_more_memory(form: str, tmp_path: Path) -> None:
    peak(form, tmp_path / "first", 1)  # what is imported and cached on first use doesn't count
    few, many = peak(form, tmp_path / "few", BATCHES), peak(form, tmp_path / "many", 10 * BATCHES)
    assert many < few * 1.3 + 100_000, (few, many)


def test_parquet_holds_one_group(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow isn't installed: no wheel for this Python")
    from abq_data_entry.exporting.parquet import ParquetWriter

    told = Metadata("sample", COLUMNS, "UTC", tmp_path / "file")
    writer = ParquetWriter(Sink(tmp_path / "file", tmp_path, {}), told, group_rows=100)
    for _ in range(BATCHES):
        writer.write(rows(["short"] * 30))
    writer.finish()
    from pyarrow import parquet

    read = parquet.ParquetFile(tmp_path / "file")
    assert (read.metadata.num_rows, read.num_row_groups) == (BATCHES * 31, 3)
