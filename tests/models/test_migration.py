"""Databases as earlier versions made them (by the create_db.sql in `schemas`) come to this one without loss."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from abq_data_entry.folders import bundled_file
from abq_data_entry.models import SchemaMissing, SQLModel, WindowOutdated, WritesRefused, schema
from abq_data_entry.postgres import EmbeddedServer
from tests.models.records import DATE, record
from tests.models.test_schema import ORIGINAL, Endpoint, dump, psql, run

pytestmark = pytest.mark.takes(1)  # together at one worker, which begins with them
SCHEMAS = Path(__file__).parent / "schemas"
VERSIONS = range(1, schema.VERSION)

# What a laboratory may have recorded: hostile texts, a fault, another technician for one plot, a lab that is gone.
_USED = """
    DELETE FROM plots WHERE lab_id = 'E';
    DELETE FROM labs WHERE id = 'E';
    INSERT INTO lab_techs VALUES (1, 'M Núñez "Mimi" O''Hara');
    UPDATE plots SET current_seed_sample = NULL WHERE lab_id = 'B' AND plot = 2;
    INSERT INTO lab_checks VALUES ('2025-02-28', '8:00', 'A', 1), ('2025-03-01', '20:00', 'B', 4291);
    INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, humidity, light, temperature, equipment_fault,
            blossoms, plants, fruit, max_height, min_height, median_height, notes, lab_tech_id)
        VALUES
            ('2025-02-28', '8:00', 'A', 1, 'AXM477', 20.5, 0, 4, false, 0, 20, 1000, 1000, 0, 0.01,
                E'a\\\\\\n"b"; --', 1),
            ('2025-02-28', '8:00', 'A', 2, 'AXM478', NULL, NULL, NULL, true, 1, 2, 3, 5, 1, 3,
                repeat('ü', 65536), 4291),
            ('2025-03-01', '20:00', 'B', 2, 'AXM478', 52, 100, 40, false, 1, 2, 3, 5, 1, 3, NULL, NULL);
    INSERT INTO local_weather VALUES ('2025-02-28 8:00-07', 1, 2, 1003, 'Fog');
"""
_TABLES = ("lab_techs", "labs", "plots", "lab_checks", "plot_checks", "local_weather", "data_record_view")
_VERSION_2_PRIVILEGES = """
    GRANT SELECT ON schema_version, lab_techs, labs, plots, lab_checks, plot_checks, local_weather, deliveries,
        data_record_view TO {role};
    GRANT INSERT, UPDATE ON lab_checks, plot_checks, deliveries TO {role};
    GRANT INSERT ON local_weather TO {role};
"""
_VERSION_3_PRIVILEGES = f"""{_VERSION_2_PRIVILEGES}
    GRANT SELECT ON audit, audit_heads, check_presence, check_presence_view, journal_entries, lab_members TO {{role}};
    GRANT INSERT ON journal_entries TO {{role}};
    GRANT INSERT, UPDATE, DELETE ON check_presence TO {{role}};
