"""The record list on the real window: filters, order, pages, marks, states, and the clock."""

from __future__ import annotations

import datetime
import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry import postgres
from abq_data_entry.constants import FieldNames as F
from abq_data_entry.models import QueryCancelled, SQLModel
from abq_data_entry.themes import TK_9
from abq_data_entry.widgets.paged_list import PageRequest
from tests.fixtures.window import Window
from tests.pace import patience
from tests.window.test_form import record

# Four technicians, five labs, twenty plots, four times a day; readings without a pattern.
FILL = """
    INSERT INTO lab_checks (date, time, lab_id, lab_tech_id)
    SELECT current_date - n, hour, lab, (ARRAY[4291, 4319, 4478, 5607])[1 + (n + ascii(lab)) %% 4]
    FROM generate_series(%(first)s, %(last)s) AS n,
        unnest(ARRAY['8:00', '12:00', '16:00', '20:00']::time[]) AS hour, unnest(ARRAY['A', 'B', 'C', 'D', 'E']) AS lab;
    INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, humidity, light, temperature, equipment_fault,
        blossoms, plants, fruit, max_height, min_height, median_height, notes)
    SELECT date, time, lab_id, plot, 'AXM477', 1 + (plot * 7 + extract(hour FROM time)) %% 50, 2, 22, false,
        plot * 37 %% 101, plot, 3, 8.7, 1.67, 2.73, ''
    FROM lab_checks, generate_series(1, 20) AS plot
"""


def fill(stored: SQLModel, first: int = 0, last: int = 0) -> None:
    """400 records for each of the days from ``first`` to ``last`` days ago."""
    stored.query(FILL, {"first": first, "last": last})


