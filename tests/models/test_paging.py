"""The record list: any page, in any order, of any selection, is the same as a plain sort would give."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from abq_data_entry.models import SORTABLE, Selection, SQLModel, paging
from tests.models.records import faulty, record

Record = dict[str, object]

_ROWS = 120


@pytest.fixture
def records(model: SQLModel) -> list[Record]:
    """Records with many equal values, some with a fault, by three technicians."""
    chance = random.Random(7)
    chosen = chance.sample(range(6 * 4 * 3 * 20), _ROWS)
    for number in chosen:
        number, plot = divmod(number, 20)
        number, lab = divmod(number, 3)
        day, time = divmod(number, 4)
        make = faulty if chance.random() < 0.2 else record
        changes: Record = {
            "Date": datetime.date(2026, 11, 10 + day),
            "Time": ("8:00", "12:00", "16:00", "20:00")[time],
            "Lab": "ABC"[lab],
            "Plot": plot + 1,
            "Technician": ("J Simms", "P Taylor", "L Taniff")[chance.randrange(3)],
            "Plants": chance.randrange(3),
            "Seed_sample": f"AXM47{chance.randrange(7, 10)}",
        }
        if make is record:
            changes["Humidity"] = chance.choice(("1.00", "2.50", "10.00"))
        model.save_record(make(**changes))
    return model.get_all_records(all_dates=True)


def expected(records: list[Record], selection: Selection) -> list[Record]:
    """What a plain sort makes of the records."""

    def comparable(row: Record, name: str) -> object:
        value = row[name]
        return int(value.partition(":")[0]) if name == "Time" and isinstance(value, str) else value

    filters = {
        "Date": selection.date, "Lab": selection.lab, "Plot": selection.plot, "Technician": selection.technician
    }
    kept = [row for row in records if all(value in (None, row[name]) for name, value in filters.items())]
    names = [selection.sort, "Date", "Time", "Lab", "Plot"]
    for name in reversed(names):
        there = [row for row in kept if row[name] is not None]
        empty = [row for row in kept if row[name] is None]
        there.sort(key=lambda row: comparable(row, name), reverse=selection.descending)  # type: ignore[arg-type,return-value]
        kept = there + empty
    return kept


def selections() -> Iterator[Selection]:
    for sort in SORTABLE:
        for descending in (True, False):
            yield Selection(sort=sort, descending=descending)
    for sort in ("Date", "Humidity", "Technician", "Plants"):
        yield Selection(lab="B", sort=sort)
        yield Selection(plot=7, sort=sort, descending=False)
        yield Selection(technician="P Taylor", sort=sort)
        yield Selection(date=datetime.date(2026, 11, 12), sort=sort)
        yield Selection(lab="A", plot=7, technician="P Taylor", date=datetime.date(2026, 11, 12), sort=sort)
        yield Selection(technician="Nobody", sort=sort)


def test_every_page_of_every_order_is_right(model: SQLModel, records: list[Record]) -> None:
    for selection in selections():
        wanted = expected(records, selection)
        index = model.count_records(selection)
        assert index.total == len(index) == len(wanted), selection
        assert model.get_page(selection, 200) == wanted, selection
        assert model.get_page(selection, 200, last=True) == wanted, selection
        for start in (0, 1, 7, 50, len(wanted) - 3, len(wanted)):
            page = wanted[max(start, 0) : max(start, 0) + 10]
            assert model.get_page(selection, 10, start=max(start, 0), index=index) == page, selection
            assert model.get_page(selection, 10, start=max(start, 0)) == page, selection
        assert model.get_page(selection, 10, last=True) == wanted[-10:], selection
        for place in (0, 3, 60, len(wanted) - 1):
            if 0 <= place < len(wanted):
                after, before = wanted[place + 1 : place + 11], wanted[max(0, place - 10) : place]
                assert model.get_page(selection, 10, after=wanted[place]) == after, selection
                assert model.get_page(selection, 10, before=wanted[place]) == before, selection


@pytest.mark.takes(10)
def test_positions_between_far_posts_are_exact(model: SQLModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough rows for an index that has no entry for some rows, of few values with many rows and of many with few."""
    from abq_data_entry.models import paging

    monkeypatch.setattr(paging, "_ENTRIES", 20)
    model.query(
        "INSERT INTO lab_checks SELECT date '2020-01-01' + day, time '8:00', lab, 4291"
        " FROM generate_series(0, 199) AS day, unnest(ARRAY['A', 'B']) AS lab;"
        "INSERT INTO plot_checks SELECT date, time, lab_id, plot, 'AXM477', (1 + (plot * date_part('day', date))::int"
        " % 30), 1, 10, false, 5, plot % 3, plot, 3, 1, 2, NULL FROM lab_checks, generate_series(1, 20) AS plot;"
        "UPDATE plot_checks SET equipment_fault = true, humidity = NULL, light = NULL, temperature = NULL"
        " WHERE plot = 20"
    )
    for sort in ("Date", "Plants", "Humidity", "Technician", "Fruit", "Equipment Fault"):
        for descending in (True, False):
            selection = Selection(sort=sort, descending=descending)
            index = model.count_records(selection)
            everything = model.get_page(selection, 9000)
            assert index.total == len(everything) == 8000
            assert 10 < sum(len(each.befores) for each in index.part_indexes) < 4000
            for start in range(0, 8000, 613):
                assert model.get_page(selection, 3, start=start, index=index) == everything[start : start + 3]


