"""`changes` and `entry_log`: what was changed, and when records were entered, wherever they went since."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from abq_data_entry.models import SQLModel, schema
from tests.models.records import DATE, record
from tests.models.test_schema import Endpoint, run
from tests.qa.data import ask

LONG_AGO = "2000-01-01"


def told(endpoint: Endpoint, since: str = LONG_AGO) -> list[tuple[Any, ...]]:
    rows = ask(endpoint, "SELECT * FROM changes(%s)", [since])
    assert all(row["moment"] <= datetime.datetime.now(datetime.timezone.utc) for row in rows)
    return [(row["lab"], row["plot"], row["field"], row["was"], row["became"], row["reason"]) for row in rows]


@pytest.fixture
def changed(model: SQLModel, database: Endpoint) -> Endpoint:
    """Records that were corrected, moved twice, withdrawn and brought back."""
    for plot in (1, 2, 3):
        model.save_record(record(Plot=plot))
    model.save_record(record(Plot=1, Humidity="25.00", Plants=3, Technician="P Taylor"), reason="misread")
    run(database, f"SELECT move_record('{DATE}', '8:00', 'A', 2, '{DATE}', '12:00', 'A', 9, 'wrong plot')")
    run(database, f"SELECT move_record('{DATE}', '12:00', 'A', 9, '{DATE}', '12:00', 'C', 9, 'wrong lab')")
    run(database, f"SELECT withdraw_record('{DATE}', '8:00', 'A', 3, 'typed twice')")
    run(database, f"SELECT bring_back_record('{DATE}', '8:00', 'A', 3, 'it was not')")
    return database


def test_changes_has_a_row_for_each_field(changed: Endpoint) -> None:
    found = told(changed)
    first = found[: len(found) - 5]
    assert sorted(first) == [
        ("A", 1, "humidity", "24.09", "25.00", "misread"),
        ("A", 1, "plants", "9", "3", "misread"),
        ("A", 1, "technician", "J Simms", "P Taylor", "misread"),
    ]
    assert sorted(found[-5:-3]) == [
        ("A", 2, "plot", "2", "9", "wrong plot"), ("A", 2, "time", "08:00:00", "12:00:00", "wrong plot"),
    ]  # fmt: skip
    assert found[-3:] == [
        ("A", 9, "lab", "A", "C", "wrong lab"),
        ("A", 3, "record", "entered", "withdrawn", "typed twice"),
        ("A", 3, "record", "withdrawn", "entered", "it was not"),
    ]


def test_changes_since_a_moment_and_by_whom(changed: Endpoint, model: SQLModel) -> None:
    ((now,),) = run(changed, "SELECT clock_timestamp()")
    model.save_record(record(Plot=1, Humidity="26.00", Plants=3, Technician="P Taylor"), reason="again")
    assert told(changed, str(now)) == [("A", 1, "humidity", "25.00", "26.00", "again")]
    login = changed["user"]
    run(changed, f"SET abq.application_user = 'Q Murphy'; SET abq.workstation = 'bench 3';"
                 f" SET abq.schema = '{schema.VERSION}';"
                 f" UPDATE plot_checks SET fruit = 4 WHERE plot = 1;"
                 f" INSERT INTO technician_logins VALUES ('{login}', 4478)")  # fmt: skip
    (last,) = [row for row in ask(changed, "SELECT * FROM changes") if row["field"] == "fruit"]
    assert (last["who"], last["workstation"], last["was"], last["became"]) == ("Q Murphy", "bench 3", "3", "4")


def test_entry_log_knows_the_first_entry_wherever_the_record_went(changed: Endpoint) -> None:
    first = {
        row["plot"]: row for row in ask(changed, "SELECT (key ->> 'plot')::int AS plot, moment, workstation FROM audit"
        " WHERE table_name = 'plot_checks' AND operation = 'INSERT' AND reason IS NULL")
    }  # fmt: skip
    rows = {(row["lab"], row["plot"]): row for row in ask(changed, "SELECT * FROM entry_log")}
    assert rows.keys() == {("A", 1), ("A", 3), ("C", 9)}
    for key, plot in ((("A", 1), 1), (("A", 3), 3), (("C", 9), 2)):
        row = rows[key]
        assert (row["entered"], row["typed"], row["workstation"]) == (
            first[plot]["moment"], first[plot]["moment"], first[plot]["workstation"],
        )  # fmt: skip
        ((due,),) = run(changed, f"SELECT due FROM plot_readings WHERE lab = '{key[0]}' AND plot = {key[1]}")
        assert abs(row["minutes_late"] - (row["typed"] - due).total_seconds() / 60) < 0.001
    assert ask(changed, "SELECT * FROM entry_log(%s, %s)", [LONG_AGO, LONG_AGO]) == []


def test_a_record_from_before_the_audit_has_no_moment(database: Endpoint, model: SQLModel) -> None:
    model.save_record(record(Plot=1))
    run(database, "SET session_replication_role = replica; DELETE FROM audit WHERE table_name = 'plot_checks'")
    ((row),) = ask(database, "SELECT * FROM entry_log")
    assert (row["plot"], row["entered"], row["minutes_late"]) == (1, None, None)
