"""Labs that are kept apart, and roles made where they are missing."""

from __future__ import annotations

import datetime
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.folders import bundled_file
from abq_data_entry.models import DatabaseError, PrivilegeMissing, SQLModel, schema
from tests.fixtures.cluster import Node, wait_until
from tests.models.logins import login, run, server_with_logins
from tests.models.records import DATE, record
from tests.models.test_deliveries import row

SEEN = """
    SELECT (SELECT string_agg(DISTINCT lab_id, '' ORDER BY lab_id) FROM plot_checks),
        (SELECT string_agg(DISTINCT "Lab", '' ORDER BY "Lab") FROM data_record_view),
        (SELECT string_agg(DISTINCT lab_id, '' ORDER BY lab_id) FROM lab_checks),
        (SELECT string_agg(DISTINCT lab_id, '' ORDER BY lab_id) FROM audit WHERE table_name = 'plot_checks'),
        (SELECT string_agg(id, '' ORDER BY id) FROM labs)
"""


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """With records of the labs A, B and C, and labs kept apart: the technician's is A."""
    with server_with_logins() as made:
        with closing(SQLModel.at(made.endpoint())) as model:
            for lab in "BC":
                model.save_record(record(Lab=lab))
        schema.set_labs(made.endpoint(), "login_of_abq_technician", ["A"])
        schema.set_labs(made.endpoint(), "abq_supervisor", ["A", "B"])
        schema.restrict_labs(made.endpoint(), True)
        yield made


@pytest.mark.parametrize(
    ("role", "labs", "all_labs"),
    [("abq_technician", "A", "A"), ("abq_supervisor", "AB", "AB"), ("abq_qa", "ABC", "ABCDE")],
)
def test_a_login_sees_its_labs_only(node: Node, role: str, labs: str, all_labs: str) -> None:
    assert run(login(node, role), SEEN) == [(labs,) * 4 + (all_labs,)]


def test_the_owner_sees_all(node: Node) -> None:
    assert run(node.endpoint(), SEEN) == [("ABC",) * 4 + ("ABCDE",)]


def test_a_login_with_no_lab_sees_nothing(node: Node) -> None:
    node.execute(f"CREATE ROLE newcomer LOGIN PASSWORD '{secrets.token_hex(12)}' IN ROLE abq_technician")
    password = secrets.token_hex(12)
    node.execute(f"ALTER ROLE newcomer PASSWORD '{password}'")
    newcomer = {**node.endpoint(), "user": "newcomer", "password": password}
    assert run(newcomer, SEEN) == [(None,) * 5]
    # Nor does a function of one's own see what the view leaves out.
    leak = """
        CREATE FUNCTION pg_temp.told(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001
            AS $$ BEGIN RAISE EXCEPTION 'seen: %', $1; END $$;
        SELECT count(*) FROM data_record_view WHERE pg_temp.told("Lab"::text)
    """
    assert run(newcomer, leak) == [(0,)]


def test_records_of_another_lab_are_neither_entered_nor_corrected(node: Node) -> None:
    technician = login(node, "abq_technician")
    with closing(SQLModel.at(technician)) as model:
        model.save_record(record(Plot=4))
        with pytest.raises(PrivilegeMissing, match=r"doesn't belong to that lab.*nothing was saved"):
            model.save_record(record(Lab="E"))
        assert model.get_record(DATE, "8:00", "B", 3) == {}
        assert model.choices().labs == ("A",)
        assert model.verify_audit().breaks == ()
    assert run(technician, "UPDATE plot_checks SET plants = 1 WHERE lab_id = 'B' RETURNING 1") == []
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run(technician, "UPDATE plot_checks SET lab_id = 'B' WHERE plot = 4")
    assert node.execute("SELECT DISTINCT plants::int FROM plot_checks WHERE lab_id = 'B'", "abq") == [(9,)]


