"""What `db verify` finds: whatever was changed past the audit is named; what is allowed is not."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import make_dsn

from abq_data_entry.models import SchemaMissing, SQLModel, auditing, schema
from abq_data_entry.models.auditing import Verdict
from abq_data_entry.postgres import EmbeddedServer
from tests.fixtures.cluster import DATABASE, Node
from tests.fixtures.single import single_server
from tests.models.logins import programs_of, roles_of_lab_a
from tests.models.records import DATE, record
from tests.models.test_deliveries import row
from tests.models.test_migration import SCHEMAS
from tests.models.test_schema import ORIGINAL, Endpoint, run

_NUMBERS = itertools.count(1)
WHOLE: tuple[tuple[object, ...], ...] = ((), ())


def hidden(statement: str) -> str:
    return f"SET session_replication_role = replica; {statement}; SET session_replication_role = origin"


def verdict(endpoint: Endpoint, heads: str = "", **keywords: str) -> Verdict:
    with closing(SQLModel.at({**endpoint, **keywords})) as model:
        return model.verify_audit(heads)


def outcome(endpoint: Endpoint, **keywords: str) -> tuple[object, object]:
    found = verdict(endpoint, **keywords)
    assert found.not_compared == ""
    return found.breaks, found.findings


def told(endpoint: Endpoint, **keywords: str) -> str:
    found = verdict(endpoint, **keywords)
    return "\n".join([*(each.reason for each in found.breaks), *found.findings])


def reasons(cursor: Cursor) -> str:
    """What is found in the rows alone, without the definitions."""
    found = list(auditing.find_breaks(cursor))
    assert all((each.sequence == 0) == ("this entry" not in each.reason) for each in found), "0: of no entry"
    return "\n".join(each.reason for each in found)


@pytest.fixture(scope="module")
def older() -> Iterator[Node]:
    """An older server, where there is one on this machine."""
    with single_server(programs_of("older")) as node:
        yield node


on_both = pytest.mark.parametrize("make_database", ["newest", "older"], indirect=True)
"""Each verdict makes the whole schema once more, so the others run on the newest server only."""


@pytest.fixture
def make_database(
    make_database: Callable[[str], Endpoint], request: pytest.FixtureRequest
) -> Callable[[str], Endpoint]:
    """The same on both servers: the older one writes definitions and catalogs in its own way."""
    if getattr(request, "param", "newest") == "newest":
        return make_database
    node: Node = request.getfixturevalue("older")

    def make(template: str = "template0") -> Endpoint:
        name = f"verified_{next(_NUMBERS)}"
        copied = template if template == "template0" or template.startswith("verified_") else DATABASE
        node.execute(f"CREATE DATABASE {name} TEMPLATE {copied}")
        return node.endpoint(name)

    return make


@pytest.fixture(scope="module")
def templates() -> dict[str, str]:
    """The database to copy that `used` has made at each server."""
    return {}


@pytest.fixture
def used(
    make_database: Callable[[str], Endpoint],
    server: EmbeddedServer,
    database_template: str,
    templates: dict[str, str],
    request: pytest.FixtureRequest,
) -> Endpoint:
    """A database that was worked with, and is whole: found out once for each server, because it takes a while."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    where = parameters.get("make_database", "newest")
    if where not in templates:
        if where == "newest":
            templates[where] = "verified_template"
            server.create_database(templates[where])
            made = server.endpoint(templates[where])
            schema.prepare(made)
        else:
            made = make_database(database_template)
            templates[where] = made["dbname"]
        work_with(made)
        assert outcome(made) == WHOLE
    return make_database(templates[where])


def work_with(endpoint: Endpoint) -> None:
    with closing(SQLModel.at(endpoint)) as model:
        for plot in (1, 2, 3):
            model.save_record(record(Plot=plot))
        model.save_record(record(Plot=1, Plants=3), reason="slip")
        model.record_deliveries([row()])
        model.record_deliveries([row(state="delivered", delivered="2026-11-21 20:20+00", attempts=1)])


