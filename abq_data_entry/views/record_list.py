"""The list of records: filters, sorting, and the page that is visible."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from tkinter import ttk
from typing import NamedTuple

from .. import fields
from ..constants import FieldNames as F
from ..constants import FieldTypes
from ..fields.dates import DateReader
from ..widgets.focus import focused_widget
from ..widgets.paged_list import Column, PagedList, PageRequest, Row, RowSelection
from .list_filters import ListFilters

MARK = "Mark"
CHOSEN = "✓ "
_HEADINGS = {
    F.SEED_SAMPLE: "Seed",
    F.TEMPERATURE: "Temp.",
    F.EQUIPMENT_FAULT: "Fault",
    F.MIN_HEIGHT: "Min",
    F.MAX_HEIGHT: "Max",
    F.MEDIAN_HEIGHT: "Median",
}
_WIDTHS = {F.DATE: 10, F.TIME: 5, F.TECHNICIAN: 12, F.LAB: 3, F.PLOT: 3, F.SEED_SAMPLE: 7, F.NOTES: 12}
_LONGEST_CELL = 1000  # characters: more than the widest screen shows


class ListFilter(NamedTuple):
    """Which records, and in which order. ``date`` None: any date; the others None: any value."""

    date: datetime.date | None
    lab: str | None = None
    plot: int | None = None
    technician: str | None = None
    sort: str = F.DATE
    descending: bool = True


class ListCallbacks(NamedTuple):
    """What the list reports: a page of its ``filter`` is wanted, the filter has changed (told before its first page is
    wanted), a record is to be opened, its history is to be shown. What isn't given does nothing."""

    fetch: Callable[[PageRequest], object] = lambda request: None
    filter_changed: Callable[[ListFilter], object] = lambda chosen: None
    open: Callable[[Row], object] = lambda row: None
    show_history: Callable[[Row], object] = lambda row: None
    more: Sequence[tuple[str, Callable[[Row], object]]] = ()
    """What else a row's menu offers: texts and what they call."""
    chosen: Callable[[int], object] = lambda count: None
    """Called with the number of chosen rows."""
    choose_all: Callable[[ListFilter], object] = lambda chosen: None
    """All records of the filter are to be chosen."""