def test_rows_saved_since_the_count_do_not_break_a_page(model: SQLModel, records: list[Record]) -> None:
    selection = Selection()
    index = model.count_records(selection)
    model.save_record(record(Date="2027-01-01"))
    model.add_technician(17, "A New")
    model.save_record(record(Date="2027-01-01", Plot=4, Technician="A New"))
    assert len(model.get_page(selection, 10, start=50, index=index)) == 10
    by_technician = Selection(sort="Technician")
    assert len(model.get_page(by_technician, 10, start=100, index=model.count_records(by_technician))) == 10
    assert model.get_page(selection, 5, index=index)[0]["Date"] == datetime.date(2027, 1, 1)


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(ValueError, match="can't be sorted by 'Notes'"):
        Selection(sort="Notes")


def test_an_empty_list(model: SQLModel) -> None:
    assert model.count_records(Selection()).total == 0
    assert model.get_page(Selection(), 10) == model.get_page(Selection(), 10, last=True) == []


class Technicians:
    """In place of a cursor: knows the technicians, and nothing else is asked."""

    def execute(self, statement: str) -> None:
        assert statement == "SELECT name, id FROM lab_techs"

    def fetchall(self) -> list[tuple[str, int]]:
        return [("b", 2), ("A", 1), ("a", 3)]


def parts(selection: Selection) -> list[paging.Part]:
    cursor: Any = Technicians()
    return paging.parts_of(cursor, selection)


def test_an_order_is_cut_into_parts_that_an_index_has() -> None:
    (by_date,) = parts(Selection())
    assert by_date.leading == ("date",) and by_date.columns == ("date", "time", "lab_id", "plot")
    assert (by_date.condition, by_date.parameters, by_date.home, by_date.empty) == ("true", (), None, None)
    assert by_date.order() == ", ".join(f"{each} {'DESC' if by_date.descending else 'ASC'}" for each in by_date.columns)
    there, empty = parts(Selection(sort="Humidity", descending=True, lab="B"))
    assert there.leading == ("humidity", "date") and empty.leading == ("date",)
    assert (there.home, empty.home, there.empty, empty.empty) == (False, True, None, "humidity")
    assert there.condition == "true AND lab_id = %s AND humidity IS NOT NULL"
    assert empty.condition == "true AND lab_id = %s AND humidity IS NULL" and empty.parameters == ("B",)
    # With the empty column: else the planner doesn't see that the index has the rows in this order.
    assert empty.order(table="p.") == "p.humidity DESC, p.date DESC, p.time DESC, p.lab_id DESC, p.plot DESC"
    assert there.order(reverse=True) == "humidity ASC, date ASC, time ASC, lab_id ASC, plot ASC"
    assert empty.names == ("Date", "Time", "Lab", "Plot") and there.names == ("Humidity", *empty.names)