ROWS = [
    ("UPDATE schema_version SET applied = '2000-01-01'", "of schema_version isn't as this entry left it"),
    ("INSERT INTO schema_version VALUES (0, now())", 'row {"version": 0} of schema_version has no entry'),
    ("UPDATE deliveries SET sha256 = repeat('f', 64)", "of deliveries isn't as this entry left it"),
    ("UPDATE deliveries SET audit_head = 'A 1 x'", "of deliveries isn't as this entry left it"),
    ("DELETE FROM deliveries", "of deliveries isn't as this entry left it"),
    ("UPDATE audit_baselines SET rows = 1", "rows of plot_checks from before the audit are gone without an entry"),
    ("DELETE FROM audit_baselines", "of audit_baselines isn't as this entry left it|no longer known"),
    ("INSERT INTO lab_checks VALUES ('1999-12-31', '8:00', 'C', 4291)", "of lab_checks has no entry"),
    ("INSERT INTO lab_techs VALUES (9, 'Slipped In')", 'row {"id": 9} of lab_techs has no entry'),
    ("INSERT INTO labs VALUES ('F')", 'the row {"id": "F"} of labs has no entry'),
    ("INSERT INTO labs VALUES ('F'); INSERT INTO plots VALUES ('F', 1), ('F', 2)",
     "2 rows of plots have no entry, such as the row"),
    ("DELETE FROM plots WHERE lab_id = 'B'", "of plots isn't as this entry left it"),
]


DEFINITIONS = [
    ("ALTER TABLE plot_checks DISABLE TRIGGER keep_audit_of_changes",
     "trigger keep_audit_of_changes of plot_checks is switched off"),
    ("ALTER TABLE deliveries DISABLE TRIGGER ALL", "of deliveries is switched off"),
    ("ALTER TABLE lab_checks ENABLE REPLICA TRIGGER begin_version", "begin_version of lab_checks is switched off"),
    ("DROP TRIGGER raise_version ON plot_checks", "trigger raise_version of plot_checks is missing"),
    ("CREATE OR REPLACE FUNCTION keep_audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
     r"function keep_audit\(\) isn't as create_db.sql makes it"),
    ("ALTER FUNCTION keep_audit() SET search_path = public", r"function keep_audit\(\) isn't as"),
    ("CREATE FUNCTION sha256(text) RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$",
     "function sha256.* isn't one of create_db.sql"),
    ("CREATE FUNCTION audit_content(text) RETURNS text LANGUAGE sql AS $$ SELECT '' $$",
     "function audit_content.* isn't one of create_db.sql"),
    ("CREATE FUNCTION audit_key(name, jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT '{}'::jsonb $$;"
     " ALTER EXTENSION plpgsql ADD FUNCTION audit_key(name, jsonb)", r"function audit_key\(name, jsonb\) isn't one of"),
    ("CREATE FUNCTION same(bpchar, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
     " CREATE OPERATOR public.= (LEFTARG = bpchar, RIGHTARG = text, FUNCTION = same)",
     r"operator = \(character, text\) isn't one of create_db.sql"),
    ("CREATE FUNCTION less(bpchar, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'; CREATE OPERATOR public.<"
     " (LEFTARG = bpchar, RIGHTARG = text, FUNCTION = less); ALTER EXTENSION plpgsql ADD OPERATOR public.<"
     " (bpchar, text)", r"operator < \(character, text\) isn't one of create_db.sql"),
    ("ALTER TABLE plot_checks ADD own integer NOT NULL DEFAULT 0; ALTER TABLE plot_checks ALTER own DROP DEFAULT",
     r"column own of plot_checks isn't one of create_db.sql, and may not be empty"),
    ("CREATE CAST (jsonb AS text) WITH INOUT AS IMPLICIT", "cast from jsonb to text isn't PostgreSQL's own"),
    ("CREATE FUNCTION add() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.plants := NEW.plants + 1; RETURN NEW;"
     " END'; CREATE TRIGGER add BEFORE INSERT ON plot_checks FOR EACH ROW EXECUTE FUNCTION add()",
     "trigger add of plot_checks isn't one of create_db.sql"),
    ("CREATE RULE nothing AS ON INSERT TO plot_checks DO INSTEAD NOTHING", "rule nothing of plot_checks isn't one"),
    ("CREATE POLICY all_of_it ON plot_checks", "policy all_of_it of plot_checks isn't one"),
    ("ALTER TABLE plot_checks DROP CONSTRAINT plants_within_limits",
     "constraint CHECK.*plants.* of plot_checks is missing"),
    ("ALTER TABLE plot_checks DROP CONSTRAINT heights_in_order; ALTER TABLE plot_checks ADD CONSTRAINT"
     " heights_in_order CHECK (min_height <= max_height)", "constraint CHECK.*median.* is missing"),
    ("ALTER TABLE plot_checks ALTER version SET DEFAULT 7", "column version of plot_checks isn't as"),
    ("CREATE TABLE heir () INHERITS (plot_checks)", "rows of heir show as rows of plot_checks"),
    ("GRANT UPDATE ON audit TO PUBLIC", "Everybody may UPDATE on audit"),
    ("GRANT TRIGGER ON plot_checks TO PUBLIC", "Everybody may TRIGGER on plot_checks"),
    ("GRANT UPDATE (state) ON deliveries TO PUBLIC", "Everybody may UPDATE on deliveries"),
    ("ALTER VIEW withdrawn_records SET (security_barrier = true)", "view withdrawn_records isn't as"),
]


