"""The table of deliveries: idempotent rows, its limits, and how databases of version 1 come to it."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from abq_data_entry.folders import bundled_file
from abq_data_entry.models import PrivilegeMissing, SchemaMissing, SQLModel, schema
from tests.models.records import DATE
from tests.models.test_schema import Endpoint, dump, run

MOMENT = datetime.datetime(2026, 11, 21, 20, 15, tzinfo=datetime.timezone.utc)
Row = dict[str, object]

VERSION_1 = Path(__file__).parent / "schemas" / "version_1.sql"


def row(**changes: object) -> Row:
    columns: Row = {
        "id": uuid.uuid4().hex, "created": MOMENT, "date": DATE, "file_name": f"abq_data_record_{DATE}.csv",
        "version": 1, "destination": "rest", "address": "https://data.example/upload", "username": "lab-a", "size": 29,
        "sha256": "0" * 64, "state": "waiting", "attempts": 0, "last_attempt": None, "delivered": None,
        "reason": None, "revision": 1, "audit_head": None,
    }  # fmt: skip
    return {**columns, **changes}


def test_a_row_is_written_once_and_changes_with_its_delivery(model: SQLModel, database: Endpoint) -> None:
    first = row()
    for each in (first, first, {**first, "state": "sending", "attempts": 1, "last_attempt": MOMENT, "revision": 2}):
        model.record_deliveries([each])
    assert run(database, "SELECT state, attempts, revision FROM deliveries") == [("sending", 1, 2)]
    model.record_deliveries([{**first, "state": "delivered", "delivered": MOMENT, "revision": 3, "attempts": 1}])
    model.record_deliveries([{**first, "state": "failed", "revision": 2}])
    assert run(database, "SELECT state, delivered FROM deliveries") == [("delivered", MOMENT)]


def test_the_latest_version_is_that_of_the_same_file_and_destination(model: SQLModel) -> None:
    name = f"abq_data_record_{DATE}.csv"
    assert model.latest_delivery(DATE, name, "rest") == 0
    for version, destination in ((1, "rest"), (3, "rest"), (7, "ftp")):
        model.record_deliveries([row(version=version, destination=destination)])
    assert model.latest_delivery(DATE, name, "rest") == 3
    assert model.latest_delivery(DATE, name, "ftp") == 7
    assert model.latest_delivery(DATE, "other.csv", "ftp") == 0


@pytest.mark.parametrize(
    "change",
    [
        "version = 2147483647", "version = 1500", "delivered = 'infinity'", "created = 'infinity'",
        "last_attempt = '-infinity'", "outdated = 'infinity'", "date = 'infinity'",
    ],
)  # fmt: skip
def test_nobody_leaves_a_row_that_stops_others(database: Endpoint, model: SQLModel, change: str) -> None:
    """After the highest number no extract of that day could follow; an endless time can't be read by the window."""
    model.record_deliveries([row(version=2)])
    name, _, value = change.partition(" = ")
    columns = (
        "id, created, date, file_name, version, destination, address, username, size, sha256, state, attempts,"
        " last_attempt, delivered, outdated, revision"
    )
    values = columns.replace("id,", "gen_random_uuid(),", 1).replace(f" {name},", f" {value},")
    if name == "delivered":
        values = values.replace("state", "'delivered'")
    with pytest.raises(psycopg2.errors.CheckViolation):
        run(database, f"INSERT INTO deliveries ({columns}) SELECT {values} FROM deliveries")
    for version in (3, 900):
        model.record_deliveries([row(version=version)])
    assert model.latest_delivery(DATE, str(row()["file_name"]), "rest") == 900


@pytest.mark.parametrize("change", [{"state": "lost"}, {"version": 0}, {"state": "delivered"}, {"delivered": MOMENT}])
def test_the_database_itself_holds_the_rules(database: Endpoint, model: SQLModel, change: Row) -> None:
    model.record_deliveries([row()])
    columns = ", ".join(f"{name} = '{value}'" for name, value in change.items())
    with pytest.raises(psycopg2.IntegrityError):
        run(database, f"UPDATE deliveries SET {columns}")


