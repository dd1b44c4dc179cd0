"""Who reads the views for QA, and that labs that are kept apart stay so in each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

from abq_data_entry.models import schema
from abq_data_entry.models.auditing import QA_VIEWS
from tests.models.logins import roles_of_lab_a
from tests.models.test_schema import run
from tests.qa.data import Endpoint, ask, fill, make_records, make_weather

SCHEMAS = Path(__file__).parents[1] / "models" / "schemas"


@pytest.fixture
def filled(database: Endpoint) -> Endpoint:
    """Twelve days of two labs."""
    records = make_records(3)
    first = min(each.date for each in records)
    fill(database, [each for each in records if (each.date - first).days < 12], make_weather(3))
    run(database, "UPDATE plot_checks SET fruit = 2 WHERE plot = 1 AND time = '8:00'")
    return database


@pytest.fixture
def reader(filled: Endpoint) -> Iterator[Callable[[str], Endpoint]]:
    """Makes a role that belongs to lab A, and gives the endpoint where everything is asked as it."""
    with roles_of_lab_a(filled) as make:
        yield make


def rows(endpoint: Endpoint, view: str, which: str = "true") -> list[str]:
    """The rows as texts; sums differ in their last digits with the order in which they are added up."""
    found = [list(row.items()) for row in ask(endpoint, f"SELECT * FROM {view} WHERE {which}")]
    return sorted(
        str([(name, round(value, 6) + 0.0 if isinstance(value, float) else value) for name, value in row])
        for row in found
    )


def test_the_three_roles_read_all_labs(filled: Endpoint, reader: Callable[[str], Endpoint]) -> None:
    every = {view: rows(filled, view) for view in QA_VIEWS}
    assert all(every.values())
    for role in ("abq_technician", "abq_supervisor", "abq_qa"):
        asking = reader(f"GRANT {role} TO {{}}")
        for view in QA_VIEWS:
            assert rows(asking, view) == every[view], (role, view)


def test_each_login_sees_its_labs_only(filled: Endpoint, reader: Callable[[str], Endpoint]) -> None:
    asking, qa = reader("GRANT abq_technician TO {}"), reader("GRANT abq_qa TO {}")
    by_lab = [view for view in QA_VIEWS if "lab" in ask(filled, f"SELECT * FROM {view} LIMIT 1")[0]]
    own = {view: rows(filled, view, "lab = 'A'") for view in by_lab}
    every = {view: rows(filled, view) for view in QA_VIEWS}
    run(filled, "SELECT restrict_labs(true)")
    for view in by_lab:
        assert rows(asking, view) == own[view] != every[view]
    count = "SELECT sum(n) AS n FROM digit_preference"
    readings = "SELECT 3 * count(*) AS n FROM plot_checks WHERE NOT equipment_fault"
    assert ask(asking, count) == ask(filled, f"{readings} AND lab_id = 'A'") != ask(filled, count)
    for view in QA_VIEWS:
        assert rows(qa, view) == every[view]
    leaky = "CREATE FUNCTION pg_temp.leak(char) RETURNS boolean COST 0.0001 LANGUAGE plpgsql AS" \
        " 'BEGIN IF $1 <> ''A'' THEN RAISE ''seen''; END IF; RETURN true; END'; "
    for view in by_lab:
        ask(asking, f"{leaky} SELECT count(*) FROM {view} WHERE pg_temp.leak(lab)")


def test_labs_are_kept_apart_in_the_transaction_that_says_whose_they_are(database: Endpoint) -> None:
    run(database, "INSERT INTO lab_members VALUES ('A', 'jsimms'); SELECT restrict_labs(true);"
                  " INSERT INTO lab_members VALUES ('B', 'jsimms'); SELECT restrict_labs(false)")  # fmt: skip
    chain = "SELECT max(h.sequence) = max(a.sequence) AS whole FROM audit_heads AS h JOIN audit AS a USING (lab_id)"
    assert ask(database, f"{chain} GROUP BY lab_id HAVING max(h.sequence) <> max(a.sequence)") == []
    assert ask(database, "SELECT count(*) AS n FROM lab_members") == [{"n": 2}]


def test_who_read_the_records_before_reads_what_is_made_of_them(empty_database: Endpoint) -> None:
    run(empty_database, (SCHEMAS / "version_4.sql").read_text("utf-8"))
    name = f"report_of_{empty_database['dbname']}"
    run(empty_database, f"CREATE ROLE {name}; GRANT SELECT ON data_record_view TO {name}")
    try:
        schema.prepare(empty_database)
        asking = {**empty_database, "options": f"-c role={name}"}
        for view in QA_VIEWS:
            assert ask(asking, f"SELECT * FROM {view}") == []
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(asking, "UPDATE lab_settings SET time_zone = 'UTC'")
    finally:
        run(empty_database, f"DROP OWNED BY {name}; DROP ROLE {name}")
