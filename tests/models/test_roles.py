"""Who may do what: each role against each table and view, as the server says, asked with psql by real logins."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry.folders import bundled_file
from abq_data_entry.models import LoginFailed, PrivilegeMissing, SQLModel, schema
from abq_data_entry.models.auditing import KEPT, QA_VIEWS, Verdict
from tests.fixtures.cluster import Node
from tests.models.logins import EVERY, NOBODY, PSQL, ROLES, login, psql, run
from tests.models.records import DATE, record

OPERATIONS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
READ, ADD, WRITE, ALL = OPERATIONS[:1], OPERATIONS[:2], OPERATIONS[:3], OPERATIONS[:4]

# What abq_technician, abq_supervisor and abq_qa may do.
MATRIX = {
    "schema_version": (READ, READ, READ),
    "lab_techs": (READ, ALL, READ),
    "labs": (READ, ALL, READ),
    "plots": (READ, ALL, READ),
    "lab_checks": (WRITE, WRITE, READ),
    "plot_checks": (WRITE, WRITE, READ),
    "local_weather": (WRITE, WRITE, READ),
    "deliveries": (ADD, ADD, READ),
    "audit": (READ, READ, READ),
    "audit_baselines": (READ, READ, READ),
    "audit_heads": (READ, READ, READ),
    "journal_entries": (ADD, ADD, READ),
    "check_presence": (READ, READ, READ),
    "lab_members": (READ, READ, READ),
    "technician_logins": (READ, READ, READ),
    "data_record_view": (READ, READ, READ),
    "withdrawn_records": (READ, READ, READ),
    "check_presence_view": (READ, READ, READ),
    "lab_settings": (READ, READ, READ),
    "value_marks": (READ, READ, READ),
    "shift_notes": (READ, READ, READ),
    "destinations": (READ, READ, READ),
    "scheduled_deliveries": (READ, READ, READ),
    **dict.fromkeys(("notice_sources", "notices", "notice_readers"), (READ, READ, READ)),
    "shift_messages": (READ, READ, READ),
    "shift_message_readers": (READ, READ, READ),
    "delivery_receipts": (READ, READ, READ),
    "mailbox_messages": (READ, READ, READ),
    **dict.fromkeys(("alarm_calendar", "alarm_receivers", "alarms", "alarm_notices"), (READ, READ, READ)),
    **dict.fromkeys(KEPT, (READ, READ, READ)),
    **dict.fromkeys(QA_VIEWS, (READ, READ, READ)),
}

CHANGING = {"lab_checks": "lab_tech_id", "plot_checks": "plants"}
"""Columns that whoever corrects records may change, where not all are."""

ADDING = {"journal_entries": "id"}
"""Columns that whoever enters records fills, where not all are."""

# Each is executed by who corrects records; the others run with the privileges of the owner by triggers or within those.
FOR_WHO_CORRECTS = {
    "record_deliveries", "take_delivery", "note_delivery", "keep_answers", "settle_receipts",
    "withdraw_record", "bring_back_record", "move_record", "move_check", "take_back", "take_back_records",
    "correct_records", "enter_check", "claim_plot", "claim_next_plot", "leave_check", "answer_mark",
    "write_note", "finish_note", "reopen_note", "send_message", "take_messages",
    "ask_for_notices", "keep_notices", "read_notices",
}  # fmt: skip
# Whatever runs looks for alarms and tells them.
FOR_WHO_READS = {"look_for_alarms", "tell_alarms", "end_alarm", "take_notice", "note_notice"}


def statement(operation: str, table: str, column: str) -> str:
    """A statement that needs the right and changes nothing."""
    adding = ADDING.get(table, "")
    return {
        "SELECT": f"SELECT FROM {table} WHERE false",
        "INSERT": f"INSERT INTO {table} ({adding}) SELECT {adding or '*'} FROM {table} WHERE false"
        .replace(" ()", ""),
        "UPDATE": f'UPDATE {table} SET "{column}" = "{column}" WHERE false',
        "DELETE": f"DELETE FROM {table} WHERE false",
        "TRUNCATE": f"TRUNCATE {table} CASCADE",
    }[operation]


def test_the_matrix_names_every_table_and_view(node: Node) -> None:
    found = node.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm', 'p')",
        "abq",
    )
    assert {name for (name,) in found} == set(MATRIX)


def test_a_login_is_given_with_its_place(node: Node) -> None:
    place = login(node, "abq_technician")
    where, who, password = (place["host"], place["dbname"]), place["user"], place["password"]
    with closing(SQLModel(*where, who, password, port=place["port"])) as model:
        model.connect()
        assert model.query("SELECT session_user::text AS name") == [{"name": who}]
    for wrong in (None, "", f"{password}x"):
        with closing(SQLModel(*where, who, wrong, port=place["port"])) as model, pytest.raises(LoginFailed):
            model.connect()


@pytest.mark.skipif(PSQL is None, reason="there is no psql on this machine")
@pytest.mark.parametrize("role", [*ROLES, EVERY, NOBODY])
def test_each_role_may_do_what_it_is_for_and_nothing_else(node: Node, role: str) -> None:
    found = node.execute(
        "SELECT table_name, min(column_name) FROM information_schema.columns WHERE table_schema = 'public' GROUP BY 1",
        "abq",
    )
    columns = {str(table): str(column) for table, column in found} | CHANGING
    asked = [(table, operation) for table in MATRIX for operation in OPERATIONS]
    script = "".join(
        f"BEGIN;\n{statement(operation, table, columns[table])};\n"
        f"\\echo {table} {operation} :SQLSTATE\nROLLBACK;\n"
        for table, operation in asked
    )
    answers = [line.split() for line in psql(login(node, role), script) if line.count(" ") == 2]
    assert [(table, operation) for table, operation, _ in answers] == asked
    allowed = {(table, operation) for table, operation, state in answers if state == "00000"}
    held = [index for index, each in enumerate(ROLES) if role in (each, EVERY)]
    expected = {
        (table, operation) for table, privileges in MATRIX.items() for index in held for operation in privileges[index]
    }
    assert allowed == expected
    # No right; or a view, which takes no changes and can't be emptied.
    assert {state for _, _, state in answers} <= {"00000", "42501", "55000", "42809", "0A000"}


def test_functions_with_the_privileges_of_the_owner_are_for_who_needs_them(node: Node) -> None:
    may_execute = node.execute(
        "SELECT proname, string_agg(coalesce(rolname, 'PUBLIC'), ' ' ORDER BY rolname)"
        " FROM pg_proc CROSS JOIN aclexplode(coalesce(proacl, acldefault('f', proowner)))"
        " LEFT JOIN pg_roles ON pg_roles.oid = grantee"
        " WHERE pronamespace = 'public'::regnamespace AND prosecdef AND grantee <> proowner GROUP BY 1",
        "abq",
    )
    both = "abq_supervisor abq_technician"
    everybodys = dict.fromkeys(("seen_labs", "hides_entries", "lock_lab", "qa_refresh"), "PUBLIC")
    expected = {**dict.fromkeys(FOR_WHO_CORRECTS, both), **everybodys}
    expected |= dict.fromkeys(("mark_value", "close_mark", "reopen_mark"), "abq_qa")
    expected |= dict.fromkeys(FOR_WHO_READS, f"abq_qa {both}")
    assert {str(name): who for name, who in may_execute} == expected
    unpinned = node.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
        " AND NOT coalesce(proconfig @> ARRAY['search_path=public, pg_temp'], false)",
        "abq",
    )
    assert unpinned == []


ATTEMPTS = (
    "SET session_replication_role = replica",
    "ALTER TABLE plot_checks DISABLE TRIGGER ALL",
    "ALTER TABLE audit DISABLE TRIGGER ALL",
    "DROP TRIGGER keep_audit_of_changes ON plot_checks",
    "CREATE OR REPLACE FUNCTION audit_content(entry audit) RETURNS text LANGUAGE sql AS $$ SELECT '' $$",
    "CREATE FUNCTION sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT $1 $$",
    "CREATE TABLE of_mine (x int)",
    "CREATE TRIGGER of_mine AFTER INSERT ON plot_checks EXECUTE FUNCTION keep_audit()",
    "CREATE TEMP TABLE plot_checks (LIKE public.plot_checks); CREATE TRIGGER of_mine AFTER INSERT ON plot_checks"
    " FOR EACH ROW EXECUTE FUNCTION public.keep_audit()",
    "CREATE TEMP TABLE audit (LIKE public.audit); CREATE CONSTRAINT TRIGGER of_mine AFTER INSERT ON audit"
    " FOR EACH ROW EXECUTE FUNCTION public.keep_head()",
    "DELETE FROM plot_checks",
    "DELETE FROM lab_checks",
    "UPDATE plot_checks SET date = date - 1",
    "UPDATE plot_checks SET time = '20:00'",
    "UPDATE plot_checks SET lab_id = 'B'",
    "UPDATE plot_checks SET plot = 20",
    "UPDATE plot_checks SET version = 7",
    "UPDATE lab_checks SET date = date - 1",
    "GRANT UPDATE ON audit TO CURRENT_USER; UPDATE audit SET reason = ''",
    "SET ROLE abq_owner",
    "CREATE ROLE of_mine",
    "COPY audit (lab_id) FROM PROGRAM 'true'",
    "SELECT set_config('search_path', 'public', false), lo_import('/etc/passwd')",
    "SET SESSION AUTHORIZATION abq_owner",
    "GRANT pg_write_all_data TO CURRENT_USER",
    "ALTER DATABASE abq SET session_replication_role = replica",
    "CREATE TEMP TABLE plot_checks (date text, time text, lab_id text, plot int); CREATE TRIGGER of_mine"
    " AFTER INSERT ON plot_checks FOR EACH ROW EXECUTE FUNCTION public.keep_audit();"
    " INSERT INTO plot_checks VALUES ('boom', '', 'A', 1)",
    "CREATE TEMP TABLE deliveries (LIKE public.deliveries); CREATE TRIGGER of_mine BEFORE INSERT ON deliveries"
    " FOR EACH ROW EXECUTE FUNCTION public.find_outdated()",
    "CREATE TEMP TABLE lab_techs (LIKE public.lab_techs); CREATE TRIGGER of_mine BEFORE INSERT ON lab_techs"
    " FOR EACH ROW EXECUTE FUNCTION public.refuse_name()",
    "CREATE TEMP TABLE heir () INHERITS (public.plot_checks)",
    "CREATE RULE of_mine AS ON INSERT TO plot_checks DO INSTEAD NOTHING",
    "CREATE POLICY of_mine ON plot_checks",
    "SELECT keep_audit()",
    "SELECT set_reason('of mine')",
    "SELECT begin_undo('of mine', 'A')",
    "SELECT ensure_check('{}', 4291::smallint, false)",
    "SELECT drop_empty_check('{}')",
    "SELECT last_version('plot_checks', '{}')",
    "SELECT restrict_labs(true)",
    "INSERT INTO schema_version VALUES (0)",
    "UPDATE schema_version SET applied = now()",
    "SELECT FROM schema_version FOR UPDATE",
    "INSERT INTO audit_baselines VALUES ('plot_checks', 'A', 1, '', '{}', 0)",
    "UPDATE audit_baselines SET rows = 7",
    "SELECT FROM audit_heads FOR UPDATE",
    "UPDATE deliveries SET state = 'delivered', delivered = now()",
    "DELETE FROM deliveries",
    "SELECT FROM deliveries FOR SHARE",
    "LOCK TABLE deliveries IN EXCLUSIVE MODE",
    "LOCK TABLE plot_checks IN EXCLUSIVE MODE",
    "LOCK TABLE lab_checks IN EXCLUSIVE MODE",
    "LOCK TABLE audit IN EXCLUSIVE MODE",
    "LOCK TABLE audit_heads IN ROW EXCLUSIVE MODE",
    "LOCK TABLE schema_version IN EXCLUSIVE MODE",
    "INSERT INTO lab_members VALUES ('B', CURRENT_USER)",
    "INSERT INTO technician_logins VALUES (CURRENT_USER, 4291)",
    "DELETE FROM check_presence_view",
    "INSERT INTO check_presence (lease, date, time, lab_id) VALUES (1, '2026-11-21', '8:00', 'A')",
    "UPDATE check_presence SET application_user = 'P Taylor'",
    "DELETE FROM check_presence",
    "LOCK TABLE check_presence IN SHARE MODE",
    "LOCK TABLE local_weather IN SHARE MODE",
    "LOCK TABLE journal_entries IN SHARE MODE",
    "INSERT INTO journal_entries VALUES (gen_random_uuid(), 'infinity')",
    "UPDATE journal_entries SET applied = now()",
    "DELETE FROM journal_entries",
    "UPDATE deliveries SET outdated = NULL",
)
"""Statements by which somebody could get around the audit."""


@pytest.mark.parametrize("role", [*ROLES, EVERY, NOBODY])
def test_nobody_gets_around_the_audit(node: Node, role: str) -> None:
    done = dict[str, str | None]()
    with closing(psycopg2.connect(make_dsn(**login(node, role)))) as connection, connection.cursor() as cursor:
        for attempt in ATTEMPTS:
            try:
                cursor.execute(attempt)
                done[attempt] = "it was done"
            except psycopg2.Error as error:
                done[attempt] = error.pgcode
            connection.rollback()
    # No right; and members of the owner's role only, a view that takes no changes.
    assert {attempt: state for attempt, state in done.items() if state not in ("42501", "0LP01")} == {}


@pytest.mark.skipif(PSQL is None, reason="there is no psql on this machine")
def test_beside_the_sender_of_a_message_stands_the_login_whatever_psql_says(node: Node) -> None:
    script = """
        SET abq.application_user = 'P Taylor';
        SET ROLE abq_technician;
        SELECT send_message('I resign.') ->> 'code';
        RESET ROLE;
        SET SESSION AUTHORIZATION abq_owner;
        CREATE TEMP TABLE shift_messages (LIKE public.shift_messages);
        SELECT send_message('So do I.', number => '00000000-0000-0000-0000-000000000001') ->> 'code';
        SELECT count(*) FROM public.shift_messages;
        INSERT INTO public.shift_messages SELECT gen_random_uuid(), now(), 'P Taylor', 'abq_owner', '', 'A', NULL, 'x';
    """
    assert psql(login(node, "abq_technician"), script) == ["absent", "absent", "2", ""]
    found = node.execute("SELECT DISTINCT sender, login, changed_by(login, sender) FROM shift_messages", "abq")
    hostile = "login_of_abq_technician"
    assert found == [("P Taylor", hostile, f"P Taylor (login {hostile})")]
    assert psql(login(node, "abq_qa"), "SELECT send_message('x')") == [""]


OBSERVATION: dict[str, str | None] = {
    "observation_time_rfc822": "Wed, 14 Feb 2018 14:53:00 -0500", "temp_c": "11.7", "station": "KBMG"
}  # fmt: skip


@pytest.mark.parametrize("role", ["abq_technician", "abq_supervisor"])
@pytest.mark.parametrize(
    "attempt",
    [
        "temperature = 12", "temperature = NULL", "station = 'KOKC'", "fetched = now() + interval '1 day'",
        "datetime = now()", "conditions = 'Rain', temperature = 12",
    ],
)  # fmt: skip
def test_an_observation_is_filled_and_otherwise_stays_as_it_was(node: Node, role: str, attempt: str) -> None:
    node.execute("DELETE FROM local_weather", "abq")
    model = SQLModel.at(login(node, role))
    try:
        assert model.add_weather_data(OBSERVATION) is True
        assert model.store_weather({**OBSERVATION, "pressure_mb": "1018.2"}).state == "filled"
    finally:
        model.close()
    with pytest.raises(psycopg2.Error, match="stays as it was recorded") as caught:
        run(login(node, role), f"UPDATE local_weather SET {attempt}")
    assert caught.value.pgcode == "42501"
    assert node.execute("SELECT temperature::text, pressure::text, station FROM local_weather", "abq") == [
        ("11.70", "1018.20", "KBMG")
    ]
    node.execute("UPDATE local_weather SET temperature = 12", "abq")  # the owner may, and the audit knows it
    assert node.execute("SELECT count(*) FROM audit WHERE table_name = 'local_weather' AND operation = 'UPDATE'", "abq")


def test_privileges_past_the_audit_that_somebody_granted_are_taken_back(node: Node) -> None:
    """Within a trigger of one's own table they would be enough to write to it; on ours, the owner would run it."""
    node.execute("DROP DATABASE IF EXISTS generous")
    node.execute("CREATE DATABASE generous TEMPLATE template0 ENCODING 'UTF8'")
    node.execute("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO abq_technician, PUBLIC", "generous")
    node.execute("ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO abq_qa", "generous")
    node.execute("GRANT CREATE ON SCHEMA public TO PUBLIC", "generous")
    schema.prepare(node.endpoint("generous"))
    node.execute("GRANT UPDATE ON audit TO abq_qa WITH GRANT OPTION", "generous")
    node.execute("GRANT UPDATE (state) ON deliveries TO abq_technician", "generous")
    node.execute("GRANT TRIGGER, REFERENCES ON ALL TABLES IN SCHEMA public TO abq_qa", "generous")
    assert any("TRIGGER on" in each for each in verdict(node, "generous").findings)
    run(node.endpoint("generous"), bundled_file("create_db.sql").read_text("utf-8"))
    found = node.execute(
        "SELECT DISTINCT relname, privilege_type FROM pg_class, aclexplode(relacl) WHERE grantee <> relowner"
        " AND relnamespace = 'public'::regnamespace AND privilege_type <> 'SELECT'"
        " AND (relname ~ '^(audit|schema_version|lab_members|technician_logins|.*view|withdrawn_records)'"
        " OR privilege_type NOT IN ('INSERT', 'UPDATE', 'DELETE')"
        " OR relname = 'deliveries' AND privilege_type <> 'INSERT')",
        "generous",
    )
    assert found == []
    assert node.execute("SELECT has_column_privilege('abq_technician', 'deliveries', 'state', 'UPDATE'),"
                        " has_schema_privilege('abq_nobody_at_all', 'public', 'CREATE')"
                        .replace("abq_nobody_at_all", f"login_of_{NOBODY}"), "generous") == [(False, False)]
    assert node.execute("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
                        " AND prorettype = 'trigger'::regtype AND has_function_privilege('abq_qa', oid, 'EXECUTE')",
                        "generous") == []
    assert verdict(node, "generous").findings == ()


