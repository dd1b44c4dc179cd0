"""What could keep a change out of the audit, or show something else than the tables: looked for in the catalogs.

Triggers that are switched off, rights that lead past the audit, search paths and settings of logins, rows in tables
that inherit from ours. The search path is pinned first, so nothing in front of the tables is asked.
"""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.models import audit_paths, audit_rights
from abq_data_entry.models.audit_rows import AUDITED
from abq_data_entry.models.errors import SchemaMissing

TABLES = (*AUDITED, "audit", "audit_heads", "journal_entries", "check_presence")
VIEWS = ("data_record_view", "withdrawn_records", "check_presence_view")

# The schema public, where the tables are unless somebody made them elsewhere.
_PLACES = """
    SELECT nspname::text FROM pg_namespace AS n WHERE nspname !~ '^pg_' AND 3 = (
        SELECT count(*) FROM pg_class WHERE relnamespace = n.oid AND relname IN ('audit', 'audit_heads', 'plot_checks')
    ) ORDER BY nspname <> 'public', n.oid LIMIT 1
"""
_IN_FRONT = """
    SELECT DISTINCT ON (relname) relname, nspname
    FROM unnest(%(path)s::text[]) WITH ORDINALITY AS path (name, place) JOIN pg_namespace AS n ON nspname = path.name
    JOIN pg_class ON relnamespace = n.oid AND relname = ANY (%(names)s)
    ORDER BY relname, place
"""
_WITHOUT_TRIGGERS = """
    SELECT coalesce(rolname, 'everybody') FROM pg_db_role_setting LEFT JOIN pg_roles ON pg_roles.oid = setrole
        LEFT JOIN pg_database ON pg_database.oid = setdatabase, unnest(setconfig) AS setting
    WHERE (setdatabase = 0 OR datname = current_database()) AND setting ~ '^session_replication_role=(replica|local)'
    UNION
    SELECT 'everybody' FROM pg_settings
    WHERE name = 'session_replication_role' AND setting <> 'origin'
    ORDER BY 1
"""
_MAY_SWITCH_OFF = """
    SELECT CASE grantee WHEN 0 THEN 'everybody' ELSE grantee::regrole::text END
    FROM pg_parameter_acl, aclexplode(paracl) WHERE parname = 'session_replication_role'
        AND grantee <> 0 AND NOT (SELECT rolsuper FROM pg_roles WHERE oid = grantee) OR
        parname = 'session_replication_role' AND grantee = 0
    ORDER BY 1
"""
_SWITCHED_OFF = """
    SELECT tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
    WHERE relnamespace = %(schema)s::regnamespace AND relname = ANY (%(names)s) AND tgenabled NOT IN ('O', 'A')
    ORDER BY relname, tgname
"""
_OTHER_OWNERS = """
    SELECT relname, relowner::regrole::text FROM pg_class
    WHERE relnamespace = %(schema)s::regnamespace AND relname = ANY (%(names)s) AND relowner <> (
        SELECT relowner FROM pg_class WHERE relnamespace = %(schema)s::regnamespace AND relname = 'plot_checks'
    ) ORDER BY 1
"""
_HEIRS = """
    SELECT inhrelid::regclass::text, relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhparent
    WHERE relnamespace = %(schema)s::regnamespace AND relname = ANY (%(names)s) ORDER BY 1
"""
# Between types of PostgreSQL itself: their numbers are below the first that users' things have.
_CASTS = """
    SELECT castsource::regtype::text, casttarget::regtype::text FROM pg_cast
    WHERE oid >= 16384 AND castsource < 16384 AND casttarget < 16384 AND castcontext <> 'e' ORDER BY 1, 2
"""
# The rights that create_db.sql takes back.
_RIGHTS = """
    SELECT DISTINCT CASE grantee WHEN 0 THEN 'Everybody' ELSE grantee::regrole::text END, privilege_type, relname
    FROM (
        SELECT relname, relnamespace, relowner, relacl AS rights FROM pg_class
        UNION ALL
        SELECT relname, relnamespace, relowner, attacl FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE attacl IS NOT NULL
    ) AS granted, aclexplode(rights)
    WHERE relnamespace = %(schema)s::regnamespace AND relname = ANY (%(names)s) AND grantee <> relowner AND (
        relname IN ('schema_version', 'audit', 'audit_heads', 'audit_baselines', 'check_presence')
            AND privilege_type <> 'SELECT'
        OR relname = 'deliveries' AND privilege_type IN ('UPDATE', 'DELETE')
        OR relname = 'journal_entries' AND privilege_type IN ('UPDATE', 'DELETE')
        OR relname IN ('lab_members', 'technician_logins') AND privilege_type IN ('INSERT', 'UPDATE', 'DELETE')
        OR relname IN ('plot_checks', 'lab_checks') AND privilege_type = 'DELETE'
        OR privilege_type IN ('TRIGGER', 'TRUNCATE')
    ) ORDER BY 3, 1, 2
"""


