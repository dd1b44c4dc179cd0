"""What could keep a change out of the audit, or show something else than the tables: looked for in the catalogs.

Triggers that are switched off, rights that bypass the audit, search paths and settings of logins, rows in tables
that inherit from ours. The search path is pinned first, so nothing in front of the tables is asked.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.models.errors import SchemaMissing

AUDITED = {
    "plot_checks": ("date", "time", "lab_id", "plot"),
    "lab_checks": ("date", "time", "lab_id"),
    "plots": ("lab_id", "plot"),
    "labs": ("id",),
    "lab_members": ("lab_id", "member"),
    "lab_techs": ("id",),
    "local_weather": ("datetime",),
    "technician_logins": ("login",),
    "deliveries": ("id",),
    "schema_version": ("version",),
    "audit_baselines": ("table_name", "lab_id"),
    "lab_settings": ("id",),
    "value_marks": ("lab_id", "id"),
    "shift_notes": ("lab_id", "id"),
    "destinations": ("name",),
}
"""The tables whose changes are in the audit, each with the columns of its key."""

KEPT = ("kept_until", "kept_outliers", "kept_drift")
"""What QA's views have found out before; the audit needn't know, since it can be found out again."""

TABLES = (
    *AUDITED, "audit", "audit_heads", "journal_entries", "check_presence", "scheduled_deliveries", *KEPT,
    "notice_sources", "notices", "notice_readers",
    "shift_messages", "shift_message_readers", "delivery_receipts", "mailbox_messages",
    "alarm_calendar", "alarm_receivers", "alarms", "alarm_notices",
)  # fmt: skip
QA_VIEWS = (
    *("plot_readings", "outside_weather", "check_means", "completeness", "copied_records", "digit_preference"),
    *("growth", "changes", "weather_correlation", "control_chart", "reading_outliers", "sensor_drift", "entry_log"),
    "changed_since_kept",
    "climate_by_check",
)  # fmt: skip
VIEWS = ("data_record_view", "withdrawn_records", "check_presence_view", *QA_VIEWS)

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
        privilege_type <> 'SELECT' AND relname IN ('schema_version', 'audit', 'audit_heads', 'audit_baselines',
            'check_presence', 'lab_settings', 'value_marks', 'shift_notes', 'kept_until', 'kept_outliers', 'kept_drift',
            'notice_sources', 'notices', 'notice_readers',
            'scheduled_deliveries', 'shift_messages', 'shift_message_readers', 'delivery_receipts', 'mailbox_messages',
            'alarms', 'alarm_notices')
        OR relname = 'deliveries' AND privilege_type IN ('UPDATE', 'DELETE')
        OR relname = 'journal_entries' AND privilege_type IN ('UPDATE', 'DELETE')
        OR relname IN ('lab_members', 'technician_logins', 'destinations', 'alarm_calendar', 'alarm_receivers')
            AND privilege_type IN ('INSERT', 'UPDATE', 'DELETE')
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
    findings += _find_roles(cursor, schema)
    findings += _find_paths(cursor, schema, [*TABLES, *VIEWS])
    findings += [f"The triggers are off for {who}: session_replication_role is set"
                 for (who,) in _rows(cursor, _WITHOUT_TRIGGERS, bound)]  # fmt: skip
    if _rows(cursor, "SELECT FROM pg_class WHERE oid = to_regclass('pg_catalog.pg_parameter_acl')", bound):
        findings += [f"{who} may set session_replication_role, and so switch triggers off"
                     for (who,) in _rows(cursor, _MAY_SWITCH_OFF, bound)]  # fmt: skip
    return findings


def _rows(cursor: Cursor, statement: str, bound: dict[str, object]) -> list[tuple[str, ...]]:
    cursor.execute(statement, bound)
    return cursor.fetchall()


# Who could get past the audit by what the server lets roles do: the owner's rights, a superuser's, the schema's.

_PRIVILEGED = """
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