@pytest.mark.parametrize("first", range(3))
def test_definitions_that_are_not_ours(used: Endpoint, first: int) -> None:
    """Some at once, each told by a finding of its own."""
    changed = DEFINITIONS[first::3]
    run(used, ";".join(statement for statement, _ in changed))
    found = verdict(used)
    assert found.breaks == ()
    for _, reason in changed:
        others = [each for _, each in changed if each != reason]
        own = [each for each in found.findings if not any(re.search(other, each) for other in others)]
        assert any(re.search(reason, each) for each in own), (reason, found.findings)


@on_both
def test_rows_changed_past_the_audit(used: Endpoint) -> None:
    """Each by itself, without the definitions."""
    for statement, reason in ROWS:
        with closing(psycopg2.connect(make_dsn(**used))) as connection, connection.cursor() as cursor:
            cursor.execute(hidden(statement))
            assert re.search(reason, reasons(cursor)), statement
            connection.rollback()
    run(used, hidden(ROWS[0][0]))
    assert re.search(ROWS[0][1], told(used))


@pytest.mark.parametrize("make_database", ["older"], indirect=True)
def test_all_definitions_on_an_older_server(used: Endpoint) -> None:
    """At once: what one of them hides, another one still shows."""
    run(used, ";".join(statement for statement, _ in DEFINITIONS))
    findings = "\n".join(verdict(used).findings)
    assert [reason for _, reason in DEFINITIONS if not re.search(reason, findings)] == []


RIGHTS = [
    ("CREATE ROLE {0}_owner; GRANT {0}_owner TO {0}_t; ALTER TABLE plot_checks OWNER TO {0}_owner",
     "{0}_t may act as {0}_owner, the owner of the tables"),
    ("GRANT pg_write_all_data TO {0}_t", "{0}_t may write to all tables (pg_write_all_data)"),
    ("GRANT pg_execute_server_program TO {0}_t", "{0}_t may change files of the server (pg_execute_server_program)"),
    ("ALTER ROLE {0}_t BYPASSRLS; SELECT restrict_labs(true)", "{0}_t sees the records of all labs (BYPASSRLS)"),
    ("ALTER ROLE {0}_t SUPERUSER", "{0}_t is a superuser"),
    ("CREATE ROLE {0}_s SUPERUSER; GRANT {0}_s TO {0}_t", "{0}_t is a superuser, as {0}_s"),
    ("GRANT CREATE ON SCHEMA public TO {0}_t", "{0}_t may make things in the schema public"),
    ("GRANT CREATE ON SCHEMA public TO PUBLIC", "Everybody may make things in the schema public"),
    ("ALTER SCHEMA public OWNER TO {0}_t", "{0}_t owns the schema public"),
    ("GRANT INSERT ON lab_members TO {0}_t", "{0}_t may INSERT on lab_members"),
    ("GRANT UPDATE (lab_tech_id) ON technician_logins TO {0}_t", "{0}_t may UPDATE on technician_logins"),
]


