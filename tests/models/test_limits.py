"""What somebody with a login could do to others: stop their saves, go beyond all limits, put deliveries back."""

from __future__ import annotations

import json
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.folders import bundled_file
from abq_data_entry.models import SQLModel
from tests.fixtures.cluster import Node
from tests.models.logins import NOBODY, login, run
from tests.models.records import record


def test_nobody_stops_the_saves_of_others(node: Node) -> None:
    """Advisory locks are anybody's to take, so nothing of ours waits at one that can be guessed."""
    with closing(psycopg2.connect(make_dsn(**login(node, NOBODY)))) as held, held.cursor() as cursor:
        for what in ("lab", "names", "schema"):
            cursor.execute("SELECT pg_advisory_lock(hashtext(%s)), pg_advisory_lock(hashtext(%s), ascii('A'))",
                           [f"abq_data_entry {what}"] * 2)  # fmt: skip
        cursor.execute("SELECT lock_lab('A')")
        with closing(SQLModel.at({**login(node, "abq_supervisor"), "options": "-c lock_timeout=2s"})) as model:
            model.save_record(record(Plot=7))
            assert model.add_technician(901, "Not Stopped")
            model.remove_technician(901)
        run({**node.endpoint(), "options": "-c lock_timeout=2s"}, bundled_file("create_db.sql").read_text("utf-8"))


def test_those_who_save_for_a_lab_wait_for_each_other(node: Node) -> None:
    technician = login(node, "abq_technician")
    with closing(psycopg2.connect(make_dsn(**technician))) as held, held.cursor() as cursor:
        cursor.execute("SELECT lock_lab('B')")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            run({**technician, "options": "-c lock_timeout=200ms"}, "SELECT lock_lab('B')")
        run({**technician, "options": "-c lock_timeout=2s"}, "SELECT lock_lab('A')")


def test_a_delivery_moves_forward_only(node: Node) -> None:
    given = {
        "id": "00000000-0000-4000-8000-000000000001", "created": "2026-11-20T20:00:00Z", "date": "2026-11-20",
        "file_name": "a.csv", "version": 1, "destination": "rest", "address": "https://x", "username": "u", "size": 1,
        "sha256": "0" * 64, "state": "waiting", "attempts": 0, "revision": 1,
    }  # fmt: skip
    technician = login(node, "abq_technician")

    def told(**changes: object) -> object:
        line = json.dumps([{**given, **changes}])
        return run(technician, f"SELECT record_deliveries('{line}')")[0][0]

    node.execute("DELETE FROM deliveries", "abq")
    assert [told(), told(), told(revision=2, state="sending", attempts=1)] == [1, 0, 1]
    assert told(revision=3, attempts=0) == 0  # fewer attempts than there were
    assert told(revision=3, attempts=1, state="delivered", delivered="2026-11-20T20:01:00Z", size=7) == 1
    for state in ("waiting", "sending", "failed", "cancelled"):
        assert told(revision=9, attempts=2, state=state) == 0
    assert told(revision=9, attempts=2, state="delivered", delivered="2026-11-20T20:02:00Z") == 0
    assert run(technician, "SELECT state, size, revision FROM deliveries") == [("delivered", 1, 3)]
    of_deliveries = "SELECT operation, database_user FROM audit WHERE table_name = 'deliveries'"
    entries = node.execute(f"{of_deliveries} ORDER BY sequence DESC LIMIT 3", "abq")
    assert entries == [(operation, "login_of_abq_technician") for operation in ("UPDATE", "UPDATE", "INSERT")]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run(login(node, "abq_qa"), "SELECT record_deliveries('[]')")
    with closing(SQLModel.at(node.endpoint())) as model:
        assert model.verify_audit().breaks == ()


@pytest.mark.parametrize("lab", ["-", " ", "'", "\"", "5", "_", "\u00a0", "’", "“", "–", "a", "×", "\u0301", "€", "（"])
def test_what_is_no_letter_is_no_lab(node: Node, lab: str) -> None:
    with closing(psycopg2.connect(make_dsn(**login(node, "abq_supervisor")))) as made, made.cursor() as cursor:
        with pytest.raises(psycopg2.IntegrityError):
            cursor.execute("INSERT INTO labs VALUES (%s)", [lab])
        made.rollback()
        cursor.execute("INSERT INTO labs VALUES ('Ä'), ('Σ'), ('研')")
        with pytest.raises(psycopg2.IntegrityError):
            cursor.execute("INSERT INTO labs VALUES ('ä')")
        made.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO lab_checks VALUES ('infinity', '8:00', 'A', 4291)",
        "INSERT INTO lab_checks VALUES ('-infinity', '8:00', 'A', 4291)",
        "INSERT INTO lab_checks VALUES ('0044-03-15 BC', '8:00', 'A', 4291)",
        "INSERT INTO lab_checks VALUES ('10000-01-01', '8:00', 'A', 4291)",
        "INSERT INTO local_weather (datetime) VALUES ('infinity')",
        "INSERT INTO local_weather (datetime, temperature) VALUES (now(), 'NaN')",
    ],
)
def test_what_is_beyond_all_limits_is_refused(node: Node, statement: str) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation):
        run(login(node, "abq_technician"), statement)


def test_no_version_blocks_a_record(node: Node) -> None:
    technician = login(node, "abq_technician")
    run(technician, """
        INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, equipment_fault, blossoms, plants, fruit,
                max_height, min_height, median_height, version)
            SELECT date, time, lab_id, 15, 'AXM477', true, 1, 1, 1, 3, 1, 2, 2147483647 FROM plot_checks WHERE plot = 3
    """)
    version = "SELECT version FROM plot_checks WHERE plot = 15"
    assert run(technician, version) == [(1,)]
    # One of an earlier version of the tables, which took it as it was.
    run(node.endpoint(), "SET session_replication_role = replica; UPDATE plot_checks SET version = 2147483647"
                         " WHERE plot = 15")
    run(technician, "UPDATE plot_checks SET plants = 2 WHERE plot = 15")
    assert run(technician, version) == [(1,)]
    run(node.endpoint(), "DELETE FROM plot_checks WHERE plot = 15")