def test_text_that_postgresql_cannot_keep_is_kept_without(model: SQLModel, database: Endpoint) -> None:
    model.record_deliveries([row(reason="cut\0off")])
    assert run(database, "SELECT reason FROM deliveries") == [("cutoff",)]


def test_every_column_is_explained(database: Endpoint) -> None:
    assert run(database, "SELECT attname FROM pg_attribute WHERE attrelid = 'deliveries'::regclass AND attnum > 0"
                         " AND col_description(attrelid, attnum) IS NULL") == []


class TestFromVersion1:
    @pytest.fixture
    def older(self, empty_database: Endpoint) -> Endpoint:
        run(empty_database, VERSION_1.read_text("utf-8"))
        return empty_database

    @pytest.fixture
    def model(self, older: Endpoint) -> Iterator[SQLModel]:
        with closing(SQLModel.at(older)) as made:
            yield made

    @pytest.fixture
    def roles(self, older: Endpoint) -> Iterator[tuple[str, str]]:
        """A technician and QA, with the privileges that the documents gave them in version 1."""
        writer, reader = (f"{name}_of_{older['dbname']}" for name in ("writer", "reader"))
        run(older, f"CREATE ROLE {writer}; CREATE ROLE {reader}; GRANT SELECT, INSERT ON local_weather TO {writer};"
                   f" GRANT SELECT ON local_weather TO {reader}")
        yield writer, reader
        run(older, f"DROP OWNED BY {writer}, {reader}; DROP ROLE {writer}, {reader}")

    def test_nothing_is_lost_and_the_table_is_there(self, older: Endpoint, model: SQLModel) -> None:
        run(older, "DELETE FROM plots WHERE lab_id = 'E'; DELETE FROM labs WHERE id = 'E'")
        run(older, "INSERT INTO lab_checks VALUES ('2026-11-20', '8:00', 'A', 4291); INSERT INTO plot_checks"
                   " (date, time, lab_id, plot, seed_sample, equipment_fault, blossoms, plants, fruit, max_height,"
                   " min_height, median_height)"
                   " VALUES ('2026-11-20', '8:00', 'A', 3, 'AXM479', true, 1, 1, 1, 3, 1, 2)")
        before = run(older, "SELECT * FROM data_record_view")
        assert schema.prepare(older) is True
        assert run(older, "SELECT version FROM schema_version ORDER BY version") == [(1,), (schema.VERSION,)]
        assert run(older, "SELECT * FROM data_record_view") == before
        assert run(older, "SELECT count(*) FROM labs") == [(4,)]
        model.record_deliveries([row()])
        after = dump(older)
        assert schema.prepare(older) is False
        assert dump(older) == after

    def test_the_privileges_follow_those_on_the_weather(self, older: Endpoint, roles: tuple[str, str]) -> None:
        schema.prepare(older)
        writer, reader = (SQLModel.at({**older, "options": f"-c role={role}"}) for role in roles)
        one = row()
        writer.record_deliveries([one])
        writer.record_deliveries([{**one, "state": "cancelled", "revision": 2}])
        assert reader.query("SELECT state FROM deliveries") == [{"state": "cancelled"}]
        with pytest.raises(PrivilegeMissing):
            reader.record_deliveries([row()])
        for each in (writer, reader):
            each.close()

    def test_privileges_taken_away_later_stay_away(self, older: Endpoint, roles: tuple[str, str]) -> None:
        schema.prepare(older)
        run(older, f"REVOKE ALL ON deliveries FROM {roles[0]}")
        run(older, bundled_file("create_db.sql").read_text(encoding="utf-8"))
        assert run(older, f"SELECT has_table_privilege('{roles[0]}', 'deliveries', 'INSERT')") == [(False,)]

    def test_version_1_was_refused_until_then(self, older: Endpoint) -> None:
        with pytest.raises(SchemaMissing, match=r"older version .* create_db\.sql"):
            SQLModel.at(older).connect()

