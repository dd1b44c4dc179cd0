"""Records in a CSV file."""

from __future__ import annotations

from pathlib import Path

import pytest

from abq_data_entry import fields
from abq_data_entry.models import CSVModel, SQLModel
from tests.models.records import faulty, record, typed


@pytest.fixture
def file(tmp_path: Path) -> CSVModel:
    return CSVModel("records.csv", tmp_path / "new" / "folder")


def test_the_folder_is_made_and_an_absent_file_is_empty(file: CSVModel, tmp_path: Path) -> None:
    assert (tmp_path / "new" / "folder").is_dir()
    assert file.filename == str(tmp_path / "new" / "folder" / "records.csv")
    assert file.get_all_records() == []


def test_without_a_folder_the_name_is_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = CSVModel("records.csv")
    file.save_record(record())
    assert file.filename == "records.csv" and Path("records.csv").is_file()


def test_the_fields_are_known_without_a_file() -> None:
    assert list(CSVModel.fields) == list(SQLModel.fields) == list(fields.CSV_HEADER)


OLDER = (
    "Date,Time,Technician,Lab,Plot,Seed Sample,Humidity,Light,Temperature,Equipment Fault,Plants,Blossoms,Fruit,"
    "Min Height,Max Height,Med Height,Notes"
)
ROWS = [
    '2026-11-20,08:00,"J Simms",A,1,AXM477,24.090,1,21,False,14,28,3,2.5,31,10,"a,\nb"',
    "2026-11-20,8:00,J Simms,A,2,AXM478,,,,True,14,28,3,2.5,31,10,",
    "2026-11-20,8:00,J Simms,A,3,AXM479,9,1,21,0,14,28,3,2.5,31,10,'=x",
]


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
@pytest.mark.parametrize("last", ["", "{}", "{0}{0}"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_an_older_header_is_read_and_only_the_row_that_is_updated_rewritten(
    file: CSVModel, ending: str, last: str, mark: str
) -> None:
    """Also one that ends with a blank line, or without the end of a line."""
    lines = [mark + OLDER, *ROWS]
    file.path.write_bytes((ending.join(lines) + last.format(ending)).encode())
    found = file.get_all_records()
    assert [each["Plot"] for each in found] == [1, 2, 3]
    assert [each["Equipment Fault"] for each in found] == [False, True, False]
    assert [each["Seed sample"] for each in found] == ["AXM477", "AXM478", "AXM479"]
    assert found[0]["Median Height"] == 10 and found[0]["Notes"] == "a,\nb" and found[2]["Notes"] == "=x"
    file.save_record(found[1] | {"Plants": 15}, 1)
    new = "2026-11-20,8:00,J Simms,A,2,AXM478,,,,true,15,28,3,2.50,31.00,10.00,"
    assert file.path.read_bytes().decode() == ending.join([*lines[:2], new, lines[3]]) + last.format(ending)
    file.save_record(found[2] | {"Plot": 4})
    added = "2026-11-20,8:00,J Simms,A,4,AXM479,9.00,1.00,21.00,false,14,28,3,2.50,31.00,10.00,'=x"
    rest = last.format(ending) or ending
    assert file.path.read_bytes().decode() == ending.join([*lines[:2], new, lines[3], added]) + rest
    assert [each["Plot"] for each in file.get_all_records()] == [1, 2, 3, 4]


def test_the_last_row_is_updated_without_an_end_of_its_line(file: CSVModel) -> None:
    file.path.write_bytes("\n".join([OLDER, *ROWS]).encode())
    file.save_record(file.get_record(2) | {"Notes": "new"}, 2)
    assert file.path.read_bytes().decode().splitlines()[-1] == (
        "2026-11-20,8:00,J Simms,A,3,AXM479,9.00,1.00,21.00,false,14,28,3,2.50,31.00,10.00,new"
    )
    assert not file.path.read_bytes().endswith(b"\n")


def test_a_file_with_a_header_alone_and_blank_lines(file: CSVModel) -> None:
    file.path.write_bytes(f"{OLDER}\n\n".encode())
    assert file.get_all_records() == []
    file.save_record(record())
    assert file.get_all_records() == [typed(record())]


def test_columns_in_another_order_and_those_that_are_no_field_are_kept(file: CSVModel) -> None:
    names = ["Weather", *reversed(fields.CSV_HEADER[:-1])]
    row = ["sunny", *reversed(ROWS[1].split(",")[:-1])]
    file.path.write_bytes(f"{','.join(names)}\n{','.join(row)}\n".encode())
    (found,) = file.get_all_records()
    assert (found["Plot"], found["Notes"], "Weather" in found) == (2, None, False)
    file.save_record(found | {"Plants": 20}, 0)
    assert file.get_record(0)["Plants"] == 20
    assert file.path.read_bytes().decode().splitlines()[1].startswith("sunny,10.00,31.00,")
    before = file.path.read_bytes()
    with pytest.raises(ValueError, match="no column for Notes"):  # nothing is lost without a word
        file.save_record(found | {"Notes": "x"}, 0)
    assert file.path.read_bytes() == before


@pytest.mark.parametrize(
    "header",
    [
        ",".join(each for each in fields.CSV_HEADER if each != "Plot"),
        ",".join(each for each in fields.CSV_HEADER if each != "Median Height"),
        OLDER.replace("Seed Sample", "Humidity"),
        f"{OLDER},Median Height",
        f"{OLDER},notes",
    ],
)
def test_a_header_that_lacks_a_field_or_has_one_twice_is_none(file: CSVModel, header: str) -> None:
    file.path.write_bytes(header.encode() + b"\n")
    with pytest.raises(ValueError, match="first line isn't the header"):
        file.get_all_records()


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
    with pytest.raises(ValueError, match="Humidty isn't a field"):
        file.save_record(record() | {"Humidty": 3})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b\r\n1,2\r\n", "first line isn't the header"),
        (",".join(fields.CSV_HEADER).encode() + b"\r\n1,2\r\n", "record 1: 2 values"),
        (b"\xff\xfe", "isn't a CSV file in UTF-8"),
        (",".join(fields.CSV_HEADER).encode() + b'\r\n"open', "isn't a CSV file"),
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
