"""The schema: its version, creating and migrating it with `create_db.sql`, and comparing its definitions with that.

And privileges: what a login may do, the roles, and labs that are kept apart.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial

import psycopg2
from psycopg2.extensions import cursor as Cursor

from abq_data_entry.constants import SCHEMA_VERSION
from abq_data_entry.folders import bundled_file
from abq_data_entry.models.auditing import TABLES, VIEWS, pin_search_path
from abq_data_entry.models.connections import Connections
from abq_data_entry.models.errors import (
    DatabaseError,
    PrivilegeMissing,
    SchemaMissing,
    SchemaTooNew,
    describe_statement,
)
from abq_data_entry.models.records import Privileges
from abq_data_entry.waits import UNLIMITED

VERSION = SCHEMA_VERSION
"""The version that `create_db.sql` creates; it is in that file, too."""

_RAISED_BY_SCRIPT = ("P0001", "0A000")

_TABLES = (
    "schema_version", "lab_techs", "labs", "plots", "lab_checks", "plot_checks", "local_weather", "data_record_view",
)  # fmt: skip


def installed_version(cursor: Cursor) -> int | None:
    """Return the version of the schema, 0 for the first one, which had no version, `None` if there are no tables.

    Raises `PrivilegeMissing` if this user may not read the tables.
    """
    _require_reading(cursor)
    cursor.execute("SELECT to_regclass('schema_version') IS NOT NULL, to_regclass('plot_checks') IS NOT NULL")
    ((has_version, has_tables),) = cursor.fetchall()
    if not has_version:
        return 0 if has_tables else None
    cursor.execute("SELECT max(version) FROM schema_version")
    ((version,),) = cursor.fetchall()
    return int(version) if version is not None else 0


def prepare(endpoint: Mapping[str, str], before: Callable[[int], object] | None = None) -> bool:
    """Create the schema, or migrate it to this version; False if nothing had to be done.

    `before(version)` is called before an older version is migrated, to make a backup; if it raises, nothing is changed.
    Several processes may call this at once. Raises `SchemaTooNew`, and `PrivilegeMissing`, with what an administrator
    has to run, if this user may not create tables.
    """
    with closing(Connections(endpoint)) as connections:
        version = connections.read(installed_version)
        _refuse_newer(version)
        if version == VERSION:
            return False
        connections.read(refuse_encoding)
        if version is not None and before is not None:
            before(version)
        apply(connections)
        return True


def require_encoding(endpoint: Mapping[str, str]) -> None:
    """Raise `DatabaseError` if the database can't hold every name and note."""
    with closing(Connections(endpoint)) as connections:
        connections.read(refuse_encoding)


def check(cursor: Cursor, endpoint: Mapping[str, str]) -> None:
    """Raise `SchemaMissing`, `SchemaTooNew` or `PrivilegeMissing` if this user can't work with the tables."""
    version = installed_version(cursor)
    _refuse_newer(version)
    if version != VERSION:
        state = "are missing in" if version is None else "are of an older version in"
        raise SchemaMissing(
            f"The tables of ABQ Data Entry {state} the database {endpoint.get('dbname', '')}. {_instruction(endpoint)}"
        )


def _require_reading(cursor: Cursor) -> None:
    cursor.execute(
        "SELECT name FROM unnest(%s) AS name WHERE NOT has_table_privilege(to_regclass(name), 'SELECT')",
        (list(_TABLES),),
    )
    missing = [name for (name,) in cursor.fetchall()]
    if missing:
        raise PrivilegeMissing(
            f"This user may not read {', '.join(missing)}. An administrator has to give it a role: GRANT"
            f' abq_technician TO "{_user(cursor)}"; (to enter records; abq_qa reads them).'
        )


def apply(connections: Connections) -> None:
    """Run `create_db.sql`, whatever is there. Raises `DatabaseError`, `PrivilegeMissing`."""
    script, endpoint = bundled_file("create_db.sql").read_text(encoding="utf-8"), connections.endpoint
    try:
        # The script is one transaction, and sets its own lock_timeout; migrating a large database takes long.
        connections.run_script(script)
    except psycopg2.errors.InsufficientPrivilege as error:
        detail = error.diag.message_primary or ""
        wanted = connections.read(_missing_grant)
        what = f"A superuser has to run this in the database first: {wanted}" if wanted else _instruction(endpoint)
        raise PrivilegeMissing(f"This user may not make the tables of ABQ Data Entry. {what}", detail) from None
    except psycopg2.errors.LockNotAvailable as error:
        raise DatabaseError(
            "The database was not changed: somebody has a transaction open there, for a report or a backup. Wait until"
            " it has ended, or end it, and try again.",
            str(error),
        ) from None
    except psycopg2.Error as error:
        if error.pgcode in _RAISED_BY_SCRIPT:
            hint = error.diag.message_hint or ""
            raise DatabaseError(
                f"The database could not be brought to this version: {error.diag.message_primary} {hint}".strip(),
                error.diag.message_detail or "",
            ) from None
        raise describe_statement(error, endpoint) from None


