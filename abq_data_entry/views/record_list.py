"""The list of records: filters, sorting, and the visible page."""

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
    """Which records to list, and in which order. None stands for any value."""

    date: datetime.date | None
    lab: str | None = None
    plot: int | None = None
    technician: str | None = None
    sort: str = F.DATE
    descending: bool = True


class ListCallbacks(NamedTuple):
    """The callbacks of the list; those that aren't set do nothing.

    ``fetch(request)`` fetches a page of the filter. ``filter_changed(filter)`` comes before the first page of a new
    filter is fetched. ``open(row)`` and ``show_history(row)`` open a record and its history.
    """

    fetch: Callable[[PageRequest], object] = lambda request: None
    filter_changed: Callable[[ListFilter], object] = lambda chosen: None
    open: Callable[[Row], object] = lambda row: None
    show_history: Callable[[Row], object] = lambda row: None
    more: Sequence[tuple[str, Callable[[Row], object]]] = ()
    """Further commands for the menu of a row: pairs of a text and a function."""
    chosen: Callable[[int], object] = lambda count: None
    """Called with the number of chosen rows."""
    choose_all: Callable[[ListFilter], object] = lambda chosen: None
    """Called to choose all records of the filter."""


class RecordList(ttk.Frame):
    """The records of the day in the form, newest first, until another filter is chosen."""

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
        """The number of records that were saved elsewhere and aren't in the list yet."""
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
        """Set the callbacks, which may be created after the list."""
        self._callbacks, self.page.fetch = callbacks, callbacks.fetch
        self.page.offer((("Open", callbacks.open), ("Record History", callbacks.show_history), *callbacks.more))

    def show_choices(self, technicians: Sequence[str], labs: Sequence[str], plots: Mapping[str, Sequence[int]]) -> None:
        """Set the values to filter by."""
        every_plot = sorted({plot for each in plots.values() for plot in each})
        self.filters.show_choices({F.TECHNICIAN: technicians, F.LAB: labs, F.PLOT: every_plot})
        self.apply()  # a filter that was typed before may have become valid or invalid

    def show_page(self, request: PageRequest, rows: Sequence[Row]) -> None:
        """Show the rows of a page that was requested; ignored if the list no longer waits for it."""
        if not self.page.expects(request):
            return
        self.page.show_page(request, rows)
        # Only an empty first page means that there are no rows at all.
        if rows or request.start or self.page.waiting:
            return
        if self._is_filtered():
            self.page.show_message("No record fits these filters.", f"Show {self._day_words()} records", self.reset)
        else:
            when = "today" if self._day() == self._today() else f"of {self._day()}"
            self.page.show_message(f"No records yet {when}. They appear here as they are saved.")

    def show_copy(self, known_at: str) -> None:
        """Note that a local copy of that time is shown; empty: the rows come from the database."""
        before, self._known_at = self._known_at, known_at
        self.count_label.configure(style="Warning.TLabel" if known_at else "Bar.TLabel")
        if before and not known_at and self.page.total is not None:
            self.show_total(self.page.total)  # shown again, because it was counted before the page arrived

    def show_total(self, total: int) -> None:
        """Show how many records match the filter."""
        known = f", as known at {self._known_at}" if self._known_at else ""  # the status bar says why
        self.count_label.configure(text=("1 record" if total == 1 else f"{total:,} records") + known)
        self.page.show_total(total)
        more_rows_than_records = self.page.position + len(self.page.rows) > total
        if not self.page.agrees and not self.page.waiting and (more_rows_than_records or not self.in_use):
            self.page.refresh()

    def show_uncounted(self) -> None:
        """Show that the records couldn't be counted."""
        self.count_label.configure(text="")

    def show_problem(self, text: str, retry: Callable[[], object]) -> None:
        """Show why the records couldn't be fetched, with a button to try again."""
        self.count_label.configure(text="")
        self.page.show_message(text, "Try again", retry)

    def mark(self, key: tuple[object, ...], text: str) -> None:
        """Mark a record (date, time, lab, plot) that this session inserted or updated."""
        # A record inserted in this session stays "new", however often it is corrected.
        if self.saved_marks.get(key) != "new":
            self.saved_marks[key] = text

    def unmark(self, key: tuple[object, ...]) -> None:
        """Remove the mark of a record that no longer exists."""
        self.saved_marks.pop(key, None)

    @property
    def chosen(self) -> list[Row]:
        """The chosen rows; if there are none, the selected one."""
        row = self.page.selected
        return self.marks.rows or ([] if row is None else [row])

    def at_row(self, action: Callable[[], object]) -> None:
        """Call ``action`` for the selected row, once it has been fetched."""
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
        """Show that ``count`` records were saved elsewhere and aren't in the list yet; a click or F5 lists them."""
        self.unseen = count
        self._show_button(f"{count:,} new {'record' if count == 1 else 'records'}: show (F5)" if count else "")

    def show_left_out(self, key: tuple[object, ...] | None) -> None:
        """Show that the record just saved doesn't match the filters; a click on that shows the record."""
        self._left_out = key
        if key is None:
            self.show_news(self.unseen)
        else:
            self._show_button(f"Lab {key[2]}, plot {key[3]} is saved, but not in this list: show it")

    def show_changed(self, rows: Mapping[tuple[object, ...], Row]) -> None:
        """Show the new values of records that somebody else has saved, in place, so that nothing moves."""
        self.page.replace(lambda row: rows.get(_key_of(row)))

    def holds(self, key: tuple[object, ...]) -> bool:
        """Return whether the record is on the visible page."""
        return any(_key_of(row) == key for row in self.page.rows)

    def admits(self, row: Row) -> bool:
        """Return whether this record matches the filter."""
        chosen = self.filter
        return self.may_admit(_key_of(row)) and chosen.technician in (None, row[F.TECHNICIAN])

    def may_admit(self, key: tuple[object, ...]) -> bool:
        """Return whether a record of that date, lab and plot can match the filter."""
        date, _time, lab, plot = key
        chosen = self.filter
        return chosen.date in (None, date) and chosen.lab in (None, lab) and chosen.plot in (None, plot)

    @property
    def in_use(self) -> bool:
        """Whether the user is moving in the list; then it keeps its position, whatever is saved elsewhere."""
        return self.page.position != 0 or focused_widget(self) is self.page.tree

    def sort_by(self, name: str) -> None:
        """Sort by a column; if the list is sorted by it already, reverse the order."""
        if name in (MARK, F.NOTES):
            return
        same = self.filter.sort == name
        # Numbers and texts start with the smallest, dates with the newest.
        descending = not self.filter.descending if same else name == F.DATE
        self.apply(sort=name, descending=descending)

    def reset(self) -> None:
        """Show all records of the day in the form again, newest first."""
        self.filters.reset(self._day())
        self.apply(sort=F.DATE, descending=True)

    def follow_date(self, date: datetime.date) -> None:
        """Show the records of the form's new day, unless the user has chosen another day here, or all days."""
        if date == self.followed:
            return
        follows = self.filter.date == self._day() and not self.filters.marked(F.DATE)
        self.followed = date
        if follows:
            self.filters.set_date(date)
            self.apply()

    def begin_day(self, date: datetime.date | None) -> None:
        """After midnight, change a list of today's records to those of the form's ``date``."""
        if date not in (None, self._today()):
            self.filters.keep_day()
        elif self.filters.is_today:
            self.followed = date
            self.apply()
        elif date is not None:
            self.follow_date(date)

    def restart(self) -> None:
        """Fetch the first page and the count for the current filter."""
        self.count_label.configure(text="counting…")
        # The messages about the previous list no longer apply.
        self.show_news(0)
        self.show_left_out(None)
        self.marks.clear()
        self._show_sorting()
        self._callbacks.filter_changed(self.filter)
        self.page.restart()

    def reveal(self, position: int, key: tuple[object, ...]) -> None:
        """Show and select the record at that position."""
        self.show_left_out(None)
        self.page.reveal(position, key)

    def focus_set(self) -> None:
        """Put the focus on the rows."""
        self.page.focus_set()

    def _show_button(self, text: str) -> None:
        # Packed again each time, so that it takes space only while it has a text.
        if text:
            self.news_button.configure(text=text)
            self.news_button.pack(side="right", padx=(0, 16))
        else:
            self.news_button.pack_forget()

    def _button_pressed(self) -> None:
        # Resets the filters to the day of that record, where they match it.
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
        """Return the day whose records are shown unless the user chooses others."""
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
        # A row has one line, but notes have several. Cut, because Tk measures the whole text each time it draws.
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
