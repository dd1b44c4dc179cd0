"""Verify the audit: the hash chain of each lab, the rows of the tables, and what could bypass the audit.

The hash of an entry is the SHA-256 (FIPS 180-4), in hexadecimal, of the previous entry's hash and the entry's content
as UTF-8. The content is PostgreSQL's text of a jsonb array (create_db.sql, audit_content). It is selected here again
and hashed by Python, so that functions that somebody changed in the database can't hide anything.

The catalogs are searched for disabled triggers, privileges that bypass the audit, search_path and other parameters set
for logins, and rows in tables that inherit from ours. The search_path is pinned first, so that objects in front of our
tables aren't used.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.models.errors import SchemaMissing
from abq_data_entry.models.extract import HEADS

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
"""Tables that cache the results of QA's slow views. They aren't audited, since they can be computed again."""

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

# The schema of our tables: public, unless somebody created them in another one.
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
_CHILD_TABLES = """
    SELECT inhrelid::regclass::text, relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhparent
    WHERE relnamespace = %(schema)s::regnamespace AND relname = ANY (%(names)s) ORDER BY 1
"""
# Casts between built-in types, whose OIDs are below 16384, the first of user-defined objects.
_CASTS = """
    SELECT castsource::regtype::text, casttarget::regtype::text FROM pg_cast
    WHERE oid >= 16384 AND castsource < 16384 AND casttarget < 16384 AND castcontext <> 'e' ORDER BY 1, 2
"""
# The privileges that create_db.sql revokes.
_PRIVILEGES = """
    SELECT DISTINCT CASE grantee WHEN 0 THEN 'Everybody' ELSE grantee::regrole::text END, privilege_type, relname
    FROM (
        SELECT relname, relnamespace, relowner, relacl AS privileges FROM pg_class
        UNION ALL
        SELECT relname, relnamespace, relowner, attacl FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE attacl IS NOT NULL
    ) AS granted, aclexplode(privileges)
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


def pin_search_path(cursor: Cursor) -> list[str]:
    """Set search_path to the schema of our tables for this transaction; return findings about tables in front of them.

    Raises `SchemaMissing` if there are none.
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


def find_bypasses(cursor: Cursor) -> list[str]:
    """Return, as sentences, what could bypass the audit; `pin_search_path` comes first."""
    cursor.execute("SELECT current_schema()")
    ((schema,),) = cursor.fetchall()
    bound = {"schema": schema, "names": [*TABLES, *VIEWS]}
    switched_off = _rows_of(cursor, _SWITCHED_OFF, bound)
    findings = [f"The trigger {name} of {table} is switched off" for name, table in switched_off]
    findings += [f"{table} belongs to {owner}, unlike plot_checks"
                 for table, owner in _rows_of(cursor, _OTHER_OWNERS, bound)]  # fmt: skip
    findings += [f"The rows of {child} show as rows of {table}"
                 for child, table in _rows_of(cursor, _CHILD_TABLES, bound)]  # fmt: skip
    findings += [f"The cast from {source} to {target} isn't PostgreSQL's own"
                 for source, target in _rows_of(cursor, _CASTS, bound)]  # fmt: skip
    findings += [f"{who} may {right} on {table}" for who, right, table in _rows_of(cursor, _PRIVILEGES, bound)]
    findings += _find_roles(cursor, schema)
    findings += _find_paths(cursor, schema, [*TABLES, *VIEWS])
    findings += [f"The triggers are off for {who}: session_replication_role is set"
                 for (who,) in _rows_of(cursor, _WITHOUT_TRIGGERS, bound)]  # fmt: skip
    if _rows_of(cursor, "SELECT FROM pg_class WHERE oid = to_regclass('pg_catalog.pg_parameter_acl')", bound):
        findings += [f"{who} may set session_replication_role, and so switch triggers off"
                     for (who,) in _rows_of(cursor, _MAY_SWITCH_OFF, bound)]  # fmt: skip
    return findings


def _rows_of(cursor: Cursor, statement: str, bound: dict[str, object]) -> list[tuple[str, ...]]:
    cursor.execute(statement, bound)
    return cursor.fetchall()


# Who could bypass the audit through roles: as the owner, as a superuser, or with CREATE on the schema.

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
# The owner of the database may create schemas anyway, and anything in them.
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
    """Return, as sentences, which roles could bypass the audit, except those that have to be trusted."""
    findings = []
    for statement in (_PRIVILEGED, _SCHEMA):
        cursor.execute(statement, {"schema": schema})
        findings += [f"{who} {what}" for who, what in cursor.fetchall() if what]
    return findings


# Whether a search_path, read as PostgreSQL reads it, finds other objects than those of ABQ Data Entry.

_HOLDERS = """
    SELECT nspname::text, min(relname)::text FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE relname = ANY (%(names)s) AND nspname <> %(schema)s AND nspname !~ '^pg_(toast|temp)' GROUP BY nspname
