"""Dates: what each spelling means on a given day, what is refused in which words, and what can still become one."""

from __future__ import annotations

import datetime
import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from abq_data_entry import fields
from abq_data_entry.fields import dates

TODAY = datetime.date(2026, 11, 26)
typed = st.text(alphabet="0123456789./-", max_size=11) | st.text(alphabet="0129./", max_size=8)


def date(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("text", "today", "meant"),
    [
        ("26", "2026-11-26", "2026-11-26"),
        ("27", "2026-11-26", "2026-10-27"),
        ("1", "2026-11-26", "2026-11-01"),
        ("05.", "2026-11-26", "2026-11-05"),
        ("31", "2026-11-26", "2026-10-31"),
        ("31", "2026-03-30", "2026-01-31"),
        ("30", "2026-03-01", "2026-01-30"),
        ("29", "2028-02-29", "2028-02-29"),
        ("31", "2026-01-15", "2025-12-31"),
        ("26.11.", "2026-11-26", "2026-11-26"),
        ("26.11", "2026-11-26", "2026-11-26"),
        ("27.11.", "2026-11-26", "2025-11-27"),
        ("31.12.", "2026-01-01", "2025-12-31"),
        ("29.2.", "2026-11-26", "2024-02-29"),
        ("29.02.", "2104-02-28", "2096-02-29"),
        ("26.11.2026", "2026-01-01", "2026-11-26"),
        ("1.2.2026", "2026-01-01", "2026-02-01"),
        ("2026-11-21", "2020-01-01", "2026-11-21"),
        ("20261121", "2020-01-01", "2026-11-21"),
        ("2026/11/21", "2020-01-01", "2026-11-21"),
        ("3", "0001-01-05", "0001-01-03"),
        ("2026.11.21", "2020-01-01", "2026-11-21"),
        ("2026-1-2", "2020-01-01", "2026-01-02"),
        ("0206-11-26", "2026-11-26", "0206-11-26"),
    ],
)
def test_what_is_meant(text: str, today: str, meant: str) -> None:
    assert dates.read_date(text, date(today)) == date(meant)


@pytest.mark.parametrize(
    ("text", "meant"), [("11/26", "2026-11-26"), ("11/27", "2025-11-27"), ("2/1/2026", "2026-02-01")]
)
def test_the_month_stands_first_only_where_people_write_so(text: str, meant: str) -> None:
    assert dates.read_date(text, TODAY, month_first=True) == date(meant)
    with pytest.raises(ValueError, match=r"write \d"):
        dates.read_date(text, TODAY)
    assert dates.may_become_date(text, month_first=True) and not dates.may_become_date(text)


