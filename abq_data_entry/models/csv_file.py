"""Records in a CSV file: RFC 4180, UTF-8, the header of the extract."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from abq_data_entry import fields
from abq_data_entry.constants import FieldTypes
from abq_data_entry.folders import replacement

Record = dict[str, object]

_TEXT_TYPES = (FieldTypes.LIST, FieldTypes.STRING, FieldTypes.LONG_TEXT)
_TEXTS = tuple(each.name for each in fields.FIELDS if each.type in _TEXT_TYPES and each.name != "Plot")
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


class CSVModel:
    """A CSV file of records, in the folder `filepath` (the current one if not given), which is made if missing.

    Values that make sense for their field are read as typed values; any others stay the texts that they are in the
    file, so that nobody loses sight of them: `fields.check_record` says what is wrong with them.
    """

    def __init__(self, filename: str | Path, filepath: str | Path | None = None) -> None:
        """Raises `OSError` if the folder can't be made."""
        folder = Path(filepath) if filepath is not None else Path()
        folder.mkdir(parents=True, exist_ok=True)
        self.filename = filename
        self.path = folder / filename
        self.fields: dict[str, fields.Field] = {each.name: each for each in fields.FIELDS}

    def get_all_records(self) -> list[Record]:
        """Return all records in the order of the file; none if there is no file.

        Raises `ValueError` if it isn't a CSV of records, `OSError` if it can't be read.
        """
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                return list(self._read(file))
        except FileNotFoundError:
            return []
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{self.path} is no CSV file in UTF-8: {error}.") from error

    def get_record(self, rownum: int) -> Record:
        """Return the record of that row; 0 is the first. Raises `IndexError` if there is none."""
        records = self.get_all_records()
        self._check_row(rownum, len(records))
        return records[rownum]

    def save_record(self, data: Mapping[str, object], rownum: int | None = None) -> None:
        """Add the record at the end, or put it in the place of row `rownum`.

        Raises `ValueError` for a name that is no field, `IndexError` for a row that isn't there, `OSError`.
        """
        unknown = [name for name in data if name not in self.fields]
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: no field of a record.")
        records: list[Mapping[str, object]] = [*self.get_all_records()]
        if rownum is None:
            records.append(data)
        else:
            self._check_row(rownum, len(records))
            records[rownum] = data
        with self._replacement() as file:
            writer = csv.writer(file)
            writer.writerow(fields.CSV_HEADER)
            writer.writerows(self._texts(record) for record in records)

    def _read(self, file: TextIO) -> Iterator[Record]:
        rows = csv.reader(file, strict=True)
        header = next(rows, None)
        if header is None:
            return
        if tuple(header) != fields.CSV_HEADER:
            raise ValueError(f"{self.path} is no file of records: its first line isn't the header of the extract.")
        for number, row in enumerate(rows, start=1):
            if len(row) != len(fields.CSV_HEADER):
                raise ValueError(f"{self.path}, record {number}: {len(row)} values, not {len(fields.CSV_HEADER)}.")
            yield dict(zip(fields.CSV_HEADER, map(_value, fields.FIELDS, row), strict=True))

    def _check_row(self, rownum: int, rows: int) -> None:
        if not 0 <= rownum < rows:
            raise IndexError(f"{self.path} has no row {rownum}: it has {rows}.")

    def _texts(self, record: Mapping[str, object]) -> list[str]:
        return [_text(each, record.get(each.name)) for each in fields.FIELDS]

    @contextmanager
    def _replacement(self) -> Iterator[TextIO]:
        """A temporary file that takes the place of ours once it is on disk."""
        with replacement(self.path) as temporary, temporary.open("x", encoding="utf-8", newline="") as file:
            yield file


def _value(field: fields.Field, text: str) -> object:
    if field.name in _TEXTS and text.startswith("'") and _FORMULA.match(text):
        text = text[1:]
    if not text and field.type is not FieldTypes.BOOLEAN:
        return None
    try:
        return fields.parse(field, text)
    except ValueError:
        return text


def _text(field: fields.Field, value: object) -> str:
    text = fields.format_value(field, value)
    return f"'{text}" if field.name in _TEXTS and _FORMULA.match(text) else text
