"""Dates as people type them, and the one form in which they are shown: 2026-11-21.

Whole dates are 2026-11-21, 2026/11/21, 2026.11.21, 20261121 and 21.11.2026. Short ones mean the latest such day that
isn't ahead of `today`: 21 (a day of a month), 21.11. (a day of a year). Where people write the month first
(`month_first`), 11/21 and 11/21/2026 are read so; elsewhere nobody can tell which number is the month.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from abq_data_entry.fields.table import Choices, Field

# [0-9], because \d would also take the digits of other scripts.
_YEAR_FIRST = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})")
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_DAY = re.compile(r"([0-9]{1,2})\.?")
_DAY_FIRST = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})(?:\.([0-9]{4})?)?")
_SLASHES = re.compile(r"([0-9]{1,2})/([0-9]{1,2})(?:/([0-9]{4})?)?")

_YEAR_BEGUN = re.compile(r"([0-9]{0,4})(?:([-/.])([0-9]{0,2})(?:\2([0-9]{0,2}))?)?")
_COMPACT_BEGUN = re.compile(r"([0-9]{4})([0-9]{0,2})([0-9]{0,2})")
_SHORT_BEGUN = re.compile(r"([0-9]{1,2})([./])(?:([0-9]{1,2})(?:\2([0-9]{0,4}))?)?")

_FOREIGN = re.compile(r"[^0-9./-]")
_SLIPS = str.maketrans({";": ".", ":": ".", ",": ".", "_": "-", "–": "-", "−": "-"})
"""What comes of the right key with the wrong shift, or of a keypad's comma."""
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_LEAP_YEAR = 2000  # without a year, 29 February counts as a day of the calendar
_LONGEST = 20  # whoever pastes a page gets a sentence, and not the page in it


class DateReader(NamedTuple):
    """How dates are read in one place: which day it is, and whether people there write the month first."""

    today: Callable[[], datetime.date] = datetime.date.today
    month_first: Callable[[], bool] = lambda: False

    def read(self, text: str) -> datetime.date:
        """Return the date that a text means now; raises `ValueError` with the words for it."""
        # Only a slash leaves open which number is the month, so the locale is asked for nothing else.
        return read_date(text, self.today(), "/" in text and self.month_first())

    def may_become(self, text: str) -> bool:
        """Tell whether typing on could make a date of a text."""
        return may_become_date(text, "/" in text and self.month_first())


def read_date(text: str, today: datetime.date | None = None, month_first: bool = False) -> datetime.date:
    """Return the date that `text` means; raises `ValueError` with the words for it.

    Without `today` a short date means nothing.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"{text[:_LONGEST]}… is no date")
    for pattern, order in ((_YEAR_FIRST, (1, 3, 4)), (_COMPACT, (1, 2, 3))):
        if whole := pattern.fullmatch(text):
            year, month, day = (int(whole[place]) for place in order)
            return _date(text, year, month, day)
    if short := _day_and_month(text, month_first):
        day, month, typed_year = short
        if typed_year is not None:
            return _date(text, typed_year, month, day)
        _require(text, month, day)
        if today is not None:
            return _latest_of_year(text, today, month, day)
    elif (alone := _DAY.fullmatch(text)) and today is not None:
        return _latest_of_month(text, today, int(alone[1]))
    raise ValueError(_problem(text, today))


def parse_date(field: Field, text: str, choices: Choices | None) -> datetime.date:
    """Return the date of a whole text; raises `ValueError` with the words for it."""
    return read_date(text)


def could_become_date(field: Field, text: str, choices: Choices | None) -> bool:
    """Tell whether `text` is the beginning of a date that exists, a short one too."""
    return may_become_date(text)


def may_become_date(text: str, month_first: bool = False) -> bool:
    """Tell whether typing on could make `text` a date that exists."""
    if compact := _COMPACT_BEGUN.fullmatch(text):
        return _may_become_compact(*compact.groups())
    if (short := _SHORT_BEGUN.fullmatch(text)) and (short[2] == "." or month_first):
        return _may_become_short(short[1], short[3], short[4], day_first=short[2] == ".")
    begun = _YEAR_BEGUN.fullmatch(text)
    if not begun:
        return False
    year, separator, month, day = begun.groups()
    if separator is None:
        return True
    if len(year) < 4 or year == "0000" or not _begins_number(month, range(1, 13), padded=False):
        return False
    if day is None:
        return True
    return month.strip("0") != "" and _begins_number(day, _days(int(year), int(month)), padded=False)


def likely_date(text: str, today: datetime.date | None = None) -> str | None:
    """Return the date that a text with wrong signs in it was probably meant to be ('26:11:'), None if there is none."""
    likely = text.translate(_SLIPS)
    if likely == text:
        return None
    try:
        return read_date(likely, today).isoformat()
    except ValueError:
        return None


def distance(date: datetime.date, today: datetime.date) -> str:
    """Return how far a date is from today, in words: '16 days back', '36 years ahead'; '' for today."""
    days = abs((date - today).days)
    if not days:
        return ""
    years = round(days / 365.2425)
    number, unit = (years, "year") if years >= 2 else (days, "day")
    return f"{number:,} {unit}{'s' * (number != 1)} {'ahead' if date > today else 'back'}"


def writes_month_first(sample: str) -> bool:
    """Tell from how a locale writes 26 November 2026 in numbers whether the month stands first."""
    return re.match(r"\D*11\D+26\b", sample) is not None


def _day_and_month(text: str, month_first: bool) -> tuple[int, int, int | None] | None:
    """Return day, month and year (None: not said) of a text that begins with day and month."""
    found = _DAY_FIRST.fullmatch(text)
    order = (1, 2)
    if found is None and month_first:
        found, order = _SLASHES.fullmatch(text), (2, 1)
    if found is None:
        return None
    return int(found[order[0]]), int(found[order[1]]), int(found[3]) if found[3] else None


def _date(text: str, year: int, month: int, day: int) -> datetime.date:
    if not year:
        raise ValueError(f"{text}: there is no year 0")
    _require(text, month, day, year)
    return datetime.date(year, month, day)


def _require(text: str, month: int, day: int, year: int = _LEAP_YEAR) -> None:
    """Raise the words for a day that isn't in the calendar (without a year: of any year)."""
    if not 1 <= month <= 12:
        raise ValueError(f"{text}: there is no month {month}")
    if not day:
        raise ValueError(f"{text}: there is no day 0")
    days = len(_days(year, month))
    if day > days:
        of_year = f" {year}" if month == 2 and year != _LEAP_YEAR else ""
        raise ValueError(f"{text}: {_MONTHS[month - 1]}{of_year} has {days} days")