def verdict(node: Node, dbname: str = "abq") -> Verdict:
    with closing(SQLModel.at(node.endpoint(dbname))) as model:
        return model.verify_audit()


def test_a_function_of_the_administrator_stays_as_it_was(node: Node) -> None:
    """One that has the owner's privileges too isn't ours: nobody else gets it, and nobody loses it."""
    node.execute("CREATE OR REPLACE FUNCTION of_the_administrator() RETURNS int LANGUAGE sql SECURITY DEFINER"
                 " AS 'SELECT 1'", "abq")
    node.execute("REVOKE ALL ON FUNCTION of_the_administrator() FROM PUBLIC;"
                 " GRANT EXECUTE ON FUNCTION of_the_administrator() TO abq_qa", "abq")
    run(node.endpoint(), bundled_file("create_db.sql").read_text("utf-8"))
    allowed = "SELECT has_function_privilege('{}', 'of_the_administrator()', 'EXECUTE')"
    assert [node.execute(allowed.format(role), "abq")[0][0] for role in ROLES] == [False, False, True]
    assert verdict(node).findings == ()
    node.execute("DROP FUNCTION of_the_administrator()", "abq")


def test_a_temporary_table_in_the_way_of_the_audit_is_not_used(node: Node) -> None:
    """Anybody may make one, and without a path of their own the functions would find it first."""
    technician = login(node, "abq_technician")
    before = node.execute("SELECT count(*) FROM audit", "abq")[0][0]
    run(technician, """
        CREATE TEMPORARY TABLE audit (LIKE public.audit);
        CREATE TEMPORARY TABLE audit_heads (LIKE public.audit_heads);
        CREATE TEMPORARY TABLE lab_checks (LIKE public.lab_checks);
        GRANT ALL ON audit, audit_heads, lab_checks TO PUBLIC;
        UPDATE public.plot_checks SET plants = plants + 1;
    """)  # fmt: skip
    assert node.execute("SELECT count(*) FROM audit", "abq")[0][0] == int(str(before)) + 1
    assert node.execute("SELECT database_user FROM audit ORDER BY moment DESC LIMIT 1", "abq") == [
        ("login_of_abq_technician",)
    ]


