"""A record that a colleague withdraws, moves or brings back while it is open here, half corrected."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.models.undoing import By
from tests.fixtures.window import Window
from tests.window.test_form import open_plot, record, today

BY = By("P Taylor")
Key = tuple[str, str, str, int]


def remark(window: Window) -> str:
    return str(window.app.form.plot_panel.remark.cget("text"))


@pytest.fixture
def half_corrected(window: Window, stored: SQLModel) -> Window:
    """J Simms sits here, and has begun to correct plot 2, which P Taylor recorded."""
    window.begin_check()
    stored.save_record(record(2, today(window), Technician="P Taylor"), author="P Taylor", workstation="bench-2")
    window.until(lambda: 2 in window.app.form.check.recorded, "the record")
    open_plot(window, 2)
    window.settle()
    window.fill(Fruit="8")
    assert window.app.form.changed
    return window


def withdraw(stored: SQLModel, key: Key) -> None:
    stored.withdraw_record(key, "typed twice", by=BY)


def move(stored: SQLModel, key: Key) -> None:
    stored.move_record(key, (*key[:3], 9), "wrong plot", by=BY)


def move_to_another_lab(stored: SQLModel, key: Key) -> None:
    stored.move_record(key, (key[0], "12:00", "B", 3), "wrong lab", by=BY)


@pytest.mark.parametrize(
    ("take_away", "words"),
    [
        (withdraw, "P Taylor withdrew it (typed twice)."),
        (move, "P Taylor moved it to {date} 8:00, lab A, plot 9 (wrong plot)."),
        (move_to_another_lab, "P Taylor moved it to {date} 12:00, lab B, plot 3 (wrong lab)."),
    ],
)
def test_who_has_it_open_is_shown_who_took_it_away(
    half_corrected: Window, stored: SQLModel, take_away: Callable[[SQLModel, Key], None], words: str
) -> None:
    window, key = half_corrected, (today(half_corrected), "8:00", "A", 2)
    told = words.format(date=key[0])
    take_away(stored, key)
    window.until(lambda: told in remark(window), "the remark")
    assert window.text(F.FRUIT) == "8"
    window.save()
    assert told in window.app.status.get() and stored.get_record(*key) == {}
    # What stands here is a new record now, of whoever sits here: not of whose record it was.
    assert window.app.form.opened is None and window.text(F.TECHNICIAN) == "J Simms"
    window.save()
    saved = stored.get_record(*key)
    assert (saved[F.TECHNICIAN], saved[F.FRUIT]) == ("J Simms", 8)
    assert window.app.form.person == window.text(F.TECHNICIAN) == "J Simms"


def test_brought_back_it_is_corrected_again(half_corrected: Window, stored: SQLModel) -> None:
    window, key = half_corrected, (today(half_corrected), "8:00", "A", 2)
    withdraw(stored, key)
    window.until(lambda: "withdrew it" in remark(window), "the remark")
    stored.bring_back_record(key, "was right", by=BY)
    window.until(lambda: "isn't here any more" not in remark(window), "the record")
    window.save()
    window.until(lambda: stored.get_record(*key)[F.FRUIT] == 8 or window.dialogs, "the save")