def forge(endpoint: Endpoint, moment: str, table: str) -> None:
    """Change a record, and add an entry of somebody else that says so."""
    run(endpoint, hidden(f"""
        UPDATE plot_checks SET plants = 19, version = version + 1 WHERE plot = 3;
        WITH latest AS (
            SELECT * FROM audit WHERE table_name = 'plot_checks' AND (key ->> 'plot') = '3'
        ), forged AS (
            SELECT (jsonb_populate_record(NULL::audit, to_jsonb(latest) || jsonb_build_object(
                'sequence', head.sequence + 1, 'operation', 'UPDATE', 'old', latest.new, 'new', to_jsonb(r),
                'table_name', {table}, 'database_user', 'tb', 'moment', {moment}, 'previous_hash', head.hash
            ))).*
            FROM latest JOIN audit_heads AS head USING (lab_id) JOIN plot_checks AS r ON r.plot = 3
        ), made AS (
            INSERT INTO audit SELECT lab_id, sequence, table_name, key, operation, old, new, database_user,
                application_user, workstation, moment, transaction, reason, previous_hash,
                encode(sha256(convert_to(previous_hash || audit_content(forged::audit), 'UTF8')), 'hex')
            FROM forged RETURNING lab_id, sequence, hash
        )
        UPDATE audit_heads SET sequence = made.sequence, hash = made.hash FROM made
            WHERE made.lab_id = audit_heads.lab_id
    """))  # fmt: skip


@on_both
def test_an_entry_of_an_earlier_moment_is_noted(used: Endpoint) -> None:
    """It is in its place and has its hash: only its moment gives it away, unless somebody set the clock back."""
    assert verdict(used).notes == ()
    forge(used, "now() - interval '30 days'", "'plot_checks'")
    found = verdict({**used, "options": "-c timezone=Asia/Tokyo"})  # the same words from everywhere
    assert (found.breaks, found.findings) == WHOLE
    (note,) = found.notes
    assert re.match(r"Lab A, entry \d+: its moment, [-0-9]+ [:.0-9]+\+00, is before that of the entry before it", note)


def test_no_sign_of_the_database_moves_the_cursor(used: Endpoint) -> None:
    forge(used, "now()", r"E'\x1b[2J\u009b1A'")
    run(used, 'CREATE TABLE "heir\x1b[31m" () INHERITS (plot_checks)')
    found = verdict(used)
    (only,) = found.breaks
    assert only.reason == r"it is about \x1b[2J\x9b1A, of which the audit keeps nothing"
    (heir,) = (each for each in found.findings if "heir" in each)
    assert heir == r'The rows of "heir\x1b[31m" show as rows of plot_checks'


@on_both
def test_what_roles_may_do(used: Endpoint) -> None:
    """Each right by itself; and none is told where there is only the role."""
    name = used["dbname"]
    with closing(psycopg2.connect(make_dsn(**used))) as connection, connection.cursor() as cursor:
        for statement, reason in [("SELECT", ""), *RIGHTS]:
            cursor.execute(f"CREATE ROLE {name}_t LOGIN IN ROLE abq_technician; {statement.format(name)}")
            auditing.pin_search_path(cursor)
            found = [each for each in auditing.find_bypasses(cursor) if f"{name}_t " in each or "Everybody" in each]
            assert found == ([reason.format(name)] if reason else [])
            connection.rollback()
        before_16 = connection.server_version < 160_000  # since then CREATEROLE alone doesn't give out any role
    if before_16:
        run(used, f"CREATE ROLE {name}_t LOGIN CREATEROLE IN ROLE abq_technician")
        assert f"{name}_t may give out the role of the owner (CREATEROLE)" in told(used)
        run(used, f"DROP ROLE {name}_t")


@on_both
def test_a_view_that_adds_one(used: Endpoint) -> None:
    ((definition,),) = run(used, "SELECT pg_get_viewdef('data_record_view'::regclass)")
    changed = str(definition).replace("p.plants AS", "(p.plants + 1)::smallint AS")
    run(used, f"CREATE OR REPLACE VIEW data_record_view AS {changed}")
    assert verdict(used).findings == ("The view data_record_view isn't as create_db.sql makes it",)