def _missing_grant(cursor: Cursor) -> str:
    """Return the statement that grants this user the privilege to create tables, '' if it has that."""
    cursor.execute(
        "SELECT format('GRANT USAGE, CREATE ON SCHEMA public TO %I;', current_user) WHERE current_schema() IS NULL"
        " OR NOT has_schema_privilege(current_schema(), 'CREATE')"
    )
    found = cursor.fetchall()
    return str(found[0][0]) if found else ""


def refuse_encoding(cursor: Cursor) -> None:
    """Raise `DatabaseError` if the database can't hold every name and note."""
    cursor.execute("SELECT pg_encoding_to_char(encoding), datname FROM pg_database WHERE datname = current_database()")
    ((encoding, name),) = cursor.fetchall()
    if encoding != "UTF8":
        raise DatabaseError(
            f"The database {name} is encoded as {encoding}, which doesn't hold every name and note. Make one in UTF-8:"
            f" createdb --encoding UTF8 --template template0 {name} (a dump of the old one can be restored into it)."
        )


def _refuse_newer(version: int | None) -> None:
    if version is not None and version > VERSION:
        raise SchemaTooNew(
            f"A newer version of ABQ Data Entry made this database (version {version}, this one knows {VERSION})."
            " Install the newer version on this computer."
        )


def _instruction(endpoint: Mapping[str, str]) -> str:
    return (
        "An administrator has to apply the schema once, with `abq-data-entry db init` or"
        f" `psql --dbname {endpoint.get('dbname', 'abq')} --file create_db.sql`."
    )


def _user(cursor: Cursor) -> str:
    cursor.execute("SELECT current_user")
    ((user,),) = cursor.fetchall()
    return str(user)


# Compare the definitions in the database with those of create_db.sql, run in a temporary schema of the same database.
#
# That schema is created and rolled back in one transaction. This needs the privilege CREATE on the database.


