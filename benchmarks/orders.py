"""Pages of every order and of the usual filters, the first time each is asked for: the statements alone."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from abq_data_entry.models import SORTABLE, Selection, SQLModel
from benchmarks import dataset, table
from benchmarks.options import Options

PAGE = 50
PAGE_LIMIT = 30.0  # milliseconds
PLACES = (10, 37, 50, 77, 99)  # per cent of the way down

Result = TypeVar("Result")

_FILTERS: tuple[dict[str, object], ...] = (
    {},
    {"lab": "A"},
    {"plot": 7},
    {"technician": "P Taylor"},
    {"lab": "A", "plot": 7},
    {"lab": "A", "plot": 7, "technician": "P Taylor"},
)
_FILTERED_SORTS = ("Date", "Humidity", "Technician", "Median Height")


def measure(options: Options) -> list[table.Row]:
    """Of each order and filter its slowest page; the remark says of which it was the slowest of all."""
    with dataset.server(options.folder) as server:
        model = SQLModel.at(server.endpoint(dataset.prepare(server, options.records)))
        pages: dict[str, float] = {}
        counts: dict[str, float] = {}
        for selection in _selections():
            pages[_named(selection)], counts[_named(selection)] = _measure(model, selection)
        model.close()
    slowest, longest = max(pages, key=pages.__getitem__), max(counts, key=counts.__getitem__)
    return [
        table.row("the slowest page of each order and filter, SQL alone", "ms", pages.values(), PAGE_LIMIT, slowest),
        table.row("the count that goes on meanwhile", "s", counts.values(), remark=longest),
    ]


def _measure(model: SQLModel, selection: Selection) -> tuple[float, float]:
    """Return the milliseconds of the slowest page, and the seconds of the count."""
    get_page = partial(model.get_page, selection, PAGE)
    times = [_timed(get_page)[0]]
    seconds, index = _timed(partial(model.count_records, selection))
    for start in [index.total * percent // 100 for percent in PLACES] if index.total else []:
        took, page = _timed(partial(get_page, start=start, index=index))
        times += [took, _timed(partial(get_page, after=page[-1]))[0], _timed(partial(get_page, before=page[0]))[0]]
    times.append(_timed(partial(get_page, last=True))[0])
    return 1000 * max(times), seconds


def _selections() -> Iterator[Selection]:
    for sort in SORTABLE:
        yield Selection(sort=sort)
    yesterday = datetime.date.today() - datetime.timedelta(1)
    for filters in ({"date": yesterday}, *_FILTERS[1:]):
        for sort in _FILTERED_SORTS:
            yield Selection(sort=sort, **filters)  # type: ignore[arg-type]


def _named(selection: Selection) -> str:
    filters = (selection.date, selection.lab, selection.plot, selection.technician)
    return ", ".join([selection.sort, *(str(each) for each in filters if each is not None)])


def _timed(work: Callable[[], Result]) -> tuple[float, Result]:
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result