"""
# Parameters set for one role or all (role ''), for this database or all.
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
    """Return, as sentences, which search paths find one of those names in another schema than `schema`."""
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
    """Return the names in a search_path as PostgreSQL reads them: in lower case unless quoted, and truncated."""
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


_BLOCK = 2000
_HEAD = re.compile(r"(\S) (\d{1,18}) ([0-9a-f]{64})")
_CONTENT = """
    (jsonb_build_array(lab_id, sequence, table_name, key, operation, old, new, database_user, application_user,
        workstation, to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), transaction, reason)
    || CASE WHEN typed IS NULL THEN '[]' ELSE
        jsonb_build_array(to_char(typed AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) END)::text
"""
_ENTRIES = f"SELECT lab_id::text, sequence, previous_hash, hash, {_CONTENT} FROM audit ORDER BY lab_id, sequence"
_HIDES = (
    "The chain - holds entries of a lab that this login doesn't see, so it was not checked; abq_qa and the owner of the"
    " database see all of it"
)
# A minute: clocks are corrected by that much.
_SET_BACK = """
    SELECT DISTINCT ON (lab_id) lab_id::text, sequence, moment::text, before::text
    FROM (
        SELECT lab_id, sequence, moment, lag(moment) OVER (PARTITION BY lab_id ORDER BY sequence) AS before FROM audit
    ) AS entry
    WHERE moment < before - interval '1 minute' ORDER BY lab_id, sequence
"""


class Verdict(NamedTuple):
    """The result of a verification: the number of entries, and the first break of each chain (empty: all are intact).

    `findings`: sentences about what could bypass the audit, or show other rows than those of the tables.
    `not_compared`: why the definitions in the database weren't compared with create_db.sql; '' if they were.
    `notes`: sentences about what somebody should look at, though it may be all right.
    """

    entries: int
    breaks: tuple[Break, ...]
    findings: tuple[str, ...] = ()
    not_compared: str = ""
    notes: tuple[str, ...] = ()

    def printable(self) -> Verdict:
        """Return a copy without control characters, which the database may contain."""
        breaks = tuple(Break(_printable(each.lab), each.sequence, _printable(each.reason)) for each in self.breaks)
        findings, notes = (tuple(map(_printable, each)) for each in (self.findings, self.notes))
        return Verdict(self.entries, breaks, findings, _printable(self.not_compared), notes)


def parse_heads(line: str) -> dict[tuple[str, int], str]:
    """Return the hashes in a line of heads, by lab and entry number; raises `ValueError` if it isn't one."""
    found: dict[tuple[str, int], str] = {}
    for part in filter(str.strip, line.split(";")):
        matched = _HEAD.fullmatch(part.strip())
        if matched is None:
            raise ValueError(f"{part.strip()!r} isn't a head of the audit: a lab, a number and a hash are expected.")
        found[matched[1], int(matched[2])] = matched[3]
    return found


