"""What a dump holds, put into an empty database: all of it or nothing."""

import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from . import client_programs
from .connections import cursor_at
from .errors import PostgresError
from .ours import refuse_foreign_database, refuse_foreign_file
from .watching import UNWATCHED, Watching

_RIGHT = re.compile(r'^(?:GRANT|REVOKE) .* (?:TO|FROM) ("(?:[^"]|"")+"|\w+)(?: WITH GRANT OPTION)?;$', re.MULTILINE)
_ROLES = ("abq_technician", "abq_supervisor", "abq_qa")  # those that create_db.sql makes
_KNOWS_ALL_SETTINGS = 170000  # the version from which on a server knows all that pg_restore sets
_UNKNOWN_BEFORE = re.compile(rb"SET transaction_timeout = 0;\r?\n")
_HEAD = 64 * 1024  # where pg_restore sets things


def fill(fresh: Mapping[str, str], file: Path, watching: Watching = UNWATCHED) -> list[str]:
    """Put what a dump holds into an empty database, all of it or nothing; the roles that the server doesn't know.

    Data come before triggers, so none of them fires. Raises PostgresError, also for a dump that isn't ours; Cancelled.
    """
    refuse_foreign_file(file)
    rights = _rights_in(file)
    missing = _roles_missing(fresh, rights)
    failure = f"The backup {file} was not restored and the database is as it was"
    load(fresh, file, failure, with_rights=not missing, watching=watching)
    refuse_foreign_database(fresh, f"{file} isn't a backup of")
    if missing:
        _give_to_those_there(fresh, rights, missing)
    return missing


def load(
    fresh: Mapping[str, str], file: Path, failure: str, *, with_rights: bool, watching: Watching = UNWATCHED
) -> None:
    """Put what a dump holds into an empty database; `failure` begins the sentence when it can't be done."""
    wanted = ["--no-owner", *([] if with_rights else ["--no-privileges"]), str(file.absolute())]
    if _takes_archives(fresh):
        arguments = ["--exit-on-error", "--single-transaction", *wanted]
        client_programs.run("pg_restore", fresh, arguments, failure, watching)
        return
    # Archive and connection may want different programs: pg_restore must be as new as the archive, and that one may
    # neither encrypt nor know an older server. As a script psql takes it anywhere.
    with tempfile.TemporaryDirectory(prefix="abq-restore-") as folder:  # 0700
        script = Path(folder, "script.sql")
        client_programs.output("pg_restore", [f"--file={script}", *wanted], failure, watching=watching)
        _for_older_servers(script)
        arguments = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--file={script}"]
        client_programs.run("psql", fresh, arguments, failure, watching)


def _takes_archives(fresh: Mapping[str, str]) -> bool:
    if not fresh.get("host", "").startswith("/"):
        return False
    with cursor_at(fresh) as cursor:
        return bool(cursor.connection.server_version >= _KNOWS_ALL_SETTINGS)


def _for_older_servers(script: Path) -> None:
    """Blank what pg_restore sets at the head of a script and servers before 17 don't know; the length stays."""
    with script.open("r+b") as file:
        head = file.read(_HEAD)
        found = _UNKNOWN_BEFORE.search(head)
        if found:
            file.seek(found.start())
            file.write(b" " * (len(found[0].rstrip())))


def _rights_in(file: Path) -> list[tuple[str, str]]:
    """The statements that give and take rights in a dump, each with the role that it is about."""
    said = client_programs.output("pg_restore", ["--file=-", "--schema-only", "--no-owner", str(file.absolute())])
    return [(found[0], _unquoted(found[1])) for found in _RIGHT.finditer(said)]


def _unquoted(role: str) -> str:
    return role[1:-1].replace('""', '"') if role.startswith('"') else role


def _roles_missing(fresh: Mapping[str, str], rights: list[tuple[str, str]]) -> list[str]:
    """The roles with rights that this server doesn't know, after the application's own were made where that is allowed.

    Roles belong to a whole server: no dump of a database holds them.
    """
    import psycopg2

    wanted = {role for _, role in rights} - {"PUBLIC"}
    with cursor_at(fresh) as cursor:
        for role in _ROLES:
            if role in wanted:
                with suppress(psycopg2.Error):  # it is there, or an administrator has to make it
                    cursor.execute(f"CREATE ROLE {role} NOLOGIN")
        cursor.execute("SELECT rolname FROM pg_roles")
        return sorted(wanted - {row[0] for row in cursor})


def _give_to_those_there(fresh: Mapping[str, str], rights: list[tuple[str, str]], missing: list[str]) -> None:
    """What was left out because some roles are missing is done for the others, and for everybody."""
    import psycopg2

    statements = [statement for statement, role in rights if role not in missing]
    with cursor_at(fresh) as cursor:
        try:
            cursor.execute("".join(statements) or "SELECT")
        except psycopg2.Error as error:
            reason = error.diag.message_primary
            raise PostgresError(f"The rights in the backup could not be given: {reason}.", str(error)) from error