def _latest_of_year(text: str, today: datetime.date, month: int, day: int) -> datetime.date:
    # Nine years are enough for 29.2., which 1900 and 2100 haven't.
    for year in range(today.year, max(today.year - 9, 0), -1):
        if day <= len(_days(year, month)) and datetime.date(year, month, day) <= today:
            return datetime.date(year, month, day)
    raise ValueError(f"{text}: there was no such day yet")


def _latest_of_month(text: str, today: datetime.date, day: int) -> datetime.date:
    if not 1 <= day <= 31:
        raise ValueError(f"{text}: there is no day {day}")
    # As one number of months, so that January goes back into December. Three are enough for a 31st.
    number = today.year * 12 + today.month - 1
    for each in range(number, max(number - 3, 11), -1):
        year, month = each // 12, each % 12 + 1
        if day <= len(_days(year, month)) and datetime.date(year, month, day) <= today:
            return datetime.date(year, month, day)
    raise ValueError(f"{text}: there was no such day yet")


def _problem(text: str, today: datetime.date | None) -> str:
    """Return the words for a text that is no date in any form."""
    if foreign := _FOREIGN.search(text):
        likely = likely_date(text, today)
        return f"`{foreign[0]}` isn't part of a date{f': {likely}?' if likely else ''}"
    if slashed := _SLASHES.fullmatch(text):
        return f"{text}: {_which_is_the_month(slashed, today)}"
    if re.fullmatch(r"[0-9]{4}[-/.]?", text):
        return f"{text}: month and day are missing"
    if re.fullmatch(r"[0-9]{4}[-/.]?[0-9]{1,2}[-/.]?", text):
        return f"{text}: the day is missing"
    if re.fullmatch(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{1,3}", text):
        return f"{text}: the year has four digits"
    if _DAY_FIRST.fullmatch(text):  # of today nothing is known, or it were read
        return f"{text}: the year is missing"
    return f"{text}: write it as 2026-11-21, 21.11. or 21"


def _which_is_the_month(slashed: re.Match[str], today: datetime.date | None) -> str:
    first, second, year = slashed.groups()
    readings = [
        f"{day}.{month}.{year or ''}"
        for day, month in ((first, second), (second, first))
        if 1 <= int(month) <= 12 and 1 <= int(day) <= len(_days(int(year or 0) or _LEAP_YEAR, int(month)))
    ]
    return f"write {' or '.join(dict.fromkeys(readings))}" if readings else "there is no such day"


def _may_become_compact(year: str, month: str, day: str) -> bool:
    if year == "0000" or not _begins_number(month, range(1, 13), padded=True):
        return False
    return len(month) < 2 or _begins_number(day, _days(int(year), int(month)), padded=True)


def _may_become_short(first: str, second: str | None, year: str | None, day_first: bool) -> bool:
    """Whether a day and a month, in the order that is written, can become a date; the last part may be begun only."""
    number, later = int(first), range(1, 13) if day_first else range(1, 32)
    if number not in (range(1, 32) if day_first else range(1, 13)):
        return False
    meant = [each for each in later if second is None or _begins_number(second, (each,), padded=False)]
    if year is not None:
        meant = [each for each in later if str(each) == str(int(second or 0))]
    whole_year = int(year) if year and len(year) == 4 else _LEAP_YEAR
    pairs = [(number, each) if day_first else (each, number) for each in meant]
    return year != "0000" and any(day <= len(_days(whole_year, month)) for day, month in pairs)


def _days(year: int, month: int) -> range:
    # Not by `calendar`: it brings `locale`, and the start would wait for both with the first date. The calendar repeats
    # after 400 years, and year 0, which may be typed, has no date.
    whole = _LEAP_YEAR + year % 400
    following = datetime.date(whole + month // 12, month % 12 + 1, 1)
    return range(1, (following - datetime.date(whole, month, 1)).days + 1)


def _begins_number(text: str, numbers: Iterable[int], *, padded: bool) -> bool:
    return any(f"{number:02}".startswith(text) or (not padded and str(number) == text) for number in numbers)