def verify(cursor: Cursor, witnesses: Mapping[tuple[str, int], str] | None = None) -> Verdict:
    """Recompute every hash, and compare the last entries with the heads and with the rows of the tables.

    `witnesses`: hashes that were sent with deliveries, by lab and entry number: a replaced chain can't contain those.
    """
    findings = pin_search_path(cursor)
    cursor.execute(HEADS)
    heads = {lab: (int(sequence), str(digest)) for lab, sequence, digest in cursor.fetchall()}
    missing = dict(witnesses or {})
    breaks: dict[str, Break] = {}
    reached: dict[str, tuple[int, str]] = {}
    entries = 0
    cursor.execute("SELECT hides_entries(current_user)")
    ((hides,),) = cursor.fetchall()
    if hides:  # an older database has a lab of that letter, whose entries this login can't see
        heads.pop("-", None)
        missing = {(lab, sequence): digest for (lab, sequence), digest in missing.items() if lab != "-"}
    for lab, sequence, previous, digest, content in _rows(cursor):
        entries += 1
        if hides and lab == "-":
            continue
        if missing.get((lab, int(sequence))) == digest:
            del missing[lab, int(sequence)]
        if lab in breaks:
            continue
        last, hash_before = reached.get(lab, (0, ""))
        if reason := _wrong(sequence, previous, digest, content, last, hash_before):
            breaks[lab] = Break(lab, int(sequence), reason)
        reached[lab] = int(sequence), str(digest)
    for lab in sorted(heads.keys() | reached.keys()):
        if lab not in breaks and heads.get(lab) != reached.get(lab):
            number = max(sequence for sequence, _ in filter(None, (heads.get(lab), reached.get(lab))))
            breaks[lab] = Break(lab, number, "the chain doesn't end where its head says")
    for lab, sequence in sorted(missing):
        reason = "it isn't the entry that went with a delivery"
        if sequence > (last := reached.get(lab, (0, ""))[0]):
            reason = f"it went with a delivery and is gone: the chain ends with entry {last}"
        breaks.setdefault(lab, Break(lab, sequence, reason))
    if not breaks:
        for each in find_breaks(cursor):
            breaks.setdefault(each.lab, each)
    findings += find_bypasses(cursor)
    notes = (*_set_back(cursor), *([_HIDES] if hides else []))
    return Verdict(entries, tuple(breaks[lab] for lab in sorted(breaks)), tuple(findings), notes=notes)


def _set_back(cursor: Cursor) -> tuple[str, ...]:
    """Return a note about the first entry of each chain whose time is earlier than the previous one's."""
    cursor.execute("SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'")
    cursor.execute(_SET_BACK)
    return tuple(
        f"Lab {lab}, entry {sequence}: its moment, {moment}, is before that of the entry before it, {before}. Either"
        " the clock of the server was set back, or somebody added it without the triggers"
        for lab, sequence, moment, before in cursor.fetchall()
    )


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _wrong(sequence: int, previous: str, digest: str, content: str, last: int, hash_before: str) -> str:
    if sequence != last + 1:
        return f"the entry {last + 1} is missing"
    if previous != hash_before:
        return "it doesn't follow the entry before it"
    if hashlib.sha256((previous + content).encode()).hexdigest() != digest:
        return "its content was changed"
    return ""


def _rows(cursor: Cursor) -> Iterator[tuple[str, int, str, str, str]]:
    """Yield the entries with a server-side cursor, in the transaction of `cursor`."""
    with cursor.connection.cursor() as own:
        own.execute(f"DECLARE audit_walk NO SCROLL CURSOR FOR {_ENTRIES}")
        while True:
            own.execute(f"FETCH {_BLOCK} FROM audit_walk")
            block = own.fetchall()
            yield from block
            if len(block) < _BLOCK:
                break
        own.execute("CLOSE audit_walk")


# Compare the rows of the tables with the audit: each has to match its last entry, and none may lack an entry.
#
# Rows from before the audit began have no entries: audit_baselines, which is itself audited, has their number and a sum
# of their hashes. Nothing here trusts a text of the audit: keys are compared as JSON, and never cast to dates or
# numbers.

