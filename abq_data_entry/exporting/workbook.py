"""A workbook for Excel and LibreOffice. Values keep their types: no text becomes a number, a date or a formula."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.exceptions import XlsxWriterException
from xlsxwriter.worksheet import Worksheet

from abq_data_entry.exporting.formats import CsvStyle, Metadata, Sink
from abq_data_entry.exporting.texts import NUMBERS, described, text_of
from abq_data_entry.models.view_rows import Column

SHEET_ROWS = 1_048_576
"""The most rows of a sheet, including the header."""
CELL_LENGTH = 32_767
"""The most characters of a cell, in UTF-16 code units."""

LONG_TEXTS = "long texts"
_CUT = f" … (the rest stands in the sheet {LONG_TEXTS})"
_PIECE = 16_000  # characters; each may be two UTF-16 code units
_FIRST_DAY = datetime.date(1900, 3, 1)  # Excel has a 29 February 1900, so earlier days would be one off in LibreOffice
_MOST_DIGITS = 15  # the precision of a spreadsheet's numbers
_WIDTHS = {"date": 11, "timestamptz": 19, "text": 20, "varchar": 20}
_FORMATS = {"date": "yyyy-mm-dd", "time": "hh:mm", "timestamptz": "yyyy-mm-dd hh:mm:ss"}
_ESCAPE = re.compile("_(?=x[0-9a-fA-F]{4}_)")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")


class _PlainSheet(Worksheet):  # type: ignore[misc]
    """A sheet whose texts are read back unchanged, and whose numbers have all digits."""

    @staticmethod
    def _escape_control_characters(data: Any) -> Any:
        # As XlsxWriter does, but also for `_x0041_x0042_`, where two escapes share an underscore.
        if not isinstance(data, str):
            return data
        escaped = _ESCAPE.sub("_x005F_", data)
        return _NOT_IN_XML.sub(lambda found: f"_x{ord(found[0]):04X}_", escaped)

    def _xml_rich_inline_string(self, string: str, attributes: Any = ()) -> None:
        # XlsxWriter would write a text between <r> and </r> unescaped, as XML.
        self._xml_inline_string(string, True, attributes)

    def _xml_number_element(self, number: float, attributes: Any = ()) -> None:
        shown = "".join(f' {name}="{self._escape_attributes(value)}"' for name, value in attributes)
        self.fh.write(f"<c{shown}><v>{number!r}</v></c>")


class WorkbookWriter:
    """Writes rows to as many sheets as needed; a text too long for a cell is also written to a sheet of its own."""

    def __init__(self, sink: Sink, metadata: Metadata, rows_a_sheet: int = SHEET_ROWS) -> None:
        self._metadata, self._last = metadata, rows_a_sheet - 1
        options = {
            "constant_memory": True, "tmpdir": str(sink.folder), "in_memory": False,
            "strings_to_numbers": False, "strings_to_formulas": False, "strings_to_urls": False,
        }  # fmt: skip
        self._book = Workbook(str(sink.file), options)
        self._book.use_zip64()  # takes effect only beyond 4 GB
        self._bold = self._book.add_format({"bold": True, "bottom": 1})
        self._put = [self._cell_writer(each) for each in metadata.columns]
        self._sheets = 0
        self._row = 0
        self._sheet: Any = None
        self._long: Any = None
        self._long_rows = 0
        self._cut = 0
        self._begin_sheet()

    def write(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write the next rows."""
        for row in rows:
            if self._row >= self._last:
                self._begin_sheet()
            self._row += 1
            for number, (put, value) in enumerate(zip(self._put, row, strict=True)):
                if value is not None:
                    put(self._row, number, value)

    def finish(self) -> list[str]:
        """Write the file from the sheets' temporary files."""
        self._end_sheet()
        try:
            self._book.close()
        except XlsxWriterException as error:
            cause = error.args[0] if error.args else error
            raise cause if isinstance(cause, OSError) else OSError(str(error)) from error
        if not self._cut:
            return []
        texts = "1 text is" if self._cut == 1 else f"{self._cut} texts are"
        return [f"{texts} longer than a cell can be ({CELL_LENGTH:,} characters): whole in the sheet {LONG_TEXTS}."]

    def close(self) -> None:
        """Close and remove the sheets' temporary files."""
        for sheet in self._book.worksheets():
            if sheet.row_data_fh is not None and not sheet.row_data_fh.closed:
                sheet.row_data_fh.close()
        self._book.fileclosed = True  # otherwise XlsxWriter warns that it was never closed

    def _begin_sheet(self) -> None:
        if self._sheet is not None:
            self._end_sheet()
        self._sheets += 1
        name = self._metadata.view if self._sheets == 1 else f"{self._metadata.view} ({self._sheets})"
        self._sheet, self._row = self._book.add_worksheet(name[-31:], _PlainSheet), 0
        self._sheet.freeze_panes(1, 0)
        for number, each in enumerate(self._metadata.columns):
            width = max(_WIDTHS.get(each.type, 9), len(each.name) + 3)
            self._sheet.set_column(number, number, width)
            self._sheet.write_string(0, number, each.name, self._bold)
            if comment := described(each, self._metadata.time_zone):
                self._sheet.write_comment(0, number, comment, {"x_scale": 2})

    def _end_sheet(self) -> None:
        self._sheet.autofilter(0, 0, self._row, len(self._metadata.columns) - 1)

    def _cell_writer(self, column: Column) -> Callable[[int, int, Any], None]:
        shown = _FORMATS.get(column.type, "0." + "0" * column.places if column.places else "")
        form = self._book.add_format({"num_format": shown}) if shown else None
        if column.type in NUMBERS:
            return lambda row, number, value: self._put_number(row, number, value, form)
        if column.type in ("date", "time", "timestamptz"):
            return lambda row, number, value: self._put_moment(row, number, value, form)
        if column.type == "bool":
            return lambda row, number, value: self._sheet.write_boolean(row, number, value)
        as_text = self._book.add_format({"num_format": "@"})  # so that it stays a text when it is edited
        return lambda row, number, value: self._put_text(row, number, text_of(value), as_text)

    def _put_number(self, row: int, column: int, value: Any, form: Any) -> None:
        digits = len(str(abs(value))) if isinstance(value, int) else 0
        if digits > _MOST_DIGITS or not math.isfinite(value):
            self._sheet.write_string(row, column, text_of(value))
        else:
            self._sheet.write_number(row, column, float(value) if isinstance(value, Decimal) else value, form)

    def _put_moment(self, row: int, column: int, value: Any, form: Any) -> None:
        is_day = isinstance(value, datetime.date)
        if is_day and datetime.date(value.year, value.month, value.day) < _FIRST_DAY:
            self._sheet.write_string(row, column, text_of(value))
        else:
            plain = value.replace(tzinfo=None) if isinstance(value, datetime.datetime) else value
            self._sheet.write_datetime(row, column, plain, form)

    def _put_text(self, row: int, column: int, text: str, form: Any) -> None:
        if len(text) * 2 > CELL_LENGTH and _units(text) > CELL_LENGTH:
            self._keep_whole(row, column, text)
            text = text[:_PIECE] + _CUT
        self._sheet.write_string(row, column, text, form)

    def _keep_whole(self, row: int, column: int, text: str) -> None:
        """Write the whole text in pieces, after the cell that has its beginning."""
        if self._long is None:
            self._long = self._book.add_worksheet(LONG_TEXTS, _PlainSheet)
            self._long.freeze_panes(1, 0)
            for number, name in enumerate(("sheet", "row", "column", "piece", "text")):
                self._long.write_string(0, number, name, self._bold)
        self._cut += 1
        for piece, start in enumerate(range(0, len(text), _PIECE), 1):
            self._long_rows += 1
            self._long.write_string(self._long_rows, 0, self._sheet.get_name())
            self._long.write_number(self._long_rows, 1, row + 1)
            self._long.write_string(self._long_rows, 2, self._metadata.columns[column].name)
            self._long.write_number(self._long_rows, 3, piece)
            self._long.write_string(self._long_rows, 4, text[start : start + _PIECE])


def open_writer(sink: Sink, metadata: Metadata, style: CsvStyle) -> WorkbookWriter:
    """Return a writer of workbooks."""
    return WorkbookWriter(sink, metadata)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