class List:
    """The list as a person sees it."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.view = window.app.record_list
        self.page = self.view.page
        self.tree = self.page.tree

    def refresh(self, total: int | None = None) -> None:
        """F5, and wait until all is there again."""
        self.window.app.callbacks["refresh"]()
        self.settle(total)

    def settle(self, total: int | None = None) -> None:
        self.window.until(lambda: total in (None, self.page.total), f"the list to show {total}")
        self.window.settle()

    def until_sorted(self, name: str, descending: bool) -> None:
        chosen = self.view
        self.window.until(lambda: (chosen.filter.sort, chosen.filter.descending) == (name, descending), "the order")

    def column(self, name: str) -> list[str]:
        """What the visible rows show in a column."""
        return [str(self.tree.set(row, name)) for row in self.tree.get_children()]

    @property
    def keys(self) -> list[tuple[str, str, str, str]]:
        return list(zip(*(self.column(name) for name in (F.DATE, F.TIME, F.LAB, F.PLOT)), strict=True))

    def cell(self, row: str, name: str) -> tuple[int, int, int, int]:
        """Where a cell is: x, y, width, height."""
        box = self.tree.bbox(row, name)
        assert not isinstance(box, str), f"row {row} is not on the screen"
        return box

    @property
    def message(self) -> str:
        """The text that stands in place of rows."""
        return str(self.page.message_text.cget("text")) if self.page.message.winfo_manager() else ""

    @property
    def selected(self) -> int:
        """The position of the selected row in the whole list."""
        assert self.page.selected is not None
        return self.page.position + self.page.rows.index(self.page.selected)

    def fraction(self) -> tuple[float, float]:
        first, last, *_ = self.page.scrollbar.get()
        return float(first), float(last)

    def box(self, name: str) -> Any:
        """The filter box of a field."""
        variable = str(self.view.filters.variables[name])
        return next(each for each in self.boxes() if str(each.cget("textvariable")) == variable)

    def boxes(self) -> list[Any]:
        bar = self.view.winfo_children()[0]
        return [each for each in bar.winfo_children() if each.winfo_class() == "TCombobox"]

    def choose(self, name: str, text: str) -> None:
        """Type into a filter with real keys."""
        box = self.box(name)
        box.focus_force()
        self.window.app.update()
        self.window.press("ctrl+a")
        self.window.type(f"{text}\n")


@pytest.fixture
def records(window: Window) -> List:
    return List(window)


def ago(days: int) -> str:
    return (datetime.date.today() - datetime.timedelta(days)).isoformat()


def test_todays_records_newest_first_with_times_as_times(records: List, stored: SQLModel) -> None:
    fill(stored, 0, 1)
    records.refresh(400)
    assert set(records.column(F.DATE)) == {ago(0)}
    assert records.keys[:2] == [(ago(0), "20:00", "E", "20"), (ago(0), "20:00", "E", "19")]
    assert "400 records" in records.view.count_label.cget("text")
    # As text 8:00 would stand above 20:00, 16:00 and 12:00; it is the earliest.
    records.page.go_to(300 - 3)
    records.settle()
    assert [key[1] for key in records.keys][:4] == ["12:00"] * 3 + ["8:00"]


def test_filters_by_keyboard(records: List, stored: SQLModel) -> None:
    fill(stored, 0, 2)
    records.refresh(400)
    records.choose(F.DATE, ago(1))
    records.settle(400)
    assert set(records.column(F.DATE)) == {ago(1)}
    records.choose(F.LAB, "c")
    records.settle(80)
    records.choose(F.PLOT, "12")
    records.settle(4)
    assert records.keys == [(ago(1), hour, "C", "12") for hour in ("20:00", "16:00", "12:00", "8:00")]
    records.choose(F.DATE, "any")
    records.settle(12)
    name = records.column(F.TECHNICIAN)[0]
    records.choose(F.TECHNICIAN, name[0].lower())  # one letter is enough
    records.settle(4)
    assert set(records.column(F.TECHNICIAN)) == {name}
    # What can't be found is told, with the way back.
    records.choose(F.DATE, ago(300))
    records.settle(0)
    assert "No record fits these filters" in records.message
    records.page.message_button.invoke()
    records.settle(400)
    assert (records.message, records.view.filter.lab) == ("", None)
    assert records.view.filters.variables[F.DATE].get() == "today"


MEANINGLESS = [
    (F.TECHNICIAN, "Bohr", "Bohr", "any"),
    (F.PLOT, "99", "99", "any"),
    (F.LAB, "Z", "Z", "any"),
    (F.DATE, "nonsense", "`n` isn't part of a date", "today"),
    (F.DATE, "2026-11-31", "November has 30 days", "today"),
]


def test_a_filter_that_means_nothing_is_marked_and_never_becomes_another(records: List, stored: SQLModel) -> None:
    fill(stored)
    records.refresh(400)
    before, filters = records.view.filter, records.view.filters
    for name, typed, words, meant in MEANINGLESS:
        records.choose(name, typed)
        assert filters.variables[name].get() == typed
        assert records.box(name).instate(["invalid"])
        assert words in filters.words and f"still shows {meant}" in filters.words
        records.window.press("Tab")  # nor does it when it is left
        assert filters.variables[name].get() == typed and filters.marked(name)
        records.settle(400)
        assert records.view.filter == before
        # Another filter works meanwhile, and what was meant before comes back with Escape.
        other, value, rows = (F.PLOT, "3", 20) if name == F.LAB else (F.LAB, "b", 80)
        records.choose(other, value)
        records.settle(rows)
        assert filters.marked(name)
        records.box(name).focus_force()
        records.window.press("Escape")
        assert str(filters.variables[name].get()) == meant and not filters.words
        assert not records.box(name).instate(["invalid"])
        records.choose(other, "any")
        records.settle(400)
        assert records.view.filter == before


def test_short_dates_mean_the_latest_such_day_here_too(records: List) -> None:
    records.window.app.shared.clock = lambda: datetime.date(2026, 11, 26)
    for typed, meant in (("25", "2026-11-25"), ("27", "2026-10-27"), ("1.2.", "2026-02-01"), ("today", "today")):
        records.choose(F.DATE, typed)
        assert records.view.filters.variables[F.DATE].get() == meant


def test_the_list_follows_the_day_of_the_form(records: List, stored: SQLModel) -> None:
    fill(stored, 0, 2)
    records.refresh(400)
    window = records.window
    window.begin_check()
    window.fill(Date=ago(1))
    records.window.until(lambda: records.view.filters.variables[F.DATE].get() == ago(1), "the day of the form")
    records.settle(400)
    assert set(records.column(F.DATE)) == {ago(1)}
    # Somebody who looks at another day stays there.
    records.choose(F.DATE, ago(2))
    window.app.form.inputs[F.HUMIDITY].focus_set()
    window.fill(Date=ago(3))
    window.until(lambda: records.view.followed == datetime.date.fromisoformat(ago(3)), "the form's day")
    assert records.view.filters.variables[F.DATE].get() == ago(2)
    # What stands in the way of all records of the form's day is taken away by one button.
    records.choose(F.LAB, "B")
    records.view.reset()
    records.settle(0)
    assert f"No records yet of {ago(3)}" in records.message


def test_a_date_that_is_being_typed_moves_nothing(records: List) -> None:
    window = records.window
    window.app.form.inputs[F.DATE].focus_set()
    window.press("ctrl+a")
    window.type(ago(1)[:-1])
    seen = records.view.filter.date
    window.app.following.follow_form()
    assert records.view.filter.date == seen == datetime.date.today()


def test_what_was_just_saved_is_shown_where_it_stands(records: List, stored: SQLModel) -> None:
    """The day has 300 later records: the first plot of 8:00 stands far below the page that was shown."""
    fill(stored)
    stored.query("DELETE FROM plot_checks WHERE time = '8:00' AND lab_id = 'A'")
    records.refresh(380)
    window = records.window
    window.begin_check()
    for plot in ("1", "2"):
        window.fill_readings()
        window.save()
        window.until(lambda plot=plot: shown_record(records) == ("8:00", "A", plot), "the record")  # type: ignore[misc]
    records.settle(382)
    assert records.tree.set(records.tree.selection()[0], "Mark") == "new"
    assert records.keys == all_keys(stored)[records.page.position :][: len(records.keys)]
    # One that the filters leave out is told, and shown at a click.
    records.choose(F.LAB, "B")
    records.settle(80)
    window.fill_readings()
    window.save()
    news = records.view.news_button
    window.until(lambda: news.winfo_manager(), "the button")
    assert "Lab A, plot 3 is saved, but not in this list" in str(news.cget("text"))
    assert records.view.filter.lab == "B"
    news.invoke()
    records.settle(383)
    assert records.view.filters.variables[F.LAB].get() == "any" and not news.winfo_manager()


def shown_record(records: List) -> tuple[str, str, str] | None:
    selected = records.tree.selection()
    if not selected:
        return None
    time, lab, plot = (str(records.tree.set(selected[0], name)) for name in (F.TIME, F.LAB, F.PLOT))
    return time, lab, plot


def test_sorting_by_heading_by_box_and_both_ways(records: List, stored: SQLModel) -> None:
    fill(stored)
    records.refresh(400)
    tree = records.tree
    x = sum(int(tree.column(name, "width")) for name in tree["columns"][: tree["columns"].index(F.HUMIDITY)]) + 25
    offset = int(float(tree.xview()[0]) * sum(int(tree.column(name, "width")) for name in tree["columns"]))
    for order in ("rising", "falling"):
        for event in ("<ButtonPress-1>", "<ButtonRelease-1>"):
            tree.event_generate(event, x=x - offset, y=8)
        records.until_sorted(F.HUMIDITY, order == "falling")
        records.settle(400)
        shown = [float(each) for each in records.column(F.HUMIDITY)]
        assert shown == sorted(shown, reverse=order == "falling")
        assert ("▼" if order == "falling" else "▲") in tree.heading(F.HUMIDITY, "text")
        assert "▼" not in tree.heading(F.DATE, "text")
    # The same by keyboard: "Sort by" with its list, and the direction with Space.
    box = records.boxes()[-1]
    box.focus_force()
    records.window.app.update()
    records.window.press("Down")
    records.window.until(lambda: "popdown" in str(records.window.app.tk.call("focus")), "the list of the box")
    records.window.press("Up", "Up", "Return")
    records.window.until(lambda: records.view.filter.sort != F.HUMIDITY, "another order")
    records.settle(400)
    names = [records.view.filter.sort]
    before = records.view.filter.descending
    records.window.press("Tab", "space")
    records.settle(400)
    assert (records.view.filter.sort, records.view.filter.descending) == (names[0], not before)


def test_times_sort_as_times(records: List, stored: SQLModel) -> None:
    fill(stored)
    records.refresh(400)
    records.view.sort_by(F.TIME)
    records.settle(400)
    assert records.column(F.TIME)[0] == "8:00"
    records.view.sort_by(F.TIME)
    records.settle(400)
    assert records.column(F.TIME)[0] == "20:00"


def test_keys_across_the_borders_of_pages_and_the_exact_scrollbar(records: List, stored: SQLModel) -> None:
    fill(stored, 1, 10)
    window, page = records.window, records.page
    records.choose(F.DATE, "any")
    records.settle(4000)
    rows = len(page.rows)
    assert 3 <= rows < 60
    page.focus_set()
    assert records.selected == 0
    assert records.fraction() == pytest.approx((0, rows / 4000), abs=1e-6)

    window.press(*["Down"] * (rows + 2))
    window.until(lambda: not page.waiting and records.selected == rows + 2, "the row below the page")
    window.press(*["Up"] * 4)
    window.until(lambda: not page.waiting and records.selected == rows - 2, "the row above")
    window.press("Home")
    window.until(lambda: not page.waiting and records.selected == 0 and page.position == 0, "the first")
    window.press("Up")
    assert records.selected == 0

    window.press("Next", "Next")
    window.until(lambda: not page.waiting and page.position == 2 * rows, "two pages down")
    assert records.keys == all_keys(stored)[2 * rows : 3 * rows]
    assert records.fraction() == pytest.approx((2 * rows / 4000, 3 * rows / 4000), abs=1e-6)
    window.press("Prior")
    window.until(lambda: not page.waiting and page.position == rows, "a page up")

    window.press("End")
    window.until(lambda: not page.waiting and records.selected == 3999, "the last")
    assert records.keys == all_keys(stored)[-rows:]
    assert records.fraction() == pytest.approx((1 - rows / 4000, 1), abs=1e-6)
    window.press("Down", "Next")
    window.settle()
    assert records.selected == 3999
    window.press("Up")
    assert records.selected == 3998
    window.press(*["Up"] * rows)
    window.until(lambda: not page.waiting and records.selected == 3998 - rows, "above the last page")


def list_yesterday(records: List, stored: SQLModel) -> None:
    """List 400 records, with the keyboard on their rows."""
    fill(stored, 1, 1)
    records.choose(F.DATE, "any")
    records.settle(400)
    records.page.focus_set()


ROWS = (
    "End Up Up Up",
    "End Prior Down",
    "Next Down Down Up",
    "Next Next Prior Down",
    "End Home Down Down",
    "End Next Down Up",
)


def test_keys_that_come_before_the_page_go_on_from_where_it_will_be(records: List, stored: SQLModel) -> None:
    window, page = records.window, records.page
    list_yesterday(records, stored)

    def typed(keys: str, at_once: bool) -> int:
        window.press("Home")
        window.until(lambda: not page.waiting and records.selected == 0, "the first")
        if at_once:  # no answer comes between them
            for key in keys.split():
                page.tree.event_generate(f"<{key}>")
        else:
            for key in keys.split():
                window.press(key)
                window.until(lambda: not page.waiting, "the page")
        window.until(lambda: not page.waiting, "the page")
        return records.selected

    for keys in ROWS:
        slowly = typed(keys, at_once=False)
        assert slowly > 0 and typed(keys, at_once=True) == slowly, keys


def test_the_selection_stays_where_more_or_fewer_rows_fit(records: List, stored: SQLModel) -> None:
    list_yesterday(records, stored)
    for selected in (6, 395, 399):
        keys = ["Home", *["Down"] * 6] if selected == 6 else ["End", *["Up"] * (399 - selected)]
        the_selection_stays(records, selected, keys)


def the_selection_stays(records: List, selected: int, keys: list[str]) -> None:
    window, page = records.window, records.page
    window.press(*keys)
    window.until(lambda: not page.waiting and records.selected == selected, "the row")

    def stays(changed: Callable[[], bool]) -> None:
        window.until(lambda: changed() and not page.waiting, "another number of rows")
        window.settle()
        assert records.selected == selected
        assert page.position + len(page.rows) <= 400 and len(page.rows) == page.capacity

    for size in ("1180x760", "1180x1000", "1180x860"):
        before = page.capacity
        window.resize(size)
        stays(lambda before=before: page.capacity != before)  # type: ignore[misc]
    rows = page.capacity
    window.press("ctrl+plus", "ctrl+plus")
    stays(lambda: page.capacity != rows)
    window.press("ctrl+0")
    stays(lambda: page.capacity == rows)


def test_the_scrollbar_moves_to_the_right_rows(records: List, stored: SQLModel) -> None:
    fill(stored, 1, 10)
    records.choose(F.DATE, "any")
    records.settle(4000)
    everything = all_keys(stored)
    rows = len(records.page.rows)
    for fraction in (0.5, 0.123, 0.9, 1.0, 0.0):
        records.page.scroll("moveto", str(fraction))
        records.settle()
        start = min(round(fraction * 4000), 4000 - rows)
        assert records.keys == everything[start : start + rows]
        assert records.fraction()[0] == pytest.approx(start / 4000, abs=1e-6)
    records.page.scroll("scroll", "2", "pages")
    records.settle()
    assert records.page.position == 2 * rows


@pytest.mark.parametrize("over", ["tree", "scrollbar"])
def test_a_real_wheel_goes_by_three_rows(records: List, stored: SQLModel, over: str) -> None:
    fill(stored, 1, 2)
    records.choose(F.DATE, "any")
    records.settle(800)
    widget = records.tree if over == "tree" else records.page.scrollbar
    x, y = widget.winfo_rootx() + widget.winfo_width() // 2, widget.winfo_rooty() + widget.winfo_height() // 2
    for button, position in ((5, 3), (5, 6), (4, 3)):
        subprocess.run(["xdotool", "mousemove", str(x), str(y), "click", str(button)], check=True)
        records.window.until(partial(_is_at, records, position), f"row {position}")
        records.settle()


def test_news_and_a_second_turn_of_the_wheel_go_on_from_where_the_first_one_leads(
    records: List, stored: SQLModel
) -> None:
    fill(stored, 1, 2)
    records.choose(F.DATE, "any")
    records.window.settle()
    records.settle(800)
    page, asked, fetch = records.page, list[PageRequest](), records.page.fetch
    page.fetch = asked.append
    page.scroll("scroll", "3", "units")
    records.page.refresh()
    for _ in range(2):
        records.tree.event_generate("<Button-5>")
    page.fetch = fetch
    fetch(asked[0])
    records.window.until(lambda: not page.waiting and page.position == 9, "row 9")


def _is_at(records: List, position: int) -> bool:
    return records.page.position == position


@pytest.mark.skipif(not TK_9, reason="this Tk has no TouchpadScroll")
@pytest.mark.parametrize("over", ["tree", "scrollbar"])
def test_two_fingers_go_through_the_list(records: List, stored: SQLModel, over: str) -> None:
    fill(stored, 1, 2)
    records.choose(F.DATE, "any")
    records.settle(800)
    widget = records.tree if over == "tree" else records.page.scrollbar
    for _ in range(6):
        widget.event_generate("<TouchpadScroll>", x=3, y=9, delta=-6 & 0xFFFF)  # six dots: half a line each time
        records.settle()
    assert records.page.position == 3


def all_keys(stored: SQLModel) -> list[tuple[str, str, str, str]]:
    """All records of the database, as the list would show their keys, newest first."""
    rows = stored.query(
        "SELECT date::text, to_char(time, 'FMHH24:MI') AS time, lab_id, plot::text FROM plot_checks"
        " ORDER BY plot_checks.date DESC, plot_checks.time DESC, lab_id DESC, plot_checks.plot DESC"
    )
    assert rows is not None
    return [tuple(str(each) for each in row.values()) for row in rows]  # type: ignore[misc]


def test_enter_and_a_double_click_open_the_record(records: List, stored: SQLModel) -> None:
    fill(stored)
    window = records.window
    records.refresh(400)
    records.page.focus_set()
    window.press("Down", "Return")
    window.until(lambda: window.app.form.opened is not None, "the record")
    assert window.app.form.opened == (datetime.date.today(), "20:00", "E", 19)
    assert window.focus == F.HUMIDITY
    x, y, _width, _height = records.cell("3", F.LAB)
    for _ in range(2):
        records.tree.event_generate("<ButtonPress-1>", x=x + 3, y=y + 3)
        records.tree.event_generate("<ButtonRelease-1>", x=x + 3, y=y + 3)
    window.until(lambda: window.app.form.opened is not None and window.app.form.opened[3] == 17, "the record")


def test_rows_of_this_session_are_marked_in_words(records: List, stored: SQLModel) -> None:
    window = records.window
    stored.save_record(record(2, ago(0)))
    records.refresh(1)
    window.begin_check()
    window.fill_readings()
    window.save()
    records.settle(2)
    assert dict(zip(records.column(F.PLOT), records.column("Mark"), strict=True)) == {"1": "new", "2": ""}
    window.app.navigation.go_to_plot(2)
    window.until(lambda: window.app.form.opened is not None, "the record")
    window.fill(Plants="7")
    window.save()
    records.settle()
    assert dict(zip(records.column(F.PLOT), records.column("Mark"), strict=True)) == {"1": "new", "2": "edited"}
    assert "7" in records.column(F.PLANTS)
    # A new record that is corrected is still one that wasn't there before this session.
    window.app.navigation.go_to_plot(1)
    window.until(lambda: window.app.form.opened is not None, "the record")
    window.fill(Plants="8")
    window.save()
    records.settle()
    assert dict(zip(records.column(F.PLOT), records.column("Mark"), strict=True)) == {"1": "new", "2": "edited"}


def test_an_empty_day_says_what_to_do_until_the_first_save(records: List) -> None:
    records.settle(0)
    assert "No records yet today" in records.message
    records.window.begin_check()
    records.window.fill_readings()
    records.window.save()
    records.settle(1)
    assert (records.message, records.column(F.PLOT)) == ("", ["1"])


def test_an_answer_that_came_too_late_is_dropped(records: List, stored: SQLModel) -> None:
    records.settle(0)
    asked: list[PageRequest] = []
    records.page.fetch = asked.append
    records.page.refresh()
    old = asked[-1]
    records.view.restart()
    new = asked[-1]
    row = stored.get_page  # rows as the database gives them
    stored.save_record(record(5, ago(0)))
    from abq_data_entry.models import Selection

    rows = row(Selection(), 10)
    records.view.show_page(new, rows)
    records.view.show_page(old, [])
    assert (records.column(F.PLOT), records.message) == (["5"], "")
    # An empty answer while a newer one is already asked for says nothing about now.
    records.page.refresh()
    records.page.refresh()
    first = asked[-1]
    records.view.show_page(first, [])
    assert records.message == ""
    records.view.show_page(asked[-1], rows)
    assert records.column(F.PLOT) == ["5"]


def test_after_a_lost_connection_work_goes_on_by_itself(
    records: List, stored: SQLModel, database: dict[str, str]
) -> None:
    fill(stored, 1, 1)
    window = records.window
    end_connections(stored)
    window.begin_check()
    window.fill_readings()
    window.save()
    assert not window.dialogs
    records.settle(1)
    end_connections(stored)
    records.choose(F.DATE, "any")
    records.settle(401)
    assert records.message == ""


def end_connections(stored: SQLModel) -> None:
    """End everybody else's connections to the database, as a restarted server would."""
    stored.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


