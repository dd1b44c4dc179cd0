"""Workbooks, read back by openpyxl and by LibreOffice."""

from __future__ import annotations

import datetime
import math
import os
import shutil
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openpyxl
import pytest
from openpyxl.utils.escape import unescape

from abq_data_entry.exporting import Metadata, Sink
from abq_data_entry.exporting.texts import text_of
from abq_data_entry.exporting.workbook import LONG_TEXTS, WorkbookWriter
from abq_data_entry.models.view_rows import Column
from tests.exporting.samples import COLUMNS, rows, write

PATIENCE = 250.0
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"


def expected(value: Any) -> Any:
    """What a spreadsheet has of a value: moments without their zone, lists and texts as texts."""
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, list):
        return text_of(value)
    return value


def read_back(value: Any, column: Column) -> Any:
    """What openpyxl read, with the escapes resolved that it leaves in texts of a cell."""
    if column.type == "date" and value is not None:
        return value.date()
    return unescape(value) if isinstance(value, str) else value


def test_openpyxl_reads_the_same_values(tmp_path: Path) -> None:
    path = tmp_path / "sample.xlsx"
    assert write("xlsx", path, rows()) == []
    sheet = openpyxl.load_workbook(path)["sample"]
    assert [each.value for each in sheet[1]] == [each.name for each in COLUMNS]
    assert sheet.freeze_panes == "A2"
    assert "Unit (UCUM): g/m3." in sheet["D1"].comment.text and "America/Denver" in sheet["C1"].comment.text
    for number, row in enumerate(rows(), 2):
        for cell, value, column in zip(sheet[number], row, COLUMNS, strict=True):
            found = read_back(cell.value, column)
            # XML makes one line break of the two signs of Windows, unless they are escaped.
            same = float(value) == found if column.type == "numeric" and value is not None else found == expected(value)
            assert same, (cell.coordinate, value, found)
            assert cell.data_type != "f"
            if isinstance(value, str):
                assert cell.data_type in ("s", "inlineStr") and cell.number_format == "@"
    with zipfile.ZipFile(path) as package:
        assert b"<f>" not in package.read("xl/worksheets/sheet1.xml")


def test_more_rows_go_to_further_sheets(tmp_path: Path) -> None:
    sink = Sink(tmp_path / "many.xlsx", tmp_path, {})
    columns = (Column("number", "int4"), Column("notes", "text"))
    writer = WorkbookWriter(sink, Metadata("many", columns, "UTC", sink.file), rows_a_sheet=11)
    long_text = "0123456789" * 10_000
    writer.write([(number, long_text if number == 15 else "short") for number in range(25)])
    (remark,) = writer.finish()
    assert remark == "1 text is longer than a cell can be (32,767 characters): whole in the sheet long texts."
    book = openpyxl.load_workbook(sink.file)
    assert book.sheetnames == ["many", "many (2)", LONG_TEXTS, "many (3)"]
    sheets = [book[name] for name in book.sheetnames if name != LONG_TEXTS]
    assert [each.max_row for each in sheets] == [11, 11, 6]
    assert [row[0].value for each in sheets for row in each.iter_rows(min_row=2)] == list(range(25))
    pieces = list(book[LONG_TEXTS].iter_rows(min_row=2, values_only=True))
    assert {each[:3] for each in pieces} == {("many (2)", 7, "notes")}
    assert "".join(str(each[4]) for each in pieces) == long_text
    assert str(book["many (2)"].cell(7, 2).value).startswith(long_text[:16_000] + " …")


def test_what_no_number_or_day_of_a_spreadsheet_is_stays_as_text(tmp_path: Path) -> None:
    path = tmp_path / "ends.xlsx"
    columns = (Column("day", "date"), Column("n", "int8"), Column("x", "float8"))
    ends = [(datetime.date(1, 1, 1), 2**60, float("inf")), (datetime.date(1900, 3, 1), 10**14, 0.1)]
    write("xlsx", path, ends, columns)
    first, second = openpyxl.load_workbook(path)["sample"].iter_rows(min_row=2, values_only=True)
    assert first == ("0001-01-01", str(2**60), "Infinity")
    assert second == (datetime.datetime(1900, 3, 1), 10**14, 0.1)