"""
_VERSION_4_PRIVILEGES = "GRANT abq_technician TO {role};"


@pytest.fixture(scope="module")
def template_of(server: EmbeddedServer) -> Callable[[int], str]:
    """The database to copy that this version made and a laboratory used; made once, because it takes a while."""

    @functools.cache
    def make(version: int) -> str:
        name = f"abq_of_version_{version}"
        server.create_database(name)
        made = server.endpoint(name)
        run(made, (SCHEMAS / f"version_{version}.sql").read_text("utf-8"))
        run(made, _USED)
        if version >= 2:
            run(made, "INSERT INTO deliveries VALUES (gen_random_uuid(), now(), '2025-02-28', 'a.csv', 1, 'rest',"
                      " 'https://x', 'u', 1, repeat('0', 64), 'failed', 3, now(), NULL, 'no way', 7)")  # fmt: skip
        return name

    return make


@pytest.fixture(params=VERSIONS)
def older(
    request: pytest.FixtureRequest, make_database: Callable[[str], Endpoint], template_of: Callable[[int], str]
) -> Endpoint:
    """A database that an earlier version made and a laboratory used."""
    return make_database(template_of(request.param))


@pytest.fixture(scope="module")
def tables_of_a_new_one(server: EmbeddedServer, database_template: str) -> str:
    """How pg_dump writes them."""
    return dump(server.endpoint(database_template), "--schema-only")


@pytest.fixture
def technician(older: Endpoint) -> Iterator[str]:
    """With the privileges that the documents of that version gave."""
    role = f"technician_of_{older['dbname']}"
    privileges = _VERSION_2_PRIVILEGES
    if run(older, "SELECT to_regclass('technician_logins')") != [(None,)]:
        privileges = _VERSION_4_PRIVILEGES
    elif run(older, "SELECT to_regclass('journal_entries')") != [(None,)]:
        privileges = _VERSION_3_PRIVILEGES
    elif run(older, "SELECT to_regclass('deliveries')") == [(None,)]:
        privileges = privileges.replace(", deliveries", "")
    run(older, f"CREATE ROLE {role}; {privileges.format(role=role)}")
    yield role
    run(older, f"DROP OWNED BY {role}; DROP ROLE {role}")


def columns_of(endpoint: Endpoint) -> dict[str, str]:
    """The columns of all tables, as a statement names them."""
    names = "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attnum > 0"
    return {table: str(run(endpoint, f"{names} AND attrelid = '{table}'::regclass")[0][0]) for table in _TABLES}


def contents(endpoint: Endpoint, columns: dict[str, str]) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, with these columns."""
    return {table: run(endpoint, f"SELECT {each} FROM {table} ORDER BY {each}") for table, each in columns.items()}


def test_nothing_is_lost(older: Endpoint) -> None:
    columns = columns_of(older)
    before = contents(older, columns)
    deliveries = "SELECT * FROM deliveries"
    had = run(older, "SELECT to_regclass('deliveries')") != [(None,)]
    sent = run(older, deliveries) if had else []
    entries = (
        "SELECT * FROM audit WHERE table_name NOT IN ('schema_version', 'audit_baselines', 'lab_settings')"
        " ORDER BY lab_id, sequence"
    )
    audited = run(older, entries) if run(older, "SELECT to_regclass('audit')") != [(None,)] else []
    assert schema.prepare(older) is True
    assert contents(older, columns) == before
    now = run(older, deliveries)
    assert [each[: len(before)] for each, before in zip(now, sent, strict=True)] == sent
    assert {value for each, before in zip(now, sent, strict=True) for value in each[len(before) :]} <= {None}
    assert run(older, "SELECT max(version) FROM schema_version") == [(schema.VERSION,)]
    assert run(older, "SELECT DISTINCT version FROM plot_checks") == [(1,)]
    kept = run(older, entries)
    assert [each[: len(before)] for each, before in zip(kept, audited, strict=True)] == audited
    assert {value for each, before in zip(kept, audited, strict=True) for value in each[len(before) :]} <= {None}
    again = dump(older)
    assert schema.prepare(older) is False
    run(older, bundled_file("create_db.sql").read_text("utf-8"))
    assert dump(older) == again


def test_it_has_the_tables_of_a_new_one(older: Endpoint, tables_of_a_new_one: str) -> None:
    assert psql(older, "-q", "-f", str(bundled_file("create_db.sql"))).stderr == ""
    assert dump(older, "--schema-only") == tables_of_a_new_one


