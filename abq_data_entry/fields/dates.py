"""Dates as people type them: 2026-11-21, 2026/11/21, 2026.11.21 or 20261121; year, month, day and no other order."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable

from abq_data_entry.fields.table import Choices, Field

# [0-9], because \d would also take the digits of other scripts.
_BEGUN = re.compile(r"([0-9]{0,4})(?:([-/.])([0-9]{0,2})(?:\2([0-9]{0,2}))?)?")
_WHOLE = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})")
_COMPACT = re.compile(r"([0-9]{4})([0-9]{0,2})([0-9]{0,2})")


def could_become_date(field: Field, text: str, choices: Choices | None) -> bool:
    """Tell whether `text` is the beginning of a date that exists."""
    compact = _COMPACT.fullmatch(text)
    if compact:
        return _could_become_compact(*compact.groups())
    begun = _BEGUN.fullmatch(text)
    if not begun:
        return False
    year, separator, month, day = begun.groups()
    if separator is None:
        return True
    if len(year) < 4 or year == "0000" or not _begins_number(month, range(1, 13), padded=False):
        return False
    if day is None:
        return True
    return month.strip("0") != "" and _begins_number(day, _days(year, month), padded=False)


def parse_date(field: Field, text: str, choices: Choices | None) -> datetime.date:
    """Return the date; raises `ValueError` with a sentence."""
    whole = _WHOLE.fullmatch(text)
    compact = _COMPACT.fullmatch(text) if len(text) == 8 else None
    if whole:
        year, _, month, day = whole.groups()
    elif compact:
        year, month, day = compact.groups()
    else:
        raise ValueError(f"{field.name} must be year-month-day, such as 2026-11-21.")
    try:
        return datetime.date(int(year), int(month), int(day))
    except ValueError:
        raise ValueError(f"{field.name}: there is no day {year}-{month}-{day} in the calendar.") from None


def _could_become_compact(year: str, month: str, day: str) -> bool:
    if year == "0000" or not _begins_number(month, range(1, 13), padded=True):
        return False
    return len(month) < 2 or _begins_number(day, _days(year, month), padded=True)


def _days(year: str, month: str) -> range:
    import calendar  # not at the top: it brings `locale`, and every start would pay for both

    return range(1, calendar.monthrange(int(year), int(month))[1] + 1)


def _begins_number(text: str, numbers: Iterable[int], *, padded: bool) -> bool:
    return any(f"{number:02}".startswith(text) or (not padded and str(number) == text) for number in numbers)
