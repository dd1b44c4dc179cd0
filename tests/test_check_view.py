"""What the form knows of a check: which plots are left, and in which order they come."""

from __future__ import annotations

import datetime

import pytest

from abq_data_entry.views.form_content import CheckView, Entering

KEY = (datetime.date(2026, 11, 21), "8:00", "A")


def view(recorded: str = "", others: str = "") -> CheckView:
    """A lab of six plots, of which ``recorded`` are and ``others`` are being entered by somebody else."""
    entering = tuple(Entering("P Taylor", "bench-2", int(plot)) for plot in others)
    return CheckView(KEY, (1, 2, 3, 4, 5, 6), recorded={int(plot): "J Simms" for plot in recorded}, others=entering)


@pytest.mark.parametrize(
    ("recorded", "others", "after", "missing", "free"),
    [
        ("", "", 0, (1, 2, 3, 4, 5, 6), [1, 2, 3, 4, 5, 6]),
        ("12", "", 2, (3, 4, 5, 6), [3, 4, 5, 6]),
        ("12", "4", 2, (3, 4, 5, 6), [3, 5, 6]),
        ("2", "", 4, (5, 6, 1, 3, 4), [5, 6, 1, 3, 4]),
        ("13456", "2", 6, (2,), []),
        ("123456", "", 6, (), []),
    ],
)
def test_plots_come_in_their_order_and_going_round(
    recorded: str, others: str, after: int, missing: tuple[int, ...], free: list[int]
) -> None:
    check = view(recorded, others)
    assert check.missing_after(after) == missing
    assert check.free_after(after) == free
    assert check.next_missing(after) == (free[0] if free else None)


def test_who_has_the_last_plots_is_named() -> None:
    left = view("13456", "2").left_to_others()
    assert left is not None and left.named == "P Taylor on bench-2"
    assert view("1345", "2").left_to_others() is None
    assert view("123456").left_to_others() is None


def test_one_more_record_makes_another_check_of_it() -> None:
    before = view("1")
    after = before.with_recorded(2, "P Taylor")
    assert dict(after.recorded) == {1: "J Simms", 2: "P Taylor"} and dict(before.recorded) == {1: "J Simms"}
    assert after.technician == "P Taylor"
