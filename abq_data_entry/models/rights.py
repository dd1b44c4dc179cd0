"""What a login may do, and who may do what: roles, and labs that are kept apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.models import schema
from abq_data_entry.models.connections import Connections
from abq_data_entry.models.errors import DatabaseError, RightsMissing
from abq_data_entry.models.records import Rights

# What a login may do in the database, as the server says.

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
# A backup is verified in a scratch database, and a restore puts a new database in the place of this one. Where labs
# are kept apart, `seen_labs` holds those of the login, else it is NULL.


def read_rights(cursor: Cursor) -> Rights:
    """Return the rights of the present user on the tables (PostgreSQL manual, Access Privilege Inquiry Functions)."""
    cursor.execute(_READ)
    return Rights(*cursor.fetchall()[0])


# Roles of the database, and labs that are kept apart. For the owner and for administrators.

ROLES = ("abq_technician", "abq_supervisor", "abq_qa")


def grant(endpoint: Mapping[str, str]) -> None:
    """Make the roles where they are missing and give them their rights; can be repeated.

    Raises `SchemaMissing` where the tables aren't of this version, and `RightsMissing` if the roles can't be made.
    """
    connections = Connections(endpoint)
    try:
        connections.read(partial(schema.check, endpoint=connections.endpoint))
        schema.apply(connections)
        missing = connections.read(_missing_roles)
    finally:
        connections.close()
    if missing:
        raise RightsMissing(
            f"The roles {', '.join(missing)} are missing on this server, and this user may not make roles. A superuser"
            f" has to make them once, in the database postgres: {' '.join(f'CREATE ROLE {each};' for each in missing)}"
            " Then again: abq-data-entry db grant."
        )


def restrict_labs(endpoint: Mapping[str, str], wanted: bool) -> None:
    """Keep labs apart from now on, or no longer. Raises `RightsMissing` for anybody but the owner of the tables."""
    _write(endpoint, lambda cursor: cursor.execute("SELECT restrict_labs(%s)", [wanted]))


def set_labs(endpoint: Mapping[str, str], member: str, labs: Sequence[str]) -> None:
    """Say to which labs a login, or a role of logins, belongs from now on; none: to no lab any longer.

    Raises `DatabaseError` for a role or a lab that isn't there.
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
    """Say that a login is that technician's own, and nobody else works with it; '': nobody's any longer.

    Raises `DatabaseError` for a login or a technician that isn't there.
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
    connections = Connections(endpoint)
    try:
        connections.write(work)
    finally:
        connections.close()
