"""Dates as people type them, and the one form in which they are shown: 2026-11-21.

Whole dates are 2026-11-21, 2026/11/21, 2026.11.21, 20261121 and 21.11.2026. A short one, 21 (day of a month) or 21.11.
(day of a year), means the latest such day that isn't after `today`. 11/21 and 11/21/2026 are read only where people
write the month first (`month_first`); elsewhere it is unclear which number is the month, and they are refused.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from abq_data_entry.fields.numbers import character_in_words
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
_SLIPS = str.maketrans({";": ".", ":": ".", ",": ".", "_": "-", "–": "-", "−": "-", "‐": "-", "‑": "-"})
"""Characters typed by mistake (the right key with the wrong Shift state, the keypad's comma), and what was meant."""
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WITH_TIME = re.compile(r"([0-9./-]{8,10})[ T\N{NO-BREAK SPACE}].*")
_LEAP_YEAR = 2000  # stands for a missing year, so that 29 February is allowed
_LONGEST = 20  # characters; a pasted page is not repeated in the error message


class DateReader(NamedTuple):
    """Reads dates by the local conventions: `today`'s date, and whether people write the month first."""

    today: Callable[[], datetime.date] = datetime.date.today
    month_first: Callable[[], bool] = lambda: False

    def read(self, text: str) -> datetime.date:
        """Return the date that `text` means today; raises `ValueError` with a message for the user."""
        # Only with a slash is it unclear which number is the month, so the locale is asked for nothing else.
        return read_date(text, self.today(), "/" in text and self.month_first())

    def may_become(self, text: str) -> bool:
        """Return whether more characters could make `text` a date."""
        return may_become_date(text, "/" in text and self.month_first())


def read_date(text: str, today: datetime.date | None = None, month_first: bool = False) -> datetime.date:
    """Return the date that `text` means; raises `ValueError` with a message for the user.

    Without `today`, short dates are refused.
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
    """Return the date that `text` spells in full; raises `ValueError` with a message for the user."""
    return read_date(text)


def could_become_date(field: Field, text: str, choices: Choices | None) -> bool:
    """Return whether `text` is the beginning of a date that exists, whole or short."""
    return may_become_date(text)


def may_become_date(text: str, month_first: bool = False) -> bool:
    """Return whether more characters could make `text` a date that exists."""
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
    """Return what a text with wrong characters in it was probably meant to be, or None if that is no date.

    '26:11:' has wrong separators, '28. 11. 2026' spaces, and '2026-11-28 08:00' a time after the date.
    """
    if timed := _WITH_TIME.fullmatch(text):
        return _iso_date(timed[1], None)
    likely = "".join(text.translate(_SLIPS).split())
    return None if likely == text else _iso_date(likely, today)


def _iso_date(text: str, today: datetime.date | None) -> str | None:
    try:
        return read_date(text, today).isoformat()
    except ValueError:
        return None


def distance(date: datetime.date, today: datetime.date) -> str:
    """Return the distance of a date from today in words: '16 days back', '36 years ahead'; '' for today."""
    days = abs((date - today).days)
    if not days:
        return ""
    years = round(days / 365.2425)
    number, unit = (years, "year") if years >= 2 else (days, "day")
    return f"{number:,} {unit}{'s' * (number != 1)} {'ahead' if date > today else 'back'}"


def writes_month_first(sample: str) -> bool:
    """Return whether a locale writes the month first, from how it writes 26 November 2026 in numbers."""
    return re.match(r"\D*11\D+26\b", sample) is not None


def _day_and_month(text: str, month_first: bool) -> tuple[int, int, int | None] | None:
    """Return day, month and year (None: not given) of a text that begins with day and month."""
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
    """Raise `ValueError` if no such day exists; without a year, if it exists in no year."""
    if not 1 <= month <= 12:
        raise ValueError(f"{text}: there is no month {month}")
    if not day:
        raise ValueError(f"{text}: there is no day 0")
    days = len(_days(year, month))
    if day > days:
        of_year = f" {year}" if month == 2 and year != _LEAP_YEAR else ""
        raise ValueError(f"{text}: {_MONTHS[month - 1]}{of_year} has {days} days")


def _latest_of_year(text: str, today: datetime.date, month: int, day: int) -> datetime.date:
    # 29.2. needs at most eight years back, because 1900 and 2100 have none.
    for year in range(today.year, max(today.year - 9, 0), -1):
        if day <= len(_days(year, month)) and datetime.date(year, month, day) <= today:
            return datetime.date(year, month, day)
    raise ValueError(f"{text}: there was no such day yet")


def _latest_of_month(text: str, today: datetime.date, day: int) -> datetime.date:
    if not 1 <= day <= 31:
        raise ValueError(f"{text}: there is no day {day}")
    # Months as one running number, so that the month before January is December. One of any three has a 31st.
    number = today.year * 12 + today.month - 1
    for each in range(number, max(number - 3, 11), -1):
        year, month = each // 12, each % 12 + 1
        if day <= len(_days(year, month)) and datetime.date(year, month, day) <= today:
            return datetime.date(year, month, day)
    raise ValueError(f"{text}: there was no such day yet")


def _problem(text: str, today: datetime.date | None) -> str:
    """Return what is wrong with a text that is no date in any form."""
    if foreign := _FOREIGN.search(text):
        likely = likely_date(text, today)
        return f"{character_in_words(foreign[0])} isn't part of a date{f': {likely}?' if likely else ''}"
    if slashed := _SLASHES.fullmatch(text):
        return f"{text}: {_which_is_the_month(slashed, today)}"
    if re.fullmatch(r"[0-9]{4}[-/.]?", text):
        return f"{text}: month and day are missing"
    if re.fullmatch(r"[0-9]{4}[-/.]?[0-9]{1,2}[-/.]?", text):
        return f"{text}: the day is missing"
    if re.fullmatch(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{1,3}", text):
        return f"{text}: the year has four digits"
    if _DAY_FIRST.fullmatch(text):  # `today` is not given, or this would have been read
        return f"{text}: the year is missing"
    return f"{text}: write it as 2026-11-21, 21.11. or 21".removeprefix(": ")


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
    """Return whether day and month, in the order written, can become a date; the last part may be incomplete."""
    number, later = int(first), range(1, 13) if day_first else range(1, 32)
    if number not in (range(1, 32) if day_first else range(1, 13)):
        return False
    meant = [each for each in later if second is None or _begins_number(second, (each,), padded=False)]
    if second is not None and year is not None:
        meant = [each for each in later if each == int(second)]
    whole_year = int(year) if year and len(year) == 4 else _LEAP_YEAR
    pairs = [(number, each) if day_first else (each, number) for each in meant]
    return year != "0000" and any(day <= len(_days(whole_year, month)) for day, month in pairs)


def _days(year: int, month: int) -> range:
    # Without `calendar`, because it imports `locale`, and both would slow down the start. The calendar repeats every
    # 400 years; the shift also covers year 0, which may be typed and which `datetime` doesn't have.
    whole = _LEAP_YEAR + year % 400
    following = datetime.date(whole + month // 12, month % 12 + 1, 1)
    return range(1, (following - datetime.date(whole, month, 1)).days + 1)


def _begins_number(text: str, numbers: Iterable[int], *, padded: bool) -> bool:
    return any(f"{number:02}".startswith(text) or (not padded and str(number) == text) for number in numbers)