@on_both
def test_views_made_from_their_own_definitions_as_a_restore_does_are_no_finding(used: Endpoint) -> None:
    """PostgreSQL writes some definitions differently once they are made from what it wrote before."""
    views = run(used, "SELECT relname, pg_get_viewdef(oid) FROM pg_class"
                " WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace")  # fmt: skip
    assert len(views) > 15
    for name, definition in views:
        run(used, f"CREATE OR REPLACE VIEW {name} AS {definition}")
    assert outcome(used) == WHOLE


@on_both
def test_a_copy_of_the_tables_in_front(used: Endpoint) -> None:
    """What is verified are the real ones, whatever the search path finds."""
    run(used, "CREATE SCHEMA front; CREATE TABLE front.plot_checks (LIKE plot_checks);"
              " CREATE TABLE front.audit (LIKE audit); CREATE TABLE front.audit_heads (LIKE audit_heads)")
    assert outcome(used) == WHOLE
    found = verdict(used, options="-c search_path=front,public")
    assert found.entries > 100 and found.breaks == ()
    assert "The search path of this login finds plot_checks in the schema front, not in public" in found.findings
    run(used, f"ALTER DATABASE {used['dbname']} SET search_path = front, public")
    assert "The search path set for everybody finds audit in the schema front first" in told(used)


PATHS = [
    ("CREATE ROLE {0}_qa LOGIN; CREATE SCHEMA {0}_qa; CREATE VIEW {0}_qa.data_record_view AS"
     " SELECT * FROM public.data_record_view WHERE false",
     ["The search path of {0}_qa finds data_record_view in the schema {0}_qa first"]),
    ("ALTER ROLE {0}_qa IN DATABASE {0} SET search_path = public", []),
    ("ALTER ROLE {0}_qa IN DATABASE {0} SET search_path = '$user', public",
     ["The search path of {0}_qa finds data_record_view in the schema {0}_qa first"]),
    ("DROP SCHEMA {0}_qa CASCADE; CREATE SCHEMA evil; CREATE TABLE evil.audit (); SELECT set_config('search_path',"
     " 'EVIL, public', true); ALTER ROLE {0}_qa SET search_path FROM CURRENT; ALTER ROLE {0}_qa IN DATABASE {0}"
     " RESET search_path",
     ["The search path set for {0}_qa finds audit in the schema evil first"]),
    ("ALTER ROLE {0}_qa SET search_path = public, evil", []),
    ("ALTER ROLE {0}_qa SET search_path = 'EVIL', public", []),
    ('ALTER SCHEMA evil RENAME TO "Of ""QA"""; ALTER DATABASE {0} SET search_path = \'Of "QA"\', public',
     ['The search path set for everybody finds audit in the schema Of "QA" first']),
    ("SET LOCAL allow_system_table_mods = on; CREATE TABLE pg_catalog.plots ()",
     ["Every search path finds plots in the schema pg_catalog first",
      'The search path set for everybody finds audit in the schema Of "QA" first']),
]


@on_both
def test_search_paths_as_postgresql_reads_them(used: Endpoint) -> None:
    name = used["dbname"]
    with closing(psycopg2.connect(make_dsn(**used))) as connection, connection.cursor() as cursor:
        for statement, reasons in PATHS:
            cursor.execute(f"SET LOCAL search_path = public; {statement.format(name)}")
            auditing.pin_search_path(cursor)
            found = [each for each in auditing.find_bypasses(cursor) if "earch path" in each]
            assert found == [reason.format(name) for reason in reasons], statement


SETTINGS = ("timezone = 'America/Indiana/Indianapolis'", "datestyle = 'German'", "intervalstyle = 'iso_8601'",
            "quote_all_identifiers = on", "transform_null_equals = on", "bytea_output = 'escape'",
            "extra_float_digits = -9", "default_tablespace = 'pg_global'",
            "default_transaction_read_only = on")  # fmt: skip


@on_both
def test_how_the_server_writes_values_and_names_is_no_finding(used: Endpoint) -> None:
    for each in SETTINGS:
        run(used, f"ALTER DATABASE {used['dbname']} SET {each}")
    assert outcome(used) == WHOLE


