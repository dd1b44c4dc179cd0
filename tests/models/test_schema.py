"""create_db.sql: what it makes, that it can be repeated, and how it brings older databases along."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry import fields, postgres
from abq_data_entry.folders import bundled_file
from abq_data_entry.models import DatabaseError, PrivilegeMissing, SchemaMissing, SchemaTooNew, SQLModel, schema
from tests.models.records import DATE, record

Endpoint = dict[str, str]

# The tables as they were before there was a version of the schema, by the contract's description of them.
ORIGINAL = """
CREATE TABLE labs (id char(1) PRIMARY KEY);
CREATE TABLE lab_techs (id smallint PRIMARY KEY, name varchar(512) UNIQUE NOT NULL);
CREATE TABLE plots (
    lab_id char(1) NOT NULL REFERENCES labs (id), plot smallint NOT NULL CHECK (plot BETWEEN 1 AND 20),
    current_seed_sample char(6), PRIMARY KEY (lab_id, plot));
CREATE TABLE lab_checks (
    date date NOT NULL, time time NOT NULL CHECK (time IN ('8:00', '12:00', '16:00', '20:00')),
    lab_id char(1) NOT NULL REFERENCES labs (id), lab_tech_id smallint NOT NULL REFERENCES lab_techs (id),
    PRIMARY KEY (date, time, lab_id));
CREATE TABLE plot_checks (
    date date NOT NULL, time time NOT NULL, lab_id char(1) NOT NULL, plot smallint NOT NULL,
    seed_sample char(6) NOT NULL, humidity numeric(4, 2) CHECK (humidity BETWEEN 0.5 AND 52.0),
    light numeric(5, 2), temperature numeric(4, 2), equipment_fault boolean, blossoms smallint NOT NULL,
    plants smallint NOT NULL, fruit smallint NOT NULL, max_height numeric(6, 2) NOT NULL,
    min_height numeric(6, 2) NOT NULL, median_height numeric(6, 2) NOT NULL, notes text,
    PRIMARY KEY (date, time, lab_id, plot),
    FOREIGN KEY (date, time, lab_id) REFERENCES lab_checks (date, time, lab_id),
    FOREIGN KEY (lab_id, plot) REFERENCES plots (lab_id, plot));
CREATE TABLE local_weather (
    datetime timestamp(0) with time zone PRIMARY KEY, temperature numeric(5, 2), rel_hum numeric(5, 2),
    pressure numeric(7, 2), conditions varchar(32));
CREATE VIEW data_record_view AS
    SELECT pc.date AS "Date", pc.time AS "Time", lt.name AS "Technician", pc.lab_id AS "Lab", pc.plot AS "Plot",
        pc.seed_sample AS "Seed sample", pc.humidity AS "Humidity", pc.light AS "Light",
        pc.temperature AS "Temperature", pc.plants AS "Plants", pc.blossoms AS "Blossoms", pc.fruit AS "Fruit",
        pc.max_height AS "Max Height", pc.min_height AS "Min Height", pc.median_height AS "Median Height",
        pc.notes AS "Notes"
    FROM plot_checks AS pc
    JOIN lab_checks AS lc ON lc.lab_id = pc.lab_id AND lc.date = pc.date AND lc.time = pc.time
    JOIN lab_techs AS lt ON lt.id = lc.lab_tech_id;
INSERT INTO labs VALUES ('A'), ('X');
INSERT INTO lab_techs VALUES (1, 'An Old'), (2, 'Other Old');
INSERT INTO plots VALUES ('A', 1, 'OLD001'), ('X', 2, NULL);
INSERT INTO lab_checks VALUES ('2017-01-01', '8:00', 'A', 1), ('2017-01-01', '12:00', 'X', 2);
INSERT INTO plot_checks VALUES
    ('2017-01-01', '8:00', 'A', 1, 'OLD001', 20, 1, 20, false, 1, 2, 3, 5, 1, 3, 'good'),
    ('2017-01-01', '12:00', 'X', 2, 'OLD02', NULL, NULL, NULL, NULL, 1, 2, 3, 5, 6, 3, 'breaks today''s rules');
