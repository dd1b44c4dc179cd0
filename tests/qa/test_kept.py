"""What is kept for the views: they tell the same as if nothing were kept, whatever is changed, moved or withdrawn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import make_dsn

from abq_data_entry.models import DatabaseError, QueryCancelled, SQLModel
from tests.fixtures.cluster import wait_until
from tests.models.records import record
from tests.models.test_schema import run
from tests.qa.data import Data, Endpoint, ask

CHANGES = (
    "UPDATE plot_checks SET temperature = 39 WHERE NOT equipment_fault AND date = '2026-03-20' AND time = '12:00'"
    " AND lab_id = 'A' AND plot = 3",
    "UPDATE plot_checks SET humidity = 50, light = 99 WHERE NOT equipment_fault AND date = '2026-02-10'"
    " AND time = '16:00' AND plot BETWEEN 2 AND 5",
    "SELECT withdraw_record(date, time, lab_id, plot, 'typed twice') FROM plot_checks"
    " WHERE date = '2026-04-11' AND time = '8:00' AND plot IN (1, 5, 6)",
    "SELECT move_record(date, time, lab_id, plot, '2026-06-02', time, lab_id, plot, 'wrong day') FROM plot_checks"
    " WHERE date = '2026-03-29' AND time = '20:00' AND plot IN (4, 6)",
    "SELECT move_check(date, time, lab_id, '2026-06-09', time, lab_id, 'wrong day') FROM lab_checks"
    " WHERE date = '2026-04-02' AND time = '12:00' AND lab_id = 'B'",
    "UPDATE plot_checks SET equipment_fault = true, humidity = NULL, light = NULL, temperature = NULL"
    " WHERE lab_id = 'B' AND plot = 5 AND date BETWEEN '2026-04-20' AND '2026-05-03'",
    "INSERT INTO lab_checks SELECT '2025-11-05', time, lab_id, 4291 FROM lab_checks WHERE date = '2026-03-01';"
    " INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, humidity, light, temperature, blossoms, plants,"
    " fruit, min_height, median_height, max_height) SELECT '2025-11-05', time, lab_id, plot, seed_sample, humidity + 1,"
    " light, temperature, 1, 1, 1, 1, 2, 3 FROM plot_checks WHERE date = '2026-03-01' AND NOT equipment_fault",
)
"""What happens to records, each on top of those before it."""
HALF = (
    "SET LOCAL session_replication_role = replica; DELETE FROM plot_checks WHERE plot > 6;"
    " SET LOCAL session_replication_role = origin; SELECT qa_rebuild()"
)
"""Without triggers, which take a while; a sensor is judged by its own records and those beside it."""


@pytest.fixture
def cursor(data: Data) -> Iterator[Cursor]:
    """In a transaction that is rolled back: other tests find the records as they were. Half of the plots are enough."""
    with closing(psycopg2.connect(make_dsn(**data.endpoint))) as connection, connection.cursor() as found:
        found.execute(HALF)
        yield found
        connection.rollback()


def told(cursor: Cursor) -> tuple[list[tuple[object, ...]], ...]:
    """The rows of both views; the last digits of sums differ with the order in which they are added up."""
    found = []
    for view in ("reading_outliers", "sensor_drift"):
        cursor.execute(f"SELECT * FROM {view}")
        rows = [tuple(round(each, 6) if isinstance(each, float) else each for each in row) for row in cursor.fetchall()]
        found.append(sorted(rows, key=str))
    return tuple(found)


def reckoned(cursor: Cursor) -> tuple[list[tuple[object, ...]], ...]:
    """The same where nothing is kept."""
    cursor.execute("SAVEPOINT before; DELETE FROM kept_until")
    found = told(cursor)
    cursor.execute("ROLLBACK TO before")
    return found


def test_what_was_kept_never_shows(cursor: Cursor) -> None:
    cursor.execute("SELECT qa_refresh(); SELECT count(*) FROM changed_since_kept")
    assert cursor.fetchall() == [(0,)]
    before = told(cursor)
    for number, change in enumerate(CHANGES):
        cursor.execute(change)
        if number % 3 != 2:  # else what was kept covers two changes at once
            cursor.execute("SELECT count(*), min(first) > '-infinity' FROM days_to_judge()")
            assert cursor.fetchall()[0][0], change
        now = told(cursor)
        assert now != before and now == reckoned(cursor), change
        before = now
        if number % 2:
            cursor.execute("SELECT qa_refresh()")
            assert told(cursor) == now, change
    cursor.execute("SELECT qa_rebuild()")
    assert told(cursor) == before


def test_it_never_shows_where_one_field_was_excluded_for_weeks(cursor: Cursor) -> None:
    """Before the change there are few records with all three values, and many with the other two."""
    cursor.execute(
        "SELECT mark_value(date, time, lab_id, plot, 'light', 'excluded', 'not calibrated') FROM plot_checks"
        " WHERE lab_id = 'A' AND date < '2026-02-19' AND NOT equipment_fault; SELECT qa_refresh()"
    )
    cursor.execute(
        "UPDATE plot_checks SET temperature = temperature + 5, humidity = humidity + 5 WHERE lab_id = 'A'"
        " AND date = '2026-02-19' AND plot < 4 AND NOT equipment_fault"
    )
    assert told(cursor) == reckoned(cursor)


def test_only_days_near_a_change_are_judged_anew(cursor: Cursor) -> None:
    cursor.execute("SELECT qa_refresh()")
    cursor.execute(CHANGES[0])
    cursor.execute("SELECT lab, date '2026-03-20' - first, last - date '2026-03-20', first - from_date, to_date - last"
                   " FROM days_to_judge()")  # fmt: skip
    ((lab, *days),) = cursor.fetchall()
    assert lab == "A" and all(0 <= each <= 50 for each in days), days


def test_four_workstations_save_while_it_is_kept(database: Endpoint) -> None:
    run(database, "INSERT INTO lab_checks VALUES ('2026-01-01', '8:00', 'A', 4291)")
    failed: list[BaseException] = []
    done = threading.Event()

    def save(place: int) -> None:
        model = SQLModel.at(database)
        try:
            for number in range(20):  # two at each lab, and all of them at the same checks of it
                model.save_record(record(Lab="AB"[place % 2], Plot=1 + 10 * (place // 2) + number % 10,
                                         Time=("8:00", "12:00")[number // 10]), "insert")  # fmt: skip
        except BaseException as error:
            failed.append(error)
        finally:
            model.close()

    def refresh() -> None:
        try:
            while not done.is_set():
                ask(database, "SELECT qa_refresh()")
        except BaseException as error:
            failed.append(error)

    savers = [threading.Thread(target=save, args=[place]) for place in range(4)]
    refreshers = [threading.Thread(target=refresh) for _ in range(2)]
    for each in (*savers, *refreshers):
        each.start()
    for each in savers:
        each.join()
    done.set()
    for each in refreshers:
        each.join()
    assert not failed
    ask(database, "SELECT qa_refresh()")
    assert ask(database, "SELECT count(*) AS n FROM plot_checks") == [{"n": 80}]
    assert ask(database, "SELECT count(*) AS n FROM changed_since_kept") == [{"n": 0}]


def test_it_is_broken_off_at_once(database: Endpoint) -> None:
    """By whoever closes the window, say; here it would wait for ever."""
    model, ended, cancel = SQLModel.at({**database, "options": "-c lock_timeout=0"}), [], threading.Event()
    model.save_record(record())

    def refresh() -> None:
        try:
            model.refresh_kept(cancel)
        except DatabaseError as error:
            ended.append(error)

    with closing(psycopg2.connect(make_dsn(**database))) as other, other.cursor() as held:
        held.execute("LOCK TABLE kept_drift IN SHARE MODE")
        thread = threading.Thread(target=refresh)
        thread.start()
        waits = (
            "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock' AND strpos(query, 'qa_refresh()') > 0"
        )
        wait_until(lambda: ask(database, waits) == [{"n": 1}], "the refresh waits")
        cancel.set()
        thread.join(60)
        assert not thread.is_alive() and [type(each) for each in ended] == [QueryCancelled]
        model.refresh_kept(cancel)  # which is set: nothing begins
        assert ask(database, waits) == [{"n": 0}]
    assert model.refresh_kept(threading.Event())
    assert ask(database, "SELECT lab_id FROM kept_until") == [{"lab_id": "A"}]
    model.close()


def test_only_the_owner_rebuilds(database: Endpoint) -> None:
    asking = {**database, "options": "-c role=abq_qa"}
    ask(asking, "SELECT qa_refresh()")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(asking, "SELECT qa_rebuild()")
