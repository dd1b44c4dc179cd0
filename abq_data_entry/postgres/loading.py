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
_COLUMN_OPTIONS = re.compile(
    rb"^(?P<head>ALTER TABLE [^\r\n]+ ALTER COLUMN [^\r\n]+ SET \()(?P<options>[\w=., '-]+)\);", re.MULTILINE
)
_COLUMN_OPTIONS_KNOWN = (b"n_distinct", b"n_distinct_inherited")
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
    with tempfile.TemporaryDirectory(prefix="abq-restore-") as folder:  # 0700
        tables, rest = Path(folder, "tables.sql"), Path(folder, "rest.sql")
        client_programs.output("pg_restore", [f"--file={tables}", "--section=pre-data", *wanted], failure)
        if not _without_strange_options(tables) and _takes_archives(fresh):
            arguments = ["--exit-on-error", "--single-transaction", *wanted]
            client_programs.run("pg_restore", fresh, arguments, failure, watching)
            return
        # Archive and connection may want different programs: pg_restore must be as new as the archive, and that one
        # may neither encrypt nor know an older server. As scripts psql takes it anywhere, in one transaction.
        sections = ["--section=data", "--section=post-data"]
        client_programs.output("pg_restore", [f"--file={rest}", *sections, *wanted], failure, watching=watching)
        for script in (tables, rest):
            _for_older_servers(script)
        arguments = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
        client_programs.run("psql", fresh, [*arguments, f"--file={tables}", f"--file={rest}"], failure, watching)


def _without_strange_options(script: Path) -> bool:
    """Leave out the options of columns that not every server knows; whether there were any.

    Some servers mark each column with an option of their own (`pg_attver` in 17.12), which the pg_dump of another
    version writes down, and other servers refuse.
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