def opened_by_libreoffice(path: Path, language: str, folder: Path) -> list[list[tuple[str, str]]]:
    """Each row's cells as LibreOffice has them in that language: (type, value)."""
    profile = folder / "profile"
    (profile / "user").mkdir(parents=True)
    (profile / "user/registrymodifications.xcu").write_text(
        '<?xml version="1.0" encoding="UTF-8"?><oor:items xmlns:oor="http://openoffice.org/2001/registry">'
        '<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse">'
        f"<value>{language}</value></prop></item></oor:items>",
        encoding="utf-8",
    )
    program = shutil.which("soffice") or "soffice"
    subprocess.run(
        [program, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--convert-to", "fods", "--outdir",
         str(folder), str(path)],
        check=True, capture_output=True, timeout=PATIENCE, env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip
    made = folder / f"{path.stem}.fods"
    assert f'fo:language="{language[:2]}"' in made.read_text(encoding="utf-8")
    table = ElementTree.parse(made).find(f".//{_TABLE}table")
    assert table is not None
    found = []
    for row in table.iter(f"{_TABLE}table-row"):
        cells: list[tuple[str, str]] = []
        for cell in row.iter(f"{_TABLE}table-cell"):
            repeated = int(cell.get(f"{_TABLE}number-columns-repeated", "1"))
            assert cell.get(f"{_TABLE}formula") in (None, "of:=TRUE()", "of:=FALSE()")  # its way to store a boolean
            cells += [_value(cell)] * min(repeated, len(COLUMNS))
        found.append(cells[: len(COLUMNS)])
    return found


def _value(cell: ElementTree.Element) -> tuple[str, str]:
    kind = cell.get(f"{_OFFICE}value-type", "")
    names = ("value", "date-value", "time-value", "boolean-value")
    told = next((text for name in names if (text := cell.get(f"{_OFFICE}{name}")) is not None), None)
    if told is None:
        paragraphs = [each for each in cell if each.tag.endswith("}p")]
        told = "\n".join("".join(each.itertext()) for each in paragraphs)
    return kind, told


@pytest.mark.needs("installation")
@pytest.mark.skipif(shutil.which("soffice") is None, reason="no LibreOffice: apt install libreoffice-calc")
def test_libreoffice_has_the_same_values_in_german_and_in_english(tmp_path: Path) -> None:
    path = tmp_path / "sample.xlsx"
    # Blanks in a row and control characters are elements of their own in its files; openpyxl compares those.
    texts = [each for each in (row[-1] for row in rows()) if each and each.isprintable() and "  " not in each]
    written = rows(texts)
    write("xlsx", path, written)

    def opened(language: str) -> list[list[tuple[str, str]]]:
        (tmp_path / language).mkdir()
        return opened_by_libreoffice(path, language, tmp_path / language)

    with ThreadPoolExecutor() as both:
        seen = list(both.map(opened, ("de", "en-US")))
    assert seen[0] == seen[1]
    for row, cells in zip(written[:-1], seen[0][1:], strict=False):
        kinds = [kind for kind, _ in cells]
        assert kinds == ["date", "time", "date", *["float"] * 4, "string", "string"], row
        day, time, moment, humidity, r, plot, fault, missing, notes = (value for _, value in cells)
        assert (day, notes.strip(), missing) == (row[0].isoformat(), row[8].strip(), text_of(row[7]))
        assert time.startswith(f"PT{row[1].hour:02}H00M00")
        assert moment == row[2].replace(tzinfo=None).isoformat()
        assert (float(humidity), float(plot)) == (float(row[3]), row[5])
        assert math.isclose(float(r), row[4], rel_tol=1e-14)
        assert fault == ("1" if row[6] else "0")
