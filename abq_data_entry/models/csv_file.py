"""Records in a CSV file: RFC 4180, UTF-8, the header of the extract."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from abq_data_entry.constants import FieldNames, FieldTypes
from abq_data_entry.fields import CSV_HEADER, FIELDS, Field, format_value, parse
from abq_data_entry.folders import replacement

Record = dict[str, object]

_TEXT_TYPES = (FieldTypes.LIST, FieldTypes.STRING, FieldTypes.LONG_TEXT)
_TEXTS = tuple(each.name for each in FIELDS if each.type in _TEXT_TYPES)
_NAMES = {each.name.casefold(): each.name for each in FIELDS}
_OLDER_NAMES = {"med height": FieldNames.MEDIAN_HEIGHT}
_BYTE_ORDER_MARK = "\N{BYTE ORDER MARK}"
_LINE_END = "\r\n"
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


class CSVModel:
    """A CSV file of records, in the folder `filepath` (default: the current one), which is created if missing.

    `filename` is the path of the file. Older headers are read, too: with former names of fields, in another order, or
    without optional fields; unknown columns are kept as they are. Values that are valid for their field are returned
    typed. Others are returned as text, so that nothing is lost: `fields.check_record` says what is wrong with them.
    """

    fields: Mapping[str, Field] = {each.name: each for each in FIELDS}

    def __init__(self, filename: str | Path, filepath: str | Path | None = None) -> None:
        """Raises `OSError` if the folder can't be created."""
        self.path = Path(filename) if filepath is None else Path(filepath) / filename
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.filename = str(self.path)

    def get_all_records(self) -> list[Record]:
        """Return all records in the order of the file; none if there is no file.

        Raises `ValueError` if it isn't a CSV of records, `OSError` if it can't be read.
        """
        table = self._table()
        return [table.record(row) for row in table.rows]

    def get_record(self, rownum: int) -> Record:
        """Return the record of that row; 0 is the first. Raises `IndexError` if there is none."""
        table = self._table()
        self._check_row(rownum, len(table.rows))
        return table.record(table.rows[rownum])

    def save_record(self, data: Mapping[str, object], rownum: int | None = None) -> None:
        """Append the record, or replace row `rownum`. The rest of the file isn't changed.

        Raises `ValueError` for a name that isn't a field or has no column in this file, `IndexError` for a row that
        doesn't exist, `OSError`.
        """
        unknown = [name for name in data if name not in self.fields]
        if unknown:
            raise ValueError(f"{', '.join(unknown)} isn't a field of a record.")
        table = self._table()
        if rownum is not None:
            self._check_row(rownum, len(table.rows))
        missing = [name for name, value in data.items() if value not in (None, "") and name not in table.columns]
        if missing:
            raise ValueError(f"{self.path} has no column for {', '.join(missing)}.")
        with replacement(self.path) as temporary:
            temporary.write_bytes(table.saved(data, rownum).encode("utf-8"))

    def _table(self) -> _Table:
        try:
            text = self.path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            text = ""
        except UnicodeDecodeError as error:
            raise ValueError(f"{self.path} isn't a CSV file in UTF-8: {error}.") from error
        try:
            return _Table(text)
        except csv.Error as error:
            raise ValueError(f"{self.path} isn't a CSV file: {error}.") from error
        except ValueError as error:
            raise ValueError(f"{self.path}{error}") from None

    def _check_row(self, rownum: int, rows: int) -> None:
        if not 0 <= rownum < rows:
            raise IndexError(f"{self.path} has no row {rownum}: it has {rows}.")


class _Row(NamedTuple):
    cells: list[str]
    first: int  # line of the file on which the row begins; `end`: the line after it
    end: int


class _Table:
    """The text of a file, and the lines of each row. Raises `csv.Error`, and `ValueError` with a text that follows the
    file's name in a message."""

    def __init__(self, text: str) -> None:
        self._start = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
        self._lines = list(io.StringIO(text[len(self._start) :], newline=""))
        rows = list(self._read())
        header = rows.pop(0) if rows else None
        self._header = header
        names = list(CSV_HEADER) if header is None else header.cells
        self.columns = {_field_name(name): place for place, name in enumerate(names)}
        self._width = len(names)
        lacking = [each.name for each in FIELDS if each.required and each.name not in self.columns]
        if lacking or len(self.columns) != len(names):
            raise ValueError(" isn't a file of records: its first line isn't the header of the extract.")
        for number, row in enumerate(rows, start=1):
            if len(row.cells) != self._width:
                raise ValueError(f", record {number}: {len(row.cells)} values, not {self._width}.")
        self.rows = rows

    def record(self, row: _Row) -> Record:
        """Return the typed values of a row; fields without a column are empty."""
        return {each.name: _value(each, self._cell(row, each.name)) for each in FIELDS}

    def saved(self, data: Mapping[str, object], rownum: int | None) -> str:
        """Return the text of the file with the record in it."""
        lines = self._lines
        old = None if rownum is None else self.rows[rownum]
        cells = [""] * self._width if old is None else list(old.cells)
        for each in FIELDS:
            if each.name in self.columns:
                cells[self.columns[each.name]] = _text(each, data.get(each.name))
        if self._header is None:
            return f"{self._start}{_line(CSV_HEADER, _LINE_END)}{_line(cells, _LINE_END)}"
        if old is not None:
            place, rest = old.first, old.end
            line = _line(cells, _end_of(lines[old.end - 1]))
        else:
            place = rest = (self.rows or [self._header])[-1].end
            usual = _end_of(lines[self._header.end - 1]) or _LINE_END
            line = ("" if _end_of(lines[place - 1]) else usual) + _line(cells, usual)
        return "".join((self._start, *lines[:place], line, *lines[rest:]))

    def _cell(self, row: _Row, name: str) -> str:
        return row.cells[self.columns[name]] if name in self.columns else ""

    def _read(self) -> Iterator[_Row]:
        """Yield the rows; blank lines are skipped."""
        reader = csv.reader(iter(self._lines), strict=True)
        begun = reader.line_num
        for cells in reader:
            if cells:
                yield _Row(cells, begun, reader.line_num)
            begun = reader.line_num


def _field_name(name: str) -> str:
    """Return the field's name for a column of an older header, or else the column's name."""
    folded = " ".join(name.split()).casefold()
    return _OLDER_NAMES.get(folded) or _NAMES.get(folded, name)


def _line(cells: Iterable[str], end: str) -> str:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator=end).writerow(cells)
    return line.getvalue()


def _end_of(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _value(field: Field, text: str) -> object:
    if field.name in _TEXTS and text.startswith("'") and _FORMULA.match(text):
        text = text[1:]
    if not text and field.type is not FieldTypes.BOOLEAN:
        return None
    try:
        return parse(field, text)
    except ValueError:
        return text


def _text(field: Field, value: object) -> str:
    text = format_value(field, value)
    return f"'{text}" if field.name in _TEXTS and _FORMULA.match(text) else text
