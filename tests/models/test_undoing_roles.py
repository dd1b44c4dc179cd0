"""Who may withdraw, bring back and move which records, asked by logins of a real server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from abq_data_entry.folders import bundled_file
from abq_data_entry.models import PrivilegeMissing, SQLModel, schema
from abq_data_entry.models.undoing import By
from tests.fixtures.cluster import Node
from tests.models.logins import login, run, server_with_logins
from tests.models.records import DATE, record

Endpoint = dict[str, str]
KEY = (DATE, "8:00", "A", 5)
WHERE = "'2026-11-20', '8:00', 'A', 5"

ATTEMPTS = (
    f"SELECT withdraw_record({WHERE}, 'wrong')",
    f"SELECT move_record({WHERE}, '2026-11-20', '12:00', 'A', 5, 'wrong')",
    "SELECT move_check('2026-11-20', '8:00', 'A', '2026-11-20', '12:00', 'A', 'wrong')",
    f"SELECT take_back({WHERE}, NULL)",
    "SELECT correct_records('[{\"date\": \"2026-11-20\", \"time\": \"8:00\", \"lab\": \"A\", \"plot\": 5}]',"
    " '{\"date\": \"2026-11-19\"}', 'wrong')",
)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """With a second technician, and somebody with privileges of their own who was given far too much."""
    with server_with_logins() as made:
        made.execute("DELETE FROM plot_checks", "abq")
        made.execute("DELETE FROM lab_checks", "abq")
        for name in ("colleague", "generous"):
            made.execute(f"CREATE ROLE login_of_{name} LOGIN PASSWORD '{secrets.token_hex(12)}'")
        made.execute("GRANT abq_technician TO login_of_colleague")
        made.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO login_of_generous", "abq")
        made.execute("GRANT ALL ON plot_checks, lab_checks, journal_entries TO login_of_generous", "abq")
        yield made


@pytest.fixture(autouse=True)
def _records_of_a_technician(node: Node) -> Iterator[None]:
    with closing(SQLModel.at(login(node, "abq_technician"))) as model:
        model.save_record(record(Plot=5))
    yield
    node.execute("DELETE FROM plot_checks", "abq")
    node.execute("DELETE FROM lab_checks", "abq")


def stored(node: Node) -> list[tuple[object, ...]]:
    columns = "date::text, time::text, lab_id::text, plot::integer"
    return node.execute(f"SELECT {columns} FROM plot_checks ORDER BY 1, 2, 3, 4", "abq")


def refused(endpoint: Endpoint, attempt: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run(endpoint, attempt)


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_who_entered_it_and_a_supervisor_may(node: Node, attempt: str) -> None:
    before = stored(node)
    for role in ("colleague", "abq_qa", "abq_nobody"):
        refused(login(node, role), attempt)
    assert stored(node) == before
    who = "abq_technician" if "take_back" in attempt else "abq_supervisor"
    run(login(node, who), attempt)
    assert stored(node) != before


def test_within_24_hours(node: Node) -> None:
    technician = login(node, "abq_technician")
    age = (
        "SET session_replication_role = replica; UPDATE audit SET moment = moment - interval '{}';"
        " SET session_replication_role = origin"
    )
    node.execute(age.format("23:59"), "abq")
    run(technician, ATTEMPTS[1])
    node.execute(age.format("00:02"), "abq")
    later = "SELECT withdraw_record('2026-11-20', '12:00', 'A', 5, 'wrong')"
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="more than 24 hours ago"):
        run(technician, later)
    run(login(node, "abq_supervisor"), later)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="more than 24 hours ago"):
        run(technician, "SELECT bring_back_record('2026-11-20', '12:00', 'A', 5, 'right')")
    run(login(node, "abq_supervisor"), "SELECT bring_back_record('2026-11-20', '12:00', 'A', 5, 'right')")
    assert len(stored(node)) == 1


def test_a_colleague_may_not_take_back_somebody_s_correction_but_their_own(node: Node) -> None:
    with closing(SQLModel.at(login(node, "colleague"))) as model:
        model.save_record(record(Plot=5, Plants=2), author="P Taylor")
        assert model.take_back(KEY, None, by=By("P Taylor")) == "restored"
        assert model.get_record(*KEY)["Plants"] == 9
        with pytest.raises(PrivilegeMissing, match="entered the record of 2026-11-20 8:00, lab A, plot 5 first"):
            model.withdraw_record(KEY, "wrong")
    with closing(SQLModel.at(login(node, "abq_technician"))) as model, pytest.raises(PrivilegeMissing, match="last"):
        model.take_back(KEY, None)


def test_who_is_named_changes_nothing_where_people_have_logins(node: Node) -> None:
    with closing(SQLModel.at(login(node, "colleague"))) as model, pytest.raises(PrivilegeMissing):
        model.withdraw_record(KEY, "wrong", by=By("J Simms", person=False))


def test_whoever_was_given_more_still_removes_and_moves_nothing(node: Node) -> None:
    generous = login(node, "generous")
    for attempt in ("DELETE FROM plot_checks", "UPDATE plot_checks SET date = date - 1", "TRUNCATE plot_checks",
                    "UPDATE plot_checks SET plot = 6", "DELETE FROM lab_checks"):  # fmt: skip
        refused(generous, attempt)
    run(node.endpoint(), bundled_file("create_db.sql").read_text("utf-8"))
    assert node.execute("SELECT has_table_privilege('login_of_generous', 'plot_checks', 'DELETE'),"
                        " has_table_privilege('login_of_generous', 'plot_checks', 'UPDATE'),"
                        " has_column_privilege('login_of_generous', 'plot_checks', 'date', 'UPDATE'),"
                        " has_column_privilege('login_of_generous', 'plot_checks', 'plants', 'UPDATE')", "abq") == [
        (False, False, False, True)
    ]  # fmt: skip
    with closing(SQLModel.at(generous)) as model:
        model.save_record(record(Plot=6))
        model.withdraw_record((*KEY[:3], 6), "their own")
    refused(generous, ATTEMPTS[0])


def test_a_reason_given_to_a_function_ends_with_it(node: Node) -> None:
    supervisor = login(node, "abq_supervisor")
    run(supervisor, f"{ATTEMPTS[1]}; UPDATE plot_checks SET plants = 1")
    found = node.execute(
        "SELECT operation, reason FROM audit WHERE table_name = 'plot_checks' AND lab_id = 'A'"
        " AND database_user = 'login_of_abq_supervisor' ORDER BY sequence DESC LIMIT 3", "abq")
    assert found == [("UPDATE", None), ("INSERT", "wrong"), ("DELETE", "wrong")]


def test_labs_kept_apart_stay_apart(node: Node) -> None:
    schema.set_labs(node.endpoint(), "login_of_abq_technician", ["A"])
    schema.set_labs(node.endpoint(), "abq_supervisor", ["A", "B"])
    schema.restrict_labs(node.endpoint(), True)
    try:
        technician, supervisor = login(node, "abq_technician"), login(node, "abq_supervisor")
        with closing(SQLModel.at(node.endpoint())) as model:
            for lab in "BC":
                model.save_record(record(Lab=lab, Plot=9))
        move = "SELECT move_record({}, '2026-11-20', '8:00', '{}', 5, 'wrong')"
        refused(technician, move.format(WHERE, "B"))
        refused(supervisor, move.format(WHERE, "C"))
        refused(supervisor, "SELECT withdraw_record('2026-11-20', '8:00', 'C', 9, 'wrong')")
        refused(supervisor, "SELECT move_check('2026-11-20', '8:00', 'C', '2026-11-20', '12:00', 'A', 'wrong')")
        refused(supervisor, "SELECT correct_records('[{\"date\": \"2026-11-20\", \"time\": \"8:00\", \"lab\": \"C\","
                            " \"plot\": 9}]', '{\"seed_sample\": \"AXM480\"}', 'wrong')")
        run(supervisor, move.format(WHERE, "B"))
        run(supervisor, "SELECT withdraw_record('2026-11-20', '8:00', 'B', 5, 'wrong')")
        seen = "SELECT DISTINCT \"Lab\"::text FROM withdrawn_records WHERE \"Lab\" <> 'A'"
        assert run(technician, seen) == [] and run(supervisor, seen) == [("B",)]
        assert run(login(node, "abq_qa"), seen) == [("B",)]
        refused(technician, "SELECT bring_back_record('2026-11-20', '8:00', 'B', 5, 'right')")
    finally:
        schema.restrict_labs(node.endpoint(), False)


def test_the_functions_behind_the_audit_serve_no_other_table(node: Node) -> None:
    """Whoever may execute them, the owner of another schema's tables included."""
    for table in ("CREATE TEMP TABLE plot_checks (LIKE public.plot_checks)",
                  "CREATE SCHEMA other; SET search_path = other; CREATE TABLE plot_checks (LIKE public.plot_checks)"):
        refused(node.endpoint(), f"{table}; CREATE TRIGGER of_mine AFTER INSERT ON plot_checks FOR EACH ROW"
                                 " EXECUTE FUNCTION public.keep_audit(); INSERT INTO plot_checks SELECT * FROM"
                                 " public.plot_checks")