def _find_roles(cursor: Cursor, schema: str) -> list[str]:
    """Return, as sentences, which roles could do what the audit doesn't stop; not those that must be trusted."""
    findings = []
    for statement in (_PRIVILEGED, _SCHEMA):
        cursor.execute(statement, {"schema": schema})
        findings += [f"{who} {what}" for who, what in cursor.fetchall() if what]
    return findings


# Where a search path finds something else than the tables of ABQ Data Entry, read as PostgreSQL reads it.

_HOLDERS = """
    SELECT nspname::text, min(relname)::text FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE relname = ANY (%(names)s) AND nspname <> %(schema)s AND nspname !~ '^pg_(toast|temp)' GROUP BY nspname
"""
# What is set for one role or for all, for this database or for all; the role '' is everybody.
_SETTINGS = """
    SELECT coalesce(rolname, '')::text, substr(setting, 13)
    FROM pg_db_role_setting LEFT JOIN pg_roles ON pg_roles.oid = setrole
    LEFT JOIN pg_database ON pg_database.oid = setdatabase, unnest(setconfig) AS setting
    WHERE (setdatabase = 0 OR datname = current_database()) AND setting LIKE 'search_path=%'
        AND (setrole = 0) = (rolname IS NULL)
    ORDER BY 1, 2
"""
_OF_SERVER = "SELECT boot_val FROM pg_settings WHERE name = 'search_path'"
_OF_FILES = """
    SELECT setting FROM pg_file_settings WHERE name = 'search_path' AND error IS NULL ORDER BY seqno DESC LIMIT 1
"""
_MAY_READ_FILES = "SELECT has_table_privilege('pg_file_settings', 'SELECT') AND" \
    " has_function_privilege('pg_show_all_file_settings()', 'EXECUTE')"
_ROLES = "SELECT rolname::text FROM pg_roles"
_PART = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^",\s]+))\s*(?:,|$)')
_FOLDED = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_LONGEST_NAME = 63  # bytes


def _find_paths(cursor: Cursor, schema: str, names: Sequence[str]) -> list[str]:
    """Return, as sentences, which paths find one of those names in another schema than that one."""
    cursor.execute(_HOLDERS, {"schema": schema, "names": list(names)})
    holders: dict[str, str] = dict(cursor.fetchall())
    if not holders:
        return []
    cursor.execute(_SETTINGS)
    settings: list[tuple[str, str]] = cursor.fetchall()
    if all(who for who, _ in settings):
        settings.append(("", _path_of_the_server(cursor)))
    cursor.execute(_ROLES)
    others = {role for (role,) in cursor.fetchall()} - {who for who, _ in settings}
    found = []
    if "pg_catalog" in holders:
        found.append(f"Every search path finds {holders['pg_catalog']} in the schema pg_catalog first")
    for who, path in settings:
        for name in _before(split(path), schema, who):
            for each in sorted(others & holders.keys()) if name == "$user" and not who else [who or name]:
                place = name if name != "$user" else each
                if place in holders and place != schema:
                    whose = f"of {each}" if name == "$user" else f"set for {who or 'everybody'}"
                    found.append(f"The search path {whose} finds {holders[place]} in the schema {place} first")
    return list(dict.fromkeys(found))


def split(path: str) -> list[str]:
    """Return the names of a search path as PostgreSQL takes them: in small letters unless quoted, and cut off."""
    names = []
    place = 0
    while (part := _PART.match(path, place)) is not None:
        quoted, plain = part.groups()
        name = quoted.replace('""', '"') if plain is None else plain.translate(_FOLDED)
        names.append(name.encode()[:_LONGEST_NAME].decode(errors="ignore"))
        place = part.end()
    return names


def _before(names: Sequence[str], schema: str, who: str) -> Iterator[str]:
    for name in names:
        if name == schema or (name == "$user" and who == schema):
            return
        yield name


def _path_of_the_server(cursor: Cursor) -> str:
    cursor.execute(_MAY_READ_FILES)
    for statement in (_OF_FILES, _OF_SERVER) if cursor.fetchall() == [(True,)] else (_OF_SERVER,):
        cursor.execute(statement)
        if found := cursor.fetchall():
            break
    return str(found[0][0])
