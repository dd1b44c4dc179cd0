"""The tables: whether they are there and of which version, and making or migrating them with `create_db.sql`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import psycopg2
from psycopg2.extensions import cursor as Cursor

from abq_data_entry.constants import SCHEMA_VERSION
from abq_data_entry.folders import bundled_file
from abq_data_entry.models.connections import Connections
from abq_data_entry.models.errors import DatabaseError, RightsMissing, SchemaMissing, SchemaTooNew
from abq_data_entry.models.failures import describe_statement

VERSION = SCHEMA_VERSION
"""The version that `create_db.sql` makes; it says so too."""

_RAISED_BY_SCRIPT = ("P0001", "0A000")

_TABLES = (
    "schema_version", "lab_techs", "labs", "plots", "lab_checks", "plot_checks", "local_weather", "data_record_view",
)  # fmt: skip


def installed_version(cursor: Cursor) -> int | None:
    """Return the version of the tables, 0 for the first schema, which kept none, `None` if there are no tables.

    Raises `RightsMissing` if this user may not read the tables that are there.
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
    """Make the tables in the database, or bring them to this version; False if nothing had to be done.

    `before(version)` is called when tables of an older version are to be changed, to make a backup, say; nothing is
    changed when it raises. Several processes may do so at once. Raises `SchemaTooNew`, and `RightsMissing` with what
    an administrator has to run when this user may not make tables.
    """
    connections = Connections(endpoint)
    try:
        version = connections.read(installed_version)
        _refuse_newer(version)
        if version == VERSION:
            return False
        connections.read(refuse_encoding)
        if version is not None and before is not None:
            before(version)
        apply(connections)
        return True
    finally:
        connections.close()


def require_encoding(endpoint: Mapping[str, str]) -> None:
    """Raise `DatabaseError` if the database can't hold every name and note."""
    connections = Connections(endpoint)
    try:
        connections.read(refuse_encoding)
    finally:
        connections.close()


def check(cursor: Cursor, endpoint: Mapping[str, str]) -> None:
    """Raise `SchemaMissing`, `SchemaTooNew` or `RightsMissing` if this user can't work with the tables as they are."""
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
        raise RightsMissing(
            f"This user may not read {', '.join(missing)}. An administrator has to give it a role: GRANT"
            f' abq_technician TO "{_user(cursor)}"; (to enter records; abq_qa reads them).'
        )


def apply(connections: Connections) -> None:
    """Run `create_db.sql`, whatever is there. Raises `DatabaseError`, `RightsMissing`."""
    script, endpoint = bundled_file("create_db.sql").read_text(encoding="utf-8"), connections.endpoint
    try:
        # The script is one transaction, and waits for its own lock; a large old database takes its time.
        connections.run_script(script)
    except psycopg2.errors.InsufficientPrivilege as error:
        detail = error.diag.message_primary or ""
        wanted = connections.read(_missing_grant)
        what = f"A superuser has to run this in the database first: {wanted}" if wanted else _instruction(endpoint)
        raise RightsMissing(f"This user may not make the tables of ABQ Data Entry. {what}", detail) from None
    except psycopg2.errors.LockNotAvailable as error:
        raise DatabaseError(
            "The database was not changed: somebody has a transaction open there, a report or a backup say. Wait until"
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
    """Return the statement that gives this user the right to make tables, '' if it has that."""
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
