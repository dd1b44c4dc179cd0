"""Dump a database to a file and bring it back, with PostgreSQL's own pg_dump and pg_restore."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from .connections import cursor_at
from .endpoints import dsn
from .errors import PostgresError, reason_in, system_errors_told
from .programs import binaries, environment, program

_ATTEMPTS = 50  # a tenth of a second each: clients that connect again at once may be in the way of the swap
_RIGHT = re.compile(r'^(?:GRANT|REVOKE) .* (?:TO|FROM) ("(?:[^"]|"")+"|\w+)(?: WITH GRANT OPTION)?;$', re.MULTILINE)


def dump(endpoint: Mapping[str, str], file: Path) -> None:
    """Write the whole database to a file (pg_dump's custom format), which gets its name only once it is whole.

    Raises PostgresError.
    """
    file = file.absolute()
    partial = file.with_name(f".{file.name}.{os.urandom(4).hex()}.part")
    with system_errors_told("The backup file", file):
        partial.touch(mode=0o600, exist_ok=False)
        try:
            _run("pg_dump", endpoint, ["--format=custom", f"--file={partial}"], "The backup was not made")
            with partial.open("rb") as written:
                os.fsync(written.fileno())
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)


def restore(
    endpoint: Mapping[str, str], file: Path, check: Callable[[dict[str, str]], None] | None = None
) -> list[str]:
    """Put the database of a dump in the place of the present one; the names of roles whose rights couldn't be given.

    The dump goes into a fresh database. `check` gets its endpoint and may migrate it, or refuse it by raising. Only
    then do the two change names: until then, whatever fails leaves the present one as it was. Other connections to it
    are cut (the server tells them so) and it is dropped. Raises PostgresError.
    """
    if not file.is_file():
        raise PostgresError(f"There is no backup file {file}.")
    name = endpoint["dbname"]
    fresh = f"{name[:40]}_restoring_{os.urandom(4).hex()}"
    aside = f"{name[:40]}_replaced_{os.urandom(4).hex()}"
    maintenance = {**endpoint, "dbname": "postgres"}
    _execute(maintenance, f"CREATE DATABASE {_identifier(fresh)} TEMPLATE template0 ENCODING 'UTF8'")
    try:
        missing = _fill({**endpoint, "dbname": fresh}, file)
        if check is not None:
            check({**endpoint, "dbname": fresh})
        _execute({**endpoint, "dbname": fresh}, "VACUUM (ANALYZE)")  # a dump holds no statistics
        _swap(maintenance, name, fresh, aside)
    except BaseException:
        _drop(maintenance, fresh)
        raise
    _drop(maintenance, aside)
    return missing


def _fill(fresh: dict[str, str], file: Path) -> list[str]:
    arguments = ["--exit-on-error", "--single-transaction", "--no-owner", str(file.absolute())]
    failure = f"The backup {file} was not restored and the database is as it was"
    missing = _roles_missing(fresh, file)
    if missing:
        arguments.insert(0, "--no-privileges")
    _run("pg_restore", fresh, arguments, failure)
    return missing


def _roles_missing(fresh: dict[str, str], file: Path) -> list[str]:
    """The roles that the dump gives rights to but that this server doesn't know."""
    said = _program_output("pg_restore", ["--file=-", "--schema-only", "--no-owner", str(file.absolute())])
    named = set(_RIGHT.findall(said))
    wanted = {role[1:-1].replace('""', '"') if role.startswith('"') else role for role in named} - {"PUBLIC"}
    with cursor_at(fresh) as cursor:
        cursor.execute("SELECT rolname FROM pg_roles")
        return sorted(wanted - {row[0] for row in cursor})


def _swap(maintenance: Mapping[str, str], name: str, fresh: str, aside: str) -> None:
    import psycopg2.errors

    with cursor_at(maintenance) as cursor:
        for attempt in range(_ATTEMPTS):
            try:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN (%s, %s)", [name, fresh]
                )
                # One statement string is one transaction: both names change or neither.
                cursor.execute(
                    f"ALTER DATABASE {_identifier(name)} RENAME TO {_identifier(aside)};"
                    f"ALTER DATABASE {_identifier(fresh)} RENAME TO {_identifier(name)}"
                )
                return
            except psycopg2.errors.ObjectInUse:
                if attempt == _ATTEMPTS - 1:
                    raise PostgresError(
                        f"Others keep using the database {name}, so it was not replaced. Close them and try again."
                    ) from None
                time.sleep(0.1)
            except psycopg2.Error as error:
                raise PostgresError(
                    f"The database {name} was not replaced: {error.diag.message_primary}.", str(error)
                ) from error


def _drop(maintenance: Mapping[str, str], name: str) -> None:
    _execute(maintenance, f"DROP DATABASE IF EXISTS {_identifier(name)} WITH (FORCE)")


def _execute(endpoint: Mapping[str, str], statement: str) -> None:
    import psycopg2

    with cursor_at(endpoint) as cursor:
        try:
            cursor.execute(statement)
        except psycopg2.Error as error:
            raise PostgresError(
                f"The server refused this: {error.diag.message_primary}. To restore, a role needs the right CREATEDB.",
                str(error),
            ) from error


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _run(name: str, endpoint: Mapping[str, str], arguments: list[str], failure: str) -> None:
    target = dsn({key: value for key, value in endpoint.items() if key != "password"})
    _program_output(name, ["--no-password", f"--dbname={target}", *arguments], failure, endpoint.get("password", ""))


def _program_output(
    name: str, arguments: list[str], failure: str = "The backup can't be read", password: str = ""
) -> str:
    # The password goes through the environment: other users can read a command line.
    tool = _tool(name)
    # Of the caller's variables it gets libpq's, such as PGPASSFILE, which our own connections heed as well.
    variables = environment(tool.parent) | {key: value for key, value in os.environ.items() if key.startswith("PG")}
    if password:
        variables["PGPASSWORD"] = password
    command = [str(tool), *arguments]
    done = subprocess.run(
        command, env=variables, capture_output=True, encoding="utf-8", errors="replace", stdin=subprocess.DEVNULL
    )
    if done.returncode == 0:
        return done.stdout
    if "server version mismatch" in done.stderr or "unsupported version" in done.stderr:
        raise PostgresError(
            f"{failure}: {command[0]} is too old for it. Install the {name} of the newer PostgreSQL.", done.stderr
        )
    raise PostgresError(f"{failure}: {reason_in(done.stderr)}", done.stderr)


def _tool(name: str) -> Path:
    try:
        found = program(binaries(), name)
    except PostgresError:
        found = program(Path(), name)
    if found.is_file():
        return found
    elsewhere = shutil.which(name)
    if elsewhere is None:
        raise PostgresError(f"PostgreSQL's program {name} isn't on this machine. Install PostgreSQL's client programs.")
    return Path(elsewhere).absolute()