INSERT INTO local_weather VALUES ('2017-01-01 8:00-05', 1, 2, 1003, 'Thunderstorm in Vicinity');
"""


def run(endpoint: Endpoint, statements: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(make_dsn(**endpoint))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statements)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def dump(endpoint: Endpoint, *options: str) -> str:
    """The whole database as text, schema and data."""
    return subprocess.run(
        [postgres.binaries() / "pg_dump", "-d", postgres.dsn(endpoint), "--inserts", "--restrict-key=same", *options],
        capture_output=True, text=True, encoding="utf-8", check=True,
    ).stdout


def psql(endpoint: Endpoint, *arguments: str) -> subprocess.CompletedProcess[str]:
    bundled = postgres.binaries() / "psql"
    program = str(bundled) if bundled.exists() else shutil.which("psql")
    if program is None:
        pytest.skip("there is no psql on this machine")
    return subprocess.run(
        [program, "-X", "-v", "ON_ERROR_STOP=1", "-d", postgres.dsn(endpoint), *arguments],
        env={**os.environ, "PGCLIENTENCODING": "UTF8"}, capture_output=True, text=True, encoding="utf-8", check=False,
    )


def test_the_view_has_the_columns_of_the_csv(database: Endpoint) -> None:
    columns = run(database, "SELECT column_name FROM information_schema.columns"
                            " WHERE table_name = 'data_record_view' ORDER BY ordinal_position")
    assert tuple(name for (name,) in columns) == fields.CSV_HEADER


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("lab_techs", "id smallint, name character varying(512), retired timestamp(0) with time zone"),
        ("labs", "id character(1), retired timestamp(0) with time zone"),
        (
            "plots",
            "lab_id character(1), plot smallint, current_seed_sample character(6),"
            " retired timestamp(0) with time zone",
        ),
        (
            "lab_checks",
            "date date, time time without time zone, lab_id character(1), lab_tech_id smallint,"
            " version integer",
        ),
        (
            "plot_checks",
            "date date, time time without time zone, lab_id character(1), plot smallint, seed_sample character(6),"
            " humidity numeric(4,2), light numeric(5,2), temperature numeric(4,2), equipment_fault boolean,"
            " blossoms smallint, plants smallint, fruit smallint, max_height numeric(6,2), min_height numeric(6,2),"
            " median_height numeric(6,2), notes text, lab_tech_id smallint, version integer",
        ),
        (
            "local_weather",
            "datetime timestamp(0) with time zone, temperature numeric(5,2), rel_hum numeric(5,2),"
            " pressure numeric(7,2), conditions character varying(128),"
            " station character varying(8), source text, kind text, fetched timestamp(0) with time zone, quality text",
        ),
    ],
)
def test_the_tables_are_those_of_the_contract(database: Endpoint, table: str, columns: str) -> None:
    found = run(database, "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)"
                          f" FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0")
    assert found == [(columns,)]


def test_what_is_there_to_begin_with(database: Endpoint) -> None:
    assert run(database, "SELECT id, name FROM lab_techs ORDER BY id") == [
        (4291, "J Simms"), (4319, "P Taylor"), (4478, "Q Murphy"), (5607, "L Taniff"),
    ]
    assert run(database, "SELECT count(*), count(DISTINCT lab_id), min(plot), max(plot), min(current_seed_sample),"
                         " max(current_seed_sample) FROM plots") == [(100, 5, 1, 20, "AXM477", "AXM480")]


def test_applying_again_changes_nothing_and_undoes_nothing(database: Endpoint) -> None:
    run(database, "DELETE FROM plots WHERE lab_id = 'E'; DELETE FROM labs WHERE id = 'E';"
                  " DELETE FROM lab_techs; UPDATE plots SET current_seed_sample = 'NEW001'")
    before = dump(database)
    run(database, bundled_file("create_db.sql").read_text(encoding="utf-8"))
    assert schema.prepare(database) is False
    assert dump(database) == before


def test_psql_applies_it_as_it_is(empty_database: Endpoint, database: Endpoint) -> None:
    script = str(bundled_file("create_db.sql"))
    for _ in range(2):
        applied = psql(empty_database, "-q", "-f", script)
        assert (applied.returncode, applied.stderr) == (0, "")
    assert psql(empty_database, "-q", "--single-transaction", "-f", script).returncode == 0
    for each in (empty_database, database):
        run(each, "UPDATE schema_version SET applied = '2026-01-01'")
    but_the_moments = "--exclude-table-data=audit*"
    assert dump(empty_database, but_the_moments) == dump(database, but_the_moments)


def test_several_processes_at_once_make_it_once(empty_database: Endpoint) -> None:
    """Each finds the right that everybody has before PostgreSQL 15, and one takes it away."""
    run(empty_database, "GRANT CREATE ON SCHEMA public TO PUBLIC")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(schema.prepare, [empty_database] * 4))
    assert run(empty_database, "SELECT version FROM schema_version") == [(schema.VERSION,)]
    assert run(empty_database, "SELECT count(*) FROM plots") == [(100,)]


@pytest.mark.parametrize(
    "change",
    [
        "humidity = 0.49", "humidity = 52.01", "light = -0.01", "light = 100.01", "temperature = 3.99",
        "temperature = 40.01", "plants = 21", "plants = -1", "blossoms = 1001", "fruit = 1001", "min_height = -0.01",
        "max_height = 1000.01", "median_height = 1.66", "median_height = 8.71", "min_height = 8.71",
        "equipment_fault = true", "humidity = NULL", "light = NULL", "temperature = NULL", "seed_sample = 'AXM47'",
        "plot = 21", "time = '9:00'", "lab_tech_id = 1", "seed_sample = NULL", "max_height = NULL",
    ],
)
def test_the_database_itself_holds_the_limits(model: SQLModel, database: Endpoint, change: str) -> None:
    model.save_record(record())
    with pytest.raises(psycopg2.IntegrityError):
        run(database, f"UPDATE plot_checks SET {change}")


def test_the_limits_themselves_are_valid(model: SQLModel, database: Endpoint) -> None:
    model.save_record(record())
    run(database, "UPDATE plot_checks SET humidity = 0.5, light = 0, temperature = 4, plants = 0, blossoms = 0, fruit"
                  " = 0, min_height = 0, max_height = 0, median_height = 0")
    run(database, "UPDATE plot_checks SET humidity = 52, light = 100, temperature = 40, plants = 20, blossoms = 1000,"
                  " fruit = 1000, min_height = 1000, max_height = 1000, median_height = 1000")


def test_every_table_and_unit_is_explained(database: Endpoint) -> None:
    (missing,) = run(database, "SELECT array_agg(relname::text) FROM pg_class WHERE relkind IN ('r', 'v')"
                               " AND relnamespace = 'public'::regnamespace AND obj_description(oid) IS NULL")
    assert missing == (None,)
    for name in ("humidity", "light", "temperature", "min_height"):
        ((comment,),) = run(database, "SELECT col_description('plot_checks'::regclass, attnum) FROM pg_attribute"
                                      f" WHERE attrelid = 'plot_checks'::regclass AND attname = '{name}'")
        (unit,) = (each.unit for each in fields.FIELDS if each.column == name)
        assert unit in str(comment)


_NOT_EXPLAINED = (
    "SELECT relname::text, attname::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
    " WHERE relkind IN ('r', 'v', 'm', 'p') AND relnamespace = 'public'::regnamespace AND attnum > 0"
    " AND NOT attisdropped AND col_description(attrelid, attnum) IS NULL ORDER BY 1, 2"
)


def test_every_column_is_explained(database: Endpoint) -> None:
    assert run(database, _NOT_EXPLAINED) == []


class TestFromTheFirstSchema:
    @pytest.fixture
    def original(self, empty_database: Endpoint) -> Endpoint:
        run(empty_database, ORIGINAL)
        return empty_database

    @pytest.fixture
    def reader(self, original: Endpoint) -> Iterator[str]:
        name = f"reader_of_{original['dbname']}"
        run(original, f"CREATE ROLE {name}; GRANT SELECT ON data_record_view, local_weather TO {name}")
        yield name
        run(original, f"DROP OWNED BY {name}; DROP ROLE {name}")

    def test_nothing_is_lost(self, original: Endpoint, reader: str) -> None:
        columns = "date, time, lab_id, plot, seed_sample, humidity, blossoms, max_height, min_height, notes"
        before = run(original, f"SELECT {columns} FROM plot_checks ORDER BY notes")
        assert schema.prepare(original) is True
        assert run(original, f"SELECT {columns} FROM plot_checks ORDER BY notes") == before
        assert run(original, "SELECT lab_tech_id, equipment_fault FROM plot_checks ORDER BY notes") == [
            (2, True), (1, False),
        ]
        assert run(original, "SELECT id, name FROM lab_techs ORDER BY id") == [(1, "An Old"), (2, "Other Old")]
        assert run(original, "SELECT count(*) FROM plots") == [(2,)]
        assert run(original, "SELECT \"Technician\", \"Time\" FROM data_record_view ORDER BY \"Plot\"") == [
            ("An Old", "8:00"), ("Other Old", "12:00"),
        ]
        assert run(original, f"SET ROLE {reader}; SELECT count(*) FROM data_record_view") == [(2,)]
        assert run(original, "SELECT length(conditions) FROM local_weather") == [(24,)]
        run(original, "UPDATE local_weather SET conditions = repeat('x', 128)")

    def test_it_is_backed_up_before_and_once(self, original: Endpoint) -> None:
        asked = list[int]()

        def refuse(version: int) -> None:
            raise OSError("no backup")

        with pytest.raises(OSError, match="no backup"):
            schema.prepare(original, refuse)
        assert schema.prepare(original, asked.append) and asked == [0]
        assert not schema.prepare(original, asked.append) and asked == [0]

    def test_every_column_is_explained(self, original: Endpoint) -> None:
        schema.prepare(original)
        assert run(original, _NOT_EXPLAINED) == []

    def test_it_works_like_a_new_one(self, original: Endpoint) -> None:
        schema.prepare(original)
        model = SQLModel.at(original)
        model.connect()
        model.save_record(record(Plot=1, Technician="An Old"))
        assert model.get_check(DATE, "8:00", "A").recorded == {1: "An Old"}
        assert len(model.get_all_records(all_dates=True)) == 3
        model.close()

    def test_new_rows_hold_the_rules_even_if_old_ones_do_not(self, original: Endpoint) -> None:
        schema.prepare(original)
        with pytest.raises(psycopg2.IntegrityError):
            run(original, "UPDATE plot_checks SET min_height = 9 WHERE plot = 1")
        before = dump(original)
        run(original, bundled_file("create_db.sql").read_text(encoding="utf-8"))
        assert dump(original) == before

    @pytest.mark.parametrize("view", ["SELECT * FROM data_record_view", "SELECT conditions FROM local_weather"])
    def test_a_view_of_somebody_in_the_way_is_named(self, original: Endpoint, view: str) -> None:
        run(original, f"CREATE VIEW report_of_qa AS {view}")
        with pytest.raises(DatabaseError) as caught:
            schema.prepare(original)
        assert "another view uses it" in str(caught.value) or "a view uses it" in str(caught.value)
        assert "report_of_qa" in caught.value.detail
        assert run(original, "SELECT to_regclass('schema_version')") == [(None,)]


def test_a_newer_database_is_refused(database: Endpoint) -> None:
    run(database, f"INSERT INTO schema_version (version) VALUES ({schema.VERSION + 1})")
    with pytest.raises(SchemaTooNew, match="newer version"):
        schema.prepare(database)
    with pytest.raises(SchemaTooNew):
        SQLModel.at(database).connect()
    refused = psql(database, "-f", str(bundled_file("create_db.sql")))
    assert refused.returncode != 0 and "newer version" in refused.stderr


def test_a_database_without_tables_says_what_to_run(empty_database: Endpoint) -> None:
    with pytest.raises(SchemaMissing, match=r"psql --dbname abq_test_.* --file create_db\.sql"):
        SQLModel.at(empty_database).connect()
    with pytest.raises(SchemaMissing, match=r"create_db\.sql"):
        SQLModel.at(empty_database).get_record(DATE, "8:00", "A", 1)
    assert SQLModel.at(empty_database).read_schema_version() == 0
    with closing(SQLModel.at(empty_database)) as model, pytest.raises(SchemaMissing):
        model.verify_audit()
    asked = list[int]()
    assert schema.prepare(empty_database, asked.append) and asked == [], "there is nothing to back up"


class TestWithoutPrivileges:
    @pytest.fixture
    def without(
        self, server: postgres.EmbeddedServer, make_database: Callable[[str], Endpoint], database_template: str
    ) -> Iterator[Callable[[str], Endpoint]]:
        """The endpoint of a copy of a database, as a role that owns nothing in it."""
        run(server.endpoint("postgres"), "CREATE ROLE abq_guest")
        made: list[Endpoint] = []

        def as_guest(template: str) -> Endpoint:
            made.append(make_database(template))
            return {**made[-1], "options": "-c role=abq_guest"}

        yield as_guest
        for each in made:
            run(each, "DROP OWNED BY abq_guest")
        run(server.endpoint("postgres"), "DROP ROLE abq_guest")

    def test_without_the_right_to_create_tables_the_grant_is_named(self, without: Callable[[str], Endpoint]) -> None:
        with pytest.raises(PrivilegeMissing, match="GRANT USAGE, CREATE ON SCHEMA public TO abq_guest;") as told:
            schema.prepare(without("template0"))
        assert "permission denied" in told.value.detail

    def test_without_the_right_to_read_the_grant_is_named(
        self, without: Callable[[str], Endpoint], database_template: str
    ) -> None:
        endpoint = without(database_template)
        with pytest.raises(PrivilegeMissing):
            SQLModel.at(endpoint).connect()
        run({key: value for key, value in endpoint.items() if key != "options"},
            "GRANT SELECT ON schema_version TO abq_guest")
        with pytest.raises(PrivilegeMissing, match=r'may not read lab_techs, .* GRANT abq_technician TO "abq_guest";'):
            SQLModel.at(endpoint).connect()

    def test_who_may_only_read_can_not_save(
        self, without: Callable[[str], Endpoint], database_template: str
    ) -> None:
        endpoint = without(database_template)
        run({key: value for key, value in endpoint.items() if key != "options"},
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO abq_guest")
        model = SQLModel.at(endpoint)
        model.connect()
        assert model.get_all_records() == []
        with pytest.raises(PrivilegeMissing, match="may not do that") as caught:
            model.save_record(record())
        assert "INSERT INTO" not in str(caught.value) + caught.value.detail
        # What an administrator is told to run is enough (here the user is in the role of a guest).
        statements = f"GRANT{str(caught.value).partition('GRANT')[2].partition(';')[0]}"
        assert statements == f'GRANT abq_technician TO "{endpoint["user"]}"'
        statements = statements.replace(f'"{endpoint["user"]}"', "abq_guest")
        run({key: value for key, value in endpoint.items() if key != "options"}, statements)
        model.save_record(record())
        assert len(model.get_all_records(all_dates=True)) == 1
        model.close()