def test_by_technicians_each_is_a_part() -> None:
    found = parts(Selection(sort="Technician", descending=False))
    assert [(each.home, *each.parameters) for each in found] == [("A", 1), ("a", 3), ("b", 2)]
    assert [each.home for each in parts(Selection(sort="Technician", descending=True))] == ["b", "a", "A"]
    (only,) = parts(Selection(sort="Technician", technician="b"))
    assert (only.home, only.parameters, only.columns[0]) == ("b", (2,), "date")
    (nobody,) = parts(Selection(technician="c"))
    assert nobody.condition == "true AND lab_tech_id = %s" and nobody.parameters == (-32768,)


def test_each_column_is_compared_as_what_it_is() -> None:
    values = "((SELECT %s::numeric), (SELECT %s::date))"
    assert paging.beyond(("humidity", "date"), ">") == f" AND (humidity, date) > {values}"
    types = {name: paging.COLUMN_TYPES[name] for name in ("time", "lab_id", "plot", "seed_sample", "equipment_fault")}
    assert types == {"time": "time", "lab_id": "char(1)", "plot": "smallint", "seed_sample": "char(6)",
                     "equipment_fault": "boolean"}  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "befores"),
    [
        ([1, 1, 1], (0, 1, 2)),
        ([3, 1, 1, 2], (0, 3, 4, 5)),
        ([10_000, 9_999, 1, 1, 1], (0, 10_000, 19_999, 20_001)),  # from 20,000 rows on every second may have one
        ([9_000_000, 6_000_000, 498, 1, 1], (0, 9_000_000, 15_000_000)),  # and after 500 rows there is always one
        ([9_000_000, 6_000_000, 500, 1, 1], (0, 9_000_000, 15_000_000, 15_000_500)),
    ],
)
def test_a_post_stands_where_enough_rows_have_passed(rows: list[int], befores: tuple[int, ...]) -> None:
    days = [datetime.date(2026, 11, 1) + datetime.timedelta(number) for number in range(len(rows))]

    class Counted(Technicians):
        def __init__(self) -> None:
            self.statements: list[str] = []

        def execute(self, statement: str, parameters: object = None) -> None:
            self.statements.append(statement)

        def fetchall(self) -> list[Any]:
            if len(self.statements) == 1:
                return super().fetchall()
            return [(day, count, day, day) for day, count in zip(days, rows, strict=True)]

    cursor: Any = Counted()
    index = paging.count_records(cursor, Selection())
    (part_index,) = index.part_indexes
    assert (index.total, part_index.total, part_index.befores) == (sum(rows), sum(rows), befores)


class Walked(Technicians):
    """In place of a cursor: answers each page with one record, and keeps what was asked."""

    description = tuple(SimpleNamespace(name=name) for name in ("Date", "Time", "Lab", "Plot", "Humidity"))

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[object]]] = []

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> None:
        self.asked.append((statement, list(parameters)))

    def fetchall(self) -> list[Any]:
        return super().fetchall() if len(self.asked) == 1 else [(datetime.date(2026, 11, 1), "8:00", "A", 3, None)]


@pytest.mark.parametrize(("rows", "walks"), [(1, 1), (2, 2), (3, 2)])
@pytest.mark.parametrize("how", ["at", "after", "before", "last"])
def test_a_full_page_asks_no_other_part_of_the_order(how: str, rows: int, walks: int) -> None:
    found, selection = Walked(), Selection(sort="Humidity")
    cursor: Any = found
    key = {"Date": datetime.date(2026, 11, 2), "Time": "8:00", "Lab": "A", "Plot": 3,
           "Humidity": None if how == "before" else Decimal(9)}  # fmt: skip
    if how == "at":
        page = paging.get_page_at(cursor, selection, rows, 0, None)
    elif how == "last":
        page = paging.get_last_page(cursor, selection, rows)
    else:
        page = paging.get_page_beside(cursor, selection, rows, key, before=how == "before")
    assert len(page) == min(rows, 2) == walks == len(found.asked) - 1
    limits = [parameters[-2:] for _, parameters in found.asked[1:]]
    assert limits == [[rows - number, 0] for number in range(walks)]
    empty_first = how in ("before", "last")
    assert [" IS NULL" in statement for statement, _ in found.asked[1:]] == [empty_first, not empty_first][:walks]