# So that definitions are created and printed alike, whatever parameters are set for the login, database or server.
_ALIKE = """
    SET LOCAL statement_timeout = 0;
    SET LOCAL timezone = 'UTC';
    SET LOCAL datestyle = 'ISO, YMD';
    SET LOCAL intervalstyle = 'postgres';
    SET LOCAL extra_float_digits = 1;
    SET LOCAL bytea_output = 'hex';
    SET LOCAL quote_all_identifiers = off;
    SET LOCAL standard_conforming_strings = on;
    SET LOCAL transform_null_equals = off;
    SET LOCAL check_function_bodies = on;
    SET LOCAL default_tablespace = '';
    SET LOCAL default_table_access_method = 'heap';
    SELECT set_config(name, '', true) FROM pg_catalog.pg_settings WHERE name = 'restrict_nonsystem_relation_kind';
"""
_MAY_MAKE = """
    SELECT has_database_privilege(oid, 'CREATE') OR pg_has_role(datdba, 'USAGE')
    FROM pg_database WHERE datname = current_database()
"""
# Each row: a name for messages, and the definition. Names of the schema are printed, and removed here. Objects of an
# extension are left out only if a superuser owns them and they are for types of their own, so that they can't replace
# PostgreSQL's: users may add objects to an extension that they own.
_DEFINITIONS = """
    SELECT format('the function %%s(%%s)', proname, pg_get_function_identity_arguments(p.oid)), concat_ws(E'\\n',
        pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), lanname, prosecdef, provolatile, proparallel,
        proisstrict, proleakproof, proconfig::text, prosrc, probin, proowner = (
            SELECT relowner FROM pg_class WHERE relnamespace = pronamespace AND relname = 'plot_checks'
        ))
    FROM pg_proc AS p JOIN pg_language AS l ON l.oid = prolang
    WHERE pronamespace = %(schema)s::regnamespace
        AND NOT (
            EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')
            AND EXISTS (SELECT FROM pg_roles WHERE pg_roles.oid = proowner AND rolsuper)
            AND EXISTS (
                SELECT FROM pg_proc AS there
                WHERE there.pronamespace = 'pg_catalog'::regnamespace AND there.proname = p.proname AND (
                    there.proargtypes = p.proargtypes
                    OR EXISTS (SELECT FROM unnest(p.proargtypes::oid[]) AS kind WHERE kind >= %(first)s)
                )
            )
        )
    UNION ALL
    SELECT format('the operator %%s (%%s, %%s)', oprname, oprleft::regtype, oprright::regtype), ''
    FROM pg_operator AS o
    WHERE oprnamespace = %(schema)s::regnamespace AND EXISTS (
            SELECT FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprname = o.oprname
        ) AND NOT (
            EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_operator'::regclass AND objid = o.oid AND deptype = 'e')
            AND EXISTS (SELECT FROM pg_roles WHERE pg_roles.oid = oprowner AND rolsuper)
            AND (greatest(oprleft, oprright) >= %(first)s OR oprname <> ALL (%(plain)s))
        )
    UNION ALL
    SELECT format('the view %%s', relname), concat_ws(E'\\n', pg_get_viewdef(oid), (
        SELECT string_agg(CASE option WHEN 'security_barrier=t' THEN 'security_barrier=true' ELSE option END, ',')
        FROM unnest(reloptions) AS option WHERE option !~ '^security_barrier=f'
    ))
    FROM pg_class WHERE relnamespace = %(schema)s::regnamespace AND relname = ANY (%(views)s)
    UNION ALL
    SELECT format('the trigger %%s of %%s', tgname, relname), pg_get_triggerdef(t.oid)
    FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = tgrelid
    WHERE relnamespace = %(schema)s::regnamespace AND relname = ANY (%(names)s) AND NOT tgisinternal
    UNION ALL
    SELECT format('the rule %%s of %%s', rulename, relname), pg_get_ruledef(r.oid)
    FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = ev_class
    WHERE relnamespace = %(schema)s::regnamespace AND relname = ANY (%(names)s) AND rulename <> '_RETURN'
    UNION ALL
    SELECT format('the policy %%s of %%s', polname, relname), concat_ws(E'\\n', polcmd, polpermissive, polroles::text,
        pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
    FROM pg_policy JOIN pg_class AS c ON c.oid = polrelid
    WHERE relnamespace = %(schema)s::regnamespace AND relname = ANY (%(names)s)
    UNION ALL
    SELECT format('the table %%s', relname),
        concat_ws(' ', relkind, relpersistence, relrowsecurity, relforcerowsecurity)
    FROM pg_class WHERE relnamespace = %(schema)s::regnamespace AND relname = ANY (%(names)s) AND relkind <> 'v'
    UNION ALL
    SELECT format('the column %%s of %%s', attname, relname), concat_ws(' ', format_type(atttypid, atttypmod),
        attnotnull, attgenerated, attidentity, pg_get_expr(adbin, adrelid))
    FROM pg_class AS c JOIN pg_attribute AS a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_attrdef ON adrelid = c.oid AND adnum = attnum
    WHERE relnamespace = %(schema)s::regnamespace AND relname = ANY (%(names)s) AND relkind <> 'v'
    UNION ALL
    SELECT DISTINCT
        format('the constraint %%s of %%s', replace(pg_get_constraintdef(k.oid), ' NOT VALID', ''), relname), ''
    FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = conrelid
    WHERE relnamespace = %(schema)s::regnamespace AND relname = ANY (%(names)s) AND contype IN ('c', 'f', 'p', 'u', 'x')
"""
_HIDING = "SELECT DISTINCT proname::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
_FIRST_OF_USERS = 16384  # OIDs below it are PostgreSQL's own
_PLAIN_OPERATORS = ["=", "<>", "<", ">", "<=", ">=", "||", "->", "->>", "~", "!~"]
_UNWANTED = ("the operator ", "the trigger ", "the rule ", "the policy ")
_ENDS = re.compile(r"^(?:BEGIN|COMMIT);$", re.MULTILINE)
_WIDE = re.compile(r"text|character varying(?:\((\d+)\))?")