@on_both
@pytest.mark.parametrize("what", ["event trigger", "right"])
def test_what_hinders_the_comparison_is_a_finding(used: Endpoint, what: str) -> None:
    if what == "right":
        run(used, f"REVOKE CREATE ON DATABASE {used['dbname']} FROM PUBLIC, CURRENT_USER; CREATE ROLE owner_{what}_"
                  f"{used['dbname']} LOGIN; ALTER DATABASE {used['dbname']} OWNER TO owner_{what}_{used['dbname']};"
                  f" REVOKE CREATE ON DATABASE {used['dbname']} FROM owner_{what}_{used['dbname']};"
                  f" GRANT abq_qa TO owner_{what}_{used['dbname']}")
        found = verdict(used, options=f"-c role=owner_{what}_{used['dbname']}")
    else:
        run(used, "CREATE FUNCTION hinder() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'No.'; END $$;"
                  " CREATE EVENT TRIGGER hinder ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA')"
                  " EXECUTE FUNCTION hinder()")
        found = verdict(used)
    reason = "No" if what == "event trigger" else f"permission denied for database {used['dbname']}"
    assert f"Views, functions, triggers and constraints could not be compared: {reason}" in found.findings


def test_on_a_standby_all_but_the_definitions_is_compared() -> None:
    with single_server() as node:
        with closing(SQLModel.at(node.endpoint())) as model:
            model.save_record(record())
        node.stop()
        (node.folder / "standby.signal").touch()
        node.start()
        found = verdict(node.endpoint())
    assert (found.breaks, found.findings) == WHOLE
    assert found.not_compared == "this server is a standby, where nothing can be made"


def test_a_login_that_sees_part_of_a_chain_gets_a_note_and_no_break(used: Endpoint) -> None:
    """An older database may have a lab "-", whose entries are in the chain of what belongs to no lab."""
    run(used, hidden("INSERT INTO labs VALUES ('-')"))
    run(used, "SELECT restrict_labs(true); INSERT INTO plots VALUES ('-', 1); DELETE FROM plots WHERE lab_id = '-'")
    run(used, hidden("DELETE FROM labs WHERE id = '-'"))
    witness = f"- 1 {'0' * 64}"
    with roles_of_lab_a(used) as make:
        theirs = make("GRANT abq_technician TO {}")
        found = verdict(theirs, witness)
        assert found.breaks == () and ["this login doesn't see" in each for each in found.notes] == [True]
        assert verdict(used).notes == () and [each.lab for each in verdict(used, witness).breaks] == ["-"]
        assert [each.lab for each in verdict(theirs, f"A 1 {'0' * 64}").breaks] == ["A"]


@pytest.mark.parametrize("heads", ["A", "A 1", f"A x {'0' * 64}", f"A 1 {'0' * 63}", f"A 1 {'0' * 64}; ?"])
def test_what_is_no_head_is_refused(heads: str) -> None:
    with pytest.raises(ValueError, match="isn't a head of the audit: a lab, a number and a hash are expected"):
        auditing.parse_heads(heads)
    assert auditing.parse_heads(f" A 1 {'0' * 64};;A 20 {'f' * 64} ; ") == {("A", 1): "0" * 64, ("A", 20): "f" * 64}


def test_a_database_without_an_audit_is_refused(make_database: Callable[[str], Endpoint]) -> None:
    with pytest.raises(SchemaMissing):
        verdict(make_database("template0"))


def test_triggers_off_for_whoever_connects(used: Endpoint) -> None:
    run(used, f"ALTER DATABASE {used['dbname']} SET session_replication_role = replica")
    assert "The triggers are off for everybody: session_replication_role is set" in told(used)