def test_a_reader_knows_its_day_and_its_order() -> None:
    asked: list[str] = []

    def month_first() -> bool:
        asked.append("order")
        return True

    reader = dates.DateReader(lambda: TODAY, month_first)
    assert reader.read("27") == date("2026-10-27") and reader.read("1.2.2026") == date("2026-02-01")
    assert reader.may_become("27.1") and not asked, "only a slash asks for the order"
    assert reader.read("11/27") == date("2025-11-27") and reader.may_become("11/27") and len(asked) == 2
    usual = dates.DateReader(lambda: TODAY)
    assert not usual.may_become("11/27") and usual.may_become("27.")
    with pytest.raises(ValueError):
        usual.read("11/27")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-11-31", "2026-11-31: November has 30 days"),
        ("20261131", "20261131: November has 30 days"),
        ("31.11.", "31.11.: November has 30 days"),
        ("30.2.", "30.2.: February has 29 days"),
        ("29.2.2026", "29.2.2026: February 2026 has 28 days"),
        ("2026-02-29", "2026-02-29: February 2026 has 28 days"),
        ("2026-13-01", "2026-13-01: there is no month 13"),
        ("2026-11-00", "2026-11-00: there is no day 0"),
        ("0.11.", "0.11.: there is no day 0"),
        ("32", "32: there is no day 32"),
        ("0", "0: there is no day 0"),
        ("0000-11-26", "0000-11-26: there is no year 0"),
        ("2026", "2026: month and day are missing"),
        ("2026-11", "2026-11: the day is missing"),
        ("202611", "202611: the day is missing"),
        ("26.11.26", "26.11.26: the year has four digits"),
        ("5/6", "5/6: write 5.6. or 6.5."),
        ("11/26", "11/26: write 26.11."),
        ("26/11/2026", "26/11/2026: write 26.11.2026"),
        ("40/40", "40/40: there is no such day"),
        ("2026;11;26", "`;` isn't part of a date: 2026-11-26?"),
        ("26:11:", "`:` isn't part of a date: 2026-11-26?"),
        ("2026_11_31", "`_` isn't part of a date"),
        ("yesterday", "`y` isn't part of a date"),
        ("31 Feb", "a space isn't part of a date"),
        ("2026-11-28 08:00", "a space isn't part of a date: 2026-11-28?"),
        ("2026-11-28T08:00Z", "`T` isn't part of a date: 2026-11-28?"),
        ("28.11.2026\xa08:00", "a space isn't part of a date: 2026-11-28?"),
        ("28. 11. 2026", "a space isn't part of a date: 2026-11-28?"),
        ("28.11. 08:00", "a space isn't part of a date"),
        ("2026\u201111\u201128", "`\u2011` (non-breaking hyphen) isn't part of a date: 2026-11-28?"),
        ("\u200e2026-11-28", "an invisible character isn't part of a date"),
        ("", "write it as 2026-11-21, 21.11. or 21"),
        ("y" * 20, "`y` isn't part of a date"),
        ("y" * 21, "yyyyyyyyyyyyyyyyyyyy… is no date"),
        ("2026-11/26", "2026-11/26: write it as 2026-11-21, 21.11. or 21"),
    ],
)
def test_words(text: str, words: str) -> None:
    with pytest.raises(ValueError) as told:
        dates.read_date(text, TODAY)
    assert str(told.value) == words


@pytest.mark.parametrize(("text", "today"), [("2", "0001-01-01"), ("31", "0001-01-30"), ("2.1.", "0001-01-01"),
                                             ("29.2.", "0003-12-31"), ("31.12.", "0001-12-30")])  # fmt: skip
def test_of_the_first_years_there_is_no_such_day_yet(text: str, today: str) -> None:
    with pytest.raises(ValueError) as told:
        dates.read_date(text, date(today))
    assert str(told.value) == f"{text}: there was no such day yet"
    assert dates.parse_date(fields.field("Date"), today, None) == date(today)
    assert dates.could_become_date(fields.field("Date"), today[:-1], None)


def test_without_a_day_of_today_a_short_date_means_nothing() -> None:
    for text, words in (
        ("26", "write it as 2026-11-21, 21.11. or 21"), ("26.11.", "the year is missing"), ("11/26", "write 26.11."),
    ):  # fmt: skip
        with pytest.raises(ValueError) as told:
            dates.read_date(text)
        assert str(told.value) == f"{text}: {words}"


@given(st.dates(), st.dates())
def test_a_short_date_is_the_latest_such_day_that_is_not_ahead(today: datetime.date, other: datetime.date) -> None:
    for text, same in (
        (f"{other.day}", lambda day: day.day == other.day),
        (f"{other.day}.{other.month}.", lambda day: (day.month, day.day) == (other.month, other.day)),
    ):
        try:
            found = dates.read_date(text, today)
        except ValueError as error:
            assert "no such day yet" in str(error) and today.year < 10
            continue
        assert same(found) and found <= today
        between = (found + datetime.timedelta(n) for n in range(1, (today - found).days + 1))
        assert not any(same(day) for day in between)