def compare(connections: Connections) -> tuple[tuple[str, ...], str]:
    """Return sentences about definitions that differ from create_db.sql, and why none were compared ('' if they were).

    If comparing fails for a login that may create schemas, that is one of the sentences: what makes it fail could have
    been put there to hide something.
    """

    def run(cursor: Cursor) -> tuple[tuple[str, ...], str]:
        try:
            cursor.execute("SET LOCAL transaction_read_only = off")  # has to come first in the transaction
        except psycopg2.errors.FeatureNotSupported:
            cursor.connection.rollback()
            return (), "this server is a standby, where nothing can be made"
        cursor.execute(_ALIKE)
        pin_search_path(cursor)
        cursor.execute("SELECT current_schema(), relrowsecurity FROM pg_class WHERE oid = 'plot_checks'::regclass")
        ((schema, apart),) = cursor.fetchall()
        cursor.execute(_MAY_MAKE)
        if cursor.fetchall() != [(True,)]:
            return (), "this login may make no schema in the database"
        cursor.execute(_HIDING)
        of_server = {str(name) for (name,) in cursor.fetchall()}
        present = _definitions(cursor, schema)
        try:
            wanted = _made(cursor, apart)
        except psycopg2.Error as error:
            reason = (error.diag.message_primary or type(error).__name__).rstrip(".")
            return (f"Views, functions, triggers and constraints could not be compared: {reason}",), ""
        finally:
            cursor.connection.rollback()
        return _differences(present, wanted, of_server), ""

    return connections.write(run, UNLIMITED)


def _made(cursor: Cursor, apart: bool) -> dict[str, str]:
    """Run create_db.sql in a schema of its own, and return the definitions there."""
    schema = f"abq_compared_{secrets.token_hex(6)}"
    cursor.execute(f"CREATE SCHEMA {schema}; SET LOCAL search_path = {schema}, pg_temp")
    cursor.execute(_ENDS.sub("", bundled_file("create_db.sql").read_text(encoding="utf-8")))
    if apart:
        cursor.execute("SELECT restrict_labs(true)")
    return _definitions(cursor, schema)


def _definitions(cursor: Cursor, schema: str) -> dict[str, str]:
    cursor.execute("SET LOCAL search_path = pg_catalog")
    quoted = _quoted(cursor, schema)
    bound = {"schema": quoted, "names": [*TABLES, *VIEWS], "views": list(VIEWS)}
    cursor.execute(_DEFINITIONS, {**bound, "first": _FIRST_OF_USERS, "plain": _PLAIN_OPERATORS})
    place = re.compile(rf"(?<!\w){re.escape(quoted)}(?:\.|(?=,))")
    return {place.sub("", name): place.sub("", definition) for name, definition in cursor.fetchall()}


def _quoted(cursor: Cursor, name: str) -> str:
    cursor.execute("SELECT quote_ident(%s)", [name])
    ((quoted,),) = cursor.fetchall()
    return str(quoted)


def _differences(present: Mapping[str, str], wanted: Mapping[str, str], of_server: set[str]) -> tuple[str, ...]:
    found = []
    for name, definition in wanted.items():
        if name not in present:
            found.append(f"{_capital(name)} is missing")
        elif present[name] != definition and not _is_wider(name, present[name]):
            found.append(f"{_capital(name)} isn't as create_db.sql makes it")
    own = {_function(name) for name in wanted} - {""}
    for name, definition in present.items():
        if name in wanted:
            continue
        if name.startswith(_UNWANTED) or _function(name) in own | of_server:
            found.append(f"{_capital(name)} isn't one of create_db.sql")
        elif name.startswith("the column ") and re.match(r".* t\s*$", definition):
            found.append(f"{_capital(name)} isn't one of create_db.sql, and may not be empty")
    return tuple(sorted(found))


def _function(name: str) -> str:
    return name.removeprefix("the function ").partition("(")[0] if name.startswith("the function ") else ""


def _is_wider(name: str, definition: str) -> bool:
    """Return whether it is the column for conditions with more than 128 characters, which is allowed."""
    kind = _WIDE.match(definition)
    return name == "the column conditions of local_weather" and kind is not None and int(kind[1] or 128) >= 128


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


# What a login may do in the database, by the server's privilege functions.

_READ = """
    SELECT has_table_privilege('plot_checks', 'INSERT') AND has_column_privilege('plot_checks', 'plants', 'UPDATE')
            AND has_table_privilege('lab_checks', 'INSERT'),
        has_function_privilege('record_deliveries(jsonb)', 'EXECUTE'),
        has_table_privilege('local_weather', 'INSERT'),
        has_table_privilege('lab_techs', 'INSERT') AND has_table_privilege('plots', 'UPDATE')
            AND has_table_privilege('labs', 'INSERT'),
        all_of_it AND (rolsuper OR rolcreatedb),
        all_of_it AND (rolsuper OR (rolcreatedb AND pg_has_role(datdba, 'USAGE'))),
        coalesce(cardinality(seen_labs(current_user)) > 0, true),
        may_mark()
    FROM pg_roles, pg_database,
        (SELECT pg_has_role(relowner, 'USAGE') AS all_of_it FROM pg_class WHERE oid = 'plot_checks'::regclass) AS tables
    WHERE rolname = current_user AND datname = current_database()
"""
# A backup is verified in a scratch database, and a restore replaces this database: both need CREATEDB. If labs are kept
# apart, `seen_labs` returns those of the login, else NULL.