@on_both
def test_entries_lost_with_the_end_of_the_chain(used: Endpoint) -> None:
    with closing(SQLModel.at(used)) as model:
        head = model.audit_heads(DATE)
    number = int(head.split()[1])
    run(used, hidden(
        f"DELETE FROM audit WHERE lab_id = 'A' AND sequence = {number};"
        f" UPDATE audit_heads SET sequence = {number - 1}, hash = (SELECT hash FROM audit WHERE lab_id = 'A'"
        f" AND sequence = {number - 1}) WHERE lab_id = 'A'; UPDATE plot_checks SET plants = 9, version = 1"
        " WHERE plot = 1"))  # fmt: skip
    assert outcome(used) == WHOLE  # without a head nobody can know
    (found,) = verdict(used, head).breaks
    assert (found.lab, found.sequence) == ("A", number)
    assert found.reason == f"it went with a delivery and is gone: the chain ends with entry {number - 1}"


def test_what_there_was_before_the_audit_may_not_be_written_again(used: Endpoint) -> None:
    run(used, "UPDATE audit_baselines SET rows = 1 WHERE table_name = 'plot_checks'")
    assert "what plot_checks held when the audit began was written again" in told(used)


@pytest.mark.parametrize(
    "column", ["soil numeric(4, 1)", "soil numeric(4, 1) DEFAULT 7", "soil text NOT NULL DEFAULT 'wet'"]
)
def test_a_column_that_was_added_is_no_break(used: Endpoint, column: str) -> None:
    run(used, f"ALTER TABLE plot_checks ADD COLUMN {column}; ALTER TABLE lab_techs ADD COLUMN {column}")
    assert outcome(used) == WHOLE
    with closing(SQLModel.at(used)) as model:
        model.save_record(record(Plot=2, Plants=4))
        model.save_record(record(Plot=9))
    assert outcome(used) == WHOLE
    run(used, hidden("UPDATE plot_checks SET soil = '1' WHERE plot = 9"))
    assert "isn't as this entry left it" in told(used)


@on_both
def test_labs_kept_apart_and_what_qa_adds_are_no_break(used: Endpoint) -> None:
    run(used, "CREATE VIEW report AS SELECT count(*) FROM data_record_view; CREATE SCHEMA qa;"
              " CREATE FUNCTION of_qa() RETURNS int LANGUAGE sql AS 'SELECT 1';"
              " CREATE TABLE qa.plot_checks AS SELECT * FROM plot_checks; CREATE INDEX ON plot_checks (notes)")
    schema.restrict_labs(used, True)
    assert outcome(used) == WHOLE
    run(used, "ALTER TABLE plot_checks DISABLE ROW LEVEL SECURITY")
    assert "isn't as create_db.sql makes it" in told(used)


@pytest.mark.parametrize("make_database", ["older"], indirect=True)
def test_extensions_are_no_finding(used: Endpoint) -> None:
    wanted = "'citext', 'pg_trgm', 'hstore', 'pgcrypto', 'intarray', 'btree_gist'"
    found = run(used, f"SELECT name FROM pg_available_extensions WHERE name IN ({wanted})")
    run(used, ";".join(f"CREATE EXTENSION {name}" for (name,) in found) or "SELECT")
    assert outcome(used) == WHOLE


@on_both
def test_without_the_right_to_create_schemas_definitions_are_not_compared(used: Endpoint) -> None:
    """The rows are still compared, and what is in the catalogs."""
    run(used, "ALTER TABLE plot_checks DISABLE TRIGGER keep_audit_of_new")
    found = verdict(used, options="-c role=abq_qa")
    assert found.not_compared == "this login may make no schema in the database"
    assert found.findings == ("The trigger keep_audit_of_new of plot_checks is switched off",)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_records_from_before_the_audit_whatever_their_day(empty_database: Endpoint, version: int) -> None:
    """Of a laboratory east of UTC today may be tomorrow; and any may be dated ahead."""
    days = ("current_date", "current_date + 1", "current_date + 400")
    run(empty_database, ORIGINAL if version == 0 else (SCHEMAS / f"version_{version}.sql").read_text("utf-8"))
    for day in days:
        run(empty_database, f"INSERT INTO lab_checks SELECT {day}, time, 'A', (SELECT min(id) FROM lab_techs)"
                            " FROM (VALUES ('8:00'::time), ('12:00')) AS at (time)")  # fmt: skip
    schema.prepare(empty_database)
    assert outcome(empty_database) == WHOLE
    run(empty_database, "DELETE FROM lab_checks WHERE date >= current_date AND time = '8:00'")
    assert outcome(empty_database) == WHOLE
    for day in days:
        with closing(psycopg2.connect(make_dsn(**empty_database))) as connection, connection.cursor() as cursor:
            cursor.execute(hidden(f"UPDATE lab_checks SET time = '20:00' WHERE date = {day}"))
            assert "a row of lab_checks from before the audit isn't as it was then" in reasons(cursor)
            cursor.execute(hidden(f"DELETE FROM lab_checks WHERE date = {day}"))
            assert "rows of lab_checks from before the audit are gone without an entry" in reasons(cursor)