def test_old_records_can_be_corrected_and_forged_ones_are_found(older: Endpoint) -> None:
    run(older, 'CREATE VIEW report AS SELECT "Date", count(*) AS records FROM data_record_view GROUP BY 1')  # QA's own
    schema.prepare(older)
    assert len(run(older, "SELECT * FROM report")) == 2
    key = ("2025-02-28", "8:00", "A", 1)
    with closing(SQLModel.at(older)) as model:
        found = model.get_versioned_record(*key)
        assert found.version == 1
        earlier = model.get_history(*key)
        model.save_record({**found.record, "Plants": 19}, "update", expected_version=1, reason="counted again")
        *before, change = model.get_history(*key)
        assert before == earlier
        assert (change.fields, change.reason) == ({"Plants": ("20", "19")}, "counted again")
        assert model.verify_audit().breaks == ()
        slip = "INSERT INTO lab_checks VALUES (current_date + 2, '8:00', 'C', 4291)"
        run(older, f"SET session_replication_role = replica; {slip}; SET session_replication_role = origin")
        (broken,) = model.verify_audit().breaks
        assert (broken.lab, broken.sequence) == ("C", 0) and "of lab_checks has no entry" in broken.reason


def test_who_could_enter_still_can(older: Endpoint, technician: str) -> None:
    with closing(SQLModel.at({**older, "options": f"-c role={technician}"})) as model:
        with pytest.raises(SchemaMissing, match="older version"):
            model.connect()
        schema.prepare(older)
        model.connect()
        model.save_record(record(), "insert", entry="0123456789abcdef0123456789abcdef")
        model.save_record(record(Plants=3), "update", expected_version=1, reason="slip")
        model.enter_check(DATE, "8:00", "A", 3, "J Simms")
        assert [each.reason for each in model.get_history(DATE, "8:00", "A", 3)] == ["", "slip"]
        assert model.privileges().may_enter and not model.privileges().may_manage
        weather = {"observation_time_rfc822": "Fri, 28 Feb 2025 08:00:00 -0700", "temp_c": "1", "station": "KBMG"}
        assert model.store_weather(weather).state == "known"  # and the row says by now whose it is
        assert model.store_weather({**weather, "observation_time_rfc822": "1 Mar 2025 8:00 MST"}).state == "new"
        assert model.query("SELECT station FROM local_weather") == [{"station": "KBMG"}] * 2
    changing = "INSERT, UPDATE, DELETE, TRUNCATE"
    for table in ("audit", "audit_heads", "lab_members"):
        assert run(older, f"SELECT has_table_privilege('{technician}', '{table}', '{changing}')") == [(False,)]


def test_rows_of_the_first_schema_are_no_break(empty_database: Endpoint) -> None:
    run(empty_database, ORIGINAL)
    schema.prepare(empty_database)
    assert run(empty_database, "SELECT version FROM schema_version ORDER BY 1") == [(0,), (schema.VERSION,)]
    with closing(SQLModel.at(empty_database)) as model:
        assert model.verify_audit().breaks == ()


def test_an_error_on_the_way_leaves_it_as_it_was(older: Endpoint) -> None:
    run(older, f"ALTER TABLE schema_version ADD CHECK (version < {schema.VERSION})")  # what the script does last
    fails_and_changes_nothing(older)


def test_an_error_on_the_way_leaves_the_first_schema_as_it_was(empty_database: Endpoint) -> None:
    run(empty_database, f"{ORIGINAL}; CREATE FUNCTION destination_kinds() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    fails_and_changes_nothing(empty_database)


def fails_and_changes_nothing(endpoint: Endpoint) -> None:
    before = dump(endpoint)
    with pytest.raises(Exception, match="database"):
        schema.prepare(endpoint)
    assert dump(endpoint) == before


@pytest.mark.parametrize("told", ["", "3"])
def test_a_window_that_was_open_meanwhile_saves_nothing_more(database: Endpoint, told: str) -> None:
    """One of version 3 says nothing of its version; what can't be written to is what makes it keep its journal."""
    with closing(SQLModel.at({**database, "options": f"-c abq.schema={told}"})) as model:
        with pytest.raises(WritesRefused if not told else WindowOutdated):
            model.save_record(record())
        assert model.get_all_records(all_dates=True) == []
    run(database, "INSERT INTO lab_checks VALUES ('2025-02-28', '8:00', 'A', 4291)")  # a program of one's own