def read_privileges(cursor: Cursor) -> Privileges:
    """Return what the current user may do (PostgreSQL manual, Access Privilege Inquiry Functions)."""
    cursor.execute(_READ)
    return Privileges(*cursor.fetchall()[0])


# Roles of the database, and labs that are kept apart. For the owner and for administrators.

ROLES = ("abq_technician", "abq_supervisor", "abq_qa")


def grant(endpoint: Mapping[str, str]) -> None:
    """Create missing roles and grant the roles their privileges; idempotent.

    Raises `SchemaMissing` if the schema has another version, and `PrivilegeMissing` if the roles can't be created.
    """
    with closing(Connections(endpoint)) as connections:
        connections.read(partial(check, endpoint=connections.endpoint))
        apply(connections)
        missing = connections.read(_missing_roles)
    if missing:
        raise PrivilegeMissing(
            f"The roles {', '.join(missing)} are missing on this server, and this user may not make roles. A superuser"
            f" has to make them once, in the database postgres: {' '.join(f'CREATE ROLE {each};' for each in missing)}"
            " Then again: abq-data-entry db grant."
        )


def restrict_labs(endpoint: Mapping[str, str], wanted: bool) -> None:
    """Turn the separation of labs on or off. Raises `PrivilegeMissing` unless this login owns the tables."""
    _write(endpoint, lambda cursor: cursor.execute("SELECT restrict_labs(%s)", [wanted]))


def set_labs(endpoint: Mapping[str, str], member: str, labs: Sequence[str]) -> None:
    """Set the labs that a login, or a group role, belongs to; an empty sequence: none.

    Raises `DatabaseError` for an unknown role or lab.
    """

    def run(cursor: Cursor) -> None:
        cursor.execute("SELECT id FROM labs")
        unknown = sorted(set(labs) - {lab for (lab,) in cursor.fetchall()})
        if unknown:
            named, what = ", ".join(unknown), "are not known. Add them" if unknown[1:] else "is not known. Add it"
            raise DatabaseError(f"Lab{'s' if unknown[1:] else ''} {named} {what} first.")
        cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", [member])
        if labs and cursor.rowcount == 0:
            raise DatabaseError(f"There is no login or role {member} on this server: CREATE ROLE makes one.")
        cursor.execute(
            "DELETE FROM lab_members WHERE member = %s AND lab_id <> ALL (%s::char(1)[])", [member, list(labs)]
        )
        cursor.execute(
            "INSERT INTO lab_members (lab_id, member) SELECT unnest(%s::char(1)[]), %s ON CONFLICT DO NOTHING",
            [list(labs), member],
        )

    _write(endpoint, run)


def set_technician(endpoint: Mapping[str, str], login: str, technician: str) -> None:
    """Assign a login to one technician, so that nobody else works with it; '': to none.

    Raises `DatabaseError` for an unknown login or technician.
    """

    def run(cursor: Cursor) -> None:
        if not technician:
            cursor.execute("DELETE FROM technician_logins WHERE login = %s", [login])
            return
        cursor.execute("SELECT FROM pg_roles WHERE rolname = %s AND rolcanlogin", [login])
        if cursor.rowcount == 0:
            raise DatabaseError(f"There is no login {login} on this server: CREATE ROLE {login} LOGIN makes one.")
        cursor.execute(
            "INSERT INTO technician_logins (login, lab_tech_id) SELECT %s, id FROM lab_techs WHERE name = %s"
            " ON CONFLICT (login) DO UPDATE SET lab_tech_id = EXCLUDED.lab_tech_id",
            [login, technician],
        )
        if cursor.rowcount == 0:
            raise DatabaseError(f"Technician {technician} is not known. `db add-technician` adds the name.")

    _write(endpoint, run)


def _missing_roles(cursor: Cursor) -> list[str]:
    cursor.execute(
        "SELECT name FROM unnest(%s) AS name WHERE name NOT IN (SELECT rolname FROM pg_roles)", [list(ROLES)]
    )
    return [name for (name,) in cursor.fetchall()]


def _write(endpoint: Mapping[str, str], work: Callable[[Cursor], None]) -> None:
    with closing(Connections(endpoint)) as connections:
        connections.write(work)
