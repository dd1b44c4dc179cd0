"""Who could get past the audit by what the server lets roles do: the owner's rights, a superuser's, the schema's."""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor

_ROLES = """
    WITH RECURSIVE given AS (
        SELECT member, roleid AS role FROM pg_auth_members AS m WHERE coalesce(
            (to_jsonb(m) ->> 'inherit_option')::boolean OR (to_jsonb(m) ->> 'set_option')::boolean, true)
    ), reached (member, role) AS (
        SELECT oid, oid FROM pg_roles
        UNION
        SELECT reached.member, given.role FROM reached JOIN given ON given.member = reached.role
    ), power AS (
        SELECT oid AS role, rolname, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles
    ), own AS (
        SELECT relowner, relrowsecurity FROM pg_class WHERE oid = format('%%I.plot_checks', %(schema)s)::regclass
    ), person AS (
        SELECT DISTINCT member FROM reached JOIN power USING (role)
        WHERE rolname IN ('abq_technician', 'abq_supervisor', 'abq_qa')
    )
    SELECT member::regrole::text, 'may act as ' || relowner::regrole || ', the owner of the tables'
    FROM given JOIN own ON relowner = given.role JOIN pg_roles ON pg_roles.oid = member
    WHERE NOT rolsuper AND rolname <> session_user
    UNION
    SELECT member::regrole::text, 'may write to all tables (' || power.rolname || ')'
    FROM given JOIN power USING (role) JOIN pg_roles ON pg_roles.oid = member
    WHERE power.rolname = 'pg_write_all_data' AND NOT pg_roles.rolsuper
    UNION
    SELECT member::regrole::text, CASE WHEN rolsuper THEN 'is a superuser'
        WHEN rolname IN ('pg_write_server_files', 'pg_execute_server_program')
            THEN 'may change files of the server (' || rolname || ')'
        WHEN rolcreaterole AND current_setting('server_version_num')::integer < 160000
            THEN 'may give out the role of the owner (CREATEROLE)'
        WHEN rolbypassrls AND relrowsecurity THEN 'sees the records of all labs (BYPASSRLS)'
        END || CASE WHEN member = role OR rolname ~ '^pg_' THEN '' ELSE ', as ' || role::regrole END
    FROM reached JOIN power USING (role) JOIN person USING (member) CROSS JOIN own
    ORDER BY 1, 2
"""
# The owner of the database may make a schema anyhow, and all in it.
_SCHEMA = """
    WITH trusted AS (
        SELECT oid FROM pg_roles WHERE rolsuper OR rolname = 'pg_database_owner'
        UNION ALL
        SELECT datdba FROM pg_database WHERE datname = current_database()
        UNION ALL
        SELECT relowner FROM pg_class WHERE oid = format('%%I.plot_checks', %(schema)s)::regclass
    )
    SELECT CASE grantee WHEN 0 THEN 'Everybody' ELSE grantee::regrole::text END,
        'may make things in the schema ' || nspname
    FROM pg_namespace, aclexplode(nspacl)
    WHERE nspname = %(schema)s AND privilege_type = 'CREATE' AND grantee <> nspowner
        AND grantee NOT IN (SELECT oid FROM trusted)
    UNION
    SELECT nspowner::regrole::text, 'owns the schema ' || nspname FROM pg_namespace
    WHERE nspname = %(schema)s AND nspowner NOT IN (SELECT oid FROM trusted)
    ORDER BY 1, 2
"""


def find(cursor: Cursor, schema: str) -> list[str]:
    """Return, as sentences, which roles could do what the audit doesn't stop; not those that must be trusted."""
    findings = []
    for statement in (_ROLES, _SCHEMA):
        cursor.execute(statement, {"schema": schema})
        findings += [f"{who} {what}" for who, what in cursor.fetchall() if what]
    return findings
