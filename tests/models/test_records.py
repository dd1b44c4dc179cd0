"""What is known of records, days and lists, as values: pure."""

from __future__ import annotations

import datetime

import pytest

from abq_data_entry.fields import CSV_HEADER
from abq_data_entry.models import (
    SORTABLE,
    Change,
    CheckProgress,
    Choices,
    PositionIndex,
    Privileges,
    Selection,
    Withdrawn,
)
from abq_data_entry.models.extract import ExtractDay, SentExtract
from abq_data_entry.models.records import PartIndex

DAY = datetime.date(2026, 11, 20)
MOMENT = datetime.datetime(2026, 11, 20, 9, tzinfo=datetime.timezone.utc)


def test_lists_hold_what_is_retired_for_old_records() -> None:
    choices = Choices(("a",), ("B",), {"B": (1, 3)}, {}, ("z",), ("A",), {"A": (2, 1), "B": (2,)})
    assert choices.all_technicians == ("a", "z") and choices.all_labs == ("A", "B")
    assert choices.all_plots == {"A": (1, 2), "B": (1, 2, 3)}
    assert Choices().all_plots == {} and Choices().all_labs == ()


@pytest.mark.parametrize(
    ("delivered", "outdated", "is_out"),
    [(None, False, False), (None, True, False), (MOMENT, False, True), (MOMENT, True, False)],
)
def test_a_day_is_out_where_it_arrived_as_it_is_now(
    delivered: datetime.datetime | None, outdated: bool, is_out: bool
) -> None:
    sent = SentExtract(delivered, outdated)
    day = ExtractDay(DAY, 3, {"rest": sent}, ("rest",))
    assert day.went_out("rest") is day.went_out() is is_out
    assert not day.went_out("ftp")
    both = ExtractDay(DAY, 3, {"rest": sent, "ftp": SentExtract(MOMENT)}, ("rest", "ftp"))
    assert both.went_out() is is_out and both.went_out("ftp")
    assert not ExtractDay(DAY, 3, {"rest": sent}, ("rest", "ftp")).went_out()
    assert not ExtractDay(DAY, 3, {"rest": sent}).went_out(), "no destination is in use"
    assert (SentExtract().version, SentExtract().waits, ExtractDay(DAY).records) == (0, False, 0)


def test_who_did_it_is_whom_the_application_says() -> None:
    for said, who in (("J Simms", "J Simms"), ("", "login")):
        assert Change(MOMENT, "UPDATE", "login", said, "", "", {}).who == who
        assert Withdrawn({}, 1, MOMENT, "login", said, "", "").who == who


def test_what_the_list_is_sorted_by() -> None:
    assert set(CSV_HEADER) - set(SORTABLE) == {"Notes"}
    assert (Selection().sort, Selection().descending) == ("Date", True)
    with pytest.raises(ValueError, match="can't be sorted by 'Notes'"):
        Selection(sort="Notes")


@pytest.mark.parametrize(
    ("position", "entry"),
    [(0, (0, None)), (9, (0, None)), (10, (10, ("b",))), (11, (10, ("b",))), (19, (10, ("b",))), (20, (20, ("c",))),
     (99, (20, ("c",)))],
)  # fmt: skip
def test_the_last_entry_before_a_position(position: int, entry: tuple[int, tuple[str, ...] | None]) -> None:
    part_index = PartIndex(25, (0, 10, 20), (("a",), ("b",), ("c",)))
    assert part_index.entry_before(position) == entry
    assert PartIndex(0).entry_before(position) == (0, None)
    assert len(PositionIndex(Selection(), 25, (part_index,))) == 25


def test_what_is_not_said() -> None:
    assert CheckProgress() == CheckProgress(None, {}, 0)
    assert all(vars(Privileges()).values())