class RecordList(ttk.Frame):
    """Records, newest first; those of the form's day until another one is chosen."""

    def __init__(
        self,
        parent: tk.Misc,
        callbacks: ListCallbacks | None = None,
        today: Callable[[], datetime.date] = datetime.date.today,
        month_first: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(parent)
        self._today = today
        self._callbacks = ListCallbacks()
        self.saved_marks: dict[tuple[object, ...], str] = {}
        self.unseen = 0
        """How many records were saved elsewhere and aren't in the list yet."""
        self._known_at = ""
        self._left_out: tuple[object, ...] | None = None
        self.followed: datetime.date | None = None
        self.filter = ListFilter(today())
        self.filters = ListFilters(self, self.apply, DateReader(today, month_first))
        self.columnconfigure(0, weight=1)
        self.rowconfigure(1, weight=1)
        self._add_bar()
        self.page = PagedList(
            self,
            _columns(),
            _key_of,
            self._callbacks.fetch,
            self._text_of,
            lambda row: self._callbacks.open(row),
            lambda name: self.sort_by(name),
        )
        self.page.grid(row=1, column=0, sticky="nsew")
        self.marks = RowSelection(
            self.page,
            lambda count: self._callbacks.chosen(count),
            lambda: self._callbacks.choose_all(self.filter),
        )
        if callbacks is not None:
            self.begin(callbacks)
        self._show_sorting()
        self.page.show_message("Connecting to the database…")

    def begin(self, callbacks: ListCallbacks) -> None:
        """Report to these from now on: they may be there only after the list."""
        self._callbacks, self.page.fetch = callbacks, callbacks.fetch
        self.page.offer((("Open", callbacks.open), ("Record History", callbacks.show_history), *callbacks.more))

    def show_choices(self, technicians: Sequence[str], labs: Sequence[str], plots: Mapping[str, Sequence[int]]) -> None:
        """The values to filter by."""
        every_plot = sorted({plot for each in plots.values() for plot in each})
        self.filters.show_choices({F.TECHNICIAN: technicians, F.LAB: labs, F.PLOT: every_plot})
        self.apply()  # what was typed before may mean something by now, or nothing any more

    def show_page(self, request: PageRequest, rows: Sequence[Row]) -> None:
        """The rows of a page that was asked for; nothing happens if it is no longer waited for."""
        if not self.page.expects(request):
            return
        self.page.show_page(request, rows)
        # Only the first page can tell that there is nothing at all.
        if rows or request.start or self.page.waiting:
            return
        if self._is_filtered():
            self.page.show_message("No record fits these filters.", f"Show {self._day_words()} records", self.reset)
        else:
            when = "today" if self._day() == self._today() else f"of {self._day()}"
            self.page.show_message(f"No records yet {when}. They appear here as they are saved.")

    def show_copy(self, known_at: str) -> None:
        """What is shown is what this computer knew at that time; empty: it is what the database has."""
        before, self._known_at = self._known_at, known_at
        self.count_label.configure(style="Warning.TLabel" if known_at else "Bar.TLabel")
        if before and not known_at and self.page.total is not None:
            self.show_total(self.page.total)  # counted before the page was here

    def show_total(self, total: int) -> None:
        """How many records fit the filter."""
        known = f", as known at {self._known_at}" if self._known_at else ""  # the status bar says that it is away
        self.count_label.configure(text=("1 record" if total == 1 else f"{total:,} records") + known)
        self.page.show_total(total)
        more_rows_than_records = self.page.position + len(self.page.rows) > total
        if not self.page.agrees and not self.page.waiting and (more_rows_than_records or not self.in_use):
            self.page.refresh()

    def show_uncounted(self) -> None:
        """How many there are couldn't be found out."""
        self.count_label.configure(text="")

    def show_problem(self, text: str, retry: Callable[[], object]) -> None:
        """The records couldn't be had."""
        self.count_label.configure(text="")
        self.page.show_message(text, "Try again", retry)

    def mark(self, key: tuple[object, ...], text: str) -> None:
        """Mark a record (date, time, lab, plot) that this session inserted or updated."""
        # A record that is new in this session stays new, however often it is corrected.
        if self.saved_marks.get(key) != "new":
            self.saved_marks[key] = text

    def unmark(self, key: tuple[object, ...]) -> None:
        """The record isn't there any more."""
        self.saved_marks.pop(key, None)

    @property
    def chosen(self) -> list[Row]:
        """The rows that are chosen; the one that the keyboard is on where none is."""
        row = self.page.selected
        return self.marks.rows or ([] if row is None else [row])

    def at_row(self, action: Callable[[], object]) -> None:
        """Do what a key asks of the row that the keyboard is on, once it is there if it is on its way."""
        if focused_widget(self) is self.page.tree:
            self.page.once_there(action)
        else:
            action()

    def choose(self, rows: Sequence[Row]) -> None:
        """Choose these rows."""
        self.marks.choose(list(rows))

    def choose_none(self) -> None:
        """Choose no row."""
        self.marks.clear()

    def show_news(self, count: int) -> None:
        """``count`` records were saved elsewhere and aren't in the list yet; a click or F5 shows them."""
        self.unseen = count
        self._show_button(f"{count:,} new {'record' if count == 1 else 'records'}: show (F5)" if count else "")

    def show_left_out(self, key: tuple[object, ...] | None) -> None:
        """The record that was just saved isn't among those that the filters let through; a click shows it."""
        self._left_out = key
        if key is None:
            self.show_news(self.unseen)
        else:
            self._show_button(f"Lab {key[2]}, plot {key[3]} is saved, but not in this list: show it")

    def show_changed(self, rows: Mapping[tuple[object, ...], Row]) -> None:
        """Somebody else has saved these records: show their new values where they stand, nothing moves."""
        self.page.replace(lambda row: rows.get(_key_of(row)))

    def holds(self, key: tuple[object, ...]) -> bool:
        """Whether the record stands on the visible page."""
        return any(_key_of(row) == key for row in self.page.rows)

    def admits(self, row: Row) -> bool:
        """Whether the filter has this record."""
        chosen = self.filter
        return self.may_admit(_key_of(row)) and chosen.technician in (None, row[F.TECHNICIAN])

    def may_admit(self, key: tuple[object, ...]) -> bool:
        """Whether the filter has that date, lab and plot."""
        date, _time, lab, plot = key
        chosen = self.filter
        return chosen.date in (None, date) and chosen.lab in (None, lab) and chosen.plot in (None, plot)

    @property
    def in_use(self) -> bool:
        """Whether somebody moves in the list now: then it keeps its place, whatever is saved elsewhere."""
        return self.page.position != 0 or focused_widget(self) is self.page.tree

    def sort_by(self, name: str) -> None:
        """Sort by a column; by the same one again in the other direction."""
        if name in (MARK, F.NOTES):
            return
        same = self.filter.sort == name
        # Numbers and texts begin with the smallest, dates with the newest.
        descending = not self.filter.descending if same else name == F.DATE
        self.apply(sort=name, descending=descending)

    def reset(self) -> None:
        """Back to all records of the form's day, newest first."""
        self.filters.reset(self._day())
        self.apply(sort=F.DATE, descending=True)

    def follow_date(self, date: datetime.date) -> None:
        """The form has another day: show its records, unless somebody has chosen another day here, or any."""
        if date == self.followed:
            return
        # Whoever looks at another day, or at all of them, goes on doing so.
        follows = self.filter.date == self._day() and not self.filters.marked(F.DATE)
        self.followed = date
        if follows:
            self.filters.set_date(date)
            self.apply()

    def begin_day(self, date: datetime.date | None) -> None:
        """Midnight has passed: who looks at today's records sees those of the form's ``date``."""
        if date not in (None, self._today()):
            self.filters.keep_day()
        elif self.filters.is_today:
            self.followed = date
            self.apply()
        elif date is not None:
            self.follow_date(date)

    def restart(self) -> None:
        """Ask for the first page and for the count of the present filter."""
        self.count_label.configure(text="counting…")
        # All that was said of the list before is of no use any more.
        self.show_news(0)
        self.show_left_out(None)
        self.marks.clear()
        self._show_sorting()
        self._callbacks.filter_changed(self.filter)
        self.page.restart()

    def reveal(self, position: int, key: tuple[object, ...]) -> None:
        """Show and select the record that stands at that position."""
        self.show_left_out(None)
        self.page.reveal(position, key)

    def focus_set(self) -> None:
        """Put the focus on the rows."""
        self.page.focus_set()

    def _show_button(self, text: str) -> None:
        # Packed anew each time, so that it takes room only while it says something.
        if text:
            self.news_button.configure(text=text)
            self.news_button.pack(side="right", padx=(0, 16))
        else:
            self.news_button.pack_forget()

    def _button_pressed(self) -> None:
        # Back to the day of that record: there the filters let it through.
        if self._left_out is not None:
            date = self._left_out[0]
            self.filters.reset(date if isinstance(date, datetime.date) else None)
            self.apply()
        self.restart()
        self.focus_set()

    def _show_sorting(self) -> None:
        self.page.show_sorting(self.filter.sort, self.filter.descending)
        self._sort.set(_heading(self.filter.sort))
        first, last = ("newest", "oldest") if self.filter.sort in (F.DATE, F.TIME) else ("largest", "smallest")
        self._direction.configure(text=f"▼ {first} first" if self.filter.descending else f"▲ {last} first")

    def _add_bar(self) -> None:
        bar = self.filters
        bar.grid(row=0, column=0, sticky="ew")
        self._sort = tk.StringVar(self, _heading(F.DATE))
        sort = bar.add_box("Sort by", 10, self._sort)
        sort.configure(values=[each.heading for each in _columns()[1:-1]], state="readonly")
        sort.bind("<<ComboboxSelected>>", lambda _event: self._sort_chosen())
        self._direction = ttk.Button(bar, style="Quiet.TButton", command=lambda: self.sort_by(self.filter.sort))
        self._direction.pack(side="left")
        self.count_label = ttk.Label(bar, style="Bar.TLabel")
        self.count_label.pack(side="right")
        self.news_button = ttk.Button(bar, style="News.TButton", command=self._button_pressed)
        for key in ("<Return>", "<KP_Enter>"):
            self.news_button.bind(key, lambda _event: self.news_button.invoke())

    def _sort_chosen(self) -> None:
        name = next(each.name for each in _columns() if each.heading == self._sort.get())
        if name != self.filter.sort:
            self.sort_by(name)

    def apply(self, sort: str | None = None, descending: bool | None = None) -> None:
        chosen = ListFilter(
            *self.filters.read(),
            sort or self.filter.sort,
            self.filter.descending if descending is None else descending,
        )
        if chosen != self.filter:
            self.filter = chosen
            self.restart()

    def _day(self) -> datetime.date:
        """The day whose records are shown unless somebody chooses others."""
        return self.followed or self._today()

    def _day_words(self) -> str:
        return "today's" if self._day() == self._today() else f"the day's ({self._day()})"

    def _is_filtered(self) -> bool:
        chosen = self.filter
        narrowed = any(each is not None for each in (chosen.lab, chosen.plot, chosen.technician))
        return narrowed or chosen.date != self._day()

    def _text_of(self, row: Row, name: str) -> str:
        if name == MARK:
            mark = self.saved_marks.get(_key_of(row), "")
            return f"{CHOSEN}{mark}" if self.marks.holds(row) else mark
        if name == F.EQUIPMENT_FAULT:
            return "fault" if row[name] else ""
        text = fields.format_value(fields.field(name), row[name])
        # Notes have line breaks, a row of the list has one line; Tk measures all of it each time that it draws.
        return " ".join(text[:_LONGEST_CELL].split()) if name == F.NOTES else text


def _key_of(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in fields.RECORD_KEY)


def _heading(name: str) -> str:
    return _HEADINGS.get(name, name)


def _columns() -> list[Column]:
    columns = [Column(MARK, "", 5)]
    for name in (F.DATE, F.TIME, F.LAB, F.PLOT, F.TECHNICIAN, *fields.CSV_HEADER[5:]):
        number = fields.field(name).type in (FieldTypes.DECIMAL, FieldTypes.INTEGER) or name == F.PLOT
        columns.append(Column(name, _heading(name), _WIDTHS.get(name, 5), number, stretch=name == F.NOTES))
    return columns
