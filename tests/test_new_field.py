"""A new optional field works by its one description and its column, by the steps of docs/architecture.md."""

from __future__ import annotations

from pathlib import Path

from tests.documents.recipes import copy_of_the_package, use

_OLDER = (
    "Date,Time,Technician,Lab,Plot,Seed sample,Humidity,Light,Temperature,Equipment Fault,Plants,Blossoms,Fruit,"
    "Min Height,Max Height,Median Height,Notes\r\n"
    "2026-11-20,8:00,J Simms,A,1,AXM477,24.09,1.03,22.01,false,9,21,3,1.67,8.70,2.73,\r\n"
)


def test_a_new_field_goes_from_the_form_to_the_extract(display: str, tmp_path: Path) -> None:
    older = tmp_path / "older.csv"
    older.write_bytes(_OLDER.encode("utf-8"))
    copy = copy_of_the_package(tmp_path, "a field")
    use(copy, "new_field", tmp_path, str(older), str(tmp_path / "own"), display=display)