_MOST_NAMED = 200  # characters of a key in a message: it may be of any length
# A row may have more columns than its entry: those that were added to the table later.
_DIFFERING = """
    SELECT last.lab_id::text, last.sequence, last.key::text
    FROM (
        SELECT DISTINCT ON (key) lab_id, sequence, key, new FROM audit WHERE table_name = %(table)s
        ORDER BY key, sequence DESC
    ) AS last
    LEFT JOIN (SELECT {content} AS content, {key} AS key FROM {rows} AS each) AS present USING (key)
    WHERE (present.content IS NULL) <> (last.new IS NULL)
        OR CASE jsonb_typeof(last.new) WHEN 'object'
            THEN NOT present.content @> (last.new - 'outdated' - %(hidden)s::text[])
            ELSE last.new IS NOT NULL END
    ORDER BY last.lab_id, last.sequence LIMIT 1
"""
# The rows that had no entry when the audit began: those that still have none, and the old row of each first entry.
_WITHOUT_ENTRY = """
    WITH present AS (
        SELECT {lab} AS lab_id, {content} AS content, {key} AS key FROM {rows} AS each
    ), without AS (
        SELECT lab_id, content, key::text AS named FROM present
        WHERE NOT EXISTS (SELECT FROM audit WHERE audit.key = present.key AND audit.table_name = %(table)s)
        UNION ALL
        SELECT first.lab_id::text, CASE jsonb_typeof(old) WHEN 'object' THEN old ELSE '{{}}' END, NULL
        FROM (
            SELECT DISTINCT ON (key) lab_id, sequence, operation, old FROM audit WHERE table_name = %(table)s
            ORDER BY key, sequence
        ) AS first
        WHERE operation <> 'INSERT' AND sequence > coalesce((
            SELECT sequence FROM audit_baselines WHERE table_name = %(table)s AND audit_baselines.lab_id = first.lab_id
        ), 0)
    ), hashed AS (
        SELECT lab_id, named, encode(sha256(convert_to((content - %(newer)s::text[])::text, 'UTF8')), 'hex') AS hash
        FROM without
    )
    SELECT lab_id, count(*), concat_ws(' ',
            sum(('x' || substr(hash, 1, 16))::bit(64)::bigint), sum(('x' || substr(hash, 17, 16))::bit(64)::bigint),
            sum(('x' || substr(hash, 33, 16))::bit(64)::bigint), sum(('x' || substr(hash, 49, 16))::bit(64)::bigint)
        ), max(named)
    FROM hashed GROUP BY lab_id ORDER BY lab_id
"""
_BASELINES = "SELECT lab_id::text, rows, digest, columns FROM audit_baselines WHERE table_name = %s"
_COLUMNS = """
    SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""
# If labs are kept apart, some columns of deliveries, which are about all labs, can't be read by everybody.
_HIDDEN = """
    SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
        AND NOT has_column_privilege(attrelid, attnum, 'SELECT')
"""
# The same as audit_row of create_db.sql: the function in the database may have been replaced.
_ROW_CONTENT = {
    "deliveries": """
        CASE WHEN to_jsonb(each) ->> 'audit_head' IS NULL THEN to_jsonb(each) ELSE to_jsonb(each) || jsonb_build_object(
            'audit_head', encode(sha256(convert_to(to_jsonb(each) ->> 'audit_head', 'UTF8')), 'hex')) END
    """
}
_REMADE = """
    SELECT min(lab_id)::text, max(sequence), key ->> 'table_name' FROM audit WHERE table_name = 'audit_baselines'
    GROUP BY key -> 'table_name', key ->> 'table_name'
    HAVING count(DISTINCT transaction) > 1 OR bool_or(operation <> 'INSERT') ORDER BY 3
"""
_FOREIGN = """
    SELECT DISTINCT ON (lab_id) lab_id::text, sequence, table_name FROM audit WHERE table_name <> ALL (%s)
    ORDER BY lab_id, sequence