def test_records_of_tomorrow_are_no_break(database: Endpoint) -> None:
    run(database, "INSERT INTO lab_checks VALUES (current_date + 1, '8:00', 'A', 4291)")
    assert outcome(database) == WHOLE


@on_both
def test_entries_that_somebody_forged_before_are_named(empty_database: Endpoint) -> None:
    """Version 3 let anybody's trigger on a table of the same name write valid entries with anything in them."""
    run(empty_database, (SCHEMAS / "version_3.sql").read_text("utf-8"))
    with closing(psycopg2.connect(make_dsn(**empty_database))) as connection, connection.cursor() as cursor:
        for table, columns, values in (
            ("plot_checks", "date text, time text, lab_id text, plot text", "('boom', E'\\t\"', 'A', 'x')"),
            ("lab_techs", "id text, name text", "('infinity', 'Forged')"),
            ("local_weather", "datetime text", "('boom')"),
            ("nothing_of_ours", "id int", "(1)"),
        ):
            cursor.execute(
                f"CREATE TEMP TABLE {table} ({columns}); CREATE TRIGGER forge AFTER INSERT ON pg_temp.{table}"
                f" FOR EACH ROW EXECUTE FUNCTION public.keep_audit(); INSERT INTO pg_temp.{table} VALUES {values}"
            )
        connection.commit()
    schema.prepare(empty_database)
    found = {each.lab: each.reason for each in verdict(empty_database).breaks}
    assert "boom" in found["A"] and "of plot_checks isn't as this entry left it" in found["A"]
    assert found["-"] == "it is about nothing_of_ours, of which the audit keeps nothing"
    with closing(psycopg2.connect(make_dsn(**empty_database))) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE nothing_of_ours (id int); CREATE TRIGGER forge AFTER INSERT ON"
                       " nothing_of_ours FOR EACH ROW EXECUTE FUNCTION public.keep_audit()")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="serves no other"):
            cursor.execute("INSERT INTO nothing_of_ours VALUES (1)")


@on_both
def test_version_3_with_corrections_of_what_was_there_before(empty_database: Endpoint) -> None:
    """Its tables had the audit for a while already: what had entries by then is no part of what had none."""
    run(empty_database, (SCHEMAS / "version_2.sql").read_text("utf-8"))
    run(empty_database, "INSERT INTO lab_checks VALUES ('2025-01-01', '8:00', 'A', 4291),"
                        " ('2025-01-01', '8:00', 'B', 4291),"
                        " ('2025-01-01', '12:00', 'A', 4291)")
    run(empty_database, (SCHEMAS / "version_3.sql").read_text("utf-8"))
    run(empty_database, "UPDATE lab_checks SET lab_tech_id = 4319 WHERE time = '8:00'")
    schema.prepare(empty_database)
    assert outcome(empty_database) == WHOLE
    run(empty_database, "UPDATE lab_checks SET lab_tech_id = 4478")
    assert outcome(empty_database) == WHOLE


def test_the_schema_of_the_comparison_is_gone(used: Endpoint) -> None:
    verdict(used)
    assert run(used, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'abq%'") == []


def test_the_tables_may_lie_in_another_schema(empty_database: Endpoint, tmp_path: Path) -> None:
    elsewhere = {**empty_database, "options": "-c search_path=laboratory"}
    run(empty_database, "CREATE SCHEMA laboratory")
    schema.prepare(elsewhere)
    with closing(SQLModel.at(elsewhere)) as model:
        model.save_record(record())
    assert outcome(elsewhere) == WHOLE
