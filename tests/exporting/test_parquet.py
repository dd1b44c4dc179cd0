"""Parquet, read back: each type, each value, and nothing where there was nothing."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.exporting.samples import COLUMNS, rows, write


def test_each_type_comes_back_with_its_values_and_nothing_where_there_was_nothing(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow.parquet", reason="pyarrow isn't installed: no wheel for this Python")
    write("parquet", tmp_path / "sample.parquet", rows())
    table = arrow.read_table(tmp_path / "sample.parquet")
    assert {each.name: str(each.type) for each in table.schema} == {
        "date": "date32[day]", "time": "time64[us]", "moment": "timestamp[us, tz=America/Denver]",
        "humidity": "double", "r": "double", "plot": "int16", "fault": "bool", "missing": "list<element: int16>",
        "notes": "string",
    }  # fmt: skip
    names = [each.name for each in COLUMNS]
    for row, found in zip(rows(), table.to_pylist(), strict=True):
        expected = [float(each) if isinstance(each, Decimal) else each for each in row]
        assert found == dict(zip(names, expected, strict=True))
    assert [table.column(name).null_count for name in names] == [1] * len(names)
    assert table.schema.field("humidity").metadata[b"unit"] == b"g/m3"