"""


class Break(NamedTuple):
    """Where a chain is broken: the lab, the number of the entry (0: none), and what is wrong, as a sentence."""

    lab: str
    sequence: int
    reason: str


def find_breaks(cursor: Cursor) -> Iterator[Break]:
    """Yield the first row of each table that was changed without the audit, and entries that can't be ours."""
    cursor.execute("SET LOCAL timezone = 'UTC'")  # as the entries have it
    # With outdated statistics the planner would consider a nested loop cheap, and that would run for hours.
    cursor.execute("SET LOCAL enable_nestloop = off")
    cursor.execute(_FOREIGN, [list(AUDITED)])
    for lab, sequence, table in cursor.fetchall():
        yield Break(lab, int(sequence), f"it is about {_named(table)}, of which the audit keeps nothing")
    cursor.execute(_REMADE)
    for lab, sequence, table in cursor.fetchall():
        yield Break(lab, int(sequence), f"what {_named(table)} held when the audit began was written again")
    for table, key in AUDITED.items():
        rows = _Rows.of(cursor, table, key)
        yield from itertools.chain(_without_entry(cursor, rows), _differing(cursor, rows))


class _Rows(NamedTuple):
    """A table and its columns, for the statements above; `hidden` are those that this login may not read."""

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    hidden: tuple[str, ...]

    @classmethod
    def of(cls, cursor: Cursor, table: str, key: tuple[str, ...]) -> _Rows:
        cursor.execute(_COLUMNS, [table])
        columns = [name for (name,) in cursor.fetchall()]
        cursor.execute(_HIDDEN, [table])
        hidden = [name for (name,) in cursor.fetchall()]
        return cls(table, key, tuple(name for name in columns if name not in hidden), tuple(hidden))

    def written_into(self, statement: str) -> str:
        readable = ", ".join(f'"{name}"' for name in self.columns)
        pairs = ", ".join(f"'{name}', each.{name}" for name in self.key)
        return statement.format(
            table=self.table,
            rows=f"(SELECT {readable} FROM {self.table})" if self.hidden else self.table,
            key=f"jsonb_build_object({pairs})",
            lab="lab_id::text" if "lab_id" in self.key else "id::text" if self.table == "labs" else "'-'",
            content=_ROW_CONTENT.get(self.table, "to_jsonb(each)"),
        )


def _differing(cursor: Cursor, rows: _Rows) -> Iterator[Break]:
    cursor.execute(rows.written_into(_DIFFERING), {"table": rows.table, "hidden": list(rows.hidden)})
    for lab, sequence, row in cursor.fetchall():
        yield Break(lab, int(sequence), f"the row {_named(row)} of {rows.table} isn't as this entry left it")


def _without_entry(cursor: Cursor, rows: _Rows) -> Iterator[Break]:
    table = rows.table
    cursor.execute(_BASELINES, [table])
    baselines = {lab: (int(number), str(digest), names) for lab, number, digest, names in cursor.fetchall()}
    known: list[str] = []
    if "-" in baselines:
        known = baselines["-"][2]
    elif table != "audit_baselines":
        yield Break("-", 0, f"what {table} held when the audit began is no longer known")
        return
    newer = [name for name in rows.columns if name not in known]
    cursor.execute(rows.written_into(_WITHOUT_ENTRY), {"table": table, "newer": newer})
    found = {lab: (int(count), str(digest), row) for lab, count, digest, row in cursor.fetchall()}
    for lab in sorted(found.keys() | baselines.keys()):
        count, digest, row = found.get(lab, (0, "", None))
        had, was, _ = baselines.get(lab, (0, "", ()))
        if count > had:
            also = f" and {had} had none when the audit began" if had else ""
            yield Break(lab, 0, f"the row {_named(row)} of {table} has no entry" if count - had == 1 and not had else
                        f"{count} rows of {table} have no entry{also}, such as the row {_named(row)}")  # fmt: skip
        elif count < had:
            yield Break(lab, 0, f"{had - count} rows of {table} from before the audit are gone without an entry")
        elif digest != was and not rows.hidden:
            yield Break(lab, 0, f"a row of {table} from before the audit isn't as it was then")


def _named(text: object) -> str:
    name = str(text)
    return name if len(name) <= _MOST_NAMED else f"{name[:_MOST_NAMED]}…"
