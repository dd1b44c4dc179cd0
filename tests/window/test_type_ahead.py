"""Keys typed ahead: each belongs to the plot that it was typed for, and to no other."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import SQLModel
from abq_data_entry.views.ahead_line import AheadLine
from tests.fixtures.cluster import OWNER, Node
from tests.fixtures.outages import differences, frozen, keys_of, readings, type_blindly
from tests.fixtures.window import Window
from tests.models.records import record
from tests.window.test_login import type_login

pytestmark = pytest.mark.usefixtures("display")


@pytest.fixture
def online(single: Node, settings: dict[str, Any], open_window: Callable[[], Window]) -> Window:
    """A window that is logged in to the server of the test."""
    settings.update(db_host="127.0.0.1", db_port=str(single.port), db_name="abq")
    window = open_window()
    type_login(window, OWNER, single.endpoint()["password"])
    window.until(lambda: window.app.data_model is not None, "the database")
    window.settle()
    return window


@pytest.fixture
def there(single: Node) -> Iterator[SQLModel]:
    """A second look into that database."""
    model = SQLModel.at(single.endpoint())
    yield model
    model.close()


@contextmanager
def slow(stored: SQLModel) -> Iterator[None]:
    """The database takes saves and answers none of them until the end."""
    with stored._connections._connection() as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE plot_checks IN EXCLUSIVE MODE")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


def plot(seed: int) -> dict[str, str]:
    return readings(random.Random(seed))


def begin_with_a_slow_save(window: Window, typed: str = "") -> None:
    """In lab A at 8:00 plot 1 is being saved, and meanwhile this has been typed."""
    window.type(keys_of([plot(1)]))
    window.until(lambda: window.app.form.saving, "the save")
    window.type(typed)


def line(window: Window) -> AheadLine:
    return window.app.form.type_ahead.line


def records(stored: SQLModel) -> dict[int, dict[str, Any]]:
    return {int(str(each[F.PLOT])): each for each in stored.get_all_records(all_dates=True)}


def until_saved(window: Window) -> None:
    window.until(lambda: not window.app.form.saving and not window.app.form.type_ahead.is_busy, "the save")
    window.settle()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP there")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("goes_away", [False, True], ids=["a short outage", "into the journal"])
def test_plots_typed_through_an_outage_are_stored_as_they_were_typed(
    online: Window, single: Node, there: SQLModel, goes_away: bool
) -> None:
    window, app = online, online.app
    chance = random.Random(20261126)
    plots = [readings(chance) for _ in range(8)]
    window.begin_check()
    hand = type_blindly(keys_of(plots))
    window.until(lambda: window.text(F.PLOT) == "2" and window.text(F.LIGHT), "the second plot")
    with frozen(single):
        window.until(lambda: len(app.form.type_ahead.draft()) and app.form.saving, "keys typed ahead")
        if goes_away:
            window.until(lambda: "Database away" in app.status_bar.trouble, "the window to notice")
            window.until(lambda: app.form.check.waiting, "records that wait here")
        else:
            window.until(lambda: len(app.form.type_ahead.draft()[0]["keys"]) > 40, "a whole plot typed ahead")
    window.until(lambda: hand.poll() is not None, "the last key", 60)
    window.until(lambda: window.text(F.PLOT) == "9" and not app.form.type_ahead.is_busy, "plot 9", 60)
    window.until(lambda: not app.status_bar.trouble, "the database", 60)
    window.settle()
    assert not line(window).is_shown and not app.form.changed
    for number, typed in enumerate(plots, 1):
        assert differences(typed, records(there)[number]) == []
    assert len(records(there)) == len(plots)


def test_a_segment_belongs_to_the_next_plot_and_the_next_to_the_one_after(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    with slow(stored):
        begin_with_a_slow_save(window, keys_of([plot(2), plot(3)]) + "24.0")
        assert window.text(F.PLOT) == "1"
    until_saved(window)
    assert (window.text(F.PLOT), window.text(F.HUMIDITY), window.focus) == ("4", "24.0", F.HUMIDITY)
    window.type("9")
    assert window.text(F.HUMIDITY) == "24.09"
    for number in (1, 2, 3):
        assert differences(plot(number), records(stored)[number]) == []


def test_the_plot_that_a_colleague_took_meanwhile_gets_none_of_the_keys(
    window: Window, stored: SQLModel, database: dict[str, str]
) -> None:
    window.begin_check()
    with slow(stored):
        begin_with_a_slow_save(window, keys_of([plot(2)]) + "24")
        form, colleague = window.app.form, SQLModel.at(database)
        assert form.check.key is not None
        colleague.enter_check(*form.check.key, 2, "P Taylor")
        window.until(lambda: form.check.entered_by(2), "the colleague")
    until_saved(window)
    colleague.close()
    assert window.text(F.PLOT) == "3" and not form.changed
    assert line(window).is_shown and line(window).title == "⚠ Typed ahead for lab A, plot 2:"
    assert line(window).text == f"{' ⏎ '.join(plot(2).values())} ⏎ 24"
    window.type("9\n1")  # and who goes on typing loses nothing
    assert line(window).text.endswith("⏎ 249 ⏎ 1")
    assert not form.changed and set(records(stored)) == {1}


def test_after_the_last_plot_the_keys_go_into_no_other_lab(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    window.fill(Plot="20")
    for number in range(1, 20):
        stored.save_record(record(Date=window.text(F.DATE), Plot=str(number)))
    window.app.checks.refresh()
    window.settle()
    window.fill(Plot="20")
    window.app.form.focus_first_empty()
    with slow(stored):
        begin_with_a_slow_save(window, keys_of([plot(2)]))
    until_saved(window)
    assert window.app.form.check.complete and window.text(F.LAB) == "A"
    assert line(window).is_shown and line(window).text == f"{' ⏎ '.join(plot(2).values())} ⏎"
    assert not line(window).buttons["Place Here"].instate(["!disabled"])


def test_keys_after_a_record_that_was_refused_are_shown_and_placed_by_key(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    with slow(stored):
        begin_with_a_slow_save(window, keys_of([plot(2), plot(3)]))
        window.app.form.save_failed({F.LIGHT: "Somebody doesn't like it."})
    until_saved(window)
    assert differences(plot(1), records(stored)[1]) == []
    form = window.app.form
    form.type_ahead._discard()
    form.begin_new()


def test_enter_that_stays_leaves_the_rest_untyped(window: Window, stored: SQLModel) -> None:
    window.begin_check()
    typed = dict(plot(2), Light="")
    with slow(stored):
        begin_with_a_slow_save(window, keys_of([typed, plot(3)]))
    until_saved(window)
    assert (window.text(F.PLOT), window.text(F.LIGHT), window.text(F.TEMPERATURE)) == ("2", "", "")
    rest = [*list(typed.values())[2:], *plot(3).values()]
    assert line(window).text == f"{' ⏎ '.join(rest)} ⏎"
    assert set(records(stored)) == {1}