def test_who_is_logged_in_stands_in_the_audit_whatever_the_application_says(node: Node) -> None:
    model = SQLModel.at(login(node, "abq_technician"))
    try:
        model.save_record(record(Notes="by me"), author="Somebody Else", workstation="elsewhere")
        last = model.get_history(DATE, "8:00", "A", 3)[-1]
    finally:
        model.close()
    assert (last.database_user, last.application_user) == ("login_of_abq_technician", "Somebody Else")


@pytest.mark.parametrize(
    ("role", "entering", "managing"),
    [("abq_technician", True, False), ("abq_supervisor", True, True), ("abq_qa", False, False)],
)
def test_privileges_are_those_of_the_login(node: Node, role: str, entering: bool, managing: bool) -> None:
    model = SQLModel.at(login(node, role))
    try:
        model.connect()
        privileges = model.privileges()
        assert (privileges.may_enter, privileges.may_manage) == (entering, managing)
        assert privileges.may_store_weather == privileges.may_record_deliveries == entering
        assert model.verify_audit().breaks == ()
        assert model.get_history(DATE, "8:00", "A", 3) != []
        if not entering:
            with pytest.raises(PrivilegeMissing):
                model.save_record(record(Plants=1))
        if not managing:
            with pytest.raises(PrivilegeMissing):
                model.add_technician(77, "New One")
    finally:
        model.close()


def test_the_passwords_are_scram(node: Node) -> None:
    login(node, "abq_qa")
    found = node.execute("SELECT DISTINCT left(rolpassword, 14) FROM pg_authid WHERE rolname LIKE 'login_of_%'")
    assert found == [("SCRAM-SHA-256$",)]
    wrong = {**login(node, "abq_qa"), "password": "wrong"}
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        run(wrong, "SELECT 1")
