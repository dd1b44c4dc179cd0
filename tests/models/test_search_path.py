"""A copy of our tables in front, on the path of a role, a database or a session: it is neither read nor written."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.folders import bundled_file
from abq_data_entry.models import SQLModel, schema
from tests.models.records import DATE, record
from tests.models.test_schema import Endpoint, run

WAYS = (
    "ALTER DATABASE {dbname} SET search_path = front, public",
    'ALTER ROLE CURRENT_USER IN DATABASE {dbname} SET search_path = "front", pg_catalog, public',
    "ALTER DATABASE {dbname} SET search_path = front",
    "PGOPTIONS",
)


@pytest.fixture(params=WAYS)
def fronted(database: Endpoint, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    script = bundled_file("create_db.sql").read_text("utf-8")
    run(database, f"CREATE SCHEMA front; SET search_path = front; {script}")
    run(database, "UPDATE front.lab_techs SET name = 'False ' || id")
    if request.param == "PGOPTIONS":
        monkeypatch.setenv("PGOPTIONS", "-c search_path=front,public")
    else:
        run(database, request.param.format(**database))
    ((first,),) = run(database, "SELECT current_schema()")
    assert first == "front"
    return database


def test_all_goes_to_the_real_ones(fronted: Endpoint, tmp_path: Path) -> None:
    with closing(SQLModel.at(fronted)) as model:
        model.connect()
        assert model.choices().technicians[0] == "J Simms"
        model.save_record(record())
        model.save_record(record(Plants=4), expected_version=1)
        assert model.claim_plot(DATE, "8:00", "A", 5, "J Simms")
        assert model.get_record(DATE, "8:00", "A", 3)["Plants"] == 4
        assert model.get_versioned_record(DATE, "8:00", "A", 3).version == 2
        assert model.export_records(tmp_path / "day.csv", DATE) == 1
        model.withdraw_record((DATE, "8:00", "A", 3), "typed twice")
        model.add_technician(77, "New One")
        assert model.server_facts.version == schema.VERSION
        assert model.verify_audit().breaks == ()
    schema.set_labs(fronted, fronted["user"], ["A"])
    for table in ("plot_checks", "lab_checks", "journal_entries", "check_presence", "lab_members"):
        assert run(fronted, f"SELECT count(*) FROM front.{table}") == [(0,)], table
    assert run(fronted, "SELECT count(*) FROM front.audit WHERE table_name <> 'lab_techs' AND operation <> 'INSERT'") \
        == [(0,)]
    assert run(fronted, "SELECT count(*) FROM public.lab_techs WHERE name = 'New One'") == [(1,)]


def test_the_tables_are_made_and_brought_to_this_version_where_they_are(fronted: Endpoint) -> None:
    run(fronted, "DELETE FROM public.journal_entries; ALTER TABLE public.plot_checks DISABLE TRIGGER USER;"
                 " DROP TRIGGER raise_version ON public.plot_checks; DROP TABLE front.schema_version CASCADE")
    schema.prepare(fronted)
    schema.grant(fronted)
    assert run(fronted, "SELECT tgname FROM pg_trigger WHERE tgrelid = 'public.plot_checks'::regclass"
                        " AND tgname = 'raise_version'") == [("raise_version",)]
    assert run(fronted, "SELECT to_regclass('front.schema_version')") == [(None,)]


def test_a_temporary_table_of_ours_is_not_used(database: Endpoint) -> None:
    with closing(SQLModel.at(database)) as model:
        model.connect()
        model.query("CREATE TEMPORARY TABLE plot_checks (LIKE public.plot_checks)")
        model.save_record(record())
        assert len(model.get_all_records(all_dates=True)) == 1
    assert run(database, "SELECT count(*) FROM plot_checks") == [(1,)]


def test_what_is_not_ours_is_still_found(database: Endpoint) -> None:
    run(database, 'CREATE SCHEMA "Of QA"; CREATE VIEW "Of QA".of_mine AS SELECT 7 AS found;'
                  f" ALTER DATABASE {database['dbname']} SET search_path = \"Of QA\", public")
    with closing(SQLModel.at(database)) as model:
        assert model.query("SELECT found FROM of_mine") == [{"found": 7}]
        assert model.query("SELECT current_schema() AS first") == [{"first": "public"}]


def test_nothing_is_on_the_path_of_a_login_without_ours(empty_database: Endpoint) -> None:
    run(empty_database, "CREATE SCHEMA laboratory;"
                        f" ALTER DATABASE {empty_database['dbname']} SET search_path = laboratory, public")
    schema.prepare(empty_database)
    with closing(SQLModel.at(empty_database)) as model:
        model.save_record(record())
        assert model.verify_audit().breaks == ()
    with closing(psycopg2.connect(make_dsn(**empty_database))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM laboratory.plot_checks")
        assert cursor.fetchall() == [(1,)]