def test_an_error_is_shown_and_try_again_works(
    records: List, server: postgres.EmbeddedServer, database: dict[str, str]
) -> None:
    name = database["dbname"]
    administer(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    end_all(server, name)
    records.view.restart()
    records.window.until(lambda: "couldn't be fetched" in records.message, "the error")
    assert records.page.message_button.cget("text") == "Try again"
    records.window.settle()
    assert "counting" not in records.view.count_label.cget("text")
    administer(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    records.page.message_button.invoke()
    records.settle(0)
    assert "No records yet today" in records.message


def administer(server: postgres.EmbeddedServer, statement: str) -> None:
    connection = psycopg2.connect(make_dsn(**server.endpoint("postgres")))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def end_all(server: postgres.EmbeddedServer, name: str) -> None:
    administer(server, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


def test_another_filter_ends_the_count_of_the_last_one(
    records: List, stored: SQLModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(stored)
    model = records.window.app.data_model
    assert model is not None
    count, ended = model.count_records, list[object]()

    def slow(selection: Any) -> Any:
        if selection.lab is None:
            try:
                model._connections.read(lambda cursor: cursor.execute("SELECT pg_sleep(30)"))
            except QueryCancelled as error:
                ended.append(error)
                raise
        return count(selection)

    monkeypatch.setattr(model, "count_records", slow)
    begun = time.monotonic()
    records.view.restart()
    records.window.until(lambda: sleeping(stored), "the count to run")
    assert records.view.count_label.cget("text") == "counting…"
    records.window.until(lambda: records.page.rows, "the page, which doesn't wait for the count")
    records.view.filters.variables[F.LAB].set("B")
    records.view.apply()
    records.settle(80)
    assert ended and time.monotonic() - begun < patience(10)


def sleeping(stored: SQLModel) -> bool:
    rows = stored.query(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep%'"
        " AND state = 'active'"
    )
    return bool(rows)


def test_at_the_end_of_an_uncounted_list_nothing_jumps(
    records: List, stored: SQLModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.window.app.following.end()  # it would count again when it hears of these 400
    fill(stored)
    records.refresh(400)
    page = records.page
    records.settle(400)
    page.total = None  # as while a large table is being counted
    page.focus_set()
    records.window.press("End")
    records.window.until(lambda: not page.waiting and page.position < 0, "the end")
    last = all_keys(stored)[-len(page.rows) :]
    assert records.keys == last
    page.refresh()  # as when somebody else saves
    records.window.until(lambda: not page.waiting, "the page again")
    assert (records.keys, page.position) == (last, -1)
    records.window.press("Prior", "Prior")
    records.window.settle()
    assert records.keys == last
    page.show_total(400)
    records.window.press("Prior")
    records.window.until(lambda: not page.waiting and records.keys != last, "a page up")
    assert records.keys == all_keys(stored)[400 - 2 * len(last) : 400 - len(last)]


def test_midnight_passes_in_an_open_window(records: List, stored: SQLModel) -> None:
    window = records.window
    stored.save_record(record(1, ago(0)))
    records.refresh(1)
    tomorrow = datetime.date.today() + datetime.timedelta(1)
    window.app.shared.clock = lambda: tomorrow
    window.app.new_day.follow()
    records.settle(0)
    assert records.view.filter.date == tomorrow
    assert window.app.filename.get() == f"abq_data_record_{tomorrow}.csv"
    assert window.text(F.DATE) == tomorrow.isoformat()
    window.begin_check()
    window.fill_readings()
    window.save()
    records.settle(1)
    assert stored.get_record(tomorrow.isoformat(), "8:00", "A", 1)


def test_a_check_that_was_begun_keeps_its_date_after_midnight(records: List, stored: SQLModel) -> None:
    window, date = records.window, ago(0)
    window.begin_check("20:00", "E")
    window.fill_readings()
    window.save()
    tomorrow = datetime.date.today() + datetime.timedelta(1)
    window.app.shared.clock = lambda: tomorrow
    window.app.new_day.follow()
    assert f"stays on {date}" in window.app.status.get()
    window.fill_readings()
    window.save()
    assert [each[F.PLOT] for each in stored.get_all_records()] == [1, 2]
    # What is left of the check comes from elsewhere; once it is complete, the form goes on to the new day.
    for plot in range(3, 20):
        stored.save_record(record(plot, date, Time="20:00", Lab="E"))
    window.app.form.known.look_up()
    window.settle()
    window.fill(Plot="20")
    window.fill_readings()
    window.save()
    assert window.app.form.check.complete
    window.app.new_day.follow()
    assert window.text(F.DATE) == tomorrow.isoformat()


def begin_overnight(records: List) -> tuple[str, datetime.date]:
    """A check that was begun yesterday evening and isn't complete; returns its day, and today."""
    window, date = records.window, ago(0)
    window.begin_check("20:00", "E")
    window.fill_readings()
    window.save()
    tomorrow = datetime.date.today() + datetime.timedelta(1)
    window.app.shared.clock = lambda: tomorrow
    window.app.new_day.follow()
    return date, tomorrow


def test_after_midnight_a_line_offers_to_go_on_to_today(records: List) -> None:
    window, line = records.window, records.window.app.form.check_panel.day_line
    assert line.text == "" and not line.winfo_ismapped()
    date, tomorrow = begin_overnight(records)
    assert line.text == f"This check is of {date}."
    window.app.new_day.follow()  # it stays until somebody has decided
    window.fill(Humidity="24.09")
    line.buttons[0].focus_set()
    window.press("Return")
    window.until(lambda: window.text(F.DATE) == tomorrow.isoformat(), "today")
    assert window.text(F.HUMIDITY) == ""  # half typed, and kept with its check
    assert window.text(F.DATE) == tomorrow.isoformat() and line.text == ""
    window.until(lambda: window.app.form.check.key == (tomorrow, "20:00", "E"), "the check of today")
    window.app.new_day.follow()
    assert line.text == ""


def test_a_check_is_finished_before_the_new_day_begins(records: List, stored: SQLModel) -> None:
    window, line = records.window, records.window.app.form.check_panel.day_line
    date, tomorrow = begin_overnight(records)
    line.buttons[1].invoke()
    window.app.new_day.follow()
    assert line.text == "" and window.text(F.DATE) == date
    window.fill_readings()
    window.save()
    assert stored.get_record(date, "20:00", "E", 2)
    # Another midnight is another question.
    window.app.shared.clock = lambda: tomorrow + datetime.timedelta(1)
    window.app.new_day.follow()
    assert line.text and str(tomorrow + datetime.timedelta(1)) in line.buttons[0].cget("text")


def test_a_chosen_date_stays_chosen_at_midnight(records: List) -> None:
    records.window.fill(Date=ago(5))
    records.window.until(lambda: records.view.filters.variables[F.DATE].get() == ago(5), "the day of the form")
    records.choose(F.DATE, ago(3))
    records.settle()
    records.window.app.shared.clock = lambda: datetime.date.today() + datetime.timedelta(1)
    records.window.app.new_day.follow()
    assert records.view.filter.date == datetime.date.today() - datetime.timedelta(3)
    assert records.window.text(F.DATE) == ago(5)


def test_an_open_list_does_not_hinder_a_dialog(window: Window, open_window: Callable[[], Window]) -> None:
    box = window.app.form.inputs[F.TECHNICIAN].editor
    box.focus_force()
    window.press("alt+Down")
    popdown = str(window.app.tk.call("ttk::combobox::PopdownWindow", str(box)))
    window.until(lambda: window.app.tk.call("winfo", "ismapped", popdown), "the open list")
    window.app.messages.command(window.app.messages.failure)("Test", "Something failed meanwhile.", "Its reason.")
    window.until(lambda: window.dialogs and window.dialogs[0].winfo_viewable(), "the dialog on the screen")
    window.press("Escape")  # the list has the keys, and closes; who types is answered in the bar
    window.message("Something failed meanwhile.")
    assert not window.dialogs and window.focus == F.TECHNICIAN