def test_a_login_can_not_change_that(node: Node) -> None:
    supervisor = login(node, "abq_supervisor")
    for attempt in (
        "INSERT INTO lab_members VALUES ('C', 'login_of_abq_supervisor')",
        "SELECT restrict_labs(false)",
        "ALTER TABLE plot_checks DISABLE ROW LEVEL SECURITY",
        "SET row_security = off; SELECT * FROM plot_checks",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            run(supervisor, attempt)
    with pytest.raises(PrivilegeMissing):
        schema.restrict_labs(supervisor, False)


def test_applying_the_schema_again_changes_none_of_it(node: Node) -> None:
    run(node.endpoint(), bundled_file("create_db.sql").read_text("utf-8"))
    schema.grant(node.endpoint())
    assert run(login(node, "abq_supervisor"), SEEN) == [("AB",) * 5]
    options = node.execute("SELECT reloptions FROM pg_class WHERE relname = 'data_record_view'", "abq")
    assert options == [(["security_barrier=t"],)]


def test_who_belongs_where_is_in_the_audit(node: Node) -> None:
    schema.set_labs(node.endpoint(), "abq_supervisor", ["A", "B", "D"])
    schema.set_labs(node.endpoint(), "abq_supervisor", ["A", "B"])
    found = node.execute(
        "SELECT operation, key FROM audit WHERE table_name = 'lab_members' AND lab_id = 'D' ORDER BY sequence", "abq"
    )
    key = {"lab_id": "D", "member": "abq_supervisor"}
    assert found == [("INSERT", key), ("DELETE", key)]
    with closing(SQLModel.at(node.endpoint())) as model:
        assert model.verify_audit().breaks == ()


@pytest.mark.parametrize(
    ("member", "labs", "reason"),
    [
        ("abq_supervisor", ["Z"], r"Lab Z is not known\. Add it first"),
        ("abq_supervisor", ["Z", "A", "Y"], r"Labs Y, Z are not known\. Add them first"),
        ("nobody_of_that_name", ["A"], "There is no login or role"),
    ],
)
def test_an_unknown_role_or_lab_is_refused_by_name(node: Node, member: str, labs: list[str], reason: str) -> None:
    with pytest.raises(DatabaseError, match=reason):
        schema.set_labs(node.endpoint(), member, labs)


def test_a_login_is_the_technicians_own_until_it_is_taken_back(node: Node) -> None:
    mine = login(node, "abq_technician")["user"]
    own = (
        "SELECT name FROM technician_logins JOIN lab_techs ON lab_techs.id = technician_logins.lab_tech_id"
        f" WHERE login = '{mine}'"
    )
    for name in ("J Simms", "Q Murphy"):
        schema.set_technician(node.endpoint(), mine, name)
        assert node.execute(own, "abq") == [(name,)]
    schema.set_technician(node.endpoint(), mine, "")
    assert node.execute(own, "abq") == []


def test_a_login_for_nobody_is_refused(node: Node) -> None:
    mine = login(node, "abq_technician")["user"]
    with pytest.raises(DatabaseError, match="Technician Nobody N is not known"):
        schema.set_technician(node.endpoint(), mine, "Nobody N")
    with pytest.raises(DatabaseError, match="There is no login"):  # a role that groups logins is none
        schema.set_technician(node.endpoint(), "abq_technician", "J Simms")


def test_nobody_hears_or_asks_about_other_labs(node: Node) -> None:
    technician = login(node, "abq_technician")
    with closing(psycopg2.connect(make_dsn(**technician))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("LISTEN abq_records")
        with closing(SQLModel.at(node.endpoint())) as model:
            model.save_record(record(Lab="B", Plot=11))
        cursor.execute("SELECT")
        assert [each.payload for each in connection.notifies] == [""]
        for other in ("login_of_abq_supervisor", "abq_supervisor", "abq_owner", "login_of_abq_qa"):
            cursor.execute("SELECT seen_labs(%s)", [other])
            assert cursor.fetchall() == [(["A"],)], other
    assert run(login(node, "abq_supervisor"), "SELECT seen_labs('abq_supervisor')::text") == [("{A,B}",)]
    assert run(login(node, "abq_qa"), "SELECT seen_labs(current_user)") == [(None,)]


HEAD = f"A 4711 {'a' * 64}; B 815 {'b' * 64}"


def test_what_a_delivery_says_of_all_labs_is_for_who_sees_them(node: Node) -> None:
    """Neither the delivery nor its entries in the audit, which all see, count the records of other labs."""
    technician = login(node, "abq_technician")
    with closing(SQLModel.at(node.endpoint())) as owner:
        owner.record_deliveries([row(audit_head=HEAD)])
        owner.record_deliveries([row(audit_head=HEAD, state="delivered", delivered="2026-11-21 20:20+00", revision=2)])
        assert owner.verify_audit() == owner.verify_audit()._replace(breaks=(), findings=(), not_compared="")
    for attempt in ("SELECT audit_head FROM deliveries", "SELECT * FROM deliveries", "TABLE deliveries",
                    "SELECT d FROM deliveries AS d", "SELECT to_jsonb(d) FROM deliveries AS d",
                    "INSERT INTO deliveries SELECT * FROM deliveries ON CONFLICT DO NOTHING RETURNING audit_head"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            run(technician, attempt)
    everything = "SELECT string_agg(a::text, ' ') FROM audit AS a WHERE table_name = 'deliveries'"
    ((told,),) = run(technician, everything)
    assert "delivered" in str(told) and "A 4711" not in str(told) and "b" * 64 not in str(told)
    assert (HEAD,) in run(login(node, "abq_qa"), "SELECT audit_head FROM deliveries")
    with closing(SQLModel.at(technician)) as model:
        assert model.verify_audit().breaks == ()
        assert model.latest_delivery(DATE, f"abq_data_record_{DATE}.csv", "rest") == 1
        assert model.extract_days([DATE])[0].sent["rest"].delivered is not None
        assert all(each.date == DATE for each in model.outdated_deliveries())
    changed = "SET session_replication_role = replica; UPDATE deliveries SET {}; SET session_replication_role = origin"
    node.execute(changed.format("audit_head = replace(audit_head, '815', '816')"), "abq")
    with closing(SQLModel.at(node.endpoint())) as owner:
        assert "of deliveries isn't as this entry left it" in owner.verify_audit().breaks[0].reason
    node.execute(changed.format("audit_head = replace(audit_head, '816', '815'), size = size + 1"), "abq")
    with closing(SQLModel.at(technician)) as model:
        assert "of deliveries isn't as this entry left it" in model.verify_audit().breaks[0].reason
    node.execute(changed.format("size = size - 1"), "abq")


def test_an_extract_is_outdated_by_the_labs_that_it_holds(node: Node) -> None:
    """Another lab's records of the day were never in it; changes of them neither outdate it nor tell of themselves."""
    day = DATE + datetime.timedelta(days=-1)
    technician = login(node, "abq_technician")
    outdated = f"SELECT destination FROM deliveries WHERE outdated IS NOT NULL AND date = '{day}' ORDER BY 1"
    with (
        closing(SQLModel.at(technician)) as of_a,
        closing(SQLModel.at(login(node, "abq_supervisor"))) as of_a_and_b,
        closing(SQLModel.at(node.endpoint())) as of_all,
    ):
        of_all.save_record(record(Date=day, Lab="A", Plot=1))
        of_all.save_record(record(Date=day, Lab="B", Plot=1))
        both = of_all.audit_heads(day)
        for model, name in ((of_a, "a"), (of_a_and_b, "ab"), (of_all, "all")):
            model.record_deliveries([row(date=day, destination=name, audit_head=model.audit_heads(day))])
        of_a.record_deliveries([row(date=day, destination="by others", audit_head=both)])
        of_a.record_deliveries([row(date=day, destination="guessed", audit_head=f"B 1 {'0' * 64}")])
        assert run(node.endpoint(), outdated) == [("guessed",)]  # without the records of A
        told = run(technician, "INSERT INTO deliveries (id, created, date, file_name, version, destination, address,"
                   f" username, size, sha256, state, attempts, revision, audit_head) VALUES (gen_random_uuid(), now(),"
                   f" '{day}', 'x', 1, 'told', '', '', 1, '{'0' * 64}', 'waiting', 0, 1,"
                   f" '{of_a.audit_heads(day)}; B 1 {'0' * 64}') RETURNING outdated")  # fmt: skip
        assert told == [(None,)]
        of_all.save_record(record(Date=day, Lab="C", Plot=2))
        assert run(node.endpoint(), outdated) == [("all",), ("guessed",)]
        of_all.save_record(record(Date=day, Lab="B", Plot=2))
        assert run(node.endpoint(), outdated) == [("ab",), ("all",), ("by others",), ("guessed",)]
        of_a.save_record(record(Date=day, Lab="A", Plot=2))
        assert len(run(node.endpoint(), outdated)) == 6
        of_a.record_deliveries([row(date=day, destination="late", audit_head=both)])
        assert ("late",) in run(node.endpoint(), outdated)


def test_nobody_makes_another_lab_wait(node: Node) -> None:
    technician = login(node, "abq_technician")
    with closing(psycopg2.connect(make_dsn(**technician))) as held, held.cursor() as cursor:
        cursor.execute("SELECT lock_lab('B')")
        with closing(SQLModel.at({**login(node, "abq_supervisor"), "options": "-c lock_timeout=2s"})) as model:
            model.save_record(record(Lab="B", Plot=12))


def test_an_idle_reader_stops_a_grant_and_nobody_s_save(node: Node) -> None:
    """A grant waits for whoever has read and has a transaction open; a save behind it waits 8 seconds at most."""
    told: list[BaseException] = []

    def grant() -> None:
        try:
            schema.grant(node.endpoint())
        except DatabaseError as error:
            told.append(error)

    with closing(psycopg2.connect(make_dsn(**login(node, "abq_qa")))) as reading, reading.cursor() as cursor:
        cursor.execute("SELECT 1 FROM lab_techs")
        granting = threading.Thread(target=grant)
        granting.start()
        wait_until(lambda: node.execute("SELECT 1 FROM pg_locks WHERE NOT granted") != [], "the grant waits")
        with closing(SQLModel.at(login(node, "abq_technician"))) as model:
            model.save_record(record(Lab="A", Plot=15))
        granting.join(20)
        waits = granting.is_alive()
    granting.join()
    assert not waits and "a transaction open" in str(told[0])
    schema.grant(node.endpoint())


def test_a_lab_of_an_older_database_that_is_no_letter_is_not_everybody_s(node: Node) -> None:
    """What belongs to no lab has '-' in the audit, and is seen by all; records of such a lab aren't."""
    node.execute("SET session_replication_role = replica; INSERT INTO labs VALUES ('-');"
                 " SET session_replication_role = origin; INSERT INTO plots VALUES ('-', 1);"
                 " INSERT INTO lab_checks VALUES ('2026-11-20', '8:00', '-', 4291)", "abq")
    try:
        for role, labs in (("abq_technician", "A"), ("abq_supervisor", "AB")):
            assert run(login(node, role), SEEN) == [(labs,) * 5]
        hidden = "SELECT count(*) FROM audit WHERE lab_id = '-' AND table_name IN ('plots', 'lab_checks')"
        assert run(login(node, "abq_technician"), hidden) == [(0,)]
        assert run(login(node, "abq_qa"), hidden) == [(2,)]
    finally:
        node.execute("DELETE FROM lab_checks WHERE lab_id = '-'; DELETE FROM plots WHERE lab_id = '-';"
                     " SET session_replication_role = replica; DELETE FROM labs WHERE id = '-';"
                     " SET session_replication_role = origin", "abq")
    # The entries stay for ever: who doesn't see them is told so, and not that the chain was broken.
    for role, told in (("abq_technician", True), ("abq_qa", False)):
        with closing(SQLModel.at(login(node, role))) as model:
            verdict = model.verify_audit()
        assert verdict.breaks == ()
        assert any("this login doesn't see" in each for each in verdict.notes) is told


def test_labs_kept_apart_no_longer(node: Node) -> None:
    schema.restrict_labs(node.endpoint(), False)
    try:
        assert run(login(node, "abq_technician"), SEEN) == [("ABC",) * 4 + ("ABCDE",)]
        assert run(login(node, "abq_technician"), "SELECT count(audit_head) FROM (SELECT * FROM deliveries) AS d")
    finally:
        schema.restrict_labs(node.endpoint(), True)
    assert run(login(node, "abq_technician"), SEEN) == [("A",) * 5]


def test_without_createrole_the_error_has_the_statements_to_run() -> None:
    with server_with_logins() as made:
        made.execute("CREATE ROLE plain LOGIN PASSWORD 'plain'")
        made.execute("CREATE DATABASE plain OWNER plain TEMPLATE template0 ENCODING 'UTF8'")
        for role in ("abq_technician", "abq_supervisor", "abq_qa"):
            made.execute(f"DROP OWNED BY {role}", "abq")
            made.execute(f"DROP ROLE {role}")
        plain = {**made.endpoint("plain"), "user": "plain", "password": "plain"}
        run(plain, bundled_file("create_db.sql").read_text("utf-8"))
        with pytest.raises(PrivilegeMissing, match=r"abq_technician, abq_supervisor, abq_qa are missing") as told:
            schema.grant(plain)
        for statement in re.findall(r"CREATE ROLE \w+;", str(told.value)):
            made.execute(statement)
        schema.grant(plain)
        assert run(made.endpoint("plain"), "SELECT has_table_privilege('abq_qa', 'audit', 'SELECT')") == [(True,)]
        owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        assert run(made.endpoint("plain"), owners) == [("plain",)]
