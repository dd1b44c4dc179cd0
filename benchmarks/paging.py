"""The record list of the real window: from a key or the scrollbar to the rows shown; and the statement alone."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from abq_data_entry.models import Selection
from benchmarks import dataset, table
from benchmarks.driver import Driver, window
from benchmarks.options import Options

PAGE_LIMIT = 30.0  # milliseconds
OTHER_ORDER = "Humidity"


def measure(options: Options) -> list[table.Row]:
    """Pages of a list of all records, in two orders."""
    with dataset.server(options.folder) as server:
        database = dataset.prepare(server, options.records)
        with window(options, database) as driver:
            return _measure(driver, options)


def _measure(driver: Driver, options: Options) -> list[table.Row]:
    driver.show_every_day()
    driver.settle()
    rows = [_first_while_counting(driver, options), *_in_this_order(driver, options, "")]
    driver.app.record_list.sort_by(OTHER_ORDER)
    driver.until(lambda: driver.app.record_list.page.total is not None, "the count")
    driver.settle()
    rows += _in_this_order(driver, options, f", by {OTHER_ORDER.lower()}")
    rows.append(driver.blocked("paging, counting, sorting"))
    return [*rows, *_statements(driver.app.data_model, options)]


def _first_while_counting(driver: Driver, options: Options) -> table.Row:
    records = driver.app.record_list
    times = []
    for _ in range(min(options.runs, 5)):
        times.append(_page(driver, records.restart))
        driver.until(lambda: records.page.total is not None, "the count")
        driver.settle()
    return table.row(f"first page of {options.records:,} records, being counted meanwhile", "ms", times, PAGE_LIMIT)


def _in_this_order(driver: Driver, options: Options, order: str) -> list[table.Row]:
    page: Any = driver.app.record_list.page
    chance = random.Random(5)

    def key(name: str) -> Callable[[], object]:
        return lambda: page.tree.event_generate(f"<{name}>")

    def somewhere() -> None:
        page.scroll("moveto", str(chance.random()))

    page.tree.focus_force()
    driver.settle()
    tasks = {
        "first page": key("Home"),
        "any page": somewhere,
        "the page after it": key("Next"),
        "end of the list": key("End"),
    }
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(options.runs):
        for name, action in tasks.items():
            times[name].append(_page(driver, action))
            driver.settle()
    return [table.row(f"{name}{order}, shown", "ms", found, PAGE_LIMIT) for name, found in times.items()]


def _page(driver: Driver, action: Callable[[], object]) -> float:
    page = driver.app.record_list.page

    def asked() -> None:
        action()
        if not page.waiting:
            raise RuntimeError("no page was asked for")

    return 1000 * driver.seconds(asked, lambda: not page.waiting, "the page")


def _statements(model: Any, options: Options) -> list[table.Row]:
    selection, chance = Selection(), random.Random(7)
    index = model.count_records(selection)
    model.get_page(selection, 20)
    requests: dict[str, Callable[[], dict[str, Any]]] = {
        "first page": lambda: {"start": 0},
        "any page": lambda: {"start": chance.randrange(options.records - 20)},
        "end of the list": lambda: {"last": True},
    }
    rows = []
    for name, request in requests.items():
        times = []
        for _ in range(options.runs):
            begun = time.perf_counter()
            model.get_page(selection, 20, index=index, **request())
            times.append(1000 * (time.perf_counter() - begun))
        rows.append(table.row(f"{name}, SQL alone", "ms", times))
    return rows