@given(st.dates(), st.booleans())
def test_every_spelling_of_a_date_is_that_date_and_can_be_typed(day: datetime.date, padded: bool) -> None:
    number = (lambda value: f"{value:02}") if padded else str
    year = f"{day.year:04}"
    spellings = [
        *(mark.join((year, number(day.month), number(day.day))) for mark in "-/."),
        f"{number(day.day)}.{number(day.month)}.{year}",
        f"{year}{day.month:02}{day.day:02}",
    ]
    for text in spellings:
        assert dates.read_date(text) == day
        assert all(dates.may_become_date(text[:end]) for end in range(len(text) + 1))
    text = f"{number(day.month)}/{number(day.day)}/{year}"
    assert dates.read_date(text, month_first=True) == day
    assert all(dates.may_become_date(text[:end], month_first=True) for end in range(len(text) + 1))


@given(typed, typed, st.dates(), st.booleans())
@example("26", "x", TODAY, False)
@example("1.2.2026", "", TODAY, False)
@example("3", "1.4.", TODAY, False)
def test_what_cannot_become_a_date_is_none_however_it_goes_on(
    text: str, more: str, today: datetime.date, month_first: bool
) -> None:
    if dates.may_become_date(text, month_first):
        return
    for each in (text, text + more):
        with pytest.raises(ValueError):
            dates.read_date(each, today, month_first)


@pytest.mark.parametrize("year", [0, 1900, 2024, 2026])
def test_exactly_the_days_of_the_calendar_can_be_typed(year: int) -> None:
    def exists(month: int, day: int, year: int = 2000) -> bool:
        try:
            return bool(datetime.date(year, month, day))
        except ValueError:
            return False

    for month, day in itertools.product(range(14), range(33)):
        whole = (f"{year:04}-{month:02}-{day:02}", f"{year:04}{month:02}{day:02}", f"{day:02}.{month:02}.{year:04}")
        assert {dates.may_become_date(each) for each in whole} == {exists(month, day, year)}, whole
        assert dates.may_become_date(f"{month:02}/{day:02}/{year:04}", month_first=True) is exists(month, day, year)
        assert dates.may_become_date(f"{day:02}.{month:02}.") is exists(month, day)
        assert dates.may_become_date(f"{month:02}/{day:02}", month_first=True) is exists(month, day)


def test_what_is_begun_can_be_typed_as_far_as_a_day_of_it_exists() -> None:
    may = ("", "0", "2026", "2026-", "2026-0", "2026-1", "2026-02-", "2026-02-0", "2026-02-2", "2026-2-28", "20260",
           "202602", "2026022", "26.", "26.0", "26.1", "31.1", "31.0", "29.2.19", "1.1.0", "1.1.000")  # fmt: skip
    never = ("0000", "0000-", "202-", "2026-00", "2026-00-", "2026-0-", "2026-13", "20262", "202600", "202613",
             "2026023", "2026-02.", "0.", "00.", "32.", "26.00", "26.13", "26.2/", "31.4", "31.04", "1/")  # fmt: skip
    assert [each for each in may if not dates.may_become_date(each)] == []
    assert [each for each in never if dates.may_become_date(each)] == []
    assert dates.may_become_date("1/", month_first=True) and not dates.may_become_date("13/", month_first=True)


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2026-11-26", ""),
        ("2026-11-25", "1 day back"),
        ("2026-11-27", "1 day ahead"),
        ("2026-11-10", "16 days back"),
        ("2025-11-20", "371 days back"),
        ("2024-11-26", "2 years back"),
        ("2062-11-26", "36 years ahead"),
        ("0206-11-26", "1,820 years back"),
    ],
)
def test_distances_in_words(day: str, words: str) -> None:
    assert dates.distance(date(day), TODAY) == words


@pytest.mark.parametrize(
    ("sample", "first"),
    [("11/26/2026", True), ("11/26/26", True), ("26.11.2026", False), ("2026-11-26", False), ("26/11/26", False),
     ("2026. 11. 26.", False)],
)  # fmt: skip
def test_a_locale_shows_its_order_by_an_example(sample: str, first: bool) -> None:
    assert dates.writes_month_first(sample) is first