def pin(cursor: Cursor) -> list[str]:
    """Let names mean the tables of ABQ Data Entry until the end of the transaction; return what stood in front.

    Raises `SchemaMissing` where there are none.
    """
    cursor.execute("SELECT pg_catalog.current_schemas(true)::pg_catalog.text[]")
    ((path,),) = cursor.fetchall()
    cursor.execute("SET LOCAL search_path = pg_catalog")
    cursor.execute(_PLACES)
    found = cursor.fetchall()
    if not found:
        raise SchemaMissing("There is no audit in this database.")
    schema = str(found[0][0])
    cursor.execute(_IN_FRONT, {"path": path, "names": [*TABLES, *VIEWS]})
    findings = [
        f"The search path of this login finds {name} in the schema {other}, not in {schema}"
        for name, other in cursor.fetchall() if other != schema
    ]
    cursor.execute("SELECT set_config('search_path', quote_ident(%s) || ', pg_temp', true)", [schema])
    return findings


def find(cursor: Cursor) -> list[str]:
    """Return what could hide something; the search path must be pinned."""
    cursor.execute("SELECT current_schema()")
    ((schema,),) = cursor.fetchall()
    bound = {"schema": schema, "names": [*TABLES, *VIEWS]}
    findings = [f"The trigger {name} of {table} is switched off" for name, table in _rows(cursor, _SWITCHED_OFF, bound)]
    findings += [f"{table} belongs to {owner}, unlike plot_checks"
                 for table, owner in _rows(cursor, _OTHER_OWNERS, bound)]  # fmt: skip
    findings += [f"The rows of {heir} show as rows of {table}" for heir, table in _rows(cursor, _HEIRS, bound)]
    findings += [f"The cast from {source} to {target} isn't PostgreSQL's own"
                 for source, target in _rows(cursor, _CASTS, bound)]  # fmt: skip
    findings += [f"{who} may {right} on {table}" for who, right, table in _rows(cursor, _RIGHTS, bound)]
    findings += audit_rights.find(cursor, schema)
    findings += audit_paths.find(cursor, schema, [*TABLES, *VIEWS])
    findings += [f"The triggers are off for {who}: session_replication_role is set"
                 for (who,) in _rows(cursor, _WITHOUT_TRIGGERS, bound)]  # fmt: skip
    if _rows(cursor, "SELECT FROM pg_class WHERE oid = to_regclass('pg_catalog.pg_parameter_acl')", bound):
        findings += [f"{who} may set session_replication_role, and so switch triggers off"
                     for (who,) in _rows(cursor, _MAY_SWITCH_OFF, bound)]  # fmt: skip
    return findings


def _rows(cursor: Cursor, statement: str, bound: dict[str, object]) -> list[tuple[str, ...]]:
    cursor.execute(statement, bound)
    return cursor.fetchall()
