"""Import a list of technicians, or of the plots' seed samples, from CSV: strictly, and whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ..constants import FieldNames
from ..counting import counted
from ..fields import field, parse

if TYPE_CHECKING:
    from ..models import SQLModel

LARGEST = 1024 * 1024
"""The largest file that is read, in bytes."""

_TECHNICIAN = ("technician", "name")
_NUMBER = ("number", "id")
_SEEDS = ("lab", "plot", "seed sample")
_MOST = 5000  # rows

Row = TypeVar("Row")


class FoundList(NamedTuple):
    """The content of a list: technicians as (id, name), id None: the next free one; or seeds as (lab, plot, sample)."""

    technicians: tuple[tuple[int | None, str], ...] = ()
    seeds: tuple[tuple[str, int, str | None], ...] = ()

    @property
    def what(self) -> str:
        """The content in words: `12 seed samples`."""
        technicians = counted(len(self.technicians), "technician")
        return technicians if self.technicians else counted(len(self.seeds), "seed sample")


def list_in(path: Path) -> FoundList | None:
    """Return the list in a file, recognized by its header line; None if it isn't such a list.

    Raises `ValueError`, with the mistake, for an invalid list.
    """
    try:
        if path.stat().st_size > LARGEST:
            return None
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
    first = text.split("\n", 1)[0]
    delimiter = ";" if ";" in first else "\t" if "\t" in first else ","
    try:
        rows = [row for row in csv.reader(text.splitlines(), delimiter=delimiter, strict=True) if any(row)]
    except csv.Error:
        return None
    heads = [each.strip().casefold() for each in rows[0]] if rows else []
    if set(_SEEDS) <= set(heads):
        columns = [heads.index(each) for each in _SEEDS]
        return FoundList(seeds=_checked(rows, lambda row: _seed(row, columns)))
    names = [each for each in _TECHNICIAN if each in heads]
    known = {*_TECHNICIAN, *_NUMBER}
    if not names or not set(heads) <= known:
        return None
    number = next((heads.index(each) for each in _NUMBER if each in heads), None)
    return FoundList(_checked(rows, lambda row: _technician(row, heads.index(names[0]), number)))


def import_list(model: SQLModel, found: FoundList) -> str:
    """Import a list; return what was changed, as a sentence. Raises `DatabaseError`; then nothing was changed."""
    changed = model.import_lists(found.technicians, found.seeds)
    same = len(found.technicians or found.seeds) - changed
    noun = "technician" if found.technicians else "seed sample"
    done = f"{counted(changed, noun)} imported"
    return f"{done}; {same} were there already." if same else f"{done}."


def _checked(rows: list[list[str]], of: Callable[[list[str]], Row]) -> tuple[Row, ...]:
    """Return the rows below the header line; raises `ValueError` with the invalid line, and why."""
    if len(rows) > _MOST:
        raise ValueError(f"The list has more than {_MOST:,} lines, and wasn't imported.")
    found = []
    for number, row in enumerate(rows[1:], 2):
        try:
            if len(row) != len(rows[0]):
                raise ValueError(f"It has {len(row)} cells, and the heading {len(rows[0])}.")
            found.append(of(row))
        except ValueError as error:
            raise ValueError(f"Line {number} of the list can't be used, so nothing was imported. {error}") from None
    return tuple(found)


def _technician(row: list[str], name: int, number: int | None) -> tuple[int | None, str]:
    text = " ".join(row[name].split())
    if not text or not text.isprintable():
        raise ValueError("It has no name that can be used.")
    digits = row[number].strip() if number is not None else ""
    if digits and not (digits.isascii() and digits.isdigit() and len(digits) < 6):
        raise ValueError(f"{digits} isn't the number of a technician.")
    return int(digits) if digits else None, text


def _seed(row: list[str], columns: list[int]) -> tuple[str, int, str | None]:
    lab, plot, seed = (row[each].strip() for each in columns)
    if not (plot.isascii() and plot.isdigit() and len(plot) < 3):
        raise ValueError(f"{plot or 'An empty text'} isn't a plot.")
    return lab.upper(), int(plot), str(parse(field(FieldNames.SEED_SAMPLE), seed)) if seed else None
