"""Records in a CSV file."""

from __future__ import annotations

from pathlib import Path

import pytest

from abq_data_entry import fields
from abq_data_entry.models import CSVModel
from tests.models.records import faulty, record, typed


@pytest.fixture
def file(tmp_path: Path) -> CSVModel:
    return CSVModel("records.csv", tmp_path / "new" / "folder")


def test_the_folder_is_made_and_an_absent_file_is_empty(file: CSVModel, tmp_path: Path) -> None:
    assert (tmp_path / "new" / "folder").is_dir()
    assert (file.filename, file.get_all_records()) == ("records.csv", [])


def test_records_come_back_typed_and_can_be_replaced(file: CSVModel) -> None:
    for plot in range(1, 4):
        file.save_record(record(Plot=plot))
    file.save_record(typed(faulty(Plot=2, Notes='=1 "x"\nß')), 1)
    assert file.get_all_records() == [typed(record(Plot=1)), typed(faulty(Plot=2, Notes='=1 "x"\nß')),
                                      typed(record(Plot=3))]
    assert file.get_record(1)["Equipment Fault"] is True
    content = file.path.read_bytes().decode("utf-8")
    assert content.startswith(",".join(fields.CSV_HEADER) + "\r\n2026-11-20,8:00,J Simms,A,1,AXM479,24.09,")
    assert "\"'=1 \"\"x\"\"\nß\"\r\n" in content
    assert [each.name for each in file.path.parent.iterdir()] == ["records.csv"]


@pytest.mark.parametrize("rownum", [-1, 1])
def test_a_row_that_is_not_there(file: CSVModel, rownum: int) -> None:
    file.save_record(record())
    with pytest.raises(IndexError, match="it has 1"):
        file.get_record(rownum)
    with pytest.raises(IndexError):
        file.save_record(record(), rownum)


def test_values_that_make_no_sense_stay_in_sight(file: CSVModel) -> None:
    file.save_record({"Date": "2026-11-20", "Humidity": "a lot", "Seed sample": "AX47"})
    found = file.get_record(0)
    assert (found["Humidity"], found["Seed sample"], found["Light"]) == ("a lot", "AX47", None)
    assert {"Humidity", "Seed sample", "Light"} <= set(fields.check_record(found))


def test_a_name_that_is_no_field(file: CSVModel) -> None:
    with pytest.raises(ValueError, match="Humidty: no field"):
        file.save_record(record() | {"Humidty": 3})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b\r\n1,2\r\n", "first line isn't the header"),
        (",".join(fields.CSV_HEADER).encode() + b"\r\n1,2\r\n", "record 1: 2 values"),
        (b"\xff\xfe", "no CSV file in UTF-8"),
        (",".join(fields.CSV_HEADER).encode() + b'\r\n"open', "no CSV file"),
    ],
)
def test_what_is_no_file_of_records(file: CSVModel, content: bytes, words: str) -> None:
    file.path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        file.get_all_records()
    with pytest.raises(ValueError):
        file.save_record(record())
    assert file.path.read_bytes() == content


def test_a_byte_order_mark_and_unix_line_ends_are_read(file: CSVModel) -> None:
    file.save_record(record())
    file.path.write_bytes(b"\xef\xbb\xbf" + file.path.read_bytes().replace(b"\r\n", b"\n"))
    assert file.get_all_records() == [typed(record())]
